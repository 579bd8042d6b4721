//! What a change silences or cuts off that worked before: the one place that decides it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::diagnose::{self, Finding, FindingId, Objects, Severity};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Plan;
use crate::predict::{ArpRequest, Forwarded, Model, Neighbours, Outgoing, Verdict, listeners, targets};
use crate::snapshot::{Interface, ProxyEntry, RouteKind, Scope, Snapshot, WireMap};
use crate::types::{IfIndex, IfName, IpNet, Ipv4Net};

/// How many hosts behind one interface are tried.
const HOSTS_MAX: usize = 8;
/// How many addresses of the host each of them asks for, and packets are sent from.
const ADDRESSES_MAX: usize = 64;
/// The gateway that Calico and its kin give to pods and proxy on the host's side.
const CNI_GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// Stands for the rest of the world: of the range for benchmarks (RFC 2544), which nobody routes.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(198, 18, 99, 99);

/// Something that worked and would not any more.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "harm", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Harm {
    /// Nobody on a wire answers for an address any more.
    Answer {
        /// The address.
        address: Ipv4Addr,
        /// A neighbour that gets no answer.
        asker: Ipv4Addr,
        /// The interface on whose wire it is.
        interface: IfName,
        /// The interface that holds the address where no request arrives: `lo`, a dummy, one without carrier.
        /// Whether this host is to answer for it at all, nothing on the host tells.
        aside: Option<IfName>,
    },
    /// Packets do not get there any more.
    Way {
        /// Their source; `None`: the kernel chooses it.
        from: Option<Ipv4Addr>,
        /// Their destination.
        to: Ipv4Addr,
        /// The interface that they leave by, or arrive at.
        interface: IfName,
    },
    /// Something else is wrong then, which was not before: an error or a warning of [`crate::diagnose`].
    Finding {
        /// What it is.
        id: FindingId,
        /// The addresses that it is about.
        addresses: Vec<IpAddr>,
        /// What happens, in one sentence.
        what: String,
    },
}

impl Harm {
    /// Whether it concerns an address of which nothing on the host tells whether it is to be answered for.
    #[must_use]
    pub const fn is_service(&self) -> bool {
        matches!(self, Self::Answer { aside: Some(_), .. })
    }
}

impl fmt::Display for Harm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { address, asker, interface, aside: None } => {
                write!(f, "{asker} on {interface} would get no answer for {address} any more")
            }
            Self::Answer { address, interface, aside: Some(holder), .. } => write!(
                f,
                "neighbours on {interface} would get no answer for {address} on {holder} any more: right if another \
                 host answers for it (a load balancer, the VRRP master), and wrong if this one does"
            ),
            Self::Way { from: Some(from), to, interface } => {
                write!(f, "packets from {from} would not reach {to} on {interface} any more")
            }
            Self::Way { from: None, to, interface } => {
                write!(f, "{to} on {interface} would not be reached any more")
            }
            Self::Finding { id, what, .. } => {
                write!(f, "{id} would be found, which is not now: {}", what.trim_end_matches('.'))
            }
        }
    }
}

/// What the host `after` a change no longer answers, or no longer reaches, of what it did `before`: for ordinary
/// neighbours of each wire, for gateways, and for hosts behind interfaces of their own (containers, tunnels,
/// point-to-point peers); and what [`crate::diagnose`] finds then and not before. The latter is not looked for on
/// hosts so large that it would take long, nor counted where it says that what the change itself publishes gets no answer
/// yet: an entry for a container that is not started takes nothing away. That several MACs answer for it,
/// or that its packets are not passed on, does count.
///
/// ```
/// use arpflux_core::harm::harm;
/// use arpflux_core::snapshot::Snapshot;
///
/// let host = Snapshot::default();
/// assert!(harm(&host, &host).is_empty());
/// ```
#[must_use]
pub fn harm(before: &Snapshot, after: &Snapshot) -> Vec<Harm> {
    let mut harm = losses(before, after);
    if is_small(before) {
        harm.extend(new_findings(&diagnose::certain(before), before, after));
    }
    harm
}

