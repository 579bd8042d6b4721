//! A snapshot with the look-ups that planning needs many times.

use std::net::IpAddr;

use foldhash::{HashMap, HashMapExt as _, HashSet};

use crate::snapshot::{
    Address, AddressFlags, Index, NextHop, Route, RouteKind, Snapshot, missing_connected_route, table,
};
use crate::types::{IfIndex, IpNet};
use crate::words::listed;

/// Which of the two families something is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn of(address: IpAddr) -> Self {
        if address.is_ipv6() { Self::V6 } else { Self::V4 }
    }
}

/// A snapshot with its index, and the routes that source routing is about: those of table main, and connected ones
/// that it lacks.
#[derive(Debug)]
pub(super) struct View<'s> {
    pub snapshot: &'s Snapshot,
    pub index: Index<'s>,
    v4: HashMap<IfIndex, Vec<&'s Route>>,
    v6: HashMap<IfIndex, Vec<&'s Route>>,
}

impl<'s> View<'s> {
    pub(super) fn new(snapshot: &'s Snapshot) -> Self {
        let v4 = HashMap::with_capacity(snapshot.interfaces.len());
        let mut view = Self { snapshot, index: Index::new(snapshot), v4, v6: HashMap::new() };
        for route in snapshot.routes.iter().filter(|route| leads_somewhere(route)) {
            let family = Family::of(route.destination.addr());
            for index in route.next_hops.iter().filter_map(|hop| hop.interface) {
                let known = view.routes_mut(family).entry(index).or_default();
                if !known.last().is_some_and(|last| std::ptr::eq(*last, route)) {
                    known.push(route);
                }
            }
        }
        view
    }

    /// The same with routes that table main should have: [`View::lacking`].
    pub(super) fn with(mut self, routes: &'s [Route]) -> Self {
        for route in routes {
            for index in route.next_hops.iter().filter_map(|hop| hop.interface) {
                self.routes_mut(Family::of(route.destination.addr())).entry(index).or_default().push(route);
            }
        }
        self
    }

    /// The connected routes that table main lacks for addresses of `interfaces`, one for each subnet of each.
    pub(super) fn lacking(&self, interfaces: &HashSet<IfIndex>) -> Vec<Route> {
        let mut lacking: Vec<Route> = Vec::new();
        for held in interfaces.iter().flat_map(|index| self.all_addresses(*index)) {
            let known = |route: &Route| {
                route.destination == held.subnet().trunc() && is_connected(route, held.interface)
            };
            if !lacking.iter().any(known) {
                let routes = self.routes(Family::V4, held.interface).iter().copied();
                lacking.extend(missing_connected_route(self.snapshot, held, routes));
            }
        }
        lacking
    }

    fn routes_mut(&mut self, family: Family) -> &mut HashMap<IfIndex, Vec<&'s Route>> {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    /// The routes of table main that lead to more than one host through an interface, by interface.
    pub(super) fn all_routes(&self, family: Family) -> impl Iterator<Item = (IfIndex, &[&'s Route])> + Clone {
        self.routes_by_interface(family).iter().map(|(index, routes)| (*index, routes.as_slice()))
    }

    fn routes_by_interface(&self, family: Family) -> &HashMap<IfIndex, Vec<&'s Route>> {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// The routes of table main that lead to more than one host through `index`.
    pub(super) fn routes(&self, family: Family, index: IfIndex) -> &[&'s Route] {
        self.routes_by_interface(family).get(&index).map_or(&[], Vec::as_slice)
    }

    /// The routes of table main that lead to more than one host, in the kernel's order.
    pub(super) fn main_routes(&self, family: Family) -> impl Iterator<Item = &'s Route> {
        self.snapshot
            .routes
            .iter()
            .filter(move |route| leads_somewhere(route) && Family::of(route.destination.addr()) == family)
    }

    /// The IPv4 addresses of an interface that other hosts may ask for.
    pub(super) fn addresses(&self, index: IfIndex) -> impl Iterator<Item = &'s Address> + '_ {
        self.all_addresses(index).filter(|address| address.is_public())
    }

    /// The IPv6 addresses of an interface that other hosts may ask for, link-local ones left out; one of which duplicate address
    /// detection is under way is not used yet.
    pub(super) fn ipv6_in_use(&self, index: IfIndex) -> impl Iterator<Item = (IpAddr, IfIndex)> + '_ {
        let global = self.index.held(index).iter().filter(|held| held.is_global_ipv6());
        let failed = |flags: AddressFlags| flags.contains(AddressFlags::DADFAILED);
        let in_use =
            global.filter(move |held| !held.flags.contains(AddressFlags::TENTATIVE) || failed(held.flags));
        in_use.map(move |held| (held.local, index))
    }

    /// All IPv4 addresses of an interface.
    pub(super) fn all_addresses(&self, index: IfIndex) -> impl Iterator<Item = &'s Address> + '_ {
        self.index.held(index).iter().copied().filter(|address| address.local.is_ipv4())
    }

    pub(super) fn name(&self, index: IfIndex) -> String {
        self.snapshot.name_of(index)
    }

    /// `eth0`, `eth0 and eth3`, `eth0, eth3 and eth4`.
    pub(super) fn names(&self, indexes: impl IntoIterator<Item = IfIndex>) -> String {
        listed(indexes.into_iter().map(|index| self.name(index)))
    }
}

/// Whether a route of table main leads to more than one host: what source routing is about.
fn leads_somewhere(route: &Route) -> bool {
    route.table == table::MAIN
        && route.kind == RouteKind::Unicast
        && route.source.is_none()
        && route.destination.prefix_len() < route.destination.max_prefix_len()
        && match route.destination {
            IpNet::V4(_) => true,
            // The scope of a link-local destination already says the interface.
            IpNet::V6(net) => !net.addr().is_unicast_link_local() && !net.addr().is_multicast(),
        }
}

/// The next hop of a route through an interface.
pub(super) fn hop(route: &Route, index: IfIndex) -> Option<&NextHop> {
    route.next_hops.iter().find(|hop| hop.interface == Some(index))
}

/// Whether the route's destinations are on the interface's own link.
pub(super) fn is_connected(route: &Route, index: IfIndex) -> bool {
    hop(route, index).is_some_and(|hop| hop.gateway.is_none())
}

/// Whether two prefixes have an address in common.
pub(super) fn overlap(a: &IpNet, b: &IpNet) -> bool {
    a.contains(b) || b.contains(a)
}
