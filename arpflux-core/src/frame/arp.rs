//! ARP (RFC 826) with addresses of any length, and its usual form: IPv4 over whatever link.

use std::fmt;
use std::net::Ipv4Addr;

use super::ethernet::{EtherType, MIN_FRAME, emit_header};
use super::{Malformed, be16, split};
use crate::types::Mac;

/// What an ARP packet wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Who has this address?
    Request,
    /// This address is here.
    Reply,
    /// RARP, InARP and all else, by number.
    Other(u16),
}

impl Operation {
    /// From its number on the wire.
    #[inline]
    #[must_use]
    pub const fn from_code(code: u16) -> Self {
        match code {
            1 => Self::Request,
            2 => Self::Reply,
            other => Self::Other(other),
        }
    }

    /// Its number on the wire.
    #[must_use]
    pub const fn code(self) -> u16 {
        match self {
            Self::Request => 1,
            Self::Reply => 2,
            Self::Other(code) => code,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request => f.write_str("request"),
            Self::Reply => f.write_str("reply"),
            Self::Other(code) => write!(f, "operation {code}"),
        }
    }
}

/// An ARP packet, read in place; addresses have the lengths that the packet says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Arp<'a> {
    /// Hardware type (`ARPHRD_*`): 1 Ethernet, 32 InfiniBand.
    pub hardware_type: u16,
    /// Protocol type: 0x0800 for IPv4.
    pub protocol_type: u16,
    /// Request or reply.
    pub operation: Operation,
    /// Link-layer address of the sender.
    pub sender_hardware: &'a [u8],
    /// Protocol address of the sender.
    pub sender_protocol: &'a [u8],
    /// Link-layer address of the target; zeros in an ordinary request.
    pub target_hardware: &'a [u8],
    /// Protocol address of the target.
    pub target_protocol: &'a [u8],
}

impl<'a> Arp<'a> {
    /// Reads a packet; what follows the addresses is padding.
    ///
    /// # Errors
    /// [`Malformed::Truncated`] if it ends before the lengths that it names.
    #[inline]
    pub fn parse(packet: &'a [u8]) -> Result<Self, Malformed> {
        let (fixed, rest) = split::<8>(packet)?;
        let [h0, h1, p0, p1, hardware_length, protocol_length, o0, o1] = *fixed;
        let (hardware, protocol) = (usize::from(hardware_length), usize::from(protocol_length));
        let needed = 8 + 2 * (hardware + protocol);
        let truncated = Malformed::Truncated { needed, present: packet.len() };
        let (sender_hardware, rest) = rest.split_at_checked(hardware).ok_or(truncated)?;
        let (sender_protocol, rest) = rest.split_at_checked(protocol).ok_or(truncated)?;
        let (target_hardware, rest) = rest.split_at_checked(hardware).ok_or(truncated)?;
        let target_protocol = rest.get(..protocol).ok_or(truncated)?;
        Ok(Self {
            hardware_type: be16(&[h0, h1]),
            protocol_type: be16(&[p0, p1]),
            operation: Operation::from_code(be16(&[o0, o1])),
            sender_hardware,
            sender_protocol,
            target_hardware,
            target_protocol,
        })
    }

    /// The packet as IPv4 over some link; `None` if it is about another protocol or has link-layer
    /// addresses longer than 32 bytes.
    #[inline]
    #[must_use]
    pub fn ipv4(&self) -> Option<Ipv4Arp> {
        if self.protocol_type != EtherType::IPV4.0 {
            return None;
        }
        let sender: [u8; 4] = self.sender_protocol.try_into().ok()?;
        let target: [u8; 4] = self.target_protocol.try_into().ok()?;
        Some(Ipv4Arp {
            hardware_type: self.hardware_type,
            operation: self.operation,
            sender_mac: Mac::from_bytes(self.sender_hardware).ok()?,
            sender: sender.into(),
            target_mac: Mac::from_bytes(self.target_hardware).ok()?,
            target: target.into(),
        })
    }
}

