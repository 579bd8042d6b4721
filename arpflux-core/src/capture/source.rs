//! Frames out of a file or a stream of any size, in constant memory.

use std::io::{ErrorKind, Read};
use std::ops::ControlFlow;

use flate2::read::MultiGzDecoder;

use super::pcap::{self, Pcap};
use super::pcapng::Pcapng;
use super::record::{self, LinkType, Record, Sighting};
use super::step::{LOOK_AHEAD, Step, bad};
use super::table::Table;
use super::text::Text;
use crate::error::{Error, Result};
/// What a capture was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Records in all.
    pub records: u64,
    /// Of these, ARP and IPv4 frames that could be read.
    pub sightings: u64,
    /// Frames cut before their addresses ended.
    pub cut: u64,
    /// Records of a link type that is not read.
    pub unread: u64,
    /// The last such link type.
    pub unread_link_type: Option<LinkType>,
    /// The file ends within a record: its writer was stopped, or still writes.
    pub ends_early: bool,
}

#[derive(Debug)]
enum Decoder {
    Pcap(Pcap),
    Pcapng(Pcapng),
    Text(Box<Text>),
}

#[derive(Debug)]
enum Bytes<R> {
    Plain(R),
    Gzip(Box<MultiGzDecoder<Prefixed<R>>>),
}

/// What was read to see the format, then the rest.
type Prefixed<R> = std::io::Chain<std::io::Cursor<Vec<u8>>, R>;

impl<R: Read> Read for Bytes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(source) => source.read(buffer),
            Self::Gzip(source) => source.read(buffer),
        }
    }
}

/// Reads frames, one after the other, from a pcap or pcapng file, either of them gzip-compressed, or
/// from tcpdump's text: which it is shows in the first bytes.
///
/// Holds one buffer of fixed size, whatever the file and its records claim.
///
/// ```
/// use arpflux_core::capture::Source;
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
pub struct Source<R> {
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
}

/// One read. Larger ones leave the processor's second-level cache.
const BUFFER: usize = 16 * LOOK_AHEAD;

