//! The only door to the running kernel.
//!
//! [`Kernel`] is what the stages above need of it; [`Netns`] names a namespace and runs code inside
//! it without moving the caller's thread.

mod decode;
#[cfg(test)]
mod fake;
mod linux;
pub(crate) mod netlink;
mod netns;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod uapi;

#[cfg(test)]
pub(crate) use fake::FakeKernel;
pub use linux::LinuxKernel;
pub use netns::Netns;

use crate::error::{Error, Result};
use crate::snapshot::{NetnsIdentity, Snapshot};
use crate::state::Change;

/// How far [`Kernel::make`] came when a change failed.
///
/// All changes before `at` were made. Of the rest only those in `beyond` were made, or may have been:
/// proxy entries are sent to the kernel many at a time, and it goes on after one that it refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The place in the list of the first change that failed, or whose outcome is not known.
    pub at: usize,
    /// Places from `at` on, rising, whose changes were made all the same, or may have been because the
    /// kernel's answer was lost. Taking them back must accept that there may be nothing to take back.
    pub beyond: Vec<usize>,
    /// Why.
    pub error: Error,
}

impl Failed {
    /// Those of `changes` that were made all the same.
    pub(crate) fn made(&self, changes: &[Change]) -> Vec<Change> {
        let beyond = self.beyond.iter().filter_map(|place| changes.get(*place));
        changes.iter().take(self.at).chain(beyond).cloned().collect()
    }

    /// The same with places counted in a longer list, in which the shorter one begins at `start`.
    pub(crate) fn from(self, start: usize) -> Self {
        let beyond = self.beyond.into_iter().map(|place| start + place).collect();
        Self { at: start + self.at, beyond, error: self.error }
    }
}

/// One namespace of a running kernel, or something that behaves like one.
pub trait Kernel {
    /// Which namespace this is, without reading the rest where that is possible.
    ///
    /// # Errors
    /// As [`Kernel::snapshot`].
    fn identity(&mut self) -> Result<NetnsIdentity> {
        self.snapshot().map(|snapshot| snapshot.netns)
    }

    /// Whether this process may change anything here, asked without changing anything.
    ///
    /// # Errors
    /// [`crate::ErrorKind::PermissionDenied`].
    fn may_change(&mut self) -> Result<()> {
        Ok(())
    }

    /// Reads everything, consistently.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Raced`] if the kernel's dumps kept being interrupted, and any failure to read.
    fn snapshot(&mut self) -> Result<Snapshot>;

    /// A snapshot of now, where since `before` was taken here nothing has changed but rules and routes, of which the
    /// kernel tells: the rest need not be read again.
    ///
    /// # Errors
    /// As [`Kernel::snapshot`].
    fn snapshot_after(&mut self, before: &Snapshot) -> Result<Snapshot> {
        let _ = before;
        self.snapshot()
    }

    /// Makes `changes` in order and stops at the first that fails; a run of like changes of proxy
    /// entries may be carried out beyond it, as [`Failed::beyond`] says. It never goes on to a change of another
    /// kind, nor from adding to removing.
    ///
    /// A change whose effect is already there fails with [`crate::ErrorKind::Changed`] where the kernel
    /// tells (rules, routes); proxy entries and sysctls are simply set.
    ///
    /// # Errors
    /// [`Failed`] says which change failed and why.
    fn make(&mut self, changes: &[Change]) -> Result<(), Failed>;
}
