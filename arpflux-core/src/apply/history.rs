//! The finished transactions: which are remembered, for how long, and which of them `rollback` takes back.

use std::collections::HashMap;

use super::journal::{self, Header, Journal, Log};
use super::receipt::{Maker, Outcome, Receipt};
use super::recover::foreign;
use super::store::Folder;
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::NetnsIdentity;
use crate::words::listed;

/// The folder of finished transactions that persons made.
pub(super) const HISTORY: &str = "history";
/// The folder of those that are made without a person: they come in numbers, and never push out the others.
pub(super) const ROUTINE: &str = "routine";
/// The folder of journals that are not ours to carry out.
pub(super) const ASIDE: &str = "aside";
/// How many finished transactions are kept at most in each of the two, beside those of persons that stand.
const KEPT: usize = 32;
/// How many bytes are kept at most of those that stand, and of the others; the last is always kept.
const KEPT_BYTES: u64 = 32 << 20;

impl Maker {
    fn folder(self) -> &'static str {
        match self {
            Self::Person => HISTORY,
            Self::Watch | Self::Vz => ROUTINE,
        }
    }
}

/// The mark of a change on trial that had nothing to change, until a person changes something.
const NOTHING_TRIED: &str = "nothing-tried";

/// Remembers that nothing is on trial though somebody asked for a trial; with `false`, that something was changed since.
/// Nothing depends on it but what `rollback` without a number takes for the last change.
pub(crate) fn nothing_tried(folder: &Folder, nothing: bool) {
    if nothing {
        let _ = folder.open_or_make(NOTHING_TRIED);
    } else {
        let _ = folder.remove(NOTHING_TRIED);
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
    // Each kind has bytes of its own, so that no trial that failed pushes out what stands.
    let (mut bytes, mut standing_bytes, mut kept) = (0, 0, 0);
    let mut taken_back = TakenBack::default();
    for id in numbers(&history)?.into_iter().rev() {
        let name = file_name(id);
        let size = history.inode(&name).map_or(0, |(_, size)| size);
        let receipt = match header.by {
            Maker::Person => read(&history, id, &header.netns)?,
            Maker::Watch | Maker::Vz => None,
        };
        let stands = receipt.is_some_and(|receipt| {
            taken_back.by(&receipt).is_none()
                && receipt.outcome == Outcome::Applied
                && receipt.rollback_of.is_none()
        });
        let forgotten = if stands {
            standing_bytes += size;
            standing_bytes > KEPT_BYTES
        } else {
            (bytes, kept) = (bytes + size, kept + 1);
            bytes > KEPT_BYTES || kept > KEPT
        };
        if id != header.id && forgotten {
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
    Ok(aside.path_of(&name).display().to_string())
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

/// The finished transactions since then (seconds since 1970), the newest first.
///
/// # Errors
/// As [`all`].
pub(crate) fn recent(folder: &Folder, netns: &NetnsIdentity, since: u64) -> Result<Vec<Receipt>> {
    let logs = Logs::open(folder)?;
    let mut receipts = Vec::new();
    for (id, place) in logs.numbers.iter().rev() {
        match read(&logs.folders[*place], *id, netns)? {
            Some(receipt) if receipt.started < since => break,
            receipt => receipts.extend(receipt),
        }
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
/// [`ErrorKind::NotFound`] if there is none, or if none is named and a trial since then had nothing to change.
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
            Maker::Person if folder.inode(NOTHING_TRIED).is_some() => {
                return Err(missing(
                    "the last change on trial had nothing to change, so there is nothing of it",
                )
                .hint(format!("`arpflux rollback {id}` takes back the change before: {}", receipt.command)));
            }
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
    format!("made by routine, the newest first: transaction {}", listed(&list))
}
