//! Which addresses have several MACs, out of captures and live frames.

use std::cell::Cell;
use std::ffi::{CString, c_char, c_int, c_void};
use std::fs::File;
use std::io::Read;
use std::mem::ManuallyDrop;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::os::fd::FromRawFd as _;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arpflux_core::capture::{
    AddressReport, Certainty, Class, Known, Limits, MacReport, Report, Source, Table,
};
use arpflux_core::frame::Timestamp;
use arpflux_core::types::Mac;
use arpflux_core::wire::{Filter, Port, Received, Ring, own_macs};
use arpflux_core::{Error, ErrorKind, Result};

use crate::args;
use crate::boundary::{getter, guard};
use crate::callback::Context;
use crate::error::arpflux_error;
use crate::handle::{self, Handle, Lent, of};
use crate::host::{self, arpflux_host};
use crate::ip::arpflux_ip;
use crate::options::{self, Sized0};
use crate::string;

/// Collects who claimed which address, out of files, streams and frames; free it with `arpflux_capture_free`. It grows to about
/// 100 MiB at most, whatever the captures hold. Calls on one capture wait for each other.
pub struct arpflux_capture {
    _private: [u8; 0],
}

struct Owned(Mutex<State>);

struct State {
    table: Table,
    known: Known,
    dated: bool,
}

impl Handle for Owned {
    type C = arpflux_capture;
    const NAME: &'static str = "arpflux_capture";
}

impl Owned {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, bytes: impl Read, name: &str) -> Result<()> {
        let placed = |error: Error| {
            let place = if error.object().is_empty() {
                name.to_string()
            } else {
                format!("{name} {}", error.object())
            };
            error.on(place)
        };
        let mut source = Source::new(bytes).map_err(placed)?;
        let mut state = self.state();
        let result = source.read_into(&mut state.table);
        state.dated &= source.is_dated();
        result.map_err(placed)
    }
}

/// An empty capture.
///
/// Returns a capture to be freed with `arpflux_capture_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_new(err: *mut *mut arpflux_error) -> *mut arpflux_capture {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let table = Table::new(Limits::default());
            Ok(handle::give(Owned(Mutex::new(State { table, known: Known::default(), dated: true }))))
        })
    }
}

/// Says that MACs are one host's, which lets the report call its flux proved. `macs` is a list of `count` texts.
///
/// Returns true, or false and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_know_host(
    capture: *mut arpflux_capture,
    macs: *const *const c_char,
    count: usize,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, false, || {
            let owned = handle::get::<Owned>(capture)?;
            let macs = args::texts(macs, count, "macs")?;
            let macs = macs.iter().map(|text| text.parse::<Mac>()).collect::<Result<Vec<_>>>()?;
            owned.state().known.hosts.push(macs);
            Ok(true)
        })
    }
}

/// Reads a file: pcap or pcapng in all their variants, either of them compressed with gzip, or what tcpdump printed.
///
/// Returns true, or false and sets `*err`: `ARPFLUX_CODE_INVALID_DATA` if it is no capture, or damaged; what came before the
/// damage was read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_read_path(
    capture: *mut arpflux_capture,
    path: *const c_char,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, false, || {
            let owned = handle::get::<Owned>(capture)?;
            let path = args::path(path, "path")?;
            let name = path.display().to_string();
            let file = File::open(path).map_err(|error| Error::io("open", &name, &error))?;
            owned.read(file, &name)?;
            Ok(true)
        })
    }
}

/// The same from an open file descriptor, to its end; it stays open.
///
/// Returns true, or false and sets `*err`, as `arpflux_capture_read_path`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_read_fd(
    capture: *mut arpflux_capture,
    fd: c_int,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, false, || {
            let owned = handle::get::<Owned>(capture)?;
            if fd < 0 {
                return Err(Error::new(ErrorKind::InvalidInput, format!("{fd} is no file descriptor"))
                    .during("call with argument")
                    .on("fd"));
            }
            // Borrowed: never dropped, so never closed. A number that is not open fails when it is read.
            let file = ManuallyDrop::new(File::from_raw_fd(fd));
            owned.read(&*file, &format!("descriptor {fd}"))?;
            Ok(true)
        })
    }
}

/// The same from bytes in memory.
///
/// Returns true, or false and sets `*err`, as `arpflux_capture_read_path`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_read_bytes(
    capture: *mut arpflux_capture,
    bytes: *const u8,
    length: usize,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, false, || {
            let owned = handle::get::<Owned>(capture)?;
            owned.read(args::list(bytes, length, "bytes")?, "bytes")?;
            Ok(true)
        })
    }
}

/// Takes one Ethernet frame, as a packet socket receives it, seen at `time_ns` nanoseconds since 1970.
///
/// Returns true, or false and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_feed(
    capture: *mut arpflux_capture,
    time_ns: u64,
    frame: *const u8,
    length: usize,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, false, || {
            let owned = handle::get::<Owned>(capture)?;
            let frame = args::list(frame, length, "frame")?;
            owned.state().table.observe_ethernet(Timestamp(time_ns), frame);
            Ok(true)
        })
    }
}

/// How to listen. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_listen_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// How long to listen, in ms; 0: until `tell` ends it.
    pub duration_ms: u64,
    /// How many frames to take; 0: any number.
    pub frames: u64,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_listen_options {}

/// Is told, several times a second, how many frames were taken. Returns whether to go on. `context` is as it was given. Runs on
/// a thread of the library while the caller waits, and must neither throw nor jump out.
pub type arpflux_listen_fn = Option<unsafe extern "C" fn(frames: u64, context: *mut c_void) -> bool>;

/// How often a listener's caller is asked whether to go on.
const TURN: Duration = Duration::from_millis(100);

