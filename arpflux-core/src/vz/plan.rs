//! The changes for a container that comes or goes: those of the policy engine, for the containers that
//! run.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use super::registry::{self, Held, Registry};
use crate::error::Result;
use crate::plan::next_hop;
use crate::plan::published::{orphans, source_of, without};
use crate::plan::{Announcement, Change, InterfaceIdentity, PROTOCOL, Plan, SysctlScope};
use crate::policy::Policy;
use crate::snapshot::{Index, ProxyEntry, RouteKind, Snapshot, table};
use crate::state::Object;
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IfName};

/// Whether a packet for `address` is passed on behind the host, seen from `interface`: a route leads
/// there that is more specific than those of the interface itself.
///
/// The kernel answers for a proxy entry only if the route leaves by another interface; without the
/// container's own route that may be a sister of the interface on the same wire, and the packets would
/// go out again there.
#[must_use]
pub fn leads_behind(snapshot: &Snapshot, address: IpAddr, interface: &IfName) -> bool {
    let index = snapshot.interface_named(interface).map(|interface| interface.index);
    let covering = || {
        snapshot.routes.iter().filter(|route| {
            route.table == table::MAIN
                && route.kind == RouteKind::Unicast
                && route.source.is_none()
                && route.destination.contains(&address)
        })
    };
    let Some(longest) = covering().map(|route| route.destination.prefix_len()).max() else { return false };
    // A default route leads to the whole world, not behind this host.
    longest > 0
        && covering().filter(|route| route.destination.prefix_len() == longest).all(|route| {
            !route.next_hops.is_empty() && route.next_hops.iter().all(|hop| hop.interface != index)
        })
}

/// What is to be brought about.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// The policy file.
    pub policy: &'a Policy,
    /// What shall be published.
    pub registry: &'a Registry,
    /// What shall no longer be, and where it was.
    pub withdrawn: &'a BTreeMap<IpAddr, Option<IfName>>,
}

/// Why an address of the registry is not published now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Idle {
    /// Its interface is not there.
    InterfaceGone,
    /// No route leads to it behind this host.
    NoRoute,
    /// The host has the address itself.
    HostHasIt,
    /// Routes of the host go through the address: it is a router's.
    NextHop,
}

impl std::fmt::Display for Idle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::InterfaceGone => "its interface is not there",
            Self::NoRoute => "no route leads to it behind this host",
            Self::HostHasIt => "this host has the address itself",
            Self::NextHop => "routes of this host go through it: it is a router's on the wire",
        })
    }
}

/// Why an address cannot be published now, if it cannot.
pub(super) fn idle(index: &Index<'_>, address: IpAddr, held: &Held) -> Option<Idle> {
    if index.named(&held.interface).is_none() {
        Some(Idle::InterfaceGone)
    } else if !index.holders(address).is_empty() {
        Some(Idle::HostHasIt)
    } else if next_hop::through(index, address).is_some() {
        Some(Idle::NextHop)
    } else if !leads_behind(index.snapshot, address, &held.interface) {
        Some(Idle::NoRoute)
    } else {
        None
    }
}

/// What a watch keeps besides a policy: the policy with what is published and it does not name itself, as far as that can be
/// published now; and the entries that stand for what cannot.
pub(crate) fn with_published(
    policy: &Policy,
    snapshot: &Snapshot,
    registry: &Registry,
) -> (Policy, Vec<ProxyEntry>) {
    let index = Index::new(snapshot);
    let proxied = policy.proxies.iter().flat_map(|proxy| &proxy.addresses);
    let services = policy.services.iter().flat_map(|service| &service.addresses);
    let named: HashSet<&IpAddr> = proxied.chain(services).collect();
    let others = registry.held.iter().filter(|(address, _)| !named.contains(address));
    let (idle, active): (Vec<_>, Vec<_>) =
        others.partition(|(address, held)| idle(&index, **address, held).is_some());
    let active = active.into_iter().map(|(address, held)| (*address, held));
    let mut both = policy.clone();
    both.proxies.extend(registry::policy(&policy.host, active).proxies);
    let idle: HashSet<&IpAddr> = idle.into_iter().map(|(address, _)| address).collect();
    let ours = |entry: &&ProxyEntry| entry.protocol == PROTOCOL && idle.contains(&entry.address);
    (both, snapshot.proxies.iter().rev().filter(ours).copied().collect())
}

