//! Hosts for tests: the one of the documentation, and hosts drawn by seed.

use std::net::{IpAddr, Ipv4Addr};

use crate::predict::ArpRequest;
use crate::snapshot::{
    Address, AddressFlags, Interface, InterfaceFlags, NeighParams, NextHop, NextHopFlags, ProxyEntry, Route,
    RouteKind, RoutingMemory, Rule, RuleAction, RuleFlags, Scope, Snapshot, table,
};
use crate::sysctl::{Sysctl, SysctlValues};
use crate::types::{IfIndex, IpNet, Ipv4Net, Mac};

/// A small generator (splitmix64), so that a seed names a host.
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// A host that grows: interfaces with the routes that the kernel would make for their addresses.
pub(crate) struct Host(pub(crate) Snapshot);

impl Host {
    pub(crate) fn new() -> Self {
        let mut host = Self(Snapshot::default());
        host.0.kernel.release = "6.18.44".into();
        host.0.routing = RoutingMemory {
            rules_changed: Some(false),
            local_routes_added: Some(false),
            realms: Some(false),
            multipath_by_neighbour: Some(false),
        };
        host.0.all = Sysctl::ALL.iter().map(|sysctl| (*sysctl, 0)).collect();
        for (priority, number) in [(0, table::LOCAL), (32766, table::MAIN), (32767, table::DEFAULT)] {
            host.0.rules.push(Rule::lookup(priority, number));
        }
        host.interface(1, "lo", InterfaceFlags::UP | InterfaceFlags::LOOPBACK);
        host.address(1, "127.0.0.1", 8, Scope::HOST);
        host
    }

    pub(crate) fn interface(&mut self, index: u32, name: &str, flags: InterfaceFlags) {
        let mut sysctls: SysctlValues = Sysctl::ALL.iter().map(|sysctl| (*sysctl, 0)).collect();
        sysctls.set(Sysctl::SendRedirects, Some(1));
        self.0.interfaces.push(Interface {
            index: IfIndex(index),
            name: name.parse().unwrap(),
            kind: None,
            link_type: 1,
            mac: Mac::ethernet([2, 0, 0, 0, 0, index as u8]),
            flags,
            carrier: true,
            master: None,
            link: None,
            link_netnsid: None,
            mtu: 1500,
            vlan_id: None,
            macvlan_mode: None,
            ipvlan_mode: None,
            altnames: Vec::new(),
            macvlan_sources: Vec::new(),
            came: None,
            bond_active_port: None,
            bond_all_active: false,
            open_options: Vec::new(),
            bridging: Default::default(),
            vrf_table: None,
            group: 0,
            bond_mode: None,
            bond_port_state: None,
            bridge_port_state: None,
            sysctls,
            ipv6: Default::default(),
            neigh: NeighParams::default(),
        });
    }

    pub(crate) fn up(&mut self, index: u32, name: &str) {
        self.interface(index, name, InterfaceFlags::UP | InterfaceFlags::BROADCAST);
    }

    pub(crate) fn route(&mut self, table: u32, kind: RouteKind, to: &str, interface: u32, scope: Scope) {
        self.0.routes.push(Route {
            table,
            kind,
            destination: IpNet::V4(to.parse().unwrap()),
            source: None,
            tos: 0,
            metric: 0,
            scope,
            protocol: 2,
            preferred_source: None,
            next_hops: vec![NextHop {
                interface: Some(IfIndex(interface)),
                gateway: None,
                weight: 1,
                flags: NextHopFlags::empty(),
            }],
            nexthop_id: None,
        });
    }

