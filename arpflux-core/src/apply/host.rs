//! Transactions of a [`Host`].

use std::cell::RefCell;
use std::ops::Deref;

use super::history;
use super::owners::owners_after;
use super::receipt::{Outcome, Receipt};
use super::recover::cut_off;
use super::store::Folder;
use super::{Options, Recovered, Reopen, Transaction, confirm, pending, recover};
use crate::error::{ErrorKind, Result};
use crate::harm::Assessment;
use crate::host::Host;
use crate::kernel::{Kernel, LinuxKernel};
use crate::persist::{FileChange, Persistence};
use crate::plan::{Announcement, Plan};
use crate::snapshot::Snapshot;
use crate::stop::Stop;
use crate::wire::announce::{self, announce_planned};
use crate::wire::inject;

/// The receipt of a change that was made, and the means to keep it.
///
/// With [`super::Confirm::Within`] the change is on trial: [`Applied::confirm`] keeps it. Dropped
/// without that, it is undone at once; [`Applied::leave`] lets it wait for somebody else's confirmation.
/// With [`super::Confirm::Now`] it is kept already, and dropping it does nothing.
#[derive(Debug)]
#[must_use = "dropped without `confirm` or `leave`, a change on trial is undone"]
pub struct Applied {
    receipt: Receipt,
    host: Host,
    options: Options,
    on_trial: bool,
}

impl Deref for Applied {
    type Target = Receipt;

    fn deref(&self) -> &Receipt {
        &self.receipt
    }
}

impl Applied {
    fn new(receipt: Receipt, host: Host, mut options: Options) -> Self {
        // It outlives the call.
        options.stop = options.stop.without_signal();
        let on_trial = receipt.outcome == Outcome::Pending;
        Self { receipt, host, options, on_trial }
    }

    /// Keeps the change. If it is kept already, nothing happens.
    ///
    /// # Errors
    /// [`crate::ErrorKind::RolledBack`] if it was undone meanwhile: rolled back, or not confirmed in time.
    pub fn confirm(mut self) -> Result<Receipt> {
        if !self.on_trial {
            return Ok(self.receipt.clone());
        }
        let receipt = self.host.confirm(self.receipt.id, &self.options)?;
        self.on_trial = false;
        Ok(Receipt { assessment: self.receipt.assessment.clone(), ..receipt })
    }

    /// Takes the change back, on trial or not; what somebody else changed since is left alone.
    ///
    /// # Errors
    /// As [`Host::rollback`].
    pub fn undo(mut self) -> Result<Receipt> {
        self.on_trial = false;
        match self.receipt.id {
            Some(id) => self.host.rollback(Some(id), false, &self.options),
            None => Ok(self.receipt.clone()),
        }
    }

    /// Lets the change wait for a confirmation from elsewhere; if none comes in time, it is undone.
    pub fn leave(mut self) -> Receipt {
        self.on_trial = false;
        self.receipt.clone()
    }
}

impl Drop for Applied {
    fn drop(&mut self) {
        if self.on_trial {
            // If this fails, the process that waits for the confirmation does it at the deadline.
            let _ = self.host.rollback(self.receipt.id, false, &self.options);
        }
    }
}

fn reopen() -> Result<Box<dyn Kernel>> {
    // The process that waits was forked inside the namespace and stays there.
    Ok(Box::new(LinuxKernel::open()?))
}

/// What a plan harms, or an error if it does so and nobody accepted that.
fn assessed(now: &Snapshot, plan: &Plan, options: &Options) -> Result<Assessment> {
    if options.accept_harm {
        return Ok(Assessment::default());
    }
    let assessment = plan.assess(now)?;
    assessment.refuse()?;
    Ok(assessment)
}

impl Host {
    /// Makes `plan` so, as one transaction; see [`crate::apply`].
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use arpflux_core::apply::Confirm;
    /// use arpflux_core::{Host, Plan};
    ///
    /// # fn example(host: &Host, plan: &Plan) -> arpflux_core::Result<()> {
    /// let applied = host.apply(plan, Confirm::Within(Duration::from_secs(30)))?;
    /// // … check that it works, then:
    /// applied.confirm()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Transaction::apply`]; [`ErrorKind::Refused`] if it would do
    /// [harm](crate::harm), unless [`Options::accept_harm`]. Where that cannot be told it is made, and [`Receipt::assessment`] says so.
    pub fn apply(&self, plan: &Plan, options: impl Into<Options>) -> Result<Applied> {
        self.transact(options.into(), true, |_| Ok(plan.in_order()))
    }

