//! Keeping a policy: from a loop of its own, or from the caller's.

use std::ffi::{CString, c_char, c_int, c_void};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arpflux_core::watch::{Cause, Drift, Options, Outcome, Watcher};
use arpflux_core::{Error, ErrorKind, Result, Stop, json};

use crate::apply::{self, arpflux_apply_options};
use crate::args;
use crate::boundary::{getter, guard, null};
use crate::change::{self, arpflux_change};
use crate::error::arpflux_error;
use crate::handle::{self, Handle, Lent, of};
use crate::host::{self, arpflux_host};
use crate::options::{self, Sized0};
use crate::policy::{self, arpflux_policy};
use crate::stop::{self, Slot, arpflux_stop};
use crate::string;

/// Watches one namespace for one policy; free it with `arpflux_watch_free`. Calls on one watch wait for each other.
pub struct arpflux_watch {
    _private: [u8; 0],
}

/// The host was found to be otherwise than the policy says. Borrowed: it lives until the function that it was handed to returns.
pub struct arpflux_drift {
    _private: [u8; 0],
}

/// How to watch. All 0 (besides `size`), or NULL instead of the struct, asks for the defaults.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct arpflux_watch_options {
    /// `sizeof` of this struct.
    pub size: usize,
    /// Not 0: puts right what drifts, each time as a transaction; else it is only told.
    pub heal: u32,
    /// The longest time between two looks at everything, in ms, 100 at least; 0: 5000. It is for what the kernel sends no news of.
    pub look_ms: u32,
    /// How a repair is run; NULL: the defaults. `confirm_within_ms` has no meaning here.
    pub apply: *const arpflux_apply_options,
    /// The shortest time between two looks at the proxy entries, of which the kernel sends no news, in ms, up to 2000; 0: 20. It is all
    /// that a quiet host costs: with 2000 the watch wakes up less than once a second. Where the policy says nothing of entries and
    /// nothing is published, they are looked at as seldom as `look_ms` says.
    pub proxy_ms: u32,
}

// SAFETY: `repr(C)`, begins with its size, and NULL and 0 are values of its members.
unsafe impl Sized0 for arpflux_watch_options {}

/// What made the watch look.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_cause {
    /// There is no drift.
    Unknown = 0,
    /// The watch began.
    Start = 1,
    /// Somebody wrote a sysctl.
    Sysctl = 2,
    /// The kernel told of an interface, address, route or rule.
    Event = 3,
    /// The list of proxy entries was another one.
    Proxies = 4,
    /// The regular look at everything.
    Poll = 5,
    /// There is a new policy.
    Policy = 6,
    /// The kernel lost events, so everything was looked at.
    Lost = 7,
    /// Somebody asked for it.
    Asked = 8,
}

/// What became of a drift.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_remedy {
    /// There is no drift.
    Unknown = 0,
    /// Only told.
    Reported = 1,
    /// Put right.
    Healed = 2,
    /// It could not be put right.
    Failed = 3,
    /// The policy cannot be kept on the host as it is now.
    Impossible = 4,
    /// The policy can be kept again.
    Possible = 5,
    /// What was told is as the policy says again, by somebody else's hand: clear the alarm.
    Recovered = 6,
    /// Somebody else changes it again and again: it is put right with pauses, and told once a minute.
    Contested = 7,
    /// Somebody else's transaction is in the way: what it changes is put right afterwards, all else meanwhile.
    Waiting = 8,
    /// Repairs are made, and cannot be written down in the state folder: nothing can take them back.
    Unrecorded = 9,
    /// Addresses are not answered for as the policy says, and nothing that the policy may change puts that right.
    Misanswered = 10,
    /// Whether addresses are answered for as the policy says cannot be told.
    Undetermined = 11,
    /// The watch ends: only in lines of the command.
    Ended = 12,
}

/// Is handed one drift, and `context` as it was given. Returns whether to go on with the next one. Runs on the calling thread, with
/// nothing locked: it may call anything, also on this watch. It must neither throw nor jump out.
pub type arpflux_drift_fn =
    Option<unsafe extern "C" fn(drift: *const arpflux_drift, context: *mut c_void) -> bool>;

struct Owned {
    fd: c_int,
    watcher: Mutex<Watcher>,
}

impl Handle for Owned {
    type C = arpflux_watch;
    const NAME: &'static str = "arpflux_watch";
}

