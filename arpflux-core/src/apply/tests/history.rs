//! What is remembered, and for how long.

use super::*;

#[test]
fn the_history_is_bounded() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    for round in 0..40 {
        let (before, after) = (round % 2, 1 - round % 2);
        apply(&mut kernel, &scratch, &[sysctl(1, before, after)]).unwrap();
    }
    let names = || -> Vec<String> {
        let entries = std::fs::read_dir(scratch.namespace().join("history")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    // What a person made and stands is not forgotten.
    assert_eq!(names().len(), 40);
    for _ in 0..40 {
        Transaction::new(&mut kernel, &scratch.options()).rollback(None, false).unwrap();
    }
    assert_eq!(*kernel.state(), *host().state());
    assert_eq!((names().len(), names()[31].as_str()), (32, "0000000080"));
}

#[test]
fn what_was_undone_never_pushes_out_what_stands() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    apply(&mut kernel, &scratch, &[sysctl(1, 0, 1)]).unwrap();
    let file = |id: u64| scratch.namespace().join("history").join(format!("{id:010}"));
    // As large as none that stands: 20,000 addresses that were on trial a few times.
    for id in 2..4 {
        std::fs::write(file(id), "").unwrap();
        std::fs::set_permissions(file(id), std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::File::options().write(true).open(file(id)).unwrap().set_len(20 << 20).unwrap();
    }
    apply(&mut kernel, &scratch, &[sysctl(2, 0, 1)]).unwrap();
    assert_eq!([1, 2, 3, 4].map(|id| file(id).exists()), [true, false, true, true]);
}

#[test]
fn a_change_that_could_not_begin_is_not_remembered() {
    let (scratch, mut kernel) = (Scratch::new(), host().failing_at(0, nix::libc::EIO));
    let options = scratch.options();
    Transaction::new(&mut kernel, &options).apply(&plan([sysctl(1, 0, 1)])).unwrap_err();
    assert_eq!(std::fs::read_dir(scratch.namespace().join("history")).unwrap().count(), 0);
}

#[test]
fn routine_never_pushes_out_what_a_person_made() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    apply(&mut kernel, &scratch, &[sysctl(1, 0, 1)]).unwrap();
    apply(&mut kernel, &scratch, &[sysctl(1, 1, 2)]).unwrap();
    for (round, by) in (0..80).zip([Maker::Vz, Maker::Watch].into_iter().cycle()) {
        let (before, after) = (round % 2, 1 - round % 2);
        let options = Options { by, ..scratch.options() };
        Transaction::new(&mut kernel, &options).apply(&plan([sysctl(2, before, after)])).unwrap();
    }
    let receipts = |kernel: &mut FakeKernel| {
        let netns = kernel.identity().unwrap();
        let folder = store::Folder::state(Some(&scratch.0.join("state"))).unwrap().namespace(&netns).unwrap();
        crate::apply::history::all(&folder, &netns).unwrap()
    };
    let all = receipts(&mut kernel);
    assert_eq!(all.len(), 2 + 32);
    assert_eq!([all[0].by, all[2].by, all[3].by], [Maker::Person, Maker::Vz, Maker::Watch]);

    let options = scratch.options();
    let first = Transaction::new(&mut kernel, &options).rollback(None, false).unwrap();
    assert_eq!((first.rollback_of, first.by), (Some(2), Maker::Person));
    assert!(first.notes[0].contains("transaction 2 is taken back"), "{:?}", first.notes);
    assert!(first.notes[1].contains("82 (watch), 81 (vz)"), "{:?}", first.notes);
    assert_eq!(receipts(&mut kernel)[1].taken_back_by, first.id);
    // Taken back itself, it stands again.
    let options = scratch.options();
    Transaction::new(&mut kernel, &options).rollback(first.id, false).unwrap();
    assert_eq!(receipts(&mut kernel)[1].taken_back_by, None);
    for of in [2, 1] {
        let taken_back = Transaction::new(&mut kernel, &options).rollback(None, false).unwrap();
        assert_eq!(taken_back.rollback_of, Some(of));
    }
    let error = Transaction::new(&mut kernel, &options).rollback(None, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("82 (watch)")), "{error}");
}

#[test]
fn after_a_trial_of_nothing_only_a_number_takes_anything_back() {
    let (scratch, mut kernel) = (Scratch::new(), host());
    apply(&mut kernel, &scratch, &[sysctl(1, 0, 1)]).unwrap();
    let options = scratch.options();
    let on_trial = options.clone().confirm(Confirm::Within(std::time::Duration::from_secs(60)));
    let nothing = Transaction::new(&mut kernel, &on_trial).apply(&plan([])).unwrap();
    assert_eq!((nothing.id, nothing.notes.len()), (None, 1));
    assert!(nothing.notes[0].contains("nothing is on trial"), "{:?}", nothing.notes);
    let error = Transaction::new(&mut kernel, &options).rollback(None, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.remedy().is_some_and(|remedy| remedy.contains("`arpflux rollback 1`")), "{error}");
    // What routine does in between is no change of a person.
    let watch = Options { by: Maker::Watch, ..scratch.options() };
    Transaction::new(&mut kernel, &watch).apply(&plan([sysctl(2, 0, 1)])).unwrap();
    Transaction::new(&mut kernel, &options).rollback(None, false).unwrap_err();
    // A change is the last one again.
    apply(&mut kernel, &scratch, &[sysctl(1, 1, 2)]).unwrap();
    let back = Transaction::new(&mut kernel, &options).rollback(None, false).unwrap();
    assert_eq!(back.changes, [sysctl(1, 2, 1)]);
    // And what is named is taken back at any time.
    Transaction::new(&mut kernel, &on_trial).apply(&plan([])).unwrap();
    assert_eq!(
        Transaction::new(&mut kernel, &options).rollback(Some(1), false).unwrap().rollback_of,
        Some(1)
    );
}
