//! Requests that wait for their answers.

use std::collections::{HashMap, VecDeque};

use arpflux_core::types::Mac;
use foldhash::fast::RandomState;

use super::{ANSWER_WITHIN, ECHO, Key};

/// A request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
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

/// The last requests, by the address asked for and the MAC that asks.
#[derive(Debug, Default)]
pub(super) struct Asks {
    open: HashMap<(Key, Mac), Ask, RandomState>,
    order: VecDeque<(u64, (Key, Mac))>,
    /// Whether a request came whose asker is not known: then answers to anyone may belong to it.
    unknown_asker: bool,
}

impl Asks {
    /// Notes a request, unless it is one that was seen just now on another interface.
    pub(super) fn ask(&mut self, target: Key, asker: Mac, time: u64, to: Option<Mac>, probe: bool) {
        let is_echo = |ask: &Ask| ask.to == to && !ask.implied && time.abs_diff(ask.time) < ECHO;
        if self.open.get(&(target, asker)).is_some_and(is_echo) {
            return;
        }
        let ask = Ask {
            time,
            to,
            probe,
            first: None,
            contested: false,
            implied: false,
            until: time.saturating_add(ANSWER_WITHIN),
        };
        self.put(target, asker, ask);
    }

    /// Notes an answer to a request that nobody saw.
    pub(super) fn imply(&mut self, target: Key, asker: Mac, time: u64, by: Mac, within: u64) {
        let until = time.saturating_add(within);
        let ask =
            Ask { time, to: None, probe: false, first: Some(by), contested: false, implied: true, until };
        self.put(target, asker, ask);
    }

    fn put(&mut self, target: Key, asker: Mac, ask: Ask) {
        self.unknown_asker |= asker == Mac::NONE;
        let key = (target, asker);
        while self.order.len() >= REMEMBERED
            && let Some((time, oldest)) = self.order.pop_front()
        {
            if self.open.get(&oldest).is_some_and(|ask| ask.time == time) {
                self.open.remove(&oldest);
            }
        }
        self.order.push_back((ask.time, key));
        self.open.insert(key, ask);
    }

    /// The request that an answer to `asker` belongs to.
    #[inline]
    pub(super) fn find(&mut self, target: Key, asker: Mac, now: u64) -> Option<&mut Ask> {
        // Frames of several queues come a little out of order.
        let is_open = |ask: &Ask| now.saturating_add(ANSWER_WITHIN) >= ask.time && now <= ask.until;
        let mut key = (target, asker);
        if self.unknown_asker && !self.open.get(&key).is_some_and(is_open) {
            key.1 = Mac::NONE;
        }
        self.open.get_mut(&key).filter(|ask| is_open(ask))
    }

    /// Puts those of one wire on another.
    pub(super) fn move_wire(&mut self, from: u32, to: u32) {
        let moved = |key: &mut (Key, Mac)| {
            if key.0.wire == from {
                key.0.wire = to;
            }
        };
        let open = std::mem::take(&mut self.open);
        for (mut key, ask) in open {
            moved(&mut key);
            let kept = self.open.entry(key).or_insert(ask);
            if ask.time < kept.time {
                *kept = ask;
            }
        }
        self.order.iter_mut().for_each(|(_, key)| moved(key));
    }
}
