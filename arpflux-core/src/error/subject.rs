//! What an error is about.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use crate::types::{IfIndex, IfName};

/// What an [`Error`](super::Error) is about, for programs that go on by it; [`Error::object`](super::Error::object) is its text.
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
