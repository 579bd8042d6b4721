//! Whatever is done to a node, in any order: its running containers answer and are reached, its stopped ones do not.
//!
//! `ARPFLUX_RANDOM_STEPS` sets the number of steps of each run (14), `ARPFLUX_RANDOM_SEED` the first seed, and
//! `ARPFLUX_PYTHON` names an interpreter that has the package, which then is one of the programs.

mod programs;
mod steps;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use arpflux_lab::Host as Machine;

use crate::bench::{A101, A102, Bench, CLIENT, Libvzctl, NICS, Said, Version, Vzctl};

const POLICY: &str = "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\n";
const A103: Ipv4Addr = Ipv4Addr::new(192, 168, 18, 103);
const A112: Ipv4Addr = Ipv4Addr::new(192, 168, 18, 112);

/// A container, where it belongs, and its addresses: one card has two of them, one container two addresses.
struct Kind {
    veid: &'static str,
    interface: &'static str,
    addresses: &'static [Ipv4Addr],
}

const CONTAINERS: [Kind; 3] = [
    Kind { veid: "101", interface: "eth3", addresses: &[A101] },
    Kind { veid: "102", interface: "eth4", addresses: &[A102, A112] },
    Kind { veid: "103", interface: "eth3", addresses: &[A103] },
];

/// Who started a container, and stops it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Scripts(Version),
    Program,
}

/// A small generator (splitmix64), so that a seed names a run.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

struct Run {
    bench: Bench,
    /// With the address that each has.
    machines: Vec<(Ipv4Addr, Machine)>,
    running: [Option<By>; 3],
    /// What the boot unit calls, while it runs.
    watch: Option<Child>,
    /// Its command, as the unit has it.
    unit: Vec<String>,
    python: Option<PathBuf>,
    rng: Rng,
    done: Vec<String>,
}

impl Run {
    fn new(first: Version, rp_filter: u8, seed: u64) -> Self {
        let bench = Bench::both(first);
        bench.write("policy.toml", POLICY);
        bench.write("etc/vz/conf/103.conf", "IP_ADDRESS=\"192.168.18.103\"\nARPFLUX_IF=\"eth3\"\n");
        for name in NICS.map(|nic| nic.name) {
            bench.hn.sysctl(&format!("net/ipv4/conf/{name}/rp_filter"), rp_filter).unwrap();
        }
        let all = CONTAINERS.iter().flat_map(|kind| kind.addresses);
        let machines = all.map(|address| (*address, bench.container(*address))).collect();
        let python = std::env::var_os("ARPFLUX_PYTHON").map(PathBuf::from);
        let mut run = Self {
            bench,
            machines,
            running: [None; 3],
            watch: None,
            unit: Vec::new(),
            python,
            rng: Rng(seed),
            done: Vec::new(),
        };
        run.unit = run.boot_unit();
        run
    }

    /// What the unit runs that `apply --persist` writes, on this node's policy.
    fn boot_unit(&self) -> Vec<String> {
        let root = self.bench.path("root");
        std::fs::create_dir_all(root.join("etc")).unwrap();
        let (root, command) = (root.to_str().unwrap(), self.bench.path("arpflux"));
        let persist =
            ["apply", "--policy", "policy.toml", "--persist", "--manager", "systemd", "--root", root];
        let said = self.arpflux(&[&persist[..], &["--command", command.to_str().unwrap()]].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let unit = self.bench.path("root/etc/systemd/system/arpflux.service");
        let unit = std::fs::read_to_string(unit).unwrap();
        let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
        let policy = self.bench.path("policy.toml");
        line.replace("/etc/arpflux/policy.toml", policy.to_str().unwrap())
            .split(' ')
            .map(str::to_owned)
            .collect()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.bench.path("arpflux"));
        command.args(arguments);
        self.prepare(&mut command);
        command
    }

    /// Nothing from outside, and the node's own state folder.
    fn prepare(&self, command: &mut Command) {
        command.current_dir(&self.bench.folder).stdin(Stdio::null());
        command.env_clear().env("ARPFLUX_STATE_DIR", self.bench.path("state"));
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    }

    /// A call that may fail, but not by half, and not for want of understanding.
    #[track_caller]
    fn arpflux(&self, arguments: &[&str]) -> Said {
        let said = self.bench.run(self.command(arguments));
        assert!([0, 1, 2, 4].contains(&said.code), "{arguments:?}: {said:?}\n{:#?}", self.done);
        said
    }

    #[track_caller]
    fn good(&self, said: &Said) {
        assert_eq!(said.code, 0, "{said:?}\n{:#?}", self.done);
    }

    #[track_caller]
    fn ip(&self, line: &str) {
        let mut command = Command::new("ip");
        command.args(line.split(' '));
        self.good(&self.bench.run(command));
    }

    #[track_caller]
    fn vz(&self, verb: &str) {
        self.good(&self.bench.vz(&[verb]));
    }

