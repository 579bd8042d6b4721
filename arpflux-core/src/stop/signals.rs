//! Waits of a thread that end when one of its signal handlers ran, as a system call ends with `EINTR`.

use std::cell::RefCell;
use std::os::fd::{AsFd as _, OwnedFd};
use std::ptr::null;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{SigSet, SigmaskHow};

thread_local! {
    /// The flag that signals of this thread raise, while a call has it.
    static FLAG: RefCell<Weak<AtomicBool>> = const { RefCell::new(Weak::new()) };
}

/// A flag that signals of this thread raise from now on, until it is dropped or the next one is made.
pub(super) fn flag() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    FLAG.with(|here| *here.borrow_mut() = Arc::downgrade(&flag));
    flag
}

/// A thread that waits, and whose signals end that. They are blocked but while it sleeps, so that none comes unseen.
#[derive(Debug)]
pub(crate) struct Attentive {
    flag: Arc<AtomicBool>,
    before: SigSet,
}

impl Attentive {
    /// The calling thread, if a call on it is to end so.
    pub(crate) fn here() -> Option<Self> {
        let flag = FLAG.with(|here| here.borrow().upgrade())?;
        let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK).ok()?;
        Some(Self { flag, before })
    }

    /// As `poll`. `EINTR`, which comes whatever `SA_RESTART` says, raises the flag.
    pub(crate) fn poll(&self, fds: &mut [PollFd<'_>], timeout: PollTimeout) -> nix::Result<i32> {
        // Not `PollTimeout::duration`, which panics where there is none.
        let time = u64::try_from(i32::from(timeout)).ok().map(|millis| libc::timespec {
            tv_sec: (millis / 1000) as _,
            tv_nsec: (millis % 1000 * 1_000_000) as _,
        });
        let time = time.as_ref().map_or(null(), |time| &raw const *time);
        // SAFETY: `PollFd` is `repr(transparent)` for what the call takes; all of it lives through the call.
        let ready = Errno::result(unsafe {
            libc::ppoll(fds.as_mut_ptr().cast(), fds.len() as libc::nfds_t, time, self.before.as_ref())
        });
        if ready == Err(Errno::EINTR) {
            self.flag.store(true, Ordering::Release);
        }
        ready
    }

    /// Waits until what another thread holds the other end of is closed.
    pub(crate) fn until_closed(&self, end: &OwnedFd) {
        let mut fds = [PollFd::new(end.as_fd(), PollFlags::POLLIN)];
        while self.poll(&mut fds, PollTimeout::NONE) == Err(Errno::EINTR) {}
    }
}

impl Drop for Attentive {
    fn drop(&mut self) {
        let _ = self.before.thread_set_mask();
    }
}
