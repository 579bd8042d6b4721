//! Whether somebody else has addresses already.

use std::ffi::{CString, c_char};
use std::ptr;
use std::time::Duration;

use arpflux_core::Result;
use arpflux_core::wire::detect::{self, Detected, Detection, Options};
use arpflux_core::wire::probe;

use crate::args;
use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::host::{self, arpflux_host};
use crate::ip::arpflux_ip;
use crate::judgement::arpflux_judged;
use crate::options::{self, Sized0};
use crate::stop::{self, arpflux_stop};
use crate::string;

/// How to look. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_detect_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// The names of the interfaces to ask on; NULL: each address on every Ethernet interface that is up and holds an address of its family. A list
    /// without a name is `ARPFLUX_CODE_NOT_FOUND`.
    pub interfaces: *const *const c_char,
    /// How many `interfaces` are named.
    pub interface_count: usize,
    /// How often to ask, up to 10; 0: twice.
    pub rounds: u32,
    /// The time from one round to the next, in ms, up to 60,000; 0: 500.
    pub spacing_ms: u32,
    /// How long to listen after the last round, in ms, up to 60,000; 0: 1000. Below 800 late proxies are missed.
    pub wait_ms: u32,
    /// Ends the wait when it is raised; may be NULL.
    pub stop: *const arpflux_stop,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_detect_options {}

/// What was found out about addresses, one record for each address on each interface. It never changes; free it with
/// `arpflux_detection_free`.
pub struct arpflux_detection {
    _private: [u8; 0],
}

/// How somebody else came to notice.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_holder {
    /// There is nobody.
    None = 0,
    /// It asks for the address as one does before taking it.
    Probing = 1,
    /// It answers for the address in the place of somebody else.
    Proxies = 2,
    /// It has the address.
    Holds = 3,
}

struct Owned {
    detection: Detection,
    interfaces: Vec<CString>,
    conflicts: Vec<Vec<CString>>,
}

impl Handle for Owned {
    type C = arpflux_detection;
    const NAME: &'static str = "arpflux_detection";
}

/// Finds out whether somebody else has addresses already, before they are used here: for IPv4 as RFC 5227 says, and with a sender
/// of the interface's own as well, which alone is answered for addresses that another host proxies; for IPv6 as RFC 4862 says. This host's own interfaces are
/// never blamed. `targets` is a list of `count` texts, each an address, a prefix or a range. `options` may be NULL. Takes 1.5 s with
/// the defaults, for any number of addresses and interfaces.
///
/// Returns a detection to be freed with `arpflux_detection_free`, or NULL and sets `*err`: `ARPFLUX_CODE_NOT_FOUND` if there is
/// no interface to ask on, `ARPFLUX_CODE_PERMISSION_DENIED` without `CAP_NET_RAW`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_detect(
    host: *const arpflux_host,
    targets: *const *const c_char,
    count: usize,
    options: *const arpflux_detect_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_detection {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let host = handle::get::<host::Owned>(host)?;
            let targets = probe::targets(&args::texts(targets, count, "targets")?)?;
            let given = options::read_or_default(options, "options")?;
            let names = args::optional_list(given.interfaces, given.interface_count, "options.interfaces")?;
            let name = |name: &*const c_char| args::if_name(*name, "options.interfaces");
            let names = names.map(|names| names.iter().map(name).collect::<Result<Vec<_>>>()).transpose()?;
            let stop = stop::read(given.stop)?;
            let rounds = args::bounded(given.rounds, 2, 10, "options.rounds")?;
            let ms = |value, default, name| {
                args::bounded(value, default, 60_000, name).map(|ms| Duration::from_millis(ms.into()))
            };
            let options = Options::default()
                .rounds(u8::try_from(rounds).unwrap_or(2))
                .spacing(ms(given.spacing_ms, 500, "options.spacing_ms")?)
                .wait(ms(given.wait_ms, 1000, "options.wait_ms")?);
            let found = host.0.namespace().run(|| -> Result<_> {
                detect::run_on(&detect::places(names.as_deref(), &targets)?, options, &stop)
            })??;
            Ok(give(found))
        })
    }
}

/// A detection for C to keep.
pub(crate) fn give(found: Vec<Detected>) -> *mut arpflux_detection {
    let macs = |one: &Detected| {
        one.conflicts.iter().map(|conflict| string::c_string(&conflict.mac.to_string())).collect()
    };
    handle::give(Owned {
        interfaces: found.iter().map(|one| string::c_name(&one.interface)).collect(),
        conflicts: found.iter().map(macs).collect(),
        detection: Detection::new(found),
    })
}

/// Good if nobody else has any of the addresses, bad if somebody has; undetermined for NULL, and where nothing was asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_detection_judged(detection: *const arpflux_detection) -> arpflux_judged {
    getter(arpflux_judged::Undetermined, || {
        Some(match handle::find::<Owned>(detection)?.detection.free {
            None => arpflux_judged::Undetermined,
            Some(true) => arpflux_judged::Good,
            Some(false) => arpflux_judged::Bad,
        })
    })
}

/// How many records there are: one for each address on each interface; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_detection_count(detection: *const arpflux_detection) -> usize {
    getter(0, || Some(handle::find::<Owned>(detection)?.detection.addresses.len()))
}

/// The address at a place, from 0; of family 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_detection_address_at(
    detection: *const arpflux_detection,
    at: usize,
) -> arpflux_ip {
    getter(arpflux_ip::NONE, || {
        Some(handle::find::<Owned>(detection)?.detection.addresses.get(at)?.address.into())
    })
}

/// The name of the interface that the address at a place was asked for on. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_detection_interface_at(
    detection: *const arpflux_detection,
    at: usize,
) -> *const c_char {
    handle::text_at(detection, at, |owned: &Owned| &owned.interfaces)
}

/// How many others have the address at a place; 0 if it is free, or beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_detection_conflict_count(
    detection: *const arpflux_detection,
    at: usize,
) -> usize {
    getter(0, || Some(handle::find::<Owned>(detection)?.detection.addresses.get(at)?.conflicts.len()))
}

/// The MAC of another one that has the address at a place. Borrowed; NULL beyond the last of either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_detection_conflict_mac(
    detection: *const arpflux_detection,
    at: usize,
    conflict_at: usize,
) -> *const c_char {
    handle::text_at(detection, conflict_at, |owned: &Owned| {
        owned.conflicts.get(at).map_or(&[][..], |macs| macs)
    })
}

/// The detection as one JSON object with `"schema": 1`, as `arpflux detect --json` prints it.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_detection_to_json(
    detection: *const arpflux_detection,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            Ok(string::give(&handle::get::<Owned>(detection)?.detection.to_json()?))
        })
    }
}

/// Frees a detection. NULL and detections already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_detection_free(detection: *mut arpflux_detection) {
    handle::free::<Owned>(detection);
}
