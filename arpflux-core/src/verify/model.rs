//! What the model says of all senders and targets, proved and not sampled.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

use super::discovery::{Discovery, by_model};
use super::report::NOBODY;
use super::{AddressReport, CheckKind, Failure, Report, Witnesses, wanted};
use crate::error::Result;
use crate::judgement::{Gap, Judgement};
use crate::plan::PROTOCOL;
use crate::plan::desired::Desired;
use crate::policy::Policy;
use crate::predict::listeners;
use crate::proof::{Expectation, Proof, Prover};
use crate::snapshot::{ProxyEntry, Snapshot, WireMap, subnet_of_wire, table};
use crate::stop::Stop;
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IpNet};

/// Proves for each address of the policy that its own interface answers every neighbour and that no
/// other does, of the policy's interfaces and of all on the same wire ([`WireMap`]); of interfaces whose sysctls the
/// policy leaves alone only where they are alone on their wire. One on a wire that is not
/// known leaves that open if it answers. The same for the IPv6 addresses that the interfaces of `[host]` hold themselves,
/// on each wire. And that what is sent to a proxied IPv6 address gets behind this host, as its
/// entry answers whatever the routes say. And
/// that what arpflux published for other owners is answered for where it is published. And
/// that packets from proxied addresses with a rule of ours leave by no other interface of the policy. (Of
/// the host's own, broadcasts of a shared subnet leave by the first of its interfaces: table local, which
/// comes before all rules, says so.)
///
/// # Errors
/// As [`super::check`].
pub fn model(policy: &Policy, snapshot: &Snapshot) -> Result<Report> {
    model_until(policy, snapshot, &WireMap::of(snapshot), Part::Whole, &Stop::default())
}

/// What of a policy the model is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Whole,
    /// What a policy settles: the IPv6 addresses that the host holds itself are left out.
    Settled,
    /// These alone.
    OwnIpv6,
}

/// The same on the wires of `map`, see [`super::check_on`], of a part.
pub(super) fn model_until(
    policy: &Policy,
    snapshot: &Snapshot,
    map: &WireMap,
    part: Part,
    stop: &Stop,
) -> Result<Report> {
    let mut report = Report::default();
    match wanted(policy, snapshot)? {
        Ok(mut desired) => {
            match part {
                Part::Whole => {}
                Part::Settled => desired.host_ipv6.clear(),
                Part::OwnIpv6 => {
                    desired.host_addresses.clear();
                    desired.proxied.clear();
                }
            }
            prove(&desired, snapshot, map, part, stop, &mut report)?;
        }
        Err(failure) => report.count(Some(failure)),
    }
    Ok(report)
}

