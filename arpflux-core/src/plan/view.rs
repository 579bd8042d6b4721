//! A snapshot with the look-ups that planning needs many times.

use std::net::IpAddr;

use foldhash::{HashMap, HashMapExt as _};

use super::few::{self, Few};
use crate::snapshot::{Address, Interface, NextHop, Route, RouteKind, Scope, Snapshot, table};
use crate::types::{IfIndex, IfName, IpNet};

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

/// A snapshot with maps over it.
#[derive(Debug)]
pub(super) struct View<'s> {
    pub snapshot: &'s Snapshot,
    by_name: HashMap<IfName, &'s Interface>,
    addresses: HashMap<IfIndex, Few<&'s Address>>,
    holders: HashMap<IpAddr, Few<IfIndex>>,
    v4: HashMap<IfIndex, Few<&'s Route>>,
    v6: HashMap<IfIndex, Few<&'s Route>>,
}

impl<'s> View<'s> {
    pub(super) fn new(snapshot: &'s Snapshot) -> Self {
        let mut view = Self {
            snapshot,
            by_name: snapshot.interfaces.iter().map(|interface| (interface.name, interface)).collect(),
            addresses: HashMap::with_capacity(snapshot.interfaces.len()),
            holders: HashMap::with_capacity(snapshot.addresses.len()),
            v4: HashMap::with_capacity(snapshot.interfaces.len()),
            v6: HashMap::new(),
        };
        for address in &snapshot.addresses {
            few::add(&mut view.holders, address.local, address.interface, |_| false);
            if address.local.is_ipv4() {
                few::add(&mut view.addresses, address.interface, address, |_| false);
            }
        }
        for route in snapshot.routes.iter().filter(|route| leads_somewhere(route)) {
            let family = Family::of(route.destination.addr());
            let mut seen: Option<IfIndex> = None;
            for hop in &route.next_hops {
                if let Some(index) = hop.interface
                    && seen != Some(index)
                {
                    seen = Some(index);
                    few::add(view.routes_mut(family), index, route, |last| std::ptr::eq(*last, route));
                }
            }
        }
        view
    }

    fn routes_mut(&mut self, family: Family) -> &mut HashMap<IfIndex, Few<&'s Route>> {
        match family {
            Family::V4 => &mut self.v4,
            Family::V6 => &mut self.v6,
        }
    }

    /// The routes of table main that lead to more than one host through an interface, by interface.
    pub(super) fn all_routes(&self, family: Family) -> impl Iterator<Item = (IfIndex, &[&'s Route])> + Clone {
        self.routes_by_interface(family).iter().map(|(index, routes)| (*index, routes.as_slice()))
    }

    fn routes_by_interface(&self, family: Family) -> &HashMap<IfIndex, Few<&'s Route>> {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// The routes of table main that lead to more than one host through `index`.
    pub(super) fn routes(&self, family: Family, index: IfIndex) -> &[&'s Route] {
        self.routes_by_interface(family).get(&index).map_or(&[], Few::as_slice)
    }

    /// The routes of table main that lead to more than one host, in the kernel's order.
    pub(super) fn main_routes(&self, family: Family) -> impl Iterator<Item = &'s Route> {
        self.snapshot
            .routes
            .iter()
            .filter(move |route| leads_somewhere(route) && Family::of(route.destination.addr()) == family)
    }

    pub(super) fn named(&self, name: &IfName) -> Option<&'s Interface> {
        self.by_name.get(name).copied()
    }

    /// The IPv4 addresses of an interface that other hosts may ask for.
    pub(super) fn addresses(&self, index: IfIndex) -> impl Iterator<Item = &'s Address> + '_ {
        self.all_addresses(index).filter(|address| is_public(address))
    }

    /// All IPv4 addresses of an interface.
    pub(super) fn all_addresses(&self, index: IfIndex) -> impl Iterator<Item = &'s Address> + '_ {
        self.addresses.get(&index).map_or(&[][..], Few::as_slice).iter().copied()
    }

    /// The interfaces that hold an address of either family.
    pub(super) fn holders(&self, address: IpAddr) -> &[IfIndex] {
        self.holders.get(&address).map_or(&[], Few::as_slice)
    }

    pub(super) fn name(&self, index: IfIndex) -> String {
        self.snapshot.name_of(index)
    }

    /// `eth0`, `eth0 and eth3`, `eth0, eth3 and eth4`.
    pub(super) fn names(&self, indexes: impl IntoIterator<Item = IfIndex>) -> String {
        let indexes: Vec<IfIndex> = indexes.into_iter().collect();
        first_listed(&indexes, |index| self.name(*index))
    }
}

/// Whether other hosts may ask for the address: not of scope host, not 127/8.
pub(super) fn is_public(address: &Address) -> bool {
    address.scope < Scope::HOST && !address.local.is_loopback()
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

/// How many words of a list are written out.
const MOST: usize = 8;

/// [`listed`] of addresses, of which only those that are written out become text.
pub(super) fn listed_first(addresses: &[IpAddr]) -> String {
    first_listed(addresses, IpAddr::to_string)
}

/// [`listed`] of what `word` makes of those that are written out.
fn first_listed<T>(all: &[T], word: impl Fn(&T) -> String) -> String {
    let words: Vec<String> = all.iter().take(MOST).map(word).collect();
    match all.len().saturating_sub(MOST) {
        0 => listed(words),
        more => format!("{} and {more} more", words.join(", ")),
    }
}

/// `a`, `a and b`, `a, b and c`; long lists are cut.
pub(crate) fn listed(mut words: Vec<String>) -> String {
    if words.len() > MOST {
        let more = words.len() - MOST;
        words.truncate(MOST);
        return format!("{} and {more} more", words.join(", "));
    }
    match words.pop() {
        None => String::new(),
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} and {last}", words.join(", ")),
    }
}