/// The plan: withdrawn addresses first, then what the policy engine wants for those that stay.
///
/// # Errors
/// As [`Policy::plan`].
pub(super) fn plan(snapshot: &Snapshot, wanted: &Wanted<'_>) -> Result<Plan> {
    let index = Index::new(snapshot);
    let active =
        wanted.registry.held.iter().filter(|(address, held)| idle(&index, **address, held).is_none());
    let kept = kept(snapshot, wanted);
    let held = active.map(|(address, held)| (*address, held)).chain(kept.iter().map(|(a, held)| (*a, held)));
    let entries = withdrawn_entries(snapshot, wanted);
    let mut plan = registry::policy(&wanted.policy.host, held).plan(&without(snapshot, &entries))?;
    prepend(&mut plan, snapshot, &entries);
    Ok(plan)
}

/// A plan that only takes away what stands for withdrawn addresses, where the whole cannot be planned.
pub(super) fn withdrawal(snapshot: &Snapshot, wanted: &Wanted<'_>) -> Plan {
    let entries = withdrawn_entries(snapshot, wanted);
    let addresses = wanted.withdrawn.keys().copied().collect();
    let changes = orphans(&without(snapshot, &entries), &addresses);
    let mut plan = Plan { netns: snapshot.netns.clone(), changes, ..Plan::default() };
    prepend(&mut plan, snapshot, &entries);
    plan
}

/// What is not as it should be with each address that is to be published now, besides its proxy entry.
pub(crate) fn lacking(snapshot: &Snapshot, registry: &Registry) -> BTreeMap<IpAddr, Vec<String>> {
    let none = BTreeMap::new();
    let wanted = Wanted { policy: &registry.policy(), registry, withdrawn: &none };
    let index = Index::new(snapshot);
    let published = registry.held.iter().filter(|(address, held)| idle(&index, **address, held).is_none());
    let mut lacking: BTreeMap<IpAddr, Vec<String>> = BTreeMap::new();
    let plan = match plan(snapshot, &wanted) {
        Ok(plan) => plan,
        Err(error) => {
            return published
                .map(|(address, _)| (*address, vec![format!("cannot be told: {error}")]))
                .collect();
        }
    };
    // The tables as they shall be: a rule that is to come says which.
    let coming = plan.changes.iter().filter_map(|change| match &change.object {
        Object::Rule(rule) if change.after.is_there() => Some(rule.as_ref()),
        _ => None,
    });
    let rules = snapshot.rules.iter().chain(coming).filter(|rule| rule.table != table::MAIN);
    let tables: HashMap<IpAddr, u32> =
        rules.filter_map(|rule| Some((source_of(rule)?, rule.table))).collect();
    let (mut own, mut shared): (HashMap<IpAddr, Vec<&Change>>, Vec<&Change>) = Default::default();
    for change in &plan.changes {
        match &change.object {
            Object::Proxy { .. } => {}
            Object::Rule(rule) if rule.source.is_some() => {
                if let Some(address) = source_of(rule) {
                    own.entry(address).or_default().push(change);
                }
            }
            _ => shared.push(change),
        }
    }
    for (address, held) in published {
        let table = tables.get(address);
        let of_interface = |scope: &SysctlScope| match scope {
            SysctlScope::Interface { name, .. } => *name == held.interface,
            SysctlScope::All | SysctlScope::Default => false,
        };
        let concerns = |change: &&&Change| match &change.object {
            Object::Rule(rule) => table.is_some() && rule.ipv6 == address.is_ipv6(),
            Object::Route(route) => {
                Some(&route.table) == table && route.destination.addr().is_ipv6() == address.is_ipv6()
            }
            Object::Sysctl { sysctl, scope } => *sysctl == Sysctl::Forwarding && of_interface(scope),
            Object::Ipv6Sysctl { scope, .. } => address.is_ipv6() && of_interface(scope),
            Object::ProxyDelay { .. } | Object::Proxy { .. } => false,
        };
        let names = |index| snapshot.interface(index).map(|interface| interface.name);
        let own = own.get(address).into_iter().flatten();
        let lacks: Vec<String> =
            own.chain(shared.iter().filter(concerns)).map(|change| change.named(&names)).collect();
        if !lacks.is_empty() {
            lacking.insert(*address, lacks);
        }
    }
    lacking
}

