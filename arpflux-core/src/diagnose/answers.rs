//! Who answers: several interfaces for one address, the host to its own probe, wrong MACs taught by its own
//! requests.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::context::{Answers, Asked, Context, by_number, listed};
use super::remedy::Remedy;
use super::{Evidence, Finding, FindingId, Objects};
use crate::judgement::{self, Gap};
use crate::predict::{ArpRequest, Outgoing, Verdict};
use crate::snapshot::Interface;
use crate::state::Object;
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IfName, Mac};

/// How many addresses are shown as evidence.
const SHOWN: usize = 3;
/// How many interfaces on unknown wires are asked: one that answers is enough to leave the whole open.
const UNKNOWN_MAX: usize = 16;

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for wire in 0..context.wires.len() {
        let answers = context.answers_on(wire);
        findings.extend(several_answer(context, wire, &answers));
        findings.extend(self_conflict(context, wire, &answers));
        findings.extend(teaches_wrong_mac(context, wire, &answers));
    }
    unknown_wires(context);
    doubted_wires(context);
}

/// Wires that only subnets tell apart and that may be one: whether a neighbour hears both cannot be told.
fn doubted_wires(context: &Context<'_>) {
    for holder in &context.listeners {
        for other in context.map.doubted(holder.index) {
            let open = both_answer(context, holder, other);
            if !open.is_empty() {
                let open: Vec<Ipv4Addr> = open.into_iter().collect();
                let leaves_open = format!("whether one MAC answers for {}", listed(&open));
                let gap = Gap::apart(context.snapshot, holder.index, other, &leaves_open);
                judgement::add(&mut context.other_gaps.borrow_mut(), [gap]);
            }
        }
    }
}

/// The addresses that an interface holds or proxies and for which another one answers, too, with another MAC: to the
/// same neighbour, to one of its own subnets, or to a probe.
fn both_answer<'s>(context: &Context<'s>, holder: &'s Interface, other: IfIndex) -> BTreeSet<Ipv4Addr> {
    let Some(other) = context.listener(other) else { return BTreeSet::new() };
    let own = context.public(holder.index).map(|(local, _)| local);
    let proxied = context.proxied(holder.index).iter().copied();
    let differ =
        |one: Verdict, two: Verdict| matches!((one.mac(), two.mac()), (Some(one), Some(two)) if one != two);
    own.chain(proxied)
        .filter(|target| !context.model.never_answers(other.index, *target))
        .filter(|target| {
            let sender = context.sender(holder.index, *target);
            let asked = |on| context.ask(on, sender, *target).verdict;
            let probed = |on: &Interface| context.reply(&ArpRequest::probe(on.index, *target));
            differ(asked(holder), asked(other)) || differ(probed(holder), probed(other))
        })
        .collect()
}

/// An interface on a wire that is not known, which answers for an address as another interface does: whether a
/// neighbour hears both cannot be told.
fn unknown_wires(context: &Context<'_>) {
    let mut together: BTreeMap<BTreeSet<Ipv4Addr>, Vec<IfIndex>> = BTreeMap::new();
    for index in context.map.unknown(context.snapshot).into_iter().take(UNKNOWN_MAX) {
        let mut open: BTreeSet<Ipv4Addr> = BTreeSet::new();
        for holder in
            context.listeners.iter().filter(|holder| context.map.share(holder.index, index).is_none())
        {
            open.extend(both_answer(context, holder, index));
        }
        if !open.is_empty() {
            // Interfaces that leave the same open are named together.
            together.entry(open).or_default().push(index);
        }
    }
    for (open, interfaces) in together {
        let open: Vec<Ipv4Addr> = open.into_iter().collect();
        let leaves_open = format!("whether one MAC answers for {}", listed(&open));
        let gap = Gap::wires(context.snapshot, &interfaces, &leaves_open);
        judgement::add(&mut context.other_gaps.borrow_mut(), [gap]);
    }
}

