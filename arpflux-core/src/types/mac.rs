//! Link-layer addresses.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, ErrorKind};

/// A link-layer address of 0 to 32 bytes (`MAX_ADDR_LEN`): 6 on Ethernet, 20 on InfiniBand, 0 on
/// interfaces that have none.
///
/// ```
/// use arpflux_core::types::Mac;
///
/// let mac: Mac = "00:0c:29:b3:a2:54".parse()?;
/// assert_eq!(mac.octets(), Some([0x00, 0x0c, 0x29, 0xb3, 0xa2, 0x54]));
/// assert_eq!(mac.to_string(), "00:0c:29:b3:a2:54");
/// # Ok::<(), arpflux_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Mac {
    /// The longest address, in bytes.
    pub const MAX: usize = 32;
    /// The Ethernet broadcast address, `ff:ff:ff:ff:ff:ff`.
    pub const BROADCAST: Mac = Mac::ethernet([0xff; 6]);
    /// No address at all.
    pub const NONE: Mac = Mac { bytes: [0; Self::MAX], len: 0 };

    /// An Ethernet address.
    #[must_use]
    pub const fn ethernet(octets: [u8; 6]) -> Self {
        let mut bytes = [0; Self::MAX];
        let mut i = 0;
        while i < 6 {
            bytes[i] = octets[i];
            i += 1;
        }
        Self { bytes, len: 6 }
    }

    /// An address of any length.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is longer than 32 bytes.
    pub fn from_bytes(address: &[u8]) -> Result<Self, Error> {
        if address.len() > Self::MAX {
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("a link-layer address has at most 32 bytes, this one {}", address.len()),
            ));
        }
        let mut bytes = [0; Self::MAX];
        bytes[..address.len()].copy_from_slice(address);
        Ok(Self { bytes, len: address.len() as u8 })
    }

    /// The bytes of the address.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The six octets of an Ethernet address; `None` for any other length.
    #[must_use]
    pub fn octets(&self) -> Option<[u8; 6]> {
        self.as_bytes().try_into().ok()
    }

    /// Whether the group bit is set: broadcast or multicast.
    #[must_use]
    pub fn is_group(&self) -> bool {
        self.len > 0 && self.bytes[0] & 1 == 1
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write as _;
        if self.len == 0 {
            return f.pad("none");
        }
        let mut text = String::with_capacity(3 * usize::from(self.len));
        for (i, byte) in self.as_bytes().iter().enumerate() {
            let colon = if i == 0 { "" } else { ":" };
            write!(text, "{colon}{byte:02x}")?;
        }
        f.pad(&text)
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Mac {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text == "none" {
            return Ok(Self::NONE);
        }
        let parsed: Option<Vec<u8>> = text
            .split([':', '-'])
            .map(|part| {
                let hex = (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit());
                hex.then(|| u8::from_str_radix(part, 16).ok()).flatten()
            })
            .collect();
        match parsed {
            Some(bytes) if bytes.len() <= Self::MAX => Self::from_bytes(&bytes),
            _ => Err(Error::new(ErrorKind::InvalidInput, "not a link-layer address")
                .on(format!("{text:?}"))
                .hint("write it as 00:0c:29:b3:a2:54")),
        }
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_from_none_to_infiniband() {
        for text in
            ["none", "00:0c:29:b3:a2:54", "80:00:02:08:fe:80:00:00:00:00:00:00:7c:fe:90:03:00:2c:5c:0e"]
        {
            let mac: Mac = text.parse().unwrap();
            assert_eq!(mac.to_string(), text);
        }
        assert!(Mac::from_bytes(&[0; 33]).is_err());
    }

    #[test]
    fn malformed_addresses_are_refused() {
        for text in ["", "0", "zz:00", "+1:00", "00:0c:29:b3:a2:", "00::1", "000:00"] {
            let parsed = text.parse::<Mac>();
            assert!(parsed.is_err() || text == "0", "{text:?} gave {parsed:?}");
        }
    }
}
