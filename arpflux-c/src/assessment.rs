//! What a plan harms, and what of that cannot be told.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::harm::Assessment;
use arpflux_core::{Result, json};

use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::judgement::arpflux_judged;
use crate::string;

/// What a plan harms. It never changes; free it with `arpflux_assessment_free`.
pub struct arpflux_assessment {
    _private: [u8; 0],
}

struct Owned {
    assessment: Assessment,
    harm: Vec<CString>,
    text: CString,
}

impl Handle for Owned {
    type C = arpflux_assessment;
    const NAME: &'static str = "arpflux_assessment";
}

/// An assessment for C to keep.
pub(crate) fn give(assessment: Assessment) -> Result<*mut arpflux_assessment> {
    let (harm, text) = (string::c_strings(&assessment.harm), string::c_string(&assessment.to_string()));
    Ok(handle::give(Owned { assessment, harm, text }))
}

/// What it comes to: bad if something would be lost, undetermined if who answers afterwards cannot be told of each address.
/// Undetermined for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_assessment_judged(assessment: *const arpflux_assessment) -> arpflux_judged {
    getter(arpflux_judged::Undetermined, || {
        Some((&handle::find::<Owned>(assessment)?.assessment.judgement()).into())
    })
}

/// How much would be lost; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_assessment_harm_count(assessment: *const arpflux_assessment) -> usize {
    getter(0, || Some(handle::find::<Owned>(assessment)?.harm.len()))
}

/// What would be lost, at a place from 0, as a sentence. Borrowed from the assessment; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_assessment_harm_at(
    assessment: *const arpflux_assessment,
    at: usize,
) -> *const c_char {
    handle::text_at(assessment, at, |owned: &Owned| &owned.harm)
}

/// All of it for people: what would be lost, one a line, and what cannot be told; empty if there is neither. Borrowed; NULL
/// for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_assessment_text(assessment: *const arpflux_assessment) -> *const c_char {
    getter(ptr::null(), || Some(handle::find::<Owned>(assessment)?.text.as_ptr()))
}

/// The assessment as one JSON object with `"schema": 1`.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_assessment_to_json(
    assessment: *const arpflux_assessment,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(string::give(&json::object(&handle::get::<Owned>(assessment)?.assessment)?))
        })
    }
}

/// Frees an assessment, and with it all that was borrowed from it. NULL and assessments already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_assessment_free(assessment: *mut arpflux_assessment) {
    handle::free::<Owned>(assessment);
}
