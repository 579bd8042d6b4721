use super::*;
use crate::proof::testing::{Host, hardware_node};
use crate::snapshot::{InterfaceFlags, RouteKind, Scope, table};
use crate::sysctl::Sysctl;

/// A node with one NIC, a service address on lo and a proxied container behind a veth.
fn node(number: u8, container: Option<&str>) -> Host {
    let mut host = Host::new();
    host.up(2, "eth0");
    host.0.interfaces[1].mac = Mac::ethernet([2, number, 0, 0, 0, 2]);
    host.address(2, &format!("10.0.0.{number}"), 24, Scope::UNIVERSE);
    host.address(1, "10.0.0.200", 32, Scope::UNIVERSE);
    host.set(2, Sysctl::Forwarding, 1);
    host.interface(3, "veth1", InterfaceFlags::UP | InterfaceFlags::BROADCAST);
    if let Some(container) = container {
        host.route(table::MAIN, RouteKind::Unicast, &format!("{container}/32"), 3, Scope::LINK);
        host.proxy(container, Some(2));
    }
    host
}

#[test]
fn two_nodes_that_proxy_one_address_and_a_service_address_on_all() {
    let (a, b) = (node(1, Some("10.0.0.101")), node(2, Some("10.0.0.101")));
    let members = [Member::new("node1", &a.0).unwrap(), Member::new("node2", &b.0).unwrap()];
    let segments = infer(&members, &Stop::default()).unwrap().segments;
    assert_eq!(segments.len(), 1);
    let names: Vec<(usize, u32)> =
        segments[0].ports.iter().map(|port| (port.member, port.interface.0)).collect();
    assert_eq!(names, [(0, 2), (1, 2)]);
    let found = answers(&members, &segments[0], &Stop::default()).unwrap();
    let outcomes: Vec<(String, Outcome)> =
        found.iter().map(|answer| (answer.address.to_string(), answer.outcome)).collect();
    assert_eq!(
        outcomes,
        [
            ("10.0.0.101".to_string(), Outcome::Duplicate),
            ("10.0.0.200".to_string(), Outcome::Duplicate),
            ("10.0.0.1".to_string(), Outcome::Single),
            ("10.0.0.2".to_string(), Outcome::Single),
        ]
    );
    assert_eq!(
        found[0].to_string(),
        "10.0.0.101: several hosts answer (several proxy it): node1 eth0 with 02:01:00:00:00:02, there is a \
         proxy entry for it; node2 eth0 with 02:02:00:00:00:02, there is a proxy entry for it"
    );
    // arp_ignore=1 on the nodes hides the service address.
    let (mut a, mut b) = (a, b);
    a.set(2, Sysctl::ArpIgnore, 1);
    b.set(2, Sysctl::ArpIgnore, 1);
    let members = [Member::new("node1", &a.0).unwrap(), Member::new("node2", &b.0).unwrap()];
    let found = answers(&members, &segments[0], &Stop::default()).unwrap();
    let service = found.iter().find(|answer| answer.address == Ipv4Addr::new(10, 0, 0, 200)).unwrap();
    assert_eq!(service.outcome, Outcome::Nobody);
}

#[test]
fn flux_of_one_host_is_told_from_duplicates_across_hosts() {
    let node = hardware_node();
    let mut client = Host::new();
    client.up(2, "eth0");
    client.0.interfaces[1].mac = Mac::ethernet([2, 9, 0, 0, 0, 2]);
    client.address(2, "192.168.18.129", 24, Scope::UNIVERSE);
    let members = [Member::new("hn", &node.0).unwrap(), Member::new("client", &client.0).unwrap()];
    let segments = infer(&members, &Stop::default()).unwrap().segments;
    assert_eq!(segments.iter().map(|segment| segment.ports.len()).collect::<Vec<_>>(), [4]);
    let found = answers(&members, &segments[0], &Stop::default()).unwrap();
    let flux: Vec<_> = found.iter().filter(|answer| answer.outcome == Outcome::Flux).collect();
    assert_eq!(flux.len(), 5);
    assert!(found.iter().all(|answer| answer.outcome != Outcome::Duplicate));
}

