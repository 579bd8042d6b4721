//! An address with one of its MACs, and the time line that all pairs share.

use crate::types::Mac;

/// What is counted of an address with one of its MACs. Counters stop at their largest value.
///
/// 56 bytes: with the key, one cache line, which is all that a frame about an undisputed address touches.
#[derive(Debug, Clone, Copy, Default)]
#[repr(C)]
pub(in super::super) struct Pair {
    pub station: u64,
    /// When it claimed the address: one bit for each part of the [`Span`].
    pub active: u64,
    pub first: u64,
    pub last: u64,
    pub replies: u32,
    pub requests: u32,
    pub announcements: u32,
    /// Replies to broadcasts: those at once, and those later.
    pub prompt: u32,
    pub late: u32,
    /// In the first pair of an address: where its [`super::Detail`] is; [`super::NONE`] if it has none.
    pub detail: u32,
}

/// What is seldom counted of a pair.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Rare {
    /// Replies that came unasked, to one host.
    pub unasked: u32,
    /// Replies to requests that another MAC answered as well.
    pub shared: u32,
    /// Packets to this MAC that were answered from it.
    pub straight: u32,
    /// IPv4 packets from this MAC and address that a router has passed on, and others.
    pub forwarded: u32,
    pub own: u32,
    /// The MAC, if it has not six bytes.
    pub long: Option<Mac>,
}

/// A pair with all its counters.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct FullPair {
    pub pair: Pair,
    pub rare: Rare,
}

impl std::ops::Deref for FullPair {
    type Target = Pair;

    fn deref(&self) -> &Pair {
        &self.pair
    }
}

impl FullPair {
    pub(in super::super) fn mac(&self) -> Mac {
        let [_, _, a, b, c, d, e, f] = self.pair.station.to_be_bytes();
        self.rare.long.unwrap_or(Mac::ethernet([a, b, c, d, e, f]))
    }
}

impl Pair {
    pub(super) const fn new(station: u64, now: u64) -> Self {
        Self {
            station,
            active: 0,
            first: now,
            last: now,
            replies: 0,
            requests: 0,
            announcements: 0,
            prompt: 0,
            late: 0,
            detail: super::NONE,
        }
    }

    /// Counts a claim.
    #[inline]
    pub(super) fn claim(&mut self, claim: super::Claim, now: u64, bit: u64) {
        self.active |= bit;
        if now > self.last {
            self.last = now;
        }
        let counter = match claim {
            super::Claim::Request => &mut self.requests,
            super::Claim::Reply => &mut self.replies,
            super::Claim::Announcement => &mut self.announcements,
        };
        *counter = counter.saturating_add(1);
    }

    /// Counts how long an answer to a broadcast took, in ns.
    #[inline]
    pub(super) fn took(&mut self, delay: u64) {
        if delay < super::PROMPT {
            self.prompt = self.prompt.saturating_add(1);
        } else {
            self.late = self.late.saturating_add(1);
        }
    }
}

/// Whether a packet with this time to live has passed a router, if its sender began, as systems do,
/// with 64, 128 or 255 and at most 31 routers lie behind.
pub(super) fn was_forwarded(ttl: u8) -> bool {
    matches!(ttl, 33..=63 | 97..=127 | 224..=254)
}

/// The time of the whole capture in 64 parts. Parts grow by doubling as the capture goes on, so
/// that its length need not be known.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Span {
    pub start: u64,
    pub end: u64,
    /// The length of a part as a power of two, in ns.
    pub shift: u32,
    begun: bool,
    /// Where times were last.
    part: Part,
}

/// One of the parts of a [`Span`].
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    begin: u64,
    length: u64,
    bit: u64,
}

/// The number of parts.
pub(in super::super) const PARTS: u32 = u64::BITS;
/// The first length of a part: 2^17 ns, about 0.13 ms.
const SHIFT: u32 = 17;

impl Span {
    /// Makes sure that `now` lies in it, and gives by how many doublings the parts grew. A time before
    /// the first frame's counts as that.
    #[inline]
    pub(super) fn cover(&mut self, now: u64) -> u32 {
        if now <= self.end && self.begun {
            return 0;
        }
        if !self.begun {
            *self = Self { start: now, end: now, shift: SHIFT, begun: true, part: Part::default() };
        }
        self.end = now;
        let before = self.shift;
        while (now - self.start) >> self.shift >= u64::from(PARTS) {
            self.shift += 1;
            self.part = Part::default();
        }
        self.shift - before
    }

    /// The bit of the part that `now` lies in.
    #[inline]
    pub(super) fn bit(&self, now: u64) -> u64 {
        1 << (now.saturating_sub(self.start) >> self.shift).min(u64::from(PARTS - 1))
    }

    /// The same, if parts need not grow for it, nor is it a time before the first.
    #[inline(always)]
    pub(super) fn bit_inside(&mut self, now: u64) -> Option<u64> {
        if now.wrapping_sub(self.part.begin) >= self.part.length {
            self.part = self.part(now)?;
        }
        Some(self.part.bit)
    }

    #[inline(never)]
    fn part(&self, now: u64) -> Option<Part> {
        let part = now.checked_sub(self.start)? >> self.shift;
        let begin = self.start + (part << self.shift);
        (part < u64::from(PARTS) && self.begun).then(|| Part {
            begin,
            length: 1 << self.shift,
            bit: 1 << part,
        })
    }
}

/// What `active` is after parts have doubled so many times.
pub(super) fn doubled(mut active: u64, times: u32) -> u64 {
    for _ in 0..times.min(PARTS) {
        let bits = active | active >> 1;
        active = (0..PARTS / 2).fold(0, |kept, to| kept | (bits >> (2 * to) & 1) << to);
    }
    active
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halving_keeps_what_was_active() {
        for bit in 0..64 {
            assert_eq!(doubled(1 << bit, 1), 1 << (bit / 2));
        }
        assert_eq!(doubled(u64::MAX, 1), u64::from(u32::MAX));
        assert_eq!(doubled(1 << 63, 6), 1);
    }

    #[test]
    fn a_span_grows_over_any_time() {
        let mut span = Span::default();
        assert_eq!(span.cover(5), 0);
        assert_eq!(span.bit(5), 1);
        assert_eq!(span.cover(u64::MAX), 58 - SHIFT);
        assert_eq!(span.bit(u64::MAX), 1 << 63);
        assert_eq!(span.bit(0), 1);
    }
}
