//! Waiting with the GIL released, so that a signal can end it.

use std::os::fd::BorrowedFd;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use arpflux_core::{Error, Stop};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use pyo3::prelude::*;

use crate::error::Result;

/// How often Python's signal handlers get their turn.
const SLICE: Duration = Duration::from_millis(50);

/// Raises what a signal handler raised, if one did. Only the main thread has signals; on others nothing happens.
#[expect(clippy::redundant_closure_for_method_calls, reason = "the method's lifetime is not general enough")]
pub fn check() -> PyResult<()> {
    Python::attach(|py| py.check_signals())
}

/// Waits until a descriptor is readable, or `time` is over, or a signal came; says whether it is readable.
pub fn readable(fd: BorrowedFd<'_>, time: Duration) -> arpflux_core::Result<bool> {
    // Rounded up, or the last millisecond would be spent turning in circles.
    let time = PollTimeout::try_from(time + Duration::from_micros(999)).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], time) {
        Ok(ready) => Ok(ready > 0),
        Err(nix::Error::EINTR) => Ok(false),
        Err(errno) => Err(Error::os("wait for", "descriptor", errno as i32)),
    }
}

/// Does `work` on a thread of its own without the GIL. If a signal handler raises meanwhile (`KeyboardInterrupt`), the
/// flag that `work` was given is raised, and when it has ended that exception is the result.
pub fn interruptible<T: Send>(
    py: Python<'_>,
    work: impl FnOnce(&Stop) -> arpflux_core::Result<T> + Send,
) -> Result<T> {
    let stop = Stop::default();
    let (outcome, raised) = py.detach(|| {
        std::thread::scope(|scope| {
            let (done, news) = channel::<()>();
            let worker = scope.spawn(|| {
                // Dropped at the end, whatever the end is.
                let _done = done;
                work(&stop)
            });
            let mut raised = None;
            while news.recv_timeout(SLICE) == Err(RecvTimeoutError::Timeout) {
                if raised.is_none()
                    && let Err(exception) = check()
                {
                    stop.raise();
                    raised = Some(exception);
                }
            }
            match worker.join() {
                Ok(outcome) => (outcome, raised),
                // PyO3 makes an exception of it.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    });
    match raised {
        Some(exception) => Err(exception.into()),
        None => Ok(outcome?),
    }
}
