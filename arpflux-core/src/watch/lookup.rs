//! Single values and entries, put right without looking at anything else.

use std::time::Instant;

use super::drift::{Cause, Drift, Outcome};
use super::others::May;
use super::sysctls::{Folder, SysctlEvent};
use super::trouble::Kind;
use super::watcher::{Watcher, cpu_time};
use crate::error::Result;
use crate::kernel::Kernel as _;
use crate::snapshot::Snapshot;
use crate::state::{Change, Object, State, SysctlScope, between};
use crate::sysctl::Sysctl;

/// More entries than this are put right by a transaction.
const FEW: usize = 64;

impl Watcher {
    /// A sysctl that was written is put right at once if the policy names its value. Everything else about it waits
    /// for a look.
    pub(super) fn read_sysctl_events(&mut self, woken: Instant, drifts: &mut Vec<Drift>) -> Result<()> {
        let mut wrong = self.held_until_now(woken);
        for event in self.sysctls.read()? {
            match event {
                SysctlEvent::Lost => self.look_soon(Cause::Lost),
                SysctlEvent::Written(folder, sysctl) => match self.deviation(folder, sysctl) {
                    Some(change) if wrong.iter().any(|known| known.object == change.object) => {}
                    Some(change) => wrong.push(change),
                    None if self.is_news(folder, sysctl) => self.look_soon(Cause::Sysctl),
                    None => {}
                },
            }
        }
        if !self.put_right(Cause::Sysctl, wrong, woken, drifts)? {
            self.look_at_all_next();
        }
        Ok(())
    }

    /// What had to wait and need no longer: sysctls as they are by now; all else is for a look.
    fn held_until_now(&mut self, woken: Instant) -> Vec<Change> {
        let fights = &self.fights;
        let due = |change: &mut Change| fights.may_heal(&change.object, woken);
        let mut wrong = Vec::new();
        for held in self.held.extract_if(.., due).collect::<Vec<_>>() {
            match &held.object {
                Object::Sysctl { scope: SysctlScope::Interface { index, name }, sysctl } => {
                    let folder = Folder::Interface { index: *index, name: *name };
                    wrong.extend(self.deviation(folder, *sysctl));
                }
                _ => {
                    self.due = true;
                    self.look_soon(Cause::Event);
                }
            }
        }
        wrong
    }

    /// The change that gives a sysctl the value that the policy wants; `None` if it has it, if the policy has no say,
    /// or if the interface has just gone.
    fn deviation(&self, folder: Folder, sysctl: Sysctl) -> Option<Change> {
        let Folder::Interface { index, name } = folder else { return None };
        let after = self.desired.as_ref()?.value(index, sysctl)?;
        let scope = SysctlScope::Interface { index, name };
        let before = self.kernel.sysctl(&scope, sysctl).ok()?;
        (before != after).then(|| Change::set(Object::Sysctl { scope, sysctl }, before, after))
    }

    /// Whether a sysctl is not as the last look saw it, or what was told about it may be over.
    fn is_news(&self, folder: Folder, sysctl: Sysctl) -> bool {
        let scope = match folder {
            Folder::All => SysctlScope::All,
            Folder::Default => SysctlScope::Default,
            Folder::Interface { index, name } => SysctlScope::Interface { index, name },
        };
        let now = self.kernel.sysctl(&scope, sysctl).ok();
        let may_be_over = [Kind::Reported, Kind::Failed, Kind::Waiting];
        now != self.seen.value(folder, sysctl) || may_be_over.iter().any(|kind| self.troubles.any(*kind))
    }

