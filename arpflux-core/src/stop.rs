//! Ending a wait from another thread.

#[cfg(feature = "kernel")]
pub(crate) mod signals;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// How long somebody who sleeps may take to notice.
const SLICE: Duration = Duration::from_millis(20);

/// A flag that ends waits: for a lock, for answers, between announcements. Its clones are the same flag.
///
/// What waits looks at it at least every 50 ms. A change that is not wholly made yet is undone
/// first.
///
/// ```
/// use arpflux_core::Stop;
///
/// let stop = Stop::default();
/// let other = stop.clone();
/// std::thread::spawn(move || other.raise());
/// while !stop.is_raised() {
///     std::thread::yield_now();
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Stop {
    raised: Arc<AtomicBool>,
    /// How often it may be looked at before it counts as raised.
    looks: Option<Arc<AtomicU64>>,
    /// That a signal came, where this ends the wait, too.
    #[cfg(feature = "kernel")]
    signalled: Option<Arc<signals::Call>>,
}

/// A flag of the caller's own, which whoever has it may set: a signal handler, for one.
impl From<Arc<AtomicBool>> for Stop {
    fn from(flag: Arc<AtomicBool>) -> Self {
        Self { raised: flag, ..Self::default() }
    }
}

impl Stop {
    /// One that counts as raised once it was looked at so often: a bound of work that is the same on every machine,
    /// however busy.
    #[cfg(feature = "kernel")]
    pub(crate) fn after(looks: u64) -> Self {
        Self { looks: Some(Arc::new(AtomicU64::new(looks))), ..Self::default() }
    }

    /// One that counts as raised, too, once a signal handler ran on this thread while it waits for a call on a host: as
    /// `EINTR` ends a system call. `SA_RESTART` makes no difference, and no signal comes unseen: they are blocked but while
    /// the thread waits, until this and its clones are dropped, which has to be on this thread. It is for one call; this flag itself is not
    /// raised.
    #[cfg(feature = "kernel")]
    #[must_use]
    pub fn or_signal(&self) -> Self {
        Self { signalled: signals::call(), ..self.clone() }
    }

    /// The flag without what [`Stop::or_signal`] added: for what outlives the call.
    #[cfg(feature = "kernel")]
    #[must_use]
    pub fn without_signal(&self) -> Self {
        Self { signalled: None, ..self.clone() }
    }

    /// From now on nothing that has this flag waits any longer.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::Release);
    }

    /// Whether it was raised.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        let used_up = |looks: &Arc<AtomicU64>| {
            looks.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err()
        };
        #[cfg(feature = "kernel")]
        if self.signalled.as_ref().is_some_and(|call| call.is_raised()) {
            return true;
        }
        self.raised.load(Ordering::Acquire) || self.looks.as_ref().is_some_and(used_up)
    }

    /// Nothing, or an error if it was raised.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`].
    pub fn check(&self) -> Result<()> {
        if self.is_raised() {
            return Err(
                Error::new(ErrorKind::Interrupted, "ended by a signal or by the caller").during("wait")
            );
        }
        Ok(())
    }

    /// Sleeps until `end`.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] as soon as the flag is raised.
    pub fn sleep_until(&self, end: Instant) -> Result<()> {
        loop {
            self.check()?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(SLICE));
        }
    }

    /// `end`, or an earlier moment at which to look at the flag again.
    #[cfg(feature = "kernel")]
    pub(crate) fn next_look(end: impl Into<Option<Instant>>) -> Instant {
        let next = Instant::now() + SLICE;
        end.into().map_or(next, |end| end.min(next))
    }

    /// Whether somebody else may raise it.
    #[cfg(feature = "kernel")]
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.raised) > 1
    }
}

/// Two are equal if they are the same flag, or if neither was raised: then they make no difference.
impl PartialEq for Stop {
    fn eq(&self, other: &Self) -> bool {
        let raised = |stop: &Self| stop.raised.load(Ordering::Acquire);
        Arc::ptr_eq(&self.raised, &other.raised) || (!raised(self) && !raised(other))
    }
}

impl Eq for Stop {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_ends_when_the_flag_is_raised() {
        let stop = Stop::default();
        stop.sleep_until(Instant::now() + Duration::from_millis(30)).unwrap();
        let started = Instant::now();
        let error = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(30));
                stop.clone().raise();
            });
            stop.sleep_until(started + Duration::from_secs(600)).unwrap_err()
        });
        assert_eq!(error.kind(), ErrorKind::Interrupted);
        assert!(started.elapsed() < Duration::from_secs(300));
        assert_ne!(stop, Stop::default());
    }

    #[cfg(feature = "kernel")]
    #[test]
    fn looks_are_counted_over_all_clones() {
        let stop = Stop::after(3);
        let other = stop.clone();
        let seen =
            [stop.is_raised(), other.is_raised(), stop.is_raised(), other.is_raised(), stop.is_raised()];
        assert_eq!(seen, [false, false, false, true, true]);
    }
}
