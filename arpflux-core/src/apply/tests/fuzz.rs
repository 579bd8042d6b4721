//! Journals whose checksums are right and whose records are not: read or refused, and what is read can be told and taken
//! back.

use super::*;
use crate::apply::journal::raw_record;
use crate::kernel::testing::fuzz;

/// The records of a journal without their checksums.
fn records(journal: &[u8]) -> Vec<u8> {
    journal
        .split_inclusive(|byte| *byte == b'\n')
        .flat_map(|line| line.get(9..).unwrap_or_default())
        .copied()
        .collect()
}

fn journal(records: &[u8]) -> Vec<u8> {
    let (mut crc, mut text) = (crc32fast::Hasher::new(), Vec::new());
    for line in records.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        raw_record(&mut crc, &mut text, line);
    }
    text
}

/// How many changes and files are read, and one for the journal. The journal as it is given is read too.
fn read(input: &[u8]) -> u64 {
    let _ = journal::parse(input);
    let Ok((log, ..)) = journal::parse(&journal(input)) else { return 0 };
    let receipt = Receipt::of(&log);
    receipt.to_json().unwrap();
    let _ = (receipt.is_overdue(), receipt.notes.join("; "));
    for change in &receipt.changes {
        let _ = (change.check(), change.inverse(), change.to_string());
    }
    let snapshot = host();
    for force in [false, true] {
        let inverse = undo::inverse(&receipt.changes, receipt.interfaces(), snapshot.state(), force);
        let _ = snapshot.state().with(&inverse.changes);
        let _ = files::check(&receipt.files).and_then(|()| files::inverse(&receipt.files, force).map(drop));
    }
    1 + (receipt.changes.len() + receipt.files.len()) as u64
}

#[test]
fn no_journal_is_too_odd() {
    let scratch = Scratch::new();
    let mut kernel = host();
    let file = |text: &str| crate::persist::FileState::Regular { text: text.into(), mode: 0o644 };
    let path = scratch.0.join("99-zz-arpflux.conf");
    let mut persist = |_: &Snapshot, _: &Plan| {
        Ok(vec![crate::persist::FileChange::new(
            path.clone(),
            crate::persist::FileState::Absent,
            file("new\n"),
        )])
    };
    let options = scratch.options();
    let changes = [sysctl(1, 0, 1), proxy(true, 5), sysctl(2, 0, 2)];
    Transaction::new(&mut kernel, &options).persist(&mut persist).apply(&plan(changes)).unwrap();
    Transaction::new(&mut kernel, &options).rollback(None, false).unwrap();
    let mut corpus = vec![records(include_bytes!("../journal/former.txt"))];
    for name in ["0000000001", "0000000002"] {
        corpus.push(records(&std::fs::read(scratch.namespace().join("history").join(name)).unwrap()));
    }
    fuzz::run("journal", corpus, fuzz::Inputs::Values, 20_000, 20, read);
}
