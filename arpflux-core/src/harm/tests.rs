//! What harm is told of changes.

use super::*;
use crate::plan::tests::host::Host;
use crate::snapshot::{LinkKind, MacvlanMode, Rule, RuleAction};
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

fn changed(host: &Host, change: impl FnOnce(Host) -> Host) -> Vec<String> {
    harm(&host.0, &change(host.clone()).0).iter().map(ToString::to_string).collect()
}

#[test]
fn the_last_answer_of_a_wire_is_missed_and_one_of_several_is_not() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
    assert_eq!(changed(&host, |host| host.one(3, Sysctl::ArpIgnore, 1)), [""; 0]);
    let silent = changed(&host, |host| host.each(Sysctl::ArpIgnore, 8));
    assert_eq!(silent.iter().filter(|one| one.contains("no answer for 10.0.0.")).count(), 2, "{silent:?}");
    assert!(silent.iter().any(|one| one.starts_with("AF007 would be found")), "{silent:?}");
}

#[test]
fn answers_for_one_without_carrier_are_missed_where_single_addresses_alone_are_held() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/32"]).nic(3, "eth1", &["10.0.0.3/24"]);
    let mut host = host;
    host.0.interfaces[2].carrier = false;
    let lost = changed(&host, |host| host.one(2, Sysctl::ArpIgnore, 1));
    assert!(lost.iter().any(|one| one.contains("no answer for 10.0.0.3 on eth1")), "{lost:?}");
}

#[test]
fn what_one_on_an_unknown_wire_alone_answers_for_is_missed() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &[]);
    let host = host.address(1, "10.0.0.77/32").one(2, Sysctl::ArpIgnore, 1);
    let lost = changed(&host, |host| host.one(3, Sysctl::ArpIgnore, 1));
    assert!(lost.iter().any(|one| one.contains("no answer for 10.0.0.77 on lo")), "{lost:?}");
    // Of what another one answers for, nothing is lost.
    assert!(!lost.iter().any(|one| one.contains("10.0.0.2 ")), "{lost:?}");
}

#[test]
fn what_is_this_host_by_a_route_alone_is_missed() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
    let mut host = host.route("10.0.0.192/28", None, 1, 0);
    host.0.routing.local_routes_added = Some(true);
    if let Some(route) = host.0.routes.last_mut() {
        (route.kind, route.table) = (crate::snapshot::RouteKind::Local, crate::snapshot::table::LOCAL);
    }
    let lost = changed(&host, |host| host.each(Sysctl::ArpIgnore, 1));
    assert!(lost.iter().any(|one| one.contains("no answer for 10.0.0.192")), "{lost:?}");
    // One of the two is enough.
    assert_eq!(changed(&host, |host| host.one(2, Sysctl::ArpIgnore, 1)), [""; 0]);
}

#[test]
fn what_neighbours_know_by_requests_alone_is_not_moved() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
    let host = host.all(Sysctl::ArpIgnore, 8);
    let policy = crate::plan::tests::policy("[host]\nstrategy = \"unmanaged\"\n");
    let told = |host: &Host| {
        let plan = policy.plan(&host.0).unwrap();
        assert!(!plan.is_empty());
        let harm = plan.assess(&host.0).unwrap().harm;
        harm.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let harm = told(&host);
    assert!(harm.iter().any(|one| one.starts_with("nobody answers for 10.0.0.3, so")), "{harm:?}");
    // What comes to be answered for makes the host ask less, unless that is what was asked for.
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(4, "ve0", &[]);
    let host = host.route("10.0.0.77/32", None, 4, 0).one(2, Sysctl::ArpIgnore, 8).proxy("10.0.0.77", 2);
    let more = changed(&host, |host| host.each(Sysctl::Forwarding, 1));
    assert!(more.iter().any(|one| one.starts_with("nobody answers for 10.0.0.2, so")), "{more:?}");
    let mut bare = host.each(Sysctl::Forwarding, 1);
    bare.0.proxies.clear();
    assert_eq!(changed(&bare, |host| host.proxy("10.0.0.77", 2)), [""; 0]);
    let published = bare.clone().proxy("10.0.0.77", 2);
    assert_eq!(losses(&bare.0, &published.0, |_| false).len(), 1, "by a remedy");
    // What is asked on the wire by mistake teaches neighbours there, too.
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(4, "ve0", &[]);
    let host = host.route("10.0.0.77/32", None, 4, 0).one(2, Sysctl::ArpIgnore, 8);
    let host = host.source_rule(1000, "10.0.0.2/32", 101).table_route(101, "10.0.0.0/24", 2);
    let right = losses(&host.0, &host.clone().table_route(101, "10.0.0.77/32", 4).0, |_| false);
    assert!(right.iter().any(|one| matches!(one, Harm::Known { .. })), "{right:?}");
    // Where somebody answers, they ask.
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
    let harm = told(&host.all(Sysctl::ArpIgnore, 0));
    assert!(!harm.iter().any(|one| one.starts_with("nobody answers")), "{harm:?}");
}

