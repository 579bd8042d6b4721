//! An ordinary ARP frame, as the short way through the table needs it.

use super::ask;
use super::queue::{Op, TO_ALL};
use super::{STATION, key};
use crate::capture::record::Vlans;

/// The fixed part of ARP for IPv4 on Ethernet, with its EtherType, up to the operation.
const ETHERNET_ARP: u64 = 0x0806_0001_0800_0604;

const REQUEST: u64 = 1;
const REPLY: u64 = 2;

/// An Ethernet header and an ARP packet, in bytes.
pub(in crate::capture) const ARP_FRAME: usize = 42;

/// A request or a reply of a station, in an untagged Ethernet frame. One cache line. Words are as the frame has
/// them, so that little is done for a field that nobody asks for.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub(super) struct Ordinary {
    pub now: u64,
    /// The operation, and the sender's MAC.
    packet: u64,
    /// The lower half of the sender's address, and the target's MAC.
    other: u64,
    /// The MAC that the frame was sent to, and two more bytes; the first is the lowest.
    to: u64,
    sender: u32,
    target: u32,
}

/// The bits of a MAC in a word that ends with it.
const MAC: u64 = (1 << 48) - 1;

#[inline(always)]
fn be64(frame: &[u8; ARP_FRAME], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&frame[at..at + 8]);
    u64::from_be_bytes(bytes)
}

#[inline(always)]
fn be32(frame: &[u8; ARP_FRAME], at: usize) -> u32 {
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&frame[at..at + 4]);
    u32::from_be_bytes(bytes)
}

impl Ordinary {
    /// Reads an untagged Ethernet frame, seen at `now` (in ns), if it holds an ordinary ARP packet. Else gives nothing:
    /// [`Table::observe`](super::Table::observe) will do.
    #[inline(always)]
    pub(super) fn read(now: u64, frame: &[u8; ARP_FRAME]) -> Option<Self> {
        let packet = be64(frame, 20);
        // The operation and the first byte of the sender's MAC, of which only the group bit matters: 1 or 2, and 0.
        let kind = packet >> 40 & 0xff_ff01;
        if be64(frame, 12) != ETHERNET_ARP || (kind != REQUEST << 8 && kind != REPLY << 8) {
            return None;
        }
        let (sender, target) = (be32(frame, 28), be32(frame, 38));
        Some(Self { now, packet, other: be64(frame, 30), to: be64(frame, 0).swap_bytes(), sender, target })
    }

    /// See [`Op::print`].
    #[inline(always)]
    pub(super) fn print(&self) -> u64 {
        let (asked, asker) =
            if self.is_reply() { (self.sender, self.other) } else { (self.target, self.packet) };
        ask::print(key(Vlans::NONE, asked), asker)
    }

    #[inline(always)]
    pub(super) const fn is_reply(&self) -> bool {
        // It is one or two.
        self.packet >> 49 & 1 == 1
    }

    /// Whether it is about its sender's own address.
    #[inline(always)]
    pub(super) const fn is_gratuitous(&self) -> bool {
        self.sender == self.target
    }

    /// The MAC of the sender.
    #[inline(always)]
    pub(super) const fn station(&self) -> u64 {
        self.packet << 16 >> 16
    }

    /// The address of the sender, as a key.
    #[inline(always)]
    pub(super) fn sender(&self) -> u64 {
        key(Vlans::NONE, self.sender)
    }

    /// The MAC that the frame was sent to alone; 0 for all.
    #[inline(always)]
    pub(super) const fn sent_to(&self) -> u64 {
        if self.is_to_all() { 0 } else { self.to.swap_bytes() >> 16 }
    }

    /// Whether it was sent to a group.
    #[inline(always)]
    const fn is_to_all(&self) -> bool {
        self.to & 1 == 1
    }

    /// The address of the target, as a key.
    pub(super) fn target(&self) -> u64 {
        key(Vlans::NONE, self.target)
    }

    /// The same as others, without what [`Table::hashed`](super::Table::hashed) fills in.
    pub(super) fn op(&self) -> Op {
        let to_all = if self.is_to_all() { TO_ALL } else { 0 };
        Op {
            now: self.now,
            reply: self.is_reply(),
            station: self.station(),
            sender: self.sender(),
            other: self.other & MAC,
            to: self.to.swap_bytes() >> 16 | to_all,
            ..Op::default()
        }
    }
}

const _: () = assert!(MAC & STATION == MAC && size_of::<Ordinary>() == 64);