    pub(crate) fn address(&mut self, interface: u32, local: &str, prefix_len: u8, scope: Scope) {
        let local: Ipv4Addr = local.parse().unwrap();
        let subnet = Ipv4Net::new(local, prefix_len).unwrap().trunc();
        let index = IfIndex(interface);
        if self.0.addresses_of(index).any(|held| held.local == IpAddr::V4(local)) {
            return;
        }
        self.0.addresses.push(Address {
            interface: IfIndex(interface),
            local: IpAddr::V4(local),
            peer: None,
            prefix_len,
            scope,
            flags: AddressFlags::PERMANENT,
            broadcast: (prefix_len < 31).then(|| IpAddr::V4(subnet.broadcast())),
        });
        self.route(table::LOCAL, RouteKind::Local, &format!("{local}/32"), interface, Scope::HOST);
        if prefix_len < 31 {
            let broadcast = format!("{}/32", subnet.broadcast());
            self.route(table::LOCAL, RouteKind::Broadcast, &broadcast, interface, Scope::LINK);
        }
        if prefix_len < 32 && interface != 1 {
            self.route(table::MAIN, RouteKind::Unicast, &subnet.to_string(), interface, Scope::LINK);
        }
    }

    pub(crate) fn set(&mut self, interface: u32, sysctl: Sysctl, value: i32) {
        match self.0.interfaces.iter_mut().find(|port| port.index.0 == interface) {
            Some(port) => port.sysctls.set(sysctl, Some(value)),
            None => self.0.all.set(sysctl, Some(value)),
        }
    }

    pub(crate) fn proxy(&mut self, address: &str, interface: Option<u32>) {
        let address = address.parse().unwrap();
        let interface = interface.map(IfIndex);
        if !self.0.proxies.iter().any(|held| (held.address, held.interface) == (address, interface)) {
            self.0.proxies.push(ProxyEntry { address, interface, flags: 0, protocol: 0 });
        }
    }
}

/// The scenario of the documentation: three NICs on one subnet, two containers behind venet0.
pub(crate) fn hardware_node() -> Host {
    let mut host = Host::new();
    for (index, name, address) in
        [(2, "eth0", "192.168.18.10"), (3, "eth3", "192.168.18.11"), (4, "eth4", "192.168.18.12")]
    {
        host.up(index, name);
        host.address(index, address, 24, Scope::UNIVERSE);
        host.set(index, Sysctl::Forwarding, 1);
    }
    host.interface(5, "venet0", InterfaceFlags::UP | InterfaceFlags::NOARP | InterfaceFlags::POINTOPOINT);
    for container in ["192.168.18.101", "192.168.18.102"] {
        host.route(table::MAIN, RouteKind::Unicast, &format!("{container}/32"), 5, Scope::LINK);
        for interface in [2, 3, 4] {
            host.proxy(container, Some(interface));
        }
    }
    host
}

