//! A kernel in memory, for tests that inject faults. Behaviour is tested on the real one.

use std::collections::BTreeMap;

use super::{Failed, Kernel};
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::Snapshot;
use crate::state::{Change, Object};

/// A [`Kernel`] over a [`Snapshot`] that refuses the changes it is told to refuse.
///
/// Changes are counted from 0 over all calls of [`Kernel::make`], refused ones included, so that the
/// undoing of earlier changes can be made to fail as well.
#[derive(Debug, Clone, Default)]
pub(crate) struct FakeKernel {
    state: Snapshot,
    faults: BTreeMap<usize, i32>,
    unreadable: BTreeMap<usize, Error>,
    goes_on: bool,
    asked: usize,
    read: usize,
    made: Vec<Change>,
}

impl FakeKernel {
    /// A kernel in that state.
    pub(crate) fn new(state: Snapshot) -> Self {
        Self { state, ..Self::default() }
    }

    /// Refuses the change of number `count` with `errno`.
    pub(crate) fn failing_at(mut self, count: usize, errno: i32) -> Self {
        self.faults.insert(count, errno);
        self
    }

    /// Lets the snapshot of number `count` fail, counted from 0.
    pub(crate) fn unreadable_at(mut self, count: usize, error: Error) -> Self {
        self.unreadable.insert(count, error);
        self
    }

    /// Carries out the rest of a run of proxy changes after a refused one, as the real kernel does.
    pub(crate) fn going_on(mut self) -> Self {
        self.goes_on = true;
        self
    }

    /// What it holds now.
    pub(crate) fn state(&self) -> &Snapshot {
        &self.state
    }

    /// What it holds now, to be changed behind the back of whoever uses it.
    pub(crate) fn state_mut(&mut self) -> &mut Snapshot {
        &mut self.state
    }

    /// Every change that was made, in order.
    pub(crate) fn made(&self) -> &[Change] {
        &self.made
    }

    fn make_one(&mut self, change: &Change) -> Result<()> {
        let count = self.asked;
        self.asked += 1;
        if let Some(errno) = self.faults.get(&count) {
            return Err(Error::os("make change", format!("number {count}"), *errno));
        }
        let refuse = |errno| {
            Err(Error::os("make change", format!("number {count}"), errno).with_kind(ErrorKind::Changed))
        };
        let there = match (&change.object, change.after.is_there()) {
            (Object::Rule(rule), _) => Some(self.state.rules.contains(rule)),
            (Object::Route(route), _) => Some(self.state.routes.contains(route)),
            (Object::Proxy { address, interface }, false) => {
                let key = (*address, *interface);
                Some(self.state.proxies.iter().any(|held| (held.address, held.interface) == key))
            }
            _ => None,
        };
        match (change.after.is_there(), there) {
            (true, Some(true)) => return refuse(nix::libc::EEXIST),
            (false, Some(false)) => return refuse(nix::libc::ENOENT),
            _ => {}
        }
        self.state.change(change);
        self.made.push(change.clone());
        Ok(())
    }
}

impl Kernel for FakeKernel {
    fn snapshot(&mut self) -> Result<Snapshot> {
        let count = self.read;
        self.read += 1;
        match self.unreadable.get(&count) {
            Some(error) => Err(error.clone()),
            None => Ok(self.state.clone()),
        }
    }

    fn make(&mut self, changes: &[Change]) -> Result<(), Failed> {
        for (at, change) in changes.iter().enumerate() {
            let Err(error) = self.make_one(change) else { continue };
            let mut beyond = Vec::new();
            if self.goes_on {
                for (place, later) in changes.iter().enumerate().skip(at + 1) {
                    let proxies = [change, later].map(|one| matches!(one.object, Object::Proxy { .. }));
                    if proxies != [true; 2] || change.after.is_there() != later.after.is_there() {
                        break;
                    }
                    if self.make_one(later).is_ok() {
                        beyond.push(place);
                    }
                }
            }
            return Err(Failed { at, beyond, error });
        }
        Ok(())
    }
}