/// Several MACs for one address.
fn several_answer(context: &Context<'_>, wire: usize, answers: &[Answers<'_>]) -> Option<Finding> {
    let several: Vec<&Answers<'_>> = answers
        .iter()
        .filter(|answers| {
            let macs: BTreeSet<&Mac> = answered(answers).collect();
            macs.len() > 1
        })
        .collect();
    let worst = several.iter().max_by_key(|answers| answered(answers).count())?;
    let (answering, wrong) = answering(&several);
    let replies = answered(worst).count();
    let addresses = targets(&several);
    let mut evidence: Vec<Evidence> = Vec::new();
    for answers in several.iter().take(SHOWN) {
        let replies = answers.asked.iter().filter(|asked| asked.verdict.mac().is_some());
        evidence.extend(
            replies
                .take(SHOWN)
                .map(|asked| context.request(asked.interface, asked.sender, answers.target, asked.verdict)),
        );
    }
    let by_sender = several.iter().all(|answers| {
        let same = answers.asked.iter().filter(|asked| asked.sender == answers.sender);
        same.filter_map(|asked| asked.verdict.mac()).collect::<BTreeSet<&Mac>>().len() < 2
    });
    let who = if by_sender {
        "which MAC a neighbour gets depends on the subnet of the address that it asks from, and one with addresses in \
         several keeps now one, now another"
            .to_owned()
    } else {
        format!(
            "who asks gets up to {replies} replies with different MACs, and its traffic goes to the one that it happens \
             to keep"
        )
    };
    evidence.extend(wrong.iter().take(SHOWN).map(|interface| context.sysctl(interface, Sysctl::ArpIgnore)));
    Some(finding(
        FindingId::SeveralAnswer,
        Text {
            what: format!(
                "{} on this wire answer for {}: {who}.",
                listed(names(&answering)),
                listed(&addresses)
            ),
            why: if wrong.is_empty() {
                format!(
                    "{} hold the same address, and each answers for what it holds, whatever its sysctls are.",
                    listed(names(&answering))
                )
            } else {
                format!(
                    "An address belongs to the whole host, not to one interface, and {} may answer for addresses of \
                     other interfaces: arp_ignore is {} there.",
                    listed(names(&wrong)),
                    values(context, &wrong, Sysctl::ArpIgnore),
                )
            },
            remedy: if wrong.is_empty() {
                "Take the address from all of them but one (`ip address del`), which no policy does."
                    .to_owned()
            } else {
                cure_in_words(context, wire)
            },
        },
        Objects { interfaces: names(&wrong), addresses },
        evidence,
        context.cure_of_wire(wire),
    ))
}

/// The probe that a network manager sends before it uses an address comes back in by another interface.
fn self_conflict(context: &Context<'_>, wire: usize, answers: &[Answers<'_>]) -> Option<Finding> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    let mut wrong: BTreeMap<IfIndex, &Interface> = BTreeMap::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    for answers in answers.iter().filter(|answers| !answers.holders.is_empty()) {
        let holds = |interface: &Interface| answers.holders.contains(&interface.index);
        let asked = || answers.asked.iter().map(|asked| asked.interface);
        let owners: Vec<&Mac> =
            asked().filter(|interface| holds(interface)).map(|owner| &owner.mac).collect();
        let mut conflicts = false;
        for interface in asked().filter(|interface| !holds(interface)) {
            let verdict = context.reply(&ArpRequest::probe(interface.index, answers.target));
            let Some(mac) = verdict.mac() else { continue };
            if owners.contains(&mac) {
                continue;
            }
            if addresses.len() < SHOWN {
                evidence.push(context.request(interface, Ipv4Addr::UNSPECIFIED, answers.target, verdict));
            }
            conflicts = true;
            wrong.insert(interface.index, interface);
        }
        if conflicts {
            addresses.push(IpAddr::V4(answers.target));
        }
    }
    if addresses.is_empty() {
        return None;
    }
    let wrong: Vec<&Interface> = wrong.into_values().collect();
    evidence.extend(wrong.iter().take(SHOWN).map(|interface| context.sysctl(interface, Sysctl::ArpIgnore)));
    Some(finding(
        FindingId::SelfConflict,
        Text {
            what: format!(
                "Before it uses an address, a host asks whether anybody has it; asked about {}, {} of this very host \
                 {}: NetworkManager, systemd-networkd and dhcpcd report a conflict with one of the host's own MACs, and \
                 may give the address up.",
                listed(&addresses),
                listed(names(&wrong)),
                by_number(wrong.len(), "answers", "answer"),
            ),
            why: "A duplicate address probe (RFC 5227, sender 0.0.0.0) is stopped by arp_ignore alone; arp_filter \
                  and rp_filter do not look at it."
                .into(),
            remedy: cure_in_words(context, wire),
        },
        Objects { interfaces: names(&wrong), addresses },
        evidence,
        context.cure_of_wire(wire),
    ))
}

/// `arp_ignore` keeps an interface from answering for others; only `arp_announce` keeps it from asking in
/// their name.
fn teaches_wrong_mac(context: &Context<'_>, wire: usize, answers: &[Answers<'_>]) -> Option<Finding> {
    let members = &context.wires[wire];
    let mut addresses: Vec<IpAddr> = Vec::new();
    let mut wrong: Vec<&Interface> = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    for answers in answers {
        let Some(holder) = answers.holders.first() else { continue };
        let outgoing = context.outgoing(*holder, answers.sender, answers.target);
        let Outgoing::Asks { interface: by, sender, packet_source, .. } = outgoing else { continue };
        let Some(asking) = members.iter().find(|interface| interface.index == by) else { continue };
        let restricted = matches!(context.effective(asking, Sysctl::ArpIgnore).value, 1 | 2 | 8);
        if !restricted || !outgoing.teaches_wrong_mac(context.snapshot) {
            continue;
        }
        if addresses.len() < SHOWN {
            evidence.push(Evidence::Packet {
                source: packet_source,
                destination: answers.sender,
                interface: asking.name,
                request_from: Some(sender),
            });
        }
        addresses.push(IpAddr::V4(answers.target));
        if !wrong.iter().any(|known| known.index == by) {
            wrong.push(asking);
        }
    }
    if addresses.is_empty() {
        return None;
    }
    evidence.extend(wrong.iter().take(SHOWN).flat_map(|interface| {
        [Sysctl::ArpAnnounce, Sysctl::ArpIgnore].map(|sysctl| context.sysctl(interface, sysctl))
    }));
    Some(finding(
        FindingId::TeachesWrongMac,
        Text {
            what: format!(
                "When the host itself asks for a neighbour's MAC on behalf of {}, the request leaves by {} with that \
                 address and {}'s MAC, and whoever hears it learns the wrong MAC.",
                listed(&addresses),
                listed(names(&wrong)),
                wrong[0].name,
            ),
            why: format!(
                "arp_ignore decides about answers only; which address a request carries is up to arp_announce, \
                 which is {} on {}: only 2 keeps addresses of other interfaces out.",
                values(context, &wrong, Sysctl::ArpAnnounce),
                listed(names(&wrong)),
            ),
            remedy: cure_in_words(context, wire),
        },
        Objects { interfaces: names(&wrong), addresses },
        evidence,
        context.cure_of_wire(wire),
    ))
}

