//! The watch on the running kernel while calls on its state folder fail.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::{Drift, Options, Outcome, Watcher};
use crate::apply::fault::{self, Fault};
use crate::kernel::testing::in_new_netns;
use crate::state::Object;
use crate::{Host, Policy, apply};

fn ip(lines: &str) {
    for line in lines.lines() {
        assert!(Command::new("ip").args(line.split(' ')).status().unwrap().success(), "ip {line}");
    }
}

#[test]
fn whatever_fails_on_the_state_folder_the_policy_is_kept() {
    let state = std::env::temp_dir().join(format!("arpflux-watch-faults-{}", std::process::id()));
    in_new_netns(|| {
        ip("link add br0 type bridge\nlink set br0 arp off up\nlink add eth0 type veth peer name p0\n\
            link add eth1 type veth peer name p1\nlink set p0 master br0 up\nlink set p1 master br0 up\n\
            link set eth0 up\nlink set eth1 up\naddr add 192.168.18.10/24 dev eth0\n\
            addr add 192.168.18.11/24 dev eth1");
        let text = "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth1\"]\nannounce = false\n";
        let policy = Policy::from_toml(text, "policy.toml").unwrap();
        let host = Host::current().unwrap();
        let empty = || policy.plan(&host.snapshot().unwrap()).unwrap().is_empty();
        // Makes it so anew; the calls that it made.
        let heal = |faults: &[(usize, Fault)]| {
            ip("rule flush protocol 175");
            let options = Options::default().heal(true).apply(apply::Options::default().state_dir(&state));
            let mut watcher = Watcher::new(&host, policy.clone(), options).unwrap();
            fault::arm_all(faults);
            let end = Instant::now() + Duration::from_secs(20);
            let mut lines = Vec::new();
            while !empty() {
                assert!(Instant::now() < end, "{faults:?}: {lines:#?}");
                lines.extend(watcher.wait(Some(Duration::from_millis(100))).unwrap());
            }
            let seen = fault::seen().len();
            let is_told = |line: &Drift| {
                line.outcome == Outcome::Healed
                    && line.changes.iter().any(|change| matches!(change.object, Object::Rule(_)))
            };
            while !lines.iter().any(is_told) {
                assert!(Instant::now() < end, "not told: {faults:?}: {lines:#?}");
                lines.extend(watcher.wait(Some(Duration::from_millis(100))).unwrap());
            }
            fault::disarm();
            let failed = lines.iter().find(|line| matches!(line.outcome, Outcome::Failed { .. }));
            assert_eq!(failed, None, "{faults:?}");
            seen
        };
        heal(&[]);
        let calls = heal(&[]);
        assert!(calls > 10, "{calls}");
        for at in 0..calls {
            heal(&[(at, Fault::Error(Errno::EIO as i32))]);
            heal(&[(at, Fault::Torn(Errno::ENOSPC as i32))]);
        }
        // From there on all of them.
        for from in [0, calls / 3, calls / 2] {
            let all: Vec<_> = (from..10 * calls).map(|at| (at, Fault::Error(Errno::EIO as i32))).collect();
            heal(&all);
        }
    });
    fs::remove_dir_all(&state).unwrap();
}
