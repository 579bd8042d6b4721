//! The Internet checksum (RFC 1071).

use std::net::Ipv6Addr;

/// The sum of big-endian 16-bit words, not yet folded.
fn add(mut sum: u32, bytes: &[u8]) -> u32 {
    let mut words = bytes.chunks_exact(2);
    for word in &mut words {
        sum = fold(sum) + u32::from(u16::from_be_bytes([word[0], word[1]]));
    }
    if let [last] = words.remainder() {
        sum = fold(sum) + (u32::from(*last) << 8);
    }
    sum
}

const fn fold(sum: u32) -> u32 {
    (sum & 0xffff) + (sum >> 16)
}

const fn finish(sum: u32) -> u16 {
    !(fold(fold(sum)) as u16)
}

/// The checksum of `bytes`; zero if they carry their own, correct one.
pub(super) fn internet(bytes: &[u8]) -> u16 {
    finish(add(0, bytes))
}

/// The checksum of an ICMPv6 message with its pseudo-header (RFC 8200 section 8.1).
pub(super) fn icmpv6(source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> u16 {
    let mut sum = add(0, &source.octets());
    sum = add(sum, &destination.octets());
    sum = add(sum, &(message.len() as u32).to_be_bytes());
    sum = add(sum, &[0, 0, 0, super::ICMPV6]);
    finish(add(sum, message))
}
