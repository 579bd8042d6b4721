//! What the watcher says: drifts as they are found, and what is so now.

use std::collections::BTreeSet;
use std::time::Instant;

use super::drift::{self, Cause, Drift, Outcome};
use super::judge::Judged;
use super::status::Status;
use super::trouble::{Kind, Line};
use super::watcher::Watcher;
use crate::apply;
#[cfg(feature = "tracing")]
use crate::diagnose::Severity;
use crate::error::{Error, ErrorKind, Result};
use crate::host::Host;
use crate::judgement::Judgement;
use crate::state::Change;
use crate::types::IfIndex;

impl Host {
    /// The watch that heals this namespace, if there is one: it puts back what its policy says otherwise about.
    ///
    /// # Errors
    /// If the namespace cannot be entered, or the state folder cannot be used.
    pub fn healed_by(&self, options: &apply::Options) -> Result<Option<String>> {
        match self.with_kernel(|kernel| apply::claim_watch(kernel, options)) {
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::Busy => Ok(Some(holder(&error))),
            Err(error) => Err(error),
        }
    }
}

/// Who has the lock, without how long it was waited for.
fn holder(busy: &Error) -> String {
    busy.message().split("; waited").next().unwrap_or_default().to_owned()
}

impl Watcher {
    /// Says who else heals this namespace, if somebody does; from then on this watch is the one that others are told of.
    ///
    /// # Errors
    /// If the state folder cannot be used.
    pub fn other(&mut self) -> Result<Option<String>> {
        if !self.options.heal || self.sole.is_some() {
            return Ok(None);
        }
        match apply::claim_watch(&mut self.kernel, &self.options.apply) {
            Ok(lock) => {
                self.sole = Some(lock);
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::Busy => Ok(Some(holder(&error))),
            Err(error) => Err(error),
        }
    }

    /// Says that the policy that is to be read cannot be (`None`: it can again). The one before stays in force; that it
    /// cannot be is told, and is so in the [status](Watcher::status), until it can.
    pub fn policy_unreadable(&mut self, error: Option<Error>) -> Vec<Drift> {
        let all = error.map(|error| (Outcome::Impossible { error }, Vec::new()));
        let mut drifts = Vec::new();
        let now = Instant::now();
        self.trouble(Kind::Policy, Cause::Policy, all.into_iter().collect(), now, &mut drifts);
        self.finished(drifts)
    }

    /// What is so now.
    #[must_use]
    pub fn status(&self) -> Status {
        let open: Vec<String> = self.troubles.all().map(|line| self.in_one_line(line)).collect();
        let judgement = self.judge.last.as_ref().map(|judgement| judgement.name().to_owned());
        let contested = self.fights.count(Instant::now());
        Status { open, judgement, contested, ..self.status.clone() }
    }

    /// The same as a line of the watch, for whoever asks.
    pub fn asked(&mut self) -> Drift {
        let outcome = Outcome::Asked { status: Box::new(self.status()) };
        let drift = self.drift(Cause::Asked, Vec::new(), outcome, Instant::now());
        self.numbered(drift)
    }

    /// What it comes to now: bad while anything is open that the policy says otherwise of, or wrong answers are known;
    /// undetermined while nothing bad is known and something cannot be told. A judgement that is under way is waited
    /// for up to 300 ms.
    pub fn judgement(&mut self) -> Judgement {
        let now = Instant::now();
        if let Some(judged) = self.judge.finish(now) {
            self.take_judged(judged, now, &mut Vec::new());
        }
        let unknown = Kind::Unknown;
        let bad = self.troubles.all().any(|line| match line.outcome {
            Outcome::Undetermined { .. } | Outcome::Unrecorded { .. } => false,
            // Somebody in the way of a record, or of nothing that is to be done, leaves the policy kept.
            Outcome::Waiting { .. } => self.left,
            _ => true,
        });
        if bad || !self.held.is_empty() {
            return Judgement::Bad;
        }
        match &self.judge.last {
            Some(judgement) if !(self.troubles.any(unknown) && *judgement == Judgement::Good) => {
                judgement.clone()
            }
            _ => Judgement::Undetermined { missing: Vec::new(), apart: None },
        }
    }

    pub(super) fn take_judged(&mut self, judged: Judged, now: Instant, drifts: &mut Vec<Drift>) {
        let wrong = judged.wrong.map(|error| (Outcome::Misanswered { error }, Vec::new()));
        self.trouble(Kind::Answers, Cause::Event, wrong.into_iter().collect(), now, drifts);
        let unknown = judged.unknown.map(|error| (Outcome::Undetermined { error }, Vec::new()));
        self.trouble(Kind::Unknown, Cause::Event, unknown.into_iter().collect(), now, drifts);
    }

    /// Of this kind of trouble these are so now.
    pub(super) fn trouble(
        &mut self,
        kind: Kind,
        cause: Cause,
        all: Vec<(Outcome, Vec<Change>)>,
        woken: Instant,
        drifts: &mut Vec<Drift>,
    ) {
        for line in self.troubles.set(kind, cause, all, Instant::now()) {
            self.tell(line, woken, drifts);
        }
    }

    pub(super) fn tell(&self, line: Line, woken: Instant, drifts: &mut Vec<Drift>) {
        let Line { cause, outcome, changes } = line;
        drifts.push(self.drift(cause, changes, outcome, woken));
    }

    pub(super) fn drift(
        &self,
        cause: Cause,
        changes: Vec<Change>,
        outcome: Outcome,
        woken: Instant,
    ) -> Drift {
        let index: BTreeSet<IfIndex> = drift::shown(&changes).filter_map(Change::interface).collect();
        let interfaces = index.into_iter().filter_map(|index| self.seen.interfaces.get(&index));
        Drift {
            number: 0,
            at_ms: Drift::now_ms(),
            host: self.status.host.clone(),
            policy: self.status.policy.clone(),
            severity: outcome.severity(),
            cause,
            interfaces: interfaces.map(|(known, _)| *known).collect(),
            count: changes.len(),
            changes,
            outcome,
            took_us: u64::try_from(woken.elapsed().as_micros()).unwrap_or(u64::MAX),
            times: 1,
            within_ms: 0,
        }
    }

    fn in_one_line(&self, line: &Line) -> String {
        let drift = self.drift(line.cause, line.changes.clone(), line.outcome.clone(), Instant::now());
        let text = drift.to_string();
        let first = text.lines().next().unwrap_or_default();
        if line.changes.is_empty() {
            first.to_owned()
        } else {
            format!("{first} ({} changes)", line.changes.len())
        }
    }

    /// Numbers what is told, and notes since when all is well.
    pub(super) fn finished(&mut self, drifts: Vec<Drift>) -> Vec<Drift> {
        let good = self.judge.last == Some(Judgement::Good)
            && self.troubles.all().next().is_none()
            && self.held.is_empty();
        match self.status.ok_since_ms {
            None if good && self.judge.is_up_to_date() => self.status.ok_since_ms = Some(Drift::now_ms()),
            Some(_) if !good => self.status.ok_since_ms = None,
            _ => {}
        }
        drifts.into_iter().map(|drift| self.numbered(drift)).collect()
    }

    fn numbered(&mut self, drift: Drift) -> Drift {
        self.number += 1;
        let drift = Drift { number: self.number, ..drift };
        #[cfg(feature = "tracing")]
        match drift.severity {
            Severity::Info => tracing::event!(tracing::Level::INFO, number = drift.number, "{drift}"),
            Severity::Warning => tracing::event!(tracing::Level::WARN, number = drift.number, "{drift}"),
            Severity::Error => tracing::event!(tracing::Level::ERROR, number = drift.number, "{drift}"),
        }
        drift
    }
}
