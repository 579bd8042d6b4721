//! The routes of the tables that interfaces get for source routing, made of those of table main.

use std::collections::BTreeMap;
use std::net::IpAddr;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::PROTOCOL;
use super::rivals::Rivals;
use super::view::{Family, View, hop, is_connected};
use crate::snapshot::{NextHop, NextHopFlags, Route, RouteKind, table};
use crate::types::{IfIndex, IpNet};

/// Table main as the tables of single interfaces are made of it: each of them looks at the routes that it may
/// take over, and not at all of main.
#[derive(Debug)]
pub(super) struct Main<'v, 's> {
    view: &'v View<'s>,
    family: Family,
    rivals: &'v Rivals<'v, 's>,
    /// Its routes to more than one host, in the kernel's order. Others name them by their places here.
    routes: Vec<&'s Route>,
    /// Routes through gateways, by gateway.
    by_gateway: BTreeMap<IpAddr, Vec<usize>>,
    /// Routes that reject, or leave by one interface which has no gateway: network address, prefix length,
    /// place; sorted.
    inner: Vec<(IpAddr, u8, usize)>,
    /// Those that leave by one interface which has gateways, and so competes with any that has a gateway to
    /// everywhere.
    of_uplinks: Vec<(IpAddr, u8, usize)>,
}

impl<'v, 's> Main<'v, 's> {
    pub(super) fn new(view: &'v View<'s>, family: Family, rivals: &'v Rivals<'v, 's>) -> Self {
        let routes: Vec<&Route> = view
            .snapshot
            .routes
            .iter()
            .filter(|route| {
                route.table == table::MAIN
                    && route.source.is_none()
                    && Family::of(route.destination.addr()) == family
                    && route.destination.prefix_len() < family.host_len()
            })
            .collect();
        let mut main = Self {
            view,
            family,
            rivals,
            routes,
            by_gateway: BTreeMap::new(),
            inner: Vec::new(),
            of_uplinks: Vec::new(),
        };
        let mut uplinks: HashMap<IfIndex, bool> = HashMap::new();
        for (place, route) in main.routes.iter().enumerate() {
            let net = route.destination.trunc();
            let key = (net.addr(), net.prefix_len(), place);
            match (route.kind, route.next_hops.as_slice()) {
                (RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit, _) => {
                    main.inner.push(key);
                }
                (RouteKind::Unicast, hops) => {
                    for gateway in hops.iter().filter_map(|hop| hop.gateway) {
                        let places = main.by_gateway.entry(gateway).or_default();
                        if places.last() != Some(&place) {
                            places.push(place);
                        }
                    }
                    if let [NextHop { interface: Some(by), .. }] = hops {
                        let has_gateway = *uplinks.entry(*by).or_insert_with(|| {
                            view.routes(family, *by).iter().any(|route| !is_connected(route, *by))
                        });
                        if has_gateway { &mut main.of_uplinks } else { &mut main.inner }.push(key);
                    }
                }
                _ => {}
            }
        }
        main.inner.sort();
        main.of_uplinks.sort();
        main
    }

