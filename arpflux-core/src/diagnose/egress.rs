//! By which interface packets from the host's own addresses leave.

use std::net::{IpAddr, Ipv4Addr};

use super::answers::{Text, cure_in_words, finding, names};
use super::context::{Context, by_number, listed};
use super::remedy::Remedy;
use super::{Evidence, Finding, FindingId, Objects};
use crate::policy::{HostPolicy, Policy, Strategy};
use crate::predict::{Forwarded, Model, Outgoing};
use crate::snapshot::{Interface, Reach};
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

/// How many packets are shown as evidence.
const SHOWN: usize = 3;

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    for wire in 0..context.wires.len() {
        findings.extend(same_wire(context, wire));
    }
    findings.extend(other_uplink(context));
    findings.extend(dropped_on_uplink(context));
}

/// The interface that a packet leaves by, and the packet as evidence.
fn leaves(
    context: &Context<'_>,
    of: &Interface,
    from: Ipv4Addr,
    to: Ipv4Addr,
) -> Option<(IfIndex, Evidence)> {
    let (by, request_from) = match context.outgoing(of.index, to, from) {
        Outgoing::Asks { interface, sender, .. } => (interface, Some(sender)),
        Outgoing::NoRequest { interface, .. } => (interface, None),
        Outgoing::Unreachable | Outgoing::Undetermined { .. } => return None,
    };
    let interface = context.snapshot.interface(by)?.name;
    Some((by, Evidence::Packet { source: from, destination: to, interface, request_from }))
}

/// The interface whose link carries the frames: of a macvlan or ipvlan the one below it.
fn card(interface: &Interface) -> IfIndex {
    let below =
        interface.link.filter(|_| interface.reach() == Reach::Lower && interface.link_netnsid.is_none());
    below.unwrap_or(interface.index)
}

/// To a neighbour on the wire, or to the world through a gateway on it, by another link of the wire.
fn same_wire(context: &Context<'_>, wire: usize) -> Option<Finding> {
    let members = &context.wires[wire];
    let mut astray: Vec<&Interface> = Vec::new();
    let mut by: Vec<&Interface> = Vec::new();
    let mut addresses: Vec<IpAddr> = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    for interface in members.iter().copied() {
        for (local, _) in
            context.public(interface.index).filter(|(local, _)| context.holders(*local).len() == 1)
        {
            let neighbour = context.sender(interface.index, local);
            let found = [neighbour, context.snapshot.elsewhere()].into_iter().find_map(|to| {
                let (by, seen) = leaves(context, interface, local, to)?;
                let other = members.iter().find(|member| member.index == by)?;
                (card(other) != card(interface)).then_some((*other, seen))
            });
            let Some((other, seen)) = found else { continue };
            if evidence.len() < SHOWN {
                evidence.push(seen);
            }
            addresses.push(IpAddr::V4(local));
            astray.push(interface);
            if !by.iter().any(|known| known.index == other.index) {
                by.push(other);
            }
        }
    }
    if addresses.is_empty() {
        return None;
    }
    astray.dedup_by_key(|interface| interface.index);
    let (whose, other) = (listed(&addresses), listed(names(&by)));
    Some(finding(
        FindingId::EgressSameWire,
        Text {
            what: format!(
                "Packets from {whose} leave by {other} although {} {} the address: traffic comes in by one interface \
                 and goes out by another, one link carries it all, and clouds and switches that check MACs drop it.",
                listed(names(&astray)),
                by_number(astray.len(), "holds", "hold"),
            ),
            why: "Without source routing only the destination counts, and of several routes to one subnet one wins for \
                  every source address."
                .into(),
            remedy: cure_in_words(context, wire),
        },
        Objects { interfaces: names(&astray), addresses },
        evidence,
        context.cure_of_wire(wire),
    ))
}

