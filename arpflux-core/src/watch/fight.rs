//! What somebody else changes again and again: put right with pauses, and told in one line for many.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::state::{Change, Object};

/// So often something is put right at once before there are pauses.
const AT_ONCE: u32 = 20;
/// A repair may take one part in this many of a processor.
const SHARE: u32 = 100;
const SHORTEST: Duration = Duration::from_millis(10);
/// The longest pause: when the other one stops, the last word is the policy's within a second. What this leaves of it is for the
/// looks and the repair, on a busy machine, too.
const LONGEST: Duration = Duration::from_millis(750);
/// After a repair that failed: pauses from this on, doubled each time;
const FAILED: Duration = Duration::from_secs(5);
/// from this on where that was only because the host changed all the time.
const RACED: Duration = Duration::from_secs(1);
/// The longest of these.
const FAILED_LONGEST: Duration = Duration::from_secs(60);
/// How often a fight is told.
const TELL: Duration = Duration::from_secs(60);
/// What was left alone for this long begins anew.
const CALM: Duration = Duration::from_secs(60);

/// One object that drifted lately.
#[derive(Debug)]
struct Fight {
    /// How often it was put right.
    healed: u32,
    /// How often in a row that failed.
    failed: u32,
    pause: Duration,
    next: Instant,
    last: Instant,
    /// How often it was put right since that was told last, and since when.
    untold: u64,
    since: Instant,
}

/// What is to be told of a repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// That it was made.
    Healed,
    /// That somebody changes this again and again: so many repairs in this time.
    Contested { times: u64, within: Duration },
    /// Nothing now.
    Nothing,
}

/// All that drifted lately.
#[derive(Debug, Default)]
pub(super) struct Fights(HashMap<Object, Fight>);

impl Fights {
    /// Whether it may be put right now; if not, [`Fights::next`] says when.
    pub(super) fn may_heal(&self, object: &Object, now: Instant) -> bool {
        self.0.get(object).is_none_or(|fight| now >= fight.next)
    }

    fn entry(&mut self, object: &Object, now: Instant) -> &mut Fight {
        self.0.retain(|_, fight| now < fight.last + CALM);
        let begin =
            Fight { healed: 0, failed: 0, pause: SHORTEST, next: now, last: now, untold: 0, since: now };
        self.0.entry(object.clone()).or_insert(begin)
    }

    /// It was put right, which took this much processor time.
    pub(super) fn healed(&mut self, object: &Object, cost: Duration, now: Instant) -> Word {
        let fight = self.entry(object, now);
        let waited = now.saturating_duration_since(fight.last);
        (fight.healed, fight.failed) = (fight.healed.saturating_add(1), 0);
        fight.untold += 1;
        fight.last = now;
        if fight.healed <= AT_ONCE {
            fight.untold = 0;
            fight.since = now;
            return Word::Healed;
        }
        // Longer where it drifts again before the pause is over, shorter where it does not.
        fight.pause = if waited <= fight.pause * 2 { fight.pause * 2 } else { fight.pause / 2 };
        let shortest = (cost * SHARE).clamp(SHORTEST, LONGEST);
        fight.pause = fight.pause.clamp(shortest, LONGEST);
        fight.next = now + fight.pause;
        let within = now.saturating_duration_since(fight.since);
        if fight.healed > AT_ONCE + 1 && within < TELL {
            return Word::Nothing;
        }
        let times = std::mem::take(&mut fight.untold);
        fight.since = now;
        // The first word says what has been told one by one before.
        let times = if fight.healed == AT_ONCE + 1 { u64::from(fight.healed) } else { times };
        Word::Contested { times, within }
    }

    /// It could not be put right, perhaps only because the host changed all the time.
    pub(super) fn failed(&mut self, object: &Object, raced: bool, now: Instant) {
        let fight = self.entry(object, now);
        let first = if raced { RACED } else { FAILED };
        let pause = (first * 2_u32.saturating_pow(fight.failed)).min(FAILED_LONGEST);
        fight.failed = fight.failed.saturating_add(1);
        fight.next = now + pause;
        fight.last = now + pause;
    }

    /// What failed and is wanted no longer begins anew when it drifts again.
    pub(super) fn wanted_now(&mut self, changes: &[Change]) {
        let wanted: HashSet<&Object> = changes.iter().map(|change| &change.object).collect();
        self.0.retain(|object, fight| fight.failed == 0 || wanted.contains(object));
    }

