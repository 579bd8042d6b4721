//! Who has these addresses: asked on the wire.

use std::ffi::{CString, c_char, c_void};
use std::ops::ControlFlow;
use std::ptr;
use std::time::Duration;

use arpflux_core::wire::Port;
use arpflux_core::wire::probe::{self, Judgement, Options, Probed, Probes, Progress};
use arpflux_core::{Error, ErrorKind, Result};

use crate::args;
use crate::boundary::{getter, guard};
use crate::callback::Context;
use crate::error::arpflux_error;
use crate::handle::{self, Handle};
use crate::host::{self, arpflux_host};
use crate::ip::arpflux_ip;
use crate::options::{self, Sized0};
use crate::stop::{self, arpflux_stop};
use crate::string;

/// How to ask. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_probe_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// The interface to ask on; NULL: the one with an address on the first target's subnet.
    pub interface: *const c_char,
    /// How often an address that stays silent is asked, up to 10; 0: twice.
    pub tries: u32,
    /// How long an address may take to answer, in ms, up to 60,000; 0: 1000. Below 800 late proxies are missed.
    pub wait_ms: u32,
    /// Requests per second, up to 10,000,000; 0: 10,000.
    pub rate: u32,
    /// Not 0: does not find out which MACs only proxy the address, which takes a second question to each.
    pub any_holder: u32,
    /// Ends the wait for answers when it is raised; may be NULL.
    pub stop: *const arpflux_stop,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_probe_options {}

/// What came of addresses that were asked for. It never changes; free it with `arpflux_probes_free`.
pub struct arpflux_probes {
    _private: [u8; 0],
}

/// What the answers for one address mean.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_judgement {
    /// There is no such address.
    Unknown = 0,
    /// Nobody answered.
    Silent = 1,
    /// One MAC.
    One = 2,
    /// Several MACs that answer for other addresses too: one host with several interfaces.
    Flux = 3,
    /// One MAC holds it, others proxy it.
    Proxied = 4,
    /// Several MACs: two hosts with one address, or one host of which no other address was asked for.
    Several = 5,
}

/// Is told how far it is: `done` of `total` addresses have been asked for; and, where `mac` is not NULL, that this MAC answered
/// for `address` for the first time. `context` is as it was given. Returns whether to go on. Runs on a thread of the library
/// while the caller waits, and must neither throw nor jump out.
pub type arpflux_progress_fn = Option<
    unsafe extern "C" fn(
        done: usize,
        total: usize,
        address: arpflux_ip,
        mac: *const c_char,
        context: *mut c_void,
    ) -> bool,
>;

struct Owned {
    probes: Probes,
    macs: Vec<Vec<CString>>,
}

impl Handle for Owned {
    type C = arpflux_probes;
    const NAME: &'static str = "arpflux_probes";
}

