//! Which interfaces lead to the same places, so that the source of a packet must decide between them.

use std::collections::BTreeSet;

use foldhash::{HashMap, HashMapExt as _, HashSet};

use super::view::{Family, View, is_connected, overlap};
use crate::snapshot::{Route, table};
use crate::types::{IfIndex, IpNet};

/// Which interfaces compete, by the routes of table main.
///
/// Two interfaces compete if both have the same subnet on their link, or one a part of the other's and
/// the policy names both, or both have gateways to overlapping destinations. A subnet behind an
/// interface that the policy does not name, inside a wider one, is left alone: often it is a bridge of
/// containers, reachable there only.
#[derive(Debug)]
pub(super) struct Competing<'v, 's> {
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
    /// The route of table main that counts for a prefix: the first of those with the smallest metric.
    preferred: HashMap<IpNet, &'s Route>,
}

/// A prefix with others inside.
struct Wider {
    /// The first two of its holders that compete with those of its parts.
    first: Vec<IfIndex>,
    /// The two least of its parts with different holders: of those whose holder competes, and of the rest.
    least: [Vec<(IpNet, IfIndex)>; 2],
}

impl Wider {
    fn add(&mut self, rest: usize, net: IpNet, holder: IfIndex) {
        let order = |(net, holder): &(IpNet, IfIndex)| (net.addr(), net.prefix_len(), *holder);
        let least = &mut self.least[rest];
        match least.iter_mut().find(|(_, other)| *other == holder) {
            Some(known) if order(known) <= order(&(net, holder)) => {}
            Some(known) => *known = (net, holder),
            None => least.push((net, holder)),
        }
        least.sort_by_key(order);
        least.truncate(2);
    }
}

impl<'v, 's> Competing<'v, 's> {
    pub(super) fn new(view: &'v View<'s>, family: Family, named: &'v HashSet<IfIndex>) -> Self {
        let mut competing = Self {
            view,
            family,
            named,
            contested: HashMap::new(),
            shared_links: HashMap::new(),
            nested: HashMap::new(),
            preferred: HashMap::new(),
        };
        competing.find(true);
        competing.find(false);
        if !competing.shared_links.is_empty() {
            for route in view.snapshot.routes.iter().filter(|route| route.table == table::MAIN) {
                let best = competing.preferred.entry(route.destination.trunc()).or_insert(route);
                if route.metric < best.metric {
                    *best = route;
                }
            }
        }
        competing
    }

    /// Looks each prefix up among those that contain it, by their few different lengths, so that a
    /// thousand interfaces need not be compared pair by pair.
    fn find(&mut self, connected: bool) {
        let mut prefixes: HashMap<IpNet, Vec<IfIndex>> = HashMap::new();
        let mut lengths = BTreeSet::new();
        for (index, routes) in self.view.all_routes(self.family) {
            for route in routes {
                if is_connected(route, index) == connected {
                    let net = route.destination.trunc();
                    lengths.insert(net.prefix_len());
                    let holders = prefixes.entry(net).or_default();
                    if holders.last() != Some(&index) {
                        holders.push(index);
                    }
                }
            }
        }
        for holders in prefixes.values_mut() {
            holders.sort();
        }
        let mut found: Vec<(IfIndex, IpNet, IfIndex)> = Vec::new();
        let mut nested = Vec::new();
        // Prefixes that contain others.
        let mut wider: HashMap<IpNet, Wider> = HashMap::new();
        let competes = |index: &IfIndex| !connected || self.named.contains(index);
        for (net, holders) in prefixes.iter().map(|(net, holders)| (net, holders.as_slice())) {
            if let [first, second, rest @ ..] = holders {
                found.push((*first, *net, *second));
                found.push((*second, *net, *first));
                found.extend(rest.iter().map(|other| (*other, *net, *first)));
            }
            for length in lengths.range(..net.prefix_len()) {
                let Ok(outer) = IpNet::new(net.addr(), *length) else { continue };
                let outer = outer.trunc();
                let Some(outer_holders) = prefixes.get(&outer).map(Vec::as_slice) else { continue };
                let wider = wider.entry(outer).or_insert_with(|| Wider {
                    first: outer_holders.iter().copied().filter(competes).take(2).collect(),
                    least: [Vec::new(), Vec::new()],
                });
                for inner in holders {
                    wider.add(usize::from(!competes(inner)), *net, *inner);
                    let first = wider.first.iter().find(|other| *other != inner);
                    if let Some(outer) = first.filter(|_| competes(inner)) {
                        found.push((*inner, *net, *outer));
                    }
                }
            }
        }
        for (net, wider) in &wider {
            for outer in prefixes.get(net).map_or(&[][..], Vec::as_slice) {
                for (at, least) in wider.least.iter().enumerate() {
                    if let Some((net, inner)) = least.iter().find(|(_, inner)| inner != outer) {
                        let compete = at == 0 && competes(outer);
                        if compete { &mut found } else { &mut nested }.push((*outer, *net, *inner));
                    }
                }
            }
        }
        // The smallest, so that the sentence about it is the same in each run.
        let order =
            |(index, net, other): &(IfIndex, IpNet, IfIndex)| (*index, net.addr(), net.prefix_len(), *other);
        found.sort_by_key(order);
        nested.sort_by_key(order);
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
            let best = self.preferred.get(&route.destination.trunc());
            if let Some(other) = best.and_then(|best| best.next_hops.first()?.interface)
                && other != index
            {
                return Some(other);
            }
        }
        None
    }
}
