//! What every finding stands on: the model, the wires, and who holds what.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use super::remedy::Remedy;
use super::{Evidence, Options};
use crate::predict::{
    ArpRequest, Missing, MissingSet, Model, Neighbours, Outgoing, Reason, Verdict, listeners,
};
use crate::snapshot::{Address, Effective, Interface, Scope, Snapshot};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IfName, IpNet};

/// A snapshot with its model and the look-ups that findings need.
pub(super) struct Ground<'s> {
    pub snapshot: &'s Snapshot,
    pub options: &'s Options,
    pub model: Model<'s>,
    /// Interfaces that share a wire, each wire with two of them or more.
    pub wires: Vec<Vec<&'s Interface>>,
    held: HashMap<IfIndex, Vec<&'s Address>>,
    neighbours: RefCell<Neighbours<'s>>,
    senders: RefCell<HashMap<(IfIndex, Ipv4Addr), Ipv4Addr>>,
    missing: RefCell<BTreeMap<Missing, BTreeSet<IfName>>>,
    notes: RefCell<BTreeSet<String>>,
    pub(super) cures: RefCell<HashMap<usize, Remedy>>,
}

/// Who answers for one address on one wire.
pub(super) struct Answers {
    pub target: Ipv4Addr,
    /// The interfaces of the wire that hold it.
    pub holders: Vec<IfIndex>,
    /// The neighbour that asks.
    pub sender: Ipv4Addr,
    /// What becomes of its request, by interface of the wire.
    pub verdicts: Vec<Verdict>,
}

impl<'s> Ground<'s> {
    pub(super) fn new(snapshot: &'s Snapshot, options: &'s Options) -> Self {
        let mut held: HashMap<IfIndex, Vec<&Address>> = HashMap::new();
        for address in snapshot.addresses.iter().filter(|address| address.local.is_ipv4()) {
            held.entry(address.interface).or_default().push(address);
        }
        let listeners: Vec<&Interface> =
            listeners(snapshot).into_iter().filter_map(|index| snapshot.interface(index)).collect();
        let wires = wires(snapshot, &listeners, &held);
        Self {
            snapshot,
            options,
            model: Model::new(snapshot),
            wires,
            held,
            neighbours: RefCell::new(Neighbours::new(snapshot)),
            senders: RefCell::new(HashMap::new()),
            missing: RefCell::new(BTreeMap::new()),
            notes: RefCell::new(BTreeSet::new()),
            cures: RefCell::new(HashMap::new()),
        }
    }

    /// The IPv4 addresses of an interface, in the kernel's order.
    pub(super) fn held(&self, index: IfIndex) -> &[&'s Address] {
        self.held.get(&index).map_or(&[], Vec::as_slice)
    }

