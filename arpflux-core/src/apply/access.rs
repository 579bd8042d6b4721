//! Who may make single changes in a namespace beside transactions.

use std::collections::HashSet;
use std::time::Duration;

use super::journal::{self, Journal, State};
use super::lock::{self, Lock};
use super::receipt::Receipt;
use super::recover::busy_pending;
use super::store::Folder;
use super::{Options, confirm};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Kernel;
use crate::state::{Change, Object};

/// Who may change what now.
#[derive(Debug)]
pub(crate) enum Access {
    /// Whoever holds this.
    Free(Lock),
    /// Somebody else's transaction is under way or on trial.
    Others(Others),
    /// A transaction was cut off, and is to be undone before anything else.
    CutOff,
}

/// Somebody else's transaction.
#[derive(Debug)]
pub(crate) struct Others {
    /// Whose, as an error of whoever needs it out of the way.
    pub busy: Error,
    /// What tells it from another.
    pub by: String,
    /// On trial nobody is at work: this keeps it so.
    pub lock: Option<Lock>,
    /// What it changes; `None` if that cannot be read.
    objects: Option<HashSet<Object>>,
}

impl Access {
    /// What is so now: no waiting.
    ///
    /// # Errors
    /// If the state folder cannot be used.
    pub(crate) fn now(kernel: &mut dyn Kernel, options: &Options) -> Result<Self> {
        let netns = kernel.identity()?;
        let folder = Folder::state(options.state_dir.as_deref())?.namespace(&netns)?;
        let lock = match Lock::take(&folder, Duration::ZERO, &options.stop) {
            Ok(lock) => lock,
            Err(busy) if busy.kind() == ErrorKind::Busy => {
                return Ok(Self::Others(Others::at_work(&folder, busy)));
            }
            Err(error) => return Err(error),
        };
        if folder.inode(journal::NAME).is_none() {
            return Ok(Self::Free(lock));
        }
        let Ok(Some(log)) = Journal::look(&folder) else { return Ok(Self::CutOff) };
        if !matches!(&log.state, State::Pending(pending) if confirm::now() < pending.deadline) {
            return Ok(Self::CutOff);
        }
        let receipt = Receipt::of(&log);
        Ok(Self::Others(Others {
            busy: busy_pending(&receipt),
            by: format!("transaction {}", log.header.id),
            lock: Some(lock),
            objects: Some(objects(&log.changes)),
        }))
    }
}

impl Others {
    fn at_work(folder: &Folder, busy: Error) -> Self {
        let note = folder.open_to_read(lock::NAME).ok().flatten();
        let note =
            note.and_then(|file| folder.read(lock::NAME, &file, lock::LONGEST).ok()).unwrap_or_default();
        let changes = match Journal::look(folder) {
            Ok(Some(log)) if matches!(log.state, State::Open | State::Pending(_)) => Ok(log.changes),
            Ok(_) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let (busy, objects) = match changes {
            Ok(changes) => (busy, Some(objects(&changes))),
            Err(error) => {
                let text = format!("{}; what it changes cannot be told: {error}", busy.message());
                (Error::new(ErrorKind::Busy, text).during("lock").on("namespace"), None)
            }
        };
        Self { busy, by: String::from_utf8_lossy(&note).into_owned(), lock: None, objects }
    }

    /// Whether it leaves this to others. Rules and routes are one thing: packets go astray where some are as one
    /// transaction wants them, and some as another.
    pub(crate) fn leave(&self, change: &Change) -> bool {
        self.objects.as_ref().is_some_and(|objects| {
            let same = objects.contains(&change.object);
            !(same || change.object.is_routing() && objects.iter().any(Object::is_routing))
        })
    }
}

fn objects(changes: &[Change]) -> HashSet<Object> {
    changes.iter().map(|change| change.object.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Rule;
    use crate::state::{SysctlScope, Value};
    use crate::sysctl::Sysctl;

    #[test]
    fn what_a_transaction_changes_stays_its_own_and_routing_is_one_thing() {
        let others = |objects: Option<&[Object]>| Others {
            busy: Error::new(ErrorKind::Busy, "somebody is at it"),
            by: String::new(),
            lock: None,
            objects: objects.map(|objects| objects.iter().cloned().collect()),
        };
        let sysctl = |sysctl| Object::Sysctl { scope: SysctlScope::All, sysctl };
        let rule = |priority| Object::Rule(Box::new(Rule::lookup(priority, 100)));
        let change = |object| Change { object, before: Value::Absent, after: Value::Present };
        let leaves = |objects: Option<&[Object]>, object| others(objects).leave(&change(object));
        let values = [sysctl(Sysctl::ArpIgnore)];
        assert!(!leaves(Some(&values), sysctl(Sysctl::ArpIgnore)));
        assert!(leaves(Some(&values), sysctl(Sysctl::ArpAnnounce)) && leaves(Some(&values), rule(1)));
        assert!(!leaves(Some(&[rule(2)]), rule(1)) && leaves(Some(&[rule(2)]), sysctl(Sysctl::ArpIgnore)));
        assert!(leaves(Some(&[]), rule(1)));
        // Nobody knows what he is at.
        assert!(!leaves(None, sysctl(Sysctl::ArpIgnore)));
    }
}
