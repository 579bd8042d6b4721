//! Which interfaces of several hosts share a wire, as far as addresses tell.

use std::collections::{BTreeMap, HashMap, HashSet};
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
    let private = private(members);
    // First and last address of each subnet, and the port it is on.
    let mut ranges: Vec<(u32, u32, usize)> = Vec::new();
    let mut ports: Vec<Port> = Vec::new();
    for (member, host) in members.iter().enumerate() {
        for interface in listeners(host.snapshot) {
            let place = ports.len();
            ports.push(Port { member, interface });
            for address in host.snapshot.addresses_of(interface) {
                if private.contains(&address.local) && is_bridge(host.snapshot, address) {
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
    // Sorted by first address: a range overlaps the ones before if it begins before the farthest end. Each port leads
    // to another of its wire, the first of them to itself.
    let mut leads_to: Vec<usize> = (0..ports.len()).collect();
    let mut open: Option<(u32, usize)> = None;
    for (first, last, place) in ranges {
        open = match open {
            Some((end, with)) if first <= end => {
                let (a, b) = (root(&mut leads_to, with), root(&mut leads_to, place));
                leads_to[a.max(b)] = a.min(b);
                Some((end.max(last), with))
            }
            _ => Some((last, place)),
        };
    }
    let mut together: BTreeMap<usize, Vec<Port>> = BTreeMap::new();
    for (place, port) in ports.iter().enumerate() {
        together.entry(root(&mut leads_to, place)).or_default().push(*port);
    }
    let several = |ports: &Vec<Port>| ports.iter().any(|port| port.member != ports[0].member);
    let mut segments: Vec<Segment> =
        together.into_values().filter(several).map(|ports| Segment { ports }).collect();
    segments.sort_by(|a, b| a.ports.cmp(&b.ports));
    segments
}

/// The first port of a wire, from any of it; what is on the way leads there directly afterwards.
fn root(leads_to: &mut [usize], from: usize) -> usize {
    let mut root = from;
    while leads_to[root] != root {
        root = leads_to[root];
    }
    let mut place = from;
    while leads_to[place] != root {
        place = std::mem::replace(&mut leads_to[place], root);
    }
    root
}

/// The addresses that bridges of several hosts hold.
fn private(members: &[Member<'_>]) -> HashSet<IpAddr> {
    let mut held: HashMap<IpAddr, usize> = HashMap::new();
    let mut private = HashSet::new();
    for (member, host) in members.iter().enumerate() {
        let v4 = host.snapshot.addresses.iter().filter(|address| address.local.is_ipv4());
        for address in v4.filter(|address| is_bridge(host.snapshot, address)) {
            if *held.entry(address.local).or_insert(member) != member {
                private.insert(address.local);
            }
        }
    }
    private
}

fn is_bridge(snapshot: &Snapshot, address: &Address) -> bool {
    snapshot.interface(address.interface).is_some_and(|interface| interface.kind == Some(LinkKind::Bridge))
}
