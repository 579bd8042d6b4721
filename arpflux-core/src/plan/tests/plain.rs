//! What indexes find, compared with definitions that look at every pair.

use foldhash::HashMap;

use super::random::{Dice, random_policy, used_host};
use crate::plan::competing::Competing;
use crate::plan::interfaces;
use crate::plan::tables::{Main, in_table};
use crate::plan::view::{Family, View, hop, is_connected, overlap};
use crate::snapshot::{NextHop, ProxyEntry, Route, RouteKind, Rule, Snapshot, table};
use crate::state::Change;
use crate::types::{IfIndex, IpNet};

type Contest = HashMap<IfIndex, (IpNet, IfIndex)>;

/// All pairs of routes by two interfaces: which compete for gateways, which on their links, and which are left
/// alone.
fn pairs(view: &View<'_>, family: Family, named: impl Fn(IfIndex) -> bool) -> [Contest; 3] {
    let mut found: [Vec<(IfIndex, IpNet, IfIndex)>; 3] = Default::default();
    let all = view.all_routes(family);
    let each = || all.clone().flat_map(|(index, routes)| routes.iter().map(move |route| (index, *route)));
    for (a, one) in each() {
        for (b, other) in each().filter(|(b, _)| *b != a) {
            let connected = is_connected(one, a);
            if connected != is_connected(other, b) || !overlap(&one.destination, &other.destination) {
                continue;
            }
            let (one, other) = (one.destination.trunc(), other.destination.trunc());
            let narrow = if one.prefix_len() > other.prefix_len() { one } else { other };
            if !connected {
                found[0].push((a, narrow, b));
            } else if one == other || (named(a) && named(b)) {
                found[1].push((a, narrow, b));
            } else if narrow == other {
                found[2].push((a, narrow, b));
            }
        }
    }
    found.map(|mut list| {
        list.sort_by_key(|(index, net, other)| (*index, net.addr(), net.prefix_len(), *other));
        let mut least = Contest::default();
        for (index, net, other) in list {
            least.entry(index).or_insert((net, other));
        }
        least
    })
}

/// The routes of an interface's table, each of main looked at for each.
fn routes_of(
    view: &View<'_>,
    family: Family,
    competing: &Competing<'_, '_>,
    interface: IfIndex,
) -> Vec<Route> {
    let key = |route: &Route| (route.destination.trunc(), route.tos, route.metric);
    let mut routes: Vec<Route> = Vec::new();
    let add = |routes: &mut Vec<Route>, route: Route| {
        if !routes.iter().any(|there| key(there) == key(&route)) {
            routes.push(route);
        }
    };
    let own = view.routes(family, interface);
    for route in own.iter().filter(|route| is_connected(route, interface)) {
        add(&mut routes, in_table(route, 7, hop(route, interface).cloned()));
    }
    let mine = |route: &Route, theirs: &NextHop| {
        let hop = NextHop { interface: Some(interface), ..theirs.clone() };
        Route { preferred_source: None, ..in_table(route, 7, Some(hop)) }
    };
    let rival = |other: &IfIndex| *other != interface && competing.compete(interface, *other);
    let on_link = || own.iter().filter(|route| is_connected(route, interface));
    for net in on_link().map(|route| route.destination.trunc()).filter(|net| net.prefix_len() > 0) {
        let mut parts: Vec<(IfIndex, &Route)> = view
            .all_routes(family)
            .flat_map(|(other, routes)| routes.iter().map(move |route| (other, *route)))
            .filter(|(other, route)| {
                let part = route.destination.trunc();
                rival(other) && is_connected(route, *other) && part != net && net.contains(&part)
            })
            .collect();
        parts.sort_by_key(|(other, route)| {
            let net = route.destination.trunc();
            (net.addr(), net.prefix_len(), *other, route.tos, route.metric)
        });
        for (other, route) in parts {
            add(&mut routes, mine(route, hop(route, other).unwrap()));
        }
    }
    for route in own.iter().filter(|route| !is_connected(route, interface)) {
        if route.destination.prefix_len() == 0 {
            add(&mut routes, in_table(route, 7, hop(route, interface).cloned()));
        }
    }
    let defaults = view.main_routes(family).filter(|route| route.destination.prefix_len() == 0);
    for route in defaults {
        let has_own = own.iter().any(|own| own.destination.prefix_len() == 0 && own.tos == route.tos);
        let on_our_link = |gateway| on_link().any(|net| net.destination.contains(&gateway));
        let shared = route
            .next_hops
            .iter()
            .find(|hop| hop.gateway.is_some_and(on_our_link) && hop.interface.as_ref().is_some_and(rival));
        if let Some(shared) = shared
            && !has_own
        {
            add(&mut routes, mine(route, shared));
        }
    }
    routes
}

