//! The pcapng file format: sections, interfaces with their own clock, and three kinds of packets.
//!
//! Blocks of other kinds, and options other than `if_tsresol` and `if_tsoffset`, are passed over.

use arpflux_core::error::Result;
use arpflux_core::frame::Timestamp;

use crate::pcap::LARGEST;
use crate::record::{LinkType, Record};
use crate::step::{LOOK_AHEAD, Order, Step, bad};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
/// The obsolete Packet Block.
const PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// A file with more interfaces in one section is refused, so that memory stays bounded.
const MOST_INTERFACES: usize = 1 << 16;

#[derive(Debug, Clone, Copy)]
struct Interface {
    link_type: LinkType,
    snapshot_length: u32,
    clock: Clock,
}

/// How the timestamps of an interface count.
#[derive(Debug, Clone, Copy)]
struct Clock {
    /// Ticks a second.
    rate: u64,
    /// Seconds to add.
    offset: i64,
}

impl Clock {
    /// Microseconds since 1970, unless an option says otherwise.
    const DEFAULT: Self = Self { rate: 1_000_000, offset: 0 };

    fn time(self, ticks: u64) -> Timestamp {
        let seconds = (ticks / self.rate).saturating_add_signed(self.offset);
        // Below a second's worth of ticks, so the quotient is below 10^9.
        let nanoseconds = u128::from(ticks % self.rate) * 1_000_000_000 / u128::from(self.rate);
        Timestamp::from_parts(seconds, nanoseconds as u32)
    }

    /// `if_tsresol`: a negative power of ten, or of two if the upper bit is set.
    fn set_resolution(&mut self, resolution: u8) {
        let exponent = u32::from(resolution & 0x7f);
        let base: u64 = if resolution & 0x80 == 0 { 10 } else { 2 };
        // Finer than a clock can count in 64 bits: nothing writes it; the default stands.
        if let Some(rate) = base.checked_pow(exponent) {
            self.rate = rate;
        }
    }
}

/// Reads records, given the bytes.
#[derive(Debug, Clone)]
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// The number of the record at hand.
    number: u64,
}

impl Pcapng {
    /// Whether a file that starts with `bytes` is of this format.
    pub(super) fn starts(bytes: &[u8]) -> bool {
        bytes.starts_with(&SECTION.to_be_bytes())
    }

    /// Before the first section.
    pub(super) fn open() -> Self {
        Self { order: Order::Little, interfaces: Vec::new(), number: 0 }
    }

