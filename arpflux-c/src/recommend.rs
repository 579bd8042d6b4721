//! Which policy fits a host.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::json;
use arpflux_core::outward::Recommended;
use arpflux_core::recommend::{Recommendation, recommend};

use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::plan::{self, arpflux_plan};
use crate::policy::{self, arpflux_policy};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;
use crate::verify::{self, arpflux_report};

/// A policy that fits a host, with reasons and proof. It never changes; free it with `arpflux_recommendation_free`.
pub struct arpflux_recommendation {
    _private: [u8; 0],
}

struct Owned {
    recommendation: Recommendation,
    toml: CString,
    text: CString,
    reasons: Vec<CString>,
    refused: Vec<CString>,
    notes: Vec<CString>,
}

impl Handle for Owned {
    type C = arpflux_recommendation;
    const NAME: &'static str = "arpflux_recommendation";
}

/// Recommends a policy for the host that a snapshot shows, tried on a copy of it and proved there. Nothing is sent or changed.
///
/// Returns a recommendation to be freed with `arpflux_recommendation_free`, or NULL and sets `*err`: `ARPFLUX_CODE_REFUSED` if no
/// policy would work on this host as it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_recommend(
    snapshot: *const arpflux_snapshot,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_recommendation {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            let recommendation = recommend(&owned.snapshot)?;
            let reasons = recommendation.reasons.iter();
            let refused = recommendation.refused.iter();
            Ok(handle::give(Owned {
                toml: string::c_string(&recommendation.to_toml()?),
                text: string::c_string(&recommendation.proved().join("\n")),
                reasons: reasons.map(|one| string::c_string(&format!("{}: {}", one.key, one.text))).collect(),
                refused: refused
                    .map(|one| string::c_string(&format!("{}: {}", one.recipe, one.why)))
                    .collect(),
                notes: string::c_strings(&recommendation.notes),
                recommendation,
            }))
        })
    }
}

/// The policy.
///
/// Returns a policy to be freed with `arpflux_policy_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_recommendation_policy(
    recommendation: *const arpflux_recommendation,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_policy {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(policy::give(handle::get::<Owned>(recommendation)?.recommendation.policy.clone()))
        })
    }
}

/// What the policy changes on this host.
///
/// Returns a plan to be freed with `arpflux_plan_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_recommendation_plan(
    recommendation: *const arpflux_recommendation,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_plan {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(plan::give(handle::get::<Owned>(recommendation)?.recommendation.plan.clone()))
        })
    }
}

/// What was checked and proved of the host as it is after the plan.
///
/// Returns a report to be freed with `arpflux_report_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_recommendation_proof(
    recommendation: *const arpflux_recommendation,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_report {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(verify::give(handle::get::<Owned>(recommendation)?.recommendation.proof.clone()))
        })
    }
}

/// The policy as a file that says why each key is as it is. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_recommendation_toml(
    recommendation: *const arpflux_recommendation,
) -> *const c_char {
    getter(ptr::null(), || Some(handle::find::<Owned>(recommendation)?.toml.as_ptr()))
}

/// What was proved, for people, one sentence a line. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_recommendation_proved(
    recommendation: *const arpflux_recommendation,
) -> *const c_char {
    getter(ptr::null(), || Some(handle::find::<Owned>(recommendation)?.text.as_ptr()))
}

/// How many reasons there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_recommendation_reason_count(
    recommendation: *const arpflux_recommendation,
) -> usize {
    getter(0, || Some(handle::find::<Owned>(recommendation)?.reasons.len()))
}

/// The reason at a place, from 0: a key of the policy, and why it is as it is. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_recommendation_reason_at(
    recommendation: *const arpflux_recommendation,
    at: usize,
) -> *const c_char {
    handle::text_at(recommendation, at, |owned: &Owned| &owned.reasons)
}

/// How much is not recommended; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_recommendation_refused_count(
    recommendation: *const arpflux_recommendation,
) -> usize {
    getter(0, || Some(handle::find::<Owned>(recommendation)?.refused.len()))
}

/// What is not recommended, at a place from 0, and what it breaks here. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_recommendation_refused_at(
    recommendation: *const arpflux_recommendation,
    at: usize,
) -> *const c_char {
    handle::text_at(recommendation, at, |owned: &Owned| &owned.refused)
}

/// How much the policy does not settle; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_recommendation_note_count(
    recommendation: *const arpflux_recommendation,
) -> usize {
    getter(0, || Some(handle::find::<Owned>(recommendation)?.notes.len()))
}

/// What the policy does not settle, at a place from 0, as a sentence. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_recommendation_note_at(
    recommendation: *const arpflux_recommendation,
    at: usize,
) -> *const c_char {
    handle::text_at(recommendation, at, |owned: &Owned| &owned.notes)
}

/// All of it as one JSON object with `"schema": 1`, as `arpflux recommend --json` prints it.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_recommendation_to_json(
    recommendation: *const arpflux_recommendation,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<Owned>(recommendation)?;
            Ok(string::give(&json::object(&Recommended::new(&owned.recommendation)?)?))
        })
    }
}

/// Frees a recommendation. NULL and recommendations already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_recommendation_free(recommendation: *mut arpflux_recommendation) {
    getter((), || {
        handle::free::<Owned>(recommendation);
        Some(())
    });
}
