//! The lists of a snapshot while changes are made to them: each entry is found by a hash, and none is moved.

use std::hash::Hash;

use foldhash::{HashMap, HashMapExt as _};

use super::object::same_route;
use crate::snapshot::Route;
use crate::types::IpNet;

/// Entries that stand in the order they came, each found by its key.
#[derive(Debug, Clone)]
pub(super) struct Entries<K, T> {
    /// `None`: it was removed.
    list: Vec<Option<T>>,
    /// The first of each key.
    places: HashMap<K, usize>,
    key: fn(&T) -> K,
    /// Whether some had the same key: kernels take the same rule twice where nobody asks them not to.
    repeated: bool,
}

impl<K: Hash + Eq, T> Entries<K, T> {
    pub(super) fn new(list: Vec<T>, key: fn(&T) -> K) -> Self {
        let mut places = HashMap::with_capacity(list.len());
        for (place, entry) in list.iter().enumerate() {
            places.entry(key(entry)).or_insert(place);
        }
        let repeated = places.len() < list.len();
        Self { list: list.into_iter().map(Some).collect(), places, key, repeated }
    }

    pub(super) fn get(&self, key: &K) -> Option<&T> {
        self.list.get(*self.places.get(key)?)?.as_ref()
    }

    /// Puts it in the place of the one of the same key, else behind all others.
    pub(super) fn put(&mut self, entry: T) {
        let place = *self.places.entry((self.key)(&entry)).or_insert(self.list.len());
        match self.list.get_mut(place) {
            Some(held) => *held = Some(entry),
            None => self.list.push(Some(entry)),
        }
    }

    /// Removes the first of this key.
    pub(super) fn remove(&mut self, key: K) {
        let Some(place) = self.places.remove(&key) else { return };
        self.list[place] = None;
        if self.repeated {
            let same = |held: &Option<T>| held.as_ref().is_some_and(|held| (self.key)(held) == key);
            if let Some(next) = self.list.iter().position(same) {
                self.places.insert(key, next);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.list.iter().flatten()
    }

    pub(super) fn into_list(self) -> Vec<T> {
        self.list.into_iter().flatten().collect()
    }
}

/// The family and number of a table.
type Table = (bool, u32);

/// Routes of one table that stand together.
#[derive(Debug, Clone)]
struct Run {
    table: Table,
    /// Those of one prefix stand together; a list may be empty.
    prefixes: Vec<Vec<Route>>,
    /// How many routes it has.
    count: usize,
}

/// Routes in the kernel's order.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes {
    runs: Vec<Run>,
    /// The run, and the list in it, of those of each prefix that are not empty, in their order.
    places: HashMap<(Table, IpNet), Vec<(usize, usize)>>,
}

fn table(route: &Route) -> Table {
    (route.destination.addr().is_ipv6(), route.table)
}

impl Routes {
    pub(super) fn new(list: Vec<Route>) -> Self {
        let mut routes = Self::default();
        for route in list {
            routes.push(routes.runs.len().checked_sub(1), route);
        }
        routes
    }

    /// Puts a route at the end of a run, or at the end of all if there is none or it is of another table.
    fn push(&mut self, run: Option<usize>, route: Route) {
        let table = table(&route);
        let at = run.filter(|at| self.runs[*at].table == table).unwrap_or(self.runs.len());
        if at == self.runs.len() {
            self.runs.push(Run { table, prefixes: Vec::new(), count: 0 });
        }
        let run = &mut self.runs[at];
        run.count += 1;
        match run.prefixes.last_mut() {
            Some(last) if last.first().is_some_and(|held| held.destination == route.destination) => {
                last.push(route);
            }
            Some(_) | None => {
                let place = (at, run.prefixes.len());
                self.places.entry((table, route.destination)).or_default().push(place);
                run.prefixes.push(vec![route]);
            }
        }
    }

    fn of_prefix(&self, route: &Route) -> &[(usize, usize)] {
        self.places.get(&(table(route), route.destination)).map_or(&[], Vec::as_slice)
    }

    /// Where the same route stands: its run, its list and the place in it.
    fn find(&self, route: &Route) -> Option<(usize, usize, usize)> {
        self.of_prefix(route).iter().find_map(|(run, list)| {
            let held = &self.runs[*run].prefixes[*list];
            Some((*run, *list, held.iter().position(|held| same_route(held, route))?))
        })
    }

    pub(super) fn contains(&self, route: &Route) -> bool {
        self.find(route).is_some()
    }

    /// Adds a route that is not there: before the first of the same prefix with a larger metric, else behind the
    /// prefix's last, else behind its table's last.
    pub(super) fn add(&mut self, route: &Route) {
        if self.contains(route) {
            return;
        }
        let of_prefix = self.of_prefix(route);
        let larger = of_prefix.iter().find_map(|(run, list)| {
            let held = &self.runs[*run].prefixes[*list];
            Some((*run, *list, held.iter().position(|held| held.metric > route.metric)?))
        });
        let behind =
            || of_prefix.last().map(|(run, list)| (*run, *list, self.runs[*run].prefixes[*list].len()));
        match larger.or_else(behind) {
            Some((run, list, at)) => {
                self.runs[run].prefixes[list].insert(at, route.clone());
                self.runs[run].count += 1;
            }
            None => {
                let table = table(route);
                let last = self.runs.iter().rposition(|run| run.table == table && run.count > 0);
                self.push(last, route.clone());
            }
        }
    }

    pub(super) fn remove(&mut self, route: &Route) {
        let Some((run, list, at)) = self.find(route) else { return };
        let held = &mut self.runs[run].prefixes[list];
        held.remove(at);
        let empty = held.is_empty();
        self.runs[run].count -= 1;
        if empty && let Some(places) = self.places.get_mut(&(table(route), route.destination)) {
            places.retain(|place| *place != (run, list));
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Route> {
        self.runs.iter_mut().flat_map(|run| &mut run.prefixes).flatten()
    }

    pub(super) fn into_list(self) -> Vec<Route> {
        self.runs.into_iter().flat_map(|run| run.prefixes).flatten().collect()
    }
}
