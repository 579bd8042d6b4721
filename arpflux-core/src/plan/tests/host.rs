//! Hosts for tests, as snapshots that a kernel could have given.

use std::net::{IpAddr, Ipv4Addr};

use crate::snapshot::{
    Address, AddressFlags, Interface, InterfaceFlags, NextHop, ProxyEntry, Route, RouteKind, Rule, Scope,
    Snapshot, table,
};
use crate::sysctl::{Ipv6SysctlValues, Sysctl, SysctlValues};
use crate::types::{IfIndex, IpNet, Mac};

/// Builds a snapshot.
#[derive(Debug, Clone)]
pub(crate) struct Host(pub Snapshot);

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

impl Host {
    /// `lo` and the default rules, nothing else.
    pub(crate) fn new() -> Self {
        let mut host = Self(Snapshot::default());
        let zero: SysctlValues = Sysctl::ALL.iter().map(|sysctl| (*sysctl, 0)).collect();
        let snapshot = &mut host.0;
        snapshot.kernel.release = "6.18.44".into();
        snapshot.netns.boot_id = "boot".into();
        (snapshot.all, snapshot.default) = (zero, zero);
        snapshot.all_ipv6 = Ipv6SysctlValues { forwarding: Some(0), proxy_ndp: Some(0) };
        snapshot.routing.rules_changed = Some(false);
        snapshot.routing.local_routes_added = Some(false);
        snapshot.routing.realms = Some(false);
        for ipv6 in [false, true] {
            for (priority, number) in [(0, table::LOCAL), (32_766, table::MAIN), (32_767, table::DEFAULT)] {
                if !(ipv6 && number == table::DEFAULT) {
                    host = host.rule(Rule { protocol: 2, ..rule(ipv6, priority, None, number) });
                }
            }
        }
        host.interface(1, "lo", InterfaceFlags::UP | InterfaceFlags::LOOPBACK).address(1, "127.0.0.1/8")
    }

    fn interface(mut self, index: u32, name: &str, flags: InterfaceFlags) -> Self {
        let arp = !flags.intersects(InterfaceFlags::LOOPBACK | InterfaceFlags::NOARP);
        let mac = if arp { Mac::ethernet([2, 0, 0, 0, 0, index as u8]) } else { Mac::NONE };
        self.0.interfaces.push(Interface {
            link_type: if arp { 1 } else { 65534 },
            flags,
            sysctls: Sysctl::ALL.iter().map(|sysctl| (*sysctl, 0)).collect(),
            ..Interface::new(IfIndex(index), name.parse().unwrap(), mac)
        });
        self.0.interfaces.sort_by_key(|interface| interface.index);
        self
    }

    /// An interface that speaks ARP, with addresses and their connected routes.
    pub(crate) fn nic(self, index: u32, name: &str, addresses: &[&str]) -> Self {
        let flags = InterfaceFlags::UP | InterfaceFlags::BROADCAST | InterfaceFlags::LOWER_UP;
        addresses
            .iter()
            .fold(self.interface(index, name, flags), |host, address| host.address(index, address))
    }

    /// An interface without ARP, as OpenVZ's.
    pub(crate) fn venet(self, index: u32, name: &str) -> Self {
        self.interface(index, name, InterfaceFlags::UP | InterfaceFlags::NOARP | InterfaceFlags::LOWER_UP)
    }

    /// An address with the routes that the kernel adds for it.
    pub(crate) fn address(mut self, index: u32, address: &str) -> Self {
        let net = net(address);
        let interface = IfIndex(index);
        let loopback = net.addr().is_loopback();
        let secondary =
            self.0.addresses.iter().any(|held| held.interface == interface && held.subnet() == net.trunc());
        let flags = if secondary { AddressFlags::SECONDARY } else { AddressFlags::empty() };
        self.0.addresses.push(Address {
            flags: AddressFlags::PERMANENT | flags,
            broadcast: None,
            ..Address::new(interface, net)
        });
        let v4 = net.addr().is_ipv4();
        let hop = vec![hop(interface, None)];
        let base = Route {
            preferred_source: v4.then(|| net.addr()),
            scope: if v4 { Scope::HOST } else { Scope::UNIVERSE },
            ..route(table::LOCAL, RouteKind::Local, IpNet::from(net.addr()), hop, 2)
        };
        if loopback {
            self.0.routes.push(Route { destination: net.trunc(), ..base.clone() });
        } else if net.prefix_len() < net.max_prefix_len() && !secondary {
            self.0.routes.push(Route {
                table: table::MAIN,
                kind: RouteKind::Unicast,
                destination: net.trunc(),
                scope: if v4 { Scope::LINK } else { Scope::UNIVERSE },
                metric: if v4 { 0 } else { 256 },
                ..base.clone()
            });
            if let IpNet::V4(net) = net
                && net.prefix_len() < 31
            {
                self.0.routes.push(Route {
                    kind: RouteKind::Broadcast,
                    destination: IpNet::from(IpAddr::V4(net.broadcast())),
                    scope: Scope::LINK,
                    ..base.clone()
                });
            }
        }
        self.0.routes.push(base);
        self
    }

