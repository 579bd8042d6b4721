//! Everything that persons made is taken back, in whatever order some of it was taken back before.

use super::random::Random;
use super::*;
use crate::state::{State, Value};

fn rollback(kernel: &mut FakeKernel, scratch: &Scratch, id: u64) -> Receipt {
    let options = scratch.options();
    Transaction::new(kernel, &options).rollback(Some(id), false).unwrap()
}

/// As `Host::rollback_all`.
fn rollback_all(kernel: &mut FakeKernel, scratch: &Scratch) -> Option<Receipt> {
    let netns = kernel.identity().unwrap();
    let folder = store::Folder::state(Some(&scratch.0.join("state"))).unwrap().namespace(&netns).unwrap();
    for id in crate::apply::history::standing(&folder, &netns).unwrap() {
        rollback(kernel, scratch, id);
    }
    let options = scratch.options();
    Transaction::new(kernel, &options).rollback_rest(false).unwrap()
}

#[test]
fn a_value_that_a_rollback_brought_back_goes_with_the_rest() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    apply(&mut kernel, &scratch, &[sysctl(1, 0, 1)]).unwrap();
    apply(&mut kernel, &scratch, &[sysctl(1, 1, 0)]).unwrap();
    // There is nothing to do for the first, and the second brings back what the first had made.
    assert_eq!(rollback(&mut kernel, &scratch, 1).changes, []);
    assert_eq!(rollback(&mut kernel, &scratch, 2).changes, [sysctl(1, 0, 1)]);
    let rest = rollback_all(&mut kernel, &scratch).unwrap();
    assert_eq!((rest.changes, rest.rollback_of), (vec![sysctl(1, 1, 0)], Some(1)));
    assert_eq!(*kernel.state(), *host().state());
    assert_eq!(rollback_all(&mut kernel, &scratch), None);
}

#[test]
fn what_somebody_set_by_hand_later_stays() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    apply(&mut kernel, &scratch, &[sysctl(1, 0, 1)]).unwrap();
    kernel.make(&[sysctl(1, 1, 0)]).unwrap();
    rollback(&mut kernel, &scratch, 1);
    kernel.make(&[sysctl(1, 0, 1)]).unwrap();
    assert_eq!(rollback_all(&mut kernel, &scratch), None);
    // A value of somebody else that went by force and came back by a rollback of that is not arpflux's.
    apply(&mut kernel, &scratch, &[sysctl(2, 0, 1)]).unwrap();
    kernel.make(&[sysctl(2, 1, 5)]).unwrap();
    let options = scratch.options();
    let forced = Transaction::new(&mut kernel, &options).rollback(Some(3), true).unwrap();
    assert_eq!(forced.changes, [sysctl(2, 5, 0)]);
    rollback(&mut kernel, &scratch, forced.id.unwrap());
    assert_eq!(rollback_all(&mut kernel, &scratch), None);
}

#[test]
fn any_order_of_rollbacks_ends_where_it_began() {
    let mut rests = 0;
    for seed in 0..300 {
        let (scratch, mut kernel, mut random) = (Scratch::new(), host(), Random::new(seed));
        let mut last = 0;
        for _ in 0..3 + random.below(12) {
            if last > 0 && random.below(2) == 0 {
                let id = 1 + random.below(last as usize) as u64;
                last = rollback(&mut kernel, &scratch, id).id.unwrap();
                continue;
            }
            let mut state = State::of(kernel.state());
            let mut changes = Vec::new();
            for index in [1, 2] {
                let Value::Number(now) = state.get(&sysctl(index, 0, 1).object) else { unreachable!() };
                changes.push(sysctl(index, now as i32, random.below(3) as i32));
            }
            for address in [5, 6] {
                let there = state.get(&proxy(true, address).object).is_there();
                changes.extend((random.below(2) == 0).then(|| proxy(!there, address)));
            }
            changes.retain(|change| change.before != change.after);
            last = apply(&mut kernel, &scratch, &changes).unwrap().id.unwrap_or(last);
        }
        rests += usize::from(rollback_all(&mut kernel, &scratch).is_some());
        assert_eq!(*kernel.state(), *host().state(), "seed {seed}");
    }
    println!("{rests} of 300 had more to take back than what stood");
    assert!(rests > 10, "{rests}");
}
