//! The page's scenario, and the plain hosts around it.

use super::host::{Host, comparable, ip, lan, net};
use super::{OPENVZ_POLICY, index, plan};
use crate::plan::{PROTOCOL, RULE_PRIORITY, TABLE_BASE};
use crate::snapshot::ProxyEntry;
use crate::state::{Change, Object, SysctlScope, Value};
use crate::sysctl::{Ipv6Sysctl, Sysctl};

fn sysctls(changes: &[Change]) -> Vec<(String, Sysctl, i32, i32)> {
    let of = |change: &Change| match (&change.object, change.before, change.after) {
        (Object::Sysctl { scope, sysctl }, Value::Number(before), Value::Number(after)) => {
            Some((scope.to_string(), *sysctl, before as i32, after as i32))
        }
        _ => None,
    };
    changes.iter().filter_map(of).collect()
}

/// The entries that come, and those that go.
fn proxies(changes: &[Change]) -> (Vec<ProxyEntry>, Vec<ProxyEntry>) {
    let (come, go): (Vec<_>, Vec<_>) = changes.iter().partition(|change| change.after.is_there());
    let entries = |changes: Vec<&Change>| changes.into_iter().filter_map(Change::entry).collect();
    (entries(come), entries(go))
}

#[test]
fn the_page() {
    let host = Host::openvz();
    let plan = plan(&host, OPENVZ_POLICY);
    let changed = sysctls(&plan.changes);
    for (nic, sysctl, value) in ["eth0", "eth3", "eth4"]
        .iter()
        .flat_map(|nic| [(nic, Sysctl::ArpAnnounce, 2), (nic, Sysctl::ArpIgnore, 1)])
    {
        assert!(changed.contains(&((*nic).to_owned(), sysctl, 0, value)), "{nic} {sysctl}");
    }
    assert_eq!(changed.len(), 6, "{changed:?}");

    let after = host.0.with(&plan.changes);
    let mut left: Vec<_> = after.proxies.iter().map(|entry| (entry.address, entry.interface)).collect();
    left.sort();
    assert_eq!(left, [(lan(101), Some(index(3))), (lan(102), Some(index(4)))]);
    assert!(proxies(&plan.changes).0.is_empty(), "both were there already");
    assert_eq!(proxies(&plan.changes).1.len(), 4);

    let ours: Vec<_> = after.rules.iter().filter(|rule| rule.protocol == PROTOCOL).collect();
    assert_eq!(ours[0].priority, RULE_PRIORITY);
    assert_eq!(ours[0].suppress_prefix_len, Some(24));
    let last = ours.iter().filter(|rule| rule.suppress_prefix_len.is_none());
    let mut sources: Vec<_> = last.map(|rule| (rule.source.unwrap().addr(), rule.table)).collect();
    sources.sort();
    let table = |nic| TABLE_BASE + nic;
    assert_eq!(
        sources,
        [
            (lan(10), table(2)),
            (lan(11), table(3)),
            (lan(12), table(4)),
            (lan(101), table(3)),
            (lan(102), table(4))
        ]
    );
    let routes = |number| {
        let of = after.routes.iter().filter(move |route| route.table == number);
        of.map(|route| (route.destination, route.next_hops[0].interface, route.next_hops[0].gateway))
            .collect::<Vec<_>>()
    };
    let connected = net("192.168.18.0/24");
    assert_eq!(
        routes(table(2)),
        [(connected, Some(index(2)), None), (net("0.0.0.0/0"), Some(index(2)), Some(lan(1)))]
    );
    // The gateway is on eth3's link as well.
    assert_eq!(
        routes(table(3)),
        [(connected, Some(index(3)), None), (net("0.0.0.0/0"), Some(index(3)), Some(lan(1)))]
    );

    let mut announced: Vec<_> = plan.announcements.iter().map(|a| (a.address, a.interface.0)).collect();
    announced.sort();
    assert_eq!(announced, [(lan(10), 2), (lan(11), 3), (lan(12), 4), (lan(101), 3), (lan(102), 4)]);
    assert!(plan.decisions.iter().any(|why| why.starts_with("strategy strict")), "{:?}", plan.decisions);
    assert!(
        plan.decisions.iter().any(|why| why.starts_with("source routing: needed")),
        "{:?}",
        plan.decisions
    );
}

#[test]
fn entries_that_are_missing_are_added_where_they_belong() {
    let mut host = Host::openvz();
    host.0.proxies.retain(|entry| entry.interface == Some(index(2)));
    let plan = plan(&host, OPENVZ_POLICY);
    let added = proxies(&plan.changes).0;
    assert_eq!(added.len(), 2);
    assert!(added.iter().all(|entry| entry.protocol == PROTOCOL && entry.flags == 0));
}

