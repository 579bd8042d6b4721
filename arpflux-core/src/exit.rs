//! The exit codes of the command, in one table.

use crate::error::ErrorKind;
use crate::judgement::Judgement;

/// How a verb ended. The number is its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Exit {
    /// It is as it should be, or was done.
    Good = 0,
    /// The answer is bad.
    Bad = 1,
    /// A wrong argument, a file that is not what it should be, or something that is not there.
    Usage = 2,
    /// A capability or a right is missing.
    NotPermitted = 3,
    /// It was tried, failed, and everything is as it was.
    Restored = 4,
    /// It was tried, failed, and something is left.
    NotRestored = 5,
    /// Nothing bad is known, and something that decides could not be read or understood.
    Undetermined = 6,
    /// Another writer, or a change on trial, is in the way: nothing was tried.
    Busy = 7,
    /// The network namespace that was watched is gone.
    Gone = 8,
}

impl Exit {
    /// All of them, in the order of their numbers.
    pub const ALL: &'static [Exit] = &[
        Self::Good,
        Self::Bad,
        Self::Usage,
        Self::NotPermitted,
        Self::Restored,
        Self::NotRestored,
        Self::Undetermined,
        Self::Busy,
        Self::Gone,
    ];

    /// The exit code.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it says, for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "the answer is bad (findings, flux, verification failed)",
            Self::Usage => "usage or a bad file",
            Self::NotPermitted => "not permitted",
            Self::Restored => "failed and restored",
            Self::NotRestored => "failed and NOT fully restored",
            Self::Undetermined => "cannot be told (the last line says what could not be read, and how to)",
            Self::Gone => "the network namespace that was watched is gone",
            Self::Busy => "busy: another writer or a change on trial is in the way, nothing was tried",
        }
    }
}

impl Exit {
    /// How a verb ended whose answer is good or bad; `None`: that cannot be told.
    #[must_use]
    pub const fn of_answer(good: Option<bool>) -> Self {
        match good {
            Some(true) => Self::Good,
            Some(false) => Self::Bad,
            None => Self::Undetermined,
        }
    }

    /// How a verb ended with an error of this kind. `changes`: it is one that changes the host; it failed before
    /// the first change then, as an error of a transaction that had begun is [`ErrorKind::RolledBack`] or
    /// [`ErrorKind::PartlyApplied`].
    #[must_use]
    pub const fn of_error(kind: ErrorKind, changes: bool) -> Self {
        match kind {
            ErrorKind::VerifyFailed | ErrorKind::InUse => Self::Bad,
            ErrorKind::InvalidInput
            | ErrorKind::InvalidPolicy
            | ErrorKind::InvalidData
            | ErrorKind::Refused
            | ErrorKind::NotFound
            | ErrorKind::Unsupported => Self::Usage,
            ErrorKind::PermissionDenied => Self::NotPermitted,
            ErrorKind::RolledBack => Self::Restored,
            ErrorKind::PartlyApplied => Self::NotRestored,
            ErrorKind::Undetermined => Self::Undetermined,
            ErrorKind::Busy | ErrorKind::Changed => Self::Busy,
            // What a verb that only asks did not get to know.
            ErrorKind::Io | ErrorKind::TimedOut | ErrorKind::Internal if changes => Self::Restored,
            ErrorKind::Raced if changes => Self::Busy,
            // By a signal, and what had been made for it was taken away.
            ErrorKind::Interrupted => Self::Restored,
            ErrorKind::Io | ErrorKind::TimedOut | ErrorKind::Internal | ErrorKind::Raced => {
                Self::Undetermined
            }
        }
    }
}

impl From<&Judgement> for Exit {
    fn from(judgement: &Judgement) -> Self {
        Self::of_answer(judgement.ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_places_in_the_table() {
        for (place, exit) in Exit::ALL.iter().enumerate() {
            assert_eq!(usize::from(exit.code()), place);
        }
        for changes in [false, true] {
            assert_eq!(Exit::of_error(ErrorKind::Busy, changes).code(), 7);
            assert_eq!(Exit::of_error(ErrorKind::Undetermined, changes).code(), 6);
            assert_eq!(Exit::of_error(ErrorKind::RolledBack, changes).code(), 4);
            assert_eq!(Exit::of_error(ErrorKind::Interrupted, changes).code(), 4);
        }
        assert_eq!([false, true].map(|changes| Exit::of_error(ErrorKind::Io, changes).code()), [6, 4]);
    }
}
