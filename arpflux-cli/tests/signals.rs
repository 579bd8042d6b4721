//! A signal during a change: undone, or finished past the last step, and said either way.
#![allow(missing_docs, reason = "a test")]

use std::io::{Read as _, Write as _};
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

    /// How many proxy entries there are: no snapshot can be had while rules keep changing.
    fn entries(&self) -> usize {
        let list = || Command::new("ip").args(["-4", "neigh", "show", "proxy"]).output().unwrap();
        let listed = self.node.run(list).unwrap().stdout;
        listed.iter().filter(|byte| **byte == b'\n').count()
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

/// The JSON that a text begins with, or holds behind notes.
fn json(text: &str) -> serde_json::Value {
    let text = text.find('{').map(|at| &text[at..]).unwrap();
    serde_json::Deserializer::from_str(text).into_iter().next().unwrap().unwrap()
}

fn comparable(snapshot: &Snapshot) -> Snapshot {
    let mut comparable = snapshot.clone();
    comparable.neighbours.clear();
    comparable.interference.clear();
    // Sticky in the kernel: nothing can take it back.
    comparable.routing = Default::default();
    comparable.proxies.sort();
    comparable
}

#[test]
fn a_signal_during_a_change_undoes_it_or_finds_it_finished() {
    let bench = Bench::new("apply");
    let before = comparable(&bench.host.snapshot().unwrap());
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
        assert!(comparable(&bench.host.snapshot().unwrap()) == before, "{name}: {text}");
        assert_eq!(bench.run(&["recover"]), (0, "nothing was left half done\n".into()));
    }
    assert!(undone >= 4, "{undone} were undone, {finished} were finished");
}

/// A change that was killed in the midst of it, at last.
fn cut_off(bench: &Bench) {
    let many = 4 * ADDRESSES;
    let addresses: Vec<String> = (0..many).map(|n| format!("10.{}.{}.1", n / 250, n % 250)).collect();
    let proxies = |verb| {
        let addresses = addresses.iter().map(String::as_str);
        bench.start(&["proxy", verb, "-i", "eth3"].into_iter().chain(addresses).collect::<Vec<_>>())
    };
    let cut_off = (0..20).any(|_| {
        let mut child = proxies("add");
        let begun = Instant::now();
        while bench.entries() == 0 && begun.elapsed() < Duration::from_secs(20) {}
        child.kill().unwrap();
        child.wait().unwrap();
        let made = bench.entries();
        if made == many {
            proxies("del").wait().unwrap();
        }
        made > 0 && made < many
    });
    assert!(cut_off);
}

/// With the policy in force; it says nothing of the entries that are cut off.
fn bench_with_own_policy(name: &str) -> (Bench, Snapshot) {
    let bench = Bench::new(name);
    std::fs::write(bench.folder.join("own.toml"), OWN).unwrap();
    assert_eq!(bench.run(&["apply", "own.toml", "--accept-harm"]).0, 0);
    let before = comparable(&bench.host.snapshot().unwrap());
    (bench, before)
}

#[test]
fn a_change_that_was_cut_off_is_told_and_undone_before_a_verification() {
    let (bench, before) = bench_with_own_policy("cut-off");
    let (as_ever, _) = bench.run(&["verify", "own.toml"]);
    cut_off(&bench);
    for arguments in [&["diagnose", "--fail-on", "never"][..], &["vz", "status"]] {
        let (code, text) = bench.run(arguments);
        assert!(code == 6 && text.contains("was cut off"), "{arguments:?}: {code}: {text}");
    }
    let (code, text) = bench.run(&["verify", "own.toml"]);
    assert!(code == as_ever && text.contains("was cut off, and is undone"), "{code}, not {as_ever}: {text}");
    assert!(comparable(&bench.host.snapshot().unwrap()) == before, "{text}");
    assert_eq!(bench.run(&["recover"]), (0, "nothing was left half done\n".into()));
}

