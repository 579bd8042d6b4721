//! What is counted of an address with one of its MACs.

use arpflux_core::types::Mac;

use super::LATE;

/// Where something was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    /// Which file, from 0.
    pub file: u32,
    /// Which record of it, from 1.
    pub frame: u64,
    /// When, in ns.
    pub time: u64,
}

/// How often something was seen, and where: first, second and last.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Mark {
    pub count: u32,
    pub first: Seen,
    pub last: Seen,
}

impl Mark {
    pub(super) fn note(&mut self, seen: Seen) {
        if self.count == 0 {
            self.first = seen;
        }
        self.last = seen;
        self.count = self.count.saturating_add(1);
    }

    pub(super) fn join(&mut self, other: &Self) {
        match (self.count, other.count) {
            (_, 0) => {}
            (0, _) => *self = *other,
            _ => {
                if other.first.time < self.first.time {
                    self.first = other.first;
                }
                if other.last.time > self.last.time {
                    self.last = other.last;
                }
                self.count = self.count.saturating_add(other.count);
            }
        }
    }
}

/// Times to live of packets from one address and MAC.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TimesToLive {
    pub packets: u32,
    pub lowest: u8,
    pub highest: u8,
}

impl TimesToLive {
    pub(super) fn note(&mut self, ttl: u8) {
        if self.packets == 0 {
            (self.lowest, self.highest) = (ttl, ttl);
        }
        self.lowest = self.lowest.min(ttl);
        self.highest = self.highest.max(ttl);
        self.packets = self.packets.saturating_add(1);
    }

    /// Whether all packets passed one router or two, as those that a proxy forwards have: one number for all, a little
    /// below what systems begin with (64, 128, 255). Others begin with 60 or at random.
    pub(crate) fn is_forwarded(self) -> bool {
        self.packets > 1
            && self.lowest == self.highest
            && matches!(self.lowest, 62 | 63 | 126 | 127 | 253 | 254)
    }

    /// Whether its sender is on this wire: no router has counted one down.
    pub(crate) fn is_fresh(self) -> bool {
        self.packets > 0 && matches!(self.highest, 64 | 128 | 255)
    }
}

/// How a MAC claims an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Request,
    Reply,
    Announcement,
    /// By a log's word: no frame.
    Log,
}

/// Of those who were told unasked, so many are named.
const MOST_TOLD: usize = 8;

/// Whom a MAC answered: enough to see whether two MACs share out the askers among themselves.
pub(crate) const ASKERS: usize = 4;

/// An address with one of its MACs. Counters stop at their largest value.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub mac: Mac,
    /// When it claimed the address: one bit for each part of the [`crate::span::Span`].
    pub active: u64,
    pub first: Seen,
    pub last: Seen,
    pub replies: u32,
    pub requests: u32,
    pub announcements: u32,
    /// Replies to broadcasts: those at once, those later, and the longest, in ns.
    pub prompt: u32,
    pub late: u32,
    pub slowest: u64,
    /// Requests with the address as sender that went to one host alone.
    pub pointed: Mark,
    /// Replies that came unasked, to one host.
    pub unasked: Mark,
    /// At some time three of its replies and more, and more than half, had come unasked.
    pub pushes: bool,
    /// Replies to requests that another MAC answered as well.
    pub shared: u32,
    /// Packets to this MAC that were answered from it.
    pub straight: Mark,
    /// Claims that came from another Ethernet source, and whose.
    pub foreign: Mark,
    pub foreign_source: Mac,
    pub ttl: TimesToLive,
    pub askers: [Option<Mac>; ASKERS],
    /// Packets that went to it and no more to another MAC, soon after it had told their sender so unasked; and which MAC.
    pub diverted: Mark,
    pub diverted_from: Option<Mac>,
    /// An unasked reply did not name whom it was for, as in tcpdump's text.
    pub nameless: bool,
    /// Whom its unasked replies went to, the first few.
    pub told: Vec<Mac>,
    /// ARP packets with padding, and those without.
    pub padded: u32,
    pub unpadded: u32,
    /// Replies to somebody who asked whether the address is free.
    pub denials: u32,
    pub flags: Flags,
}

/// What advertisements that answer a question to all said; of neighbour discovery only.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Flags {
    /// It may replace what is known; a proxy's and an anycast address's may not (RFC 4861 section 7.2.4).
    pub overrides: u32,
    pub does_not_override: u32,
    pub router: u32,
    pub no_router: u32,
}

impl Flags {
    /// Whether it never said that it may replace what is known.
    pub(crate) fn yields(self) -> bool {
        self.does_not_override > 0 && self.overrides == 0
    }

