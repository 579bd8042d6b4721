//! Captures that are packed, or written in another encoding.

use std::io::{Chain, Cursor, Read, Result};

use arpflux_core::unpack::{Packing, Unpacked};

use crate::step::bad;

/// How a capture is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packed {
    No,
    Compressed(Packing),
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
            [0xff, 0xfe, ..] => Ok(Self::Utf16 { big: false }),
            [0xfe, 0xff, ..] => Ok(Self::Utf16 { big: true }),
            [0xef, 0xbb, 0xbf, ..] => Ok(Self::Marked),
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => with("bzip2 -dc", "bzip2"),
            [b'P', b'K', 3, 4, ..] => with("unzip -p", "zip"),
            _ => Ok(Packing::of(start).map_or(Self::No, Self::Compressed)),
        }
    }

    /// Whether it is smaller than what is in it.
    pub(crate) const fn is_compressed(self) -> bool {
        matches!(self, Self::Compressed(_))
    }
}

/// What was read to see the format, then the rest.
type Prefixed<R> = Chain<Cursor<Vec<u8>>, R>;

/// The bytes of a capture, unpacked.
pub(crate) enum Bytes<R: Read> {
    Plain(R),
    Compressed(Unpacked<Prefixed<R>>),
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
            Packed::Compressed(packing) => Self::Compressed(Unpacked::new(packing, prefixed(0, source))),
            Packed::Utf16 { big } => Self::Utf16(Box::new(Utf16 { source: prefixed(2, source), big })),
            Packed::Marked => Self::Marked(Box::new(prefixed(3, source))),
        }
    }
}

impl<R: Read> Read for Bytes<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Plain(source) => source.read(buffer),
            Self::Compressed(source) => source.read(buffer),
            Self::Utf16(source) => source.read(buffer),
            Self::Marked(source) => source.read(buffer),
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
