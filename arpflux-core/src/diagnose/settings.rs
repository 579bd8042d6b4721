//! Values that do not do what they seem to, and those that later interfaces will not have.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::answers::{Text, finding, names};
use super::context::{Context, by_number, listed};
use super::remedy::Remedy;
use super::{Evidence, Finding, FindingId, Objects};
use crate::plan::{Change, SysctlScope};
use crate::predict::{ArpRequest, Model, Outgoing};
use crate::snapshot::{Interface, Snapshot};
use crate::state::Object;
use crate::sysctl::Sysctl;

/// How many interfaces are shown as evidence.
const SHOWN: usize = 3;

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut weakened = Vec::new();
    for sysctl in [Sysctl::ArpIgnore, Sysctl::ArpAnnounce] {
        if let Some(found) = all_weakens(context, sysctl) {
            weakened.push(sysctl);
            findings.push(found);
        }
    }
    for sysctl in [Sysctl::ArpIgnore, Sysctl::ArpAnnounce] {
        if !weakened.contains(&sysctl) {
            findings.extend(no_such_mode(context, sysctl));
        }
    }
    findings.extend(later_interfaces(context));
}

/// What a value that is no mode does (`arp_ignore()`, `arp_solicit()` in net/ipv4/arp.c).
fn is_mode(sysctl: Sysctl, value: i32) -> bool {
    match sysctl {
        Sysctl::ArpIgnore => matches!(value, 0..=3 | 8),
        _ => matches!(value, 0..=2),
    }
}

/// The maximum of `all` and the interface's value counts, and it is not always the stricter one.
fn all_weakens(context: &Context<'_>, sysctl: Sysctl) -> Option<Finding> {
    let all = context
        .snapshot
        .all
        .get(sysctl)
        .filter(|all| *all > 2 && (sysctl, *all) != (Sysctl::ArpIgnore, 8))?;
    let zero = Change::set(Object::Sysctl { scope: SysctlScope::All, sysctl }, all, 0);
    let alone = context.snapshot.with(std::slice::from_ref(&zero));
    let model = Model::of(&alone);
    let targets = some_addresses(context);
    let mut weakened: Vec<&Interface> = Vec::new();
    let mut evidence: Vec<Evidence> = Vec::new();
    for interface in context.listeners.iter().copied() {
        let own = interface.sysctls.get(sysctl).unwrap_or(0);
        if own == 0 || own >= all || !is_mode(sysctl, own) {
            continue;
        }
        let Some(seen) = difference(context, &model, &alone, interface, sysctl, &targets) else { continue };
        if weakened.len() < SHOWN {
            evidence.extend([seen, context.sysctl(interface, sysctl)]);
        }
        weakened.push(interface);
    }
    if weakened.is_empty() {
        return None;
    }
    let whose = listed(names(&weakened));
    let one = weakened.len();
    let does = match sysctl {
        Sysctl::ArpIgnore => {
            format!("{} for addresses of other interfaces", by_number(one, "answers", "answer"))
        }
        _ => format!("{} neighbours in the name of other interfaces", by_number(one, "asks", "ask")),
    };
    let mode = match (sysctl, all) {
        (Sysctl::ArpIgnore, 3) => "mode 3 does not look at the interface",
        _ => "the kernel has no such mode and treats it as 0",
    };
    Some(finding(
        FindingId::AllWeakens,
        Text {
            what: format!("{whose} {does}, although {sysctl} is set there to prevent it."),
            why: format!(
                "The larger of the value of `all` and of the interface counts, and net.ipv4.conf.all.{sysctl} is {all}: \
                 {mode}.",
            ),
            remedy: format!(
                "Set net.ipv4.conf.all.{sysctl} to 0, so that each interface's own value counts."
            ),
        },
        Objects { interfaces: names(&weakened), addresses: Vec::new() },
        evidence,
        context.cure_by_changes(vec![zero]),
    ))
}

/// A request that is answered, or a packet that is sent otherwise, only because of the value of `all`.
fn difference(
    context: &Context<'_>,
    alone: &Model<'_>,
    without: &Snapshot,
    interface: &Interface,
    sysctl: Sysctl,
    targets: &[Ipv4Addr],
) -> Option<Evidence> {
    targets.iter().filter(|target| !context.holders(**target).contains(&interface.index)).find_map(|target| {
        let sender = context.sender(interface.index, *target);
        if sysctl == Sysctl::ArpIgnore {
            let request = ArpRequest::broadcast(interface.index, sender, *target);
            let now = context.reply(&request);
            let differs = now.answers() == Some(true) && alone.reply(&request).answers() == Some(false);
            return differs.then(|| context.request(interface, sender, *target, now));
        }
        let ask = |model: &Model<'_>| model.outgoing(sender, Some(*target), Some(interface.index));
        let now = ask(&context.model);
        let Outgoing::Asks { sender: request_from, packet_source, .. } = now else { return None };
        let differs = now.teaches_wrong_mac(context.snapshot) && !ask(alone).teaches_wrong_mac(without);
        differs.then_some(Evidence::Packet {
            source: packet_source,
            destination: sender,
            interface: interface.name,
            request_from: Some(request_from),
        })
    })
}

