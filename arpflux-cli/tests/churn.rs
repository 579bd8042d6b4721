//! Interfaces are renamed, flap, go and come back, and programs meddle, while the command applies and
//! watches, on a machine that is busy: in the end everything is right, and the watch has not grown.
//!
//! `ARPFLUX_CHURN_SECONDS` is how long it goes on (default 60).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arpflux_core::snapshot::Snapshot;
use arpflux_core::sysctl::Sysctl;
use arpflux_core::{Host, Policy, verify};
use arpflux_lab::{Host as Node, Lab, Switch};

const POLICY: &str = r#"
version = 1
[host]
interfaces = ["eth0", "eth1", "eth2", "eth3"]
announce = false
[[proxy]]
owner = "101"
addresses = ["192.168.18.101", "192.168.18.103"]
interface = "eth1"
[[proxy]]
owner = "102"
addresses = ["192.168.18.102"]
interface = "eth2"
"#;

/// Those of the policy; `eth4` is nobody's business.
const OURS: u64 = 4;

/// Numbers that look random and are the same each time (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}

/// Ends with the test, however that ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Bench {
    node: Node,
    host: Host,
    lan: Switch,
    folder: PathBuf,
    _containers: Vec<Node>,
    _lab: Lab,
}

fn mac(number: u64) -> String {
    format!("02:00:00:00:00:{number:02x}")
}

