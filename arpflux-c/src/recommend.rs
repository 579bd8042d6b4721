//! Which policy fits a host.

use std::ffi::c_char;
use std::ptr;

use arpflux_core::json;
use arpflux_core::outward::Recommended;
use arpflux_core::recommend::recommend;

use crate::boundary::guard;
use crate::error::arpflux_error;
use crate::handle;
use crate::policy::{self, arpflux_policy};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// Recommends a policy for the host that a snapshot shows, tried on a copy of it and proved there. Nothing is sent or changed.
///
/// Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err`: `ARPFLUX_CODE_REFUSED` if no
/// policy would work on this host as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_recommend(
    snapshot: *const arpflux_snapshot,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_policy {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            Ok(policy::give(recommend(&owned.snapshot)?.policy))
        })
    }
}

/// The same with reasons and proof.
///
/// Returns one JSON object with `"schema": 1`, as `arpflux recommend --json` prints it, a text to be freed with
/// `arpflux_string_free`; or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_recommend_to_json(
    snapshot: *const arpflux_snapshot,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            Ok(string::give(&json::object(&Recommended::new(&recommend(&owned.snapshot)?)?)?))
        })
    }
}
