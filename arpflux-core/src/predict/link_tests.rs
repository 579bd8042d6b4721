//! Bonds, options of links, and the host's own packets, without a kernel.

use super::tests::{host, interface, route};
use super::*;
use crate::snapshot::{
    Address, BondMode, BondPortState, IpvlanMode, LinkKind, Neighbour, NeighbourState, RouteKind, Rule,
    Scope, Snapshot, table,
};
use crate::sysctl::Sysctl;

/// eth0 and eth2 are ports of a bond, which takes eth0's address.
fn bonded(mode: BondMode, states: [BondPortState; 2]) -> Snapshot {
    let mut host = host();
    let mut bond = interface(8, "bond0", &[]);
    bond.kind = Some(LinkKind::Bond);
    bond.bond_mode = Some(mode);
    bond.bond_active_port = Some(IfIndex(2));
    host.interfaces.push(interface(4, "eth2", &[]));
    host.interfaces.push(bond);
    for (port, state) in [0, 2].into_iter().zip(states) {
        host.interfaces[port].master = Some(IfIndex(8));
        host.interfaces[port].bond_port_state = Some(state);
    }
    host.addresses[0].interface = IfIndex(8);
    host
}

fn reply(host: &Snapshot, interface: u32, unicast: bool) -> Verdict {
    let (sender, target) = ("10.0.0.9".parse().unwrap(), "10.0.0.1".parse().unwrap());
    Model::of(host)
        .reply(&ArpRequest { unicast, ..ArpRequest::broadcast(IfIndex(interface), sender, target) })
}

#[test]
fn a_bond_listens_to_its_active_ports() {
    use BondPortState::{Active, Backup};
    let answers = |host: &Snapshot| [2, 4].map(|port| reply(host, port, false).answers());
    let mut host = bonded(BondMode::ActiveBackup, [Active, Backup]);
    assert_eq!(answers(&host), [Some(true), Some(false)]);
    host.interfaces[3].bond_all_active = true;
    assert_eq!(answers(&host), [Some(true), Some(true)]);
    // All ports of these are told as active, but one is listened to.
    let mut host = bonded(BondMode::BalanceTlb, [Active, Active]);
    assert_eq!(answers(&host), [Some(true), Some(false)]);
    host.interfaces[3].bond_all_active = true;
    assert_eq!(answers(&host), [None, None], "it depends on when the ports were added");
    host.interfaces[3].bond_all_active = false;
    host.interfaces[3].bond_active_port = None;
    assert_eq!(answers(&host), [None, None], "snapshots of before do not tell");
    let host = bonded(BondMode::BalanceAlb, [Active, Active]);
    assert_eq!(answers(&host), [None, Some(false)], "by which MAC is not told");
    assert_eq!(reply(&host, 4, true).answers(), None, "unicast frames are taken on every port");
}

#[test]
fn an_option_that_is_not_modelled_leaves_open_what_depends_on_it() {
    let mut host = host();
    host.interfaces[0].open_options = vec!["IFLA_BR_MULTI_BOOLOPT".into()];
    host.interfaces[0].kind = Some(LinkKind::Bridge);
    assert_eq!(reply(&host, 2, false).missing(), MissingSet::only(Missing::LinkOption));
    assert_eq!(reply(&host, 3, false).answers(), Some(true), "not on another interface");
    host.interfaces.push(interface(4, "eth2", &[]));
    host.interfaces[2].master = Some(IfIndex(2));
    host.interfaces[2].bridge_port_state = Some(crate::snapshot::BridgePortState::Blocking);
    assert_eq!(reply(&host, 4, false).missing(), MissingSet::only(Missing::LinkOption), "but on its ports");
    // What a macvlan takes the interface below may not see.
    let mut host = super::tests::host();
    let mut macvlan = interface(4, "mv0", &[]);
    macvlan.kind = Some(LinkKind::Macvlan);
    macvlan.link = Some(IfIndex(2));
    macvlan.open_options = vec!["IFLA_MACVLAN_FLAGS".into()];
    host.interfaces.push(macvlan);
    assert_eq!(reply(&host, 2, false).answers(), None);
}

