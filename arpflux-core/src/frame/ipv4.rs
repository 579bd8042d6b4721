//! As much of IPv4 and ICMP as it takes to show a ping.

use std::net::Ipv4Addr;

use super::ethernet::{EtherType, emit_header};
use super::{Malformed, be16, checksum, split};
use crate::types::Mac;

/// The protocol number of ICMP.
const ICMP: u8 = 1;

/// An IPv4 packet, read in place. Checksums are not looked at: a packet captured on its own host
/// often has none yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ipv4<'a> {
    /// From whom.
    pub source: Ipv4Addr,
    /// To whom.
    pub destination: Ipv4Addr,
    /// What it carries: 1 ICMP, 6 TCP, 17 UDP.
    pub protocol: u8,
    /// Time to live.
    pub ttl: u8,
    /// Whether this is a fragment other than the first, whose payload has no header of its own.
    pub later_fragment: bool,
    /// What it carries, without the frame's padding.
    pub payload: &'a [u8],
}

impl<'a> Ipv4<'a> {
    /// Reads a packet.
    ///
    /// # Errors
    /// [`Malformed`] if it is not version 4, its lengths contradict each other or its header is cut.
    /// A payload that was cut by the capture is taken as far as it goes.
    pub fn parse(packet: &'a [u8]) -> Result<Self, Malformed> {
        let (header, _) = split::<20>(packet)?;
        if header[0] >> 4 != 4 {
            return Err(Malformed::Unexpected { field: "version", value: u32::from(header[0] >> 4) });
        }
        let header_length = 4 * usize::from(header[0] & 15);
        let total = usize::from(be16(&[header[2], header[3]]));
        if header_length < 20 || header_length > total {
            return Err(Malformed::Unexpected { field: "header length", value: header_length as u32 });
        }
        let payload = packet
            .get(header_length..packet.len().min(total))
            .ok_or(Malformed::Truncated { needed: header_length, present: packet.len() })?;
        Ok(Self {
            source: Ipv4Addr::new(header[12], header[13], header[14], header[15]),
            destination: Ipv4Addr::new(header[16], header[17], header[18], header[19]),
            protocol: header[9],
            ttl: header[8],
            later_fragment: be16(&[header[6], header[7]]) & 0x1fff != 0,
            payload,
        })
    }

    /// The ICMP echo in it, if it is one.
    #[must_use]
    pub fn echo(&self) -> Option<Echo<'a>> {
        if self.protocol != ICMP || self.later_fragment {
            return None;
        }
        let (&[kind, 0, _, _, i0, i1, s0, s1], data) = self.payload.split_first_chunk::<8>()? else {
            return None;
        };
        let reply = match kind {
            0 => true,
            8 => false,
            _ => return None,
        };
        Some(Echo { reply, id: be16(&[i0, i1]), sequence: be16(&[s0, s1]), data })
    }
}

/// An ICMP echo request or reply (RFC 792).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Echo<'a> {
    /// Whether it is the reply.
    pub reply: bool,
    /// Which conversation.
    pub id: u16,
    /// Which request of it.
    pub sequence: u16,
    /// What comes back as it was sent.
    pub data: &'a [u8],
}

impl Echo<'_> {
    /// The echo in an IPv4 packet (time to live 64) in an Ethernet frame.
    #[must_use]
    pub fn to_frame(
        &self,
        (source_mac, source): (Mac, Ipv4Addr),
        (destination_mac, destination): (Mac, Ipv4Addr),
    ) -> Vec<u8> {
        let mut frame = Vec::with_capacity(42 + self.data.len());
        emit_header(&mut frame, destination_mac, source_mac, EtherType::IPV4);
        let total = u16::try_from(28 + self.data.len()).unwrap_or(u16::MAX);
        let mut header = [0u8; 20];
        header[0] = 0x45;
        header[2..4].copy_from_slice(&total.to_be_bytes());
        header[6] = 0x40;
        header[8] = 64;
        header[9] = ICMP;
        header[12..16].copy_from_slice(&source.octets());
        header[16..20].copy_from_slice(&destination.octets());
        let sum = checksum::internet(&header);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        frame.extend_from_slice(&header);
        let at = frame.len();
        frame.extend_from_slice(&[if self.reply { 0 } else { 8 }, 0, 0, 0]);
        frame.extend_from_slice(&self.id.to_be_bytes());
        frame.extend_from_slice(&self.sequence.to_be_bytes());
        frame.extend_from_slice(&self.data[..usize::from(total) - 28]);
        let sum = checksum::internet(&frame[at..]);
        frame[at + 2..at + 4].copy_from_slice(&sum.to_be_bytes());
        frame
    }
}
