//! What a capture shows.

use std::ffi::{CString, c_char};
use std::ptr;

use ::arpflux_capture::{AddressReport, Certainty, Class, MacReport, Report};
use arpflux_core::json;

use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle, Lent, of};
use crate::ip::arpflux_ip;
use crate::string;

/// What a capture shows. It never changes; free it with `arpflux_capture_report_free`.
pub struct arpflux_capture_report {
    _private: [u8; 0],
}

/// What a capture shows of one address, borrowed from a report.
pub struct arpflux_claimed {
    _private: [u8; 0],
}

/// What an address turned out to be.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_class {
    /// Several MACs claim it, and the frames do not show why: neither good nor bad.
    Undetermined = 0,
    /// Several MACs of one host answer for it: ARP flux.
    Flux = 1,
    /// Two hosts hold it.
    Duplicate = 2,
    /// Somebody claims it unasked, to single hosts, while another holds it.
    Spoof = 3,
    /// A host asked for its own address and was answered by another NIC of its own.
    SelfConflict = 4,
    /// It passed from one MAC to another, which announced itself.
    Failover = 5,
    /// One host answers for it in place of the one that has it.
    Proxy = 6,
    /// Routers share it by a virtual MAC.
    Virtual = 7,
    /// One MAC, all the time.
    Single = 8,
    /// Two MACs claim it at once, and the frames do not show whether it is flux or a duplicate: a fault either way.
    Conflict = 9,
    /// One host's MACs answer, each askers of its own, as a bond in mode balance-alb does.
    Bond = 10,
}

/// How much a class rests on.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_certainty {
    /// The class says nothing bad.
    None = 0,
    /// The frames, or what the caller told about hosts, leave no other reading that is known.
    Proved = 1,
    /// Another reading is possible, but less likely.
    Likely = 2,
    /// Look at it; harmless set-ups can look the same.
    Suspected = 3,
}

struct Owned {
    report: Report,
    addresses: Vec<Claimed>,
}

impl Handle for Owned {
    type C = arpflux_capture_report;
    const NAME: &'static str = "arpflux_capture_report";
}

/// A report for C to keep.
pub(super) fn give(report: Report) -> *mut arpflux_capture_report {
    let addresses = report.addresses.iter().map(Claimed::new).collect();
    handle::give(Owned { report, addresses })
}

struct Claimed {
    address: AddressReport,
    because: Vec<CString>,
    macs: Vec<CString>,
}

impl Lent for Claimed {
    type C = arpflux_claimed;
}

impl Claimed {
    fn new(address: &AddressReport) -> Self {
        Self {
            because: string::c_strings(&address.because),
            macs: address.macs.iter().map(|mac| string::c_string(&mac.mac.to_string())).collect(),
            address: address.clone(),
        }
    }
}

/// Whether something should be done about any address: flux, duplicates, suspected spoofing, a host in conflict with itself.
/// False for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_is_bad(report: *const arpflux_capture_report) -> bool {
    getter(false, || Some(handle::find::<Owned>(report)?.report.is_bad()))
}

/// How many ARP requests were seen; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_request_count(report: *const arpflux_capture_report) -> u64 {
    getter(0, || Some(handle::find::<Owned>(report)?.report.requests))
}

/// How many ARP replies were seen; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_reply_count(report: *const arpflux_capture_report) -> u64 {
    getter(0, || Some(handle::find::<Owned>(report)?.report.replies))
}

/// How many claims found no room: beyond 0, the report is not complete.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_dropped_count(report: *const arpflux_capture_report) -> u64 {
    getter(0, || Some(handle::find::<Owned>(report)?.report.dropped))
}

/// How many addresses somebody claimed; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_count(report: *const arpflux_capture_report) -> usize {
    getter(0, || Some(handle::find::<Owned>(report)?.addresses.len()))
}

/// The address at a place, from 0: the worst come first, then by number. Borrowed from the report; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_at(
    report: *const arpflux_capture_report,
    at: usize,
) -> *const arpflux_claimed {
    handle::lend(report, |owned: &Owned| &owned.addresses, at)
}

