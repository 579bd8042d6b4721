//! What is wrong with a host.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::Result;
use arpflux_core::diagnose::{Diagnosis, FindingId, Options, Severity, diagnose};

use crate::args;
use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::judgement::arpflux_judged;
use crate::options::{self, Sized0};
use crate::policy::{self, arpflux_policy};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// What is wrong with a host. It never changes; free it with `arpflux_diagnosis_free`.
pub struct arpflux_diagnosis {
    _private: [u8; 0],
}

/// What to look at. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_diagnose_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// The policy that the host should follow: what is not so becomes a finding. May be NULL.
    pub policy: *const arpflux_policy,
    /// Findings that are not wanted, such as `"AF003"`; may be NULL.
    pub ignore: *const *const c_char,
    /// How many findings `ignore` names.
    pub ignore_count: usize,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_diagnose_options {}

struct Owned {
    diagnosis: Diagnosis,
    text: CString,
}

impl Handle for Owned {
    type C = arpflux_diagnosis;
    const NAME: &'static str = "arpflux_diagnosis";
}

/// What is wrong with the host that a snapshot shows. Nothing is sent or changed. `options` may be NULL.
///
/// Returns a diagnosis to be freed with `arpflux_diagnosis_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_diagnose(
    snapshot: *const arpflux_snapshot,
    options: *const arpflux_diagnose_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_diagnosis {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<snapshot::Owned>(snapshot)?;
            let given = options::read_or_default(options, "options")?;
            let policy = match given.policy.is_null() {
                true => None,
                false => Some(handle::get::<policy::Owned>(given.policy)?.0.clone()),
            };
            let ignore = args::texts(given.ignore, given.ignore_count, "options.ignore")?;
            let ignore = ignore.iter().map(|text| text.parse::<FindingId>()).collect::<Result<Vec<_>>>()?;
            let options = Options::default().policy(policy).ignore(ignore);
            let diagnosis = diagnose(&owned.snapshot, &options)?;
            let text = diagnosis
                .findings
                .iter()
                .map(|one| {
                    format!(
                        "{one}
"
                    )
                })
                .collect::<String>();
            Ok(handle::give(Owned { text: string::c_string(&text), diagnosis }))
        })
    }
}

/// How many findings there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_count(diagnosis: *const arpflux_diagnosis) -> usize {
    getter(0, || Some(handle::find::<Owned>(diagnosis)?.diagnosis.findings.len()))
}

/// What it comes to: bad if a warning or an error is certain, undetermined if none is and something that decides is missing.
/// Undetermined for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_judged(diagnosis: *const arpflux_diagnosis) -> arpflux_judged {
    getter(arpflux_judged::Undetermined, || {
        let owned = handle::find::<Owned>(diagnosis)?;
        Some((&owned.diagnosis.judgement(Some(Severity::Warning))).into())
    })
}

/// The findings for people, the worst first, several lines each; empty if there is none. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_text(diagnosis: *const arpflux_diagnosis) -> *const c_char {
    getter(ptr::null(), || Some(handle::find::<Owned>(diagnosis)?.text.as_ptr()))
}

/// The diagnosis as one JSON object with `"schema": 1`, as `arpflux diagnose --json` prints it.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_to_json(
    diagnosis: *const arpflux_diagnosis,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(string::give(&handle::get::<Owned>(diagnosis)?.diagnosis.to_json()?))
        })
    }
}

/// Frees a diagnosis, and with it all that was borrowed from it. NULL and diagnoses already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_free(diagnosis: *mut arpflux_diagnosis) {
    handle::free::<Owned>(diagnosis);
}
