//! The archives of an initramfs (`Documentation/driver-api/early-userspace/buffer-format.rst`): one or more of the "newc"
//! form, one behind the other, the last of them compressed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result};

use crate::unpack::{Packing, Unpacked};

/// No initramfs is larger when it is unpacked.
const LARGEST: u64 = 1 << 30;
/// Nor has it a file of sysctls, or a link, of more than this, or more than so many.
const LARGEST_FILE: u64 = 1 << 20;
const MOST_FILES: usize = 512;
const HEADER: usize = 110;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// What was asked for, by its path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    File(String),
    Link(String),
    /// It is there; what is in it was not asked for.
    Other,
}

/// What to do with a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Text,
    Presence,
    No,
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what.to_owned())
}

/// The files that are wanted, later ones in the place of earlier ones of the same name, as the kernel unpacks them.
pub(super) fn read(source: impl Read, wanted: &dyn Fn(&str) -> Wanted) -> Result<BTreeMap<String, Entry>> {
    let mut found = BTreeMap::new();
    let mut source = BufReader::with_capacity(1 << 16, source.take(LARGEST));
    loop {
        skip_zeros(&mut source)?;
        let start = source.fill_buf()?;
        if start.is_empty() {
            return Ok(found);
        }
        if let Some(packing) = Packing::of(start) {
            let mut inner = BufReader::with_capacity(1 << 16, Unpacked::new(packing, source).take(LARGEST));
            loop {
                archive(&mut inner, wanted, &mut found)?;
                // What an archive is padded with is no part of what is compressed: there an unpacker gives up.
                if skip_zeros(&mut inner).is_err() || inner.fill_buf().map_or(true, <[u8]>::is_empty) {
                    return Ok(found);
                }
            }
        }
        archive(&mut source, wanted, &mut found)?;
    }
}

fn skip_zeros(source: &mut impl BufRead) -> Result<()> {
    loop {
        let buffer = source.fill_buf()?;
        let zeros = buffer.iter().take_while(|byte| **byte == 0).count();
        if zeros == 0 {
            return Ok(());
        }
        source.consume(zeros);
    }
}

