//! The look at everything, and repairs as transactions.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::contender::Suspects;
use super::drift::{Cause, Drift, Outcome};
use super::fight::Word;
use super::others::May;
use super::parts::{Made, PARTS};
use super::peers::once;
use super::seen::{self, Seen};
use super::trouble::Kind;
use super::watcher::{Watcher, cpu_time};
use crate::apply::{self, Transaction};
use crate::error::{Error, ErrorKind, Result};
use crate::harm;
use crate::kernel::Kernel as _;
use crate::kernel::netlink::Changed;
use crate::plan::Plan;
use crate::snapshot::{Near, Snapshot};
use crate::state::{Change, Object};
use crate::wire::announce;

/// So often in a row the host may have changed before a repair is tried in parts,
const TRIES: u32 = 3;
/// and so often in all before what cannot be made of it counts as failed.
const TRIES_IN_ALL: u32 = 10;

impl Watcher {
    /// Plans on a new snapshot, and makes the plan. What counts as rest is an empty plan: after a repair there is
    /// another look, so that nothing is lost that drifted meanwhile. Since `rest`, nothing but rules and routes changed.
    pub(super) fn look(
        &mut self,
        cause: Cause,
        rest: Option<&Snapshot>,
        woken: Instant,
        drifts: &mut Vec<Drift>,
    ) -> Result<()> {
        if self.fights.is_calm(woken) {
            self.writers.forget();
        }
        self.published.read(&self.kernel.identity()?, &self.options.apply);
        let near = self.near();
        self.kernel.only_near(near.clone());
        let snapshot = match rest {
            Some(rest) => self.kernel.snapshot_after(rest)?,
            None => self.whole_snapshot(&near)?,
        };
        self.options.apply.stop.check()?;
        let planned = self.published.plan(&self.policy, &snapshot);
        let (plan, unmet) = match planned {
            Ok((plan, mut desired)) => {
                let unmet = std::mem::take(&mut desired.unmet);
                self.kept |= plan.is_empty();
                self.wanted_on = self.seen.names();
                self.desired = Some(desired);
                (plan, unmet)
            }
            // What was wanted before goes on being kept.
            Err(error) => (self.plan_as_before(&snapshot), vec![error]),
        };
        let unmet = unmet.into_iter().map(|error| (Outcome::Impossible { error }, Vec::new()));
        self.trouble(Kind::Unmet, cause, unmet.collect(), woken, drifts);
        self.seen.near(&self.near(), &snapshot);
        self.left = !plan.is_empty();
        if self.options.heal {
            let healed = self.heal(cause, &snapshot, &plan, woken, drifts)?;
            self.tell_of_moved(&snapshot, if healed { &plan.announcements } else { &[] });
            if healed {
                // What it has come to is for the look that follows.
                self.judge.owe();
                // Until the next look nothing is known of the state: it comes at once. Fights bound how often.
                self.repaired = true;
                return Ok(());
            }
        } else {
            let all = match plan.is_empty() {
                true => Vec::new(),
                false => vec![(Outcome::Reported, plan.changes.clone())],
            };
            self.trouble(Kind::Reported, cause, all, woken, drifts);
        }
        self.options.apply.stop.check()?;
        // What is left to put right is told by itself: what is judged are the answers after that.
        let after = Arc::new(if plan.is_empty() { snapshot } else { snapshot.with(&plan.changes) });
        if plan.is_empty() {
            self.at_rest = Some(Arc::clone(&after));
            self.changed = Changed::Nothing;
        }
        self.judge.begin(&self.policy, &self.published, after, woken);
        Ok(())
    }

    /// A whole snapshot, and what later news is compared with.
    fn whole_snapshot(&mut self, near: &Near) -> Result<Snapshot> {
        // Before the snapshot that it stands for: what happens in between is seen as a change.
        self.digests.proxies = self.kernel.proxies_digest()?;
        // What these tell of is in the snapshot.
        self.sysctls.read()?;
        let mut news = Changed::Nothing;
        let mut hear = || news = news.max(self.events.changed_but_for(|route| self.seen.matters(route)));
        let snapshot = self.kernel.snapshot_since(&mut hear)?;
        self.links |= news == Changed::Links;
        self.digests.interfaces = self.kernel.interfaces_digest_of_snapshot();
        self.seen = Seen::of(&snapshot, near);
        self.follow_sysctls()?;
        Ok(snapshot)
    }

    fn near(&self) -> Near {
        seen::near(&self.policy, &self.published.registry, self.desired.as_ref())
    }

    /// What it takes to keep what was wanted when that could be told last, of the interfaces that are still there.
    fn plan_as_before(&self, snapshot: &Snapshot) -> Plan {
        let is_there = |index| snapshot.interface(index).map(|now| &now.name) == self.wanted_on.get(&index);
        let changes = self.desired.as_ref().map(|desired| desired.still(&self.policy, snapshot, is_there));
        // Where that cannot be told either, single values and entries are looked up all the same.
        let changes = changes.and_then(Result::ok).unwrap_or_default();
        Plan { netns: snapshot.netns.clone(), changes, ..Plan::default() }
    }

