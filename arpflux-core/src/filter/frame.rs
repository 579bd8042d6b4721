//! Frames of ARP and of neighbour discovery as filters see them.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::Family;
use crate::frame::{ADVERTISEMENT, ICMPV6, SOLICITATION};
use crate::types::Mac;

/// Where the packet begins, behind the Ethernet header.
pub(super) const NETWORK: usize = 14;
/// Where the operation of ARP is.
const OPERATION: usize = NETWORK + 6;
/// Where the sender's MAC is.
const SENDER_MAC: usize = NETWORK + 8;
/// Where the sender's address is.
pub(super) const SENDER: usize = NETWORK + 14;
/// Where the target's MAC is.
const TARGET_MAC: usize = NETWORK + 18;
/// Where the target's address is.
pub(super) const TARGET: usize = NETWORK + 24;
/// How long an ARP frame is, without padding.
const ARP_LEN: usize = NETWORK + 28;
/// The addresses in the IPv6 header.
const IPV6_SOURCE: usize = NETWORK + 8;
const IPV6_DESTINATION: usize = NETWORK + 24;
/// Where the ICMPv6 message begins.
const MESSAGE: usize = NETWORK + 40;
/// The address asked for.
const DISCOVERY_TARGET: usize = MESSAGE + 8;
/// How long a solicitation or an advertisement is, without options.
const LEN: usize = MESSAGE + 24;

/// `PACKET_HOST`, `PACKET_BROADCAST`, `PACKET_MULTICAST`, `PACKET_OTHERHOST`.
pub(crate) const HOST: u8 = 0;
pub(crate) const BROADCAST: u8 = 1;
pub(crate) const MULTICAST: u8 = 2;
pub(crate) const OTHERHOST: u8 = 3;

/// What a frame is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Protocol {
    #[default]
    Arp,
    /// Neighbour discovery (RFC 4861).
    Discovery,
}

impl Protocol {
    /// Which one tells MACs of IPv6 addresses, or of those of IPv4.
    pub(crate) const fn of(ipv6: bool) -> Self {
        if ipv6 { Self::Discovery } else { Self::Arp }
    }

    /// Whether its frames pass the chains of a family that is worked out. Of neighbour discovery, the older ebtables and
    /// traffic control are not.
    pub(crate) const fn passes(self, family: Family) -> bool {
        match self {
            Self::Arp => !matches!(family, Family::Ip6 | Family::Inet),
            Self::Discovery => {
                matches!(family, Family::Ip6 | Family::Inet | Family::Netdev | Family::Bridge)
            }
        }
    }

    pub(crate) const fn ether_type(self) -> [u8; 2] {
        match self {
            Self::Arp => [0x08, 0x06],
            Self::Discovery => [0x86, 0xdd],
        }
    }

    /// How much of a frame is there without padding and options.
    pub(super) const fn len(self) -> usize {
        match self {
            Self::Arp => ARP_LEN,
            Self::Discovery => LEN,
        }
    }

    /// Where a header begins; `None`: it has none.
    pub(crate) const fn start(self, header: super::Header) -> Option<usize> {
        match (header, self) {
            (super::Header::Link, _) => Some(0),
            (super::Header::Network, _) => Some(NETWORK),
            (super::Header::Transport, Self::Discovery) => Some(MESSAGE),
            (super::Header::Transport, Self::Arp) | (super::Header::None, _) => None,
        }
    }

    /// Where its addresses are.
    pub(super) const fn addresses(self) -> &'static [usize] {
        match self {
            Self::Arp => &[SENDER, TARGET],
            Self::Discovery => &[IPV6_SOURCE, IPV6_DESTINATION, DISCOVERY_TARGET],
        }
    }

    /// How many bytes an address has.
    pub(super) const fn address_len(self) -> usize {
        match self {
            Self::Arp => 4,
            Self::Discovery => 16,
        }
    }
}

/// A frame with its Ethernet header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) protocol: Protocol,
    pub(super) bytes: [u8; LEN],
    /// Which of the bytes are not known.
    pub(super) unknown: u128,
    /// There may be more behind: it came over a wire, which fills short frames, or has options.
    pub(super) padded: bool,
    /// It has a VLAN tag here.
    pub(crate) tagged: bool,
    /// The Ethernet header is there.
    pub(crate) has_link: bool,
    /// `skb->mark`; `None`: not known.
    pub(super) mark: Option<u32>,
    /// `skb->pkt_type`; `None`: not known.
    pub(crate) packet_type: Option<u8>,
}

/// What goes into a frame of neighbour discovery.
pub(crate) struct DiscoveryContent {
    /// Of an advertisement: router 4, solicited 2, override 1.
    pub(crate) advertises: Option<u8>,
    /// `None`: not known.
    pub(crate) source_mac: Option<Mac>,
    pub(crate) destination_mac: Option<Mac>,
    pub(crate) source: Option<Ipv6Addr>,
    pub(crate) destination: Ipv6Addr,
    pub(crate) target: Ipv6Addr,
}

/// What goes into an ARP frame.
pub(crate) struct Content {
    pub(crate) reply: bool,
    /// `None`: not known.
    pub(crate) source_mac: Option<Mac>,
    pub(crate) destination_mac: Option<Mac>,
    pub(crate) sender_mac: Option<Mac>,
    pub(crate) sender: Ipv4Addr,
    pub(crate) target_mac: Option<Mac>,
    pub(crate) target: Ipv4Addr,
}

impl Frame {
    const fn empty(protocol: Protocol) -> Self {
        Self {
            protocol,
            bytes: [0; LEN],
            unknown: 0,
            padded: false,
            tagged: false,
            has_link: true,
            mark: Some(0),
            packet_type: Some(HOST),
        }
    }

