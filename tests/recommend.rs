//! Recommended policies on real hosts of each sort: applied, then asked with real frames.
#![allow(missing_docs, reason = "a test")]

use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arpflux_core::frame::{Arp, Ethernet, Operation};
use arpflux_core::recommend::{Recommendation, Topology, recommend};
use arpflux_core::state::{Object, SysctlScope};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::types::Mac;
use arpflux_core::wire::{Direction, Filter};
use arpflux_core::{ErrorKind, Host, Policy, apply};
use arpflux_lab::{Lab, NewRoute, Question, Recorder, Switch};

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

fn host(of: &arpflux_lab::Host) -> Host {
    Host::at(format!("/proc/self/fd/{}", of.netns().as_fd().as_raw_fd()).as_ref()).unwrap()
}

fn mac(last: u8) -> Mac {
    Mac::ethernet([0x02, 0, 0, 0, 1, last])
}

/// A folder for journals, gone at the end.
struct State(PathBuf);

impl State {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("arpflux-recommend-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Recommends for the host as it is, writes the policy as text, reads it back, applies it for real, and checks
/// that the host gets the same recommendation and no more changes then.
fn applied(of: &arpflux_lab::Host) -> Recommendation {
    let node = host(of);
    let recommended = recommend(&node.snapshot().unwrap()).unwrap();
    let policy = Policy::from_toml(&recommended.to_toml().unwrap(), "policy.toml").unwrap();
    let plan = policy.plan(&node.snapshot().unwrap()).unwrap();
    assert_eq!(plan, recommended.plan);
    let state = State::new();
    if !plan.is_empty() {
        drop(node.apply(&plan, apply::Options::default().state_dir(&state.0)).unwrap());
    }
    let again = recommend(&node.snapshot().unwrap()).unwrap();
    assert_eq!(again.policy, policy, "{}", again.to_toml().unwrap());
    assert!(again.plan.is_empty(), "{}", again.plan);
    recommended
}

/// Asks each interface for each address with real frames, from a neighbour and as a probe, and compares who
/// answers with `owners`: the one interface that shall answer the neighbour, by address.
fn asked(of: &arpflux_lab::Host, interfaces: &[(&str, &str)], owners: &[(&str, Option<&str>)]) {
    for (interface, sender) in interfaces {
        let mut asker = of.asker(interface).unwrap();
        let questions: Vec<Question> = owners
            .iter()
            .flat_map(|(address, _)| {
                [ip(sender), Ipv4Addr::UNSPECIFIED].map(|sender| Question::new(sender, ip(address)))
            })
            .collect();
        let answers = asker.ask(&questions, Duration::ZERO).unwrap();
        let own = of.mac(interface).unwrap();
        for ((address, owner), both) in owners.iter().zip(answers.chunks(2)) {
            let expected: Vec<Mac> = if *owner == Some(*interface) { vec![own] } else { Vec::new() };
            let got = |place: usize| both[place].iter().map(|answer| answer.mac).collect::<Vec<_>>();
            assert_eq!(got(0), expected, "{interface}, asked by {sender} for {address}");
            if *owner != Some(*interface) {
                assert_eq!(got(1), [], "{interface}, probed for {address}");
            }
        }
    }
}

fn sorts(recommended: &Recommendation) -> Vec<Topology> {
    recommended.seen.iter().map(|seen| seen.topology).collect()
}

/// A host with interfaces `eth0`, `eth1` … on switches, each with an address.
fn plugged(lab: &Lab, ports: &[(&Switch, &str)]) -> arpflux_lab::Host {
    let node = lab.host("node").unwrap();
    for (number, (switch, address)) in ports.iter().enumerate() {
        let name = format!("eth{number}");
        node.plug(switch, &name, mac(number as u8)).unwrap();
        node.address(&name, address).unwrap();
    }
    node
}

#[test]
fn one_subnet_and_every_rp_filter() {
    for rp_filter in 0..3 {
        let lab = Lab::new().unwrap();
        let lan = lab.switch("lan").unwrap();
        let node = plugged(&lab, &[(&lan, "10.0.0.2/24"), (&lan, "10.0.0.3/24")]);
        for name in ["eth0", "eth1"] {
            node.sysctl(&format!("net.ipv4.conf.{name}.rp_filter"), rp_filter).unwrap();
        }
        let recommended = applied(&node);
        assert_eq!(sorts(&recommended), [Topology::OneSubnet]);
        let neighbours = [("eth0", "10.0.0.9"), ("eth1", "10.0.0.9")];
        asked(&node, &neighbours, &[("10.0.0.2", Some("eth0")), ("10.0.0.3", Some("eth1"))]);
    }
}

#[test]
fn subnets_of_their_own_even_on_one_wire() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let node = plugged(&lab, &[(&lan, "10.0.0.2/24"), (&lan, "10.0.1.2/24")]);
    let recommended = applied(&node);
    assert_eq!(sorts(&recommended), [Topology::SeveralSubnets]);
    let owners = [("10.0.0.2", Some("eth0")), ("10.0.1.2", Some("eth1"))];
    asked(&node, &[("eth0", "10.0.0.9"), ("eth1", "10.0.1.9")], &owners);
}

#[test]
fn eight_rails_and_every_rp_filter() {
    for rp_filter in 0..3 {
        let lab = Lab::new().unwrap();
        let lan = lab.switch("fabric").unwrap();
        let addresses: Vec<String> = (0..8).map(|rail| format!("10.9.0.{}", 10 + rail)).collect();
        let prefixes: Vec<String> = addresses.iter().map(|address| format!("{address}/16")).collect();
        let ports: Vec<(&Switch, &str)> = prefixes.iter().map(|prefix| (&lan, prefix.as_str())).collect();
        let node = plugged(&lab, &ports);
        let names: Vec<String> = (0..8).map(|rail| format!("eth{rail}")).collect();
        for name in &names {
            node.sysctl(&format!("net.ipv4.conf.{name}.rp_filter"), rp_filter).unwrap();
        }
        let recommended = applied(&node);
        assert_eq!(sorts(&recommended), [Topology::MultiRail]);
        assert_eq!(recommended.rp_filter, [0, 1, 2]);
        let neighbours: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "10.9.0.200")).collect();
        let owners: Vec<(&str, Option<&str>)> = addresses
            .iter()
            .zip(&names)
            .map(|(address, name)| (address.as_str(), Some(name.as_str())))
            .collect();
        asked(&node, &neighbours, &owners);
        // Each rail's own traffic leaves by it: the peer sees the request for it from that MAC.
        let peer = lab.host("peer").unwrap();
        peer.plug(&lan, "eth0", mac(200)).unwrap();
        peer.address("eth0", "10.9.0.200/16").unwrap();
        leaves_by(&node, &addresses, &names, "10.9.0.200");
    }
}

