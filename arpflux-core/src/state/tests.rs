//! What changes do to a snapshot.

use crate::plan::PROTOCOL;
use crate::snapshot::{Interface, ProxyEntry, Route, Rule, Snapshot};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::IfIndex;

use super::{Change, Object, State, SysctlScope, Value};

fn host() -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (index, name) in [(1, "lo"), (2, "eth0")] {
        let text = format!(
            r#"{{"index":{index},"name":"{name}","kind":null,"link_type":1,"mac":"none","flags":1,
                "carrier":true,"master":null,"link":null,"link_netnsid":null,"mtu":1500,"vlan_id":null,
                "macvlan_mode":null,"vrf_table":null,"sysctls":{{"forwarding":0,"arp_ignore":0}},
                "neigh":{{"proxy_delay":800,"proxy_qlen":64,"locktime":1000}}}}"#
        );
        snapshot.interfaces.push(serde_json::from_str::<Interface>(&text).unwrap());
    }
    snapshot.all.set(Sysctl::Forwarding, Some(0));
    snapshot.default.set(Sysctl::Forwarding, Some(0));
    snapshot
}

fn rule(priority: u32, ipv6: bool) -> Change {
    let text = format!(
        r#"{{"ipv6":{ipv6},"priority":{priority},"source":null,"destination":null,"iif":null,"oif":null,
            "tos":0,"fwmark":0,"fwmask":0,"action":"table","table":{priority},"goto":null,
            "suppress_prefix_len":null,"suppress_group":null,"l3mdev":false,"ip_protocol":null,
            "source_ports":null,"destination_ports":null,"uids":null,"tunnel_id":null,"protocol":0,"flags":0}}"#
    );
    Change::add(serde_json::from_str::<Rule>(&text).unwrap())
}

#[test]
fn forwarding_of_all_reaches_every_interface_and_nothing_else_does() {
    let all = |sysctl, after| Change::set(Object::Sysctl { scope: SysctlScope::All, sysctl }, 0, after);
    let after = host().with(&[all(Sysctl::Forwarding, 1), all(Sysctl::ArpIgnore, 2)]);
    assert_eq!((after.ip_forward, after.default.get(Sysctl::Forwarding)), (1, Some(1)));
    for interface in &after.interfaces {
        assert_eq!(interface.sysctls.get(Sysctl::Forwarding), Some(1));
        assert_eq!(interface.sysctls.get(Sysctl::ArpIgnore), Some(0));
    }
    // Writing the value that is there already copies nothing.
    let one = SysctlScope::Interface { index: IfIndex(2), name: "eth0".parse().unwrap() };
    let off = Change::set(Object::Sysctl { scope: one, sysctl: Sysctl::Forwarding }, 1, 0);
    let again = after.with(&[off, all(Sysctl::Forwarding, 1)]);
    assert_eq!(again.interfaces[1].sysctls.get(Sysctl::Forwarding), Some(0));
}

#[test]
fn rules_keep_the_order_of_their_family_and_priority() {
    let changes = [rule(32766, false), rule(0, false), rule(0, true), rule(100, false), rule(32766, true)];
    let after = host().with(&changes);
    let order: Vec<_> = after.rules.iter().map(|rule| (rule.ipv6, rule.priority)).collect();
    assert_eq!(order, [(false, 0), (false, 100), (false, 32766), (true, 0), (true, 32766)]);
    assert_eq!(after.routing.rules_changed, Some(true));
}

#[test]
fn a_change_and_its_inverse_give_the_same_entries() {
    let entry = ProxyEntry {
        address: "10.0.0.1".parse().unwrap(),
        interface: Some(IfIndex(2)),
        flags: 0,
        protocol: PROTOCOL,
    };
    let add = Change::add(entry);
    let before = host().with(&[rule(5, false)]);
    let there = before.with(&[add.clone(), add.clone(), rule(7, false)]);
    assert_eq!((there.proxies.len(), there.rules.len()), (1, 2));
    assert_eq!(there.with(&[rule(7, false).inverse(), add.inverse()]), before);
}

