//! Neighbour discovery (RFC 4861): solicitations and advertisements.

use std::net::Ipv6Addr;

use super::ethernet::{EtherType, emit_header};
use super::{Malformed, be16, checksum, split};
use crate::types::Mac;

/// The protocol number of ICMPv6.
pub(crate) const ICMPV6: u8 = 58;
/// The type of a neighbour solicitation.
pub(crate) const SOLICITATION: u8 = 135;
/// The type of a neighbour advertisement.
pub(crate) const ADVERTISEMENT: u8 = 136;
const SOURCE_OPTION: u8 = 1;
const TARGET_OPTION: u8 = 2;

/// An IPv6 packet, read in place; extension headers are not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ipv6<'a> {
    /// From whom.
    pub source: Ipv6Addr,
    /// To whom.
    pub destination: Ipv6Addr,
    /// What follows the header: 58 is ICMPv6.
    pub next_header: u8,
    /// Hop limit; 255 in neighbour discovery.
    pub hop_limit: u8,
    /// What it carries, without the frame's padding.
    pub payload: &'a [u8],
}

impl<'a> Ipv6<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    /// [`Malformed`] if it is not version 6 or its header is cut. A payload that was cut by the
    /// capture is taken as far as it goes.
    pub fn parse(packet: &'a [u8]) -> Result<Self, Malformed> {
        let (header, rest) = split::<40>(packet)?;
        if header[0] >> 4 != 6 {
            return Err(Malformed::Unexpected { field: "version", value: u32::from(header[0] >> 4) });
        }
        let length = usize::from(be16(&[header[4], header[5]]));
        let address = |at: usize| {
            let mut octets = [0; 16];
            octets.copy_from_slice(&header[at..at + 16]);
            Ipv6Addr::from(octets)
        };
        Ok(Self {
            source: address(8),
            destination: address(24),
            next_header: header[6],
            hop_limit: header[7],
            payload: &rest[..rest.len().min(length)],
        })
    }

    /// The neighbour discovery message in it.
    ///
    /// # Errors
    /// [`Malformed`] if it is anything else, or one that RFC 4861 section 7.1 says to discard.
    pub fn ndp(&self) -> Result<Ndp, Malformed> {
        Ndp::parse(self)
    }
}

/// A neighbour solicitation or advertisement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ndp {
    /// Who has `target`?
    Solicitation {
        /// The address asked for.
        target: Ipv6Addr,
        /// The asker; absent in a duplicate address probe (source `::`).
        source_mac: Option<Mac>,
    },
    /// `target` is here.
    Advertisement {
        /// The address it is about.
        target: Ipv6Addr,
        /// Where it is; may be left out in a solicited answer to a unicast request.
        target_mac: Option<Mac>,
        /// The sender is a router.
        router: bool,
        /// It answers a solicitation.
        solicited: bool,
        /// Receivers shall overwrite what they hold. Proxies leave it out.
        overrides: bool,
    },
}

impl Ndp {
    /// The advertisement by which an owner tells all nodes where `target` is (RFC 4861 section 7.2.6).
    #[must_use]
    pub const fn announcement(target: Ipv6Addr, mac: Mac, router: bool) -> Self {
        Self::Advertisement { target, target_mac: Some(mac), router, solicited: false, overrides: true }
    }

    /// The frame that asks all who may have `target` (RFC 4861 section 7.2.2). From `::` it is a duplicate address
    /// probe (RFC 4862 section 5.4.2), which names no MAC.
    #[must_use]
    pub fn solicit(mac: Mac, source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
        let source_mac = (!source.is_unspecified()).then_some(mac);
        Self::Solicitation { target, source_mac }
            .to_frame((mac, source), (solicited_node_mac(target), solicited_node(target)))
    }

    /// The address that the message is about.
    #[must_use]
    pub const fn target(&self) -> Ipv6Addr {
        match *self {
            Self::Solicitation { target, .. } | Self::Advertisement { target, .. } => target,
        }
    }

