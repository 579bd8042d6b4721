//! From an address to what is counted of it: an open hash table whose slots are cache lines.

use std::hash::{BuildHasher as _, RandomState};

use super::pair::Pair;
use super::prefetch::prefetch;

/// An address and its first MAC.
#[derive(Debug, Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Slot {
    pub key: u64,
    pub pair: Pair,
}

/// A key that no address has: VLANs take 24 bits.
const EMPTY: u64 = u64::MAX;

/// Up to so many slots there are eight for each address, so that hardly any collide: 512 KiB.
const ROOMY: usize = 8192;

/// Finds addresses by their key. Grows; never shrinks.
#[derive(Debug)]
pub(super) struct Index {
    slots: Box<[Slot]>,
    used: usize,
    /// Chosen at random, so that nobody can write a capture whose addresses all collide.
    seed: u64,
}

/// Spreads the bits of two numbers, neither of them zero, over one: the two halves of their product.
#[inline]
pub(super) const fn fold(one: u64, other: u64) -> u64 {
    let product = one as u128 * other as u128;
    product as u64 ^ (product >> 64) as u64
}

/// Spreads the bits of a number over all of it (the finalizer of MurmurHash 3).
#[inline]
pub(super) const fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ bits >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ bits >> 33
}

impl Index {
    pub(super) fn new() -> Self {
        Self { slots: empty(256), used: 0, seed: RandomState::new().hash_one(0) | 1 }
    }

    /// The hash of a key.
    #[inline]
    pub(super) fn hash(&self, key: u64) -> u64 {
        fold(key, self.seed)
    }

    /// Fetches the slot that a key with this hash is probably in, so that it is near when it is needed.
    #[inline(always)]
    pub(super) fn fetch(&self, hash: u64) {
        prefetch(&self.slots, hash as usize & (self.slots.len() - 1));
    }

    #[inline]
    fn place(&self, key: u64, hash: u64) -> usize {
        let mask = self.slots.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            let found = self.slots[place].key;
            if found == key || found == EMPTY {
                return place;
            }
            place = (place + 1) & mask;
        }
    }

    /// Where `key` is, if it is there.
    #[inline]
    pub(super) fn find(&self, key: u64) -> Option<usize> {
        let place = self.place(key, self.hash(key));
        (self.slots[place].key != EMPTY).then_some(place)
    }

    /// Whether all slots find room in the processor's second-level cache.
    pub(super) fn is_near(&self) -> bool {
        self.slots.len() <= ROOMY
    }

    /// All slots, to look some up without adding any.
    #[inline]
    pub(super) fn slots(&mut self) -> Slots<'_> {
        Slots { slots: &mut self.slots, seed: self.seed }
    }

    /// Where `key` is; added with `pair` if it is not there and fewer than `most` are.
    #[inline]
    pub(super) fn find_or_add(&mut self, key: u64, hash: u64, most: u32, pair: Pair) -> Option<usize> {
        let place = self.place(key, hash);
        if self.slots[place].key == key {
            return Some(place);
        }
        self.add(key, hash, most, pair)
    }

    #[cold]
    fn add(&mut self, key: u64, hash: u64, most: u32, pair: Pair) -> Option<usize> {
        if self.used >= most as usize {
            return None;
        }
        let each = if self.slots.len() < ROOMY { 8 } else { 2 };
        if each * (self.used + 1) > self.slots.len() {
            let twice = 2 * self.slots.len();
            let old = std::mem::replace(&mut self.slots, empty(twice));
            for slot in old.iter().filter(|slot| slot.key != EMPTY) {
                let place = self.place(slot.key, self.hash(slot.key));
                self.slots[place] = *slot;
            }
        }
        let place = self.place(key, hash);
        self.slots[place] = Slot { key, pair };
        self.used += 1;
        Some(place)
    }

    /// The slot at a place that [`Index::find`] gave.
    #[inline]
    pub(super) fn at(&mut self, place: usize) -> &mut Slot {
        &mut self.slots[place]
    }

    /// All slots in use.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.key != EMPTY)
    }

    /// All slots in use.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Slot> {
        self.slots.iter_mut().filter(|slot| slot.key != EMPTY)
    }
}

/// The slots of an [`Index`].
#[derive(Debug)]
pub(super) struct Slots<'a> {
    slots: &'a mut [Slot],
    seed: u64,
}

impl Slots<'_> {
    /// What is counted of `key`, if it is there.
    #[inline(always)]
    pub(super) fn get(&mut self, key: u64) -> Option<&mut Pair> {
        let first = fold(key, self.seed) as usize & (self.slots.len() - 1);
        if self.slots[first].key == key {
            return Some(&mut self.slots[first].pair);
        }
        let place = self.behind(key, first)?;
        Some(&mut self.slots[place].pair)
    }

    /// Where `key` is, if it is there but not at `place`, its first.
    #[inline(never)]
    fn behind(&self, key: u64, mut place: usize) -> Option<usize> {
        let mask = self.slots.len() - 1;
        loop {
            let found = self.slots[place].key;
            if found == key || found == EMPTY {
                return (found == key).then_some(place);
            }
            place = (place + 1) & mask;
        }
    }
}

/// `length` is a power of two.
fn empty(length: usize) -> Box<[Slot]> {
    vec![Slot { key: EMPTY, pair: Pair::new(0, 0) }; length].into()
}
