use super::*;
use crate::diagnose::{self, Options};
use crate::filter::{Bytes, Chain, Expression, Family, Header, Hook};
use crate::plan::tests::host::Host;
use crate::policy::Policy;
use crate::predict::{ArpRequest, Model};
use crate::proof::Prover;
use crate::snapshot::{NeighbourState, RuleFlags, table};
use crate::types::IpNet;

/// Two NICs with a rule, a route, a proxy entry and a neighbour: nothing impossible.
fn host() -> Snapshot {
    let mut host = Host::new()
        .nic(2, "eth0", &["192.168.18.10/24"])
        .nic(3, "eth1", &["192.168.18.11/24", "fd00::11/64"])
        .rule(Rule { source: Some("192.168.18.10/32".parse().unwrap()), ..Rule::lookup(1000, table::MAIN) })
        .0;
    host.rules.sort_by_key(|rule| (rule.ipv6, rule.priority));
    let address: IpAddr = "192.168.18.101".parse().unwrap();
    host.proxies.push(ProxyEntry { address, interface: Some(IfIndex(3)), flags: 0, protocol: 0 });
    let state = NeighbourState(2);
    host.neighbours.push(Neighbour { address, interface: IfIndex(2), mac: None, state, flags: 0 });
    host
}

/// A chain with one step.
fn ruled(step: Expression) -> Chain {
    Chain::at(Hook::Input, Family::Arp, "filter", "INPUT").rules(vec![vec![step]])
}

type Edit = fn(&mut Snapshot);

/// What is done to the host, and the place that the error names.
const IMPOSSIBLE: &[(&str, Edit)] = &[
    ("interfaces[1].index", |host| host.interfaces[1].index = IfIndex(1)),
    ("interfaces[2].index", |host| host.interfaces.swap(1, 2)),
    ("interfaces[0].index", |host| host.interfaces[0].index = IfIndex(0)),
    ("interfaces[2]", |host| host.interfaces[2].name = host.interfaces[1].name),
    ("interfaces[2].master", |host| host.interfaces[2].master = Some(IfIndex(9))),
    ("interfaces[2].master", |host| host.interfaces[2].master = Some(IfIndex(3))),
    ("interfaces[2].vlan_id", |host| host.interfaces[2].vlan_id = Some(4095)),
    ("interfaces[1].neigh.proxy_delay", |host| host.interfaces[1].neigh.proxy_delay = u64::MAX),
    ("interfaces[1].neigh.locktime", |host| host.interfaces[1].neigh.locktime = 1 << 32),
    ("addresses[1].prefix_len", |host| host.addresses[1].prefix_len = 33),
    ("addresses[1].prefix_len", |host| host.addresses[1].prefix_len = 255),
    ("addresses[3].prefix_len", |host| host.addresses[3].prefix_len = 129),
    ("addresses[1].interface", |host| host.addresses[1].interface = IfIndex(9)),
    ("addresses[1].peer", |host| host.addresses[1].peer = Some(IpAddr::V6(1.into()))),
    ("addresses[1].broadcast", |host| host.addresses[1].broadcast = Some(IpAddr::V6(1.into()))),
    ("addresses[4]", |host| host.addresses.push(host.addresses[1].clone())),
    ("routes[0].destination", |host| host.routes[0].destination = "10.0.0.1/8".parse().unwrap()),
    ("filters.chains[0].rules[0][0].from", |host| {
        let (mask, xor) = (Bytes(vec![0; 4]), Bytes(vec![0; 4]));
        host.filters.chains.push(ruled(Expression::Mask { from: 200, to: 4, mask, xor }));
    }),
    ("filters.chains[0].rules[0][0].register", |host| {
        let (header, offset, len) = (Header::Network, 0, u32::MAX);
        host.filters.chains.push(ruled(Expression::Load { header, offset, len, register: 4 }));
    }),
    ("routes[0].source", |host| host.routes[0].source = Some("fd00::/64".parse().unwrap())),
    ("routes[0].preferred_source", |host| {
        host.routes[0].preferred_source = Some(IpAddr::V6(1.into()));
    }),
    ("routes[0].next_hops[0].interface", |host| {
        host.routes[0].next_hops[0].interface = Some(IfIndex(9));
    }),
    ("routes[0].next_hops[0].weight", |host| host.routes[0].next_hops[0].weight = 0),
    ("routes[0].next_hops[0].gateway", |host| {
        host.routes[0].destination = "fd00::/64".parse().unwrap();
        (host.routes[0].source, host.routes[0].preferred_source) = (None, None);
        host.routes[0].next_hops[0].gateway = Some([10, 0, 0, 1].into());
    }),
    ("rules[1].source", |host| host.rules[1].source = Some("fd00::/64".parse().unwrap())),
    ("rules[1].destination", |host| host.rules[1].destination = Some("fd00::/64".parse().unwrap())),
    ("rules[2].priority", |host| host.rules.swap(1, 2)),
    ("rules[1].suppress_prefix_len", |host| host.rules[1].suppress_prefix_len = Some(u32::MAX)),
    ("rules[1].suppress_group", |host| host.rules[1].suppress_group = Some(1 << 31)),
    ("rules[1].goto", |host| host.rules[1].action = RuleAction::Goto),
    ("rules[1].goto", |host| {
        host.rules[1].action = RuleAction::Goto;
        host.rules[1].goto = Some(1000);
        host.rules[1].flags = RuleFlags::UNRESOLVED;
    }),
    ("rules[1].source_ports", |host| host.rules[1].source_ports = Some((2, 1))),
    ("rules[1].destination_ports", |host| host.rules[1].destination_ports = Some((2, 1))),
    ("rules[1].uids", |host| host.rules[1].uids = Some((2, 1))),
    ("proxies[0].interface", |host| host.proxies[0].interface = Some(IfIndex(9))),
    ("proxies[1]", |host| host.proxies.push(host.proxies[0])),
    ("neighbours[0].interface", |host| host.neighbours[0].interface = IfIndex(9)),
    ("neighbours[1]", |host| host.neighbours.push(host.neighbours[0].clone())),
    ("interference[0].interface", |host| {
        host.interference.push(Interference::Xdp { interface: IfIndex(9), program: None });
    }),
    ("interference[0].interface", |host| {
        host.interference.push(Interference::Listener { interface: Some(IfIndex(9)) });
    }),
];