#[test]
fn rules_for_protocols_ports_and_users_are_met_or_told_as_passed_over() {
    let mut host = host();
    let mut other = route(100, RouteKind::Unicast, "10.7.0.0/16", 3);
    host.routes.push(other.clone());
    other.table = table::MAIN;
    other.next_hops[0].interface = Some(IfIndex(2));
    host.routes.push(other);
    host.rules.push(Rule {
        priority: 100,
        table: 100,
        ip_protocol: Some(6),
        destination_ports: Some((443, 444)),
        uids: Some((1000, 2000)),
        ..Rule::defaults()[1].clone()
    });
    host.rules.sort_by_key(|rule| rule.priority);
    let model = Model::of(&host);
    let by = |kind: PacketKind| {
        let reached = Reached::of(&model, kind, "10.7.0.9".parse().unwrap(), None, None);
        let Outgoing::Asks { interface, .. } = reached.outgoing else { panic!("{reached:?}") };
        (interface.0, reached.passed_over.len())
    };
    let kind = |protocol, destination_port, user| PacketKind { protocol, destination_port, user };
    assert_eq!(by(kind(None, None, None)), (2, 1), "not known, so it is told");
    assert_eq!(by(kind(Some(6), Some(443), Some(1500))), (3, 0));
    assert_eq!(by(kind(Some(6), Some(443), None)), (2, 1));
    assert_eq!(by(kind(Some(17), Some(443), None)), (2, 0), "not for UDP, whoever sends it");
    assert_eq!(by(kind(Some(6), Some(80), Some(1500))), (2, 0));
}

#[test]
fn a_bridge_whose_ports_keep_broadcasts_asks_nobody() {
    let mut host = host();
    host.interfaces[0].kind = Some(LinkKind::Bridge);
    host.interfaces.push(interface(4, "eth2", &[]));
    host.interfaces[2].master = Some(IfIndex(2));
    let way = |host: &Snapshot| Model::of(host).outgoing("10.0.0.9".parse().unwrap(), None, None);
    assert!(matches!(way(&host), Outgoing::Asks { .. }));
    host.interfaces[2].bridging.keeps_broadcasts = true;
    assert!(matches!(way(&host), Outgoing::NoRequest { .. }));
}

#[test]
fn a_snapshot_of_an_older_version_says_what_it_did_not_read() {
    let mut host = host();
    host.interfaces[0].kind = Some(LinkKind::Bridge);
    assert_eq!(reply(&host, 2, false).answers(), Some(true));
    let text = host.to_json().unwrap().replacen("\"reads\": 1,", "", 1).replacen("\"reads\":1,", "", 1);
    let host = Snapshot::from_json(&text).unwrap();
    assert_eq!(reply(&host, 2, false).missing(), MissingSet::only(Missing::OldSnapshot));
    assert_eq!(reply(&host, 3, false).answers(), Some(true), "a card has no such options");
}

#[test]
fn of_several_next_hops_the_one_of_the_packets_address_is_taken_since_6_16() {
    let mut host = host();
    host.addresses[1] = Address { local: "10.2.0.2".parse().unwrap(), ..host.addresses[1].clone() };
    host.routes.retain(|route| !route.destination.addr().to_string().starts_with("10.0.0.2"));
    host.routes.push(route(table::LOCAL, RouteKind::Local, "10.2.0.2/32", 3));
    let mut both = route(table::MAIN, RouteKind::Unicast, "10.7.0.0/16", 2);
    both.next_hops.push(both.next_hops[0].clone());
    for (hop, (by, gateway)) in both.next_hops.iter_mut().zip([(2, "10.0.0.254"), (3, "10.2.0.254")]) {
        hop.interface = Some(IfIndex(by));
        hop.gateway = Some(gateway.parse().unwrap());
    }
    both.scope = Scope::UNIVERSE;
    host.routes.push(both);
    host.routing.multipath_by_neighbour = Some(false);
    let by = |host: &Snapshot, source: Option<&str>| {
        let source = source.map(|source| source.parse().unwrap());
        match Model::of(host).outgoing("10.7.0.9".parse().unwrap(), source, None) {
            Outgoing::Asks { interface, .. } => Some(interface.0),
            _ => None,
        }
    };
    assert_eq!(
        [Some("10.0.0.1"), Some("10.2.0.2"), None].map(|source| by(&host, source)),
        [Some(2), Some(3), None]
    );
    host.kernel.release = "6.12.107".into();
    assert_eq!(by(&host, Some("10.2.0.2")), None);
    host.kernel.release = "6.18.44".into();
    host.routing.multipath_by_neighbour = None;
    assert_eq!(by(&host, Some("10.2.0.2")), None);
}

