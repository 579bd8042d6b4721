//! Without a kernel: what must hold whatever the host. The kernel's own answers are compared elsewhere.

use super::*;
use crate::snapshot::{Address, AddressFlags, Interface, InterfaceFlags, Neighbour, NeighbourState, Scope};
use crate::snapshot::{
    Interference, KernelVersion, LinkKind, NextHop, NextHopFlags, ProxyEntry, Route, RouteKind, Rule, table,
};
use crate::sysctl::{Sysctl, SysctlValues};

pub(super) fn interface(index: u32, name: &str, sysctls: &[(Sysctl, i32)]) -> Interface {
    let mut values: SysctlValues = Sysctl::ALL.iter().map(|sysctl| (*sysctl, 0)).collect();
    for (sysctl, value) in sysctls {
        values.set(*sysctl, Some(*value));
    }
    Interface {
        flags: InterfaceFlags::UP | InterfaceFlags::BROADCAST,
        sysctls: values,
        ipv6: Default::default(),
        ..Interface::new(IfIndex(index), name.parse().unwrap(), Mac::ethernet([2, 0, 0, 0, 0, index as u8]))
    }
}

pub(super) fn route(table: u32, kind: RouteKind, to: &str, by: u32) -> Route {
    Route { table, kind, scope: Scope::LINK, protocol: 2, ..Route::new(to.parse().unwrap(), IfIndex(by)) }
}

fn address(interface: u32, local: &str, prefix_len: u8) -> Address {
    Address {
        interface: IfIndex(interface),
        local: local.parse().unwrap(),
        peer: None,
        prefix_len,
        scope: Scope::UNIVERSE,
        flags: AddressFlags::PERMANENT,
        broadcast: None,
    }
}

/// Two interfaces in one subnet, 10.0.0.1 on eth0 and 10.0.0.2 on eth1; 10.9.0.0/16 behind eth1.
pub(super) fn host() -> Snapshot {
    Snapshot {
        kernel: KernelVersion { release: "6.18.44".into(), version: "#1 SMP".into() },
        all: Sysctl::ALL.iter().map(|sysctl| (*sysctl, 0)).collect(),
        interfaces: vec![interface(2, "eth0", &[(Sysctl::Forwarding, 1)]), interface(3, "eth1", &[])],
        addresses: vec![address(2, "10.0.0.1", 24), address(3, "10.0.0.2", 24)],
        routes: vec![
            route(table::LOCAL, RouteKind::Local, "10.0.0.1/32", 2),
            route(table::LOCAL, RouteKind::Local, "10.0.0.2/32", 3),
            route(table::MAIN, RouteKind::Unicast, "10.0.0.0/24", 2),
            route(table::MAIN, RouteKind::Unicast, "10.0.0.0/24", 3),
            route(table::MAIN, RouteKind::Unicast, "10.9.0.0/16", 3),
        ],
        rules: Rule::defaults().to_vec(),
        proxies: vec![ProxyEntry::new("10.9.0.7".parse().unwrap(), Some(IfIndex(2)))],
        ..Snapshot::default()
    }
}

fn ask(snapshot: &Snapshot, interface: u32, sender: &str, target: &str) -> Verdict {
    let request = ArpRequest::broadcast(IfIndex(interface), sender.parse().unwrap(), target.parse().unwrap());
    let model = Model::of(snapshot);
    let verdict = model.reply(&request);
    assert_eq!(model.explain(&request).verdict, verdict, "the explanation agrees");
    verdict
}

