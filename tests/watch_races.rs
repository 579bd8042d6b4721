//! What drifts while the watch is at something: nothing is lost, though the regular look is too far off to help.
#![allow(missing_docs, reason = "a test")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arpflux_core::watch::{Cause, Options, Watcher};
use arpflux_core::{Policy, apply};
use arpflux_tests::iproute::ip;
use arpflux_tests::watched::{Node, next};

/// Cards beside the three of a [`Node`].
const MORE: u8 = 7;
/// The regular look comes after a minute; busy machines are slow.
const SOON: Duration = Duration::from_secs(10);

fn cards() -> Vec<String> {
    let more = (0..MORE).map(|card| format!("c{card}"));
    ["eth0", "eth3", "eth4"].map(str::to_owned).into_iter().chain(more).collect()
}

/// A node with ten cards of one subnet, and the policy of all.
fn node(name: &str) -> (Node, Policy) {
    let node = Node::new(name);
    for card in 0..MORE {
        let name = format!("c{card}");
        node.hn.plug(&node.lan, &name, format!("02:00:00:00:01:{card:02x}").parse().unwrap()).unwrap();
        node.hn.address(&name, &format!("192.168.18.{}/24", 20 + card)).unwrap();
    }
    let text = format!("version = 1\n[host]\nannounce = false\ninterfaces = {:?}\n", cards());
    (node, Policy::from_toml(&text, "policy.toml").unwrap())
}

/// The priorities of the rules of single sources.
fn rules(node: &Node) -> Vec<(u32, String)> {
    let rules = node.host.snapshot().unwrap().rules;
    let own = rules.iter().filter(|rule| rule.protocol == 175);
    own.filter_map(|rule| Some((rule.priority, rule.source?.addr().to_string()))).collect()
}

fn delete_rule(node: &Node, (priority, source): &(u32, String)) {
    node.hn.run(|| ip(&format!("rule del pref {priority} from {source}"))).unwrap();
}

fn write(node: &Node, card: &str) {
    node.hn.sysctl(&format!("net/ipv4/conf/{card}/arp_ignore"), 0).unwrap();
}

#[test]
fn nothing_that_drifts_in_quick_succession_is_lost() {
    let (node, policy) = node("races");
    let is_kept = || {
        let snapshot = node.host.snapshot();
        snapshot.is_ok_and(|snapshot| policy.plan(&snapshot).is_ok_and(|plan| plan.is_empty()))
    };
    let settled = |what: &str| {
        let begun = Instant::now();
        loop {
            let looked = begun.elapsed();
            if is_kept() {
                return looked;
            }
            assert!(looked < SOON, "{what}: lost");
            std::thread::sleep(Duration::from_millis(1));
        }
    };
    let over = AtomicBool::new(false);
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let (mut took, mut alone) = (Vec::new(), Vec::new());
    let status = std::thread::scope(|scope| {
        let end = End(&over);
        let watching = scope.spawn(|| {
            let options = Options::default().heal(true).look(Duration::from_secs(60));
            let options = options.apply(apply::Options::default().state_dir(&node.state));
            let mut watcher = Watcher::new(&node.host, policy.clone(), options).unwrap();
            while !over.load(Ordering::Relaxed) {
                watcher.wait(Some(Duration::from_millis(50))).unwrap();
            }
            watcher.status()
        });
        settled("the start");
        let (rules, cards) = (rules(&node), cards());
        assert!(rules.len() >= cards.len(), "{rules:?}");
        for round in 0..6 {
            // Of each round another one, or it would be a fight.
            let (rule, other, card) = (&rules[round], &rules[9 - round % 4], &cards[round]);
            let pause = || std::thread::sleep(Duration::from_millis(2 + 2 * round as u64));
            let races: [(&str, &dyn Fn()); 6] = [
                ("a value during the repair of a rule", &|| {
                    delete_rule(&node, rule);
                    pause();
                    write(&node, card);
                }),
                ("a rule during the repair of another", &|| {
                    delete_rule(&node, rule);
                    pause();
                    delete_rule(&node, other);
                }),
                ("a rule and a value together", &|| {
                    delete_rule(&node, rule);
                    write(&node, card);
                }),
                ("down and up", &|| {
                    let lines = format!("link set {card} down\nlink set {card} up");
                    node.hn.run(move || ip(&lines)).unwrap();
                }),
                ("all rules", &|| node.hn.run(|| ip("rule flush protocol 175")).unwrap()),
                ("all rules, and a value during the repair", &|| {
                    node.hn.run(|| ip("rule flush protocol 175")).unwrap();
                    pause();
                    write(&node, card);
                }),
            ];
            delete_rule(&node, other);
            alone.push(settled("one rule"));
            for (what, race) in races {
                race();
                took.push(settled(what));
                // The look after the repair counts, too: what comes then is another race.
                std::thread::sleep(Duration::from_millis(10 * round as u64));
            }
        }
        drop(end);
        watching.join().unwrap()
    });
    took.sort();
    alone.sort();
    let (median, alone) = (took[took.len() / 2], alone[alone.len() / 2]);
    println!(
        "kept again after the last of it: median {median:?}, worst {:?}; alone {alone:?}",
        took[took.len() - 1]
    );
    assert_eq!(status.failed, 0, "{status:#?}");
}

/// What comes before the look that follows a repair is told as what it was noticed by.
#[test]
fn what_drifts_just_after_a_repair_is_no_find_of_the_regular_look() {
    let node = Node::new("after");
    let mut watcher = node.at_rest();
    let flush = || node.hn.run(|| ip("rule flush protocol 175")).unwrap();
    flush();
    assert_eq!(next(&mut watcher).cause, Cause::Event);
    flush();
    assert_eq!(next(&mut watcher).cause, Cause::Event);
    assert!(node.is_kept());
}
