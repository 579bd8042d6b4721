//! The watch on the running kernel: what drifts is noticed, told and put right, and how soon.
#![allow(missing_docs, reason = "a test")]

use std::time::{Duration, Instant};

use arpflux_core::state::{Change, Object};
use arpflux_core::sysctl::Sysctl;
use arpflux_core::watch::{Cause, Drift, Options, Outcome, Watcher};
use arpflux_core::{Stop, apply};
use arpflux_tests::iproute::{ip, run};
use arpflux_tests::watched::{Node, PROXIED, next, policy, until};

fn wanted() -> Vec<(String, String)> {
    vec![(PROXIED.into(), "eth3".into())]
}

#[test]
fn a_sysctl_that_somebody_writes_is_put_right_within_a_millisecond() {
    let node = Node::new("sysctl");
    let mut watcher = node.at_rest();
    let mut took = Vec::new();
    for round in 0..41 {
        let interface = ["eth0", "eth3", "eth4"][round % 3];
        let key = format!("net.ipv4.conf.{interface}.arp_ignore");
        let written = Instant::now();
        node.hn.sysctl(&key, 0).unwrap();
        let drift = next(&mut watcher);
        took.push(written.elapsed());
        assert_eq!((drift.cause, &drift.outcome), (Cause::Sysctl, &Outcome::Healed), "{drift:?}");
        assert_eq!(drift.changes.len(), 1, "{drift:?}");
        assert_eq!(node.hn.read_sysctl(&key).unwrap(), "1");
    }
    took.sort();
    // From before the write (which starts a thread of its own in the namespace) to after the repair.
    println!("median {:?}, longest {:?}", took[20], took[40]);
    // The quicker ones: the others may have waited for a processor. `make bench` measures.
    assert!(took[5] < Duration::from_millis(10), "{took:?}");
    // Not named by the policy: left alone.
    node.hn.sysctl("net.ipv4.conf.eth0.arp_notify", 1).unwrap();
    assert_eq!(watcher.wait(Some(Duration::from_millis(700))).unwrap(), []);
    assert_eq!(node.hn.read_sysctl("net.ipv4.conf.eth0.arp_notify").unwrap(), "1");
}

#[test]
fn a_proxy_entry_on_the_wrong_interface_goes_and_one_that_was_lost_comes_back() {
    let node = Node::new("proxy");
    let mut watcher = node.at_rest();
    assert_eq!(node.proxies(), wanted());

    let mut after = Duration::ZERO;
    // Again and again the same one: each time it is news, not only to the regular look.
    for _ in 0..3 {
        let added = Instant::now();
        node.hn.proxy("eth0", PROXIED.parse().unwrap()).unwrap();
        let drift = next(&mut watcher);
        after = added.elapsed();
        assert_eq!((drift.cause, &drift.outcome), (Cause::Proxies, &Outcome::Healed), "{drift:?}");
    }
    let added = Instant::now();
    node.hn.proxy("eth0", PROXIED.parse().unwrap()).unwrap();
    let drift = next(&mut watcher);
    after = after.max(added.elapsed());
    assert_eq!((drift.cause, &drift.outcome), (Cause::Proxies, &Outcome::Healed), "{drift:?}");
    assert_eq!(node.proxies(), wanted());
    println!("removed after {after:?}");
    assert!(after < Duration::from_millis(500), "{after:?}");

    // The policy does not name this address.
    node.hn.proxy("eth0", "192.168.18.77".parse().unwrap()).unwrap();
    assert_eq!(watcher.wait(Some(Duration::from_millis(700))).unwrap(), []);
    node.hn.delete_proxy("eth0", "192.168.18.77".parse().unwrap()).unwrap();

    // Set down, the interface loses its entries and routes; up again, it gets them back.
    node.hn.down("eth3").unwrap();
    node.hn.up("eth3").unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while node.proxies() != wanted() || !node.is_kept() {
        watcher.wait(Some(Duration::from_millis(100))).unwrap();
        assert!(Instant::now() < deadline, "{:?}", node.proxies());
    }
}

