//! From what is wanted to the changes that bring it about, in an order that keeps every address
//! answered. The order and its reasons are in the text of [`crate::plan`].

use foldhash::{HashMap, HashMapExt as _, HashSet};

use super::desired::{Desired, RouteKey, route_key};
use super::{Change, PROTOCOL};
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::{Route, Rule, Snapshot};
use crate::state::{Object, State, SysctlScope, Value, settled_route};
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

/// The changes from `snapshot` to `desired`, in order.
///
/// # Errors
/// [`ErrorKind::Unsupported`] if an interface has no such sysctl.
pub(super) fn changes(desired: &Desired, snapshot: &Snapshot) -> Result<Vec<Change>> {
    // With very many entries most of a plan's time would go into moving what is there already.
    let mut changes = Vec::with_capacity(
        desired.sysctls.len()
            + desired.routes.len()
            + desired.rules.len()
            + desired.missing_proxies.len()
            + desired.unwanted_proxies.len(),
    );
    delays(desired, snapshot, &mut changes)?;
    let mut sysctls = sysctls(desired, snapshot)?;
    changes.extend(ipv6_sysctls(desired, snapshot)?);
    changes.append(&mut sysctls.forwarding);
    changes.append(&mut sysctls.opening);
    let stale_routes = routes(desired, snapshot, &mut changes);
    changes.extend(desired.missing_proxies.iter().copied().map(Change::add));
    rules(desired, snapshot, &mut changes);
    changes.extend(stale_routes);
    changes.append(&mut sysctls.announce);
    changes.append(&mut sysctls.closing);
    // Newest first: the kernel looks through each bucket from its newest entry on.
    changes.extend(desired.unwanted_proxies.iter().rev().copied().map(Change::remove));
    Ok(changes)
}

fn scope(snapshot: &Snapshot, index: IfIndex) -> Result<SysctlScope> {
    match snapshot.interface(index) {
        Some(interface) => Ok(SysctlScope::Interface { index, name: interface.name }),
        None => Err(Error::new(ErrorKind::Internal, "the plan names an interface that is not there")
            .on(format!("if{index}"))),
    }
}

#[cold]
fn absent(snapshot: &Snapshot, tree: &str, index: IfIndex, name: &str) -> Error {
    Error::new(ErrorKind::Unsupported, "there is no such sysctl")
        .during("plan")
        .on(format!("net.{tree}.conf.{}.{name}", snapshot.name_of(index)))
        .hint(match tree {
            "ipv6" => "IPv6 is switched off there: leave IPv6 addresses out of [[proxy]], or switch it on",
            _ => "an MTU below 68 switches IPv4 off on an interface: raise it, or leave the interface out",
        })
}

fn delays(desired: &Desired, snapshot: &Snapshot, changes: &mut Vec<Change>) -> Result<()> {
    let mut state = State::of(snapshot);
    for (index, after) in &desired.proxy_delays {
        let object = Object::ProxyDelay { scope: scope(snapshot, *index)? };
        let (before, after) = (state.get(&object), Value::Number(i64::try_from(*after).unwrap_or(i64::MAX)));
        if !object.same(before, after) {
            changes.push(Change { object, before, after });
        }
    }
    Ok(())
}

/// Changes of sysctls by when they are made.
#[derive(Default)]
struct Sysctls {
    forwarding: Vec<Change>,
    announce: Vec<Change>,
    /// After these the interface answers for more of its own addresses than before, and never for less.
    opening: Vec<Change>,
    /// After these it is silent about addresses of others.
    closing: Vec<Change>,
}

