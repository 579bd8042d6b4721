//! Makes a plan so, as one transaction: all of it, or nothing of it.
//!
//! ```text
//! lock ─> settle what a crash left ─> snapshot ─> check the plan against it ─> journal (synced)
//!      ─> make, in batches ─> read again and check ─> receipt ─> unlock ─> tell the peers
//! ```
//!
//! Whatever fails, everything done so far is taken back, the last first, and both failures are told.
//! Whatever kills the process, the journal says what may have been done: the next run of any verb that
//! changes something, or `recover`, ends with exactly the state before or exactly the state after.
//!
//! With [`Confirm::Within`] a process of its own, which outlives the terminal and the caller, takes
//! everything back unless the confirmation comes in time. It is forked from the caller and never
//! executes another program, so that it works wherever the library is loaded. It holds descriptors of
//! the namespace and of its state folder, and nothing else of the caller's. What it cannot survive:
//! `SIGKILL` to itself, for instance when a service manager kills a whole control group. Whatever runs
//! next in the namespace then undoes what has not been confirmed in time.
//!
//! Files of the host's managers ([`crate::persist`]) belong to the transaction: they are written after
//! the kernel's state was checked, on trial only when it is confirmed, and taken back with the rest.
//!
//! What is not restored, because no kernel interface shows or sets it: whether a sysctl counts as
//! "never set individually" (`net/ipv4/devinet.c`, `ipv4_devconf_setall`), and whether the tables
//! `local` and `main` were ever split (`net/ipv4/fib_frontend.c`, `fib_unmerge`). Proxy entries are
//! always put back permanent.

mod access;
mod check;
mod confirm;
pub(crate) mod fault;
mod files;
mod history;
mod host;
mod journal;
mod keep;
pub(crate) mod lock;
mod net;
mod owners;
mod proxy;
mod receipt;
mod recover;
mod rollback;
mod stale;
pub(crate) mod store;
#[cfg(test)]
mod tests;
mod transaction;
mod undo;
mod watcher;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use access::{Access, Others};
pub use confirm::{confirm, pending};
pub use host::Applied;
pub use proxy::{AddProxies, add_proxies, remove_proxies};
pub use receipt::{Conflict, Maker, Outcome, Receipt};
pub use recover::{Recovered, recover};
pub use store::DEFAULT as DEFAULT_STATE_DIR;
pub use transaction::{Announce, Persist, Transaction};
pub use watcher::Reopen;

use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Kernel;
use crate::stop::Stop;

/// When a change counts as kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Confirm {
    /// At once.
    #[default]
    Now,
    /// When it is confirmed within this time, counted from the moment everything is made and checked;
    /// otherwise it is undone. 1 s to 24 h. Time asleep counts; setting the clock does not matter.
    Within(Duration),
}

/// How a transaction is run.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// When it counts as kept.
    pub confirm: Confirm,
    /// The folder that holds the state of all namespaces, an absolute path without symbolic links.
    ///
    /// `None`: what the variable `ARPFLUX_STATE_DIR` names, or `/run/arpflux`; where this user may not write there, `$XDG_RUNTIME_DIR/arpflux`.
    /// Users who change the same namespace have to name the same folder, or they do not see each other.
    pub state_dir: Option<PathBuf>,
    /// How long to wait for another writer. Default 10 s.
    pub lock_wait: Duration,
    /// Ends that wait, with [`ErrorKind::Interrupted`], and undoes a change of which not every step is made yet,
    /// with [`ErrorKind::RolledBack`]. After the last step it is finished.
    pub stop: Stop,
    /// Who makes it. `rollback` without a number takes back what persons made.
    pub by: Maker,
    /// Whether to do it even if an address loses its last answer, or a neighbour or container its way
    /// ([`harm`](crate::harm)); without, [`ErrorKind::Refused`].
    pub accept_harm: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            confirm: Confirm::default(),
            state_dir: None,
            lock_wait: Duration::from_secs(10),
            stop: Stop::default(),
            by: Maker::default(),
            accept_harm: false,
        }
    }
}

impl From<Confirm> for Options {
    fn from(confirm: Confirm) -> Self {
        Self { confirm, ..Self::default() }
    }
}

impl From<&Options> for Options {
    fn from(options: &Options) -> Self {
        options.clone()
    }
}

impl Options {
    setters!(confirm: Confirm, lock_wait: Duration, stop: Stop, by: Maker, accept_harm: bool);

    /// With this folder for the state.
    #[must_use]
    pub fn state_dir(mut self, path: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(path.into());
        self
    }

    fn check(&self) -> Result<()> {
        match self.confirm {
            Confirm::Within(time) if !(1..=86_400).contains(&time.as_secs()) => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("{} s is not between 1 s and 24 h", time.as_secs_f64()),
            )
            .during("apply")
            .on("time for confirmation")
            .hint("30 s is usual")),
            _ => Ok(()),
        }
    }
}

/// The folder in which transactions of this namespace are written down; made if it is missing.
///
/// # Errors
/// If it cannot be used.
pub(crate) fn state_folder(kernel: &mut dyn Kernel, options: &Options) -> Result<std::path::PathBuf> {
    let netns = kernel.identity()?;
    Ok(store::Folder::state(options.state_dir.as_deref())?.namespace(&netns)?.path_of(""))
}

/// The finished transactions of this namespace since then (seconds since 1970), the newest first.
///
/// # Errors
/// If the state folder cannot be used.
pub(crate) fn recent(kernel: &mut dyn Kernel, options: &Options, since: u64) -> Result<Vec<Receipt>> {
    let netns = kernel.identity()?;
    let folder = store::Folder::state(options.state_dir.as_deref())?.namespace(&netns)?;
    history::recent(&folder, &netns, since)
}

/// Says, as long as the lock is held, that a watch heals this namespace.
///
/// # Errors
/// [`ErrorKind::Busy`] names the one that does already.
pub(crate) fn claim_watch(kernel: &mut dyn Kernel, options: &Options) -> Result<lock::Lock> {
    let netns = kernel.identity()?;
    let folder = store::Folder::state(options.state_dir.as_deref())?.namespace(&netns)?;
    let what = "a watch heals this namespace";
    lock::Lock::named(&folder, "watch", what, Duration::ZERO, &options.stop)
}