/// An ARP packet about IPv4 addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ipv4Arp {
    /// Hardware type (`ARPHRD_*`).
    pub hardware_type: u16,
    /// Request or reply.
    pub operation: Operation,
    /// Who sends it, on the link.
    pub sender_mac: Mac,
    /// Who sends it; 0.0.0.0 in an RFC 5227 probe.
    pub sender: Ipv4Addr,
    /// Zeros in a request, the asker in a reply. Encoded in the length of `sender_mac`.
    pub target_mac: Mac,
    /// The address asked for; in a reply, that of the asker.
    pub target: Ipv4Addr,
}

/// `ARPHRD_ETHER`, `ARPHRD_INFINIBAND`.
const ETHERNET: u16 = 1;
const INFINIBAND: u16 = 32;

fn hardware_type(mac: Mac) -> u16 {
    if mac.as_bytes().len() == 20 { INFINIBAND } else { ETHERNET }
}

impl Ipv4Arp {
    /// An ordinary request.
    #[must_use]
    pub fn request(sender_mac: Mac, sender: Ipv4Addr, target: Ipv4Addr) -> Self {
        Self {
            hardware_type: hardware_type(sender_mac),
            operation: Operation::Request,
            sender_mac,
            sender,
            target_mac: Mac::NONE,
            target,
        }
    }

    /// A duplicate address probe (RFC 5227 section 2.1.1): a request with sender 0.0.0.0.
    #[must_use]
    pub fn probe(sender_mac: Mac, target: Ipv4Addr) -> Self {
        Self::request(sender_mac, Ipv4Addr::UNSPECIFIED, target)
    }

    /// The reply to a request, saying that its target is at `mac`.
    #[must_use]
    pub fn reply_to(request: &Self, mac: Mac) -> Self {
        Self {
            hardware_type: request.hardware_type,
            operation: Operation::Reply,
            sender_mac: mac,
            sender: request.target,
            target_mac: request.sender_mac,
            target: request.sender,
        }
    }

    /// A gratuitous request: sender and target are `address` (RFC 5227 section 2.3).
    #[must_use]
    pub fn announcement(mac: Mac, address: Ipv4Addr) -> Self {
        Self::request(mac, address, address)
    }

    /// A gratuitous reply, which some receivers take where they ignore the request form.
    ///
    /// Sender and target MAC are the same (RFC 5944 section 4.6): Linux takes no other reply for
    /// gratuitous (`arp_is_garp()`).
    #[must_use]
    pub fn announcement_reply(mac: Mac, address: Ipv4Addr) -> Self {
        Self { operation: Operation::Reply, target_mac: mac, ..Self::announcement(mac, address) }
    }

    /// Whether sender and target are the same address.
    #[must_use]
    pub fn is_gratuitous(&self) -> bool {
        self.sender == self.target
    }

    /// Whether it is a duplicate address probe.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.operation == Operation::Request && self.sender.is_unspecified()
    }

    /// Appends the packet, without an Ethernet header.
    pub fn emit(&self, out: &mut Vec<u8>) {
        let length = self.sender_mac.as_bytes().len();
        out.extend_from_slice(&self.hardware_type.to_be_bytes());
        out.extend_from_slice(&EtherType::IPV4.0.to_be_bytes());
        out.extend_from_slice(&[length as u8, 4]);
        out.extend_from_slice(&self.operation.code().to_be_bytes());
        out.extend_from_slice(self.sender_mac.as_bytes());
        out.extend_from_slice(&self.sender.octets());
        let target_mac = self.target_mac.as_bytes();
        let target_mac = &target_mac[..target_mac.len().min(length)];
        out.extend_from_slice(target_mac);
        out.resize(out.len() + length - target_mac.len(), 0);
        out.extend_from_slice(&self.target.octets());
    }

    /// The packet in an Ethernet frame from its sender, padded to [`MIN_FRAME`].
    #[must_use]
    pub fn to_frame(&self, destination: Mac) -> Vec<u8> {
        let mut frame = Vec::with_capacity(MIN_FRAME);
        emit_header(&mut frame, destination, self.sender_mac, EtherType::ARP);
        self.emit(&mut frame);
        if frame.len() < MIN_FRAME {
            frame.resize(MIN_FRAME, 0);
        }
        frame
    }
}
