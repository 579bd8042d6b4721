//! An ARP frame as filters see it.

use std::net::Ipv4Addr;

use crate::types::Mac;

/// Where the ARP packet begins, behind the Ethernet header.
pub(super) const ARP: usize = 14;
/// Where its operation is.
const OPERATION: usize = ARP + 6;
/// Where the sender's MAC is.
const SENDER_MAC: usize = ARP + 8;
/// Where the sender's address is.
pub(super) const SENDER: usize = ARP + 14;
/// Where the target's MAC is.
const TARGET_MAC: usize = ARP + 18;
/// Where the target's address is.
pub(super) const TARGET: usize = ARP + 24;
/// How long the frame is, without padding.
pub(super) const LEN: usize = ARP + 28;

/// `PACKET_HOST`, `PACKET_BROADCAST`, `PACKET_OTHERHOST`.
pub(crate) const HOST: u8 = 0;
pub(crate) const BROADCAST: u8 = 1;
pub(crate) const OTHERHOST: u8 = 3;

/// An ARP frame with its Ethernet header.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Frame {
    pub(super) bytes: [u8; LEN],
    /// Which of the bytes are not known.
    pub(super) unknown: u64,
    /// It came over a wire, which fills short frames.
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

/// What goes into a frame.
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
    pub(crate) fn new(content: &Content) -> Self {
        let mut frame = Self {
            bytes: [0; LEN],
            unknown: 0,
            padded: false,
            tagged: false,
            has_link: true,
            mark: Some(0),
            packet_type: Some(HOST),
        };
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
            Some(_) => self.unknown = u64::MAX,
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
