//! Whatever is done to a node, in any order: its running containers answer and are reached, its stopped ones do not.
//!
//! `ARPFLUX_RANDOM_STEPS` sets the number of steps of each run (12), `ARPFLUX_RANDOM_SEED` the first seed, and
//! `ARPFLUX_PYTHON` names an interpreter that has the package, which then is one of the programs.

use std::ffi::CString;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::ptr::null_mut;
use std::time::{Duration, Instant};

use arpflux::apply::{
    arpflux_apply_options, arpflux_host_apply, arpflux_receipt_free, arpflux_receipt_leave,
};
use arpflux::host::{arpflux_host_free, arpflux_host_open_current, arpflux_host_snapshot};
use arpflux::plan::{arpflux_plan_free, arpflux_policy_plan};
use arpflux::policy::{arpflux_policy_free, arpflux_policy_from_toml};
use arpflux::snapshot::arpflux_snapshot_free;
use arpflux_lab::Host as Machine;

use crate::bench::{A101, A102, Bench, CLIENT, HN, Libvzctl, Said, Version, Vzctl};

const POLICY: &str = "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\n";
const CONTAINERS: [(&str, Ipv4Addr, &str); 2] = [("101", A101, "eth3"), ("102", A102, "eth4")];

/// What programs want of the node: nothing that names a container.
const PROGRAMS: [&str; 5] = [
    "[host]\ninterfaces = [\"eth0\"]\n",
    "[host]\n",
    "[[proxy]]\nowner = \"7\"\naddresses = [\"192.168.18.207\"]\ninterface = \"eth3\"\n",
    "[host]\nstrategy = \"unmanaged\"\negress = \"unmanaged\"\n",
    "[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\nproxy_delay = 20\n",
];

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
    containers: Vec<Machine>,
    running: [bool; 2],
    rng: Rng,
    done: Vec<String>,
}

