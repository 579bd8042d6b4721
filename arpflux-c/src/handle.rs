//! Owned handles: pointers that are looked up before they are followed.
//!
//! A handle given to C is the address of a reference-counted value, noted in a table together with its
//! type. A call with NULL, with a handle already freed or with one of another type finds no such
//! entry and is answered with an error. A call that runs while another thread frees the handle
//! holds a count of its own. The table decides nothing else, and is empty when the last handle is.

use std::collections::BTreeMap;
use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::{Arc, PoisonError, RwLock};

use arpflux_core::{Error, ErrorKind, Result};

use crate::boundary::getter;

/// Which type a handle is of, with the name that errors call it by.
pub(crate) trait Handle: Send + Sync {
    /// The opaque type of the header.
    type C;
    /// Its name in the header.
    const NAME: &'static str;
}

/// Addresses are noted inverted, so that leak checkers do not take the table for an owner.
pub(crate) static LIVE: RwLock<BTreeMap<usize, &'static str>> = RwLock::new(BTreeMap::new());

fn key<C>(handle: *const C) -> usize {
    !handle.addr()
}

/// Notes an address as live.
pub(crate) fn note<C>(handle: *const C, name: &'static str) {
    crate::fork::prepare();
    LIVE.write().unwrap_or_else(PoisonError::into_inner).insert(key(handle), name);
}

/// Takes an address out of the table; whether it was there under this name.
pub(crate) fn forget<C>(handle: *const C, name: &'static str) -> bool {
    let mut live = LIVE.write().unwrap_or_else(PoisonError::into_inner);
    live.get(&key(handle)) == Some(&name) && live.remove(&key(handle)).is_some()
}

/// Makes a handle, to be freed by [`free`].
pub(crate) fn give<T: Handle>(value: T) -> *mut T::C {
    let handle = Arc::into_raw(Arc::new(value)).cast::<T::C>().cast_mut();
    note(handle, T::NAME);
    handle
}

/// The value behind a handle, if it is a live one of this type.
pub(crate) fn find<T: Handle>(handle: *const T::C) -> Option<Arc<T>> {
    let live = LIVE.read().unwrap_or_else(PoisonError::into_inner);
    if live.get(&key(handle)) != Some(&T::NAME) {
        return None;
    }
    let value = handle.cast::<T>();
    // SAFETY: the table has it, so it came from `Arc::into_raw::<T>` and `free` has not taken it back;
    // the lock is held until the count is raised.
    Some(unsafe {
        Arc::increment_strong_count(value);
        Arc::from_raw(value)
    })
}

/// The value behind a handle.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] for NULL, a freed handle, or one of another type.
pub(crate) fn get<T: Handle>(handle: *const T::C) -> Result<Arc<T>> {
    find(handle).ok_or_else(|| {
        let what =
            if handle.is_null() { "it is NULL" } else { "not a live handle: freed, or of another type" };
        Error::new(ErrorKind::InvalidInput, what).during("call with handle").on(T::NAME)
    })
}

/// Frees a handle. NULL, and what is no live handle of this type, is left alone.
pub(crate) fn free<T: Handle>(handle: *mut T::C) {
    getter((), || {
        if forget(handle.cast_const(), T::NAME) {
            // SAFETY: it came from `Arc::into_raw::<T>` in `give`, and nobody else can take it back now.
            drop(unsafe { Arc::from_raw(handle.cast_const().cast::<T>()) });
        }
        Some(())
    });
}

/// What is lent out of a handle: behind a pointer to `C` stands a value of the type that has this trait.
pub(crate) trait Lent {
    /// The opaque type of the header.
    type C;
}

/// The place of one of a handle's values, or NULL beyond the last. The handle keeps the list alive.
pub(crate) fn lend<T: Handle, L: Lent>(
    handle: *const T::C,
    list: impl FnOnce(&T) -> &[L],
    at: usize,
) -> *const L::C {
    getter(ptr::null(), || {
        let owner = find::<T>(handle)?;
        Some(ptr::from_ref(list(&owner).get(at)?).cast())
    })
}

/// Follows what was lent; `failed` for NULL.
pub(crate) fn of<L: Lent + 'static, T>(
    lent: *const L::C,
    failed: T,
    what: impl FnOnce(&'static L) -> T,
) -> T {
    getter(failed, || {
        // SAFETY: NULL or, as the conventions say, lent by a handle that is still alive.
        Some(what(unsafe { lent.cast::<L>().as_ref() }?))
    })
}

/// One of a handle's texts, or NULL beyond the last. The handle keeps the list alive.
pub(crate) fn text_at<T: Handle>(
    handle: *const T::C,
    at: usize,
    list: impl FnOnce(&T) -> &[CString],
) -> *const c_char {
    getter(ptr::null(), || Some(list(&*find::<T>(handle)?).get(at)?.as_ptr()))
}
