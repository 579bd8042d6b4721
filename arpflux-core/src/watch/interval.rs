//! How often to look where the kernel sends no news.

use std::time::Duration;

/// Keeps the cost of a poll below a share of one processor, by waiting longer after dearer polls.
///
/// Proxy entries send no events, so they are polled: often while the list is short, seldom while it
/// is long. The interval follows the mean of the measured cost; where that multiplies twice running, at once.
#[derive(Debug, Clone)]
pub struct Interval {
    shortest: Duration,
    longest: Duration,
    /// One part of this many may be spent.
    share: u32,
    cost: Duration,
    /// What the last poll cost, if it was so dear that the next one has to confirm it.
    doubted: Option<Duration>,
}

impl Interval {
    /// An interval between `shortest` and `longest` that spends at most one part in `share` of the
    /// time, as long as `longest` allows. `share` is at least 1.
    #[must_use]
    pub fn new(shortest: Duration, longest: Duration, share: u32) -> Self {
        Self { shortest, longest, share: share.max(1), cost: Duration::ZERO, doubted: None }
    }

    /// Takes note of what a poll has cost, in processor time.
    pub fn spent(&mut self, cost: Duration) {
        // One poll that was dear by chance (cold caches, the first one) must not make the next ones rare.
        if cost <= self.cost.saturating_mul(4) {
            self.doubted = None;
            self.cost = (self.cost.saturating_mul(7) + cost) / 8;
        } else if let Some(before) = self.doubted.take() {
            self.cost = before.min(cost);
        } else {
            self.doubted = Some(cost);
        }
    }

    /// How long to wait from the beginning of one poll to the next.
    #[must_use]
    pub fn current(&self) -> Duration {
        self.cost.saturating_mul(self.share).clamp(self.shortest, self.longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dear_polls_are_rare_and_cheap_ones_frequent_again() {
        let ms = Duration::from_millis;
        let mut interval = Interval::new(ms(20), ms(1000), 400);
        assert_eq!(interval.current(), ms(20));
        interval.spent(ms(3)); // the first one, with cold caches
        assert_eq!(interval.current(), ms(20));
        interval.spent(Duration::from_micros(250));
        assert_eq!(interval.current(), ms(100));
        // Dearer by chance: a little rarer. Each share is kept on average.
        interval.spent(Duration::from_micros(750));
        assert_eq!(interval.current(), ms(125));
        // Far dearer: believed when it comes again.
        interval.spent(ms(6));
        assert_eq!(interval.current(), ms(125));
        interval.spent(ms(5));
        assert_eq!(interval.current(), ms(1000));
        interval.spent(ms(30));
        interval.spent(ms(5));
        assert_eq!(interval.current(), ms(1000));
        for _ in 0..60 {
            interval.spent(Duration::from_micros(14));
        }
        assert_eq!(interval.current(), ms(20));
    }
}
