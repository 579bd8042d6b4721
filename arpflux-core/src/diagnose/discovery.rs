//! IPv6: proxy entries without effect or that lead nowhere, addresses that cannot be used, and addresses that no
//! interface answers for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::answers::{Text, finding, names};
use super::asked::Asked;
use super::context::{Context, by_number, listed};
use super::remedy::Remedy;
use super::{Evidence, Finding, FindingId, Objects, Severity};
use crate::plan::{Change, SysctlScope};
use crate::predict::{Behind, Reason, Request, Step, Verdict, Via};
use crate::snapshot::{Address, AddressFlags, Interface, Reach};
use crate::state::Object;
use crate::sysctl::Ipv6Sysctl;
use crate::types::IfIndex;

/// How many of a kind are shown as evidence.
const SHOWN: usize = 3;

/// `asked`: what becomes of questions for IPv6 proxy entries.
pub(super) fn find(context: &Context<'_>, asked: &[Asked<'_>], findings: &mut Vec<Finding>) {
    let mut of_kind: BTreeMap<(FindingId, IfIndex), Vec<&Asked<'_>>> = BTreeMap::new();
    for asked in asked {
        for id in without_effect(context, asked) {
            of_kind.entry((id, asked.interface.index)).or_default().push(asked);
        }
    }
    findings.extend(of_kind.into_iter().map(|((id, _), asked)| entries(context, id, &asked)));
    unusable(context, findings);
    answered_nowhere(context, findings);
}

/// Why an entry is of no use; empty if it is, or that cannot be told.
fn without_effect(context: &Context<'_>, asked: &Asked<'_>) -> Vec<FindingId> {
    let off = |sysctl| {
        let (all, own) = (context.snapshot.all_ipv6.get(sysctl), asked.interface.ipv6.get(sysctl));
        all.unwrap_or(0) == 0 && own.unwrap_or(0) == 0
    };
    match asked.verdict {
        Verdict::Silent { reason: Reason::ForwardingOff } if off(Ipv6Sysctl::ProxyNdp) => {
            vec![FindingId::Ipv6ProxyForwardingOff, FindingId::Ipv6ProxyNdpOff]
        }
        Verdict::Silent { reason: Reason::ForwardingOff } => vec![FindingId::Ipv6ProxyForwardingOff],
        Verdict::Silent { reason: Reason::ProxyNdpOff } => vec![FindingId::Ipv6ProxyNdpOff],
        Verdict::Silent { .. } => vec![FindingId::Ipv6ProxySilent],
        Verdict::Answers { via: Via::ProxyEntry, .. } => leads_nowhere(context, asked).into_iter().collect(),
        Verdict::Answers { .. } | Verdict::Undetermined { .. } => Vec::new(),
    }
}

/// Unlike ARP, an entry answers whatever the routes say: what is sent to it then may go nowhere.
fn leads_nowhere(context: &Context<'_>, asked: &Asked<'_>) -> Option<FindingId> {
    let (IpAddr::V6(sender), IpAddr::V6(target)) = (asked.sender, asked.entry.address) else { return None };
    let on = asked.interface.index;
    match context.model.behind((on, context.map.beside(on)), sender, target) {
        Behind::Reached => None,
        Behind::NotForwarded => Some(FindingId::Ipv6ProxyForwardingOff),
        Behind::NoRoute => Some(FindingId::Ipv6ProxyNoRoute),
        Behind::SameWire(_) => Some(FindingId::Ipv6ProxySameInterface),
        Behind::Unknown(missing) => {
            context.take_down(asked.interface.index, true, missing);
            None
        }
    }
}

/// What every firewall for IPv6 needs.
const LET_IN: &str = "that lets `icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }` pass";

fn in_chain(chain: &str) -> String {
    format!("Put a rule in front of those of {chain}")
}

/// The chain that drops a request, or the answer to it.
fn dropped_by(context: &Context<'_>, request: &Request) -> Option<String> {
    context.model.explain(request).steps.into_iter().find_map(|step| match step {
        Step::Filter { chain, .. } => Some(chain),
        _ => None,
    })
}

