//! Interface names and indexes.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorKind};

/// The number of an interface within its namespace; 0 is no interface.
///
/// An index is not reused while a namespace lives unless somebody asks for it by number, so it tells
/// an interface that was deleted and made again under the same name from the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct IfIndex(pub u32);

impl fmt::Display for IfIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of an interface: 1 to 15 bytes that the kernel takes (`dev_valid_name()`).
///
/// A name becomes part of a path below `/proc/sys/net`, so nothing else is let through: no `/`, no
/// `:`, no white space, no NUL, neither `.` nor `..`. A dot inside (`eth0.10`) is an ordinary byte.
///
/// Names need not be UTF-8. [`fmt::Display`] and JSON write a byte that is not printable ASCII or
/// part of valid UTF-8, and the backslash, as `\xNN`; [`FromStr`] reads that form back.
///
/// ```
/// use arpflux_core::types::IfName;
///
/// let name: IfName = "eth0.10".parse()?;
/// assert_eq!(name.to_string(), "eth0.10");
/// assert!("../etc".parse::<IfName>().is_err());
/// # Ok::<(), arpflux_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IfName {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Hash for IfName {
    /// All of it is one number: plans look names up by the ten thousand.
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut whole = [0; Self::MAX + 1];
        whole[..Self::MAX].copy_from_slice(&self.bytes);
        whole[Self::MAX] = self.len;
        state.write_u128(u128::from_ne_bytes(whole));
    }
}

impl IfName {
    /// The longest name, in bytes (`IFNAMSIZ` less the final NUL).
    pub const MAX: usize = 15;

    /// A name from raw bytes, as the kernel sends it (without the final NUL).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the kernel would not take it.
    pub fn from_bytes(name: &[u8]) -> Result<Self, Error> {
        let bad = |why: &str| {
            Err(Error::new(ErrorKind::InvalidInput, format!("not an interface name: {why}"))
                .on(format!("\"{}\"", name.escape_ascii()))
                .hint("`ip link` lists the names"))
        };
        if name.is_empty() {
            return bad("it is empty");
        }
        if name.len() > Self::MAX {
            return bad("it is longer than 15 bytes");
        }
        if name == b"." || name == b".." {
            return bad("it names a folder");
        }
        // The kernel's isspace() also counts 0xa0 (its table is Latin-1).
        if let Some(byte) = name.iter().find(|b| matches!(**b, b'/' | b':' | 0 | b' ' | 0x09..=0x0d | 0xa0)) {
            return bad(&format!("it contains \"{}\"", byte.escape_ascii()));
        }
        let mut bytes = [0; Self::MAX];
        bytes[..name.len()].copy_from_slice(name);
        Ok(Self { bytes, len: name.len() as u8 })
    }

    /// The raw bytes, without a final NUL.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The name as text, if it is valid UTF-8.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()).ok()
    }
}

impl fmt::Display for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.as_bytes();
        if let Some(text) = self.as_str()
            && !text.chars().any(|c| c == '\\' || c.is_control())
        {
            return f.pad(text);
        }
        let mut text = String::new();
        for byte in bytes {
            if byte.is_ascii_graphic() && *byte != b'\\' {
                text.push(char::from(*byte));
            } else {
                text.push_str(&format!("\\x{byte:02x}"));
            }
        }
        f.pad(&text)
    }
}

impl fmt::Debug for IfName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for IfName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if !text.contains('\\') {
            return Self::from_bytes(text.as_bytes());
        }
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&byte, tail)) = rest.split_first() {
            if byte == b'\\'
                && let [b'x', high, low, after @ ..] = tail
                && let (Some(high), Some(low)) =
                    (char::from(*high).to_digit(16), char::from(*low).to_digit(16))
            {
                bytes.push((high * 16 + low) as u8);
                rest = after;
            } else {
                bytes.push(byte);
                rest = tail;
            }
        }
        Self::from_bytes(&bytes)
    }
}

impl Serialize for IfName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IfName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused() {
        for name in ["", ".", "..", "a/b", "a b", "a\0b", "a:1", "a\nb", "sixteen-bytes-xx", "a\u{a0}b"] {
            assert!(name.parse::<IfName>().is_err(), "{name:?}");
        }
        assert!(IfName::from_bytes(b"a\xa0").is_err());
    }

    #[test]
    fn every_taken_name_survives_text_and_back() {
        for raw in [&b"eth0.10"[..], b"a\\x41", b"\xff\xfe", b"ab\x01", "größe".as_bytes(), b"\\", b"\\x"] {
            let name = IfName::from_bytes(raw).unwrap();
            assert_eq!(name.to_string().parse::<IfName>().unwrap(), name, "{name}");
            assert_eq!(name.as_bytes(), raw);
        }
    }
}
