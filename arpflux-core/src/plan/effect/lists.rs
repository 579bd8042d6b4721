//! The lists of a snapshot while many changes are made to them: each entry is found by a hash, and none is moved.
//!
//! Made one by one, ten thousand changes of ten thousand entries would look at a hundred million.

use std::hash::Hash;
use std::net::IpAddr;

use foldhash::{HashMap, HashMapExt as _};

use super::{Change, Edit, family};
use crate::snapshot::{ProxyEntry, Route, Rule, Snapshot};
use crate::types::{IfIndex, IpNet};

/// No place.
const NONE: usize = usize::MAX;

/// By what rules are ordered.
pub(super) fn order(rule: &Rule) -> (bool, u32) {
    (rule.ipv6, rule.priority)
}

/// Makes the changes of proxy entries, rules and routes among `changes`, in order, in the lists of `after`.
pub(super) fn edit(after: &mut Snapshot, changes: &[Change]) {
    let mut proxies = Vec::new();
    let mut rules = Vec::new();
    let mut routes = Vec::new();
    for change in changes {
        match change {
            Change::Proxy { edit, entry } => proxies.push((*edit, entry)),
            Change::Rule { edit, rule } => rules.push((*edit, &**rule)),
            Change::Route { edit, route } => routes.push((*edit, &**route)),
            _ => {}
        }
    }
    if !proxies.is_empty() {
        after.proxies = edited_proxies(&after.proxies, &proxies);
    }
    if !rules.is_empty() {
        after.rules = edited_rules(&after.rules, &rules);
    }
    if !routes.is_empty() {
        after.routes = edited_routes(&after.routes, &routes);
    }
}

/// Where the first of equal entries stands, and where the next of them.
struct Places<K> {
    first: HashMap<K, usize>,
    /// By place: the next entry that is equal.
    next: Vec<usize>,
}

impl<K: Hash + Eq + Copy> Places<K> {
    fn new(keys: impl DoubleEndedIterator<Item = K> + ExactSizeIterator) -> Self {
        let mut places = Self { first: HashMap::with_capacity(keys.len()), next: vec![NONE; keys.len()] };
        for (place, key) in keys.enumerate().rev() {
            if let Some(next) = places.first.insert(key, place) {
                places.next[place] = next;
            }
        }
        places
    }

    fn find(&self, key: &K) -> Option<usize> {
        self.first.get(key).copied()
    }

    /// Adds an entry behind all others, of which none is equal.
    fn push(&mut self, key: K) {
        self.first.insert(key, self.next.len());
        self.next.push(NONE);
    }

    /// Forgets the first of the entries that are equal to `key`; where it stood.
    fn take(&mut self, key: &K) -> Option<usize> {
        let place = self.first.remove(key)?;
        if self.next[place] != NONE {
            self.first.insert(*key, self.next[place]);
        }
        Some(place)
    }
}

type ProxyKey = (IpAddr, Option<IfIndex>);

/// The kernel's key is address and interface; adding again replaces flags and protocol.
fn edited_proxies(held: &[ProxyEntry], changes: &[(Edit, &ProxyEntry)]) -> Vec<ProxyEntry> {
    let key = |entry: &ProxyEntry| -> ProxyKey { (entry.address, entry.interface) };
    let mut places = Places::new(held.iter().map(key));
    let mut list: Vec<Option<ProxyEntry>> = held.iter().copied().map(Some).collect();
    for (edit, entry) in changes {
        match (edit, places.find(&key(entry))) {
            (Edit::Add, None) => {
                places.push(key(entry));
                list.push(Some(**entry));
            }
            (Edit::Add, Some(place)) => list[place] = Some(**entry),
            (Edit::Remove, _) => {
                if let Some(place) = places.take(&key(entry)) {
                    list[place] = None;
                }
            }
        }
    }
    list.into_iter().flatten().collect()
}

/// A rule comes behind all of its own family whose priority is not larger (`fib_nl_newrule()`).
fn edited_rules(held: &[Rule], changes: &[(Edit, &Rule)]) -> Vec<Rule> {
    let mut places = Places::new(held.iter());
    let mut list: Vec<Option<&Rule>> = held.iter().map(Some).collect();
    for (edit, rule) in changes {
        match (edit, places.find(rule)) {
            (Edit::Add, None) => {
                places.push(*rule);
                list.push(Some(*rule));
            }
            (Edit::Remove, Some(_)) => {
                if let Some(place) = places.take(rule) {
                    list[place] = None;
                }
            }
            (Edit::Add, Some(_)) | (Edit::Remove, None) => {}
        }
    }
    let mut list: Vec<&Rule> = list.into_iter().flatten().collect();
    // The kernel's order, which the list was in before: those that came stand behind their equals.
    list.sort_by_key(|rule| order(rule));
    list.into_iter().cloned().collect()
}

