//! Lists that are nearly always of one: the addresses of an interface, the holders of an address.

use std::collections::hash_map::Entry;
use std::hash::Hash;

use foldhash::HashMap;

/// One value or more, in the order they came. One needs no allocation of its own.
#[derive(Debug)]
pub(super) enum Few<T> {
    One(T),
    More(Vec<T>),
}

impl<T> Few<T> {
    pub(super) fn as_slice(&self) -> &[T] {
        match self {
            Self::One(only) => std::slice::from_ref(only),
            Self::More(values) => values,
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [T] {
        match self {
            Self::One(only) => std::slice::from_mut(only),
            Self::More(values) => values,
        }
    }
}

impl<T: Copy> Few<T> {
    fn push(&mut self, value: T) {
        match self {
            Self::One(only) => *self = Self::More(vec![*only, value]),
            Self::More(values) => values.push(value),
        }
    }
}

/// Adds a value to those of `key`, unless `same` says that the last of them is the same.
pub(super) fn add<K: Eq + Hash, T: Copy>(
    map: &mut HashMap<K, Few<T>>,
    key: K,
    value: T,
    same: impl FnOnce(&T) -> bool,
) {
    match map.entry(key) {
        Entry::Vacant(entry) => {
            entry.insert(Few::One(value));
        }
        Entry::Occupied(entry) => {
            let few = entry.into_mut();
            if !few.as_slice().last().is_some_and(same) {
                few.push(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use foldhash::HashMapExt as _;

    use super::*;

    #[test]
    fn values_stay_in_their_order_and_the_last_is_not_added_twice() {
        let mut map = HashMap::new();
        for (key, value) in [(1, 10), (2, 20), (1, 10), (1, 11), (1, 11), (1, 10)] {
            add(&mut map, key, value, |last| *last == value);
        }
        assert_eq!(map[&1].as_slice(), [10, 11, 10]);
        assert_eq!(map[&2].as_slice(), [20]);
        add(&mut map, 2, 20, |_| false);
        map.get_mut(&2).unwrap().as_mut_slice()[0] = 19;
        assert_eq!(map[&2].as_slice(), [19, 20]);
    }
}