fn prove(
    desired: &Desired,
    snapshot: &Snapshot,
    map: &WireMap,
    part: Part,
    stop: &Stop,
    report: &mut Report,
) -> Result<()> {
    let mut prover = Prover::of(snapshot).until(stop);
    stop.check()?;
    let looked_after: HashSet<IfIndex> = desired
        .sysctls
        .iter()
        .filter(|wanted| matches!(wanted.sysctl, Sysctl::ArpIgnore | Sysctl::ArpAnnounce | Sysctl::ArpFilter))
        .map(|wanted| wanted.interface)
        .collect();
    let among: Vec<IfIndex> =
        desired.interfaces.iter().copied().filter(|index| looked_after.contains(index)).collect();
    let (unknown, listeners) = (map.unknown(snapshot), listeners(snapshot));
    let mut heard_too: HashMap<IfIndex, Vec<IfIndex>> = HashMap::new();
    // Alone on its wire an interface answers for its addresses whatever the strategy.
    let claimed = |owner: IfIndex| looked_after.contains(&owner) || map.hear_too(snapshot, owner).is_empty();
    let own = desired.host_addresses.iter().filter(|(_, owner)| claimed(*owner));
    let discovery = Discovery::new(map);
    let proxied = desired.proxied.iter().map(|pair| (pair, &desired.interfaces));
    // Of IPv6 no interface answers for what another one holds, so that only who is heard with the owner counts.
    let none = Vec::new();
    let own_ipv6 = desired.host_ipv6.iter().map(|pair| (pair, &none));
    for ((address, owner), policys) in own.map(|pair| (pair, &among)).chain(proxied).chain(own_ipv6) {
        stop.check()?;
        // Whoever hears what the owner hears counts, whether or not the policy names it.
        let mut among: Vec<IfIndex> = policys.clone();
        // None would stand for all.
        among.push(*owner);
        among.extend(heard_too.entry(*owner).or_insert_with(|| map.hear_too(snapshot, *owner)).iter());
        among.sort();
        among.dedup();
        let doubted: Vec<IfIndex> = map.doubted(*owner);
        // `among` is sorted.
        let not_among = |other: &IfIndex| among.binary_search(other).is_err() && other != owner;
        let listens = |other: &IfIndex| listeners.binary_search(other).is_ok();
        let open = unknown.iter().chain(doubted.iter().filter(|other| listens(other)));
        let open = open.copied().filter(not_among).filter(|other| map.share(*other, *owner).is_none());
        let open: Vec<IfIndex> = open.collect();
        let leave_open = |other: IfIndex, report: &mut Report| {
            let leaves_open = format!("whether another MAC answers for {address}");
            let gap = if doubted.contains(&other) {
                Gap::apart(snapshot, *owner, other, &leaves_open)
            } else {
                Gap::wires(snapshot, &[other], &leaves_open)
            };
            report.leave_open(format!("{address}: {gap}"), vec![gap], Some(true));
        };
        let target = match *address {
            IpAddr::V4(target) => target,
            IpAddr::V6(target) => {
                let asked = heard(snapshot, *owner);
                let answered = asked.then(|| discovery.answers(&mut prover, *owner, target, report));
                let held = snapshot.holders_of(*address).any(|holder| holder == *owner);
                if asked && !held {
                    discovery.is_reached(&prover, *owner, target, report);
                }
                let [mut answering, mut undetermined] =
                    discovery.nobody_else(&mut prover, *owner, target, &among, report);
                match answered {
                    Some(Some(true)) => answering.insert(0, *owner),
                    Some(None) => undetermined.insert(0, *owner),
                    Some(Some(false)) | None => {}
                }
                for other in open {
                    let never = Expectation::Never { interface: other, target: IpNet::from(*address) };
                    if prover.prove(&never).holds() != Some(true) {
                        undetermined.push(other);
                        leave_open(other, report);
                    }
                }
                let who = (target, *owner);
                report.addresses.push(by_model(snapshot, who, &answering, &undetermined, !asked));
                continue;
            }
        };
        let answers = Expectation::Answers { interface: *owner, target: *address };
        let answered =
            heard(snapshot, *owner).then(|| match subnets_of_others(snapshot, map, *owner, target) {
                none if none.is_empty() => prover.prove(&answers),
                subnets => prover.answers_in(*owner, *address, subnets),
            });
        if let Some(answered) = &answered {
            judge(&mut prover, *address, &answers, answered, report);
        }
        let (single, target) = (target, IpNet::from(*address));
        let alone = Expectation::NothingBut { interface: *owner, target, among: among.clone() };
        let nobody_else = prover.prove(&alone);
        judge(&mut prover, *address, &alone, &nobody_else, report);

        let (mut answering, mut undetermined) = (Vec::new(), Vec::new());
        let mut sort = |interface: IfIndex, answers: Option<bool>| match answers {
            Some(true) => answering.push(snapshot.name_of(interface)),
            Some(false) => {}
            None => undetermined.push(snapshot.name_of(interface)),
        };
        if let Some(answered) = &answered {
            sort(*owner, answered.holds());
        }
        if nobody_else.holds() != Some(true) {
            for other in among.iter().filter(|other| *other != owner) {
                let never = Expectation::Never { interface: *other, target };
                sort(*other, prover.prove(&never).holds().map(|never| !never));
            }
        }
        for other in open {
            if prover.model().never_answers(other, single) {
                continue;
            }
            let never = Expectation::Never { interface: other, target };
            if prover.prove(&never).holds() != Some(true) {
                undetermined.push(snapshot.name_of(other));
                leave_open(other, report);
            }
        }
        report.addresses.push(AddressReport {
            address: *address,
            expected: snapshot.name_of(*owner),
            answering,
            undetermined,
            unheard: answered.is_none(),
            by: Witnesses { model: true, ..Witnesses::default() },
        });
    }
    if part == Part::OwnIpv6 {
        return stop.check();
    }
    others(desired, snapshot, map, &mut prover, report);
    stop.check()?;
    services(desired, snapshot, &mut prover, report);
    published(desired, snapshot, &mut prover, &discovery, report);
    stop.check()?;
    egress(desired, snapshot, &mut prover, report);
    stop.check()
}

