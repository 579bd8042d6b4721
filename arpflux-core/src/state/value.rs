//! What an object is.

use std::fmt;

/// What an object is at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Value {
    /// The value of a sysctl; of `proxy_delay` in ms.
    Number(i64),
    /// A proxy entry is there.
    Entry {
        /// Its flags (`NTF_*`).
        flags: u8,
        /// Who made it (`RTPROT_*`).
        protocol: u8,
    },
    /// A rule or route is there.
    Present,
    /// An entry, rule or route is not there.
    Absent,
    /// The kernel has no such sysctl, or it is not to be seen in a snapshot.
    Unknown,
    /// The interface that it belongs to is gone.
    Gone,
}

impl Value {
    /// Whether an entry, rule or route of this value is there.
    #[must_use]
    pub const fn is_there(self) -> bool {
        match self {
            Self::Entry { .. } | Self::Present => true,
            Self::Number(_) | Self::Absent | Self::Unknown | Self::Gone => false,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Entry { flags: 0, protocol } => write!(f, "there (protocol {protocol})"),
            Self::Entry { flags, protocol } => write!(f, "there (protocol {protocol}, flags {flags:#x})"),
            Self::Present => f.write_str("there"),
            Self::Absent => f.write_str("not there"),
            Self::Unknown => f.write_str("unknown to this kernel"),
            Self::Gone => f.write_str("gone with its interface"),
        }
    }
}
