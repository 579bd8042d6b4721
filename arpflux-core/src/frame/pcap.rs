//! Writes capture files that tcpdump and Wireshark read.
//!
//! The classic format with nanoseconds (`draft-ietf-opsawg-pcap`): magic 0xa1b23c4d in this
//! machine's byte order, link type Ethernet. Readers stand in `capture`.

use std::io::{self, Write};

use super::Timestamp;

const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
const LINKTYPE_ETHERNET: u32 = 1;
/// The longest frame kept, in bytes; longer ones are cut. The limit that tcpdump uses.
pub const SNAP_LENGTH: u32 = 262_144;

/// Writes one capture file.
///
/// ```
/// use arpflux_core::frame::{Timestamp, pcap};
///
/// let mut file = pcap::Writer::new(Vec::new())?;
/// file.write(Timestamp::from_parts(1, 500), &[0; 60])?;
/// assert_eq!(file.finish()?.len(), 24 + 16 + 60);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Writer<W: Write> {
    out: W,
}

impl<W: Write> Writer<W> {
    /// Writes the file header.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(mut out: W) -> io::Result<Self> {
        let mut header = Vec::with_capacity(24);
        header.extend_from_slice(&MAGIC_NANOSECONDS.to_ne_bytes());
        header.extend_from_slice(&2u16.to_ne_bytes());
        header.extend_from_slice(&4u16.to_ne_bytes());
        header.extend_from_slice(&[0; 8]);
        header.extend_from_slice(&SNAP_LENGTH.to_ne_bytes());
        header.extend_from_slice(&LINKTYPE_ETHERNET.to_ne_bytes());
        out.write_all(&header)?;
        Ok(Self { out })
    }

    /// Appends a frame that was seen `at` that time (seconds beyond the year 2106 wrap: the format
    /// has 32 bits).
    ///
    /// # Errors
    /// Those of the underlying writer.
    pub fn write(&mut self, at: Timestamp, frame: &[u8]) -> io::Result<()> {
        let (seconds, nanoseconds) = at.parts();
        let kept = &frame[..frame.len().min(SNAP_LENGTH as usize)];
        let mut header = [0; 16];
        for (field, value) in header.chunks_exact_mut(4).zip([
            seconds as u32,
            nanoseconds,
            kept.len() as u32,
            u32::try_from(frame.len()).unwrap_or(u32::MAX),
        ]) {
            field.copy_from_slice(&value.to_ne_bytes());
        }
        self.out.write_all(&header)?;
        self.out.write_all(kept)
    }

    /// Flushes and gives the underlying writer back.
    ///
    /// # Errors
    /// Those of the underlying writer.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