    /// Reads the next block from the front of `bytes`.
    pub(super) fn step<'a>(&mut self, bytes: &'a [u8], number: u64) -> Result<Step<'a>> {
        self.number = number;
        let Some((head, _)) = bytes.split_at_checked(12) else {
            return Ok(Step::More(12));
        };
        // The type of a section header reads the same in both orders.
        if head.starts_with(&SECTION.to_be_bytes()) {
            self.order = match head[8..12] {
                [0x1a, 0x2b, 0x3c, 0x4d] => Order::Big,
                [0x4d, 0x3c, 0x2b, 0x1a] => Order::Little,
                _ => return Err(bad("a section header has no byte-order magic".into())),
            };
        }
        let kind = self.order.u32(head);
        let length = self.order.u32(&head[4..]);
        if length < 12 || !length.is_multiple_of(4) || length > LARGEST + 4096 {
            return Err(bad(format!("a block of type {kind} claims to be {length} bytes long")));
        }
        match kind {
            SECTION => self.section(bytes, length),
            INTERFACE => self.interface(bytes, length),
            ENHANCED_PACKET => self.packet(bytes, length, |order, fixed| {
                (
                    order.u32(fixed),
                    order.u32(&fixed[4..]),
                    order.u32(&fixed[8..]),
                    order.u32(&fixed[12..]),
                    order.u32(&fixed[16..]),
                )
            }),
            PACKET => self.packet(bytes, length, |order, fixed| {
                let interface = u32::from(order.u16(fixed));
                (
                    interface,
                    order.u32(&fixed[4..]),
                    order.u32(&fixed[8..]),
                    order.u32(&fixed[12..]),
                    order.u32(&fixed[16..]),
                )
            }),
            SIMPLE_PACKET => self.simple_packet(bytes, length),
            _ => Ok(Step::Skip(length.into())),
        }
    }

    fn section<'a>(&mut self, bytes: &'a [u8], length: u32) -> Result<Step<'a>> {
        if length < 28 {
            return Err(bad(format!("a section header is only {length} bytes long")));
        }
        let Some(version) = bytes.get(12..14) else {
            return Ok(Step::More(14));
        };
        let major = self.order.u16(version);
        if major != 1 {
            return Err(bad(format!("pcapng version {major} is not known, only version 1 is")));
        }
        self.interfaces.clear();
        Ok(Step::Skip(length.into()))
    }

    fn interface<'a>(&mut self, bytes: &'a [u8], length: u32) -> Result<Step<'a>> {
        if length < 20 {
            return Err(bad(format!("an interface block is only {length} bytes long")));
        }
        if self.interfaces.len() == MOST_INTERFACES {
            return Err(bad(format!("more than {MOST_INTERFACES} interfaces in one section")));
        }
        // Options beyond the look-ahead are comments, not the clock, which writers put first.
        let looked_at = (length as usize).min(LOOK_AHEAD);
        let Some(block) = bytes.get(..looked_at) else {
            return Ok(Step::More(looked_at));
        };
        let mut interface = Interface {
            link_type: LinkType(u32::from(self.order.u16(&block[8..]))),
            snapshot_length: self.order.u32(&block[12..]),
            clock: Clock::DEFAULT,
        };
        let end = looked_at.min(length as usize - 4);
        self.options(&block[16..end], |code, value| match (code, value) {
            (9, [resolution]) => interface.clock.set_resolution(*resolution),
            (14, value) if value.len() == 8 => interface.clock.offset = self.order.u64(value) as i64,
            _ => {}
        });
        self.interfaces.push(interface);
        Ok(Step::Skip(length.into()))
    }

    /// Calls `each` with the code and value of every option.
    fn options(&self, mut bytes: &[u8], mut each: impl FnMut(u16, &[u8])) {
        while let Some((head, rest)) = bytes.split_at_checked(4) {
            let (code, length) = (self.order.u16(head), usize::from(self.order.u16(&head[2..])));
            let Some(value) = rest.get(..length) else { return };
            if code == 0 {
                return;
            }
            each(code, value);
            let Some(next) = rest.get(length.next_multiple_of(4)..) else { return };
            bytes = next;
        }
    }

    /// A block with five numbers before the frame: interface, time (upper, lower), captured and
    /// original length.
    fn packet<'a>(
        &self,
        bytes: &'a [u8],
        length: u32,
        fields: impl Fn(Order, &[u8]) -> (u32, u32, u32, u32, u32),
    ) -> Result<Step<'a>> {
        const FIXED: usize = 28;
        if length < FIXED as u32 + 4 {
            return Err(bad(format!("a packet block is only {length} bytes long")));
        }
        let Some(fixed) = bytes.get(8..FIXED) else {
            return Ok(Step::More(FIXED));
        };
        let (id, upper, lower, captured, original) = fields(self.order, fixed);
        if captured > length - FIXED as u32 - 4 {
            return Err(bad(format!("a packet of {captured} bytes stands in a block of {length}")));
        }
        let Some(interface) = self.interfaces.get(id as usize) else {
            return Err(bad(format!("a packet names interface {id}, which its section does not describe")));
        };
        let time = interface.clock.time(u64::from(upper) << 32 | u64::from(lower));
        self.record(bytes, length, FIXED, Some(time), id, captured, original)
    }

    /// A block without time; its frame is as long as the interface's snapshot length allows.
    fn simple_packet<'a>(&self, bytes: &'a [u8], length: u32) -> Result<Step<'a>> {
        const FIXED: usize = 12;
        if length < FIXED as u32 + 4 {
            return Err(bad(format!("a simple packet block is only {length} bytes long")));
        }
        let Some(interface) = self.interfaces.first() else {
            return Err(bad("a simple packet stands before any interface".into()));
        };
        let original = self.order.u32(&bytes[8..12]);
        let limit = if interface.snapshot_length == 0 { u32::MAX } else { interface.snapshot_length };
        let captured = original.min(limit).min(length - FIXED as u32 - 4);
        self.record(bytes, length, FIXED, None, 0, captured, original)
    }

    #[expect(clippy::too_many_arguments, reason = "the fields of a record, each from another place")]
    fn record<'a>(
        &self,
        bytes: &'a [u8],
        length: u32,
        header: usize,
        time: Option<Timestamp>,
        id: u32,
        captured: u32,
        original: u32,
    ) -> Result<Step<'a>> {
        let looked_at = (captured as usize).min(Record::PREFIX);
        let Some(data) = bytes.get(header..header + looked_at) else {
            return Ok(Step::More(header + looked_at));
        };
        let link_type = self.interfaces.get(id as usize).map_or(LinkType(0), |interface| interface.link_type);
        let record = Record { number: self.number, time, link_type, interface: id, data, captured, original };
        Ok(Step::Record { consumed: length.into(), record })
    }
}
