//! What was done, what was checked, and how to take it back.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::journal::{self, Header, Journal, Log, State};
use super::recover::foreign;
use super::store::Folder;
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::persist::FileChange;
use crate::plan::{Change, InterfaceIdentity};
use crate::snapshot::NetnsIdentity;

/// The folder of finished transactions that persons made.
pub(super) const HISTORY: &str = "history";
/// The folder of those that are made without a person: they come in numbers, and never push out the others.
pub(super) const ROUTINE: &str = "routine";
/// The folder of journals that are not ours to carry out.
pub(super) const ASIDE: &str = "aside";
/// How many finished transactions are kept at most in each of the two, beside those of persons that stand.
const KEPT: usize = 32;
/// How many bytes of them are kept at most; the last is always kept.
const KEPT_BYTES: u64 = 32 << 20;

/// Something that was changed by somebody else after arpflux had changed it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

/// Who made a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    /// Somebody, by a command or by a program.
    #[default]
    Person,
    /// A watch that heals.
    Watch,
    /// The scripts of containers.
    Vz,
}

impl Maker {
    fn folder(self) -> &'static str {
        match self {
            Self::Person => HISTORY,
            Self::Watch | Self::Vz => ROUTINE,
        }
    }
}

impl std::fmt::Display for Maker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Person => "person",
            Self::Watch => "watch",
            Self::Vz => "vz",
        })
    }
}

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receipt {
    /// Its number, rising from 1 in each namespace; `None` if there was nothing to do.
    pub id: Option<u64>,
    /// Who made it.
    pub by: Maker,
    /// What became of it.
    pub outcome: Outcome,
    /// The transaction that this one took back, if it is a rollback.
    pub rollback_of: Option<u64>,
    /// The transaction that took this one back since, where several are listed.
    pub taken_back_by: Option<u64>,
    /// Why it was undone, if it was.
    pub reason: Option<String>,
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
    #[cfg_attr(feature = "schema", schemars(with = "Option<u64>"))]
    pub remaining: Option<Duration>,
    #[serde(skip)]
    pub(crate) interfaces: Vec<InterfaceIdentity>,
    /// Whether peers were told who owns the addresses.
    #[serde(skip)]
    pub(crate) announced: bool,
}

fn milliseconds<S: serde::Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(|value| value.as_millis()).serialize(serializer)
}

impl Receipt {
    /// The interfaces that the changes touch and rely on, as they were when these were made.
    #[must_use]
    pub fn interfaces(&self) -> &[InterfaceIdentity] {
        &self.interfaces
    }

    /// The receipt of a run that had nothing to do.
    pub(crate) fn unchanged(notes: Vec<String>) -> Self {
        Self {
            id: None,
            by: Maker::default(),
            outcome: Outcome::Unchanged,
            rollback_of: None,
            taken_back_by: None,
            reason: None,
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
            announced: false,
        }
    }

    /// The receipt of what a journal says.
    pub(crate) fn of(log: &Log) -> Self {
        let header = &log.header;
        let mut receipt = Self {
            id: Some(header.id),
            by: header.by,
            outcome: Outcome::Undone,
            rollback_of: header.rollback_of,
            changes: log.changes.clone(),
            files: log.files.clone(),
            conflicts: header.conflicts.clone(),
            started: header.started,
            command: header.command.clone(),
            interfaces: header.interfaces.clone(),
            announced: header.announced,
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
                receipt.reason = Some(undone.reason.clone());
                receipt.conflicts.extend(undone.conflicts.iter().cloned());
            }
        }
        receipt
    }

    /// Whether it is on trial still though its time is over: the process that was to undo it is gone. What changes
    /// something next undoes it, or `recover`.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.outcome == Outcome::Pending && self.remaining == Some(Duration::ZERO)
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

/// Both logs, and the numbers in both with the log each is in, the oldest first.
struct Logs {
    folders: Vec<Folder>,
    numbers: Vec<(u64, usize)>,
}

impl Logs {
    fn open(folder: &Folder) -> Result<Self> {
        let mut folders = Vec::new();
        for name in [HISTORY, ROUTINE] {
            folders.extend(folder.existing(name)?);
        }
        let mut all = Vec::new();
        for (place, history) in folders.iter().enumerate() {
            all.extend(numbers(history)?.into_iter().map(|id| (id, place)));
        }
        all.sort();
        Ok(Self { folders, numbers: all })
    }

    /// What one transaction did; `None` as [`read`].
    fn receipt(&self, id: u64, netns: &NetnsIdentity) -> Result<Option<Receipt>> {
        match self.numbers.iter().find(|(number, _)| *number == id) {
            Some((_, place)) => read(&self.folders[*place], id, netns),
            None => Ok(None),
        }
    }
}

/// The number of the next transaction.
///
/// # Errors
/// If the history cannot be read.
pub(crate) fn next_id(folder: &Folder) -> Result<u64> {
    Ok(Logs::open(folder)?.numbers.last().map_or(1, |(last, _)| last.saturating_add(1)))
}

/// Files the journal of a finished transaction, and forgets the oldest ones of its log: not those that a person
/// made and that stand, as long as they fit.
///
/// # Errors
/// Any failure to; the next run files it then.
pub(crate) fn file(folder: &Folder, header: &Header) -> Result<()> {
    let history = folder.folder(header.by.folder().as_ref())?;
    folder.rename(journal::NAME, &history, &file_name(header.id))?;
    let (mut bytes, mut kept) = (0, 0);
    let mut taken_back = TakenBack::default();
    for id in numbers(&history)?.into_iter().rev() {
        let name = file_name(id);
        bytes += history.inode(&name).map_or(0, |(_, size)| size);
        let receipt = match header.by {
            Maker::Person => read(&history, id, &header.netns)?,
            Maker::Watch | Maker::Vz => None,
        };
        let stands = receipt.is_some_and(|receipt| {
            taken_back.by(&receipt).is_none()
                && receipt.outcome == Outcome::Applied
                && receipt.rollback_of.is_none()
        });
        kept += usize::from(!stands);
        if id != header.id && (bytes > KEPT_BYTES || !stands && kept > KEPT) {
            history.remove(&name)?;
        }
    }
    Ok(())
}