/// Pings `destination` from each address and checks that its requests and packets leave by its own interface.
fn leaves_by(node: &arpflux_lab::Host, addresses: &[String], names: &[String], destination: &str) {
    let places: Vec<(&arpflux_lab::Host, &str)> = names.iter().map(|name| (node, name.as_str())).collect();
    for (own, address) in addresses.iter().enumerate() {
        node.forget_neighbours().unwrap();
        let recorder = Recorder::start(&places, Filter::Arp).unwrap();
        node.ping(Some(ip(address)), ip(destination), 1).unwrap();
        let requests: Vec<usize> = recorder
            .stop()
            .unwrap()
            .iter()
            .filter(|recorded| recorded.direction == Direction::Out)
            .filter(|recorded| {
                let arp = Ethernet::parse(&recorded.frame).and_then(|frame| Arp::parse(frame.payload));
                let arp = arp.ok().and_then(|arp| arp.ipv4());
                arp.is_some_and(|arp| {
                    arp.operation == Operation::Request
                        && arp.target == ip(destination)
                        && arp.sender == ip(address)
                })
            })
            .map(|recorded| recorded.place)
            .collect();
        assert!(!requests.is_empty(), "no request from {address} was seen");
        assert!(requests.iter().all(|place| *place == own), "{address} asks by interfaces {requests:?}");
    }
}

#[test]
fn a_service_address_on_lo_is_asked_about_and_nothing_is_changed() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let node = plugged(&lab, &[(&lan, "10.0.0.2/24")]);
    node.address("lo", "10.0.0.100/32").unwrap();
    // Nothing on the host can tell whether a load balancer answers for it, or this host has to.
    let error = recommend(&host(&node).snapshot().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Undetermined);
    assert!(error.to_string().contains("10.0.0.100") && error.to_string().contains("[[service]]"), "{error}");
    asked(&node, &[("eth0", "10.0.0.9")], &[("10.0.0.2", Some("eth0")), ("10.0.0.100", Some("eth0"))]);
}

