//! What a crash left half done is undone; what is not ours is set aside.

use std::time::Duration;

use serde::Serialize;

use super::history;
use super::journal::{self, Journal, State, Undone};
use super::lock::Lock;
use super::receipt::Receipt;
use super::store::Folder;
use super::{Options, confirm, files, stale, undo};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Kernel;
use crate::snapshot::NetnsIdentity;
use crate::words::listed;

/// What [`recover`] found and did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct Recovered {
    /// The transaction that was undone.
    pub undone: Option<Receipt>,
    /// The transaction that waits for confirmation; it was left alone.
    pub pending: Option<Receipt>,
    /// The folders of namespaces that are gone, which were removed.
    pub gone: Vec<String>,
    /// Whatever else was found, one sentence each: journals set aside, what was left alone.
    pub notes: Vec<String>,
}

impl Recovered {
    /// Whether there was nothing to do.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.undone.is_none() && self.notes.is_empty()
    }
}

/// Undoes what a crash left half done in the namespace of `kernel`. With `discard`, a journal that
/// cannot be carried out is set aside instead, and what it did stays as it is.
///
/// # Errors
/// [`ErrorKind::InvalidData`] names a journal that is damaged and where it was put;
/// [`ErrorKind::PartlyApplied`] lists what could not be undone, to be tried again.
pub fn recover(kernel: &mut dyn Kernel, options: &Options, discard: bool) -> Result<Recovered> {
    let netns = kernel.identity()?;
    let state = Folder::state(options.state_dir.as_deref())?;
    let folder = state.namespace(&netns)?;
    let _lock = Lock::take(&folder, options.lock_wait, &options.stop)?;
    let mut settled = match settle(kernel, &folder, &netns, confirm::now()) {
        Err(error) if discard && error.kind() == ErrorKind::PartlyApplied => {
            let path = history::set_aside(&folder)?;
            let note = format!("{error}; given up as asked, the journal is in {path}");
            Recovered { notes: vec![note], ..Recovered::default() }
        }
        other => other?,
    };
    settled.gone = stale::tidy(&state, &netns, 0)?;
    Ok(settled)
}

/// The same with the lock held, at `now` ms of `CLOCK_BOOTTIME`.
///
/// # Errors
/// As [`recover`].
pub(crate) fn settle(
    kernel: &mut dyn Kernel,
    folder: &Folder,
    netns: &NetnsIdentity,
    now: u64,
) -> Result<Recovered> {
    let mut recovered = Recovered::default();
    let mut journal = match Journal::open(folder) {
        Ok(None) => return Ok(recovered),
        Ok(Some(journal)) => journal,
        Err(error) if error.kind() == ErrorKind::InvalidData => {
            let path = history::set_aside(folder)?;
            return Err(Error::new(
                ErrorKind::InvalidData,
                format!("it is damaged, so what it did was not undone ({})", error.message()),
            )
            .during("read journal")
            .on(folder.path_of(journal::NAME))
            .hint(format!("it was put into {path}; compare the host with it, then run again")));
        }
        Err(error) => return Err(error),
    };
    if let Some(why) = foreign(&journal.log.header.netns, netns) {
        let path = history::set_aside(folder)?;
        recovered.notes.push(format!("a journal of {why} was set aside: {path}"));
        return Ok(recovered);
    }
    let reason = match &journal.log.state {
        State::Applied(_) | State::Undone(_) => {
            history::file(folder, &journal.log.header)?;
            return Ok(recovered);
        }
        State::Pending(pending) if now < pending.deadline => {
            recovered.pending = Some(Receipt::of(&journal.log));
            return Ok(recovered);
        }
        // Whoever waits undoes it before its time only when it has to go.
        State::Pending(pending) if confirm::now() < pending.deadline => {
            "the process that waited for a confirmation was told to end"
        }
        State::Pending(_) => "no confirmation came in time",
        State::Open => "the run that made it was cut off",
    };
    let taken_back = take_back(kernel, folder, &mut journal, reason, 0)?;
    recovered.notes = taken_back.notes;
    recovered.undone = Some(taken_back.receipt);
    Ok(recovered)
}

