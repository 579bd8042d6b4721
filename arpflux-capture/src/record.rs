//! What the decoders find in a capture: records, and what of a record is about addresses.

use std::net::Ipv6Addr;

use arpflux_core::frame::{Arp, Ndp, Timestamp};
use arpflux_core::types::Mac;
use serde::Serialize;

use crate::group::GroupPacket;
pub use crate::link::read;

/// The link-layer type of a record (`LINKTYPE_*` of the pcap formats).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// 802.11 frames, as a monitor interface sees them.
    pub const IEEE802_11: Self = Self(105);
    /// Linux cooked, version 1: what `tcpdump -i any` wrote until libpcap 1.10.
    pub const SLL: Self = Self(113);
    /// 802.11 behind a Prism header.
    pub const PRISM: Self = Self(119);
    /// 802.11 behind a radiotap header.
    pub const RADIOTAP: Self = Self(127);
    /// 802.11 behind an AVS header.
    pub const AVS: Self = Self(163);
    /// Per-packet information, with any link type behind it.
    pub const PPI: Self = Self(192);
    /// IP over InfiniBand, behind 40 bytes that may hold its routing header, or anything.
    pub const IPOIB: Self = Self(242);
    /// Apple's PKTAP, with any link type behind it.
    pub const PKTAP: Self = Self(258);
    /// Linux cooked, version 2.
    pub const SLL2: Self = Self(276);
    /// Ethernet with Broadcom's switch tag behind the addresses.
    pub const DSA_BRCM: Self = Self(281);
    /// Ethernet behind Broadcom's switch tag.
    pub const DSA_BRCM_PREPEND: Self = Self(282);
    /// Ethernet with Marvell's switch tag (DSA) behind the addresses.
    pub const DSA: Self = Self(283);
    /// Ethernet with Marvell's switch tag (EDSA) behind the addresses.
    pub const EDSA: Self = Self(284);

    /// Whether ARP can be found in records of this type.
    #[must_use]
    pub const fn is_read(self) -> bool {
        matches!(
            self,
            Self::ETHERNET
                | Self::IEEE802_11
                | Self::SLL
                | Self::PRISM
                | Self::RADIOTAP
                | Self::AVS
                | Self::PPI
                | Self::IPOIB
                | Self::PKTAP
                | Self::SLL2
                | Self::DSA_BRCM
                | Self::DSA_BRCM_PREPEND
                | Self::DSA
                | Self::EDSA
        )
    }

    /// What it is called, of some that people meet; the number says the rest.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0 | 108 => "BSD loopback",
            1 => "Ethernet",
            6 => "Token Ring",
            9 => "PPP",
            10 => "FDDI",
            8 => "SLIP",
            12 | 14 | 101 | 228 | 229 => "raw IP, which has no link layer and no ARP",
            104 => "Cisco HDLC",
            107 => "frame relay",
            105 => "802.11",
            113 => "Linux cooked",
            119 => "802.11 with Prism header",
            127 => "802.11 with radiotap header",
            163 => "802.11 with AVS header",
            187 | 201 => "Bluetooth",
            189 | 220 => "USB",
            192 => "per-packet information",
            195 | 215 | 230 => "802.15.4",
            239 => "NFLOG",
            242 => "IP over InfiniBand",
            247 => "InfiniBand",
            253 => "netlink",
            258 => "PKTAP",
            276 => "Linux cooked, version 2",
            _ => return None,
        })
    }
}

/// One record of a binary capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Which record of its file it is, from 1.
    pub number: u64,
    /// When the frame was seen, if the record says so.
    pub time: Option<Timestamp>,
    /// How to read `data`.
    pub link_type: LinkType,
    /// The interface it was seen on, counted in its section of the file from 0.
    pub interface: u32,
    /// The first bytes of the frame: at most [`Record::PREFIX`], never more than were captured.
    pub data: &'a [u8],
    /// How many bytes of the frame the file holds.
    pub captured: u32,
    /// How many bytes the frame had on the wire.
    pub original: u32,
}

impl Record<'_> {
    /// How many bytes of a frame are looked at. ARP in a tunnel over IPv6 with options takes some 200; the rest of a
    /// large frame is passed over unread, so that memory stays constant.
    pub const PREFIX: usize = 384;
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