/// Some addresses of the host, of different interfaces.
fn some_addresses(context: &Context<'_>) -> Vec<Ipv4Addr> {
    let mut targets: Vec<Ipv4Addr> = Vec::new();
    for interface in &context.snapshot.interfaces {
        targets.extend(context.public(interface.index).map(|(local, _)| local).take(1));
        if targets.len() == 4 {
            break;
        }
    }
    targets
}

/// A value that counts and is no mode.
fn no_such_mode(context: &Context<'_>, sysctl: Sysctl) -> Vec<Finding> {
    let mut by_value: BTreeMap<i32, Vec<&Interface>> = BTreeMap::new();
    for interface in context.listeners.iter().copied() {
        let value = context.effective(interface, sysctl).value;
        if !is_mode(sysctl, value) {
            by_value.entry(value).or_default().push(interface);
        }
    }
    by_value
        .into_iter()
        .map(|(value, interfaces)| {
            let whose = listed(names(&interfaces));
            let modes = if sysctl == Sysctl::ArpIgnore { "0, 1, 2, 3 and 8" } else { "0, 1 and 2" };
            let mut changes: Vec<Change> = interfaces
                .iter()
                .filter(|interface| interface.sysctls.get(sysctl).is_some_and(|own| !is_mode(sysctl, own)))
                .filter_map(|interface| context.set(interface, sysctl, 0))
                .collect();
            if let Some(before) = context.snapshot.all.get(sysctl).filter(|all| !is_mode(sysctl, *all)) {
                changes.push(Change::set(Object::Sysctl { scope: SysctlScope::All, sysctl }, before, 0));
            }
            finding(
                FindingId::NoSuchMode,
                Text {
                    what: format!("{sysctl} is {value} on {whose} and acts as 0: it restricts nothing."),
                    why: format!("The kernel takes any number and knows the modes {modes} only."),
                    remedy: format!("Set {sysctl} to the mode that is meant; 0 says what it does now."),
                },
                Objects { interfaces: names(&interfaces), addresses: Vec::new() },
                interfaces.iter().take(SHOWN).map(|interface| context.sysctl(interface, sysctl)).collect(),
                context.cure_by_changes(changes),
            )
        })
        .collect()
}

/// Strict interfaces on a wire where the next one would not be.
fn later_interfaces(context: &Context<'_>) -> Option<Finding> {
    let strict = |value: Option<i32>| matches!(value, Some(1 | 2));
    let (all, default) = (&context.snapshot.all, &context.snapshot.default);
    if strict(all.get(Sysctl::ArpIgnore)) || strict(default.get(Sysctl::ArpIgnore)) {
        return None;
    }
    let wires = context.wires.iter();
    let strict_wires: Vec<&Vec<&Interface>> = wires
        .filter(|wire| wire.iter().all(|interface| strict(interface.sysctls.get(Sysctl::ArpIgnore))))
        .collect();
    let members: Vec<&Interface> = strict_wires.iter().flat_map(|wire| wire.iter().copied()).collect();
    let first = members.first()?;
    let addresses = context.public(first.index).map(|(local, _)| IpAddr::V4(local)).take(1).collect();
    Some(finding(
        FindingId::LaterInterfaces,
        Text {
            what: format!(
                "An interface that is added later (a VLAN, a macvlan, a new card) will answer for the addresses of {}.",
                listed(names(&members)),
            ),
            why: "New interfaces start with net.ipv4.conf.default, where arp_ignore is 0; only the interfaces that are \
                  there now have it set."
                .into(),
            remedy: "Set it for each new interface as it appears, as files written by `arpflux apply --persist` do; \
                     net.ipv4.conf.default would reach containers as well."
                .into(),
        },
        Objects { interfaces: names(&members), addresses },
        vec![
            Evidence::Setting {
                name: "net.ipv4.conf.default.arp_ignore".into(),
                value: default.get(Sysctl::ArpIgnore).unwrap_or(0).to_string(),
            },
            context.sysctl(first, Sysctl::ArpIgnore),
        ],
        Remedy::default(),
    ))
}
