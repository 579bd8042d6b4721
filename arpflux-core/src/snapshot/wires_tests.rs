use super::*;
use crate::plan::tests::host::Host;
use crate::snapshot::{InterfaceFlags, Neighbour, NeighbourState};
use crate::types::Mac;

fn host() -> Host {
    Host::new().nic(2, "eth0", &["10.0.0.1/24"]).nic(3, "eth1", &["10.0.0.2/24"]).nic(4, "x", &[])
}

/// `x`, changed, beside `eth0` and `eth1`, which share a wire.
fn with(change: impl FnOnce(&mut Interface)) -> WireMap {
    let mut host = host();
    change(&mut host.0.interfaces[3]);
    WireMap::of(&host.0)
}

fn kind(name: &str, link: u32) -> impl FnOnce(&mut Interface) {
    let kind = LinkKind::from(name);
    move |interface| (interface.kind, interface.link) = (Some(kind), Some(IfIndex(link)))
}

const ETH0: IfIndex = IfIndex(2);
const ETH1: IfIndex = IfIndex(3);
const X: IfIndex = IfIndex(4);

#[test]
fn an_interface_without_an_address_is_on_an_unknown_wire() {
    let map = with(|_| {});
    assert_eq!((map.share(ETH0, ETH1), map.certainty(ETH0)), (Some(true), Certainty::Likely));
    assert_eq!((map.share(ETH0, X), map.certainty(X)), (None, Certainty::Unknown));
    assert_eq!(map.unknown(&host().0), [X]);
    for connected in [with(|x| x.carrier = false), with(|x| x.flags.remove(InterfaceFlags::UP))] {
        assert_eq!((connected.share(ETH0, X), connected.is_connected(X)), (Some(false), false));
    }
    // A route to a neighbour there tells as much as a subnet.
    let routed = host().route("10.9.0.1/32", None, 4, 0);
    assert_eq!(WireMap::of(&routed.0).share(ETH0, X), Some(false));
}

#[test]
fn a_neighbour_heard_on_two_wires_makes_it_doubtful_that_they_are_two() {
    let heard = |mac: [u8; 6], state: u16| {
        let mut host = host().address(4, "10.5.0.1/24").0;
        host.neighbours.extend([("10.0.0.9", ETH1), ("10.5.0.9", X)].map(|(address, interface)| Neighbour {
            address: address.parse().unwrap(),
            interface,
            mac: Some(Mac::ethernet(mac)),
            state: NeighbourState(state),
            flags: 0,
        }));
        host
    };
    let router = [0x52, 0x54, 0, 0, 0, 9];
    let host = heard(router, 0x04);
    let map = WireMap::of(&host);
    assert_eq!((map.share(ETH0, X), map.doubted(X)), (None, vec![ETH0, ETH1]));
    // Told, permanent, a MAC that several machines have, or a VLAN's: no reason.
    let told = [vec!["eth0".parse().unwrap(), "eth1".parse().unwrap()], vec!["x".parse().unwrap()]];
    assert_eq!(WireMap::with(&host, &told).share(ETH0, X), Some(false));
    let mut vlan = host.clone();
    kind("vlan", 2)(&mut vlan.interfaces[3]);
    vlan.interfaces[3].vlan_id = Some(7);
    for other in [heard(router, 0x80), heard([0, 0, 0x5e, 0, 1, 7], 0x04), vlan] {
        assert_eq!(WireMap::of(&other).share(ETH0, X), Some(false));
    }
}

#[test]
fn a_veth_behind_a_port_that_hears_no_other_is_not_on_the_wire_of_the_bridge() {
    let shares = |change: &dyn Fn(&mut [Interface])| {
        let mut host = Host::new().nic(2, "eth0", &[]).nic(3, "br0", &["10.0.0.1/24"]);
        host = host.nic(4, "port", &[]).nic(5, "gw0", &["10.0.0.2/24"]);
        kind("veth", 5)(&mut host.0.interfaces[3]);
        kind("veth", 4)(&mut host.0.interfaces[4]);
        host.0.interfaces[2].kind = Some(LinkKind::Bridge);
        for port in [1, 3] {
            host.0.interfaces[port].master = Some(ETH1);
        }
        change(&mut host.0.interfaces);
        WireMap::of(&host.0).share(ETH1, IfIndex(5))
    };
    assert_eq!(shares(&|_| {}), Some(true));
    assert_eq!(shares(&|all| all[3].bridging.isolated = true), Some(true), "eth0 is not");
    let isolated: &dyn Fn(&mut [Interface]) =
        &|all| [1, 3].into_iter().for_each(|port| all[port].bridging.isolated = true);
    assert_eq!(shares(isolated), Some(false));
    assert_eq!(shares(&|all| all[3].bridging.keeps_broadcasts = true), Some(false));
    assert_eq!(shares(&|all| all[1].bridging.keeps_broadcasts = true), Some(true));
}

