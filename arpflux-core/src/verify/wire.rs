//! What is seen on the wire: each address asked for, one MAC expected.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::time::Duration;

use super::{AddressReport, CheckKind, Failure, Report, Witnesses, wanted};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::judgement::Gap;
use crate::plan::desired::Desired;
use crate::policy::Policy;
use crate::predict::{ArpRequest, Neighbours, Request};
use crate::segment::Wires;
use crate::snapshot::{Interface, Snapshot, WireMap};
use crate::stop::Stop;
use crate::types::{IfIndex, IfName, Ipv4Net, Mac};
use crate::wire::{Port, inject, probe};

/// How much longer than the longest delay of a proxy an answer is waited for.
const SLACK: Duration = Duration::from_millis(200);

/// Asks for each address of the policy from another host of the wire (`peer`, a namespace of this
/// machine), on its interface `from`; `None`: the one whose subnet the address is in.
///
/// Each address must be answered, by the MAC of its own interface and no other. What is on no subnet and no wire of the
/// peer's is not asked for, and left open. Takes a second and more: proxies answer late. `snapshot` is of the host that is verified.
///
/// # Errors
/// Those of [`Port::towards`] and [`probe::run`]; [`ErrorKind::InvalidPolicy`] as [`super::check`].
pub fn peer(policy: &Policy, snapshot: &Snapshot, peer: &Host, from: Option<&IfName>) -> Result<Report> {
    peer_until(policy, snapshot, peer, from, &Stop::default())
}

/// The same, until `stop` is raised.
///
/// # Errors
/// As [`peer`]; [`ErrorKind::Interrupted`] if it was ended.
pub fn peer_until(
    policy: &Policy,
    snapshot: &Snapshot,
    peer: &Host,
    from: Option<&IfName>,
    stop: &Stop,
) -> Result<Report> {
    let mut report = Report::default();
    let desired = match wanted(policy, snapshot)? {
        Ok(desired) => desired,
        Err(failure) => {
            report.count(Some(failure));
            return Ok(report);
        }
    };
    let owners = owners(&desired);
    let wires = WireMap::of(snapshot);
    let (mut probed, mut not_asked, on_a_guess) = peer.namespace().run(|| -> Result<_> {
        let Asked { ports, not_asked, on_a_guess } = ports(&owners, &wires, from)?;
        let mut probed = Vec::new();
        for (port, targets) in ports {
            let options = probe::Options {
                wait: longest_wait(snapshot, &owners),
                tell_proxies: false,
                ..probe::Options::default()
            };
            let go_on = |_| if stop.is_raised() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
            probed.extend(probe::run(&port, &targets, options, go_on)?);
            stop.check()?;
        }
        Ok((probed, not_asked, on_a_guess))
    })??;
    let owner_of =
        |target: IpAddr| owners.iter().find(|(known, _)| *known == target).map(|(_, owner)| *owner);
    if on_a_guess {
        // Who answers is on the wire of the peer, so what is on other wires was not asked for.
        let heard = probed.iter().filter(|result| !result.replies.is_empty());
        let heard: Vec<IfIndex> = heard.filter_map(|result| owner_of(result.target)).collect();
        let elsewhere = |owner: IfIndex| heard.iter().all(|on| wires.share(*on, owner) == Some(false));
        probed.retain(|result| {
            let silent = result.replies.is_empty() && !heard.is_empty();
            let asked = !silent || !owner_of(result.target).is_some_and(elsewhere);
            not_asked.extend((!asked).then_some(result.target));
            asked
        });
    }
    for target in not_asked {
        let gap = Gap::not_asked(target);
        report.leave_open(gap.to_string(), vec![gap], Some(true));
    }
    for result in probed {
        let Some(owner) = owner_of(result.target) else { continue };
        let answering = result.replies.iter().map(|reply| name_of(snapshot, reply.mac, owner)).collect();
        let macs = result.replies.iter().map(|reply| reply.mac).collect();
        judge(snapshot, result.target, owner, answering, (1, macs), &mut report);
    }
    Ok(report)
}

