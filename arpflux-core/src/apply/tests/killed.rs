//! On the running kernel: every system call and every change of a transaction fails once, or is the process's last.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use super::comparable::comparable;
use super::plans;
use super::random::Random;
use super::scratch::Scratch;
use super::*;
use crate::apply::fault::{Call, Fault};
use crate::kernel::testing::in_new_netns;
use crate::kernel::{Kernel, LinuxKernel};
use crate::snapshot::{Interface, InterfaceFlags};

/// A host with three interfaces, two that are down, and a few entries of somebody else's.
fn on_a_host<R: Send>(work: impl FnOnce(&mut LinuxKernel) -> R + Send) -> R {
    in_new_netns(|| {
        // Addresses that come by themselves come when they like.
        let _ = fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
        let ip = |words: &str| {
            let status = Command::new("ip").args(words.split(' ')).status().unwrap();
            assert!(status.success(), "ip {words}");
        };
        for number in 0..3 {
            ip(&format!(
                "link add eth{number} address 02:00:00:00:00:0{number} type veth peer name p{number} address \
                 02:00:00:00:01:0{number}"
            ));
            ip(&format!("link set p{number} up"));
            ip(&format!("link set eth{number} up"));
            ip(&format!("addr add 192.168.18.1{number}/24 dev eth{number}"));
        }
        ip("link add idle0 type veth peer name idle1");
        ip("neigh add proxy 192.0.2.77 dev eth0");
        fs::write("/proc/sys/net/ipv4/conf/eth1/arp_ignore", "2").unwrap();
        let mut kernel = LinuxKernel::open().unwrap();
        // The kernel's link watcher says it some time after the carrier came.
        let is_up = |interface: &Interface| {
            let name = interface.name.to_string();
            name == "lo" || name.starts_with("idle") || interface.flags.contains(InterfaceFlags::RUNNING)
        };
        while !kernel.interfaces().unwrap().iter().all(is_up) {
            std::thread::sleep(Duration::from_millis(1));
        }
        work(&mut kernel)
    })
}

fn now(kernel: &mut LinuxKernel) -> Snapshot {
    comparable(&kernel.snapshot().unwrap())
}

/// A random plan, and values of interfaces that are down.
fn plan(snapshot: &Snapshot, count: usize, seed: u64) -> Plan {
    let mut plan = plans::plan(snapshot, "eth", count, &mut Random::new(seed));
    for name in ["idle0", "idle1"] {
        let interface = snapshot.interface_named(&name.parse().unwrap()).unwrap();
        let scope = SysctlScope::Interface { index: interface.index, name: interface.name };
        for sysctl in [Sysctl::ArpIgnore, Sysctl::ArpFilter] {
            let before = interface.sysctls.get(sysctl).unwrap();
            plan.changes.push(Change::set(Object::Sysctl { scope, sysctl }, before, 1));
        }
    }
    plan
}

/// Runs `work` in a process of its own; how that ended.
fn in_child(work: impl FnOnce()) -> WaitStatus {
    // SAFETY: the child only runs `work`, which allocates and makes system calls, and leaves by _exit.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: nothing of the parent's is run.
            unsafe { nix::libc::_exit(i32::from(result.is_err())) }
        }
        ForkResult::Parent { child } => waitpid(child, None).unwrap(),
    }
}

#[test]
fn a_thousand_faults_end_in_the_state_before_or_after() {
    const FAULTS: [Fault; 6] = [
        Fault::Error(5),
        Fault::ErrorAfter(28),
        Fault::Torn(28),
        Fault::Stop,
        Fault::StopAfter,
        Fault::StopTorn,
    ];
    let scratch = Scratch::new("live-faults");
    let options = scratch.options();
    let (points, changes, undone) = on_a_host(|kernel| {
        let (mut points, mut changes, mut undone) = (0, 0, 0);
        for seed in 0..8 {
            let start = kernel.snapshot().unwrap();
            let plan = plan(&start, 4, 1000 + seed);
            let before = comparable(&start);
            let run = |kernel: &mut LinuxKernel| {
                Transaction::new(&mut fault::kernel(kernel), &options).apply(&plan)
            };
            // Once without faults: how many calls there are, and what the state afterwards is.
            scratch.clear();
            fault::arm(None);
            run(kernel).unwrap();
            let calls = fault::seen();
            fault::disarm();
            let after = now(kernel);
            assert_ne!(before, after);
            let back = |kernel: &mut LinuxKernel| {
                kernel.make(&plan.inverse().changes).unwrap();
                assert!(now(kernel) == before, "the inverse is not exact");
            };
            back(kernel);
            for (at, call) in calls.iter().enumerate() {
                for fault in FAULTS {
                    if matches!(fault, Fault::Torn(_) | Fault::StopTorn) && *call != Call::Write {
                        continue;
                    }
                    scratch.clear();
                    fault::arm(Some((at, fault)));
                    let result = run(kernel);
                    fault::disarm();
                    let dead = faults::dead(fault);
                    let point = format!("seed {seed}, call {at} ({call:?}), {fault:?}: {result:?}");
                    if let (Err(error), false) = (&result, dead)
                        && error.kind() != ErrorKind::PartlyApplied
                    {
                        assert!(now(kernel) == before, "{point}: not undone");
                    }
                    let recovered = recover(kernel, &options, false);
                    let recovered = recovered.unwrap_or_else(|error| panic!("{point}: {error}"));
                    undone += usize::from(recovered.undone.is_some());
                    let found = now(kernel);
                    assert!(found == before || found == after, "{point}: neither before nor after");
                    if result.is_ok() && !dead {
                        assert!(found == after, "{point}: undone although it was reported as done");
                    }
                    assert!(!scratch.journal_is_there(), "{point}: a journal is left");
                    if found == after {
                        back(kernel);
                    }
                    points += 1;
                    changes += usize::from(*call == Call::Change);
                }
            }
        }
        (points, changes, undone)
    });
    println!("{points} points on the running kernel, {changes} at changes, {undone} recovered by undoing");
    assert!(points >= 1_000 && changes >= 100 && undone >= 100, "{points}, {changes}, {undone}");
}

