//! Hosts made by hand, for tests, examples and questions of the kind "what if".

use std::net::IpAddr;

use super::{
    Address, AddressFlags, Bridging, Interface, InterfaceFlags, Interference, NeighParams, Neighbour,
    NeighbourState, NextHop, NextHopFlags, ProxyEntry, Route, RouteKind, Rule, Scope, Snapshot, protocol,
    table,
};
use crate::error::{Error, ErrorKind, Result};
use crate::filter::{Chain, Family};
use crate::sysctl::{Ipv6SysctlValues, Sysctl, SysctlValues};
use crate::types::{IfIndex, IfName, IpNet, Mac};

/// `RTPROT_BOOT`, which `ip route add` writes.
const BOOT: u8 = 3;
/// The metric of IPv6 routes that come with an address (`IP6_RT_PRIO_ADDRCONF`).
const ADDRCONF_METRIC: u32 = 256;

/// Makes a snapshot as a kernel would have it: with `lo`, the default rules and sysctls, and for each address
/// the routes that come with it (local, broadcast, connected). Interfaces are called by their names.
///
/// What is wrong is said by [`Builder::build`], which also [checks](Snapshot::check) the whole.
///
/// ```
/// use arpflux_core::snapshot::{Builder, Rule};
/// use arpflux_core::sysctl::Sysctl;
/// use arpflux_core::types::IpNet;
///
/// let host = Builder::new()
///     .nic("eth0", &["192.168.18.10/24"])
///     .nic("eth1", &["192.168.18.11/24"])
///     .route("0.0.0.0/0", Some("192.168.18.1"), "eth0")
///     .rule(Rule::lookup(1000, 101).source("192.168.18.11/32".parse::<IpNet>()?))
///     .sysctl("eth0", Sysctl::ArpIgnore, 1)
///     .proxy("192.168.18.101", Some("eth1"))
///     .build()?;
/// assert_eq!(host.interfaces.len(), 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Builder {
    host: Snapshot,
    number: Option<u32>,
    wrong: Option<Error>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl From<Snapshot> for Builder {
    /// Goes on with a host that is there.
    fn from(host: Snapshot) -> Self {
        Self { host, number: None, wrong: None }
    }
}

impl SysctlValues {
    /// What a kernel starts with, before a distribution sets anything.
    #[must_use]
    pub fn kernel_defaults() -> Self {
        Sysctl::ALL.iter().map(|sysctl| (*sysctl, sysctl.kernel_default())).collect()
    }
}

impl Interface {
    /// An Ethernet interface that is up and has carrier, with the sysctls that a kernel starts with.
    #[must_use]
    pub fn new(index: IfIndex, name: IfName, mac: Mac) -> Self {
        Self {
            index,
            name,
            kind: None,
            link_type: 1,
            mac,
            flags: InterfaceFlags::UP
                | InterfaceFlags::BROADCAST
                | InterfaceFlags::MULTICAST
                | InterfaceFlags::RUNNING
                | InterfaceFlags::LOWER_UP,
            carrier: true,
            master: None,
            link: None,
            link_netnsid: None,
            mtu: 1500,
            vlan_id: None,
            macvlan_mode: None,
            ipvlan_mode: None,
            vrf_table: None,
            group: 0,
            bond_mode: None,
            bond_port_state: None,
            bridge_port_state: None,
            altnames: Vec::new(),
            macvlan_sources: Vec::new(),
            came: None,
            bond_active_port: None,
            bond_all_active: false,
            open_options: Vec::new(),
            bridging: Bridging::default(),
            sysctls: SysctlValues::kernel_defaults(),
            ipv6: Ipv6SysctlValues { forwarding: Some(0), proxy_ndp: Some(0) },
            neigh: NeighParams::default(),
        }
    }
}

impl Address {
    /// A permanent address with the prefix of its subnet, and the broadcast address that `ip address add`
    /// gives with `brd +`.
    #[must_use]
    pub fn new(interface: IfIndex, address: IpNet) -> Self {
        let broadcast = match address {
            IpNet::V4(net) if net.prefix_len() < 31 && !net.addr().is_loopback() => Some(net.broadcast()),
            IpNet::V4(_) | IpNet::V6(_) => None,
        };
        Self {
            interface,
            local: address.addr(),
            peer: None,
            prefix_len: address.prefix_len(),
            scope: if address.addr().is_loopback() { Scope::HOST } else { Scope::UNIVERSE },
            flags: AddressFlags::PERMANENT,
            broadcast: broadcast.map(IpAddr::V4),
        }
    }
}

