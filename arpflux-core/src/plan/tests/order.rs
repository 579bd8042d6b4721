//! The order of changes: what must come before what.

use super::host::{Host, lan};
use super::{OPENVZ_POLICY, index, plan};
use crate::state::{Change, Object, Value};
use crate::sysctl::Sysctl;

/// The stage of a change, as the text of [`crate::plan`] counts them.
fn stage(change: &Change) -> u32 {
    match (&change.object, change.after.is_there()) {
        (Object::ProxyDelay { .. } | Object::Ipv6Sysctl { .. }, _) => 1,
        (Object::Sysctl { sysctl: Sysctl::Forwarding, .. }, _) => 1,
        (Object::Sysctl { sysctl: Sysctl::ArpIgnore, .. }, _)
            if matches!(change.before, Value::Number(2 | 8)) =>
        {
            1
        }
        (Object::Route(_), true) => 2,
        (Object::Proxy { .. }, true) => 3,
        (Object::Rule(rule), true) => 40 + u32::from(rule.source.is_some()),
        (Object::Rule(rule), false) => 50 + u32::from(rule.source.is_none()),
        (Object::Sysctl { sysctl: Sysctl::ArpAnnounce, .. }, _) => 60,
        (Object::Sysctl { .. }, _) => 61,
        (Object::Proxy { .. }, false) => 70,
        (Object::Route(_), false) => 52,
    }
}

fn assert_staged(changes: &[Change]) -> Vec<u32> {
    let stages: Vec<u32> = changes.iter().map(stage).map(|n| if n < 10 { n * 10 } else { n }).collect();
    assert!(stages.is_sorted(), "{stages:?}");
    stages
}

/// Nothing of ours is wanted, no proxy entry either.
const NOTHING: &str =
    "[host]\nstrategy = \"unmanaged\"\negress = \"unmanaged\"\nforeign_proxies = \"remove\"\n";

#[test]
fn each_stage_follows_the_one_before() {
    let mut host = Host::openvz().each(Sysctl::Forwarding, 0);
    host.0.proxies.retain(|entry| entry.interface == Some(index(2)));
    let text = OPENVZ_POLICY.replace("[host]", "[host]\nproxy_delay = 0");
    let first = plan(&host, &text);
    let mut stages = assert_staged(&first.changes);
    stages.dedup();
    assert_eq!(stages, [10, 20, 30, 41, 60, 61, 70]);
    let applied = Host(host.0.with(&first.changes));
    let gone = plan(&applied, NOTHING);
    let mut stages = assert_staged(&gone.changes);
    stages.dedup();
    assert_eq!(stages, [50, 52, 70]);
}

#[test]
fn interfaces_that_are_silent_about_themselves_open_before_others_close() {
    for silent in [2, 8] {
        let host = Host::openvz().one(4, Sysctl::ArpIgnore, silent);
        let plan = plan(&host, OPENVZ_POLICY);
        assert_staged(&plan.changes);
        let ignore: Vec<_> = plan
            .changes
            .iter()
            .filter(|change| matches!(change.object, Object::Sysctl { sysctl: Sysctl::ArpIgnore, .. }))
            .map(|change| change.interface().unwrap().0)
            .collect();
        assert_eq!(ignore, [4, 2, 3]);
    }
}

#[test]
fn a_moving_container_is_published_before_its_rule_moves_and_withdrawn_last() {
    let host = Host::openvz();
    let applied = Host(host.0.with(&plan(&host, OPENVZ_POLICY).changes));
    let moved = OPENVZ_POLICY.replacen("interface = \"eth3\"", "interface = \"eth4\"", 1);
    let plan = plan(&applied, &moved);
    assert_eq!(assert_staged(&plan.changes), [30, 41, 41, 50, 50, 70]);
    let removed = plan.changes.iter().any(|change| {
        change.object == Object::Proxy { address: lan(101), interface: Some(index(3)) }
            && !change.after.is_there()
    });
    assert!(removed);
}

#[test]
fn connected_routes_come_before_gateways_and_go_after_them() {
    let host = Host::openvz();
    let first = plan(&host, OPENVZ_POLICY);
    let gateways = |changes: &[Change]| -> Vec<bool> {
        let of = |change: &Change| match &change.object {
            Object::Route(route) => Some(route.next_hops[0].gateway.is_some()),
            _ => None,
        };
        changes.iter().filter_map(of).collect()
    };
    assert_eq!(gateways(&first.changes), [false, true, false, true, false, true]);
    let applied = Host(host.0.with(&first.changes));
    let gone = plan(&applied, NOTHING);
    assert_eq!(gateways(&gone.changes), [true, false, true, false, true, false]);
}
