//! The host's own addresses that their own interface does not answer for, to a neighbour.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::answers::{Text, cure_in_words, finding, names};
use super::context::{Context, by_number, listed};
use super::remedy::Remedy;
use super::{Evidence, Finding, FindingId, Objects, Severity};
use crate::plan::Change;
use crate::predict::{ArpRequest, Model, Reason, Verdict};
use crate::snapshot::{Address, Interface, ValueSource};
use crate::sysctl::Sysctl;

/// How many addresses are shown as evidence.
const SHOWN: usize = 3;

/// A request of a neighbour for an address of the interface, without an answer.
struct Silence<'s> {
    interface: &'s Interface,
    address: &'s Address,
    sender: Ipv4Addr,
    target: Ipv4Addr,
    reason: Reason,
    /// Other interfaces of the wire that answer instead.
    instead: Vec<(&'s Interface, Verdict)>,
}

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    // By finding, wire (or interface alone) and value.
    let mut groups: BTreeMap<(FindingId, Option<usize>, u32), Vec<Silence<'_>>> = BTreeMap::new();
    for interface in context.listeners.iter().copied() {
        for (target, address) in context.public(interface.index) {
            let Some(silence) = silence(context, interface, target, address) else { continue };
            let Some(id) = classify(context, &silence) else { continue };
            let wire = context.wire_of(interface.index);
            let alone = if wire.is_some() { 0 } else { interface.index.0 };
            groups.entry((id, wire, alone)).or_default().push(silence);
        }
    }
    for ((id, wire, _), silences) in groups {
        findings.push(one(context, id, wire, &silences));
    }
}

/// The first neighbour of the interface that gets no answer.
fn silence<'s>(
    context: &Context<'s>,
    interface: &'s Interface,
    target: Ipv4Addr,
    address: &'s Address,
) -> Option<Silence<'s>> {
    // The host at the other end of a point-to-point address is the one that asks.
    let peer = address.peer.and_then(|peer| match peer {
        IpAddr::V4(peer) if address.prefix_len == 32 => Some(peer),
        _ => None,
    });
    let askers = peer.map_or_else(|| context.askers(interface.index, target), |peer| vec![peer]);
    askers.into_iter().find_map(|sender| {
        let request = ArpRequest::broadcast(interface.index, sender, target);
        let Verdict::Silent { reason } = context.reply(&request) else { return None };
        let others = context.beside(interface).into_iter().filter(|other| other.index != interface.index);
        let instead = others
            .map(|other| (other, context.reply(&ArpRequest { interface: other.index, ..request })))
            .filter(|(_, verdict)| verdict.mac().is_some())
            .collect();
        Some(Silence { interface, address, sender, target, reason, instead })
    })
}

fn classify(context: &Context<'_>, silence: &Silence<'_>) -> Option<FindingId> {
    let ignore = context.effective(silence.interface, Sysctl::ArpIgnore).value;
    match silence.reason {
        Reason::ArpIgnore if ignore == 2 => Some(FindingId::OffSubnetSilent),
        Reason::ArpIgnore if silence.address.peer.is_some() && ignore != 8 => {
            Some(FindingId::PointToPointSilent)
        }
        _ if silence.instead.is_empty() => Some(FindingId::NobodyAnswers),
        Reason::ArpFilter => Some(FindingId::FilterWithoutRouting),
        Reason::RpFilterStrict | Reason::RpFilterNoRoute => Some(FindingId::RpFilterSilences),
        _ => None,
    }
}

