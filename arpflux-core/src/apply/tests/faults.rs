//! Every system call that a transaction makes fails once, in every way; so does every change.
//!
//! The bulk runs over a kernel in memory, whose state is compared whole after each point.
use std::collections::BTreeMap;
use std::path::Path;

use crate::ErrorKind;
use crate::apply::fault::{self, Call, Fault};
use crate::apply::{Options, Outcome, Transaction, recover};
use crate::kernel::{FakeKernel, Kernel};
use crate::persist::{FileChange, FileState};
use crate::plan::Plan;
use crate::snapshot::Snapshot;

use super::comparable::comparable;
use super::plans;
use super::random::Random;
use super::scratch::Scratch;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;
pub(super) const FAULTS: [Fault; 9] = [
    Fault::Error(EIO),
    Fault::Error(ENOSPC),
    Fault::ErrorAfter(EIO),
    Fault::Short,
    Fault::Torn(ENOSPC),
    Fault::Torn(EIO),
    Fault::Stop,
    Fault::StopAfter,
    Fault::StopTorn,
];

pub(super) fn dead(fault: Fault) -> bool {
    matches!(fault, Fault::Stop | Fault::StopAfter | Fault::StopTorn)
}

/// A host in memory with three interfaces, one of which already has entries.
pub(super) fn host() -> Snapshot {
    let interface = |index: u32| {
        serde_json::from_value(serde_json::json!({
            "index": index, "name": format!("t{index}"), "kind": null, "link_type": 1,
            "mac": format!("02:00:00:00:00:{index:02x}"), "flags": 3, "carrier": true, "master": null,
            "link": null, "link_netnsid": null, "mtu": 1500, "vlan_id": null, "macvlan_mode": null,
            "vrf_table": null, "neigh": {"proxy_delay": 800, "proxy_qlen": 64, "locktime": 1000},
            "sysctls": {"forwarding": 0, "rp_filter": 2, "arp_filter": 0, "medium_id": 0,
                        "arp_announce": 0, "arp_ignore": 1},
        }))
        .unwrap()
    };
    let mut snapshot = Snapshot::default();
    snapshot.netns.boot_id = "boot".into();
    (snapshot.netns.device, snapshot.netns.inode, snapshot.netns.cookie) = (4, 4242, 7);
    snapshot.interfaces = (1..=3).map(interface).collect();
    snapshot
}

/// What a run does to the kernel.
type Run<'a> = &'a dyn Fn(&mut dyn Kernel, &Options) -> crate::Result<()>;

/// Counts of points by class of call and fault.
type Points = BTreeMap<(Call, &'static str), usize>;

fn kind_of(fault: Fault) -> &'static str {
    match fault {
        Fault::Error(_) => "error",
        Fault::ErrorAfter(_) => "error after",
        Fault::Short => "short",
        Fault::Torn(_) => "torn",
        Fault::Stop => "stop",
        Fault::StopAfter => "stop after",
        Fault::StopTorn => "stop torn",
        Fault::Kill | Fault::KillAfter => "kill",
    }
}

/// Meets every fault at every call of `run`, which leads from `before` to `after`.
fn every_point(
    scratch: &Scratch,
    before: &Snapshot,
    after: &Snapshot,
    prepare: &dyn Fn() -> FakeKernel,
    run: Run<'_>,
    points: &mut Points,
) {
    let options = scratch.options();
    let mut kernel = prepare();
    fault::arm(None);
    run(&mut fault::kernel(&mut kernel), &options).unwrap();
    let calls = fault::seen();
    fault::disarm();
    assert_eq!(comparable(kernel.state()), comparable(after));
    let (before, after) = (comparable(before), comparable(after));
    for (at, call) in calls.iter().enumerate() {
        for fault in FAULTS {
            if matches!(fault, Fault::Short | Fault::Torn(_) | Fault::StopTorn) && *call != Call::Write {
                continue;
            }
            let mut kernel = prepare();
            fault::arm(Some((at, fault)));
            let result = run(&mut fault::kernel(&mut kernel), &options);
            fault::disarm();
            let point = format!("call {at} ({call:?}), {fault:?}: {result:?}");
            let now = comparable(kernel.state());
            match &result {
                // A process that is dead reports to nobody.
                _ if dead(fault) => {}
                Ok(()) => assert!(now == after, "{point}: not as it should be afterwards"),
                Err(error) if error.kind() == ErrorKind::PartlyApplied => {}
                Err(_) => assert!(now == before, "{point}: not undone"),
            }
            // Whatever happened: a next run finds the one state or the other, and leaves nothing half done.
            let recovered = recover(&mut kernel, &options, false).unwrap_or_else(|error| {
                panic!("{point}: recover: {error}");
            });
            let now = comparable(kernel.state());
            assert!(now == before || now == after, "{point}: neither before nor after, {recovered:?}");
            assert!(!scratch.journal_is_there(), "{point}: a journal is left");
            assert!(recover(&mut kernel, &options, false).unwrap().is_clean(), "{point}: not settled");
            if let (Ok(()), false) = (&result, dead(fault)) {
                assert!(now == after, "{point}: undone although it was reported as done");
            }
            *points.entry((*call, kind_of(fault))).or_default() += 1;
        }
    }
}

