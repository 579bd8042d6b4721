//! Which interfaces of a host hear one another: the one place that decides it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::reachable::{leads_outside, subnet_of_wire};
use super::{BridgePortState, Interface, LinkKind, Reach, RouteKind, Snapshot, same_neighbour};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IfName, IpNet};

/// How well it is known which wire an interface is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// It is up and has carrier, and nothing on this host tells what it is connected to: it may hear any other.
    Unknown,
    /// Its subnets, or routes that lead to neighbours on it, tell.
    Likely,
    /// Somebody found it out or said it, nothing can be heard there, or it never leaves this host.
    Known,
}

/// Which interfaces of a host hear one another: for every stage, and from nothing else.
///
/// - A macvlan or ipvlan is on the wire of the interface below it, whatever the prefix of its address; VLANs of
///   one number above one wire are together, and apart from the wire itself.
/// - A bridge or bond is on the wire of its ports, unless the port does not forward. A veth of this host behind a port that gets
///   no broadcasts (`bcast_flood off`), or that is `isolated` from all others, hears nobody there.
/// - The two ends of a veth are on one wire, where both are in the snapshot.
/// - Interfaces with overlapping subnets are likely on one wire. Of a bridge of containers, a veth, a VPN's
///   tunnel and a program's interface only an equal subnet says that: a subnet inside a wider one is often a
///   network of its own. So it is of NICs that forward and proxy (`proxy_arp`, RFC 1027). Two VRFs may use the same subnets.
/// - What is down or has no carrier hears nobody.
/// - Wires that only subnets tell apart, and on both of which a neighbour with the same MAC was heard, may be one.
///
/// What was found with frames, or is told, goes before what subnets say ([`WireMap::with`]).
///
/// ```
/// use arpflux_core::snapshot::{Snapshot, WireMap};
///
/// let map = WireMap::of(&Snapshot::default());
/// assert_eq!(map.wires().count(), 0);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WireMap {
    wires: Vec<Vec<IfIndex>>,
    members: HashMap<IfIndex, (usize, Certainty)>,
    deaf: HashSet<IfIndex>,
    /// Wires that subnets tell apart and that may be one, the smaller number first.
    doubted: BTreeSet<(usize, usize)>,
}

