//! Numbers replaced so that whatever begins alike goes on to begin alike: subnets stay subnets.
//!
//! Each bit is turned or not by a secret hash of the bits before it (Xu, Fan, Ammar and Moon, "Prefix-Preserving IP Address
//! Anonymization", 2002), but for places that are kept: where two numbers that are there part, so that their order
//! stays, and what is pinned.

use std::hash::{BuildHasher as _, RandomState};

use foldhash::{HashSet, HashSetExt as _};

/// Numbers of one sort, their first bit at the top of a `u128`.
#[derive(Debug)]
pub(super) struct Tree {
    width: u8,
    /// Those that are there, in rising order once [`Tree::ready`] was called.
    seen: Vec<u128>,
    /// Places whose next bit is kept: how many bits lead there, and these.
    pinned: HashSet<(u8, u128)>,
    secret: RandomState,
}

/// The first bits of a number.
const fn top(value: u128, bits: u8) -> u128 {
    if bits == 0 { 0 } else { value & (u128::MAX << (128 - bits as u32)) }
}

impl Tree {
    pub(super) fn new(width: u8) -> Self {
        Self { width, seen: Vec::new(), pinned: HashSet::new(), secret: RandomState::new() }
    }

    pub(super) fn insert(&mut self, value: u128) {
        self.seen.push(value);
    }

    /// Keeps the bits of `value` from one place on, up to but without another.
    pub(super) fn pin(&mut self, value: u128, from: u8, to: u8) {
        self.pinned.extend((from..to.min(self.width)).map(|at| (at, top(value, at))));
    }

    pub(super) fn ready(&mut self) {
        self.seen.sort_unstable();
        self.seen.dedup();
    }

    /// What stands for the first `bits` of a number; zeros behind.
    pub(super) fn map(&self, value: u128, bits: u8) -> u128 {
        let mut here = self.seen.as_slice();
        let mut image = 0;
        let mut moved = false;
        for at in 0..bits.min(self.width) {
            let shift = 127 - u32::from(at);
            let bit = value >> shift & 1;
            let (zeros, ones) = here.split_at(here.partition_point(|seen| seen >> shift & 1 == 0));
            let parts = !zeros.is_empty() && !ones.is_empty();
            here = if bit == 0 { zeros } else { ones };
            if parts || self.pinned.contains(&(at, top(value, at))) {
                image |= bit << shift;
                continue;
            }
            // The first that may be turned is, so that nothing stays as it was by chance.
            let turned = !moved || self.secret.hash_one((at, top(value, at))) & 1 == 1;
            moved = true;
            image |= (bit ^ u128::from(turned)) << shift;
        }
        image
    }

    /// Keeps the order of everything between two numbers to what lies around them, as far as both begin alike;
    /// `None`: they hardly do, so that little of them would be replaced.
    pub(super) fn range(&mut self, from: u128, to: u128, bits: u8) -> Option<()> {
        let alike = (from ^ to).leading_zeros().min(u32::from(bits)) as u8;
        self.insert(from);
        if is_prefix(from, to).is_some() {
            return Some(());
        }
        let significant = (128 - from.trailing_zeros()).max(128 - to.trailing_ones().min(127)) as u8;
        if alike < 8 && significant > 8 {
            return None;
        }
        self.insert(to);
        self.pin(from, alike, bits);
        self.pin(to, alike, bits);
        Some(())
    }
}

/// How long a prefix is that goes from one number to another; `None`: it is none.
pub(super) const fn is_prefix(from: u128, to: u128) -> Option<u8> {
    let alike = (from ^ to).leading_zeros();
    let rest = if alike == 128 { 0 } else { u128::MAX >> alike };
    if from & rest == 0 && to & rest == rest { Some(alike as u8) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v4(text: &str) -> u128 {
        u128::from(text.parse::<std::net::Ipv4Addr>().unwrap().to_bits()) << 96
    }

    #[test]
    fn what_begins_alike_still_does_and_nothing_else() {
        let all = ["10.0.0.1", "10.0.0.9", "10.0.1.1", "10.7.1.1", "192.168.1.1", "8.8.8.8"].map(v4);
        for _ in 0..100 {
            let mut tree = Tree::new(32);
            all.iter().for_each(|value| tree.insert(*value));
            tree.ready();
            for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (*a, *b))) {
                let (to_a, to_b) = (tree.map(a, 32), tree.map(b, 32));
                assert_eq!((a ^ b).leading_zeros(), (to_a ^ to_b).leading_zeros());
                assert_eq!(a.cmp(&b), to_a.cmp(&to_b));
                assert_eq!(tree.map(a, 24), top(to_a, 24));
            }
            assert!(all.iter().all(|value| !all.contains(&tree.map(*value, 32))));
        }
    }

    #[test]
    fn a_range_stays_a_range() {
        let (from, to) = (v4("10.3.0.13"), v4("10.3.0.55"));
        for _ in 0..20 {
            let mut tree = Tree::new(32);
            tree.range(from, to, 32).unwrap();
            tree.ready();
            let (low, high) = (tree.map(from, 32), tree.map(to, 32));
            assert_eq!(high - low, to - from);
            for last in 0..=255 {
                let value = v4(&format!("10.3.0.{last}"));
                let image = tree.map(value, 32);
                assert_eq!((from..=to).contains(&value), (low..=high).contains(&image), "{last}");
            }
        }
        assert_eq!(Tree::new(32).range(v4("10.3.0.13"), v4("200.0.0.1"), 32), None);
    }
}
