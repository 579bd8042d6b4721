//! Which interfaces lead to the same places, so that the source of a packet must decide between them.

use std::collections::BTreeSet;

use foldhash::{HashMap, HashMapExt as _, HashSet};

use super::view::{Family, View, is_connected, overlap};
use crate::snapshot::Route;
use crate::types::{IfIndex, IpNet};

/// The routes of table main by which interfaces compete.
///
/// Two interfaces compete if both have the same subnet on their link, or one a part of the other's and
/// the policy names both, or both have gateways to overlapping destinations. A subnet behind an
/// interface that the policy does not name, inside a wider one, is left alone: often it is a bridge of
/// containers, reachable there only.
#[derive(Debug)]
pub(super) struct Rivals<'v, 's> {
    view: &'v View<'s>,
    family: Family,
    named: &'v HashSet<IfIndex>,
    /// For each interface that has one: a prefix that another leads to as well, and that other.
    contested: HashMap<IfIndex, (IpNet, IfIndex)>,
    /// The same for subnets on their own links only.
    shared_links: HashMap<IfIndex, (IpNet, IfIndex)>,
    /// For each interface with a part of its subnet on another's link, left alone as the policy does not
    /// name both: that part, and that other.
    nested: HashMap<IfIndex, (IpNet, IfIndex)>,
}

impl<'v, 's> Rivals<'v, 's> {
    pub(super) fn new(view: &'v View<'s>, family: Family, named: &'v HashSet<IfIndex>) -> Self {
        let mut rivals = Self {
            view,
            family,
            named,
            contested: HashMap::new(),
            shared_links: HashMap::new(),
            nested: HashMap::new(),
        };
        rivals.find(true);
        rivals.find(false);
        rivals
    }

    /// Looks each prefix up among those that contain it, by their few different lengths, so that a
    /// thousand interfaces need not be compared pair by pair.
    fn find(&mut self, connected: bool) {
        let mut prefixes: HashMap<IpNet, Vec<IfIndex>> = HashMap::new();
        let mut lengths = BTreeSet::new();
        for (index, routes) in self.view.all_routes(self.family) {
            for route in routes {
                if is_connected(route, *index) == connected {
                    let net = route.destination.trunc();
                    lengths.insert(net.prefix_len());
                    let holders = prefixes.entry(net).or_default();
                    if holders.last() != Some(index) {
                        holders.push(*index);
                    }
                }
            }
        }
        for holders in prefixes.values_mut() {
            holders.sort_unstable();
        }
        let mut found: Vec<(IfIndex, IpNet, IfIndex)> = Vec::new();
        let mut nested = Vec::new();
        for (net, holders) in &prefixes {
            if let [first, second, rest @ ..] = holders.as_slice() {
                found.push((*first, *net, *second));
                found.push((*second, *net, *first));
                found.extend(rest.iter().map(|other| (*other, *net, *first)));
            }
            for length in lengths.range(..net.prefix_len()) {
                let Ok(wider) = IpNet::new(net.addr(), *length) else { continue };
                for outer in prefixes.get(&wider.trunc()).into_iter().flatten() {
                    for inner in holders {
                        if outer == inner {
                            continue;
                        }
                        if !connected || self.both_named(*outer, *inner) {
                            found.push((*outer, *net, *inner));
                            found.push((*inner, *net, *outer));
                        } else {
                            nested.push((*outer, *net, *inner));
                        }
                    }
                }
            }
        }
        // The smallest, so that the sentence about it is the same in each run.
        let order =
            |(index, net, other): &(IfIndex, IpNet, IfIndex)| (*index, net.addr(), net.prefix_len(), *other);
        found.sort_unstable_by_key(order);
        nested.sort_unstable_by_key(order);
        for (index, net, other) in nested {
            self.nested.entry(index).or_insert((net, other));
        }
        for (index, net, other) in found {
            self.contested.entry(index).or_insert((net, other));
            if connected {
                self.shared_links.entry(index).or_insert((net, other));
            }
        }
    }

    fn both_named(&self, a: IfIndex, b: IfIndex) -> bool {
        self.named.contains(&a) && self.named.contains(&b)
    }

    /// A prefix that another interface leads to as well, and that other.
    pub(super) fn contested(&self, index: IfIndex) -> Option<(IpNet, IfIndex)> {
        self.contested.get(&index).copied()
    }

    /// A subnet on the interface's link that is on another's as well, and that other.
    pub(super) fn shared_link(&self, index: IfIndex) -> Option<(IpNet, IfIndex)> {
        self.shared_links.get(&index).copied()
    }

    /// A part of the interface's subnet that is on another's link, and that other, if they do not compete.
    pub(super) fn nested(&self, index: IfIndex) -> Option<(IpNet, IfIndex)> {
        self.nested.get(&index).copied()
    }

    /// Whether two interfaces compete.
    pub(super) fn compete(&self, a: IfIndex, b: IfIndex) -> bool {
        if !self.contested.contains_key(&a) || !self.contested.contains_key(&b) {
            return false;
        }
        let both_named = self.both_named(a, b);
        let at_odds = |one: &Route, other: &Route| match (is_connected(one, a), is_connected(other, b)) {
            (true, true) if !both_named => one.destination.trunc() == other.destination.trunc(),
            (true, true) | (false, false) => overlap(&one.destination, &other.destination),
            _ => false,
        };
        let (ours, theirs) = (self.view.routes(self.family, a), self.view.routes(self.family, b));
        ours.iter().any(|one| theirs.iter().any(|other| at_odds(one, other)))
    }

    /// The other interface by which packets to the link of `index` leave if nobody looks at their
    /// source; `None` if they leave by `index`.
    pub(super) fn preferred_over(&self, index: IfIndex) -> Option<IfIndex> {
        let own = self.view.routes(self.family, index).iter().filter(|route| is_connected(route, index));
        for route in own {
            let net = route.destination.trunc();
            let best = self
                .view
                .snapshot
                .routes
                .iter()
                .filter(|other| other.table == route.table && other.destination.trunc() == net)
                .min_by_key(|other| other.metric);
            if let Some(other) = best.and_then(|best| best.next_hops.first()?.interface)
                && other != index
            {
                return Some(other);
            }
        }
        None
    }
}
