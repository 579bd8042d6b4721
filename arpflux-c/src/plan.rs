//! Plans: what has to change so that a policy holds.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::{Plan, Result};

use crate::assessment::{self, arpflux_assessment};
use crate::boundary::{getter, guard};
use crate::change::{self, arpflux_change};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::policy::{self, arpflux_policy};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// Ordered changes; it never changes itself. Free it with `arpflux_plan_free`.
pub struct arpflux_plan {
    _private: [u8; 0],
}

/// A plan given to C.
pub(crate) struct Owned {
    pub(crate) plan: Plan,
    changes: Vec<change::Record>,
    text: CString,
}

impl Handle for Owned {
    type C = arpflux_plan;
    const NAME: &'static str = "arpflux_plan";
}

/// Gives a plan, or NULL and an error.
///
/// # Safety
/// `err` is NULL or may be written.
unsafe fn make(err: *mut *mut arpflux_error, plan: impl FnOnce() -> Result<Plan>) -> *mut arpflux_plan {
    // SAFETY: the caller says so.
    unsafe { guard(err, ptr::null_mut(), || Ok(give(plan()?))) }
}

/// A plan for C to keep.
pub(crate) fn give(plan: Plan) -> *mut arpflux_plan {
    let changes = change::records(&plan.changes, &plan.interfaces);
    let text = string::c_string(&plan.to_string());
    handle::give(Owned { plan, changes, text })
}

/// What has to change on the host that the snapshot shows so that the policy holds. Nothing is changed by this, and the
/// snapshot may be of another machine. On a host where the policy holds already the plan is empty.
///
/// Returns a plan to be freed with `arpflux_plan_free`, or NULL and sets `*err`: `ARPFLUX_CODE_REFUSED` if the policy would
/// not work there, `ARPFLUX_CODE_NOT_FOUND` if an interface is not there.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_plan(
    policy: *const arpflux_policy,
    snapshot: *const arpflux_snapshot,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_plan {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        make(err, || {
            let policy = handle::get::<policy::Owned>(policy)?;
            policy.0.plan(&handle::get::<snapshot::Owned>(snapshot)?.snapshot)
        })
    }
}

/// The plan as one JSON object with `"schema": 1`.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_plan_to_json(
    plan: *const arpflux_plan,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe { guard(err, ptr::null_mut(), || Ok(string::give(&handle::get::<Owned>(plan)?.plan.to_json()?))) }
}

/// How many changes there are; 0: nothing has to change (or NULL).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_plan_change_count(plan: *const arpflux_plan) -> usize {
    getter(0, || Some(handle::find::<Owned>(plan)?.changes.len()))
}

/// The change at a place, from 0, in the order they are made. Borrowed from the plan; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_plan_change_at(
    plan: *const arpflux_plan,
    at: usize,
) -> *const arpflux_change {
    handle::lend(plan, |owned: &Owned| &owned.changes, at)
}

/// What the plan harms on the host that the snapshot shows, and whether that is all; what `arpflux_host_apply` refuses.
///
/// Returns an assessment to be freed with `arpflux_assessment_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_plan_assess(
    plan: *const arpflux_plan,
    before: *const arpflux_snapshot,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_assessment {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let before = handle::get::<snapshot::Owned>(before)?;
            assessment::give(handle::get::<Owned>(plan)?.plan.assess(&before.snapshot)?)
        })
    }
}

/// All of it for people, several lines. Borrowed from the plan; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_plan_text(plan: *const arpflux_plan) -> *const c_char {
    getter(ptr::null(), || Some(handle::find::<Owned>(plan)?.text.as_ptr()))
}

/// Frees a plan. NULL and plans already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_plan_free(plan: *mut arpflux_plan) {
    handle::free::<Owned>(plan);
}