#[test]
fn an_interface_that_goes_is_told_once_and_one_that_comes_is_set_up() {
    let node = Node::new("interface");
    let mut watcher = node.at_rest();
    // Before Linux 6.2 one that is up cannot be renamed.
    let rename = |from: &'static str, to: &'static str| {
        let lines = format!("link set {from} down\nlink set {from} name {to}\nlink set {to} up");
        node.hn.run(move || ip(&lines)).unwrap();
    };
    rename("eth4", "eth9");
    // The rest is kept: what stood on the interface that is gone goes, and one line says what cannot be.
    let names_eth4 = |drift: &Drift| matches!(&drift.outcome, Outcome::Impossible { error } if error.to_string().contains("eth4"));
    let mut told = 0;
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        let drifts = watcher.wait(Some(Duration::from_millis(200))).unwrap();
        told += drifts.iter().filter(|drift| names_eth4(drift)).count();
    }
    assert_eq!(told, 1, "once is enough");
    rename("eth9", "eth4");
    let deadline = Instant::now() + Duration::from_secs(10);
    let mut possible = false;
    while !possible || !node.is_kept() {
        let drifts = watcher.wait(Some(Duration::from_millis(100))).unwrap();
        possible |= drifts.iter().any(|drift| drift.outcome == Outcome::Possible);
        assert!(Instant::now() < deadline);
    }
}

#[test]
fn without_heal_it_only_tells_and_tells_once() {
    let node = Node::new("tell");
    let mut watcher = node.watcher(false);
    let first = next(&mut watcher);
    assert_eq!(first.outcome, Outcome::Reported);
    assert!(first.changes.len() > 5, "{first:?}");
    assert_eq!(watcher.wait(Some(Duration::from_millis(1200))).unwrap(), []);
    let snapshot = node.host.snapshot().unwrap();
    assert!(snapshot.interfaces.iter().all(|i| i.sysctls.get(Sysctl::ArpIgnore) == Some(0)));
    assert!(snapshot.proxies.is_empty());
}

#[test]
fn when_the_kernel_loses_events_everything_is_looked_at() {
    let node = Node::new("lost");
    let mut watcher = node.at_rest();
    let limit: usize =
        std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").unwrap().trim().parse().unwrap();
    assert!(limit <= 1 << 18, "a queue of {limit} events is more than this test can fill");
    // Values as they are; like events in a row would be one.
    let keys = [("arp_ignore", "1"), ("arp_announce", "2")];
    let write = |name: &str, value: &str| (format!("net/ipv4/conf/{name}"), value.to_owned());
    let mut writes: Vec<_> =
        (0..limit + 2).map(|n| write(&format!("eth0/{}", keys[n % 2].0), keys[n % 2].1)).collect();
    // This one is no longer told of.
    writes.push(write("eth3/arp_ignore", "0"));
    node.hn.sysctls(&writes).unwrap();
    let drift = next(&mut watcher);
    assert_eq!((drift.cause, &drift.outcome), (Cause::Lost, &Outcome::Healed), "{drift:?}");
    assert_eq!(node.hn.read_sysctl("net.ipv4.conf.eth3.arp_ignore").unwrap(), "1");
    assert!(node.is_kept());
}

