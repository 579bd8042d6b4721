//! The shortest way through the table, for what nearly all frames of nearly all captures are: the one MAC that an
//! address has asks somebody, or answers what nobody else has.

use super::ask::Asks;
use super::index::Slots;
use super::pair::{Pair, Span};
use super::queue::Queue;
use super::waiting::Waiting;
use super::{Claim, NONE, Table, TableCounts};

/// A table while such frames are counted in, one after the other.
#[derive(Debug)]
pub(super) struct Run<'a> {
    slots: Slots<'a>,
    asks: &'a mut Asks,
    span: &'a mut Span,
    counts: &'a mut TableCounts,
    /// Where the part of the span begins that times were in, how long it is, and its bit.
    part: u64,
    length: u64,
    bit: u64,
    latest: u64,
    replies: u64,
}

impl Table {
    /// To be ended by [`Run::end`]; and what waits for it.
    #[inline]
    pub(super) fn run(&mut self) -> (Run<'_>, &Queue) {
        let Self { index, asks, span, counts, queue, .. } = self;
        let (slots, latest) = (index.slots(), span.end);
        (Run { slots, asks, span, counts, part: 0, length: 0, bit: 0, latest, replies: 0 }, queue)
    }
}

impl Run<'_> {
    /// Counts a frame in, if there is no more to it; else says no, and nothing was done.
    #[inline(always)]
    pub(super) fn count(&mut self, frame: &Waiting) -> bool {
        let (now, station) = (frame.now, frame.station());
        if frame.is_gratuitous() || !self.is_inside(now) {
            return false;
        }
        let Some(pair) = self.slots.get(frame.sender()) else { return false };
        if !is_only(pair, station) {
            return false;
        }
        if frame.is_reply() {
            let print = frame.print();
            if !self.asks.answer_at_once(print, station, now) {
                let Some(delay) = self.asks.answer(frame.sender(), print, station, now) else { return false };
                if let Some(delay) = delay {
                    pair.took(delay);
                }
            } else {
                pair.took(0);
            }
            pair.claim(Claim::Reply, now, self.bit);
            self.replies += 1;
        } else {
            pair.claim(Claim::Request, now, self.bit);
            self.asks.ask(frame.print(), now, frame.sent_to());
        }
        self.latest = self.latest.max(now);
        true
    }

    /// Finds the part of the span that a time is in, if there is one.
    #[inline(always)]
    fn is_inside(&mut self, now: u64) -> bool {
        if now.wrapping_sub(self.part) < self.length {
            return true;
        }
        let Some(part) = self.span.part(now) else { return false };
        (self.part, self.length, self.bit) = part;
        true
    }

    /// Writes back what was counted meanwhile: so many frames.
    #[inline]
    pub(super) fn end(self, frames: u64) {
        self.span.end = self.latest;
        self.counts.requests += frames - self.replies;
        self.counts.replies += self.replies;
    }
}

/// Whether a station is the only one that has claimed an address. Addresses and MACs that are none never are in the
/// index.
#[inline(always)]
fn is_only(pair: &Pair, station: u64) -> bool {
    pair.station == station && pair.detail == NONE
}