fn one(context: &Context<'_>, id: FindingId, wire: Option<usize>, silences: &[Silence<'_>]) -> Finding {
    let mut silent: Vec<&Interface> = silences.iter().map(|silence| silence.interface).collect();
    silent.dedup_by_key(|interface| interface.index);
    let silent_names = listed(names(&silent));
    let mut addresses: Vec<IpAddr> = silences.iter().map(|silence| IpAddr::V4(silence.target)).collect();
    addresses.dedup();
    let whose = listed(&addresses);
    let mut instead: Vec<&Interface> =
        silences.iter().flat_map(|silence| silence.instead.iter().map(|(other, _)| *other)).collect();
    instead.sort_by_key(|interface| interface.index);
    instead.dedup_by_key(|interface| interface.index);
    let instead = listed(names(&instead));
    let sender = silences[0].sender;
    let does = by_number(silent.len(), "does", "do");
    let holds = by_number(silent.len(), "it holds", "they hold");
    let reasons: BTreeSet<Reason> = silences.iter().map(|silence| silence.reason).collect();
    let settings = settings(&reasons);
    let evidence = evidence(context, silences, &silent, &settings);
    let objects = Objects { interfaces: names(&silent), addresses };
    let cure = |otherwise: Remedy| match wire {
        Some(wire) => context.cure_of_wire(wire),
        None => otherwise,
    };
    let relaxed = || context.cure_by_changes(relax(context, silences, &settings));
    let (text, remedy) = match id {
        FindingId::FilterWithoutRouting => (
            Text {
                what: format!(
                    "{silent_names} {does} not answer for {whose}, which {holds}; {instead} answers instead, with its own MAC, \
                     so all traffic of these addresses comes in there.",
                ),
                why: format!(
                    "arp_filter lets only the interface answer by which the reply would leave, and without source \
                     routing packets from {whose} to their neighbours leave by {instead}.",
                ),
                remedy: wire.map_or_else(
                    || "Route packets from each address by its own interface, or set arp_filter to 0.".into(),
                    |wire| format!("On one subnet arp_filter alone is not enough. {}", cure_in_words(context, wire)),
                ),
            },
            cure(Remedy::default()),
        ),
        FindingId::RpFilterSilences => (
            Text {
                what: format!(
                    "{silent_names} {does} not answer for {whose}, which {holds}; {instead} answers instead, with its own MAC.",
                ),
                why: format!(
                    "With rp_filter=1 the kernel drops requests of senders that it would itself reach by another \
                     interface, and the route to {sender} leaves by another one than {silent_names}; no counter shows it.",
                ),
                remedy: wire.map_or_else(
                    || "Set rp_filter to 2, or route packets from each address by its own interface.".into(),
                    |wire| cure_in_words(context, wire),
                ),
            },
            cure(relaxed()),
        ),
        FindingId::PointToPointSilent => (
            Text {
                what: format!(
                    "{silent_names} {does} not answer for its own {whose}, so the other end of the point-to-point link \
                     cannot reach the host.",
                ),
                why: "arp_ignore=1 compares the target with the far end's prefix, and an address that was added with a \
                      peer does not lie in it."
                    .into(),
                remedy: format!("Set arp_ignore to 0 on {silent_names}: only the other end is on that link."),
            },
            relaxed(),
        ),
        FindingId::OffSubnetSilent => (
            Text {
                what: format!(
                    "{silent_names} {does} not answer {sender} for {whose}, although a route or gateway says that \
                     {sender} is on that link.",
                ),
                why: "arp_ignore=2 demands that sender and target share a subnet of the interface, and they do not."
                    .into(),
                remedy: format!(
                    "Set arp_ignore to 1 on {silent_names}{}: it restricts answers to the interface's own addresses and \
                     does not look at who asks.",
                    match context.snapshot.all.get(Sysctl::ArpIgnore) {
                        Some(all @ 2..) => format!(", and to 1 at most on all, where it is {all} and outweighs that"),
                        _ => String::new(),
                    },
                ),
            },
            relaxed(),
        ),
        _ => {
            let because: Vec<&str> = reasons.iter().map(|reason| reason.text()).collect();
            let unless = context.unless_elsewhere(silences.iter().map(|silence| {
                ArpRequest::broadcast(silence.interface.index, silence.sender, silence.target)
            }));
            let only = match wire {
                Some(_) => "and no other interface of the wire does either",
                None => "and no other interface is on that wire",
            };
            (
                Text {
                    what: format!(
                        "Nobody answers for {whose}: {silent_names}, which {}, {} silent, {only}; neighbours cannot get there{unless}.",
                        by_number(silent.len(), "holds it", "hold them"),
                        by_number(silent.len(), "is", "are"),
                    ),
                    why: format!(
                        "On {silent_names}, {}{}.",
                        because.join("; "),
                        if wire.is_some() { "; the others may not answer for it or are silent for the same reason" } else { "" },
                    ),
                    remedy: match wire {
                        Some(wire) => cure_in_words(context, wire),
                        None => match settings.first() {
                            Some(sysctl) => format!("Relax {sysctl} on {silent_names}."),
                            None => "Correct the routes or rules that the evidence names.".into(),
                        },
                    },
                },
                cure(relaxed()),
            )
        }
    };
    let mut finding = finding(id, text, objects, evidence, remedy);
    // arp_ignore=8 on the interface itself is hardly an accident.
    let on_purpose = |silence: &Silence<'_>| {
        let ignore = context.effective(silence.interface, Sysctl::ArpIgnore);
        ignore.value == 8 && ignore.source == ValueSource::Interface
    };
    if id == FindingId::NobodyAnswers && silences.iter().all(on_purpose) {
        finding.severity = Severity::Warning;
    }
    finding
}