/// No event tells of a value that is set through netlink.
#[test]
fn a_value_set_through_netlink_is_found_by_the_regular_look() {
    let node = Node::new("netlink");
    let mut watcher = node.at_rest();
    node.hn
        .run(|| {
            let status = std::process::Command::new("ip")
                .args(["ntable", "change", "name", "arp_cache", "dev", "eth3", "proxy_delay", "900"])
                .status();
            assert!(status.expect("ip, of iproute2").success());
        })
        .unwrap();
    // Not named by the policy: looked at, and left alone.
    assert_eq!(watcher.wait(Some(Duration::from_millis(1200))).unwrap(), []);
    let mut policy = policy();
    policy.host.proxy_delay = Some(0);
    watcher.set_policy(policy).unwrap();
    let drift = next(&mut watcher);
    assert_eq!((drift.cause, &drift.outcome), (Cause::Policy, &Outcome::Healed), "{drift:?}");
    // Not in the look that follows a repair.
    assert_eq!(watcher.wait(Some(Duration::from_millis(700))).unwrap(), []);
    node.hn
        .run(|| {
            let status = std::process::Command::new("ip")
                .args(["ntable", "change", "name", "arp_cache", "dev", "eth3", "proxy_delay", "700"])
                .status();
            assert!(status.expect("ip, of iproute2").success());
        })
        .unwrap();
    let drift = next(&mut watcher);
    assert_eq!((drift.cause, &drift.outcome), (Cause::Poll, &Outcome::Healed), "{drift:?}");
    assert!(node.is_kept());
}

#[test]
fn a_writer_that_never_stops_costs_little_and_is_told_in_few_lines() {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
    let seconds: u64 =
        std::env::var("ARPFLUX_FIGHT_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(8);
    let node = Node::new("fight");
    let mut watcher = node.at_rest();
    let (stop, written) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut lines, mut used) = (Vec::new(), Duration::ZERO);
    let cpu =
        || Duration::from(nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap());
    std::thread::scope(|scope| {
        let hn = &node.hn;
        let (stop, written) = (&stop, &written);
        scope.spawn(move || {
            hn.run(|| {
                while !stop.load(Ordering::Relaxed) {
                    std::fs::write("/proc/sys/net/ipv4/conf/eth3/arp_ignore", "0").unwrap();
                    written.fetch_add(1, Ordering::Relaxed);
                }
            })
            .unwrap();
        });
        let (begun, end) = (cpu(), Instant::now() + Duration::from_secs(seconds));
        while Instant::now() < end {
            lines.extend(watcher.wait(Some(Duration::from_millis(200))).unwrap());
        }
        used = cpu() - begun;
        stop.store(true, Ordering::Relaxed);
    });
    let written = written.into_inner();
    assert!(written > 10_000, "{written} writes");
    assert!(lines.len() <= 24 + seconds as usize / 30, "{} lines: {lines:#?}", lines.len());
    assert!(used < Duration::from_secs(seconds) / 50, "{used:?} of {seconds} s");
    println!("{written} writes in {seconds} s: {} lines, {used:?} of a processor", lines.len());
    assert_eq!(watcher.status().contested, 1);
    // The last word is the policy's, within the longest pause; other values are kept meanwhile.
    let end = Instant::now() + Duration::from_secs(12);
    let key = "net.ipv4.conf.eth3.arp_ignore";
    while node.hn.read_sysctl(key).unwrap() != "1" && Instant::now() < end {
        lines.extend(watcher.wait(Some(Duration::from_millis(100))).unwrap());
    }
    assert_eq!(node.hn.read_sysctl(key).unwrap(), "1");
    let contested = |line: &&Drift| matches!(line.outcome, Outcome::Contested { .. });
    let fight = lines.iter().find(contested).expect("it is told that somebody fights");
    assert!(fight.times > 20 && fight.to_string().contains("put back 21 times in the last"), "{fight}");
}

