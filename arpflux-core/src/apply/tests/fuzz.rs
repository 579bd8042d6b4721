//! Journals whose checksums are right and whose records are not, and receipts: read or refused, and what is read can be
//! told and taken back.

use super::*;
use crate::apply::journal::raw_record;
use crate::kernel::testing::fuzz;
use crate::persist::{FileChange, FileState};

/// The records of a journal without their checksums.
pub fn records(journal: &[u8]) -> Vec<u8> {
    journal
        .split_inclusive(|byte| *byte == b'\n')
        .flat_map(|line| line.get(9..).unwrap_or_default())
        .copied()
        .collect()
}

pub fn journal(records: &[u8]) -> Vec<u8> {
    let (mut crc, mut text) = (crc32fast::Hasher::new(), Vec::new());
    for line in records.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        raw_record(&mut crc, &mut text, line);
    }
    text
}

/// The journal as it is given is read too.
fn read(input: &[u8]) -> u64 {
    let _ = journal::parse(input);
    let Ok((log, ..)) = journal::parse(&journal(input)) else { return 0 };
    1 + take_back(&Receipt::of(&log))
}

/// A receipt as JSON: what is read is written, and read again as the same.
fn read_receipt(input: &[u8]) -> u64 {
    let Ok(receipt) = serde_json::from_slice::<Receipt>(input) else { return 0 };
    let written = serde_json::to_string(&receipt).unwrap();
    assert_eq!(serde_json::from_str::<Receipt>(&written).unwrap(), receipt, "{written}");
    1 + take_back(&receipt)
}

/// How many changes and files it has, all of which can be told and taken back.
fn take_back(receipt: &Receipt) -> u64 {
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
    (receipt.changes.len() + receipt.files.len()) as u64
}

/// The journals of two transactions, with their receipts.
fn written() -> (Vec<Vec<u8>>, Vec<Receipt>) {
    let scratch = Scratch::new();
    let mut kernel = host();
    let file = |text: &str| FileState::Regular { text: text.into(), mode: 0o644 };
    let path = scratch.0.join("etc/sysctl.d/99-zz-arpflux.conf");
    let mut persist = |_: &Snapshot, _: &Plan| {
        let new = FileChange::new(path.clone(), FileState::Absent, file("new\n"));
        Ok(vec![FileChange { root: scratch.0.clone(), ..new }])
    };
    let options = scratch.options();
    let changes = [sysctl(1, 0, 1), proxy(true, 5), sysctl(2, 0, 2)];
    let receipts = vec![
        Transaction::new(&mut kernel, &options).persist(&mut persist).apply(&plan(changes)).unwrap(),
        Transaction::new(&mut kernel, &options).rollback(None, false).unwrap(),
    ];
    let journal = |name: &str| std::fs::read(scratch.namespace().join("history").join(name)).unwrap();
    (vec![journal("0000000001"), journal("0000000002")], receipts)
}

#[test]
fn no_journal_is_too_odd() {
    let mut corpus = vec![records(include_bytes!("../journal/former.txt"))];
    corpus.extend(written().0.iter().map(|journal| records(journal)));
    fuzz::run("journal", corpus, fuzz::Inputs::Values, 20_000, 20, read);
}

#[test]
fn no_receipt_is_too_odd() {
    let corpus = written().1.iter().map(|receipt| serde_json::to_vec(receipt).unwrap()).collect();
    fuzz::run("receipt", corpus, fuzz::Inputs::Values, 20_000, 20, read_receipt);
}
