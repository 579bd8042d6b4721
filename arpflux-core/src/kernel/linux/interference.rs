//! What else may answer, drop or change ARP frames: programs, listeners, filters that are not worked out.

use super::{LinuxKernel, legacy_tables, nftables, programs, traffic_control};
use crate::error::{ErrorKind, Result};
use crate::snapshot::{Interference, Snapshot};
use crate::types::IfIndex;

const ETH_P_ARP: &str = "0806";

/// Fills in [`Snapshot::interference`]. What may not be read is listed as such, never left out.
pub(super) fn find(kernel: &mut LinuxKernel, snapshot: &mut Snapshot, xdp: &[(IfIndex, u32)]) -> Result<()> {
    let mut found = std::mem::take(&mut snapshot.interference);
    found.extend(xdp.iter().map(|(interface, program)| Interference::Xdp {
        interface: *interface,
        program: Some(programs::name(*program)),
    }));
    match nftables::read(&mut kernel.messages) {
        Ok(filters) => snapshot.filters = filters,
        Err(error) if error.kind() == ErrorKind::Raced => return Err(error),
        Err(error) => {
            let denied = error.kind() == ErrorKind::PermissionDenied;
            let (what, needs) = match denied {
                true => ("the nftables ruleset".to_owned(), Some("CAP_NET_ADMIN".to_owned())),
                false => (format!("the nftables ruleset ({})", error.message()), None),
            };
            found.push(Interference::Unreadable { what, needs });
        }
    }
    let tables = lines("/proc/thread-self/net/arp_tables_names", &mut found);
    let mut filters = std::mem::take(&mut snapshot.filters);
    legacy_tables::read(&tables, &mut filters, &mut found)?;
    traffic_control::read(&mut kernel.netlink, &mut kernel.messages, snapshot, &mut filters, &mut found)?;
    snapshot.filters = filters;
    let sockets = lines("/proc/thread-self/net/packet", &mut found);
    found.extend(sockets.iter().filter_map(|line| listener(line)));
    snapshot.interference = found;
    Ok(())
}

/// The lines of a file; none if the kernel has no such file.
fn lines(path: &str, found: &mut Vec<Interference>) -> Vec<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => text.lines().map(str::to_owned).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            let denied = error.kind() == std::io::ErrorKind::PermissionDenied;
            let (what, needs) = match denied {
                true => (path.to_owned(), Some("the rights of root".to_owned())),
                false => (format!("{path} ({error})"), None),
            };
            found.push(Interference::Unreadable { what, needs });
            Vec::new()
        }
    }
}

/// A packet socket that takes ARP frames alone: `sk RefCnt Type Proto Iface R Rmem User Inode`.
///
/// Sockets for every protocol (`0003`) are left out: those are tcpdump, DHCP and LLDP daemons that look
/// on and do not answer, and nearly every host has one.
fn listener(line: &str) -> Option<Interference> {
    let mut fields = line.split_ascii_whitespace().skip(3);
    let protocol = fields.next()?;
    let index: u32 = fields.next()?.parse().ok()?;
    (protocol == ETH_P_ARP)
        .then(|| Interference::Listener { interface: (index != 0).then_some(IfIndex(index)) })
}
