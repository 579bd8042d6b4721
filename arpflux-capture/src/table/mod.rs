//! Who claimed which address, when, and what the frames around it prove.
//!
//! [`Table`] takes frames and keeps counts; it decides nothing. Its memory is bounded by [`Limits`]
//! whatever it is fed: what does not fit is counted and told in the report.

mod address;
mod asks;
mod claim;
mod groups;
mod observe;
mod packet;
mod take;

use std::collections::{BTreeMap, HashMap, VecDeque};

use arpflux_core::types::Mac;
use foldhash::fast::RandomState;

use crate::record::Wire;
use crate::span::{Span, doubled};
pub(crate) use address::{Address, Relation};
use asks::Asks;
pub(crate) use claim::{Claim, Mark, Seen};
use groups::Groups;
pub(crate) use groups::{Group, GroupKey, Router};
use packet::{Conversations, Push};
pub(crate) use packet::{Link, LinkKind};

/// The most a [`Table`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Addresses, counting one on two VLANs twice. Each takes some 400 bytes.
    pub addresses: u32,
    /// MACs beyond the first of each address, of all addresses together. Each takes as much again.
    pub further_macs: u32,
    /// MACs of one address; more are counted, but not told apart.
    pub macs_per_address: u32,
}

impl Default for Limits {
    /// A /14, half of whose addresses have two MACs, in about 200 MiB; a table that holds less takes less.
    fn default() -> Self {
        Self { addresses: 1 << 18, further_macs: 1 << 17, macs_per_address: 64 }
    }
}

/// An answer that comes later than this is none, in ns: twice the longest usual proxy delay (0.8 s), and more.
const ANSWER_WITHIN: u64 = 2_000_000_000;
/// A direct answer takes less, in ns; Linux delays proxied ones by 0 to 0.8 s, so one in eighty hides below it.
const LATE: u64 = 10_000_000;
/// RFC 5227 section 2.4: a second conflict within this time, in ns, means that somebody defends the address.
const DEFEND: u64 = 10_000_000_000;
/// An address that moves on sooner, in ns, was not taken over but claimed by two.
const SETTLED: u64 = 1_000_000_000;
/// How long apart the frames of a capture without a clock are taken to be, in ns.
const TICK: u64 = 1_000_000;
/// The same request on another interface sooner, in ns, is the same frame: both interfaces are on one wire.
const ECHO: u64 = 1_000_000;
/// Frames that come so much earlier than the one before, in ns, are out of order; less is usual.
const DISORDER: u64 = 1_000_000_000;
/// More wires than this are not told apart: their frames are left out, and counted.
const MOST_WIRES: usize = 1 << 12;

/// An address on a wire. IPv4 stands as `::ffff:0:0/96`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub wire: u32,
    pub address: u128,
}

impl Key {
    fn v4(wire: u32, address: u32) -> Self {
        Self { wire, address: 0xffff << 32 | u128::from(address) }
    }

    /// Whether it is an address at all: neither `0.0.0.0` nor `::`.
    fn is_some(self) -> bool {
        self.address != 0xffff << 32 && self.address != 0
    }

    pub(crate) fn is_ipv6(self) -> bool {
        self.address >> 32 != 0xffff
    }
}

/// Everything seen, in bounded memory.
///
/// What was observed is in the report from then on.
#[derive(Debug)]
pub struct Table {
    limits: Limits,
    pub(crate) addresses: HashMap<Key, Address, RandomState>,
    further_macs: u32,
    asks: Asks,
    conversations: Conversations,
    pushes: VecDeque<Push>,
    pub(crate) links: BTreeMap<(Mac, Mac), Link>,
    pub(crate) groups: Groups,
    wires: Wires,
    /// The last requests on several interfaces: the same one on another shows that they are one wire.
    requests: Vec<take::Request>,
    next_request: usize,
    pub(crate) span: Span,
    last: u64,
    pub(crate) clocked: bool,
    file: u32,
    frames: u64,
    pub(crate) counts: TableCounts,
}