/// A route and its neighbours in the list.
struct Node<'a> {
    /// `None` once it is removed; or the list's head, which stands at place 0.
    route: Option<&'a Route>,
    before: usize,
    behind: usize,
}

/// Routes in the kernel's order, linked, so that one can come between two others.
struct Routes<'a> {
    nodes: Vec<Node<'a>>,
    /// The last of each table.
    last: HashMap<(bool, u32), usize>,
    /// Those of each prefix, in the list's order.
    of_prefix: HashMap<(u32, IpNet), Vec<usize>>,
}

impl<'a> Routes<'a> {
    fn new(held: &'a [Route]) -> Self {
        let mut routes = Self {
            nodes: vec![Node { route: None, before: 0, behind: 0 }],
            last: HashMap::new(),
            of_prefix: HashMap::with_capacity(held.len()),
        };
        for route in held {
            let place = routes.insert(routes.nodes[0].before, route);
            routes.last.insert(table(route), place);
            routes.of_prefix.entry(prefix(route)).or_default().push(place);
        }
        routes
    }

    /// Puts a route behind the node of this place.
    fn insert(&mut self, before: usize, route: &'a Route) -> usize {
        let (place, behind) = (self.nodes.len(), self.nodes[before].behind);
        self.nodes.push(Node { route: Some(route), before, behind });
        self.nodes[before].behind = place;
        self.nodes[behind].before = place;
        place
    }

    /// Before the first of the same prefix with a larger metric, else behind the prefix's last, else
    /// behind its table's last.
    fn add(&mut self, route: &'a Route) {
        let metric = |place: &usize| self.nodes[*place].route.map_or(0, |held| held.metric);
        let same = self.of_prefix.get(&prefix(route)).map_or(&[][..], Vec::as_slice);
        let at = same.iter().position(|place| metric(place) > route.metric);
        let before = match (at, same.last()) {
            (Some(at), _) => self.nodes[same[at]].before,
            (None, Some(last)) => *last,
            (None, None) => self.last.get(&table(route)).copied().unwrap_or(self.nodes[0].before),
        };
        let (among, is_last) = (at.unwrap_or(same.len()), at.is_none());
        let place = self.insert(before, route);
        self.of_prefix.entry(prefix(route)).or_default().insert(among, place);
        let last = self.last.entry(table(route)).or_insert(place);
        if is_last && *last == before {
            *last = place;
        }
    }

    fn remove(&mut self, place: usize) {
        let Node { route, before, behind } = &mut self.nodes[place];
        let (Some(route), before, behind) = (route.take(), *before, *behind) else { return };
        self.nodes[before].behind = behind;
        self.nodes[behind].before = before;
        if let Some(same) = self.of_prefix.get_mut(&prefix(route)) {
            same.retain(|other| *other != place);
        }
        if self.last.get(&table(route)) == Some(&place) {
            // Tables stand together in the list, so the one before is mostly the next one's.
            let mut earlier = before;
            while self.nodes[earlier].route.is_some_and(|other| table(other) != table(route)) {
                earlier = self.nodes[earlier].before;
            }
            match earlier {
                0 => self.last.remove(&table(route)),
                _ => self.last.insert(table(route), earlier),
            };
        }
    }

    fn into_list(self) -> Vec<Route> {
        let mut list = Vec::with_capacity(self.nodes.len());
        let mut place = self.nodes[0].behind;
        while let Some(route) = self.nodes[place].route {
            list.push(route.clone());
            place = self.nodes[place].behind;
        }
        list
    }
}

fn prefix(route: &Route) -> (u32, IpNet) {
    (route.table, route.destination)
}

fn table(route: &Route) -> (bool, u32) {
    (family(route), route.table)
}

fn edited_routes(held: &[Route], changes: &[(Edit, &Route)]) -> Vec<Route> {
    let mut routes = Routes::new(held);
    // A place of the first list is one less than its node's, as the head is before all.
    let mut places = Places::new(held.iter());
    for (edit, route) in changes {
        match (edit, places.find(route)) {
            (Edit::Add, None) => {
                places.push(*route);
                routes.add(route);
            }
            (Edit::Remove, Some(_)) => {
                if let Some(place) = places.take(route) {
                    routes.remove(place + 1);
                }
            }
            (Edit::Add, Some(_)) | (Edit::Remove, None) => {}
        }
    }
    routes.into_list()
}