#[test]
fn a_state_tells_what_is_there_what_is_not_and_what_cannot_be() {
    let before = host().with(&[rule(5, false)]);
    let mut state = State::of(&before);
    let scope =
        |index, name: &str| SysctlScope::Interface { index: IfIndex(index), name: name.parse().unwrap() };
    let sysctl = |scope, sysctl| Object::Sysctl { scope, sysctl };
    // An interface is its number, whatever it is called now.
    assert_eq!(state.get(&sysctl(scope(2, "old"), Sysctl::ArpIgnore)), Value::Number(0));
    assert_eq!(state.get(&sysctl(scope(2, "eth0"), Sysctl::RpFilter)), Value::Unknown);
    assert_eq!(state.get(&sysctl(scope(9, "eth9"), Sysctl::ArpIgnore)), Value::Gone);
    assert_eq!(state.get(&Object::ProxyDelay { scope: scope(2, "eth0") }), Value::Number(800));
    let proxy = |index| Object::Proxy { address: [10, 0, 0, 1].into(), interface: Some(IfIndex(index)) };
    assert_eq!((state.get(&proxy(2)), state.get(&proxy(9))), (Value::Absent, Value::Gone));
    // A rule is the same whether or not the interface that it names is there just now.
    let Object::Rule(mut held) = rule(5, false).object else { unreachable!() };
    held.flags |= crate::snapshot::RuleFlags::IIF_DETACHED;
    assert_eq!(state.get(&Object::Rule(held.clone())), Value::Present);
    state.make(&Change::remove(*held.clone()));
    assert_eq!(state.get(&Object::Rule(held)), Value::Absent);
    assert!(state.into_snapshot().rules.is_empty());
}

#[test]
fn an_entry_is_replaced_by_way_of_its_absence() {
    let entry = |protocol| Value::Entry { flags: 0, protocol };
    let object = Object::Proxy { address: [10, 0, 0, 1].into(), interface: None };
    let step = Change { object, before: entry(3), after: entry(4) };
    let made = step.clone().steps();
    assert_eq!(made.len(), 2);
    let mut state = State::from(host()).with([&Change { before: Value::Absent, ..step.inverse() }]);
    assert_eq!(state.get(&step.object), entry(3));
    made.iter().for_each(|change| state.make(change));
    assert_eq!(state.get(&step.object), entry(4));
    for change in [rule(5, true), made[0].clone()] {
        assert_eq!(change.clone().steps(), [change]);
    }
    // There is no way to a value that the object cannot have.
    assert_eq!(Change { before: Value::Gone, after: Value::Absent, ..step }.steps(), []);
}

#[test]
fn a_new_route_stands_before_a_larger_metric_or_behind_its_prefix_or_its_table() {
    let route = |table: u32, destination: &str, metric: u32| {
        let text = format!(
            r#"{{"table":{table},"kind":"unicast","destination":"{destination}","source":null,"tos":0,"metric":{metric},
                "scope":253,"protocol":4,"preferred_source":null,"next_hops":[],"nexthop_id":null}}"#
        );
        Box::new(serde_json::from_str::<Route>(&text).unwrap())
    };
    let add = |route: &Route| Change::add(route.clone());
    let held = [
        route(7, "10.0.0.0/8", 1),
        route(7, "10.0.0.0/8", 5),
        route(7, "10.1.0.0/16", 0),
        route(254, "0.0.0.0/0", 0),
        route(254, "2001:db8::/32", 0),
    ];
    let before = Snapshot { routes: held.iter().map(|route| (**route).clone()).collect(), ..host() };
    let placed = |new: Box<Route>| {
        let after = before.with(&[add(&new)]);
        assert_eq!(after.with(&[add(&new).inverse()]), before);
        after.routes.iter().position(|held| *held == *new)
    };
    assert_eq!(placed(route(7, "10.0.0.0/8", 3)), Some(1));
    assert_eq!(placed(route(7, "10.0.0.0/8", 9)), Some(2));
    assert_eq!(placed(route(7, "10.9.0.0/16", 0)), Some(3));
    assert_eq!(placed(route(254, "10.9.0.0/16", 0)), Some(4));
    assert_eq!(placed(route(8, "10.9.0.0/16", 0)), Some(5));
}

fn read(text: &str) -> Result<Change, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn to_json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

