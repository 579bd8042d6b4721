//! A timer as a descriptor.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

use crate::error::{Error, Result};

/// Readable when its time has come; by a clock that nobody sets.
#[derive(Debug)]
pub(super) struct Timer(TimerFd);

impl Timer {
    pub fn new() -> Result<Self> {
        TimerFd::new(ClockId::CLOCK_MONOTONIC, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)
            .map(Self)
            .map_err(|errno| Error::os("make", "timer", errno as i32))
    }

    /// Becomes readable after `delay`, once.
    pub fn arm(&self, delay: Duration) -> Result<()> {
        // Zero would switch it off.
        let delay = TimeSpec::from(delay.max(Duration::from_nanos(1)));
        self.0
            .set(Expiration::OneShot(delay), TimerSetTimeFlags::empty())
            .map_err(|errno| Error::os("set", "timer", errno as i32))
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
