//! Somebody changes one thing again and again and then stops: the last word is the policy's within a second.
#![allow(missing_docs, reason = "a test")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::plan::PROTOCOL;
use arpflux_core::snapshot::{ProxyEntry, Snapshot};
use arpflux_core::state::{Change, Object, SysctlScope};
use arpflux_core::sysctl::Sysctl;
use arpflux_tests::watched::{Node, PROXIED};

/// The longest pause: docs/watch.md says so.
const PAUSE: Duration = Duration::from_secs(1);

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What the other one does all the time.
fn attacks(now: &Snapshot) -> Vec<(&'static str, Change)> {
    let ours = now.rules.iter().find(|rule| rule.protocol == PROTOCOL).unwrap();
    let route = now.routes.iter().find(|route| route.protocol == PROTOCOL).unwrap();
    let index = |name: &str| now.interface_named(&name.parse().unwrap()).unwrap().index;
    let scope = SysctlScope::Interface { index: index("eth4"), name: "eth4".parse().unwrap() };
    vec![
        ("a value", Change::set(Object::Sysctl { scope, sysctl: Sysctl::ArpIgnore }, 1, 0)),
        ("an entry", Change::add(ProxyEntry::new(PROXIED.parse().unwrap(), Some(index("eth0"))))),
        ("a rule", Change::remove(ours.clone())),
        ("a route", Change::remove(route.clone())),
    ]
}

#[test]
fn the_last_word_is_the_policys_within_a_second_after_the_other_stops() {
    let (seconds, rounds) = (setting("ARPFLUX_FIGHT_SECONDS", 3), setting("ARPFLUX_FIGHT_ROUNDS", 2));
    let node = Node::new("contest");
    let mut watcher = node.at_rest();
    let attacks = attacks(&node.host.snapshot().unwrap());
    let over = AtomicBool::new(false);
    struct End<'a>(&'a AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let settled = |what: &str| {
        let begun = Instant::now();
        while !node.is_kept() {
            assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
        begun.elapsed()
    };
    let status = std::thread::scope(|scope| {
        let end = End(&over);
        let watching = scope.spawn(|| {
            let used = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
            while !over.load(Ordering::Relaxed) {
                watcher.wait(Some(Duration::from_millis(50))).unwrap();
            }
            (watcher.status(), Duration::from(nix::time::clock_gettime(used).unwrap()))
        });
        // What one repair takes on this machine while nobody fights.
        let once = (0..3).map(|_| {
            for (what, attack) in &attacks {
                let make = || LinuxKernel::open().unwrap().make(std::slice::from_ref(attack)).is_ok();
                assert!(node.hn.run(make).unwrap(), "{what}");
            }
            settled("once")
        });
        let once = once.max().unwrap();
        for every in [Duration::from_millis(5), Duration::from_millis(100)] {
            for (what, attack) in &attacks {
                let mut worst = Duration::ZERO;
                for round in 0..rounds {
                    // The end comes at another moment of the pause each time.
                    let length = Duration::from_secs(seconds) + Duration::from_millis(round * 370);
                    let fight = || {
                        let mut kernel = LinuxKernel::open().unwrap();
                        let (begun, mut times) = (Instant::now(), 0);
                        while begun.elapsed() < length {
                            // It may be so still.
                            times += u32::from(kernel.make(std::slice::from_ref(attack)).is_ok());
                            std::thread::sleep(every);
                        }
                        times
                    };
                    assert!(node.hn.run(fight).unwrap() > 0, "{what}");
                    worst = worst.max(settled(what));
                }
                println!(
                    "{what} each {every:?}: right {worst:?} after the last time at worst; {once:?} without a fight"
                );
                assert!(
                    worst < PAUSE + 3 * once,
                    "{what} each {every:?}: {worst:?}, {once:?} without a fight"
                );
            }
        }
        drop(end);
        watching.join().unwrap()
    });
    println!("{}; {:?} of a processor", status.0, status.1);
    assert_eq!(status.0.contested, attacks.len(), "{:?}", status.0);
}
