//! Source-routing tables and rules: what is in them, and how their numbers are chosen.

use super::host::{Host, lan, net, rule};
use super::{OPENVZ_POLICY, index, plan, policy, refusal, unmet};
use crate::plan::{PROTOCOL, RULE_PRIORITY, TABLE_BASE};
use crate::snapshot::{Route, RouteKind, Rule, Snapshot, table};
use crate::types::IpNet;

fn table_of(snapshot: &Snapshot, number: u32) -> Vec<IpNet> {
    snapshot.routes.iter().filter(|route| route.table == number).map(|route| route.destination).collect()
}

fn ours(snapshot: &Snapshot) -> Vec<&Rule> {
    snapshot.rules.iter().filter(|rule| rule.protocol == PROTOCOL).collect()
}

#[test]
fn two_gateways_are_told_apart_by_source() {
    let host = Host::new()
        .nic(2, "eth0", &["10.0.1.1/24"])
        .nic(3, "eth1", &["10.0.2.1/24"])
        .route("0.0.0.0/0", Some("10.0.1.254"), 2, 100)
        .route("0.0.0.0/0", Some("10.0.2.254"), 3, 200);
    let plan = plan(&host, "[host]\n");
    let after = host.0.with(&plan.changes);
    assert_eq!(table_of(&after, TABLE_BASE + 2), [net("10.0.1.0/24"), net("0.0.0.0/0")]);
    assert_eq!(table_of(&after, TABLE_BASE + 3), [net("10.0.2.0/24"), net("0.0.0.0/0")]);
    assert_eq!(ours(&after).len(), 8, "four look-ups for each address");
}

#[test]
fn places_that_only_others_reach_stay_reachable() {
    let mut host = Host::openvz()
        .nic(9, "docker0", &["172.17.0.1/16"])
        .route("10.8.0.0/24", None, 9, 0)
        .route("192.168.18.128/28", None, 9, 0);
    host.0.routes.push(Route {
        kind: RouteKind::Unreachable,
        next_hops: Vec::new(),
        ..host.0.routes.iter().find(|route| route.destination == net("10.8.0.0/24")).unwrap().clone()
    });
    host.0.routes.last_mut().unwrap().destination = net("10.99.0.0/16");
    let plan = plan(&host, OPENVZ_POLICY);
    let after = host.0.with(&plan.changes);
    // None of them is copied: what is more specific than the wire's subnet or leads elsewhere is looked up in main.
    for nic in [2, 3] {
        assert_eq!(table_of(&after, TABLE_BASE + nic), [net("192.168.18.0/24"), net("0.0.0.0/0")]);
    }
    let of_11: Vec<_> = ours(&after)
        .into_iter()
        .filter(|rule| rule.source == Some(IpNet::from(lan(11))))
        .map(|rule| (rule.priority - RULE_PRIORITY, rule.table, rule.suppress_prefix_len))
        .collect();
    let own = TABLE_BASE + 3;
    assert_eq!(of_11, [(0, 254, Some(24)), (1, own, Some(23)), (2, 254, Some(0)), (3, own, None)]);
}

#[test]
fn nested_subnets_compete_only_if_the_policy_names_both() {
    let host = Host::new().nic(2, "eth0", &["10.1.0.1/16"]).nic(3, "br0", &["10.1.2.1/24"]);
    assert!(ours(&host.0.with(&plan(&host, "[host]\n").changes)).is_empty());
    let named = plan(&host, "[host]\ninterfaces = [\"eth0\", \"br0\"]\n");
    let after = host.0.with(&named.changes);
    // A part of the wire's subnet that the rival has is the same wire.
    assert_eq!(table_of(&after, TABLE_BASE + 2), [net("10.1.0.0/16"), net("10.1.2.0/24")]);
    assert_eq!(ours(&after).len(), 4 + 2, "of eth0 for each length, of br0 for its one");
}

