//! Captures that are packed, or written in another encoding.

use std::io::{BufRead as _, BufReader, Chain, Cursor, Error, ErrorKind, Read, Result};

use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder as Lz4;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use crate::step::bad;

/// How a capture is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packed {
    No,
    Gzip,
    Zstd,
    Xz,
    Lz4,
    /// UTF-16 with its byte-order mark, as PowerShell redirects text; big-endian or not.
    Utf16 {
        big: bool,
    },
    /// UTF-8 with a byte-order mark.
    Marked,
}

impl Packed {
    /// By the first bytes.
    pub(crate) fn of(start: &[u8]) -> arpflux_core::Result<Self> {
        let with = |tool: &str, name: &str| {
            Err(bad(format!("it is compressed with {name}, which is not read"))
                .hint(format!("{tool} FILE | arpflux capture -")))
        };
        match start {
            [0x1f, 0x8b, ..] => Ok(Self::Gzip),
            [0xff, 0xfe, ..] => Ok(Self::Utf16 { big: false }),
            [0xfe, 0xff, ..] => Ok(Self::Utf16 { big: true }),
            [0xef, 0xbb, 0xbf, ..] => Ok(Self::Marked),
            // The second is a frame to be skipped, with which pzstd begins.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Ok(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(Self::Xz),
            [0x04, 0x22, 0x4d, 0x18, ..] => Ok(Self::Lz4),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => with("bzip2 -dc", "bzip2"),
            [b'P', b'K', 3, 4, ..] => with("unzip -p", "zip"),
            _ => Ok(Self::No),
        }
    }

    /// Whether it is smaller than what is in it.
    pub(crate) const fn is_compressed(self) -> bool {
        matches!(self, Self::Gzip | Self::Zstd | Self::Xz | Self::Lz4)
    }
}

/// A file that wants more memory to be unpacked, in bytes, is refused: `xz -9` takes 65 MiB, `zstd --long` 128.
const MOST_MEMORY: u32 = 128 << 20;

/// What was read to see the format, then the rest.
type Prefixed<R> = Chain<Cursor<Vec<u8>>, R>;

/// The bytes of a capture, unpacked.
pub(crate) enum Bytes<R: Read> {
    Plain(R),
    Gzip(Box<MultiGzDecoder<Prefixed<R>>>),
    Zstd(Box<Zstd<Prefixed<R>>>),
    Xz(Box<XzReader<Prefixed<R>>>),
    Lz4(Box<Lz4<BufReader<Prefixed<R>>>>),
    Utf16(Box<Utf16<Prefixed<R>>>),
    Marked(Box<Prefixed<R>>),
}

impl<R: Read> std::fmt::Debug for Bytes<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bytes").finish_non_exhaustive()
    }
}

impl<R: Read> Bytes<R> {
    /// `start` was read of `source` already.
    pub(crate) fn new(packed: Packed, start: &[u8], source: R) -> Self {
        let prefixed = |skip: usize, source| Read::chain(Cursor::new(start[skip..].to_vec()), source);
        match packed {
            Packed::No => Self::Plain(source),
            Packed::Gzip => Self::Gzip(Box::new(MultiGzDecoder::new(prefixed(0, source)))),
            Packed::Zstd => Self::Zstd(Box::new(Zstd::new(prefixed(0, source)))),
            Packed::Xz => {
                let reader = XzReader::new_mem_limit(prefixed(0, source), true, MOST_MEMORY / 1024);
                Self::Xz(Box::new(reader))
            }
            Packed::Lz4 => Self::Lz4(Box::new(Lz4::new(BufReader::new(prefixed(0, source))))),
            Packed::Utf16 { big } => Self::Utf16(Box::new(Utf16 { source: prefixed(2, source), big })),
            Packed::Marked => Self::Marked(Box::new(prefixed(3, source))),
        }
    }
}

impl<R: Read> Read for Bytes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Plain(source) => source.read(buffer),
            Self::Gzip(source) => source.read(buffer),
            Self::Zstd(source) => source.read(buffer),
            Self::Xz(source) => source.read(buffer).map_err(damaged),
            // It gives nothing where one frame ends, and goes on with the next.
            Self::Lz4(source) => loop {
                let read = source.read(buffer).map_err(damaged)?;
                if read > 0 || source.get_mut().fill_buf()?.is_empty() {
                    return Ok(read);
                }
            },
            Self::Utf16(source) => source.read(buffer),
            Self::Marked(source) => source.read(buffer),
        }
    }
}

/// What an unpacker refuses is damage; what the source itself refuses stays what it is.
fn damaged(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Other | ErrorKind::Unsupported | ErrorKind::OutOfMemory => {
            Error::new(ErrorKind::InvalidData, error)
        }
        _ => error,
    }
}

/// All frames of a Zstandard file, one behind the other.
pub(crate) struct Zstd<R> {
    source: BufReader<R>,
    decoder: FrameDecoder,
    within: bool,
}

impl<R: Read> Zstd<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(u64::from(MOST_MEMORY));
        Self { source: BufReader::new(source), decoder, within: false }
    }

    /// Goes into the next frame, if there is one.
    fn begin(&mut self) -> Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = (&mut self.source).take(u64::from(length));
                    std::io::copy(&mut skipped, &mut std::io::sink())?;
                }
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(false)
    }

    /// A decoder that fails where the file ends was in want of more.
    fn failed(&mut self, error: FrameDecoderError) -> Error {
        match self.source.fill_buf() {
            Ok([]) => ErrorKind::UnexpectedEof.into(),
            Ok(_) => Error::new(ErrorKind::InvalidData, error),
            Err(error) => error,
        }
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            if self.within && self.decoder.can_collect() > 0 {
                return self.decoder.read(buffer);
            }
            if self.within && !self.decoder.is_finished() {
                let step = BlockDecodingStrategy::UptoBlocks(1);
                self.decoder.decode_blocks(&mut self.source, step).map_err(|error| self.failed(error))?;
                continue;
            }
            let wrong = self.within
                && self.decoder.get_checksum_from_data().is_some_and(|sum| {
                    self.decoder.get_calculated_checksum().is_some_and(|calculated| calculated != sum)
                });
            if wrong {
                return Err(Error::new(ErrorKind::InvalidData, "wrong checksum"));
            }
            self.within = self.begin()?;
            if !self.within {
                return Ok(0);
            }
        }
    }
}

/// Gives ASCII for UTF-16; what is no ASCII becomes a question mark, for no word of interest holds any.
#[derive(Debug)]
pub(crate) struct Utf16<R> {
    source: R,
    big: bool,
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut units = vec![0; 2 * buffer.len().min(8 << 10)];
        let mut read = 0;
        // Whole units only.
        while read == 0 || read % 2 == 1 {
            match self.source.read(&mut units[read..])? {
                0 => break,
                more => read += more,
            }
        }
        for (to, unit) in buffer.iter_mut().zip(units[..read].chunks_exact(2)) {
            let (high, low) = if self.big { (unit[0], unit[1]) } else { (unit[1], unit[0]) };
            *to = match (high, low) {
                (0, low) if low.is_ascii() => low,
                // The arrow of Wireshark's summary.
                (0x21, 0x92) => b'>',
                _ => b'?',
            };
        }
        Ok(read / 2)
    }
}