/// What [`Table`] counted beside its entries.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TableCounts {
    pub requests: u64,
    pub replies: u64,
    /// Solicitations and advertisements.
    pub neighbour: u64,
    /// Lines of logs.
    pub logs: u64,
    /// Packets that contradict themselves: a group address as sender, an operation that is neither.
    pub odd: u64,
    /// Claims that found no room.
    pub dropped: u64,
    /// Frames that came much earlier than those before.
    pub disordered: Mark,
}

/// Numbers for wires, and which of them turned out to be one.
#[derive(Debug, Default)]
struct Wires {
    numbers: HashMap<Wire, u32, RandomState>,
    /// What each number stands for, and the number of the wire that it is.
    known: Vec<(Wire, u32)>,
    last: Option<(Wire, u32)>,
}

impl Wires {
    /// The number of a wire; `None` if there are too many.
    #[inline]
    fn number(&mut self, wire: Wire) -> Option<u32> {
        if let Some((last, number)) = self.last
            && last == wire
        {
            return Some(number);
        }
        let number = match self.numbers.get(&wire) {
            Some(number) => self.known[*number as usize].1,
            None if self.known.len() < MOST_WIRES => {
                let number = self.known.len() as u32;
                self.numbers.insert(wire, number);
                self.known.push((wire, number));
                number
            }
            None => return None,
        };
        self.last = Some((wire, number));
        Some(number)
    }

    fn join(&mut self, from: u32, to: u32) {
        self.known.iter_mut().filter(|(_, number)| *number == from).for_each(|(_, number)| *number = to);
        self.last = None;
    }
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            addresses: HashMap::default(),
            further_macs: 0,
            asks: Asks::default(),
            conversations: Conversations::default(),
            pushes: VecDeque::new(),
            links: BTreeMap::new(),
            groups: Groups::default(),
            wires: Wires::default(),
            requests: Vec::new(),
            next_request: 0,
            span: Span::default(),
            last: 0,
            clocked: false,
            file: 0,
            frames: 0,
            counts: TableCounts::default(),
        }
    }

    /// From here on frames are those of another file: its place in the list, from 0.
    pub fn begin_file(&mut self, file: u32) {
        (self.file, self.frames) = (file, 0);
    }

    /// How many packets of ARP and neighbour discovery came so far, sound ones.
    pub(crate) fn packets(&self) -> u64 {
        self.counts.requests + self.counts.replies + self.counts.neighbour + self.counts.logs
    }

    /// The wire that a number stands for.
    pub(crate) fn wire(&self, number: u32) -> Wire {
        self.wires.known.get(number as usize).map_or(Wire::default(), |(wire, _)| *wire)
    }

    /// Whether frames came from more than one interface.
    pub(crate) fn has_interfaces(&self) -> bool {
        let mut interfaces = self.wires.known.iter().map(|(wire, _)| wire.interface);
        let first = interfaces.next();
        interfaces.any(|interface| Some(interface) != first)
    }

    /// Makes sure that `now` lies in the span of the capture.
    #[inline]
    fn cover(&mut self, now: u64) {
        let doublings = self.span.cover(now);
        if doublings > 0 {
            for claim in self.addresses.values_mut().flat_map(|address| &mut address.claims) {
                claim.active = doubled(claim.active, doublings);
            }
        }
    }

    /// Two interfaces turn out to be on one wire.
    #[cold]
    fn join_wires(&mut self, one: u32, other: u32) {
        let (to, from) = (one.min(other), one.max(other));
        self.wires.join(from, to);
        self.asks.move_wire(from, to);
        self.groups.move_wire(from, to);
        let keys: Vec<Key> = self.addresses.keys().filter(|key| key.wire == from).copied().collect();
        for key in keys {
            let Some(moved) = self.addresses.remove(&key) else { continue };
            match self.addresses.entry(Key { wire: to, ..key }) {
                std::collections::hash_map::Entry::Occupied(mut known) => known.get_mut().join(moved),
                std::collections::hash_map::Entry::Vacant(free) => {
                    free.insert(moved);
                }
            }
        }
        self.requests.iter_mut().filter(|request| request.wire == from).for_each(|request| request.wire = to);
    }
}
