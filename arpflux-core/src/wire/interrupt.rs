//! Ctrl-C, the request to end and a terminal that is gone as a [`Stop`], for runs that undo or end in order.

use std::sync::OnceLock;

use nix::libc;

use crate::error::{Error, Result};
use crate::stop::Stop;

static STOP: OnceLock<Stop> = OnceLock::new();

extern "C" fn note(_signal: libc::c_int) {
    // Both are one atomic access, which a handler may do.
    if let Some(stop) = STOP.get() {
        stop.raise();
    }
}

/// From now on SIGINT, SIGTERM and SIGHUP no longer end this process, but raise the flag given back; it is the
/// same at every call. What was ignored (`nohup`) stays ignored.
///
/// For programs, not for libraries inside of others: it changes the disposition of the process.
///
/// # Errors
/// Those of `sigaction`.
pub fn stop_on_interrupt() -> Result<Stop> {
    let stop = STOP.get_or_init(Stop::default);
    // SAFETY: all zeros is a valid value of this plain structure.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = note as extern "C" fn(libc::c_int) as libc::sighandler_t;
    for (signal, name) in [(libc::SIGINT, "SIGINT"), (libc::SIGTERM, "SIGTERM"), (libc::SIGHUP, "SIGHUP")] {
        let mut former = action;
        // SAFETY: the handler does nothing but what is said there.
        let failed = unsafe {
            libc::sigaction(signal, std::ptr::null(), &raw mut former) < 0
                || former.sa_sigaction != libc::SIG_IGN
                    && libc::sigaction(signal, &raw const action, std::ptr::null_mut()) < 0
        };
        if failed {
            return Err(Error::io("catch", name, &std::io::Error::last_os_error()));
        }
    }
    Ok(stop.clone())
}
