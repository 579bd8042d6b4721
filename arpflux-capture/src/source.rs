//! Frames out of a file or a stream of any size, in constant memory.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::ops::ControlFlow;

use arpflux_core::error::{Error, Result};
use arpflux_core::frame::Timestamp;

use crate::pcap::{self, Pcap};
use crate::pcapng::Pcapng;
use crate::record::{self, Record, Sighting, Unread};
use crate::step::{LOOK_AHEAD, Step, bad};
use crate::table::Table;
use crate::text::{Text, TextCounts};
use crate::unpack::{Bytes, Packed};

/// What a capture was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Format {
    /// The classic format of libpcap.
    Pcap,
    /// pcapng.
    Pcapng,
    /// Text that tcpdump printed.
    Text,
}

impl Format {
    /// Every format that this build reads.
    pub const ALL: &'static [Format] = &[Self::Pcap, Self::Pcapng, Self::Text];

    /// Its name, as JSON has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pcap => "pcap",
            Self::Pcapng => "pcapng",
            Self::Text => "text",
        }
    }
}

/// What was read so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Records in all.
    pub records: u64,
    /// Of these, ARP, neighbour discovery and IP frames that could be read.
    pub sightings: u64,
    /// Frames cut before their addresses ended.
    pub cut: u64,
    /// ARP and neighbour discovery whose lengths, types or checksums cannot be.
    pub malformed: u64,
    /// Frames that could not be read, by the reason.
    pub unread: BTreeMap<Unread, u64>,
    /// The file ends within a record: its writer was stopped, or still writes.
    pub ends_early: bool,
    /// Of text, what was left out of it.
    pub text: TextCounts,
}

impl Counts {
    /// How many frames could not be read.
    #[must_use]
    pub fn unread(&self) -> u64 {
        self.unread.values().sum()
    }
}

#[derive(Debug, Clone)]
enum Decoder {
    Pcap(Pcap),
    Pcapng(Pcapng),
    Text(Box<Text>),
}

/// Reads frames, one after the other, from a pcap or pcapng file, either of them compressed perhaps, or
/// from tcpdump's text: which it is shows in the first bytes.
///
/// Holds one buffer of fixed size, whatever the file and its records claim.
///
/// ```
/// use arpflux_capture::Source;
///
/// let text = "00:0c:29:d2:c7:aa > ff:ff:ff:ff:ff:ff, ARP, length 60: \
///             arp who-has 192.168.18.10 tell 192.168.18.129";
/// let mut source = Source::new(text.as_bytes())?;
/// source.for_each(|frame| {
///     assert_eq!(frame.source, [0x00, 0x0c, 0x29, 0xd2, 0xc7, 0xaa]);
///     std::ops::ControlFlow::Continue(())
/// })?;
/// assert_eq!(source.counts().sightings, 1);
/// # Ok::<(), arpflux_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Source<R: Read> {
    bytes: Bytes<R>,
    decoder: Decoder,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    at_end: bool,
    compressed: bool,
    /// Where the next record is in the (uncompressed) capture.
    offset: u64,
    /// How many bytes behind the buffer's end belong to a record that is done.
    skip: u64,
    counts: Counts,
    /// The first bytes, to name them if it turns out to be no capture.
    first: Vec<u8>,
}

/// One read. Larger ones leave the processor's second-level cache.
const BUFFER: usize = 16 * LOOK_AHEAD;

impl<R: Read> Source<R> {
    /// Looks at the first bytes.
    ///
    /// # Errors
    /// [`arpflux_core::ErrorKind::InvalidData`] if it is no capture, any failure to read.
    pub fn new(source: R) -> Result<Self> {
        Self::with_buffer(source, BUFFER)
    }