#[test]
fn what_stands_on_an_interface_is_on_its_wire_whatever_its_prefix() {
    for name in ["macvlan", "ipvlan", "macvtap"] {
        assert_eq!(with(kind(name, 3)).share(ETH0, X), Some(true), "{name}");
    }
    let elsewhere = with(|x| {
        kind("macvlan", 3)(x);
        x.link_netnsid = Some(0);
    });
    assert_eq!(elsewhere.share(ETH0, X), None, "the interface below is in another namespace");
    // VLANs of one number above one wire hear each other, and not what is below.
    let mut vlans = host().nic(5, "y", &["10.5.0.1/24"]);
    for (at, below, id) in [(3, 2, 7), (4, 3, 7)] {
        kind("vlan", below)(&mut vlans.0.interfaces[at]);
        vlans.0.interfaces[at].vlan_id = Some(id);
    }
    let map = WireMap::of(&vlans.0);
    assert_eq!((map.share(X, IfIndex(5)), map.share(X, ETH0)), (Some(true), Some(false)));
    vlans.0.interfaces[4].vlan_id = Some(8);
    assert_eq!(WireMap::of(&vlans.0).share(IfIndex(5), ETH0), Some(false));
}

#[test]
fn a_bridge_is_on_the_wire_of_its_ports_and_a_veth_on_that_of_its_other_end() {
    // eth1 -- port y of bridge x: eth1 and y are the ends of a veth.
    let mut host = host().nic(5, "y", &[]);
    host.0.interfaces[3].kind = Some(LinkKind::Bridge);
    kind("veth", 5)(&mut host.0.interfaces[2]);
    kind("veth", 3)(&mut host.0.interfaces[4]);
    host.0.interfaces[4].master = Some(X);
    let map = WireMap::of(&host.0);
    assert_eq!((map.share(ETH0, X), map.certainty(X)), (Some(true), Certainty::Likely));
    host.0.interfaces[4].bridge_port_state = Some(BridgePortState::Blocking);
    assert_eq!(WireMap::of(&host.0).share(ETH1, X), Some(false), "a port that does not forward");
}

#[test]
fn overlapping_subnets_say_it_of_nics_and_only_equal_ones_of_networks_inside() {
    let mut host = Host::new().nic(2, "eth0", &["10.0.0.1/8"]).nic(3, "eth1", &["10.1.0.1/16"]);
    assert_eq!(WireMap::of(&host.0).share(ETH0, ETH1), Some(true));
    host.0.interfaces[2].kind = Some(LinkKind::Bridge);
    assert_eq!(
        WireMap::of(&host.0).share(ETH0, ETH1),
        Some(false),
        "a bridge without a port that leads outside"
    );
    let mut host = Host::new().nic(2, "eth0", &["10.0.0.1/24"]).nic(3, "br0", &["10.0.0.2/24"]);
    host.0.interfaces[2].kind = Some(LinkKind::Bridge);
    assert_eq!(WireMap::of(&host.0).share(ETH0, ETH1), Some(true), "the same subnet");
}

#[test]
fn what_is_told_goes_before_subnets_and_what_stands_on_it_goes_along() {
    let told = |host: &Host, wires: &[&[&str]]| {
        let names = |wire: &&[&str]| wire.iter().map(|name| name.parse().unwrap()).collect();
        WireMap::with(&host.0, &wires.iter().map(names).collect::<Vec<_>>())
    };
    let mut host = host();
    assert_eq!(told(&host, &[&["eth0"], &["eth1"]]).share(ETH0, ETH1), Some(false));
    let map = told(&host, &[&["eth0", "x"]]);
    assert_eq!((map.share(ETH0, X), map.certainty(X)), (Some(true), Certainty::Known));
    assert_eq!(map.share(ETH0, ETH1), Some(false), "nothing is said of eth1");
    kind("macvlan", 2)(&mut host.0.interfaces[3]);
    assert_eq!(told(&host, &[&["eth0"]]).share(ETH0, X), Some(true));
}