#[test]
fn flux_and_proxying() {
    let host = host();
    let both = [ask(&host, 2, "10.0.0.9", "10.0.0.2"), ask(&host, 3, "10.0.0.9", "10.0.0.2")];
    assert_eq!(
        both.map(|verdict| verdict.mac().copied()),
        [Some(Mac::ethernet([2, 0, 0, 0, 0, 2])), Some(Mac::ethernet([2, 0, 0, 0, 0, 3])),]
    );
    let proxied = ask(&host, 2, "10.0.0.9", "10.9.0.7");
    assert_eq!(proxied.reason(), Some(Reason::ProxyEntry));
    assert!(matches!(proxied, Verdict::Answers { delay: Some(Delay { below_ms: 800, queue: 64 }), .. }));
    assert_eq!(ask(&host, 2, "10.0.0.9", "10.9.0.8").reason(), Some(Reason::NotProxied));
    assert_eq!(ask(&host, 2, "0.0.0.0", "10.9.0.7").reason(), Some(Reason::ProbeNotLocal));
    assert_eq!(ask(&host, 3, "10.0.0.9", "10.9.0.7").reason(), Some(Reason::ForwardingOff));
    assert_eq!(ask(&host, 9, "10.0.0.9", "10.9.0.7").reason(), Some(Reason::NoInterface));
}

#[test]
fn interference_counts_only_where_it_can_change_the_answer() {
    let mut host = host();
    host.interference.push(Interference::Netfilter { chain: "arp filter input".into(), interface: None });
    host.interference.push(Interference::Xdp { interface: IfIndex(3), program: None });
    let undetermined = ask(&host, 2, "10.0.0.9", "10.0.0.1");
    assert!(
        matches!(undetermined, Verdict::Undetermined { missing } if missing == MissingSet::only(Missing::Netfilter))
    );
    assert_eq!(ask(&host, 2, "10.0.0.9", "10.9.0.8").reason(), Some(Reason::NotProxied));
    assert_eq!(ask(&host, 3, "10.0.0.9", "10.9.0.8").answers(), None, "XDP can answer by itself");
    host.interfaces[1].flags = InterfaceFlags::BROADCAST;
    assert_eq!(ask(&host, 3, "10.0.0.9", "10.0.0.2").reason(), Some(Reason::InterfaceDown));
}

#[test]
fn hidden_state_counts_only_where_it_can_change_the_answer() {
    let mut host = host();
    // 10.0.0.255 is no address of an interface, so the short check lets it pass and the full one does not.
    host.routes.push(route(table::LOCAL, RouteKind::Broadcast, "10.0.0.255/32", 2));
    assert_eq!(ask(&host, 2, "10.0.0.9", "10.0.0.1").answers(), Some(true));
    let Verdict::Undetermined { missing } = ask(&host, 2, "10.0.0.255", "10.0.0.1") else {
        panic!("the sender's validation is not known")
    };
    assert!(missing.contains(Missing::RulesChanged) && missing.contains(Missing::LocalRoutesAdded));
    host.routing.rules_changed = Some(true);
    assert_eq!(ask(&host, 2, "10.0.0.255", "10.0.0.1").reason(), Some(Reason::SenderKind));
    host.routing.rules_changed = Some(false);
    host.routing.local_routes_added = Some(false);
    host.routing.realms = Some(false);
    assert_eq!(ask(&host, 2, "10.0.0.255", "10.0.0.1").answers(), Some(true));
}

#[test]
fn multipath_is_undetermined_only_where_the_hops_end_differently() {
    let mut host = host();
    let two_hops = |snapshot: &mut Snapshot, to: &str| {
        let mut both = route(table::MAIN, RouteKind::Unicast, to, 2);
        both.next_hops.push(NextHop {
            interface: Some(IfIndex(3)),
            gateway: None,
            weight: 1,
            flags: NextHopFlags::empty(),
        });
        snapshot.routes.push(both);
    };
    two_hops(&mut host, "10.9.0.7/32");
    assert_eq!(ask(&host, 2, "10.0.0.9", "10.9.0.7").answers(), None);
    two_hops(&mut host, "10.9.0.9/32");
    assert_eq!(ask(&host, 2, "10.0.0.9", "10.9.0.9").answers(), Some(false), "not proxied either way");
}