    /// The same with a buffer of `size` bytes, or 16 KiB where that is less: for many small captures.
    ///
    /// # Errors
    /// As [`Source::new`].
    pub fn with_buffer(mut source: R, size: usize) -> Result<Self> {
        let mut buffer = vec![0; size.max(LOOK_AHEAD)].into_boxed_slice();
        let mut counts = Counts::default();
        let mut end = fill(&mut source, &mut buffer, 0, LOOK_AHEAD, &mut counts)?;
        let packed = Packed::of(&buffer[..end])?;
        let mut bytes = Bytes::new(packed, &buffer[..end], source);
        if packed != Packed::No {
            end = fill(&mut bytes, &mut buffer, 0, LOOK_AHEAD, &mut counts)?;
            if end == 0 && counts.ends_early {
                return Err(bad("it ends within the first part of what is packed in it".into()));
            }
        }
        let start = &buffer[..end];
        let first = start[..end.min(16)].to_vec();
        let (decoder, consumed) = if Pcap::starts(start) {
            let Some(header) = start.first_chunk::<{ pcap::HEADER }>() else {
                return Err(bad("it ends within the file header".into()));
            };
            (Decoder::Pcap(Pcap::open(header)?), pcap::HEADER)
        } else if Pcapng::starts(start) {
            (Decoder::Pcapng(Pcapng::open()), 0)
        } else if Text::starts(start) && !start.is_empty() {
            (Decoder::Text(Box::new(Text::new(start))), 0)
        } else {
            return Err(no_capture(&first));
        };
        Ok(Self {
            bytes,
            decoder,
            buffer,
            start: consumed,
            end,
            // A short read is no end yet: the next one tells.
            at_end: false,
            compressed: packed.is_compressed(),
            offset: consumed as u64,
            skip: 0,
            counts,
            first,
        })
    }

    /// What the capture is.
    #[must_use]
    pub fn format(&self) -> Format {
        match self.decoder {
            Decoder::Pcap(_) => Format::Pcap,
            Decoder::Pcapng(_) => Format::Pcapng,
            Decoder::Text(_) => Format::Text,
        }
    }

    /// Whether it was compressed: with gzip, zstd, xz or lz4.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// Whether its times are moments; `false` for text with the time of day only, or with none.
    #[must_use]
    pub fn is_dated(&self) -> bool {
        match &self.decoder {
            Decoder::Text(text) => text.dated(),
            _ => true,
        }
    }

    /// What was read so far.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The time of the first record, if it stands in the first 16 KiB: captures are read in the order of it.
    #[must_use]
    pub fn first_time(&self) -> Option<Timestamp> {
        let mut decoder = self.decoder.clone();
        let mut bytes = &self.buffer[self.start..self.end];
        loop {
            let step = match &mut decoder {
                Decoder::Pcap(pcap) => pcap.step(bytes, 0),
                Decoder::Pcapng(pcapng) => pcapng.step(bytes, 0),
                Decoder::Text(text) => {
                    let (consumed, found) = text.step(bytes, false);
                    if found {
                        return text.sighting(0).time;
                    }
                    bytes = bytes.get(consumed..).filter(|_| consumed > 0)?;
                    continue;
                }
            };
            match step.ok()? {
                Step::Record { record, .. } => return record.time,
                Step::Skip(length) => bytes = bytes.get(usize::try_from(length).ok()?..)?,
                Step::More(_) => return None,
            }
        }
    }