/// Asks who has addresses, as any peer would, and waits for late answers: at least `wait_ms`. `targets` is a list of `count` texts,
/// each an IPv4 or IPv6 address, a prefix (`192.168.18.0/24`) or a range (`192.168.18.10-192.168.18.20`). `options` and `tell` may be
/// NULL. If `tell` ends it, what was found so far is returned.
///
/// Returns probes to be freed with `arpflux_probes_free`, or NULL and sets `*err`: `ARPFLUX_CODE_PERMISSION_DENIED`
/// without `CAP_NET_RAW`, `ARPFLUX_CODE_RACED` if replies came faster than they could be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_probe(
    host: *const arpflux_host,
    targets: *const *const c_char,
    count: usize,
    options: *const arpflux_probe_options,
    tell: arpflux_progress_fn,
    context: *mut c_void,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_probes {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let host = handle::get::<host::Owned>(host)?;
            let targets = probe::targets(&args::texts(targets, count, "targets")?)?;
            let first = *targets.first().ok_or_else(|| {
                Error::new(ErrorKind::InvalidInput, "there is no address to ask for").during("probe")
            })?;
            let given = options::read_or_default(options, "options")?;
            let interface = args::optional_if_name(given.interface, "options.interface")?;
            let tries = args::bounded(given.tries, 2, 10, "options.tries")?;
            let options = Options::default()
                .tries(u8::try_from(tries).unwrap_or(2))
                .wait(Duration::from_millis(
                    args::bounded(given.wait_ms, 1000, 60_000, "options.wait_ms")?.into(),
                ))
                .rate(args::bounded(given.rate, 10_000, 10_000_000, "options.rate")?)
                .tell_proxies(given.any_holder == 0);
            let stop = stop::read(given.stop)?;
            let context = Context::new(context);
            let total = targets.len();
            let (port, probed) = host.0.namespace().run(|| -> Result<_> {
                let port = match &interface {
                    Some(name) => Port::named(name)?,
                    None => Port::towards(first)?,
                };
                let mut asked = 0;
                let probed = probe::run(&port, &targets, options, |progress| {
                    if stop.is_raised() {
                        return ControlFlow::Break(());
                    }
                    let Some(tell) = tell else { return ControlFlow::Continue(()) };
                    let (address, mac) = match progress {
                        Progress::Asked { done, .. } => {
                            asked = done;
                            (arpflux_ip::NONE, None)
                        }
                        Progress::Answer { target, mac } => (target.into(), Some(mac)),
                    };
                    let mac = mac.map(|mac| string::c_string(&mac.to_string()));
                    let mac = mac.as_ref().map_or(ptr::null(), |mac| mac.as_ptr());
                    match tell(asked, total, address, mac, context.get()) {
                        true => ControlFlow::Continue(()),
                        false => ControlFlow::Break(()),
                    }
                })?;
                stop.check()?;
                Ok((port, probed))
            })??;
            let macs = |one: &Probed| {
                one.replies.iter().map(|reply| string::c_string(&reply.mac.to_string())).collect()
            };
            let macs = probed.iter().map(macs).collect();
            Ok(handle::give(Owned { probes: Probes::new(&port, &probed), macs }))
        })
    }
}

/// How many addresses there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_probes_count(probes: *const arpflux_probes) -> usize {
    getter(0, || Some(handle::find::<Owned>(probes)?.probes.addresses.len()))
}

/// The address at a place, from 0; of family 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_probes_address_at(probes: *const arpflux_probes, at: usize) -> arpflux_ip {
    getter(arpflux_ip::NONE, || Some(handle::find::<Owned>(probes)?.probes.addresses.get(at)?.target.into()))
}

/// What the answers for the address at a place mean; `ARPFLUX_JUDGEMENT_UNKNOWN` beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_probes_judgement_at(
    probes: *const arpflux_probes,
    at: usize,
) -> arpflux_judgement {
    getter(arpflux_judgement::Unknown, || {
        Some(match handle::find::<Owned>(probes)?.probes.addresses.get(at)?.verdict {
            Judgement::Silent => arpflux_judgement::Silent,
            Judgement::One => arpflux_judgement::One,
            Judgement::Flux => arpflux_judgement::Flux,
            Judgement::Proxied => arpflux_judgement::Proxied,
            Judgement::Several => arpflux_judgement::Several,
        })
    })
}

/// How many MACs answered for the address at a place; 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_probes_reply_count(probes: *const arpflux_probes, at: usize) -> usize {
    getter(0, || Some(handle::find::<Owned>(probes)?.macs.get(at)?.len()))
}

/// A MAC that answered for the address at a place, in the order of their first replies. Borrowed from the probes; NULL beyond
/// the last of either.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_probes_reply_mac(
    probes: *const arpflux_probes,
    at: usize,
    reply_at: usize,
) -> *const c_char {
    handle::text_at(probes, reply_at, |owned: &Owned| owned.macs.get(at).map_or(&[][..], Vec::as_slice))
}

/// The probes as one JSON object with `"schema": 1`.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_probes_to_json(
    probes: *const arpflux_probes,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || Ok(string::give(&handle::get::<Owned>(probes)?.probes.to_json()?)))
    }
}

/// Frees probes, and with them all that was borrowed from them. NULL and probes already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_probes_free(probes: *mut arpflux_probes) {
    handle::free::<Owned>(probes);
}