fn sysctls(desired: &Desired, snapshot: &Snapshot) -> Result<Sysctls> {
    let mut sysctls = Sysctls::default();
    for wanted in &desired.sysctls {
        let interface = snapshot.interface(wanted.interface);
        let Some(before) = interface.and_then(|interface| interface.sysctls.get(wanted.sysctl)) else {
            return Err(absent(snapshot, "ipv4", wanted.interface, wanted.sysctl.name()));
        };
        if before == wanted.value {
            continue;
        }
        let scope = scope(snapshot, wanted.interface)?;
        let change = Change::set(Object::Sysctl { scope, sysctl: wanted.sysctl }, before, wanted.value);
        match wanted.sysctl {
            Sysctl::Forwarding => sysctls.forwarding.push(change),
            Sysctl::ArpAnnounce => sysctls.announce.push(change),
            // Modes 2 and 8 are silent where 1 is not, and never the other way round.
            Sysctl::ArpIgnore if matches!(before, 2 | 8) => sysctls.opening.push(change),
            _ => sysctls.closing.push(change),
        }
    }
    Ok(sysctls)
}

fn ipv6_sysctls(desired: &Desired, snapshot: &Snapshot) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for wanted in &desired.ipv6_sysctls {
        let interface = snapshot.interface(wanted.interface);
        let Some(before) = interface.and_then(|interface| interface.ipv6.get(wanted.sysctl)) else {
            return Err(absent(snapshot, "ipv6", wanted.interface, wanted.sysctl.name()));
        };
        if before != wanted.value {
            let scope = scope(snapshot, wanted.interface)?;
            let object = Object::Ipv6Sysctl { scope, sysctl: wanted.sysctl };
            changes.push(Change::set(object, before, wanted.value));
        }
    }
    Ok(changes)
}

fn rules(desired: &Desired, snapshot: &Snapshot, changes: &mut Vec<Change>) {
    let there: HashSet<&Rule> = snapshot.rules.iter().filter(|rule| rule.protocol == PROTOCOL).collect();
    let is_source = |rule: &&Rule| rule.source.is_some();
    let missing = || desired.rules.iter().filter(|rule| !there.contains(rule));
    changes.extend(missing().filter(|rule| !is_source(rule)).cloned().map(Change::add));
    changes.extend(missing().filter(is_source).cloned().map(Change::add));
    // The last first, so that the inverse brings rules of one priority back in the same order.
    let unwanted = || desired.unwanted_rules.iter().rev();
    changes.extend(unwanted().filter(is_source).cloned().map(Change::remove));
    changes.extend(unwanted().filter(|rule| !is_source(rule)).cloned().map(Change::remove));
}

/// Adds the routes; returns the removals, which come after those of rules. What stands in the place of one that is
/// wanted goes immediately before it.
fn routes(desired: &Desired, snapshot: &Snapshot, changes: &mut Vec<Change>) -> Vec<Change> {
    let own = snapshot.routes.iter().filter(|route| route.protocol == PROTOCOL);
    let there: HashSet<Route> = own.map(settled_route).collect();
    let wanted: HashSet<RouteKey> = desired.routes.iter().map(route_key).collect();
    // What stands in a place goes with what is right there: then the inverse brings all back in their order.
    let mut in_place: HashMap<RouteKey, Vec<&Route>> = HashMap::new();
    let taken = desired.unwanted_routes.iter().map(route_key).filter(|key| wanted.contains(key));
    in_place.extend(taken.map(|key| (key, Vec::new())));
    if !in_place.is_empty() {
        for route in snapshot.routes.iter().rev() {
            if let Some(routes) = in_place.get_mut(&route_key(route)) {
                routes.push(route);
            }
        }
    }
    for route in &desired.routes {
        let old = in_place.get(&route_key(route));
        if old.is_some() || !there.contains(route) {
            changes.extend(old.into_iter().flatten().map(|route| Change::remove((*route).clone())));
            changes.push(Change::add(route.clone()));
        }
    }
    // Routes through a gateway go before the link they are reached by.
    let stale = desired.unwanted_routes.iter().rev();
    stale.filter(|route| !wanted.contains(&route_key(route))).cloned().map(Change::remove).collect()
}
