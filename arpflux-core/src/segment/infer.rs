//! Which interfaces of several hosts share a wire, as far as the hosts tell.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::{Member, NamedPort, Port, Segment};
use crate::error::Result;
use crate::judgement::Gap;
use crate::predict::{Missing, listeners};
use crate::snapshot::{Address, Certainty, LinkKind, Snapshot, WireMap, leads_outside, subnet_of_wire};
use crate::stop::Stop;
use crate::types::{IfIndex, IpNet, Mac, VirtualMac};

/// The wires that several hosts share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Inferred {
    /// Those with interfaces of two hosts or more, in the order of their first interface.
    pub segments: Vec<Segment>,
    /// Subnets that are in use on several wires.
    pub apart: Vec<Apart>,
}

/// Wires that use one subnet and are different ones all the same: two sites with the same private network, or two
/// networks of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Apart {
    /// The gateway that has another MAC on each; `None`: one host has interfaces on several of them.
    pub gateway: Option<Ipv4Addr>,
    /// One interface on each wire.
    pub wires: Vec<Seen>,
    /// Interfaces of which nothing tells on which of these wires they are.
    pub open: Vec<NamedPort>,
}

/// What an interface of a host tells about its wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Seen {
    /// The interface.
    #[serde(flatten)]
    pub port: NamedPort,
    /// The MAC of the gateway there.
    pub gateway_mac: Option<Mac>,
}

impl Apart {
    /// What is missing to say on which wire each is.
    pub(super) fn gap(&self) -> Option<Gap> {
        let first = self.open.first()?;
        let others = match self.open.len() {
            1 => " is".to_owned(),
            count => format!(" and {} more are", count - 1),
        };
        let NamedPort { host, interface } = first;
        Some(Gap {
            missing: Missing::Wire,
            what: format!("it is not known on which wire {host} {interface}{others}: {self}"),
            leaves_open: "who answers there".into(),
            how: "say who shares a wire (--wires), or take the snapshots when each host has spoken with its gateway"
                .into(),
        })
    }
}

impl std::fmt::Display for Apart {
    /// Why they are different wires, with two of them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [one, other, more @ ..] = self.wires.as_slice() else { return Ok(()) };
        let at = |seen: &Seen| {
            let NamedPort { host, interface } = &seen.port;
            match seen.gateway_mac {
                Some(mac) => format!("at {mac} for {host} {interface}"),
                None => format!("{host} {interface}"),
            }
        };
        match self.gateway {
            Some(gateway) => {
                write!(f, "the gateway {gateway} is {} and {}", at(one), at(other))?;
            }
            None => write!(f, "{} and {} have one subnet and do not hear each other", at(one), at(other))?,
        }
        match more.len() {
            0 => Ok(()),
            1 => f.write_str(", and 1 more wire has it"),
            count => write!(f, ", and {count} more wires have it"),
        }
    }
}

/// One wire as one host knows it.
struct Part {
    member: usize,
    listeners: Vec<IfIndex>,
    certainty: Certainty,
    /// Its subnets, and whether the interface may lead outside of the host.
    subnets: Vec<(IpNet, bool)>,
    /// Who it has heard there: address and MAC. MACs that move with an address tell nothing and are left out.
    heard: Vec<(IpAddr, Mac)>,
    /// The gateways that routes lead to.
    gateways: BTreeSet<IpAddr>,
    /// What others may have heard of it.
    own: Vec<(IpAddr, Mac)>,
}