impl Route {
    /// A route of table main to what is on the link.
    #[must_use]
    pub fn new(destination: IpNet, interface: IfIndex) -> Self {
        Self {
            table: table::MAIN,
            kind: RouteKind::Unicast,
            destination: destination.trunc(),
            source: None,
            tos: 0,
            metric: 0,
            scope: if destination.addr().is_ipv4() { Scope::LINK } else { Scope::UNIVERSE },
            protocol: BOOT,
            preferred_source: None,
            next_hops: vec![NextHop::new(interface)],
            nexthop_id: None,
        }
    }

    /// The same through a gateway.
    #[must_use]
    pub fn via(destination: IpNet, interface: IfIndex, gateway: IpAddr) -> Self {
        let hop = NextHop { gateway: Some(gateway), ..NextHop::new(interface) };
        Self { scope: Scope::UNIVERSE, next_hops: vec![hop], ..Self::new(destination, interface) }
    }
}

impl Route {
    setters!(
        table: u32,
        kind: RouteKind,
        metric: u32,
        scope: Scope,
        protocol: u8,
        preferred_source: Option<IpAddr>,
        next_hops: Vec<NextHop>,
    );
}

impl NextHop {
    /// The link of an interface.
    #[must_use]
    pub const fn new(interface: IfIndex) -> Self {
        Self { interface: Some(interface), gateway: None, weight: 1, flags: NextHopFlags::empty() }
    }
}

impl Neighbour {
    /// An entry without flags.
    #[must_use]
    pub const fn new(address: IpAddr, interface: IfIndex, mac: Option<Mac>, state: NeighbourState) -> Self {
        Self { address, interface, mac, state, flags: 0 }
    }
}

impl ProxyEntry {
    /// An entry whose maker is not known; `None`: on all interfaces.
    #[must_use]
    pub const fn new(address: IpAddr, interface: Option<IfIndex>) -> Self {
        Self { address, interface, flags: 0, protocol: 0 }
    }

    setters!(protocol: u8, flags: u8);
}

impl Builder {
    /// A host with `lo` (of IPv4 alone), the default rules of both families and a kernel's sysctls, whose
    /// routing nobody has touched yet.
    pub fn new() -> Self {
        let mut host = Snapshot {
            all: SysctlValues::kernel_defaults(),
            default: SysctlValues::kernel_defaults(),
            all_ipv6: Ipv6SysctlValues { forwarding: Some(0), proxy_ndp: Some(0) },
            ..Snapshot::default()
        };
        host.kernel.release = "6.12.0".into();
        host.routing.rules_changed = Some(false);
        host.routing.local_routes_added = Some(false);
        host.routing.realms = Some(false);
        host.rules.extend(Rule::defaults());
        let v6 = |priority, table| Rule {
            ipv6: true,
            protocol: protocol::KERNEL,
            ..Rule::lookup(priority, table)
        };
        host.rules.extend([v6(0, table::LOCAL), v6(32_766, table::MAIN)]);
        Self::from(host)
            .no_arp("lo")
            .with("lo", |lo| {
                lo.flags = InterfaceFlags::UP
                    | InterfaceFlags::LOOPBACK
                    | InterfaceFlags::RUNNING
                    | InterfaceFlags::LOWER_UP;
                lo.link_type = 772;
                lo.mac = Mac::ethernet([0; 6]);
                lo.mtu = 65_536;
            })
            .address("lo", "127.0.0.1/8")
    }

    /// The number of the next interface; without, it is one above the largest.
    pub const fn number(mut self, index: u32) -> Self {
        self.number = Some(index);
        self
    }

    /// An Ethernet interface that is up, with addresses such as `192.168.18.10/24`. Its MAC ends in its
    /// number; [`Builder::with`] changes that.
    pub fn nic(self, name: &str, addresses: &[&str]) -> Self {
        let added = self.interface(name);
        addresses.iter().fold(added, |host, address| host.address(name, address))
    }