/// To the world by another uplink than the one whose address the packet carries.
fn other_uplink(context: &Context<'_>) -> Option<Finding> {
    let mut astray: Vec<&Interface> = Vec::new();
    let mut addresses: Vec<IpAddr> = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    let mut by = String::new();
    for index in &context.uplinks {
        let Some(interface) = context.snapshot.interface(*index) else { continue };
        for (local, _) in context.public(*index).filter(|(local, _)| context.holders(*local).len() == 1) {
            let Some((other, seen)) = leaves(context, interface, local, context.snapshot.elsewhere()) else {
                continue;
            };
            let together =
                context.wire_of(other).is_some() && context.wire_of(other) == context.wire_of(*index);
            // What does not get in has no reply: that is the other finding.
            let dropped = drops(context, interface, local);
            if other == *index || together || !context.uplinks.contains(&other) || dropped {
                continue;
            }
            if evidence.len() < SHOWN {
                evidence.push(seen);
            }
            by = context.snapshot.name_of(other);
            addresses.push(IpAddr::V4(local));
            astray.push(interface);
        }
    }
    if addresses.is_empty() {
        return None;
    }
    astray.dedup_by_key(|interface| interface.index);
    let (whose, held_by) = (listed(&addresses), listed(names(&astray)));
    Some(finding(
        FindingId::EgressOtherUplink,
        Text {
            what: format!(
                "Replies to the world from {whose} leave by {by}, not by {held_by}, which {} a default route of its own: \
                 a service asked for on that address answers by the other uplink, whose provider may drop it.",
                by_number(astray.len(), "has", "have"),
            ),
            why: format!("Only the destination counts, and the default route by {by} comes first."),
            remedy: format!(
                "If the host is to be reached on {whose} from outside, send packets from there to a table whose default \
                 route leaves by {held_by}, and which has the route to its subnet as well.",
            ),
        },
        Objects { interfaces: names(&astray), addresses },
        evidence,
        Remedy::default(),
    ))
}

/// Whether strict `rp_filter` drops what comes from the world for `local`, which it would not with `rp_filter=2`.
fn drops(context: &Context<'_>, interface: &Interface, local: Ipv4Addr) -> bool {
    if context.effective(interface, Sysctl::RpFilter).value != 1 {
        return false;
    }
    let far = context.snapshot.elsewhere();
    if context.model.forwarded(interface.index, far, local) != Forwarded::Dropped {
        return false;
    }
    let loose = context.set(interface, Sysctl::RpFilter, 2);
    let loose = context.snapshot.with(&loose.into_iter().collect::<Vec<_>>());
    Model::of(&loose).forwarded(interface.index, far, local) == Forwarded::Delivered
}

/// What comes from the world by an uplink that the way back does not lead by.
fn dropped_on_uplink(context: &Context<'_>) -> Option<Finding> {
    let mut on: Vec<&Interface> = Vec::new();
    let mut addresses: Vec<IpAddr> = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    let far = context.snapshot.elsewhere();
    for index in &context.uplinks {
        let Some(interface) = context.snapshot.interface(*index).filter(|_| context.map.is_connected(*index))
        else {
            continue;
        };
        let dropped: Vec<Ipv4Addr> = context
            .public(*index)
            .map(|(local, _)| local)
            .filter(|local| drops(context, interface, *local))
            .collect();
        let Some(first) = dropped.first() else { continue };
        if on.len() < SHOWN {
            evidence.push(Evidence::Fact {
                text: format!("a packet from {far} to {first} that arrives on {} is dropped", interface.name),
            });
            evidence.extend(leaves(context, interface, *first, far).map(|(_, packet)| packet));
            evidence.push(context.sysctl(interface, Sysctl::RpFilter));
        }
        addresses.extend(dropped.into_iter().map(IpAddr::V4));
        on.push(interface);
    }
    if on.is_empty() {
        return None;
    }
    let (names_of, whose) = (listed(names(&on)), listed(&addresses));
    let host = HostPolicy {
        interfaces: Some(on.iter().map(|interface| interface.name.into()).collect()),
        strategy: Strategy::Unmanaged,
        ..HostPolicy::default()
    };
    let routed = Policy { host, ..Policy::default() };
    let mut remedy = context.cure_by_policy(&routed);
    let cures = |remedy: &Remedy| {
        remedy.plan.as_ref().is_some_and(|plan| {
            let after = context.snapshot.with(&plan.changes);
            let model = Model::of(&after);
            on.iter().all(|interface| {
                let delivered = |(local, _): (Ipv4Addr, _)| {
                    model.forwarded(interface.index, far, local) == Forwarded::Delivered
                };
                context.public(interface.index).all(delivered)
            })
        })
    };
    if !cures(&remedy) {
        let loose = on.iter().filter_map(|interface| context.set(interface, Sysctl::RpFilter, 2));
        remedy = context.cure_by_changes(loose.collect());
    }
    Some(finding(
        FindingId::RpFilterUplink,
        Text {
            what: format!(
                "Whatever comes in by {names_of} from beyond {} subnet is dropped: nobody outside reaches {whose}, and \
                 replies to packets that leave there do not arrive.",
                by_number(on.len(), "its", "their"),
            ),
            why: format!(
                "rp_filter=1 takes a packet only on the interface that the way back to its sender leaves by, and the way \
                 back to the world leaves by another one than {names_of}.",
            ),
            remedy: format!(
                "Send packets from {whose} back by {names_of} (source routing: a policy with egress = \"source-routed\"), \
                 which strict rp_filter accepts; or set rp_filter to 2 on {names_of}.",
            ),
        },
        Objects { interfaces: names(&on), addresses },
        evidence,
        remedy,
    ))
}
