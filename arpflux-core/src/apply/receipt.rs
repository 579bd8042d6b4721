//! What was done, what was checked, and how to take it back.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::journal::{self, Journal, Log, State};
use super::recover::foreign;
use super::store::Folder;
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::persist::FileChange;
use crate::plan::{Change, InterfaceIdentity};
use crate::snapshot::NetnsIdentity;

/// The folder of finished transactions.
pub(super) const HISTORY: &str = "history";
/// The folder of journals that are not ours to carry out.
pub(super) const ASIDE: &str = "aside";
/// How many finished transactions are kept at most.
const KEPT: usize = 32;
/// How many bytes of them are kept at most; the last is always kept.
const KEPT_BYTES: u64 = 32 << 20;

/// Something that was changed by somebody else after arpflux had changed it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conflict {
    /// What it is about: `net.ipv4.conf.eth0.arp_ignore`.
    pub object: String,
    /// What arpflux had made it.
    pub expected: String,
    /// What it is.
    pub found: String,
    /// What it was before arpflux changed it.
    pub former: String,
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { object, expected, found, former } = self;
        write!(f, "{object} is {found}, not {expected} as arpflux left it (before that: {former})")
    }
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There was nothing to do.
    Unchanged,
    /// It stands.
    Applied,
    /// It is in force, and is undone unless it is confirmed in time.
    Pending,
    /// It was taken back.
    Undone,
}

/// What a transaction did. Its number names it in `rollback` and `confirm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// Its number, rising from 1 in each namespace; `None` if there was nothing to do.
    pub id: Option<u64>,
    /// What became of it.
    pub outcome: Outcome,
    /// The transaction that this one took back, if it is a rollback.
    pub rollback_of: Option<u64>,
    /// The changes, in the order they were made. Each says what was there before.
    pub changes: Vec<Change>,
    /// The files that were changed with them; on trial: that will be, once it is confirmed.
    pub files: Vec<FileChange>,
    /// How many of them were read again from the kernel and found as they should be.
    pub verified: usize,
    /// What was left alone because somebody else had changed it.
    pub conflicts: Vec<Conflict>,
    /// Whatever else is worth knowing, one sentence each.
    pub notes: Vec<String>,
    /// When it began, in seconds since 1970.
    pub started: u64,
    /// The command line that made it.
    pub command: String,
    /// How to take it back.
    pub undo: Option<String>,
    /// How long it still waits for confirmation, in ms.
    #[serde(rename = "remaining_ms", serialize_with = "milliseconds")]
    pub remaining: Option<Duration>,
    #[serde(skip)]
    pub(crate) interfaces: Vec<InterfaceIdentity>,
}

fn milliseconds<S: serde::Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(|value| value.as_millis()).serialize(serializer)
}

impl Receipt {
    /// The receipt of a run that had nothing to do.
    pub(crate) fn unchanged(notes: Vec<String>) -> Self {
        Self {
            id: None,
            outcome: Outcome::Unchanged,
            rollback_of: None,
            changes: Vec::new(),
            files: Vec::new(),
            verified: 0,
            conflicts: Vec::new(),
            notes,
            started: super::lock::unix_seconds(),
            command: super::lock::command(),
            undo: None,
            remaining: None,
            interfaces: Vec::new(),
        }
    }

    /// The receipt of what a journal says.
    pub(crate) fn of(log: &Log) -> Self {
        let header = &log.header;
        let mut receipt = Self {
            id: Some(header.id),
            outcome: Outcome::Undone,
            rollback_of: header.rollback_of,
            changes: log.changes.clone(),
            files: log.files.clone(),
            conflicts: header.conflicts.clone(),
            started: header.started,
            command: header.command.clone(),
            interfaces: header.interfaces.clone(),
            ..Self::unchanged(Vec::new())
        };
        match &log.state {
            State::Open => receipt.notes.push("cut off: `arpflux recover` undoes it".into()),
            State::Pending(pending) => {
                receipt.outcome = Outcome::Pending;
                receipt.verified = pending.verified;
                receipt.notes.clone_from(&pending.notes);
                receipt.undo = Some(format!("arpflux rollback {}", header.id));
                let left = pending.deadline.saturating_sub(super::confirm::now());
                receipt.remaining = Some(Duration::from_millis(left));
            }
            State::Applied(applied) => {
                receipt.outcome = Outcome::Applied;
                receipt.verified = applied.verified;
                receipt.notes.clone_from(&applied.notes);
                receipt.undo = Some(format!("arpflux rollback {}", header.id));
            }
            State::Undone(undone) => {
                receipt.notes.push(format!("undone: {}", undone.reason));
                receipt.conflicts.extend(undone.conflicts.iter().cloned());
            }
        }
        receipt
    }

    /// Whether nothing was changed because nothing had to be.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.outcome == Outcome::Unchanged
    }

    /// The receipt as one JSON object with `"schema": 1`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if a value cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(self).map_err(|error| error.during("write receipt"))
    }
}

