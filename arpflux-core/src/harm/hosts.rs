//! Who lives on the wires of a host and behind it, and what of it they lose.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::Harm;
use super::around::{Around, ELSEWHERE, HOSTS_MAX, is_macvlan};
use crate::predict::{
    ArpRequest, Model, Neighbours, Outgoing, Verdict, ipv4_targets, listeners, local_route_targets,
};
use crate::snapshot::{Index, Interface, Scope, Snapshot, WireMap};
use crate::types::{IfIndex, IfName, IpNet, Ipv4Net};

/// How many addresses of the host each of them asks for, and packets are sent from.
pub(super) const ADDRESSES_MAX: usize = 64;
/// The gateway that Calico and its kin give to pods and proxy on the host's side.
const CNI_GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

/// Who lives where, as the snapshot before the change tells.
pub(super) struct Hosts<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) index: Index<'s>,
    pub(super) wires: WireMap,
    pub(super) listeners: Vec<IfIndex>,
    pub(super) around: Around,
}

impl<'s> Hosts<'s> {
    pub(super) fn new(snapshot: &'s Snapshot) -> Self {
        let wires = WireMap::of(snapshot);
        let around = Around::on(snapshot, &wires);
        Self { snapshot, index: Index::new(snapshot), wires, listeners: listeners(snapshot), around }
    }

    pub(super) fn name(&self, index: IfIndex) -> Option<IfName> {
        self.snapshot.interface(index).map(|interface| interface.name)
    }

    /// The interface that holds an address where no request arrives, if no other one holds it.
    pub(super) fn aside(&self, address: Ipv4Addr) -> Option<IfName> {
        let reached = |holder: &IfIndex| {
            let speaks = self.snapshot.interface(*holder).is_some_and(Interface::speaks_arp);
            speaks && self.wires.is_connected(*holder)
        };
        let holders = self.index.holders(IpAddr::V4(address));
        if holders.iter().any(reached) {
            return None;
        }
        holders.first().and_then(|holder| self.name(*holder))
    }

    /// The listeners on the wire of an interface, that one first.
    pub(super) fn beside(&self, index: IfIndex) -> Vec<IfIndex> {
        let others = self.wires.beside(index).iter().copied().filter(|other| *other != index);
        let all = std::iter::once(index).chain(others);
        all.filter(|one| self.listeners.binary_search(one).is_ok() && self.wires.is_connected(*one)).collect()
    }

    /// The listeners that take what a host asks on the link of an interface. A macvlan's siblings are heard by macvlans,
    /// and not by the interface below.
    pub(super) fn hear(&self, index: IfIndex, host: Ipv4Addr) -> Vec<IfIndex> {
        let mut wire = self.beside(index);
        if is_macvlan(self.snapshot, index)
            && self.around.routed.get(&index).is_some_and(|routed| routed.contains(&host))
        {
            wire.retain(|one| is_macvlan(self.snapshot, *one));
        }
        wire
    }

