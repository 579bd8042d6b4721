//! What stands between every exported function and its caller: no panic leaves, errors become
//! owned objects, outputs are written only on success.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arpflux_core::{Error, ErrorKind, Result};

use crate::error::arpflux_error;

/// Runs `body`; on failure gives `failed` and, where the caller wants to know, writes an error to `err`.
///
/// # Safety
/// `err` is NULL or may be written.
pub(crate) unsafe fn guard<T>(
    err: *mut *mut arpflux_error,
    failed: T,
    body: impl FnOnce() -> Result<T>,
) -> T {
    // What `body` leaves half done is never seen again: handles hold immutable values, or a mutex
    // that a panic poisons.
    let error = match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(value)) => return value,
        Ok(Err(error)) => error,
        Err(payload) => defect(payload),
    };
    if !err.is_null() {
        // SAFETY: the caller says that it may be written.
        unsafe { err.write(crate::error::give(error)) };
    }
    failed
}

/// Runs a getter, which has no way to report an error: `failed` for NULL, a stale handle or a panic.
pub(crate) fn getter<T>(failed: T, body: impl FnOnce() -> Option<T>) -> T {
    catch_unwind(AssertUnwindSafe(body)).ok().flatten().unwrap_or(failed)
}

fn defect(payload: Box<dyn Any + Send>) -> Error {
    let text = match payload.downcast_ref::<&str>() {
        Some(text) => (*text).to_string(),
        None => payload.downcast_ref::<String>().cloned().unwrap_or_default(),
    };
    // Dropping a payload can panic in turn; this one is leaked instead.
    std::mem::forget(payload);
    Error::new(ErrorKind::Internal, format!("arpflux panicked: {text}"))
        .hint("this is a defect of arpflux, please report it")
}

/// Writes an output, which must not be NULL.
///
/// # Safety
/// `out` is NULL or may be written.
pub(crate) unsafe fn write<T>(out: *mut T, name: &'static str, value: T) -> Result<()> {
    check_out(out, name)?;
    // SAFETY: the caller says that it may be written, and it is not NULL.
    unsafe { out.write(value) };
    Ok(())
}

/// Refuses a NULL output before anything is done.
pub(crate) fn check_out<T>(out: *mut T, name: &'static str) -> Result<()> {
    if out.is_null() { Err(null(name)) } else { Ok(()) }
}

/// The error for a NULL that must not be.
#[cold]
pub(crate) fn null(name: &'static str) -> Error {
    Error::new(ErrorKind::InvalidInput, "it is NULL").during("call with argument").on(name)
}