    fn parse(packet: &Ipv6<'_>) -> Result<Self, Malformed> {
        let unexpected = |field, value: u8| Err(Malformed::Unexpected { field, value: u32::from(value) });
        if packet.next_header != ICMPV6 {
            return unexpected("next header", packet.next_header);
        }
        let (fixed, options) = split::<24>(packet.payload)?;
        let (kind, wanted) = match fixed[0] {
            SOLICITATION => (SOLICITATION, SOURCE_OPTION),
            ADVERTISEMENT => (ADVERTISEMENT, TARGET_OPTION),
            other => return unexpected("ICMPv6 type", other),
        };
        if packet.hop_limit != 255 {
            return unexpected("hop limit", packet.hop_limit);
        }
        if fixed[1] != 0 {
            return unexpected("ICMPv6 code", fixed[1]);
        }
        if checksum::icmpv6(packet.source, packet.destination, packet.payload) != 0 {
            return Err(Malformed::Checksum);
        }
        let mut target = [0; 16];
        target.copy_from_slice(&fixed[8..24]);
        let target = Ipv6Addr::from(target);
        let mac = link_layer_option(options, wanted)?;
        Ok(if kind == SOLICITATION {
            Self::Solicitation { target, source_mac: mac }
        } else {
            Self::Advertisement {
                target,
                target_mac: mac,
                router: fixed[4] & 0x80 != 0,
                solicited: fixed[4] & 0x40 != 0,
                overrides: fixed[4] & 0x20 != 0,
            }
        })
    }

    /// The message in an IPv6 packet (hop limit 255) in an Ethernet frame.
    #[must_use]
    pub fn to_frame(
        &self,
        (source_mac, source): (Mac, Ipv6Addr),
        (destination_mac, destination): (Mac, Ipv6Addr),
    ) -> Vec<u8> {
        let (kind, flags, option, mac) = match *self {
            Self::Solicitation { source_mac, .. } => (SOLICITATION, 0, SOURCE_OPTION, source_mac),
            Self::Advertisement { target_mac, router, solicited, overrides, .. } => (
                ADVERTISEMENT,
                u8::from(router) << 7 | u8::from(solicited) << 6 | u8::from(overrides) << 5,
                TARGET_OPTION,
                target_mac,
            ),
        };
        let mut message = vec![kind, 0, 0, 0, flags, 0, 0, 0];
        message.extend_from_slice(&self.target().octets());
        if let Some(mac) = mac {
            // Options count in units of 8 bytes, their own two included.
            let units = (mac.as_bytes().len() + 2).div_ceil(8);
            message.extend_from_slice(&[option, units as u8]);
            message.extend_from_slice(mac.as_bytes());
            message.resize(24 + 8 * units, 0);
        }
        let sum = checksum::icmpv6(source, destination, &message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());

        let mut frame = Vec::with_capacity(54 + message.len());
        emit_header(&mut frame, destination_mac, source_mac, EtherType::IPV6);
        frame.extend_from_slice(&[0x60, 0, 0, 0]);
        frame.extend_from_slice(&(message.len() as u16).to_be_bytes());
        frame.extend_from_slice(&[ICMPV6, 255]);
        frame.extend_from_slice(&source.octets());
        frame.extend_from_slice(&destination.octets());
        frame.extend_from_slice(&message);
        frame
    }
}

/// The address in the first option of that type. Ethernet's is six bytes: the option's unit.
fn link_layer_option(mut options: &[u8], wanted: u8) -> Result<Option<Mac>, Malformed> {
    while let Some((&[kind, units], _)) = options.split_first_chunk::<2>() {
        let length = 8 * usize::from(units);
        if length == 0 {
            // RFC 4861 section 4.6: such a packet is discarded.
            return Err(Malformed::Unexpected { field: "option length", value: 0 });
        }
        let option =
            options.get(..length).ok_or(Malformed::Truncated { needed: length, present: options.len() })?;
        if kind == wanted {
            // InfiniBand: 24 bytes, of which two are padding in front (RFC 4391 section 9.3) or behind.
            return Ok(Mac::from_bytes(&option[2..]).ok());
        }
        options = &options[length..];
    }
    Ok(None)
}

/// The group of all nodes (RFC 4291 section 2.7.1), and its Ethernet address.
pub const ALL_NODES: (Mac, Ipv6Addr) =
    (Mac::ethernet([0x33, 0x33, 0, 0, 0, 1]), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));

/// The multicast address that solicitations for `target` go to (RFC 4291 section 2.7.1).
#[must_use]
pub fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from(b) << 8 | u16::from(c))
}

/// The Ethernet address of the group [`solicited_node`] (RFC 2464 section 7).
#[must_use]
pub fn solicited_node_mac(target: Ipv6Addr) -> Mac {
    let [.., a, b, c] = target.octets();
    Mac::ethernet([0x33, 0x33, 0xff, a, b, c])
}