/// How a frame came inside another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TunnelKind {
    /// VXLAN (RFC 7348), and its GPE form.
    Vxlan,
    /// GENEVE (RFC 8926).
    Geneve,
    /// Ethernet over GRE, and NVGRE.
    Gre,
    /// ERSPAN, types I to III: frames that a switch mirrors.
    Erspan,
    /// An MPLS pseudo-wire (RFC 4448).
    Mpls,
    /// A provider backbone bridge (802.1ah).
    Pbb,
}

impl TunnelKind {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vxlan => "VXLAN",
            Self::Geneve => "GENEVE",
            Self::Gre => "GRE",
            Self::Erspan => "ERSPAN",
            Self::Mpls => "MPLS",
            Self::Pbb => "PBB",
        }
    }
}

/// Reads an Ethernet frame as a packet socket receives it.
pub(crate) fn ethernet(time: Timestamp, frame: &[u8]) -> Read<'_> {
    let length = frame.len() as u32;
    read(&Record {
        number: 0,
        time: Some(time),
        link_type: LinkType::ETHERNET,
        interface: 0,
        data: &frame[..frame.len().min(Record::PREFIX)],
        captured: length,
        original: length,
    })
}

/// A tunnel: its inside is a wire of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tunnel {
    /// Its protocol.
    pub kind: TunnelKind,
    /// Its number: VNI, key, session, label, service; 0 if it has none.
    pub id: u32,
}

/// Where a frame was seen. ARP on one wire says nothing about another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wire {
    /// The interface: its place in a pcapng section, or the kernel's number of it in a cooked capture.
    pub interface: u32,
    /// The VLAN.
    pub vlans: Vlans,
    /// The tunnel that it came in; its VLANs are those inside.
    pub tunnel: Option<Tunnel>,
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
    /// A neighbour solicitation or advertisement.
    Ndp {
        /// The message.
        message: Ndp,
        /// The address that it was sent from.
        source: Ipv6Addr,
    },
    /// A packet by which routers agree who of them has an address.
    Group {
        /// What it says.
        packet: GroupPacket<'a>,
        /// The address that it was sent from; `::ffff:0:0/96` stands for IPv4.
        source: u128,
    },
    /// A line of a log, not a frame: an address has another MAC than before, or two have it.
    Log {
        /// The address.
        address: u32,
        /// The MAC before; [`Mac::NONE`] if the line does not name it.
        from: Mac,
        /// The MAC now.
        to: Mac,
        /// It says that two have it.
        duplicate: bool,
    },
    /// Any other IPv6 packet.
    Ipv6 {
        /// From whom.
        source: Ipv6Addr,
        /// To whom.
        destination: Ipv6Addr,
        /// Hop limit.
        hop_limit: u8,
    },
}

/// One frame, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sighting<'a> {
    /// Which record of its file it is, from 1; 0 if that is not known.
    pub number: u64,
    /// When; `None` where the capture has no clock (tcpdump's text with `-t`).
    pub time: Option<Timestamp>,
    /// Where.
    pub wire: Wire,
    /// The link-layer source; empty if not known.
    pub source: &'a [u8],
    /// The link-layer destination; empty if not known. Cooked captures tell broadcasts only.
    pub destination: &'a [u8],
    /// Whether an ARP packet was filled up to the least length that a wire needs; `None` if that is not known, as inside
    /// of tunnels and in text. Frames are padded by the NIC, so those of the host that captures are not.
    pub padded: Option<bool>,
    /// What the frame carries.
    pub content: Content<'a>,
}

/// Why a frame could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Unread {
    /// Its link type is not known here.
    LinkType(LinkType),
    /// 802.11 data that is encrypted: the key is needed.
    Encrypted,
    /// Encrypted by IPsec (ESP): it may be a tunnel, with frames in it.
    Encapsulated,
    /// Inside a tunnel of this protocol, which is not opened.
    Tunnel(&'static str),
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Read<'a> {
    /// It is about addresses.
    Sighting(Sighting<'a>),
    /// It is about something else.
    Other,
    /// The frame was cut before the addresses ended, by the capture's snapshot length.
    Cut,
    /// ARP whose lengths or types cannot be, or that ends too early on the wire itself.
    Malformed,
    /// It cannot be read.
    Unread(Unread),
}
