//! Which interfaces share a wire, found out by frames.

use std::ffi::c_char;
use std::ptr;
use std::time::Duration;

use arpflux_core::wire::segments::{self, Options};
use arpflux_core::{Result, json};

use crate::args;
use crate::boundary::guard;
use crate::error::arpflux_error;
use crate::handle;
use crate::host::{self, arpflux_host};
use crate::options::{self, Sized0};
use crate::stop::{self, arpflux_stop};
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
    /// Ends the wait when it is raised; may be NULL.
    pub stop: *const arpflux_stop,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_wires_options {}

/// Finds out which of `count` interfaces of the host share a wire, by a frame from each that the others hear. The frame teaches nobody
/// anything. `interfaces` may be NULL: all Ethernet interfaces that take ARP requests; an empty list is refused. `options` may be NULL.
///
/// Returns one JSON object with `"schema": 1`, as `arpflux segments --json` prints it, a text to be freed with
/// `arpflux_string_free`; or NULL and sets `*err`: `ARPFLUX_CODE_PERMISSION_DENIED` without `CAP_NET_RAW`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_wires_to_json(
    host: *const arpflux_host,
    interfaces: *const *const c_char,
    count: usize,
    options: *const arpflux_wires_options,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let host = handle::get::<host::Owned>(host)?;
            let names = args::some_or_all(interfaces, count, "interfaces")?;
            let names =
                names.iter().map(|name| args::if_name(*name, "interfaces")).collect::<Result<Vec<_>>>()?;
            let given = options::read_or_default(options, "options")?;
            let stop = stop::read(given.stop)?;
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
            Ok(string::give(&json::object(&segments::find_until(&host.0, &names, options, &stop)?)?))
        })
    }
}