    /// The same for the plan that `make_plan` gives for the present state; no other run of arpflux
    /// comes between.
    ///
    /// # Errors
    /// Those of `make_plan`, and as [`Host::apply`].
    pub fn apply_with(
        &self,
        options: impl Into<Options>,
        make_plan: impl FnOnce(&Snapshot) -> Result<Plan> + Send,
    ) -> Result<Applied> {
        self.transact(options.into(), false, make_plan)
    }

    fn transact(
        &self,
        options: Options,
        made_before: bool,
        make_plan: impl FnOnce(&Snapshot) -> Result<Plan> + Send,
    ) -> Result<Applied> {
        let left = inject::clear(self)?;
        let mut receipt = self.with_kernel(|kernel| {
            let mut assessment = Assessment::default();
            let checked = |now: &Snapshot| {
                let plan = make_plan(now)?;
                assessment = assessed(now, &plan, &options)?;
                Ok(plan)
            };
            let receipt = Transaction::new(kernel, &options)
                .reopen(Reopen::new(&reopen, &[]).announce(announce_undone))
                .announce(&mut announcer(&options.stop))
                .made_before(made_before)
                .apply_with(checked)?;
            Ok(Receipt { assessment, ..receipt })
        })?;
        receipt.notes.extend(left);
        Ok(Applied::new(receipt, self.clone(), options))
    }

    /// Makes a policy so, now and at every boot: the files of the host's managers belong to the same
    /// transaction. On trial they are written when it is confirmed.
    ///
    /// `see` is shown the plan and the files before anything is changed; an error of its own stops here.
    ///
    /// ```no_run
    /// use arpflux_core::apply::Confirm;
    /// use arpflux_core::persist::{Layout, Persistence};
    /// use arpflux_core::{Host, Policy};
    ///
    /// # fn example(host: &Host) -> arpflux_core::Result<()> {
    /// let policy = Policy::from_path("policy.toml")?;
    /// let persistence = Persistence::detect(policy, Layout::default());
    /// host.apply_and_persist(&persistence, Confirm::Now, |plan, files| {
    ///     println!("{plan}and {} files", files.len());
    ///     Ok(())
    /// })?
    /// .leave();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Persistence::plan`], [`Persistence::files`] and [`Host::apply`].
    pub fn apply_and_persist(
        &self,
        persistence: &Persistence,
        options: impl Into<Options>,
        see: impl FnOnce(&Plan, &[FileChange]) -> Result<()> + Send,
    ) -> Result<Applied> {
        let options = options.into();
        let left = inject::clear(self)?;
        let receipt = self.with_kernel(|kernel| {
            let files = RefCell::new(Vec::new());
            let mut assessment = Assessment::default();
            let mut persist = |_: &Snapshot, _: &Plan| Ok(files.take());
            let make_plan = |now: &Snapshot| {
                let plan = persistence.plan(now)?;
                let wanted = persistence.files(now)?;
                see(&plan, &wanted)?;
                files.replace(wanted);
                assessment = assessed(now, &plan, &options)?;
                Ok(plan)
            };
            let mut receipt = Transaction::new(kernel, &options)
                .reopen(Reopen::new(&reopen, &[]).announce(announce_undone))
                .announce(&mut announcer(&options.stop))
                .persist(&mut persist)
                .apply_with(make_plan)?;
            receipt.notes.extend(left);
            receipt.notes.extend(persistence.notes(&receipt.files));
            receipt.assessment = assessment;
            Ok(receipt)
        })?;
        Ok(Applied::new(receipt, self.clone(), options))
    }

    /// Takes a transaction back: the one of number `id`, or the last that a person made and that stands. With
    /// `force` also what somebody else changed since.
    ///
    /// # Errors
    /// As [`Transaction::rollback`].
    pub fn rollback(&self, id: Option<u64>, force: bool, options: &Options) -> Result<Receipt> {
        // Taking back is no change on trial.
        let options = Options { confirm: super::Confirm::Now, ..options.clone() };
        self.with_kernel(|kernel| {
            Transaction::new(kernel, &options).announce(&mut announcer(&options.stop)).rollback(id, force)
        })
    }

    /// Takes back, one after the other, everything that persons made and that stands, the newest first: the
    /// state is as before the first of them, but for what others and containers' scripts changed. Gives the
    /// receipts of what was done.
    ///
    /// # Errors
    /// As [`Transaction::rollback`]; what was taken back before stays so.
    pub fn rollback_all(&self, force: bool, options: &Options) -> Result<Vec<Receipt>> {
        let mut receipts = Vec::new();
        if self.pending(options)?.is_some() {
            receipts.push(self.rollback(None, force, options)?);
        }
        let standing = self.with_kernel(|kernel| {
            let netns = kernel.identity()?;
            history::standing(&Folder::state(options.state_dir.as_deref())?.namespace(&netns)?, &netns)
        })?;
        for id in standing {
            receipts.push(self.rollback(Some(id), force, options)?);
        }
        let options = Options { confirm: super::Confirm::Now, ..options.clone() };
        receipts.extend(self.with_kernel(|kernel| {
            Transaction::new(kernel, &options).announce(&mut announcer(&options.stop)).rollback_rest(force)
        })?);
        Ok(receipts)
    }