#[test]
fn entries_without_an_interface_answer_everywhere_and_go() {
    let host = Host::openvz().proxy("192.168.18.101", 0).proxy("192.168.18.200", 0);
    let keep = plan(&host, OPENVZ_POLICY);
    let gone = proxies(&keep.changes).1;
    assert!(gone.iter().any(|entry| entry.interface.is_none() && entry.address == lan(101)));
    assert!(!gone.iter().any(|entry| entry.address == lan(200)), "not named, so it stays");
}

#[test]
fn foreign_entries_stay_or_go_as_the_policy_says() {
    let host = Host::openvz().nic(9, "br0", &["10.9.0.1/24"]).proxy("192.168.18.200", 3).proxy("10.9.0.7", 9);
    let remove = OPENVZ_POLICY.replace("[host]", "[host]\nforeign_proxies = \"remove\"");
    let gone = proxies(&plan(&host, &remove).changes).1;
    assert!(gone.iter().any(|entry| entry.address == lan(200)));
    assert!(!gone.iter().any(|entry| entry.address == ip("10.9.0.7")), "br0 is not of the policy");
    let kept = proxies(&plan(&host, OPENVZ_POLICY).changes).1;
    assert!(!kept.iter().any(|entry| entry.address == lan(200)));
}

#[test]
fn ours_go_when_the_policy_wants_them_no_more() {
    let host = Host::openvz().source_rule(500, "10.1.0.0/16", 77).table_route(77, "10.0.0.0/8", 2);
    let applied = Host(host.0.with(&plan(&host, OPENVZ_POLICY).changes));
    let less = "[host]\nstrategy = \"unmanaged\"\negress = \"unmanaged\"\nforeign_proxies = \"remove\"\n";
    let plan = plan(&applied, less);
    let after = applied.0.with(&plan.changes);
    assert!(after.rules.iter().all(|rule| rule.protocol != PROTOCOL));
    assert!(after.routes.iter().all(|route| route.protocol != PROTOCOL));
    assert_eq!(after.rules, host.0.rules);
    assert_eq!(after.routes, host.0.routes);
    assert!(after.proxies.is_empty());
}

/// Two owners that do not know each other, and the node's own policy: each keeps what it has.
#[test]
fn a_policy_leaves_the_source_routing_of_entries_that_stay() {
    let owner = |name: &str, last: u8, nic: &str| {
        format!("[[proxy]]\nowner = \"{name}\"\naddresses = [\"192.168.18.{last}\"]\ninterface = \"{nic}\"\n")
    };
    let mut host = Host::openvz();
    host.0.proxies.clear();
    for (name, last, nic) in [("101", 101, "eth3"), ("102", 102, "eth4")] {
        host = Host(host.0.with(&plan(&host, &owner(name, last, nic)).changes));
    }
    let of = |host: &Host, last: u8| -> Vec<u32> {
        let rules = host.0.rules.iter().filter(|rule| rule.source.is_some_and(|net| net.addr() == lan(last)));
        rules.filter(|rule| rule.suppress_prefix_len.is_none()).map(|rule| rule.table).collect()
    };
    let both = (of(&host, 101), of(&host, 102));
    assert_eq!((both.0.len(), both.1.len()), (1, 1));
    for node in [
        "[host]\n",
        "[host]\ninterfaces = [\"eth0\"]\n",
        "[host]\nstrategy = \"unmanaged\"\negress = \"unmanaged\"\n",
    ] {
        let plan = plan(&host, node);
        assert!(plan.decisions.iter().any(|one| one.contains("192.168.18.101") && one.contains("rules")));
        let after = Host(host.0.with(&plan.changes));
        assert_eq!((of(&after, 101), of(&after, 102)), both, "{node}");
        let leads = |table: u32| after.0.routes.iter().filter(|route| route.table == table).count();
        assert_eq!((leads(both.0[0]), leads(both.1[0])), (2, 2), "{node}");
        assert!(after.0.rules.iter().any(|rule| rule.suppress_prefix_len.is_some()), "{node}");
        // Nothing is left to do, so verification is content too.
        assert_eq!(super::plan(&after, node).changes, [], "{node}");
    }
    // A table that was emptied is filled again: the rules that lead there are not the node's, but need it.
    let mut emptied = Host(host.0.clone());
    emptied.0.routes.retain(|route| route.table != both.0[0]);
    let after = Host(emptied.0.with(&plan(&emptied, "[host]\n").changes));
    assert_eq!(after.0.routes.iter().filter(|route| route.table == both.0[0]).count(), 2);
    // An entry that went takes its rule with it, and nobody else's.
    host.0.proxies.retain(|entry| entry.address != lan(101));
    let after = Host(host.0.with(&plan(&host, "[host]\n").changes));
    assert_eq!((of(&after, 101).len(), of(&after, 102).len()), (0, 1));
}

