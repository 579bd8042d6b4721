//! The journal: what will be done, written and synced before it is done.
//!
//! Text, one record a line: eight hex digits of the CRC-32 of everything up to and including this
//! record (so that a line can be neither changed, dropped nor moved), a space, a word, a space, JSON.
//! A last line that a crash cut off is dropped; anything else that does not check is a damaged journal.
//!
//! ```text
//! ….. arpflux-journal 2
//! ….. begin {"id":7,"netns":{…},…}
//! ….. change {"object":{…},…}                one per change, in order
//! ….. file {"path":"/etc/…",…}               one per file, in order
//! ….. ready 3                                the number of changes and files
//! ….. reach 2                                the first 2 may have been made from here on
//! ….. pending {…}                            all made and checked; undone unless confirmed
//! ….. applied {…}  or  undone {…}            the end
//! ```

#[cfg(test)]
mod tests;

use std::fs::File;

use crc32fast::Hasher as Crc;
use serde::{Deserialize, Serialize};

use super::receipt::{Conflict, Maker};
use super::store::Folder;
use crate::error::{Error, ErrorKind, Result};
use crate::persist::FileChange;
use crate::plan::{Change, InterfaceIdentity};
use crate::snapshot::NetnsIdentity;

/// The version of the form. Of the former one, which wrote changes differently, every record is read.
const VERSION: &str = "2";
const FORMER: &str = "1";
/// Its name in the folder of a namespace.
pub(crate) const NAME: &str = "journal";
const NEW: &str = "journal.new";
/// No journal is larger: some 200,000 changes.
pub(crate) const LARGEST: u64 = 64 << 20;

/// What stands at the beginning.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    pub(crate) id: u64,
    /// The transaction that this one takes back.
    pub(crate) rollback_of: Option<u64>,
    /// Journals of former versions do not say it.
    #[serde(default)]
    pub(crate) by: Maker,
    pub(crate) netns: NetnsIdentity,
    pub(crate) interfaces: Vec<InterfaceIdentity>,
    pub(crate) pid: u32,
    pub(crate) command: String,
    /// Whether peers are told who owns the addresses: again, when it is undone.
    #[serde(default)]
    pub(crate) announced: bool,
    /// Seconds since 1970, for people.
    pub(crate) started: u64,
    /// What a rollback leaves alone because somebody else changed it.
    pub(crate) conflicts: Vec<Conflict>,
}

/// All made and checked, but not for good yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pending {
    /// Milliseconds of `CLOCK_BOOTTIME`.
    pub(crate) deadline: u64,
    pub(crate) verified: usize,
    pub(crate) notes: Vec<String>,
}

/// The end of a transaction that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Applied {
    pub(crate) verified: usize,
    pub(crate) notes: Vec<String>,
}

/// The end of a transaction that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Undone {
    pub(crate) reason: String,
    pub(crate) conflicts: Vec<Conflict>,
}

/// How far a transaction is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Pending(Pending),
    Applied(Applied),
    Undone(Undone),
}

/// What a journal says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    pub(crate) header: Header,
    pub(crate) changes: Vec<Change>,
    /// Written after all changes; whether they were is seen by looking at them.
    pub(crate) files: Vec<FileChange>,
    /// Only the first so many changes can have been made.
    pub(crate) reach: usize,
    pub(crate) state: State,
    /// Whether the last line was cut off.
    pub(crate) torn: bool,
}

/// A journal that is being written.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    crc: Crc,
    length: u64,
    /// Whether the last state may stand in the file though writing it failed.
    pub(crate) doubtful: bool,
    pub(crate) log: Log,
}

fn record(crc: &mut Crc, text: &mut Vec<u8>, word: &str, value: &impl Serialize) -> Result<()> {
    let mut line = Vec::with_capacity(128);
    line.extend_from_slice(word.as_bytes());
    line.push(b' ');
    serde_json::to_writer(&mut line, value)
        .map_err(|error| Error::new(ErrorKind::Internal, error.to_string()).during("write journal"))?;
    raw_record(crc, text, &line);
    Ok(())
}