    /// Calls `each` with every frame about addresses, to the end or until it breaks.
    ///
    /// # Errors
    /// [`arpflux_core::ErrorKind::InvalidData`] where the file is damaged, or if it is text in which nothing is like a
    /// line about addresses; any failure to read. What came before stays good; nothing comes after.
    pub fn for_each(&mut self, mut each: impl FnMut(&Sighting<'_>) -> ControlFlow<()>) -> Result<()> {
        loop {
            let (more, flow) = self.drain(&mut each)?;
            if flow.is_break() {
                return Ok(());
            }
            if more > self.end - self.start && !self.refill(more)? {
                self.counts.ends_early |= self.start < self.end;
                if let Decoder::Text(text) = &self.decoder
                    && self.counts.records == 0
                    && !text.has_addresses()
                {
                    return Err(no_capture(&self.first));
                }
                return Ok(());
            }
        }
    }

    /// Feeds every frame to `table`.
    ///
    /// # Errors
    /// As [`Source::for_each`].
    pub fn read_into(&mut self, table: &mut Table) -> Result<()> {
        self.for_each(|sighting| {
            table.observe(sighting);
            ControlFlow::Continue(())
        })
    }

    /// Reads what is in the buffer, and says how many bytes it takes to go on.
    fn drain(
        &mut self,
        each: &mut impl FnMut(&Sighting<'_>) -> ControlFlow<()>,
    ) -> Result<(usize, ControlFlow<()>)> {
        loop {
            let bytes = &self.buffer[self.start..self.end];
            let number = self.counts.records + 1;
            let step = match &mut self.decoder {
                Decoder::Pcap(pcap) => pcap.step(bytes, number),
                Decoder::Pcapng(pcapng) => pcapng.step(bytes, number),
                Decoder::Text(text) => {
                    let (consumed, found) = text.step(bytes, self.at_end);
                    self.start += consumed;
                    self.offset += consumed as u64;
                    self.counts.text = text.counts();
                    if !found {
                        return Ok((self.end - self.start + 1, ControlFlow::Continue(())));
                    }
                    self.counts.records += 1;
                    self.counts.sightings += 1;
                    if each(&text.sighting(number)).is_break() {
                        return Ok((0, ControlFlow::Break(())));
                    }
                    continue;
                }
            };
            let (consumed, flow) = match step {
                Err(error) => return Err(error.on(format!("at byte {}", self.offset))),
                Ok(Step::More(bytes)) => return Ok((bytes, ControlFlow::Continue(()))),
                Ok(Step::Skip(consumed)) => (consumed, ControlFlow::Continue(())),
                Ok(Step::Record { consumed, ref record }) => (consumed, pass(record, &mut self.counts, each)),
            };
            self.offset += consumed;
            let present = consumed.min(bytes.len() as u64);
            self.start += present as usize;
            self.skip = consumed - present;
            if flow.is_break() {
                return Ok((0, flow));
            }
            if self.skip > 0 {
                return Ok((1, flow));
            }
        }
    }

    /// Reads on until there are at least `needed` bytes, and says whether there are. What is to be
    /// skipped is read and forgotten: the source may be a pipe.
    fn refill(&mut self, needed: usize) -> Result<bool> {
        while self.skip > 0 {
            let wanted = self.skip.min(self.buffer.len() as u64) as usize;
            let got = fill(&mut self.bytes, &mut self.buffer[..wanted], 0, wanted, &mut self.counts)?;
            self.skip -= got as u64;
            if got < wanted {
                self.counts.ends_early = true;
                (self.start, self.end) = (0, 0);
                return Ok(false);
            }
            (self.start, self.end) = (0, 0);
        }
        if matches!(self.decoder, Decoder::Text(_)) && self.at_end {
            return Ok(false);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let had = self.end;
        let needed = needed.max(had + 1);
        self.end = fill(&mut self.bytes, &mut self.buffer, had, needed, &mut self.counts)?;
        self.at_end = self.end < needed;
        // Text takes one more turn: the end completes its last word, or its last packet.
        let is_open = |text: &Text| self.end > 0 || text.is_open();
        Ok(!self.at_end || matches!(&self.decoder, Decoder::Text(text) if is_open(text)))
    }
}

/// Counts a record, and passes it on if it is about addresses.
#[inline]
fn pass(
    record: &Record<'_>,
    counts: &mut Counts,
    each: &mut impl FnMut(&Sighting<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    counts.records += 1;
    match record::read(record) {
        record::Read::Sighting(sighting) => {
            counts.sightings += 1;
            return each(&sighting);
        }
        record::Read::Other => {}
        record::Read::Cut => counts.cut += 1,
        record::Read::Malformed => counts.malformed += 1,
        record::Read::Unread(why) => *counts.unread.entry(why).or_default() += 1,
    }
    ControlFlow::Continue(())
}

/// What is said of a file that is none.
fn no_capture(first: &[u8]) -> Error {
    if first.is_empty() {
        return bad("it is empty".into());
    }
    let shown = match std::str::from_utf8(first) {
        Ok(text) if !text.contains(char::is_control) => format!("{text:?}"),
        _ => first.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "),
    };
    bad(format!("it is neither pcap, pcapng nor tcpdump's text (first bytes: {shown})"))
        .hint("pcap, pcapng, either of them with gzip, zstd, xz or lz4, and what tcpdump, tshark, arping and arp-scan print are read")
}

/// Reads into `buffer` from `end` on until it holds at least `needed` bytes or the source ends, and
/// says how many it holds.
///
/// A compressed file that ends early is told in `counts`, like any other.
fn fill(
    source: &mut impl Read,
    buffer: &mut [u8],
    mut end: usize,
    needed: usize,
    counts: &mut Counts,
) -> Result<usize> {
    while end < needed {
        match source.read(&mut buffer[end..]) {
            Ok(0) => break,
            Ok(read) => end += read,
            Err(error) => match error.kind() {
                ErrorKind::Interrupted => {}
                ErrorKind::UnexpectedEof => {
                    counts.ends_early = true;
                    break;
                }
                ErrorKind::InvalidData | ErrorKind::InvalidInput => {
                    return Err(bad(format!("the compressed data is damaged: {error}")));
                }
                _ => return Err(Error::io("read", "capture", &error)),
            },
        }
    }
    Ok(end)
}