/// A host drawn by seed: everything the model looks at, in odd combinations.
pub(crate) fn random_host(seed: u64) -> Host {
    let mut rng = Rng(seed);
    let mut host = Host::new();
    let ports = 2 + rng.below(4) as u32;
    for index in 2..2 + ports {
        if rng.one_in(8) {
            host.interface(index, &format!("eth{index}"), InterfaceFlags::BROADCAST);
        } else {
            host.up(index, &format!("eth{index}"));
        }
    }
    let interfaces: Vec<u32> = (1..2 + ports).collect();
    for index in 2..2 + ports {
        host.set(index, Sysctl::Forwarding, i32::from(!rng.one_in(3)));
    }
    for _ in 0..1 + rng.below(7) {
        let to = rng.pick(&interfaces);
        let local = address(&mut rng).to_string();
        let length = rng.pick(&[16, 24, 24, 24, 25, 28, 31, 32]);
        let scope = rng.pick(&[Scope::UNIVERSE, Scope::UNIVERSE, Scope::LINK, Scope::HOST]);
        host.address(to, &local, length, scope);
    }
    for _ in 0..rng.below(12) {
        let sysctl = rng.pick(&[
            Sysctl::ArpIgnore,
            Sysctl::ArpIgnore,
            Sysctl::ArpFilter,
            Sysctl::RpFilter,
            Sysctl::RpFilter,
            Sysctl::ProxyArp,
            Sysctl::ProxyArpPvlan,
            Sysctl::Forwarding,
            Sysctl::Forwarding,
            Sysctl::MediumId,
            Sysctl::AcceptLocal,
            Sysctl::RouteLocalnet,
            Sysctl::DropGratuitousArp,
            Sysctl::IgnoreRoutesWithLinkdown,
        ]);
        let values: &[i32] = match sysctl {
            Sysctl::ArpIgnore => &[0, 1, 2, 2, 3, 8, 5, -1],
            Sysctl::RpFilter => &[0, 1, 2],
            Sysctl::MediumId => &[-1, 0, 1, 2],
            _ => &[0, 1],
        };
        let value = rng.pick(values);
        let on = if rng.one_in(5) { 0 } else { 2 + rng.below(u64::from(ports)) as u32 };
        host.set(on, sysctl, value);
    }
    for _ in 0..rng.below(8) {
        let length = rng.pick(&[0, 8, 16, 20, 24, 26, 32]);
        let net = Ipv4Net::new(address(&mut rng), length).unwrap().trunc().to_string();
        let number = rng.pick(&[table::MAIN, table::MAIN, table::LOCAL, 100, 101, table::DEFAULT]);
        let kind = rng.pick(&[
            RouteKind::Unicast,
            RouteKind::Unicast,
            RouteKind::Unicast,
            RouteKind::Local,
            RouteKind::Blackhole,
            RouteKind::Throw,
            RouteKind::Broadcast,
        ]);
        host.route(number, kind, &net, rng.pick(&interfaces), Scope::LINK);
        let route = host.0.routes.last_mut().unwrap();
        route.metric = rng.below(3) as u32;
        match kind {
            RouteKind::Blackhole | RouteKind::Throw => route.next_hops.clear(),
            _ if rng.one_in(4) => route.next_hops[0].flags = NextHopFlags::LINKDOWN,
            RouteKind::Unicast if rng.one_in(4) => {
                let mut second = route.next_hops[0].clone();
                second.interface = Some(IfIndex(rng.pick(&interfaces)));
                route.next_hops.push(second);
            }
            _ => {}
        }
    }
    if rng.one_in(2) {
        host.0.routing.rules_changed = Some(true);
        for priority in 0..rng.below(7) as u32 {
            let mut extra =
                Rule::lookup(100 + priority * 10, rng.pick(&[table::MAIN, 100, 101, table::LOCAL]));
            let prefix = |rng: &mut Rng| {
                let length = rng.pick(&[0, 16, 24, 25, 32, 32]);
                rng.one_in(2).then(|| IpNet::V4(Ipv4Net::new(address(rng), length).unwrap().trunc()))
            };
            extra.source = prefix(&mut rng);
            extra.destination = prefix(&mut rng);
            if rng.one_in(5) {
                extra.flags = RuleFlags::INVERT;
            }
            if rng.one_in(4) {
                extra.suppress_prefix_len = Some(rng.pick(&[0, 16, 24, 31]));
            }
            if rng.one_in(6) {
                extra.action = RuleAction::Goto;
                let to = rng.pick(&[32766, 130, 140]);
                extra.goto = Some(if to > extra.priority { to } else { 32766 });
            }
            if rng.one_in(5) {
                extra.iif = Some(rng.pick(&["lo", "eth2", "eth3"]).parse().unwrap());
            }
            host.0.rules.push(extra);
        }
        host.0.rules.sort_by_key(|rule| rule.priority);
    } else if rng.one_in(2) {
        host.0.routing = RoutingMemory::default();
    }
    for _ in 0..rng.below(12) {
        let on = rng.pick(&interfaces);
        let entry = address(&mut rng).to_string();
        host.proxy(&entry, (!rng.one_in(4)).then_some(on));
    }
    host
}