/// What a peer asks for.
struct Asked {
    /// Its interfaces with the addresses that are asked for from each.
    ports: Vec<(Port, Vec<IpAddr>)>,
    /// What cannot be asked for: no interface of the peer is on their subnet, nor known to be on their wire.
    not_asked: Vec<IpAddr>,
    /// An interface was named that is on no subnet of any of them: which wire it is on, the answers tell.
    on_a_guess: bool,
}

fn ports(owners: &[(IpAddr, IfIndex)], wires: &WireMap, from: Option<&IfName>) -> Result<Asked> {
    let named = from.map(Port::named).transpose().map_err(on_the_wire)?;
    // With the interfaces that answer for what is asked from each.
    let mut ports: Vec<(Port, Vec<IfIndex>, Vec<IpAddr>)> = Vec::new();
    let mut others = Vec::new();
    for (target, owner) in owners {
        let port = match &named {
            Some(port) if port.subnet_of(*target).is_some() => port.clone(),
            Some(_) => {
                others.push((*target, *owner));
                continue;
            }
            None => match Port::towards(*target) {
                Ok(port) => port,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    others.push((*target, *owner));
                    continue;
                }
                Err(error) => return Err(on_the_wire(error)),
            },
        };
        match ports.iter_mut().find(|(known, ..)| known.index == port.index) {
            Some((_, on, targets)) => {
                on.push(*owner);
                targets.push(*target);
            }
            None => ports.push((port, vec![*owner], vec![*target])),
        }
    }
    if let Some(port) = named.filter(|_| ports.is_empty()) {
        let targets = others.into_iter().map(|(target, _)| target).collect();
        return Ok(Asked { ports: vec![(port, targets)], not_asked: Vec::new(), on_a_guess: true });
    }
    let mut not_asked = Vec::new();
    for (target, owner) in others {
        let on_its_wire = |on: &IfIndex| wires.share(*on, owner) == Some(true);
        match ports.iter_mut().find(|(_, on, _)| on.iter().any(on_its_wire)) {
            Some((.., targets)) => targets.push(target),
            None => not_asked.push(target),
        }
    }
    let ports = ports.into_iter().map(|(port, _, targets)| (port, targets)).collect();
    Ok(Asked { ports, not_asked, on_a_guess: false })
}

fn on_the_wire(error: Error) -> Error {
    error.during("verify on the wire")
}

/// Asks the host itself, as if from the wire, on each of the policy's interfaces and of those on their wires
/// (see [`inject`]): no second machine is needed, and no frame is sent. `snapshot` is of `host`.
///
/// # Errors
/// Those of [`inject::ask`]; [`ErrorKind::InvalidPolicy`] as [`super::check`].
pub fn own(policy: &Policy, snapshot: &Snapshot, host: &Host) -> Result<Report> {
    own_until(policy, snapshot, host, &Stop::default())
}

/// The same, until `stop` is raised; everything is undone then too (see [`inject::ask_until`]).
///
/// # Errors
/// As [`own`]; [`ErrorKind::Interrupted`] if it was ended.
pub fn own_until(policy: &Policy, snapshot: &Snapshot, host: &Host, stop: &Stop) -> Result<Report> {
    own_on(policy, snapshot, host, &WireMap::of(snapshot), stop)
}

/// The same where it is known which interfaces share a wire.
///
/// # Errors
/// As [`own_until`].
pub fn own_with(
    policy: &Policy,
    snapshot: &Snapshot,
    host: &Host,
    wires: &Wires,
    stop: &Stop,
) -> Result<Report> {
    own_on(policy, snapshot, host, &wires.map(snapshot), stop)
}

