//! `proxy_arp`: answering for a whole subnet, for everything, or for nothing.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::answers::{Text, finding, names};
use super::context::{Context, by_number, listed};
use super::remedy::Remedy;
use super::{Evidence, Finding, FindingId, Objects, Severity};
use crate::plan::Change;
use crate::predict::{ArpRequest, Model, Reason, Request, Verdict};
use crate::proof::{self, Proof};
use crate::snapshot::{Interface, RouteKind};
use crate::sysctl::Sysctl;
use crate::types::IpNet;

/// How many interfaces are shown as evidence.
const SHOWN: usize = 3;
/// For how many addresses an interface is asked.
const ASKED: usize = 64;
/// The gateway that Calico gives to its containers; no interface has it.
const CALICO_GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let proxying: Vec<&Interface> = context
        .listeners
        .iter()
        .copied()
        .filter(|interface| context.effective(interface, Sysctl::ProxyArp).value != 0)
        .collect();
    let others = others_of_wire(context);
    findings.extend(whole_subnet(context, &others));
    findings.extend(own_wire(context, &others));
    findings.extend(nothing_behind(context, &proxying));
    findings.extend(no_route(context, &proxying));
    findings.extend(idle(context, &proxying));
}

/// An interface that answers a host of its wire for another one, and a request that it answers.
struct ForOther<'s> {
    interface: &'s Interface,
    request: ArpRequest,
    verdict: Verdict,
}

/// Those that do, each with one request; what cannot be told is taken down.
fn others_of_wire<'s>(context: &Context<'s>) -> Vec<ForOther<'s>> {
    let on = |interface: &&Interface| {
        let on = |sysctl| context.effective(interface, sysctl).value != 0;
        on(Sysctl::ProxyArp) || on(Sysctl::ProxyArpPvlan)
    };
    let suspects: Vec<&Interface> = context.listeners.iter().copied().filter(on).collect();
    if suspects.is_empty() {
        return Vec::new();
    }
    let mut prover = context.prover();
    let mut found = Vec::new();
    for interface in suspects {
        match prover.others_of_wire(&context.map, interface.index) {
            Some(Proof::Refuted(contradiction)) => {
                if let [proof::Evidence::Request { request: Request::Arp(request), verdict }, ..] =
                    contradiction.evidence[..]
                {
                    found.push(ForOther { interface, request, verdict });
                }
            }
            Some(Proof::Undetermined { missing, .. }) => context.take_down(interface.index, false, missing),
            Some(Proof::Proved { .. }) | None => {}
        }
    }
    found
}

/// A request for an address that is neither the host's nor proxied by an entry, answered all the same.
fn answers_for_others(
    context: &Context<'_>,
    interface: &Interface,
    sender: Ipv4Addr,
    target: Ipv4Addr,
) -> Option<Evidence> {
    let verdict = context.reply(&ArpRequest::broadcast(interface.index, sender, target));
    let answers = verdict.reason() == Some(Reason::ProxyArp) && verdict.mac().is_some();
    answers.then(|| context.request(interface, sender, target, verdict))
}

/// Two ordinary neighbours on an interface.
fn two_neighbours(context: &Context<'_>, interface: &Interface) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let (local, _) = context.public(interface.index).next()?;
    let one = context.sender(interface.index, local);
    let other = context.sender(interface.index, one);
    let shared = |address: &Ipv4Addr| context.around(*address).contains(&interface.index);
    (one != other && shared(&one) && shared(&other)).then_some((one, other))
}

/// With two interfaces in one subnet, the route to a neighbour leaves by the other one.
fn whole_subnet(context: &Context<'_>, others: &[ForOther<'_>]) -> Option<Finding> {
    let mut wrong: Vec<&Interface> = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    let mut addresses: Vec<IpAddr> = Vec::new();
    for ForOther { interface, request, verdict } in others {
        if verdict.reason() != Some(Reason::ProxyArp) {
            continue;
        }
        if wrong.len() < SHOWN {
            let seen = context.request(interface, request.sender, request.target, *verdict);
            evidence.extend([seen, context.sysctl(interface, Sysctl::ProxyArp)]);
        }
        addresses.extend(context.public(interface.index).map(|(local, _)| IpAddr::V4(local)).take(1));
        wrong.push(interface);
    }
    let first = wrong.first()?;
    Some(finding(
        FindingId::ProxyArpWholeSubnet,
        Text {
            what: format!(
                "{} {} ARP requests for every other host of the subnet, live ones included, which draws their traffic to \
                 this host.",
                listed(names(&wrong)),
                by_number(wrong.len(), "answers", "answer"),
            ),
            why: format!(
                "proxy_arp answers for whatever is routed out of another interface, and this host reaches the subnet of {} \
                 by another one.",
                first.name,
            ),
            remedy: format!(
                "Set proxy_arp to 0 on {}, and add proxy entries (`arpflux proxy add`) for the addresses that do live \
                 behind this host.",
                listed(names(&wrong)),
            ),
        },
        Objects { interfaces: names(&wrong), addresses },
        evidence,
        context.cure_by_changes(context.lower(Sysctl::ProxyArp, &wrong, |_| 0)),
    ))
}

