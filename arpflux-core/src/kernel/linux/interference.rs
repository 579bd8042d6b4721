//! What else may answer, drop or change ARP frames: programs, listeners, filters that are not worked out.

use nix::libc;

use super::read::dump;
use super::{LinuxKernel, nftables};
use crate::error::{ErrorKind, Result};
use crate::kernel::netlink::{Messages, NetlinkSocket, attributes};
use crate::kernel::uapi::{RTM_GETQDISC, RTM_GETTFILTER, TCA_KIND};
use crate::snapshot::{Interference, Snapshot};
use crate::types::IfIndex;

/// `ffff:fff2` and `ffff:fff3`: the two hooks of clsact; ingress has the first alone.
const INGRESS: u32 = 0xffff_fff2;
const EGRESS: u32 = 0xffff_fff3;

const ETH_P_ARP: &str = "0806";

/// Fills in [`Snapshot::interference`]. What may not be read is listed as such, never left out.
pub(super) fn find(kernel: &mut LinuxKernel, snapshot: &mut Snapshot, xdp: &[IfIndex]) -> Result<()> {
    let mut found = std::mem::take(&mut snapshot.interference);
    found.extend(xdp.iter().map(|interface| Interference::Xdp { interface: *interface }));
    traffic_control(&mut kernel.netlink, &mut kernel.messages, &mut found)?;
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
    // Legacy arptables: a table is there as soon as it was used once.
    for table in lines("/proc/thread-self/net/arp_tables_names", &mut found) {
        found.push(Interference::Netfilter { chain: format!("arptables table {table}"), interface: None });
    }
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

/// Filters on the hooks that ARP frames pass: `clsact` and `ingress`. Filters of ordinary queueing
/// disciplines only sort frames into classes. Programs attached by `tcx` (6.6 and later) are not seen.
fn traffic_control(
    netlink: &mut NetlinkSocket,
    messages: &mut Messages,
    found: &mut Vec<Interference>,
) -> Result<()> {
    let mut hooks = Vec::new();
    messages.clear();
    messages.begin(RTM_GETQDISC, 0, &[0; 20]);
    let listed = dump(netlink, messages, |payload| {
        let Some(payload) = payload else { return hooks.clear() };
        let Some((index, rest)) = interface_of(payload) else { return };
        match attributes(rest).find(|attribute| attribute.kind == TCA_KIND).map(|a| a.text()) {
            Some(b"clsact") => hooks.extend([(index, INGRESS), (index, EGRESS)]),
            Some(b"ingress") => hooks.push((index, INGRESS)),
            _ => {}
        }
    });
    if let Err(error) = listed {
        // A kernel without traffic control.
        if error.errno() == Some(libc::EOPNOTSUPP) {
            return Ok(());
        }
        return Err(error.during("list").on("queueing disciplines"));
    }
    for (index, parent) in hooks {
        let mut body = [0u8; 20];
        body[4..8].copy_from_slice(&index.0.to_ne_bytes());
        body[12..16].copy_from_slice(&parent.to_ne_bytes());
        let mut filters = 0usize;
        messages.clear();
        messages.begin(RTM_GETTFILTER, 0, &body);
        let listed = dump(netlink, messages, |payload| match payload {
            None => filters = 0,
            Some(payload) => filters += usize::from(sees_arp(payload)),
        });
        let entry = Interference::TrafficControl { interface: index };
        match listed {
            Ok(()) => {
                if filters > 0 && !found.contains(&entry) {
                    found.push(entry);
                }
            }
            // The interface went away meanwhile.
            Err(error) if matches!(error.errno(), Some(libc::ENODEV | libc::EINVAL)) => {}
            Err(error) => return Err(error.during("list").on("traffic control filters")),
        }
    }
    Ok(())
}

/// Whether a filter is for ARP frames too: the low half of `tcm_info` is the EtherType that it is for.
fn sees_arp(payload: &[u8]) -> bool {
    const ALL: u16 = libc::ETH_P_ALL as u16;
    const ARP: u16 = libc::ETH_P_ARP as u16;
    let info = payload.get(16..20).and_then(|info| info.first_chunk());
    // What cannot be read may be for anything. Frames with a VLAN tag have an EtherType of their own.
    info.is_none_or(|info| [ALL, ARP, 0].contains(&u16::from_be(u32::from_ne_bytes(*info) as u16)))
}

/// `struct tcmsg`: the interface, and the attributes.
fn interface_of(payload: &[u8]) -> Option<(IfIndex, &[u8])> {
    let (fixed, rest) = payload.split_first_chunk::<20>()?;
    let index = u32::from_ne_bytes(*fixed[4..].first_chunk()?);
    Some((IfIndex(index), rest))
}