/// The subnets that others of the wire have, where the interface holds an address alone and has none of its own there:
/// those around the address or, where none is, all. Whoever lives there asks for it.
fn subnets_of_others(snapshot: &Snapshot, map: &WireMap, owner: IfIndex, target: Ipv4Addr) -> Vec<IpNet> {
    let of = |index: IfIndex| {
        snapshot.addresses_of(index).filter_map(|held| match subnet_of_wire(held) {
            Some(net @ IpNet::V4(_)) => Some(net),
            _ => None,
        })
    };
    if snapshot.holders_of(target.into()).all(|holder| holder != owner) || of(owner).next().is_some() {
        return Vec::new();
    }
    let mut subnets: Vec<IpNet> = map.beside(owner).iter().flat_map(|index| of(*index)).collect();
    subnets.sort();
    subnets.dedup();
    let around = |subnet: &IpNet| subnet.contains(&IpAddr::V4(target));
    if subnets.iter().any(around) {
        subnets.retain(around);
    }
    subnets
}

/// Whether anybody can ask on an interface: where it has no carrier, nothing is claimed of its answers.
fn heard(snapshot: &Snapshot, interface: IfIndex) -> bool {
    snapshot.interface(interface).is_none_or(|interface| snapshot.has_carrier(interface))
}

/// No interface of the policy, and none on their wires, answers a host of its wire for another one.
fn others(
    desired: &Desired,
    snapshot: &Snapshot,
    map: &WireMap,
    prover: &mut Prover<'_>,
    report: &mut Report,
) {
    let mut asked: Vec<IfIndex> = desired.interfaces.clone();
    asked.extend(desired.interfaces.iter().flat_map(|index| map.hear_too(snapshot, *index)));
    asked.sort();
    asked.dedup();
    for index in asked.into_iter().filter(|index| map.is_connected(*index)) {
        let name = snapshot.name_of(index);
        match prover.others_of_wire(map, index) {
            None => {}
            Some(Proof::Proved { .. }) => report.count(None),
            Some(Proof::Refuted(contradiction)) => report.count(Some(Failure {
                check: CheckKind::Model,
                object: name,
                expected: "no answer for other hosts of its wire".into(),
                found: contradiction.to_string(),
            })),
            Some(Proof::Undetermined { missing, .. }) => {
                let open = format!("whether {name} answers for other hosts of its wire");
                let apart = prover.apart().others_of_wire(map, index).and_then(|proof| proof.holds());
                report.leave_open(
                    format!("{open} cannot be told"),
                    Gap::all(snapshot, missing, &[index], &open),
                    apart,
                );
            }
        }
    }
}

/// A service address is answered for by the interface that the policy wants for it now, and by no other; or by none.
fn services(desired: &Desired, snapshot: &Snapshot, prover: &mut Prover<'_>, report: &mut Report) {
    for service in &desired.services {
        let address = IpAddr::V4(service.address);
        let target = IpNet::from(address);
        let (mut answering, mut undetermined) = (Vec::new(), Vec::new());
        let mut sort = |interface: IfIndex, answers: Option<bool>| match answers {
            Some(true) => answering.push(snapshot.name_of(interface)),
            Some(false) => {}
            None => undetermined.push(snapshot.name_of(interface)),
        };
        if let Some(interface) = service.answerer {
            let claim = Expectation::Answers { interface, target: address };
            let proof = prover.prove(&claim);
            judge(prover, address, &claim, &proof, report);
            sort(interface, proof.holds());
        }
        for interface in service.silent.iter().copied() {
            let claim = Expectation::Never { interface, target };
            let proof = prover.prove(&claim);
            judge(prover, address, &claim, &proof, report);
            sort(interface, proof.holds().map(|never| !never));
        }
        let expected = service.answerer.map_or_else(|| NOBODY.into(), |index| snapshot.name_of(index));
        let by = Witnesses { model: true, ..Witnesses::default() };
        let unheard = false;
        report.addresses.push(AddressReport { address, expected, answering, undetermined, unheard, by });
    }
}

