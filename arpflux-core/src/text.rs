//! Text files that people and programs hand over: read with a bound on their size.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, ErrorKind, Result};

/// The largest snapshot, plan or list that is read, in bytes.
pub const LARGEST: u64 = 256 << 20;

/// The text of a file of at most `largest` bytes.
///
/// # Errors
/// Any failure to read it, with its path; [`ErrorKind::InvalidInput`] if it is a folder or the like,
/// [`ErrorKind::InvalidData`] if it is larger or not UTF-8.
pub fn read(path: &Path, largest: u64) -> Result<String> {
    let failed = |error: std::io::Error| {
        let error = Error::file("read", path, &error);
        // A folder, for one.
        if error.kind() == ErrorKind::Io { error.with_kind(ErrorKind::InvalidInput) } else { error }
    };
    let file = File::open(path).map_err(failed)?;
    from_reader(file, &path.display().to_string(), largest).map_err(|error| match error {
        Unread::Io(error) => failed(error),
        Unread::Wrong(error) => error,
    })
}

/// The text that `reader` gives, of at most `largest` bytes; `name` is what it is called in messages.
///
/// # Errors
/// As [`read`].
pub fn read_from(reader: impl Read, name: &str, largest: u64) -> Result<String> {
    from_reader(reader, name, largest).map_err(|error| match error {
        Unread::Io(error) => Error::io("read", name, &error),
        Unread::Wrong(error) => error,
    })
}

enum Unread {
    Io(std::io::Error),
    Wrong(Error),
}

fn from_reader(reader: impl Read, name: &str, largest: u64) -> Result<String, Unread> {
    let wrong = |message: String| {
        Unread::Wrong(Error::new(ErrorKind::InvalidData, message).during("read").on(name.to_owned()))
    };
    let mut bytes = Vec::new();
    reader.take(largest.saturating_add(1)).read_to_end(&mut bytes).map_err(Unread::Io)?;
    if bytes.len() as u64 > largest {
        return Err(wrong(format!("it is larger than {} MiB", largest >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        wrong(format!("line {line} is not UTF-8 text"))
    })
}