pub(super) fn raw_record(crc: &mut Crc, text: &mut Vec<u8>, line: &[u8]) {
    crc.update(line);
    text.extend_from_slice(format!("{:08x} ", crc.clone().finalize()).as_bytes());
    text.extend_from_slice(line);
    text.push(b'\n');
}

impl Journal {
    /// Writes and syncs the journal of a transaction that has not begun; it appears under its name whole
    /// or not at all.
    ///
    /// # Errors
    /// Any failure to write; nothing has been done then.
    pub(crate) fn begin(
        folder: &Folder,
        header: Header,
        changes: Vec<Change>,
        files: Vec<FileChange>,
    ) -> Result<Self> {
        let mut crc = Crc::new();
        let mut text = Vec::with_capacity(512 + 256 * changes.len());
        raw_record(&mut crc, &mut text, format!("arpflux-journal {VERSION}").as_bytes());
        record(&mut crc, &mut text, "begin", &header)?;
        for change in &changes {
            record(&mut crc, &mut text, "change", change)?;
        }
        for file in &files {
            record(&mut crc, &mut text, "file", file)?;
        }
        record(&mut crc, &mut text, "ready", &(changes.len() + files.len()))?;
        if text.len() as u64 > LARGEST {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("{} changes are too many at once", changes.len()),
            )
            .during("write journal")
            .hint("apply the policy in parts"));
        }
        // Left over from a run that died while it wrote its plan, before it did anything.
        folder.remove(NEW)?;
        let file = folder.make(NEW)?;
        let written = folder.append(NEW, &file, &text).and_then(|()| folder.rename(NEW, folder, NAME));
        if let Err(error) = written {
            let _ = folder.remove(NEW);
            let _ = folder.remove(NAME);
            return Err(error);
        }
        let log = Log { header, changes, files, reach: 0, state: State::Open, torn: false };
        Ok(Self { file, crc, length: text.len() as u64, doubtful: false, log })
    }

    /// Opens the journal that is there; `None` if there is none.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if it is damaged, and any failure to read.
    pub(crate) fn open(folder: &Folder) -> Result<Option<Self>> {
        let Some(file) = folder.open(NAME)? else { return Ok(None) };
        let text = folder.read(NAME, &file, LARGEST)?;
        let (log, crc, length) =
            parse(&text).map_err(|error| error.during("read journal").on(folder.path_of(NAME)))?;
        Ok(Some(Self { file, crc, length, doubtful: false, log }))
    }

    /// What the journal says that is there, for somebody who only reads; `None` if there is none.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub(crate) fn look(folder: &Folder) -> Result<Option<Log>> {
        let Some(file) = folder.open_to_read(NAME)? else { return Ok(None) };
        let text = folder.read(NAME, &file, LARGEST)?;
        let (log, ..) =
            parse(&text).map_err(|error| error.during("read journal").on(folder.path_of(NAME)))?;
        Ok(Some(log))
    }

    fn append(&mut self, folder: &Folder, word: &str, value: &impl Serialize) -> Result<()> {
        if self.log.torn {
            folder.truncate(NAME, &self.file, self.length)?;
            self.log.torn = false;
        }
        let mut crc = self.crc.clone();
        let mut text = Vec::new();
        record(&mut crc, &mut text, word, value)?;
        if let Err(error) = folder.append(NAME, &self.file, &text) {
            // Part of it, or all, may stand there. It must not count: cut it off, now or before anything
            // else is written.
            self.log.torn = folder.truncate(NAME, &self.file, self.length).is_err();
            return Err(error);
        }
        self.crc = crc;
        self.length += text.len() as u64;
        Ok(())
    }

    /// Says that changes below `end` may have been made from now on.
    ///
    /// # Errors
    /// Any failure to write; they must not be made then.
    pub(crate) fn reach(&mut self, folder: &Folder, end: usize) -> Result<()> {
        self.append(folder, "reach", &end)?;
        self.log.reach = end;
        Ok(())
    }

    /// Says how the transaction stands.
    ///
    /// # Errors
    /// Any failure to write; the transaction stands as it did before, as far as anybody can tell.
    pub(crate) fn set(&mut self, folder: &Folder, state: State) -> Result<()> {
        let written = match &state {
            State::Open => return Ok(()),
            State::Pending(pending) => self.append(folder, "pending", pending),
            State::Applied(applied) => self.append(folder, "applied", applied),
            State::Undone(undone) => self.append(folder, "undone", undone),
        };
        match written {
            Ok(()) => self.log.state = state,
            Err(_) => self.doubtful = self.log.torn,
        }
        written
    }
}