/// Takes ARP frames from an interface into a capture, and notes the host's own MACs as one host's. `options` and `tell` may be
/// NULL, but one of them has to end it.
///
/// Returns true, or false and sets `*err`: `ARPFLUX_CODE_INVALID_INPUT` if nothing would end it,
/// `ARPFLUX_CODE_RACED` if frames came too fast and were lost, `ARPFLUX_CODE_PERMISSION_DENIED` without
/// `CAP_NET_RAW`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_listen(
    host: *const arpflux_host,
    interface: *const c_char,
    capture: *mut arpflux_capture,
    options: *const arpflux_listen_options,
    tell: arpflux_listen_fn,
    context: *mut c_void,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, false, || {
            let host = handle::get::<host::Owned>(host)?;
            let owned = handle::get::<Owned>(capture)?;
            let interface = args::if_name(interface, "interface")?;
            let options = options::read_or_default(options, "options")?;
            if options.duration_ms == 0 && options.frames == 0 && tell.is_none() {
                return Err(Error::new(ErrorKind::InvalidInput, "nothing would end it")
                    .during("listen")
                    .hint("give a duration, a number of frames or a function"));
            }
            let most = if options.frames == 0 { u64::MAX } else { options.frames };
            let forever = Duration::from_secs(u64::from(u32::MAX));
            let length = match options.duration_ms {
                0 => forever,
                ms => Duration::from_millis(ms).min(forever),
            };
            let context = Context::new(context);
            host.0.namespace().run(|| -> Result<_> {
                let own = own_macs()?;
                let mut ring = Ring::open(Port::named(&interface)?.index, Filter::Arp)?;
                let mut state = owned.state();
                state.known.hosts.push(own);
                let end = Instant::now() + length;
                let frames = Cell::new(0);
                let table = &mut state.table;
                let mut take = |received: Received<'_>| {
                    table.observe_ethernet(received.at, received.frame);
                    frames.set(frames.get() + 1);
                    if frames.get() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                };
                let mut full = false;
                loop {
                    let now = Instant::now();
                    full = full || ring.read((now + TURN).min(end), &mut take)?;
                    if full || now >= end {
                        break;
                    }
                    if tell.is_some_and(|tell| !tell(frames.get(), context.get())) {
                        break;
                    }
                }
                if !full {
                    ring.read_until(Instant::now() + Ring::LAG, &mut take)?;
                }
                table.settle();
                match ring.dropped() {
                    0 => Ok(()),
                    lost => Err(Error::new(
                        ErrorKind::Raced,
                        format!("{lost} frames came too fast and were lost; the others were taken"),
                    )
                    .during("listen")
                    .on(interface.to_string())),
                }
            })??;
            Ok(true)
        })
    }
}

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
    /// Several MACs claim it, and the frames do not show why. No finding.
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

struct OwnedReport {
    report: Report,
    addresses: Vec<Claimed>,
}

impl Handle for OwnedReport {
    type C = arpflux_capture_report;
    const NAME: &'static str = "arpflux_capture_report";
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

/// What the capture shows so far.
///
/// Returns a report to be freed with `arpflux_capture_report_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_judge(
    capture: *mut arpflux_capture,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_capture_report {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let owned = handle::get::<Owned>(capture)?;
            let mut state = owned.state();
            state.table.settle();
            let mut report = state.table.report(&state.known);
            if !state.dated {
                report.start = None;
            }
            let addresses = report.addresses.iter().map(Claimed::new).collect();
            Ok(handle::give(OwnedReport { report, addresses }))
        })
    }
}

/// Frees a capture. NULL and captures already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_free(capture: *mut arpflux_capture) {
    getter((), || {
        handle::free::<Owned>(capture);
        Some(())
    });
}

/// Whether something should be done about any address: flux, duplicates, suspected spoofing, a host in conflict with itself.
/// False for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_is_bad(report: *const arpflux_capture_report) -> bool {
    getter(false, || Some(handle::find::<OwnedReport>(report)?.report.is_bad()))
}

/// How many ARP requests were seen; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_request_count(report: *const arpflux_capture_report) -> u64 {
    getter(0, || Some(handle::find::<OwnedReport>(report)?.report.requests))
}

/// How many ARP replies were seen; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_reply_count(report: *const arpflux_capture_report) -> u64 {
    getter(0, || Some(handle::find::<OwnedReport>(report)?.report.replies))
}

/// How many claims found no room: beyond 0, the report is not complete.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_dropped_count(report: *const arpflux_capture_report) -> u64 {
    getter(0, || Some(handle::find::<OwnedReport>(report)?.report.dropped))
}

/// How many addresses somebody claimed; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_count(report: *const arpflux_capture_report) -> usize {
    getter(0, || Some(handle::find::<OwnedReport>(report)?.addresses.len()))
}

/// The address at a place, from 0: the worst come first, then by number. Borrowed from the report; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_at(
    report: *const arpflux_capture_report,
    at: usize,
) -> *const arpflux_claimed {
    handle::lend(report, |owned: &OwnedReport| &owned.addresses, at)
}

/// The address; of family 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_claimed_address(claimed: *const arpflux_claimed) -> arpflux_ip {
    of(claimed, arpflux_ip::NONE, |claimed: &Claimed| IpAddr::V4(claimed.address.address).into())
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
            Ok(string::give(&string::json_object(&handle::get::<OwnedReport>(report)?.report)?))
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
        guard(err, ptr::null_mut(), || {
            Ok(string::give(&handle::get::<OwnedReport>(report)?.report.timeline()))
        })
    }
}

/// Frees a report, and with it all that was borrowed from it. NULL and reports already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_report_free(report: *mut arpflux_capture_report) {
    getter((), || {
        handle::free::<OwnedReport>(report);
        Some(())
    });
}
