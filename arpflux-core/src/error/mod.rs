//! One error type for every stage, with a number that never changes its meaning.
//!
//! An [`Error`] says what was attempted ([`Error::operation`]), on which object ([`Error::object`]),
//! what went wrong in one sentence, and what to do about it ([`Error::hint`]). The numbers of
//! [`ErrorKind::code`] are part of the C ABI and of the Python exception classes.

mod kind;
mod subject;

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use kind::ErrorKind;
pub use subject::Subject;

/// Result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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
