//! A signal during a change: undone, or finished past the last step, and said either way.
#![allow(missing_docs, reason = "a test")]

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use arpflux_core::{Host, Snapshot};
use arpflux_lab::{Host as Node, Lab};

const ADDRESSES: usize = 2_000;

/// A node with two interfaces on one wire, and a policy that is long work.
struct Bench {
    node: Node,
    host: Host,
    folder: PathBuf,
    _lab: Lab,
}

impl Bench {
    fn new(name: &str) -> Self {
        let lab = Lab::new().unwrap();
        let lan = lab.switch("lan").unwrap();
        let node = lab.host("hn").unwrap();
        for (number, name) in ["eth0", "eth3"].into_iter().enumerate() {
            let mac = format!("02:00:00:00:00:0{number}").parse().unwrap();
            node.plug(&lan, name, mac).unwrap();
            node.address(name, &format!("192.168.18.{}/24", 10 + number)).unwrap();
        }
        // On a wire of its own: nobody hears it.
        node.plug(&lab.switch("other").unwrap(), "eth4", "02:00:00:00:00:04".parse().unwrap()).unwrap();
        node.sysctl("net/ipv4/ip_forward", 1).unwrap();
        let folder = PathBuf::from(format!("/run/arpflux-signals-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let addresses: Vec<String> =
            (0..ADDRESSES).map(|n| format!("\"10.{}.{}.1\"", n / 250, n % 250)).collect();
        let policy = format!(
            "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\"]\nannounce = false\n\
             [[proxy]]\nowner = \"many\"\ninterface = \"eth3\"\naddresses = [{}]\n",
            addresses.join(", ")
        );
        std::fs::write(folder.join("many.toml"), policy).unwrap();
        let host = node.run(|| Host::current().unwrap()).unwrap();
        Self { node, host, folder, _lab: lab }
    }

    fn start(&self, arguments: &[&str]) -> Child {
        let start = || {
            // A test that runs under nohup would hand an ignored SIGHUP down.
            let mut command = Command::new("env");
            command.args(["--default-signal=HUP,INT,TERM", env!("CARGO_BIN_EXE_arpflux")]).args(arguments);
            command.env("ARPFLUX_STATE_DIR", self.folder.join("state")).current_dir(&self.folder);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        self.node.run(start).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        said(self.start(arguments).wait_with_output().unwrap())
    }

    /// How many proxy entries there are.
    fn entries(&self) -> usize {
        self.host.snapshot().unwrap().proxies.len()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn said(output: Output) -> (i32, String) {
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    (output.status.code().unwrap_or(-1), text)
}

fn essence(snapshot: &Snapshot) -> Snapshot {
    let mut essence = snapshot.clone();
    essence.neighbours.clear();
    essence.interference.clear();
    essence.proxies.sort();
    essence
}

#[test]
fn a_signal_during_a_change_undoes_it_or_finds_it_finished() {
    let bench = Bench::new("apply");
    let before = essence(&bench.host.snapshot().unwrap());
    let (mut undone, mut finished) = (0, 0);
    for round in 0..9_u64 {
        let name = ["-INT", "-TERM", "-HUP"][round as usize % 3];
        let child = bench.start(&["apply", "many.toml", "--accept-harm"]);
        if round < 6 {
            // In the midst of it.
            let begun = Instant::now();
            let wanted = 1 + 250 * round as usize;
            while bench.entries() < wanted && begun.elapsed() < Duration::from_secs(20) {}
        } else {
            std::thread::sleep(Duration::from_millis(100 * (round - 5)));
        }
        signal(&child, name);
        let (code, text) = said(child.wait_with_output().unwrap());
        match code {
            0 => {
                finished += 1;
                assert_eq!(bench.entries(), ADDRESSES, "{text}");
                assert!(text.contains("made and checked"), "{text}");
                assert_eq!(bench.run(&["rollback"]).0, 0);
            }
            4 => {
                undone += 1;
                assert!(text.contains("ended by a signal"), "{name}: {text}");
            }
            _ => panic!("{name}: {code}: {text}"),
        }
        assert!(essence(&bench.host.snapshot().unwrap()) == before, "{name}: {text}");
        assert_eq!(bench.run(&["recover"]), (0, "nothing was left half done\n".into()));
    }
    assert!(undone >= 4, "{undone} were undone, {finished} were finished");
}

#[test]
fn what_waits_ends_at_once_and_leaves_nothing() {
    let bench = Bench::new("waits");
    let before = essence(&bench.host.snapshot().unwrap());
    std::fs::write(
        bench.folder.join("small.toml"),
        "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\"]\n[[proxy]]\nowner = \"a\"\ninterface = \"eth3\"\n\
         addresses = [\"10.9.9.9\"]\n",
    )
    .unwrap();
    for (arguments, word) in [
        (&["verify", "small.toml", "--wire", "self"][..], "ended by a signal"),
        (&["segments", "--wait", "30000"], "ended by a signal"),
        (&["announce", "-i", "eth0", "192.168.18.10", "--rounds", "50"], "ended by a signal"),
        (&["vz", "announce", "--after", "60s"], "ended by a signal"),
    ] {
        for name in ["-INT", "-TERM", "-HUP"] {
            let begun = Instant::now();
            let child = bench.start(arguments);
            std::thread::sleep(Duration::from_millis(700));
            signal(&child, name);
            let (code, text) = said(child.wait_with_output().unwrap());
            assert_eq!(code, 4, "{arguments:?} {name}: {text}");
            assert!(text.contains(word), "{arguments:?} {name}: {text}");
            assert!(begun.elapsed() < Duration::from_secs(10), "{arguments:?} {name}: {:?}", begun.elapsed());
            assert!(essence(&bench.host.snapshot().unwrap()) == before, "{arguments:?} {name}: {text}");
        }
    }
}