#[test]
fn what_one_finding_kept_from_being_told_is_not_new() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
    let host = host.route("10.0.0.0/24", None, 2, 0).route("10.0.0.0/24", None, 3, 1);
    // Half a cure: eth0 asks for neighbours in the name of eth1's address, as it did while it answered for it.
    assert_eq!(changed(&host, |host| host.one(2, Sysctl::ArpIgnore, 1)), [""; 0]);
    // Beside a whole one it is new.
    let cured = |host: Host| {
        [2, 3]
            .into_iter()
            .fold(host, |host, on| host.one(on, Sysctl::ArpIgnore, 1).one(on, Sysctl::ArpAnnounce, 2))
    };
    let worse = changed(&cured(host), |host| host.one(2, Sysctl::ArpAnnounce, 0));
    assert!(worse.iter().any(|one| one.starts_with("AF003 would be found")), "{worse:?}");
}

#[test]
fn a_finding_is_new_only_if_something_is_found_that_was_not() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24"]);
    let host = host.route("10.0.0.0/24", None, 2, 0).route("10.1.0.0/24", None, 3, 0);
    let host = host.one(2, Sysctl::Forwarding, 1).one(3, Sysctl::Forwarding, 1);
    // A first entry, for which no route leads anywhere; one more beside it is what was asked for.
    let host = host.proxy("10.2.0.77", 2);
    assert_eq!(changed(&host, |host| host.proxy("10.2.0.78", 2)), [""; 0]);
    assert_eq!(changed(&host, |host| host.proxy("10.2.0.77", 3)), [""; 0]);
    // Behind the host, and forgotten: a remark while nothing is proxied, and a warning beside an entry, of the same.
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24"]);
    let host = host.route("10.0.0.0/24", None, 2, 0).one(2, Sysctl::Forwarding, 1);
    let host = host.route("10.0.0.77/32", None, 3, 0).route("10.0.0.78/32", None, 3, 0);
    let dark = changed(&host, |host| host.proxy("10.0.0.77", 2));
    assert!(matches!(dark.as_slice(), [one] if one.starts_with("AF037 would be found")), "{dark:?}");
    let host = host.one(3, Sysctl::Forwarding, 1);
    assert_eq!(changed(&host, |host| host.proxy("10.0.0.77", 2)), [""; 0]);
    // On a second interface of the wire it has two MACs, which nobody asked for.
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
    let host = host.nic(4, "ve0", &[]).route("10.0.0.0/24", None, 2, 0).route("10.0.0.77/32", None, 4, 0);
    let host = host.each(Sysctl::ArpIgnore, 1).each(Sysctl::ArpAnnounce, 2).each(Sysctl::Forwarding, 1);
    assert_eq!(changed(&host, |host| host.proxy("10.0.0.77", 2)), [""; 0]);
    let twice = changed(&host.clone().proxy("10.0.0.77", 2), |host| host.proxy("10.0.0.77", 3));
    assert!(twice.iter().any(|one| one.starts_with("AF013 would be found")), "{twice:?}");
    let at_once = changed(&host, |host| host.proxy("10.0.0.77", 2).proxy("10.0.0.77", 3));
    assert!(at_once.iter().any(|one| one.starts_with("AF013 would be found")), "{at_once:?}");
    // One that had its entry is another matter.
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24"]);
    let host = host.route("10.0.0.0/24", None, 2, 0).one(2, Sysctl::Forwarding, 1);
    let host = host.route("10.0.0.77/32", None, 3, 0).route("10.0.0.78/32", None, 3, 0);
    let both = host.proxy("10.0.0.77", 2).proxy("10.0.0.78", 2);
    let lost = changed(&both, |mut host| {
        host.0.proxies.pop();
        host
    });
    assert!(lost.iter().any(|one| one.starts_with("AF014 would be found")), "{lost:?}");
}

