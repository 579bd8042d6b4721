//! Everything a policy wants of one host, in the kernel's own terms: what `plan` brings about and
//! `verify` looks for.

use std::net::IpAddr;

use foldhash::{HashMap, HashSet};

use super::PROTOCOL;
use super::competing::Competing;
use super::egress::{self, Egress, Source, Sources};
use super::interfaces::{self, Managed};
#[cfg(feature = "kernel")]
use super::order;
use super::proxies;
use super::published;
use super::services::{self, Service};
use super::strategy;
use super::view::{Family, View};
use crate::error::{Error, Result};
#[cfg(feature = "kernel")]
use crate::policy::ForeignProxies;
use crate::policy::{self, Policy, ServiceAnswer};
use crate::snapshot::{ProxyEntry, Route, Rule, Snapshot};
use crate::state::settled_route;
#[cfg(feature = "kernel")]
use crate::state::{Change, Object};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::{IfIndex, IpNet};

/// A value that `net.ipv4.conf.INTERFACE` shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WantedSysctl {
    pub interface: IfIndex,
    pub sysctl: Sysctl,
    pub value: i32,
}

/// A value that `net.ipv6.conf.INTERFACE` shall have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WantedIpv6Sysctl {
    pub interface: IfIndex,
    pub sysctl: Ipv6Sysctl,
    pub value: i32,
}

/// What a policy wants of one host.
#[derive(Debug, Default)]
pub(crate) struct Desired {
    /// The interfaces that the policy is about.
    pub interfaces: Vec<IfIndex>,
    /// The host's own addresses on them, and whose they are.
    pub host_addresses: Vec<(IpAddr, IfIndex)>,
    /// The host's own IPv6 addresses on the interfaces of `[host]`, and whose they are: nothing is set for them.
    pub host_ipv6: Vec<(IpAddr, IfIndex)>,
    /// Addresses that several hosts hold or take over, and who answers for them here.
    pub services: Vec<Service>,
    /// The proxied addresses, and who answers for them.
    pub proxied: Vec<(IpAddr, IfIndex)>,
    pub sysctls: Vec<WantedSysctl>,
    pub ipv6_sysctls: Vec<WantedIpv6Sysctl>,
    /// `proxy_delay` of interfaces, in ms.
    pub proxy_delays: Vec<(IfIndex, u64)>,
    pub proxies: Vec<ProxyEntry>,
    /// Those of them that are not there.
    pub missing_proxies: Vec<ProxyEntry>,
    /// Entries that are there and shall not be.
    pub unwanted_proxies: Vec<ProxyEntry>,
    pub rules: Vec<Rule>,
    /// Rules of ours that are there and shall not be.
    pub unwanted_rules: Vec<Rule>,
    pub routes: Vec<Route>,
    /// Routes of ours that are there and shall not be.
    pub unwanted_routes: Vec<Route>,
    /// What was chosen, and why.
    pub decisions: Vec<String>,
    /// What the policy wants and cannot have now; the rest does not depend on it.
    pub unmet: Vec<Error>,
}

impl Desired {
    /// The value that a sysctl of `net.ipv4.conf` shall have, if the policy says.
    #[cfg(feature = "kernel")]
    pub(crate) fn value(&self, interface: IfIndex, sysctl: Sysctl) -> Option<i32> {
        let wanted =
            self.sysctls.iter().find(|wanted| (wanted.interface, wanted.sysctl) == (interface, sysctl));
        wanted.map(|wanted| wanted.value)
    }

