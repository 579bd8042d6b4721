//! What is published for containers and no policy names: a watch keeps it like the policy, as `verify` and `vz status`
//! judge it.
#![allow(missing_docs, reason = "a test")]

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arpflux_core::judgement::Judgement;
use arpflux_core::vz::{self, Call, Places, Standing};
use arpflux_core::watch::{Outcome, Watcher};
use arpflux_core::{Policy, apply};
use arpflux_tests::iproute::ip;
use arpflux_tests::watched::{Node, PROXIED, until, until_so};

/// Nothing but the cards.
const POLICY: &str = "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\nstrategy = \"strict\"\n\
                      announce = false\n";

fn policy() -> Policy {
    Policy::from_toml(POLICY, "policy.toml").unwrap()
}

/// A node with a container, whose address is published on eth3.
struct Published {
    node: Node,
    vz: vz::Node,
}

impl Published {
    fn new(name: &str) -> Self {
        let node = Node::new(name);
        node.hn.sysctl("net.ipv4.ip_forward", 1).unwrap();
        node.hn
            .run(|| ip("link add venet0 type veth peer name ve101\nlink set venet0 up\nlink set ve101 up"))
            .unwrap();
        let file = node.state.join("policy.toml");
        std::fs::write(&file, POLICY).unwrap();
        let places =
            Places { policy: file, global: node.state.join("vz.conf"), containers: node.state.join("conf") };
        let options = apply::Options::default().state_dir(&node.state);
        let vz = vz::Node::new(node.host.clone(), options, places);
        let published = Self { node, vz };
        published.route("add");
        published.publish();
        published
    }

    fn route(&self, word: &str) {
        self.node.hn.run(|| ip(&format!("route {word} {PROXIED}/32 dev venet0"))).unwrap();
    }

    fn publish(&self) {
        let call = Call {
            veid: Some("101".parse().unwrap()),
            addresses: vec![PROXIED.parse().unwrap()],
            all: true,
            interface: Some("eth3".parse().unwrap()),
        };
        self.vz.publish(&call, false).unwrap();
    }

    fn watcher(&self, heal: bool) -> Watcher {
        let mut watcher = self.node.watcher_of(&policy(), heal);
        until_so(&mut watcher, "it has looked", |watcher| {
            watcher.status().looks > 0 && watcher.status().judgement.is_some()
        });
        watcher
    }

    fn all_right(&self) -> bool {
        Standing::all_right(&self.vz.standing().unwrap()).unwrap()
    }

    fn verified(&self) -> Judgement {
        let options = apply::Options::default().state_dir(&self.node.state);
        self.node.host.verify(&policy(), None, &options).unwrap().report.judgement()
    }

    fn table(&self) -> u32 {
        self.table_of_rule().unwrap()
    }

    fn table_of_rule(&self) -> Option<u32> {
        let snapshot = self.node.host.snapshot().unwrap();
        let of = |rule: &&arpflux_core::snapshot::Rule| {
            rule.table != 254
                && rule.source.is_some_and(|net| net.addr() == PROXIED.parse::<IpAddr>().unwrap())
        };
        snapshot.rules.iter().find(of).map(|rule| rule.table)
    }
}

/// What of it goes, one by one.
fn losses(published: &Published) -> Vec<(&'static str, String)> {
    let table = published.table();
    vec![
        ("rule", format!("rule del from {PROXIED} lookup {table}")),
        ("entry", format!("neigh del proxy {PROXIED} dev eth3")),
        ("route", format!("route flush table {table}")),
        ("both", format!("rule del from {PROXIED} lookup {table}\nneigh del proxy {PROXIED} dev eth3")),
        ("card", "link set eth3 down\nlink set eth3 up".to_owned()),
        ("elsewhere", format!("neigh add proxy {PROXIED} dev eth4")),
    ]
}

#[test]
fn what_is_lost_of_it_is_put_back() {
    let published = Published::new("kept");
    let mut watcher = published.watcher(true);
    assert!(published.all_right());
    for (what, loss) in losses(&published) {
        published.node.hn.run(|| ip(&loss)).unwrap();
        let begun = Instant::now();
        let lines = until(&mut watcher, |line| line.outcome == Outcome::Healed);
        until_so(&mut watcher, what, |_| published.all_right() && published.verified() == Judgement::Good);
        assert!(begun.elapsed() < Duration::from_secs(5), "{what}: {:?}", begun.elapsed());
        assert!(lines.iter().all(|line| line.outcome == Outcome::Healed), "{what}: {lines:#?}");
        until_so(&mut watcher, what, |watcher| watcher.status().ok_since_ms.is_some());
    }
    // Its way comes from others: without it nothing answers for the container, and with it again all is as before.
    published.route("del");
    let entries = || published.node.proxies().len();
    until_so(&mut watcher, "it is withdrawn", |_| entries() == 0 && published.all_right());
    published.route("add");
    until_so(&mut watcher, "it is published again", |_| entries() == 1 && published.all_right());
    until_so(&mut watcher, "all is well", |watcher| watcher.status().ok_since_ms.is_some());
}

#[test]
fn without_heal_it_is_told_and_over_when_somebody_puts_it_back() {
    let published = Published::new("told");
    // The cards as the policy says.
    let mut watcher = published.watcher(true);
    until_so(&mut watcher, "all is well", |watcher| watcher.status().ok_since_ms.is_some());
    drop(watcher);
    let mut watcher = published.watcher(false);
    assert_eq!(watcher.judgement(), Judgement::Good);
    for (what, loss) in losses(&published) {
        published.node.hn.run(|| ip(&loss)).unwrap();
        until(&mut watcher, |line| line.outcome == Outcome::Reported && !line.changes.is_empty());
        assert_eq!((watcher.judgement(), published.verified()), (Judgement::Bad, Judgement::Bad), "{what}");
        assert!(!published.all_right(), "{what}");
        published.vz.sync().unwrap();
        until(&mut watcher, |line| line.outcome == Outcome::Recovered);
        until_so(&mut watcher, what, |watcher| watcher.status().ok_since_ms.is_some());
        assert_eq!((watcher.judgement(), published.verified()), (Judgement::Good, Judgement::Good), "{what}");
    }
}