#[test]
fn entries_of_addresses_not_named_stay_whoever_added_them() {
    let mut host = Host::openvz();
    host.0.proxies.clear();
    let applied = Host(host.0.with(&plan(&host, OPENVZ_POLICY).changes));
    let fewer = OPENVZ_POLICY.split("[[proxy]]\nowner = \"102\"").next().unwrap();
    let keep = plan(&applied, fewer);
    assert!(proxies(&keep.changes).1.is_empty());
    assert!(keep.decisions.iter().any(|why| why.starts_with("kept: proxy entries for 192.168.18.102")));
    let remove = fewer.replace("[host]", "[host]\nforeign_proxies = \"remove\"");
    assert_eq!(proxies(&plan(&applied, &remove).changes).1.len(), 1);
}

#[test]
fn a_container_that_moves_takes_its_rule_along() {
    let host = Host::openvz();
    let applied = Host(host.0.with(&plan(&host, OPENVZ_POLICY).changes));
    let moved = OPENVZ_POLICY.replacen("interface = \"eth3\"", "interface = \"eth4\"", 1);
    let plan = plan(&applied, &moved);
    assert_eq!(plan.announcements.len(), 1, "{:?}", plan.announcements);
    assert_eq!((plan.announcements[0].address, plan.announcements[0].interface), (lan(101), index(4)));
    assert_eq!(plan.changes.len(), 6, "{:#?}", plan.changes);
}

#[test]
fn separate_subnets_need_no_source_routing() {
    let host = Host::new().nic(2, "eth0", &["10.0.1.1/24"]).nic(3, "eth1", &["10.0.2.1/24"]).route(
        "0.0.0.0/0",
        Some("10.0.1.254"),
        2,
        0,
    );
    for (strategy, count) in [("auto", 4), ("strict", 4), ("filter", 2), ("unmanaged", 0)] {
        let plan = plan(&host, &format!("[host]\nstrategy = \"{strategy}\"\n"));
        assert_eq!(plan.changes.len(), count, "{strategy}: {:#?}", plan.changes);
        assert!(plan.decisions.iter().any(|why| why.contains("not needed")), "{:?}", plan.decisions);
    }
}

#[test]
fn one_interface_is_left_alone_by_auto() {
    let plan = plan(&Host::new().nic(2, "eth0", &["10.0.1.1/24"]), "[host]\n");
    assert!(plan.is_empty());
    assert!(
        plan.decisions.iter().any(|why| why.contains("eth0 is the only interface")),
        "{:?}",
        plan.decisions
    );
}

#[test]
fn by_default_every_interface_that_speaks_arp_and_has_an_address() {
    let host = Host::new()
        .nic(2, "eth0", &["10.0.1.1/24"])
        .nic(3, "eth1", &[])
        .nic(4, "port", &["10.0.9.1/24"])
        .nic(5, "br0", &["10.0.2.1/24"])
        .venet(6, "venet0")
        .address(6, "10.0.3.1/24");
    let mut host = host;
    host.0.interfaces[3].master = Some(index(5));
    host.0.interfaces[4].kind = Some("bridge".into());
    let names: Vec<String> = plan(&host, "[host]\nstrategy = \"strict\"\n")
        .interfaces
        .iter()
        .map(|i| i.name.to_string())
        .collect();
    assert_eq!(names, ["eth0", "br0"]);
}

#[test]
fn forwarding_is_set_where_requests_and_where_replies_come_in() {
    let host = Host::openvz().each(Sysctl::Forwarding, 0);
    let plan = plan(&host, OPENVZ_POLICY);
    let forwarding: Vec<_> =
        sysctls(&plan.changes).into_iter().filter(|(_, sysctl, ..)| *sysctl == Sysctl::Forwarding).collect();
    assert_eq!(
        forwarding,
        ["eth3", "eth4", "venet0"].map(|name| (name.to_owned(), Sysctl::Forwarding, 0, 1))
    );
    assert!(plan.decisions.iter().any(|why| why.contains("forwarding is switched on for eth3 and eth4")));
    assert!(plan.decisions.iter().any(|why| why.contains("forwarding is switched on for venet0")));
    let all = |change: &Change| {
        matches!(change.object, Object::Sysctl { scope: SysctlScope::All | SysctlScope::Default, .. })
    };
    assert!(!plan.changes.iter().any(all));
}

