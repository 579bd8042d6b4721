//! Files that are compressed, read as a stream of what is in them.

use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read, Result};

use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder as Lz4;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Packing {
    /// `gzip` (RFC 1952).
    Gzip,
    /// `zstd` (RFC 8878).
    Zstd,
    /// `xz`.
    Xz,
    /// `lz4`, its older frames (`lz4 -l`) as well.
    Lz4,
}

impl Packing {
    /// By the first 6 bytes; `None`: none of these.
    #[must_use]
    pub const fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // The second is a frame to be skipped, with which pzstd begins.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => Some(Self::Lz4),
            _ => None,
        }
    }
}

/// A file that wants more memory to be unpacked, in bytes, is refused: `xz -9` takes 65 MiB, `zstd --long` 128.
const MOST_MEMORY: u32 = 128 << 20;

/// The bytes of a compressed file, unpacked. Damage is an error of the kind `InvalidData`, a file that is cut
/// `UnexpectedEof`. However much is in a file, it takes at most 128 MiB of memory.
///
/// ```
/// use std::io::Read as _;
///
/// use arpflux_core::unpack::{Packing, Unpacked};
///
/// // `printf arp | lz4 -l`, one block of three literals.
/// let packed = [0x02, 0x21, 0x4c, 0x18, 4, 0, 0, 0, 0x30, b'a', b'r', b'p'];
/// let packing = Packing::of(&packed).expect("a kind that is read");
/// let mut text = String::new();
/// Unpacked::new(packing, &packed[..]).read_to_string(&mut text)?;
/// assert_eq!(text, "arp");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Unpacked<R: Read> {
    inner: Inner<R>,
    /// An unpacker that failed is never asked again: some go on for ever then.
    failed: Option<ErrorKind>,
}

enum Inner<R: Read> {
    Gzip(Box<MultiGzDecoder<R>>),
    Zstd(Box<Zstd<R>>),
    Xz(Box<XzReader<R>>),
    Lz4(Box<Lz4<BufReader<R>>>),
}

impl<R: Read> std::fmt::Debug for Unpacked<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacked").finish_non_exhaustive()
    }
}

impl<R: Read> Unpacked<R> {
    /// Unpacks what `source` gives, from its first byte on.
    pub fn new(packing: Packing, source: R) -> Self {
        let inner = match packing {
            Packing::Gzip => Inner::Gzip(Box::new(MultiGzDecoder::new(source))),
            Packing::Zstd => Inner::Zstd(Box::new(Zstd::new(source))),
            Packing::Xz => Inner::Xz(Box::new(XzReader::new_mem_limit(source, true, MOST_MEMORY / 1024))),
            Packing::Lz4 => Inner::Lz4(Box::new(Lz4::new(BufReader::new(source)))),
        };
        Self { inner, failed: None }
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if let Some(kind) = self.failed {
            return Err(kind.into());
        }
        let read = self.inner.read(buffer);
        self.failed = read.as_ref().err().map(Error::kind).filter(|kind| *kind != ErrorKind::Interrupted);
        read
    }
}

impl<R: Read> Read for Inner<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
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
struct Zstd<R> {
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