/// The address; of family 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_claimed_address(claimed: *const arpflux_claimed) -> arpflux_ip {
    of(claimed, arpflux_ip::NONE, |claimed: &Claimed| claimed.address.address.into())
}

/// What it is; `ARPFLUX_CLASS_UNDETERMINED` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_claimed_class(claimed: *const arpflux_claimed) -> arpflux_class {
    of(claimed, arpflux_class::Undetermined, |claimed: &Claimed| match claimed.address.class {
        Class::Flux => arpflux_class::Flux,
        Class::Duplicate => arpflux_class::Duplicate,
        Class::Spoof => arpflux_class::Spoof,
        Class::SelfConflict => arpflux_class::SelfConflict,
        Class::Failover => arpflux_class::Failover,
        Class::Proxy => arpflux_class::Proxy,
        Class::Virtual => arpflux_class::Virtual,
        Class::Single => arpflux_class::Single,
        Class::Conflict => arpflux_class::Conflict,
        Class::Bond => arpflux_class::Bond,
        _ => arpflux_class::Undetermined,
    })
}

/// How sure that is; `ARPFLUX_CERTAINTY_NONE` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_claimed_certainty(claimed: *const arpflux_claimed) -> arpflux_certainty {
    of(claimed, arpflux_certainty::None, |claimed: &Claimed| match claimed.address.certainty {
        None => arpflux_certainty::None,
        Some(Certainty::Proved) => arpflux_certainty::Proved,
        Some(Certainty::Likely) => arpflux_certainty::Likely,
        Some(Certainty::Suspected) => arpflux_certainty::Suspected,
    })
}

/// How many pieces of evidence there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_claimed_reason_count(claimed: *const arpflux_claimed) -> usize {
    of(claimed, 0, |claimed: &Claimed| claimed.because.len())
}

/// The evidence at a place, from 0, as a sentence. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_claimed_reason_at(
    claimed: *const arpflux_claimed,
    at: usize,
) -> *const c_char {
    of(claimed, ptr::null(), |claimed: &Claimed| {
        claimed.because.get(at).map_or(ptr::null(), |text| text.as_ptr())
    })
}

/// How many MACs claimed it; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_claimed_mac_count(claimed: *const arpflux_claimed) -> usize {
    of(claimed, 0, |claimed: &Claimed| claimed.macs.len())
}

/// The MAC at a place, from 0, in the order of their first claims. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_claimed_mac_at(claimed: *const arpflux_claimed, at: usize) -> *const c_char {
    of(claimed, ptr::null(), |claimed: &Claimed| {
        claimed.macs.get(at).map_or(ptr::null(), |text| text.as_ptr())
    })
}

fn count(claimed: *const arpflux_claimed, at: usize, which: impl FnOnce(&MacReport) -> u32) -> u32 {
    of(claimed, 0, |claimed: &Claimed| claimed.address.macs.get(at).map_or(0, which))
}

/// How many replies of the MAC at a place said that the address is there; 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_claimed_reply_count(claimed: *const arpflux_claimed, at: usize) -> u32 {
    count(claimed, at, |mac| mac.replies)
}

/// How many requests of the MAC at a place carried the address as sender; 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_claimed_request_count(claimed: *const arpflux_claimed, at: usize) -> u32 {
    count(claimed, at, |mac| mac.requests)
}

/// How often the MAC at a place announced the address; 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_claimed_announcement_count(
    claimed: *const arpflux_claimed,
    at: usize,
) -> u32 {
    count(claimed, at, |mac| mac.announcements)
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
        guard(err, ptr::null_mut(), || {
            Ok(string::give(&json::object(&handle::get::<Owned>(report)?.report)?))
        })
    }
}

/// A picture (SVG) of who claimed which address when.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_to_svg(
    report: *const arpflux_capture_report,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || Ok(string::give(&handle::get::<Owned>(report)?.report.timeline())))
    }
}

/// Frees a report, and with it all that was borrowed from it. NULL and reports already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_free(report: *mut arpflux_capture_report) {
    getter((), || {
        handle::free::<Owned>(report);
        Some(())
    });
}