/// Entries of one interface, for one reason.
fn entries(context: &Context<'_>, id: FindingId, asked: &[&Asked<'_>]) -> Finding {
    let interface = asked[0].interface;
    let name = interface.name;
    let addresses: Vec<IpAddr> = asked.iter().map(|asked| asked.entry.address).collect();
    let whose = listed(&addresses);
    let mut evidence: Vec<Evidence> = asked.iter().take(SHOWN).map(|asked| asked.evidence()).collect();
    let deleted = || context.cure_by_changes(asked.iter().map(|asked| Change::remove(asked.entry)).collect());
    let silent = format!("{name} is told to answer for {whose} (proxy entries) and does not.");
    let it = by_number(addresses.len(), "it", "them");
    let (what, why, remedy, cure) = match id {
        FindingId::Ipv6ProxyForwardingOff => {
            evidence.extend(settings(context, interface, Ipv6Sysctl::Forwarding));
            let answers = asked[0].verdict.answers() == Some(true);
            let what = match answers {
                true => format!(
                    "{name} answers for {whose} (proxy entries), and what is sent to {it} is not passed on."
                ),
                false => silent,
            };
            let why = "An IPv6 proxy entry answers only on an interface whose own `forwarding` is on, and packets are passed \
                       on only if that of `all` is.";
            let remedy = format!(
                "Set net.ipv6.conf.all.forwarding to 1, which sets that of every interface: where a default route comes \
                 from router advertisements, set accept_ra to 2 on that interface first, or the route goes. Or delete the \
                 entries on {name}.",
            );
            (what, why, remedy, Remedy::default())
        }
        FindingId::Ipv6ProxyNdpOff => {
            evidence.extend(settings(context, interface, Ipv6Sysctl::ProxyNdp));
            let why = "An IPv6 proxy entry answers only where proxy_ndp of the interface or of `all` is on.";
            let remedy = format!("Set net.ipv6.conf.{name}.proxy_ndp to 1, or delete the entries.");
            let scope = SysctlScope::Interface { index: interface.index, name };
            let sysctl = Ipv6Sysctl::ProxyNdp;
            let before = interface.ipv6.get(sysctl);
            let change = before.map(|before| Change::set(Object::Ipv6Sysctl { scope, sysctl }, before, 1));
            (silent, why, remedy, context.cure_by_changes(change.into_iter().collect()))
        }
        FindingId::Ipv6ProxySilent => match dropped_by(context, &asked[0].request) {
            Some(chain) => (
                silent,
                "A packet filter drops solicitations or the answers to them.",
                format!("{} {LET_IN}, or delete the entries.", in_chain(&chain)),
                Remedy::default(),
            ),
            None => (
                silent,
                "What decides is in the evidence: the kernel looks at that before it looks for entries.",
                "Take that away, or delete the entries.".to_owned(),
                deleted(),
            ),
        },
        FindingId::Ipv6ProxyNoRoute => {
            let what =
                format!("{name} answers for {whose} (proxy entries), and what is sent to {it} goes nowhere.");
            let why = "An IPv6 proxy entry answers whatever the routes say, and for packets that come in by this interface \
                       the rules and tables give no route to the address, or one that rejects it.";
            let remedy = "Add the route to the container or host behind this one, or delete the entries: another host that has \
                          the address is not reached while this one answers."
                .to_owned();
            (what, why, remedy, deleted())
        }
        _ => {
            let what = format!(
                "{name} answers for {whose} (proxy entries), which this host itself looks for on the wire of {name}."
            );
            let why = "An IPv6 proxy entry answers whatever the routes say: neighbours send here what they could send to \
                       the address itself, and this host sends it back to the same wire.";
            let remedy = "Delete the entries, or add the route that leads to the address behind this host; where neighbours \
                          on the wire must not hear each other (a private VLAN), ignore this."
                .to_owned();
            (what, why, remedy, deleted())
        }
    };
    let text = Text { what, why: why.into(), remedy };
    finding(id, text, Objects { interfaces: vec![name], addresses }, evidence, cure)
}

/// The values of a sysctl of the interface and of `all`, as evidence.
fn settings(context: &Context<'_>, interface: &Interface, sysctl: Ipv6Sysctl) -> Vec<Evidence> {
    let setting = |folder: String, value: Option<i32>| {
        Some(Evidence::Setting {
            name: format!("net.ipv6.conf.{folder}.{sysctl}"),
            value: value?.to_string(),
        })
    };
    let own = setting(interface.name.to_string(), interface.ipv6.get(sysctl));
    let all = setting("all".into(), context.snapshot.all_ipv6.get(sysctl));
    own.into_iter().chain(all).collect()
}

/// The addresses of an interface, and whose address that is.
fn held<'s>(context: &Context<'s>) -> impl Iterator<Item = (&'s Address, &'s Interface)> {
    let snapshot = context.snapshot;
    let held = snapshot.addresses.iter().filter(|held| held.local.is_ipv6() && !held.local.is_loopback());
    held.filter_map(|held| Some((held, snapshot.interface(held.interface)?)))
}