fn file_name(id: u64) -> String {
    format!("{id:010}")
}

fn numbers(history: &Folder) -> Result<Vec<u64>> {
    let mut numbers: Vec<u64> = history
        .names()?
        .iter()
        .filter(|name| name.len() >= 10 && name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|name| name.parse().ok())
        .collect();
    numbers.sort();
    Ok(numbers)
}

/// The number of the next transaction.
///
/// # Errors
/// If the history cannot be read.
pub(crate) fn next_id(folder: &Folder) -> Result<u64> {
    Ok(numbers(&folder.folder(HISTORY.as_ref())?)?.last().map_or(1, |last| last.saturating_add(1)))
}

/// Files the journal of a finished transaction, and forgets the oldest ones.
///
/// # Errors
/// Any failure to; the next run files it then.
pub(crate) fn file(folder: &Folder, id: u64) -> Result<()> {
    let history = folder.folder(HISTORY.as_ref())?;
    folder.rename(journal::NAME, &history, &file_name(id))?;
    let mut bytes = 0;
    for (age, id) in numbers(&history)?.into_iter().rev().enumerate() {
        let name = file_name(id);
        bytes += history.inode(&name).map_or(0, |(_, size)| size);
        if age > 0 && (age >= KEPT || bytes > KEPT_BYTES) {
            history.remove(&name)?;
        }
    }
    Ok(())
}

/// Puts the journal where it is not in the way and not lost; where that is.
///
/// # Errors
/// Any failure to.
pub(crate) fn set_aside(folder: &Folder) -> Result<String> {
    let aside = folder.folder(ASIDE.as_ref())?;
    let stamp = super::lock::unix_seconds();
    let taken = aside.names()?;
    let name = (0..).map(|n| format!("journal-{stamp}-{n}")).find(|name| !taken.contains(name));
    let name = name.unwrap_or_default();
    folder.rename(journal::NAME, &aside, &name)?;
    // Not without bound: somebody may leave a damaged one for every run.
    for old in taken.iter().rev().skip(KEPT) {
        aside.remove(old)?;
    }
    Ok(aside.path_of(&name))
}

/// What one finished transaction did; `None` if it is not there, damaged, or of another boot or of a
/// namespace that is gone and had the same number.
fn read(history: &Folder, id: u64, netns: &NetnsIdentity) -> Result<Option<Receipt>> {
    let name = file_name(id);
    let Some(file) = history.open(&name)? else { return Ok(None) };
    let text = history.read(&name, &file, journal::LARGEST)?;
    let own = |log: &Log| log.header.id == id && foreign(&log.header.netns, netns).is_none();
    Ok(journal::parse(&text).ok().filter(|(log, ..)| own(log)).map(|(log, ..)| Receipt::of(&log)))
}

/// Every transaction that is remembered, the oldest first; the one under way or waiting is the last.
///
/// # Errors
/// Any failure to read; damaged ones are left out.
pub(crate) fn all(folder: &Folder, netns: &NetnsIdentity) -> Result<Vec<Receipt>> {
    let history = folder.folder(HISTORY.as_ref())?;
    let mut receipts = Vec::new();
    for id in numbers(&history)? {
        receipts.extend(read(&history, id, netns)?);
    }
    if let Ok(Some(Journal { log, .. })) = Journal::open(folder)
        && foreign(&log.header.netns, netns).is_none()
    {
        receipts.push(Receipt::of(&log));
    }
    Ok(receipts)
}

/// The transaction that `rollback` takes back: the one named, or the last that stands.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is none.
pub(crate) fn to_roll_back(folder: &Folder, id: Option<u64>, netns: &NetnsIdentity) -> Result<Receipt> {
    let history = folder.folder(HISTORY.as_ref())?;
    let missing = |why: &str| Error::new(ErrorKind::NotFound, why).during("roll back");
    if let Some(id) = id {
        let name = format!("transaction {id}");
        return match read(&history, id, netns)? {
            Some(receipt) if receipt.outcome == Outcome::Applied => Ok(receipt),
            Some(_) => Err(missing("it was undone already").on(name)),
            None => Err(missing("there is no such transaction")
                .on(name)
                .hint("`arpflux rollback --list` shows those that are remembered")),
        };
    }
    // The newest first, so that few have to be read.
    let mut taken_back = Vec::new();
    for id in numbers(&history)?.into_iter().rev() {
        let Some(receipt) = read(&history, id, netns)?.filter(|receipt| receipt.outcome == Outcome::Applied)
        else {
            continue;
        };
        match receipt.rollback_of {
            // One that had to leave something alone can be tried again.
            Some(of) if receipt.conflicts.is_empty() => taken_back.push(of),
            Some(_) => {}
            None if taken_back.contains(&id) => {}
            None => return Ok(receipt),
        }
    }
    Err(missing("there is nothing to take back in this namespace"))
}
