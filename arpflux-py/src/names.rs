//! The names that the core has, for the test that compares the package's enums with them.

use arpflux_core::ErrorKind;
use arpflux_core::diagnose::{FindingId, Severity};
use arpflux_core::predict::{Missing, Reason};
use pyo3::prelude::*;

/// By enum: every name that the core knows.
#[pyfunction]
pub fn _names() -> Vec<(&'static str, Vec<String>)> {
    vec![
        ("ErrorKind", ErrorKind::ALL.iter().map(|kind| kind.name().to_owned()).collect()),
        ("FindingId", FindingId::ALL.iter().map(ToString::to_string).collect()),
        ("Missing", Missing::ALL.iter().map(|missing| missing.code().to_owned()).collect()),
        ("Reason", Reason::ALL.iter().map(|reason| reason.code().to_owned()).collect()),
        ("Severity", Severity::ALL.iter().map(|severity| severity.name().to_owned()).collect()),
    ]
}
