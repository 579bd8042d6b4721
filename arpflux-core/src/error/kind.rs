//! The classes of failures, and their numbers.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::{Error, Result};

/// What class of failure an [`Error`] is. Numbers are stable; retired ones are never given out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename_all = "snake_case"))]
#[non_exhaustive]
#[repr(u32)]
pub enum ErrorKind {
    // 1..=19: the caller's input.
    /// A value is malformed or out of range: an address, an interface name, an option.
    InvalidInput = 1,
    /// A policy file is not valid.
    InvalidPolicy = 2,
    /// A stored snapshot, receipt or journal cannot be read, or is of a version this build does not know.
    InvalidData = 3,
    /// The policy asks for something that would not work on this host, and says why.
    Refused = 4,
    // 20..=39: the host.
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
    // 40..=59: operations.
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
    // 60: us.
    /// A defect of arpflux: please report it.
    Internal = 60,
}

impl ErrorKind {
    /// Every kind, in the order of its number.
    pub const ALL: &'static [ErrorKind] = &[
        Self::InvalidInput,
        Self::InvalidPolicy,
        Self::InvalidData,
        Self::Refused,
        Self::NotFound,
        Self::Changed,
        Self::Unsupported,
        Self::PermissionDenied,
        Self::Busy,
        Self::TimedOut,
        Self::Raced,
        Self::Interrupted,
        Self::InUse,
        Self::Io,
        Self::RolledBack,
        Self::PartlyApplied,
        Self::VerifyFailed,
        Self::Undetermined,
        Self::Internal,
    ];

    /// The stable number of this kind, from 1 up; 0 is never used.
    #[must_use]
    pub const fn code(self) -> u32 {
        self as u32
    }

    /// The stable name of this kind, in `snake_case`, as JSON prints it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::InvalidPolicy => "invalid_policy",
            Self::InvalidData => "invalid_data",
            Self::Refused => "refused",
            Self::NotFound => "not_found",
            Self::Changed => "changed",
            Self::Unsupported => "unsupported",
            Self::PermissionDenied => "permission_denied",
            Self::Busy => "busy",
            Self::TimedOut => "timed_out",
            Self::Raced => "raced",
            Self::Interrupted => "interrupted",
            Self::InUse => "in_use",
            Self::Io => "io",
            Self::RolledBack => "rolled_back",
            Self::PartlyApplied => "partly_applied",
            Self::VerifyFailed => "verify_failed",
            Self::Undetermined => "undetermined",
            Self::Internal => "internal",
        }
    }

    /// The exit code of a verb of the command that changes the host and ended with this: see
    /// [`crate::exit::Exit::of_error`].
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        crate::exit::Exit::of_error(self, true).code()
    }

    /// Whether the same call may succeed if it is made again.
    #[must_use]
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Busy | Self::TimedOut | Self::Raced | Self::Interrupted)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ErrorKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == text).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "not the name of a class of failure").on(format!("{text:?}"))
        })
    }
}

impl Serialize for ErrorKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
