//! Plans tried on twins.

use std::collections::BTreeSet;

use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::outward::{Heard, HeardTurn, Rehearsal, RehearsedAnswer, RehearsedWay};
use arpflux_core::plan::Plan;
use arpflux_core::snapshot::{InterfaceFlags, Interference, LinkKind};
use arpflux_core::state::{Change, Object, SysctlScope};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::types::{IfIndex, Mac};
use arpflux_core::{ErrorKind, Policy};
use arpflux_lab::rehearse;
use arpflux_tests::iproute::in_new_netns;

use crate::host::{make, snapshot};

const POLICY: &str = "version = 1

[[proxy]]
owner = \"101\"
addresses = [\"192.168.18.101\"]
interface = \"eth1\"
";

fn sentences(found: &Rehearsal) -> BTreeSet<String> {
    let heard = |list: &[Heard]| {
        let mut names: Vec<String> = list.iter().map(ToString::to_string).collect();
        names.sort();
        names.join(" ")
    };
    let line = |answer: &RehearsedAnswer| {
        let (sender, before, after) = (answer.sender, heard(&answer.before), heard(&answer.after));
        format!("{} asked by {sender}: {before} -> {after} ({})", answer.address, answer.turn)
    };
    found.answers.iter().map(line).collect()
}

#[test]
fn a_cure_is_rehearsed_and_taken_back() {
    in_new_netns(|| {
        let _wires = make(
            "card eth0 lan
             card eth1 lan
             ip addr add 192.168.18.10/24 dev eth0
             ip addr add 192.168.18.11/24 dev eth1
             sysctl net.ipv4.ip_forward=1
             ip link add cont0 type veth peer name inside
             ip link set cont0 up
             ip link set inside up
             ip route add 192.168.18.101 dev cont0
             ip neigh add proxy 192.168.18.101 dev eth0
             ip neigh add proxy 192.168.18.101 dev eth1",
        );
        let host = snapshot();
        let policy = Policy::from_toml(POLICY, "policy").unwrap();
        let found = rehearse(&host, &policy.plan(&host).unwrap(), &mut |_| {}).unwrap();
        assert_eq!((found.ok, &found.faults, &found.open), (Some(true), &vec![], &vec![]), "{found:#?}");
        let said = sentences(&found);
        for line in [
            "192.168.18.10 asked by 192.168.18.1: eth0 eth1 -> eth0 (changed)",
            "192.168.18.101 asked by 192.168.18.1: eth0 eth1 -> eth1 (changed)",
        ] {
            assert!(said.contains(line), "{line}: {said:#?}");
        }
        assert_eq!(found.requests, 2 * found.answers.len());
        let now = LinuxKernel::open().unwrap().snapshot().unwrap();
        assert_eq!((now.proxies, now.rules), (host.proxies, host.rules), "the host is untouched");
    });
}

#[test]
fn what_silences_an_address_is_bad() {
    in_new_netns(|| {
        let _wires = make("card eth0 lan\n ip addr add 10.0.0.1/24 dev eth0");
        let host = snapshot();
        let eth0 = host.interface_named(&"eth0".parse().unwrap()).unwrap();
        let scope = SysctlScope::Interface { index: eth0.index, name: eth0.name };
        let object = Object::Sysctl { scope, sysctl: Sysctl::ArpIgnore };
        let plan = Plan::default().changes(vec![Change::set(object.clone(), 0, 8)]);
        let found = rehearse(&host, &plan, &mut |_| {}).unwrap();
        assert_eq!((found.ok, found.taken_back), (Some(false), true), "{found:#?}");
        assert!(found.faults.is_empty() && !found.harm.is_empty(), "{found:#?}");
        assert!(found.answers.iter().any(|answer| answer.turn == HeardTurn::Lost), "{found:#?}");
        let other = Plan::default().changes(vec![Change::set(object, 1, 8)]);
        assert_eq!(rehearse(&host, &other, &mut |_| {}).unwrap_err().kind(), ErrorKind::Changed);
    });
}

/// The ways that a plan takes, one sentence each.
fn lost(found: &Rehearsal) -> BTreeSet<String> {
    assert!(found.turned_ways().all(|way| way.turn == HeardTurn::Lost), "{found:#?}");
    found.turned_ways().map(|way| format!("{} to {}", way.from, way.to)).collect()
}

#[test]
fn packets_are_sent_to_and_by_those_around() {
    in_new_netns(|| {
        let _wires = make(
            "card eth0 lan
             card eth1 lan
             card cont0 inside
             ip addr add 192.168.18.10/24 dev eth0
             ip addr add 192.168.18.11/24 dev eth1
             ip route add default via 192.168.18.1
             sysctl net.ipv4.ip_forward=1
             ip route add 192.168.18.101 dev cont0
             ip neigh add proxy 192.168.18.101 dev eth1",
        );
        let host = snapshot();
        let nothing = rehearse(&host, &Plan::default(), &mut |_| {}).unwrap();
        assert_eq!((nothing.ok, nothing.turned_ways().count()), (Some(true), 0), "{nothing:#?}");
        let silent: Vec<_> = nothing.ways.iter().filter(|way| !way.after).collect();
        assert!(silent.is_empty() && nothing.ways.len() > 15, "{silent:#?}");

        let forwarding = Object::Sysctl { scope: SysctlScope::All, sysctl: Sysctl::Forwarding };
        let plan = Plan::default().changes(vec![Change::set(forwarding, 1, 0)]);
        let found = rehearse(&host, &plan, &mut |_| {}).unwrap();
        assert_eq!((found.ok, &found.faults), (Some(false), &vec![]), "{found:#?}");
        let guest = "192.168.18.101 (a guest on cont0)";
        let expected = [
            format!("192.168.18.1 (a gateway on eth0) to {guest}"),
            format!("{guest} to 192.168.18.1 (a gateway on eth0)"),
            format!("{guest} to the rest of the world"),
            format!("the rest of the world to {guest}"),
        ];
        let lost = lost(&found);
        assert!(expected.iter().all(|way| lost.contains(way)), "{lost:#?}");
        assert!(lost.iter().all(|way| way.contains(guest) && !way.contains("the host")), "{lost:#?}");
    });
}

/// Every answer stays, and packets that come in by the second uplink are lost.
#[test]
fn a_second_uplink_that_loses_its_way_back_is_bad() {
    in_new_netns(|| {
        let _wires = make(
            "card eth0 lan
             card eth1 wan
             ip addr add 10.0.0.2/24 dev eth0
             ip addr add 10.1.0.2/24 dev eth1
             sysctl net.ipv4.conf.eth1.rp_filter=1
             ip route add default via 10.0.0.1
             ip route add default via 10.1.0.1 table 100
             ip rule add from 10.1.0.2 lookup 100 pref 100",
        );
        let host = snapshot();
        let rule = host.rules.iter().find(|rule| rule.table == 100).cloned().unwrap();
        let plan = Plan::default().changes(vec![Change::remove(rule)]);
        let found = rehearse(&host, &plan, &mut |_| {}).unwrap();
        assert_eq!(
            (found.ok, found.turned().count(), &found.faults),
            (Some(false), 0, &vec![]),
            "{found:#?}"
        );
        assert_eq!(
            lost(&found),
            BTreeSet::from([
                "the host (10.1.0.2) to the rest of the world".to_owned(),
                "the rest of the world to the host (10.1.0.2)".to_owned()
            ]),
            "{found:#?}"
        );
    });
}

/// `venet0` has no Ethernet: whoever is behind it is reached all the same.
#[test]
fn containers_behind_an_interface_without_arp_are_reached() {
    in_new_netns(|| {
        let _wires = make(
            "card eth0 lan
             card venet0 inside
             ip link set venet0 arp off
             ip addr add 192.168.18.10/24 dev eth0
             sysctl net.ipv4.ip_forward=1
             ip route add 192.168.18.101 dev venet0
             ip neigh add proxy 192.168.18.101 dev eth0",
        );
        let mut host = snapshot();
        let venet = host.interfaces.iter_mut().find(|one| one.name.as_bytes() == b"venet0").unwrap();
        (venet.link_type, venet.kind, venet.link, venet.link_netnsid) = (65534, None, None, None);
        let found = rehearse(&host, &Plan::default(), &mut |_| {}).unwrap();
        let guest = |way: &&RehearsedWay| way.to.interface.is_some_and(|name| name.as_bytes() == b"venet0");
        assert!(found.ways.iter().filter(guest).count() > 2, "{found:#?}");
        assert!(found.ways.iter().all(|way| way.after) && found.faults.is_empty(), "{found:#?}");
    });
}

#[test]
fn macvlans_and_what_has_no_carrier_are_as_the_model_says() {
    in_new_netns(|| {
        let _wires = make(
            "card eth2 lan
             ip addr add 192.0.2.61/24 dev eth2
             ip link add vrrp6 link eth2 address 00:00:5e:00:01:01 type macvlan mode bridge
             ip link add vrrp7 link eth2 address 00:00:5e:00:01:02 type macvlan mode bridge
             ip link set vrrp6 up
             ip link set vrrp7 up
             ip link set vrrp7 protodown on
             ip addr add 192.0.2.66/32 dev vrrp6",
        );
        let found = rehearse(&snapshot(), &Plan::default(), &mut |_| {}).unwrap();
        assert_eq!((found.ok, &found.faults), (Some(true), &vec![]), "{found:#?}");
        let said = sentences(&found);
        assert!(said.contains("192.0.2.66 asked by 192.0.2.1: eth2 vrrp6 -> eth2 vrrp6 (same)"), "{said:#?}");
    });
}

#[test]
fn what_is_not_built_is_named_and_leaves_answers_open() {
    in_new_netns(|| {
        let _wires = make(
            "card eth0 lan
             ip addr add 10.0.0.1/24 dev eth0
             ip neigh add proxy 10.0.0.9 dev eth0",
        );
        let mut host = snapshot();
        let at = host.interfaces.len() - 1;
        let eth0 = host.interfaces[at].index;
        host.interference.push(Interference::Xdp { interface: eth0, program: None });
        let found = rehearse(&host, &Plan::default(), &mut |_| {}).unwrap();
        assert_eq!(found.ok, None, "{found:#?}");
        assert!(found.answers.iter().any(|answer| answer.open.is_some()), "{found:#?}");
        assert_eq!(found.left_out[0].what, "XDP program on eth0");

        // A tunnel without ARP is stood in for, and nothing is open for that.
        let mut host = snapshot();
        let mut tunnel = host.interfaces[at].clone();
        tunnel.index = IfIndex(77);
        tunnel.name = "wg0".parse().unwrap();
        tunnel.kind = Some(LinkKind::Wireguard);
        (tunnel.link, tunnel.link_netnsid, tunnel.link_type, tunnel.mac) = (None, None, 65534, Mac::NONE);
        tunnel.flags |= InterfaceFlags::NOARP;
        host.interfaces.push(tunnel);
        let found = rehearse(&host, &Plan::default(), &mut |_| {}).unwrap();
        assert_eq!((found.ok, found.left_out.len()), (Some(true), 0), "{found:#?}");
        assert_eq!(found.stand_ins[0].what, "wg0 (wireguard)");
    });
}