#[test]
fn numbers_of_others_are_avoided_and_ours_are_kept() {
    let mut taken = Host::openvz()
        .rule(rule(false, RULE_PRIORITY + 1, Some(net("10.0.0.0/8")), 5))
        .table_route(TABLE_BASE + 3, "10.20.0.0/16", 2);
    let first = plan(&taken, OPENVZ_POLICY);
    let after = taken.0.with(&first.changes);
    let rules = ours(&after);
    assert_eq!((rules[0].priority, rules.last().unwrap().priority), (RULE_PRIORITY + 2, RULE_PRIORITY + 5));
    let of_11 = |rule: &&&Rule| rule.source == Some(IpNet::from(lan(11))) && rule.table != table::MAIN;
    let table = rules.iter().find(of_11).unwrap().table;
    assert_eq!(table, TABLE_BASE + 3 + 1_000_000);
    // Somebody moves in beside us: we stay.
    taken.0 = after.clone();
    let beside = taken.rule(rule(false, RULE_PRIORITY + 2, Some(net("10.7.0.0/16")), 6)).table_route(
        TABLE_BASE + 2,
        "10.30.0.0/16",
        2,
    );
    assert!(plan(&beside, OPENVZ_POLICY).is_empty());
}

#[test]
fn a_table_stays_the_interfaces_where_others_left_nothing_of_ours_but_a_route_out_of_it() {
    let bare = Host::openvz();
    let wanted = bare.0.with(&plan(&bare, OPENVZ_POLICY).changes);
    let replaced = || Host::openvz().table_route(TABLE_BASE + 3, "192.168.18.0/24", 3);
    let after = replaced().0.with(&plan(&replaced(), OPENVZ_POLICY).changes);
    assert_eq!(after.rules, wanted.rules);
    assert_eq!(table_of(&after, TABLE_BASE + 3), table_of(&wanted, TABLE_BASE + 3));
    // With a rule of theirs it is their table.
    let used = replaced().rule(rule(false, 100, Some(net("10.0.0.0/8")), TABLE_BASE + 3));
    let after = used.0.with(&plan(&used, OPENVZ_POLICY).changes);
    let rules = ours(&after);
    assert!(rules.iter().all(|rule| rule.table != TABLE_BASE + 3), "{rules:?}");
}

#[test]
fn rules_stand_between_local_and_main_wherever_those_are() {
    let move_to = |number: u32, priority: u32| {
        let mut host = Host::openvz();
        for rule in host.0.rules.iter_mut().filter(|rule| !rule.ipv6 && rule.table == number) {
            rule.priority = priority;
        }
        host.0.rules.sort_by_key(|rule| (rule.ipv6, rule.priority));
        host
    };
    for (host, from, to) in
        [(move_to(table::LOCAL, 20_000), 20_001, 32_766), (move_to(table::MAIN, 1_000), 1, 1_000)]
    {
        let after = host.0.with(&plan(&host, OPENVZ_POLICY).changes);
        for rule in ours(&after) {
            assert!((from..to).contains(&rule.priority), "{rule:?}");
        }
    }
    let error = refusal(&move_to(table::MAIN, 4), OPENVZ_POLICY);
    assert!(error.to_string().contains("no free priorities in a row"), "{error}");
}

#[test]
fn source_routing_of_others_is_respected() {
    let mut host = Host::openvz();
    for (nic, last) in [(2u32, 10u8), (3, 11), (4, 12)] {
        host = host.source_rule(100 + nic, &format!("192.168.18.{last}/32"), 1_000 + nic).table_route(
            1_000 + nic,
            "192.168.18.0/24",
            nic,
        );
    }
    let alone = "[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\nstrategy = \"filter\"\negress = \"unmanaged\"\n";
    let plan1 = plan(&host, alone);
    assert_eq!(plan1.changes.len(), 3, "arp_filter thrice: {:#?}", plan1.changes);
    let plan2 = plan(&host, OPENVZ_POLICY);
    let after = host.0.with(&plan2.changes);
    let sources: Vec<_> = ours(&after).iter().filter_map(|rule| rule.source).collect();
    assert_eq!(sources, [IpNet::from(lan(101)), IpNet::from(lan(102))].repeat(4));
    assert!(plan2.decisions.iter().any(|why| why.contains("rules of others already send")));
}

#[test]
fn rules_of_others_that_lead_astray_are_named() {
    let host = Host::openvz().source_rule(100, "192.168.18.11/32", 77).table_route(77, "0.0.0.0/0", 2);
    let error = unmet(&host, OPENVZ_POLICY);
    assert_eq!(error.object(), "192.168.18.11");
    assert!(error.to_string().contains("rule of priority 100"), "{error}");
    // Behind ours it does no harm.
    let host = Host::openvz().source_rule(30_000, "192.168.18.11/32", 77).table_route(77, "0.0.0.0/0", 2);
    assert!(!plan(&host, OPENVZ_POLICY).is_empty());
}