/// The policy's own plan does not see this.
#[test]
fn wrong_answers_are_told_where_every_value_is_as_the_policy_says() {
    let node = Node::new("answers");
    let mut watcher = node.at_rest();
    let good = |watcher: &mut Watcher| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while watcher.status().ok_since_ms.is_none() {
            assert!(Instant::now() < deadline, "{:?}", watcher.status());
            watcher.wait(Some(Duration::from_millis(50))).unwrap();
        }
    };
    good(&mut watcher);
    // Another card of the subnet answers for the addresses of the first.
    let lan = node.lab.switch("lan2").unwrap();
    node.hn.plug(&lan, "eth9", "00:0c:29:b3:a2:99".parse().unwrap()).unwrap();
    node.hn.address("eth9", "192.168.18.19/24").unwrap();
    let lines = until(&mut watcher, |line| matches!(line.outcome, Outcome::Misanswered { .. }));
    let wrong = lines.last().unwrap();
    assert!(wrong.to_string().contains("eth9"), "{wrong}");
    assert_eq!(wrong.severity, arpflux_core::diagnose::Severity::Error);
    assert_eq!(watcher.judgement().ok(), Some(false));
    node.hn.down("eth9").unwrap();
    until(&mut watcher, |line| line.outcome == Outcome::Recovered);
    good(&mut watcher);
}

/// The host would answer for whatever it has a route to: told, and put right where the policy says how.
#[test]
fn a_host_that_answers_for_a_foreign_subnet_is_told_and_put_right_where_the_policy_says_how() {
    let node = Node::new("foreign");
    node.hn.sysctl("net.ipv4.ip_forward", 1).unwrap();
    let lines = "link add ve0 type veth peer name ve1\nlink set ve0 up\nlink set ve1 up\nroute add 10.55.0.0/24 dev ve0";
    node.hn.run(|| ip(lines)).unwrap();
    let mut watcher = node.at_rest();
    node.hn.sysctl("net.ipv4.conf.eth3.proxy_arp", 1).unwrap();
    let lines = until(&mut watcher, |line| matches!(line.outcome, Outcome::Misanswered { .. }));
    assert!(lines.last().unwrap().to_string().contains("eth3"), "{lines:#?}");
    assert_eq!(watcher.judgement().ok(), Some(false));
    node.hn.sysctl("net.ipv4.conf.eth3.proxy_arp", 0).unwrap();
    until(&mut watcher, |line| line.outcome == Outcome::Recovered);
    let text = arpflux_tests::watched::POLICY.replace("[host]", "[host]\nproxy_arp = \"off\"");
    watcher.set_policy(arpflux_core::Policy::from_toml(&text, "policy.toml").unwrap()).unwrap();
    while !watcher.wait(Some(Duration::from_millis(700))).unwrap().is_empty() {}
    node.hn.sysctl("net.ipv4.conf.eth3.proxy_arp", 1).unwrap();
    until(&mut watcher, |line| line.outcome == Outcome::Healed);
    assert_eq!(node.hn.read_sysctl("net.ipv4.conf.eth3.proxy_arp").unwrap(), "0");
}

/// Rules of nftables are news: nobody has to wait for the regular look.
#[test]
fn a_filter_that_hides_an_address_is_told_at_once() {
    let node = Node::new("filter");
    let policy = policy();
    let apply = apply::Options::default().state_dir(&node.state);
    let options = Options::default().heal(true).look(Duration::from_secs(600)).apply(apply);
    let mut watcher = Watcher::new(&node.host, policy, options).unwrap();
    until(&mut watcher, |line| line.outcome == Outcome::Healed);
    while !watcher.wait(Some(Duration::from_millis(1500))).unwrap().is_empty() {}
    let nft = |words: &str| node.hn.run(|| drop(run(&format!("nft {words}")))).unwrap();
    for _ in 0..2 {
        nft("add table arp t");
        nft("add chain arp t c { type filter hook input priority 0 ; }");
        nft("add rule arp t c arp operation request drop");
        until(&mut watcher, |line| matches!(line.outcome, Outcome::Misanswered { .. }));
        nft("delete table arp t");
        until(&mut watcher, |line| line.outcome == Outcome::Recovered);
    }
}