fn apply(plan: &Plan) -> impl Fn(&mut dyn Kernel, &Options) -> crate::Result<()> {
    let plan = plan.clone();
    move |kernel, options| Transaction::new(kernel, options).apply(&plan).map(drop)
}

#[test]
fn every_call_of_apply_and_rollback_may_fail_or_be_the_last() {
    let scratch = Scratch::new("bulk");
    let before = host();
    let mut points = Points::new();
    for seed in 0..24 {
        let mut random = Random::new(seed);
        // Some plans start from a host that already has entries of others, which have to survive.
        let mut before = before.clone();
        if seed % 3 == 0 {
            let held = plans::plan(&before, "t", 6, &mut random);
            before = before.with(&held.changes);
        }
        let plan = plans::plan(&before, "t", 1 + random.below(10), &mut random);
        let after = before.with(&plan.changes);
        let fresh = || {
            scratch.clear();
            FakeKernel::new(before.clone())
        };
        every_point(&scratch, &before, &after, &fresh, &apply(&plan), &mut points);
        if seed % 4 == 0 {
            let applied = || {
                let mut kernel = fresh();
                Transaction::new(&mut kernel, &scratch.options()).apply(&plan).unwrap();
                kernel
            };
            let back = |kernel: &mut dyn Kernel, options: &Options| {
                Transaction::new(kernel, options).rollback(None, false).map(drop)
            };
            every_point(&scratch, &after, &before, &applied, &back, &mut points);
        }
    }
    let total: usize = points.values().sum();
    println!("{total} points: {points:?}");
    assert!(total >= 4_000, "only {total} points");
    let calls = [
        Call::Open,
        Call::MakeFolder,
        Call::Write,
        Call::Sync,
        Call::Rename,
        Call::Lock,
        Call::Snapshot,
        Call::Change,
    ];
    for call in calls {
        for kind in ["error", "error after", "stop", "stop after"] {
            assert!(points.contains_key(&(call, kind)), "no {kind} at {call:?}");
        }
    }
    for kind in ["short", "torn", "stop torn"] {
        assert!(points.contains_key(&(Call::Write, kind)), "no {kind} at write");
    }
}

/// A write fails although it was carried out, perhaps cannot be taken back either, and then the process
/// dies while it undoes: what the journal says must fit what was done at each moment.
#[test]
fn a_journal_that_cannot_be_trusted_and_then_a_crash() {
    let scratch = Scratch::new("doubt");
    let options = scratch.options();
    let plan = plans::plan(&host(), "t", 4, &mut Random::new(11));
    let (start, end) = (comparable(&host()), comparable(&host().with(&plan.changes)));
    let run = apply(&plan);
    let mut kernel = FakeKernel::new(host());
    scratch.clear();
    fault::arm(None);
    run(&mut fault::kernel(&mut kernel), &options).unwrap();
    let calls = fault::seen();
    fault::disarm();
    let mut points = 0;
    let writes = calls.iter().enumerate().filter(|(_, call)| matches!(call, Call::Write | Call::Sync));
    for (write, _) in writes {
        for truncate_fails in [false, true] {
            for last in write + 2..write + 40 {
                scratch.clear();
                let mut kernel = FakeKernel::new(host());
                let mut faults = vec![(write, Fault::ErrorAfter(EIO)), (last, Fault::Stop)];
                if truncate_fails {
                    faults.push((write + 1, Fault::Error(EIO)));
                }
                fault::arm_all(&faults);
                let result = run(&mut fault::kernel(&mut kernel), &options);
                let reached = fault::seen().len() > last;
                fault::disarm();
                let recovered = recover(&mut kernel, &options, false);
                let now = comparable(kernel.state());
                let point = format!("call {write}, stopped before {last}: {result:?}, {recovered:?}");
                assert!(recovered.is_ok(), "{point}");
                assert!(now == start || now == end, "{point}: neither before nor after");
                points += 1;
                if !reached {
                    break;
                }
            }
        }
    }
    println!("{points} points");
    assert!(points >= 70, "{points}");
}