#[test]
fn what_nothing_can_put_back_is_told() {
    let published = Published::new("silent");
    let mut watcher = published.watcher(true);
    until_so(&mut watcher, "all is well", |watcher| watcher.status().ok_since_ms.is_some());
    // Of the container alone.
    let rule = format!("rule add pref 10 to {PROXIED} blackhole");
    published.node.hn.run(|| ip(&rule)).unwrap();
    let lines = until(&mut watcher, |line| matches!(line.outcome, Outcome::Misanswered { .. }));
    let line = lines.last().unwrap().to_string();
    assert!(line.contains(&format!("{PROXIED} of container 101 on eth3")), "{line}");
    assert_eq!((watcher.judgement(), published.verified()), (Judgement::Bad, Judgement::Bad));
    assert!(!published.all_right());
    published.node.hn.run(|| ip(&rule.replace("add", "del"))).unwrap();
    until(&mut watcher, |line| line.outcome == Outcome::Recovered);
}

#[test]
fn a_registry_that_cannot_be_read_is_told_and_all_goes_on_as_it_was() {
    let published = Published::new("damaged");
    let mut watcher = published.watcher(true);
    until_so(&mut watcher, "all is well", |watcher| watcher.status().ok_since_ms.is_some());
    let path = published.vz.registry_path().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, "version = 1\n[[proxy]]\n").unwrap();
    published.node.hn.run(|| ip(&format!("rule del from {PROXIED}"))).unwrap();
    let lines = until(&mut watcher, |line| matches!(line.outcome, Outcome::Undetermined { .. }));
    assert!(lines.iter().all(|line| !matches!(line.outcome, Outcome::Failed { .. })), "{lines:#?}");
    until_so(&mut watcher, "the rule is back", |_| published.table_of_rule().is_some());
    assert!(matches!(watcher.judgement(), Judgement::Undetermined { .. }));
    std::fs::write(&path, text).unwrap();
    assert!(published.all_right());
    published.node.hn.run(|| ip(&format!("rule del from {PROXIED}"))).unwrap();
    until(&mut watcher, |line| line.outcome == Outcome::Recovered);
}

/// Nothing that serves a container is taken from it; that the policy forbids it is told, as `verify` does.
#[test]
fn a_policy_that_removes_what_it_does_not_name_contradicts_it_and_nothing_is_taken() {
    let published = Published::new("remove");
    let policy =
        Policy::from_toml(&format!("{POLICY}foreign_proxies = \"remove\"\n"), "policy.toml").unwrap();
    let mut watcher = published.node.watcher_of(&policy, true);
    until(&mut watcher, |line| matches!(line.outcome, Outcome::Misanswered { .. }));
    published.node.hn.run(|| ip(&format!("rule del from {PROXIED}"))).unwrap();
    until(&mut watcher, |line| line.outcome == Outcome::Healed);
    until_so(&mut watcher, "all is there", |_| published.all_right());
    let options = apply::Options::default().state_dir(&published.node.state);
    let verified = published.node.host.verify(&policy, None, &options).unwrap().report;
    assert_eq!((watcher.judgement(), verified.judgement()), (Judgement::Bad, Judgement::Bad));
}

struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Containers start and stop beside a watch, and something is lost each time just before.
#[test]
fn what_is_withdrawn_does_not_come_back() {
    let published = Published::new("stops");
    let mut watcher = published.watcher(true);
    until_so(&mut watcher, "all is well", |watcher| watcher.status().ok_since_ms.is_some());
    let done = AtomicBool::new(false);
    let mut lines = Vec::new();
    std::thread::scope(|scope| {
        // Also where something is not as it should be.
        let _end = Ends(&done);
        let watching = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                lines.extend(watcher.wait(Some(Duration::from_millis(20))).unwrap());
            }
        });
        for turn in 0..40_u64 {
            let loss = losses(&published).swap_remove(usize::try_from(turn % 4).unwrap()).1;
            published.node.hn.run(|| ip(&loss)).unwrap();
            std::thread::sleep(Duration::from_millis(turn % 8 * 3));
            published.vz.withdraw(Some(&"101".parse().unwrap()), None).unwrap();
            let left = |at: &str| {
                let address: IpAddr = PROXIED.parse().unwrap();
                let snapshot = published.node.host.snapshot().unwrap();
                assert!(!snapshot.proxies.iter().any(|entry| entry.address == address), "{at}, turn {turn}");
                let ruled =
                    snapshot.rules.iter().filter_map(|rule| rule.source).any(|net| net.addr() == address);
                assert!(!ruled, "{at}, turn {turn}");
            };
            left("at once");
            std::thread::sleep(Duration::from_millis(60));
            left("a little later");
            published.publish();
        }
        done.store(true, Ordering::Relaxed);
        watching.join().unwrap();
    });
    assert!(lines.iter().any(|line| line.outcome == Outcome::Healed), "{lines:#?}");
    let bad = |line: &&arpflux_core::watch::Drift| {
        matches!(line.outcome, Outcome::Failed { .. } | Outcome::Misanswered { .. })
    };
    assert_eq!(lines.iter().filter(bad).count(), 0, "{lines:#?}");
}
