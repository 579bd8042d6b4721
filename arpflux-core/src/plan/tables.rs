//! The routes of the tables that interfaces get for source routing: the subnets of the wire and the ways to
//! everywhere, nothing else. All other routes stay in table main, where the rules look for them.

use foldhash::{HashSet, HashSetExt as _};

use super::PROTOCOL;
use super::competing::Competing;
use super::view::{Family, View, hop, is_connected};
use crate::snapshot::{NextHop, NextHopFlags, Route};
use crate::types::{IfIndex, IpNet};

/// Table main as the tables of single interfaces are made of it: each of them looks at the routes that it may
/// take over, and not at all of main.
#[derive(Debug)]
pub(super) struct Main<'v, 's> {
    view: &'v View<'s>,
    family: Family,
    competing: &'v Competing<'v, 's>,
    /// Subnets on the links of interfaces, by network address and prefix length.
    connected: Vec<(IpNet, IfIndex, &'s Route)>,
    /// Default routes through gateways, in the kernel's order.
    defaults: Vec<&'s Route>,
}

impl<'v, 's> Main<'v, 's> {
    pub(super) fn new(view: &'v View<'s>, family: Family, competing: &'v Competing<'v, 's>) -> Self {
        let mut connected = Vec::new();
        for (index, routes) in view.all_routes(family) {
            let on_link = routes.iter().filter(|route| is_connected(route, index));
            connected.extend(on_link.map(|route| (route.destination.trunc(), index, *route)));
        }
        let place = |(net, index, route): &(IpNet, IfIndex, &Route)| {
            (net.addr(), net.prefix_len(), *index, route.tos, route.metric)
        };
        connected.sort_by_key(place);
        let defaults = view.main_routes(family).filter(|route| route.destination.prefix_len() == 0);
        Self { view, family, competing, connected, defaults: defaults.collect() }
    }

    /// Adds the routes of an interface's own table: the subnets on its link; parts of them that are on the links
    /// of interfaces it competes with, which are the same wire; and the ways to everywhere, its own or, where it
    /// has none, those through gateways on its link that only competing interfaces have.
    pub(super) fn routes_of(&self, interface: IfIndex, number: u32, routes: &mut Vec<Route>) {
        let own = self.view.routes(self.family, interface);
        let mut seen = HashSet::new();
        // The kernel takes two routes of one table for the same if all of this is.
        let mut add = |route: Route| {
            if seen.insert((route.destination.trunc(), route.tos, route.metric)) {
                routes.push(route);
            }
        };
        // Connected routes first: the kernel wants to reach a gateway before it takes a route through it.
        let on_link = || own.iter().filter(|route| is_connected(route, interface));
        for route in on_link() {
            add(in_table(route, number, hop(route, interface).cloned()));
        }
        let nets: Vec<IpNet> = on_link().map(|route| route.destination.trunc()).collect();
        let mine = |route: &Route, hop: &NextHop| {
            let hop = NextHop { interface: Some(interface), ..hop.clone() };
            Route { preferred_source: None, ..in_table(route, number, Some(hop)) }
        };
        for net in nets.iter().filter(|net| net.prefix_len() > 0) {
            for (_, other, route) in self.within(net) {
                if *other != interface
                    && self.competing.compete(interface, *other)
                    && let Some(theirs) = hop(route, *other)
                {
                    add(mine(route, theirs));
                }
            }
        }
        let everywhere = || own.iter().filter(|route| route.destination.prefix_len() == 0);
        for route in everywhere().filter(|route| !is_connected(route, interface)) {
            add(in_table(route, number, hop(route, interface).cloned()));
        }
        for route in &self.defaults {
            if everywhere().any(|own| own.tos == route.tos) {
                continue;
            }
            let shared = route.next_hops.iter().find(|hop| {
                hop.gateway.is_some_and(|gateway| nets.iter().any(|net| net.contains(&gateway)))
                    && hop
                        .interface
                        .is_some_and(|other| other != interface && self.competing.compete(interface, other))
            });
            if let Some(shared) = shared {
                add(mine(route, shared));
            }
        }
    }

    /// The subnets that are a part of `net`, and not all of it.
    fn within(&self, net: &IpNet) -> impl Iterator<Item = &(IpNet, IfIndex, &'s Route)> {
        let whole = (net.network(), net.prefix_len());
        let from = self.connected.partition_point(|(part, ..)| (part.addr(), part.prefix_len()) <= whole);
        let last = net.broadcast();
        self.connected[from..].iter().take_while(move |(part, ..)| part.addr() <= last)
    }
}

/// A route of main as one of ours in another table.
pub(super) fn in_table(route: &Route, number: u32, hop: Option<NextHop>) -> Route {
    let hop = hop.map(|hop| NextHop { weight: 1, flags: hop.flags & NextHopFlags::ONLINK, ..hop });
    let next_hops = hop.into_iter().collect();
    Route { table: number, protocol: PROTOCOL, next_hops, nexthop_id: None, ..route.clone() }
}