/// Files of a manager are written with the changes, or neither.
#[test]
fn files_and_changes_together_or_not_at_all() {
    let scratch = Scratch::new("files");
    let options = scratch.options();
    let etc = Scratch::new("files-etc");
    let below = |path: &str| etc.0.join(&path[1..]);
    let (made, changed) = (below("/etc/sysctl.d/99-zz-arpflux.conf"), below("/etc/arpflux/policy.toml"));
    let text = |text: &str| FileState::Regular { text: text.into(), mode: 0o600 };
    let change = |path: &Path, before, after| FileChange {
        root: etc.0.clone(),
        ..FileChange::new(path.to_owned(), before, after)
    };
    let files =
        [change(&made, FileState::Absent, text("new\n")), change(&changed, text("old\n"), text("other\n"))];
    let plan = plans::plan(&host(), "t", 2, &mut Random::new(3));
    let (before, after) = (comparable(&host()), comparable(&host().with(&plan.changes)));
    let reset = || {
        scratch.clear();
        etc.clear();
        std::fs::create_dir_all(&etc.0).unwrap();
        change(&changed, FileState::Absent, text("old\n")).make().unwrap();
        FakeKernel::new(host())
    };
    let run = |kernel: &mut dyn Kernel| {
        let mut persist = |_: &Snapshot, _: &Plan| Ok(files.to_vec());
        Transaction::new(kernel, &options).persist(&mut persist).apply(&plan)
    };
    let state = |kernel: &FakeKernel| {
        let of_files = files.iter().map(|file| FileState::read(&file.path).unwrap());
        (comparable(kernel.state()), of_files.collect::<Vec<_>>())
    };
    let start = (before, files.iter().map(|file| file.before.clone()).collect::<Vec<_>>());
    let end = (after, files.iter().map(|file| file.after.clone()).collect::<Vec<_>>());
    let mut kernel = reset();
    fault::arm(None);
    let receipt = run(&mut fault::kernel(&mut kernel)).unwrap();
    let calls = fault::seen();
    fault::disarm();
    assert_eq!((receipt.verified, receipt.files.len()), (4, 2));
    assert!(state(&kernel) == end);
    // Each file is opened, written, synced and renamed, its folder synced: each of them may fail.
    let counted = |call| calls.iter().filter(|other| **other == call).count();
    assert!(counted(Call::Rename) >= 2 + 2 && counted(Call::Write) >= 2 + 3, "{calls:?}");
    let left_over = || {
        let all = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
        let below = all(&below("/etc/arpflux")).chain(all(&below("/etc/sysctl.d")));
        below.filter(|path| path.extension().is_some_and(|end| end == "arpflux-new")).count()
    };
    let mut points = 0;
    for (at, call) in calls.iter().enumerate() {
        for fault in FAULTS {
            if matches!(fault, Fault::Short | Fault::Torn(_) | Fault::StopTorn) && *call != Call::Write {
                continue;
            }
            let mut kernel = reset();
            fault::arm(Some((at, fault)));
            let result = run(&mut fault::kernel(&mut kernel));
            fault::disarm();
            let point = format!("call {at} ({call:?}), {fault:?}: {result:?}");
            match &result {
                _ if dead(fault) => {}
                Ok(_) => assert!(state(&kernel) == end, "{point}: not as it should be afterwards"),
                Err(error) if error.kind() == ErrorKind::PartlyApplied => {}
                Err(_) => assert!(state(&kernel) == start, "{point}: not undone"),
            }
            recover(&mut kernel, &options, false).unwrap_or_else(|error| panic!("{point}: {error}"));
            let now = state(&kernel);
            assert!(now == start || now == end, "{point}: {:?}", now.1);
            assert_eq!(left_over(), 0, "{point}: a file is left half written");
            assert!(!scratch.journal_is_there(), "{point}");
            points += 1;
        }
    }
    // And so may each call of taking them back.
    let back = |kernel: &mut dyn Kernel| Transaction::new(kernel, &options).rollback(None, false);
    let done = || {
        let mut kernel = reset();
        run(&mut kernel).unwrap();
        kernel
    };
    let mut kernel = done();
    fault::arm(None);
    back(&mut fault::kernel(&mut kernel)).unwrap();
    let calls = fault::seen();
    fault::disarm();
    for (at, call) in calls.iter().enumerate() {
        for fault in [Fault::Error(EIO), Fault::ErrorAfter(ENOSPC), Fault::Stop, Fault::StopAfter] {
            let mut kernel = done();
            fault::arm(Some((at, fault)));
            let result = back(&mut fault::kernel(&mut kernel));
            fault::disarm();
            let point = format!("rollback, call {at} ({call:?}), {fault:?}: {result:?}");
            recover(&mut kernel, &options, false).unwrap_or_else(|error| panic!("{point}: {error}"));
            let now = state(&kernel);
            assert!(now == start || now == end, "{point}: {:?}", now.1);
            assert_eq!(left_over(), 0, "{point}: a file is left half written");
            points += 1;
        }
    }
    println!("{points} points");
    assert!(points >= 300, "{points}");

    // Taken back with the rest; what somebody else wrote meanwhile is left alone.
    let mut kernel = reset();
    run(&mut kernel).unwrap();
    Transaction::new(&mut kernel, &options).rollback(None, false).unwrap();
    assert!(state(&kernel) == start);
    run(&mut kernel).unwrap();
    std::fs::write(&changed, "mine\n").unwrap();
    let receipt = Transaction::new(&mut kernel, &options).rollback(None, false).unwrap();
    assert_eq!(receipt.conflicts.len(), 1);
    assert!(receipt.conflicts[0].object.ends_with("policy.toml"), "{:?}", receipt.conflicts);
    assert_eq!(std::fs::read_to_string(&changed).unwrap(), "mine\n");
    assert!(!made.exists());
    Transaction::new(&mut kernel, &options).rollback(None, true).unwrap();
    assert!(state(&kernel) == start);
}

