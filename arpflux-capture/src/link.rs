//! From the link layer of a record to what it carries.

use arpflux_core::frame::{Arp, EtherType, Ethernet, Ipv4, Ipv6, Malformed};

use crate::group::{GroupPacket, VRRP};
use crate::record::{Content, LinkType, Read, Record, Sighting, Unread, Vlans, Wire};
use crate::tunnel;

const BROADCAST: &[u8] = &[0xff; 6];

/// A frame on its way down through its headers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame<'r, 'a> {
    pub record: &'r Record<'a>,
    pub wire: Wire,
    pub source: &'a [u8],
    pub destination: &'a [u8],
    /// How many frames this one is inside of.
    pub depth: u8,
}

/// Reads a record's frame.
#[inline]
#[must_use]
pub fn read<'a>(record: &Record<'a>) -> Read<'a> {
    link(record, record.link_type, record.data)
}

fn link<'a>(record: &Record<'a>, link_type: LinkType, data: &'a [u8]) -> Read<'a> {
    let wire = Wire { interface: record.interface, ..Wire::default() };
    let frame = Frame { record, wire, source: &[], destination: &[], depth: 0 };
    // The header that stands in front of a frame of another type, by its own length.
    let behind = |length: Option<usize>, link_type| match length.and_then(|length| data.get(length..)) {
        Some(rest) if rest.len() < data.len() => link(record, link_type, rest),
        _ => Read::Cut,
    };
    let le16 =
        |at: usize| data.get(at..at + 2).map(|bytes| usize::from(u16::from_le_bytes([bytes[0], bytes[1]])));
    let le32 = |at: usize| {
        data.get(at..at + 4).and_then(<[u8]>::first_chunk).map(|bytes| u32::from_le_bytes(*bytes))
    };
    let be32 = |at: usize| {
        data.get(at..at + 4).and_then(<[u8]>::first_chunk).map(|bytes| u32::from_be_bytes(*bytes))
    };
    match link_type {
        LinkType::ETHERNET => ethernet(frame, data),
        LinkType::SLL => cooked(frame, data, 16, |header| {
            let length = usize::from(u16::from_be_bytes([header[4], header[5]])).min(8);
            (header[1], &header[6..6 + length], u16::from_be_bytes([header[14], header[15]]))
        }),
        LinkType::SLL2 => {
            let wire = Wire { interface: be32(4).unwrap_or_default(), ..wire };
            cooked(Frame { wire, ..frame }, data, 20, |header| {
                let length = usize::from(header[11]).min(8);
                (header[10], &header[12..12 + length], u16::from_be_bytes([header[0], header[1]]))
            })
        }
        LinkType::IEEE802_11 => wireless(frame, data, false),
        LinkType::RADIOTAP => match le16(2).and_then(|length| data.get(length..)) {
            Some(rest) if rest.len() < data.len() => wireless(frame, rest, is_aligned(data)),
            _ => Read::Cut,
        },
        LinkType::PRISM => behind(le32(4).map(|length| length as usize), LinkType::IEEE802_11),
        LinkType::AVS => behind(be32(4).map(|length| length as usize), LinkType::IEEE802_11),
        LinkType::PPI => behind(le16(2), LinkType(le32(4).unwrap_or(u32::MAX))),
        LinkType::PKTAP => {
            behind(le32(0).map(|length| length as usize), LinkType(le32(8).unwrap_or(u32::MAX)))
        }
        LinkType::IPOIB => match data.split_at_checked(44) {
            // What stands for the addresses is not always filled in.
            Some((header, payload)) => {
                content(frame, EtherType(u16::from_be_bytes([header[40], header[41]])), payload)
            }
            None => Read::Cut,
        },
        LinkType::DSA_BRCM_PREPEND => behind(Some(4), LinkType::ETHERNET),
        LinkType::DSA_BRCM | LinkType::DSA => switch_tag(frame, data, 4),
        LinkType::EDSA => switch_tag(frame, data, 8),
        // IP without a link layer, perhaps behind the number of its family: of use for tunnels in it alone.
        LinkType(12 | 14 | 101 | 228 | 229) => {
            tunnel::raw(frame, data).unwrap_or(Read::Unread(Unread::LinkType(link_type)))
        }
        LinkType(0 | 108) => data
            .get(4..)
            .and_then(|packet| tunnel::raw(frame, packet))
            .unwrap_or(Read::Unread(Unread::LinkType(link_type))),
        other => Read::Unread(Unread::LinkType(other)),
    }
}

/// Whether a radiotap header says that the 802.11 header behind it is filled up to four bytes.
fn is_aligned(radiotap: &[u8]) -> bool {
    const TIME: u32 = 1;
    const FLAGS: u32 = 2;
    const MORE: u32 = 1 << 31;
    let word = |at: usize| {
        radiotap.get(at..).and_then(<[u8]>::first_chunk::<4>).map(|bytes| u32::from_le_bytes(*bytes))
    };
    let Some(present) = word(4) else { return false };
    let mut at = 8;
    let mut last = present;
    while last & MORE != 0 {
        let Some(next) = word(at) else { return false };
        (last, at) = (next, at + 4);
    }
    if present & TIME != 0 {
        at = at.next_multiple_of(8) + 8;
    }
    present & FLAGS != 0 && radiotap.get(at).is_some_and(|flags| flags & 0x20 != 0)
}