    /// A route of table main.
    pub(crate) fn route(mut self, destination: &str, gateway: Option<&str>, index: u32, metric: u32) -> Self {
        let hops = vec![hop(IfIndex(index), gateway.map(ip))];
        let scope =
            if gateway.is_some() || destination.contains(':') { Scope::UNIVERSE } else { Scope::LINK };
        let kind = RouteKind::Unicast;
        self.0.routes.push(Route { metric, scope, ..route(table::MAIN, kind, net(destination), hops, 3) });
        self
    }

    /// A route of any table, of others.
    pub(crate) fn table_route(mut self, number: u32, destination: &str, index: u32) -> Self {
        let hops = vec![hop(IfIndex(index), None)];
        let base = route(number, RouteKind::Unicast, net(destination), hops, 4);
        self.0.routes.push(Route { scope: Scope::LINK, ..base });
        self
    }

    pub(crate) fn rule(mut self, rule: Rule) -> Self {
        self.0.rules.push(rule);
        self.0.rules.sort_by_key(|rule| (rule.ipv6, rule.priority));
        self
    }

    /// A rule of others, by source.
    pub(crate) fn source_rule(self, priority: u32, source: &str, number: u32) -> Self {
        let source = net(source);
        let ipv6 = source.addr().is_ipv6();
        self.rule(rule(ipv6, priority, Some(source), number))
    }

    /// A proxy entry of others; index 0: on all interfaces.
    pub(crate) fn proxy(mut self, address: &str, index: u32) -> Self {
        let interface = (index != 0).then_some(IfIndex(index));
        self.0.proxies.push(ProxyEntry::new(ip(address), interface));
        self
    }

    /// A sysctl of all interfaces but `lo`.
    pub(crate) fn each(mut self, sysctl: Sysctl, value: i32) -> Self {
        for interface in self.0.interfaces.iter_mut().skip(1) {
            interface.sysctls.set(sysctl, Some(value));
        }
        self
    }

    pub(crate) fn one(mut self, index: u32, sysctl: Sysctl, value: i32) -> Self {
        let interface = self.0.interfaces.iter_mut().find(|interface| interface.index == IfIndex(index));
        interface.unwrap().sysctls.set(sysctl, Some(value));
        self
    }

    pub(crate) fn all(mut self, sysctl: Sysctl, value: i32) -> Self {
        self.0.all.set(sysctl, Some(value));
        self
    }

    /// The page's hardware node, as vzctl leaves it: each container published on every NIC.
    pub(crate) fn openvz() -> Self {
        let mut host = Self::new()
            .nic(2, "eth0", &["192.168.18.10/24"])
            .nic(3, "eth3", &["192.168.18.11/24"])
            .nic(4, "eth4", &["192.168.18.12/24"])
            .venet(5, "venet0")
            .route("0.0.0.0/0", Some("192.168.18.1"), 2, 0)
            .route("192.168.18.101/32", None, 5, 0)
            .route("192.168.18.102/32", None, 5, 0)
            .each(Sysctl::Forwarding, 1);
        for container in ["192.168.18.101", "192.168.18.102"] {
            for nic in [2, 3, 4] {
                host = host.proxy(container, nic);
            }
        }
        host
    }
}

/// A plain next hop.
pub(crate) fn hop(interface: IfIndex, gateway: Option<IpAddr>) -> NextHop {
    NextHop { gateway, ..NextHop::new(interface) }
}

fn route(table: u32, kind: RouteKind, destination: IpNet, next_hops: Vec<NextHop>, protocol: u8) -> Route {
    Route { table, kind, scope: Scope::UNIVERSE, protocol, next_hops, ..Route::new(destination, IfIndex(0)) }
}

pub(crate) fn rule(ipv6: bool, priority: u32, source: Option<IpNet>, table: u32) -> Rule {
    Rule { ipv6, source, ..Rule::lookup(priority, table) }
}

/// A snapshot without what no change brings back: hidden routing state, and order where it means nothing:
/// of proxy entries, of routes of different prefixes, of rules of one priority for different sources.
pub(crate) fn comparable(snapshot: &Snapshot) -> Snapshot {
    let mut snapshot = snapshot.clone();
    snapshot.routing = Snapshot::default().routing;
    snapshot.proxies.sort();
    snapshot.rules.sort_by_key(|rule| (rule.ipv6, rule.priority, rule.source.map(|net| net.addr())));
    snapshot
        .routes
        .sort_by_key(|route| (route.table, route.destination.addr(), route.destination.prefix_len()));
    snapshot
}

/// The last octet of 192.168.18.x as an address.
pub(crate) fn lan(last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 168, 18, last))
}