fn skip(source: &mut impl Read, length: u64) -> Result<()> {
    match std::io::copy(&mut source.take(length), &mut std::io::sink())? {
        skipped if skipped == length => Ok(()),
        _ => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// How many bytes are missing to a multiple of four.
const fn padding(length: u64) -> u64 {
    length.wrapping_neg() % 4
}

/// One archive up to its trailer.
fn archive(
    source: &mut impl Read,
    wanted: &dyn Fn(&str) -> Wanted,
    found: &mut BTreeMap<String, Entry>,
) -> Result<()> {
    loop {
        let mut header = [0; HEADER];
        source.read_exact(&mut header)?;
        if !header.starts_with(b"07070") || !matches!(header[5], b'1' | b'2') {
            return Err(bad("it is no archive of the form newc"));
        }
        let field = |number: usize| {
            let digits = header.get(6 + 8 * number..14 + 8 * number).unwrap_or_default();
            let digits =
                std::str::from_utf8(digits).ok().filter(|it| it.bytes().all(|b| b.is_ascii_hexdigit()));
            digits
                .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                .ok_or_else(|| bad("a number in it is none"))
        };
        let (mode, size, name_size) = (field(1)?, u64::from(field(6)?), u64::from(field(11)?));
        if name_size == 0 || name_size > 4096 {
            return Err(bad("a name in it is longer than 4,096 bytes"));
        }
        let mut name = vec![0; name_size as usize];
        source.read_exact(&mut name)?;
        skip(source, padding(HEADER as u64 + name_size))?;
        let name = String::from_utf8_lossy(&name);
        let name = name.trim_end_matches('\0').trim_start_matches("./").trim_start_matches('/');
        if name == "TRAILER!!!" {
            return Ok(());
        }
        let kind = mode & 0o170_000;
        let mut text = Vec::new();
        let how = if kind == FILE || kind == LINK { wanted(name) } else { Wanted::No };
        match how {
            Wanted::No | Wanted::Presence => skip(source, size)?,
            Wanted::Text if size > LARGEST_FILE => {
                return Err(bad("a file of sysctls in it is larger than 1 MiB"));
            }
            Wanted::Text => {
                source.by_ref().take(size).read_to_end(&mut text)?;
                if text.len() as u64 != size {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            }
        }
        skip(source, padding(size))?;
        if how == Wanted::No {
            continue;
        }
        let entry = match (how, String::from_utf8(text)) {
            (Wanted::Presence, _) => Entry::Other,
            (_, Ok(text)) if kind == LINK => Entry::Link(text),
            (_, Ok(text)) => Entry::File(text),
            (_, Err(_)) => return Err(bad("a file of sysctls in it is not UTF-8 text")),
        };
        found.insert(name.to_owned(), entry);
        if found.len() > MOST_FILES {
            return Err(bad("it has more than 512 files of sysctls"));
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An archive of these files; what begins with `-> ` is a link.
    pub(in crate::persist::boot) fn pack(files: &[(&str, &str)]) -> Vec<u8> {
        let mut packed = Vec::new();
        for (name, text) in files.iter().chain(&[("TRAILER!!!", "")]) {
            let (mode, text) =
                text.strip_prefix("-> ").map_or((0o100_644, *text), |target| (0o120_777, target));
            packed.extend(format!("070701{:08x}{mode:08x}", 1).bytes());
            for number in [0, 0, 1, 0, text.len(), 0, 0, 0, 0, name.len() + 1, 0] {
                packed.extend(format!("{number:08x}").bytes());
            }
            for part in [format!("{name}\0").as_bytes(), text.as_bytes()] {
                packed.extend(part);
                packed.resize(packed.len().next_multiple_of(4), 0);
            }
        }
        packed
    }

    fn all(packed: &[u8]) -> Result<BTreeMap<String, Entry>> {
        read(packed, &|name| if name.ends_with(".ko") { Wanted::Presence } else { Wanted::Text })
    }

    #[test]
    fn archives_behind_each_other_are_read_as_the_kernel_unpacks_them() {
        let mut packed = pack(&[("./etc/a", "old"), ("lib/x.ko", "binary")]);
        packed.resize(packed.len().next_multiple_of(512), 0);
        packed.extend(pack(&[("etc/a", "new"), ("etc/b", "-> a")]));
        let found = all(&packed).unwrap();
        let told: Vec<_> = found.iter().map(|(name, entry)| (name.as_str(), entry)).collect();
        let expected = [
            ("etc/a", &Entry::File("new".into())),
            ("etc/b", &Entry::Link("a".into())),
            ("lib/x.ko", &Entry::Other),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn a_compressed_one_ends_the_file() {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&pack(&[("etc/b", "two")])).unwrap();
        let mut packed = pack(&[("etc/a", "one")]);
        packed.extend(encoder.finish().unwrap());
        packed.extend([0; 64]);
        assert_eq!(all(&packed).unwrap().len(), 2);
    }

    #[test]
    fn whatever_is_cut_or_wrong_is_an_error_and_no_panic() {
        let packed = pack(&[("etc/a", "one"), ("etc/b", "two")]);
        for length in 1..packed.len() - 4 {
            assert!(all(&packed[..length]).is_err(), "{length} bytes");
        }
        for at in 0..packed.len() {
            for byte in [0, b'f', b'+', 0xff] {
                let mut changed = packed.clone();
                changed[at] = byte;
                let _ = all(&changed);
            }
        }
        let mut endless = packed[..HEADER].to_vec();
        endless[6 + 8 * 6..14 + 8 * 6].copy_from_slice(b"ffffffff");
        assert!(all(&endless).is_err());
    }
}