#[test]
fn private_bridges_of_two_hosts_are_no_wire() {
    let mut hosts = [node(1, None), node(2, None)];
    for host in &mut hosts {
        host.up(4, "docker0");
        host.0.interfaces.iter_mut().find(|i| i.index.0 == 4).unwrap().kind = Some("bridge".into());
        host.address(4, "172.17.0.1", 16, Scope::UNIVERSE);
    }
    let members = [Member::new("a", &hosts[0].0).unwrap(), Member::new("b", &hosts[1].0).unwrap()];
    let segments = infer(&members, &Stop::default()).unwrap().segments;
    assert_eq!(segments.len(), 1);
    assert!(segments[0].ports.iter().all(|port| port.interface == IfIndex(2)));
}

/// A host with one NIC that has heard its gateway, and others.
fn at(number: u8, gateway: &str, heard: &[(&str, u8)]) -> Snapshot {
    let mut host = Host::new();
    host.up(2, "eth0");
    host.0.interfaces[1].mac = Mac::ethernet([2, number, 0, 0, 0, 2]);
    host.address(2, &format!("192.168.1.{number}"), 24, Scope::UNIVERSE);
    host.route(table::MAIN, RouteKind::Unicast, "0.0.0.0/0", 2, Scope::UNIVERSE);
    host.0.routes.last_mut().unwrap().next_hops[0].gateway = Some(gateway.parse().unwrap());
    for (address, mac) in heard {
        host.0.neighbours.push(crate::snapshot::Neighbour {
            address: address.parse().unwrap(),
            interface: IfIndex(2),
            mac: Some(Mac::ethernet([2, *mac, 0, 0, 0, 2])),
            state: crate::snapshot::NeighbourState(2),
            flags: 0,
        });
    }
    host.0
}

fn inferred(hosts: &[(&str, &Snapshot)]) -> (Vec<Vec<usize>>, Vec<Certainty>, Vec<Apart>, SharedWires) {
    let members: Vec<Member<'_>> =
        hosts.iter().map(|(name, host)| Member::new(name, host).unwrap()).collect();
    let stop = Stop::default();
    let found = infer(&members, &stop).unwrap();
    let hosts = |segment: &Segment| segment.ports.iter().map(|port| port.member).collect();
    (
        found.segments.iter().map(hosts).collect(),
        found.segments.iter().map(|segment| segment.certainty).collect(),
        found.apart,
        SharedWires::inferred(&members, None, &stop).unwrap(),
    )
}

#[test]
fn two_sites_with_one_private_subnet_are_told_apart_by_their_gateways() {
    // Site a: 1 and 2; site b: 3 and 4. 1 and 3 hold nothing in common but the subnet.
    let (a1, a2) = (
        at(1, "192.168.1.254", &[("192.168.1.254", 101)]),
        at(2, "192.168.1.254", &[("192.168.1.254", 101)]),
    );
    let (b1, b2) = (
        at(3, "192.168.1.254", &[("192.168.1.254", 102)]),
        at(4, "192.168.1.254", &[("192.168.1.254", 102)]),
    );
    let all = [("a1", &a1), ("a2", &a2), ("b1", &b1), ("b2", &b2)];
    let (wires, certainty, apart, shared) = inferred(&all);
    assert_eq!(wires, [vec![0, 1], vec![2, 3]]);
    assert_eq!(certainty, [Certainty::Likely; 2]);
    assert_eq!(
        apart[0].to_string(),
        "the gateway 192.168.1.254 is at 02:65:00:00:00:02 for a1 eth0 and at 02:66:00:00:00:02 for b1 eth0"
    );
    assert_eq!((shared.judgement.ok(), shared.hosts), (Some(true), 4));

    // Of a host that has heard nobody it cannot be told where it is: the question is asked.
    let quiet = at(5, "192.168.1.254", &[]);
    let (wires, _, apart, shared) = inferred(&[all.as_slice(), &[("quiet", &quiet)]].concat());
    assert_eq!(wires, [vec![0, 1], vec![2, 3]]);
    assert_eq!(apart[0].open.iter().map(|port| port.host.as_str()).collect::<Vec<_>>(), ["quiet"]);
    assert_eq!(shared.judgement.ok(), None);
    let line = shared.last_line().unwrap();
    assert!(
        line.starts_with("some wires cannot be told: it is not known on which wire quiet eth0 is: "),
        "{line}"
    );
    // Unless a neighbour tells.
    let heard = at(5, "192.168.1.254", &[("192.168.1.4", 4)]);
    let (wires, _, _, shared) = inferred(&[all.as_slice(), &[("heard", &heard)]].concat());
    assert_eq!((wires, shared.judgement.ok()), (vec![vec![0, 1], vec![2, 3, 4]], Some(true)));
}

