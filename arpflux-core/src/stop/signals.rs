//! Waits of a thread that end when one of its signal handlers ran, as a system call ends with `EINTR`.

use std::cell::RefCell;
use std::os::fd::{AsFd as _, OwnedFd};
use std::ptr::null;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::ThreadId;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::{SigSet, SigmaskHow};

thread_local! {
    /// What signals of this thread raise, while a call has it.
    static CALL: RefCell<Weak<Call>> = const { RefCell::new(Weak::new()) };
}

/// A call that signals of its thread end. They are blocked as long as it lasts, but while the thread sleeps: so none comes unseen,
/// not even between two waits.
#[derive(Debug)]
pub(super) struct Call {
    raised: AtomicBool,
    /// What was blocked before.
    before: SigSet,
    /// The call that this one is part of.
    outer: Option<Arc<Call>>,
    /// Masks are a thread's own.
    thread: ThreadId,
}

/// A call of this thread, from now on until it is dropped. `None` where signals cannot be blocked.
pub(super) fn call() -> Option<Arc<Call>> {
    let outer = CALL.with(|here| here.borrow().upgrade());
    let before = match &outer {
        Some(outer) => outer.before,
        None => SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK).ok()?,
    };
    let thread = std::thread::current().id();
    let call = Arc::new(Call { raised: AtomicBool::new(false), before, outer, thread });
    CALL.with(|here| *here.borrow_mut() = Arc::downgrade(&call));
    Some(call)
}

impl Call {
    pub(super) fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Acquire)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.thread != std::thread::current().id() {
            return;
        }
        let outer = self.outer.as_ref().map_or_else(Weak::new, Arc::downgrade);
        // Not where the thread ends.
        let _ = CALL.try_with(|here| *here.borrow_mut() = outer);
        if self.outer.is_none() {
            let _ = self.before.thread_set_mask();
        }
    }
}

/// A thread that waits, and whose signals end that. Whatever happens to other owners of the call meanwhile, it lasts as long as this.
#[derive(Debug)]
pub(crate) struct Attentive(Arc<Call>);

impl Attentive {
    /// The calling thread, if a call on it is to end so.
    pub(crate) fn here() -> Option<Self> {
        CALL.with(|here| here.borrow().upgrade()).map(Self)
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
            libc::ppoll(fds.as_mut_ptr().cast(), fds.len() as libc::nfds_t, time, self.0.before.as_ref())
        });
        if ready == Err(Errno::EINTR) {
            self.0.raised.store(true, Ordering::Release);
        }
        ready
    }

    /// Waits until what another thread holds the other end of is closed.
    pub(crate) fn until_closed(&self, end: &OwnedFd) {
        let mut fds = [PollFd::new(end.as_fd(), PollFlags::POLLIN)];
        while self.poll(&mut fds, PollTimeout::NONE) == Err(Errno::EINTR) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stop;

    fn blocked() -> bool {
        SigSet::thread_get_mask().unwrap().contains(nix::sys::signal::SIGUSR1)
    }

    #[test]
    fn signals_are_blocked_as_long_as_a_call_lasts() {
        let outer = Stop::default().or_signal();
        assert!(blocked());
        let inner = outer.or_signal();
        let (clone, pollable) = (outer.clone(), Attentive::here().unwrap());
        drop((outer, inner));
        assert!(blocked(), "a clone of the outer one is there, and a wait of the inner one");
        drop(clone.without_signal());
        drop(clone);
        drop(pollable);
        assert!(!blocked());
        assert!(Attentive::here().is_none());
    }

    #[test]
    fn a_signal_between_two_waits_ends_the_second() {
        extern "C" fn handler(_: libc::c_int) {}
        let action = nix::sys::signal::SigAction::new(
            nix::sys::signal::SigHandler::Handler(handler),
            nix::sys::signal::SaFlags::SA_RESTART,
            SigSet::empty(),
        );
        // SAFETY: the handler does nothing.
        unsafe { nix::sys::signal::sigaction(nix::sys::signal::SIGUSR2, &action) }.unwrap();
        let stop = Stop::default().or_signal();
        let wait = || Attentive::here().unwrap().poll(&mut [], PollTimeout::try_from(20).unwrap());
        assert_eq!(wait(), Ok(0));
        nix::sys::signal::raise(nix::sys::signal::SIGUSR2).unwrap();
        assert!(!stop.is_raised());
        assert_eq!(wait(), Err(Errno::EINTR));
        assert!(stop.is_raised());
    }
}
