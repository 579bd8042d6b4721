//! What a plan does to answers.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::json;
use arpflux_core::plan::Impact;

use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::plan::{self, arpflux_plan};
use crate::policy::{self, arpflux_policy};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// Which requests are answered otherwise after a plan. It never changes; free it with `arpflux_impact_free`.
pub struct arpflux_impact {
    _private: [u8; 0],
}

struct Owned {
    impact: Impact,
    text: CString,
}

impl Handle for Owned {
    type C = arpflux_impact;
    const NAME: &'static str = "arpflux_impact";
}

/// What a plan does to answers on the host that `before` was taken from, for all senders and all targets. `policy` is the one the plan
/// was made for: effects on what it does not name come first.
///
/// Returns an impact to be freed with `arpflux_impact_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_plan_impact(
    plan: *const arpflux_plan,
    before: *const arpflux_snapshot,
    policy: *const arpflux_policy,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_impact {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let plan = handle::get::<plan::Owned>(plan)?;
            let before = handle::get::<snapshot::Owned>(before)?;
            let policy = handle::get::<policy::Owned>(policy)?;
            let impact = plan.plan.impact(&before.snapshot, &policy.0)?;
            let text = string::c_string(&impact.to_string());
            Ok(handle::give(Owned { impact, text }))
        })
    }
}

/// How many effects there are; 0: no answer changes (or NULL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_impact_count(impact: *const arpflux_impact) -> usize {
    getter(0, || Some(handle::find::<Owned>(impact)?.impact.effects.len()))
}

/// How many effects are on addresses that the policy does not name; they come first. 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_impact_victim_count(impact: *const arpflux_impact) -> usize {
    getter(0, || Some(handle::find::<Owned>(impact)?.impact.victims().count()))
}

/// All of it for people, several lines. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_impact_text(impact: *const arpflux_impact) -> *const c_char {
    getter(ptr::null(), || Some(handle::find::<Owned>(impact)?.text.as_ptr()))
}

/// The impact as one JSON object with `"schema": 1`.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_impact_to_json(
    impact: *const arpflux_impact,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(string::give(&json::object(&handle::get::<Owned>(impact)?.impact)?))
        })
    }
}

/// Frees an impact, and with it all that was borrowed from it. NULL and impacts already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_impact_free(impact: *mut arpflux_impact) {
    handle::free::<Owned>(impact);
}
