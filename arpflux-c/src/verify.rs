//! Whether a host is as a policy says.

use std::ffi::{CString, c_char};
use std::ptr;

use arpflux_core::apply::Options;
use arpflux_core::verify::{self, Report, Verified};
use arpflux_core::{Error, ErrorKind};

use crate::args;
use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::host::{self, arpflux_host};
use crate::judgement::arpflux_judged;
use crate::options::{self, Sized0};
use crate::policy::{self, arpflux_policy};
use crate::snapshot::{self, arpflux_snapshot};
use crate::stop::{self, arpflux_stop};
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

/// A report for C to keep.
pub(crate) fn give(report: Report) -> *mut arpflux_report {
    handle::give(Owned::new(report))
}

impl Owned {
    fn new(report: Report) -> Self {
        Self {
            failures: string::c_strings(&report.failures),
            undetermined: string::c_strings(&report.undetermined),
            report,
        }
    }
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
            Ok(give(report))
        })
    }
}

/// Who asks on the wire.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_wire {
    /// Nobody: nothing is sent.
    None = 0,
    /// The host asks itself, as if from the wire, without a second machine and without a frame on the wire.
    Own = 1,
    /// Another namespace on the same wire.
    Peer = 2,
}

/// How a host is verified. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_verify_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// Who asks, an `ARPFLUX_WIRE_...`.
    pub wire: u32,
    /// For `ARPFLUX_WIRE_PEER`: who that is.
    pub peer: *const arpflux_host,
    /// For `ARPFLUX_WIRE_PEER`: its interface to ask on; NULL: the one whose subnet the address is in.
    pub peer_interface: *const c_char,
    /// Ends the wait for answers when it is raised; may be NULL.
    pub stop: *const arpflux_stop,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_verify_options {}

/// Takes a snapshot of the host and checks it as `arpflux_policy_verify` does; with `wire`, by frames as well: each address of
/// the policy is asked for, and one interface may answer. That takes a second and more, as proxies answer late. What a killed run
/// left is undone first; a change on trial that was not undone in time leaves the report open. `options` may be NULL.
///
/// Returns a report to be freed with `arpflux_report_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_verify(
    host: *const arpflux_host,
    policy: *const arpflux_policy,
    options: *const arpflux_verify_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_report {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let host = handle::get::<host::Owned>(host)?;
            let policy = handle::get::<policy::Owned>(policy)?;
            let options = options::read_or_default(options, "options")?;
            let from = args::optional_if_name(options.peer_interface, "options.peer_interface")?;
            let stop = stop::read(options.stop)?;
            if options.wire > 2 {
                let what = format!("there is no wire {}", options.wire);
                return Err(Error::new(ErrorKind::InvalidInput, what)
                    .during("call with argument")
                    .on("options.wire"));
            }
            let Verified { mut report, snapshot, .. } =
                host.0.verify(&policy.0, None, &Options::default())?;
            match options.wire {
                1 => report.merge(verify::wire::own_until(&policy.0, &snapshot, &host.0, &stop)?),
                2 => {
                    let peer = handle::get::<host::Owned>(options.peer)?;
                    let found =
                        verify::wire::peer_until(&policy.0, &snapshot, &peer.0, from.as_ref(), &stop)?;
                    report.merge(found);
                }
                _ => {}
            }
            Ok(give(report))
        })
    }
}

/// True if the report is good; else false, and sets `*err` to an error that names the first thing that is not so
/// (`ARPFLUX_CODE_VERIFY_FAILED`), or what cannot be told (`ARPFLUX_CODE_UNDETERMINED`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_report_check(
    report: *const arpflux_report,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: `err` is as the conventions say.
    unsafe { guard(err, false, || handle::get::<Owned>(report)?.report.clone().into_result().map(|_| true)) }
}

/// What it comes to: good, bad (something is not so, or nothing was checked), or undetermined. Undetermined for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_report_judged(report: *const arpflux_report) -> arpflux_judged {
    getter(arpflux_judged::Undetermined, || Some((&handle::find::<Owned>(report)?.report.judgement()).into()))
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
    handle::free::<Owned>(report);
}
