//! Requests that wait for their answers.

use super::prefetch::prefetch;
use super::{ANSWER_WITHIN, PROMPT, STATION};

/// A request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ask {
    /// Stands for the address asked for and the MAC that asks.
    print: u64,
    pub time: u64,
    /// The MAC it was sent to alone, 0 for all; and the flags.
    sent_to: u64,
    /// The MAC whose answer came first, 0 for none.
    pub first: u64,
}

/// Its sender was 0.0.0.0.
const PROBE: u64 = 1 << 62;
/// Another MAC answered as well.
const CONTESTED: u64 = 1 << 61;

impl Ask {
    pub(super) const fn sent_to(&self) -> u64 {
        self.sent_to & STATION
    }

    pub(super) const fn is_probe(&self) -> bool {
        self.sent_to & PROBE != 0
    }

    /// Notes a second answer; gives whether it is not the first second one.
    pub(super) const fn contest(&mut self) -> bool {
        let again = self.sent_to & CONTESTED != 0;
        self.sent_to |= CONTESTED;
        again
    }
}

/// Two requests, the newer first, in a cache line.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
struct Set([Ask; 2]);

/// Requests open at a time, roughly, halved. A fixed number: a scan of everything takes no memory.
const SETS: usize = 4096;
/// The same request seen again sooner, in ns, is one that was captured on several interfaces.
const ECHO: u64 = 1_000_000;

/// The requests of the last moments.
#[derive(Debug)]
pub(super) struct Asks {
    sets: Box<[Set; SETS]>,
    /// Whether a request came whose asker is not known: then answers to anyone may belong to it.
    unknown_asker: bool,
}

/// What stands for an address and an asker, of whose number only the lower 48 bits count. The factors are odd, and no small multiples of them add up to zero: two
/// pairs whose addresses and MACs differ in their lower 31 bits only never have the same.
#[inline(always)]
pub(super) const fn print(target: u64, asker: u64) -> u64 {
    target.wrapping_mul(0xe703_7ed1_a0b4_28db).wrapping_add((asker << 16).wrapping_mul(0x8ebc_6af0_9c88_c6e3))
}

/// Where what a print stands for is kept: its upper bits are the best mixed.
#[inline(always)]
const fn place(print: u64) -> usize {
    (print >> (u64::BITS - SETS.ilog2())) as usize
}

impl Asks {
    pub(super) fn new() -> Self {
        let none = Ask { print: 0, time: 0, sent_to: 0, first: 0 };
        let sets = vec![Set([none; 2]); SETS].into_boxed_slice();
        // It has that many, so the other arm is never taken; it would cost stack, no more.
        let sets = sets.try_into().unwrap_or_else(|_| Box::new([Set([none; 2]); SETS]));
        Self { sets, unknown_asker: false }
    }

    #[inline(always)]
    fn set(&mut self, print: u64) -> &mut [Ask; 2] {
        &mut self.sets[place(print)].0
    }

    /// Fetches the set that a request is in, so that it is near when it is needed.
    #[inline(always)]
    pub(super) fn fetch(&self, print: u64) {
        prefetch(&self.sets[..], place(print));
    }

    /// Notes a probe, or a request of an asker who is not known.
    pub(super) fn ask_with(&mut self, print: u64, asker: u64, time: u64, sent_to: u64, probe: bool) {
        self.unknown_asker |= asker == 0;
        self.ask(print, time, sent_to | if probe { PROBE } else { 0 });
    }

    /// Notes a request of a known asker.
    #[inline(always)]
    pub(super) fn ask(&mut self, print: u64, time: u64, sent_to: u64) {
        let ask = Ask { print, time, sent_to, first: 0 };
        let set = self.set(print);
        if set[0].print == print {
            let old = &mut set[0];
            let echo = old.sent_to | CONTESTED == ask.sent_to | CONTESTED
                && time.checked_sub(old.time).is_some_and(|since| since < ECHO);
            if !echo {
                *old = ask;
            }
            return;
        }
        set[1] = set[0];
        set[0] = ask;
    }

    /// Notes an answer by `station`, if it is what most are: the first, promptly, to the newest request of its set,
    /// which a known asker sent to all. Else says no, and nothing was done.
    #[inline(always)]
    pub(super) fn answer_at_once(&mut self, print: u64, station: u64, now: u64) -> bool {
        let newest = &mut self.set(print)[0];
        // Neither flags nor MACs.
        let fresh = newest.sent_to | newest.first == 0;
        let at_once = newest.print == print && fresh && now.wrapping_sub(newest.time) < PROMPT;
        if at_once {
            newest.first = station;
        }
        at_once
    }

    /// Notes an answer by `station`, if no other answered and the asker is known, and gives how long it took, in ns, if
    /// all were asked. Else gives nothing, and nothing was done.
    #[inline(never)]
    pub(super) fn answer(&mut self, target: u64, print: u64, station: u64, now: u64) -> Option<Option<u64>> {
        let ask = self.find(target, print, now)?;
        if (ask.first != 0 && ask.first != station) || ask.is_probe() {
            return None;
        }
        ask.first = station;
        Some((ask.sent_to() == 0).then(|| now.saturating_sub(ask.time)))
    }

    /// The request that an answer to an asker belongs to.
    pub(super) fn find(&mut self, target: u64, print: u64, now: u64) -> Option<&mut Ask> {
        let print = if self.unknown_asker { self.known(target, print, now) } else { print };
        let open = |ask: &Ask| ask.print == print && now.saturating_sub(ask.time) <= ANSWER_WITHIN;
        self.set(print).iter_mut().find(|ask| open(ask))
    }

    /// `print`, if there is such a request, else that of an unknown asker.
    #[cold]
    fn known(&mut self, target: u64, known: u64, now: u64) -> u64 {
        let open = |ask: &Ask| ask.print == known && now.saturating_sub(ask.time) <= ANSWER_WITHIN;
        if self.set(known).iter().any(open) { known } else { print(target, 0) }
    }
}
