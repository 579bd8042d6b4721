//! What a capture shows.

use std::ffi::c_char;
use std::ptr;

use ::arpflux_capture::Report;
use arpflux_core::json;

use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::string;

/// What a capture shows. It never changes; free it with `arpflux_capture_report_free`.
pub struct arpflux_capture_report {
    _private: [u8; 0],
}

struct Owned(Report);

impl Handle for Owned {
    type C = arpflux_capture_report;
    const NAME: &'static str = "arpflux_capture_report";
}

/// A report for C to keep.
pub(super) fn give(report: Report) -> *mut arpflux_capture_report {
    handle::give(Owned(report))
}

/// Whether something should be done about any address: flux, duplicates, suspected spoofing, a host in conflict with itself.
/// False for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_is_bad(report: *const arpflux_capture_report) -> bool {
    getter(false, || Some(handle::find::<Owned>(report)?.0.is_bad()))
}

/// How many addresses somebody claimed; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_count(report: *const arpflux_capture_report) -> usize {
    getter(0, || Some(handle::find::<Owned>(report)?.0.addresses.len()))
}

/// The report as one JSON object with `"schema": 1`.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_to_json(
    report: *const arpflux_capture_report,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || Ok(string::give(&json::object(&handle::get::<Owned>(report)?.0)?)))
    }
}

/// Frees a report, and with it all that was borrowed from it. NULL and reports already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_free(report: *mut arpflux_capture_report) {
    handle::free::<Owned>(report);
}