/// The recovery itself is cut off, at every call, after a run that was cut off at every call.
#[test]
fn recovery_may_be_cut_off_too() {
    let scratch = Scratch::new("recovery");
    let options = scratch.options();
    let before = host();
    let plan = plans::plan(&before, "t", 5, &mut Random::new(99));
    let (start, end) = (comparable(&before), comparable(&before.with(&plan.changes)));
    let run = apply(&plan);
    let (mut points, mut undone) = (0, 0);
    for first in 0.. {
        scratch.clear();
        let mut kernel = FakeKernel::new(before.clone());
        fault::arm(Some((first, Fault::StopAfter)));
        let _ = run(&mut fault::kernel(&mut kernel), &options);
        let finished = fault::seen().len() <= first;
        fault::disarm();
        if finished {
            break;
        }
        let stopped = kernel.state().clone();
        let copy = scratch.0.with_extension("copy");
        let copied = |from: &Path, to: &Path| {
            let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status();
            assert!(status.is_ok_and(|status| status.success()), "cp -a {from:?} {to:?}");
        };
        let saved = scratch.0.exists();
        if saved {
            copied(&scratch.0, &copy);
        }
        for second in 0.. {
            scratch.clear();
            if saved {
                copied(&copy, &scratch.0);
            }
            let mut kernel = FakeKernel::new(stopped.clone());
            fault::arm(Some((second, Fault::Stop)));
            let _ = recover(&mut fault::kernel(&mut kernel), &options, false);
            let finished = fault::seen().len() <= second;
            fault::disarm();
            let recovered = recover(&mut kernel, &options, false).unwrap();
            undone += usize::from(recovered.undone.is_some_and(|receipt| receipt.outcome == Outcome::Undone));
            let now = comparable(kernel.state());
            assert!(now == start || now == end, "stopped after call {first}, then before call {second}");
            assert!(!scratch.journal_is_there());
            points += 1;
            if finished {
                break;
            }
        }
        let _ = std::fs::remove_dir_all(&copy);
    }
    println!("{points} points, {undone} of them undone by the second recovery");
    assert!(points >= 300 && undone >= 50, "{points} points, {undone} undone");
}