#[test]
fn a_watch_that_heals_begins_with_undoing_what_was_cut_off() {
    let (bench, before) = bench_with_own_policy("watch");
    cut_off(&bench);
    // The policy says nothing of these entries, so that there is nothing to put right.
    let watch = bench.start(&["watch", "--policy", "own.toml", "--heal"]);
    let begun = Instant::now();
    while bench.entries() > 0 && begun.elapsed() < Duration::from_secs(20) {}
    signal(&watch, "-TERM");
    let (_, text) = said(watch.wait_with_output().unwrap());
    assert!(comparable(&bench.host.snapshot().unwrap()) == before, "{text}");
    assert_eq!(bench.run(&["recover"]), (0, "nothing was left half done\n".into()));
}

const OWN: &str = "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\"]\n";
const SMALL: &str = "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\"]\n[[proxy]]\nowner = \"a\"\n\
                     interface = \"eth3\"\naddresses = [\"10.9.9.9\"]\n";

#[test]
fn what_a_killed_verification_left_is_removed_before_anybody_looks() {
    let bench = Bench::new("killed");
    std::fs::write(bench.folder.join("small.toml"), SMALL).unwrap();
    let before = comparable(&bench.host.snapshot().unwrap());
    let (code, text) = bench.run(&["verify", "small.toml", "--json"]);
    let checks = |text: &str| json(text)["checks"].clone();
    let (whole, as_ever) = (checks(&text), code);
    let kill = || {
        let mut child = bench.start(&["verify", "small.toml", "--wire", "self"]);
        let begun = Instant::now();
        let names = || {
            bench.host.snapshot().unwrap().interfaces.iter().any(|one| one.name.to_string() == "arpflux-in")
        };
        while !names() && begun.elapsed() < Duration::from_secs(10) {}
        // Until the filters are there, too.
        std::thread::sleep(Duration::from_millis(100));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(names());
    };
    kill();
    let (code, text) = bench.run(&["recover"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("that was killed were left, and are removed"), "{text}");
    assert!(comparable(&bench.host.snapshot().unwrap()) == before);
    assert_eq!(bench.run(&["recover"]), (0, "nothing was left half done\n".into()));
    kill();
    let (code, text) = bench.run(&["verify", "small.toml", "--json"]);
    assert_eq!((code, checks(&text)), (as_ever, whole), "{text}");
    assert!(text.contains("are removed"), "{text}");
    kill();
    let (code, text) = bench.run(&["apply", "small.toml", "--accept-harm"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("are removed") && !text.contains("arpflux-in"), "{text}");
    assert_eq!(bench.run(&["rollback"]).0, 0);
    assert!(comparable(&bench.host.snapshot().unwrap()) == before);
}

#[test]
fn a_trial_whose_guard_was_killed_is_told_as_overdue() {
    let bench = Bench::new("overdue");
    std::fs::write(bench.folder.join("own.toml"), OWN).unwrap();
    let before = comparable(&bench.host.snapshot().unwrap());
    let (code, text) = bench.run(&["apply", "own.toml", "--accept-harm", "--confirm", "2s"]);
    assert_eq!(code, 0, "{text}");
    let own = bench.node.run(|| std::fs::read_link("/proc/thread-self/ns/net").unwrap()).unwrap();
    let guards = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path()).filter(|path| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "arpflux-undo")
            && std::fs::read_link(path.join("ns/net")).is_ok_and(|netns| netns == own)
    });
    let guards: Vec<PathBuf> = guards.collect();
    assert_eq!(guards.len(), 1);
    let pid = guards[0].file_name().unwrap().to_str().unwrap();
    assert!(Command::new("kill").args(["-9", pid]).status().unwrap().success());
    std::thread::sleep(Duration::from_millis(2_200));
    for arguments in [
        &["confirm", "--status"][..],
        &["verify", "own.toml"],
        &["diagnose", "--fail-on", "never"],
        &["vz", "status"],
    ] {
        let (code, text) = bench.run(arguments);
        assert_eq!(code, 6, "{arguments:?}: {text}");
        assert!(text.contains("transaction 1 was to be undone"), "{arguments:?}: {text}");
    }
    // Programs read it too, and no green beside it.
    for (arguments, green) in [
        (&["diagnose", "--fail-on", "never"][..], "ok"),
        (&["verify", "own.toml"], "ok"),
        (&["vz", "status"], "right"),
    ] {
        let (_, text) = bench.run(&[arguments, &["--json"]].concat());
        let json = json(&text);
        assert!(
            json[green].is_null() && json.to_string().contains("was to be undone"),
            "{arguments:?}: {text}"
        );
    }
    let (code, text) = bench.run(&["recover"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("transaction 1 is undone"), "{text}");
    assert!(comparable(&bench.host.snapshot().unwrap()) == before);
    assert_eq!(bench.run(&["confirm", "--status"]).0, 1);
}

