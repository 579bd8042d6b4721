//! Reading attributes (`struct nlattr`, `struct rtattr`) in place.
//!
//! Reading is total: a length that does not fit ends the list, a value that is too short is `None`.
//! The kernel sends neither, but a kernel of tomorrow may send what this build does not know.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `NLA_F_NESTED | NLA_F_NET_BYTEORDER`, not part of the type's number.
const FLAGS: u16 = 0xc000;

/// One attribute: its type without flags, and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attribute<'a> {
    /// The type's number.
    pub kind: u16,
    /// The value without padding.
    pub value: &'a [u8],
}

impl<'a> Attribute<'a> {
    /// The first byte.
    pub fn u8(&self) -> Option<u8> {
        self.value.first().copied()
    }

    /// A 16 bit number in the machine's byte order.
    pub fn u16(&self) -> Option<u16> {
        self.value.first_chunk().copied().map(u16::from_ne_bytes)
    }

    /// A 32 bit number in the machine's byte order.
    pub fn u32(&self) -> Option<u32> {
        self.value.first_chunk().copied().map(u32::from_ne_bytes)
    }

    /// A 32 bit number with sign in the machine's byte order.
    pub fn i32(&self) -> Option<i32> {
        self.value.first_chunk().copied().map(i32::from_ne_bytes)
    }

    /// A 64 bit number in the machine's byte order.
    pub fn u64(&self) -> Option<u64> {
        self.value.first_chunk().copied().map(u64::from_ne_bytes)
    }

    /// A 64 bit number in network byte order.
    pub fn be64(&self) -> Option<u64> {
        self.value.first_chunk().copied().map(u64::from_be_bytes)
    }

    /// An address: of four or of sixteen bytes.
    pub fn ip(&self) -> Option<IpAddr> {
        match self.value.len() {
            4 => self.value.first_chunk().map(|octets| IpAddr::V4(Ipv4Addr::from(*octets))),
            16 => self.value.first_chunk().map(|octets| IpAddr::V6(Ipv6Addr::from(*octets))),
            _ => None,
        }
    }

    /// A text without its final NUL.
    pub fn text(&self) -> &'a [u8] {
        self.value.split(|byte| *byte == 0).next().unwrap_or_default()
    }

    /// The attributes nested in this one.
    pub fn nested(&self) -> Attributes<'a> {
        attributes(self.value)
    }
}

/// The attributes of `bytes`, one after the other.
pub(crate) fn attributes(bytes: &[u8]) -> Attributes<'_> {
    Attributes { rest: bytes }
}

/// See [`attributes`].
#[derive(Debug, Clone)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let header: [u8; 4] = *self.rest.first_chunk()?;
        let len = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]) & !FLAGS;
        let value = self.rest.get(4..len)?;
        self.rest = self.rest.get(aligned(len)..).unwrap_or_default();
        Some(Attribute { kind, value })
    }
}

/// `NLA_ALIGN`. Of numbers below 2^16, so that nothing can overflow.
const fn aligned(len: usize) -> usize {
    (len + 3) & !3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_ends_at_a_length_that_does_not_fit() {
        // Two attributes, each with its length and kind in the machine's byte order.
        let header = |len: u16, kind: u16| [len.to_ne_bytes(), kind.to_ne_bytes()].concat();
        let mut bytes = [header(8, 0x8003), vec![1, 2, 3, 4], header(5, 4), vec![9, 0, 0, 0]].concat();
        let kinds = |bytes: &[u8]| attributes(bytes).map(|a| (a.kind, a.value.len())).collect::<Vec<_>>();
        assert_eq!(kinds(&bytes), [(3, 4), (4, 1)]);
        bytes[8..10].copy_from_slice(&200u16.to_ne_bytes());
        assert_eq!(kinds(&bytes), [(3, 4)]);
        for len in 0..4 {
            bytes[..2].copy_from_slice(&u16::to_ne_bytes(len));
            assert_eq!(kinds(&bytes), []);
        }
        for cut in 0..bytes.len() {
            let _ = kinds(&bytes[..cut]);
        }
    }

    #[test]
    fn short_values_are_none() {
        let short = Attribute { kind: 1, value: &[1] };
        assert_eq!((short.u8(), short.u16(), short.u32(), short.u64()), (Some(1), None, None, None));
        assert_eq!(short.ip(), None);
        assert_eq!(Attribute { kind: 1, value: b"lo\0\0" }.text(), b"lo");
    }
}
