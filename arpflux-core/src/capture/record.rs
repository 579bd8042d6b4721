//! What the decoders find in a capture: records, and what of a record is about addresses.

use crate::frame::{Arp, EtherType, Ethernet, Ipv4, Timestamp};

/// The link-layer type of a record (`LINKTYPE_*` of the pcap formats).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Linux cooked, version 1: what `tcpdump -i any` wrote until libpcap 1.10.
    pub const SLL: Self = Self(113);
    /// Linux cooked, version 2.
    pub const SLL2: Self = Self(276);

    /// Whether ARP can be found in records of this type.
    #[must_use]
    pub const fn is_read(self) -> bool {
        matches!(self, Self::ETHERNET | Self::SLL | Self::SLL2)
    }
}

/// One record of a binary capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// When the frame was seen, if the record says so.
    pub time: Option<Timestamp>,
    /// How to read `data`.
    pub link_type: LinkType,
    /// The interface it was seen on, counted over the whole file from 0.
    pub interface: u32,
    /// The first bytes of the frame: at most [`Record::PREFIX`], never more than were captured.
    pub data: &'a [u8],
    /// How many bytes of the frame the file holds.
    pub captured: u32,
    /// How many bytes the frame had on the wire.
    pub original: u32,
}

impl Record<'_> {
    /// How many bytes of a frame are looked at. ARP with two VLAN tags and InfiniBand addresses takes
    /// 78 bytes; the rest of a large frame is passed over unread, so that memory stays constant.
    pub const PREFIX: usize = 128;
}

/// The VLAN ids of a frame, innermost last; at most two are told apart, as in QinQ. Frames with
/// different ids are on different wires as far as ARP goes. A priority tag (id 0) counts as none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Vlans(u32);

impl Vlans {
    /// No tag.
    pub const NONE: Self = Self(0);

    /// The same with one more tag inside. Of three and more the innermost two are kept.
    #[must_use]
    pub const fn inside(self, id: u16) -> Self {
        match id & 0xfff {
            0 => self,
            id => Self((self.0 << 12 | id as u32) & 0xff_ffff),
        }
    }

    /// From [`Vlans::bits`].
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & 0xff_ffff)
    }

    /// As a number: the inner id plus 4096 times the outer one.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The ids, outermost first.
    pub fn ids(self) -> impl Iterator<Item = u16> {
        [(self.0 >> 12) as u16, (self.0 & 0xfff) as u16].into_iter().filter(|id| *id != 0)
    }
}

/// What a frame says about addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content<'a> {
    /// An ARP packet about IPv4 addresses.
    Arp(Arp<'a>),
    /// An IPv4 packet: shows by which MAC an address is really reached.
    Ipv4 {
        /// From whom.
        source: u32,
        /// To whom.
        destination: u32,
        /// Time to live; `None` where the text does not show it.
        ttl: Option<u8>,
    },
}

/// One frame, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting<'a> {
    /// When; `None` where the capture has no clock (tcpdump's text with `-t`).
    pub time: Option<Timestamp>,
    /// On which VLAN.
    pub vlans: Vlans,
    /// The link-layer source; empty if not known.
    pub source: &'a [u8],
    /// The link-layer destination; empty if not known. Cooked captures tell broadcasts only.
    pub destination: &'a [u8],
    /// What the frame carries.
    pub content: Content<'a>,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read<'a> {
    /// It is about addresses.
    Sighting(Sighting<'a>),
    /// It is about something else.
    Other,
    /// The frame was cut before the addresses ended, by the capture's snapshot length or on the wire.
    Cut,
    /// A link type that is not read.
    Unread(LinkType),
}

const BROADCAST: &[u8] = &[0xff; 6];

/// Reads a record's frame.
#[inline]
#[must_use]
pub fn read<'a>(record: &Record<'a>) -> Read<'a> {
    match record.link_type {
        LinkType::ETHERNET => ethernet(record),
        LinkType::SLL => cooked(record, 16, |header| {
            let length = usize::from(u16::from_be_bytes([header[4], header[5]])).min(8);
            (header[1], &header[6..6 + length], u16::from_be_bytes([header[14], header[15]]))
        }),
        LinkType::SLL2 => cooked(record, 20, |header| {
            let length = usize::from(header[11]).min(8);
            (header[10], &header[12..12 + length], u16::from_be_bytes([header[0], header[1]]))
        }),
        other => Read::Unread(other),
    }
}

#[inline]
fn ethernet<'a>(record: &Record<'a>) -> Read<'a> {
    let Ok(frame) = Ethernet::parse(record.data) else {
        return Read::Cut;
    };
    let vlans = frame.tags.iter().fold(Vlans::NONE, |vlans, tag| vlans.inside(tag.vlan()));
    let (source, destination) = (&record.data[6..12], &record.data[..6]);
    content(record, vlans, source, destination, frame.ether_type, frame.payload)
}

/// The cooked headers: packet type (`PACKET_*`), source address, protocol; then perhaps VLAN tags.
fn cooked<'a>(
    record: &Record<'a>,
    header_length: usize,
    fields: impl Fn(&'a [u8]) -> (u8, &'a [u8], u16),
) -> Read<'a> {
    const PACKET_BROADCAST: u8 = 1;
    let Some((header, mut payload)) = record.data.split_at_checked(header_length) else {
        return Read::Cut;
    };
    let (packet_type, source, protocol) = fields(header);
    let mut ether_type = EtherType(protocol);
    let mut vlans = Vlans::NONE;
    while ether_type.is_tag() {
        let Some((&[c0, c1, t0, t1], rest)) = payload.split_first_chunk::<4>() else {
            return Read::Cut;
        };
        vlans = vlans.inside(u16::from_be_bytes([c0, c1]));
        ether_type = EtherType(u16::from_be_bytes([t0, t1]));
        payload = rest;
    }
    let destination = if packet_type == PACKET_BROADCAST { BROADCAST } else { &[] };
    content(record, vlans, source, destination, ether_type, payload)
}

#[inline]
fn content<'a>(
    record: &Record<'a>,
    vlans: Vlans,
    source: &'a [u8],
    destination: &'a [u8],
    ether_type: EtherType,
    payload: &'a [u8],
) -> Read<'a> {
    /// LLC for SNAP and an organisation code of zero: an EtherType follows (RFC 1042).
    const SNAP: &[u8] = &[0xaa, 0xaa, 3, 0, 0, 0];
    let sighting =
        |content| Read::Sighting(Sighting { time: record.time, vlans, source, destination, content });
    match ether_type {
        EtherType::ARP => match Arp::parse(payload) {
            Ok(arp) if arp.protocol_type == EtherType::IPV4.0 && arp.sender_protocol.len() == 4 => {
                sighting(Content::Arp(arp))
            }
            Ok(_) => Read::Other,
            Err(_) => Read::Cut,
        },
        EtherType::IPV4 => match Ipv4::parse(payload) {
            Ok(packet) => sighting(Content::Ipv4 {
                source: packet.source.to_bits(),
                destination: packet.destination.to_bits(),
                ttl: Some(packet.ttl),
            }),
            Err(_) if payload.len() < 20 => Read::Cut,
            Err(_) => Read::Other,
        },
        EtherType(length) if length < 1536 && payload.starts_with(SNAP) && payload.len() >= 8 => {
            match u16::from_be_bytes([payload[6], payload[7]]) {
                // No length field inside: one level, so this does not recurse further.
                inner if inner >= 1536 => {
                    content(record, vlans, source, destination, EtherType(inner), &payload[8..])
                }
                _ => Read::Other,
            }
        }
        _ => Read::Other,
    }
}