/// The same with more interfaces, set as those are: some hold addresses, have entries and are led to by routes.
pub(crate) fn crowd(seed: u64) -> Host {
    let mut host = random_host(seed);
    let mut rng = Rng(seed ^ 0x0c40);
    let known: Vec<Interface> = host.0.interfaces.iter().skip(1).cloned().collect();
    for index in 20..20 + 2 + rng.below(6) as u32 {
        let like = &known[rng.below(known.len() as u64) as usize];
        let name = format!("nic{index}").parse().unwrap();
        let mac = Mac::ethernet([2, 0, 0, 0, 0, index as u8]);
        host.0.interfaces.push(Interface { index: IfIndex(index), name, mac, ..like.clone() });
        if rng.one_in(2) {
            let local = address(&mut rng).to_string();
            host.address(index, &local, rng.pick(&[16, 24, 25, 32]), Scope::UNIVERSE);
        }
        if rng.one_in(4) {
            let net = Ipv4Net::new(address(&mut rng), rng.pick(&[0, 24, 32])).unwrap().trunc().to_string();
            host.route(rng.pick(&[table::MAIN, 100]), RouteKind::Unicast, &net, index, Scope::LINK);
        }
        if rng.one_in(4) {
            host.proxy(&address(&mut rng).to_string(), Some(index));
        }
    }
    host
}

/// A host drawn by seed on which little but routing, rules and subnets decides: every interface filters
/// by route, holds several subnets, and rules and routes compete.
pub(crate) fn dense_host(seed: u64) -> Host {
    let mut rng = Rng(seed ^ 0x00de_5e00);
    let mut host = Host::new();
    host.0.routing.rules_changed = Some(true);
    for index in 2..5 {
        host.up(index, &format!("eth{index}"));
        host.set(index, Sysctl::ArpIgnore, rng.pick(&[0, 2]));
        host.set(index, Sysctl::ArpFilter, rng.pick(&[0, 1]));
        host.set(index, Sysctl::RpFilter, rng.pick(&[0, 1, 2]));
        host.set(index, Sysctl::IgnoreRoutesWithLinkdown, rng.pick(&[0, 1]));
        host.set(index, Sysctl::Forwarding, 1);
        for subnet in 0..1 + rng.below(2) {
            host.address(index, &format!("10.{index}.{subnet}.1"), 24, Scope::UNIVERSE);
        }
        host.route(100 + index, RouteKind::Unicast, "0.0.0.0/0", index, Scope::UNIVERSE);
    }
    // Unequal routes of equal prefixes, without carrier some of them.
    for third in 0..3_u8 {
        for _ in 0..2 {
            let length = rng.pick(&[24, 24, 16]);
            let net = Ipv4Net::new(Ipv4Addr::new(10, 9, third, 0), length).unwrap().trunc().to_string();
            host.route(table::MAIN, RouteKind::Unicast, &net, rng.pick(&[2, 3, 4]), Scope::LINK);
            let route = host.0.routes.last_mut().unwrap();
            route.metric = rng.below(3) as u32;
            if rng.one_in(3) {
                route.next_hops[0].flags = NextHopFlags::LINKDOWN;
            }
        }
    }
    // Rules that compete for the same few senders.
    let jumps = rng.one_in(3);
    let by_source = rng.one_in(2);
    for place in 0..6 {
        let mut extra = Rule::lookup(100 + place * 10, rng.pick(&[102, 103, 104, table::MAIN]));
        let from = Ipv4Addr::new(10, 9, rng.below(3) as u8, 0);
        let prefix = IpNet::V4(Ipv4Net::new(from, rng.pick(&[24, 24, 16])).unwrap().trunc());
        if by_source {
            extra.source = Some(prefix);
        } else {
            extra.destination = Some(prefix);
        }
        if rng.one_in(4) {
            extra.flags = RuleFlags::INVERT;
        }
        if rng.one_in(4) {
            extra.suppress_prefix_len = Some(rng.pick(&[0, 16, 24]));
        }
        if jumps && rng.one_in(3) {
            extra.action = RuleAction::Goto;
            extra.goto = Some((extra.priority + 20).min(150).max(extra.priority + 1));
        }
        host.0.rules.push(extra);
    }
    host.0.rules.sort_by_key(|rule| rule.priority);
    host
}

