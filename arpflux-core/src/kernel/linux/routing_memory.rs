//! What the kernel remembers about routing and shows in no dump: concluded, or asked for.

use std::net::{IpAddr, Ipv4Addr};

use nix::libc::{self, AF_INET};

use crate::error::Result;
use crate::kernel::decode;
use crate::kernel::netlink::{Messages, NetlinkSocket};
use crate::kernel::uapi::{RTA_DST, RTA_IIF, RTA_SRC, RTM_F_FIB_MATCH, RTM_F_LOOKUP_TABLE, RTM_GETROUTE};
use crate::snapshot::{
    Interface, InterfaceFlags, Route, RouteKind, RoutingMemory, Rule, RuleAction, Snapshot, protocol, table,
};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IpNet};

/// What follows from what is there.
pub(super) fn known(snapshot: &Snapshot, realms: bool) -> RoutingMemory {
    let custom = |route: &&Route| {
        route.kind == RouteKind::Local
            && route.destination.addr().is_ipv4()
            && route.protocol != protocol::KERNEL
    };
    RoutingMemory {
        rules_changed: (!default_rules(&snapshot.rules)).then_some(true),
        local_routes_added: snapshot.routes.iter().find(custom).map(|_| true),
        // Counted by the kernel as they come and go (`fib_num_tclassid_users`), so what is there is all.
        realms: Some(realms),
        multipath_by_neighbour: std::fs::read_to_string("/proc/sys/net/ipv4/fib_multipath_use_neigh")
            .ok()
            .and_then(|text| text.trim().parse::<i32>().ok())
            .map(|value| value != 0),
    }
}

/// Whether the IPv4 rules are those that every namespace starts with.
fn default_rules(rules: &[Rule]) -> bool {
    let expected = [(0, table::LOCAL), (32766, table::MAIN), (32767, table::DEFAULT)];
    let mut rules = rules.iter().filter(|rule| !rule.ipv6);
    let same = expected.iter().all(|(priority, table)| {
        rules.next().is_some_and(|rule| {
            let selects = rule.source.is_some()
                || rule.destination.is_some()
                || rule.iif.is_some()
                || rule.oif.is_some()
                || rule.tos != 0
                || rule.fwmask != 0
                || rule.ip_protocol.is_some()
                || rule.source_ports.is_some()
                || rule.destination_ports.is_some()
                || rule.uids.is_some()
                || rule.tunnel_id.is_some()
                || rule.suppress_prefix_len.is_some()
                || rule.suppress_group.is_some()
                || rule.l3mdev;
            (rule.priority, rule.table, rule.action) == (*priority, *table, RuleAction::Table) && !selects
        })
    });
    same && rules.next().is_none()
}

/// Asks the kernel where table main has a longer prefix than table local for one address: while the two
/// are still searched as one the longer wins, afterwards local does. `None` where no address tells them
/// apart, and then it makes no difference.
pub(super) fn ask(netlink: &mut NetlinkSocket, messages: &mut Messages, snapshot: &Snapshot) -> Option<bool> {
    let address = telling_address(&snapshot.routes)?;
    let mut body = [0u8; 12];
    body[0] = AF_INET as u8;
    body[1] = 32;
    body[8..12].copy_from_slice(&(RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE).to_ne_bytes());
    messages.clear();
    messages.begin(RTM_GETROUTE, 0, &body);
    messages.attribute(RTA_DST, &address.octets());
    let mut found = None;
    let answer: Result<()> = netlink.ask(messages, |_, payload| {
        found = decode::route(payload).map(|decoded| decoded.route);
        Ok(())
    });
    answer.ok()?;
    match found?.table {
        table::LOCAL => Some(true),
        table::MAIN => Some(false),
        _ => None,
    }
}

