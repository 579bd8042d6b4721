//! Routes, and the order in which the kernel holds them.

use std::fs;
use std::net::IpAddr;

use super::{RICH, number, take, text};
use arpflux_core::snapshot::{RouteKind, Snapshot};
use arpflux_core::types::IpNet;
use arpflux_tests::iproute::{in_new_netns, ip, json};
use serde_json::Value;

/// A route in a form that both sides can be brought into.
type Plain = (String, String, String, u64, u64, String, Option<IpAddr>, Vec<(String, Option<IpAddr>, u64)>);

fn plain_routes(ipv6: bool) -> Vec<Plain> {
    let hop = |value: &Value, weight: u64| {
        let gateway = value["gateway"].as_str().or(value["via"]["host"].as_str());
        (text(value, "dev").to_owned(), gateway.map(|text| text.parse().unwrap()), weight)
    };
    json(if ipv6 { "-6 -N route show table all" } else { "-4 -N route show table all" })
        .iter()
        .map(|route| {
            let (bits, zero) = if ipv6 { (128, "::/0") } else { (32, "0.0.0.0/0") };
            let destination = match text(route, "dst") {
                "default" => zero.to_owned(),
                whole if !whole.contains('/') => format!("{whole}/{bits}"),
                prefix => prefix.to_owned(),
            };
            let mut hops: Vec<_> = route["nexthops"].as_array().map_or_else(Vec::new, |hops| {
                hops.iter().map(|value| hop(value, number(value, "weight"))).collect()
            });
            if hops.is_empty() && route["dev"].is_string() {
                hops.push(hop(route, 1));
            }
            let table = route["table"].as_str().unwrap_or("254").to_owned();
            let tos = route["tos"]
                .as_str()
                .map_or(0, |t| u64::from_str_radix(t.trim_start_matches("0x"), 16).unwrap());
            let source = route["prefsrc"].as_str().map(|text| text.parse().unwrap());
            (
                table,
                text(route, "type").to_owned(),
                destination,
                number(route, "metric"),
                tos,
                text(route, "protocol").to_owned(),
                source,
                hops,
            )
        })
        .collect()
}

fn plain_snapshot_routes(snapshot: &Snapshot, ipv6: bool) -> Vec<Plain> {
    snapshot
        .routes
        .iter()
        .filter(|route| route.destination.addr().is_ipv6() == ipv6)
        .map(|route| {
            let kind = match route.kind {
                RouteKind::Unicast => 1,
                RouteKind::Local => 2,
                RouteKind::Broadcast => 3,
                RouteKind::Anycast => 4,
                RouteKind::Multicast => 5,
                RouteKind::Blackhole => 6,
                RouteKind::Unreachable => 7,
                RouteKind::Prohibit => 8,
                RouteKind::Throw => 9,
                other => panic!("{other:?}"),
            };
            let hops = route.next_hops.iter().map(|hop| {
                (
                    hop.interface.map(|i| snapshot.name_of(i)).unwrap_or_default(),
                    hop.gateway,
                    u64::from(hop.weight),
                )
            });
            (
                route.table.to_string(),
                kind.to_string(),
                route.destination.to_string(),
                u64::from(route.metric),
                u64::from(route.tos),
                route.protocol.to_string(),
                route.preferred_source,
                hops.collect(),
            )
        })
        .collect()
}

/// `ip -N` prints some numbers as names all the same.
fn normal(mut routes: Vec<Plain>) -> Vec<Plain> {
    let names = [
        ("unicast", "1"),
        ("local", "2"),
        ("broadcast", "3"),
        ("anycast", "4"),
        ("multicast", "5"),
        ("blackhole", "6"),
        ("unreachable", "7"),
        ("prohibit", "8"),
        ("throw", "9"),
    ];
    for route in &mut routes {
        for (name, number) in names {
            if route.1 == name {
                route.1 = number.into();
            }
        }
    }
    routes
}

#[test]
fn routes_of_all_tables_are_as_ip_says_and_in_its_order() {
    in_new_netns(|| {
        ip(RICH);
        // Routes of link-local addresses come late.
        let lists = || [false, true].map(|ipv6| (ipv6, plain_routes(ipv6)));
        let (snapshot, lists) = loop {
            let (before, snapshot) = (lists(), take());
            if before == lists() {
                break (snapshot, before);
            }
        };
        for (ipv6, listed) in lists {
            let listed = normal(listed);
            let mut read = plain_snapshot_routes(&snapshot, ipv6);
            if ipv6 {
                // ip prints no next hop for ::1 and the like differently; compare what it prints.
                read.retain(|route| listed.contains(route) || route.0 != "255");
            }
            let listed: Vec<_> = listed
                .into_iter()
                .filter(|route| !ipv6 || route.0 != "255" || read.contains(route))
                .collect();
            assert_eq!(read, listed);
            assert!(read.len() > if ipv6 { 3 } else { 20 });
        }
        let of = |destination: &str| {
            snapshot.routes.iter().find(|route| route.destination.to_string() == destination).unwrap()
        };
        assert_eq!(of("10.6.0.0/16").nexthop_id, Some(7));
        assert_eq!(of("10.6.0.0/24").next_hops.iter().map(|hop| hop.weight).collect::<Vec<_>>(), [200, 1]);
        assert_eq!(of("10.8.3.0/24").table, 70000);
        assert_eq!(snapshot.routing.local_routes_added, Some(true));
        assert_eq!(snapshot.routing.rules_changed, Some(true));

        // Without the copies in the routes the objects themselves are read.
        fs::write("/proc/sys/net/ipv4/nexthop_compat_mode", "0").unwrap();
        // Those of IPv6 may still be coming: an interface gets its link's routes a moment after it is up.
        let ipv4 = |snapshot: &Snapshot| {
            let routes = snapshot.routes.iter().filter(|route| matches!(route.destination, IpNet::V4(_)));
            routes.cloned().collect::<Vec<_>>()
        };
        assert_eq!(ipv4(&take()), ipv4(&snapshot));
    });
}