/// The answers and ways that are lost.
pub(crate) fn losses(before: &Snapshot, after: &Snapshot) -> Vec<Harm> {
    let hosts = Hosts::new(before);
    let (now, then) = (Model::of(before), Model::of(after));
    let mut harm = hosts.answers(&now, &then);
    harm.extend(hosts.ways(&now, &then));
    harm
}

/// Beyond this many pairs of an interface and a prefix, address, rule or entry, effects are not worked out: it would
/// take seconds.
const EFFECTS_MOST: usize = 20_000;

/// Whether what a change does to the whole host is worked out within seconds.
pub(crate) fn is_small(snapshot: &Snapshot) -> bool {
    let boundaries =
        snapshot.addresses.len() + snapshot.routes.len() + snapshot.rules.len() + snapshot.proxies.len();
    snapshot.interfaces.len().saturating_mul(boundaries) <= EFFECTS_MOST
}

/// Errors and warnings of the host `after` a change about something that they were not about before. `known` is all
/// that was found before, of any severity: what was a remark and weighs more now was there.
pub(crate) fn new_findings(known: &[Finding], before: &Snapshot, after: &Snapshot) -> Vec<Harm> {
    let there = |entry: &&ProxyEntry| {
        before
            .proxies
            .iter()
            .any(|other| (other.address, other.interface) == (entry.address, entry.interface))
    };
    let published: Vec<&ProxyEntry> = after.proxies.iter().filter(|entry| !there(entry)).collect();
    let mut found = diagnose::certain(after);
    found.retain(|finding| {
        let asked_for = finding.id == FindingId::ProxyQueue && !published.is_empty();
        let waits: &[&ProxyEntry] = if comes_with_an_entry(finding.id) { &published } else { &[] };
        finding.severity >= Severity::Warning && !asked_for && is_new(finding, known, waits)
    });
    let harm = |finding: Finding| Harm::Finding {
        id: finding.id,
        addresses: finding.objects.addresses,
        what: finding.what,
    };
    found.into_iter().map(harm).collect()
}

/// Whether a finding says no more than that an entry answers nobody yet.
const fn comes_with_an_entry(id: FindingId) -> bool {
    matches!(id, FindingId::ProxyForwardingOff | FindingId::ProxyNoRoute | FindingId::ProxySameInterface)
}

/// Whether a finding is about an address or an interface that none of its kind was about, apart from what has just been
/// published. Which of them stand in one finding together is for the reader, and does not count.
fn is_new(finding: &Finding, known: &[Finding], published: &[&ProxyEntry]) -> bool {
    let Objects { interfaces, addresses } = &finding.objects;
    let of_kind = known.iter().filter(|other| other.id == finding.id || hides(other.id, finding.id));
    let of_kind: Vec<&Objects> = of_kind.map(|other| &other.objects).collect();
    if interfaces.is_empty() && addresses.is_empty() {
        return of_kind.is_empty();
    }
    let address_is_new = |address: &IpAddr| {
        !of_kind.iter().any(|known| known.addresses.contains(address))
            && !published.iter().any(|entry| entry.address == *address)
    };
    let interface_is_new = |name: &IfName| {
        let of_these = |known: &&&Objects| {
            addresses.is_empty() || addresses.iter().any(|address| known.addresses.contains(address))
        };
        !of_kind.iter().filter(of_these).any(|known| known.interfaces.contains(name))
            && !published.iter().any(|entry| addresses.contains(&entry.address))
    };
    addresses.iter().any(address_is_new) || interfaces.iter().any(interface_is_new)
}

/// Whether one finding keeps another from being told of the same address: which address a request carries matters
/// only where an interface does not answer for all of them anyway.
fn hides(one: FindingId, other: FindingId) -> bool {
    (one, other) == (FindingId::SeveralAnswer, FindingId::TeachesWrongMac)
}

