//! The shortest way through the table, for what nearly all frames of nearly all captures are: the one MAC that an
//! address has asks somebody, or answers what nobody else has.

use super::ask::Asks;
use super::index::Slots;
use super::ordinary::{ARP_FRAME, Ordinary};
use super::pair::{Pair, Span};
use super::queue::Queue;
use super::{Claim, NONE, Table, TableCounts};

/// Frames in a row.
pub(in crate::capture) trait Frames {
    /// The next one, if it is whole and as long as an ARP packet, with when it was seen (in ns), and how long it is
    /// for [`Frames::pass`].
    fn peek(&self) -> Option<(u64, &[u8; ARP_FRAME], usize)>;

    /// Goes on behind it.
    fn pass(&mut self, length: usize);
}

/// A table while such frames are counted in, one after the other.
#[derive(Debug)]
pub(super) struct Run<'a> {
    slots: Slots<'a>,
    asks: &'a mut Asks,
    span: &'a mut Span,
    counts: &'a mut TableCounts,
}

impl Table {
    /// Takes frames as long as they hold ordinary ARP packets, and gives their number.
    #[inline]
    pub(in crate::capture) fn take_all(&mut self, frames: &mut impl Frames) -> u64 {
        if self.index.is_near() { self.count_all(frames) } else { self.queue_all(frames) }
    }

    /// The same, without a queue: for tables that are near the processor.
    #[inline(always)]
    fn count_all(&mut self, frames: &mut impl Frames) -> u64 {
        self.settle();
        let before = self.counts.requests + self.counts.replies;
        loop {
            let (mut run, _) = self.run();
            let odd = loop {
                let Some((now, frame, length)) = frames.peek() else { break None };
                let Some(ordinary) = Ordinary::read(now, frame) else { break None };
                let counted = run.count(&ordinary);
                frames.pass(length);
                if !counted {
                    break Some(ordinary);
                }
            };
            if let Some(odd) = odd {
                self.apply_ordinary(&odd);
                continue;
            }
            let taken = self.counts.requests + self.counts.replies - before;
            if taken > 0 {
                (self.last, self.clocked) = (self.span.end, true);
            }
            return taken;
        }
    }

    /// [`Table::apply`] to one that is more than [`Run::count`] takes.
    #[cold]
    #[inline(never)]
    pub(super) fn apply_ordinary(&mut self, ordinary: &Ordinary) {
        let op = self.hashed(ordinary.op(), Some(ordinary.target()));
        let [_, _, mac @ ..] = op.station.to_be_bytes();
        self.apply(&op, &mac);
    }

    /// And what waits for it.
    #[inline]
    pub(super) fn run(&mut self) -> (Run<'_>, &Queue) {
        let Self { index, asks, span, counts, queue, .. } = self;
        (Run { slots: index.slots(), asks, span, counts }, queue)
    }
}

impl Run<'_> {
    /// Counts a frame in, if there is no more to it; else says no, and nothing was done.
    #[inline(always)]
    pub(super) fn count(&mut self, frame: &Ordinary) -> bool {
        let (now, station) = (frame.now, frame.station());
        let Some(bit) = self.span.bit_inside(now) else { return false };
        if frame.is_gratuitous() {
            return false;
        }
        let Some(pair) = self.slots.get(frame.sender()) else { return false };
        if !is_only(pair, station) {
            return false;
        }
        if frame.is_reply() {
            let print = frame.print();
            if self.asks.answer_at_once(print, station, now) {
                pair.took(0);
            } else {
                let Some(delay) = self.asks.answer(frame.sender(), print, station, now) else { return false };
                if let Some(delay) = delay {
                    pair.took(delay);
                }
            }
            pair.claim(Claim::Reply, now, bit);
            self.counts.replies += 1;
        } else {
            pair.claim(Claim::Request, now, bit);
            self.asks.ask(frame.print(), now, frame.sent_to());
            self.counts.requests += 1;
        }
        if now > self.span.end {
            self.span.end = now;
        }
        true
    }
}

/// Whether a station is the only one that has claimed an address. Addresses and MACs that are none never are in the
/// index.
#[inline(always)]
fn is_only(pair: &Pair, station: u64) -> bool {
    pair.station == station && pair.detail == NONE
}
