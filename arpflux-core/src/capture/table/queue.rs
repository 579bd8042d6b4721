//! Frames that wait a moment, so that the memory they need comes while others are read.
//!
//! A table of many addresses does not fit the processor's cache, and each frame needs a line or two of
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
    /// The MAC of the sender, as a number.
    pub station: u64,
    /// The address of the sender, as a key.
    pub sender: u64,
    /// The hash of `sender`.
    pub hash: u64,
    /// The address of the target, as a key, if known.
    pub target: Option<u64>,
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

/// The fixed part of ARP for IPv4 on Ethernet, with its EtherType, up to the operation.
const ETHERNET_ARP: [u8; 8] = [0x08, 0x06, 0, 1, 0x08, 0, 6, 4];

impl Table {
    /// Fills in what follows from the rest.
    #[inline]
    pub(super) fn hashed(&self, mut op: Op) -> Op {
        op.hash = self.index.hash(op.sender);
        op.print = if op.reply {
            ask::print(op.sender, op.other)
        } else {
            ask::print(op.target.unwrap_or(u64::MAX), op.station)
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
        let Some(frame) = frame.first_chunk::<42>() else { return false };
        let be64 = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&frame[at..at + 8]);
            u64::from_be_bytes(bytes)
        };
        let reply = match [frame[20], frame[21]] {
            [0, 1] => false,
            [0, 2] => true,
            _ => return false,
        };
        if frame[12..20] != ETHERNET_ARP || frame[22] & 1 == 1 {
            return false;
        }
        // Addresses of six bytes are read as the upper part of eight.
        let (to, station, other) = (be64(0) >> 16, be64(22) >> 16, be64(32) >> 16);
        let sender = key(Vlans::NONE, be64(24) as u32);
        let target = key(Vlans::NONE, be64(34) as u32);
        let to_all = to >> 40 & 1 == 1;
        self.last = now;
        self.clocked = true;
        let op = self.hashed(Op {
            now,
            reply,
            to_all,
            station,
            sender,
            target: Some(target),
            other,
            sent_to: if to_all { 0 } else { to },
            ..Op::default()
        });
        self.queue.touched ^= self.index.touch(op.hash) ^ self.asks.touch(op.print);
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
        for at in 0..std::mem::take(&mut self.queue.used) {
            let op = self.queue.ops[at];
            let [_, _, mac @ ..] = op.station.to_be_bytes();
            self.apply(&op, &mac);
        }
    }
}