/// More routes of table main: through gateways, to places within others, and such that reject.
fn more_routes(dice: &mut Dice, snapshot: &mut Snapshot, nics: u32) {
    let own: Vec<Route> = snapshot
        .routes
        .iter()
        .filter(|route| route.table == table::MAIN && route.destination.addr().is_ipv4())
        .cloned()
        .collect();
    for at in 0..dice.roll(8) * u32::from(!own.is_empty()) {
        let base = &own[dice.roll(own.len() as u32) as usize];
        let text = dice.of(&["0.0.0.0/0", "10.0.0.0/8", "10.0.1.0/26", "10.0.0.64/27", "172.16.0.0/12"]);
        let kind = *[RouteKind::Unicast, RouteKind::Unicast, RouteKind::Blackhole, RouteKind::Throw]
            .get(dice.roll(4) as usize)
            .unwrap();
        let gateways = [None, Some("10.0.0.254"), Some("10.0.1.254")];
        let gateway = gateways[dice.roll(3) as usize].map(|gateway| gateway.parse().unwrap());
        let mut hops = Vec::new();
        for _ in 0..1 + u32::from(dice.one_in(4)) {
            let interface = Some(IfIndex(2 + dice.roll(nics)));
            let hop = NextHop { interface, gateway, weight: 1, flags: Default::default() };
            hops.push(hop);
        }
        snapshot.routes.push(Route {
            destination: text.parse().unwrap(),
            metric: at,
            kind,
            next_hops: if kind == RouteKind::Unicast { hops } else { Vec::new() },
            ..base.clone()
        });
    }
}

#[test]
fn who_competes_and_what_tables_hold_is_what_all_pairs_say() {
    let (mut contests, mut nested, mut routes) = (0, 0, 0);
    for seed in 1..=2_000u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (mut host, nics) = used_host(&mut dice);
        more_routes(&mut dice, &mut host, nics.max(1));
        let policy = random_policy(&mut dice, nics.max(1));
        let view = View::new(&host);
        let Ok(managed) = interfaces::resolve(&policy, &view, &mut Vec::new()) else { continue };
        for family in [Family::V4, Family::V6] {
            let competing = Competing::new(&view, family, &managed.named);
            let [mut contested, shared, left] = pairs(&view, family, |index| managed.named.contains(&index));
            contested.extend(shared.iter().map(|(index, contest)| (*index, *contest)));
            let main = Main::new(&view, family, &competing);
            for interface in &host.interfaces {
                let index = interface.index;
                assert_eq!(
                    competing.contested(index),
                    contested.get(&index).copied(),
                    "seed {seed}, {index}"
                );
                assert_eq!(competing.shared_link(index), shared.get(&index).copied(), "seed {seed}, {index}");
                assert_eq!(competing.nested(index), left.get(&index).copied(), "seed {seed}, {index}");
                let mut made = Vec::new();
                main.routes_of(index, 7, &mut made);
                assert_eq!(made, routes_of(&view, family, &competing, index), "seed {seed}, {index}");
                routes += made.len();
            }
            contests += contested.len();
            nested += left.len();
        }
    }
    assert!(contests > 1_000 && nested > 100 && routes > 5_000, "{contests} {nested} {routes}");
}

/// Changes made all at once give what they give one by one.
#[test]
fn many_changes_at_once_are_those_changes_in_order() {
    let mut different = 0;
    for seed in 1..=2_000u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let (mut host, nics) = used_host(&mut dice);
        more_routes(&mut dice, &mut host, nics.max(1));
        // The kernel takes the same rule twice where nobody asks it not to.
        if let Some(rule) = host.rules.first().cloned() {
            host.rules.insert(0, rule);
        }
        let mut changes = Vec::new();
        for _ in 0..20 + dice.roll(40) {
            let add = dice.one_in(2);
            let change = match dice.roll(3) {
                0 => {
                    let address = [10, 0, 0, 100 + dice.roll(4) as u8];
                    let interface = (!dice.one_in(4)).then(|| IfIndex(2 + dice.roll(nics + 1)));
                    let protocol = dice.roll(2) as u8;
                    let entry = ProxyEntry { address: address.into(), interface, flags: 0, protocol };
                    Change::add(entry)
                }
                1 => {
                    let rule = &host.rules[dice.roll(host.rules.len() as u32) as usize];
                    let priority = if dice.one_in(2) { rule.priority } else { 100 * dice.roll(4) };
                    Change::add(Rule { priority, ..rule.clone() })
                }
                _ => {
                    let route = &host.routes[dice.roll(host.routes.len() as u32) as usize];
                    let metric = if dice.one_in(2) { route.metric } else { dice.roll(4) };
                    let number = if dice.one_in(2) { route.table } else { 7 + dice.roll(2) };
                    Change::add(Route { metric, table: number, ..route.clone() })
                }
            };
            changes.push(if add { change } else { change.inverse() });
        }
        let mut one_by_one = host.clone();
        changes.iter().for_each(|change| one_by_one.change(change));
        different += usize::from(one_by_one != host);
        assert_eq!(host.with(&changes), one_by_one, "seed {seed}");
    }
    assert!(different > 1_900, "{different}");
}