/// While an interface is down its table is empty, and whoever puts a route there then is first.
#[test]
fn a_route_put_into_an_own_table_before_it_is_filled_again_is_replaced_and_told() {
    let node = Node::new("own-table");
    node.hn.run(|| ip("route add default via 192.168.18.1 dev eth0")).unwrap();
    let mut watcher = node.at_rest();
    let table =
        175_000 + node.host.snapshot().unwrap().interface_named(&"eth4".parse().unwrap()).unwrap().index.0;
    node.hn.down("eth4").unwrap();
    until(&mut watcher, |line| line.outcome == Outcome::Healed);
    while !watcher.wait(Some(Duration::from_millis(300))).unwrap().is_empty() {}
    let batch = format!("link set eth4 up\nroute replace default via 192.168.18.2 dev eth4 table {table}");
    node.hn.run(move || ip(&batch)).unwrap();
    let is_of_table =
        |change: &Change| matches!(&change.object, Object::Route(route) if route.table == table);
    until(&mut watcher, |line| line.outcome == Outcome::Healed && line.changes.iter().any(is_of_table));
    let routes = node.host.snapshot().unwrap().routes.into_iter().filter(|route| route.table == table);
    let protocols: Vec<u8> = routes.map(|route| route.protocol).collect();
    assert_eq!(protocols, [175, 175]);
    assert!(node.is_kept());
}

/// A route in the place of one of ours is no reason to fail, for a watch that begins as for `apply`.
#[test]
fn apply_by_hand_and_a_watch_that_begins_put_back_a_route_that_was_replaced() {
    let node = Node::new("replaced");
    node.hn.run(|| ip("route add default via 192.168.18.1 dev eth0")).unwrap();
    drop(node.at_rest());
    let table =
        175_000 + node.host.snapshot().unwrap().interface_named(&"eth3".parse().unwrap()).unwrap().index.0;
    let replace = || {
        let line = format!("route replace default via 192.168.18.2 dev eth3 table {table}");
        node.hn.run(move || ip(&line)).unwrap();
        assert!(!node.is_kept());
    };
    replace();
    let options = apply::Options::default().state_dir(&node.state);
    let plan = policy().plan(&node.host.snapshot().unwrap()).unwrap();
    drop(node.host.apply(&plan, options).unwrap());
    assert!(node.is_kept());
    replace();
    drop(node.at_rest());
    assert!(node.is_kept());
}

/// An interface that was called otherwise for a moment has another folder of sysctls under the same name.
#[test]
fn a_rename_and_back_does_not_blind_it() {
    let node = Node::new("rename");
    let mut watcher = node.at_rest();
    let batch = "link set eth4 down\nlink set eth4 name y4\nlink set y4 name eth4\nlink set eth4 up\n";
    node.hn.run(move || ip(batch)).unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !node.is_kept() {
        watcher.wait(Some(Duration::from_millis(50))).unwrap();
        assert!(Instant::now() < deadline);
    }
    // What the repair itself is the news of.
    while !watcher.wait(Some(Duration::from_millis(300))).unwrap().is_empty() {}
    node.hn.sysctl("net.ipv4.conf.eth4.arp_ignore", 0).unwrap();
    let drift = next(&mut watcher);
    assert_eq!((drift.cause, &drift.outcome), (Cause::Sysctl, &Outcome::Healed), "{drift}");
}

#[test]
fn a_wait_ends_when_somebody_raises_its_stop() {
    let node = Node::new("stop");
    let stop = Stop::default();
    let apply = apply::Options::default().state_dir(&node.state).stop(stop.clone());
    let policy = policy();
    let mut watcher = Watcher::new(&node.host, policy, Options::default().heal(true).apply(apply)).unwrap();
    next(&mut watcher);
    let waiting = std::thread::spawn(move || {
        loop {
            let drifts = watcher.wait(None).unwrap();
            if drifts.is_empty() {
                return watcher.wait(Some(Duration::from_secs(600))).unwrap();
            }
        }
    });
    std::thread::sleep(Duration::from_millis(100));
    let raised = Instant::now();
    stop.raise();
    assert_eq!(waiting.join().unwrap(), [], "nor does it wait again");
    assert!(raised.elapsed() < Duration::from_secs(60), "{:?}", raised.elapsed());
}
