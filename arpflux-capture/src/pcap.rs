//! The classic pcap file format, in both byte orders, with microseconds and nanoseconds.
//!
//! A file header of 24 bytes, then records of 16 bytes and the frame. The variant of Kuznetzov's old
//! patches (8 more bytes a record) is read as well.

use arpflux_core::error::Result;
use arpflux_core::frame::Timestamp;

use crate::record::{LinkType, Record};
use crate::step::{Order, Step, bad};

/// The length of the file header, in bytes.
pub(super) const HEADER: usize = 24;

/// The length of a record's header, in bytes.
const RECORD: usize = 16;

/// Reads records, given the bytes.
#[derive(Debug, Clone)]
pub(super) struct Pcap {
    order: Order,
    /// Nanoseconds in a unit of the fraction: 1000 or 1.
    unit: u32,
    record_header: usize,
    link_type: LinkType,
}

/// The magic number, if `bytes` start with one of this format.
fn magic(bytes: &[u8]) -> Option<(Order, u32, usize)> {
    let magic: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    [(Order::Big, u32::from_be_bytes(magic)), (Order::Little, u32::from_le_bytes(magic))]
        .into_iter()
        .find_map(|(order, magic)| match magic {
            0xa1b2_c3d4 => Some((order, 1000, RECORD)),
            0xa1b2_3c4d => Some((order, 1, RECORD)),
            0xa1b2_cd34 => Some((order, 1000, RECORD + 8)),
            _ => None,
        })
}

impl Pcap {
    /// Whether a file that starts with `bytes` is of this format.
    pub(super) fn starts(bytes: &[u8]) -> bool {
        magic(bytes).is_some()
    }

    /// Reads the file header, [`HEADER`] bytes.
    pub(super) fn open(header: &[u8; HEADER]) -> Result<Self> {
        let (order, unit, record_header) =
            magic(header).ok_or_else(|| bad("it does not start like a pcap file".into()))?;
        let major = order.u16(&header[4..6]);
        if major != 2 {
            return Err(bad(format!("pcap version {major} is not known, only version 2 is")));
        }
        // The upper bits tell about frame check sequences.
        let link_type = LinkType(order.u32(&header[20..24]) & 0x03ff_ffff);
        Ok(Self { order, unit, record_header, link_type })
    }

    /// Reads the next record from the front of `bytes`.
    #[inline]
    pub(super) fn step<'a>(&mut self, bytes: &'a [u8], number: u64) -> Result<Step<'a>> {
        let Some((header, rest)) = bytes.split_at_checked(self.record_header) else {
            return Ok(Step::More(self.record_header));
        };
        let field = |at: usize| self.order.u32(&header[at..at + 4]);
        let (seconds, fraction, captured, original) = (field(0), field(4), field(8), field(12));
        if captured > LARGEST {
            return Err(bad(format!("a record claims to hold {captured} bytes, more than any frame has")));
        }
        let looked_at = (captured as usize).min(Record::PREFIX);
        let Some(data) = rest.get(..looked_at) else {
            return Ok(Step::More(self.record_header + looked_at));
        };
        let nanoseconds = u64::from(fraction) * u64::from(self.unit);
        let time = Timestamp(u64::from(seconds) * 1_000_000_000 + nanoseconds);
        let record = Record {
            number,
            time: Some(time),
            link_type: self.link_type,
            interface: 0,
            data,
            captured,
            original,
        };
        Ok(Step::Record { consumed: (self.record_header + captured as usize) as u64, record })
    }
}

/// No record holds more bytes (128 MiB, the limit that libpcap has for the link types with the largest frames).
pub(super) const LARGEST: u32 = 128 << 20;
