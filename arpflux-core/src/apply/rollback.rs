//! Taking a transaction back as one of its own.

use super::check::identities;
use super::history::{self, Target};
use super::journal::Journal;
use super::receipt::Receipt;
use super::recover::{busy_pending, settle, take_back};
use super::transaction::{Transaction, Work};
use super::{confirm, files, keep, net, undo};
use crate::error::Result;
use crate::words::listed;

impl Transaction<'_> {
    /// Takes a transaction back: the one of number `id`, or the last that a person made and that stands; one that
    /// still waits for its confirmation is the last. What containers stand on that are published is left, and
    /// named in [`Receipt::notes`].
    ///
    /// What somebody else changed since is left alone and listed in [`Receipt::conflicts`], unless `force`.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) if there is nothing to take back, or no number is given and the last trial
    /// ([`Confirm::Within`](crate::apply::Confirm::Within)) had nothing to change: it would take back what came before. And as [`Transaction::apply`].
    pub fn rollback(mut self, id: Option<u64>, force: bool) -> Result<Receipt> {
        self.options.check()?;
        let (netns, folder, lock) = self.enter()?;
        let settled = settle(self.kernel, &folder, &netns, confirm::now())?;
        if let Some(waiting) = settled.pending {
            if id.is_some() && id != waiting.id {
                return Err(busy_pending(&waiting));
            }
            if let Some(mut journal) = Journal::open(&folder)? {
                let reason = "rolled back before it was confirmed";
                let taken_back = take_back(self.kernel, &folder, &mut journal, reason, 0)?;
                let mut receipt = taken_back.receipt;
                receipt.notes.extend(taken_back.notes);
                drop(lock);
                receipt.notes.extend(self.tell_again(&receipt));
                return Ok(receipt);
            }
        }
        let Target { receipt: target, since } = history::to_roll_back(&folder, id, &netns)?;
        let snapshot = self.kernel.snapshot()?;
        let mut inverse = undo::inverse(&target.changes, &target.interfaces, &snapshot, force);
        let (files, of_files) = files::inverse(&target.files, force)?;
        let mut notes = settled.notes;
        if let (None, Some(number)) = (id, target.id) {
            notes.push(format!(
                "transaction {number} is taken back, the last that a person made: {}",
                target.command
            ));
            if !since.is_empty() {
                notes.push(format!("{}; these stay", history::routine(&since)));
            }
        }
        let registry = keep::registry(&folder, &files)?;
        notes.extend(keep::keep(&mut inverse.changes, &snapshot, &registry));
        if !inverse.moot.is_empty() {
            notes.push(format!("gone with its interface: {}", listed(&inverse.moot)));
        }
        let work = Work {
            interfaces: identities(&inverse.changes, &[], &snapshot),
            changes: inverse.changes,
            files,
            rollback_of: target.id,
            conflicts: inverse.conflicts.into_iter().chain(of_files).collect(),
            notes,
            announcements: Vec::new(),
            announced: target.announced,
        };
        let mut receipt = self.execute(&folder, &netns, work)?;
        drop(lock);
        receipt.notes.extend(self.tell_again(&receipt));
        Ok(receipt)
    }

    /// After everything that stood was taken back one by one: what is left of what persons made, as the order in which
    /// transactions were taken back before can bring back values of others. `None` if nothing is.
    ///
    /// # Errors
    /// As [`Transaction::rollback`].
    pub(crate) fn rollback_rest(mut self, force: bool) -> Result<Option<Receipt>> {
        let (netns, folder, lock) = self.enter()?;
        if let Some(waiting) = settle(self.kernel, &folder, &netns, confirm::now())?.pending {
            return Err(busy_pending(&waiting));
        }
        let snapshot = self.kernel.snapshot()?;
        let net = net::net(&history::all(&folder, &netns)?, &snapshot);
        // What others changed since was told by those that stood.
        let mut inverse = undo::inverse(&net.changes, &net.interfaces, &snapshot, force);
        let (files, _) = files::inverse(&net.files, force)?;
        let registry = keep::registry(&folder, &files)?;
        let mut notes = vec!["what earlier rollbacks had brought back is taken back too".into()];
        notes.extend(keep::keep(&mut inverse.changes, &snapshot, &registry));
        if inverse.changes.is_empty() && files.is_empty() {
            return Ok(None);
        }
        let work = Work {
            interfaces: identities(&inverse.changes, &[], &snapshot),
            changes: inverse.changes,
            files,
            rollback_of: net.first,
            conflicts: Vec::new(),
            notes,
            announcements: Vec::new(),
            announced: true,
        };
        let mut receipt = self.execute(&folder, &netns, work)?;
        drop(lock);
        receipt.notes.extend(self.tell_again(&receipt));
        Ok(Some(receipt))
    }
}