/// An Ethernet frame, also one inside of another.
#[inline]
pub(crate) fn ethernet<'a>(frame: Frame<'_, 'a>, data: &'a [u8]) -> Read<'a> {
    let Ok(parsed) = Ethernet::parse(data) else {
        return Read::Cut;
    };
    let vlans = parsed.tags.iter().fold(Vlans::NONE, |vlans, tag| vlans.inside(tag.vlan()));
    let wire = Wire { vlans, ..frame.wire };
    let frame = Frame { wire, source: &data[6..12], destination: &data[..6], ..frame };
    content(frame, parsed.ether_type, parsed.payload)
}

/// Ethernet with a switch's own tag, `length` bytes long, behind the addresses.
fn switch_tag<'a>(frame: Frame<'_, 'a>, data: &'a [u8], length: usize) -> Read<'a> {
    let Some(rest) = data.get(12 + length..) else { return Read::Cut };
    let frame = Frame { source: &data[6..12], destination: &data[..6], ..frame };
    tagged(frame, rest)
}

/// What begins with an EtherType, VLAN tags before it.
fn tagged<'a>(mut frame: Frame<'_, 'a>, mut rest: &'a [u8]) -> Read<'a> {
    loop {
        let Some((&[a, b], payload)) = rest.split_first_chunk::<2>() else { return Read::Cut };
        let ether_type = EtherType(u16::from_be_bytes([a, b]));
        if !ether_type.is_tag() {
            return content(frame, ether_type, payload);
        }
        let Some((&[c0, c1], next)) = payload.split_first_chunk::<2>() else { return Read::Cut };
        frame.wire.vlans = frame.wire.vlans.inside(u16::from_be_bytes([c0, c1]));
        rest = next;
    }
}

/// The cooked headers: packet type (`PACKET_*`), source address, protocol; then perhaps VLAN tags.
fn cooked<'a>(
    mut frame: Frame<'_, 'a>,
    data: &'a [u8],
    header_length: usize,
    fields: impl Fn(&'a [u8]) -> (u8, &'a [u8], u16),
) -> Read<'a> {
    const PACKET_BROADCAST: u8 = 1;
    let Some((header, payload)) = data.split_at_checked(header_length) else {
        return Read::Cut;
    };
    let (packet_type, source, protocol) = fields(header);
    frame.source = source;
    frame.destination = if packet_type == PACKET_BROADCAST { BROADCAST } else { &[] };
    let ether_type = EtherType(protocol);
    if !ether_type.is_tag() {
        return content(frame, ether_type, payload);
    }
    let Some((&[c0, c1], rest)) = payload.split_first_chunk::<2>() else { return Read::Cut };
    frame.wire.vlans = frame.wire.vlans.inside(u16::from_be_bytes([c0, c1]));
    tagged(frame, rest)
}

/// An 802.11 frame: data in the clear with LLC and SNAP, its header filled up to four bytes perhaps; the rest is about
/// other things.
fn wireless<'a>(frame: Frame<'_, 'a>, data: &'a [u8], aligned: bool) -> Read<'a> {
    const DATA: u8 = 2;
    /// No data in it (subtype bit 2), and quality of service (bit 3).
    const NULL: u8 = 4;
    const QOS: u8 = 8;
    let Some(&[control, flags]) = data.first_chunk::<2>() else { return Read::Cut };
    let subtype = control >> 4;
    if control >> 2 & 3 != DATA || subtype & NULL != 0 {
        return Read::Other;
    }
    let (to_ds, from_ds) = (flags & 1 != 0, flags & 2 != 0);
    let mut length = if to_ds && from_ds { 30 } else { 24 };
    let addresses = if to_ds && from_ds {
        (16, 24)
    } else if to_ds {
        (16, 10)
    } else if from_ds {
        (4, 16)
    } else {
        (4, 10)
    };
    let mut aggregated = false;
    if subtype & QOS != 0 {
        aggregated = data.get(length).is_some_and(|low| low & 0x80 != 0);
        // Quality of service, then high throughput if the order flag says so.
        length += if flags & 0x80 != 0 { 6 } else { 2 };
    }
    if aligned {
        length = length.next_multiple_of(4);
    }
    let Some(payload) = data.get(length..) else { return Read::Cut };
    if flags & 0x40 != 0 {
        return Read::Unread(Unread::Encrypted);
    }
    if aggregated {
        return Read::Unread(Unread::Tunnel("802.11 A-MSDU"));
    }
    let address = |at: usize| &data[at..at + 6];
    let frame = Frame { destination: address(addresses.0), source: address(addresses.1), ..frame };
    // Behind LLC and SNAP, as if a length had been before.
    content(frame, EtherType(0), payload)
}

