//! Writing requests into one buffer that is reused.

use crate::kernel::uapi::NLM_F_REQUEST;
use std::net::IpAddr;

use netlink_packet_core::NetlinkSerializable;

/// Length of `struct nlmsghdr`.
pub(super) const HEADER: usize = 16;

const NLA_F_NESTED: u16 = 0x8000;

/// Netlink messages one after the other, as one `sendmsg` takes them.
///
/// Sequence numbers and the request for an acknowledgement are filled in by the socket.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    bytes: Vec<u8>,
    starts: Vec<usize>,
}

impl Messages {
    /// No message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all messages but keeps the buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.starts.clear();
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Starts a message: `flags` are `NLM_F_*` other than `NLM_F_REQUEST`, which is always set;
    /// `body` is the fixed part (`struct rtmsg` and the like).
    pub fn begin(&mut self, kind: u16, flags: u16, body: &[u8]) {
        self.starts.push(self.bytes.len());
        self.bytes.extend_from_slice(&0u32.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&(flags | NLM_F_REQUEST).to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 8]);
        self.bytes.extend_from_slice(body);
        self.pad();
    }

    /// Appends an attribute to the message begun last.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        // Values written here are addresses, names and numbers; a value beyond 64 KiB cannot arise.
        let len = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
        self.bytes.extend_from_slice(&len.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(&value[..usize::from(len) - 4]);
        self.pad();
    }

    /// Appends bytes as they are: the fixed part of what an attribute nests.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.pad();
    }

    /// Appends an address.
    pub fn ip(&mut self, kind: u16, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.attribute(kind, &address.octets()),
            IpAddr::V6(address) => self.attribute(kind, &address.octets()),
        }
    }

    /// Appends an attribute made of attributes, which `inner` writes.
    pub fn nest(&mut self, kind: u16, inner: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.attribute(kind | NLA_F_NESTED, &[]);
        inner(self);
        let len = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&len.to_ne_bytes());
    }

    /// Appends a whole message that another crate encodes.
    pub fn push(&mut self, message: &impl NetlinkSerializable, flags: u16) {
        self.begin(message.message_type(), flags, &[]);
        let start = self.bytes.len();
        self.bytes.resize(start + message.buffer_len(), 0);
        message.serialize(&mut self.bytes[start..]);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    /// Fills in lengths and sequence numbers `first..`, adds `last_flags` to the last message, and
    /// gives the bytes to send.
    pub(super) fn seal(&mut self, first: u32, last_flags: u16) -> &[u8] {
        for (i, start) in self.starts.iter().copied().enumerate() {
            let end = self.starts.get(i + 1).copied().unwrap_or(self.bytes.len());
            let header = &mut self.bytes[start..start + HEADER];
            header[..4].copy_from_slice(&((end - start) as u32).to_ne_bytes());
            header[8..12].copy_from_slice(&first.wrapping_add(i as u32).to_ne_bytes());
        }
        if let Some(start) = self.starts.last().copied() {
            let flags = u16::from_ne_bytes([self.bytes[start + 6], self.bytes[start + 7]]) | last_flags;
            self.bytes[start + 6..start + 8].copy_from_slice(&flags.to_ne_bytes());
        }
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::super::attributes;
    use super::*;

    #[test]
    fn messages_are_aligned_and_numbered() {
        let mut messages = Messages::new();
        messages.begin(20, 0x600, &[2, 24, 0, 0, 7, 0, 0, 0]);
        messages.attribute(3, b"lo\0");
        messages.nest(4, |inner| inner.attribute(5, &[9]));
        messages.begin(21, 0, &[1]);
        let first = 16 + 8 + 8 + 12;
        assert_eq!((messages.len(), messages.bytes.len()), (2, first + 16 + 4));
        let bytes = messages.seal(u32::MAX, 0x4).to_vec();
        assert_eq!(bytes[..4], (first as u32).to_ne_bytes());
        assert_eq!(bytes[6..8], 0x601u16.to_ne_bytes());
        assert_eq!(bytes[8..12], u32::MAX.to_ne_bytes());
        assert_eq!(bytes[first + 6..first + 8], 0x5u16.to_ne_bytes());
        assert_eq!(bytes[first + 8..first + 12], 0u32.to_ne_bytes());
        let read: Vec<_> = attributes(&bytes[24..first]).map(|a| (a.kind, a.value.to_vec())).collect();
        assert_eq!(read[0], (3, b"lo\0".to_vec()));
        assert_eq!(read[1].0, 4);
        assert_eq!(attributes(&read[1].1).next().map(|a| (a.kind, a.u8())), Some((5, Some(9))));
    }
}
