//! Telling a wire where addresses are.

use std::ffi::c_char;
use std::time::Duration;

use arpflux_core::types::IpNet;
use arpflux_core::wire::announce::Options;
use arpflux_core::{Error, ErrorKind, Result};

use crate::args;
use crate::boundary::guard;
use crate::error::arpflux_error;
use crate::handle;
use crate::host::{self, arpflux_host};
use crate::ip::arpflux_ip;
use crate::options::{self, Sized0};
use crate::stop::{self, arpflux_stop};

/// How to announce. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_announce_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// How often each address is announced, up to 100; 0: twice.
    pub rounds: u32,
    /// The time between rounds, in ms, up to 600,000; 0: 1100. Below 1000 a receiver may ignore the second.
    pub spacing_ms: u32,
    /// Not 0: no gratuitous requests.
    pub no_request: u32,
    /// Not 0: no gratuitous replies.
    pub no_reply: u32,
    /// Prefixes (`10.0.0.0/8`) whose addresses are never announced; may be NULL.
    pub never: *const *const c_char,
    /// How many prefixes `never` has.
    pub never_count: usize,
    /// Ends the wait between two rounds when it is raised; may be NULL.
    pub stop: *const arpflux_stop,
    /// Not 0: announce even what another interface of the host holds or proxies.
    pub anyway: u32,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_announce_options {}

/// Tells everybody on the wire that addresses are at one interface: gratuitous ARP in request and reply form, for IPv6
/// unsolicited neighbour advertisements. Takes until the last round, 1.1 s by default. The addresses need not be on the interface,
/// and no sysctl is touched; what another interface of the host holds or proxies is refused. `options` and `frames` may be NULL.
///
/// Writes the number of frames sent to `*frames` and returns true, or returns false and sets `*err`:
/// `ARPFLUX_CODE_REFUSED` if another interface is the owner or nothing is left to announce, `ARPFLUX_CODE_PERMISSION_DENIED` without
/// `CAP_NET_RAW`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_announce(
    host: *const arpflux_host,
    interface: *const c_char,
    addresses: *const arpflux_ip,
    count: usize,
    options: *const arpflux_announce_options,
    frames: *mut usize,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, false, || {
            let host = handle::get::<host::Owned>(host)?;
            let interface = args::if_name(interface, "interface")?;
            let addresses = args::addresses(addresses, count, "addresses")?;
            let given = options::read_or_default(options, "options")?;
            let never = args::texts(given.never, given.never_count, "options.never")?;
            let never = never.iter().map(|text| {
                text.parse::<IpNet>().map_err(|error| {
                    Error::new(ErrorKind::InvalidInput, error.to_string())
                        .during("read prefix")
                        .on(format!("{text:?}"))
                        .hint("write it as 10.0.0.0/8")
                })
            });
            let stop = stop::read(given.stop)?;
            let rounds = args::bounded(given.rounds, 2, 100, "options.rounds")?;
            let spacing = args::bounded(given.spacing_ms, 1100, 600_000, "options.spacing_ms")?;
            let options = Options::default()
                .rounds(u8::try_from(rounds).unwrap_or(2))
                .spacing(Duration::from_millis(spacing.into()))
                .request(given.no_request == 0)
                .reply(given.no_reply == 0)
                .never(never.collect::<Result<Vec<_>>>()?)
                .anyway(given.anyway != 0);
            let told = host.0.announce(&interface, &addresses, &options, &stop)?;
            if !frames.is_null() {
                frames.write(told.frames);
            }
            Ok(true)
        })
    }
}
