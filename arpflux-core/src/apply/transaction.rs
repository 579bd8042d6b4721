//! The spine of a transaction, from the lock to the receipt.

use super::check::{check_made, check_plan, identities};
use super::history;
use super::journal::{self, Applied, Header, Journal, Pending, State};
use super::lock::{self, Lock};
use super::owners::owners_after;
use super::receipt::{Conflict, Maker, Receipt};
use super::recover::{TakenBack, busy_pending, settle, take_back};
use super::store::Folder;
use super::watcher::{Reopen, Watcher};
use super::{Confirm, Options, confirm, files, keep, stale};
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::Kernel;
use crate::persist::FileChange;
use crate::plan::{Announcement, Change, InterfaceIdentity, Plan};
use crate::snapshot::{NetnsIdentity, Snapshot};
use crate::words::{counted, listed};

/// How many changes are made between two records of progress: so many a killed run is late at most.
const BATCH: usize = 512;

/// Sends announcements, given the state before the changes; gives the number of frames sent.
pub type Announce<'a> = dyn FnMut(&Snapshot, &[Announcement]) -> Result<usize> + 'a;

/// Says which files go with a plan, given the state before the changes.
pub type Persist<'a> = dyn FnMut(&Snapshot, &Plan) -> Result<Vec<FileChange>> + 'a;

/// A kernel and how to change it. [`Transaction::apply`] runs one transaction.
pub struct Transaction<'a> {
    pub(super) kernel: &'a mut dyn Kernel,
    pub(super) options: &'a Options,
    announce: Option<&'a mut Announce<'a>>,
    persist: Option<&'a mut Persist<'a>>,
    reopen: Option<Reopen<'a>>,
    known: Option<&'a Snapshot>,
    made_before: bool,
}

impl std::fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transaction").field("options", self.options).finish_non_exhaustive()
    }
}

/// What is about to be carried out.
pub(super) struct Work {
    pub(super) changes: Vec<Change>,
    pub(super) files: Vec<FileChange>,
    pub(super) interfaces: Vec<InterfaceIdentity>,
    pub(super) rollback_of: Option<u64>,
    pub(super) conflicts: Vec<Conflict>,
    pub(super) notes: Vec<String>,
    /// What is told before the time of a trial begins.
    pub(super) announcements: Vec<Announcement>,
    pub(super) announced: bool,
}

impl<'a> Transaction<'a> {
    /// Changes to `kernel`, as `options` say.
    pub fn new(kernel: &'a mut dyn Kernel, options: &'a Options) -> Self {
        Self { kernel, options, announce: None, persist: None, reopen: None, known: None, made_before: false }
    }

    /// Sends a plan's announcements by `announce`; without it they are not sent, which the receipt notes.
    #[must_use]
    pub fn announce(mut self, announce: &'a mut Announce<'a>) -> Self {
        self.announce = Some(announce);
        self
    }

    /// Changes the files that `persist` names in the same transaction; on trial, when it is confirmed. Only files that
    /// arpflux writes, with nothing but permissions in their modes: others are refused.
    #[must_use]
    pub fn persist(mut self, persist: &'a mut Persist<'a>) -> Self {
        self.persist = Some(persist);
        self
    }

    /// Lets the process that waits for the confirmation open the kernel for itself.
    /// [`Confirm::Within`] needs it.
    #[must_use]
    pub fn reopen(mut self, reopen: Reopen<'a>) -> Self {
        self.reopen = Some(reopen);
        self
    }

    /// Takes the state for this, which has just been read, instead of reading it again.
    #[must_use]
    pub(crate) fn known(mut self, snapshot: Option<&'a Snapshot>) -> Self {
        self.known = snapshot;
        self
    }

    /// Says whether the plan was made before: such a one may know nothing of what was published since.
    pub(super) fn made_before(mut self, made_before: bool) -> Self {
        self.made_before = made_before;
        self
    }

    /// Makes `plan` so, in the order that it has. An empty plan changes nothing and says so.
    ///
    /// # Errors
    /// [`ErrorKind::Changed`] if an interface or a value is no longer what the plan saw, or another network
    /// namespace, or if it takes away what an address stands on that was published for a container since; [`ErrorKind::Refused`] if the plan announces an address that nobody answers for afterwards;
    /// [`ErrorKind::RolledBack`] if a step failed and all was undone; [`ErrorKind::PartlyApplied`] if not
    /// all could be undone; [`ErrorKind::Busy`] if another writer, or a transaction that waits for its
    /// confirmation, is in the way. If nothing had been changed yet, the failure as it came.
    pub fn apply(self, plan: &Plan) -> Result<Receipt> {
        self.made_before(true).apply_with(|_| Ok(plan.clone()))
    }

