//! Writes captures for the tests, in every variant.

use super::LinkType;
use arpflux_core::frame::Timestamp;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

impl Order {
    fn u16(self, value: u16) -> [u8; 2] {
        if self == Self::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        if self == Self::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }

    pub(super) fn bytes64(self, value: u64) -> [u8; 8] {
        if self == Self::Big { value.to_be_bytes() } else { value.to_le_bytes() }
    }
}

/// A classic pcap file.
pub(super) struct Pcap {
    bytes: Vec<u8>,
    order: Order,
    nanoseconds: bool,
}

impl Pcap {
    pub(super) fn new(order: Order, nanoseconds: bool, link_type: LinkType) -> Self {
        let magic = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let mut bytes = order.u32(magic).to_vec();
        bytes.extend(order.u16(2));
        bytes.extend(order.u16(4));
        for field in [0, 0, 65_535, link_type.0] {
            bytes.extend(order.u32(field));
        }
        Self { bytes, order, nanoseconds }
    }

    pub(super) fn frame(&mut self, time: Timestamp, frame: &[u8], original: usize) {
        let (seconds, nanoseconds) = time.parts();
        let fraction = if self.nanoseconds { nanoseconds } else { nanoseconds / 1000 };
        for field in [seconds as u32, fraction, frame.len() as u32, original as u32] {
            self.bytes.extend(self.order.u32(field));
        }
        self.bytes.extend(frame);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// A pcapng file.
pub(super) struct Ng {
    bytes: Vec<u8>,
    order: Order,
}

impl Ng {
    pub(super) fn new() -> Self {
        Self { bytes: Vec::new(), order: Order::Little }
    }

    /// A block with the body `parts`.
    fn block(&mut self, kind: u32, parts: &[&[u8]]) {
        let body = parts.concat();
        let padded = body.len().next_multiple_of(4);
        let length = self.order.u32(12 + padded as u32);
        self.bytes.extend(self.order.u32(kind));
        self.bytes.extend(length);
        self.bytes.extend(&body);
        self.bytes.resize(self.bytes.len() + padded - body.len(), 0);
        self.bytes.extend(length);
    }

    pub(super) fn section(&mut self, order: Order) {
        self.order = order;
        let (magic, major, minor) = (order.u32(0x1a2b_3c4d), order.u16(1), order.u16(0));
        self.block(0x0a0d_0d0a, &[&magic, &major, &minor, &[0xff; 8]]);
    }

    pub(super) fn interface(&mut self, link_type: LinkType, options: &[(u16, &[u8])]) {
        let mut body = self.order.u16(link_type.0 as u16).to_vec();
        body.extend([0; 6]);
        for (code, value) in options {
            body.extend(self.order.u16(*code));
            body.extend(self.order.u16(value.len() as u16));
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        body.extend([0; 4]);
        self.block(1, &[&body]);
    }

    pub(super) fn other(&mut self, kind: u32, body: &[u8]) {
        self.block(kind, &[body]);
    }

    fn five(&self, interface: [u8; 4], ticks: u64, frame: &[u8], original: usize) -> Vec<u8> {
        let mut body = interface.to_vec();
        for field in [(ticks >> 32) as u32, ticks as u32, frame.len() as u32, original as u32] {
            body.extend(self.order.u32(field));
        }
        body.extend(frame);
        body
    }

    pub(super) fn enhanced(&mut self, interface: u32, ticks: u64, frame: &[u8], original: usize) {
        let body = self.five(self.order.u32(interface), ticks, frame, original);
        self.block(6, &[&body]);
    }

    pub(super) fn obsolete(&mut self, interface: u16, ticks: u64, frame: &[u8], original: usize) {
        let [a, b] = self.order.u16(interface);
        // The second half counts drops.
        let body = self.five([a, b, 1, 1], ticks, frame, original);
        self.block(2, &[&body]);
    }

    pub(super) fn simple(&mut self, frame: &[u8]) {
        let length = self.order.u32(frame.len() as u32);
        self.block(3, &[&length, frame]);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