/// Requests that matter to a [`dense_host`]: for its own addresses, from all of its prefixes.
pub(crate) fn dense_sample(seed: u64, host: &Snapshot, count: usize) -> Vec<ArpRequest> {
    let mut rng = Rng(seed ^ 0x1234);
    let own: Vec<Ipv4Addr> = crate::predict::ipv4_targets(host);
    (0..count)
        .map(|_| {
            let interface = IfIndex(2 + rng.below(3) as u32);
            let second = rng.pick(&[2, 3, 4, 9, 9, 9]);
            let sender = Ipv4Addr::new(10, second, rng.below(3) as u8, rng.pick(&[1, 7, 200]));
            let target = if rng.one_in(4) { sender } else { rng.pick(&own) };
            let sender = if rng.one_in(2) { sender } else { rng.pick(&own) };
            match rng.one_in(4) {
                true => ArpRequest::broadcast(interface, target, sender),
                false => ArpRequest::broadcast(interface, sender, target),
            }
        })
        .collect()
}

/// An address of a small world, so that prefixes and requests meet.
fn address(rng: &mut Rng) -> Ipv4Addr {
    let third = rng.pick(&[0, 0, 1, 2]);
    let last = rng.pick(&[0, 1, 2, 3, 9, 10, 63, 64, 127, 128, 129, 200, 254, 255]);
    Ipv4Addr::new(10, rng.pick(&[0, 0, 0, 1]), third, last)
}

pub(crate) fn any_address(rng: &mut Rng, host: &Snapshot) -> Ipv4Addr {
    let near = |address: IpAddr, by: u64| match address {
        IpAddr::V4(address) => Ipv4Addr::from(u32::from(address).wrapping_add(by as u32).wrapping_sub(1)),
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    };
    match rng.below(8) {
        0 => Ipv4Addr::from(rng.next() as u32),
        1 => rng.pick(&[
            Ipv4Addr::UNSPECIFIED,
            Ipv4Addr::BROADCAST,
            Ipv4Addr::new(0, 0, 0, 9),
            Ipv4Addr::new(127, 0, 0, 1),
            Ipv4Addr::new(127, 0, 0, 2),
            Ipv4Addr::new(224, 0, 0, 1),
            Ipv4Addr::new(245, 1, 2, 3),
            Ipv4Addr::new(169, 254, 0, 7),
        ]),
        2 | 3 => {
            let i = rng.below(host.addresses.len() as u64) as usize;
            near(host.addresses[i].local, rng.below(3))
        }
        4 if !host.proxies.is_empty() => {
            let i = rng.below(host.proxies.len() as u64) as usize;
            near(host.proxies[i].address, rng.below(3))
        }
        _ => address(rng),
    }
}

pub(crate) fn any_request(rng: &mut Rng, host: &Snapshot) -> ArpRequest {
    let ports = host.interfaces.len() as u64;
    let place = if rng.one_in(30) { 0 } else { 1 + rng.below(ports - 1) };
    let interface = host.interfaces[place as usize].index;
    let target = any_address(rng, host);
    let sender = if rng.one_in(10) { target } else { any_address(rng, host) };
    ArpRequest { unicast: rng.one_in(3), ..ArpRequest::broadcast(interface, sender, target) }
}

/// Requests drawn by seed, most of them near something that the host has.
pub(crate) fn sample(seed: u64, host: &Snapshot, count: usize) -> Vec<ArpRequest> {
    let mut rng = Rng(seed ^ 0xabcd);
    (0..count).map(|_| any_request(&mut rng, host)).collect()
}