/// The sysctls behind the reasons.
fn settings(reasons: &BTreeSet<Reason>) -> Vec<Sysctl> {
    let mut settings: Vec<Sysctl> = reasons
        .iter()
        .filter_map(|reason| match reason {
            Reason::ArpIgnore => Some(Sysctl::ArpIgnore),
            Reason::ArpFilter => Some(Sysctl::ArpFilter),
            Reason::RpFilterStrict | Reason::RpFilterNoRoute => Some(Sysctl::RpFilter),
            _ => None,
        })
        .collect();
    settings.dedup();
    settings
}

fn evidence(
    context: &Context<'_>,
    silences: &[Silence<'_>],
    silent: &[&Interface],
    settings: &[Sysctl],
) -> Vec<Evidence> {
    let mut evidence = Vec::new();
    for silence in silences.iter().take(SHOWN) {
        let Silence { interface, address, sender, target, reason, instead } = silence;
        if let Some(peer) = address.peer {
            let address = format!("{} peer {peer}/{}", address.local, address.prefix_len);
            evidence.push(Evidence::Address { address, interface: interface.name });
        }
        evidence.push(context.request(interface, *sender, *target, Verdict::Silent { reason: *reason }));
        if let Some((other, verdict)) = instead.first() {
            evidence.push(context.request(other, *sender, *target, *verdict));
        }
    }
    for interface in silent.iter().take(SHOWN) {
        evidence.extend(settings.iter().map(|sysctl| context.sysctl(interface, *sysctl)));
    }
    evidence
}

/// Changes of the settings that keep the interfaces silent, if the model says that they then answer.
fn relax(context: &Context<'_>, silences: &[Silence<'_>], settings: &[Sysctl]) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for sysctl in settings {
        let mut interfaces: Vec<&Interface> = silences.iter().map(|silence| silence.interface).collect();
        interfaces.dedup_by_key(|interface| interface.index);
        let good = |interface: &Interface| match sysctl {
            // arp_ignore=1 is as strict as it can be without looking at the sender.
            Sysctl::ArpIgnore if context.effective(interface, Sysctl::ArpIgnore).value == 2 => 1,
            Sysctl::RpFilter => 2,
            _ => 0,
        };
        changes.extend(context.lower(*sysctl, &interfaces, good));
    }
    let after = context.snapshot.with(&changes);
    let model = Model::of(&after);
    let cured = |silence: &Silence<'_>| {
        let request = ArpRequest::broadcast(silence.interface.index, silence.sender, silence.target);
        model.reply(&request).answers() == Some(true)
    };
    if silences.iter().all(cured) { changes } else { Vec::new() }
}
