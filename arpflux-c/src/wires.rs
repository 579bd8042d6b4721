//! Which interfaces share a wire, found out by frames.

use std::ffi::{CString, c_char};
use std::ptr;
use std::time::Duration;

use arpflux_core::wire::segments::{self, Options, Segments};
use arpflux_core::{Result, json};

use crate::args;
use crate::boundary::{getter, guard};
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::host::{self, arpflux_host};
use crate::options::{self, Sized0};
use crate::string;

/// How wires are looked for. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_wires_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// How many frames each interface sends, up to 10; 0: one.
    pub rounds: u32,
    /// How long to listen after each round, in ms, up to 60,000; 0: 300.
    pub wait_ms: u32,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_wires_options {}

/// Which interfaces share a wire. It never changes; free it with `arpflux_wires_free`.
pub struct arpflux_wires {
    _private: [u8; 0],
}

/// Wires given to C.
pub(crate) struct Owned {
    pub(crate) found: Segments,
    wires: Vec<Vec<CString>>,
    unconnected: Vec<CString>,
}

impl Handle for Owned {
    type C = arpflux_wires;
    const NAME: &'static str = "arpflux_wires";
}

/// Finds out which of `count` interfaces of the host share a wire, by a frame from each that the others hear. The frame teaches nobody
/// anything. `interfaces` may be NULL: all Ethernet interfaces that take ARP requests. `options` may be NULL.
///
/// Returns wires to be freed with `arpflux_wires_free`, or NULL and sets `*err`: `ARPFLUX_CODE_PERMISSION_DENIED` without
/// `CAP_NET_RAW`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_find_wires(
    host: *const arpflux_host,
    interfaces: *const *const c_char,
    count: usize,
    options: *const arpflux_wires_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_wires {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let host = handle::get::<host::Owned>(host)?;
            let names = args::list(interfaces, count, "interfaces")?;
            let names =
                names.iter().map(|name| args::if_name(*name, "interfaces")).collect::<Result<Vec<_>>>()?;
            let given = options::read_or_default(options, "options")?;
            let mut options = Options::default();
            if let Ok(rounds) = u8::try_from(args::bounded(given.rounds, 0, 10, "options.rounds")?)
                && rounds != 0
            {
                options.rounds = rounds;
            }
            if given.wait_ms != 0 {
                let wait = args::bounded(given.wait_ms, 0, 60_000, "options.wait_ms")?;
                options.wait = Duration::from_millis(wait.into());
            }
            let found = segments::find(&host.0, &names, options)?;
            let texts = |names: &[arpflux_core::types::IfName]| names.iter().map(string::c_name).collect();
            Ok(handle::give(Owned {
                wires: found.wires.wires().iter().map(|wire| texts(wire)).collect(),
                unconnected: texts(&found.unconnected),
                found,
            }))
        })
    }
}

/// How many wires there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_wires_count(wires: *const arpflux_wires) -> usize {
    getter(0, || Some(handle::find::<Owned>(wires)?.wires.len()))
}

/// How many interfaces are on the wire at a place, from 0; 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_wires_interface_count(wires: *const arpflux_wires, at: usize) -> usize {
    getter(0, || Some(handle::find::<Owned>(wires)?.wires.get(at)?.len()))
}

/// An interface of the wire at a place, by its name. Borrowed; NULL beyond the last of either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_wires_interface_at(
    wires: *const arpflux_wires,
    at: usize,
    interface_at: usize,
) -> *const c_char {
    handle::text_at(wires, interface_at, |owned: &Owned| owned.wires.get(at).map_or(&[][..], |wire| wire))
}

/// How many interfaces have no connection, so that nothing is said of them; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_wires_unconnected_count(wires: *const arpflux_wires) -> usize {
    getter(0, || Some(handle::find::<Owned>(wires)?.unconnected.len()))
}

/// An interface without a connection, at a place from 0. Borrowed; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_wires_unconnected_at(
    wires: *const arpflux_wires,
    at: usize,
) -> *const c_char {
    handle::text_at(wires, at, |owned: &Owned| &owned.unconnected)
}

/// The wires as one JSON object with `"schema": 1`, as `arpflux segments --json` prints them.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_wires_to_json(
    wires: *const arpflux_wires,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || Ok(string::give(&json::object(&handle::get::<Owned>(wires)?.found)?)))
    }
}

/// Frees wires. NULL and wires already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_wires_free(wires: *mut arpflux_wires) {
    getter((), || {
        handle::free::<Owned>(wires);
        Some(())
    });
}