impl WireMap {
    /// As far as the snapshot tells.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        Self::with(snapshot, &[])
    }

    /// With what is known besides: each of `told` is one wire with interfaces of it
    /// ([`Wires`](crate::segment::Wires)). Interfaces of which nothing is told are never put on a told wire by
    /// their subnets.
    #[must_use]
    pub fn with(snapshot: &Snapshot, told: &[Vec<IfName>]) -> Self {
        let mut links = Links::new(snapshot, told);
        links.join_structure();
        links.join_subnets();
        // Subnets may have put together what VLANs stand on.
        links.join_structure();
        links.map()
    }

    /// The wires in the order of their first interface, each with its interfaces in the order of the snapshot.
    /// What hears nobody is a wire of its own.
    pub fn wires(&self) -> impl Iterator<Item = &[IfIndex]> {
        self.wires.iter().map(Vec::as_slice)
    }

    /// The wire of an interface, by its place in [`WireMap::wires`]; `None` for one that is not in the snapshot.
    #[must_use]
    pub fn number(&self, interface: IfIndex) -> Option<usize> {
        self.members.get(&interface).map(|(wire, _)| *wire)
    }

    /// How well that is known.
    #[must_use]
    pub fn certainty(&self, interface: IfIndex) -> Certainty {
        self.members.get(&interface).map_or(Certainty::Unknown, |(_, certainty)| *certainty)
    }

    /// Whether an interface is up and has carrier.
    #[must_use]
    pub fn is_connected(&self, interface: IfIndex) -> bool {
        self.members.contains_key(&interface) && !self.deaf.contains(&interface)
    }

    /// The interfaces on the wire of an interface, itself among them.
    #[must_use]
    pub fn beside(&self, interface: IfIndex) -> &[IfIndex] {
        self.number(interface).map_or(&[], |wire| &self.wires[wire])
    }

    /// Whether two interfaces hear each other; `None`: that is not known.
    #[must_use]
    pub fn share(&self, one: IfIndex, other: IfIndex) -> Option<bool> {
        let (first, second) = (self.number(one)?, self.number(other)?);
        if first == second {
            return Some(true);
        }
        let unknown = |interface| self.certainty(interface) == Certainty::Unknown;
        if unknown(one) || unknown(other) || self.is_doubted(first, second) { None } else { Some(false) }
    }

    fn is_doubted(&self, one: usize, other: usize) -> bool {
        self.doubted.contains(&(one.min(other), one.max(other)))
    }

    /// Whether there are wires that may be one, see [`WireMap::doubted`].
    pub(crate) fn has_doubts(&self) -> bool {
        !self.doubted.is_empty()
    }

    /// The interfaces of other wires that may be the wire of `interface`, although subnets tell them apart: a neighbour
    /// with the same MAC was heard on both.
    #[must_use]
    pub fn doubted(&self, interface: IfIndex) -> Vec<IfIndex> {
        let Some(wire) = self.number(interface) else { return Vec::new() };
        let others = self.wires.iter().enumerate().filter(|(other, _)| self.is_doubted(wire, *other));
        others.flat_map(|(_, members)| members.iter().copied()).collect()
    }

    /// The other interfaces that take what a neighbour on the wire of `interface` asks. The ends of a veth that are
    /// both here hear this host alone.
    #[must_use]
    pub(crate) fn hear_too(&self, snapshot: &Snapshot, interface: IfIndex) -> Vec<IfIndex> {
        let listeners = crate::predict::listeners(snapshot);
        let listens = |index: &IfIndex| listeners.binary_search(index).is_ok();
        let neighbours = |index: &IfIndex| {
            let peer = snapshot.interface(*index).filter(|one| one.reach() == Reach::Peer);
            let peer = peer.filter(|one| one.link_netnsid.is_none()).and_then(|one| one.link);
            !peer.is_some_and(|peer| listens(&peer))
        };
        if !neighbours(&interface) {
            return Vec::new();
        }
        let others = self.beside(interface).iter().copied().filter(|other| *other != interface);
        others.filter(|other| listens(other) && neighbours(other)).collect()
    }

    /// The interfaces that take ARP requests and are on a wire of which nothing is known.
    #[must_use]
    pub fn unknown(&self, snapshot: &Snapshot) -> Vec<IfIndex> {
        let open = |index: &IfIndex| self.certainty(*index) == Certainty::Unknown;
        crate::predict::listeners(snapshot).into_iter().filter(open).collect()
    }
}

/// Interfaces that are joined step by step.
struct Links<'s> {
    snapshot: &'s Snapshot,
    places: HashMap<IfIndex, usize>,
    /// The group of each interface, by the place of its first one.
    parent: Vec<usize>,
    /// The told wire of each group.
    told: Vec<Option<usize>>,
    /// Whether a subnet or a route tells something about each interface.
    spoken_for: Vec<bool>,
}

impl<'s> Links<'s> {
    fn new(snapshot: &'s Snapshot, told: &[Vec<IfName>]) -> Self {
        let wire_of: HashMap<IfName, usize> = told
            .iter()
            .enumerate()
            .flat_map(|(wire, names)| names.iter().map(move |name| (*name, wire)))
            .collect();
        let interfaces = &snapshot.interfaces;
        let routed: HashSet<IfIndex> = snapshot
            .routes
            .iter()
            .filter(|route| route.kind == RouteKind::Unicast && route.destination.prefix_len() > 0)
            .filter(|route| route.destination.addr().is_ipv4())
            .flat_map(|route| route.next_hops.iter().filter(|hop| hop.gateway.is_none()))
            .filter_map(|hop| hop.interface)
            .collect();
        let mut links = Self {
            snapshot,
            places: interfaces
                .iter()
                .enumerate()
                .map(|(place, interface)| (interface.index, place))
                .collect(),
            parent: (0..interfaces.len()).collect(),
            told: interfaces.iter().map(|interface| wire_of.get(&interface.name).copied()).collect(),
            spoken_for: interfaces.iter().map(|interface| routed.contains(&interface.index)).collect(),
        };
        let mut first: HashMap<usize, usize> = HashMap::new();
        for (place, interface) in interfaces.iter().enumerate().filter(|(_, one)| snapshot.is_connected(one))
        {
            if let Some(wire) = wire_of.get(&interface.name) {
                links.join(*first.entry(*wire).or_insert(place), place);
            }
        }
        links
    }