#[test]
fn what_no_kernel_holds_is_refused_with_its_place() {
    host().check().unwrap();
    for (place, edit) in IMPOSSIBLE {
        let mut edited = host();
        edit(&mut edited);
        let error = edited.check().unwrap_err();
        assert_eq!((error.kind(), error.object()), (ErrorKind::InvalidData, *place), "{error}");
    }
}

#[test]
fn a_stored_snapshot_is_refused_as_one_made_in_code() {
    assert_eq!(Snapshot::from_json(&host().to_json().unwrap()).unwrap(), host());
    for (place, edit) in IMPOSSIBLE {
        let mut edited = host();
        edit(&mut edited);
        let read = Snapshot::from_json(&edited.to_json().unwrap());
        match *place {
            // Read as none, and put in order.
            "rules[1].suppress_prefix_len" | "rules[1].suppress_group" | "interfaces[2].index" => {
                read.unwrap();
            }
            _ => assert_eq!(read.unwrap_err().object(), *place),
        }
    }
}

#[test]
fn no_stage_judges_the_impossible() {
    let mut host = host();
    host.addresses[1].prefix_len = 33;
    let request = ArpRequest::broadcast(IfIndex(2), [10, 0, 0, 9].into(), [10, 9, 9, 9].into());
    let policy = Policy::default();
    let possible = Snapshot::default();
    let errors = [
        Model::new(&host).err(),
        Prover::new(&host).err(),
        host.explain(&request).err(),
        diagnose::diagnose(&host, &Options::default()).err(),
        policy.plan(&host).err(),
        crate::verify::check(&policy, &host).err(),
        crate::verify::configuration(&policy, &host).err(),
        crate::verify::model(&policy, &host).err(),
        crate::recommend::recommend(&host).err(),
        crate::segment::Member::new("a", &host).err(),
        crate::plan::Impact::between(&possible, &host, &std::collections::HashSet::new()).err(),
        crate::plan::Impact::between(&host, &possible, &std::collections::HashSet::new()).err(),
        crate::report::html::snapshot(&host).err(),
    ];
    for (stage, error) in errors.into_iter().enumerate() {
        let error = error.unwrap_or_else(|| panic!("stage {stage} took it"));
        assert_eq!(error.object(), "addresses[1].prefix_len", "stage {stage}: {error}");
    }
}

/// Netlink tools hand on the kernel's -1 as it comes.
#[test]
fn the_largest_number_suppresses_nothing() {
    let mut host = host();
    let without = host.clone();
    host.rules[1].suppress_prefix_len = Some(u32::MAX);
    host.rules[1].suppress_group = Some(u32::MAX);
    assert_eq!(Snapshot::from_json(&host.to_json().unwrap()).unwrap(), without);
}

/// What is odd but can be: an address with two prefixes, one address on two interfaces, the parent of an
/// interface in another namespace, an IPv4 route by an IPv6 gateway, the same rule twice.
#[test]
fn odd_hosts_are_possible() {
    let mut host = host();
    host.addresses.push(Address { prefix_len: 16, ..host.addresses[1].clone() });
    host.addresses.push(Address { interface: IfIndex(3), ..host.addresses[1].clone() });
    host.interfaces[2].link = Some(IfIndex(77));
    host.routes[0].destination = IpNet::from(IpAddr::from([10, 0, 0, 9]));
    host.routes[0].next_hops[0].gateway = Some(IpAddr::V6(1.into()));
    host.rules.insert(1, host.rules[1].clone());
    host.proxies.push(ProxyEntry { interface: None, ..host.proxies[0] });
    host.check().unwrap();
}
