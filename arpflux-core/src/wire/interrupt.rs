//! Ctrl-C and the request to end as a flag, for runs that end with what they have so far.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::libc;

use crate::error::{Error, Result};
use crate::stop::Stop;

/// How often the flag of [`stop_on_interrupt`] follows.
const SLICE: Duration = Duration::from_millis(20);

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_signal: libc::c_int) {
    INTERRUPTED.store(true, Ordering::Relaxed);
}

/// From now on the first SIGINT and the first SIGTERM of this process are only noted; a second one ends it
/// as usual.
///
/// For programs, not for libraries inside of others: it changes the disposition of the process.
///
/// # Errors
/// Those of `sigaction`.
pub fn catch_interrupt() -> Result<()> {
    // SAFETY: all zeros is a valid value of this plain structure.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = note as extern "C" fn(libc::c_int) as libc::sighandler_t;
    action.sa_flags = libc::SA_RESETHAND;
    for (signal, name) in [(libc::SIGINT, "SIGINT"), (libc::SIGTERM, "SIGTERM")] {
        // SAFETY: the handler does nothing but store into an atomic.
        if unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) } < 0 {
            return Err(Error::io("catch", name, &std::io::Error::last_os_error()));
        }
    }
    Ok(())
}

/// Whether a SIGINT or SIGTERM was noted since [`catch_interrupt`].
#[must_use]
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// [`catch_interrupt`], and a flag that is raised within 20 ms of the signal, for what is ended by a [`Stop`].
///
/// A thread follows the signal from now on, as long as the process lives.
///
/// # Errors
/// Those of `sigaction` and of starting a thread.
pub fn stop_on_interrupt() -> Result<Stop> {
    catch_interrupt()?;
    let stop = Stop::default();
    let raised = stop.clone();
    let follow = move || {
        while !interrupted() {
            std::thread::sleep(SLICE);
        }
        raised.raise();
    };
    std::thread::Builder::new()
        .name("interrupt".into())
        .spawn(follow)
        .map_err(|error| Error::io("start", "the thread that follows signals", &error))?;
    Ok(stop)
}