    /// Makes as much of the plan as can be made now, and tells what became of it; whether anything was made.
    fn heal(
        &mut self,
        cause: Cause,
        now: &Snapshot,
        plan: &Plan,
        woken: Instant,
        drifts: &mut Vec<Drift>,
    ) -> Result<bool> {
        self.fights.wanted_now(&plan.changes);
        if plan.is_empty() {
            self.tries = 0;
            self.trouble(Kind::Failed, cause, Vec::new(), woken, drifts);
            if self.in_the_way.is_none() {
                self.trouble(Kind::Waiting, cause, Vec::new(), woken, drifts);
            }
            return Ok(false);
        }
        let (ready, held) = self.fights.split(plan.changes.clone(), woken);
        // What failed and is not tried now is not over because something else is put right.
        let still =
            self.troubles.about(Kind::Failed, |change| held.iter().any(|held| held.object == change.object));
        self.hold(held);
        if ready.is_empty() {
            return Ok(false);
        }
        let ready: HashSet<&Change> = ready.iter().collect();
        let mut plan = plan.filter(|change| ready.contains(change));
        // The lock is let go: a transaction takes it. If the folder cannot be used, it finds that out.
        let others = match self.may_change(&plan.changes, cause, woken, drifts) {
            Ok(May::Nothing) => return Ok(false),
            Ok(May::Beside(others)) => Some(others),
            Ok(May::All { .. } | May::Settle) | Err(_) => None,
        };
        if let Some(others) = &others {
            plan = plan.filter(|change| others.leave(change));
            if plan.is_empty() {
                return Ok(false);
            }
        } else {
            self.trouble(Kind::Waiting, cause, Vec::new(), woken, drifts);
        }
        let begun = cpu_time();
        let mut made = Made { beside: others.is_some(), ..Made::default() };
        let mut whole_raced = false;
        match self.make(now, &plan, &mut made) {
            Ok(()) => {}
            // Where the host changes still, a new plan is what helps.
            Err(error) if raced(&error) && self.tries < if made.outdated { TRIES_IN_ALL } else { TRIES } => {
                self.try_again(cause);
                return Ok(false);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(false),
            Err(error) => {
                // A part may do harm where the whole does none.
                whole_raced = raced(&error);
                made.in_parts = true;
                self.make_parts(now, &plan, error, Instant::now() + PARTS, &mut made);
            }
        }
        let in_vain = |error: &Error| raced(error) || whole_raced && error.kind() == ErrorKind::Refused;
        let may_again = self.tries < TRIES_IN_ALL;
        // While some of it comes right each time, the rest has its turn.
        let stuck = made.healed.is_empty();
        if stuck && !may_again {
            made.failed.append(&mut made.untried);
        }
        let again = |(error, _): &mut (Error, _)| in_vain(error) && may_again;
        if made.failed.extract_if(.., again).count() > 0 || stuck && !made.untried.is_empty() {
            self.try_again(cause);
        } else if made.untried.is_empty() {
            self.tries = 0;
        }
        let cost = cpu_time().saturating_sub(begun);
        let any = !made.healed.is_empty();
        if any {
            match made.healed.iter().all(|change| change.object.is_routing()) {
                true => self.pend(Cause::Event),
                false => self.look_soon(Cause::Event),
            }
            self.tell_healed(cause, made.healed, cost, woken, drifts);
        }
        let unrecorded = made.unrecorded.map(|error| (Outcome::Unrecorded { error }, Vec::new()));
        self.trouble(Kind::Unrecorded, cause, unrecorded.into_iter().collect(), woken, drifts);
        for (error, changes) in &made.failed {
            let raced = in_vain(error);
            changes.iter().for_each(|change| self.fights.failed(&change.object, raced, woken));
            self.hold(changes.clone());
        }
        self.status.failed += made.failed.len() as u64;
        let failed = made.failed.into_iter().map(|(error, changes)| (Outcome::Failed { error }, changes));
        self.trouble(Kind::Failed, cause, failed.chain(still).collect(), woken, drifts);
        Ok(any)
    }

    /// Looks again at once, whatever looks have cost: what is not as the policy says is known. [`TRIES_IN_ALL`] bounds how often.
    fn try_again(&mut self, cause: Cause) {
        self.tries += 1;
        self.repaired = true;
        self.look_soon(cause);
    }

    /// Makes a plan as one transaction.
    pub(super) fn make(&mut self, now: &Snapshot, plan: &Plan, made: &mut Made) -> Result<()> {
        // Back to what it was when all was as the policy says: it was asked then what that does to others.
        let after = self.at_rest.as_ref().map(|rest| (rest, now.with(&plan.changes)));
        let leads_back = after.is_some_and(|(rest, after)| seen::are_same(rest, &after));
        if !self.options.apply.accept_harm && !leads_back {
            // Of a state that has passed nothing has to be told, which takes long.
            if !made.in_parts && self.tries < TRIES_IN_ALL && self.look_for_news() != Changed::Nothing {
                made.outdated = true;
                return Err(Error::new(ErrorKind::Changed, "the host has changed since it was looked at"));
            }
            // Of what was kept, single values and entries are put back here as by a look-up.
            let single = plan.changes.iter().filter(|change| self.kept && !change.object.is_routing());
            let single: Vec<Change> = single.cloned().collect();
            let put_back = (!single.is_empty()).then(|| now.with(&single));
            harm::refuse(put_back.as_ref().unwrap_or(now), plan)?;
        }
        if made.beside {
            return self.make_unrecorded(plan, made);
        }
        let recorded = match apply::state_folder(&mut self.kernel, &self.options.apply) {
            Ok(folder) => self.transaction(now, plan, made).map_err(|error| {
                let unusable = error.kind() != ErrorKind::PartlyApplied
                    && error.path().is_some_and(|path| path.starts_with(folder));
                (unusable, error)
            }),
            Err(error) => Err((true, error)),
        };
        match recorded {
            Ok(()) => {
                made.healed.extend(plan.changes.iter().cloned());
                Ok(())
            }
            // Before anything was changed: the state folder cannot be used, is full or gone.
            Err((true, error)) => {
                made.unrecorded = Some(error);
                self.make_unrecorded(plan, made)
            }
            Err((false, error)) => Err(error),
        }
    }

    /// Makes a plan without a record. Each change is one step, and the next look goes on where this one was cut off.
    fn make_unrecorded(&mut self, plan: &Plan, made: &mut Made) -> Result<()> {
        match self.kernel.make(&plan.changes) {
            Ok(()) => {
                self.tell_peers(plan.announcements.clone());
                made.healed.extend(plan.changes.iter().cloned());
            }
            Err(failed) => {
                let some = failed.made(&plan.changes);
                if some.is_empty() {
                    return Err(failed.error);
                }
                made.healed.extend(some);
            }
        }
        Ok(())
    }

    fn transaction(&mut self, now: &Snapshot, plan: &Plan, made: &mut Made) -> Result<()> {
        // Reading it once more would only take time, in which more drifts, where the kernel says that nothing changed since.
        let news = self.look_for_news();
        made.outdated |= news != Changed::Nothing;
        let read;
        let known = match news {
            Changed::Nothing => Some(now),
            Changed::Routes | Changed::Rules => {
                read = self.kernel.snapshot_after(now)?;
                Some(&read)
            }
            Changed::More | Changed::Links => None,
        };
        let options = apply::Options {
            confirm: apply::Confirm::Now,
            by: apply::Maker::Watch,
            ..self.options.apply.clone()
        };
        let once = once();
        let mut announce = announce::announcer(self.host.namespace(), &once, &options.stop);
        let (netns, published) = (self.kernel.identity()?, &self.published);
        Transaction::new(&mut self.kernel, &options)
            .known(known)
            .announce(&mut announce)
            .apply_with(|_| {
                if published.is_outdated(&netns, &options) {
                    return Err(Error::new(ErrorKind::Changed, "something was published or withdrawn"));
                }
                Ok(plan.clone())
            })
            .map(drop)
    }

    /// Tells what was put right, in one line for many where it comes again and again.
    pub(super) fn tell_healed(
        &mut self,
        cause: Cause,
        changes: Vec<Change>,
        cost: Duration,
        woken: Instant,
        drifts: &mut Vec<Drift>,
    ) {
        let now = Instant::now();
        self.writers.note();
        // What was put right was not as the policy says: well it is from now on, if it is.
        self.status.ok_since_ms = None;
        let each = cost / u32::try_from(changes.len()).unwrap_or(u32::MAX).max(1);
        let (mut once, mut contested) = (Vec::new(), Vec::new());
        for change in changes {
            *self.status.healed.entry(change.object.kind().to_owned()).or_default() += 1;
            // What one repair costs, be it of one thing or of many.
            let cost = if matches!(change.object, Object::Sysctl { .. } | Object::Proxy { .. }) {
                each
            } else {
                cost
            };
            match self.fights.healed(&change.object, cost, now) {
                Word::Healed => {
                    if self.fights.comes_again(&change.object) {
                        self.writers.follow(&change.object);
                    }
                    once.push(change);
                }
                Word::Contested { times, within } => contested.push((change, times, within)),
                Word::Nothing => {}
            }
        }
        if !once.is_empty() {
            drifts.push(self.drift(cause, once, Outcome::Healed, woken));
        }
        let mut suspects = Suspects::default();
        // Rules that go together are told together.
        let mut told: Vec<(u64, Option<String>, Duration, Vec<Change>)> = Vec::new();
        for (change, times, within) in contested {
            let by = self.contender(&change, &mut suspects);
            match told.iter_mut().find(|known| known.0 == times && known.1 == by) {
                Some((_, _, longest, changes)) => {
                    *longest = within.max(*longest);
                    changes.push(change);
                }
                None => told.push((times, by, within, vec![change])),
            }
        }
        for (times, by, within, changes) in told {
            let within_ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
            let drift = self.drift(cause, changes, Outcome::Contested { by }, woken);
            drifts.push(Drift { times, within_ms, ..drift });
        }
    }
}

/// In vain as somebody was faster, or so for all that can be told.
fn raced(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Changed | ErrorKind::RolledBack | ErrorKind::Busy)
}
