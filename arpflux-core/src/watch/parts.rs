//! Repairs in parts, where what is to be done cannot be made as one.

use std::time::{Duration, Instant};

use super::watcher::Watcher;
use crate::error::Error;
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::state::{Change, Object};

/// So long parts are tried at a time: the state that they were planned on gets old, and what is written meanwhile waits.
pub(super) const PARTS: Duration = Duration::from_millis(400);

/// What became of a plan.
#[derive(Default)]
pub(super) struct Made {
    pub healed: Vec<Change>,
    pub failed: Vec<(Error, Vec<Change>)>,
    /// For which there was no time.
    pub untried: Vec<(Error, Vec<Change>)>,
    /// The host had changed before anything of this was made.
    pub outdated: bool,
    /// It is made in parts: what is news then may be those that were made.
    pub in_parts: bool,
    pub unrecorded: Option<Error>,
    /// Somebody else's transaction is in the way of a record.
    pub beside: bool,
}

impl Watcher {
    /// Makes a plan that could not be made as one, as much of it as can be in the time: by halves, down to what fails by itself.
    pub(super) fn make_parts(
        &mut self,
        now: &Snapshot,
        plan: &Plan,
        error: Error,
        until: Instant,
        made: &mut Made,
    ) {
        let units = units(&plan.changes);
        if units.len() <= 1 {
            made.failed.push((error, plan.changes.clone()));
            return;
        }
        let middle = units[units.len() / 2];
        for half in [0..middle, middle..plan.changes.len()] {
            let mut place = 0;
            let part = plan.filter(|_| {
                place += 1;
                half.contains(&(place - 1))
            });
            if Instant::now() >= until {
                made.untried.push((error.clone(), part.changes));
            } else if let Err(error) = self.make(now, &part, made) {
                self.make_parts(now, &part, error, until, made);
            }
        }
    }
}

/// The places at which a list of changes can be divided: what goes to make room for another stays with it.
fn units(changes: &[Change]) -> Vec<usize> {
    let belongs = |change: &Change, next: &Change| match (&change.object, &next.object) {
        (Object::Route(old), Object::Route(new)) => {
            !change.after.is_there()
                && (old.table, old.destination, old.tos, old.metric)
                    == (new.table, new.destination, new.tos, new.metric)
        }
        _ => false,
    };
    (0..changes.len()).filter(|at| *at == 0 || !belongs(&changes[at - 1], &changes[*at])).collect()
}