#[test]
fn routes_that_change_are_replaced_in_place() {
    let host = Host::openvz();
    let mut applied = Host(host.0.with(&plan(&host, OPENVZ_POLICY).changes));
    for route in applied.0.routes.iter_mut().filter(|route| route.table == table::MAIN) {
        for hop in route.next_hops.iter_mut().filter(|hop| hop.gateway.is_some()) {
            hop.gateway = Some(lan(2));
        }
    }
    let plan = plan(&applied, OPENVZ_POLICY);
    assert_eq!(plan.changes.len(), 6, "{:#?}", plan.changes);
    assert!(plan.announcements.is_empty());
}

#[test]
fn a_route_of_ours_that_somebody_replaced_is_put_right() {
    let host = Host::openvz();
    let applied = host.0.with(&plan(&host, OPENVZ_POLICY).changes);
    let default = |route: &&mut Route| route.table == TABLE_BASE + 3 && route.destination.prefix_len() == 0;
    let mut replaced = Host(applied.clone());
    for route in replaced.0.routes.iter_mut().filter(default) {
        route.protocol = 3;
        route.next_hops[0].gateway = Some(lan(2));
    }
    let mended = plan(&replaced, OPENVZ_POLICY);
    assert_eq!(mended.changes.len(), 2, "{:#?}", mended.changes);
    let after = replaced.0.with(&mended.changes);
    assert_eq!(table_of(&after, TABLE_BASE + 3).len(), 2);
    assert!(plan(&Host(after), OPENVZ_POLICY).is_empty());
    // One that stands before ours wins, though ours is there.
    let mut before = Host(applied.clone());
    let at = before
        .0
        .routes
        .iter()
        .position(|route| route.table == TABLE_BASE + 3 && route.destination.prefix_len() == 0);
    let mut other = before.0.routes[at.unwrap()].clone();
    other.protocol = 3;
    other.next_hops[0].gateway = Some(lan(2));
    before.0.routes.insert(at.unwrap(), other);
    let mended = plan(&before, OPENVZ_POLICY);
    assert_eq!(before.0.with(&mended.changes).routes, applied.routes);
    // Both go and ours comes back, so that the inverse restores their order.
    assert_eq!(mended.changes.len(), 3, "{:#?}", mended.changes);
}

#[test]
fn the_form_with_copies_is_replaced() {
    let host = Host::openvz().nic(9, "docker0", &["172.17.0.1/16"]);
    let mut old = Host(host.0.clone());
    for (nic, last) in [(2u32, 10u8), (3, 11), (4, 12)] {
        let source = Some(IpNet::from(lan(last)));
        let from = Rule { protocol: PROTOCOL, source, ..Rule::lookup(RULE_PRIORITY + 1, TABLE_BASE + nic) };
        old.0.rules.push(from);
        for destination in ["192.168.18.0/24", "172.17.0.0/16"] {
            let dev = if destination.starts_with("172") { 9 } else { nic };
            old = old.table_route(TABLE_BASE + nic, destination, dev);
            old.0.routes.last_mut().unwrap().protocol = PROTOCOL;
        }
    }
    let global = Rule {
        protocol: PROTOCOL,
        suppress_prefix_len: Some(31),
        ..Rule::lookup(RULE_PRIORITY, table::MAIN)
    };
    old.0.rules.push(global.clone());
    old.0.rules.sort_by_key(|rule| (rule.ipv6, rule.priority));
    let after = Host(old.0.with(&plan(&old, OPENVZ_POLICY).changes));
    assert!(!after.0.rules.contains(&global));
    let fresh = host.0.with(&plan(&host, OPENVZ_POLICY).changes);
    assert_eq!(ours(&after.0).len(), ours(&fresh).len());
    assert_eq!(table_of(&after.0, TABLE_BASE + 3), table_of(&fresh, TABLE_BASE + 3));
    assert!(plan(&after, OPENVZ_POLICY).is_empty());
}