/// What arpflux published for other owners, which this policy does not name, is answered for.
fn published(
    desired: &Desired,
    snapshot: &Snapshot,
    prover: &mut Prover<'_>,
    discovery: &Discovery<'_>,
    report: &mut Report,
) {
    let named: HashSet<IpAddr> = desired.proxied.iter().map(|(address, _)| *address).collect();
    let unwanted: HashSet<&ProxyEntry> = desired.unwanted_proxies.iter().collect();
    let ours = snapshot.proxies.iter().filter(|entry| entry.protocol == PROTOCOL);
    for entry in ours.filter(|entry| !named.contains(&entry.address) && !unwanted.contains(entry)) {
        let Some(interface) = entry.interface.filter(|interface| heard(snapshot, *interface)) else {
            continue;
        };
        match entry.address {
            IpAddr::V4(_) => {
                let claim = Expectation::Answers { interface, target: entry.address };
                let proof = prover.prove(&claim);
                judge(prover, entry.address, &claim, &proof, report);
            }
            IpAddr::V6(target) => {
                discovery.answers(prover, interface, target, report);
                discovery.is_reached(prover, interface, target, report);
            }
        }
    }
}

/// Where a source's table leads everywhere, its packets leave by no other interface, but for those by which table
/// main leads to places of their own: there the policy leaves the routes as they are.
fn egress(desired: &Desired, snapshot: &Snapshot, prover: &mut Prover<'_>, report: &mut Report) {
    let everywhere: HashSet<u32> = desired
        .routes
        .iter()
        .filter(|route| route.destination.prefix_len() == 0 && route.destination.addr().is_ipv4())
        .map(|route| route.table)
        .collect();
    let own_tables = desired.rules.iter().filter(|rule| rule.suppress_prefix_len.is_none());
    let tables: HashMap<IpAddr, u32> =
        own_tables.filter_map(|rule| Some((rule.source?.addr(), rule.table))).collect();
    let leads_elsewhere = |other: IfIndex, number: u32| {
        let by_it = snapshot.routes.iter().filter(|route| {
            route.table == table::MAIN
                && route.destination.prefix_len() > 0
                && route.next_hops.iter().any(|hop| hop.interface == Some(other))
        });
        let of_table = |net: &IpNet| {
            desired.routes.iter().any(|route| route.table == number && route.destination == *net)
        };
        by_it.into_iter().any(|route| !of_table(&route.destination))
    };
    let mut alone: HashMap<u32, Vec<IfIndex>> = HashMap::new();
    for (address, interface) in &desired.proxied {
        let IpAddr::V4(source) = *address else { continue };
        if let Some(number) = tables.get(address).filter(|table| everywhere.contains(table)) {
            let among = alone.entry(*number).or_insert_with(|| {
                let all = desired.interfaces.iter().copied();
                all.filter(|other| other == interface || !leads_elsewhere(*other, *number)).collect()
            });
            let claim = Expectation::LeavesBy { source, interface: *interface, among: among.clone() };
            let proof = prover.prove(&claim);
            judge(prover, *address, &claim, &proof, report);
        }
    }
}

pub(super) fn judge(
    prover: &mut Prover<'_>,
    address: IpAddr,
    claim: &Expectation,
    proof: &Proof,
    report: &mut Report,
) {
    match proof {
        Proof::Proved { .. } => report.count(None),
        Proof::Refuted(contradiction) => report.count(Some(Failure {
            check: CheckKind::Model,
            object: address.to_string(),
            expected: claim.sentence(prover.model().snapshot()),
            found: contradiction.sentence.clone(),
        })),
        Proof::Undetermined { missing, .. } => {
            let claimed = claim.sentence(prover.model().snapshot());
            let sentence = format!("{address}: {claimed}: cannot be told: {missing}");
            if let Judgement::Undetermined { missing, apart } = prover.judge(claim, proof) {
                report.leave_open(sentence, missing, apart);
            }
        }
    }
}
