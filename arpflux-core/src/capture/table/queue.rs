//! Frames that wait a moment, so that the memory they need comes while others are read.
//!
//! A table does not fit the processor's nearest cache, and each frame needs a line or two of it. While a frame
//! waits behind others they are fetched, so that nothing waits for them when it is counted in.

use super::ordinary::{ARP_FRAME, Ordinary};
use super::run::Frames;
use super::{Table, ask};
use crate::capture::record::{self, LinkType, Record};
use crate::frame::Timestamp;

/// What matters of an ARP packet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Op {
    pub now: u64,
    pub reply: bool,
    /// About its sender's own address.
    pub gratuitous: bool,
    /// If it is a request: its target is known.
    pub asks: bool,
    /// The MAC of the sender, as a number.
    pub station: u64,
    /// The address of the sender, as a key.
    pub sender: u64,
    /// The hash of `sender`.
    pub hash: u64,
    /// What stands for a request: this one, or the one that this replies to.
    pub print: u64,
    /// The MAC of the target.
    pub other: u64,
    /// The MAC that the frame was sent to, 0 if that is not known; [`TO_ALL`] is set if it is a group's.
    pub to: u64,
}

/// The bit of [`Op::to`] that says that the frame was sent to a group.
pub(super) const TO_ALL: u64 = 1 << 63;

impl Op {
    /// The MAC that the frame was sent to alone; 0 for all.
    #[inline(always)]
    pub(super) const fn sent_to(&self) -> u64 {
        if self.to & TO_ALL == 0 { self.to } else { 0 }
    }
}

/// How many frames wait.
const LENGTH: usize = 32;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Queue {
    frames: [Ordinary; LENGTH],
    used: usize,
}

impl Table {
    /// Fills in what follows from the rest and from the address of the target, if that is known.
    #[inline(always)]
    pub(super) fn hashed(&self, mut op: Op, target: Option<u64>) -> Op {
        op.gratuitous = target == Some(op.sender);
        op.asks = target.is_some();
        op.hash = self.index.hash(op.sender);
        op.print = if op.reply {
            ask::print(op.sender, op.other)
        } else {
            ask::print(target.unwrap_or_default(), op.station)
        };
        op
    }

    /// Takes one Ethernet frame, seen at `time`: what a packet socket receives. [`Table::report`] counts it
    /// in after [`Table::settle`].
    #[inline]
    pub fn observe_ethernet(&mut self, time: Timestamp, frame: &[u8]) {
        if self.take(time.0, frame) {
            return;
        }
        let data = &frame[..frame.len().min(Record::PREFIX)];
        let length = frame.len() as u32;
        let record = Record {
            time: Some(time),
            link_type: LinkType::ETHERNET,
            interface: 0,
            data,
            captured: length,
            original: length,
        };
        if let record::Read::Sighting(sighting) = record::read(&record) {
            self.observe(&sighting);
        }
    }

    /// [`Table::take_all`] with a queue.
    #[inline(always)]
    pub(super) fn queue_all(&mut self, frames: &mut impl Frames) -> u64 {
        let mut taken = 0;
        while let Some((now, frame, length)) = frames.peek() {
            if !self.take_one(now, frame) {
                break;
            }
            frames.pass(length);
            taken += 1;
        }
        taken
    }

    /// Takes one frame, seen at `now` (in ns); says whether it did.
    #[inline]
    pub(in crate::capture) fn take(&mut self, now: u64, frame: &[u8]) -> bool {
        frame.first_chunk().is_some_and(|frame| self.take_one(now, frame))
    }

    #[inline(always)]
    fn take_one(&mut self, now: u64, frame: &[u8; ARP_FRAME]) -> bool {
        let Some(ordinary) = Ordinary::read(now, frame) else { return false };
        self.index.fetch(self.index.hash(ordinary.sender()));
        self.asks.fetch(ordinary.print());
        let at = self.queue.used % LENGTH;
        self.queue.frames[at] = ordinary;
        self.queue.used = at + 1;
        if at + 1 == LENGTH {
            self.settle();
        }
        true
    }

    /// Counts in the last frames of [`Table::observe_ethernet`], which wait for company: to be called
    /// before [`Table::report`].
    #[inline(never)]
    pub fn settle(&mut self) {
        let used = std::mem::take(&mut self.queue.used);
        let Some(newest) = self.queue.frames[..used].last() else { return };
        self.last = newest.now;
        self.clocked = true;
        let mut at = self.count_from(0, used);
        while at < used {
            let frame = self.queue.frames[at];
            self.apply_ordinary(&frame);
            at = self.count_from(at + 1, used);
        }
    }

    /// Counts in what waits from one place to another as long as there is no more to it, and gives where that ends.
    #[inline]
    fn count_from(&mut self, from: usize, to: usize) -> usize {
        let (mut run, queue) = self.run();
        let frames = queue.frames.get(from..to).unwrap_or_default();
        let counted = frames.iter().position(|frame| !run.count(frame)).unwrap_or(frames.len());
        from + counted
    }
}
