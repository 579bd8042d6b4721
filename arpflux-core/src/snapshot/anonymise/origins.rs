//! Where values come from that rules compare, and which of their bytes say which host it is.

use super::{Space, unsupported};
use crate::error::Result;
use crate::filter::{Family, Meta, Protocol};
use crate::frame::ICMPV6;

/// The bytes of all registers.
pub(super) const REGISTERS: usize = 80;

/// Where a byte of a register comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// What it is compared with does not matter: another rule left it there, or it is not known.
    Anything,
    /// Something that says nothing about the host.
    Plain,
    /// Data of a map.
    Map,
    /// This byte of the name of an interface.
    Name(usize),
    /// This byte of the frame, counted from the Ethernet header, with some bits masked.
    Frame(usize, u8),
}

/// A part of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) at: usize,
    pub(super) len: usize,
    /// `None`: a name, or the beginning of names.
    pub(super) space: Option<Space>,
    /// How many bits of it are looked at.
    pub(super) bits: u8,
}

/// Whether a value is what all such frames have there; `None`: frames differ.
pub(super) fn known(
    protocol: Protocol,
    family: Family,
    meta: Option<Meta>,
    held: &[From],
    value: &[u8],
) -> Option<bool> {
    const ETHER_TYPE: From = From::Frame(12, 0xff);
    const NEXT_HEADER: From = From::Frame(20, 0xff);
    /// `NFPROTO_IPV6`.
    const IPV6: u8 = 10;
    match (protocol, meta, held.first()?) {
        (_, Some(Meta::Protocol), _) if value.len() == 2 => Some(protocol.ether_type() == value),
        (_, None, &ETHER_TYPE) if value.len() == 2 => Some(protocol.ether_type() == value),
        (Protocol::Arp, Some(Meta::L4protocol), _) => Some(false),
        (Protocol::Discovery, Some(Meta::L4protocol), _) | (Protocol::Discovery, None, &NEXT_HEADER)
            if value.len() == 1 =>
        {
            Some(value == [ICMPV6])
        }
        (Protocol::Discovery, Some(Meta::Family), _)
            if matches!(family, Family::Ip6 | Family::Inet) && value.len() == 1 =>
        {
            Some(value == [IPV6])
        }
        _ => None,
    }
}

/// The fields of a frame that say which host it is of: where they begin and how long they are.
const fn fields(protocol: Protocol) -> &'static [(usize, usize, Space)] {
    match protocol {
        Protocol::Arp => &[
            (0, 6, Space::Mac),
            (6, 6, Space::Mac),
            (22, 6, Space::Mac),
            (28, 4, Space::V4),
            (32, 6, Space::Mac),
            (38, 4, Space::V4),
        ],
        Protocol::Discovery => &[
            (0, 6, Space::Mac),
            (6, 6, Space::Mac),
            (22, 16, Space::V6),
            (38, 16, Space::V6),
            (62, 16, Space::V6),
            // The option behind.
            (80, 6, Space::Mac),
        ],
    }
}

fn field(protocol: Protocol, at: usize) -> Option<(usize, usize, Space)> {
    fields(protocol).iter().copied().find(|(first, len, _)| (*first..first + len).contains(&at))
}

/// Whether a byte says nothing about the host.
pub(super) fn plain(live: &[Protocol], from: From) -> bool {
    match from {
        From::Anything | From::Plain => true,
        From::Map | From::Name(_) => false,
        From::Frame(at, _) => live.iter().all(|protocol| field(*protocol, at).is_none()),
    }
}

/// The parts of a value that say which host it is of.
pub(super) fn parts(live: &[Protocol], held: &[From]) -> Result<Vec<Part>> {
    let mut found: Vec<Part> = Vec::new();
    let mut at = 0;
    while let Some(from) = held.get(at) {
        match *from {
            from if plain(live, from) => at += 1,
            From::Name(0) => {
                let names = held[at..].iter().zip(0..).take_while(|(from, byte)| **from == From::Name(*byte));
                let len = names.count();
                found.push(Part { at, len, space: None, bits: 8 * len as u8 });
                at += len;
            }
            From::Frame(first, _) => {
                let mut fields = live.iter().map(|protocol| field(*protocol, first));
                let field = fields.next().flatten();
                let alike = fields.all(|other| other == field);
                let Some((start, longest, space)) = field.filter(|(start, ..)| alike && *start == first)
                else {
                    return Err(unsupported("a packet filter looks at bytes in the middle of an address"));
                };
                let bytes: Vec<u8> = (start..start + longest)
                    .zip(&held[at..])
                    .map_while(|(place, from)| match from {
                        From::Frame(byte, mask) if *byte == place => Some(*mask),
                        _ => None,
                    })
                    .collect();
                let len = bytes.len();
                at += len;
                let ones: u32 = bytes.iter().map(|mask| mask.count_ones()).sum();
                let leading = super::left(&bytes).leading_ones();
                // Whether a MAC is a group's, and whether a vendor's, stays.
                let only_sort = space == Space::Mac && bytes[0] & !3 == 0 && ones == bytes[0].count_ones();
                if only_sort || ones == 0 {
                    continue;
                }
                if ones != leading {
                    return Err(unsupported("a packet filter looks at bits in the middle of an address"));
                }
                found.push(Part { at: at - len, len, space: Some(space), bits: ones as u8 });
            }
            _ => return Err(unsupported("a packet filter compares what it took out of a map")),
        }
    }
    Ok(found)
}