#[test]
fn a_gateway_with_two_macs_on_one_wire_divides_nobody_who_heard_each_other() {
    let a = at(1, "192.168.1.254", &[("192.168.1.254", 101)]);
    let b = at(2, "192.168.1.254", &[("192.168.1.254", 102), ("192.168.1.1", 1)]);
    let (wires, _, apart, _) = inferred(&[("a", &a), ("b", &b)]);
    assert_eq!((wires, apart), (vec![vec![0, 1]], vec![]));
    // MACs that go with an address from router to router say nothing.
    let mut c = at(1, "192.168.1.254", &[("192.168.1.254", 0)]);
    let mut d = at(2, "192.168.1.254", &[("192.168.1.254", 0)]);
    for (host, group) in [(&mut c, 1), (&mut d, 2)] {
        host.neighbours[0].mac = Some(Mac::ethernet([0, 0, 0x5e, 0, 1, group]));
    }
    let (wires, _, apart, _) = inferred(&[("c", &c), ("d", &d)]);
    assert_eq!((wires, apart), (vec![vec![0, 1]], vec![]));
}

#[test]
fn what_one_host_measured_to_be_two_wires_is_not_made_one_by_its_neighbours() {
    let mut san = Host::new();
    for (index, name) in [(2, "eth0"), (3, "eth1")] {
        san.up(index, name);
        san.address(index, &format!("192.168.1.1{index}"), 24, Scope::UNIVERSE);
    }
    let (one, other) = (at(1, "192.168.1.254", &[("192.168.1.12", 0)]), at(2, "192.168.1.254", &[]));
    let mut one = one;
    one.neighbours[0].mac = Some(san.0.interfaces[1].mac);
    let wires = Wires::new([vec!["eth0".parse().unwrap()], vec!["eth1".parse().unwrap()]]).unwrap();
    let members = [
        Member::new("san", &san.0).unwrap().measured(&wires),
        Member::new("one", &one).unwrap(),
        Member::new("other", &other).unwrap(),
    ];
    let shared = SharedWires::inferred(&members, None, &Stop::default()).unwrap();
    let ports: Vec<Vec<String>> = shared
        .segments
        .iter()
        .map(|wire| wire.ports.iter().map(|port| format!("{} {}", port.host, port.interface)).collect())
        .collect();
    assert_eq!(ports, [["san eth0", "one eth0"]]);
    assert_eq!(shared.apart[0].open[0].host, "other");
    assert_eq!(shared.judgement.ok(), None);
    // What is said goes before all.
    let text = r#"{"schema":1,"segments":[{"ports":[{"host":"san","interface":"eth1"},{"host":"other","interface":"eth0"},
        {"host":"elsewhere","interface":"eth0"}]}]}"#;
    let told = Segment::all_from_json(&members, text).unwrap();
    assert_eq!(told[0].ports.len(), 2);
    let twice = text.replace("elsewhere", "other");
    assert!(Segment::all_from_json(&members, &twice).unwrap_err().to_string().contains("stands twice"));
}

#[test]
fn how_a_duplicate_comes_about() {
    let plain = |number: u8| {
        let mut host = Host::new();
        host.up(2, "eth0");
        host.0.interfaces[1].mac = Mac::ethernet([2, number, 0, 0, 0, 2]);
        host.address(2, &format!("10.0.0.{number}"), 24, Scope::UNIVERSE);
        host
    };
    let mut hosts =
        [node(1, Some("10.0.0.3")), node(2, Some("10.0.0.101")), node(4, Some("10.0.0.101")), plain(3)];
    hosts[3].address(2, "10.0.0.1", 24, Scope::UNIVERSE);
    let names = ["a", "b", "c", "d"];
    let members: Vec<Member<'_>> =
        names.iter().zip(&hosts).map(|(name, host)| Member::new(name, &host.0).unwrap()).collect();
    let shared = SharedWires::inferred(&members, None, &Stop::default()).unwrap();
    let causes: Vec<(String, Cause)> = shared.segments[0]
        .addresses
        .iter()
        .filter_map(|answer| Some((answer.address.to_string(), answer.cause?)))
        .collect();
    let expected = [
        ("10.0.0.1", Cause::Held),
        ("10.0.0.3", Cause::HeldAndProxied),
        ("10.0.0.101", Cause::Proxied),
        ("10.0.0.200", Cause::ServiceAddress),
    ];
    assert_eq!(causes, expected.map(|(address, cause)| (address.to_owned(), cause)));
}