/// The transaction that was cut off half way and is still in force; none while a run is at work.
///
/// # Errors
/// Any failure to read the state.
pub(crate) fn cut_off(kernel: &mut dyn Kernel, options: &Options) -> Result<Option<u64>> {
    let netns = kernel.identity()?;
    let Some(folder) = Folder::look(options.state_dir.as_deref(), &netns)? else { return Ok(None) };
    let open = || {
        let log = Journal::look(&folder)?;
        let log = log.filter(|log| log.state == State::Open && foreign(&log.header.netns, &netns).is_none());
        Ok(log.map(|log| log.header.id))
    };
    if open()?.is_none() {
        return Ok(None);
    }
    match Lock::take(&folder, Duration::ZERO, &options.stop) {
        Ok(_lock) => open(),
        Err(error) if error.kind() == ErrorKind::Busy => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whose journal it is, if not this namespace's.
pub(crate) fn foreign(written: &NetnsIdentity, here: &NetnsIdentity) -> Option<&'static str> {
    if written.boot_id != here.boot_id {
        return Some("another boot");
    }
    let cookies = (written.cookie != 0 && here.cookie != 0).then_some((written.cookie, here.cookie));
    let other = written.inode != here.inode
        || written.device != here.device
        || cookies.is_some_and(|(written, here)| written != here);
    other.then_some("another namespace, which is gone")
}

/// Undoes what a journal says, and files it.
///
/// # Errors
/// [`ErrorKind::PartlyApplied`] lists what is left; the journal stays then.
pub(crate) fn take_back(
    kernel: &mut dyn Kernel,
    folder: &Folder,
    journal: &mut Journal,
    reason: &str,
    made: usize,
) -> Result<TakenBack> {
    let log = &journal.log;
    let mut of_files = undo::Report::default();
    if log.reach == log.changes.len() {
        files::undo(&log.files, &mut of_files);
    }
    let mut report = undo::undo(kernel, &log.changes[..log.reach], &log.header.interfaces, made);
    report.undone += of_files.undone;
    report.conflicts.extend(of_files.conflicts);
    report.left.extend(of_files.left);
    if !report.left.is_empty() {
        return Err(Error::new(
            ErrorKind::PartlyApplied,
            format!("{reason}, and it could not be undone wholly; left: {}", listed(&report.left)),
        )
        .during("undo")
        .on(format!("transaction {}", log.header.id))
        .hint("remove the cause, then run `arpflux recover`"));
    }
    let mut notes: Vec<String> =
        report.conflicts.iter().map(|conflict| format!("left alone: {conflict}")).collect();
    if !report.moot.is_empty() {
        notes.push(format!("gone with its interface: {}", listed(&report.moot)));
    }
    let end = State::Undone(Undone { reason: reason.to_owned(), conflicts: report.conflicts });
    // Everything is as before, and stays so whether or not this is written: undoing once more does nothing.
    if journal.set(folder, end.clone()).and_then(|()| history::file(folder, &journal.log.header)).is_err() {
        let _ = folder.remove(journal::NAME);
    }
    journal.log.state = end;
    Ok(TakenBack { receipt: Receipt::of(&journal.log), notes, undone: report.undone })
}

/// How [`take_back`] went.
pub(crate) struct TakenBack {
    pub(crate) receipt: Receipt,
    pub(crate) notes: Vec<String>,
    /// How many changes were in force and are not any more.
    pub(crate) undone: usize,
}

/// The reason why nothing else may be changed while a transaction waits.
pub(crate) fn busy_pending(receipt: &Receipt) -> Error {
    let left = receipt.remaining.unwrap_or(Duration::ZERO).as_secs_f64();
    let id = receipt.id.unwrap_or_default();
    Error::new(ErrorKind::Busy, format!("transaction {id} still waits for its confirmation, for {left:.0} s"))
        .during("apply")
        .hint("`arpflux confirm` keeps it, `arpflux rollback` undoes it now")
}
