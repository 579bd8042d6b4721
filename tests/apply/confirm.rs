//! Changes on trial: kept when confirmed, undone otherwise, whatever happens to whoever made them.
#![allow(missing_docs, reason = "a test")]

#[path = "../../arpflux-core/src/apply/tests/comparable.rs"]
mod comparable;
#[path = "../../arpflux-core/src/apply/tests/scratch.rs"]
mod scratch;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::time::{Duration, Instant};

use arpflux_core::apply::{Confirm, Options, Outcome};
use arpflux_core::plan::Plan;
use arpflux_core::snapshot::Snapshot;
use arpflux_core::state::{Change, Object, SysctlScope};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::types::Mac;
use arpflux_core::{ErrorKind, Host};
use arpflux_lab::{Host as Node, Lab};
use comparable::comparable;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use scratch::Scratch;

struct Bench {
    node: Node,
    host: Host,
    scratch: Scratch,
    start: Snapshot,
    _lab: Lab,
}

impl Bench {
    fn new(name: &str) -> Self {
        let lab = Lab::new().unwrap();
        let lan = lab.switch("lan").unwrap();
        let node = lab.host("hn").unwrap();
        for number in 0..2_u8 {
            node.plug(&lan, &format!("eth{number}"), Mac::ethernet([2, 0, 0, 0, 0, number])).unwrap();
        }
        let host = node.run(|| Host::current().unwrap()).unwrap();
        let start = host.snapshot().unwrap();
        Self { node, host, scratch: Scratch::new(&format!("confirm-{name}")), start, _lab: lab }
    }

    fn options(&self, seconds: u64) -> Options {
        self.scratch.options().confirm(Confirm::Within(Duration::from_secs(seconds)))
    }

    fn plan(&self) -> Plan {
        let change = |name: &str, sysctl, after| {
            let interface = self.start.interface_named(&name.parse().unwrap()).unwrap();
            let scope = SysctlScope::Interface { index: interface.index, name: interface.name };
            Change::set(Object::Sysctl { scope, sysctl }, interface.sysctls.get(sysctl).unwrap(), after)
        };
        let changes = vec![
            change("eth0", Sysctl::ArpIgnore, 1),
            change("eth1", Sysctl::ArpIgnore, 1),
            change("eth1", Sysctl::ArpAnnounce, 2),
        ];
        Plan::for_any_namespace().changes(changes)
    }

    fn is_as_before(&self) -> bool {
        comparable(&self.host.snapshot().unwrap()) == comparable(&self.start)
    }

    /// Waits until everything is as before; how long that took.
    fn undone_within(&self, limit: Duration) -> Option<Duration> {
        let begin = Instant::now();
        while begin.elapsed() < limit {
            if self.is_as_before() && !self.scratch.journal_is_there() {
                return Some(begin.elapsed());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        None
    }

    /// The processes that wait for a confirmation in this bench's namespace.
    fn watchers(&self) -> Vec<Pid> {
        let own = self.node.run(|| fs::metadata("/proc/thread-self/ns/net").unwrap().ino()).unwrap();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
            let comm = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            let netns = fs::metadata(entry.path().join("ns/net")).map(|data| data.ino());
            if comm.trim() == "arpflux-undo" && netns.is_ok_and(|netns| netns == own) {
                found.push(Pid::from_raw(pid));
            }
        }
        found
    }

    fn no_watcher_within(&self, limit: Duration) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < limit {
            if self.watchers().is_empty() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }
}

#[test]
fn confirmed_in_time_it_stays_and_nobody_waits_any_more() {
    let bench = Bench::new("kept");
    let applied = bench.host.apply(&bench.plan(), bench.options(30)).unwrap();
    assert_eq!((applied.outcome, applied.verified), (Outcome::Pending, 3));
    assert_eq!(bench.watchers().len(), 1);
    let waiting = bench.host.pending(&bench.options(30)).unwrap().unwrap();
    let left = waiting.remaining.unwrap();
    assert!(left > Duration::from_secs(25) && left <= Duration::from_secs(30), "{left:?}");
    let id = applied.id;
    let receipt = applied.confirm().unwrap();
    assert_eq!((receipt.id, receipt.outcome), (id, Outcome::Applied));
    assert!(bench.no_watcher_within(Duration::from_secs(2)), "{:?}", bench.watchers());
    assert!(!bench.is_as_before());
    assert!(bench.host.pending(&bench.options(30)).unwrap().is_none());
    // Once more, by number, is no error; without a number there is nothing to confirm.
    assert_eq!(bench.host.confirm(id, &bench.options(30)).unwrap().outcome, Outcome::Applied);
    assert_eq!(bench.host.confirm(None, &bench.options(30)).unwrap_err().kind(), ErrorKind::NotFound);
    bench.host.rollback(None, false, &bench.options(30)).unwrap();
    assert!(bench.is_as_before());
}

#[test]
fn dropped_without_confirmation_it_is_undone_at_once() {
    let bench = Bench::new("dropped");
    drop(bench.host.apply(&bench.plan(), bench.options(30)).unwrap());
    assert!(bench.is_as_before());
    assert!(bench.no_watcher_within(Duration::from_secs(2)));
    // A panic on the way is no different.
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _applied = bench.host.apply(&bench.plan(), bench.options(30)).unwrap();
        std::panic::resume_unwind(Box::new("the check failed"));
    }));
    assert!(result.is_err());
    assert!(bench.is_as_before());
}