    /// The calls in the scripts of both versions.
    fn set_up(&mut self) {
        for version in [Vzctl, Libvzctl] {
            self.bench.version = version;
            self.vz("setup");
        }
    }

    fn watch_begins(&mut self) {
        let mut command = Command::new(&self.unit[0]);
        command.args(&self.unit[1..]).args(["--look", "200ms"]);
        self.prepare(&mut command);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        self.watch = Some(self.bench.hn.run(|| command.spawn().unwrap()).unwrap());
        self.heals();
    }

    /// The watch is there, and puts right what drifts.
    #[track_caller]
    fn heals(&self) {
        let drifted = "net/ipv4/conf/eth0/arp_ignore";
        self.bench.hn.sysctl(drifted, 0).unwrap();
        let begin = Instant::now();
        while self.bench.hn.read_sysctl(drifted).unwrap() != "1" {
            assert!(begin.elapsed() < Duration::from_secs(60), "not healed\n{:#?}", self.done);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn watch_ends(&mut self) {
        let Some(mut watch) = self.watch.take() else { return };
        let pid = nix::unistd::Pid::from_raw(i32::try_from(watch.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        let code = watch.wait().unwrap().code();
        assert!(matches!(code, Some(0 | 1)), "{code:?}\n{:#?}", self.done);
    }

    /// Each running container has one answer, the right one, and both directions; each stopped one none; the status
    /// says just that.
    fn check(&mut self) {
        let addresses: Vec<String> = self.machines.iter().map(|(address, _)| address.to_string()).collect();
        let mut command = self.command(&["probe", "--json"]);
        command.args(&addresses);
        let output = self.bench.client.run(|| command.output().unwrap()).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut published = Vec::new();
        for (kind, running) in CONTAINERS.iter().zip(self.running) {
            for address in kind.addresses {
                let at = self.machines.iter().position(|(known, _)| known == address).unwrap();
                let replies = answer["addresses"][at]["replies"].as_array().unwrap();
                let macs: Vec<&str> = replies.iter().map(|reply| reply["mac"].as_str().unwrap()).collect();
                let expected = if running.is_some() { vec![Bench::mac(kind.interface)] } else { Vec::new() };
                assert_eq!(macs, expected, "{address}\n{}\n{:#?}", self.state(), self.done);
                if running.is_some() {
                    let there = self.bench.client.ping(None, *address, 1).unwrap();
                    let back = self.machines[at].1.ping(None, CLIENT, 1).unwrap();
                    let both = (there.received, back.received);
                    assert_eq!(both, (1, 1), "{address}\n{}\n{:#?}", self.state(), self.done);
                    published.push(format!("{} {address} {}", kind.veid, kind.interface));
                }
            }
        }
        self.bench.version = self.rng.pick(&[Vzctl, Libvzctl]);
        let said = self.bench.vz(&["status", "--json"]);
        assert_eq!(said.code, 0, "{said:?}\n{:#?}", self.done);
        let status: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        let text = |one: &serde_json::Value, key: &str| one[key].as_str().unwrap().to_owned();
        let mut told: Vec<String> = status["addresses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                assert!(one["published"] == true, "{one}\n{:#?}", self.done);
                format!("{} {} {}", text(one, "owner"), text(one, "address"), text(one, "interface"))
            })
            .collect();
        told.sort();
        published.sort();
        assert_eq!(told, published, "{:#?}", self.done);
    }

    /// For whoever reads a failure.
    fn state(&self) -> String {
        let script = "ip neigh show proxy; ip rule; ip route show table all | grep -v '^local\\|^broadcast\\|^fe80\\|^ff00'";
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let status = self.bench.vz(&["status"]);
        format!("{}{}", self.bench.run(command).stdout, status.stdout)
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if let Some(watch) = &mut self.watch {
            let _ = watch.kill();
            let _ = watch.wait();
        }
    }
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn any_order(first: Version, rp_filter: u8) {
    let seed = number("ARPFLUX_RANDOM_SEED", 1) as u64 + u64::from(rp_filter) * 1000;
    let mut run = Run::new(first, rp_filter, seed);
    let begin = Instant::now();
    for number in 1..=number("ARPFLUX_RANDOM_STEPS", 14) {
        let at = Instant::now();
        let step = run.step();
        run.done.push(format!("{number}. {step}"));
        run.check();
        println!("rp_filter={rp_filter}: {number}. {step}: {:.1?}", at.elapsed());
    }
    run.watch_ends();
    let took = begin.elapsed();
    println!("rp_filter={rp_filter}, seed {seed}: {} steps hold, {took:.0?}", run.done.len());
}

#[test]
fn any_order_rp_filter_0() {
    any_order(Vzctl, 0);
}

#[test]
fn any_order_rp_filter_1() {
    any_order(Libvzctl, 1);
}

#[test]
fn any_order_rp_filter_2() {
    any_order(Vzctl, 2);
}