    /// An interface without ARP and without a MAC, as `venet0` of OpenVZ or a tunnel.
    pub fn no_arp(self, name: &str) -> Self {
        self.interface(name).with(name, |interface| {
            interface.mac = Mac::NONE;
            interface.link_type = 65_534;
            interface.flags.remove(InterfaceFlags::BROADCAST | InterfaceFlags::MULTICAST);
            interface.flags.insert(InterfaceFlags::NOARP);
        })
    }

    fn interface(mut self, name: &str) -> Self {
        let last = self.host.interfaces.last().map_or(0, |interface| interface.index.0);
        let index = self.number.take().unwrap_or(last.saturating_add(1));
        let mac = Mac::ethernet([2, 0, 0, 0, (index >> 8) as u8, index as u8]);
        if let Some(name) = self.read("interface", name) {
            let interface = Interface::new(IfIndex(index), name, mac);
            let at = self.host.interfaces.partition_point(|other| other.index <= interface.index);
            self.host.interfaces.insert(at, interface);
        }
        self
    }

    /// Changes an interface that is there: its kind, its flags, its master.
    pub fn with(mut self, name: &str, change: impl FnOnce(&mut Interface)) -> Self {
        if let Some(at) = self.place(name) {
            change(&mut self.host.interfaces[at]);
        }
        self
    }

    /// An address with the routes that the kernel adds for it (`fib_add_ifaddr()`, `addrconf`): the second
    /// one of a subnet on an interface is secondary.
    pub fn address(mut self, interface: &str, address: &str) -> Self {
        let (Some(at), Some(net)) = (self.place(interface), self.read::<IpNet>("address", address)) else {
            return self;
        };
        let (index, flags) = (self.host.interfaces[at].index, self.host.interfaces[at].flags);
        let mut held = Address::new(index, net);
        let of_subnet = |other: &&Address| net.addr().is_ipv4() && other.subnet() == net.trunc();
        let primary = self.host.addresses_of(index).find(of_subnet).map(|other| other.local);
        let secondary = primary.is_some();
        if secondary {
            held.flags |= AddressFlags::SECONDARY;
        }
        // The kernel keeps those of an interface that are secondary behind all others (`inet_insert_ifa()`).
        let behind = |other: &Address| {
            !secondary && other.interface == index && other.flags.contains(AddressFlags::SECONDARY)
        };
        let at = self.host.addresses.iter().position(behind).unwrap_or(self.host.addresses.len());
        self.host.addresses.insert(at, held);
        let v4 = net.addr().is_ipv4();
        let own = Route {
            table: table::LOCAL,
            kind: RouteKind::Local,
            scope: if v4 { Scope::HOST } else { Scope::UNIVERSE },
            protocol: protocol::KERNEL,
            preferred_source: v4.then(|| primary.unwrap_or(net.addr())),
            ..Route::new(IpNet::from(net.addr()), index)
        };
        let up = flags.contains(InterfaceFlags::UP);
        if up && !secondary && net.prefix_len() < net.max_prefix_len() {
            self.host.routes.push(match flags.contains(InterfaceFlags::LOOPBACK) {
                true => Route { destination: net.trunc(), ..own.clone() },
                false => Route {
                    protocol: protocol::KERNEL,
                    metric: if v4 { 0 } else { ADDRCONF_METRIC },
                    preferred_source: own.preferred_source,
                    ..Route::new(net, index)
                },
            });
            if let IpNet::V4(net) = net
                && net.prefix_len() < 31
            {
                let destination = IpNet::from(IpAddr::V4(net.broadcast()));
                let scope = Scope::LINK;
                self.host.routes.push(Route {
                    kind: RouteKind::Broadcast,
                    destination,
                    scope,
                    ..own.clone()
                });
            }
        }
        self.host.routes.push(own);
        self
    }