/// The command on a terminal of its own, by script(1), and the keys typed once it waits for one.
fn on_a_terminal(bench: &Bench, arguments: &str, keys: &str) -> (i32, String) {
    // `exec`, as some shells stay in between, and the key that ends the wait ends them.
    let command = format!("exec {} {arguments}", env!("CARGO_BIN_EXE_arpflux"));
    let start = || {
        let mut command_line = Command::new("script");
        command_line.args(["-qec", &command, "/dev/null"]).current_dir(&bench.folder);
        command_line.env("ARPFLUX_STATE_DIR", bench.folder.join("state"));
        command_line.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut child = bench.node.run(start).unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut text, mut piece, mut asked) = (String::new(), [0; 4096], false);
    while let Ok(length @ 1..) = stdout.read(&mut piece) {
        text += &String::from_utf8_lossy(&piece[..length]);
        if !asked && text.contains("k keeps it") {
            asked = true;
            for key in keys.chars() {
                stdin.write_all(key.to_string().as_bytes()).unwrap();
                // Each is read by itself: what comes at once may be taken for a sequence of the terminal.
                std::thread::sleep(Duration::from_millis(300));
            }
        }
    }
    (child.wait().unwrap().code().unwrap_or(-1), text)
}

#[test]
fn on_a_terminal_a_key_keeps_or_undoes_and_the_end_of_the_time_is_told() {
    let bench = Bench::new("terminal");
    std::fs::write(bench.folder.join("own.toml"), OWN).unwrap();
    let before = comparable(&bench.host.snapshot().unwrap());
    let as_before = || comparable(&bench.host.snapshot().unwrap()) == before;
    let (code, text) = on_a_terminal(&bench, "apply own.toml --confirm 60s", "xu");
    assert!(code == 0 && text.contains("k keeps it, u undoes it now"), "{code}: {text}");
    assert!(as_before(), "{text}");
    let (code, text) = on_a_terminal(&bench, "apply own.toml --confirm 60s", "k");
    assert!(code == 0 && !as_before(), "{code}: {text}");
    assert_eq!(bench.run(&["rollback"]).0, 0);
    let (code, text) = on_a_terminal(&bench, "apply own.toml --confirm 60s", "\x03");
    assert!(code == 0 && text.contains("it stays on trial") && !as_before(), "{code}: {text}");
    assert_eq!(bench.run(&["rollback"]).0, 0);
    let (code, text) = on_a_terminal(&bench, "apply own.toml --confirm 2s", "");
    assert!(code == 4 && as_before(), "{code}: {text}");
    assert!(text.contains("arpflux: transaction") && text.contains("no confirmation came in time"), "{text}");
}

#[test]
fn without_the_right_to_change_nothing_is_printed_written_or_remembered() {
    let bench = Bench::new("rights");
    std::fs::write(bench.folder.join("small.toml"), SMALL).unwrap();
    let text = bench.folder.join("small.toml");
    let run = || {
        let mut command = Command::new("setpriv");
        command
            .args(["--inh-caps=-all", "--bounding-set=-all", env!("CARGO_BIN_EXE_arpflux"), "apply"])
            .arg(text);
        said(command.env("ARPFLUX_STATE_DIR", bench.folder.join("state")).output().unwrap())
    };
    let (code, text) = bench.node.run(run).unwrap();
    assert_eq!(code, 3, "{text}");
    assert!(text.contains("CAP_NET_ADMIN") && !text.contains("arp_ignore"), "{text}");
    assert!(!bench.folder.join("state").exists());
    for arguments in [&["rollback", "--list"][..], &["confirm", "--status"], &["vz", "status"]] {
        bench.run(arguments);
        assert!(!bench.folder.join("state").exists(), "{arguments:?}");
    }
}

