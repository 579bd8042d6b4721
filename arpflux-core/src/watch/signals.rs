//! Requests by signal: read the policy again, say what is so.

use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::error::{Error, Result};

/// What somebody asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// To read the policy again (SIGHUP).
    Reload,
    /// To say what is so now (SIGUSR1, SIGUSR2).
    Report,
}

/// Signals as a descriptor that is readable when one came.
#[derive(Debug)]
pub struct Signals(SignalFd);

impl Signals {
    /// From now on SIGHUP, SIGUSR1 and SIGUSR2 no longer end this process but are [read](Signals::read). For programs,
    /// before they start threads: it blocks the signals in the calling thread and in those that it starts.
    ///
    /// # Errors
    /// If no more files can be opened.
    pub fn new() -> Result<Self> {
        let failed = |errno: nix::Error| Error::os("catch", "signals", errno as i32);
        let signals = SigSet::from_iter([Signal::SIGHUP, Signal::SIGUSR1, Signal::SIGUSR2]);
        signals.thread_block().map_err(failed)?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        SignalFd::with_flags(&signals, flags).map(Self).map_err(failed)
    }

    /// What was asked for since the last call, each once. Does not wait.
    #[must_use]
    pub fn read(&self) -> Vec<Request> {
        let mut requests = Vec::new();
        while let Ok(Some(signal)) = self.0.read_signal() {
            let request = match i32::try_from(signal.ssi_signo) {
                Ok(nix::libc::SIGHUP) => Request::Reload,
                _ => Request::Report,
            };
            if !requests.contains(&request) {
                requests.push(request);
            }
        }
        requests
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