    /// The IPv4 addresses of an interface that other hosts may ask for.
    pub(super) fn public(&self, index: IfIndex) -> impl Iterator<Item = (Ipv4Addr, &'s Address)> + '_ {
        self.held(index).iter().filter_map(|address| match address.local {
            IpAddr::V4(local) if is_public(address) => Some((local, *address)),
            _ => None,
        })
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

    /// What becomes of a request; what cannot be told is taken down.
    pub(super) fn reply(&self, request: &ArpRequest) -> Verdict {
        let verdict = self.model.reply(request);
        if let Verdict::Undetermined { missing } = verdict {
            self.take_down(request.interface, missing);
        }
        verdict
    }

    /// What becomes of the host's own packet; what cannot be told is taken down.
    pub(super) fn outgoing(&self, by: IfIndex, to: Ipv4Addr, from: Ipv4Addr) -> Outgoing {
        let outgoing = self.model.outgoing(to, Some(from), None);
        if let Outgoing::Undetermined { missing } = outgoing {
            self.take_down(by, missing);
        }
        outgoing
    }

    fn take_down(&self, index: IfIndex, missing: MissingSet) {
        let Some(interface) = self.snapshot.interface(index) else { return };
        let mut all = self.missing.borrow_mut();
        for missing in missing.iter() {
            all.entry(missing).or_default().insert(interface.name);
        }
    }

    /// What could not be seen, one sentence each.
    pub(super) fn unseen(&self) -> Vec<String> {
        let missing = self.missing.borrow();
        let mut unseen: Vec<String> = missing
            .iter()
            .map(|(missing, interfaces)| {
                let names: Vec<String> = interfaces.iter().map(IfName::to_string).collect();
                format!("Not known on {}: {}.", listed(&names), missing.text())
            })
            .collect();
        unseen.extend(self.notes.borrow().iter().cloned());
        unseen
    }

    /// Who answers on a wire for the addresses that its interfaces hold, in rising order.
    ///
    /// One neighbour asks all interfaces, as on a real wire. An interface that `arp_ignore` 1 or 2 restricts
    /// to its own addresses is not asked for others (`arp_ignore()` in net/ipv4/arp.c), so that a thousand
    /// strict interfaces on one wire do not cost a million requests.
    pub(super) fn answers_on(&self, wire: usize) -> Vec<Answers> {
        let members = &self.wires[wire];
        let mut targets: BTreeMap<Ipv4Addr, Vec<IfIndex>> = BTreeMap::new();
        for interface in members {
            for (local, _) in self.public(interface.index) {
                targets.entry(local).or_default().push(interface.index);
            }
        }
        let strict: Vec<bool> = members
            .iter()
            .map(|interface| matches!(self.effective(interface, Sysctl::ArpIgnore).value, 1 | 2))
            .collect();
        targets
            .into_iter()
            .map(|(target, holders)| {
                let sender = self.sender(holders[0], target);
                let verdicts = members
                    .iter()
                    .zip(&strict)
                    .map(|(interface, strict)| match *strict && !holders.contains(&interface.index) {
                        true => Verdict::Silent { reason: Reason::ArpIgnore },
                        false => self.reply(&ArpRequest::broadcast(interface.index, sender, target)),
                    })
                    .collect();
                Answers { target, holders, sender, verdicts }
            })
            .collect()
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
        Evidence::Request { interface: interface.name, sender, target, verdict }
    }
}

/// Whether other hosts may ask for the address.
fn is_public(address: &Address) -> bool {
    address.scope < Scope::HOST && !address.local.is_loopback()
}

/// Which of the listeners share a wire: see the module text of [`super`].
fn wires<'s>(
    snapshot: &'s Snapshot,
    listeners: &[&'s Interface],
    held: &HashMap<IfIndex, Vec<&Address>>,
) -> Vec<Vec<&'s Interface>> {
    let connected: Vec<&Interface> =
        listeners.iter().copied().filter(|interface| interface.carrier).collect();
    let places: HashMap<IfIndex, usize> =
        connected.iter().enumerate().map(|(place, interface)| (interface.index, place)).collect();
    let mut parent: Vec<usize> = (0..connected.len()).collect();
    fn root(parent: &mut [usize], mut at: usize) -> usize {
        while parent[at] != at {
            parent[at] = parent[parent[at]];
            at = parent[at];
        }
        at
    }
    let mut join = |a: usize, b: usize| {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        parent[a.max(b)] = a.min(b);
    };
    let mut first: HashMap<(Option<IfIndex>, IpNet), usize> = HashMap::new();
    for (place, interface) in connected.iter().enumerate() {
        let vrf = interface.master.filter(|master| {
            snapshot.interface(*master).is_some_and(|master| master.kind.as_deref() == Some("vrf"))
        });
        for address in held.get(&interface.index).into_iter().flatten() {
            let subnet = address.subnet();
            if address.peer.is_none() && is_public(address) && tells_a_wire(&subnet) {
                join(place, *first.entry((vrf, subnet)).or_insert(place));
            }
        }
        if interface.kind.as_deref() == Some("macvlan")
            && interface.link_netnsid.is_none()
            && let Some(below) = interface.link.and_then(|below| places.get(&below))
        {
            join(place, *below);
        }
    }
    let mut wires: BTreeMap<usize, Vec<&Interface>> = BTreeMap::new();
    for (place, interface) in connected.iter().enumerate() {
        let wire = root(&mut parent, place);
        wires.entry(wire).or_default().push(interface);
    }
    wires.into_values().filter(|wire| wire.len() > 1).collect()
}

/// Whether two interfaces with this subnet are on one wire: not if it holds a single address, and not if
/// every link has it (169.254/16, RFC 3927).
fn tells_a_wire(subnet: &IpNet) -> bool {
    matches!(subnet, IpNet::V4(net) if net.prefix_len() < 32 && !net.network().is_link_local())
}

/// How many words of a list are written out.
const MOST: usize = 6;

/// `a`, `a and b`, `a, b and c`; long lists are cut.
pub(super) fn listed(words: &[impl ToString]) -> String {
    let text = |words: &[_]| words.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match words {
        [] => String::new(),
        [only] => only.to_string(),
        words if words.len() > MOST => format!("{} and {} more", text(&words[..MOST]), words.len() - MOST),
        [most @ .., last] => format!("{} and {}", text(most), last.to_string()),
    }
}
