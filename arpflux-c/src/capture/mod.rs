//! Which addresses have several MACs, out of captures and live frames.

pub mod report;

use std::ffi::{c_char, c_void};
use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ::arpflux_capture::{Capture, Until};
use arpflux_core::frame::Timestamp;
use arpflux_core::types::Mac;
use arpflux_core::{Error, ErrorKind, Result};

use self::report::arpflux_capture_report;
use crate::args;
use crate::boundary::guard;
use crate::callback::Context;
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::host::{self, arpflux_host};
use crate::options::{self, Sized0};
use crate::snapshot::{self, arpflux_snapshot};
use crate::stop::{self, arpflux_stop};

/// Collects who claimed which address, out of files, streams and frames; free it with `arpflux_capture_free`. It grows to about
/// 100 MiB at most, whatever the captures hold. Calls on one capture wait for each other.
pub struct arpflux_capture {
    _private: [u8; 0],
}

struct Owned(Mutex<Capture>);

impl Handle for Owned {
    type C = arpflux_capture;
    const NAME: &'static str = "arpflux_capture";
}

impl Owned {
    fn capture(&self) -> MutexGuard<'_, Capture> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, bytes: impl Read, name: &str) -> Result<()> {
        self.capture().read(name, bytes)
    }
}

/// An empty capture.
///
/// Returns a capture to be freed with `arpflux_capture_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_new(err: *mut *mut arpflux_error) -> *mut arpflux_capture {
    // SAFETY: `err` is as the conventions say.
    unsafe { guard(err, ptr::null_mut(), || Ok(handle::give(Owned(Mutex::new(Capture::new()))))) }
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
            owned.capture().know_host(macs);
            Ok(true)
        })
    }
}

/// Gives the state of a host of that wire: its MACs are one host's, and the report says of each of its answers, under
/// `explained`, whether the model of the kernel gives it, and why. Before anything is read. `snapshot` may be freed afterwards.
///
/// Returns true, or false and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_know_snapshot(
    capture: *mut arpflux_capture,
    snapshot: *const arpflux_snapshot,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, false, || {
            let owned = handle::get::<Owned>(capture)?;
            let given = handle::get::<snapshot::Owned>(snapshot)?;
            owned.capture().know_snapshot(given.snapshot.clone())?;
            Ok(true)
        })
    }
}

/// Reads a file: pcap or pcapng in all their variants, either of them compressed with gzip, zstd, xz or lz4, or what tcpdump printed.
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
            let file = File::open(path).map_err(|error| Error::file("open", path, &error))?;
            owned.read(file, &name)?;
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
            owned.capture().observe_ethernet(Timestamp(time_ns), frame);
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
    /// Ends it when it is raised; may be NULL. What was heard until then is in the capture.
    pub stop: *const arpflux_stop,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_listen_options {}

/// Is told, several times a second, how many frames were taken. Returns whether to go on. `context` is as it was given. Runs on
/// a thread of the library while the caller waits, and must neither throw nor jump out.
pub type arpflux_listen_fn = Option<unsafe extern "C" fn(frames: u64, context: *mut c_void) -> bool>;

/// Takes ARP frames from an interface into a capture, and notes the host's own MACs as one host's. `options` and `tell` may be
/// NULL, but one of them has to end it.
///
/// Returns true, or false and sets `*err`: `ARPFLUX_CODE_INVALID_INPUT` if nothing would end it,
/// `ARPFLUX_CODE_PERMISSION_DENIED` without `CAP_NET_RAW`. Frames that came too fast and were lost are told in the report.
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
            if options.duration_ms == 0 && options.frames == 0 && tell.is_none() && options.stop.is_null() {
                return Err(Error::new(ErrorKind::InvalidInput, "nothing would end it")
                    .during("listen")
                    .hint("give a duration, a number of frames, a function or a flag"));
            }
            let stop = stop::read(options.stop)?;
            let until = Until::new(
                (options.duration_ms > 0).then(|| Duration::from_millis(options.duration_ms)),
                (options.frames > 0).then_some(options.frames),
            );
            let context = Context::new(context);
            host.0.namespace().run(|| {
                owned.capture().listen(&interface, until, |frames| match tell {
                    _ if stop.is_raised() => ControlFlow::Break(()),
                    Some(tell) if !tell(frames, context.get()) => ControlFlow::Break(()),
                    Some(_) | None => ControlFlow::Continue(()),
                })
            })??;
            stop.check()?;
            Ok(true)
        })
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
            let report = owned.capture().report();
            Ok(report::give(report))
        })
    }
}

/// Frees a capture. NULL and captures already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_capture_free(capture: *mut arpflux_capture) {
    handle::free::<Owned>(capture);
}