fn names(wires: &Wires) -> String {
    wires.to_string()
}

#[test]
fn told_wires_go_before_guessed_ones() {
    let node = hardware_node();
    // All three hold addresses of one subnet.
    let guess = Wires::guess(&node.0);
    let together = guess.of(&"eth0".parse().unwrap()).unwrap();
    assert_eq!(guess.wires()[together].len(), 3, "{}", names(&guess));

    let told = Wires::new([vec!["eth4".parse().unwrap()], vec!["eth0".parse().unwrap()]]).unwrap();
    let map = told.map(&node.0);
    let index = |name: &str| node.0.interfaces.iter().find(|i| i.name.to_string() == name).unwrap().index;
    assert_eq!(map.share(index("eth4"), index("eth0")), Some(false));
    assert_eq!(map.share(index("eth3"), index("eth0")), Some(false), "nothing is said about it");
    assert_eq!(names(&told), "eth4 | eth0");
}

#[test]
fn wires_in_json() {
    let text = r#"{"schema":1,"wires":[["eth0","eth3"],["eth4"]],"heard":[{"from":"eth0","on":"eth3"}]}"#;
    assert_eq!(names(&Wires::from_json(text).unwrap()), "eth0, eth3 | eth4");
    for (text, words) in [
        (r#"{"schema":2,"wires":[]}"#, "schema 2"),
        (r#"{"schema":1}"#, "missing field `wires`"),
        (r#"{"schema":1,"wires":[["eth0"],["eth1","eth0"]]}"#, "eth0: it stands twice"),
        (r#"{"schema":1,"wires":[["a/b"]]}"#, "not an interface name"),
    ] {
        let error = Wires::from_json(text).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::InvalidData);
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// What is not asked, because a host can answer for nothing but its own, is silent indeed.
#[test]
fn hosts_that_answer_for_themselves_only_are_silent_about_the_rest() {
    use crate::proof::testing::{random_host, sample};

    let (mut alone, mut tried) = (0, 0);
    for seed in 0..600 {
        let mut host = random_host(seed).0;
        if seed % 3 == 0 {
            for interface in &mut host.interfaces {
                for sysctl in [Sysctl::ProxyArp, Sysctl::ProxyArpPvlan] {
                    interface.sysctls.set(sysctl, Some(0));
                }
            }
        }
        if proxies_for_others(&host) {
            continue;
        }
        alone += 1;
        let wide = wide_prefixes(&host);
        let own: HashSet<Ipv4Addr> = ipv4_targets(&host).into_iter().collect();
        let model = Model::of(&host);
        for request in sample(seed, &host, 200).iter().filter(|request| !own.contains(&request.target)) {
            if request.target.is_loopback() || wide.iter().any(|net| net.contains(&request.target)) {
                continue;
            }
            tried += 1;
            let verdict = model.reply(request);
            assert!(matches!(verdict, Verdict::Silent { .. }), "seed {seed}: {request:?}: {verdict:?}");
        }
    }
    assert!(alone > 50 && tried > 1000, "{alone} hosts, {tried} requests");
}

#[test]
fn a_thousand_hosts_of_one_wire_are_judged_at_once() {
    let count = 1000;
    let hosts: Vec<(String, Snapshot)> = (0..count)
        .map(|number| {
            let mut host = Host::new();
            host.up(2, "eth0");
            host.0.interfaces[1].mac = Mac::ethernet([2, 0, 0, 0, (number >> 8) as u8, number as u8]);
            host.address(2, &Ipv4Addr::from_bits(0x0a00_0001 + number).to_string(), 8, Scope::UNIVERSE);
            (format!("node{number}"), host.0)
        })
        .collect();
    let members: Vec<Member<'_>> =
        hosts.iter().map(|(name, snapshot)| Member::new(name, snapshot).unwrap()).collect();
    let begun = std::time::Instant::now();
    let segments = infer(&members, &Stop::default()).unwrap().segments;
    assert_eq!(segments.len(), 1);
    let found = answers(&members, &segments[0], &Stop::default()).unwrap();
    assert_eq!(found.len(), count as usize);
    assert!(found.iter().all(|answer| answer.outcome == Outcome::Single));
    println!("{count} hosts: {:?}", begun.elapsed());
    let stop = Stop::default();
    stop.raise();
    assert!(answers(&members, &segments[0], &stop).is_err());
}
