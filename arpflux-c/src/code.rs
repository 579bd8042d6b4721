//! The classes of failure. Written by `cargo xtask gen` from `arpflux_core::ErrorKind`: do not edit.

use arpflux_core::ErrorKind;

/// What class of failure an error is. Numbers never change their meaning; later versions may add some.
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_code {
    /// No error.
    Ok = 0,
    /// A value is malformed or out of range: an address, an interface name, an option.
    InvalidInput = 1,
    /// A policy file is not valid.
    InvalidPolicy = 2,
    /// A stored snapshot, receipt or journal cannot be read, or is of a version this build does not know.
    InvalidData = 3,
    /// The policy asks for something that would not work on this host, and says why.
    Refused = 4,
    /// No such interface, namespace, file or entry.
    NotFound = 20,
    /// The interface, entry or value is no longer what it was when the plan was made.
    Changed = 21,
    /// The kernel has no such sysctl, or does not support the operation.
    Unsupported = 22,
    /// A capability is missing.
    PermissionDenied = 23,
    /// Another writer holds the lock of this namespace.
    Busy = 24,
    /// Nothing came within the time allowed.
    TimedOut = 25,
    /// The kernel's dumps kept being interrupted by changes.
    Raced = 26,
    /// Stopped by a signal or by the caller.
    Interrupted = 27,
    /// Another owner of this host has the address, or has booked it.
    InUse = 28,
    /// Any other system call failure.
    Io = 40,
    /// Applying failed; everything already done was undone.
    RolledBack = 41,
    /// Applying failed and undoing failed too; the error lists what is left.
    PartlyApplied = 42,
    /// Verification found that the host is not as the policy says.
    VerifyFailed = 43,
    /// Nothing is known to be wrong, and something that decides could not be read or understood.
    Undetermined = 44,
    /// A defect of arpflux: please report it.
    Internal = 60,
}

impl From<ErrorKind> for arpflux_code {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::InvalidInput => Self::InvalidInput,
            ErrorKind::InvalidPolicy => Self::InvalidPolicy,
            ErrorKind::InvalidData => Self::InvalidData,
            ErrorKind::Refused => Self::Refused,
            ErrorKind::NotFound => Self::NotFound,
            ErrorKind::Changed => Self::Changed,
            ErrorKind::Unsupported => Self::Unsupported,
            ErrorKind::PermissionDenied => Self::PermissionDenied,
            ErrorKind::Busy => Self::Busy,
            ErrorKind::TimedOut => Self::TimedOut,
            ErrorKind::Raced => Self::Raced,
            ErrorKind::Interrupted => Self::Interrupted,
            ErrorKind::InUse => Self::InUse,
            ErrorKind::Io => Self::Io,
            ErrorKind::RolledBack => Self::RolledBack,
            ErrorKind::PartlyApplied => Self::PartlyApplied,
            ErrorKind::VerifyFailed => Self::VerifyFailed,
            ErrorKind::Undetermined => Self::Undetermined,
            ErrorKind::Internal => Self::Internal,
            // `ErrorKind` may grow; `cargo xtask gen --check` then fails until this file does too.
            _ => Self::Internal,
        }
    }
}