/// Refuses a plan that does harm.
///
/// # Errors
/// [`ErrorKind::Refused`] with what would be lost; those of [`Snapshot::check`].
pub fn refuse(before: &Snapshot, plan: &Plan) -> Result<()> {
    let harm = of_plan(before, plan)?;
    let Some(first) = harm.first() else { return Ok(()) };
    let more = match harm.len() {
        1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    Err(Error::new(ErrorKind::Refused, format!("it would do harm: {first}{more}"))
        .during("apply")
        .hint("`arpflux plan` lists all; --accept-harm does it all the same, a [[service]] asks for silence"))
}

/// What a plan harms, apart from the silence that was asked for ([`Plan::silence`]).
///
/// # Errors
/// Those of [`Snapshot::check`].
pub fn of_plan(before: &Snapshot, plan: &Plan) -> Result<Vec<Harm>> {
    before.check()?;
    if plan.changes.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = harm(before, &before.with(&plan.changes));
    found.retain(|harm| match harm {
        Harm::Answer { address, .. } => !plan.silence.contains(&IpAddr::V4(*address)),
        Harm::Way { .. } => true,
        Harm::Finding { addresses, .. } => {
            addresses.is_empty() || !addresses.iter().all(|address| plan.silence.contains(address))
        }
    });
    Ok(found)
}

/// Who lives where, as the snapshot before the change tells.
struct Hosts<'s> {
    snapshot: &'s Snapshot,
    wires: WireMap,
    listeners: Vec<IfIndex>,
    /// The subnets of each interface that is up and has carrier.
    subnets: BTreeMap<IfIndex, Vec<Ipv4Net>>,
    /// Hosts that a route or a peer address says are on the link of an interface.
    routed: BTreeMap<IfIndex, Vec<Ipv4Addr>>,
}

impl<'s> Hosts<'s> {
    fn new(snapshot: &'s Snapshot) -> Self {
        let wires = WireMap::of(snapshot);
        let mut subnets: BTreeMap<IfIndex, Vec<Ipv4Net>> = BTreeMap::new();
        let mut routed: BTreeMap<IfIndex, Vec<Ipv4Addr>> = BTreeMap::new();
        for address in snapshot.addresses.iter().filter(|address| wires.is_connected(address.interface)) {
            match (address.peer, address.subnet()) {
                (Some(IpAddr::V4(peer)), _) => routed.entry(address.interface).or_default().push(peer),
                (None, IpNet::V4(net)) if net.prefix_len() < 32 => {
                    let known = subnets.entry(address.interface).or_default();
                    if !known.contains(&net.trunc()) {
                        known.push(net.trunc());
                    }
                }
                _ => {}
            }
        }
        for route in snapshot.routes.iter().filter(|route| route.kind == RouteKind::Unicast) {
            let [hop] = route.next_hops.as_slice() else { continue };
            let (Some(index), None, IpNet::V4(net)) = (hop.interface, hop.gateway, route.destination) else {
                continue;
            };
            if net.prefix_len() == 32 && wires.is_connected(index) {
                let known = routed.entry(index).or_default();
                if known.len() < HOSTS_MAX && !known.contains(&net.addr()) {
                    known.push(net.addr());
                }
            }
        }
        Self { snapshot, listeners: listeners(snapshot), wires, subnets, routed }
    }

    fn name(&self, index: IfIndex) -> Option<IfName> {
        self.snapshot.interface(index).map(|interface| interface.name)
    }

    /// The interface that holds an address where no request arrives, if no other one holds it.
    fn aside(&self, address: Ipv4Addr) -> Option<IfName> {
        let reached = |holder: &IfIndex| {
            let speaks = self.snapshot.interface(*holder).is_some_and(Interface::speaks_arp);
            speaks && self.wires.is_connected(*holder)
        };
        let holders: Vec<IfIndex> = self.snapshot.holders_of(IpAddr::V4(address)).collect();
        if holders.iter().any(reached) {
            return None;
        }
        holders.first().and_then(|holder| self.name(*holder))
    }

    /// The listeners on the wire of an interface, that one first.
    fn beside(&self, index: IfIndex) -> Vec<IfIndex> {
        let others = self.wires.beside(index).iter().copied().filter(|other| *other != index);
        let all = std::iter::once(index).chain(others);
        all.filter(|one| self.listeners.binary_search(one).is_ok() && self.wires.is_connected(*one)).collect()
    }