#[test]
fn json_of_verdicts_and_steps() {
    let host = host();
    let request = ArpRequest::broadcast(IfIndex(2), "10.0.0.9".parse().unwrap(), "10.0.0.2".parse().unwrap());
    let json = serde_json::to_value(host.explain(&request).unwrap()).unwrap();
    assert_eq!(json["answers"], true);
    assert_eq!(json["mac"], "02:00:00:00:00:02");
    assert_eq!(json["reason"], "local");
    let steps = json["steps"].as_array().unwrap();
    assert!(steps.iter().all(|step| step["function"].is_string() && step["text"].is_string()), "{json}");
    assert_eq!(steps[1]["step"], "route");
    assert_eq!(steps[1]["table"], 255);
    let silent = serde_json::to_value(ask(&host, 2, "10.0.0.9", "10.9.0.8")).unwrap();
    assert_eq!(silent, serde_json::json!({"answers": false, "mac": null, "reason": "not_proxied"}));
    let text = host.explain(&request).unwrap().to_string();
    assert!(text.contains("arp_ignore is 0 on eth0 and lets it pass"), "{text}");
}

#[test]
fn codes_are_unique_and_snake_case() {
    let mut codes: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    codes.extend(Missing::ALL.iter().map(|missing| missing.code()));
    assert!(
        codes
            .iter()
            .all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit()))
    );
    let count = codes.len();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), count);
    assert!(Missing::ALL.len() <= 32, "a set of them is a number of 32 bits");
}

#[test]
fn the_hosts_own_requests() {
    let mut host = host();
    let sender_of = |host: &Snapshot| match Model::of(host).outgoing(
        "10.0.0.9".parse().unwrap(),
        Some("10.0.0.2".parse().unwrap()),
        None,
    ) {
        Outgoing::Asks { interface, sender, rule, .. } => (interface, sender.to_string(), rule),
        other => panic!("{other:?}"),
    };
    assert_eq!(sender_of(&host), (IfIndex(2), "10.0.0.2".into(), SourceRule::Packet));
    host.interfaces[0].sysctls.set(Sysctl::ArpAnnounce, Some(1));
    assert_eq!(sender_of(&host), (IfIndex(2), "10.0.0.2".into(), SourceRule::SameSubnet));
    host.interfaces[0].sysctls.set(Sysctl::ArpAnnounce, Some(2));
    assert_eq!(sender_of(&host), (IfIndex(2), "10.0.0.1".into(), SourceRule::Best));
}

#[test]
fn what_is_routed_out_of_a_vrf_is_routed_again_within_it() {
    let mut host = host();
    let mut vrf = interface(4, "vrf0", &[]);
    vrf.kind = Some("vrf".into());
    vrf.vrf_table = Some(110);
    vrf.flags |= InterfaceFlags::NOARP;
    host.interfaces.push(vrf);
    host.interfaces[1].master = Some(IfIndex(4));
    host.routes.push(route(table::MAIN, RouteKind::Unicast, "10.7.0.0/16", 4));
    host.rules.push(Rule { priority: 1000, table: 0, l3mdev: true, ..Rule::defaults()[1].clone() });
    host.rules.sort_by_key(|rule| rule.priority);
    let way = |host: &Snapshot| Model::of(host).outgoing("10.7.0.9".parse().unwrap(), None, None);
    assert!(
        matches!(way(&host), Outgoing::NoRequest { interface: IfIndex(4), .. }),
        "the table of the VRF has no route"
    );
    host.routes.push(route(110, RouteKind::Unicast, "10.7.0.0/24", 3));
    let asks = way(&host);
    assert!(matches!(asks, Outgoing::Asks { interface: IfIndex(3), .. }), "{asks:?}");
}

