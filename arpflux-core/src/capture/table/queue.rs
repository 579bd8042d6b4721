//! Frames that wait a moment, so that the memory they need comes while others are read.
//!
//! A table of many addresses (a small one needs no queue) does not fit the processor's cache, and each frame needs a line or two of
//! it. A queue of a few frames lets the loads for all of them go on at once instead of one by one.

use super::{Table, ask, key};
use crate::capture::record::{self, LinkType, Record, Vlans};
use crate::frame::Timestamp;

/// What matters of an ARP packet.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Op {
    pub now: u64,
    pub reply: bool,
    /// Sent to a group address.
    pub to_all: bool,
    /// About its sender's own address.
    pub gratuitous: bool,
    /// A request whose target is known.
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
    /// The MAC that the frame was sent to alone; 0 for all.
    pub sent_to: u64,
}

/// How many frames wait.
const LENGTH: usize = 16;

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Queue {
    ops: [Op; LENGTH],
    used: usize,
    /// Only there so that touching memory is not for nothing in the compiler's eyes.
    touched: u64,
}

/// An Ethernet header and an ARP packet, in bytes.
pub(in crate::capture) const ARP_FRAME: usize = 42;

/// The fixed part of ARP for IPv4 on Ethernet, with its EtherType, up to the operation.
const ETHERNET_ARP: u64 = 0x0806_0001_0800_0604;

impl Table {
    /// Fills in what follows from the rest and from the address of the target, if that is known.
    #[inline(always)]
    pub(super) fn hashed(&self, mut op: Op, target: Option<u64>) -> Op {
        op.gratuitous = target == Some(op.sender);
        op.asks = !op.reply && target.is_some();
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

    /// Takes an untagged Ethernet frame at once if it holds an ordinary ARP packet; else says no, and
    /// [`Table::observe`] will do.
    #[inline]
    pub(in crate::capture) fn take(&mut self, now: u64, frame: &[u8]) -> bool {
        frame.first_chunk().is_some_and(|frame| self.take_arp(now, frame, false))
    }

    /// The same, given as much of the frame as an ARP packet takes. `busy`: frames follow one another without a
    /// pause, so that a small table stays near and nothing has to wait for it.
    #[inline(always)]
    pub(in crate::capture) fn take_arp(&mut self, now: u64, frame: &[u8; ARP_FRAME], busy: bool) -> bool {
        let be64 = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&frame[at..at + 8]);
            u64::from_be_bytes(bytes)
        };
        let operation = u16::from_be_bytes([frame[20], frame[21]]);
        if be64(12) != ETHERNET_ARP || frame[22] & 1 == 1 || !matches!(operation, 1 | 2) {
            return false;
        }
        let reply = operation == 2;
        // Addresses of six bytes are read as the upper part of eight.
        let (to, station, other) = (be64(0) >> 16, be64(22) >> 16, be64(32) >> 16);
        let sender = key(Vlans::NONE, be64(24) as u32);
        let target = key(Vlans::NONE, be64(34) as u32);
        let to_all = to >> 40 & 1 == 1;
        self.last = now;
        self.clocked = true;
        let sent_to = if to_all { 0 } else { to };
        let op = Op { now, reply, to_all, station, sender, other, sent_to, ..Op::default() };
        let op = self.hashed(op, Some(target));
        if busy && self.index.is_small() {
            if self.queue.used > 0 {
                self.settle();
            }
            if !self.count(&op) {
                self.apply_six(&op);
            }
            return true;
        }
        self.queue.ops[self.queue.used] = op;
        self.queue.used += 1;
        if self.queue.used == LENGTH {
            self.settle();
        }
        true
    }

    /// Counts in the last frames of [`Table::observe_ethernet`], which wait for company: to be called
    /// before [`Table::report`].
    pub fn settle(&mut self) {
        let used = std::mem::take(&mut self.queue.used);
        // So close together that the processor waits for all of these lines at once.
        let touch = |op: &Op| self.index.touch(op.hash) ^ self.asks.touch(op.print);
        self.queue.touched ^= self.queue.ops[..used].iter().map(touch).fold(0, |all, one| all ^ one);
        for at in 0..used {
            let op = self.queue.ops[at];
            if !self.count(&op) {
                self.apply_six(&op);
            }
        }
    }

    /// [`Table::apply`] for a sender whose MAC has six bytes.
    #[inline(never)]
    fn apply_six(&mut self, op: &Op) {
        let [_, _, mac @ ..] = op.station.to_be_bytes();
        self.apply(op, &mac);
    }
}