#[test]
fn what_waits_ends_at_once_and_leaves_nothing() {
    let bench = Bench::new("waits");
    let before = comparable(&bench.host.snapshot().unwrap());
    std::fs::write(bench.folder.join("small.toml"), SMALL).unwrap();
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
            assert!(comparable(&bench.host.snapshot().unwrap()) == before, "{arguments:?} {name}: {text}");
        }
    }
}

/// Persons, a watch and containers' scripts take turns, and each is met by a signal at a random moment:
/// `ARPFLUX_KILLS` of them, 40 by default.
#[test]
fn a_persons_change_can_be_undone_after_any_number_of_killed_transactions_of_all_makers() {
    const POLICY: &str = "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\"]\negress = \"unmanaged\"\nannounce = false\nproxy_delay = 800\n";
    let kills: u64 = std::env::var("ARPFLUX_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(40);
    let bench = Bench::new("mixed");
    let container = "[[proxy]]\nowner = \"101\"\ninterface = \"eth3\"\naddresses = [\"192.168.18.101\"]\n";
    std::fs::write(bench.folder.join("own.toml"), POLICY).unwrap();
    std::fs::write(bench.folder.join("vz.toml"), POLICY.to_owned() + container).unwrap();
    let routed = [
        "ip link add venet0 type veth peer name venet1",
        "ip link set venet0 up",
        "ip route add 192.168.18.101 dev venet0",
    ];
    for command in routed {
        let words: Vec<&str> = command.split(' ').collect();
        assert!(
            bench.node.run(|| Command::new(words[0]).args(&words[1..]).status().unwrap().success()).unwrap()
        );
    }
    let now = || {
        let mut now = comparable(&bench.host.snapshot().unwrap());
        // These come and go.
        now.proxies
            .retain(|entry| !["192.168.18.101", "192.0.2.7"].contains(&entry.address.to_string().as_str()));
        now
    };
    let before = now();
    let (code, text) = bench.run(&["apply", "own.toml", "--accept-harm"]);
    assert_eq!(code, 0, "{text}");
    let applied = now();
    assert!(before != applied);
    let mut random = 0x9e37_79b9_7f4a_7c15_u64 ^ kills;
    let mut next = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut ends = std::collections::BTreeMap::new();
    for round in 0..kills {
        let arguments: &[&str] = match next(5) {
            0 => {
                &["vz", "net-add", "--policy", "vz.toml", "--vz-dir", "vz", "--veid", "101", "192.168.18.101"]
            }
            1 => &["vz", "stop", "--policy", "vz.toml", "--vz-dir", "vz", "101"],
            2 => &["proxy", "add", "-i", "eth3", "192.0.2.7"],
            3 => &["proxy", "del", "192.0.2.7"],
            _ => {
                bench.node.sysctl("net/ipv4/conf/eth0/arp_ignore", 0).unwrap();
                &["watch", "own.toml", "--heal", "--duration", "200ms"]
            }
        };
        let mut child = bench.start(arguments);
        std::thread::sleep(Duration::from_micros(next(20_000)));
        let name = ["-KILL", "-KILL", "-INT", "-TERM", "-HUP"][next(5) as usize];
        signal(&child, name);
        let code = child.wait().unwrap().code();
        *ends.entry((name, code)).or_insert(0) += 1;
        let (code, text) = bench.run(&["recover"]);
        assert_eq!(code, 0, "{round} {arguments:?} {name}: {text}");
        bench.node.sysctl("net/ipv4/conf/eth0/arp_ignore", 1).unwrap();
        let (found, applied) = (format!("{:#?}", now()), format!("{applied:#?}"));
        let other = found.lines().zip(applied.lines()).find(|(found, applied)| found != applied);
        assert!(found == applied, "{round} {arguments:?} {name}: {other:?} {text}");
    }
    println!("{kills} signals: {ends:?}");
    for (arguments, code) in [
        (&["proxy", "del", "192.0.2.7"][..], 0),
        (&["vz", "stop", "--policy", "vz.toml", "--vz-dir", "vz", "101"], 0),
        (&["rollback", "1"], 0),
    ] {
        let (got, text) = bench.run(arguments);
        assert_eq!(got, code, "{arguments:?}: {text}");
    }
    assert!(now() == before);
}
