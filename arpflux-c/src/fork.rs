//! Forks of a program that has threads in the library: the child has the lock's holders no more, but would have the locks.

use std::cell::UnsafeCell;
use std::collections::BTreeMap;
use std::sync::{MutexGuard, Once, PoisonError, RwLockWriteGuard};

use crate::{handle, stop};

type Guards = (RwLockWriteGuard<'static, BTreeMap<usize, &'static str>>, MutexGuard<'static, ()>);

/// The locks, from before a fork to after it.
struct Held(UnsafeCell<Option<Guards>>);

// SAFETY: only the thread that forks uses it, while it holds both locks.
unsafe impl Sync for Held {}

static HELD: Held = Held(UnsafeCell::new(None));

extern "C" fn before() {
    let live = handle::LIVE.write().unwrap_or_else(PoisonError::into_inner);
    let making = stop::MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: both locks are held, so no other thread is here.
    unsafe { *HELD.0.get() = Some((live, making)) };
}

extern "C" fn in_parent() {
    // SAFETY: this thread has called `before` and holds the locks until the guards are dropped here.
    drop(unsafe { (*HELD.0.get()).take() });
}

extern "C" fn in_child() {
    stop::forked();
    in_parent();
}

/// From now on a fork finds the library's own locks free, in the parent and in the child.
pub(crate) fn prepare() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: the functions live as long as the library. It fails only without memory: then forks are as before.
        unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
    });
}