/// Addresses of which duplicate address detection failed. While it is under way nothing is wrong yet.
fn unusable(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let found: Vec<(&Address, &Interface)> =
        held(context).filter(|(held, _)| held.flags.contains(AddressFlags::DADFAILED)).collect();
    let Some((first, interface)) = found.first() else { return };
    let addresses: Vec<IpAddr> = found.iter().map(|(held, _)| held.local).collect();
    let mut interfaces: Vec<&Interface> = found.iter().map(|(_, interface)| *interface).collect();
    interfaces.dedup_by_key(|interface| interface.index);
    let fact = |(held, interface): &(&Address, &Interface)| Evidence::Fact {
        text: format!("{} holds {}/{}, tentative, dadfailed", interface.name, held.local, held.prefix_len),
    };
    let text = Text {
        what: format!(
            "{} {} not used, nor answered for: duplicate address detection failed.",
            listed(&addresses),
            by_number(addresses.len(), "is", "are"),
        ),
        why: "Another host, or a proxy, answered for the address when it was added, or was about to take it too; the kernel \
              keeps such an address and never tries again by itself."
            .into(),
        remedy: format!(
            "Find out who has it (`arpflux detect -i {} {}`); once nobody has, delete the address and add it again.",
            interface.name, first.local,
        ),
    };
    let objects = Objects { interfaces: names(&interfaces), addresses };
    let evidence = found.iter().take(SHOWN).map(fact).collect();
    findings.push(finding(FindingId::DetectionFailed, text, objects, evidence, Remedy::default()));
}

/// What keeps an interface from answering for an address.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// A chain.
    Filter(String),
    /// That it is on another one.
    Aside,
    /// A route, or a rule for these.
    Kept,
}

/// Addresses that no interface answers for: of IPv6 only the one that holds it does.
fn answered_nowhere(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut silent: BTreeMap<Why, Vec<(&Address, &Interface, Evidence)>> = BTreeMap::new();
    for (held, interface) in held(context).filter(|(held, _)| held.is_global_ipv6()) {
        if held.flags.contains(AddressFlags::TENTATIVE) || context.snapshot.discovery.is_none() {
            continue;
        }
        // Nobody asks on `lo` or a dummy; neighbours do where a subnet of theirs is around it.
        let aside = interface.reach() == Reach::Nowhere;
        let asked: Vec<&Interface> = if aside {
            let around = |other: &&Interface| {
                context.snapshot.addresses_of(other.index).any(|beside| {
                    beside.prefix_len < 128
                        && beside.is_global_ipv6()
                        && beside.subnet().contains(&held.local)
                })
            };
            context.listeners.iter().copied().filter(around).collect()
        } else {
            context.listener(interface.index).into_iter().collect()
        };
        let ask = |on: &Interface| {
            let sender = context.sender_of_family(on.index, held.local);
            let request = Request::ordinary(on.index, sender, held.local)?;
            let verdict = context.answer(&request);
            let evidence = Evidence::Request { interface: on.name, sender, target: held.local, verdict };
            Some((verdict.answers() == Some(false), request, evidence))
        };
        let answers: Vec<(bool, Request, Evidence)> = asked.into_iter().filter_map(ask).collect();
        if let Some((_, request, evidence)) = answers.first()
            && answers.iter().all(|(silent, ..)| *silent)
        {
            let why = match dropped_by(context, request) {
                Some(chain) => Why::Filter(chain),
                None if aside => Why::Aside,
                None => Why::Kept,
            };
            silent.entry(why).or_default().push((held, interface, evidence.clone()));
        }
    }
    for (reason, found) in silent {
        let addresses: Vec<IpAddr> = found.iter().map(|(held, ..)| held.local).collect();
        let mut interfaces: Vec<&Interface> = found.iter().map(|(_, interface, _)| *interface).collect();
        interfaces.dedup_by_key(|interface| interface.index);
        let (why, remedy) = match &reason {
            Why::Filter(chain) => (
                "A packet filter drops solicitations or the answers to them.",
                format!("{} {LET_IN}.", in_chain(chain)),
            ),
            Why::Aside => (
                "For IPv6 an interface answers for its own addresses only, unlike for IPv4: one on a loopback or dummy \
                 interface is not answered for on the wire whose subnet is around it.",
                "Where neighbours are to reach it without a route, put it on the interface of that wire, or publish it there \
                 by a proxy entry; where routers know the way, ignore this."
                    .to_owned(),
            ),
            Why::Kept => (
                "What keeps the interface from answering is in the evidence.",
                "Take away the route or rule that keeps multicast from the interface, or give it its route for ff00::/8 again."
                    .to_owned(),
            ),
        };
        let text = Text {
            what: format!("Neighbours get no answer for {}.", listed(&addresses)),
            why: why.into(),
            remedy,
        };
        let evidence = found.iter().take(SHOWN).map(|(.., evidence)| evidence.clone()).collect();
        let objects = Objects { interfaces: names(&interfaces), addresses };
        let mut made = finding(FindingId::Ipv6AnsweredNowhere, text, objects, evidence, Remedy::default());
        if reason == Why::Aside {
            made.severity = Severity::Info;
        }
        findings.push(made);
    }
}
