//! Whether a host is as a policy says.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::verify::{self, Report};

use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::policy::{self, arpflux_policy};
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// What verification found; it never changes. Free it with `arpflux_report_free`.
pub struct arpflux_report {
    _private: [u8; 0],
}

struct Owned {
    report: Report,
    failures: Vec<CString>,
    undetermined: Vec<CString>,
}

impl Handle for Owned {
    type C = arpflux_report;
    const NAME: &'static str = "arpflux_report";
}

/// Checks a snapshot against a policy: every value, entry, rule and route, and by the model of the kernel that each address
/// is answered by its own interface and no other, for all senders and targets. Nothing is sent.
///
/// Returns a report to be freed with `arpflux_report_free`, which also tells what is not as it should be; or NULL and sets `*err`
/// (`ARPFLUX_CODE_INVALID_POLICY`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_policy_verify(
    policy: *const arpflux_policy,
    snapshot: *const arpflux_snapshot,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_report {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let policy = handle::get::<policy::Owned>(policy)?;
            let report = verify::check(&policy.0, &handle::get::<snapshot::Owned>(snapshot)?.snapshot)?;
            let failures =
                report.failures.iter().map(|failure| string::c_string(&failure.to_string())).collect();
            let undetermined =
                report.undetermined.iter().map(|sentence| string::c_string(sentence)).collect();
            Ok(handle::give(Owned { report, failures, undetermined }))
        })
    }
}

/// Whether something was checked and all of it is as the policy says; false for NULL. What cannot be told is no failure:
/// see `arpflux_report_undetermined_count`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_report_ok(report: *const arpflux_report) -> bool {
    getter(false, || Some(handle::find::<Owned>(report)?.report.ok()))
}

/// How many things were checked; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_report_check_count(report: *const arpflux_report) -> usize {
    getter(0, || Some(handle::find::<Owned>(report)?.report.checks))
}

/// How much is not as the policy says; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_report_failure_count(report: *const arpflux_report) -> usize {
    getter(0, || Some(handle::find::<Owned>(report)?.failures.len()))
}

/// The failure at a place, from 0, as a sentence. Borrowed from the report; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_report_failure_at(
    report: *const arpflux_report,
    at: usize,
) -> *const c_char {
    getter(ptr::null(), || Some(handle::find::<Owned>(report)?.failures.get(at)?.as_ptr()))
}

/// How much cannot be told from the snapshot; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_report_undetermined_count(report: *const arpflux_report) -> usize {
    getter(0, || Some(handle::find::<Owned>(report)?.undetermined.len()))
}

/// What cannot be told, at a place from 0, as a sentence. Borrowed from the report; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_report_undetermined_at(
    report: *const arpflux_report,
    at: usize,
) -> *const c_char {
    getter(ptr::null(), || Some(handle::find::<Owned>(report)?.undetermined.get(at)?.as_ptr()))
}

/// The report as one JSON object with `"schema": 1`.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_report_to_json(
    report: *const arpflux_report,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || Ok(string::give(&handle::get::<Owned>(report)?.report.to_json()?)))
    }
}

/// Frees a report. NULL and reports already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_report_free(report: *mut arpflux_report) {
    getter((), || {
        handle::free::<Owned>(report);
        Some(())
    });
}
