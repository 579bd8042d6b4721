//! Keeping what was made on trial.

use nix::time::{ClockId, clock_gettime};

use super::history;
use super::journal::{Applied, Journal, State};
use super::lock::Lock;
use super::receipt::{Outcome, Receipt};
use super::recover::{foreign, settle};
use super::store::{Folder, wide};
use super::undo::Report;
use super::{Options, files};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Kernel;
use crate::snapshot::NetnsIdentity;

/// Milliseconds since boot, time asleep included: unlike the time of day nobody can set it.
pub(crate) fn now() -> u64 {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(0, |time| {
        wide(time.tv_sec().unsigned_abs()).saturating_mul(1000)
            + wide(time.tv_nsec().unsigned_abs()) / 1_000_000
    })
}

/// Keeps the transaction that waits for confirmation: the one of number `id`, or whichever waits.
///
/// Confirming a transaction by its number once more is no error.
///
/// # Errors
/// If none waits, and says what became of the last one: [`ErrorKind::RolledBack`] if that was undone, as when the
/// time was over, else [`ErrorKind::NotFound`].
pub fn confirm(kernel: &mut dyn Kernel, options: &Options, id: Option<u64>) -> Result<Receipt> {
    let netns = kernel.identity()?;
    let folder = Folder::state(options.state_dir.as_deref())?.namespace(&netns)?;
    let _lock = Lock::take(&folder, options.lock_wait, &options.stop)?;
    let settled = settle(kernel, &folder, &netns, now())?;
    let Some(waiting) = settled.pending.filter(|waiting| id.is_none() || waiting.id == id) else {
        return nothing_waits(&folder, id, &netns);
    };
    let Some(mut journal) = Journal::open(&folder)? else {
        return nothing_waits(&folder, id, &netns);
    };
    if let Err(error) = files::make(&journal.log.files) {
        // It stays on trial. What could not be taken back here is taken back with the rest.
        files::undo(&journal.log.files, &mut Report::default());
        return Err(error);
    }
    journal.set(
        &folder,
        State::Applied(Applied { verified: waiting.verified + waiting.files.len(), notes: waiting.notes }),
    )?;
    // From here on it is kept; if it is not filed now, the next run files it.
    let _ = history::file(&folder, &journal.log.header);
    Ok(Receipt::of(&journal.log))
}

fn nothing_waits(folder: &Folder, id: Option<u64>, netns: &NetnsIdentity) -> Result<Receipt> {
    let receipts = history::all(folder, netns)?;
    let found = match id {
        Some(id) => receipts.into_iter().find(|receipt| receipt.id == Some(id)),
        None => receipts.into_iter().next_back(),
    };
    let error = |kind| Error::new(kind, "no transaction waits for confirmation").during("confirm");
    let Some(receipt) = found else {
        return Err(error(ErrorKind::NotFound).hint("`arpflux rollback --list` lists what became of each"));
    };
    let (kind, what) = match receipt.outcome {
        Outcome::Applied if id.is_some() => return Ok(receipt),
        Outcome::Undone => (ErrorKind::RolledBack, receipt.notes.join("; ")),
        _ => (ErrorKind::NotFound, "it stands".into()),
    };
    let which = if id.is_some() { "" } else { "the last was " };
    Err(error(kind).hint(format!("{which}transaction {}: {what}", receipt.id.unwrap_or_default())))
}

/// The transaction that waits for confirmation, with the time it has left; `None` if none does.
///
/// Takes no lock and changes nothing.
///
/// # Errors
/// Any failure to read the state.
pub fn pending(kernel: &mut dyn Kernel, options: &Options) -> Result<Option<Receipt>> {
    let netns = kernel.identity()?;
    let Some(folder) = Folder::look(options.state_dir.as_deref(), &netns)? else { return Ok(None) };
    Ok(Journal::look(&folder)?
        .filter(|log| matches!(log.state, State::Pending(_)))
        .filter(|log| foreign(&log.header.netns, &netns).is_none())
        .map(|log| Receipt::of(&log)))
}