impl Bench {
    fn new() -> Self {
        let lab = Lab::new().unwrap();
        let lan = lab.switch("lan").unwrap();
        let node = lab.host("hn").unwrap();
        node.sysctl("net/ipv4/ip_forward", 1).unwrap();
        let venet = lab.venet(&node, "venet0").unwrap();
        let containers = [101, 102, 103]
            .map(|last: u8| venet.container(&last.to_string(), [192, 168, 18, last].into()).unwrap());
        let folder = PathBuf::from(format!("/run/arpflux-churn-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("policy.toml"), POLICY).unwrap();
        let host = node.run(|| Host::current().unwrap()).unwrap();
        let bench = Self { node, host, lan, folder, _containers: containers.into(), _lab: lab };
        for number in 0..=OURS {
            bench.plug(number);
        }
        bench
    }

    /// Makes an interface with its address.
    fn plug(&self, number: u64) {
        let name = format!("eth{number}");
        self.node.plug(&self.lan, &name, mac(number).parse().unwrap()).unwrap();
        self.node.address(&name, &format!("192.168.18.{}/24", 10 + number)).unwrap();
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arpflux"));
        command.arg(verb).arg("--policy").arg(self.folder.join("policy.toml"));
        command.env("ARPFLUX_STATE_DIR", self.folder.join("state")).stdin(Stdio::null());
        command
    }

    /// One thing that happens on a host, and what sets it right again where nobody else does.
    fn meddle(&self, numbers: &mut Numbers) -> &'static str {
        let number = numbers.below(OURS);
        let name = format!("eth{number}");
        let node = &self.node;
        match numbers.below(8) {
            0 => {
                node.rename(&name, "gone.7").unwrap();
                std::thread::sleep(Duration::from_millis(numbers.below(120)));
                node.rename("gone.7", &name).unwrap();
                node.up(&name).unwrap();
                "renamed"
            }
            1 => {
                node.down(&name).unwrap();
                std::thread::sleep(Duration::from_millis(numbers.below(60)));
                node.up(&name).unwrap();
                "set down and up"
            }
            2 => {
                node.delete(&name).unwrap();
                std::thread::sleep(Duration::from_millis(numbers.below(120)));
                self.plug(number);
                "deleted and made anew"
            }
            3 => {
                // Both directions: a flap of the link alone, too short or not.
                node.carrier(&name, false).unwrap();
                std::thread::sleep(Duration::from_millis(numbers.below(60)));
                node.carrier(&name, true).unwrap();
                "flapped"
            }
            4 => {
                let key = ["arp_ignore", "arp_announce"][numbers.below(2) as usize];
                node.sysctl(&format!("net/ipv4/conf/{name}/{key}"), numbers.below(3)).unwrap();
                "sysctl written"
            }
            5 => {
                // On the wrong interface, perhaps; and sometimes on the right one.
                node.proxy(&name, [192, 168, 18, 101 + numbers.below(3) as u8].into()).unwrap();
                "entry added"
            }
            6 => {
                let _ = node.delete_proxy(&name, [192, 168, 18, 101 + numbers.below(3) as u8].into());
                "entry deleted"
            }
            _ => {
                let address = format!("192.168.18.{}/24", 10 + number);
                node.delete_address(&name, &address).unwrap();
                node.address(&name, &address).unwrap();
                "address gone and back"
            }
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// What a process has: resident memory in KiB, descriptors, inotify watches, threads.
fn holds(pid: u32) -> (u64, usize, usize, u64) {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let number = |name: &str| -> u64 {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
    };
    let fds: Vec<_> = std::fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap().flatten().collect();
    let watches = fds
        .iter()
        .map(|fd| std::fs::read_to_string(fd.path()).unwrap_or_default().matches("inotify wd").count());
    (number("VmRSS"), fds.len(), watches.sum(), number("Threads"))
}

/// What nobody may touch: everything about `eth4`.
fn bystander(snapshot: &Snapshot) -> (Vec<(Sysctl, i32)>, usize) {
    let interface = snapshot.interface_named(&"eth4".parse().unwrap()).unwrap();
    let entries = snapshot.proxies.iter().filter(|entry| entry.interface == Some(interface.index)).count();
    (interface.sysctls.iter().collect(), entries)
}

fn held_back(folder: &Path) -> bool {
    std::fs::read_dir(folder)
        .is_ok_and(|all| all.flatten().any(|entry| entry.path().join("journal").exists()))
}

#[test]
fn a_minute_of_churn_ends_right_and_nothing_grows() {
    let seconds =
        std::env::var("ARPFLUX_CHURN_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let length = Duration::from_secs(seconds);
    let bench = Bench::new();
    bench.node.sysctl("net/ipv4/conf/eth4/arp_ignore", 2).unwrap();
    bench.node.proxy("eth4", [192, 168, 18, 77].into()).unwrap();
    let others = bystander(&bench.host.snapshot().unwrap());
    let mut watch = bench.command("watch");
    watch.args(["--heal", "--look", "1s", "--wait", "5s"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut watch = Running(bench.node.run(move || watch.spawn().unwrap()).unwrap());
    let pid = watch.0.id();

    let over = AtomicBool::new(false);
    let (mut events, mut codes) = (BTreeMap::new(), BTreeMap::new());
    let mut early = None;
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let (bench, over) = (&bench, &over);
        // The load: as many as there are processors, and all of it of less than usual importance to nobody.
        for _ in 0..2 {
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    std::hint::black_box((0..50_000_u64).fold(0, u64::wrapping_add));
                }
            });
        }
        let applies = scope.spawn(move || {
            let mut codes: BTreeMap<i32, u32> = BTreeMap::new();
            while !over.load(Ordering::Relaxed) {
                let mut apply = bench.command("apply");
                let output = bench.node.run(move || apply.output().unwrap()).unwrap();
                let code = output.status.code().unwrap_or(-1);
                // 2: an interface of the policy is not there; 4: it changed on the way, and all was undone; 5: so
                // much changed that nobody could see whether it was, and the next run undoes it; 7: it changed before
                // anything was tried.
                assert!(
                    matches!(code, 0 | 2 | 4 | 5 | 7),
                    "{code}: {}",
                    String::from_utf8_lossy(&output.stderr)
                );
                *codes.entry(code).or_default() += 1;
                std::thread::sleep(Duration::from_millis(50));
            }
            codes
        });
        let mut numbers = Numbers(0x00c0_ffee);
        while begin.elapsed() < length {
            *events.entry(bench.meddle(&mut numbers)).or_insert(0_u32) += 1;
            std::thread::sleep(Duration::from_millis(numbers.below(40)));
            if early.is_none() && begin.elapsed() > length / 4 {
                early = Some(holds(pid));
            }
        }
        over.store(true, Ordering::Relaxed);
        codes = applies.join().unwrap();
    });
    println!("{events:?}, apply ended with {codes:?}");
    assert_eq!(events.len(), 8, "not everything happened");
    assert!(codes.contains_key(&0), "never applied: {codes:?}");

    // The last word is not with `apply`: the watch has it right soon, by itself, and then nothing else happens.
    let mut numbers = Numbers(7);
    for _ in 0..20 {
        bench.meddle(&mut numbers);
    }
    bench.node.delete("eth1").unwrap();
    bench.plug(1);
    bench.node.sysctl("net/ipv4/conf/eth2/arp_ignore", 0).unwrap();
    let policy = Policy::from_toml(POLICY, "policy.toml").unwrap();
    let rest = Instant::now();
    loop {
        let now = bench.host.snapshot().unwrap();
        let report = verify::check(&policy, &now).unwrap();
        if report.ok() && !held_back(&bench.folder.join("state")) {
            break;
        }
        assert!(rest.elapsed() < Duration::from_secs(30), "{report}");
        assert!(watch.0.try_wait().unwrap().is_none(), "the watch has ended");
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("right {:?} after the last event", rest.elapsed());
    std::thread::sleep(Duration::from_secs(2));
    let now = bench.host.snapshot().unwrap();
    assert_eq!(bystander(&now), others, "what is not named was touched");
    assert_eq!(now.proxies.len(), 3 + 1, "{:?}", now.proxies);
    let ours = |protocol| now.rules.iter().filter(|rule| rule.protocol == protocol).count();
    // For each of four interfaces' addresses and three proxied ones: more specific routes of main, then the own table.
    assert_eq!(ours(arpflux_core::plan::PROTOCOL), 2 * (4 + 3), "{:?}", now.rules);

    let (early, late) = (early.unwrap(), holds(pid));
    println!(
        "memory, descriptors, watches, threads: {early:?} after a quarter of the time, {late:?} at the end"
    );
    assert!(late.0 < early.0 + early.0 / 4 + 1024, "memory grows: {early:?}, {late:?}");
    assert!(late.1 <= early.1 + 2, "descriptors grow: {early:?}, {late:?}");
    // A judgement may be under way.
    assert!(late.3 <= early.3 + 1, "threads grow: {early:?}, {late:?}");
    // One for each interface, all and default; nothing is left of interfaces that are gone.
    assert!(
        late.2 <= now.interfaces.len() + 2,
        "watches grow: {late:?}, {} interfaces",
        now.interfaces.len()
    );
}