#[test]
fn an_address_where_no_request_arrives_is_told_with_both_readings() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).address(1, "10.0.0.100/32");
    let silent = changed(&host, |host| host.each(Sysctl::ArpIgnore, 1));
    assert!(matches!(silent.as_slice(), [one] if one.contains("10.0.0.100 on lo")), "{silent:?}");
}

#[test]
fn an_address_without_a_subnet_keeps_an_interface_that_answers() {
    // eth0 drops what has no way back by it (`rp_filter`), so that eth1, of which nothing is known, alone answers.
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/32"]).nic(3, "eth1", &[]);
    let host = host.nic(4, "docker0", &["10.9.0.1/24"]);
    let silent = changed(&host.clone().one(2, Sysctl::RpFilter, 1), |host| host.one(3, Sysctl::ArpIgnore, 1));
    assert!(matches!(silent.as_slice(), [one] if one.contains("no answer for 10.0.0.2")), "{silent:?}");
    assert_eq!(changed(&host, |host| host.one(3, Sysctl::ArpIgnore, 1)), [""; 0]);
}

/// Who asks on another wire may stand on this one: nothing on the host tells.
#[test]
fn an_address_without_a_subnet_that_its_own_interface_drops_keeps_what_answers_elsewhere() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "br0", &["10.9.0.1/32"]);
    let host = host.route("0.0.0.0/0", Some("10.0.0.1"), 2, 0);
    let strict = changed(&host.clone().one(3, Sysctl::RpFilter, 1), |host| host.one(2, Sysctl::ArpIgnore, 1));
    assert!(
        matches!(strict.as_slice(), [one] if one.starts_with("10.0.0.1 on eth0 would get no answer for 10.9.0.1")),
        "{strict:?}"
    );
    assert_eq!(changed(&host, |host| host.one(2, Sysctl::ArpIgnore, 1)), [""; 0]);
}

#[test]
fn an_address_beside_the_wires_is_told_with_both_readings_unless_it_is_of_the_link_alone() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).address(1, "10.1.0.2/32");
    let silent = changed(&host, |host| host.each(Sysctl::ArpIgnore, 1));
    assert!(matches!(silent.as_slice(), [one] if one.contains("10.1.0.2 on lo")), "{silent:?}");
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).address(1, "169.254.20.10/32");
    assert_eq!(changed(&host, |host| host.each(Sysctl::ArpIgnore, 1)), [""; 0]);
}

#[test]
fn a_router_sends_by_whichever_interface_of_the_wire_its_route_says() {
    // Both cards are in the subnet, and by strict `rp_filter` only eth0 takes its packets.
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
    let host = host.nic(4, "docker0", &["172.17.0.1/16"]).each(Sysctl::RpFilter, 1);
    let host = host.route("10.0.0.0/24", None, 2, 0).route("10.0.0.0/24", None, 3, 1);
    let lost = changed(&host, |host| host.each(Sysctl::ArpIgnore, 1));
    assert!(!lost.iter().any(|one| one.contains("172.17.0.1")), "{lost:?}");
}

#[test]
fn what_neighbours_send_by_the_host_as_their_router_is_missed_where_strict_rp_filter_drops_it() {
    let host = |rp_filter: i32| {
        let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.0.0.3/24"]);
        let host = host.nic(4, "wan", &["10.9.0.2/24"]).route("10.9.0.0/24", None, 4, 0);
        let host = host.route("10.0.0.0/24", None, 2, 0).route("10.0.0.0/24", None, 3, 1);
        host.each(Sysctl::Forwarding, 1).each(Sysctl::RpFilter, rp_filter)
    };
    let policy = crate::plan::tests::policy("version = 1\n[host]\ninterfaces = [\"eth0\", \"eth1\"]\n");
    let told = |host: Host| -> Vec<String> {
        let harm = policy.plan(&host.0).unwrap().assess(&host.0).unwrap().harm;
        harm.iter().map(ToString::to_string).collect()
    };
    let strict = told(host(1));
    let dropped = "by its router 10.0.0.3 would arrive on eth1 and be dropped there";
    assert!(strict.iter().any(|one| one.contains("10.9.0.") && one.ends_with(dropped)), "{strict:?}");
    for other in [host(0), host(2), host(1).each(Sysctl::Forwarding, 0)] {
        let lost = told(other);
        assert!(!lost.iter().any(|one| one.contains("by its router")), "{lost:?}");
    }
    // An address of lo has no wire where it could be asked for: it is always by another one that it is reached.
    let service = told(host(1).each(Sysctl::Forwarding, 0).address(1, "10.99.0.1/32"));
    assert!(service.iter().any(|one| one.contains("10.99.0.1 ") && one.ends_with(dropped)), "{service:?}");
}

