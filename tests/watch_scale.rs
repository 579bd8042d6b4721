//! The watch of a host with 1,000 interfaces and 10,000 proxy entries: what it costs while nothing happens,
//! and how soon it puts things right. The bounds are for a build without optimization on a machine that
//! does other work as well; the figures that it prints are for docs/watch.md.
//!
//! `ARPFLUX_WATCH_SECONDS` is how long nothing happens (default 10).
#![allow(missing_docs, reason = "a test")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use arpflux_core::watch::{Cause, Options, Outcome, Watcher};
use arpflux_core::{Host, Policy, apply};
use arpflux_lab::Lab;

const INTERFACES: usize = 1_000;
const PROXIES: usize = 10_000;

/// Threads of this process that judge.
fn judging() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name =
        |task: std::io::Result<std::fs::DirEntry>| std::fs::read_to_string(task.unwrap().path().join("comm"));
    tasks.filter_map(|task| name(task).ok()).filter(|name| name == "arpflux-judge\n").count()
}

fn policy() -> Policy {
    let mut text =
        String::from("version = 1\n[host]\nannounce = false\nstrategy = \"strict\"\ninterfaces = [");
    for number in 0..INTERFACES {
        let _ = write!(text, "\"v{number}\",");
    }
    text += "]\n";
    for number in 0..INTERFACES {
        let _ = write!(text, "[[proxy]]\nowner = \"{number}\"\ninterface = \"v{number}\"\naddresses = [");
        for one in 0..PROXIES / INTERFACES {
            let _ = write!(text, "\"10.{}.{}.{}\",", 100 + number / 250, number % 250, 10 + one);
        }
        text += "]\n";
    }
    Policy::from_toml(&text, "policy.toml").unwrap()
}

