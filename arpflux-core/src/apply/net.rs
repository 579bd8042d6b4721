//! What all transactions of persons come to together, one after the other.
//!
//! Taken back one by one out of their order, transactions can bring back a value of one that was taken back before.

use std::collections::HashMap;
use std::path::PathBuf;

use super::receipt::{Maker, Outcome, Receipt};
use super::undo::renamed;
use crate::persist::FileChange;
use crate::plan::InterfaceIdentity;
use crate::snapshot::Snapshot;
use crate::state::{Change, Object};

/// Every object and file from what it was to what the last transaction made it.
#[derive(Default)]
pub(super) struct Net {
    pub(super) changes: Vec<Change>,
    pub(super) files: Vec<FileChange>,
    pub(super) interfaces: Vec<InterfaceIdentity>,
    /// The first transaction that counts.
    pub(super) first: Option<u64>,
}

/// One object's or file's way through the transactions.
trait Step: Clone {
    type Key: Clone + Eq + std::hash::Hash;
    fn key(&self) -> Self::Key;
    /// Whether `next` begins where this one ends.
    fn leads_to(&self, next: &Self) -> bool;
    fn join(&mut self, next: &Self);
    /// Back to where it began.
    fn cancel(&mut self);
    fn is_nothing(&self) -> bool;
}

impl Step for Change {
    type Key = Object;

    fn key(&self) -> Object {
        self.object.clone()
    }

    fn leads_to(&self, next: &Self) -> bool {
        self.object.same(self.after, next.before)
    }

    fn join(&mut self, next: &Self) {
        self.after = next.after;
    }

    fn cancel(&mut self) {
        self.after = self.before;
    }

    fn is_nothing(&self) -> bool {
        self.object.same(self.before, self.after)
    }
}

impl Step for FileChange {
    type Key = PathBuf;

    fn key(&self) -> PathBuf {
        self.path.clone()
    }

    fn leads_to(&self, next: &Self) -> bool {
        self.after == next.before
    }

    fn join(&mut self, next: &Self) {
        self.after.clone_from(&next.after);
    }

    fn cancel(&mut self) {
        self.after.clone_from(&self.before);
    }

    fn is_nothing(&self) -> bool {
        self.before == self.after
    }
}

/// The ways of objects, or of files, in the order in which they began.
struct Ways<S: Step> {
    places: HashMap<S::Key, usize>,
    ways: Vec<S>,
}

impl<S: Step> Ways<S> {
    fn of<'a>(steps: impl IntoIterator<Item = &'a S>) -> Self
    where
        S: 'a,
    {
        let mut ways = Self { places: HashMap::new(), ways: Vec::new() };
        steps.into_iter().for_each(|step| ways.go(step));
        ways
    }

    fn way(&mut self, key: &S::Key) -> Option<&mut S> {
        self.places.get(key).map(|place| &mut self.ways[*place])
    }

    /// Goes on by `step`; where somebody else came between, the way begins anew.
    fn go(&mut self, step: &S) {
        match self.way(&step.key()) {
            Some(way) if way.leads_to(step) => way.join(step),
            Some(way) => way.clone_from(step),
            None => {
                self.places.insert(step.key(), self.ways.len());
                self.ways.push(step.clone());
            }
        }
    }

    /// Goes back by what took `taken` back: what it left was as before by then, if it was `whole`.
    fn back(&mut self, taken: &[S], by: &[S], whole: bool) {
        let by = Self::of(by);
        for taken in Self::of(taken).ways {
            let key = taken.key();
            let step = by.places.get(&key).map(|place| &by.ways[*place]);
            let Some(way) = self.way(&key) else { continue };
            match step {
                Some(step) if way.leads_to(step) => way.join(step),
                // A value of somebody else went with it, which is not followed any further.
                Some(_) => {
                    way.cancel();
                    self.places.remove(&key);
                }
                None if whole => {
                    let mut settled = taken.clone();
                    settled.cancel();
                    way.join(&settled);
                }
                None => {}
            }
        }
    }
}

/// Follows `receipts`, the oldest first, with the interfaces' names of `snapshot`. A rollback counts if what it took
/// back is remembered.
pub(super) fn net(receipts: &[Receipt], snapshot: &Snapshot) -> Net {
    let mut net = Net::default();
    let mut counted: HashMap<u64, (Vec<Change>, &[FileChange])> = HashMap::new();
    let (mut changes, mut files) = (Ways::of(&[]), Ways::of(&[]));
    for receipt in receipts {
        let Some(id) = receipt.id else { continue };
        if receipt.by != Maker::Person || receipt.outcome != Outcome::Applied {
            continue;
        }
        let own: Vec<Change> = receipt.changes.iter().map(|one| renamed(one.clone(), snapshot)).collect();
        match receipt.rollback_of.map(|of| counted.get(&of)) {
            None => {
                own.iter().for_each(|step| changes.go(step));
                receipt.files.iter().for_each(|step| files.go(step));
            }
            Some(Some((taken, taken_files))) => {
                let whole = receipt.conflicts.is_empty();
                changes.back(taken, &own, whole);
                files.back(taken_files, &receipt.files, whole);
            }
            Some(None) => continue,
        }
        net.first.get_or_insert(id);
        net.interfaces.extend(receipt.interfaces.iter().copied());
        counted.insert(id, (own, &receipt.files));
    }
    net.changes = changes.ways.into_iter().filter(|way| !way.is_nothing()).collect();
    net.files = files.ways.into_iter().filter(|way| !way.is_nothing()).collect();
    net
}