fn own_on(policy: &Policy, snapshot: &Snapshot, host: &Host, map: &WireMap, stop: &Stop) -> Result<Report> {
    let mut report = Report::default();
    let desired = match wanted(policy, snapshot)? {
        Ok(desired) => desired,
        Err(failure) => {
            report.count(Some(failure));
            return Ok(report);
        }
    };
    let owners = owners(&desired);
    let mut answering: Vec<Vec<String>> = vec![Vec::new(); owners.len()];
    let mut seen_macs: Vec<(usize, Vec<Mac>)> = vec![(0, Vec::new()); owners.len()];
    let (mut neighbours, wait) = (Neighbours::new(snapshot), longest_wait(snapshot, &owners));
    // On a wire of its own, whoever holds an address too answers for it rightly.
    let holds_too = |index: IfIndex, target: IpAddr, owner: IfIndex| {
        map.share(index, owner) == Some(false) && snapshot.holders_of(target).any(|holder| holder == index)
    };
    // Whoever hears what an owner hears is asked, whether or not the policy names it.
    let mut asked: Vec<IfIndex> = desired.interfaces.clone();
    asked.extend(owners.iter().flat_map(|(_, owner)| map.hear_too(snapshot, *owner)));
    let mut seen = HashSet::new();
    asked.retain(|index| map.is_connected(*index) && seen.insert(*index));
    for index in &asked {
        stop.check()?;
        let Some(interface) = snapshot.interface(*index) else { continue };
        let askers = askers(snapshot, map.beside(*index), interface, &owners);
        let mut question = |target: IpAddr| match target {
            IpAddr::V4(target) => ArpRequest::broadcast(*index, askers.of(target), target).into(),
            IpAddr::V6(_) => {
                let sender = neighbours.of_family(*index, target);
                Request::ordinary(*index, sender, target).unwrap_or(Request::probe(*index, target))
            }
        };
        let requests: Vec<Request> = owners.iter().map(|(target, _)| *target).map(&mut question).collect();
        let answers = inject::ask_until(host, &interface.name, &requests, wait, stop)?;
        let witnesses = answering.iter_mut().zip(&mut seen_macs).zip(answers).zip(&owners);
        for (((names, (asked, macs)), answers), (target, owner)) in witnesses {
            if holds_too(*index, *target, *owner) {
                continue;
            }
            *asked += 1;
            for answer in answers {
                macs.push(answer.mac);
                // A MAC of another interface is told apart, unless it hears what this one hears (a macvlan).
                let name = name_of(snapshot, answer.mac, interface.index);
                let beside = map.beside(*index).iter().any(|other| snapshot.name_of(*other) == name);
                let seen = if beside { name } else { format!("{name} (on {})", interface.name) };
                if !names.contains(&seen) {
                    names.push(seen);
                }
            }
        }
    }
    for (((target, owner), names), seen) in owners.iter().zip(answering).zip(seen_macs) {
        judge(snapshot, *target, *owner, names, seen, &mut report);
    }
    Ok(report)
}

/// The addresses to ask for, with the interface that has to answer.
fn owners(desired: &Desired) -> Vec<(IpAddr, IfIndex)> {
    let mut seen = HashSet::new();
    let services = desired.services.iter().filter_map(|one| Some((IpAddr::V4(one.address), one.answerer?)));
    let named = desired.host_addresses.iter().chain(&desired.proxied).chain(&desired.host_ipv6).copied();
    named.chain(services).filter(|(address, _)| seen.insert(*address)).collect()
}

/// `wire`: on how many interfaces it was asked for, and the MACs that answered.
fn judge(
    snapshot: &Snapshot,
    target: IpAddr,
    owner: IfIndex,
    answering: Vec<String>,
    wire: (usize, Vec<Mac>),
    report: &mut Report,
) {
    let expected = snapshot.name_of(owner);
    // Who has no carrier cannot be asked, and nobody else is to answer.
    let connected = WireMap::of(snapshot).is_connected(owner);
    let as_expected = if connected { answering == [expected.clone()] } else { answering.is_empty() };
    let failure = (!as_expected).then(|| Failure {
        check: CheckKind::Wire,
        object: target.to_string(),
        expected: match connected {
            true => format!("an answer from {expected} alone"),
            false => format!("no answer, as {expected} has no carrier"),
        },
        found: if answering.is_empty() {
            "no answer".into()
        } else {
            format!("answers from {}", answering.join(", "))
        },
    });
    report.count(failure);
    report.addresses.push(AddressReport {
        unheard: false,
        by: Witnesses { wire: Some(wire), ..Witnesses::default() },
        address: target,
        expected,
        answering,
        undetermined: Vec::new(),
    });
}

