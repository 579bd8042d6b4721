//! Others who change the namespace with arpflux, and a state folder that cannot be used: what is not their matter is kept.
#![allow(missing_docs, reason = "a test")]

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use arpflux_core::Policy;
use arpflux_core::apply;
use arpflux_core::judgement::Judgement;
use arpflux_core::watch::{Drift, Outcome, Watcher};
use arpflux_tests::iproute::ip;
use arpflux_tests::watched::{Node, POLICY, PROXIED, next, until, until_so};

fn wanted() -> Vec<(String, String)> {
    vec![(PROXIED.into(), "eth3".into())]
}

fn is_waiting(line: &Drift) -> bool {
    matches!(line.outcome, Outcome::Waiting { .. })
}

/// A process that has the lock of the node's namespace, until this is dropped.
struct Holder(Child);

impl Holder {
    fn new(node: &Node) -> Self {
        let folder = std::fs::read_dir(&node.state).unwrap().next().unwrap().unwrap().path();
        let lock = folder.join("lock");
        let begin =
            || Command::new("flock").args(["-F".as_ref(), lock.as_os_str()]).args(["sleep", "600"]).spawn();
        let holder = Self(begin().expect("flock, of util-linux"));
        let taken = || {
            let status = Command::new("flock").args(["-n".as_ref(), lock.as_os_str()]).arg("true").status();
            !status.unwrap().success()
        };
        while !taken() {
            std::thread::sleep(Duration::from_millis(5));
        }
        holder
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The lines until the policy is kept again.
fn kept_again(node: &Node, watcher: &mut Watcher) -> Vec<Drift> {
    let (mut lines, deadline) = (Vec::new(), Instant::now() + Duration::from_secs(30));
    while !node.is_kept() {
        assert!(Instant::now() < deadline, "{lines:#?}");
        lines.extend(watcher.wait(Some(Duration::from_millis(50))).unwrap());
    }
    lines
}

/// A value, an entry, a rule and a route drift.
fn drift(node: &Node) {
    node.hn.sysctl("net.ipv4.conf.eth0.arp_ignore", 0).unwrap();
    node.hn.proxy("eth0", PROXIED.parse().unwrap()).unwrap();
    node.hn.run(|| ip("rule flush protocol 175\nroute flush proto 175 table all")).unwrap();
}

#[test]
fn while_somebody_has_the_lock_all_is_put_right_and_that_is_told_once() {
    let node = Node::new("held");
    let mut watcher = node.at_rest();
    let receipts = || node.host.receipts(&apply::Options::default().state_dir(&node.state)).unwrap().len();
    let before = receipts();
    let holder = Holder::new(&node);
    drift(&node);
    let mut lines = kept_again(&node, &mut watcher);
    lines.extend(watcher.wait(Some(Duration::from_millis(300))).unwrap());
    assert_eq!(lines.iter().filter(|line| is_waiting(line)).count(), 1, "{lines:#?}");
    assert!(lines.iter().any(|line| line.outcome == Outcome::Healed), "{lines:#?}");
    // Once it is known that it takes long, nothing waits for it any more.
    for _ in 0..3 {
        drift(&node);
        let begun = Instant::now();
        let lines = kept_again(&node, &mut watcher);
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert!(!lines.iter().any(is_waiting), "{lines:#?}");
    }
    let lines = watcher.wait(Some(Duration::from_secs(2))).unwrap();
    assert!(lines.iter().all(|line| line.outcome == Outcome::Healed), "{lines:#?}");
    let status = watcher.status();
    assert_eq!((status.waits, status.ok_since_ms, status.open.len()), (1, None, 1), "{status:#?}");
    assert!(status.metrics().lines().any(|line| line == "arpflux_watch_waits_total 1"));
    // Nothing is left to put right: that somebody is in the way makes no policy unkept.
    until_so(&mut watcher, "it is judged", |watcher| watcher.judgement() == Judgement::Good);
    drop(holder);
    until(&mut watcher, |line| line.outcome == Outcome::Recovered);
    until_so(&mut watcher, "all is well", |watcher| watcher.status().ok_since_ms.is_some());
    assert!(watcher.status().open.is_empty());
    // Nothing was written while somebody else had the right to.
    assert_eq!(receipts(), before);
    node.hn.run(|| ip("rule flush protocol 175")).unwrap();
    kept_again(&node, &mut watcher);
    until_so(&mut watcher, "it is recorded", |_| receipts() > before);
}

/// Runs that have it for a moment are no reason to do without it.
#[test]
fn short_runs_are_waited_for() {
    let node = Node::new("short");
    let mut watcher = node.at_rest();
    for _ in 0..4 {
        let holder = Holder::new(&node);
        node.hn.sysctl("net.ipv4.conf.eth0.arp_ignore", 0).unwrap();
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(500) {
            let lines = watcher.wait(Some(Duration::from_millis(50))).unwrap();
            assert_eq!(lines, []);
        }
        assert_eq!(node.hn.read_sysctl("net.ipv4.conf.eth0.arp_ignore").unwrap(), "0");
        drop(holder);
        assert!(kept_again(&node, &mut watcher).iter().all(|line| line.outcome == Outcome::Healed));
        until_so(&mut watcher, "all is well", |watcher| watcher.status().ok_since_ms.is_some());
    }
    assert_eq!(watcher.status().waits, 0);
}

#[test]
fn what_somebody_tries_out_is_his_and_all_else_is_kept() {
    let node = Node::new("lock");
    let mut watcher = node.at_rest();
    // A transaction that waits for its confirmation owns the namespace.
    let policy = Policy::from_toml(&POLICY.replace("eth3\"\n", "eth4\"\n"), "other.toml").unwrap();
    let options =
        apply::Options::from(apply::Confirm::Within(Duration::from_secs(60))).state_dir(&node.state);
    let plan = policy.plan(&node.host.snapshot().unwrap()).unwrap();
    assert!(!plan.is_empty());
    let receipt = node.host.apply(&plan, options.clone()).unwrap().leave();
    // Told once, when it takes longer than a moment.
    let waiting = next(&mut watcher);
    assert!(is_waiting(&waiting), "{waiting}");
    let number = format!("transaction {}", receipt.id.unwrap());
    assert!(waiting.to_string().contains(&number), "{waiting}");
    for _ in 0..4 {
        assert_eq!(watcher.wait(Some(Duration::from_millis(300))).unwrap(), []);
    }
    assert_eq!(watcher.status().waits, 1);
    // What it is not about is kept meanwhile, and what it is about is left alone.
    node.hn.sysctl("net.ipv4.conf.eth0.arp_ignore", 0).unwrap();
    let kept = || node.hn.read_sysctl("net.ipv4.conf.eth0.arp_ignore").unwrap() == "1";
    until_so(&mut watcher, "it is put right", |_| kept());
    assert_eq!(node.proxies(), [(PROXIED.to_owned(), "eth4".to_owned())]);
    // Found by a look, of which no event tells.
    let unseen = "echo 0 >/proc/sys/net/ipv4/conf/eth0/arp_ignore";
    let write =
        || Command::new("unshare").args(["--pid", "--fork", "--mount-proc", "sh", "-c", unseen]).status();
    assert!(node.hn.run(write).unwrap().unwrap().success());
    until_so(&mut watcher, "it is put right, too", |_| kept());
    assert_eq!(node.proxies(), [(PROXIED.to_owned(), "eth4".to_owned())]);
    assert_eq!((watcher.status().waits, watcher.judgement()), (1, Judgement::Bad));
    node.host.rollback(receipt.id, false, &options).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while node.proxies() != wanted() {
        watcher.wait(Some(Duration::from_millis(100))).unwrap();
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn a_second_watch_that_heals_is_told_of_the_first() {
    let node = Node::new("two");
    let (mut first, mut second) = (node.watcher(true), node.watcher(true));
    assert_eq!(first.other().unwrap(), None);
    let other = second.other().unwrap().unwrap();
    assert!(other.contains(&format!("process {}", std::process::id())), "{other}");
    drop(first);
    assert_eq!(second.other().unwrap(), None);
}

/// The lines that say that something is contested, once somebody has undone what is to be kept often enough.
fn contested(node: &Node, watcher: &mut Watcher, mut undo: impl FnMut()) -> Vec<(Option<String>, usize)> {
    for _ in 0..40 {
        undo();
        let by = |line: Drift| match line.outcome {
            Outcome::Contested { by } => Some((by, line.count)),
            _ => None,
        };
        let told: Vec<_> = kept_again(node, watcher).into_iter().filter_map(by).collect();
        if !told.is_empty() {
            return told;
        }
    }
    panic!("nothing is contested");
}

#[test]
fn another_arpflux_that_undoes_it_again_and_again_is_named() {
    let node = Node::new("receipts");
    let mut watcher = node.at_rest();
    let options = apply::Options::default().state_dir(&node.state);
    // A person, or cron.
    let other = Policy::from_toml(&POLICY.replace("eth3\"\n", "eth4\"\n"), "other.toml").unwrap();
    let told = contested(&node, &mut watcher, || {
        let plan = other.plan(&node.host.snapshot().unwrap()).unwrap();
        let _ = node.host.apply(&plan, &options).unwrap().leave();
    });
    let receipts = node.host.receipts(&options).unwrap();
    let last = receipts.iter().rev().find(|one| one.by == apply::Maker::Person).unwrap();
    let by = format!("transaction {} of `{}`", last.id.unwrap(), last.command);
    assert!(told.iter().all(|(known, _)| known.as_deref() == Some(&by)), "{told:?}, not {by}");
    // Who keeps no record here is known by what runs, if at all; rules that go together are told together.
    let rules = || node.hn.run(|| ip("rule flush protocol 175")).unwrap();
    let told = contested(&node, &mut watcher, rules);
    let own = node.host.snapshot().unwrap().rules.iter().filter(|rule| rule.protocol == 175).count();
    let most = told.iter().map(|(_, count)| *count).max().unwrap();
    // One of them may have been put back in two steps once.
    assert!(told.len() <= 2 && most >= own - 1, "{told:?}, {own} rules");
    assert!(!told[0].0.as_ref().is_some_and(|by| by.contains("transaction")), "{told:?}");
}

#[test]
fn a_state_folder_that_cannot_be_used_keeps_nothing_from_being_put_right() {
    use std::os::unix::fs::PermissionsExt as _;
    let node = Node::new("folder");
    let mut watcher = node.at_rest();
    let mode = |mode| std::fs::set_permissions(&node.state, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o777);
    node.hn.sysctl("net.ipv4.conf.eth3.arp_ignore", 0).unwrap();
    let lines = until(&mut watcher, |line| matches!(line.outcome, Outcome::Unrecorded { .. }));
    assert!(lines.iter().any(|line| line.outcome == Outcome::Healed), "{lines:#?}");
    assert_eq!(node.hn.read_sysctl("net.ipv4.conf.eth3.arp_ignore").unwrap(), "1");
    assert_eq!(watcher.status().open.len(), 1);
    // What takes a transaction as well.
    node.hn.run(|| ip("rule flush")).unwrap();
    until(&mut watcher, |line| line.outcome == Outcome::Healed);
    assert!(node.is_kept());
    mode(0o700);
    node.hn.sysctl("net.ipv4.conf.eth3.arp_ignore", 0).unwrap();
    until(&mut watcher, |line| line.outcome == Outcome::Recovered);
    assert!(watcher.status().open.is_empty());
}
