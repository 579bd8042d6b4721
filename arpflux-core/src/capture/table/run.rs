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
}

impl Table {
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
    pub(super) fn count(&mut self, frame: &Waiting) -> bool {
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
            if !self.asks.answer_at_once(print, station, now) {
                let Some(delay) = self.asks.answer(frame.sender(), print, station, now) else { return false };
                if let Some(delay) = delay {
                    pair.took(delay);
                }
            } else {
                pair.took(0);
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