    /// Adds the routes of an interface's own table: its routes in main; the gateways of its rivals that are
    /// on its link too; and those routes within all these that lead to places which only others reach.
    pub(super) fn routes_of(&self, interface: IfIndex, number: u32, routes: &mut Vec<Route>) {
        let first = routes.len();
        let own = self.view.routes(self.family, interface);
        let mut seen = HashSet::new();
        // The kernel takes two routes of one table for the same if all of this is.
        let mut add = |routes: &mut Vec<Route>, route: Route| {
            if seen.insert((route.destination.trunc(), route.tos, route.metric)) {
                routes.push(route);
            }
        };
        // Connected routes first: the kernel wants to reach a gateway before it takes a route through it.
        for connected in [true, false] {
            for route in own.iter().filter(|route| is_connected(route, interface) == connected) {
                add(routes, in_table(route, number, hop(route, interface).cloned()));
            }
        }
        let mut competing: HashMap<IfIndex, bool> = HashMap::new();
        let mut competes =
            |other: IfIndex| *competing.entry(other).or_insert_with(|| self.rivals.compete(interface, other));
        let connected: Vec<IpNet> = own
            .iter()
            .filter(|route| is_connected(route, interface))
            .map(|route| route.destination.trunc())
            .collect();
        let leads_there: HashSet<(IpNet, u8)> =
            own.iter().map(|route| (route.destination, route.tos)).collect();
        for route in self.through_gateways_on(&connected) {
            if leads_there.contains(&(route.destination, route.tos)) {
                continue;
            }
            let on_our_link = |gateway: IpAddr| connected.iter().any(|net| net.contains(&gateway));
            let shared = route.next_hops.iter().find(|hop| {
                hop.gateway.is_some_and(on_our_link)
                    && hop.interface.is_some_and(|other| other != interface && competes(other))
            });
            if let Some(shared) = shared {
                let hop = NextHop { interface: Some(interface), ..shared.clone() };
                add(routes, Route { preferred_source: None, ..in_table(route, number, Some(hop)) });
            }
        }
        let nets: HashSet<IpNet> = routes[first..].iter().map(|route| route.destination.trunc()).collect();
        let everywhere =
            own.iter().any(|route| route.destination.prefix_len() == 0 && !is_connected(route, interface));
        for route in self.within(nets, !everywhere) {
            let rejects = route.kind != RouteKind::Unicast;
            let mut elsewhere = || {
                let by = route.next_hops.first().and_then(|hop| hop.interface);
                by.is_some_and(|other| other != interface && !competes(other))
            };
            if rejects || elsewhere() {
                add(routes, in_table(route, number, route.next_hops.first().cloned()));
            }
        }
    }

    /// The routes through a gateway in one of `nets`, in the kernel's order.
    fn through_gateways_on(&self, nets: &[IpNet]) -> impl Iterator<Item = &'s Route> {
        let mut places: Vec<usize> = Vec::new();
        for net in nets {
            places.extend(self.by_gateway.range(net.network()..=net.broadcast()).flat_map(|(_, at)| at));
        }
        self.in_order(places)
    }

    /// Routes that are a part of one of `nets`, and not all of it, in the kernel's order.
    fn within(&self, nets: HashSet<IpNet>, uplinks: bool) -> impl Iterator<Item = &'s Route> {
        let mut nets: Vec<IpNet> = nets.into_iter().collect();
        nets.sort_by_key(|net| (net.addr(), net.prefix_len()));
        // One that is a part of another adds nothing.
        nets.dedup_by(|inner, outer| outer.contains(&*inner));
        let mut places: Vec<usize> = Vec::new();
        for list in [&self.inner, &self.of_uplinks].into_iter().take(1 + usize::from(uplinks)) {
            for net in &nets {
                let whole = (net.network(), net.prefix_len());
                let from = list.partition_point(|(address, length, _)| (*address, *length) <= whole);
                let parts = list[from..].iter().take_while(|(address, ..)| *address <= net.broadcast());
                places.extend(parts.map(|(.., place)| place));
            }
        }
        self.in_order(places)
    }

    fn in_order(&self, mut places: Vec<usize>) -> impl Iterator<Item = &'s Route> {
        places.sort();
        places.dedup();
        places.into_iter().map(|place| self.routes[place])
    }
}

/// A route of main as one of ours in another table.
pub(super) fn in_table(route: &Route, number: u32, hop: Option<NextHop>) -> Route {
    let hop = hop.map(|hop| NextHop { weight: 1, flags: hop.flags & NextHopFlags::ONLINK, ..hop });
    let next_hops = hop.into_iter().collect();
    Route { table: number, protocol: PROTOCOL, next_hops, nexthop_id: None, ..route.clone() }
}
