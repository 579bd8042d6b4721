//! Whether a twin is the host: read back by the ordinary reader, and compared.

use std::collections::BTreeMap;
use std::fmt::Debug;

use arpflux_core::filter::{Chain, Filters};
use arpflux_core::snapshot::{AddressFlags, Interface, InterfaceFlags, Route, Rule, RuleFlags, Snapshot};
use arpflux_core::sysctl::SysctlValues;

use super::fill::same;
use super::filters;

/// In what `twin` differs from `host`, one sentence each.
pub fn differences(host: &Snapshot, twin: &Snapshot) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: String, host: &dyn Debug, twin: &dyn Debug| {
        let (host, twin) = (format!("{host:?}"), format!("{twin:?}"));
        if host != twin {
            found.push(format!("{what} is {twin} on the twin, and {host} on the host"));
        }
    };
    settings("all", &host.all, &twin.all, &mut compare);
    settings("default", &host.default, &twin.default, &mut compare);
    compare("net.ipv4.ip_forward".into(), &host.ip_forward, &twin.ip_forward);
    compare("net.ipv4.ip_nonlocal_bind".into(), &host.ip_nonlocal_bind, &twin.ip_nonlocal_bind);
    for one in &host.interfaces {
        match twin.interface(one.index) {
            Some(other) => interfaces(one, other, &mut compare),
            None => compare(one.name.to_string(), &"there", &"not there"),
        }
    }
    for other in twin.interfaces.iter().filter(|other| host.interface(other.index).is_none()) {
        if !other.flags.contains(InterfaceFlags::LOOPBACK) {
            compare(other.name.to_string(), &"not there", &"there");
        }
    }
    // How long an address lives is not in a snapshot.
    let flags = AddressFlags::SECONDARY | AddressFlags::NOPREFIXROUTE;
    let addresses = |of: &Snapshot, index| -> Vec<_> {
        let held = of.addresses_of(index);
        held.map(|one| (one.local, one.peer, one.prefix_len, one.scope, one.flags & flags, one.broadcast))
            .collect()
    };
    for one in &host.interfaces {
        let what = format!("the list of addresses of {}", one.name);
        compare(what, &addresses(host, one.index), &addresses(twin, one.index));
    }
    let (of_host, of_twin) = (by_prefix(host), by_prefix(twin));
    for place in of_host.keys().chain(of_twin.keys().filter(|place| !of_host.contains_key(*place))) {
        let none = Vec::new();
        let (on_host, on_twin) = (of_host.get(place).unwrap_or(&none), of_twin.get(place).unwrap_or(&none));
        if !same(on_host, on_twin) {
            compare(format!("routes of {place}"), on_host, on_twin);
        }
    }
    let rules = |of: &Snapshot| -> Vec<Rule> {
        let settled = |rule: &Rule| {
            let mut rule = rule.clone();
            rule.flags &= RuleFlags::INVERT;
            rule
        };
        of.rules.iter().map(settled).collect()
    };
    compare("the list of rules".into(), &rules(host), &rules(twin));
    let proxies = |of: &Snapshot| {
        let mut proxies = of.proxies.clone();
        proxies.sort();
        proxies
    };
    compare("the list of proxy entries".into(), &proxies(host), &proxies(twin));
    let permanent = |of: &Snapshot| {
        let entries =
            of.neighbours.iter().filter(|entry| entry.state.is_permanent() && entry.address.is_ipv4());
        let mut entries: Vec<_> = entries.map(|entry| (entry.interface, entry.address, entry.mac)).collect();
        entries.sort();
        entries
    };
    compare("the list of permanent neighbours".into(), &permanent(host), &permanent(twin));
    compare_filters(host, twin, &mut compare);
    found
}

fn compare_filters(host: &Snapshot, twin: &Snapshot, compare: &mut Compare<'_>) {
    let (host, twin) = (filters::sorted(&host.filters), filters::sorted(&twin.filters));
    let titles = |of: &Filters| -> Vec<String> { of.chains.iter().map(Chain::title).collect() };
    compare("the list of chains".into(), &titles(&host), &titles(&twin));
    for (one, other) in
        host.chains.iter().zip(&twin.chains).filter(|(one, other)| one.title() == other.title())
    {
        compare(one.title(), one, other);
    }
    compare("the list of sets".into(), &host.sets, &twin.sets);
}

/// In what the kernels remember otherwise what no dump shows, where both are known.
pub fn memories(host: &Snapshot, twin: &Snapshot) -> Vec<String> {
    let (host, twin) = (&host.routing, &twin.routing);
    let pairs = [
        ("rules were ever changed", host.rules_changed, twin.rules_changed),
        ("local routes were ever added", host.local_routes_added, twin.local_routes_added),
    ];
    let differ = pairs.into_iter().filter(|(_, one, other)| one.is_some() && other.is_some() && one != other);
    differ.map(|(what, ..)| format!("whether {what} is not the same")).collect()
}

fn by_prefix(of: &Snapshot) -> BTreeMap<String, Vec<&Route>> {
    let mut groups: BTreeMap<String, Vec<&Route>> = BTreeMap::new();
    for route in &of.routes {
        let (table, to, metric, tos) = (route.table, route.destination, route.metric, route.tos);
        groups.entry(format!("table {table}, {to} metric {metric} tos {tos}")).or_default().push(route);
    }
    groups
}

type Compare<'a> = dyn FnMut(String, &dyn Debug, &dyn Debug) + 'a;

/// A sysctl that one of the two kernels does not have is passed over.
fn settings(folder: &str, host: &SysctlValues, twin: &SysctlValues, compare: &mut Compare<'_>) {
    for (sysctl, value) in host.iter() {
        if let Some(other) = twin.get(sysctl) {
            compare(format!("net.ipv4.conf.{folder}.{sysctl}"), &value, &other);
        }
    }
}

fn interfaces(host: &Interface, twin: &Interface, compare: &mut Compare<'_>) {
    let name = &host.name;
    let flags = InterfaceFlags::UP | InterfaceFlags::NOARP;
    let mut one =
        |what: &str, host: &dyn Debug, twin: &dyn Debug| compare(format!("{what} of {name}"), host, twin);
    one("name", &host.name, &twin.name);
    one("kind", &host.kind, &twin.kind);
    one("MAC", &host.mac, &twin.mac);
    one("flags", &(host.flags & flags), &(twin.flags & flags));
    one("carrier", &host.carrier, &twin.carrier);
    one("link below", &host.link, &twin.link);
    one("MTU", &host.mtu, &twin.mtu);
    one("group", &host.group, &twin.group);
    one("VLAN", &host.vlan_id, &twin.vlan_id);
    one("mode", &host.macvlan_mode, &twin.macvlan_mode);
    one("table", &host.vrf_table, &twin.vrf_table);
    one("state as a port", &host.bridge_port_state, &twin.bridge_port_state);
    one("bridging", &host.bridging, &twin.bridging);
    one("options", &host.open_options, &twin.open_options);
    one("proxy queue", &host.neigh, &twin.neigh);
    settings(&name.to_string(), &host.sysctls, &twin.sysctls, compare);
}
