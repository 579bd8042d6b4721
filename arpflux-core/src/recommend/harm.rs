//! What a change silences that worked before.

use std::net::{IpAddr, Ipv4Addr};

use super::topology::Ground;
use crate::plan::PROTOCOL;
use crate::predict::{ArpRequest, Model, Neighbours, Verdict, targets};
use crate::snapshot::{RouteKind, Snapshot};
use crate::types::{IfIndex, IpNet};

/// How many askers behind one interface are tried.
const ASKERS_MAX: usize = 8;
/// The gateway that Calico and its kin give to pods and proxy on the host's side.
const CNI_GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 1, 1);
/// How many addresses are asked for.
const TARGETS_MAX: usize = 64;

/// What the host `after` no longer answers although somebody there needs it, one sentence each: hosts behind
/// interfaces (containers, point-to-point peers) that ask for the host's addresses or for their network plugin's
/// gateway, addresses of NICs that nobody on the wire answers for any more, and addresses on `lo` that the host
/// sends from. Of other addresses on `lo` silence is wanted: they belong to a service that another host answers
/// for.
pub(super) fn silenced(ground: &Ground<'_>, after: &Snapshot) -> Vec<String> {
    let (before, after) = (Model::of(ground.snapshot), Model::of(after));
    let mut harm = behind(ground, &before, &after);
    harm.extend(on_wires(ground, &before, &after));
    harm.extend(sent_from(ground, &before, &after));
    harm
}

/// Hosts that are reached through an interface of their own.
fn behind(ground: &Ground<'_>, before: &Model<'_>, after: &Model<'_>) -> Vec<String> {
    let snapshot = ground.snapshot;
    let mut harm = Vec::new();
    let own = targets(snapshot).into_iter().take(TARGETS_MAX);
    let targets: Vec<Ipv4Addr> = std::iter::once(CNI_GATEWAY).chain(own).collect();
    for interface in snapshot.interfaces.iter().filter(|interface| interface.speaks_arp()) {
        if ground.is_nic(interface.index) {
            continue;
        }
        let peers = snapshot.addresses_of(interface.index).filter_map(|address| match address.peer {
            Some(IpAddr::V4(peer)) => Some((peer, "its peer")),
            _ => None,
        });
        let routed = ground.behind.get(&interface.index).into_iter().flatten();
        let askers: Vec<(Ipv4Addr, &str)> =
            peers.chain(routed.map(|address| (*address, "behind it"))).take(ASKERS_MAX).collect();
        let lost = askers.iter().find_map(|(asker, who)| {
            let target = targets.iter().find(|target| {
                let request = ArpRequest::broadcast(interface.index, *asker, **target);
                **target != *asker && loses(before, after, &request)
            })?;
            Some((asker, who, target))
        });
        if let Some((asker, who, target)) = lost {
            let own = ground.public(interface.index).next().is_some();
            let without = if own { "" } else { ", which has no address of its own" };
            harm.push(format!(
                "{asker}, {who} on {}{without}, would get no answer for {target} any more",
                interface.name
            ));
        }
    }
    harm
}

/// Addresses that a neighbour could find before and cannot afterwards.
fn on_wires(ground: &Ground<'_>, before: &Model<'_>, after: &Model<'_>) -> Vec<String> {
    let mut neighbours = Neighbours::new(ground.snapshot);
    let mut harm = Vec::new();
    for nic in &ground.nics {
        let alone = [*nic];
        let wire = ground.shared.iter().find(|group| group.iter().any(|other| other.index == nic.index));
        let wire: &[_] = wire.map_or(&alone, Vec::as_slice);
        for (_, local) in ground.public(nic.index) {
            let sender = neighbours.of(nic.index, local);
            // Its own interface first: mostly that one answers.
            let asked = || std::iter::once(nic).chain(wire);
            let anybody = |model: &Model<'_>| asked().any(|nic| answers(model, nic.index, sender, local));
            if anybody(before) && !anybody(after) {
                harm.push(format!("nobody would answer for {local} of {} any more", nic.name));
            }
        }
    }
    harm
}

/// Addresses on `lo` or a dummy that routes choose as source: whoever is sent a packet from there on a wire asks
/// for it there.
fn sent_from(ground: &Ground<'_>, before: &Model<'_>, after: &Model<'_>) -> Vec<String> {
    let snapshot = ground.snapshot;
    let mut harm = Vec::new();
    for (local, name) in ground.service_addresses() {
        let source = IpAddr::V4(local);
        let chosen = snapshot.routes.iter().find(|route| {
            route.kind == RouteKind::Unicast
                && route.protocol != PROTOCOL
                && route.preferred_source == Some(source)
        });
        let Some(route) = chosen else { continue };
        let on_link = ground.nics.iter().find(|nic| {
            let around = |subnet: IpNet| subnet.prefix_len() < 32 && subnet.contains(&source);
            ground.public(nic.index).any(|(address, _)| around(address.subnet()))
        });
        let Some(nic) = on_link else { continue };
        let sender = Neighbours::new(snapshot).of(nic.index, local);
        if loses(before, after, &ArpRequest::broadcast(nic.index, sender, local)) {
            harm.push(format!(
                "{local} on {name} is the source of packets by the route to {}, and neighbours that reply would get \
                 no answer for it any more; put it on {}",
                route.destination, nic.name
            ));
        }
    }
    harm
}

fn answers(model: &Model<'_>, interface: IfIndex, sender: Ipv4Addr, target: Ipv4Addr) -> bool {
    !matches!(model.reply(&ArpRequest::broadcast(interface, sender, target)), Verdict::Silent { .. })
}

fn loses(before: &Model<'_>, after: &Model<'_>, request: &ArpRequest) -> bool {
    matches!(before.reply(request), Verdict::Answers { .. })
        && matches!(after.reply(request), Verdict::Silent { .. })
}