    /// Makes a few changes that the policy wants at once, or tells of them; whether all are made.
    ///
    /// Each is made in one step: there is nothing a crash could leave half done. What somebody's transaction is about stays
    /// his.
    fn put_right(
        &mut self,
        cause: Cause,
        changes: Vec<Change>,
        woken: Instant,
        drifts: &mut Vec<Drift>,
    ) -> Result<bool> {
        if changes.is_empty() {
            return Ok(true);
        }
        if !self.options.heal {
            self.look_soon(cause);
            return Ok(false);
        }
        let (changes, held) = self.fights.split(changes, woken);
        let all = held.is_empty();
        self.hold(held);
        if changes.is_empty() {
            return Ok(all);
        }
        let begun = cpu_time();
        let (may, unrecorded) = match self.may_change(&changes, cause, woken, drifts) {
            // A look goes on when they are out of the way.
            Ok(May::Nothing) => return Ok(false),
            Ok(May::Settle) => {
                self.look_soon(cause);
                return Ok(false);
            }
            Ok(may) => (Some(may), None),
            // Where nobody can have the lock, nobody is in the middle of anything.
            Err(error) => (None, Some(error)),
        };
        let values = |change: &Change| matches!(change.object, Object::Sysctl { .. });
        let netns = self.kernel.identity()?;
        if !changes.iter().all(values) && self.published.is_outdated(&netns, &self.options.apply) {
            // An entry that was withdrawn is none that was lost.
            self.look_soon(cause);
            return Ok(false);
        }
        let mut changes = changes;
        let wanted = changes.len();
        if let Some(May::Beside(others)) = &may {
            changes.retain(|change| others.leave(change));
        }
        let all = all && changes.len() == wanted;
        if changes.is_empty() {
            return Ok(false);
        }
        let (changes, all) = match self.kernel.make(&changes) {
            Ok(()) => (changes, all),
            Err(failed) => {
                // A look finds out what is left, and tells if that cannot be put right.
                self.seen.proxies.clear();
                self.look_soon(if failed.at == 0 { cause } else { Cause::Event });
                (failed.made(&changes), false)
            }
        };
        if changes.is_empty() {
            return Ok(false);
        }
        drop(may);
        self.tell_peers(self.owners_of_entries(&changes));
        self.tell_healed(cause, changes, cpu_time().saturating_sub(begun), woken, drifts);
        let unrecorded = unrecorded.map(|error| (Outcome::Unrecorded { error }, Vec::new()));
        self.trouble(Kind::Unrecorded, cause, unrecorded.into_iter().collect(), woken, drifts);
        Ok(all)
    }

    pub(super) fn poll_proxies(&mut self, woken: Instant, drifts: &mut Vec<Drift>) -> Result<()> {
        let begun = cpu_time();
        let digest = self.kernel.proxies_digest()?;
        self.proxy_poll.spent(cpu_time().saturating_sub(begun));
        self.next_proxies = Instant::now() + self.proxy_interval();
        if digest == self.digests.proxies {
            return Ok(());
        }
        let at_rest = std::mem::replace(&mut self.digests.proxies, digest);
        let found = self.kernel.proxies()?;
        self.look_for_news();
        if self.links {
            // Where an entry belongs is said by a name, and another interface may have it by now: that is for the look.
            return Ok(());
        }
        let changes = between(&found, &self.seen.proxies);
        let Some(desired) = self.desired.as_ref().filter(|_| changes.len() <= FEW) else {
            self.look_soon(Cause::Proxies);
            return Ok(());
        };
        let (managed, others): (Vec<Change>, Vec<Change>) =
            changes.into_iter().partition(|change| desired.wants_entry(&self.policy, change));
        if !others.is_empty() {
            // Of others: not to be put right, but perhaps answers where there were none.
            self.look_soon(Cause::Proxies);
        }
        if self.put_right(Cause::Proxies, managed.clone(), woken, drifts)? {
            // Put right, the list looks as before: the same entry coming again is news again.
            self.digests.proxies = at_rest;
            let found = Snapshot { proxies: found, ..Snapshot::default() };
            self.seen.proxies = State::from(found).with(&managed).into_snapshot().proxies;
        } else {
            self.look_at_all_next();
        }
        Ok(())
    }

    /// What waits for its pause to end, each thing once.
    pub(super) fn hold(&mut self, changes: Vec<Change>) {
        for change in changes {
            if !change.object.is_routing() {
                self.look_at_all_next();
            }
            if self.held.iter().all(|held| held.object != change.object) {
                self.held.push(change);
            }
        }
    }
}
