//! What every finding stands on: the model, the wires, and who holds what.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use super::remedy::Remedy;
use super::{Evidence, Finding, Options};
use crate::judgement::{self, Gap};
use crate::predict::{
    ArpRequest, Missing, MissingSet, Model, Neighbours, Outgoing, Request, Verdict, listeners,
    local_route_targets,
};
use crate::proof::Prover;
use crate::snapshot::{Address, Effective, Index, Interface, RouteKind, Snapshot, WireMap};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IfName, IpNet, Ipv4Net};
pub(super) use crate::words::listed;

/// A snapshot with its model and the look-ups that findings need.
pub(super) struct Context<'s> {
    pub snapshot: &'s Snapshot,
    pub options: &'s Options,
    pub model: Model<'s>,
    /// Interfaces that take ARP requests for themselves and have carrier, by number.
    pub listeners: Vec<&'s Interface>,
    by_number: HashMap<IfIndex, &'s Interface>,
    /// The interfaces that a default route leaves by.
    pub uplinks: BTreeSet<IfIndex>,
    /// Which interfaces hear one another.
    pub map: WireMap,
    /// The listeners that share a wire, each wire with two of them or more.
    pub wires: Vec<Vec<&'s Interface>>,
    wire_of: HashMap<IfIndex, usize>,
    index: Index<'s>,
    /// The subnets of interfaces, and who has them.
    subnets: HashMap<Ipv4Net, Vec<IfIndex>>,
    lengths: BTreeSet<u8>,
    on_link: HashMap<IfIndex, Vec<Ipv4Net>>,
    gateways: HashMap<IfIndex, Vec<Ipv4Addr>>,
    neighbours: RefCell<Neighbours<'s>>,
    senders: RefCell<HashMap<(IfIndex, Ipv4Addr), Ipv4Addr>>,
    proxied: OnceCell<HashMap<IfIndex, Vec<Ipv4Addr>>>,
    /// By family (whether IPv6).
    missing: RefCell<BTreeMap<(bool, Missing), BTreeMap<IfIndex, IfName>>>,
    /// What is missing besides: to say whether the policy is kept, and which wire an interface is on.
    pub(super) other_gaps: RefCell<Vec<Gap>>,
    notes: RefCell<BTreeSet<String>>,
    /// How many questions the model was asked.
    pub questions: Cell<u64>,
    pub(super) cures: RefCell<HashMap<usize, Remedy>>,
    /// Whether remedies are worked out.
    pub remedies: bool,
    /// Whether the model is one without what is missing.
    pub apart: bool,
    /// What is found on this host, for the harm of remedies.
    pub(super) known: OnceCell<Vec<Finding>>,
}

/// Who answers for one address on one wire.
pub(super) struct Answers<'s> {
    pub target: Ipv4Addr,
    /// The interfaces of the wire that hold it.
    pub holders: Vec<IfIndex>,
    /// The neighbour that asks.
    pub sender: Ipv4Addr,
    /// What becomes of requests on the interfaces that were asked.
    pub asked: Vec<Asked<'s>>,
}

/// A request for an address that comes in by an interface, and what becomes of it.
pub(super) struct Asked<'s> {
    pub interface: &'s Interface,
    pub sender: Ipv4Addr,
    pub verdict: Verdict,
}

/// How many interfaces of one wire are asked for each address; see [`Context::answers_on`].
const ASKED: usize = 64;

