//! Requests that wait for their answers.

use std::collections::HashMap;
use std::hash::BuildHasher as _;

use arpflux_core::types::Mac;
use foldhash::fast::RandomState;

use super::{ANSWER_WITHIN, ECHO, Key};

/// A request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    /// Stands for the address asked for, its wire, and the MAC that asks.
    digest: u64,
    wire: u32,
    pub time: u64,
    /// The MAC it was sent to alone; nobody's if to all.
    pub to: Option<Mac>,
    /// Its sender had no address.
    pub probe: bool,
    /// The MAC whose answer came first.
    pub first: Option<Mac>,
    /// Another MAC answered as well.
    pub contested: bool,
    /// Nobody saw it: an answer stands for it, in a capture of answers alone.
    pub implied: bool,
    /// No answer after this belongs to it.
    pub until: u64,
}

/// How many requests are remembered. A fixed number: a scan of everything takes no memory.
const REMEMBERED: usize = 1 << 13;

/// The last requests, one behind the other in a ring, found by a digest of the address asked for and the MAC that asks.
#[derive(Debug, Default)]
pub(super) struct Asks {
    ring: Vec<Ask>,
    /// The place of the oldest, once the ring is full.
    next: usize,
    /// From a digest to the place of the newest request that it stands for.
    places: HashMap<u64, u32, RandomState>,
    seed: RandomState,
    /// Whether a request came whose asker is not known: then answers to anyone may belong to it.
    unknown_asker: bool,
}

impl Asks {
    /// Of 64 bits with a random seed: two of the few requests that are remembered do not share one.
    #[inline]
    fn digest(&self, target: Key, asker: Mac) -> u64 {
        self.seed.hash_one((target.address, asker.as_bytes())) ^ self.of_wire(target.wire)
    }

    /// The wire's part of a digest, apart, so that it can be exchanged.
    #[inline]
    fn of_wire(&self, wire: u32) -> u64 {
        self.seed.hash_one(wire)
    }

    /// Notes a request, unless it is one that was seen just now on another interface.
    pub(super) fn ask(&mut self, target: Key, asker: Mac, time: u64, to: Option<Mac>, probe: bool) {
        let digest = self.digest(target, asker);
        let is_echo = |ask: &Ask| ask.to == to && !ask.implied && time.abs_diff(ask.time) < ECHO;
        if self.places.get(&digest).is_some_and(|place| is_echo(&self.ring[*place as usize])) {
            return;
        }
        self.unknown_asker |= asker == Mac::NONE;
        self.put(Ask {
            digest,
            wire: target.wire,
            time,
            to,
            probe,
            first: None,
            contested: false,
            implied: false,
            until: time.saturating_add(ANSWER_WITHIN),
        });
    }

    /// Notes an answer to a request that nobody saw.
    pub(super) fn imply(&mut self, target: Key, asker: Mac, time: u64, by: Mac, within: u64) {
        self.unknown_asker |= asker == Mac::NONE;
        self.put(Ask {
            digest: self.digest(target, asker),
            wire: target.wire,
            time,
            to: None,
            probe: false,
            first: Some(by),
            contested: false,
            implied: true,
            until: time.saturating_add(within),
        });
    }

    fn put(&mut self, ask: Ask) {
        let place = self.next;
        let digest = ask.digest;
        match self.ring.get_mut(place) {
            Some(oldest) => {
                let gone = std::mem::replace(oldest, ask).digest;
                // Asked again since, it is found at its newer place.
                if self.places.get(&gone) == Some(&(place as u32)) {
                    self.places.remove(&gone);
                }
            }
            None => self.ring.push(ask),
        }
        self.places.insert(digest, place as u32);
        self.next = (place + 1) % REMEMBERED;
    }

    /// The request that an answer to `asker` belongs to.
    #[inline]
    pub(super) fn find(&mut self, target: Key, asker: Mac, now: u64) -> Option<&mut Ask> {
        // Frames of several queues come a little out of order.
        let is_open = |ask: &Ask| now.saturating_add(ANSWER_WITHIN) >= ask.time && now <= ask.until;
        let open = |asker| {
            let place = *self.places.get(&self.digest(target, asker))? as usize;
            is_open(&self.ring[place]).then_some(place)
        };
        let place = open(asker).or_else(|| if self.unknown_asker { open(Mac::NONE) } else { None })?;
        self.ring.get_mut(place)
    }

    /// Puts those of one wire on another. Of two that become one, the earlier stays.
    pub(super) fn move_wire(&mut self, from: u32, to: u32) {
        let exchange = self.of_wire(from) ^ self.of_wire(to);
        for place in 0..self.ring.len() {
            let ask = &mut self.ring[place];
            if ask.wire != from {
                continue;
            }
            let (before, time) = (ask.digest, ask.time);
            ask.digest ^= exchange;
            ask.wire = to;
            let after = ask.digest;
            if self.places.get(&before) != Some(&(place as u32)) {
                continue;
            }
            self.places.remove(&before);
            let known = self.places.entry(after).or_insert(place as u32);
            if time < self.ring[*known as usize].time {
                *known = place as u32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_move_with_their_wire_and_of_two_the_earlier_stays() {
        let (asker, to) = (Mac::ethernet([2, 0, 0, 0, 0, 1]), None);
        let mut asks = Asks::default();
        asks.ask(Key::v4(1, 7), asker, 100, to, false);
        asks.ask(Key::v4(0, 8), asker, 300, to, false);
        asks.ask(Key::v4(1, 8), asker, 200, to, false);
        asks.move_wire(1, 0);
        let mut time = |key| asks.find(key, asker, 400).map(|ask| ask.time);
        assert_eq!((time(Key::v4(0, 7)), time(Key::v4(0, 8))), (Some(100), Some(200)));
        assert_eq!((time(Key::v4(1, 7)), time(Key::v4(1, 8))), (None, None));
    }
}