    /// Makes the plan that `make_plan` gives for the present state; no other run of arpflux comes between.
    ///
    /// # Errors
    /// Those of `make_plan`, and as [`Transaction::apply`].
    pub fn apply_with(mut self, make_plan: impl FnOnce(&Snapshot) -> Result<Plan>) -> Result<Receipt> {
        self.options.check()?;
        let (netns, folder, lock) = self.enter()?;
        let settled = settle(self.kernel, &folder, &netns, confirm::now())?;
        if let Some(waiting) = &settled.pending {
            return Err(busy_pending(waiting));
        }
        let mut notes = settled.notes;
        let undone = settled.undone;
        if let Some(receipt) = &undone {
            let (id, why) = (receipt.id.unwrap_or_default(), receipt.reason.as_deref().unwrap_or_default());
            notes.insert(0, format!("transaction {id} was undone first: {why}"));
        }
        let read;
        self.known = self.known.filter(|_| undone.is_none());
        let snapshot = match self.known {
            Some(known) => known,
            None => {
                read = self.kernel.snapshot()?;
                &read
            }
        };
        let plan = make_plan(snapshot)?;
        check_plan(&plan, snapshot, &netns)?;
        let files = match &mut self.persist {
            Some(persist) => persist(snapshot, &plan)?,
            None => Vec::new(),
        };
        files::check(&files)?;
        if self.made_before {
            keep::check(&plan.changes, snapshot, &keep::registry(&folder, &files)?)?;
        }
        let on_trial = matches!(self.options.confirm, Confirm::Within(_));
        let mut receipt = if plan.is_empty() && files.is_empty() {
            if on_trial {
                history::nothing_tried(&folder, true);
                notes.push(
                    "nothing was changed, so nothing is on trial, and there is nothing to take back".into(),
                );
            }
            Receipt { by: self.options.by, ..Receipt::unchanged(notes) }
        } else {
            let interfaces = identities(&plan.changes, &plan.interfaces, snapshot);
            let work = Work {
                changes: plan.changes,
                files,
                interfaces,
                rollback_of: None,
                conflicts: Vec::new(),
                notes,
                announcements: if on_trial { plan.announcements.clone() } else { Vec::new() },
                announced: !plan.announcements.is_empty(),
            };
            self.execute(&folder, &netns, work)?
        };
        // Telling the peers takes a second or more, in which others may write.
        drop(lock);
        if !on_trial || receipt.is_unchanged() {
            receipt.notes.extend(self.tell(snapshot, &plan.announcements));
        }
        if let Some(undone) = undone {
            receipt.notes.extend(self.tell_again(&undone));
        }
        Ok(receipt)
    }

    /// Tells the peers; what came of it, if there is anything to tell. `known` is from before or after the change.
    fn tell(&mut self, known: &Snapshot, announcements: &[Announcement]) -> Option<String> {
        if announcements.is_empty() {
            return None;
        }
        let told = match &mut self.announce {
            Some(announce) => announce(known, announcements),
            None => Err(Error::new(ErrorKind::Unsupported, "the caller sends no announcements")),
        };
        // Peers learn the truth by themselves a little later: no reason to undo everything.
        Some(match told {
            Ok(sent) => format!("peers were told: {sent} frames"),
            Err(error) => format!("peers were not told, and may use a wrong MAC for a while: {error}"),
        })
    }

    /// Tells the peers who owns the addresses of a transaction after it was taken back, if they were told of it.
    pub(super) fn tell_again(&mut self, undone: &Receipt) -> Option<String> {
        let (snapshot, owners) = owners_after(self.kernel, undone)?;
        self.tell(&snapshot, &owners)
    }

    pub(super) fn enter(&mut self) -> Result<(NetnsIdentity, Folder, Lock)> {
        self.kernel.may_change()?;
        let netns = self.kernel.identity()?;
        let state = Folder::state(self.options.state_dir.as_deref())?;
        let folder = state.namespace(&netns)?;
        let lock = Lock::take(&folder, self.options.lock_wait, &self.options.stop)?;
        if folder.inode(history::HISTORY).is_none() {
            // Where namespaces come, others go. Nothing depends on it.
            let _ = stale::tidy(&state, &netns, stale::MANY);
        }
        Ok((netns, folder, lock))
    }