    /// A solicitation or an advertisement. What whoever sends it may choose is not known: traffic class and flow label,
    /// options and with them the length and the sum.
    pub(crate) fn discovery(content: &DiscoveryContent) -> Self {
        const HOP_LIMIT: u8 = 255;
        let mut frame = Self::empty(Protocol::Discovery);
        frame.padded = true;
        frame.put_mac(0, content.destination_mac);
        frame.put_mac(6, content.source_mac);
        frame.put(12, &Protocol::Discovery.ether_type());
        frame.unknown |= 0x3f << NETWORK;
        frame.put(NETWORK + 6, &[ICMPV6, HOP_LIMIT]);
        match content.source {
            Some(source) => frame.put(IPV6_SOURCE, &source.octets()),
            None => frame.unknown |= 0xffff << IPV6_SOURCE,
        }
        frame.put(IPV6_DESTINATION, &content.destination.octets());
        let kind = if content.advertises.is_some() { ADVERTISEMENT } else { SOLICITATION };
        frame.put(MESSAGE, &[kind, 0]);
        frame.unknown |= 0b11 << (MESSAGE + 2);
        match content.advertises {
            Some(flags) => frame.put(MESSAGE + 4, &[flags << 5, 0, 0, 0]),
            None => frame.unknown |= 0xf << (MESSAGE + 4),
        }
        frame.put(DISCOVERY_TARGET, &content.target.octets());
        frame
    }

    /// An ARP frame.
    pub(crate) fn new(content: &Content) -> Self {
        let mut frame = Self::empty(Protocol::Arp);
        frame.put_mac(0, content.destination_mac);
        frame.put_mac(6, content.source_mac);
        // Ethernet, IPv4, six and four bytes.
        frame.put(12, &[8, 6, 0, 1, 8, 0, 6, 4, 0, if content.reply { 2 } else { 1 }]);
        frame.put_mac(SENDER_MAC, content.sender_mac);
        frame.put(SENDER, &content.sender.octets());
        frame.put_mac(TARGET_MAC, content.target_mac);
        frame.put(TARGET, &content.target.octets());
        frame
    }

    /// It came over a wire.
    pub(crate) fn received(mut self, packet_type: u8) -> Self {
        self.padded = true;
        self.packet_type = Some(packet_type);
        self
    }

    pub(super) fn put(&mut self, at: usize, bytes: &[u8]) {
        for (place, byte) in (at..).zip(bytes) {
            if let Some(old) = self.bytes.get_mut(place) {
                *old = *byte;
                self.unknown &= !(1 << place);
            }
        }
    }

    /// Hardware with other addresses than Ethernet's has another layout: nothing from there on is known.
    fn put_mac(&mut self, at: usize, mac: Option<Mac>) {
        match mac.as_ref().map(Mac::as_bytes) {
            Some(bytes) if bytes.len() == 6 => self.put(at, bytes),
            Some([]) => self.put(at, &[0; 6]),
            Some(_) => self.unknown = u128::MAX,
            None => self.unknown |= 0x3f << at,
        }
    }

    /// Whether any of these bytes is not known.
    fn is_unknown(&self, at: usize, len: usize) -> bool {
        self.unknown >> at & ((1 << len) - 1) != 0
    }

    fn address(&self, at: usize) -> Option<Ipv4Addr> {
        let octets: [u8; 4] = *self.bytes.get(at..)?.first_chunk()?;
        (!self.is_unknown(at, 4)).then_some(octets.into())
    }

    fn mac(&self, at: usize) -> Option<Mac> {
        let octets: [u8; 6] = *self.bytes.get(at..)?.first_chunk()?;
        (!self.is_unknown(at, 6)).then(|| Mac::ethernet(octets))
    }

    /// The sender's address; `None`: not known.
    pub(crate) fn sender(&self) -> Option<Ipv4Addr> {
        self.address(SENDER)
    }

    /// The target's address.
    pub(crate) fn target(&self) -> Option<Ipv4Addr> {
        self.address(TARGET)
    }

    /// The MAC that it goes to.
    pub(crate) fn destination_mac(&self) -> Option<Mac> {
        self.mac(0)
    }

    /// `skb->mark`; `None`: not known.
    pub(crate) const fn mark(&self) -> Option<u32> {
        self.mark
    }

    /// The sender's MAC in the ARP packet.
    pub(crate) fn sender_mac(&self) -> Option<Mac> {
        self.mac(SENDER_MAC)
    }

    /// Whether everything but addresses is that of `other`: what the frame is, and whom it goes to.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.bytes[..6] == other.bytes[..6] && self.bytes[12..SENDER_MAC] == other.bytes[12..SENDER_MAC]
    }

    /// Whether nothing in it was rewritten but the target's address.
    pub(crate) fn says_beside_target(&self, content: &Content) -> bool {
        self.bytes[..TARGET] == Self::new(content).bytes[..TARGET]
    }

    /// Whether it is a request.
    pub(crate) fn is_request(&self) -> bool {
        self.bytes[OPERATION..OPERATION + 2] == [0, 1]
    }
}

/// The interfaces that a frame comes in by and goes out by, where the hook has them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Devices<'s> {
    pub(crate) input: Option<Device<'s>>,
    pub(crate) output: Option<Device<'s>>,
}

/// An interface as filters see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Device<'s> {
    pub(crate) index: u32,
    pub(crate) name: &'s [u8],
    pub(crate) link_type: u16,
    pub(crate) group: u32,
}
