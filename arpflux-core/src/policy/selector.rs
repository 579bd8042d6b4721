//! How a policy names interfaces.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::Interface;
use crate::types::{IfName, Mac};

/// What a text that is a MAC begins with.
const MAC: &str = "mac:";
/// The longest pattern, in bytes.
const PATTERN_MAX: usize = 64;

/// An entry of `[host] interfaces`: a name, a pattern of names, or a MAC.
///
/// ```
/// use arpflux_core::policy::InterfaceSelector;
///
/// let selector: InterfaceSelector = "enp*s0".parse()?;
/// assert!(selector.matches_name("enp12s0") && !selector.matches_name("eth0"));
/// assert_eq!(selector.to_string(), "enp*s0");
/// assert!("mac:00:0c:29:b3:a2:54".parse::<InterfaceSelector>().is_ok());
/// # Ok::<(), arpflux_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InterfaceSelector {
    /// The interface of this name.
    Name(IfName),
    /// All whose names match: `*` stands for any characters, `?` for one. May match none.
    Pattern(String),
    /// All with this MAC that answer ARP; `mac:00:0c:29:b3:a2:54`.
    Mac(Mac),
}

impl InterfaceSelector {
    /// Whether it stands for this interface.
    #[must_use]
    pub fn matches(&self, interface: &Interface) -> bool {
        match self {
            Self::Mac(mac) => interface.mac == *mac,
            Self::Name(_) | Self::Pattern(_) => self.matches_name(&interface.name.to_string()),
        }
    }

    /// Whether it stands for an interface because of its name.
    #[must_use]
    pub fn matches_name(&self, name: &str) -> bool {
        match self {
            Self::Name(own) => own.to_string() == name,
            Self::Pattern(pattern) => matches(pattern.as_bytes(), name.as_bytes()),
            Self::Mac(_) => false,
        }
    }
}

/// Steps back to the last `*` where the rest does not fit: linear for names of 15 bytes at most.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    match pattern {
        [] => name.is_empty(),
        [b'*', rest @ ..] => (0..=name.len()).any(|skipped| matches(rest, &name[skipped..])),
        [one, rest @ ..] => {
            name.first().is_some_and(|byte| *one == b'?' || one == byte) && matches(rest, &name[1..])
        }
    }
}

impl From<IfName> for InterfaceSelector {
    fn from(name: IfName) -> Self {
        Self::Name(name)
    }
}

impl FromStr for InterfaceSelector {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(mac) = text.strip_prefix(MAC) {
            let mac: Mac = mac.parse()?;
            return match mac.as_bytes().is_empty() {
                true => Err(Error::new(ErrorKind::InvalidInput, "not a link-layer address").on(text)),
                false => Ok(Self::Mac(mac)),
            };
        }
        if !text.contains(['*', '?']) {
            return text.parse().map(Self::Name);
        }
        // A run of stars says no more than one, and would cost time.
        let possible = text.len() <= PATTERN_MAX
            && text.bytes().filter(|byte| *byte == b'*').count() <= 4
            && !text.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control());
        match possible {
            true => Ok(Self::Pattern(text.to_owned())),
            false => Err(Error::new(ErrorKind::InvalidInput, "not a pattern of interface names")
                .on(text)
                .hint("write it as enp*, with four stars at most")),
        }
    }
}

impl fmt::Display for InterfaceSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Pattern(pattern) => f.pad(pattern),
            Self::Mac(mac) => write!(f, "{MAC}{mac}"),
        }
    }
}

impl Serialize for InterfaceSelector {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
