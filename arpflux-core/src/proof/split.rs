//! The IPv4 address space cut into intervals, and the intervals gathered into classes.

use std::net::Ipv4Addr;
use std::rc::Rc;

use foldhash::{HashMap, HashMapExt as _};

use super::layer::Runs;

/// All 2^32 addresses, cut wherever a layer begins or ends; intervals under the same chains are one class.
#[derive(Debug, Clone, Default)]
pub(crate) struct Split {
    /// The first address of each interval; the first is 0.
    pub(super) starts: Rc<[u32]>,
    /// The class of each interval.
    pub(super) of: Vec<u32>,
    /// Two members of each class.
    pub(crate) members: Vec<Members>,
}

/// Members of a class: all behave alike, so any of them stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Members {
    /// The smallest.
    pub(crate) first: u32,
    /// Another one, unless the class has only one.
    pub(crate) other: Option<u32>,
}

impl Members {
    /// A member that is not `address`.
    pub(crate) fn except(self, address: u32) -> Option<u32> {
        if self.first == address { self.other } else { Some(self.first) }
    }

    /// A sender of this class and a target of the other that differ, unless both are the same one address.
    pub(crate) fn apart(self, target: Members) -> Option<(u32, u32)> {
        match self.except(target.first) {
            Some(sender) => Some((sender, target.first)),
            None => target.other.map(|target| (self.first, target)),
        }
    }
}

impl Split {
    /// Cuts at every start of `layers` and at `cuts`, and gathers by all `layers`.
    pub(super) fn new(layers: &[Runs], cuts: impl IntoIterator<Item = u32>) -> Self {
        let mut starts: Vec<u32> = layers.iter().flat_map(|runs| runs.starts.iter().copied()).collect();
        starts.extend(cuts);
        starts.push(0);
        starts.sort();
        starts.dedup();
        let of = vec![0; starts.len()];
        Self { starts: starts.into(), of, members: Vec::new() }.refined(layers)
    }

    /// The same intervals, gathered by `layers` as well; each of their starts must be a start here.
    pub(super) fn refined(&self, layers: &[Runs]) -> Self {
        let mut of = self.of.clone();
        let mut next = of.iter().max().map_or(0, |largest| largest + 1);
        let mut numbers: HashMap<(u32, u32), u32> = HashMap::new();
        for runs in layers {
            numbers.clear();
            let mut run = 0;
            let mut latest = ((0, 0), 0);
            for (start, class) in self.starts.iter().zip(&mut of) {
                while runs.starts.get(run + 1).is_some_and(|next| next <= start) {
                    run += 1;
                }
                let pair = (*class, runs.chains[run]);
                // Outside all prefixes of the layer the class keeps its number.
                if pair.1 == 0 {
                    continue;
                }
                if latest.0 != pair {
                    let number = *numbers.entry(pair).or_insert_with(|| {
                        next += 1;
                        next - 1
                    });
                    latest = (pair, number);
                }
                *class = latest.1;
            }
        }
        let mut dense = vec![u32::MAX; next as usize];
        let mut members: Vec<Members> = Vec::new();
        for (i, class) in of.iter_mut().enumerate() {
            let first = self.starts[i];
            let last = self.last(i);
            let slot = &mut dense[*class as usize];
            if *slot == u32::MAX {
                *slot = members.len() as u32;
                members.push(Members { first, other: (last > first).then_some(last) });
            } else {
                let known = &mut members[*slot as usize];
                known.other = known.other.or(Some(first));
            }
            *class = *slot;
        }
        Self { starts: Rc::clone(&self.starts), of, members }
    }

    /// The last address of interval `i`.
    pub(super) fn last(&self, i: usize) -> u32 {
        self.starts.get(i + 1).map_or(u32::MAX, |next| next - 1)
    }

    /// The interval that holds `address`.
    pub(super) fn interval(&self, address: u32) -> usize {
        self.starts.partition_point(|start| *start <= address) - 1
    }

    /// Every interval: first and last address, and class.
    pub(crate) fn intervals(&self) -> impl Iterator<Item = (u32, u32, usize)> {
        self.starts.iter().enumerate().map(|(i, start)| (*start, self.last(i), self.of[i] as usize))
    }

    /// The class of `address`.
    pub(crate) fn class_of(&self, address: Ipv4Addr) -> usize {
        self.of[self.interval(u32::from(address))] as usize
    }

    /// How many classes there are.
    pub(crate) fn classes(&self) -> usize {
        self.members.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::layer::{Layer, Order};
    use super::*;

    #[test]
    fn intervals_under_the_same_prefixes_are_one_class() {
        let mut layer = Layer::default();
        for prefix in ["10.0.0.0/24", "10.0.2.0/24", "10.0.0.7/32"] {
            layer.add(prefix.parse().unwrap(), 0, u32::from(prefix.ends_with("/32")));
        }
        let split = Split::new(&[layer.runs(Order::Nearest)], []);
        let class = |text: &str| split.class_of(text.parse().unwrap());
        assert_eq!(split.classes(), 3);
        assert_eq!(class("10.0.0.1"), class("10.0.2.200"));
        assert_eq!(class("10.0.1.1"), class("255.255.255.255"));
        assert_ne!(class("10.0.0.7"), class("10.0.0.8"));
        let alone = split.members[class("10.0.0.7")];
        assert_eq!((alone.first, alone.other), (u32::from(Ipv4Addr::new(10, 0, 0, 7)), None));
        assert_eq!(alone.except(alone.first), None);
    }

    #[test]
    fn refining_keeps_what_was_apart_apart() {
        let mut own = Layer::default();
        own.add("10.0.0.0/8".parse().unwrap(), 0, 0);
        let split = Split::new(&[own.runs(Order::Set)], [5, 6]);
        let mut more = Layer::default();
        more.add("0.0.0.5/32".parse().unwrap(), 0, 0);
        let refined = split.refined(&[more.runs(Order::Set)]);
        assert_eq!((split.classes(), refined.classes()), (2, 3));
        assert_eq!(
            refined.class_of("0.0.0.4".parse().unwrap()),
            refined.class_of("0.0.0.6".parse().unwrap())
        );
    }
}
