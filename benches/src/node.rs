//! Large hosts in memory, for the pure stages.

use std::net::Ipv4Addr;

use arpflux_core::snapshot::{
    Address, Builder, Interface, InterfaceFlags, ProxyEntry, Route, RouteKind, Rule, Snapshot, table,
};
use arpflux_core::sysctl::{Sysctl, SysctlValues};
use arpflux_core::types::{IfIndex, IfName, IpNet, Ipv4Net, Mac};

/// How many interfaces the source-routed node has.
pub const INTERFACES: u32 = 16;
/// Where proxied addresses begin: 172.16.0.0.
pub const PROXIED: u32 = 0xac10_0000;

/// The name of interface number `at`, from 0.
pub fn name(at: u32) -> IfName {
    format!("eth{at}").parse().expect("a short name")
}

/// An address of the source-routed node.
pub fn own(at: u32) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 18, 2 + at as u8)
}

fn net(address: Ipv4Addr, len: u8) -> Ipv4Net {
    Ipv4Net::new(address, len).expect("a prefix length").trunc()
}

fn empty() -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.kernel.release = "6.18.44".into();
    snapshot.all = Sysctl::ALL.iter().map(|sysctl| (*sysctl, 0)).collect();
    snapshot.rules.extend(Rule::defaults());
    snapshot.routing.rules_changed = Some(true);
    snapshot.routing.local_routes_added = Some(false);
    snapshot.routing.realms = Some(false);
    snapshot.routing.multipath_by_neighbour = Some(false);
    snapshot
}

fn route(table: u32, kind: RouteKind, to: Ipv4Net, by: u32) -> Route {
    Route::new(to.into(), IfIndex(by)).table(table).kind(kind).protocol(2)
}

/// An interface that holds `own`/24, with its local and connected routes.
fn interface(snapshot: &mut Snapshot, index: u32, name: IfName, own: Ipv4Addr, values: &[(Sysctl, i32)]) {
    let mut sysctls: SysctlValues = Sysctl::ALL.iter().map(|sysctl| (*sysctl, 0)).collect();
    for (sysctl, value) in values {
        sysctls.set(*sysctl, Some(*value));
    }
    let [.., high, low] = index.to_be_bytes();
    let mut added = Interface::new(IfIndex(index), name, Mac::ethernet([2, 0, 0, 0, high, low]));
    (added.flags, added.sysctls) = (InterfaceFlags::UP | InterfaceFlags::BROADCAST, sysctls);
    snapshot.interfaces.push(added);
    let held = Ipv4Net::new(own, 24).expect("a prefix length");
    snapshot.addresses.push(Address::new(IfIndex(index), held.into()));
    snapshot.routes.push(route(table::LOCAL, RouteKind::Local, net(own, 32), index));
    snapshot.routes.push(route(table::MAIN, RouteKind::Unicast, net(own, 24), index));
}

/// `interfaces` of them, each in a subnet of its own, and nothing set up.
pub fn untouched(interfaces: u32) -> Snapshot {
    let mut snapshot = empty();
    for at in 0..interfaces {
        let own = Ipv4Addr::from_bits(0x0a00_0001 | at << 8);
        interface(&mut snapshot, 2 + at, name(at), own, &[(Sysctl::Forwarding, 1)]);
    }
    // What the proxied addresses are behind.
    interface(&mut snapshot, 2 + interfaces, "venet0".parse().expect("a name"), [198, 18, 0, 1].into(), &[]);
    snapshot.routes.push(route(
        table::MAIN,
        RouteKind::Unicast,
        net(Ipv4Addr::from_bits(PROXIED), 12),
        2 + interfaces,
    ));
    snapshot
}

/// [`INTERFACES`] in one subnet, each with a table and a rule of its own; `routes` prefixes and `proxies`
/// proxy entries, spread over them.
pub fn source_routed(routes: u32, proxies: u32) -> Snapshot {
    let mut snapshot = empty();
    for at in 0..INTERFACES {
        let (index, own) = (2 + at, own(at));
        let values =
            [(Sysctl::Forwarding, 1), (Sysctl::RpFilter, 2), (Sysctl::ArpIgnore, 1), (Sysctl::ArpFilter, 1)];
        interface(&mut snapshot, index, name(at), own, &values);
        snapshot.routes.push(route(1000 + index, RouteKind::Unicast, net(own, 24), index));
        snapshot.rules.insert(1, Rule::lookup(100, 1000 + index).source(IpNet::from(net(own, 32))));
    }
    for at in 0..routes {
        let to = Ipv4Addr::from_bits(PROXIED | at << 8);
        snapshot.routes.push(route(table::MAIN, RouteKind::Unicast, net(to, 24), 2 + at % INTERFACES));
    }
    for at in 0..proxies {
        snapshot.proxies.push(ProxyEntry::new(
            Ipv4Addr::from_bits(PROXIED | at).into(),
            Some(IfIndex(2 + (at + 1) % INTERFACES)),
        ));
    }
    snapshot
}

