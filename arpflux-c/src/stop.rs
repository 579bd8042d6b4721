//! Ending a wait from another thread.

use std::ptr;

use arpflux_core::{Result, Stop};

use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};

/// A flag that ends waits: for a lock, for answers, between announcements. Options name it; another thread raises it. A change
/// that is not wholly made yet is undone first. Free it with `arpflux_stop_free`.
pub struct arpflux_stop {
    _private: [u8; 0],
}

struct Owned(Stop);

impl Handle for Owned {
    type C = arpflux_stop;
    const NAME: &'static str = "arpflux_stop";
}

/// The flag that options name; one that nobody raises for NULL.
pub(crate) fn read(stop: *const arpflux_stop) -> Result<Stop> {
    if stop.is_null() { Ok(Stop::default()) } else { Ok(handle::get::<Owned>(stop)?.0.clone()) }
}

/// A flag that is not raised.
///
/// Returns a flag to be freed with `arpflux_stop_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_stop_new(err: *mut *mut arpflux_error) -> *mut arpflux_stop {
    // SAFETY: `err` is as the conventions say.
    unsafe { guard(err, ptr::null_mut(), || Ok(handle::give(Owned(Stop::default())))) }
}

/// From now on nothing that has this flag waits any longer: it comes back within 50 ms with `ARPFLUX_CODE_INTERRUPTED`. Not to be
/// called from a signal handler.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_stop_raise(stop: *mut arpflux_stop) {
    getter((), || {
        handle::find::<Owned>(stop)?.0.raise();
        Some(())
    });
}

/// Whether it was raised; false for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_stop_is_raised(stop: *const arpflux_stop) -> bool {
    getter(false, || Some(handle::find::<Owned>(stop)?.0.is_raised()))
}

/// Frees a flag; what waits with it goes on waiting. NULL and flags already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_stop_free(stop: *mut arpflux_stop) {
    handle::free::<Owned>(stop);
}