impl Run {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.bench.path("arpflux"));
        command.args(arguments).current_dir(&self.bench.folder).stdin(Stdio::null());
        command.env_clear().env("ARPFLUX_STATE_DIR", self.bench.path("state"));
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    }

    /// A call that may fail, but not by half, and not for want of understanding.
    fn arpflux(&self, arguments: &[&str]) -> Said {
        let said = self.bench.run(self.command(arguments));
        assert!([0, 1, 2, 4].contains(&said.code), "{arguments:?}: {said:?}\n{:#?}", self.done);
        said
    }

    fn ip(&self, arguments: &[&str]) {
        let mut command = Command::new("ip");
        command.args(arguments);
        let said = self.bench.run(command);
        assert_eq!(said.code, 0, "{arguments:?}: {said:?}\n{:#?}", self.done);
    }

    /// `watch --heal` (what the boot unit runs as well), until a drift is put right.
    fn watch(&self) {
        let drifted = "net/ipv4/conf/eth0/arp_ignore";
        self.bench.hn.sysctl(drifted, 0).unwrap();
        let mut watch = self.command(&["watch", "--policy", "policy.toml", "--heal", "--look", "200ms"]);
        watch.stdout(Stdio::null()).stderr(Stdio::null());
        let mut watch = self.bench.hn.run(|| watch.spawn().unwrap()).unwrap();
        let begin = Instant::now();
        while self.bench.hn.read_sysctl(drifted).unwrap() != "1" {
            assert!(begin.elapsed() < Duration::from_secs(60), "not healed\n{:#?}", self.done);
            std::thread::sleep(Duration::from_millis(20));
        }
        let pid = nix::unistd::Pid::from_raw(i32::try_from(watch.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        watch.wait().unwrap();
    }

    /// A policy planned and applied by a program that knows nothing of containers.
    fn in_c(&self, policy: &str) {
        let text = CString::new(format!("version = 1\n{policy}")).unwrap();
        let state = CString::new(self.bench.path("state").to_str().unwrap()).unwrap();
        let apply = || {
            // SAFETY: the texts end in NUL, and each object is freed once.
            unsafe {
                let mut options: arpflux_apply_options = std::mem::zeroed();
                options.size = size_of::<arpflux_apply_options>();
                options.state_dir = state.as_ptr();
                options.accept_harm = 1; // of the node's own addresses: here only containers count
                let host = arpflux_host_open_current(null_mut());
                let snapshot = arpflux_host_snapshot(host, null_mut());
                let policy = arpflux_policy_from_toml(text.as_ptr(), c"a program".as_ptr(), null_mut());
                let plan = arpflux_policy_plan(policy, snapshot, null_mut());
                let receipt = arpflux_host_apply(host, plan, &raw const options, null_mut());
                let applied = !receipt.is_null();
                arpflux_receipt_leave(receipt, null_mut());
                arpflux_receipt_free(receipt);
                arpflux_plan_free(plan);
                arpflux_policy_free(policy);
                arpflux_snapshot_free(snapshot);
                arpflux_host_free(host);
                applied
            }
        };
        assert!(self.bench.hn.run(apply).unwrap(), "{policy}\n{:#?}", self.done);
    }

    fn in_python(&self, python: &PathBuf, policy: &str) {
        let program = "import sys, arpflux\n\
                       host = arpflux.Host.current()\n\
                       policy = arpflux.Policy.from_toml('version = 1\\n' + sys.argv[1])\n\
                       plan = policy.plan(host.snapshot())\n\
                       host.apply(plan, accept_harm=True, state_dir=sys.argv[2])\n";
        let mut command = Command::new(python);
        command.args(["-c", program, policy]).arg(self.bench.path("state")).stdin(Stdio::null());
        let said = self.bench.run(command);
        assert_eq!(said.code, 0, "{policy}: {said:?}\n{:#?}", self.done);
    }

    /// One step, drawn at random; gives what it was.
    fn step(&mut self, python: Option<&PathBuf>) -> String {
        let at = self.rng.below(2);
        let (veid, address, interface) = CONTAINERS[at];
        let text = address.to_string();
        let program = self.rng.pick(&PROGRAMS);
        match self.rng.below(14) {
            0..=2 => {
                let said = match self.running[at] {
                    true => self.bench.stop(veid, &text),
                    false => self.bench.start_quick(veid, &text),
                };
                self.running[at] = !self.running[at];
                assert_eq!(said.code, 0, "{said:?}\n{:#?}", self.done);
                format!("container {veid} runs: {}", self.running[at])
            }
            3 | 4 => {
                let said = self.arpflux(&["apply", "--policy", "policy.toml", "--accept-harm"]);
                format!("apply ({})", said.code)
            }
            5 => {
                let said =
                    self.arpflux(&["apply", "--policy", "policy.toml", "--accept-harm", "--confirm", "1m"]);
                let end = self.rng.pick(&["confirm", "rollback"]);
                let ended = self.arpflux(&[end]);
                // Where the trial was refused, this took back what came before, the setup maybe.
                self.bench.good(&["setup"]);
                format!("apply on trial ({}), {end} ({})", said.code, ended.code)
            }
            6 => {
                self.watch();
                "watch".into()
            }
            7 => {
                let said = self.arpflux(&["rollback"]);
                // The first of all was the setup itself.
                self.bench.good(&["setup"]);
                format!("rollback ({})", said.code)
            }
            8 => {
                let list: serde_json::Value =
                    serde_json::from_str(&self.arpflux(&["rollback", "--list", "--json"]).stdout).unwrap();
                let all = list["transactions"].as_array().unwrap().clone();
                let ids: Vec<u64> =
                    all.iter().filter(|one| one["by"] != "vz").filter_map(|one| one["id"].as_u64()).collect();
                let id = self.rng.pick(&ids).to_string();
                let said = self.arpflux(&["rollback", &id]);
                self.bench.good(&["setup"]);
                format!("rollback {id} ({})", said.code)
            }
            9 => {
                let said = self.arpflux(&["rollback", "--all"]);
                self.bench.good(&["setup"]);
                format!("rollback --all ({})", said.code)
            }
            10 => {
                self.in_c(program);
                format!("C: {program:?}")
            }
            11 => match python {
                Some(python) => {
                    self.in_python(python, program);
                    format!("Python: {program:?}")
                }
                None => {
                    self.in_c(program);
                    format!("C: {program:?}")
                }
            },
            12 => {
                self.bench.good(&["sync"]);
                "sync".into()
            }
            _ if self.running[at] => {
                match self.rng.below(2) {
                    0 => self.ip(&["neigh", "del", "proxy", &text, "dev", interface]),
                    _ => self.ip(&["rule", "del", "from", &text]),
                }
                let said = self.bench.vz(&["status"]);
                assert_eq!(said.code, 1, "{said:?}\n{:#?}", self.done);
                self.bench.good(&["sync"]);
                format!("a hand took a part of {veid}, sync")
            }
            _ => {
                self.arpflux(&["recover"]);
                "recover".into()
            }
        }
    }

    /// Each running container has one answer, the right one, and both directions; each stopped one none.
    fn check(&self) {
        let mut command = self.command(&["probe", &A101.to_string(), &A102.to_string(), "--json"]);
        let output = self.bench.client.run(|| command.output().unwrap()).unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        for (at, (veid, address, interface)) in CONTAINERS.into_iter().enumerate() {
            let replies = answer["addresses"][at]["replies"].as_array().unwrap();
            let macs: Vec<&str> = replies.iter().map(|reply| reply["mac"].as_str().unwrap()).collect();
            let expected = if self.running[at] { vec![Bench::mac(interface)] } else { Vec::new() };
            assert_eq!(macs, expected, "{veid}\n{:#?}", self.done);
            if self.running[at] {
                let there = self.bench.client.ping(None, address, 1).unwrap();
                let back = self.containers[at].ping(None, CLIENT, 1).unwrap();
                assert_eq!((there.received, back.received), (1, 1), "{veid}\n{:#?}", self.done);
            }
        }
        let said = self.bench.vz(&["status"]);
        assert_eq!(said.code, 0, "{said:?}\n{:#?}", self.done);
    }
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn any_order(version: Version, rp_filter: u8) {
    let python = std::env::var_os("ARPFLUX_PYTHON").map(PathBuf::from);
    let seed = number("ARPFLUX_RANDOM_SEED", 1) as u64 + u64::from(rp_filter);
    let bench = Bench::new(version);
    bench.write("policy.toml", POLICY);
    for (name, ..) in HN {
        bench.hn.sysctl(&format!("net/ipv4/conf/{name}/rp_filter"), rp_filter).unwrap();
    }
    let containers = vec![bench.container(A101), bench.container(A102)];
    let mut run = Run { bench, containers, running: [false; 2], rng: Rng(seed), done: Vec::new() };
    for number in 1..=number("ARPFLUX_RANDOM_STEPS", 12) {
        let step = run.step(python.as_ref());
        run.done.push(format!("{number}. {step}"));
        run.check();
    }
    println!("{version:?}, rp_filter={rp_filter}, seed {seed}: {} steps hold", run.done.len());
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

#[test]
fn any_order_of_the_other_version() {
    any_order(Vzctl, 1);
}