#[test]
fn really_killed_at_every_call() {
    let scratch = Scratch::new("live-kills");
    let options = scratch.options();
    let (kills, ends) = on_a_host(|kernel| {
        let start = kernel.snapshot().unwrap();
        let before = comparable(&start);
        let plan = plan(&start, 8, 7);
        let (mut kills, mut ends) = (0, [0, 0]);
        let mut after = None;
        for at in 0.. {
            for fault in [Fault::Kill, Fault::KillAfter] {
                scratch.clear();
                let status = in_child(|| {
                    fault::arm(Some((at, fault)));
                    let mut kernel = LinuxKernel::open().unwrap();
                    Transaction::new(&mut fault::kernel(&mut kernel), &options).apply(&plan).unwrap();
                });
                let killed = match status {
                    WaitStatus::Signaled(_, Signal::SIGKILL, _) => true,
                    WaitStatus::Exited(_, 0) => false,
                    other => panic!("{other:?}"),
                };
                if !killed {
                    assert!(after.is_some_and(|after| after == now(kernel)), "the whole run");
                    return (kills, ends);
                }
                kills += 1;
                recover(kernel, &options, false).unwrap();
                let found = now(kernel);
                if found == before {
                    ends[0] += 1;
                } else {
                    // Only a run that has said so in the journal stands: the last calls of all.
                    assert!(after.as_ref().is_none_or(|after| *after == found), "call {at}, {fault:?}");
                    after = Some(found);
                    ends[1] += 1;
                    Transaction::new(kernel, &options).rollback(None, false).unwrap();
                    assert!(now(kernel) == before, "call {at}, {fault:?}: rollback");
                }
                assert!(!scratch.journal_is_there());
            }
        }
        unreachable!("the loop ends with a run that is not killed")
    });
    println!("{kills} real kills: {} ended in the state before, {} after", ends[0], ends[1]);
    assert!(kills >= 60 && ends[0] >= 50 && ends[1] >= 3, "{kills}, {ends:?}");
}

/// How many processes wait for a confirmation in this thread's namespace.
fn waiting() -> usize {
    let own = fs::metadata("/proc/thread-self/ns/net").unwrap().ino();
    let waits = |process: fs::DirEntry| {
        let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
        let netns = fs::metadata(process.path().join("ns/net")).map(|data| data.ino());
        name.trim() == "arpflux-undo" && netns.is_ok_and(|netns| netns == own)
    };
    fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|process| process.path().join("comm").exists())
        .filter_map(|process| waits(process).then_some(()))
        .count()
}

#[test]
fn what_waits_for_a_confirmation_undoes_what_its_caller_left_when_it_was_killed() {
    let scratch = Scratch::new("half");
    let options = Options { confirm: Confirm::Within(Duration::from_secs(1)), ..scratch.options() };
    let (kills, undone) = on_a_host(|kernel| {
        let start = kernel.snapshot().unwrap();
        let before = comparable(&start);
        let plan = plan(&start, 1, 3);
        let (mut kills, mut undone) = (0, 0);
        for at in 0.. {
            scratch.clear();
            let status = in_child(|| {
                fault::arm(Some((at, Fault::KillAfter)));
                let reopen = || Ok(Box::new(LinuxKernel::open()?) as Box<dyn Kernel>);
                let mut kernel = LinuxKernel::open().unwrap();
                Transaction::new(&mut fault::kernel(&mut kernel), &options)
                    .reopen(Reopen::new(&reopen, &[]))
                    .apply(&plan)
                    .unwrap();
            });
            // Nobody calls recover: the process that waits does it. If it was not started yet, nothing was made.
            let begun = Instant::now();
            while waiting() > 0 || now(kernel) != before {
                let waiting = waiting();
                assert!(
                    begun.elapsed() < Duration::from_secs(30),
                    "killed after call {at}: {waiting} wait, not undone"
                );
                std::thread::sleep(Duration::from_millis(10));
            }
            let netns = kernel.identity().unwrap();
            if let Some(folder) = store::Folder::look(Some(&scratch.0), &netns).unwrap() {
                let receipts = crate::apply::history::all(&folder, &netns).unwrap();
                undone += receipts.iter().filter(|receipt| receipt.reason.is_some()).count();
            }
            if !matches!(status, WaitStatus::Signaled(_, Signal::SIGKILL, _)) {
                break;
            }
            kills += 1;
        }
        (kills, undone)
    });
    println!("{kills} kills, {undone} of them undone by the process that waits");
    assert!(kills >= 25 && undone >= 6, "{kills} kills, {undone} undone");
}
