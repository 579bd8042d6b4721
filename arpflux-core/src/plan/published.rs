//! What other owners published and a policy does not name: an address that keeps its proxy entry keeps its
//! source routing with it. With strict source validation the entry alone answers nobody.

use std::collections::BTreeSet;
use std::net::IpAddr;

use foldhash::{HashMap, HashMapExt as _, HashSet};

use super::egress::{Source, is_table_of};
use super::interfaces::Managed;
use super::view::View;
use super::{Change, PROTOCOL};
use crate::policy::{ForeignProxies, Policy};
use crate::snapshot::{ProxyEntry, Rule, Snapshot, table};
use crate::types::IfIndex;
use crate::words::listed;

/// Whether the policy takes away an entry of an address that it does not name.
pub(super) fn forbidden(policy: &Policy, all: &HashSet<IfIndex>, entry: &ProxyEntry) -> bool {
    policy.host.foreign_proxies == ForeignProxies::Remove
        && entry.interface.is_none_or(|interface| all.contains(&interface))
}

/// The address whose packets a rule of ours sends to the table of an interface.
pub(crate) fn source_of(rule: &Rule) -> Option<IpAddr> {
    let net = rule.source.filter(|net| net.prefix_len() == net.max_prefix_len())?;
    (rule.protocol == PROTOCOL).then(|| net.addr())
}

/// The addresses that the policy does not name, that keep an entry, and that have a rule of ours: each with the
/// interface of the entry that the rule belongs to.
pub(super) fn sources(
    policy: &Policy,
    view: &View<'_>,
    managed: &Managed<'_>,
    proxied: &[Source],
) -> Vec<Source> {
    let own_table = view.snapshot.rules.iter().filter(|rule| rule.table != table::MAIN);
    let ruled: Vec<(IpAddr, u32)> =
        own_table.filter_map(|rule| Some((source_of(rule)?, rule.table))).collect();
    if ruled.is_empty() {
        return Vec::new();
    }
    let all: HashSet<IfIndex> = managed.all().map(|interface| interface.index).collect();
    let mut candidates: HashMap<IpAddr, Vec<&ProxyEntry>> = HashMap::new();
    for (address, _) in &ruled {
        if view.index.holders(*address).is_empty() {
            candidates.entry(*address).or_default();
        }
    }
    for source in proxied {
        candidates.remove(&source.address);
    }
    for entry in view.snapshot.proxies.iter().filter(|entry| !forbidden(policy, &all, entry)) {
        if let Some(entries) = candidates.get_mut(&entry.address) {
            entries.push(entry);
        }
    }
    let mut kept = Vec::new();
    for (address, table) in ruled {
        // Each address once, though a second rule of ours may name it.
        let Some(entries) = candidates.remove(&address) else { continue };
        let of_rule = |entry: &&&ProxyEntry| entry.interface.is_some_and(|index| is_table_of(index, table));
        let ours = |entry: &&&ProxyEntry| entry.protocol == PROTOCOL && entry.interface.is_some();
        let entry = entries.iter().find(of_rule).or_else(|| entries.iter().find(ours));
        kept.extend(entry.and_then(|entry| Some(Source { address, interface: entry.interface? })));
    }
    kept
}

/// Says which addresses of others keep their source routing.
pub(super) fn note(kept: &[Source], decisions: &mut Vec<String>) {
    if !kept.is_empty() {
        let addresses: BTreeSet<IpAddr> = kept.iter().map(|source| source.address).collect();
        decisions.push(format!(
            "kept: the rules for packets from {}, which the policy does not name but arpflux published: they \
             stay as long as the proxy entries do",
            listed(addresses),
        ));
    }
}

/// What takes the source routing of `addresses` away, those of them that have no proxy entry in `snapshot`: their
/// rules of ours, and the tables that these alone led to.
#[cfg_attr(not(feature = "kernel"), expect(dead_code, reason = "transactions alone call it"))]
pub(crate) fn orphans(snapshot: &Snapshot, addresses: &HashSet<IpAddr>) -> Vec<Change> {
    let published: HashSet<IpAddr> = snapshot.proxies.iter().map(|entry| entry.address).collect();
    let orphan = |rule: &Rule| {
        source_of(rule).is_some_and(|address| addresses.contains(&address) && !published.contains(&address))
    };
    let (gone, rest): (Vec<&Rule>, Vec<&Rule>) =
        snapshot.rules.iter().filter(|rule| rule.protocol == PROTOCOL).partition(|rule| orphan(rule));
    let led_to: HashSet<u32> = rest.iter().map(|rule| rule.table).collect();
    let tables: HashSet<u32> =
        gone.iter().map(|rule| rule.table).filter(|table| !led_to.contains(table)).collect();
    // The last first, as the order of a plan has it.
    let rules = gone.iter().rev();
    let mut changes: Vec<Change> = rules.map(|rule| Change::remove((*rule).clone())).collect();
    let routes = snapshot.routes.iter().rev();
    let routes = routes.filter(|route| route.protocol == PROTOCOL && tables.contains(&route.table));
    changes.extend(routes.cloned().map(Change::remove));
    changes
}

/// The snapshot without some of its proxy entries: what is planned for it lets the rules of these go.
#[cfg_attr(not(feature = "kernel"), expect(dead_code, reason = "transactions alone call it"))]
pub(crate) fn without(snapshot: &Snapshot, gone: &[ProxyEntry]) -> Snapshot {
    let gone: HashSet<&ProxyEntry> = gone.iter().collect();
    let mut rest = snapshot.clone();
    rest.proxies.retain(|entry| !gone.contains(entry));
    rest
}