/// A very large host: `interfaces` in subnets of their own, and for each of them 25 containers behind
/// `venet0` (a host route each) whose proxy entries are on the wrong interface, and 2.5 rules of somebody
/// else for sources that are not here.
pub fn very_large(interfaces: u32) -> Snapshot {
    let mut snapshot = untouched(interfaces);
    let behind = 2 + interfaces;
    for at in 0..25 * interfaces {
        let address = Ipv4Addr::from_bits(PROXIED | at);
        snapshot.routes.push(route(table::MAIN, RouteKind::Unicast, net(address, 32), behind));
        snapshot.proxies.push(ProxyEntry::new(address.into(), Some(IfIndex(2 + (at + 1) % interfaces))));
    }
    let rules = (0..5 * interfaces / 2).map(|at| {
        let source = IpNet::from(net(Ipv4Addr::from_bits(0xc612_0000 | at), 32));
        Rule::lookup(1000 + at, 1000 + at).source(source)
    });
    snapshot.rules.splice(1..1, rules);
    snapshot
}

/// `interfaces` in one subnet, and nothing set up.
pub fn one_subnet(interfaces: u32) -> Snapshot {
    let mut snapshot = empty();
    let mut connected = Vec::new();
    for at in 0..interfaces {
        let own = Ipv4Addr::from_bits(0x0a00_0001 + at);
        interface(&mut snapshot, 2 + at, name(at), own, &[(Sysctl::Forwarding, 1)]);
        connected.push(route(table::MAIN, RouteKind::Unicast, net(own, 8), 2 + at));
    }
    for address in &mut snapshot.addresses {
        address.prefix_len = 8;
    }
    snapshot.routes.retain(|route| route.table == table::LOCAL);
    snapshot.routes.extend(connected);
    snapshot
}

/// Four interfaces in one subnet, and `containers` behind `venet0`, each published on all four, as vzctl does.
pub fn node(containers: u32) -> Snapshot {
    const NICS: u32 = 4;
    let mut snapshot = one_subnet(NICS);
    let behind = 2 + NICS;
    interface(&mut snapshot, behind, "venet0".parse().expect("a name"), [198, 18, 0, 1].into(), &[]);
    if let Some(venet) = snapshot.interfaces.last_mut() {
        venet.flags |= InterfaceFlags::NOARP;
    }
    for at in 0..containers {
        let address = Ipv4Addr::from_bits(0x0a00_0100 + at);
        snapshot.routes.push(route(table::MAIN, RouteKind::Unicast, net(address, 32), behind));
        for nic in 2..2 + NICS {
            let interface = Some(IfIndex(nic));
            snapshot.proxies.push(ProxyEntry::new(address.into(), interface));
        }
    }
    snapshot
}

/// A host as people have it, only larger: so many interfaces, one in 25 of them with an address in a subnet of its own and
/// the share of ten proxy entries an interface.
pub fn large(interfaces: u32) -> Snapshot {
    let addressed = (interfaces / 25).max(1);
    let host = (0..interfaces).fold(Builder::new(), |host, at| {
        let host = host.nic(&name(at).to_string(), &[]);
        if at < addressed { host.address(&name(at).to_string(), &format!("10.20.{at}.1/24")) } else { host }
    });
    let host = (0..10 * interfaces).fold(host, |host, at| {
        let address = Ipv4Addr::from_bits(PROXIED | at).to_string();
        host.proxy(&address, Some(&name(at % addressed).to_string()))
    });
    host.build().expect("a possible host")
}

/// So many interfaces with an address each, all in one subnet on one wire.
pub fn one_wire(interfaces: u32) -> Snapshot {
    let host = (0..interfaces).fold(Builder::new(), |host, at| {
        let address = format!("{}/16", Ipv4Addr::from_bits(0x0a14_0001 + at));
        host.nic(&name(at).to_string(), &[&address])
    });
    host.build().expect("a possible host")
}
