//! What the decoders of binary formats have in common: they are given bytes and say how far they came.

use arpflux_core::error::{Error, ErrorKind};

use crate::record::Record;

/// How far a decoder came at the front of the bytes that it was given.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// A record, that takes `consumed` bytes: more, perhaps, than are there.
    Record { consumed: u64, record: Record<'a> },
    /// Nothing of interest, so many bytes long: more, perhaps, than are there.
    Skip(u64),
    /// This many bytes are needed to go on: at most [`LOOK_AHEAD`].
    More(usize),
}

/// No decoder asks for more bytes at a time.
pub(super) const LOOK_AHEAD: usize = 16 << 10;

/// The order of the bytes in the numbers of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

impl Order {
    /// The first two bytes as a number; zero if there are fewer.
    #[inline]
    pub(super) fn u16(self, bytes: &[u8]) -> u16 {
        let bytes = bytes.first_chunk::<2>().copied().unwrap_or_default();
        match self {
            Self::Big => u16::from_be_bytes(bytes),
            Self::Little => u16::from_le_bytes(bytes),
        }
    }

    /// The first four bytes as a number; zero if there are fewer.
    #[inline]
    pub(super) fn u32(self, bytes: &[u8]) -> u32 {
        let bytes = bytes.first_chunk::<4>().copied().unwrap_or_default();
        match self {
            Self::Big => u32::from_be_bytes(bytes),
            Self::Little => u32::from_le_bytes(bytes),
        }
    }

    /// The first eight bytes as a number; zero if there are fewer.
    pub(super) fn u64(self, bytes: &[u8]) -> u64 {
        let bytes = bytes.first_chunk::<8>().copied().unwrap_or_default();
        match self {
            Self::Big => u64::from_be_bytes(bytes),
            Self::Little => u64::from_le_bytes(bytes),
        }
    }
}

/// A capture that is not what it should be.
#[cold]
pub(super) fn bad(message: String) -> Error {
    Error::new(ErrorKind::InvalidData, message).during("read capture")
}