impl Owned {
    fn watcher(&self) -> MutexGuard<'_, Watcher> {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Begins to watch. Nothing is done before the first `arpflux_watch_step` or `arpflux_watch_wait`, which looks at everything.
/// `options` may be NULL.
///
/// Returns a watch to be freed with `arpflux_watch_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_host_watch(
    host: *const arpflux_host,
    policy: *const arpflux_policy,
    options: *const arpflux_watch_options,
    err: *mut *mut arpflux_error,
) -> *mut arpflux_watch {
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let host = handle::get::<host::Owned>(host)?;
            let policy = handle::get::<policy::Owned>(policy)?;
            let given = options::read_or_default(options, "options")?;
            let mut options = Options::default().heal(given.heal != 0);
            if given.look_ms != 0 {
                options.look = Duration::from_millis(given.look_ms.into());
            }
            options.apply = apply::read(given.apply)?;
            // The watch outlives this call; each wait has a flag of its own.
            options.apply.stop = options.apply.stop.without_signal();
            let proxy_ms = args::bounded(given.proxy_ms, 20, 2000, "options.proxy_ms")?;
            options.proxy_poll = Duration::from_millis(proxy_ms.into());
            let watcher = Watcher::new(&host.0, policy.0.clone(), options)?;
            let fd = watcher.as_fd().as_raw_fd();
            Ok(handle::give(Owned { fd, watcher: Mutex::new(watcher) }))
        })
    }
}

/// A file descriptor that is readable when `arpflux_watch_step` has something to do: for poll(2), epoll(7) and the event loops made of
/// them. It belongs to the watch; do not read or close it. -1 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_watch_fd(watch: *const arpflux_watch) -> c_int {
    getter(-1, || Some(handle::find::<Owned>(watch)?.fd))
}

/// Does what is to be done now, without waiting, and hands each drift to `each` (which may be NULL). To be called when the descriptor is
/// readable.
///
/// Returns true, or false and sets `*err` if the kernel can no longer be asked: the namespace itself, or memory, is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_watch_step(
    watch: *mut arpflux_watch,
    each: arpflux_drift_fn,
    context: *mut c_void,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: all pointers are as the conventions say.
    unsafe { run(watch, each, context, err, Watcher::step) }
}

/// Waits for news up to `timeout_ms` (-1: without end) and does what is to be done; hands each drift to `each` (which may be NULL). Comes
/// back with the first drift, when the time is over, or when a handler of the calling thread ran. `stop` may be NULL.
///
/// Returns true, or false and sets `*err`, as `arpflux_watch_step`; `ARPFLUX_CODE_INTERRUPTED` once `stop` was raised, or when a handler
/// ran and `arpflux_stop_at_signals` was asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_watch_wait(
    watch: *mut arpflux_watch,
    timeout_ms: i64,
    stop: *const arpflux_stop,
    each: arpflux_drift_fn,
    context: *mut c_void,
    err: *mut *mut arpflux_error,
) -> bool {
    let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    // SAFETY: all pointers are as the conventions say.
    unsafe {
        run(watch, each, context, err, |watcher| {
            if timeout.is_none() && timeout_ms != -1 {
                return Err(Error::new(ErrorKind::InvalidInput, "it is -1, or 0 and more")
                    .during("call with argument")
                    .on("timeout_ms"));
            }
            let slot = stop::slot(stop)?;
            let stop = slot.map_or_else(Stop::default, Slot::stop);
            let drifts = watcher.wait_unless(timeout, slot.map(|slot| slot.event().as_fd()))?;
            if drifts.is_empty() {
                stop.check()?;
            }
            Ok(drifts)
        })
    }
}

/// Lets the watch do something, and hands on what it found.
///
/// # Safety
/// `err` is NULL or may be written; `each` may be called with `context`.
unsafe fn run(
    watch: *mut arpflux_watch,
    each: arpflux_drift_fn,
    context: *mut c_void,
    err: *mut *mut arpflux_error,
    what: impl FnOnce(&mut Watcher) -> Result<Vec<Drift>>,
) -> bool {
    // SAFETY: the caller says so.
    unsafe {
        guard(err, false, || {
            let owned = handle::get::<Owned>(watch)?;
            // The lock is given back before anybody is called.
            let drifts = what(&mut owned.watcher())?;
            if let Some(each) = each {
                for drift in drifts {
                    let record = Record::new(drift);
                    if !each(ptr::from_ref(&record).cast(), context) {
                        break;
                    }
                }
            }
            Ok(true)
        })
    }
}

