//! A host as a page, and as metrics.

use std::ffi::c_char;
use std::ptr;

use arpflux_core::predict::{Matrix, Model};
use arpflux_core::report::{html, metrics};

use crate::boundary::guard;
use crate::diagnose::{self, arpflux_diagnosis};
use crate::error::arpflux_error;
use crate::handle;
use crate::snapshot::{self, arpflux_snapshot};
use crate::string;

/// One HTML page with everything: findings, the topology, who answers and why, and what the kernel holds. It loads nothing. `title` is
/// usually the host's name, `taken` says when and how the snapshot was taken and may be empty.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_to_html(
    diagnosis: *const arpflux_diagnosis,
    snapshot: *const arpflux_snapshot,
    title: *const c_char,
    taken: *const c_char,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let diagnosis = handle::get::<diagnose::Owned>(diagnosis)?;
            let snapshot = handle::get::<snapshot::Owned>(snapshot)?;
            Ok(string::give(&html::page(&html::Page {
                title: string::borrow(title, "title")?,
                taken: string::borrow(taken, "taken")?,
                snapshot: &snapshot.snapshot,
                diagnosis: &diagnosis.diagnosis,
                change: None,
            })?))
        })
    }
}

/// The metrics of a host, in Prometheus' text format. `taken` is when the snapshot was taken, in seconds since 1970.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_diagnosis_to_metrics(
    diagnosis: *const arpflux_diagnosis,
    snapshot: *const arpflux_snapshot,
    taken: f64,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let diagnosis = handle::get::<diagnose::Owned>(diagnosis)?;
            let snapshot = handle::get::<snapshot::Owned>(snapshot)?;
            let matrix = Matrix::of(&Model::new(&snapshot.snapshot)?);
            Ok(string::give(&metrics(&snapshot.snapshot, &matrix, &diagnosis.diagnosis, taken)))
        })
    }
}