    /// When the next pause ends.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        self.0.values().map(|fight| fight.next).filter(|next| *next > now).min()
    }

    /// Whether a sysctl is fought about just now: events of sysctls are then read by the clock.
    pub(super) fn is_about_sysctls(&self, now: Instant) -> bool {
        let is_on = |(object, fight): (&Object, &Fight)| {
            fight.next > now && fight.failed == 0 && matches!(object, Object::Sysctl { .. })
        };
        self.0.iter().any(is_on)
    }

    /// Whether it was put right more than once lately.
    pub(super) fn comes_again(&self, object: &Object) -> bool {
        self.0.get(object).is_some_and(|fight| fight.healed > 1)
    }

    /// Whether nothing was put right lately.
    pub(super) fn is_calm(&self, now: Instant) -> bool {
        self.0.values().all(|fight| now >= fight.last + CALM)
    }

    /// How many things somebody else changes again and again.
    pub(super) fn count(&self, now: Instant) -> usize {
        self.0.values().filter(|fight| fight.healed > AT_ONCE && now < fight.last + CALM).count()
    }

    /// Those of `changes` that may be made now, and those whose pauses have to end first. Rules and routes wait together
    /// for one that is fought about: without it the others may lead packets astray. What failed is tried again together: a
    /// part of it may do harm where all of it does none.
    pub(super) fn split(&self, changes: Vec<Change>, now: Instant) -> (Vec<Change>, Vec<Change>) {
        let has_failed = |change: &Change| self.0.get(&change.object).is_some_and(|one| one.failed > 0);
        let may = |change: &Change| self.may_heal(&change.object, now);
        let again = changes.iter().any(|change| has_failed(change) && may(change));
        let (mut ready, held): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| may(change) || again && has_failed(change));
        let is_fought_about = |change: &Change| self.0.get(&change.object).is_some_and(|one| one.failed == 0);
        if held.iter().any(|change| change.object.is_routing() && is_fought_about(change)) {
            ready.retain(|change| !change.object.is_routing());
        }
        (ready, held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Rule;
    use crate::state::{SysctlScope, Value};
    use crate::sysctl::Sysctl;

    fn object() -> Object {
        Object::Sysctl { scope: SysctlScope::All, sysctl: Sysctl::ArpIgnore }
    }

    /// What a minute of somebody who writes every so often comes to: repairs, lines, the number they tell.
    fn minute(every: Duration, cost: Duration) -> (u32, u32, u64, Fights, Instant) {
        let (mut fights, start) = (Fights::default(), Instant::now());
        let (mut healed, mut lines, mut counted) = (0, 0, 0);
        let mut now = start;
        while now < start + Duration::from_secs(61) {
            if fights.may_heal(&object(), now) {
                healed += 1;
                match fights.healed(&object(), cost, now) {
                    Word::Healed => lines += 1,
                    Word::Contested { times, .. } => {
                        lines += 1;
                        counted += times;
                    }
                    Word::Nothing => {}
                }
            }
            now += every;
        }
        (healed, lines, counted, fights, start)
    }

    #[test]
    fn pauses_grow_to_a_bound_and_lines_are_few() {
        let (healed, lines, counted, fights, start) =
            minute(Duration::from_millis(1), Duration::from_micros(50));
        assert!((60..120).contains(&healed), "{healed}");
        assert!(lines <= 22 && counted >= u64::from(healed) - 2, "{lines} {counted} {healed}");
        let end = start + Duration::from_secs(61);
        assert_eq!(fights.count(end), 1);
        // The last word is the policy's within a second.
        assert!(fights.may_heal(&object(), end + LONGEST));
        // After a calm minute it is put right at once again.
        let (mut fights, later) = (fights, end + Duration::from_secs(62));
        assert_eq!(fights.count(later), 0);
        assert_eq!(fights.healed(&object(), Duration::ZERO, later), Word::Healed);
        assert!(fights.may_heal(&object(), later));
    }

    #[test]
    fn who_comes_seldom_finds_it_put_right_at_once_and_dear_repairs_are_rare() {
        let (healed, ..) = minute(Duration::from_millis(500), Duration::from_micros(50));
        assert_eq!(healed, 122);
        // 7 ms each: one part in a hundred, and those of the beginning.
        let (healed, ..) = minute(Duration::from_millis(5), Duration::from_millis(7));
        assert!(healed <= 20 + 61 * 10 / 7, "{healed}");
    }

    #[test]
    fn what_fails_is_tried_again_ever_more_seldom() {
        let (mut fights, now) = (Fights::default(), Instant::now());
        fights.failed(&object(), false, now);
        assert!(!fights.may_heal(&object(), now + Duration::from_secs(4)));
        let now = now + FAILED;
        assert!(fights.may_heal(&object(), now));
        fights.failed(&object(), false, now);
        assert_eq!(fights.next(now), Some(now + FAILED * 2));
        for _ in 0..9 {
            fights.failed(&object(), false, now);
        }
        assert_eq!(fights.next(now), Some(now + FAILED_LONGEST));
        fights.wanted_now(&[Change::set(object(), 1, 0)]);
        assert!(!fights.may_heal(&object(), now));
        fights.wanted_now(&[]);
        assert!(fights.may_heal(&object(), now));
    }

    #[test]
    fn what_is_not_fought_about_waits_only_where_it_is_routing_as_well() {
        let (mut fights, now) = (Fights::default(), Instant::now());
        let rule = |priority| Object::Rule(Box::new(Rule::lookup(priority, 100)));
        for _ in 0..=AT_ONCE {
            fights.healed(&rule(1), Duration::ZERO, now);
        }
        fights.failed(&rule(3), false, now);
        let change = |object| Change { object, before: Value::Absent, after: Value::Present };
        let split = |changes: Vec<Change>| fights.split(changes, now);
        let all = vec![change(rule(1)), change(rule(2)), Change::set(object(), 1, 0)];
        let (ready, held) = split(all);
        assert_eq!((ready.len(), held), (1, vec![change(rule(1))]));
        // What fails hinders nothing else.
        let (ready, held) = split(vec![change(rule(2)), change(rule(3))]);
        assert_eq!((ready, held), (vec![change(rule(2))], vec![change(rule(3))]));
        // What failed is tried again as soon as one of it is, and sooner where the host only changed all the time.
        fights.failed(&rule(4), true, now);
        let (ready, held) = fights.split(vec![change(rule(3)), change(rule(4))], now + RACED);
        assert_eq!((ready.len(), held.len()), (2, 0));
        assert!(RACED < FAILED && !fights.may_heal(&rule(3), now + RACED));
    }
}