#[test]
fn a_gateway_on_the_shared_link_is_reached_by_each_interface_itself() {
    let host = Host::new()
        .nic(2, "eth0", &["10.0.1.1/24"])
        .nic(3, "eth1", &["10.0.1.2/24"])
        .nic(4, "eth2", &["10.0.2.1/24"])
        .route("0.0.0.0/0", Some("10.0.1.254"), 2, 100)
        .route("10.7.0.0/16", Some("10.0.1.253"), 3, 0)
        .route("0.0.0.0/0", Some("10.0.2.254"), 4, 200);
    let after = host.0.with(&plan(&host, "[host]\n").changes);
    let way = |number: u32, destination: &str| {
        let of = |route: &&Route| route.table == TABLE_BASE + number && route.destination == net(destination);
        let route = after.routes.iter().find(of)?;
        Some((route.next_hops[0].interface?.0, route.next_hops[0].gateway?.to_string()))
    };
    for nic in [2, 3] {
        assert_eq!(way(nic, "0.0.0.0/0"), Some((nic, "10.0.1.254".into())));
        assert_eq!(way(nic, "10.7.0.0/16"), None, "main leads there");
    }
    assert_eq!(way(4, "0.0.0.0/0"), Some((4, "10.0.2.254".into())));
    assert_eq!(way(4, "10.7.0.0/16"), None);
}

#[test]
fn an_address_on_two_interfaces_is_left_out() {
    let host = Host::openvz().address(3, "192.168.18.50/32").address(4, "192.168.18.50/32");
    let plan = plan(&host, OPENVZ_POLICY);
    let after = host.0.with(&plan.changes);
    assert!(ours(&after).iter().all(|rule| rule.source != Some(IpNet::from(lan(50)))));
    assert!(plan.decisions.iter().any(|why| why.starts_with("192.168.18.50 is held by eth3 and eth4")));
}

#[test]
fn an_interface_that_is_down_keeps_its_sysctls_and_gets_no_routes() {
    let mut host = Host::openvz();
    host.0.interfaces[3].flags.remove(crate::snapshot::InterfaceFlags::UP);
    host.0.routes.retain(|route| {
        route.table != table::MAIN || route.next_hops.iter().all(|hop| hop.interface != Some(index(4)))
    });
    let plan = plan(&host, OPENVZ_POLICY);
    let after = host.0.with(&plan.changes);
    assert!(table_of(&after, TABLE_BASE + 4).is_empty());
    // arp_announce, arp_ignore, and the wrong entry that goes.
    assert_eq!(plan.changes.iter().filter(|change| change.interface() == Some(index(4))).count(), 3);
    assert!(plan.announcements.iter().all(|announcement| announcement.interface != index(4)));
}

#[test]
fn a_subnet_whose_connected_route_somebody_deleted_is_still_on_the_wire() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
    let host = host.route("0.0.0.0/0", Some("10.0.0.1"), 2, 0);
    let applied = Host(host.0.with(&plan(&host, "[host]\n").changes));
    let deleted = |host: &Host, nics: &[u32]| {
        let mut host = host.clone();
        host.0.routes.retain(|route| {
            let by = |nic: &u32| route.next_hops.iter().any(|hop| hop.interface == Some(index(*nic)));
            route.table != table::MAIN || route.destination.prefix_len() == 0 || !nics.iter().any(by)
        });
        host
    };
    for nics in [&[2][..], &[3], &[2, 3]] {
        let kept = plan(&deleted(&applied, nics), "[host]\n");
        assert!(kept.is_empty(), "{nics:?}: {:?}", kept.changes);
        let host = deleted(&host, nics);
        let after = host.0.with(&plan(&host, "[host]\n").changes);
        assert_eq!(ours(&after).len(), 8, "{nics:?}");
        for nic in [2, 3] {
            let nets = table_of(&after, TABLE_BASE + nic);
            assert_eq!(nets, [net("10.0.0.0/24"), net("0.0.0.0/0")], "{nics:?}");
        }
    }
    // The ports of a VRF have their routes in its table, and are no rivals here.
    let mut vrf = deleted(&host, &[3]);
    vrf.0.interfaces[2].master = Some(index(2));
    assert!(
        ours(&vrf.0.with(&policy("[host]\ninterfaces = [\"eth0\"]\n").plan(&vrf.0).unwrap().changes))
            .is_empty()
    );
}
