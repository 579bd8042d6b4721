//! What else may answer, drop or change frames of ARP and of neighbour discovery: programs, listeners, filters that are not worked out.

use super::{LinuxKernel, legacy_tables, nftables, programs, traffic_control};
use crate::error::{ErrorKind, Result};
use crate::filter::{Chain, Family, Filters};
use crate::snapshot::{Interference, Snapshot};
use crate::types::IfIndex;

const ETH_P_ARP: &str = "0806";
const ETH_P_IPV6: &str = "86DD";

/// Fills in [`Snapshot::interference`] and the same of [`Snapshot::discovery`]. What may not be read is listed as such,
/// never left out.
pub(super) fn find(kernel: &mut LinuxKernel, snapshot: &mut Snapshot, xdp: &[(IfIndex, u32)]) -> Result<()> {
    let mut found = std::mem::take(&mut snapshot.interference);
    // Interfaces that could not be read count for both.
    let unread = |other: &&Interference| matches!(other, Interference::Unreadable { .. });
    let mut of_ipv6: Vec<Interference> = found.iter().filter(unread).cloned().collect();
    let programs = xdp.iter().map(|(interface, program)| Interference::Xdp {
        interface: *interface,
        program: Some(programs::name(*program)),
    });
    found.extend(programs.clone());
    of_ipv6.extend(programs);
    let before = found.len();
    match nftables::read(&mut kernel.messages) {
        Ok((filters, of_discovery)) => {
            snapshot.filters = filters;
            if let Some(discovery) = &mut snapshot.discovery {
                discovery.filters = of_discovery;
            }
        }
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
    of_ipv6.extend(found[before..].iter().cloned());
    let tables = lines("/proc/thread-self/net/arp_tables_names", &mut found);
    let mut filters = std::mem::take(&mut snapshot.filters);
    legacy_tables::read(&tables, &mut filters, &mut found)?;
    of_ipv6.extend(of_bridges(&filters, &found[before..]));
    traffic_control::read(
        &mut kernel.netlink,
        &mut kernel.messages,
        snapshot,
        &mut filters,
        &mut found,
        &mut of_ipv6,
    )?;
    snapshot.filters = filters;
    let sockets = lines("/proc/thread-self/net/packet", &mut found);
    found.extend(sockets.iter().filter_map(|line| listener(line, ETH_P_ARP)));
    for table in lines("/proc/thread-self/net/ip6_tables_names", &mut of_ipv6) {
        // What is not tracked, as solicitations are not, never gets to rules of NAT.
        if table != "nat" {
            of_ipv6
                .push(Interference::Netfilter { chain: format!("ip6tables table {table}"), interface: None });
        }
    }
    of_ipv6.extend(sockets.iter().filter_map(|line| listener(line, ETH_P_IPV6)));
    snapshot.interference = found;
    if let Some(discovery) = &mut snapshot.discovery {
        discovery.interference.extend(of_ipv6);
    }
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

/// A packet socket that takes frames of this EtherType alone: `sk RefCnt Type Proto Iface R Rmem User Inode`.
///
/// Sockets for every protocol (`0003`) are left out: those are tcpdump, DHCP and LLDP daemons that look
/// on and do not answer, and nearly every host has one.
fn listener(line: &str, ethertype: &str) -> Option<Interference> {
    let mut fields = line.split_ascii_whitespace().skip(3);
    let protocol = fields.next()?;
    let index: u32 = fields.next()?.parse().ok()?;
    protocol
        .eq_ignore_ascii_case(ethertype)
        .then(|| Interference::Listener { interface: (index != 0).then_some(IfIndex(index)) })
}

/// The chains of the older ebtables, which see every frame of a bridge, and those of its tables that are not understood.
fn of_bridges(filters: &Filters, found: &[Interference]) -> Vec<Interference> {
    let base = |chain: &&Chain| chain.family == Family::Ebtables && chain.base.is_some();
    let chains = filters.chains.iter().filter(base).map(Chain::title);
    let tables = found.iter().filter_map(|other| match other {
        Interference::Netfilter { chain, .. } | Interference::Unreadable { what: chain, .. } => {
            chain.starts_with("ebtables ").then(|| other.clone())
        }
        _ => None,
    });
    chains.map(|chain| Interference::Netfilter { chain, interface: None }).chain(tables).collect()
}