/// Addresses that the policy file names and that are in force already though no script handed them over
/// (`arpflux apply` made them): they are none of our business and stay as they are.
fn kept(snapshot: &Snapshot, wanted: &Wanted<'_>) -> BTreeMap<IpAddr, Held> {
    let ruled = snapshot.rules.iter().filter(|rule| rule.protocol == PROTOCOL).filter_map(|rule| rule.source);
    let published =
        snapshot.proxies.iter().filter(|entry| entry.protocol == PROTOCOL).map(|entry| entry.address);
    let in_force: HashSet<IpAddr> = ruled.map(|net| net.addr()).chain(published).collect();
    let mut kept = BTreeMap::new();
    for proxy in &wanted.policy.proxies {
        if snapshot.interface_named(&proxy.interface).is_none() {
            continue;
        }
        for address in &proxy.addresses {
            let ours = wanted.registry.held.contains_key(address) || wanted.withdrawn.contains_key(address);
            if !ours && in_force.contains(address) {
                kept.insert(*address, Held { owner: proxy.owner.clone(), interface: proxy.interface });
            }
        }
    }
    kept
}

/// The proxy entries of withdrawn addresses: all on the interface where they were published, and ours on
/// all others. So are those of addresses that cannot be published at the moment.
fn withdrawn_entries(snapshot: &Snapshot, wanted: &Wanted<'_>) -> Vec<ProxyEntry> {
    let known = Index::new(snapshot);
    let idle = wanted.registry.held.iter().filter(|(address, held)| idle(&known, **address, held).is_some());
    let mut gone: BTreeMap<IpAddr, Option<IfName>> = wanted.withdrawn.clone();
    gone.extend(idle.map(|(address, _)| (*address, None)));
    let index = |name: &IfName| snapshot.interface_named(name).map(|interface| interface.index);
    // The newest first: the kernel looks through each bucket from its newest entry on.
    let goes = |entry: &&ProxyEntry| match gone.get(&entry.address) {
        None => false,
        Some(published) => {
            let there = published.as_ref().and_then(index);
            entry.protocol == PROTOCOL || (there.is_some() && entry.interface == there)
        }
    };
    snapshot.proxies.iter().rev().filter(goes).copied().collect()
}

/// Lets these entries go before all else.
pub(crate) fn prepend(plan: &mut Plan, snapshot: &Snapshot, entries: &[ProxyEntry]) {
    let first: Vec<Change> = entries.iter().copied().map(Change::remove).collect();
    // A policy that removes foreign entries may have planned the same.
    plan.changes.retain(|change| !first.contains(change));
    plan.changes.splice(0..0, first);
    name_interfaces(plan, snapshot, entries.iter().filter_map(|entry| entry.interface));
}

/// Puts interfaces among those that a plan is about.
pub(super) fn name_interfaces(
    plan: &mut Plan,
    snapshot: &Snapshot,
    interfaces: impl Iterator<Item = IfIndex>,
) {
    let known: BTreeSet<_> = plan.interfaces.iter().map(|interface| interface.index).collect();
    let more: BTreeMap<_, _> =
        interfaces.filter_map(|index| snapshot.interface(index)).map(|now| (now.index, now)).collect();
    plan.interfaces.extend(
        more.into_values().filter(|now| !known.contains(&now.index)).map(|now| InterfaceIdentity {
            index: now.index,
            name: now.name,
            mac: now.mac,
        }),
    );
}

/// The announcements for addresses that are published where they should be.
pub(super) fn announcements(snapshot: &Snapshot, held: &[(IpAddr, Held)]) -> Vec<Announcement> {
    let of = |(address, held): &(IpAddr, Held)| {
        let interface = snapshot.interface_named(&held.interface)?;
        let entry =
            |entry: &ProxyEntry| entry.address == *address && entry.interface == Some(interface.index);
        let published = snapshot.proxies.iter().any(entry) && interface.speaks_arp();
        published.then_some(Announcement { interface: interface.index, address: *address })
    };
    held.iter().filter_map(of).collect()
}