impl<R: Read> Source<R> {
    /// Looks at the first bytes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidData`] if it is no capture, any failure to read.
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
        let compressed = buffer[..end].starts_with(&[0x1f, 0x8b]);
        let bytes = if compressed {
            let prefix = std::io::Cursor::new(buffer[..end].to_vec());
            let mut inside = MultiGzDecoder::new(std::io::Read::chain(prefix, source));
            end = fill(&mut inside, &mut buffer, 0, LOOK_AHEAD, &mut counts)?;
            Bytes::Gzip(Box::new(inside))
        } else {
            Bytes::Plain(source)
        };
        let start = &buffer[..end];
        let (decoder, consumed) = if Pcap::starts(start) {
            let Some(header) = start.first_chunk::<{ pcap::HEADER }>() else {
                return Err(bad("it ends within the file header".into()));
            };
            (Decoder::Pcap(Pcap::open(header)?), pcap::HEADER)
        } else if Pcapng::starts(start) {
            (Decoder::Pcapng(Pcapng::open()), 0)
        } else if Text::starts(start) {
            (Decoder::Text(Box::new(Text::new())), 0)
        } else {
            return Err(bad(format!(
                "it starts with {:02x?}, like no capture",
                &start[..start.len().min(4)]
            ))
            .hint("pcap, pcapng, either of them with gzip, and tcpdump's text are read"));
        };
        Ok(Self {
            bytes,
            decoder,
            buffer,
            start: consumed,
            end,
            // A short read is no end yet: the next one tells.
            at_end: false,
            compressed,
            offset: consumed as u64,
            skip: 0,
            counts,
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

    /// Whether it was compressed with gzip.
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
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Calls `each` with every frame about addresses, to the end or until it breaks.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidData`] where the file is damaged, any failure to read. What came
    /// before stays good; nothing comes after.
    pub fn for_each(&mut self, each: impl FnMut(&Sighting<'_>) -> ControlFlow<()>) -> Result<()> {
        self.run(&mut Each(each))
    }

    fn run(&mut self, sink: &mut impl Sink) -> Result<()> {
        loop {
            let (more, flow) = self.drain(sink)?;
            if flow.is_break() {
                return Ok(());
            }
            if more > self.end - self.start && !self.refill(more)? {
                self.counts.ends_early |= self.start < self.end;
                return Ok(());
            }
        }
    }

    /// Feeds every frame to `table`.
    ///
    /// # Errors
    /// As [`Source::for_each`].
    pub fn read_into(&mut self, table: &mut Table) -> Result<()> {
        let result = self.run(&mut Feed(table));
        table.settle();
        result
    }

    /// Reads what is in the buffer, and says how many bytes it takes to go on.
    #[inline]
    fn drain(&mut self, sink: &mut impl Sink) -> Result<(usize, ControlFlow<()>)> {
        loop {
            if let Decoder::Pcap(pcap) = &self.decoder {
                let (taken, records) = sink.ordinary(pcap, &self.buffer[self.start..self.end]);
                self.start += taken;
                self.offset += taken as u64;
                self.counts.records += records;
                self.counts.sightings += records;
            }
            let bytes = &self.buffer[self.start..self.end];
            let step = match &mut self.decoder {
                Decoder::Pcap(pcap) => pcap.step(bytes),
                Decoder::Pcapng(pcapng) => pcapng.step(bytes),
                Decoder::Text(text) => {
                    let (consumed, found) = text.step(bytes, self.at_end);
                    self.start += consumed;
                    self.offset += consumed as u64;
                    if !found {
                        return Ok((self.end - self.start + 1, ControlFlow::Continue(())));
                    }
                    self.counts.records += 1;
                    self.counts.sightings += 1;
                    if sink.sighting(&text.sighting()).is_break() {
                        return Ok((0, ControlFlow::Break(())));
                    }
                    continue;
                }
            };
            let (consumed, flow) = match step.map_err(|error| error.on(format!("at byte {}", self.offset)))? {
                Step::More(bytes) => return Ok((bytes, ControlFlow::Continue(()))),
                Step::Skip(consumed) => (consumed, ControlFlow::Continue(())),
                Step::Record { consumed, record } => (consumed, sink.record(&record, &mut self.counts)),
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
        // Text takes one more turn: the end completes its last word.
        Ok(!self.at_end || (matches!(self.decoder, Decoder::Text(_)) && self.end > 0))
    }
}

/// Where frames go.
trait Sink {
    fn sighting(&mut self, sighting: &Sighting<'_>) -> ControlFlow<()>;

    /// Takes ordinary ARP frames from the front of a part of a pcap file, and gives how many bytes and records
    /// that were. What it leaves comes by [`Sink::record`].
    #[inline]
    fn ordinary(&mut self, _pcap: &Pcap, _bytes: &[u8]) -> (usize, u64) {
        (0, 0)
    }

    /// Counts a record, and passes it on if it is about addresses.
    #[inline]
    fn record(&mut self, record: &Record<'_>, counts: &mut Counts) -> ControlFlow<()> {
        counts.records += 1;
        match record::read(record) {
            record::Read::Sighting(sighting) => {
                counts.sightings += 1;
                return self.sighting(&sighting);
            }
            record::Read::Other => {}
            record::Read::Cut => counts.cut += 1,
            record::Read::Unread(link_type) => {
                counts.unread += 1;
                counts.unread_link_type = Some(link_type);
            }
        }
        ControlFlow::Continue(())
    }
}

struct Each<F>(F);

impl<F: FnMut(&Sighting<'_>) -> ControlFlow<()>> Sink for Each<F> {
    fn sighting(&mut self, sighting: &Sighting<'_>) -> ControlFlow<()> {
        (self.0)(sighting)
    }
}

struct Feed<'a>(&'a mut Table);

impl Sink for Feed<'_> {
    fn sighting(&mut self, sighting: &Sighting<'_>) -> ControlFlow<()> {
        self.0.observe(sighting);
        ControlFlow::Continue(())
    }

    #[inline]
    fn ordinary(&mut self, pcap: &Pcap, bytes: &[u8]) -> (usize, u64) {
        pcap.read_into(bytes, self.0)
    }

    /// Most frames of most captures that matter here are ordinary ARP on Ethernet: a shorter way.
    #[inline]
    fn record(&mut self, record: &Record<'_>, counts: &mut Counts) -> ControlFlow<()> {
        if record.link_type == LinkType::ETHERNET
            && let Some(time) = record.time
            && self.0.take(time.0, record.data)
        {
            counts.records += 1;
            counts.sightings += 1;
            return ControlFlow::Continue(());
        }
        self.other(record, counts)
    }
}

impl Feed<'_> {
    #[inline(never)]
    fn other(&mut self, record: &Record<'_>, counts: &mut Counts) -> ControlFlow<()> {
        Each(|sighting: &Sighting<'_>| self.sighting(sighting)).record(record, counts)
    }
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
