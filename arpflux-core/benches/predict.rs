//! How long a prediction takes, and how that grows: `cargo bench -p arpflux-core --bench predict`.
#![allow(missing_docs, reason = "a benchmark")]

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use arpflux_core::predict::{ArpRequest, Model};
use arpflux_core::snapshot::{
    Address, AddressFlags, Interface, InterfaceFlags, KernelVersion, NeighParams, NextHop, NextHopFlags,
    ProxyEntry, Route, RouteKind, RoutingMemory, Rule, Scope, Snapshot, table,
};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::types::{IfIndex, Ipv4Net, Mac};

const INTERFACES: u32 = 16;

/// A node with source routing: each of 16 interfaces has a table and a rule of its own.
fn node(routes: u32, proxies: u32) -> Snapshot {
    let mut snapshot = Snapshot {
        kernel: KernelVersion { release: "6.18.44".into(), version: "#1 SMP".into() },
        all: Sysctl::ALL.iter().map(|sysctl| (*sysctl, 0)).collect(),
        rules: Rule::defaults().to_vec(),
        routing: RoutingMemory {
            rules_changed: Some(true),
            local_routes_added: Some(false),
            realms: Some(false),
        },
        ..Snapshot::default()
    };
    let route = |table, kind, to: Ipv4Net, by| Route {
        table,
        kind,
        destination: to.into(),
        source: None,
        tos: 0,
        metric: 0,
        scope: Scope::LINK,
        protocol: 2,
        preferred_source: None,
        next_hops: vec![NextHop {
            interface: Some(IfIndex(by)),
            gateway: None,
            weight: 1,
            flags: NextHopFlags::empty(),
        }],
        nexthop_id: None,
    };
    let net = |address: Ipv4Addr, len| Ipv4Net::new(address, len).expect("a prefix length").trunc();
    for index in 2..2 + INTERFACES {
        let own = Ipv4Addr::new(192, 168, 18, index as u8);
        let mut sysctls: arpflux_core::sysctl::SysctlValues =
            Sysctl::ALL.iter().map(|sysctl| (*sysctl, 0)).collect();
        for (sysctl, value) in
            [(Sysctl::Forwarding, 1), (Sysctl::RpFilter, 2), (Sysctl::ArpIgnore, 1), (Sysctl::ArpFilter, 1)]
        {
            sysctls.set(sysctl, Some(value));
        }
        snapshot.interfaces.push(Interface {
            index: IfIndex(index),
            name: format!("eth{index}").parse().expect("a name"),
            kind: None,
            link_type: 1,
            mac: Mac::ethernet([2, 0, 0, 0, 0, index as u8]),
            flags: InterfaceFlags::UP | InterfaceFlags::BROADCAST,
            carrier: true,
            master: None,
            link: None,
            link_netnsid: None,
            mtu: 1500,
            vlan_id: None,
            macvlan_mode: None,
            vrf_table: None,
            group: 0,
            bond_mode: None,
            bond_port_state: None,
            bridge_port_state: None,
            sysctls,
            ipv6: Default::default(),
            neigh: NeighParams::default(),
        });
        snapshot.addresses.push(Address {
            interface: IfIndex(index),
            local: own.into(),
            peer: None,
            prefix_len: 24,
            scope: Scope::UNIVERSE,
            flags: AddressFlags::PERMANENT,
            broadcast: None,
        });
        snapshot.routes.push(route(table::LOCAL, RouteKind::Local, net(own, 32), index));
        snapshot.routes.push(route(table::MAIN, RouteKind::Unicast, net(own, 24), index));
        snapshot.routes.push(route(1000 + index, RouteKind::Unicast, net(own, 24), index));
        snapshot.rules.insert(
            1,
            Rule {
                priority: 100,
                source: Some(net(own, 32).into()),
                table: 1000 + index,
                ..Rule::defaults()[1].clone()
            },
        );
    }
    for at in 0..routes {
        let to = Ipv4Addr::from_bits(0x0a00_0000 | at << 8);
        snapshot.routes.push(route(table::MAIN, RouteKind::Unicast, net(to, 24), 2 + at % INTERFACES));
    }
    for at in 0..proxies {
        snapshot.proxies.push(ProxyEntry {
            address: Ipv4Addr::from_bits(0x0a00_0000 | at).into(),
            interface: Some(IfIndex(2 + (at + 1) % INTERFACES)),
            flags: 0,
            protocol: 0,
        });
    }
    snapshot
}

fn median(mut times: Vec<Duration>) -> (Duration, Duration, Duration) {
    times.sort_unstable();
    (times[0], times[times.len() / 2], times[times.len() - 1])
}

fn main() {
    println!(
        "{:<10}{:>10}{:>12}{:>12}{:>12}{:>14}",
        "routes", "proxies", "min ns", "median ns", "max ns", "index µs"
    );
    let mut before: Option<(u32, Duration)> = None;
    for (routes, proxies) in [(100, 1_000), (1_000, 10_000), (10_000, 100_000)] {
        let snapshot = node(routes, proxies);
        let started = Instant::now();
        let model = Model::new(&snapshot);
        let index = started.elapsed();
        // Own addresses, proxied ones, probes, addresses of nobody; on all interfaces.
        let requests: Vec<ArpRequest> = (0..4096u32)
            .map(|n| {
                let random = n.wrapping_mul(2_654_435_761);
                let target = match n % 4 {
                    0 => Ipv4Addr::new(192, 168, 18, 2 + (random >> 8) as u8 % INTERFACES as u8),
                    1 | 2 => Ipv4Addr::from_bits(0x0a00_0000 | (random % proxies)),
                    _ => Ipv4Addr::from_bits(random),
                };
                let interface = IfIndex(2 + (random >> 16) % INTERFACES);
                let sender = Ipv4Addr::new(192, 168, 18, 129 + (random >> 24) as u8 % 64);
                if n % 16 == 5 {
                    ArpRequest::probe(interface, target)
                } else {
                    ArpRequest::broadcast(interface, sender, target)
                }
            })
            .collect();
        let rounds = (0..50)
            .map(|_| {
                let started = Instant::now();
                let answered =
                    requests.iter().filter(|request| model.reply(black_box(request)).mac().is_some());
                black_box(answered.count());
                started.elapsed() / requests.len() as u32
            })
            .collect();
        let (min, middle, max) = median(rounds);
        let growth = before.map_or(String::new(), |(count, time)| {
            let exponent = (min.as_nanos() as f64 / time.as_nanos() as f64).ln()
                / (f64::from(routes) / f64::from(count)).ln();
            format!("  grows with exponent {exponent:.2}")
        });
        println!(
            "{routes:<10}{proxies:>10}{:>12}{:>12}{:>12}{:>14}{growth}",
            min.as_nanos(),
            middle.as_nanos(),
            max.as_nanos(),
            index.as_micros()
        );
        before = Some((routes, min));
    }
}
