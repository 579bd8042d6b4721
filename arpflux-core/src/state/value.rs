//! What an object is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an object is at one moment.
///
/// As JSON a number, `{"flags": 0, "protocol": 175}`, or one of the names `present`, `absent`, `unknown` and `gone`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// A rule or route is there.
    Present,
    /// An entry, rule or route is not there.
    Absent,
    /// The kernel has no such sysctl, or it is not to be seen in a snapshot.
    Unknown,
    /// The interface that it belongs to is gone.
    Gone,
    /// A proxy entry is there.
    #[serde(untagged)]
    Entry {
        /// Its flags (`NTF_*`).
        flags: u8,
        /// Who made it (`RTPROT_*`).
        protocol: u8,
    },
    /// The value of a sysctl; of `proxy_delay` in ms.
    #[serde(untagged)]
    Number(i64),
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