/// Which interfaces of several hosts share a wire. Each host's own wires are those of [`WireMap`], measured ones first
/// ([`Member::measured`]). Wires of several hosts are taken to be one if their subnets overlap, directly or over others, but for
///
/// - two where a gateway has different MACs, unless one of them has heard the other or both the same neighbour: two
///   sites with the same private subnet. Virtual MACs of routers tell nothing;
/// - two of one host, which knows that they are different.
///
/// What may be on several of those is on no segment, and named in [`Apart::open`]. Two bridges that hold the same
/// address (`docker0` with 172.17.0.1 on every node) are private networks of their hosts rather than one wire with a duplicate
/// on it.
///
/// # Errors
/// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) if `stop` was raised.
pub fn infer(members: &[Member<'_>], stop: &Stop) -> Result<Inferred> {
    let private = private(members);
    let mut parts = Vec::new();
    for (place, member) in members.iter().enumerate() {
        stop.check()?;
        parts.extend(parts_of(place, member, &private));
    }
    let all: Vec<usize> = (0..parts.len()).collect();
    let mut found = Inferred::default();
    for group in Groups::of(&parts, &all, &[Groups::by_subnet]).lists() {
        divide(members, &parts, group, &mut found);
    }
    found.segments.sort_by(|a, b| a.ports.cmp(&b.ports));
    Ok(found)
}

fn parts_of(place: usize, member: &Member<'_>, private: &HashSet<IpAddr>) -> Vec<Part> {
    let snapshot = member.snapshot;
    let map = member.wires.map_or_else(|| WireMap::of(snapshot), |wires| wires.map(snapshot));
    let listeners = listeners(snapshot);
    let mut part_of: HashMap<usize, usize> = HashMap::new();
    let mut parts: Vec<Part> = Vec::new();
    for interface in listeners.iter().copied().filter(|one| map.is_connected(*one)) {
        let Some(wire) = map.number(interface) else { continue };
        let part = *part_of.entry(wire).or_insert(parts.len());
        if part == parts.len() {
            parts.push(Part {
                member: place,
                listeners: Vec::new(),
                certainty: map.certainty(interface),
                subnets: Vec::new(),
                heard: Vec::new(),
                gateways: BTreeSet::new(),
                own: Vec::new(),
            });
        }
        parts[part].listeners.push(interface);
    }
    let part = |interface: IfIndex| part_of.get(&map.number(interface)?).copied();
    for address in &snapshot.addresses {
        let Some(part) = part(address.interface) else { continue };
        let Some(interface) = snapshot.interface(address.interface) else { continue };
        parts[part].own.push((address.local, interface.mac));
        if let Some(subnet) = subnet_of_wire(address)
            && !(private.contains(&address.local) && is_bridge(snapshot, address))
        {
            parts[part].subnets.push((subnet, leads_outside(snapshot, interface)));
        }
    }
    for neighbour in &snapshot.neighbours {
        let octets = neighbour.mac.and_then(|mac| mac.octets());
        if let (Some(mac), Some(octets), Some(part)) = (neighbour.mac, octets, part(neighbour.interface))
            && VirtualMac::of(octets).is_none()
        {
            parts[part].heard.push((neighbour.address, mac));
        }
    }
    for hop in snapshot.routes.iter().flat_map(|route| &route.next_hops) {
        if let (Some(gateway), Some(part)) = (hop.gateway, hop.interface.and_then(part)) {
            parts[part].gateways.insert(gateway);
        }
    }
    parts
}

/// Turns the parts that share subnets into segments: one, or one for each site.
fn divide(members: &[Member<'_>], parts: &[Part], group: Vec<usize>, found: &mut Inferred) {
    let several = |group: &[usize]| group.iter().any(|part| parts[*part].member != parts[group[0]].member);
    if !several(&group) {
        return;
    }
    let heard = Groups::of(parts, &group, &[Groups::by_neighbours]);
    let certainty = |group: &[usize], heard: &Groups| {
        let known = group.iter().all(|part| parts[*part].certainty == Certainty::Known);
        let one = group.iter().all(|part| heard.same(*part, group[0]));
        if known && one { Certainty::Known } else { Certainty::Likely }
    };
    let Some(conflict) = Conflict::of(parts, &group, &heard) else {
        let certainty = certainty(&group, &heard);
        found.segments.push(Segment { ports: ports(parts, &group), certainty });
        return;
    };
    let mut clusters = heard.clone();
    if conflict.gateway.is_none() {
        // A part of an equal subnet rather than of one that merely overlaps, where that tells them apart.
        let equal = Groups::of(parts, &group, &[Groups::by_neighbours, Groups::by_equal_subnet]);
        let roots: BTreeSet<usize> = conflict.parts.iter().map(|part| equal.root(*part)).collect();
        if roots.len() == conflict.parts.len() {
            clusters = equal;
        }
    }
    let sites: BTreeSet<usize> = conflict.parts.iter().map(|part| clusters.root(*part)).collect();
    let mut open = Vec::new();
    for cluster in clusters.lists_of(&group) {
        if !sites.contains(&clusters.root(cluster[0])) {
            open.extend(ports(parts, &cluster).iter().filter_map(|port| port.named(members)));
        } else if several(&cluster) {
            let certainty = certainty(&cluster, &heard);
            found.segments.push(Segment { ports: ports(parts, &cluster), certainty });
        }
    }
    let seen = |part: &usize| {
        let Part { member, listeners, heard, .. } = &parts[*part];
        let port = Port { member: *member, interface: *listeners.first()? };
        let mac = heard.iter().find(|(address, _)| Some(*address) == conflict.gateway);
        Some(Seen { port: port.named(members)?, gateway_mac: mac.map(|(_, mac)| *mac) })
    };
    let gateway = conflict.gateway.and_then(|gateway| match gateway {
        IpAddr::V4(gateway) => Some(gateway),
        IpAddr::V6(_) => None,
    });
    found.apart.push(Apart { gateway, wires: conflict.parts.iter().filter_map(seen).collect(), open });
}

fn ports(parts: &[Part], group: &[usize]) -> Vec<Port> {
    let ports = group.iter().flat_map(|part| {
        let Part { member, listeners, .. } = &parts[*part];
        listeners.iter().map(|interface| Port { member: *member, interface: *interface })
    });
    let mut ports: Vec<Port> = ports.collect();
    ports.sort_unstable();
    ports
}

/// Why a group is not one wire: one part of each wire. Of several reasons the one that tells most wires apart.
struct Conflict {
    gateway: Option<IpAddr>,
    parts: Vec<usize>,
}

impl Conflict {
    fn of(parts: &[Part], group: &[usize], heard: &Groups) -> Option<Self> {
        // By gateway, or by host: the first part of each cluster.
        let mut gateways: BTreeMap<IpAddr, BTreeMap<usize, usize>> = BTreeMap::new();
        let mut hosts: BTreeMap<usize, BTreeMap<usize, usize>> = BTreeMap::new();
        for place in group {
            let part = &parts[*place];
            let cluster = heard.root(*place);
            for (address, _) in &part.heard {
                if address.is_ipv4() && part.gateways.contains(address) {
                    gateways.entry(*address).or_default().entry(cluster).or_insert(*place);
                }
            }
            hosts.entry(part.member).or_default().entry(cluster).or_insert(*place);
        }
        let hosts = hosts.into_values().map(|wires| (None, wires));
        let all = gateways.into_iter().map(|(gateway, wires)| (Some(gateway), wires)).chain(hosts);
        let (gateway, wires) = all
            .filter(|(_, wires)| wires.len() > 1)
            .max_by_key(|(gateway, wires)| (wires.len(), gateway.is_some()))?;
        Some(Self { gateway, parts: wires.into_values().collect() })
    }
}

/// Parts that are put together step by step.
#[derive(Clone)]
struct Groups {
    parent: Vec<usize>,
}

type Join = fn(&mut Groups, &[Part], &[usize]);

impl Groups {
    fn of(parts: &[Part], among: &[usize], how: &[Join]) -> Self {
        let mut groups = Self { parent: (0..parts.len()).collect() };
        how.iter().for_each(|join| join(&mut groups, parts, among));
        groups
    }

    /// The first part of a group, from any of it.
    fn root(&self, mut at: usize) -> usize {
        while self.parent[at] != at {
            at = self.parent[at];
        }
        at
    }

    fn same(&self, one: usize, other: usize) -> bool {
        self.root(one) == self.root(other)
    }

    fn join(&mut self, one: usize, other: usize) {
        let (a, b) = (self.root(one), self.root(other));
        let root = a.min(b);
        for at in [one, other, a, b] {
            self.parent[at] = root;
        }
    }

    fn lists(&self) -> Vec<Vec<usize>> {
        let all: Vec<usize> = (0..self.parent.len()).collect();
        self.lists_of(&all)
    }

    fn lists_of(&self, among: &[usize]) -> Vec<Vec<usize>> {
        let mut lists: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for part in among {
            lists.entry(self.root(*part)).or_default().push(*part);
        }
        lists.into_values().collect()
    }

    /// By overlapping subnets. Of what stays in a host only equal ones count, as in [`WireMap`].
    fn by_subnet(&mut self, parts: &[Part], among: &[usize]) {
        self.by_equal_subnet(parts, among);
        let mut ranges: Vec<(u32, u32, usize)> = Vec::new();
        for place in among {
            for (subnet, outside) in &parts[*place].subnets {
                if let (IpNet::V4(net), true) = (subnet, outside) {
                    ranges.push((net.network().to_bits(), net.broadcast().to_bits(), *place));
                }
            }
        }
        ranges.sort_unstable();
        let mut open: Option<(u32, usize)> = None;
        for (first, last, place) in ranges {
            open = match open {
                Some((end, with)) if first <= end => {
                    self.join(with, place);
                    Some((end.max(last), with))
                }
                _ => Some((last, place)),
            };
        }
    }

    fn by_equal_subnet(&mut self, parts: &[Part], among: &[usize]) {
        let mut equal: HashMap<IpNet, usize> = HashMap::new();
        for place in among {
            for (subnet, _) in &parts[*place].subnets {
                self.join(*equal.entry(*subnet).or_insert(*place), *place);
            }
        }
    }

    /// Those of which one has heard the other, or both the same neighbour; never two of one host.
    fn by_neighbours(&mut self, parts: &[Part], among: &[usize]) {
        let mut heard: HashMap<(IpAddr, Mac), usize> = HashMap::new();
        for place in among {
            for seen in &parts[*place].heard {
                let first = *heard.entry(*seen).or_insert(*place);
                if parts[first].member != parts[*place].member {
                    self.join(first, *place);
                }
            }
        }
        for place in among {
            for first in parts[*place].own.iter().filter_map(|own| heard.get(own)) {
                if parts[*first].member != parts[*place].member {
                    self.join(*first, *place);
                }
            }
        }
    }
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
