//! Ending a wait from another thread, or from a signal handler.
//!
//! A handler may interrupt its thread anywhere, also where that holds the lock of the table of handles. So flags have a list of their
//! own, which grows and never shrinks: whoever walks it only loads, compares and stores. A flag that was freed and that nothing waits
//! with any more is given out again.

use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arpflux_core::{Error, ErrorKind, Result, Stop};

use crate::boundary::{getter, guard};
use crate::error::arpflux_error;

/// A flag that ends waits: for a lock, for answers, for news, between announcements. Options name it; another thread or a signal handler
/// raises it. What is being changed is never cut short by it. Free it with `arpflux_stop_free`.
pub struct arpflux_stop {
    _private: [u8; 0],
}

/// A flag, and a descriptor that is readable once it was raised.
pub(crate) struct Slot {
    raised: Arc<AtomicBool>,
    event: OwnedFd,
    live: AtomicBool,
    at_signals: AtomicBool,
    next: *const Slot,
}

// SAFETY: `next` is written before the slot is published and never again; all else is atomic or a descriptor.
unsafe impl Sync for Slot {}

static FIRST: AtomicPtr<Slot> = AtomicPtr::new(ptr::null_mut());
/// Held while a flag is given out, and while the process forks.
pub(crate) static MAKING: Mutex<()> = Mutex::new(());

fn slots() -> impl Iterator<Item = &'static Slot> {
    // SAFETY: what the list points to was leaked, so that it lives as long as the process.
    let follow = |slot: *const Slot| unsafe { slot.as_ref() };
    std::iter::successors(follow(FIRST.load(Ordering::Acquire)), move |slot| follow(slot.next))
}

fn find(stop: *const arpflux_stop) -> Option<&'static Slot> {
    slots().find(|slot| ptr::from_ref(*slot).addr() == stop.addr() && slot.live.load(Ordering::Acquire))
}

impl Slot {
    /// What the core waits with.
    pub(crate) fn stop(&self) -> Stop {
        let stop = Stop::from(Arc::clone(&self.raised));
        if self.at_signals.load(Ordering::Acquire) { stop.or_signal() } else { stop }
    }

    /// Readable once it was raised.
    pub(crate) fn event(&self) -> &OwnedFd {
        &self.event
    }

    fn new(next: *const Slot) -> Result<Self> {
        Ok(Self {
            raised: Arc::default(),
            event: event()?,
            live: AtomicBool::new(true),
            at_signals: AtomicBool::new(false),
            next,
        })
    }

    /// Gives out a slot of which nobody knows any more.
    fn reuse(&self) -> bool {
        let free = !self.live.load(Ordering::Acquire) && Arc::strong_count(&self.raised) == 1;
        if free {
            let mut count = [0_u8; 8];
            // SAFETY: the buffer has eight bytes. Nothing to read means that it was not raised.
            unsafe { libc::read(self.event.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
            self.raised.store(false, Ordering::Release);
            self.at_signals.store(false, Ordering::Release);
            self.live.store(true, Ordering::Release);
        }
        free
    }
}

fn event() -> Result<OwnedFd> {
    // SAFETY: it takes two numbers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(Error::io("make", "an event descriptor", &std::io::Error::last_os_error()));
    }
    // SAFETY: it is open and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// After a fork, in the child: its descriptors are its own, so that raising here wakes nobody there.
pub(crate) fn forked() {
    for slot in slots() {
        if let Ok(own) = event() {
            // SAFETY: both are open; the number stays that of the slot.
            unsafe { libc::dup3(own.as_raw_fd(), slot.event.as_raw_fd(), libc::O_CLOEXEC) };
        }
    }
}

/// The flag that options name, if they name one.
pub(crate) fn slot(stop: *const arpflux_stop) -> Result<Option<&'static Slot>> {
    if stop.is_null() {
        return Ok(None);
    }
    find(stop).map(Some).ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "not a live handle: freed, or of another type")
            .during("call with handle")
            .on("arpflux_stop")
    })
}

/// The flag that options name; one that nobody raises for NULL.
pub(crate) fn read(stop: *const arpflux_stop) -> Result<Stop> {
    Ok(slot(stop)?.map_or_else(Stop::default, Slot::stop))
}

/// A flag that is not raised.
///
/// Returns a flag to be freed with `arpflux_stop_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_stop_new(err: *mut *mut arpflux_error) -> *mut arpflux_stop {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            crate::fork::prepare();
            let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(slot) = slots().find(|slot| slot.reuse()) {
                return Ok(ptr::from_ref(slot).cast_mut().cast());
            }
            let slot = Box::into_raw(Box::new(Slot::new(FIRST.load(Ordering::Acquire))?));
            FIRST.store(slot, Ordering::Release);
            Ok(slot.cast())
        })
    }
}

/// From now on nothing that has this flag waits any longer: it comes back within 250 ms with `ARPFLUX_CODE_INTERRUPTED`. May be
/// called from a signal handler: it stores a number and writes to a descriptor, and leaves `errno` as it was.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_stop_raise(stop: *mut arpflux_stop) {
    // No guard: nothing here can panic, and a handler must not allocate.
    if let Some(slot) = find(stop) {
        slot.raised.store(true, Ordering::Release);
        let one = 1_u64.to_ne_bytes();
        // SAFETY: this thread's own `errno`, and eight bytes. A full counter is readable already.
        unsafe {
            let errno = libc::__errno_location();
            let before = *errno;
            libc::write(slot.event.as_raw_fd(), one.as_ptr().cast(), one.len());
            *errno = before;
        }
    }
}

/// From now on a call that is given this flag also ends when a handler of a signal runs on the calling thread meanwhile, as EINTR ends a
/// system call: with `ARPFLUX_CODE_INTERRUPTED`, whatever `SA_RESTART` says, and without the flag's being raised. Signals are blocked while
/// such a call works, and come in where it waits or when it is over; those that come between two calls end none. NULL is left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_stop_at_signals(stop: *mut arpflux_stop) {
    if let Some(slot) = find(stop) {
        slot.at_signals.store(true, Ordering::Release);
    }
}

/// Whether it was raised; false for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_stop_is_raised(stop: *const arpflux_stop) -> bool {
    getter(false, || Some(find(stop)?.raised.load(Ordering::Acquire)))
}

/// Frees a flag; what waits with it goes on waiting. NULL and flags already freed are left alone. Not to be called from a handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_stop_free(stop: *mut arpflux_stop) {
    if let Some(slot) = find(stop) {
        slot.live.store(false, Ordering::Release);
    }
}
