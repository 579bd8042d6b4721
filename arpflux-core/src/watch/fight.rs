//! What drifts again and again: put right with growing pauses, and told in one line for many.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::state::{Change, Object};

/// So often something is put right at once before pauses grow.
const AT_ONCE: u32 = 20;
const FIRST: Duration = Duration::from_millis(10);
/// The longest pause; repeated drift is told this often.
pub(super) const LONGEST: Duration = Duration::from_secs(5);
/// What was left alone for this long begins anew.
const CALM: Duration = Duration::from_secs(60);

/// One object that somebody else changes again and again.
#[derive(Debug)]
struct Fight {
    /// How often it was put right.
    healed: u32,
    pause: Duration,
    next: Instant,
    last: Instant,
    /// How often it was found since it was told last, and since when.
    untold: u64,
    since: Instant,
}

/// How often something drifted that is told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Again {
    pub(super) times: u64,
    pub(super) within: Duration,
}

/// All that drifted lately.
#[derive(Debug, Default)]
pub(super) struct Fights(HashMap<Object, Fight>);

impl Fights {
    /// Whether this drift may be put right now; if not, it is counted, and due at [`Fights::next`].
    pub(super) fn may_heal(&mut self, object: &Object, now: Instant) -> bool {
        match self.0.get_mut(object) {
            Some(fight) if now < fight.next => {
                fight.untold += 1;
                false
            }
            _ => true,
        }
    }

    /// It was put right. How often since it was told last, if that is to be told now.
    pub(super) fn healed(&mut self, object: &Object, now: Instant) -> Option<Again> {
        self.0.retain(|_, fight| now < fight.last + CALM);
        let begin = Fight { healed: 0, pause: FIRST, next: now, last: now, untold: 0, since: now };
        let fight = self.0.entry(object.clone()).or_insert(begin);
        fight.healed = fight.healed.saturating_add(1);
        fight.untold += 1;
        fight.last = now;
        if fight.healed > AT_ONCE {
            fight.next = now + fight.pause;
            fight.pause = (fight.pause * 2).min(LONGEST);
        }
        let within = now - fight.since;
        if fight.healed > AT_ONCE && within < LONGEST {
            return None;
        }
        let times = std::mem::take(&mut fight.untold);
        fight.since = now;
        Some(Again { times, within })
    }

    /// What of `changes` waits for its pause to end.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        self.0.values().map(|fight| fight.next).filter(|next| *next > now).min()
    }

    /// Whether anything is fought about just now: events of it are then read by the clock.
    pub(super) fn is_on(&self, now: Instant) -> bool {
        self.0.values().any(|fight| fight.next > now)
    }

    /// Those of `changes` whose pause is over.
    pub(super) fn split(&mut self, changes: Vec<Change>, now: Instant) -> (Vec<Change>, Vec<Change>) {
        changes.into_iter().partition(|change| self.may_heal(&change.object, now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::SysctlScope;
    use crate::sysctl::Sysctl;

    #[test]
    fn pauses_grow_to_a_bound_and_lines_are_few() {
        let object = Object::Sysctl { scope: SysctlScope::All, sysctl: Sysctl::ArpIgnore };
        let (mut fights, start) = (Fights::default(), Instant::now());
        let (mut healed, mut told, mut counted) = (0, 0, 0);
        // A minute of somebody who writes each millisecond.
        for ms in 0..60_000 {
            let now = start + Duration::from_millis(ms);
            if fights.may_heal(&object, now) {
                healed += 1;
                if let Some(again) = fights.healed(&object, now) {
                    told += 1;
                    counted += again.times;
                }
            }
        }
        assert!(healed < 50 && told < 40, "{healed} heals, {told} lines");
        assert!(counted > 50_000 && counted <= 60_000, "{counted}");
        assert!(fights.is_on(start + Duration::from_secs(60)));
        // After a calm minute it is put right at once again.
        let later = start + Duration::from_secs(130);
        assert!(fights.may_heal(&object, later));
        assert_eq!(fights.healed(&object, later), Some(Again { times: 1, within: Duration::ZERO }));
        assert!(fights.may_heal(&object, later));
    }
}