#[test]
fn a_kubernetes_node_keeps_its_pods_and_the_textbook_line_would_not() {
    let lab = Lab::new().unwrap();
    let (front, back) = (lab.switch("front").unwrap(), lab.switch("back").unwrap());
    let node = plugged(&lab, &[(&front, "10.0.0.2/24"), (&back, "10.0.1.2/24")]);
    node.sysctl("net.ipv4.ip_forward", 1).unwrap();
    let pod = lab.host("pod").unwrap();
    node.connect("cali1", &pod, "eth0").unwrap();
    pod.address("eth0", "10.244.1.5/32").unwrap();
    node.route(&NewRoute::to("10.244.1.5/32").unwrap().device("cali1").unwrap()).unwrap();
    let recommended = applied(&node);
    assert!(sorts(&recommended).contains(&Topology::KubernetesNode));
    let owners = [("10.0.0.2", Some("eth0")), ("10.0.1.2", Some("eth1"))];
    asked(&node, &[("eth0", "10.0.0.9"), ("eth1", "10.0.1.9")], &owners);
    let pod_asks = || node.ask("cali1", &[Question::new(ip("10.244.1.5"), ip("10.0.0.2"))]).unwrap();
    assert_eq!(pod_asks()[0].len(), 1, "the pod still finds its node");
    // What was refused does break it, on the real kernel.
    let textbook =
        &recommended.refused.iter().find(|refused| refused.recipe.contains("arp_ignore = 1")).unwrap();
    assert!(textbook.why.contains("10.244.1.5"), "{}", textbook.why);
    node.sysctl("net.ipv4.conf.all.arp_ignore", 1).unwrap();
    assert_eq!(pod_asks()[0].len(), 0, "the refusal was a false alarm");
}

#[test]
fn containers_are_answered_for_by_one_interface() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let node =
        plugged(&lab, &[(&lan, "192.168.18.10/24"), (&lan, "192.168.18.11/24"), (&lan, "192.168.18.12/24")]);
    node.sysctl("net.ipv4.ip_forward", 1).unwrap();
    node.route(&NewRoute::to("0.0.0.0/0").unwrap().via(ip("192.168.18.1").into())).unwrap();
    let venet = lab.venet(&node, "venet0").unwrap();
    let _containers: Vec<arpflux_lab::Host> = ["192.168.18.101", "192.168.18.102"]
        .map(|address| venet.container(address, ip(address)).unwrap())
        .into();
    for name in ["eth0", "eth1", "eth2"] {
        for container in ["192.168.18.101", "192.168.18.102"] {
            node.proxy(name, ip(container).into()).unwrap();
        }
    }
    let recommended = applied(&node);
    assert_eq!(sorts(&recommended), [Topology::ContainerHost, Topology::OneSubnet]);
    let neighbours = [("eth0", "192.168.18.129"), ("eth1", "192.168.18.129"), ("eth2", "192.168.18.129")];
    let owners = [
        ("192.168.18.10", Some("eth0")),
        ("192.168.18.11", Some("eth1")),
        ("192.168.18.12", Some("eth2")),
        ("192.168.18.101", Some("eth0")),
        ("192.168.18.102", Some("eth0")),
    ];
    asked(&node, &neighbours, &owners);
}

#[test]
fn two_uplinks_of_a_laptop() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("home").unwrap();
    let node = plugged(&lab, &[(&lan, "192.168.1.20/24"), (&lan, "192.168.1.21/24")]);
    let router = lab.host("router").unwrap();
    router.plug(&lan, "eth0", mac(200)).unwrap();
    router.address("eth0", "192.168.1.1/24").unwrap();
    for (name, metric) in [("eth0", 100), ("eth1", 600)] {
        let gateway = NewRoute::to("0.0.0.0/0").unwrap().via(ip("192.168.1.1").into());
        node.route(&gateway.device(name).unwrap().metric(metric)).unwrap();
    }
    let recommended = applied(&node);
    assert_eq!(sorts(&recommended), [Topology::OneSubnet, Topology::TwoUplinks]);
    assert_eq!(recommended.policy.host.interfaces, None);
    let owners = [("192.168.1.20", Some("eth0")), ("192.168.1.21", Some("eth1"))];
    asked(&node, &[("eth0", "192.168.1.9"), ("eth1", "192.168.1.9")], &owners);
    let (addresses, names) =
        (["192.168.1.20".to_owned(), "192.168.1.21".to_owned()], ["eth0".to_owned(), "eth1".to_owned()]);
    leaves_by(&node, &addresses, &names, "192.168.1.1");
}