#[test]
fn a_nexthop_object_of_which_no_hop_will_do_ends_the_search_among_prefixes_of_its_start() {
    let mut host = host();
    // All begin at 10.8.0.0: one leaf of the kernel's trie.
    let first = host.routes.len();
    for (to, by, gateway) in
        [("10.8.0.0/16", 3, "10.0.0.16"), ("10.8.0.0/15", 2, "10.0.0.15"), ("10.0.0.0/8", 2, "10.0.0.8")]
    {
        let mut route = route(table::MAIN, RouteKind::Unicast, to, by);
        route.next_hops[0].gateway = Some(gateway.parse().unwrap());
        host.routes.push(route);
    }
    for (object, gateway) in [(Some(7), "10.0.0.8"), (None, "10.0.0.15")] {
        host.routes[first].nexthop_id = object;
        let outgoing = Model::of(&host).outgoing("10.8.3.4".parse().unwrap(), None, Some(IfIndex(2)));
        let Outgoing::Asks { target, .. } = outgoing else { panic!("{outgoing:?}") };
        assert_eq!(target, gateway.parse::<Ipv4Addr>().unwrap(), "object: {object:?}");
    }
}

#[test]
fn a_full_neighbour_table_matters_for_own_addresses_and_new_senders() {
    let mut host = host();
    assert_eq!(ask(&host, 2, "10.0.0.9", "10.0.0.1").answers(), Some(true));
    host.interference.push(Interference::FullNeighbourTable { entries: 1024, limit: 1024 });
    let full = Verdict::Undetermined { missing: MissingSet::only(Missing::NeighbourTable) };
    let explained = |host: &Snapshot, sender: &str, target: &str| {
        let request = ArpRequest::broadcast(IfIndex(2), sender.parse().unwrap(), target.parse().unwrap());
        Model::of(host).reply(&request)
    };
    assert_eq!(explained(&host, "10.0.0.9", "10.0.0.1"), full);
    assert_eq!(explained(&host, "0.0.0.0", "10.0.0.1").answers(), Some(true), "probes need no entry");
    assert_eq!(explained(&host, "10.0.0.9", "10.9.0.7").answers(), Some(true), "nor do proxied answers");
    host.neighbours.push(Neighbour {
        address: "10.0.0.9".parse().unwrap(),
        interface: IfIndex(2),
        mac: None,
        state: NeighbourState(4),
        flags: 0,
    });
    assert_eq!(explained(&host, "10.0.0.9", "10.0.0.1").answers(), Some(true), "it has its entry already");
}

/// What `interface` learns from 10.0.0.`sender`, which it has `entry` for.
fn learns(snapshot: &Snapshot, reply: bool, sender: u8, target: &str, entry: Entry) -> Learning {
    Model::of(snapshot).learns(&Received {
        interface: IfIndex(2),
        reply,
        sender: Ipv4Addr::new(10, 0, 0, sender),
        sender_mac: Mac::ethernet([2, 0, 0, 0, 9, 9]),
        target: target.parse().unwrap(),
        target_mac: Mac::ethernet([2, 0, 0, 0, 9, 9]),
        unicast: reply,
        entry,
    })
}