/// A machine with addresses in two subnets, which may be on one wire, sends from both to whoever answered one of them.
#[test]
fn an_answer_to_another_address_of_the_same_machine_is_no_way_where_its_packets_are_dropped() {
    use crate::snapshot::{Neighbour, NeighbourState};
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24"]);
    let host = host.route("10.0.0.0/24", None, 2, 0).route("10.1.0.0/24", None, 3, 0);
    let host = host.one(2, Sysctl::RpFilter, 2).one(3, Sysctl::RpFilter, 1);
    let host = host.source_rule(1000, "10.0.0.2/32", 101).table_route(101, "0.0.0.0/0", 2);
    let reached = |host: Host| host.table_route(101, "10.1.0.0/24", 3);
    assert_eq!(changed(&host, reached), [""; 0], "of two wires");
    let mut both = host;
    both.0.neighbours.extend([("10.0.0.9", 2), ("10.1.0.9", 3)].map(|(address, interface)| Neighbour {
        address: address.parse().unwrap(),
        interface: IfIndex(interface),
        mac: Some(crate::types::Mac::ethernet([2, 0, 0, 0, 0, 9])),
        state: NeighbourState(0x04),
        flags: 0,
    }));
    let lost = changed(&both, reached);
    assert!(lost.iter().any(|one| one.contains("would not reach 10.0.0.2 on eth0")), "{lost:?}");
}

/// Sources that the same rules ask for are looked at once.
#[test]
fn a_rule_for_one_source_takes_the_way_of_that_source_alone() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24", "10.1.0.3/24"]);
    let host = host.route("10.0.0.0/24", None, 2, 0).route("10.1.0.0/24", None, 3, 0);
    let reject = |source: &str| Rule {
        action: RuleAction::Unreachable,
        ..Rule::lookup(100, 0).source(source.parse::<crate::types::IpNet>().unwrap())
    };
    let from = |lost: &[String], source: &str| {
        lost.iter().filter(|one| one.starts_with(&format!("packets from {source} "))).count()
    };
    let lost = changed(&host, |host| host.rule(reject("10.1.0.3/32")));
    assert!(from(&lost, "10.1.0.3") > 0 && from(&lost, "10.1.0.2") == 0, "{lost:?}");
    let lost = changed(&host, |host| host.rule(reject("10.1.0.2/31")));
    assert!(from(&lost, "10.1.0.3") > 0 && from(&lost, "10.1.0.2") > 0, "{lost:?}");
    assert_eq!(from(&lost, "10.0.0.2"), 0, "{lost:?}");
}

#[test]
fn siblings_of_a_macvlan_are_heard_by_it_alone() {
    let mut host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "shim", &["10.0.0.193/32"]);
    let shim = &mut host.0.interfaces[2];
    (shim.kind, shim.macvlan_mode) = (Some(LinkKind::Macvlan), Some(MacvlanMode::Bridge));
    shim.link = Some(IfIndex(2));
    let host = host.route("10.0.0.0/24", None, 2, 0).route("10.0.0.192/27", None, 3, 0);
    let lost = changed(&host, |host| host.one(3, Sysctl::ArpIgnore, 1));
    let told = "10.0.0.194 on shim would get no answer for 10.0.0.2 any more";
    assert!(lost.iter().any(|one| one.contains(told)), "{lost:?}");
    assert_eq!(changed(&host, |host| host.one(2, Sysctl::ArpIgnore, 1)), [""; 0]);
}

#[test]
fn a_neighbour_that_is_sent_to_a_gateway_or_nowhere_has_lost_its_way() {
    let host = Host::new().nic(2, "eth0", &["10.0.0.2/24"]).nic(3, "eth1", &["10.1.0.2/24"]);
    let host = host.route("10.0.0.0/24", None, 2, 0).route("10.1.0.0/24", None, 3, 0);
    let lost = changed(&host, |mut host| {
        host.0.routes.retain(|route| route.destination.to_string() != "10.1.0.0/24");
        host.route("0.0.0.0/0", Some("10.0.0.1"), 2, 0)
    });
    let (found, lost): (Vec<&String>, Vec<&String>) = lost.iter().partition(|one| one.starts_with("AF042"));
    assert!(lost.iter().all(|one| one.contains("on eth1")) && !lost.is_empty(), "{lost:?}");
    assert_eq!(found.len(), 1, "the missing route is found as well: {found:?}");
}
