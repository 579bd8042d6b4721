//! The time of the whole capture, in parts.

/// The time of the whole capture in 64 parts. Parts grow by doubling as the capture goes on, so
/// that its length need not be known.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Span {
    pub start: u64,
    pub end: u64,
    /// The length of a part as a power of two, in ns.
    pub shift: u32,
    begun: bool,
}

/// The number of parts.
pub(crate) const PARTS: u32 = u64::BITS;
/// The first length of a part: 2^17 ns, about 0.13 ms.
const SHIFT: u32 = 17;

impl Span {
    /// Makes sure that `now` lies in it, and gives by how many doublings the parts grew. A time before
    /// the first frame's counts as that.
    #[inline]
    pub(crate) fn cover(&mut self, now: u64) -> u32 {
        if now <= self.end && self.begun {
            return 0;
        }
        if !self.begun {
            *self = Self { start: now, end: now, shift: SHIFT, begun: true };
        }
        self.end = now;
        let before = self.shift;
        while (now - self.start) >> self.shift >= u64::from(PARTS) {
            self.shift += 1;
        }
        self.shift - before
    }

    /// The bit of the part that `now` lies in.
    #[inline]
    pub(crate) fn bit(&self, now: u64) -> u64 {
        1 << (now.saturating_sub(self.start) >> self.shift).min(u64::from(PARTS - 1))
    }
}

/// What `active` is after parts have doubled so many times.
pub(crate) fn doubled(mut active: u64, times: u32) -> u64 {
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