#[test]
fn learning_goes_by_the_answer_the_age_of_the_entry_and_arp_accept() {
    let mut host = host();
    let stale = Learning::Takes { confirmed: false };
    let (fresh, old) = (Entry::Known { changed_ms: 1000 }, Entry::Known { changed_ms: 1001 });
    assert_eq!(learns(&host, false, 9, "10.0.0.1", fresh), stale, "an answered request, whatever was known");
    assert_eq!(learns(&host, true, 9, "10.0.0.1", fresh), Learning::KeepsOther);
    assert_eq!(learns(&host, true, 9, "10.0.0.1", old), Learning::Takes { confirmed: true });
    assert_eq!(learns(&host, true, 9, "10.0.0.1", Entry::Unresolved), Learning::Takes { confirmed: true });
    assert_eq!(learns(&host, true, 9, "10.0.0.1", Entry::Fixed), Learning::Nothing);
    assert_eq!(learns(&host, false, 9, "10.0.0.9", fresh), stale, "an announcement counts at once");
    assert_eq!(learns(&host, false, 9, "10.0.0.9", Entry::None), Learning::Nothing);
    for (value, by_subnet) in [(1, true), (2, false), (3, false), (-1, false)] {
        host.interfaces[0].sysctls.set(Sysctl::ArpAccept, Some(value));
        let taken = learns(&host, false, 9, "10.0.0.9", Entry::None) == stale;
        assert_eq!(taken, value == 1 || value == 2, "arp_accept={value}");
        host.addresses[0].prefix_len = 32;
        assert_eq!(
            learns(&host, false, 9, "10.0.0.9", Entry::None) == stale,
            by_subnet,
            "arp_accept={value}"
        );
        host.addresses[0].prefix_len = 24;
    }
    // An own address that is not answered for teaches nothing, not even about a known sender.
    host.interfaces[0].sysctls.set(Sysctl::ArpIgnore, Some(8));
    assert_eq!(learns(&host, false, 9, "10.0.0.1", old), Learning::Nothing);
    host.interference.push(Interference::Netfilter { chain: "arp filter input".into(), interface: None });
    assert!(matches!(learns(&host, true, 9, "10.0.0.1", old), Learning::Undetermined { .. }));
}

#[test]
fn announcements_go_by_the_larger_arp_notify_and_need_an_interface_that_is_up() {
    let mut host = host();
    let count = |host: &Snapshot, event| Model::of(host).announcements(IfIndex(2), event).len();
    assert_eq!(count(&host, Event::Up), 0);
    assert_eq!(count(&host, Event::PeersNotified), 1, "which asks no sysctl");
    host.interfaces[0].sysctls.set(Sysctl::ArpNotify, Some(-1));
    assert_eq!(count(&host, Event::Up), 0, "the larger of 0 and -1");
    host.all.set(Sysctl::ArpNotify, Some(1));
    host.addresses.push(address(2, "10.0.0.3", 24));
    assert_eq!((count(&host, Event::Up), count(&host, Event::MacChanged)), (2, 2));
    host.interfaces[0].flags = InterfaceFlags::BROADCAST;
    assert_eq!((count(&host, Event::Up), count(&host, Event::MacChanged)), (2, 0));
}

#[test]
fn an_interface_without_carrier_answers_nobody() {
    let silent = Verdict::Silent { reason: Reason::NoCarrier };
    let mut host = host();
    let request = ArpRequest::broadcast(IfIndex(2), "10.0.0.9".parse().unwrap(), "10.0.0.1".parse().unwrap());
    let verdict = |host: &Snapshot| Model::of(host).reply(&request);
    assert_eq!(verdict(&host).answers(), Some(true));
    host.interfaces[0].carrier = false;
    // What meddles does not matter where nothing arrives.
    host.interference.push(Interference::Xdp { interface: IfIndex(2), program: None });
    assert_eq!(verdict(&host), silent);
    let matrix = Matrix::of(&Model::of(&host));
    assert_eq!((matrix.rows[0].cells[0].rule(), matrix.ok), ("no carrier".into(), Some(true)));
    assert_eq!(verdict(&host.as_if_connected()).missing(), MissingSet::only(Missing::Xdp));
    host.interference.clear();
    assert_eq!(verdict(&host.as_if_connected()).answers(), Some(true));

    // A VLAN stands on the interface below, a bridge has carrier by its ports.
    let mut lower = interface(9, "eth9", &[]);
    lower.carrier = false;
    host.interfaces[0].carrier = true;
    host.interfaces[0].kind = Some(LinkKind::Vlan);
    host.interfaces[0].link = Some(IfIndex(9));
    host.interfaces.push(lower);
    assert_eq!(verdict(&host), silent);
    let last = host.interfaces.len() - 1;
    host.interfaces[last].carrier = true;
    assert_eq!(verdict(&host).answers(), Some(true));
    host.interfaces[last].flags = InterfaceFlags::BROADCAST;
    assert_eq!(verdict(&host), silent, "nor if that one is down");
}