/// `proxy_arp_pvlan` answers for neighbours of the wire itself: right where a switch keeps them apart, wrong elsewhere.
fn own_wire(context: &Context<'_>, others: &[ForOther<'_>]) -> Option<Finding> {
    let mut wrong: Vec<&Interface> = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    let mut addresses: Vec<IpAddr> = Vec::new();
    for ForOther { interface, request, verdict } in others {
        if verdict.reason() != Some(Reason::ProxyPvlan) {
            continue;
        }
        if wrong.len() < SHOWN {
            let seen = context.request(interface, request.sender, request.target, *verdict);
            evidence.extend([seen, context.sysctl(interface, Sysctl::ProxyArpPvlan)]);
        }
        addresses.extend(context.public(interface.index).map(|(local, _)| IpAddr::V4(local)).take(1));
        wrong.push(interface);
    }
    if wrong.is_empty() {
        return None;
    }
    Some(finding(
        FindingId::ProxyArpWholeSubnet,
        Text {
            what: format!(
                "{} {} ARP requests for every other host of its own wire, live ones included: who asks for one of them \
                 hears two MACs, and traffic for addresses that nobody has comes to this host.",
                listed(names(&wrong)),
                by_number(wrong.len(), "answers", "answer"),
            ),
            why: "proxy_arp_pvlan answers for what is routed out of the very interface that the request came in by. It is \
                  meant for a switch that keeps its ports apart (RFC 3069), where nobody else could answer."
                .into(),
            remedy: format!(
                "Unless the switch keeps its ports apart, set proxy_arp_pvlan to 0 on {}, and add proxy entries (`arpflux \
                 proxy add`) for the addresses that do live behind this host.",
                listed(names(&wrong)),
            ),
        },
        Objects { interfaces: names(&wrong), addresses },
        evidence,
        context.cure_by_changes(context.lower(Sysctl::ProxyArpPvlan, &wrong, |_| 0)),
    ))
}

/// `proxy_arp` where no route leads: who asks there asks for what others answer for.
fn nothing_behind(context: &Context<'_>, proxying: &[&Interface]) -> Option<Finding> {
    let unnumbered = |interface: &&Interface| {
        context.held(interface.index).next().is_none()
            && context.on_link(interface.index).is_empty()
            && context.gateways(interface.index).is_empty()
    };
    // What others on such a wire ask for, if it is the wire of one of the other interfaces.
    let questions: Vec<(Ipv4Addr, Ipv4Addr)> =
        context.listeners.iter().filter_map(|other| two_neighbours(context, other)).take(4).collect();
    let mut wrong: Vec<&Interface> = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    for interface in proxying.iter().copied().filter(unnumbered) {
        let seen = questions
            .iter()
            .find_map(|(sender, target)| answers_for_others(context, interface, *sender, *target));
        let Some(seen) = seen else { continue };
        if wrong.len() < SHOWN {
            evidence.extend([seen, context.sysctl(interface, Sysctl::ProxyArp)]);
        }
        wrong.push(interface);
    }
    if wrong.is_empty() {
        return None;
    }
    let whose = listed(names(&wrong));
    Some(finding(
        FindingId::ProxyArpNothingBehind,
        Text {
            what: format!(
                "{whose} {}, yet {} ARP requests for everything that this host has a route to: routers on that wire learn \
                 the wrong MAC for addresses of others.",
                by_number(wrong.len(), "has no address and no route leads there", "have no address and no routes lead there"),
                by_number(wrong.len(), "it answers", "they answer"),
            ),
            why: "proxy_arp answers for whatever is routed out of another interface, and on an interface without routes \
                  that is everything."
                .into(),
            remedy: format!("Set proxy_arp to 0 on {whose}."),
        },
        Objects { interfaces: names(&wrong), addresses: Vec::new() },
        evidence,
        context.cure_by_changes(context.lower(Sysctl::ProxyArp, &wrong, |_| 0)),
    ))
}

/// Containers behind an interface without an address, which ask for a gateway that no route leads to.
fn no_route(context: &Context<'_>, proxying: &[&Interface]) -> Option<Finding> {
    let mut wrong: Vec<&Interface> = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    let mut addresses: Vec<IpAddr> = Vec::new();
    for interface in
        proxying.iter().copied().filter(|interface| context.held(interface.index).next().is_none())
    {
        let Some(container) = context.container(interface.index) else { continue };
        let verdict = context.reply(&ArpRequest::broadcast(interface.index, container, CALICO_GATEWAY));
        if !matches!(verdict, Verdict::Silent { reason: Reason::NoRoute | Reason::RouteRejects }) {
            continue;
        }
        if wrong.len() < SHOWN {
            evidence.push(context.request(interface, container, CALICO_GATEWAY, verdict));
        }
        addresses.push(IpAddr::V4(container));
        wrong.push(interface);
    }
    if wrong.is_empty() {
        return None;
    }
    Some(finding(
        FindingId::ProxyArpNoRoute,
        Text {
            what: format!(
                "{} {} no answer on {} for the gateway {CALICO_GATEWAY} and can reach nobody.",
                listed(&addresses),
                by_number(addresses.len(), "gets", "get"),
                listed(names(&wrong)),
            ),
            why: format!(
                "proxy_arp answers only for addresses that a route leads to, and no route leads to {CALICO_GATEWAY}, not \
                 even a default route.",
            ),
            remedy: format!(
                "Add any route that covers {CALICO_GATEWAY} and leaves by another interface (`ip route add \
                 {CALICO_GATEWAY} dev eth0`, with the host's own NIC); where containers ask for another gateway, ignore this.",
            ),
        },
        Objects { interfaces: names(&wrong), addresses },
        evidence,
        Remedy::default(),
    ))
}

