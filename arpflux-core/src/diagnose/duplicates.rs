//! IPv6: addresses that several interfaces answer for, the host's own among them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use super::answers::{Text, finding, names};
use super::context::{Context, listed};
use super::remedy::Remedy;
use super::{Evidence, Finding, FindingId, Objects};
use crate::judgement::{self, Gap};
use crate::plan::Change;
use crate::predict::{Request, Verdict, ipv6_targets};
use crate::snapshot::{Certainty, Interface};
use crate::types::{IfIndex, Mac};

/// How many addresses are shown as evidence.
const SHOWN: usize = 3;

/// What an interface does with solicitations for an address.
struct Told<'s> {
    interface: &'s Interface,
    sender: IpAddr,
    verdict: Verdict,
    probe: Verdict,
}

impl Told<'_> {
    /// The MAC in the answer to a neighbour or, with `probe`, to a probe.
    const fn mac(&self, probe: bool) -> Option<&Mac> {
        if probe { self.probe.mac() } else { self.verdict.mac() }
    }

    fn answers(&self) -> bool {
        self.mac(false).or(self.mac(true)).is_some()
    }
}

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let everywhere: Vec<&Interface> = context
        .listeners
        .iter()
        .copied()
        .filter(|on| may_answer(context, on, Ipv6Addr::UNSPECIFIED))
        .collect();
    let mut of_wire: BTreeMap<usize, Vec<(Ipv6Addr, Vec<Told<'_>>)>> = BTreeMap::new();
    let mut open = Open::default();
    for target in ipv6_targets(context.snapshot) {
        let told = told(context, target, &everywhere);
        open.add(context, target, &told);
        let own = !context.holders_of_family(target.into()).is_empty();
        let mut by_wire: BTreeMap<usize, Vec<Told<'_>>> = BTreeMap::new();
        for told in told.into_iter().filter(|told| own && told.answers()) {
            if let Some(wire) = context.wire_of(told.interface.index) {
                by_wire.entry(wire).or_default().push(told);
            }
        }
        for (wire, told) in by_wire {
            let several =
                |probe| told.iter().filter_map(|told| told.mac(probe)).collect::<BTreeSet<_>>().len() > 1;
            if several(false) || several(true) {
                of_wire.entry(wire).or_default().push((target, told));
            }
        }
    }
    findings.extend(of_wire.into_values().map(|found| several(context, &found)));
    open.take_down(context);
}

/// Whether an interface may answer for an address; for `::`, for any.
fn may_answer(context: &Context<'_>, interface: &Interface, target: Ipv6Addr) -> bool {
    let on = context.snapshot.discovery.as_ref().and_then(|discovery| discovery.on(interface.index));
    let any = target.is_unspecified() && on.is_some_and(|on| !on.anycast.is_empty());
    any || !context.model.never_advertised(interface.index, target)
}

/// Asks all that may answer: who holds it, who has an entry for it, and `everywhere`.
fn told<'s>(context: &Context<'s>, target: Ipv6Addr, everywhere: &[&'s Interface]) -> Vec<Told<'s>> {
    let holders = context.holders_of_family(target.into()).iter().copied();
    let named = holders.chain(context.proxied_on(target.into()));
    let mut asked: Vec<&Interface> = named.filter_map(|index| context.listener(index)).collect();
    asked.extend(everywhere);
    asked.sort_by_key(|interface| interface.index);
    asked.dedup_by_key(|interface| interface.index);
    asked.retain(|interface| may_answer(context, interface, target));
    let ask = |interface: &'s Interface| {
        let probe = Request::probe(interface.index, target.into());
        let sender = context.sender_of_family(interface.index, target.into());
        let request = Request::ordinary(interface.index, sender, target.into()).unwrap_or(probe);
        Told { interface, sender, verdict: context.answer(&request), probe: context.answer(&probe) }
    };
    asked.into_iter().map(ask).collect()
}