#[test]
fn a_proxied_address_without_a_route_is_remarked_on() {
    let mut host = Host::openvz();
    host.0.routes.retain(|route| route.destination != net("192.168.18.102/32"));
    let plan = plan(&host, OPENVZ_POLICY);
    let said: Vec<_> = plan.decisions.iter().filter(|why| why.contains("no route leads to")).collect();
    assert_eq!(said.len(), 1, "{:?}", plan.decisions);
    assert!(said[0].contains("192.168.18.102") && !said[0].contains("101"));
}

#[test]
fn proxy_delay_is_set_where_the_policy_says_so() {
    let text = OPENVZ_POLICY.replace("[host]", "[host]\nproxy_delay = 0");
    let plan = plan(&Host::openvz(), &text);
    let delays: Vec<_> = plan
        .changes
        .iter()
        .filter_map(|change| match &change.object {
            Object::ProxyDelay { scope } => Some((scope.to_string(), change.before, change.after)),
            _ => None,
        })
        .collect();
    assert_eq!(delays, ["eth3", "eth4"].map(|name| (name.to_owned(), Value::Number(800), Value::Number(0))));
}

#[test]
fn announcements_are_for_what_changed_and_can_be_switched_off() {
    let text = OPENVZ_POLICY.replace("[host]", "[host]\nannounce = false");
    assert!(plan(&Host::openvz(), &text).announcements.is_empty());
    let applied = Host(Host::openvz().0.with(&plan(&Host::openvz(), OPENVZ_POLICY).changes));
    let one = plan(&applied.proxy("192.168.18.102", 2), OPENVZ_POLICY);
    assert_eq!(one.changes.len(), 1);
    let announced: Vec<_> = one.announcements.iter().map(|a| (a.address, a.interface)).collect();
    assert_eq!(announced, [(lan(102), index(4))]);
}

#[test]
fn ipv6_addresses_get_ndp_entries_and_rules_of_their_own() {
    let host = Host::new()
        .nic(2, "eth0", &["10.0.0.1/24", "2001:db8::1/64"])
        .nic(3, "eth1", &["10.0.0.2/24", "2001:db8::2/64"])
        .venet(4, "venet0")
        .route("2001:db8::101/128", None, 4, 1024);
    let text = "[host]\n[[proxy]]\nowner = \"101\"\naddresses = [\"2001:db8::101\"]\ninterface = \"eth1\"\n";
    let plan = plan(&host, text);
    assert!(plan.changes.iter().any(|change| matches!(
        (&change.object, change.before, change.after),
        (Object::Ipv6Sysctl { sysctl: Ipv6Sysctl::ProxyNdp, .. }, Value::Number(0), Value::Number(1))
    )));
    let after = host.0.with(&plan.changes);
    let ours: Vec<_> = after.rules.iter().filter(|rule| rule.protocol == PROTOCOL && rule.ipv6).collect();
    let lookups: Vec<_> = ours.iter().map(|rule| (rule.table, rule.suppress_prefix_len)).collect();
    assert_eq!(lookups, [(254, Some(64)), (TABLE_BASE + 3, Some(63))], "there is no default route");
    assert_eq!(ours[1].source, Some(net("2001:db8::101/128")));
    let table: Vec<_> =
        after.routes.iter().filter(|r| r.table == TABLE_BASE + 3 && r.destination.addr().is_ipv6()).collect();
    assert_eq!(table.len(), 1);
    assert_eq!(table[0].destination, net("2001:db8::/64"));
    assert!(
        plan.decisions.iter().any(|why| why.contains("net.ipv6.conf.all.forwarding")),
        "{:?}",
        plan.decisions
    );
}

#[test]
fn nothing_but_the_policys_own_business_changes() {
    let host = Host::openvz()
        .nic(9, "storage", &["10.9.0.1/24"])
        .one(9, Sysctl::ArpIgnore, 3)
        .proxy("10.9.0.77", 9)
        .source_rule(900, "10.9.0.1/32", 99)
        .table_route(99, "10.9.0.0/16", 9);
    let plan = plan(&host, OPENVZ_POLICY);
    let after = host.0.with(&plan.changes);
    let mut rest = after.clone();
    rest.rules.retain(|rule| rule.protocol != PROTOCOL);
    rest.routes.retain(|route| route.protocol != PROTOCOL);
    rest.proxies = host.0.proxies.clone();
    for (now, before) in rest.interfaces.iter_mut().zip(&host.0.interfaces) {
        if [2, 3, 4].contains(&now.index.0) {
            now.sysctls = before.sysctls;
        }
    }
    assert_eq!(comparable(&rest), comparable(&host.0));
}