    pub(super) fn execute(&mut self, folder: &Folder, netns: &NetnsIdentity, work: Work) -> Result<Receipt> {
        let header = Header {
            id: history::next_id(folder)?,
            rollback_of: work.rollback_of,
            by: self.options.by,
            netns: netns.clone(),
            interfaces: work.interfaces,
            pid: std::process::id(),
            command: lock::command(),
            announced: work.announced,
            started: lock::unix_seconds(),
            conflicts: work.conflicts,
        };
        let mut journal = Journal::begin(folder, header, work.changes, work.files)?;
        if self.options.by == Maker::Person {
            history::nothing_tried(folder, false);
        }
        let mut watcher = match self.watch(folder, netns) {
            Ok(watcher) => watcher,
            Err(error) => {
                let _ = folder.remove(journal::NAME);
                return Err(error);
            }
        };
        let mut made = 0;
        let carried_out = self.carry_out(folder, &mut journal, work.notes, &work.announcements, &mut made);
        match carried_out {
            Ok(()) => {
                event!(
                    INFO,
                    id = journal.log.header.id,
                    changes = made,
                    files = journal.log.files.len(),
                    takes_back = journal.log.header.rollback_of,
                    "applied"
                );
                match (&journal.log.state, &mut watcher) {
                    (State::Pending(pending), Some(watcher)) => watcher.arm(pending.deadline),
                    // It stands; if it is not filed now, the next run files it.
                    _ => drop(history::file(folder, &journal.log.header)),
                }
                Ok(Receipt::of(&journal.log))
            }
            // The journal may say that it stands, and cannot be corrected. Undoing now could end in between.
            Err(cause) if journal.doubtful => Err(Error::new(
                ErrorKind::PartlyApplied,
                format!("everything was made, but the journal cannot be written: {cause}"),
            )
            .during("apply")
            .on(folder.path_of(journal::NAME))
            .hint("make room for it, then run `arpflux recover`, which keeps or undoes it")),
            Err(cause) => {
                let error = self.give_up(folder, &mut journal, cause, made);
                event!(WARN, id = journal.log.header.id, made, %error, "not applied");
                Err(error)
            }
        }
    }

    fn watch(&mut self, folder: &Folder, netns: &NetnsIdentity) -> Result<Option<Watcher>> {
        match (self.options.confirm, &self.reopen) {
            (Confirm::Now, _) => Ok(None),
            (Confirm::Within(_), Some(reopen)) => Watcher::start(folder, netns, reopen).map(Some),
            (Confirm::Within(_), None) => {
                Err(Error::new(ErrorKind::Unsupported, "this kernel cannot be opened by a second process")
                    .during("wait for confirmation"))
            }
        }
    }

    /// Makes the changes, checks them, and says so in the journal.
    fn carry_out(
        &mut self,
        folder: &Folder,
        journal: &mut Journal,
        mut notes: Vec<String>,
        announcements: &[Announcement],
        made: &mut usize,
    ) -> Result<()> {
        let count = journal.log.changes.len();
        while *made < count {
            self.options.stop.check().map_err(|error| error.during("apply"))?;
            let end = count.min(*made + BATCH);
            journal.reach(folder, end)?;
            if let Err(failed) = self.kernel.make(&journal.log.changes[*made..end]) {
                *made += failed.at;
                return Err(failed.error);
            }
            *made = end;
            event!(DEBUG, id = journal.log.header.id, made = end, of = count, "changes made");
        }
        let snapshot = match self.known {
            // Who knows the state hears of what else changes.
            Some(known) if journal.log.changes.iter().all(|change| change.object.is_routing()) => {
                self.kernel.snapshot_after(known)?
            }
            _ => self.kernel.snapshot()?,
        };
        let verified = check_made(&journal.log.changes, &journal.log.header.interfaces, &snapshot)?;
        let state = match self.options.confirm {
            Confirm::Now => {
                files::make(&journal.log.files)?;
                State::Applied(Applied { verified: verified + journal.log.files.len(), notes })
            }
            Confirm::Within(time) => {
                // Telling takes time that is not the administrator's; after it comes a last look.
                if let Some(told) = self.tell(&snapshot, announcements) {
                    notes.push(told);
                    let snapshot = self.kernel.snapshot()?;
                    check_made(&journal.log.changes, &journal.log.header.interfaces, &snapshot)?;
                }
                let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                State::Pending(Pending { deadline: confirm::now().saturating_add(time), verified, notes })
            }
        };
        journal.set(folder, state)
    }

    /// Undoes a transaction that failed; the error to report.
    fn give_up(&mut self, folder: &Folder, journal: &mut Journal, cause: Error, made: usize) -> Error {
        let reason = format!("it failed: {cause}");
        match take_back(self.kernel, folder, journal, &reason, made) {
            Err(left) => left,
            // Nothing had been done: the failure speaks for itself, and is nothing to remember.
            Ok(TakenBack { undone: 0, notes, receipt }) if notes.is_empty() => {
                history::forget(folder, &receipt);
                cause
            }
            Ok(TakenBack { undone, notes, receipt }) => {
                // Only on trial they may have been told of it already.
                if matches!(self.options.confirm, Confirm::Within(_)) {
                    let _ = self.tell_again(&receipt);
                }
                let what = counted(undone, "change was", "changes were");
                let error = Error::new(ErrorKind::RolledBack, format!("{cause}; {what} undone"));
                if notes.is_empty() { error } else { error.hint(listed(&notes)) }
            }
        }
    }
}
