//! What lasts: told when it begins, again as long as it goes on, and when it is over.

use std::time::{Duration, Instant};

use super::drift::{Cause, Outcome};
use crate::state::Change;

/// How often something that goes on is told again.
const REMIND: Duration = Duration::from_secs(600);

/// What may be wrong for longer, one kind independent of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The policy that is to be read cannot be.
    Policy,
    /// What the policy wants and cannot have.
    Unmet,
    /// What is not as the policy says, and is only told.
    Reported,
    /// Repairs that failed.
    Failed,
    /// Repairs cannot be written down.
    Unrecorded,
    /// Somebody else's transaction is in the way.
    Waiting,
    /// Answers that are wrong though all is as the policy says.
    Answers,
    /// Answers of which that cannot be told.
    Unknown,
}

/// A line to be told.
#[derive(Debug)]
pub(super) struct Line {
    pub cause: Cause,
    pub outcome: Outcome,
    pub changes: Vec<Change>,
}

#[derive(Debug)]
struct Trouble {
    kind: Kind,
    line: Line,
    told: Option<Instant>,
}

/// All of it that is so now.
#[derive(Debug, Default)]
pub(super) struct Troubles(Vec<Trouble>);

impl Troubles {
    /// Of this kind these are so now; an outcome and the changes that it is about make one. The lines of those that
    /// are new, and one when all are over.
    pub fn set(
        &mut self,
        kind: Kind,
        cause: Cause,
        all: Vec<(Outcome, Vec<Change>)>,
        now: Instant,
    ) -> Vec<Line> {
        let (mut before, others): (Vec<_>, Vec<_>) =
            self.0.drain(..).partition(|trouble| trouble.kind == kind);
        self.0 = others;
        let over = !before.is_empty() && all.is_empty() && before.iter().any(|one| one.told.is_some());
        let mut lines = Vec::new();
        for (outcome, changes) in all {
            let same = |known: &Trouble| {
                known.line.changes == changes && outcome.says_the_same_as(&known.line.outcome)
            };
            let mut trouble = match before.iter().position(same) {
                Some(place) => before.swap_remove(place),
                None => Trouble { kind, line: Line { cause, outcome, changes }, told: None },
            };
            if trouble.told.is_none() {
                trouble.told = Some(now);
                lines.push(trouble.line.again());
            }
            self.0.push(trouble);
        }
        if over {
            let outcome = if kind == Kind::Unmet { Outcome::Possible } else { Outcome::Recovered };
            lines.push(Line { cause, outcome, changes: Vec::new() });
        }
        lines
    }

    /// The lines that are due again, as what they tell goes on.
    pub fn remind(&mut self, now: Instant) -> Vec<Line> {
        let mut lines = Vec::new();
        for trouble in &mut self.0 {
            if trouble.told.is_some_and(|told| now >= told + REMIND) {
                trouble.told = Some(now);
                lines.push(trouble.line.again());
            }
        }
        lines
    }

    /// What is so now.
    pub fn all(&self) -> impl Iterator<Item = &Line> {
        self.0.iter().filter(|trouble| trouble.told.is_some()).map(|trouble| &trouble.line)
    }

    /// Those of this kind that are all about such changes, as they were told.
    pub fn about(&self, kind: Kind, is_one: impl Fn(&Change) -> bool) -> Vec<(Outcome, Vec<Change>)> {
        let of = self.0.iter().filter(|trouble| trouble.kind == kind).map(|trouble| &trouble.line);
        let about = of.filter(|line| line.changes.iter().all(&is_one));
        about.map(|line| (line.outcome.clone(), line.changes.clone())).collect()
    }

    /// Whether there is any of this kind.
    pub fn any(&self, kind: Kind) -> bool {
        self.0.iter().any(|trouble| trouble.kind == kind)
    }
}

impl Line {
    fn again(&self) -> Self {
        Self { cause: self.cause, outcome: self.outcome.clone(), changes: self.changes.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};

    fn gone(what: &str) -> (Outcome, Vec<Change>) {
        let error = Error::new(ErrorKind::NotFound, "there is no such interface").on(what);
        (Outcome::Impossible { error }, Vec::new())
    }

    #[test]
    fn told_once_then_again_after_a_while_and_when_it_is_over() {
        let (mut troubles, now) = (Troubles::default(), Instant::now());
        let mut set = |all, now| troubles.set(Kind::Unmet, Cause::Event, all, now).len();
        assert_eq!(set(vec![gone("eth3")], now), 1);
        assert_eq!(set(vec![gone("eth3"), gone("eth4")], now), 1);
        assert_eq!(set(vec![gone("eth4")], now), 0);
        assert_eq!(troubles.remind(now + REMIND / 2).len(), 0);
        assert_eq!(troubles.remind(now + REMIND).len(), 1);
        let over = troubles.set(Kind::Unmet, Cause::Event, Vec::new(), now);
        assert_eq!(over[0].outcome, Outcome::Possible);
        assert_eq!(troubles.all().count(), 0);
    }

    #[test]
    fn how_long_somebody_is_at_it_is_no_news_and_that_it_is_on_trial_now_is() {
        let (mut troubles, now) = (Troubles::default(), Instant::now());
        let busy = |during, text: &str| Error::new(ErrorKind::Busy, text).during(during);
        let mut set = |error| {
            let all = vec![(Outcome::Waiting { error }, Vec::new())];
            troubles.set(Kind::Waiting, Cause::Event, all, now).len()
        };
        assert_eq!(set(busy("lock", "for 1 s")), 1);
        assert_eq!(set(busy("lock", "for 2 s")), 0);
        assert_eq!(set(busy("apply", "transaction 3, for 8 s")), 1);
        assert_eq!(set(busy("apply", "transaction 3, for 7 s")), 0);
        let over = troubles.set(Kind::Waiting, Cause::Event, Vec::new(), now);
        assert_eq!((over.len(), &over[0].outcome), (1, &Outcome::Recovered));
    }
}
