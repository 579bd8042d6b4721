//! Repairs beside somebody else's transaction.

use std::time::{Duration, Instant};

use super::drift::{Cause, Drift, Outcome};
use super::trouble::Kind;
use super::watcher::Watcher;
use crate::apply::lock::Lock;
use crate::apply::{Access, Others};
use crate::error::Result;
use crate::state::Change;

/// Runs have the lock for some milliseconds. Who has it for longer is told, and repairs go on without it.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it is looked at whether somebody is still in the way.
const AGAIN: Duration = Duration::from_millis(200);

/// Somebody who is in the way.
#[derive(Debug)]
pub(super) struct InTheWay {
    by: String,
    since: Instant,
    /// Repairs go on.
    passed: bool,
    cause: Cause,
    pub next: Instant,
}

/// What may be changed now.
pub(super) enum May {
    /// Everything, while this is held.
    All { _held: Lock },
    /// Everything, by a transaction, which undoes first what was cut off.
    Settle,
    /// What these leave, each change by itself: a record would have to wait for them.
    Beside(Others),
    /// Nothing yet.
    Nothing,
}

impl Watcher {
    /// What may be changed now; tells who is in the way, if somebody is for longer or these changes are his.
    ///
    /// # Errors
    /// If the state folder cannot be used: nobody is in the middle of anything then.
    pub(super) fn may_change(
        &mut self,
        changes: &[Change],
        cause: Cause,
        woken: Instant,
        drifts: &mut Vec<Drift>,
    ) -> Result<May> {
        let others = match self.access(cause) {
            Ok(Access::Others(others)) => others,
            Ok(Access::Free(lock)) => return Ok(May::All { _held: lock }),
            Ok(Access::CutOff) => return Ok(May::Settle),
            Err(error) => return Err(error),
        };
        if !self.in_the_way.as_ref().is_some_and(|known| known.passed) {
            return Ok(May::Nothing);
        }
        let his = !changes.iter().all(|change| others.leave(change));
        self.left |= his;
        if others.lock.is_none() || his {
            if !self.troubles.any(Kind::Waiting) {
                self.status.waits += 1;
            }
            let all = vec![(Outcome::Waiting { error: others.busy.clone() }, Vec::new())];
            self.trouble(Kind::Waiting, cause, all, woken, drifts);
        }
        Ok(May::Beside(others))
    }

    /// Looks whether somebody is still in the way. When that is over, or has taken long enough, a look follows.
    pub(super) fn poll_others(&mut self, woken: Instant) {
        let Some(known) = self.in_the_way.as_ref().filter(|known| woken >= known.next) else { return };
        let (cause, passed) = (known.cause, known.passed);
        let is_over = !matches!(self.access(cause), Ok(Access::Others(_)));
        if is_over || self.in_the_way.as_ref().is_some_and(|now| now.passed && !passed) {
            self.look_soon(cause);
        }
    }

    fn access(&mut self, cause: Cause) -> Result<Access> {
        let access = Access::now(&mut self.kernel, &self.options.apply);
        let now = Instant::now();
        let known = self.in_the_way.take();
        if let Ok(Access::Others(others)) = &access {
            let (since, cause) = match known {
                Some(known) if known.by == others.by => (known.since, known.cause),
                _ => (now, cause),
            };
            // Of a trial it is known that it takes long, and nobody is at work.
            let passed = others.lock.is_some() || now >= since + PATIENCE;
            let next = now + AGAIN;
            self.in_the_way = Some(InTheWay { by: others.by.clone(), since, passed, cause, next });
        }
        access
    }
}