    fn root(&mut self, mut at: usize) -> usize {
        while self.parent[at] != at {
            self.parent[at] = self.parent[self.parent[at]];
            at = self.parent[at];
        }
        at
    }

    /// Puts two interfaces on one wire, unless they were told to be on different ones.
    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        if matches!((self.told[one], self.told[other]), (Some(a), Some(b)) if a != b) {
            return;
        }
        let (first, second) = (one.min(other), one.max(other));
        self.told[first] = self.told[first].or(self.told[second]);
        self.parent[second] = first;
    }

    /// The place of an interface that is up and has carrier.
    fn place(&self, index: Option<IfIndex>) -> Option<usize> {
        let place = *self.places.get(&index?)?;
        self.snapshot.is_connected(&self.snapshot.interfaces[place]).then_some(place)
    }

    /// By what interfaces are made of.
    fn join_structure(&mut self) {
        let mut elsewhere: HashMap<(i32, IfIndex), usize> = HashMap::new();
        let mut tagged: HashMap<(usize, u16), usize> = HashMap::new();
        for (place, interface) in self.snapshot.interfaces.iter().enumerate() {
            if !self.snapshot.is_connected(interface) {
                continue;
            }
            if self.snapshot.frames_of(interface).taken() == Some(true)
                && interface.bridge_port_state.is_none_or(|state| state == BridgePortState::Forwarding)
                && let Some(master) = self.place(interface.master)
                && !self.hears_no_port(interface)
            {
                self.join(master, place);
            }
            match (interface.reach(), interface.link_netnsid, interface.link) {
                (Reach::Lower | Reach::Peer, None, link) => {
                    if let Some(below) = self.place(link) {
                        self.join(below, place);
                    }
                }
                (Reach::Lower, Some(netns), Some(link)) => {
                    let first = *elsewhere.entry((netns, link)).or_insert(place);
                    self.join(first, place);
                }
                _ => {}
            }
        }
        for (place, interface) in self.snapshot.interfaces.iter().enumerate() {
            if interface.reach() == Reach::LowerTagged
                && interface.link_netnsid.is_none()
                && self.snapshot.is_connected(interface)
                && let (Some(below), Some(vlan)) = (self.place(interface.link), interface.vlan_id)
            {
                let below = self.root(below);
                let first = *tagged.entry((below, vlan)).or_insert(place);
                self.join(first, place);
            }
        }
    }

    /// Whether it is a port with the other end of a veth of this host, to which requests that come in by other ports do not get.
    fn hears_no_port(&self, port: &Interface) -> bool {
        let here = port.reach() == Reach::Peer && port.link_netnsid.is_none();
        let others = || {
            let of_bridge = self.snapshot.interfaces.iter().filter(|other| other.master == port.master);
            of_bridge.filter(|other| other.index != port.index)
        };
        let apart = port.bridging.isolated && others().all(|other| other.bridging.isolated);
        here && self.place(port.link).is_some() && (port.bridging.keeps_broadcasts || apart)
    }

    /// By their subnets.
    fn join_subnets(&mut self) {
        // VRF, first and last address, place, whether it answers for what is routed elsewhere.
        let mut ranges: Vec<(Option<IfIndex>, u32, u32, usize, bool)> = Vec::new();
        let mut equal: HashMap<(Option<IfIndex>, IpNet), usize> = HashMap::new();
        for address in &self.snapshot.addresses {
            let Some(place) = self.place(Some(address.interface)) else { continue };
            let interface = &self.snapshot.interfaces[place];
            // Who hears no port of a bridge has no neighbours of that subnet, whatever else has it.
            let peer = interface.link.and_then(|peer| self.snapshot.interface(peer));
            if peer.is_some_and(|peer| peer.link == Some(interface.index) && self.hears_no_port(peer)) {
                continue;
            }
            let Some(subnet) = subnet_of_wire(address).filter(|_| interface.reach() != Reach::Nowhere) else {
                continue;
            };
            self.spoken_for[place] = true;
            let root = self.root(place);
            if self.told[root].is_some() {
                continue;
            }
            let vrf = interface.master.filter(|_| self.snapshot.frames_of(interface).taken() == Some(false));
            let first = *equal.entry((vrf, subnet)).or_insert(place);
            self.join(first, place);
            if let IpNet::V4(net) = subnet
                && leads_outside(self.snapshot, interface)
            {
                let proxies = joins_wires(self.snapshot, interface);
                ranges.push((vrf, net.network().to_bits(), net.broadcast().to_bits(), place, proxies));
            }
        }
        ranges.sort();
        let mut open: Option<(Option<IfIndex>, u32, usize, bool)> = None;
        for (vrf, first, last, place, proxies) in ranges {
            open = match open {
                Some((same, end, with, too)) if same == vrf && first <= end => {
                    // Both proxy: a part of the subnet is another wire on purpose (RFC 1027).
                    if !(proxies && too) {
                        self.join(with, place);
                    }
                    Some((vrf, end.max(last), with, too))
                }
                _ => Some((vrf, last, place, proxies)),
            };
        }
    }

    fn map(mut self) -> WireMap {
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for place in 0..self.parent.len() {
            let root = self.root(place);
            groups.entry(root).or_default().push(place);
        }
        let mut map = WireMap::default();
        for (wire, (root, places)) in groups.into_iter().enumerate() {
            let interfaces: Vec<&Interface> =
                places.iter().map(|place| &self.snapshot.interfaces[*place]).collect();
            let certainty =
                if self.told[root].is_some() || interfaces.iter().all(|one| self.stays_inside(one)) {
                    Certainty::Known
                } else if places.iter().any(|place| self.spoken_for[*place]) {
                    Certainty::Likely
                } else {
                    Certainty::Unknown
                };
            for interface in &interfaces {
                map.members.insert(interface.index, (wire, certainty));
                if !self.snapshot.is_connected(interface) {
                    map.deaf.insert(interface.index);
                }
            }
            map.wires.push(interfaces.iter().map(|interface| interface.index).collect());
        }
        for (one, other) in same_neighbour::pairs(self.snapshot) {
            let likely = |index| map.certainty(index) == Certainty::Likely && map.is_connected(index);
            if let (Some(first), Some(second)) = (map.number(one), map.number(other))
                && first != second
                && likely(one)
                && likely(other)
            {
                map.doubted.insert((first.min(second), first.max(second)));
            }
        }
        map
    }

    /// Whether frames of the interface never leave this host, or nobody hears them.
    fn stays_inside(&self, interface: &Interface) -> bool {
        match interface.reach() {
            _ if !self.snapshot.is_connected(interface) => true,
            Reach::Nowhere => true,
            Reach::Peer => interface.link_netnsid.is_none() && self.place(interface.link).is_some(),
            // A bridge or bond is as its ports are; they are in the group.
            Reach::Ports => interface.kind == Some(LinkKind::Bridge),
            Reach::Outside
            | Reach::Lower
            | Reach::LowerTagged
            | Reach::Program
            | Reach::Tunnel
            | Reach::Unknown => false,
        }
    }
}

/// Whether it forwards and answers for every address that is routed elsewhere.
fn joins_wires(snapshot: &Snapshot, interface: &Interface) -> bool {
    let on = |sysctl| snapshot.effective(interface, sysctl).value != 0;
    on(Sysctl::Forwarding) && on(Sysctl::ProxyArp)
}

#[cfg(test)]
#[path = "wires_tests.rs"]
mod tests;
