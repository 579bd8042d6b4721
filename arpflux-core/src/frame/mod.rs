//! Frames as bytes and as values: Ethernet with VLAN tags, ARP, neighbour discovery, and enough of
//! IPv4 and ICMP to print a conversation.
//!
//! Every decoder is total: whatever the bytes are, it returns a value or a [`Malformed`], never
//! panics, and copies nothing but fixed-size fields. Encoders write what the decoders read.
//!
//! [`Printed`] shows a frame in the style of `tcpdump -e -n`:
//!
//! ```
//! use arpflux_core::frame::{Ipv4Arp, Printed};
//! use arpflux_core::types::Mac;
//!
//! let client: Mac = "00:0c:29:d2:c7:aa".parse()?;
//! let ask = Ipv4Arp::request(client, [192, 168, 18, 129].into(), [192, 168, 18, 10].into());
//! let frame = ask.to_frame(Mac::BROADCAST);
//! assert_eq!(
//!     Printed(&frame).to_string(),
//!     "00:0c:29:d2:c7:aa > ff:ff:ff:ff:ff:ff, ARP, length 60: \
//!      arp who-has 192.168.18.10 tell 192.168.18.129"
//! );
//! # Ok::<(), arpflux_core::Error>(())
//! ```

mod arp;
mod checksum;
mod ethernet;
mod ipv4;
mod ndp;
pub mod pcap;
mod print;
#[cfg(test)]
mod tests;

pub use arp::{Arp, Ipv4Arp, Operation};
pub use ethernet::{EtherType, Ethernet, MIN_FRAME, Tag, Tags, emit_header};
pub use ipv4::{Echo, Ipv4};
pub(crate) use ndp::{ADVERTISEMENT, ICMPV6, SOLICITATION};
pub use ndp::{ALL_NODES, Ipv6, Ndp, solicited_node, solicited_node_mac};
pub use print::{Printed, PrintedMac};

use std::fmt;

/// Why bytes are not what they were read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Malformed {
    /// They end too early.
    Truncated {
        /// How many bytes the fixed fields and the lengths in them call for.
        needed: usize,
        /// How many there are.
        present: usize,
    },
    /// A version, type or length field does not allow this reading.
    Unexpected {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u32,
    },
    /// The checksum is wrong.
    Checksum,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated { needed, present } => {
                write!(f, "truncated: {present} bytes where {needed} are needed")
            }
            Self::Unexpected { field, value } => write!(f, "unexpected {field} {value}"),
            Self::Checksum => f.write_str("wrong checksum"),
        }
    }
}

impl std::error::Error for Malformed {}

/// A moment, in nanoseconds since 1970 (UTC): what packet sockets and capture files carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Whole seconds and the nanoseconds beyond.
    #[must_use]
    pub const fn parts(self) -> (u64, u32) {
        (self.0 / 1_000_000_000, (self.0 % 1_000_000_000) as u32)
    }

    /// From seconds and nanoseconds; saturates in the year 2554.
    #[must_use]
    pub const fn from_parts(seconds: u64, nanoseconds: u32) -> Self {
        Self(seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds as u64))
    }

    /// The time of the system's clock.
    #[must_use]
    pub fn now() -> Self {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Self::from_parts(since.as_secs(), since.subsec_nanos())
    }

    /// How much later this is than `earlier`; zero if it is not.
    #[must_use]
    pub const fn since(self, earlier: Self) -> std::time::Duration {
        std::time::Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// The time of day in UTC, as tcpdump prints it: `15:04:05.000001`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, nanoseconds) = self.parts();
        let day = seconds % 86_400;
        write!(f, "{:02}:{:02}:{:02}.{:06}", day / 3600, day / 60 % 60, day % 60, nanoseconds / 1000)
    }
}

/// The first `N` bytes and the rest.
#[inline]
fn split<const N: usize>(bytes: &[u8]) -> Result<(&[u8; N], &[u8]), Malformed> {
    bytes.split_first_chunk::<N>().ok_or(Malformed::Truncated { needed: N, present: bytes.len() })
}

#[inline]
fn be16(bytes: &[u8; 2]) -> u16 {
    u16::from_be_bytes(*bytes)
}