/// One of each kind, with what the version before wrote of it.
fn each() -> Vec<(Change, String)> {
    let eth0 = SysctlScope::Interface { index: IfIndex(2), name: "eth0".parse().unwrap() };
    let entry = ProxyEntry { address: "fd00::1".parse().unwrap(), interface: None, flags: 0, protocol: 184 };
    let Object::Rule(held) = rule(5, true).object else { unreachable!() };
    let route = Route { nexthop_id: Some(1), ..Route::new("10.0.0.0/8".parse().unwrap(), IfIndex(2)) };
    vec![
        (
            Change::set(Object::Sysctl { scope: eth0, sysctl: Sysctl::ArpIgnore }, -1, i32::MAX),
            r#"{"change":"sysctl","scope":{"interface":{"index":2,"name":"eth0"}},"sysctl":"arp_ignore","before":-1,"after":2147483647}"#.into(),
        ),
        (
            Change::set(Object::Ipv6Sysctl { scope: SysctlScope::All, sysctl: Ipv6Sysctl::ProxyNdp }, 0, 1),
            r#"{"change":"ipv6_sysctl","scope":"all","sysctl":"proxy_ndp","before":0,"after":1}"#.into(),
        ),
        (
            Change::set(Object::ProxyDelay { scope: SysctlScope::Default }, 800, 0),
            r#"{"change":"proxy_delay","scope":"default","before":800,"after":0}"#.into(),
        ),
        (Change::add(entry), format!(r#"{{"change":"proxy","edit":"add","entry":{}}}"#, to_json(&entry))),
        (
            Change::remove(*held.clone()),
            format!(r#"{{"change":"rule","edit":"remove","rule":{}}}"#, to_json(&held)),
        ),
        (Change::add(route.clone()), format!(r#"{{"change":"route","edit":"add","route":{}}}"#, to_json(&route))),
    ]
}

#[test]
fn each_change_is_read_as_it_was_written_now_and_before() {
    for (change, before) in each() {
        let text = serde_json::to_string(&change).unwrap();
        assert!(text.starts_with(&format!(r#"{{"object":{{"{}":"#, change.object.kind())), "{text}");
        assert!(Object::KINDS.contains(&change.object.kind()));
        let again = read(&text).unwrap();
        assert_eq!(again, change);
        assert_eq!(serde_json::to_string(&again).unwrap(), text);
        let again = read(&before).unwrap();
        assert_eq!(serde_json::to_string(&again).unwrap(), text, "{before}");
    }
    let entry = Change::set(Object::ProxyDelay { scope: SysctlScope::Default }, 800, 0);
    assert_eq!(
        serde_json::to_string(&entry).unwrap(),
        r#"{"object":{"proxy_delay":{"scope":"default"}},"before":800,"after":0}"#
    );
    assert!(
        serde_json::to_string(&each()[3].0)
            .unwrap()
            .ends_with(r#""before":"absent","after":{"flags":0,"protocol":184}}"#)
    );
}

#[test]
fn what_is_missing_or_cannot_be_is_refused() {
    let sysctl = r#"{"object":{"sysctl":{"scope":"all","sysctl":"arp_ignore"}},"#;
    for (text, said) in [
        (r#"{"scope":"all"}"#.to_owned(), "unknown field `scope`"),
        (r#"{"change":"other"}"#.into(), "unknown variant `other`"),
        (r#"{"change":"rule","edit":"add"}"#.into(), "missing field `rule`"),
        (format!(r#"{sysctl}"before":1}}"#), "missing field `after`"),
        (format!(r#"{sysctl}"before":1,"after":2147483648}}"#), "cannot be 2147483648"),
        (format!(r#"{sysctl}"before":1,"after":"present"}}"#), "cannot be there"),
        (format!(r#"{sysctl}"before":"unknown","after":1}}"#), "cannot be unknown"),
        (format!(r#"{sysctl}"before":1,"after":[]}}"#), "Value"),
        (r#"{"object":{"proxy_delay":{"scope":"all"}},"before":0,"after":-2}"#.into(), "cannot be -2"),
        (
            r#"{"object":{"sysctl":{"scope":"all","sysctl":"proxy_ndp"}},"before":0,"after":1}"#.into(),
            "not an ARP-relevant sysctl",
        ),
        (
            r#"{"object":{"proxy":{"address":"10.0.0.1","interface":2}},"before":"absent","after":1}"#.into(),
            "cannot be 1",
        ),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.contains(said), "{text}: {error}");
    }
}