    fn join(&mut self, other: Self) {
        for (mine, theirs) in [
            (&mut self.overrides, other.overrides),
            (&mut self.does_not_override, other.does_not_override),
            (&mut self.router, other.router),
            (&mut self.no_router, other.no_router),
        ] {
            *mine = mine.saturating_add(theirs);
        }
    }
}

impl Claim {
    pub(super) fn new(mac: Mac, seen: Seen) -> Self {
        Self {
            mac,
            active: 0,
            first: seen,
            last: seen,
            replies: 0,
            requests: 0,
            announcements: 0,
            prompt: 0,
            late: 0,
            slowest: 0,
            pointed: Mark::default(),
            unasked: Mark::default(),
            pushes: false,
            shared: 0,
            straight: Mark::default(),
            foreign: Mark::default(),
            foreign_source: Mac::NONE,
            ttl: TimesToLive::default(),
            askers: [None; ASKERS],
            diverted: Mark::default(),
            diverted_from: None,
            nameless: false,
            told: Vec::new(),
            padded: 0,
            unpadded: 0,
            denials: 0,
            flags: Flags::default(),
        }
    }

    #[inline]
    pub(super) fn claim(&mut self, how: How, seen: Seen, bit: u64) {
        self.active |= bit;
        if seen.time >= self.last.time {
            self.last = seen;
        }
        let counter = match how {
            How::Request => &mut self.requests,
            How::Reply => &mut self.replies,
            How::Announcement => &mut self.announcements,
            How::Log => return,
        };
        *counter = counter.saturating_add(1);
    }

    /// Counts how long an answer to a broadcast took, in ns.
    #[inline]
    pub(super) fn took(&mut self, delay: u64) {
        let counter = if delay < LATE { &mut self.prompt } else { &mut self.late };
        *counter = counter.saturating_add(1);
        self.slowest = self.slowest.max(delay);
    }

    /// Counts the flags of an answer to a question to all: one to a single host never replaces anything.
    #[inline]
    pub(super) fn flagged(&mut self, flags: Option<(bool, bool)>) {
        let Some((router, overrides)) = flags else { return };
        let known = &mut self.flags;
        for (counter, counts) in [
            (&mut known.router, router),
            (&mut known.no_router, !router),
            (&mut known.overrides, overrides),
            (&mut known.does_not_override, !overrides),
        ] {
            *counter = counter.saturating_add(u32::from(counts));
        }
    }

    #[inline]
    pub(super) fn answered(&mut self, asker: Mac) {
        for slot in &mut self.askers {
            match slot {
                Some(known) if *known == asker => return,
                Some(_) => {}
                None => {
                    *slot = Some(asker);
                    return;
                }
            }
        }
    }

    /// Notes whom it told unasked.
    pub(super) fn tell(&mut self, peer: Mac) {
        if peer != Mac::NONE && self.told.len() < MOST_TOLD && !self.told.contains(&peer) {
            self.told.push(peer);
        }
    }

    /// Counts a reply to `peer`, counted before, as one that nobody asked for.
    pub(super) fn unasked(&mut self, seen: Seen, peer: Mac) {
        self.tell(peer);
        self.unasked.note(seen);
        self.pushes |= self.unasked.count >= 3 && self.unasked.count > self.replies / 2;
    }

    pub(super) fn join(&mut self, other: &Self) {
        self.active |= other.active;
        if other.first.time < self.first.time {
            self.first = other.first;
        }
        if other.last.time > self.last.time {
            self.last = other.last;
        }
        for (mine, theirs) in [
            (&mut self.replies, other.replies),
            (&mut self.requests, other.requests),
            (&mut self.announcements, other.announcements),
            (&mut self.prompt, other.prompt),
            (&mut self.late, other.late),
            (&mut self.shared, other.shared),
            (&mut self.padded, other.padded),
            (&mut self.unpadded, other.unpadded),
            (&mut self.denials, other.denials),
        ] {
            *mine = mine.saturating_add(theirs);
        }
        self.slowest = self.slowest.max(other.slowest);
        self.pointed.join(&other.pointed);
        self.unasked.join(&other.unasked);
        self.pushes |= other.pushes;
        self.nameless |= other.nameless;
        self.straight.join(&other.straight);
        if self.foreign.count == 0 {
            self.foreign_source = other.foreign_source;
        }
        self.foreign.join(&other.foreign);
        if other.ttl.packets > 0 {
            self.ttl.note(other.ttl.lowest);
            self.ttl.note(other.ttl.highest);
        }
        other.askers.iter().flatten().for_each(|asker| self.answered(*asker));
        other.told.iter().for_each(|peer| self.tell(*peer));
        self.diverted.join(&other.diverted);
        self.diverted_from = self.diverted_from.or(other.diverted_from);
        self.flags.join(other.flags);
    }
}