#[test]
fn of_equal_default_routes_the_first_whose_gateway_answers_is_taken() {
    let mut host = host();
    for (by, gateway) in [(2, "10.0.0.254"), (3, "10.0.0.253")] {
        let mut default = route(table::MAIN, RouteKind::Unicast, "0.0.0.0/0", by);
        default.next_hops[0].gateway = Some(gateway.parse().unwrap());
        default.scope = Scope::UNIVERSE;
        host.routes.push(default);
    }
    let entry = |address: &str, interface, state| Neighbour {
        address: address.parse().unwrap(),
        interface: IfIndex(interface),
        mac: Some(Mac::ethernet([2, 0, 0, 0, 0, 9])),
        state: NeighbourState(state),
        flags: 0,
    };
    let by = |host: &Snapshot| match Model::of(host).outgoing("8.8.8.8".parse().unwrap(), None, None) {
        Outgoing::Asks { interface, .. } => Some(interface.0),
        _ => None,
    };
    assert_eq!(by(&host), None);
    host.neighbours = vec![entry("10.0.0.254", 2, 0x02)];
    assert_eq!(by(&host), Some(2));
    host.neighbours = vec![entry("10.0.0.254", 2, 0x20), entry("10.0.0.253", 3, 0x02)];
    assert_eq!(by(&host), Some(3));
    host.neighbours = vec![entry("10.0.0.254", 2, 0x04), entry("10.0.0.253", 3, 0x02)];
    assert_eq!(by(&host), None, "a stale one counts unless it was taken last");
}

#[test]
fn an_address_is_borrowed_in_the_order_in_which_interfaces_came() {
    let mut host = host();
    host.interfaces.push(interface(4, "out1", &[]));
    host.routes.push(route(table::MAIN, RouteKind::Unicast, "10.7.0.0/16", 4));
    let sender = |host: &Snapshot| match Model::of(host).outgoing("10.7.0.9".parse().unwrap(), None, None) {
        Outgoing::Asks { sender, .. } => Ok(sender.to_string()),
        Outgoing::Undetermined { missing } => Err(missing),
        other => panic!("{other:?}"),
    };
    assert_eq!(sender(&host), Err(MissingSet::only(Missing::BorrowedSource)));
    host.interfaces[0].came = Some(7);
    host.interfaces[1].came = Some(3);
    assert_eq!(sender(&host), Ok("10.0.0.2".into()));
    host.addresses.remove(1);
    host.interfaces[0].came = None;
    assert_eq!(sender(&host), Ok("10.0.0.1".into()), "there is but one");
}

#[test]
fn an_ipvlan_takes_requests_for_its_address_by_its_mode() {
    let mut host = host();
    let mut ipvlan = interface(4, "ipvl0", &[]);
    ipvlan.kind = Some(LinkKind::Ipvlan);
    ipvlan.link = Some(IfIndex(2));
    ipvlan.mac = host.interfaces[0].mac;
    host.interfaces.push(ipvlan);
    host.addresses[0].interface = IfIndex(4);
    // The interface below answers for no address of others, the ipvlan for its own.
    host.interfaces[0].sysctls.set(Sysctl::ArpIgnore, Some(1));
    let both = |host: &Snapshot| [false, true].map(|unicast| reply(host, 2, unicast).answers());
    let mode = |host: &mut Snapshot, mode| host.interfaces[2].ipvlan_mode = Some(mode);
    mode(&mut host, IpvlanMode::L2);
    assert_eq!(both(&host), [Some(false), Some(true)], "broadcasts come to both");
    mode(&mut host, IpvlanMode::L3s);
    assert_eq!(both(&host), [Some(false), Some(false)]);
    host.interfaces[0].sysctls.set(Sysctl::ArpIgnore, Some(0));
    assert_eq!(both(&host), [Some(true), Some(true)]);
    mode(&mut host, IpvlanMode::L3);
    host.interfaces[2].flags |= crate::snapshot::InterfaceFlags::NOARP;
    assert_eq!(both(&host), [Some(false), Some(false)], "it takes them, and does no ARP");
    host.interfaces[2].flags -= crate::snapshot::InterfaceFlags::UP;
    assert_eq!(both(&host), [Some(true), Some(true)], "down it takes nothing");
}
