//! How much processor time looks may take where the network changes all the time.

use std::time::{Duration, Instant};

/// A share of one processor. What is not spent is saved, up to a bound, so that a burst of changes is looked at
/// without a pause; who has spent more than that waits.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    /// One part in this many may be spent.
    share: u32,
    /// So much may be spent at once.
    saved: Duration,
    debt: Duration,
    at: Instant,
}

impl Budget {
    pub fn new(share: u32, saved: Duration, now: Instant) -> Self {
        Self { share, saved, debt: Duration::ZERO, at: now }
    }

    /// Takes note of processor time that was used.
    pub fn spent(&mut self, cost: Duration, now: Instant) {
        self.debt = self.debt.saturating_sub(now.saturating_duration_since(self.at) / self.share) + cost;
        self.at = now;
    }

    /// The moment from which on more may be spent.
    pub fn ready(&self) -> Instant {
        self.at + self.debt.saturating_sub(self.saved) * self.share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_through_and_the_share_is_kept_afterwards() {
        let (ms, start) = (Duration::from_millis, Instant::now());
        let mut budget = Budget::new(20, ms(200), start);
        for _ in 0..10 {
            assert!(budget.ready() <= start);
            budget.spent(ms(20), start);
        }
        budget.spent(ms(20), start);
        assert_eq!(budget.ready(), start + ms(400));
        // Each look when it may be: one part in twenty.
        let (mut now, mut spent) = (start, Duration::ZERO);
        while now < start + ms(60_000) {
            now = now.max(budget.ready());
            budget.spent(ms(20), now);
            spent += ms(20);
        }
        assert!(spent <= ms(60_000) / 20 + ms(40), "{spent:?}");
        assert!(spent >= ms(60_000) / 22, "{spent:?}");
        // Rest is saved up again.
        budget.spent(ms(150), now + ms(60_000));
        assert!(budget.ready() <= now + ms(60_000));
    }
}
