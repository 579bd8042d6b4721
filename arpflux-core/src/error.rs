//! One error type for every stage, with a number that never changes its meaning.
//!
//! An [`Error`] says what was attempted ([`Error::operation`]), on which object ([`Error::object`]),
//! what went wrong in one sentence, and what to do about it ([`Error::hint`]). The numbers of
//! [`ErrorKind::code`] are part of the C ABI and of the Python exception classes.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::types::{IfIndex, IfName};

/// Result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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

/// What an [`Error`] is about, for programs that go on by it; [`Error::object`] is its text.
///
/// ```
/// use arpflux_core::{ErrorKind, Policy, Snapshot, error::Subject};
///
/// let policy = Policy::from_toml("version = 1\n[host]\ninterfaces = [\"eth7\"]\n", "policy.toml")?;
/// let error = policy.plan(&Snapshot::default()).unwrap_err();
/// // Wait for the card, instead of giving up.
/// let card = match (error.kind(), error.subject()) {
///     (ErrorKind::NotFound, Some(Subject::Interface(name))) => name.to_string(),
///     _ => return Err(error),
/// };
/// assert_eq!(card, "eth7");
/// # Ok::<(), arpflux_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Subject {
    /// An interface.
    Interface(IfName),
    /// An interface of which only the number is known.
    InterfaceNumber(IfIndex),
    /// An address.
    Address(IpAddr),
    /// A network namespace, as the caller or the system calls it.
    Namespace(String),
    /// A file or folder.
    File(PathBuf),
    /// Anything else, such as a sysctl, a line of a policy or an argument of a call.
    Other(String),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interface(name) => name.fmt(f),
            Self::InterfaceNumber(index) => write!(f, "interface {index}"),
            Self::Address(address) => address.fmt(f),
            Self::Namespace(name) | Self::Other(name) => f.write_str(name),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

macro_rules! subject_from {
    ($($type:ty => $of:expr;)*) => {
        $(impl From<$type> for Subject {
            fn from(value: $type) -> Self {
                $of(value.into())
            }
        })*
    };
}

subject_from! {
    IfName => Self::Interface;
    IfIndex => Self::InterfaceNumber;
    IpAddr => Self::Address;
    Ipv4Addr => Self::Address;
    Ipv6Addr => Self::Address;
    PathBuf => Self::File;
    &Path => Self::File;
    String => Self::Other;
    &str => Self::Other;
    &String => Self::Other;
}