/// The name of the interface that has a MAC, or the MAC: of a stranger, or of several interfaces. Of several
/// (a bond and its VLANs have one MAC) it is `likely`, if that is one of them.
fn name_of(snapshot: &Snapshot, mac: Mac, likely: IfIndex) -> String {
    if let Some(interface) = snapshot.interface(likely).filter(|interface| interface.mac == mac) {
        return interface.name.to_string();
    }
    let mut owners =
        snapshot.interfaces.iter().filter(|interface| interface.mac == mac && interface.speaks_arp());
    match (owners.next(), owners.next()) {
        (Some(interface), None) => interface.name.to_string(),
        _ => mac.to_string(),
    }
}

fn longest_wait(snapshot: &Snapshot, owners: &[(IpAddr, IfIndex)]) -> Duration {
    let v4 = snapshot.interfaces.iter().filter(|i| i.speaks_arp()).map(|i| i.neigh.proxy_delay);
    let asked = snapshot.discovery.iter().filter(|_| owners.iter().any(|(target, _)| target.is_ipv6()));
    let v6 = asked.flat_map(|discovery| &discovery.interfaces).map(|on| on.proxy_delay);
    Duration::from_millis(v4.chain(v6).max().unwrap_or(0)) + SLACK
}

/// Addresses to ask from that look like neighbours' on an interface, each of a subnet of it or of its wire, and not
/// known to be anybody's.
struct Askers(Vec<(Ipv4Net, Ipv4Addr)>);

impl Askers {
    /// Who asks for `target`: of the subnet around it, else of the interface's first or, where there is none, of one of
    /// the wire. Where there is nobody it is the sender of a probe (RFC 5227), 0.0.0.0.
    fn of(&self, target: Ipv4Addr) -> Ipv4Addr {
        let around = self.0.iter().find(|(subnet, _)| subnet.contains(&target));
        around.or(self.0.first()).map_or(Ipv4Addr::UNSPECIFIED, |(_, sender)| *sender)
    }
}

fn askers(
    snapshot: &Snapshot,
    beside: &[IfIndex],
    interface: &Interface,
    owners: &[(IpAddr, IfIndex)],
) -> Askers {
    let known: HashSet<Ipv4Addr> = snapshot
        .addresses
        .iter()
        .map(|address| address.local)
        .chain(snapshot.neighbours.iter().map(|neighbour| neighbour.address))
        .chain(snapshot.proxies.iter().map(|proxy| proxy.address))
        .chain(owners.iter().map(|(target, _)| *target))
        .filter_map(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .collect();
    let wire = std::iter::once(&interface.index).chain(beside);
    let held = wire.flat_map(|index| snapshot.addresses_of(*index));
    let subnets = held.filter_map(|address| match address.subnet() {
        ipnet::IpNet::V4(subnet) => Some(subnet),
        ipnet::IpNet::V6(_) => None,
    });
    // From the end, where gateways and first hosts are not; never more looks than there are known ones.
    let free = |subnet: Ipv4Net| {
        let (first, last) = (u32::from(subnet.network()), u32::from(subnet.broadcast()));
        (first.saturating_add(1)..last).rev().map(Ipv4Addr::from).find(|address| !known.contains(address))
    };
    let mut seen = HashSet::new();
    let new = subnets.filter(|subnet| seen.insert(*subnet));
    Askers(new.filter_map(|subnet| Some((subnet, free(subnet)?))).collect())
}
