//! What the kernel holds against what the policy wants.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::{CheckKind, Failure, Report, impossible, wanted};
use crate::error::Result;
use crate::plan::desired::Desired;
use crate::plan::render::{proxy, route_in_words, rule_in_words};
use crate::policy::Policy;
use crate::snapshot::{PROXY_DELAY_STEP, ProxyEntry, Route, Rule, Snapshot};
use crate::state::settled_route;
use crate::types::IfIndex;

/// Compares every value, entry, rule and route that `policy` wants with what `snapshot` shows, and looks
/// for those of ours, and proxy entries for named addresses, that should not be there.
///
/// # Errors
/// As [`super::check`].
pub fn configuration(policy: &Policy, snapshot: &Snapshot) -> Result<Report> {
    let mut report = Report::default();
    match wanted(policy, snapshot)? {
        Ok(desired) => {
            for unmet in &desired.unmet {
                report.count(Some(impossible(unmet)));
            }
            sysctls(&desired, snapshot, &mut report);
            proxies(&desired, snapshot, &mut report);
            routing(&desired, snapshot, &mut report);
        }
        Err(failure) => report.count(Some(failure)),
    }
    Ok(report)
}

fn failure(
    check: CheckKind,
    object: String,
    expected: impl Into<String>,
    found: impl Into<String>,
) -> Failure {
    Failure { check, object, expected: expected.into(), found: found.into() }
}

fn sysctls(desired: &Desired, snapshot: &Snapshot, report: &mut Report) {
    let mut compare = |object: String, expected: String, found: Option<String>| {
        let found = found.unwrap_or_else(|| "no such sysctl".into());
        let good = expected == found;
        report.count((!good).then(|| failure(CheckKind::Sysctl, object, expected, found)));
    };
    for wanted in &desired.sysctls {
        let interface = snapshot.interface(wanted.interface);
        let found = interface.and_then(|interface| interface.sysctls.get(wanted.sysctl));
        let object = format!("net.ipv4.conf.{}.{}", snapshot.name_of(wanted.interface), wanted.sysctl);
        compare(object, wanted.value.to_string(), found.map(|found| found.to_string()));
    }
    for wanted in &desired.ipv6_sysctls {
        let interface = snapshot.interface(wanted.interface);
        let found = interface.and_then(|interface| interface.ipv6.get(wanted.sysctl));
        let object = format!("net.ipv6.conf.{}.{}", snapshot.name_of(wanted.interface), wanted.sysctl);
        compare(object, wanted.value.to_string(), found.map(|found| found.to_string()));
    }
    for (index, delay) in &desired.proxy_delays {
        let found = snapshot.interface(*index).map(|interface| interface.neigh.proxy_delay);
        let object = format!("net.ipv4.neigh.{}.proxy_delay", snapshot.name_of(*index));
        let in_words = |delay: u64| format!("{} ms", delay / PROXY_DELAY_STEP * PROXY_DELAY_STEP);
        compare(object, in_words(*delay), found.map(in_words));
    }
}

/// Each wanted entry is there, and each address that the policy names has no other.
fn proxies(desired: &Desired, snapshot: &Snapshot, report: &mut Report) {
    let names = |index: IfIndex| snapshot.name_of(index);
    let there: HashSet<&ProxyEntry> = snapshot.proxies.iter().collect();
    let mut unwanted: HashMap<IpAddr, Vec<&ProxyEntry>> = HashMap::new();
    for entry in &desired.unwanted_proxies {
        unwanted.entry(entry.address).or_default().push(entry);
    }
    for entry in &desired.proxies {
        let missing = !there.contains(entry);
        report.count(missing.then(|| failure(CheckKind::Proxy, proxy(entry, &names), "to be there", "none")));
        let others = unwanted.remove(&entry.address).unwrap_or_default();
        report.checks += 1;
        for other in others {
            report.failures.push(failure(CheckKind::Proxy, proxy(other, &names), "none", "one"));
        }
    }
    let mut rest: Vec<&ProxyEntry> = unwanted.into_values().flatten().collect();
    rest.sort();
    report.checks += rest.len();
    let forbidden = |entry| failure(CheckKind::Proxy, proxy(entry, &names), "none", "one");
    report.failures.extend(rest.into_iter().map(forbidden));
}

fn routing(desired: &Desired, snapshot: &Snapshot, report: &mut Report) {
    let names = |index: IfIndex| snapshot.name_of(index);
    let rules: HashSet<&Rule> = snapshot.rules.iter().collect();
    for rule in &desired.rules {
        let missing = !rules.contains(rule);
        report.count(missing.then(|| failure(CheckKind::Rule, rule_in_words(rule), "to be there", "none")));
    }
    for rule in &desired.unwanted_rules {
        report.count(Some(failure(CheckKind::Rule, rule_in_words(rule), "none", "one")));
    }
    let tables: HashSet<u32> = desired.routes.iter().map(|route| route.table).collect();
    let in_tables = snapshot.routes.iter().filter(|route| tables.contains(&route.table));
    let routes: HashSet<Route> = in_tables.map(settled_route).collect();
    for route in &desired.routes {
        let missing = !routes.contains(route);
        let object = || route_in_words(route, &names);
        report.count(missing.then(|| failure(CheckKind::Route, object(), "to be there", "none")));
    }
    for route in &desired.unwanted_routes {
        report.count(Some(failure(CheckKind::Route, route_in_words(route, &names), "none", "one")));
    }
}