/// What stands behind an [`Error`]: the error of the system, or of the library that read a text.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum Cause {
    /// Of the system.
    System(#[from] std::io::Error),
    /// JSON that could not be read or written.
    Json(#[from] serde_json::Error),
    /// TOML that could not be read.
    Toml(#[from] toml::de::Error),
}

/// What failed, on what, why, and what to do. See the [module](self) text.
///
/// ```
/// use std::error::Error as _;
///
/// let error = arpflux_core::Snapshot::from_json("{").unwrap_err();
/// assert_eq!(error.kind(), arpflux_core::ErrorKind::InvalidData);
/// assert!(error.source().is_some_and(|cause| cause.is::<serde_json::Error>()));
/// ```
#[derive(Debug, Clone)]
pub struct Error(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    kind: ErrorKind,
    operation: Cow<'static, str>,
    subject: Option<Subject>,
    /// The text of the subject.
    object: String,
    message: String,
    hint: Option<Cow<'static, str>>,
    errno: Option<i32>,
    path: Option<PathBuf>,
    cause: Option<Arc<Cause>>,
}

/// Errors are equal that say the same, whatever stands behind them.
impl PartialEq for Error {
    fn eq(&self, other: &Self) -> bool {
        let said = |error: &Self| {
            let Inner { kind, operation, subject, object: _, message, hint, errno, path, cause: _ } =
                &*error.0;
            (*kind, operation.clone(), subject.clone(), message.clone(), hint.clone(), *errno, path.clone())
        };
        said(self) == said(other)
    }
}

impl Eq for Error {}

impl Error {
    /// A new error of `kind`. `message` is a full sentence without a full stop; it names the value at fault.
    #[cold]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: Cow::Borrowed(""),
            subject: None,
            object: String::new(),
            message: message.into(),
            hint: None,
            errno: None,
            path: None,
            cause: None,
        }))
    }

    /// A system call that failed with `errno` while doing `operation` on `object`.
    ///
    /// The kind follows from the number: `EPERM` and `EACCES` are [`ErrorKind::PermissionDenied`],
    /// `ENOENT`, `ENODEV`, `ENXIO` and `ESRCH` [`ErrorKind::NotFound`], `EOPNOTSUPP` and its like
    /// [`ErrorKind::Unsupported`], `EINTR` [`ErrorKind::Interrupted`], all else [`ErrorKind::Io`].
    #[cold]
    pub fn os(operation: impl Into<Cow<'static, str>>, object: impl Into<Subject>, errno: i32) -> Self {
        let kind = match errno {
            1 | 13 => ErrorKind::PermissionDenied,
            2 | 3 | 6 | 19 => ErrorKind::NotFound,
            4 => ErrorKind::Interrupted,
            38 | 92 | 93 | 94 | 95 | 97 => ErrorKind::Unsupported,
            110 => ErrorKind::TimedOut,
            _ => ErrorKind::Io,
        };
        let cause = std::io::Error::from_raw_os_error(errno);
        let mut error = Self::new(kind, cause.to_string()).during(operation).on(object).because(cause);
        error.0.errno = Some(errno);
        if kind == ErrorKind::PermissionDenied {
            error.0.hint = Some(Cow::Borrowed(
                "run as root or with CAP_NET_ADMIN (frames also need CAP_NET_RAW) in this namespace",
            ));
        }
        error
    }

    /// The same as [`Error::os`] from a [`std::io::Error`].
    #[cold]
    pub fn io(
        operation: impl Into<Cow<'static, str>>,
        object: impl Into<Subject>,
        source: &std::io::Error,
    ) -> Self {
        match source.raw_os_error() {
            Some(errno) => Self::os(operation, object, errno),
            None => {
                let kind = match source.kind() {
                    std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                    std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
                    std::io::ErrorKind::TimedOut => ErrorKind::TimedOut,
                    std::io::ErrorKind::InvalidData => ErrorKind::InvalidData,
                    _ => ErrorKind::Io,
                };
                Self::new(kind, source.to_string()).during(operation).on(object)
            }
        }
    }

    /// The same of a file or folder, which [`Error::path`] gives.
    #[cold]
    pub fn file(operation: impl Into<Cow<'static, str>>, path: &Path, source: &std::io::Error) -> Self {
        Self::io(operation, path, source)
    }

    /// Names the file it is about, unless it names an object already.
    #[must_use]
    pub fn on_file(mut self, path: &Path) -> Self {
        self.0.path = Some(path.to_owned());
        if self.0.subject.is_none() { self.on(path) } else { self }
    }

    /// Keeps what stands behind it, for [`std::error::Error::source`].
    #[must_use]
    pub fn because(mut self, cause: impl Into<Cause>) -> Self {
        self.0.cause = Some(Arc::new(cause.into()));
        self
    }

    /// Names what was attempted, as a verb phrase: `"set sysctl"`, `"add proxy entry"`.
    #[must_use]
    pub fn during(mut self, operation: impl Into<Cow<'static, str>>) -> Self {
        self.0.operation = operation.into();
        self
    }

    /// The same as an error of another kind.
    #[must_use]
    pub(crate) fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// Names the object at fault: an interface, an address, a file.
    #[must_use]
    pub fn on(mut self, object: impl Into<Subject>) -> Self {
        let subject = object.into();
        self.0.object = subject.to_string();
        if let Subject::File(path) = &subject {
            self.0.path = Some(path.clone());
        }
        self.0.subject = Some(subject);
        self
    }

    /// Says what to do instead.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds to the sentence, in brackets: the kernel's own words, for example.
    #[must_use]
    pub fn detail(mut self, words: &str) -> Self {
        self.0.message = format!("{} ({words})", self.0.message);
        self
    }

    /// The same error as another kind, for callers who know more about what the failure means.
    #[must_use]
    pub fn with_kind(mut self, kind: ErrorKind) -> Self {
        self.0.kind = kind;
        self
    }

    /// What class of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was attempted, or an empty text.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// What it is about, if it names that.
    #[must_use]
    pub fn subject(&self) -> Option<&Subject> {
        self.0.subject.as_ref()
    }

    /// The text of [`Error::subject`], or an empty one.
    #[must_use]
    pub fn object(&self) -> &str {
        &self.0.object
    }

    /// What went wrong, without operation, object and hint.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The file or folder at fault, if it is one.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The system's error number, if a system call failed.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        self.0.errno
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { operation, object, message, hint, .. } = &*self.0;
        match (operation.is_empty(), object.is_empty()) {
            (false, false) => write!(f, "{operation} {object}: {message}")?,
            (false, true) => write!(f, "{operation}: {message}")?,
            (true, false) => write!(f, "{object}: {message}")?,
            (true, true) => f.write_str(message)?,
        }
        match hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.0.cause.as_deref()? {
            Cause::System(cause) => Some(cause),
            Cause::Json(cause) => Some(cause),
            Cause::Toml(cause) => Some(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_unique_and_ordered() {
        assert!(ErrorKind::ALL.windows(2).all(|pair| pair[0].code() < pair[1].code()));
        assert!(ErrorKind::ALL[0].code() > 0);
    }

    #[test]
    fn message_names_operation_object_value_and_remedy() {
        let error = Error::os("set sysctl", "net.ipv4.conf.eth0.arp_ignore", 1);
        assert_eq!(error.kind(), ErrorKind::PermissionDenied);
        assert_eq!(error.errno(), Some(1));
        let text = error.to_string();
        assert!(text.starts_with("set sysctl net.ipv4.conf.eth0.arp_ignore: "), "{text}");
        assert!(text.contains("CAP_NET_ADMIN"), "{text}");
    }
}
