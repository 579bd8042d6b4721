//! Ethernet II headers with any number of 802.1Q and 802.1ad tags.

use std::fmt;

use super::{Malformed, be16, split};
use crate::types::Mac;

/// The shortest frame on a real wire without its check sequence, in bytes; shorter ones are padded
/// with zeros.
pub const MIN_FRAME: usize = 60;

/// What a frame carries. Values below 1536 are the length of an IEEE 802.3 frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IPV4: Self = Self(0x0800);
    /// ARP (RFC 826).
    pub const ARP: Self = Self(0x0806);
    /// IPv6.
    pub const IPV6: Self = Self(0x86dd);
    /// 802.1Q tag.
    pub const VLAN: Self = Self(0x8100);
    /// 802.1ad service tag (QinQ).
    pub const QINQ: Self = Self(0x88a8);
    /// The service tag that equipment older than 802.1ad uses.
    pub const QINQ_OLD: Self = Self(0x9100);

    /// Whether a tag follows.
    #[inline]
    #[must_use]
    pub const fn is_tag(self) -> bool {
        matches!(self, Self::VLAN | Self::QINQ | Self::QINQ_OLD)
    }
}

impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::IPV4 => f.write_str("IPv4"),
            Self::ARP => f.write_str("ARP"),
            Self::IPV6 => f.write_str("IPv6"),
            Self::VLAN => f.write_str("802.1Q"),
            Self::QINQ => f.write_str("802.1Q-QinQ"),
            Self::QINQ_OLD => f.write_str("802.1Q-9100"),
            Self(length) if length < 1536 => f.write_str("802.3"),
            Self(other) => write!(f, "ethertype 0x{other:04x}"),
        }
    }
}

/// One VLAN tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag {
    /// What marks it as a tag: [`EtherType::VLAN`], [`EtherType::QINQ`].
    pub protocol: EtherType,
    /// Priority (3 bits), drop eligible (1 bit) and VLAN id (12 bits).
    pub control: u16,
}

impl Tag {
    /// The VLAN id, 0 to 4095; 0 means priority only.
    #[must_use]
    pub const fn vlan(self) -> u16 {
        self.control & 0xfff
    }

    /// The priority, 0 to 7.
    #[must_use]
    pub const fn priority(self) -> u8 {
        (self.control >> 13) as u8
    }

    /// Whether the frame may be dropped first (DEI, formerly CFI).
    #[must_use]
    pub const fn drop_eligible(self) -> bool {
        self.control & 0x1000 != 0
    }
}

/// The tags of a frame, outermost first; usually none.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Tags<'a>(&'a [u8]);

impl<'a> Tags<'a> {
    /// How many there are.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.len() / 4
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The tags, outermost first.
    pub fn iter(self) -> impl Iterator<Item = Tag> + 'a {
        self.0.chunks_exact(4).map(|tag| Tag {
            protocol: EtherType(u16::from_be_bytes([tag[0], tag[1]])),
            control: u16::from_be_bytes([tag[2], tag[3]]),
        })
    }
}

impl fmt::Debug for Tags<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// An Ethernet frame, read in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ethernet<'a> {
    /// To whom.
    pub destination: [u8; 6],
    /// From whom.
    pub source: [u8; 6],
    /// VLAN tags.
    pub tags: Tags<'a>,
    /// What it carries, behind the tags.
    pub ether_type: EtherType,
    /// What it carries, padding included.
    pub payload: &'a [u8],
}

impl<'a> Ethernet<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] if the frame ends within the addresses, a tag or the type.
    #[inline]
    pub fn parse(frame: &'a [u8]) -> Result<Self, Malformed> {
        let truncated = |needed| Malformed::Truncated { needed, present: frame.len() };
        let (&destination, rest) = split::<6>(frame)?;
        let (&source, tagged) = rest.split_first_chunk::<6>().ok_or(truncated(14))?;
        let mut at = 0;
        loop {
            let Some((protocol, _)) = tagged.get(at..).and_then(<[u8]>::split_first_chunk::<2>) else {
                return Err(truncated(12 + at + 2));
            };
            let ether_type = EtherType(be16(protocol));
            if !ether_type.is_tag() {
                let (tags, rest) = tagged.split_at(at);
                return Ok(Self { destination, source, tags: Tags(tags), ether_type, payload: &rest[2..] });
            }
            at += 4;
        }
    }

    /// Whether it is addressed to all.
    #[must_use]
    pub fn is_broadcast(&self) -> bool {
        self.destination == [0xff; 6]
    }
}

/// Appends an untagged Ethernet header.
///
/// Addresses that are not six bytes long are cut or filled with zeros: only Ethernet has this header.
pub fn emit_header(out: &mut Vec<u8>, destination: Mac, source: Mac, ether_type: EtherType) {
    for mac in [destination, source] {
        let mut octets = [0; 6];
        for (octet, byte) in octets.iter_mut().zip(mac.as_bytes()) {
            *octet = *byte;
        }
        out.extend_from_slice(&octets);
    }
    out.extend_from_slice(&ether_type.0.to_be_bytes());
}