/// What an EtherType, or a length, announces.
#[inline]
pub(crate) fn content<'a>(frame: Frame<'_, 'a>, ether_type: EtherType, payload: &'a [u8]) -> Read<'a> {
    /// LLC for SNAP and an organisation code of zero: an EtherType follows (RFC 1042).
    const SNAP: &[u8] = &[0xaa, 0xaa, 3, 0, 0, 0];
    match ether_type {
        EtherType::ARP => arp(frame, payload),
        EtherType::IPV4 => match Ipv4::parse(payload) {
            Ok(packet) => {
                if !packet.later_fragment
                    && let Some(inside) = tunnel::ip(frame, packet.protocol, packet.payload)
                {
                    return inside;
                }
                if !packet.later_fragment
                    && let Some(group) = group(packet.protocol, packet.payload, 4)
                {
                    let source = 0xffff << 32 | u128::from(packet.source.to_bits());
                    return frame.sighting(Content::Group { packet: group, source });
                }
                frame.sighting(Content::Ipv4 {
                    source: packet.source.to_bits(),
                    destination: packet.destination.to_bits(),
                    ttl: Some(packet.ttl),
                })
            }
            Err(_) if payload.len() < 20 => Read::Cut,
            Err(_) => Read::Other,
        },
        EtherType::IPV6 => ipv6(frame, payload),
        EtherType(length) if length < 1536 && payload.starts_with(SNAP) && payload.len() >= 8 => {
            match u16::from_be_bytes([payload[6], payload[7]]) {
                // No length field inside: one level, so this does not recurse further.
                inner if inner >= 1536 => content(frame, EtherType(inner), &payload[8..]),
                _ => Read::Other,
            }
        }
        other => tunnel::ether_type(frame, other, payload).unwrap_or(Read::Other),
    }
}

/// What a router says of its group, if that is in it.
#[inline]
fn group(protocol: u8, payload: &[u8], width: usize) -> Option<GroupPacket<'_>> {
    const UDP: u8 = 17;
    match protocol {
        VRRP => GroupPacket::vrrp(payload, width),
        UDP => GroupPacket::udp(payload),
        _ => None,
    }
}

fn arp<'a>(frame: Frame<'_, 'a>, payload: &'a [u8]) -> Read<'a> {
    const ETHERNET: u16 = 1;
    const IEEE_802: u16 = 6;
    const INFINIBAND: u16 = 32;
    let cut = if frame.record.captured < frame.record.original { Read::Cut } else { Read::Malformed };
    let Some(&[h0, h1, p0, p1, hardware, protocol, ..]) = payload.first_chunk::<8>() else { return cut };
    let lengths = match u16::from_be_bytes([h0, h1]) {
        ETHERNET | IEEE_802 => hardware == 6,
        INFINIBAND => hardware == 20,
        _ => (1..=32).contains(&hardware),
    };
    if u16::from_be_bytes([p0, p1]) != EtherType::IPV4.0 {
        return Read::Other;
    }
    if !lengths || protocol != 4 {
        return Read::Malformed;
    }
    match Arp::parse(payload) {
        Ok(arp) => {
            let length = 8 + 2 * (arp.sender_hardware.len() + arp.sender_protocol.len());
            let whole = frame.record.captured == frame.record.original && frame.depth == 0;
            frame.padded_sighting(Content::Arp(arp), whole.then_some(payload.len() > length))
        }
        Err(_) => cut,
    }
}

fn ipv6<'a>(frame: Frame<'_, 'a>, payload: &'a [u8]) -> Read<'a> {
    const ICMPV6: u8 = 58;
    let packet = match Ipv6::parse(payload) {
        Ok(packet) => packet,
        Err(Malformed::Truncated { .. }) => return Read::Cut,
        Err(_) => return Read::Other,
    };
    if let Some(inside) = tunnel::ip(frame, packet.next_header, packet.payload) {
        return inside;
    }
    let neighbour = packet.next_header == ICMPV6 && matches!(packet.payload.first(), Some(135 | 136));
    if neighbour {
        return match packet.ndp() {
            Ok(message) => frame.sighting(Content::Ndp { message, source: packet.source }),
            Err(Malformed::Truncated { .. }) => Read::Cut,
            // Cut behind what the checksum needs.
            Err(Malformed::Checksum) if frame.record.captured < frame.record.original => Read::Cut,
            Err(_) => Read::Malformed,
        };
    }
    if let Some(group) = group(packet.next_header, packet.payload, 16) {
        return frame.sighting(Content::Group { packet: group, source: packet.source.to_bits() });
    }
    frame.sighting(Content::Ipv6 {
        source: packet.source,
        destination: packet.destination,
        hop_limit: packet.hop_limit,
    })
}

impl<'a> Frame<'_, 'a> {
    fn sighting(&self, content: Content<'a>) -> Read<'a> {
        self.padded_sighting(content, None)
    }

    #[inline]
    fn padded_sighting(&self, content: Content<'a>, padded: Option<bool>) -> Read<'a> {
        Read::Sighting(Sighting {
            padded,
            number: self.record.number,
            time: self.record.time,
            wire: self.wire,
            source: self.source,
            destination: self.destination,
            content,
        })
    }
}
