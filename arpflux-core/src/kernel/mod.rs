//! The only door to the running kernel.
//!
//! [`Kernel`] is what the stages above need of it; [`Netns`] names a namespace and runs code inside
//! it without moving the caller's thread.

mod netns;

pub use netns::Netns;

use crate::error::{Error, Result};
use crate::plan::Change;
use crate::snapshot::{NetnsIdentity, Snapshot};

/// How far [`Kernel::make`] came when a change failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The place in the list of the change that failed; all before it were made, it and all after it were not.
    pub at: usize,
    /// Why.
    pub error: Error,
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

    /// Reads everything, consistently.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Raced`] if the kernel's dumps kept being interrupted, and any failure to read.
    fn snapshot(&mut self) -> Result<Snapshot>;

    /// Makes `changes` in order and stops at the first that fails.
    ///
    /// A change whose effect is already there fails with [`crate::ErrorKind::Changed`] where the kernel
    /// tells (rules, routes); proxy entries and sysctls are simply set.
    ///
    /// # Errors
    /// [`Failed`] says which change failed and why.
    fn make(&mut self, changes: &[Change]) -> Result<(), Failed>;
}