#[test]
fn left_alone_it_is_undone_when_the_time_is_over_and_confirm_says_so() {
    let bench = Bench::new("late");
    let options = bench.options(1);
    let begin = Instant::now();
    let receipt = bench.host.apply(&bench.plan(), options.clone()).unwrap().leave();
    let made = begin.elapsed();
    assert_eq!(receipt.outcome, Outcome::Pending);
    std::thread::sleep(Duration::from_millis(700));
    assert!(!bench.is_as_before(), "undone too early");
    bench.undone_within(Duration::from_secs(5)).expect("not undone");
    let took = begin.elapsed();
    assert!(took >= Duration::from_secs(1) && took < made + Duration::from_secs(2), "{took:?}");
    assert!(bench.no_watcher_within(Duration::from_secs(2)));
    let error = bench.host.confirm(None, &options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RolledBack);
    assert!(error.remedy().unwrap().contains("no confirmation came in time"), "{error}");
    assert_eq!(bench.host.confirm(receipt.id, &options).unwrap_err().kind(), ErrorKind::RolledBack);
}

#[test]
fn nothing_else_is_changed_while_one_waits_and_rollback_ends_the_trial() {
    let bench = Bench::new("busy");
    let options = bench.options(30);
    let receipt = bench.host.apply(&bench.plan(), options.clone()).unwrap().leave();
    let error = bench.host.apply(&Plan::default(), options.clone()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.message().contains("still waits for its confirmation, for "), "{error}");
    assert!(bench.host.recover(false, &options).unwrap().pending.is_some());
    assert!(!bench.is_as_before());
    let back = bench.host.rollback(None, false, &options).unwrap();
    assert_eq!((back.id, back.outcome), (receipt.id, Outcome::Undone));
    assert!(bench.is_as_before());
    assert!(bench.no_watcher_within(Duration::from_secs(2)));
}

/// Runs `work` in a process of its own.
fn in_child(work: impl FnOnce()) -> Pid {
    // SAFETY: the child only runs `work`, which allocates and makes system calls, and leaves by _exit.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: nothing of the parent's is run.
            unsafe { nix::libc::_exit(i32::from(result.is_err())) }
        }
        ForkResult::Parent { child } => child,
    }
}

#[test]
fn the_caller_is_killed_while_it_waits() {
    let bench = Bench::new("killed");
    let options = bench.options(1);
    let plan = bench.plan();
    let child = in_child(|| {
        bench.host.apply(&plan, options.clone()).unwrap().leave();
        std::thread::sleep(Duration::from_secs(60));
    });
    let begin = Instant::now();
    while bench.host.pending(&options).unwrap().is_none() {
        assert!(begin.elapsed() < Duration::from_secs(5), "it was never made");
        std::thread::sleep(Duration::from_millis(5));
    }
    kill(child, Signal::SIGKILL).unwrap();
    assert!(matches!(waitpid(child, None).unwrap(), WaitStatus::Signaled(_, Signal::SIGKILL, _)));
    assert!(!bench.is_as_before());
    assert_eq!(bench.watchers().len(), 1);
    bench.undone_within(Duration::from_secs(5)).expect("not undone after the caller was killed");
    assert!(bench.no_watcher_within(Duration::from_secs(2)));
}

#[test]
fn a_polite_request_to_end_undoes_at_once() {
    let bench = Bench::new("term");
    bench.host.apply(&bench.plan(), bench.options(60)).unwrap().leave();
    let watchers = bench.watchers();
    assert_eq!(watchers.len(), 1);
    // A terminal that goes away does not matter to it.
    kill(watchers[0], Signal::SIGHUP).unwrap();
    kill(watchers[0], Signal::SIGINT).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert!(!bench.is_as_before());
    kill(watchers[0], Signal::SIGTERM).unwrap();
    bench.undone_within(Duration::from_secs(5)).expect("not undone");
    let error = bench.host.confirm(None, &bench.options(60)).unwrap_err();
    assert!(error.remedy().unwrap().contains("was told to end"), "{error}");
}

#[test]
fn if_even_the_waiting_process_is_killed_the_next_run_undoes_it() {
    let bench = Bench::new("orphan");
    let options = bench.options(1);
    bench.host.apply(&bench.plan(), options.clone()).unwrap().leave();
    for watcher in bench.watchers() {
        kill(watcher, Signal::SIGKILL).unwrap();
    }
    std::thread::sleep(Duration::from_millis(1100));
    assert!(!bench.is_as_before());
    let applied = bench.host.apply(&bench.plan(), scratch_options(&bench)).unwrap();
    assert!(applied.notes.iter().any(|note| note.contains("undone first")), "{:?}", applied.notes);
    applied.undo().unwrap();
    assert!(bench.is_as_before());
}

fn scratch_options(bench: &Bench) -> Options {
    bench.scratch.options()
}

#[test]
fn times_out_of_range_are_refused_before_anything_happens() {
    let bench = Bench::new("range");
    for time in [Duration::ZERO, Duration::from_millis(999), Duration::from_secs(86_401), Duration::MAX] {
        let options = bench.scratch.options().confirm(Confirm::Within(time));
        let error = bench.host.apply(&bench.plan(), options).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    assert!(!bench.scratch.0.exists());
    assert!(bench.is_as_before());
}
