//! Policies: the desired state.

use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;

use arpflux_core::{Policy, Result};

use crate::boundary::{getter, guard, null};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::string;

/// The desired state of one host; it never changes. Free it with `arpflux_policy_free`.
pub struct arpflux_policy {
    _private: [u8; 0],
}

/// A policy given to C.
pub(crate) struct Owned(pub(crate) Policy);

impl Handle for Owned {
    type C = arpflux_policy;
    const NAME: &'static str = "arpflux_policy";
}

/// Gives a policy, or NULL and an error.
///
/// # Safety
/// `err` is NULL or may be written.
unsafe fn make(err: *mut *mut arpflux_error, policy: impl FnOnce() -> Result<Policy>) -> *mut arpflux_policy {
    // SAFETY: the caller says so.
    unsafe { guard(err, ptr::null_mut(), || Ok(handle::give(Owned(policy()?)))) }
}

/// Reads a policy file, whose name ends in `.toml` or `.json`.
///
/// Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err`: `ARPFLUX_CODE_INVALID_POLICY`
/// with `FILE:LINE:COLUMN` as its object, or any failure to read the file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_from_path(
    path: *const c_char,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_policy {
    // SAFETY: `err` and `path` are as the conventions say.
    unsafe {
        make(err, || {
            if path.is_null() {
                return Err(null("path"));
            }
            Policy::from_path(Path::new(OsStr::from_bytes(CStr::from_ptr(path).to_bytes())))
        })
    }
}

/// Reads the TOML form of a policy. `source_name` stands for the file in errors.
///
/// Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err` (`ARPFLUX_CODE_INVALID_POLICY`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_from_toml(
    text: *const c_char,
    source_name: *const c_char,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_policy {
    // SAFETY: `err` and the texts are as the conventions say.
    unsafe {
        make(err, || {
            Policy::from_toml(string::borrow(text, "text")?, string::borrow(source_name, "source_name")?)
        })
    }
}

/// Reads the JSON form of a policy. `source_name` stands for the file in errors.
///
/// Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err` (`ARPFLUX_CODE_INVALID_POLICY`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_from_json(
    text: *const c_char,
    source_name: *const c_char,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_policy {
    // SAFETY: `err` and the texts are as the conventions say.
    unsafe {
        make(err, || {
            Policy::from_json(string::borrow(text, "text")?, string::borrow(source_name, "source_name")?)
        })
    }
}

/// The TOML form. Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_to_toml(
    policy: *const arpflux_policy,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe { guard(err, ptr::null_mut(), || Ok(string::give(&handle::get::<Owned>(policy)?.0.to_toml()?))) }
}

/// The JSON form. Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_to_json(
    policy: *const arpflux_policy,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe { guard(err, ptr::null_mut(), || Ok(string::give(&handle::get::<Owned>(policy)?.0.to_json()?))) }
}

/// Frees a policy. NULL and policies already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_free(policy: *mut arpflux_policy) {
    getter((), || {
        handle::free::<Owned>(policy);
        Some(())
    });
}