/// Reads a journal: what it says, the checksum at its end, and the length of what checks.
///
/// # Errors
/// [`ErrorKind::InvalidData`] says what is wrong with which line.
pub(crate) fn parse(text: &[u8]) -> Result<(Log, Crc, u64)> {
    let damaged = |line: usize, why: &str| {
        Err(Error::new(ErrorKind::InvalidData, format!("line {line} {why}")).during("read journal"))
    };
    let mut crc = Crc::new();
    let mut good = 0;
    let mut header = None;
    let mut changes = Vec::new();
    let mut files = Vec::new();
    let mut ready = false;
    let (mut reach, mut state, mut torn) = (0, State::Open, false);
    for (number, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let number = number + 1;
        let last = good + line.len() == text.len();
        let mut next = crc.clone();
        let Some(body) = checked(line, &mut next) else {
            if last && ready {
                torn = true;
                break;
            }
            return damaged(number, "does not check: the file is damaged or was changed");
        };
        let (word, json) = body.split_once(' ').unwrap_or((body, ""));
        // What checks but does not parse was written by another version, or by somebody who knows how.
        macro_rules! value {
            () => {
                match serde_json::from_str(json) {
                    Ok(value) => value,
                    Err(error) => return damaged(number, &format!("({word}) is not understood: {error}")),
                }
            };
        }
        let ended = matches!(state, State::Applied(_) | State::Undone(_));
        match word {
            "arpflux-journal" if number == 1 && [VERSION, FORMER].contains(&json) => {}
            "arpflux-journal" if number == 1 => {
                return damaged(number, &format!("says version {json}, this build reads {VERSION}"));
            }
            _ if number == 1 => return damaged(number, "is not the first line of a journal"),
            "begin" if number == 2 => header = Some(value!()),
            "change" if header.is_some() && !ready && files.is_empty() => changes.push(value!()),
            "file" if header.is_some() && !ready => {
                let file: FileChange = value!();
                if let Err(error) = file.check() {
                    return damaged(number, &format!("(file) is refused: {error}"));
                }
                files.push(file);
            }
            "ready" if header.is_some() && !ready => {
                let count: usize = value!();
                let there = changes.len() + files.len();
                if count != there {
                    return damaged(number, &format!("says {count} changes, there are {there}"));
                }
                ready = true;
            }
            "reach" if ready && state == State::Open => {
                let end: usize = value!();
                if end < reach || end > changes.len() {
                    return damaged(number, "reaches beyond the changes");
                }
                reach = end;
            }
            "pending" if ready && state == State::Open => state = State::Pending(value!()),
            "applied" if ready && !ended => state = State::Applied(value!()),
            "undone" if ready && !ended => state = State::Undone(value!()),
            _ => return damaged(number, &format!("({}) is out of place", word.escape_debug())),
        }
        crc = next;
        good += line.len();
    }
    match header {
        Some(header) if ready => {
            // Which record was cut off is not known: it may have said that all is about to be made.
            let reach = if torn { changes.len() } else { reach };
            Ok((Log { header, changes, files, reach, state, torn }, crc, good as u64))
        }
        _ => damaged(
            text.iter().filter(|byte| **byte == b'\n').count() + 1,
            "is missing: the file was cut off",
        ),
    }
}

/// The record of a line whose checksum is right.
fn checked<'a>(line: &'a [u8], crc: &mut Crc) -> Option<&'a str> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, body) = (line.get(..8)?, line.get(9..)?);
    if line[8] != b' ' || !sum.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    crc.update(body);
    if crc.clone().finalize() != sum {
        return None;
    }
    std::str::from_utf8(body).ok()
}