    /// What it takes to keep it on a host on which it cannot be told anew: of the interfaces that are still there, and nothing
    /// is taken away but what stands in the place of something.
    ///
    /// # Errors
    /// As [`Policy::plan`], if an interface has no such value any more.
    #[cfg(feature = "kernel")]
    pub(crate) fn still(
        &self,
        policy: &Policy,
        snapshot: &Snapshot,
        is_there: impl Fn(IfIndex) -> bool,
    ) -> Result<Vec<Change>> {
        let leads = |route: &Route| route.next_hops.iter().filter_map(|hop| hop.interface).all(&is_there);
        let on = |entry: &ProxyEntry| entry.interface.is_none_or(&is_there);
        let routes: Vec<Route> = self.routes.iter().filter(|route| leads(route)).cloned().collect();
        let places: HashSet<RouteKey> = routes.iter().map(route_key).collect();
        let mut unwanted_routes = unwanted_routes(&routes, snapshot);
        unwanted_routes.retain(|route| places.contains(&route_key(route)));
        let is = |entry: &&ProxyEntry| snapshot.proxies.contains(entry);
        let kept = Self {
            sysctls: self.sysctls.iter().filter(|wanted| is_there(wanted.interface)).copied().collect(),
            ipv6_sysctls: self
                .ipv6_sysctls
                .iter()
                .filter(|wanted| is_there(wanted.interface))
                .copied()
                .collect(),
            proxy_delays: self.proxy_delays.iter().filter(|(index, _)| is_there(*index)).copied().collect(),
            missing_proxies: self.proxies.iter().filter(|entry| on(entry) && !is(entry)).copied().collect(),
            unwanted_proxies: snapshot
                .proxies
                .iter()
                .filter(|entry| self.wants_entry(policy, &Change::remove(**entry)))
                .copied()
                .collect(),
            rules: self.rules.clone(),
            routes,
            unwanted_routes,
            ..Self::default()
        };
        order::changes(&kept, snapshot)
    }

    /// Whether the policy, or what is published, says anything of proxy entries.
    #[cfg(feature = "kernel")]
    pub(crate) fn minds_entries(&self, policy: &Policy) -> bool {
        !self.proxied.is_empty() || policy.host.foreign_proxies == ForeignProxies::Remove
    }

    /// Whether this is what the policy itself does with a proxy entry. The entries of others are theirs.
    #[cfg(feature = "kernel")]
    pub(crate) fn wants_entry(&self, policy: &Policy, change: &Change) -> bool {
        let Object::Proxy { address, interface } = change.object else { return false };
        let wanted = self.proxies.iter().any(|one| (one.address, one.interface) == (address, interface));
        let forbidden = policy.host.foreign_proxies == ForeignProxies::Remove
            || self.proxied.iter().any(|(named, _)| *named == address);
        wanted == change.after.is_there() && (wanted || forbidden)
    }
}

