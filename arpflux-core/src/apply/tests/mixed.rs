//! Persons, a watch and containers' scripts take turns, and a system call or a change of each fails or is its last: each
//! ends in the state before or after, and the person's first change is taken back exactly in the end.

use std::collections::{BTreeMap, HashSet};

use super::comparable::comparable;
use super::faults::{FAULTS, dead, host};
use super::plans;
use super::random::Random;
use super::scratch::Scratch;
use super::*;

/// How many faults are met.
const POINTS: usize = 1_000;
/// How many transactions follow a person's.
const TURNS: usize = 25;

#[test]
fn a_persons_change_outlives_a_thousand_faults_of_all_makers() {
    let scratch = Scratch::new("mixed");
    let (mut points, mut ends) = (0, BTreeMap::new());
    for seed in 0.. {
        if points >= POINTS {
            break;
        }
        scratch.clear();
        let mut random = Random::new(seed);
        let start = host();
        let mut kernel = FakeKernel::new(start.clone());
        let first = plans::plan(&start, "t1", 4, &mut random);
        Transaction::new(&mut kernel, &scratch.options()).apply(&first).unwrap();
        let taken: HashSet<&Object> = first.changes.iter().map(|change| &change.object).collect();
        // What there would be without the person's change.
        let mut without = start;
        for turn in 0..TURNS {
            let by = [Maker::Watch, Maker::Vz, Maker::Person][random.below(3)];
            let before = kernel.state().clone();
            let mut plan = plans::plan(&before, "t", 1 + random.below(6), &mut random);
            if plan.changes.iter().any(|change| taken.contains(&change.object)) {
                continue;
            }
            plan.netns = before.netns.clone();
            let (at, fault) = (random.below(24 + 2 * plan.changes.len()), FAULTS[random.below(FAULTS.len())]);
            let options = Options { by, ..scratch.options() };
            fault::arm(Some((at, fault)));
            let result = Transaction::new(&mut fault::kernel(&mut kernel), &options).apply(&plan);
            points += usize::from(fault::seen().len() > at);
            fault::disarm();
            let point = format!("seed {seed}, turn {turn}, {by}, call {at}, {fault:?}: {result:?}");
            recover(&mut kernel, &scratch.options(), false)
                .unwrap_or_else(|error| panic!("{point}: {error}"));
            let after = before.with(&plan.changes);
            let made = comparable(kernel.state()) == comparable(&after);
            assert!(
                made || comparable(kernel.state()) == comparable(&before),
                "{point}: neither before nor after"
            );
            assert!(
                made || result.is_err() || dead(fault),
                "{point}: undone although it was reported as done"
            );
            assert!(!scratch.journal_is_there(), "{point}: a journal is left");
            if made {
                without.change_all(&plan.changes);
            }
            *ends.entry((by.to_string(), made)).or_insert(0) += 1;
        }
        let back = Transaction::new(&mut kernel, &scratch.options()).rollback(Some(1), false).unwrap();
        assert_eq!(back.conflicts, [], "seed {seed}");
        assert!(comparable(kernel.state()) == comparable(&without), "seed {seed}: not taken back exactly");
    }
    println!("{points} points: {ends:?}");
    assert!(ends.len() == 6, "each maker's change is made and undone: {ends:?}");
}
