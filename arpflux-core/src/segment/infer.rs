//! Which interfaces of several hosts share a wire, as far as addresses tell.

use std::net::IpAddr;

use super::{Member, Port, Segment};
use crate::predict::listeners;
use crate::snapshot::{Address, LinkKind, Snapshot};
use crate::types::IpNet;

/// Takes interfaces whose subnets overlap, directly or over others, to share a wire. Only segments with
/// interfaces of two hosts or more are given, in the order of their first interface.
///
/// Two bridges that hold the same address (`docker0` with 172.17.0.1 on every node) are private networks
/// of their hosts rather than one wire with a duplicate on it, and are kept apart. Subnets of one address
/// say nothing.
#[must_use]
pub fn infer(members: &[Member<'_>]) -> Vec<Segment> {
    // First and last address of each subnet, and the port it is on.
    let mut ranges: Vec<(u32, u32, usize)> = Vec::new();
    let mut ports: Vec<Port> = Vec::new();
    for (member, host) in members.iter().enumerate() {
        for interface in listeners(host.snapshot) {
            let place = ports.len();
            ports.push(Port { member, interface });
            for address in host.snapshot.addresses_of(interface) {
                if private(members, member, address) {
                    continue;
                }
                if let IpNet::V4(net) = address.subnet()
                    && net.prefix_len() < 32
                {
                    ranges.push((net.network().to_bits(), net.broadcast().to_bits(), place));
                }
            }
        }
    }
    ranges.sort();
    // Sorted by first address: a range overlaps the ones before if it begins before the farthest end.
    let mut group: Vec<usize> = (0..ports.len()).collect();
    let mut open: Option<(u32, usize)> = None;
    for (first, last, place) in ranges {
        open = match open {
            Some((end, with)) if first <= end => {
                let (a, b) = (group[with], group[place]);
                group.iter_mut().filter(|group| **group == b).for_each(|group| *group = a);
                Some((end.max(last), with))
            }
            _ => Some((last, place)),
        };
    }
    let mut segments: Vec<Segment> = Vec::new();
    for number in 0..ports.len() {
        let together: Vec<Port> =
            (0..ports.len()).filter(|place| group[*place] == number).map(|place| ports[place]).collect();
        let hosts = together.windows(2).any(|pair| pair[0].member != pair[1].member);
        if hosts {
            segments.push(Segment { ports: together });
        }
    }
    segments.sort_by(|a, b| a.ports.cmp(&b.ports));
    segments
}

/// Whether a bridge's address is also that of a bridge on another host.
fn private(members: &[Member<'_>], member: usize, address: &Address) -> bool {
    is_bridge(members[member].snapshot, address)
        && members.iter().enumerate().any(|(other, host)| {
            other != member
                && host
                    .snapshot
                    .addresses
                    .iter()
                    .any(|held| same(held.local, address.local) && is_bridge(host.snapshot, held))
        })
}

fn same(a: IpAddr, b: IpAddr) -> bool {
    a.is_ipv4() && a == b
}

fn is_bridge(snapshot: &Snapshot, address: &Address) -> bool {
    snapshot.interface(address.interface).is_some_and(|interface| interface.kind == Some(LinkKind::Bridge))
}