/// `proxy_arp` that answers nobody, for anything that this host has a route to.
fn idle(context: &Context<'_>, proxying: &[&Interface]) -> Option<Finding> {
    // A value of `all` is meant for no interface in particular.
    let meant = |one: &&Interface| one.sysctls.get(Sysctl::ProxyArp).is_some_and(|own| own != 0);
    let numbered: Vec<&Interface> = proxying
        .iter()
        .copied()
        .filter(|one| context.held(one.index).next().is_some())
        .filter(meant)
        .collect();
    // Something in each network, something far, and the gateway that containers ask for.
    let mut targets: BTreeSet<Ipv4Addr> = [context.snapshot.elsewhere(), CALICO_GATEWAY].into();
    for route in context.snapshot.routes.iter().filter(|route| route.kind == RouteKind::Unicast) {
        if let IpNet::V4(net) = route.destination
            && targets.len() < ASKED
        {
            targets.extend(net.hosts().take(ASKED).filter(|host| context.holders(*host).is_empty()).take(2));
        }
    }
    let on: Vec<Change> = numbered.iter().filter_map(|one| context.set(one, Sysctl::Forwarding, 1)).collect();
    let forwarding = context.snapshot.with(&on);
    let forwards = Model::of(&forwarding);
    let mut wrong: Vec<&Interface> = Vec::new();
    let mut off: Vec<&Interface> = Vec::new();
    let mut addresses: BTreeSet<Ipv4Addr> = BTreeSet::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    for interface in numbered {
        let Some((local, _)) = context.public(interface.index).next() else { continue };
        let sender = context.sender(interface.index, local);
        let request = |target: &Ipv4Addr| ArpRequest::broadcast(interface.index, sender, *target);
        let answers = |model: &Model<'_>, target: &&Ipv4Addr| {
            if **target == sender {
                return false;
            }
            let verdict = model.reply(&request(target));
            let proxied = matches!(verdict.reason(), Some(Reason::ProxyArp | Reason::ProxyPvlan));
            verdict.answers().is_none() || (proxied && verdict.answers() == Some(true))
        };
        if targets.iter().any(|target| answers(&context.model, &target)) {
            continue;
        }
        // Answered with forwarding, and on the link of another interface: somebody waits for that.
        let near = |target: &&Ipv4Addr| context.around(**target).contains(&interface.index);
        let waiting: Vec<Ipv4Addr> =
            targets.iter().filter(|target| near(target) && answers(&forwards, target)).copied().collect();
        if !waiting.is_empty() {
            off.push(interface);
        }
        addresses.extend(waiting);
        if wrong.len() < SHOWN {
            evidence.extend(
                [Sysctl::ProxyArp, Sysctl::Forwarding].map(|sysctl| context.sysctl(interface, sysctl)),
            );
        }
        wrong.push(interface);
    }
    if wrong.is_empty() {
        return None;
    }
    let whose = listed(names(&wrong));
    let addresses: Vec<IpAddr> = addresses.into_iter().map(IpAddr::V4).collect();
    let (why, remedy, cure) = if off.is_empty() {
        (
            "proxy_arp answers for what a route leads to by another interface, on an interface that forwards, and here \
             there is no such route: a policy of IPsec makes none."
                .to_owned(),
            "Add a proxy entry for each address that lives behind this host (`arpflux proxy add`) and a route to it, or \
             set proxy_arp to 0."
                .to_owned(),
            Vec::new(),
        )
    } else {
        (
            format!(
                "proxy_arp answers on interfaces that forward only, and forwarding is 0 on {}: {} behind this host would be \
                 answered for.",
                listed(names(&off)),
                listed(&addresses),
            ),
            format!("Set forwarding to 1 on {}.", listed(names(&off))),
            off.iter().filter_map(|one| context.set(one, Sysctl::Forwarding, 1)).collect(),
        )
    };
    let mut found = finding(
        FindingId::ProxyArpIdle,
        Text {
            what: format!(
                "proxy_arp is set on {whose}, and {} for no address of others.",
                by_number(wrong.len(), "it answers", "they answer"),
            ),
            why,
            remedy,
        },
        Objects { interfaces: names(&wrong), addresses },
        evidence,
        context.cure_by_changes(cure),
    );
    if !off.is_empty() {
        found.severity = Severity::Warning;
    }
    Some(found)
}