/// The interfaces, each with a subnet of its own, and one to which the guests' packets go.
fn interfaces(node: &arpflux_lab::Host) {
    let mut batch = String::new();
    for pair in 0..INTERFACES / 2 {
        let _ = writeln!(batch, "link add name v{} type veth peer name v{}", 2 * pair, 2 * pair + 1);
    }
    for number in 0..INTERFACES {
        let _ = writeln!(batch, "link set v{number} up");
        let _ = writeln!(batch, "addr add 10.{}.{}.1/24 dev v{number}", number / 250, number % 250);
    }
    batch += "link add name g0 type veth peer name g1\nlink set g0 up\nlink set g1 up\n";
    batch += "addr add 10.200.0.1/24 dev g0\nroute add 10.100.0.0/14 dev g0\n";
    node.run(move || {
        let mut child =
            Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().expect("ip, of iproute2");
        child.stdin.take().unwrap().write_all(batch.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
    })
    .unwrap();
}

/// Processor time of this thread, which is all that the watcher uses but for single calls into the namespace.
fn cpu() -> Duration {
    // The kernel's own work for the process counts, so the whole process is taken.
    nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF)
        .map(|usage| {
            let of = |time: nix::sys::time::TimeVal| {
                Duration::new(time.tv_sec().unsigned_abs(), time.tv_usec().unsigned_abs() as u32 * 1000)
            };
            of(usage.user_time()) + of(usage.system_time())
        })
        .unwrap()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

#[test]
fn a_large_host_at_rest_costs_little_and_is_put_right_soon() {
    let seconds =
        std::env::var("ARPFLUX_WATCH_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(10);
    let lab = Lab::new().unwrap();
    let node = lab.host("hn").unwrap();
    node.sysctl("net/ipv4/ip_forward", 1).unwrap();
    // Its solicitations would be the only traffic.
    node.sysctl("net/ipv6/conf/default/disable_ipv6", 1).unwrap();
    interfaces(&node);
    let host = Host::at(format!("/proc/self/fd/{}", node.netns().as_fd().as_raw_fd()).as_ref()).unwrap();
    let state = std::env::temp_dir().join(format!("arpflux-watch-scale-{}", std::process::id()));
    std::fs::create_dir(&state).unwrap();
    let options = Options::default().heal(true).apply(apply::Options::default().state_dir(&state));

    let begin = Instant::now();
    let mut watcher = Watcher::new(&host, policy(), options).unwrap();
    let first = loop {
        if let Some(drift) = watcher.wait(Some(Duration::from_secs(60))).unwrap().pop() {
            break drift;
        }
        assert!(begin.elapsed() < Duration::from_secs(120), "nothing was done");
    };
    assert_eq!((first.cause, &first.outcome), (Cause::Start, &Outcome::Healed));
    println!("{} changes at the start in {} ms", first.changes.len(), first.took_us / 1000);
    assert!(first.changes.len() >= 2 * INTERFACES + PROXIES);
    // Counts and the first changes: no line is longer than 16 KiB.
    assert_eq!((first.count, first.number), (first.changes.len(), 1));
    let (json, text) = (serde_json::to_string(&first).unwrap(), first.to_string());
    assert!(json.len() < 16 << 10 && text.lines().all(|line| line.len() < 16 << 10), "{}", json.len());
    assert!(!first.interfaces.is_empty() && text.lines().count() < 30, "{text}");
    // A judgement of all of it takes long. It ends with its watch, and no thread is left behind.
    let before = judging();
    let mut other = Watcher::new(&host, policy(), Options::default()).unwrap();
    // A thread has its name only once it runs.
    let started = Instant::now();
    while judging() == before {
        assert_eq!(other.wait(Some(Duration::from_millis(1))).unwrap(), []);
        assert!(started.elapsed() < Duration::from_secs(30), "nothing is judged");
    }
    let ends = Instant::now();
    drop(other);
    println!("a watch that judges ended within {:?}", ends.elapsed());
    assert_eq!(judging(), before);
    assert!(ends.elapsed() < Duration::from_secs(5));
    // Not at rest before it is known what all of it comes to.
    while watcher.status().judgement.is_none() {
        assert_eq!(watcher.wait(Some(Duration::from_secs(1))).unwrap(), []);
        assert!(begin.elapsed() < Duration::from_secs(120), "{:?}", watcher.status());
    }
    assert_eq!(watcher.judgement().ok(), Some(true));
    println!("{} after {:?}", watcher.judgement(), begin.elapsed());
    assert_eq!(watcher.wait(Some(Duration::from_secs(3))).unwrap(), []);

    let (begin, before) = (Instant::now(), cpu());
    while begin.elapsed() < Duration::from_secs(seconds) {
        assert_eq!(watcher.wait(Some(Duration::from_secs(1))).unwrap(), []);
    }
    let share = (cpu() - before).as_secs_f64() / begin.elapsed().as_secs_f64();
    println!("at rest for {:?}: {:.3} % of a processor", begin.elapsed(), 100.0 * share);

    let next = |watcher: &mut Watcher, cause: Cause| {
        let drift = loop {
            if let Some(drift) = watcher.wait(Some(Duration::from_secs(20))).unwrap().pop() {
                break drift;
            }
        };
        // The regular look may be quicker by chance.
        assert!(drift.cause == cause || drift.cause == Cause::Poll, "{drift}");
        assert_eq!((&drift.outcome, drift.changes.len()), (&Outcome::Healed, 1), "{drift}");
    };
    let mut sysctls = Vec::new();
    for round in 0..21 {
        let key = format!("net/ipv4/conf/v{}/arp_ignore", round * 40);
        node.sysctl(&key, 0).unwrap();
        // The write is done; what counts is from here to when it is put right.
        let written = Instant::now();
        next(&mut watcher, Cause::Sysctl);
        sysctls.push(written.elapsed());
        assert_eq!(node.read_sysctl(&key).unwrap().trim(), "1");
    }
    let mut proxies = Vec::new();
    for round in 0..15_u8 {
        // At any moment between two polls.
        let pause = Duration::from_millis(u64::from(round) * 389 % 1_000);
        let other = node.clone();
        let adder = std::thread::spawn(move || {
            std::thread::sleep(pause);
            other.proxy("v7", [10, 100, 50 + round, 10].into()).unwrap();
            Instant::now()
        });
        next(&mut watcher, Cause::Proxies);
        proxies.push(Instant::now().saturating_duration_since(adder.join().unwrap()));
    }
    let now = host.snapshot().unwrap();
    assert_eq!(now.proxies.len(), PROXIES);
    println!(
        "put right after, median: a sysctl {:?}, a proxy entry {:?}",
        median(sysctls.clone()),
        median(proxies.clone())
    );
    println!("the longest: a sysctl {:?}, a proxy entry {:?}", sysctls.iter().max(), proxies.iter().max());
    std::fs::remove_dir_all(&state).unwrap();
    assert!(share < if cfg!(debug_assertions) { 0.05 } else { 0.01 }, "{share}");
    assert!(median(sysctls) < Duration::from_millis(20));
    // Polls are as far apart as their cost allows, two seconds at most.
    assert!(median(proxies) < Duration::from_secs(4));
}
