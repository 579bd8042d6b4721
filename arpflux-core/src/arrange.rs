//! Sorting that is compiled once.
//!
//! The standard library's sorts are made anew for each type and key, some 4 KiB of code each time. Here the
//! places of the items are sorted, by one function for all types, and then the items are moved. That costs an
//! indirect call for each comparison, which short lists do not feel.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Sorts in place; equal items keep their order.
pub(crate) trait Arrange<T> {
    /// By the items themselves.
    fn arrange(&mut self)
    where
        T: Ord;

    /// By a key, which is made anew for each comparison.
    fn arrange_by_key<K: Ord>(&mut self, key: impl Fn(&T) -> K);

    /// By a comparison.
    fn arrange_by(&mut self, compare: impl Fn(&T, &T) -> Ordering);
}

impl<T> Arrange<T> for [T] {
    fn arrange(&mut self)
    where
        T: Ord,
    {
        self.arrange_by(T::cmp);
    }

    fn arrange_by_key<K: Ord>(&mut self, key: impl Fn(&T) -> K) {
        self.arrange_by(|a, b| key(a).cmp(&key(b)));
    }

    fn arrange_by(&mut self, compare: impl Fn(&T, &T) -> Ordering) {
        if self.len() < 2 {
            return;
        }
        let mut from = sorted(self.len(), &|a, b| compare(&self[a], &self[b]));
        // Each cycle of places is followed once; a place that is done points at itself.
        for first in 0..from.len() {
            let mut at = first;
            loop {
                let next = std::mem::replace(&mut from[at], at);
                if next == first {
                    break;
                }
                self.swap(at, next);
                at = next;
            }
        }
    }
}

/// The places from 0 to below `count`, sorted.
#[inline(never)]
fn sorted(count: usize, compare: &dyn Fn(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..count).collect();
    places.sort_by(|a, b| compare(*a, *b));
    places
}

/// A set, one item after the other: `collect` would sort them first.
pub(crate) fn set<T: Ord>(items: impl IntoIterator<Item = T>) -> BTreeSet<T> {
    let mut set = BTreeSet::new();
    set.extend(items);
    set
}

/// A map, one item after the other, as [`set`]. Of equal keys the last stays.
pub(crate) fn map<K: Ord, V>(items: impl IntoIterator<Item = (K, V)>) -> BTreeMap<K, V> {
    let mut map = BTreeMap::new();
    map.extend(items);
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_as_the_standard_library_does() {
        for length in 0..80_u32 {
            // Keys repeat, so that the order of equal ones shows.
            let list: Vec<(u32, u32)> = (0..length).map(|i| (i.wrapping_mul(0x9e37_79b9) % 7, i)).collect();
            let (mut ours, mut theirs) = (list.clone(), list.clone());
            ours.arrange_by_key(|item| item.0);
            theirs.sort_by_key(|item| item.0);
            assert_eq!(ours, theirs);
            ours.arrange_by(|a, b| b.cmp(a));
            theirs.sort_by(|a, b| b.cmp(a));
            assert_eq!(ours, theirs);
            ours.arrange();
            theirs.sort();
            assert_eq!(ours, theirs);
        }
    }

    #[test]
    fn sets_and_maps_are_as_collected() {
        let list = [3, 1, 2, 3];
        assert_eq!(set(list), list.into_iter().collect());
        let pairs = list.iter().copied().zip(0..);
        assert_eq!(map(pairs.clone()), pairs.collect());
        assert_eq!(map(list.iter().copied().zip(0..))[&3], 3);
    }
}