#[test]
fn in_a_cloud_only_the_way_out_changes() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("fabric").unwrap();
    let node = lab.host("node").unwrap();
    let addresses = ["10.128.0.5".to_owned(), "10.128.0.6".to_owned()];
    for (name, address) in ["eth0", "eth1"].iter().zip(&addresses) {
        let [a, b, c, d] = ip(address).octets();
        node.plug(&lan, name, Mac::ethernet([0x42, 0x01, a, b, c, d])).unwrap();
        node.address(name, &format!("{address}/20")).unwrap();
    }
    let router = lab.host("router").unwrap();
    router.plug(&lan, "eth0", mac(200)).unwrap();
    router.address("eth0", "10.128.0.1/20").unwrap();
    let before = host(&node).snapshot().unwrap();
    let recommended = applied(&node);
    assert!(sorts(&recommended).contains(&Topology::CloudHost));
    let touched = recommended.plan.changes.iter().any(|change| {
        matches!(
            change.object,
            Object::Sysctl {
                sysctl: Sysctl::ArpIgnore | Sysctl::ArpAnnounce,
                scope: SysctlScope::Interface { .. },
            }
        )
    });
    assert!(!touched && !recommended.plan.is_empty(), "{}", recommended.plan);
    let after = host(&node).snapshot().unwrap();
    assert_eq!(after.interfaces, before.interfaces, "no sysctl changed");
    leaves_by(&node, &addresses, &["eth0".to_owned(), "eth1".to_owned()], "10.128.0.1");
}

/// A router with two cards on the wire of its clients, who have the second one's address as their gateway.
#[test]
fn clients_of_a_router_are_not_cut_off_by_strict_rp_filter() {
    let lab = Lab::new().unwrap();
    let (lan, wan) = (lab.switch("lan").unwrap(), lab.switch("wan").unwrap());
    let ports = [(&lan, "192.0.2.10/24"), (&lan, "192.0.2.11/24"), (&wan, "198.51.100.2/24")];
    let node = plugged(&lab, &ports);
    let beside = |switch: &Switch, name: &str, last: u8, address: &str, gateway: &str| {
        let of = lab.host(name).unwrap();
        of.plug(switch, "eth0", mac(last)).unwrap();
        of.address("eth0", address).unwrap();
        of.route(&NewRoute::to("0.0.0.0/0").unwrap().via(ip(gateway).into())).unwrap();
        of
    };
    let client = beside(&lan, "client", 101, "192.0.2.9/24", "192.0.2.11");
    let _far = beside(&wan, "far", 102, "198.51.100.1/24", "198.51.100.2");
    node.sysctl("net.ipv4.ip_forward", 1).unwrap();
    node.sysctl("net.ipv4.conf.all.rp_filter", 1).unwrap();
    let through = || client.ping(None, ip("198.51.100.1"), 1).unwrap().received;
    assert_eq!(through(), 1);

    let error = recommend(&host(&node).snapshot().unwrap()).unwrap_err();
    assert!(
        error.message().contains("by its router 192.0.2.11 would arrive on eth1 and be dropped"),
        "{error}"
    );
    assert!(error.remedy().unwrap().starts_with("set net.ipv4.conf.eth1.rp_filter=2 and"), "{error}");
    // It is so: with the policy that fits a host with loose rp_filter, nothing gets through.
    node.sysctl("net.ipv4.conf.eth1.rp_filter", 2).unwrap();
    let recommended = applied(&node);
    assert_eq!(recommended.rp_filter, [0, 2]);
    assert_eq!(through(), 1);
    node.sysctl("net.ipv4.conf.eth1.rp_filter", 1).unwrap();
    assert_eq!(through(), 0);
}