    fn answers(&self, now: &Model<'_>, then: &Model<'_>) -> Vec<Harm> {
        let mut neighbours = Neighbours::new(self.snapshot);
        let mut harm = Vec::new();
        let mut done: BTreeSet<(usize, Ipv4Addr)> = BTreeSet::new();
        let mut subnets_done: BTreeSet<(usize, Ipv4Net)> = BTreeSet::new();
        let own = targets(self.snapshot);
        for (index, subnets) in &self.subnets {
            let Some(number) = self.wires.number(*index) else { continue };
            let new = subnets.iter().filter(|subnet| subnets_done.insert((number, **subnet)));
            let new: Vec<&Ipv4Net> = new.collect();
            if new.is_empty() {
                continue;
            }
            let wire = self.beside(*index);
            for target in own.iter().copied() {
                let around = new.iter().any(|subnet| subnet.contains(&target));
                if !around || !done.insert((number, target)) {
                    continue;
                }
                let asker = neighbours.of(*index, target);
                harm.extend(self.loses(now, then, &wire, asker, target));
            }
        }
        for (index, hosts) in &self.routed {
            let wire = self.beside(*index);
            let asked = std::iter::once(CNI_GATEWAY).chain(own.iter().copied().take(ADDRESSES_MAX));
            let asked: Vec<Ipv4Addr> = asked.collect();
            for asker in hosts.iter().take(HOSTS_MAX) {
                // One is enough to say of each host.
                let mut lost = asked.iter().filter(|target| *target != asker);
                harm.extend(lost.find_map(|target| self.loses(now, then, &wire, *asker, *target)));
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
        let verdict =
            |model: &Model<'_>, on: &IfIndex| model.reply(&ArpRequest::broadcast(*on, asker, target));
        let answers = |on: &&IfIndex| {
            !now.never_answers(**on, target) && matches!(verdict(now, on), Verdict::Answers { .. })
        };
        let on = wire.iter().find(answers)?;
        let silent = |on: &IfIndex| {
            then.never_answers(*on, target) || matches!(verdict(then, on), Verdict::Silent { .. })
        };
        if !wire.iter().all(silent) {
            return None;
        }
        let aside = self.aside(target);
        // kube-proxy binds every service address there, on every node: none of them is to answer for it.
        if aside.is_some_and(|holder| holder.as_bytes() == b"kube-ipvs0") {
            return None;
        }
        Some(Harm::Answer { address: target, asker, interface: self.name(*on)?, aside })
    }

    /// The hosts that packets are sent to, with the interface that they are on.
    fn destinations(&self) -> Vec<(IfIndex, Ipv4Addr)> {
        let mut neighbours = Neighbours::new(self.snapshot);
        let mut found = Vec::new();
        for (index, subnets) in &self.subnets {
            for subnet in subnets {
                found.push((*index, neighbours.of(*index, subnet.network())));
            }
        }
        for (index, hosts) in &self.routed {
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

    fn ways(&self, now: &Model<'_>, then: &Model<'_>) -> Vec<Harm> {
        let mut harm = Vec::new();
        let destinations = self.destinations();
        let own = self.snapshot.addresses.iter().filter(|address| address.scope < Scope::HOST);
        let own = own.filter_map(|address| match address.local {
            IpAddr::V4(local) if !local.is_loopback() => Some(Some(local)),
            _ => None,
        });
        let sources: Vec<Option<Ipv4Addr>> = std::iter::once(None).chain(own.take(ADDRESSES_MAX)).collect();
        for (index, to) in &destinations {
            for from in &sources {
                let reaches =
                    |model: &Model<'_>| self.reaches(&model.outgoing(*to, *from, None), *index, *to);
                if reaches(now) == Some(true)
                    && reaches(then) == Some(false)
                    && let Some(interface) = self.name(*index)
                {
                    harm.push(Harm::Way { from: *from, to: *to, interface });
                }
            }
        }
        for from in &sources {
            let leaves = |model: &Model<'_>| model.outgoing(ELSEWHERE, *from, None);
            if let Outgoing::Asks { interface, .. } | Outgoing::NoRequest { interface, .. } = leaves(now)
                && leaves(then) == Outgoing::Unreachable
                && let Some(interface) = self.name(interface)
            {
                harm.push(Harm::Way { from: *from, to: ELSEWHERE, interface });
            }
        }
        // Packets of others: what arrives from each host, for this host's own addresses and for each other one.
        let most = destinations.len().min(ADDRESSES_MAX);
        let mut may_answer: BTreeMap<(usize, Ipv4Addr), [Vec<IfIndex>; 2]> = BTreeMap::new();
        for (arrival, from) in &destinations[..most] {
            let others = destinations[..most].iter().filter(|(index, _)| index != arrival).map(|(_, to)| *to);
            let to_host = sources.iter().copied().flatten();
            let wire = self.beside(*arrival);
            let Some(number) = self.wires.number(*arrival) else { continue };
            for to in to_host.chain(others).chain([ELSEWHERE]) {
                let [now_may, then_may] = may_answer.entry((number, to)).or_insert_with(|| {
                    let may = |model: &Model<'_>| {
                        wire.iter().copied().filter(|on| !model.never_answers(*on, to)).collect()
                    };
                    [may(now), may(then)]
                });
                // They are sent to whoever answers for their destination, else to a router.
                let passes = |model: &Model<'_>, may: &[IfIndex], is: fn(&Forwarded) -> bool| {
                    let answers = |on: &&IfIndex| {
                        model.reply(&ArpRequest::broadcast(**on, *from, to)).answers() == Some(true)
                    };
                    let mut answering = may.iter().filter(answers).peekable();
                    match answering.peek() {
                        None => is(&model.forwarded(*arrival, *from, to)),
                        Some(_) => answering.any(|on| is(&model.forwarded(*on, *from, to))),
                    }
                };
                let gets_there =
                    |way: &Forwarded| matches!(way, Forwarded::Leaves { .. } | Forwarded::Delivered);
                if passes(now, now_may, gets_there)
                    && !passes(then, then_may, |way| *way != Forwarded::Dropped)
                    && let Some(interface) = self.name(*arrival)
                {
                    harm.push(Harm::Way { from: Some(*from), to, interface });
                }
            }
        }
        harm
    }
}

#[cfg(all(test, feature = "kernel"))]
mod tests {
    use super::*;
    use crate::plan::tests::host::Host;
    use crate::sysctl::Sysctl;

    fn changed(host: &Host, change: impl FnOnce(Host) -> Host) -> Vec<String> {
        harm(&host.0, &change(host.clone()).0).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_last_answer_of_a_wire_is_missed_and_one_of_several_is_not() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
        assert_eq!(changed(&host, |host| host.one(3, Sysctl::ArpIgnore, 1)), [""; 0]);
        let silent = changed(&host, |host| host.each(Sysctl::ArpIgnore, 8));
        assert_eq!(
            silent.iter().filter(|one| one.contains("no answer for 10.0.0.")).count(),
            2,
            "{silent:?}"
        );
        assert!(silent.iter().any(|one| one.starts_with("AF007 would be found")), "{silent:?}");
    }

    #[test]
    fn what_one_finding_kept_from_being_told_is_not_new() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
        let host = host.route("10.0.0.0/24", None, 2, 0).route("10.0.0.0/24", None, 3, 1);
        // Half a cure: eth0 asks for neighbours in the name of eth1's address, as it did while it answered for it.
        assert_eq!(changed(&host, |host| host.one(2, Sysctl::ArpIgnore, 1)), [""; 0]);
        // Beside a whole one it is new.
        let cured = |host: Host| {
            [2, 3]
                .into_iter()
                .fold(host, |host, on| host.one(on, Sysctl::ArpIgnore, 1).one(on, Sysctl::ArpAnnounce, 2))
        };
        let worse = changed(&cured(host), |host| host.one(2, Sysctl::ArpAnnounce, 0));
        assert!(worse.iter().any(|one| one.starts_with("AF003 would be found")), "{worse:?}");
    }

    #[test]
    fn a_finding_is_new_only_if_something_is_found_that_was_not() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24"]);
        let host = host.route("10.0.0.0/24", None, 2, 0).route("10.1.0.0/24", None, 3, 0);
        let host = host.one(2, Sysctl::Forwarding, 1).one(3, Sysctl::Forwarding, 1);
        // A first entry, for which no route leads anywhere; one more beside it is what was asked for.
        let host = host.proxy("10.2.0.77", 2);
        assert_eq!(changed(&host, |host| host.proxy("10.2.0.78", 2)), [""; 0]);
        assert_eq!(changed(&host, |host| host.proxy("10.2.0.77", 3)), [""; 0]);
        // Behind the host, and forgotten: a remark while nothing is proxied, and a warning beside an entry, of the same.
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24"]);
        let host = host.route("10.0.0.0/24", None, 2, 0).one(2, Sysctl::Forwarding, 1);
        let host = host.route("10.0.0.77/32", None, 3, 0).route("10.0.0.78/32", None, 3, 0);
        let dark = changed(&host, |host| host.proxy("10.0.0.77", 2));
        assert!(matches!(dark.as_slice(), [one] if one.starts_with("AF037 would be found")), "{dark:?}");
        let host = host.one(3, Sysctl::Forwarding, 1);
        assert_eq!(changed(&host, |host| host.proxy("10.0.0.77", 2)), [""; 0]);
        // On a second interface of the wire it has two MACs, which nobody asked for.
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
        let host = host.nic(4, "ve0", &[]).route("10.0.0.0/24", None, 2, 0).route("10.0.0.77/32", None, 4, 0);
        let host = host.each(Sysctl::ArpIgnore, 1).each(Sysctl::ArpAnnounce, 2).each(Sysctl::Forwarding, 1);
        assert_eq!(changed(&host, |host| host.proxy("10.0.0.77", 2)), [""; 0]);
        let twice = changed(&host.clone().proxy("10.0.0.77", 2), |host| host.proxy("10.0.0.77", 3));
        assert!(twice.iter().any(|one| one.starts_with("AF013 would be found")), "{twice:?}");
        let at_once = changed(&host, |host| host.proxy("10.0.0.77", 2).proxy("10.0.0.77", 3));
        assert!(at_once.iter().any(|one| one.starts_with("AF013 would be found")), "{at_once:?}");
        // One that had its entry is another matter.
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24"]);
        let host = host.route("10.0.0.0/24", None, 2, 0).one(2, Sysctl::Forwarding, 1);
        let host = host.route("10.0.0.77/32", None, 3, 0).route("10.0.0.78/32", None, 3, 0);
        let both = host.proxy("10.0.0.77", 2).proxy("10.0.0.78", 2);
        let lost = changed(&both, |mut host| {
            host.0.proxies.pop();
            host
        });
        assert!(lost.iter().any(|one| one.starts_with("AF014 would be found")), "{lost:?}");
    }

    #[test]
    fn an_address_where_no_request_arrives_is_told_with_both_readings() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).address(1, "10.0.0.100/32");
        let silent = changed(&host, |host| host.each(Sysctl::ArpIgnore, 1));
        assert!(matches!(silent.as_slice(), [one] if one.contains("10.0.0.100 on lo")), "{silent:?}");
    }

    #[test]
    fn a_neighbour_that_is_sent_to_a_gateway_or_nowhere_has_lost_its_way() {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24"]);
        let host = host.route("10.0.0.0/24", None, 2, 0).route("10.1.0.0/24", None, 3, 0);
        let lost = changed(&host, |mut host| {
            host.0.routes.retain(|route| route.destination.to_string() != "10.1.0.0/24");
            host.route("0.0.0.0/0", Some("10.0.0.1"), 2, 0)
        });
        assert!(lost.iter().all(|one| one.contains("on eth1")) && !lost.is_empty(), "{lost:?}");
    }
}