    /// Keeps the transaction that waits for confirmation; see [`confirm`](super::confirm()).
    ///
    /// # Errors
    /// As [`confirm`](super::confirm()).
    pub fn confirm(&self, id: Option<u64>, options: &Options) -> Result<Receipt> {
        self.with_kernel(|kernel| confirm(kernel, options, id))
    }

    /// Undoes a change that was cut off, and removes what a killed verification by frames left, before somebody looks:
    /// one sentence for each. Without the right to, the change is left, and [`Host::overdue`] tells of it.
    ///
    /// # Errors
    /// As [`Host::recover`].
    pub fn clear(&self, options: &Options) -> Result<Vec<String>> {
        let may_undo = self.with_kernel(|kernel| match cut_off(kernel, options) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(false),
            found => Ok(found?.is_some() && kernel.may_change().is_ok()),
        })?;
        if !may_undo {
            return Ok(inject::clear(self)?.into_iter().collect());
        }
        let recovered = self.recover(false, options)?;
        let undone = recovered.undone.and_then(|receipt| receipt.id);
        let undone = undone.map(|id| format!("transaction {id} was cut off, and is undone"));
        Ok(undone.into_iter().chain(recovered.notes).collect())
    }

    /// Says that a change on trial was not undone in time, or that one was cut off, and that it is still in force, if so;
    /// or that the state may not be read that would tell: for verbs that look at what it left.
    ///
    /// # Errors
    /// As [`Host::pending`], but for [`ErrorKind::PermissionDenied`].
    pub fn overdue(&self, options: &Options) -> Result<Option<String>> {
        let pending = match self.pending(options) {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                return Ok(Some(format!("whether a change on trial is overdue cannot be told: {error}")));
            }
            pending => pending?,
        };
        if let Some(id) = self.with_kernel(|kernel| cut_off(kernel, options))? {
            return Ok(Some(format!(
                "transaction {id} was cut off, and what it made is still in force; `arpflux recover` undoes it"
            )));
        }
        let overdue = pending.filter(Receipt::is_overdue);
        Ok(overdue.map(|receipt| {
            let id = receipt.id.unwrap_or_default();
            format!(
                "transaction {id} was to be undone, as nobody confirmed it in time, and still is in force: the process \
                 that waited for it is gone; `arpflux recover` undoes it"
            )
        }))
    }

    /// The transaction that waits for confirmation, with the time it has left.
    ///
    /// # Errors
    /// Any failure to read the state.
    pub fn pending(&self, options: &Options) -> Result<Option<Receipt>> {
        self.with_kernel(|kernel| pending(kernel, options))
    }

    /// Undoes what a crash left half done, and removes what a killed verification by frames left; see
    /// [`recover`](super::recover()).
    ///
    /// # Errors
    /// As [`recover`](super::recover()).
    pub fn recover(&self, discard: bool, options: &Options) -> Result<Recovered> {
        let mut recovered = self.with_kernel(|kernel| {
            let mut recovered = recover(kernel, options, discard)?;
            if let Some((snapshot, owners)) =
                recovered.undone.as_ref().and_then(|undone| owners_after(kernel, undone))
                && let Err(error) = announcer(&options.stop)(&snapshot, &owners)
            {
                recovered
                    .notes
                    .push(format!("peers were not told, and may use a wrong MAC for a while: {error}"));
            }
            Ok(recovered)
        })?;
        recovered.notes.extend(inject::clear(self)?);
        Ok(recovered)
    }

    /// The transactions that are remembered, the oldest first.
    ///
    /// # Errors
    /// Any failure to read the state.
    pub fn receipts(&self, options: &Options) -> Result<Vec<Receipt>> {
        self.with_kernel(|kernel| {
            let netns = kernel.identity()?;
            let folder = Folder::look(options.state_dir.as_deref(), &netns)?;
            folder.map_or(Ok(Vec::new()), |folder| history::all(&folder, &netns))
        })
    }
}

/// In the process that undoes what nobody confirmed.
fn announce_undone(snapshot: &Snapshot, announcements: &[Announcement]) -> Result<usize> {
    announcer(&Stop::default())(snapshot, announcements)
}

fn announcer(stop: &Stop) -> impl FnMut(&Snapshot, &[Announcement]) -> Result<usize> {
    let stop = stop.clone();
    move |snapshot, announcements| {
        announce_planned(snapshot, announcements, &announce::Options::default(), &stop)
    }
}