impl<'s> Context<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, options: &'s Options, model: Model<'s>) -> Self {
        let index = Index::new(snapshot);
        let mut subnets: HashMap<Ipv4Net, Vec<IfIndex>> = HashMap::new();
        for address in &snapshot.addresses {
            if let IpNet::V4(subnet) = address.subnet()
                && subnet.prefix_len() < 32
                && address.is_public()
            {
                subnets.entry(subnet).or_default().push(address.interface);
            }
        }
        let (on_link, gateways) = leading(snapshot);
        // Where nobody is heard nothing is wrong.
        let listeners: Vec<&Interface> = listeners(snapshot)
            .into_iter()
            .filter_map(|index| snapshot.interface(index))
            .filter(|interface| snapshot.has_carrier(interface))
            .collect();
        let map = WireMap::with(snapshot, options.wires.as_ref().map_or(&[], |told| told.wires()));
        let listener = |index: &IfIndex| {
            let at = listeners.binary_search_by_key(index, |interface| interface.index).ok()?;
            Some(listeners[at])
        };
        let wires: Vec<Vec<&Interface>> = map
            .wires()
            .map(|wire| wire.iter().filter_map(listener).collect::<Vec<_>>())
            .filter(|wire| wire.len() > 1)
            .collect();
        let wire_of = wires
            .iter()
            .enumerate()
            .flat_map(|(wire, members)| members.iter().map(move |interface| (interface.index, wire)))
            .collect();
        Self {
            snapshot,
            options,
            model,
            by_number: listeners.iter().map(|interface| (interface.index, *interface)).collect(),
            listeners,
            uplinks: uplinks(&index),
            map,
            wires,
            wire_of,
            index,
            lengths: subnets.keys().map(Ipv4Net::prefix_len).collect(),
            subnets,
            on_link,
            gateways,
            neighbours: RefCell::new(Neighbours::new(snapshot)),
            senders: RefCell::new(HashMap::new()),
            proxied: OnceCell::new(),
            missing: RefCell::new(BTreeMap::new()),
            other_gaps: RefCell::new(Vec::new()),
            notes: RefCell::new(BTreeSet::new()),
            questions: Cell::new(0),
            cures: RefCell::new(HashMap::new()),
            remedies: true,
            apart: false,
            known: OnceCell::new(),
        }
    }

    /// The interface of that number, if it takes ARP requests for itself.
    pub(super) fn listener(&self, index: IfIndex) -> Option<&'s Interface> {
        self.by_number.get(&index).copied()
    }

    /// The wire that an interface shares with others.
    pub(super) fn wire_of(&self, index: IfIndex) -> Option<usize> {
        self.wire_of.get(&index).copied()
    }

    /// The interfaces on the wire of an interface, itself among them.
    pub(super) fn beside(&self, interface: &'s Interface) -> Vec<&'s Interface> {
        self.wire_of(interface.index).map_or_else(|| vec![interface], |wire| self.wires[wire].clone())
    }

    /// The interfaces that have `address` in a subnet on their link.
    pub(super) fn around(&self, address: Ipv4Addr) -> Vec<IfIndex> {
        let nets = self.lengths.iter().filter_map(|length| Ipv4Net::new(address, *length).ok());
        let mut found: Vec<IfIndex> =
            nets.filter_map(|net| self.subnets.get(&net.trunc())).flatten().copied().collect();
        found.sort();
        found.dedup();
        found
    }

    /// The places that routes lead to directly through an interface, its own subnets left out.
    pub(super) fn on_link(&self, index: IfIndex) -> &[Ipv4Net] {
        self.on_link.get(&index).map_or(&[], Vec::as_slice)
    }

    /// A host alone that a route leads to directly through an interface: a container, by its looks.
    pub(super) fn container(&self, index: IfIndex) -> Option<Ipv4Addr> {
        self.on_link(index).iter().find(|net| net.prefix_len() == 32).map(Ipv4Net::addr)
    }

    /// The gateways that routes lead to through an interface.
    pub(super) fn gateways(&self, index: IfIndex) -> &[Ipv4Addr] {
        self.gateways.get(&index).map_or(&[], Vec::as_slice)
    }

    /// Neighbours on an interface that would ask for `target`: one of its subnets, and one that a route or
    /// gateway outside of them says is there.
    pub(super) fn askers(&self, interface: IfIndex, target: Ipv4Addr) -> Vec<Ipv4Addr> {
        let ordinary = self.neighbours.borrow_mut().known(interface, target);
        let own =
            |address: Ipv4Addr| self.held(interface).any(|held| held.subnet().contains(&IpAddr::V4(address)));
        let gateway = self.gateways(interface).iter().copied().find(|gateway| !own(*gateway));
        let routed = self.on_link(interface).iter().filter_map(|net| host_of(*net));
        let routed = routed.filter(|host| !own(*host) && self.holders(*host).is_empty()).take(1);
        let mut askers: Vec<Ipv4Addr> = ordinary.into_iter().chain(gateway).chain(routed).collect();
        askers.dedup();
        askers.retain(|asker| *asker != target);
        askers
    }

    /// The IPv4 addresses of an interface, in the kernel's order.
    pub(super) fn held(&self, index: IfIndex) -> impl Iterator<Item = &'s Address> + '_ {
        self.index.held(index).iter().copied().filter(|address| address.local.is_ipv4())
    }

    /// The IPv4 addresses of an interface that other hosts may ask for.
    pub(super) fn public(&self, index: IfIndex) -> impl Iterator<Item = (Ipv4Addr, &'s Address)> + '_ {
        self.held(index).filter_map(|address| match address.local {
            IpAddr::V4(local) if address.is_public() => Some((local, address)),
            _ => None,
        })
    }

    /// The IPv4 addresses with a proxy entry on an interface.
    pub(super) fn proxied(&self, index: IfIndex) -> &[Ipv4Addr] {
        let proxied = self.proxied.get_or_init(|| {
            let mut proxied: HashMap<IfIndex, Vec<Ipv4Addr>> = HashMap::new();
            for entry in &self.snapshot.proxies {
                if let (Some(on), IpAddr::V4(address)) = (entry.interface, entry.address) {
                    proxied.entry(on).or_default().push(address);
                }
            }
            proxied
        });
        proxied.get(&index).map_or(&[], Vec::as_slice)
    }

    /// The interfaces that hold an address of either family.
    pub(super) fn holders_of_family(&self, address: IpAddr) -> &[IfIndex] {
        self.index.holders(address)
    }

    /// The interfaces with a proxy entry for an address of their own.
    pub(super) fn proxied_on(&self, address: IpAddr) -> impl Iterator<Item = IfIndex> + '_ {
        self.index.proxied(address).iter().copied().flatten()
    }

    /// The interfaces that hold an address.
    pub(super) fn holders(&self, address: Ipv4Addr) -> &[IfIndex] {
        self.index.holders(address.into())
    }

    pub(super) fn effective(&self, interface: &Interface, sysctl: Sysctl) -> Effective {
        self.snapshot.effective(interface, sysctl)
    }

    /// An ordinary neighbour on an interface that would ask for `target`: always the same one.
    pub(super) fn sender(&self, interface: IfIndex, target: Ipv4Addr) -> Ipv4Addr {
        let mut senders = self.senders.borrow_mut();
        *senders
            .entry((interface, target))
            .or_insert_with(|| self.neighbours.borrow_mut().of(interface, target))
    }

    /// The same of either family.
    pub(super) fn sender_of_family(&self, interface: IfIndex, target: IpAddr) -> IpAddr {
        match target {
            IpAddr::V4(target) => self.sender(interface, target).into(),
            IpAddr::V6(_) => self.neighbours.borrow_mut().of_family(interface, target),
        }
    }

    /// What becomes of a request; what cannot be told is taken down.
    pub(super) fn reply(&self, request: &ArpRequest) -> Verdict {
        self.answer(&Request::Arp(*request))
    }

    /// The same of either family.
    pub(super) fn answer(&self, request: &Request) -> Verdict {
        self.questions.set(self.questions.get() + 1);
        let verdict = self.model.answer(request);
        if let Verdict::Undetermined { missing } = verdict {
            self.take_down(request.interface(), matches!(request, Request::Solicitation(_)), missing);
        }
        verdict
    }

    /// Decides claims by the same model.
    pub(super) fn prover(&self) -> Prover<'s> {
        Prover::with(if self.apart { self.model.without_interference() } else { Model::of(self.snapshot) })
    }

    /// What becomes of the host's own packet; what cannot be told is taken down.
    pub(super) fn outgoing(&self, by: IfIndex, to: Ipv4Addr, from: Ipv4Addr) -> Outgoing {
        self.questions.set(self.questions.get() + 1);
        let outgoing = self.model.outgoing(to, Some(from), None);
        if let Outgoing::Undetermined { missing } = outgoing {
            self.take_down(by, false, missing);
        }
        outgoing
    }

    /// The interface that packets for an address leave by.
    pub(super) fn leads_to(&self, address: Ipv4Addr) -> Option<IfIndex> {
        match self.model.outgoing(address, None, None) {
            Outgoing::Asks { interface, .. } | Outgoing::NoRequest { interface, .. } => Some(interface),
            Outgoing::Unreachable | Outgoing::Undetermined { .. } => None,
        }
    }

    pub(super) fn take_down(&self, index: IfIndex, ipv6: bool, missing: MissingSet) {
        let Some(interface) = self.snapshot.interface(index) else { return };
        let mut all = self.missing.borrow_mut();
        for missing in missing.iter() {
            all.entry((ipv6, missing)).or_default().insert(index, interface.name);
        }
    }

    /// Takes down a sentence about something that could not be seen.
    pub(super) fn note(&self, sentence: String) {
        self.notes.borrow_mut().insert(sentence);
    }

    /// What is missing.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let mut gaps = self.other_gaps.borrow().clone();
        for ((ipv6, missing), interfaces) in self.missing.borrow().iter() {
            let names: Vec<&IfName> = interfaces.values().collect();
            let indices: Vec<IfIndex> = interfaces.keys().copied().collect();
            let open = format!("what becomes of requests and packets on {}", listed(&names));
            let set = MissingSet::only(*missing);
            judgement::add(&mut gaps, Gap::of(self.snapshot, *ipv6, set, &indices, &open));
        }
        gaps
    }

    /// What could not be seen, one sentence each.
    pub(super) fn unseen(&self, gaps: &[Gap]) -> Vec<String> {
        let mut unseen: Vec<String> = gaps.iter().map(|gap| format!("{gap}.")).collect();
        unseen.extend(self.notes.borrow().iter().cloned());
        unseen
    }

    /// Who answers on a wire for the addresses that its interfaces hold, in rising order.
    ///
    /// One neighbour asks all interfaces, as on a real wire; an interface that is silent then is asked by one of its own
    /// subnets, too, as who has an address in both may ask from either. Two things keep a thousand interfaces on one wire from
    /// costing a million requests. One that `arp_ignore` 1 or 2 restricts to its own addresses is not asked for
    /// others (`arp_ignore()` in net/ipv4/arp.c). And where many are left, all of them are asked for the first
    /// address only; for the others those that hold it, and some of those that answered.
    pub(super) fn answers_on(&self, wire: usize) -> Vec<Answers<'s>> {
        let members = &self.wires[wire];
        let mut targets: BTreeMap<Ipv4Addr, Vec<&'s Interface>> = BTreeMap::new();
        for interface in members {
            for (local, _) in self.public(interface.index) {
                targets.entry(local).or_default().push(interface);
            }
        }
        // What no living interface holds, others may answer for: addresses of `lo`, a dummy, one without carrier.
        let around = |local: Ipv4Addr| {
            let on_link = |member: &&&'s Interface| {
                self.public(member.index).any(|(_, held)| held.subnet().contains(&IpAddr::V4(local)))
            };
            members.iter().find(on_link).copied()
        };
        let reached = |holder: &IfIndex| self.map.is_connected(*holder) && self.listener(*holder).is_some();
        let mut aside: Vec<(Ipv4Addr, &'s Interface)> = Vec::new();
        for address in self.snapshot.addresses.iter().filter(|address| address.is_public()) {
            let IpAddr::V4(local) = address.local else { continue };
            if !self.holders(local).iter().any(reached)
                && let Some(member) = around(local)
            {
                aside.push((local, member));
            }
        }
        let by_route = local_route_targets(self.snapshot).into_iter();
        aside.extend(by_route.filter_map(|target| Some((target, around(target)?))));
        let restricted =
            |interface: &Interface| matches!(self.effective(interface, Sysctl::ArpIgnore).value, 1 | 2);
        let mut lax: Vec<&'s Interface> =
            members.iter().copied().filter(|interface| !restricted(interface)).collect();
        let mut found = Vec::new();
        for (target, holders) in targets {
            let sender = self.sender(holders[0].index, target);
            let others = lax.iter().filter(|other| !holders.iter().any(|holder| holder.index == other.index));
            let asked = holders.iter().chain(others).map(|interface| self.ask(interface, sender, target));
            let mut asked: Vec<Asked<'s>> = asked.collect();
            asked.sort_by_key(|asked| asked.interface.index);
            if lax.len() > ASKED {
                let answering = asked.iter().filter(|asked| asked.verdict.answers() == Some(true));
                lax = answering.map(|asked| asked.interface).take(ASKED).collect();
            }
            let holders = holders.iter().map(|interface| interface.index).collect();
            found.push(Answers { target, holders, sender, asked });
        }
        for (target, member) in aside {
            let sender = self.sender(member.index, target);
            let asked =
                members.iter().take(ASKED).map(|interface| self.ask(interface, sender, target)).collect();
            found.push(Answers { target, holders: Vec::new(), sender, asked });
        }
        found
    }

    /// What becomes of the request of `sender` or, where that gets no answer, of a neighbour of the interface's own
    /// subnets.
    pub(super) fn ask(&self, interface: &'s Interface, sender: Ipv4Addr, target: Ipv4Addr) -> Asked<'s> {
        let request = |sender| Asked {
            interface,
            sender,
            verdict: self.reply(&ArpRequest::broadcast(interface.index, sender, target)),
        };
        let first = request(sender);
        if first.verdict.answers() != Some(false) {
            return first;
        }
        let own = self.sender(interface.index, target);
        let near = || self.public(interface.index).any(|(_, held)| held.subnet().contains(&IpAddr::V4(own)));
        if own == sender || !near() {
            return first;
        }
        let second = request(own);
        if second.verdict.answers() == Some(false) { first } else { second }
    }

    /// The value of a sysctl on an interface, as evidence.
    pub(super) fn sysctl(&self, interface: &Interface, sysctl: Sysctl) -> Evidence {
        let Effective { value, source } = self.effective(interface, sysctl);
        let all = self.snapshot.all.get(sysctl);
        let own = interface.sysctls.get(sysctl);
        Evidence::Sysctl { interface: interface.name, sysctl, value, source, all, own }
    }

    /// A request and what becomes of it, as evidence.
    pub(super) fn request(
        &self,
        interface: &Interface,
        sender: Ipv4Addr,
        target: Ipv4Addr,
        verdict: Verdict,
    ) -> Evidence {
        Evidence::Request { interface: interface.name, sender: sender.into(), target: target.into(), verdict }
    }
}