/// Asks the kernel whether it checks senders in full: a subnet's broadcast address as the source of a packet to an own
/// address is refused by that check alone (`fib_validate_source()`). `None` where no interface tells.
pub(super) fn checks_in_full(
    netlink: &mut NetlinkSocket,
    messages: &mut Messages,
    snapshot: &Snapshot,
) -> Option<bool> {
    let (interface, own, broadcast) = telling_sender(snapshot)?;
    let mut body = [0u8; 12];
    body[..3].copy_from_slice(&[AF_INET as u8, 32, 32]);
    messages.clear();
    messages.begin(RTM_GETROUTE, 0, &body);
    messages.attribute(RTA_DST, &own.octets());
    messages.attribute(RTA_SRC, &broadcast.octets());
    messages.attribute(RTA_IIF, &interface.0.to_ne_bytes());
    match netlink.ask(messages, |_, _| Ok(())) {
        Ok(()) => Some(false),
        Err(error) if error.errno() == Some(libc::EINVAL) => Some(true),
        Err(_) => None,
    }
}

/// An interface that checks senders by no setting of its own, one of its addresses, and a broadcast address of its.
fn telling_sender(snapshot: &Snapshot) -> Option<(IfIndex, Ipv4Addr, Ipv4Addr)> {
    let off = |interface: &Interface, sysctl| snapshot.effective(interface, sysctl).value == 0;
    let plain = |interface: &&Interface| {
        interface.flags.contains(InterfaceFlags::UP)
            && !interface.flags.contains(InterfaceFlags::LOOPBACK)
            && interface.master.is_none()
            && off(interface, Sysctl::RpFilter)
            && off(interface, Sysctl::AcceptLocal)
    };
    snapshot.interfaces.iter().filter(plain).find_map(|interface| {
        let local = |kind: RouteKind| {
            snapshot.routes.iter().find_map(|route| match route.destination {
                IpNet::V4(net)
                    if route.kind == kind
                        && route.table == table::LOCAL
                        && net.prefix_len() == 32
                        && !net.addr().is_loopback()
                        && route.next_hops.iter().any(|hop| hop.interface == Some(interface.index)) =>
                {
                    Some(net.addr())
                }
                _ => None,
            })
        };
        let (own, broadcast) = (local(RouteKind::Local)?, local(RouteKind::Broadcast)?);
        // What an interface holds is refused in any case.
        let held = snapshot.addresses.iter().any(|address| address.local == IpAddr::V4(broadcast));
        (!held).then_some((interface.index, own, broadcast))
    })
}

/// An address whose longest match in main is a longer prefix than its longest match in local.
fn telling_address(routes: &[Route]) -> Option<Ipv4Addr> {
    let prefixes = |number: u32| {
        routes.iter().filter_map(move |route| match route.destination {
            IpNet::V4(net) if route.table == number && route.tos == 0 => Some((net, route)),
            _ => None,
        })
    };
    let wide: Vec<_> = prefixes(table::LOCAL).filter(|(net, _)| net.prefix_len() < 32).collect();
    if wide.is_empty() {
        return None;
    }
    // A route that is dead would be passed over, and then the answer tells nothing.
    let alive = |route: &Route| {
        route.kind == RouteKind::Unicast && route.next_hops.iter().all(|hop| hop.flags.is_empty())
    };
    for (net, route) in prefixes(table::MAIN).filter(|(_, route)| alive(route)) {
        if !wide.iter().any(|(local, _)| local.prefix_len() < net.prefix_len() && local.contains(&net)) {
            continue;
        }
        // The first addresses of the prefix that nothing longer covers in either table.
        let covered = |address: Ipv4Addr| {
            prefixes(table::LOCAL)
                .chain(prefixes(table::MAIN))
                .any(|(other, _)| other.prefix_len() > net.prefix_len() && other.contains(&address))
        };
        let free = net.hosts().take(8).find(|address| !covered(*address));
        if free.is_some() && route.destination.contains(&IpAddr::V4(free?)) {
            return free;
        }
    }
    None
}
