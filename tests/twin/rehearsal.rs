//! Plans tried on twins.

use std::collections::BTreeSet;

use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::outward::{Heard, HeardTurn, Rehearsal, RehearsedAnswer};
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