/// An address of a prefix that a host may have: the only one, or the first after the network's.
fn host_of(net: Ipv4Net) -> Option<Ipv4Addr> {
    net.hosts().next()
}

/// The interfaces that an IPv4 default route of any table leaves by.
fn uplinks(index: &Index<'_>) -> BTreeSet<IfIndex> {
    index.default_routes().iter().flat_map(|route| &route.next_hops).filter_map(|hop| hop.interface).collect()
}

type Leading = (HashMap<IfIndex, Vec<Ipv4Net>>, HashMap<IfIndex, Vec<Ipv4Addr>>);

/// Where routes lead through each interface: places on its link that none of its subnets covers, and gateways.
fn leading(snapshot: &Snapshot) -> Leading {
    let own: HashSet<(IfIndex, IpNet)> =
        snapshot.addresses.iter().map(|address| (address.interface, address.subnet())).collect();
    let mut on_link: HashMap<IfIndex, Vec<Ipv4Net>> = HashMap::new();
    let mut gateways: HashMap<IfIndex, Vec<Ipv4Addr>> = HashMap::new();
    for route in snapshot.routes.iter().filter(|route| route.kind == RouteKind::Unicast) {
        let IpNet::V4(net) = route.destination else { continue };
        for hop in &route.next_hops {
            let Some(index) = hop.interface else { continue };
            match hop.gateway {
                Some(IpAddr::V4(gateway)) => {
                    let known = gateways.entry(index).or_default();
                    if !known.contains(&gateway) {
                        known.push(gateway);
                    }
                }
                None if net.prefix_len() > 0 && !own.contains(&(index, IpNet::V4(net.trunc()))) => {
                    let known = on_link.entry(index).or_default();
                    if known.last() != Some(&net) {
                        known.push(net);
                    }
                }
                _ => {}
            }
        }
    }
    (on_link, gateways)
}

/// One word or the other, by how many there are.
pub(super) const fn by_number<'w>(count: usize, one: &'w str, several: &'w str) -> &'w str {
    if count == 1 { one } else { several }
}