/// Forgets a transaction that did nothing.
pub(crate) fn forget(folder: &Folder, receipt: &Receipt) {
    if let (Some(id), Ok(Some(history))) = (receipt.id, folder.existing(receipt.by.folder())) {
        let _ = history.remove(&file_name(id));
    }
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
    let Some(file) = history.open_to_read(&name)? else { return Ok(None) };
    let text = history.read(&name, &file, journal::LARGEST)?;
    let own = |log: &Log| log.header.id == id && foreign(&log.header.netns, netns).is_none();
    Ok(journal::parse(&text).ok().filter(|(log, ..)| own(log)).map(|(log, ..)| Receipt::of(&log)))
}

/// Every transaction that is remembered, the oldest first; the one under way or waiting is the last.
///
/// # Errors
/// Any failure to read; damaged ones are left out.
pub(crate) fn all(folder: &Folder, netns: &NetnsIdentity) -> Result<Vec<Receipt>> {
    let logs = Logs::open(folder)?;
    let mut receipts = Vec::new();
    for (id, place) in &logs.numbers {
        receipts.extend(read(&logs.folders[*place], *id, netns)?);
    }
    let mut taken_back = TakenBack::default();
    for receipt in receipts.iter_mut().rev() {
        receipt.taken_back_by = taken_back.by(receipt);
    }
    if let Ok(Some(log)) = Journal::look(folder)
        && foreign(&log.header.netns, netns).is_none()
    {
        receipts.push(Receipt::of(&log));
    }
    Ok(receipts)
}

/// Which transactions were taken back, and by which; the newest has to be asked for first.
#[derive(Default)]
struct TakenBack(HashMap<u64, u64>);

impl TakenBack {
    fn by(&mut self, receipt: &Receipt) -> Option<u64> {
        let by = receipt.id.and_then(|id| self.0.get(&id).copied());
        // One that had to leave something alone can be tried again.
        if let (None, Outcome::Applied, true, Some(of), Some(id)) =
            (by, receipt.outcome, receipt.conflicts.is_empty(), receipt.rollback_of, receipt.id)
        {
            self.0.insert(of, id);
        }
        by
    }
}

/// What `rollback` takes back.
pub(crate) struct Target {
    pub(crate) receipt: Receipt,
    /// The routine transactions that came later, where the target was not named.
    pub(crate) since: Vec<Receipt>,
}

/// The transaction that `rollback` takes back: the one named, or the last that a person made and that stands.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is none.
pub(crate) fn to_roll_back(folder: &Folder, id: Option<u64>, netns: &NetnsIdentity) -> Result<Target> {
    let logs = Logs::open(folder)?;
    let missing = |why: &str| Error::new(ErrorKind::NotFound, why).during("roll back");
    if let Some(id) = id {
        let name = format!("transaction {id}");
        return match logs.receipt(id, netns)? {
            Some(receipt) if receipt.outcome == Outcome::Applied => Ok(Target { receipt, since: Vec::new() }),
            Some(_) => Err(missing("it was undone already").on(name)),
            None => Err(missing("there is no such transaction")
                .on(name)
                .hint("`arpflux rollback --list` shows those that are remembered")),
        };
    }
    // The newest first, so that few have to be read.
    let (mut taken_back, mut since) = (TakenBack::default(), Vec::new());
    for (id, place) in logs.numbers.iter().rev() {
        let receipt = read(&logs.folders[*place], *id, netns)?;
        let Some(receipt) = receipt.filter(|receipt| receipt.outcome == Outcome::Applied) else { continue };
        if taken_back.by(&receipt).is_some() || receipt.rollback_of.is_some() {
            continue;
        }
        match receipt.by {
            Maker::Person => return Ok(Target { receipt, since }),
            Maker::Watch | Maker::Vz => since.push(receipt),
        }
    }
    let nothing = missing("there is nothing to take back in this namespace");
    Err(if since.is_empty() {
        nothing
    } else {
        nothing.hint(format!("{}; `arpflux rollback NUMBER` takes one back", routine(&since)))
    })
}

/// The transactions that persons made and that stand, the newest first.
///
/// # Errors
/// As [`all`].
pub(crate) fn standing(folder: &Folder, netns: &NetnsIdentity) -> Result<Vec<u64>> {
    let stands = |receipt: &Receipt| {
        receipt.by == Maker::Person
            && receipt.outcome == Outcome::Applied
            && receipt.rollback_of.is_none()
            && receipt.taken_back_by.is_none()
    };
    let receipts = all(folder, netns)?;
    Ok(receipts.iter().rev().filter(|receipt| stands(receipt)).filter_map(|receipt| receipt.id).collect())
}

/// Says which routine transactions stand, the newest being the first of `since`.
pub(crate) fn routine(since: &[Receipt]) -> String {
    let one = |receipt: &Receipt| format!("{} ({})", receipt.id.unwrap_or_default(), receipt.by);
    let list: Vec<String> = since.iter().map(one).collect();
    format!("made by routine, the newest first: transaction {}", super::recover::listed(&list))
}
