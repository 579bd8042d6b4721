//! The shortest way through the table, for what nearly all frames of nearly all captures are: the one MAC that an
//! address has asks somebody, or answers what nobody else has.

use super::ask::Asks;
use super::index::Slots;
use super::pair::{Pair, Span};
use super::queue::{ARP_FRAME, Op, Queue, TO_ALL};
use super::{Claim, NONE, Table, TableCounts, key};
use crate::capture::record::Vlans;

/// The fixed part of ARP for IPv4 on Ethernet, with its EtherType, up to the operation.
const ETHERNET_ARP: u64 = 0x0806_0001_0800_0604;

const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// A request or a reply of a station, in an untagged Ethernet frame. Fields are read when they are asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ordinary<'a> {
    frame: &'a [u8; ARP_FRAME],
    pub reply: bool,
}

impl<'a> Ordinary<'a> {
    /// Looks whether it is one.
    #[inline(always)]
    pub(super) fn read(frame: &'a [u8; ARP_FRAME]) -> Option<Self> {
        let arp = Self { frame, reply: false };
        let is_station = frame[22] & 1 == 0;
        if arp.be64(12) != ETHERNET_ARP || !is_station {
            return None;
        }
        match u16::from_be_bytes([frame[20], frame[21]]) {
            REQUEST => Some(arp),
            REPLY => Some(Self { frame, reply: true }),
            _ => None,
        }
    }

    #[inline(always)]
    fn be64(&self, at: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.frame[at..at + 8]);
        u64::from_be_bytes(bytes)
    }

    #[inline(always)]
    fn address(&self, at: usize) -> u64 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.frame[at..at + 4]);
        key(Vlans::NONE, u32::from_be_bytes(bytes))
    }

    /// The MAC of the sender. Addresses of six bytes are read as the upper part of eight.
    #[inline(always)]
    pub(super) fn station(&self) -> u64 {
        self.be64(22) >> 16
    }

    /// The address of the sender.
    #[inline(always)]
    pub(super) fn sender(&self) -> u64 {
        self.address(28)
    }

    /// The MAC of the target.
    #[inline(always)]
    pub(super) fn other(&self) -> u64 {
        self.be64(32) >> 16
    }

    /// The address of the target.
    #[inline(always)]
    pub(super) fn target(&self) -> u64 {
        self.address(38)
    }

    /// Where the frame was sent, as [`Op::to`].
    #[inline(always)]
    pub(super) fn to(&self) -> u64 {
        // The group bit is the last of the first byte.
        let bytes = self.be64(0);
        bytes >> 16 | bytes << 7 & TO_ALL
    }
}

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
    pub(super) fn count(&mut self, op: &Op) -> bool {
        !op.gratuitous
            && if op.reply {
                self.reply(op.now, op.station, op.sender, op.hash, op.print)
            } else {
                self.request(op.now, op.station, op.sender, op.hash, op.print, op.sent_to())
            }
    }

    /// A reply, not gratuitous, to the request that `print` stands for.
    #[inline(always)]
    fn reply(&mut self, now: u64, station: u64, sender: u64, hash: u64, print: u64) -> bool {
        if !self.is_inside(now) {
            return false;
        }
        let Some(pair) = self.slots.get(sender, hash) else { return false };
        if !is_only(pair, station) {
            return false;
        }
        let Some(ask) = self.asks.find(sender, print, now) else { return false };
        if (ask.first != 0 && ask.first != station) || ask.is_probe() {
            return false;
        }
        ask.first = station;
        if ask.sent_to() == 0 {
            pair.took(now.saturating_sub(ask.time));
        }
        pair.claim(Claim::Reply, now, self.bit);
        self.replies += 1;
        self.latest = self.latest.max(now);
        true
    }

    /// A request, not gratuitous.
    #[inline(always)]
    fn request(&mut self, now: u64, station: u64, sender: u64, hash: u64, print: u64, sent_to: u64) -> bool {
        if !self.is_inside(now) {
            return false;
        }
        let Some(pair) = self.slots.get(sender, hash) else { return false };
        if !is_only(pair, station) {
            return false;
        }
        pair.claim(Claim::Request, now, self.bit);
        self.asks.ask(print, now, sent_to);
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