/// Where it is not known whether a neighbour hears several interfaces that answer for one address.
#[derive(Default)]
struct Open {
    unknown: BTreeMap<IfIndex, Vec<Ipv6Addr>>,
    doubted: BTreeMap<(IfIndex, IfIndex), Vec<Ipv6Addr>>,
}

impl Open {
    fn add(&mut self, context: &Context<'_>, target: Ipv6Addr, told: &[Told<'_>]) {
        let differ = |one: &Told<'_>, other: &Told<'_>| {
            let differ =
                |probe| matches!((one.mac(probe), other.mac(probe)), (Some(one), Some(two)) if one != two);
            differ(false) || differ(true)
        };
        for one in told.iter().filter(|one| one.answers()) {
            let index = one.interface.index;
            let mut others =
                told.iter().filter(|other| differ(one, other)).map(|other| other.interface.index);
            if context.map.certainty(index) == Certainty::Unknown && others.clone().next().is_some() {
                self.unknown.entry(index).or_default().push(target);
            }
            let doubted = context.map.doubted(index);
            for other in others.by_ref().filter(|other| index < *other && doubted.contains(other)) {
                self.doubted.entry((index, other)).or_default().push(target);
            }
        }
    }

    fn take_down(&self, context: &Context<'_>) {
        let open = |addresses: &[Ipv6Addr]| format!("whether one MAC answers for {}", listed(addresses));
        let unknown = self.unknown.iter();
        let unknown =
            unknown.map(|(index, addresses)| Gap::wires(context.snapshot, &[*index], &open(addresses)));
        let doubted = self.doubted.iter();
        let doubted = doubted
            .map(|((one, other), addresses)| Gap::apart(context.snapshot, *one, *other, &open(addresses)));
        judgement::add(&mut context.other_gaps.borrow_mut(), unknown.chain(doubted));
    }
}

/// Addresses of the host with several MACs on one wire.
fn several(context: &Context<'_>, found: &[(Ipv6Addr, Vec<Told<'_>>)]) -> Finding {
    let addresses: Vec<IpAddr> = found.iter().map(|(target, _)| (*target).into()).collect();
    let each = || found.iter().flat_map(|(target, told)| told.iter().map(move |told| (*target, told)));
    let mut interfaces: Vec<&Interface> = each().map(|(_, told)| told.interface).collect();
    interfaces.sort_by_key(|interface| interface.index);
    interfaces.dedup_by_key(|interface| interface.index);
    let shown =
        found.iter().take(SHOWN).flat_map(|(target, told)| told.iter().map(move |told| (*target, told)));
    let evidence = shown.map(|(target, told)| {
        let probe = told.verdict.mac().is_none();
        Evidence::Request {
            interface: told.interface.name,
            sender: if probe { Ipv6Addr::UNSPECIFIED.into() } else { told.sender },
            target: target.into(),
            verdict: if probe { told.probe } else { told.verdict },
        }
    });
    // Entries beside the address itself can go; which interface is to hold it only its owner knows.
    let entries = context.snapshot.proxies.iter().filter(|entry| {
        let holders = context.holders_of_family(entry.address);
        entry.interface.is_some_and(|on| {
            !holders.contains(&on)
                && each().any(|(target, told)| (entry.address, on) == (target.into(), told.interface.index))
        })
    });
    let changes: Vec<Change> = entries.map(|entry| Change::remove(*entry)).collect();
    let cure = if changes.is_empty() { Remedy::default() } else { context.cure_by_changes(changes) };
    finding(
        FindingId::Ipv6SeveralAnswer,
        Text {
            what: format!(
                "{} on this wire answer for {}: who asks gets several advertisements with different MACs, and its traffic \
                 goes to the one that it happens to keep.",
                listed(names(&interfaces)),
                listed(&addresses),
            ),
            why: "For IPv6 each interface answers for the addresses that it holds itself and for those of its proxy entries: \
                  here several of one wire do for the same address."
                .into(),
            remedy: "Keep the address on one interface of the wire: delete it from the others, and the proxy entries for it."
                .into(),
        },
        Objects { interfaces: names(&interfaces), addresses },
        evidence.collect(),
        cure,
    )
}
