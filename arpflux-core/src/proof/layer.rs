//! Families of prefixes, and which of them cover an address.
//!
//! Prefixes either nest or are apart, so walking them in the order of their first address with a
//! stack finds, for every address, the chain of prefixes around it.

use std::rc::Rc;

use foldhash::{HashMap, HashMapExt as _};

use crate::types::Ipv4Net;

/// What of the prefixes around an address counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Their keys from the longest prefix to the shortest, each key once: a route lookup takes the
    /// first that is usable, and whenever a later one of the same key were usable so were the first.
    Nearest,
    /// The set of their keys.
    Set,
}

/// Prefixes with a key each: equal keys behave alike.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    items: Vec<Item>,
}

#[derive(Debug, Clone, Copy)]
struct Item {
    first: u32,
    last: u32,
    /// Among equal prefixes the smaller comes first.
    rank: u32,
    key: u32,
}

/// From which address on which chain holds; sorted, with chain 0 (no prefix) wherever nothing covers.
#[derive(Debug)]
pub(super) struct Runs {
    pub(super) starts: Vec<u32>,
    pub(super) chains: Vec<u32>,
    /// The keys of each chain; chain 0 is empty.
    pub(super) keys: Vec<Rc<[u32]>>,
}

impl Layer {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    pub(super) fn add(&mut self, prefix: Ipv4Net, rank: u32, key: u32) {
        self.items.push(Item {
            first: u32::from(prefix.network()),
            last: u32::from(prefix.broadcast()),
            rank,
            key,
        });
    }

    /// Sweeps the address space once: O(n log n) for n prefixes, plus the lengths of the chains.
    pub(super) fn runs(mut self, order: Order) -> Runs {
        // Outer before inner; of equal prefixes the first in rank last, so that it ends up nearest.
        self.items.sort_by_key(|item| (item.first, !item.last, !item.rank));
        let mut chains = Chains::new(order);
        let mut runs = Runs { starts: vec![0], chains: vec![0], keys: Vec::new() };
        let mut open: Vec<(u32, u32)> = Vec::new();
        let emit = |runs: &mut Runs, start: u32, chain: u32| {
            if runs.starts.last() == Some(&start) {
                runs.starts.pop();
                runs.chains.pop();
            }
            if runs.chains.last() != Some(&chain) || runs.starts.is_empty() {
                runs.starts.push(start);
                runs.chains.push(chain);
            }
        };
        let close = |runs: &mut Runs, open: &mut Vec<(u32, u32)>, before: Option<u32>| {
            while let Some(&(last, _)) = open.last()
                && before.is_none_or(|start| last < start)
            {
                open.pop();
                if let Some(next) = last.checked_add(1) {
                    emit(runs, next, open.last().map_or(0, |top| top.1));
                }
            }
        };
        for item in &self.items {
            close(&mut runs, &mut open, Some(item.first));
            let chain = chains.extend(open.last().map_or(0, |top| top.1), item.key);
            open.push((item.last, chain));
            emit(&mut runs, item.first, chain);
        }
        close(&mut runs, &mut open, None);
        runs.keys = chains.keys;
        runs
    }
}

impl Runs {
    /// The same runs with each chain's keys replaced by `map`'s answer; chains that become equal merge.
    pub(super) fn mapped(mut self, map: impl Fn(&[u32]) -> Vec<u32>) -> Self {
        let mut numbers: HashMap<Rc<[u32]>, u32> = HashMap::from_iter([(Rc::default(), 0)]);
        let mut keys = vec![Rc::default()];
        let new: Vec<u32> = self
            .keys
            .iter()
            .map(|old| {
                let mapped: Rc<[u32]> = map(old).into();
                *numbers.entry(Rc::clone(&mapped)).or_insert_with(|| {
                    keys.push(mapped);
                    (keys.len() - 1) as u32
                })
            })
            .collect();
        for chain in &mut self.chains {
            *chain = new[*chain as usize];
        }
        self.keys = keys;
        self
    }
}

/// Chains of keys, each numbered once.
struct Chains {
    order: Order,
    keys: Vec<Rc<[u32]>>,
    numbers: HashMap<Rc<[u32]>, u32>,
    extended: HashMap<(u32, u32), u32>,
}

impl Chains {
    fn new(order: Order) -> Self {
        Self {
            order,
            keys: vec![Rc::default()],
            numbers: HashMap::from_iter([(Rc::default(), 0)]),
            extended: HashMap::new(),
        }
    }

    fn extend(&mut self, outer: u32, key: u32) -> u32 {
        if let Some(chain) = self.extended.get(&(outer, key)) {
            return *chain;
        }
        let around = &self.keys[outer as usize];
        let chain: Rc<[u32]> = match self.order {
            Order::Nearest => {
                std::iter::once(key).chain(around.iter().copied().filter(|other| *other != key)).collect()
            }
            Order::Set => match around.binary_search(&key) {
                Ok(_) => Rc::clone(around),
                Err(place) => around[..place]
                    .iter()
                    .copied()
                    .chain([key])
                    .chain(around[place..].iter().copied())
                    .collect(),
            },
        };
        let keys = &mut self.keys;
        let number = *self.numbers.entry(chain).or_insert_with_key(|chain| {
            keys.push(Rc::clone(chain));
            (keys.len() - 1) as u32
        });
        self.extended.insert((outer, key), number);
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(prefixes: &[(&str, u32)], order: Order) -> Vec<(u32, Vec<u32>)> {
        let mut layer = Layer::default();
        for (rank, (prefix, key)) in prefixes.iter().enumerate() {
            layer.add(prefix.parse().unwrap(), rank as u32, *key);
        }
        let runs = layer.runs(order);
        runs.starts.iter().zip(&runs.chains).map(|(s, c)| (*s, runs.keys[*c as usize].to_vec())).collect()
    }

    #[test]
    fn nested_prefixes_give_chains_from_the_nearest_outwards() {
        let found = runs(&[("10.0.0.0/8", 1), ("10.1.0.0/16", 2), ("10.1.0.0/16", 3)], Order::Nearest);
        let ten = 10 << 24;
        assert_eq!(
            found,
            [
                (0, vec![]),
                (ten, vec![1]),
                (ten + (1 << 16), vec![2, 3, 1]),
                (ten + (2 << 16), vec![1]),
                (11 << 24, vec![]),
            ]
        );
    }

    #[test]
    fn the_ends_of_the_address_space_and_equal_keys() {
        let found = runs(&[("0.0.0.0/0", 7), ("255.255.255.255/32", 7), ("0.0.0.0/32", 8)], Order::Nearest);
        assert_eq!(found, [(0, vec![8, 7]), (1, vec![7])]);
        assert_eq!(runs(&[("0.0.0.0/0", 7), ("0.0.0.0/32", 3)], Order::Set)[0], (0, vec![3, 7]));
        assert_eq!(runs(&[], Order::Set), [(0, vec![])]);
    }
}