/// What `policy` wants of the host that `snapshot` shows.
///
/// # Errors
/// As [`Policy::plan`].
pub(crate) fn desired(policy: &Policy, snapshot: &Snapshot) -> Result<Desired> {
    snapshot.check()?;
    policy.check()?;
    let view = View::new(snapshot);
    let mut unmet = Vec::new();
    let managed = interfaces::resolve(policy, &view, &mut unmet)?;
    let proxied = proxies::sources(policy, &managed);
    let kept = published::sources(policy, &view, &managed, &proxied);
    let of_kept = kept.iter().map(|source| source.interface);
    let lacking = view.lacking(&managed.all().map(|interface| interface.index).chain(of_kept).collect());
    let view = view.with(&lacking);
    let mut decisions = Vec::new();
    if policy.host.interfaces.is_none() && !managed.host.is_empty() {
        decisions.push(format!(
            "interfaces: {}, as the policy names none and these speak ARP and hold an IPv4 address",
            view.names(managed.host.iter().map(|interface| interface.index)),
        ));
    }
    let v4 = Competing::new(&view, Family::V4, &managed.named);
    let mut host_addresses = host_addresses(&view, &managed);
    let answer = |address: IpAddr| {
        policy
            .services
            .iter()
            .find(|service| service.addresses.contains(&address))
            .map(|service| service.answer)
    };
    // Nobody asks for what this host never answers for, so nothing goes back from there.
    host_addresses.retain(|source| answer(source.address) != Some(ServiceAnswer::Never));
    // The host's own are IPv4.
    let wanted: Vec<Source> = host_addresses.iter().chain(&proxied).copied().collect();
    let sources = Sources { wanted: &wanted, kept: &kept };
    let make = policy.host.egress == policy::Egress::SourceRouted;
    let before = decisions.len();
    let egress_v4 = egress::plan(&view, Family::V4, &v4, sources, make, &mut decisions, &mut unmet)?;
    let egress_v6 = if proxied.iter().chain(&kept).any(|source| source.address.is_ipv6()) {
        let v6 = Competing::new(&view, Family::V6, &managed.named);
        egress::plan(&view, Family::V6, &v6, sources, make, &mut decisions, &mut unmet)?
    } else {
        Egress::default()
    };
    if make && decisions.len() == before && unmet.is_empty() {
        decisions.push(
            "source routing: not needed, as no two interfaces share a subnet or have gateways to the same \
             places: each source leaves by its own interface already"
                .into(),
        );
    }
    published::note(&kept, &mut decisions);
    let mut sysctls = strategy::plan(policy, &view, &managed, &v4, &egress_v4, &mut decisions)?;
    sysctls.extend(strategy::proxy_arp(policy, &view, &managed)?);
    let services = services::plan(policy, &view, &managed, &mut sysctls, &mut decisions, &mut unmet);
    services::answered(&services, &sysctls, snapshot, &view)?;
    // The answers for these are the services' own affair.
    host_addresses.retain(|source| answer(source.address).is_none());
    let on_host = managed.host.iter().flat_map(|interface| view.ipv6_in_use(interface.index));
    let host_ipv6 = on_host.filter(|(address, _)| answer(*address).is_none()).collect();
    let proxies = proxies::plan(policy, &view, &managed, &proxied, &v4, &egress_v4, &mut decisions)?;
    sysctls.extend(proxies.sysctls);

    let mut routes = egress_v4.routes;
    routes.extend(egress_v6.routes);
    let mut rules = egress_v4.rules;
    rules.extend(egress_v6.rules);
    decisions.extend(unmet.iter().map(|error| match error.remedy() {
        Some(remedy) => format!("not kept: {}: {}; {remedy}", error.object(), error.message()),
        None => format!("not kept: {}: {}", error.object(), error.message()),
    }));
    let unwanted_rules = unwanted_rules(&rules, snapshot);
    let unwanted_routes = unwanted_routes(&routes, snapshot);
    let pair = |source: Source| (source.address, source.interface);
    Ok(Desired {
        interfaces: managed.all().map(|interface| interface.index).collect(),
        services,
        host_addresses: host_addresses.into_iter().map(pair).collect(),
        host_ipv6,
        proxied: proxied.into_iter().map(pair).collect(),
        sysctls,
        ipv6_sysctls: proxies.ipv6_sysctls,
        proxy_delays: proxies.delays,
        proxies: proxies.wanted,
        missing_proxies: proxies.missing,
        unwanted_proxies: proxies.unwanted,
        rules,
        unwanted_rules,
        routes,
        unwanted_routes,
        decisions,
        unmet,
    })
}

fn host_addresses(view: &View<'_>, managed: &Managed<'_>) -> Vec<Source> {
    let of = |interface: IfIndex| {
        view.addresses(interface).map(move |address| Source { address: address.local, interface })
    };
    managed.host.iter().flat_map(|interface| of(interface.index)).collect()
}

fn unwanted_rules(wanted: &[Rule], snapshot: &Snapshot) -> Vec<Rule> {
    let ours: Vec<&Rule> = snapshot.rules.iter().filter(|rule| rule.protocol == PROTOCOL).collect();
    if ours.is_empty() {
        return Vec::new();
    }
    let wanted: HashSet<&Rule> = wanted.iter().collect();
    ours.into_iter().filter(|rule| !wanted.contains(rule)).cloned().collect()
}

/// Routes of ours that are not wanted, and whosever stand in the place of those that are: what the kernel compares
/// is the same, but the route is another.
fn unwanted_routes(wanted: &[Route], snapshot: &Snapshot) -> Vec<Route> {
    let wanted: HashMap<RouteKey, Route> =
        wanted.iter().map(|route| (route_key(route), settled_route(route))).collect();
    let unwanted = |route: &&Route| match wanted.get(&route_key(route)) {
        Some(wanted) => settled_route(route) != *wanted,
        None => route.protocol == PROTOCOL,
    };
    snapshot.routes.iter().filter(unwanted).cloned().collect()
}

/// What no two routes that the kernel is asked for one after the other may have in common.
pub(super) type RouteKey = (u32, IpNet, u8, u32);

pub(super) fn route_key(route: &Route) -> RouteKey {
    (route.table, route.destination.trunc(), route.tos, route.metric)
}