/// The three sentences of a finding.
pub(super) struct Text {
    pub what: String,
    pub why: String,
    pub remedy: String,
}

/// Puts a finding together, with its default severity.
pub(super) fn finding(
    id: FindingId,
    text: Text,
    objects: Objects,
    evidence: Vec<Evidence>,
    remedy: Remedy,
) -> Finding {
    let Text { what, why, remedy: mut words } = text;
    let remedy = remedy.of(id, &objects);
    match (remedy.refused, &remedy.plan) {
        (Some(stays), Some(_)) => words = format!("{words} With the plan {stays}."),
        (Some(refused), None) => words = format!("{words} arpflux cannot plan that here yet: {refused}."),
        (None, _) => {}
    }
    Finding {
        id,
        severity: id.severity(),
        objects,
        what,
        why,
        remedy: words,
        evidence,
        plan: remedy.plan,
        remedy_changes: remedy.changes,
        link: id.link(),
        unless: Vec::new(),
    }
}

/// What cures a wire, as a sentence.
pub(super) fn cure_in_words(context: &Context<'_>, wire: usize) -> String {
    let first: Vec<String> = context
        .relax_all()
        .iter()
        .filter_map(|change| match change.object {
            Object::Sysctl { sysctl, .. } => Some(format!("net.ipv4.conf.all.{sysctl}")),
            _ => None,
        })
        .collect();
    let plan = context.cure_of_wire(wire).plan;
    let loose: Vec<String> = plan
        .iter()
        .flat_map(|plan| &plan.changes)
        .filter_map(|change| match change.object {
            Object::Sysctl { sysctl: Sysctl::RpFilter, scope } => {
                Some(format!("net.ipv4.conf.{scope}.rp_filter"))
            }
            _ => None,
        })
        .collect();
    let first = match (first.as_slice(), loose.as_slice()) {
        ([], []) => "Set".to_owned(),
        ([], loose) => format!("Set {} to 2 (loose), then", listed(loose)),
        (some, _) => format!("Set {} to 0, then", listed(some)),
    };
    format!(
        "{first} arp_ignore=1 and arp_announce=2 on {} (never on all), send packets from each address by its own \
         interface, and announce the addresses once so that neighbours forget the wrong MAC.",
        listed(names(&context.wires[wire])),
    )
}

fn answered<'a>(answers: &'a Answers<'_>) -> impl Iterator<Item = &'a Mac> {
    answers.asked.iter().filter_map(|asked| asked.verdict.mac())
}

fn targets(answers: &[&Answers<'_>]) -> Vec<IpAddr> {
    answers.iter().map(|answers| IpAddr::V4(answers.target)).collect()
}

/// The interfaces that answer for one of the addresses, and those that answer for one that they do not hold.
fn answering<'s>(found: &[&Answers<'s>]) -> (Vec<&'s Interface>, Vec<&'s Interface>) {
    let mut answering: BTreeMap<IfIndex, &Interface> = BTreeMap::new();
    let mut wrong: BTreeMap<IfIndex, &Interface> = BTreeMap::new();
    for answers in found {
        for Asked { interface, .. } in answers.asked.iter().filter(|asked| asked.verdict.mac().is_some()) {
            answering.insert(interface.index, interface);
            if !answers.holders.contains(&interface.index) {
                wrong.insert(interface.index, interface);
            }
        }
    }
    (answering.into_values().collect(), wrong.into_values().collect())
}

pub(super) fn names(interfaces: &[&Interface]) -> Vec<IfName> {
    interfaces.iter().map(|interface| interface.name).collect()
}

/// The values of a sysctl that count on the interfaces: `0`, `0 and 3`.
pub(super) fn values(context: &Context<'_>, interfaces: &[&Interface], sysctl: Sysctl) -> String {
    let values: BTreeSet<i32> =
        interfaces.iter().map(|interface| context.effective(interface, sysctl).value).collect();
    listed(values)
}