    pub(super) fn answers(&self, now: &Model<'_>, then: &Model<'_>) -> Vec<Harm> {
        let mut neighbours = Neighbours::new(self.snapshot);
        let mut harm = Vec::new();
        let mut done: BTreeSet<(usize, Ipv4Addr)> = BTreeSet::new();
        let mut subnets_done: BTreeSet<(usize, Ipv4Net)> = BTreeSet::new();
        let by_route = local_route_targets(self.snapshot);
        let own = ipv4_targets(self.snapshot);
        let mut unknown = self.wires.unknown(self.snapshot);
        unknown.retain(|on| self.wires.is_connected(*on));
        let places = Places::of(&own);
        for (index, subnets) in &self.around.subnets {
            let Some(number) = self.wires.number(*index) else { continue };
            let new = subnets.iter().filter(|subnet| subnets_done.insert((number, **subnet)));
            let new: Vec<&Ipv4Net> = new.collect();
            if new.is_empty() {
                continue;
            }
            let wire = self.beside(*index);
            // One of which nothing tells which wire it is on may be the only one here that answers.
            let with_unknown: Vec<IfIndex> = wire.iter().chain(&unknown).copied().collect();
            for target in places.within(&new).into_iter().map(|place| own[place]) {
                if !done.insert((number, target)) {
                    continue;
                }
                let asker = neighbours.of(*index, target);
                let lost = self.loses(now, then, &wire, asker, target);
                harm.extend(lost.or_else(|| self.loses(now, then, &with_unknown, asker, target)));
            }
        }
        for (index, hosts) in &self.around.routed {
            let asked = std::iter::once(CNI_GATEWAY).chain(own.iter().copied().take(ADDRESSES_MAX));
            let asked: Vec<Ipv4Addr> = asked.collect();
            for asker in hosts.iter().take(HOSTS_MAX) {
                // One is enough to say of each host.
                let mut lost = asked.iter().filter(|target| *target != asker);
                let wire = self.hear(*index, *asker);
                harm.extend(lost.find_map(|target| self.loses(now, then, &wire, *asker, *target)));
            }
        }
        // Addresses of no subnet here: who asks for them, and on which wire, nothing on the host tells.
        let subnets: Vec<&Ipv4Net> = self.around.subnets.values().flatten().collect();
        let around = places.within(&subnets);
        for (place, target) in own.into_iter().enumerate() {
            if around.contains(&place) {
                continue;
            }
            let holder = self.index.holders(IpAddr::V4(target)).first().copied();
            if holder.is_none() && !by_route.contains(&target) {
                continue;
            }
            if let Some(holder) = holder.filter(|_| self.aside(target).is_none()) {
                // On its own wire, or on one of which nothing is known: some interface that answered has to answer.
                let without =
                    |on: &&IfIndex| self.wires.is_connected(**on) && !self.around.subnets.contains_key(on);
                let mut there = self.beside(holder);
                there.extend(self.listeners.iter().filter(without));
                let asker = neighbours.of(holder, target);
                if there.iter().any(|on| answers(now, *on, asker, target)) {
                    harm.extend(self.loses(now, then, &there, asker, target));
                    continue;
                }
            }
            // As there, if nobody on its own wire answers.
            if !target.is_link_local() {
                // On any wire. Addresses of RFC 3927 are for the host itself there (a resolver of the node's own).
                let mut wires = BTreeSet::new();
                // Also where single addresses alone are held, or none, as on a wire of which nothing is known.
                let connected = |on: &&IfIndex| self.wires.is_connected(**on);
                let all = self.around.subnets.keys().chain(self.listeners.iter().filter(connected));
                for on in all.filter(|on| wires.insert(self.wires.number(**on).ok_or(**on))) {
                    let asker = neighbours.of(*on, target);
                    harm.extend(self.loses(now, then, &self.beside(*on), asker, target));
                }
            }
        }
        harm
    }

    fn loses(
        &self,
        now: &Model<'_>,
        then: &Model<'_>,
        wire: &[IfIndex],
        asker: Ipv4Addr,
        target: Ipv4Addr,
    ) -> Option<Harm> {
        let on = wire.iter().find(|on| answers(now, **on, asker, target))?;
        let silent = |on: &IfIndex| {
            let request = ArpRequest::broadcast(*on, asker, target);
            then.never_answers(*on, target) || matches!(then.reply(&request), Verdict::Silent { .. })
        };
        if !wire.iter().all(silent) {
            return None;
        }
        let aside = self.aside(target);
        // kube-proxy binds every service address there, on every node: none of them is to answer for it.
        if aside.is_some_and(|holder| holder.as_bytes() == b"kube-ipvs0") {
            return None;
        }
        Some(Harm::Answer { address: target.into(), asker: asker.into(), interface: self.name(*on)?, aside })
    }

    /// The hosts that packets are sent to, with the interface that they are on.
    pub(super) fn destinations(&self) -> Vec<(IfIndex, Ipv4Addr)> {
        let mut neighbours = Neighbours::new(self.snapshot);
        let mut found = Vec::new();
        for (index, subnets) in &self.around.subnets {
            for subnet in subnets {
                found.push((*index, neighbours.of(*index, subnet.network())));
            }
        }
        for (index, hosts) in &self.around.routed {
            found.extend(hosts.iter().take(HOSTS_MAX).map(|host| (*index, *host)));
        }
        found
    }

    /// Whether a packet gets to a host on the wire of `index`, directly.
    fn reaches(&self, way: &Outgoing, index: IfIndex, to: Ipv4Addr) -> Option<bool> {
        match way {
            Outgoing::Asks { interface, target, .. } => {
                Some(*target == to && self.wires.share(*interface, index) == Some(true))
            }
            Outgoing::NoRequest { interface, .. } => Some(self.wires.share(*interface, index) == Some(true)),
            Outgoing::Unreachable => Some(false),
            Outgoing::Undetermined { .. } => None,
        }
    }

