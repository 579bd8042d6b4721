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
    /// The head that this request took the place of.
    older: Head,
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

    /// Whether the same request, at `time`, is this one, captured on another interface.
    fn is_echo(&self, print: u64, time: u64, sent_to: u64) -> bool {
        self.print == print
            && self.sent_to | CONTESTED == sent_to | CONTESTED
            && time.checked_sub(self.time).is_some_and(|since| since < ECHO)
    }

    /// Notes a second answer; gives whether it is not the first second one.
    pub(super) const fn contest(&mut self) -> bool {
        let again = self.sent_to & CONTESTED != 0;
        self.sent_to |= CONTESTED;
        again
    }
}

/// How many requests are remembered. A fixed number: a scan of everything takes no memory.
const REMEMBERED: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 13;
/// How many requests of one head are looked at.
const LOOKED_AT: usize = 32;

/// Where the newest request is of those whose prints have the same upper bits, and the next bits of its print, so
/// that most that differ are known without a look at it.
#[derive(Debug, Clone, Copy, Default)]
struct Head(u32);

impl Head {
    #[inline(always)]
    const fn new(print: u64, at: usize) -> Self {
        Self(Self::bits(print) | at as u32)
    }

    const fn bits(print: u64) -> u32 {
        ((print >> 32) as u32) << PLACE_BITS
    }

    #[inline(always)]
    const fn may_be(self, print: u64) -> bool {
        self.0 >> PLACE_BITS == Self::bits(print) >> PLACE_BITS
    }

    #[inline(always)]
    const fn at(self) -> usize {
        self.0 as usize % REMEMBERED
    }
}

/// The same request seen again sooner, in ns, is one that was captured on several interfaces.
const ECHO: u64 = 1_000_000;

/// The last requests. They are written one behind the other, which takes little of the processor's caches, and found
/// by a hash.
#[derive(Debug)]
pub(super) struct Asks {
    heads: Box<[Head; REMEMBERED]>,
    asks: Box<[Ask; REMEMBERED]>,
    next: usize,
    /// Whether a request came whose asker is not known: then answers to anyone may belong to it.
    unknown_asker: bool,
}

/// What stands for an address and an asker, of whose number only the lower 48 bits count. The factors are odd, and no
/// small multiples of them add up to zero: pairs that differ in the lower 28 bits of each only never have the same.
#[inline(always)]
pub(super) const fn print(target: u64, asker: u64) -> u64 {
    target.wrapping_mul(0xe703_7ed1_a0b4_28db).wrapping_add((asker << 16).wrapping_mul(0x8ebc_6af0_9c88_c6e3))
}

/// Which head a request belongs to: the upper bits of its print are the best mixed.
#[inline(always)]
const fn place(print: u64) -> usize {
    (print >> (u64::BITS - PLACE_BITS)) as usize
}

/// As many as requests are remembered.
fn filled<T: Copy>(with: T) -> Box<[T; REMEMBERED]> {
    let all = vec![with; REMEMBERED].into_boxed_slice();
    // It has that many, so the other arm is never taken; it would cost stack, no more.
    all.try_into().unwrap_or_else(|_| Box::new([with; REMEMBERED]))
}

impl Asks {
    pub(super) fn new() -> Self {
        let none = Ask { print: 0, time: 0, sent_to: 0, first: 0, older: Head(0) };
        Self { heads: filled(Head(0)), asks: filled(none), next: 0, unknown_asker: false }
    }

    /// Fetches what a request is found by, so that it is near when it is needed.
    #[inline(always)]
    pub(super) fn fetch(&self, print: u64) {
        prefetch(&self.heads[..], place(print));
    }

    /// Notes a probe, or a request of an asker who is not known.
    pub(super) fn ask_with(&mut self, print: u64, asker: u64, time: u64, sent_to: u64, probe: bool) {
        self.unknown_asker |= asker == 0;
        self.ask(print, time, sent_to | if probe { PROBE } else { 0 });
    }

    /// Notes a request of a known asker.
    #[inline(always)]
    pub(super) fn ask(&mut self, print: u64, time: u64, sent_to: u64) {
        let head = &mut self.heads[place(print)];
        if head.may_be(print) && self.asks[head.at()].is_echo(print, time, sent_to) {
            return;
        }
        let at = self.next % REMEMBERED;
        self.asks[at] = Ask { print, time, sent_to, first: 0, older: *head };
        *head = Head::new(print, at);
        self.next = at + 1;
    }

    /// Notes an answer by `station`, if it is what most are: the first, promptly, to the newest request of its head,
    /// which a known asker sent to all. Else says no, and nothing was done.
    #[inline(always)]
    pub(super) fn answer_at_once(&mut self, print: u64, station: u64, now: u64) -> bool {
        let head = self.heads[place(print)];
        let newest = &mut self.asks[head.at()];
        // Neither flags nor MACs.
        let fresh = newest.sent_to | newest.first == 0;
        let at_once =
            head.may_be(print) && newest.print == print && fresh && now.wrapping_sub(newest.time) < PROMPT;
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
        let mut at = self.seek(print, now);
        if at.is_none() && self.unknown_asker {
            at = self.seek(self::print(target, 0), now);
        }
        Some(&mut self.asks[at?])
    }

    /// Where the newest open request is that `print` stands for. One that has given way to another ends the search, or
    /// leads it to newer ones: so it goes so far only.
    fn seek(&self, print: u64, now: u64) -> Option<usize> {
        let mut head = self.heads[place(print)];
        for _ in 0..LOOKED_AT {
            let ask = &self.asks[head.at()];
            if ask.print == print && now.saturating_sub(ask.time) <= ANSWER_WITHIN {
                return Some(head.at());
            }
            if place(ask.print) != place(print) {
                break;
            }
            head = ask.older;
        }
        None
    }
}