    /// A route of table main, as `ip route add` makes it: through a gateway, or to what is on the link.
    pub fn route(mut self, destination: &str, gateway: Option<&str>, interface: &str) -> Self {
        let Some(index) = self.index(interface) else { return self };
        let Some(destination) = self.read("destination", destination) else { return self };
        let gateway = gateway.map(|gateway| self.read("gateway", gateway));
        match gateway {
            None => self.any_route(Route::new(destination, index)),
            Some(Some(gateway)) => self.any_route(Route::via(destination, index, gateway)),
            Some(None) => self,
        }
    }

    /// Any route.
    pub fn any_route(mut self, route: Route) -> Self {
        if route.kind == RouteKind::Local {
            self.host.routing.local_routes_added = Some(true);
        }
        self.host.routes.push(route);
        self
    }

    /// A rule, in its place: behind those of the same priority. The kernel remembers that there was one.
    pub fn rule(mut self, rule: Rule) -> Self {
        if !rule.ipv6 {
            self.host.routing.rules_changed = Some(true);
        }
        let order = |rule: &Rule| (rule.ipv6, rule.priority);
        let at = self.host.rules.partition_point(|other| order(other) <= order(&rule));
        self.host.rules.insert(at, rule);
        self
    }

    /// A sysctl of an interface, of `all` or of `default`.
    pub fn sysctl(mut self, scope: &str, sysctl: Sysctl, value: i32) -> Self {
        let values = match scope {
            "all" => Some(&mut self.host.all),
            "default" => Some(&mut self.host.default),
            name => self.place(name).map(|at| &mut self.host.interfaces[at].sysctls),
        };
        if let Some(values) = values {
            values.set(sysctl, Some(value));
        }
        if (scope, sysctl) == ("all", Sysctl::Forwarding) {
            self.host.ip_forward = value;
        }
        self
    }

    /// A proxy entry; `None`: on all interfaces.
    pub fn proxy(mut self, address: &str, interface: Option<&str>) -> Self {
        let Some(address) = self.read("address", address) else { return self };
        let index = interface.map(|name| self.index(name));
        if index != Some(None) {
            self.host.proxies.push(ProxyEntry::new(address, index.flatten()));
        }
        self
    }

    /// A neighbour that somebody wrote down for good (`ip neigh add … nud permanent`).
    pub fn neighbour(mut self, address: &str, interface: &str, mac: &str) -> Self {
        let Some(address) = self.read("address", address) else { return self };
        let Some(index) = self.index(interface) else { return self };
        if let Some(mac) = self.read("MAC", mac) {
            let state = NeighbourState::PERMANENT;
            self.host.neighbours.push(Neighbour::new(address, index, Some(mac), state));
        }
        self
    }

    /// A chain that filters frames, behind those that are there.
    pub fn filter(mut self, chain: Chain) -> Self {
        let filters = match chain.family {
            Family::Ip6 | Family::Inet => &mut self.host.discovery.get_or_insert_default().filters,
            _ => &mut self.host.filters,
        };
        filters.chains.push(chain);
        self
    }

    /// Something that filters or answers ARP frames, and is not understood.
    pub fn interference(mut self, other: Interference) -> Self {
        self.host.interference.push(other);
        self
    }

    /// The host.
    ///
    /// # Errors
    /// The first thing that could not be read, with it; those of [`Snapshot::check`].
    pub fn build(self) -> Result<Snapshot> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        self.host.check()?;
        Ok(self.host)
    }

    fn read<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, what: &str, text: &str) -> Option<T> {
        match text.parse() {
            Ok(read) => Some(read),
            Err(error) => {
                self.is_wrong(format!("{what}: {error}"), text);
                None
            }
        }
    }

    fn place(&mut self, name: &str) -> Option<usize> {
        let found = self.host.interfaces.iter().position(|interface| interface.name.to_string() == name);
        if found.is_none() {
            self.is_wrong("there is no such interface yet".into(), name);
        }
        found
    }

    fn index(&mut self, name: &str) -> Option<IfIndex> {
        self.place(name).map(|at| self.host.interfaces[at].index)
    }

    fn is_wrong(&mut self, message: String, object: &str) {
        let error =
            || Error::new(ErrorKind::InvalidInput, message).during("build a host").on(object.to_owned());
        self.wrong.get_or_insert_with(error);
    }
}

mod discovery;
#[cfg(test)]
mod tests;