    pub(super) fn ways(&self, now: &Model<'_>, then: &Model<'_>) -> Vec<Harm> {
        let mut harm = Vec::new();
        let destinations = self.destinations();
        let own = self.snapshot.addresses.iter().filter(|address| address.scope < Scope::HOST);
        let own = own.filter_map(|address| match address.local {
            IpAddr::V4(local) if !local.is_loopback() => Some(Some(local)),
            _ => None,
        });
        let sources: Vec<Option<Ipv4Addr>> = std::iter::once(None).chain(own.take(ADDRESSES_MAX)).collect();
        let alike = alike(&[now.snapshot(), then.snapshot()], &sources);
        for (index, to) in &destinations {
            let mut lost = Vec::with_capacity(sources.len());
            for (place, from) in sources.iter().enumerate() {
                let reaches =
                    |model: &Model<'_>| self.reaches(&model.outgoing(*to, *from, None), *index, *to);
                // Those alike come later, and fare alike.
                let loses = match alike[place] {
                    first if first < place => lost[first],
                    _ => reaches(now) == Some(true) && reaches(then) == Some(false),
                };
                lost.push(loses);
                if loses && let Some(interface) = self.name(*index) {
                    harm.push(Harm::Way {
                        from: from.map(IpAddr::V4),
                        to: (*to).into(),
                        interface,
                        router: None,
                    });
                }
            }
        }
        for from in &sources {
            let leaves = |model: &Model<'_>| model.outgoing(ELSEWHERE, *from, None);
            if let Outgoing::Asks { interface, .. } | Outgoing::NoRequest { interface, .. } = leaves(now)
                && leaves(then) == Outgoing::Unreachable
                && let Some(interface) = self.name(interface)
            {
                let from = from.map(IpAddr::V4);
                harm.push(Harm::Way { from, to: ELSEWHERE.into(), interface, router: None });
            }
        }
        let own: Vec<Ipv4Addr> = sources.into_iter().flatten().collect();
        harm.extend(self.packets_of_others(now, then, &destinations, &own));
        harm
    }
}

fn answers(model: &Model<'_>, on: IfIndex, asker: Ipv4Addr, target: Ipv4Addr) -> bool {
    let request = ArpRequest::broadcast(on, asker, target);
    !model.never_answers(on, target) && matches!(model.reply(&request), Verdict::Answers { .. })
}

/// Addresses in order, to find those of a subnet without looking at each.
struct Places(Vec<(Ipv4Addr, usize)>);

impl Places {
    fn of(addresses: &[Ipv4Addr]) -> Self {
        let mut places: Vec<_> = addresses.iter().copied().zip(0..).collect();
        places.sort();
        Self(places)
    }

    /// The places of the addresses that lie in any of the subnets, rising.
    fn within(&self, subnets: &[&Ipv4Net]) -> BTreeSet<usize> {
        let of = |subnet: &&Ipv4Net| {
            let first = self.0.partition_point(|(address, _)| *address < subnet.network());
            let last = subnet.broadcast();
            self.0[first..].iter().take_while(move |(address, _)| *address <= last).map(|(_, place)| *place)
        };
        subnets.iter().flat_map(of).collect()
    }
}

/// For each source the first one that packets are routed for alike, whatever their destination, on all of these hosts: the
/// same rules ask for both. On hosts where more than rules looks at the source each is for itself.
fn alike(hosts: &[&Snapshot], sources: &[Option<Ipv4Addr>]) -> Vec<usize> {
    // Of several next hops one may be preferred for a source, and filters look into the requests that it is in.
    let looks = |host: &&Snapshot| {
        !host.filters.chains.is_empty() || host.routes.iter().any(|route| route.next_hops.len() > 1)
    };
    if hosts.iter().any(looks) {
        return (0..sources.len()).collect();
    }
    let rules = hosts.iter().flat_map(|host| &host.rules);
    let nets: BTreeSet<Ipv4Net> = rules
        .filter_map(|rule| match rule.source? {
            IpNet::V4(net) => Some(net.trunc()),
            IpNet::V6(_) => None,
        })
        .collect();
    let nets: Vec<Ipv4Net> = nets.into_iter().collect();
    let mut first: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
    let alike = |(place, source): (usize, &Option<Ipv4Addr>)| {
        let Some(source) = source else { return place };
        let asked = nets.iter().enumerate().filter(|(_, net)| net.contains(source));
        *first.entry(asked.map(|(number, _)| number).collect()).or_insert(place)
    };
    sources.iter().enumerate().map(alike).collect()
}