/// Watches for another policy from now on; the next step looks at everything.
///
/// Returns true, or false and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_watch_set_policy(
    watch: *mut arpflux_watch,
    policy: *const arpflux_policy,
    err: *mut *mut arpflux_error,
) -> bool {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, false, || {
            let owned = handle::get::<Owned>(watch)?;
            let policy = handle::get::<policy::Owned>(policy).map_err(|error| match policy.is_null() {
                true => null("policy"),
                false => error,
            })?;
            owned.watcher().set_policy(policy.0.clone())?;
            Ok(true)
        })
    }
}

/// Ends a watch, and closes its descriptor once no other thread is in a call on it. NULL and watches already freed are left alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_watch_free(watch: *mut arpflux_watch) {
    handle::free::<Owned>(watch);
}

struct Record {
    drift: Drift,
    text: CString,
    error: Option<CString>,
    changes: Vec<change::Record>,
}

impl Lent for Record {
    type C = arpflux_drift;
}

impl Record {
    fn new(drift: Drift) -> Self {
        Self {
            text: string::c_string(&drift.to_string()),
            error: drift.outcome.error().map(|error| string::c_string(&error.to_string())),
            changes: change::records(&drift.changes, &drift.interfaces),
            drift,
        }
    }
}

/// What made the watch look; `ARPFLUX_CAUSE_UNKNOWN` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_drift_cause(drift: *const arpflux_drift) -> arpflux_cause {
    of(drift, arpflux_cause::Unknown, |record: &Record| match record.drift.cause {
        Cause::Start => arpflux_cause::Start,
        Cause::Sysctl => arpflux_cause::Sysctl,
        Cause::Event => arpflux_cause::Event,
        Cause::Proxies => arpflux_cause::Proxies,
        Cause::Poll => arpflux_cause::Poll,
        Cause::Policy => arpflux_cause::Policy,
        Cause::Lost => arpflux_cause::Lost,
        Cause::Asked => arpflux_cause::Asked,
    })
}

/// What became of it; `ARPFLUX_REMEDY_UNKNOWN` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_drift_remedy(drift: *const arpflux_drift) -> arpflux_remedy {
    of(drift, arpflux_remedy::Unknown, |record: &Record| match record.drift.outcome {
        Outcome::Reported => arpflux_remedy::Reported,
        Outcome::Healed => arpflux_remedy::Healed,
        Outcome::Failed { .. } => arpflux_remedy::Failed,
        Outcome::Impossible { .. } => arpflux_remedy::Impossible,
        Outcome::Possible => arpflux_remedy::Possible,
        Outcome::Recovered => arpflux_remedy::Recovered,
        Outcome::Contested { .. } => arpflux_remedy::Contested,
        Outcome::Waiting { .. } => arpflux_remedy::Waiting,
        Outcome::Unrecorded { .. } => arpflux_remedy::Unrecorded,
        Outcome::Misanswered { .. } => arpflux_remedy::Misanswered,
        Outcome::Undetermined { .. } => arpflux_remedy::Undetermined,
        Outcome::Ended { .. } => arpflux_remedy::Ended,
        Outcome::Asked { .. } => arpflux_remedy::Unknown,
    })
}

/// Why it could not be put right, or the policy cannot be kept, as one line. Borrowed; NULL where nothing failed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_drift_error(drift: *const arpflux_drift) -> *const c_char {
    of(drift, ptr::null(), |record: &Record| record.error.as_ref().map_or(ptr::null(), |text| text.as_ptr()))
}

/// All of it for people, a line and one more for each change. Borrowed; NULL for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_drift_text(drift: *const arpflux_drift) -> *const c_char {
    of(drift, ptr::null(), |record: &Record| record.text.as_ptr())
}

/// All of it as one JSON object with `"schema": 1`.
///
/// Returns a text to be freed with `arpflux_string_free`, or NULL and sets `*err`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_drift_to_json(
    drift: *const arpflux_drift,
    err: *mut *mut arpflux_error,
) -> *mut c_char {
    // SAFETY: `err` is as the conventions say.
    unsafe {
        guard(err, ptr::null_mut(), || {
            let json = of(drift, None, |record: &Record| Some(json::object(&record.drift)));
            Ok(string::give(&json.ok_or_else(|| null("drift"))??))
        })
    }
}

/// How many changes it takes to put it right; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_drift_change_count(drift: *const arpflux_drift) -> usize {
    of(drift, 0, |record: &Record| record.changes.len())
}

/// The change at a place, from 0: its `before` is what was found, its `after` what the policy says. Borrowed from the drift; NULL beyond
/// the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_drift_change_at(
    drift: *const arpflux_drift,
    at: usize,
) -> *const arpflux_change {
    of(drift, ptr::null(), |record: &Record| {
        record.changes.get(at).map_or(ptr::null(), |change| ptr::from_ref(change).cast())
    })
}
