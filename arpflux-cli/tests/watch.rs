//! What the command `watch` says to others than the reader of its lines, and how it ends.
#![allow(missing_docs, reason = "a test")]

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const POLICY: &str = "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth1\"]\nannounce = false\n";

/// A namespace with a name, two interfaces of one subnet in it, and a watch.
struct Bench {
    name: String,
    folder: PathBuf,
    watch: Option<Child>,
}

impl Bench {
    fn new(name: &str) -> Self {
        let folder = PathBuf::from(format!("/run/arpflux-watch-{}-{name}", std::process::id()));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("policy.toml"), POLICY).unwrap();
        let bench = Self { name: format!("w{name}{}", std::process::id()), folder, watch: None };
        bench.make();
        bench
    }

    /// The namespace; the far ends of its interfaces are ports of one bridge in it.
    fn make(&self) {
        ip(&["netns", "add", &self.name]);
        let lines = "link add br0 type bridge\nlink set br0 arp off up\n\
            link add eth0 type veth peer name p0\nlink add eth1 type veth peer name p1\n\
            link set p0 master br0\nlink set p1 master br0\nlink set p0 up\nlink set p1 up\n\
            link set eth0 up\nlink set eth1 up\n\
            addr add 10.1.0.1/24 dev eth0\naddr add 10.1.0.2/24 dev eth1\n";
        for line in lines.lines() {
            let mut words = vec!["-n", &self.name];
            words.extend(line.split_ascii_whitespace());
            ip(&words);
        }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    fn start(&mut self, more: &[&str]) {
        let output = std::fs::File::create(self.path("lines")).unwrap();
        self.start_to(output.into(), more);
    }

    fn start_to(&mut self, output: Stdio, more: &[&str]) {
        let mut command = Command::new("env");
        command.args(["--default-signal=HUP,USR1,TERM", env!("CARGO_BIN_EXE_arpflux")]);
        command.args(["watch", "--heal", "--json", "--look", "500ms", "--netns", &self.name]);
        command.args(["--policy", &self.path("policy.toml")]).args(more);
        command.env("ARPFLUX_STATE_DIR", self.path("state"));
        let errors = std::fs::File::create(self.path("errors")).unwrap();
        self.watch = Some(command.stdin(Stdio::null()).stdout(output).stderr(errors).spawn().unwrap());
    }

    fn signal(&self, signal: &str) {
        let pid = self.watch.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// The exit code, and how long the end took.
    fn end(&mut self) -> (i32, Duration) {
        let begun = Instant::now();
        let code = self.watch.take().unwrap().wait().unwrap().code().unwrap();
        (code, begun.elapsed())
    }

    /// The lines so far; one that is being written is left out.
    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path("lines")).unwrap();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(30);
        while !is_so() {
            let errors = std::fs::read_to_string(self.path("errors")).unwrap();
            assert!(Instant::now() < end, "{what}: {:#?}\n{errors}", self.lines());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn sysctl(&self, interface: &str) -> String {
        let file = format!("/proc/sys/net/ipv4/conf/{interface}/arp_ignore");
        let output = Command::new("ip").args(["netns", "exec", &self.name, "cat", &file]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        if let Some(watch) = &mut self.watch {
            let _ = watch.kill();
            let _ = watch.wait();
        }
        let _ = Command::new("ip").args(["netns", "del", &self.name]).stderr(Stdio::null()).status();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[track_caller]
fn ip(arguments: &[&str]) {
    assert!(Command::new("ip").args(arguments).status().expect("ip, of iproute2").success(), "{arguments:?}");
}

/// The value of a metric.
fn metric(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

fn outcome(line: &Value) -> &str {
    line["outcome"].as_str().unwrap_or_default()
}

#[test]
fn a_file_a_socket_and_a_signal_say_what_is_so_now() {
    let mut bench = Bench::new("told");
    let (file, socket) = (bench.path("arpflux.prom"), bench.path("socket"));
    // The socket of a watch that was killed is in the way.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    bench.start(&["--metrics", &file, "--socket", &socket]);
    let in_file = || std::fs::read_to_string(&file).unwrap_or_default();
    bench.until("the file says that all is well", || metric(&in_file(), "arpflux_watch_ok") == Some(1.0));
    assert!(in_file().ends_with("# EOF\n"), "{}", in_file());
    assert_eq!(bench.sysctl("eth1"), "1");

    let asked = || {
        let mut text = String::new();
        UnixStream::connect(&socket).unwrap().read_to_string(&mut text).unwrap();
        text
    };
    let healed = "arpflux_watch_healed_total{kind=\"sysctl\"}";
    let before = metric(&asked(), healed).unwrap();
    ip(&["netns", "exec", &bench.name, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/conf/eth1/arp_ignore"]);
    bench.until("one more was put right", || metric(&asked(), healed) == Some(before + 1.0));
    bench.until("the file says the same", || metric(&in_file(), healed) == Some(before + 1.0));

    bench.signal("-USR1");
    let has_asked = || bench.lines().into_iter().find(|line| outcome(line) == "asked");
    bench.until("the answer to the signal", || has_asked().is_some());
    let status = has_asked().unwrap()["status"].clone();
    assert_eq!(status["judgement"], "good", "{status}");
    assert!(status["ok_since_ms"].is_u64(), "{status}");

    // What the policy wants and cannot have is open until the policy no longer wants it.
    std::fs::write(bench.path("policy.toml"), POLICY.replace("\"eth1\"", "\"eth1\", \"eth7\"")).unwrap();
    bench.signal("-HUP");
    bench.until("one thing is open", || metric(&asked(), "arpflux_watch_open") == Some(1.0));
    assert_eq!(metric(&asked(), "arpflux_watch_ok"), Some(0.0));
    // A file that cannot be read leaves the policy in force, and is open as well.
    std::fs::write(bench.path("policy.toml"), "version = 7").unwrap();
    bench.until("both are open", || metric(&asked(), "arpflux_watch_open") == Some(2.0));
    std::fs::write(bench.path("policy.toml"), POLICY).unwrap();
    bench.until("all is well again", || metric(&asked(), "arpflux_watch_ok") == Some(1.0));

    let numbers: Vec<u64> = bench.lines().iter().map(|line| line["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    bench.signal("-TERM");
    let (code, took) = bench.end();
    assert_eq!(code, 0);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!PathBuf::from(&socket).exists(), "the socket is removed at the end");
}

#[test]
fn what_is_not_kept_at_the_end_is_the_exit_code() {
    let mut bench = Bench::new("bad");
    std::fs::write(bench.path("policy.toml"), POLICY.replace("\"eth1\"", "\"eth1\", \"eth7\"")).unwrap();
    bench.start(&[]);
    let impossible = || bench.lines().iter().any(|line| outcome(line) == "impossible");
    bench.until("it is told", impossible);
    bench.until("the rest is kept", || bench.sysctl("eth1") == "1");
    bench.signal("-TERM");
    assert_eq!(bench.end().0, 1);
}

#[test]
fn a_namespace_that_goes_ends_the_watch_or_is_followed() {
    let mut bench = Bench::new("gone");
    bench.start(&[]);
    bench.until("it is kept", || bench.sysctl("eth1") == "1");
    ip(&["netns", "del", &bench.name]);
    let (code, took) = bench.end();
    assert_eq!(code, 8);
    assert!(took < Duration::from_secs(5), "{took:?}");

    bench.make();
    bench.start(&["--follow"]);
    bench.until("it is kept", || bench.sysctl("eth1") == "1");
    ip(&["netns", "del", &bench.name]);
    bench.make();
    bench.until("the new one is kept as well", || bench.sysctl("eth1") == "1");
    // The end would come between a repair and the judgement of it.
    let is_well = || {
        bench.signal("-USR1");
        bench.lines().iter().any(|line| line["status"]["ok_since_ms"].is_u64())
    };
    bench.until("all is well", is_well);
    bench.signal("-TERM");
    assert_eq!(bench.end().0, 0);
}

/// Writes a value as those do who see another mount of /proc: no event tells of it.
fn write_unseen(bench: &Bench, file: &str, value: &str) {
    let write = format!("echo {value} >/proc/sys/net/ipv4/conf/{file}");
    ip(&["netns", "exec", &bench.name, "unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", &write]);
}

#[test]
fn what_no_event_tells_of_is_found_by_the_regular_look() {
    let mut bench = Bench::new("unseen");
    bench.start(&[]);
    let is_well = || {
        bench.signal("-USR1");
        let lines = bench.lines();
        lines.last().is_some_and(|line| line["status"]["ok_since_ms"].is_u64())
    };
    bench.until("it is kept", || bench.sysctl("eth1") == "1");
    bench.until("all is well", is_well);
    let mut longest = Duration::ZERO;
    for _ in 0..5 {
        write_unseen(&bench, "eth1/arp_ignore", "0");
        let begun = Instant::now();
        bench.until("it is put right", || bench.sysctl("eth1") == "1");
        longest = longest.max(begun.elapsed());
    }
    println!("found within {longest:?} by a look every 500 ms");
    assert!(longest < Duration::from_secs(5), "{longest:?}");
    // Of `all` the policy has no say: the host answers nobody any more, which is told, and over afterwards.
    write_unseen(&bench, "all/arp_ignore", "8");
    let told = |wanted: &str| bench.lines().iter().any(|line| outcome(line) == wanted);
    bench.until("it is told", || told("impossible") || told("misanswered"));
    write_unseen(&bench, "all/arp_ignore", "0");
    bench.until("it is over", || told("possible") || told("recovered"));
    bench.until("all is well again", is_well);
    bench.signal("-TERM");
    assert_eq!(bench.end().0, 0);
}

/// A pipe that takes nothing any more, until its reader is dropped.
fn full_pipe() -> (std::io::PipeReader, std::io::PipeWriter) {
    use std::io::Write as _;
    let (reader, writer) = std::io::pipe().unwrap();
    let mut more = writer.try_clone().unwrap();
    // Ends when the reader is gone.
    std::thread::spawn(move || while more.write_all(&[b'\n'; 4096]).is_ok() {});
    std::thread::sleep(Duration::from_millis(300));
    (reader, writer)
}

#[test]
fn a_reader_that_does_not_read_keeps_it_neither_from_healing_nor_from_ending() {
    let mut bench = Bench::new("blocked");
    let (reader, writer) = full_pipe();
    bench.start_to(writer.into(), &[]);
    bench.until("it is kept", || bench.sysctl("eth1") == "1");
    for _ in 0..30 {
        ip(&["netns", "exec", &bench.name, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/conf/eth1/arp_ignore"]);
        bench.until("it is put right", || bench.sysctl("eth1") == "1");
    }
    bench.signal("-TERM");
    let took = bench.end().1;
    drop(reader);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_full_state_folder_is_told_and_keeps_nothing_from_being_put_right() {
    let mut bench = Bench::new("full");
    let state = bench.path("state");
    std::fs::create_dir(&state).unwrap();
    let mount = ["-t", "tmpfs", "-o", "mode=700,size=128k", "tmpfs", &state];
    assert!(Command::new("mount").args(mount).status().unwrap().success());
    bench.start(&[]);
    let count = |wanted: &str| bench.lines().iter().filter(|line| outcome(line) == wanted).count();
    bench.until("it is kept", || bench.sysctl("eth1") == "1");
    // A rule takes a transaction, with a journal.
    let rules = || {
        let list = Command::new("ip").args(["-n", &bench.name, "rule"]).output().unwrap().stdout;
        String::from_utf8(list).unwrap().lines().filter(|line| line.contains("proto 175")).count()
    };
    bench.until("its rules are there", || rules() > 0);
    let all = rules();
    let fill = format!("{state}/fill");
    assert!(std::fs::write(&fill, vec![0; 1 << 20]).is_err());
    ip(&["-n", &bench.name, "rule", "flush", "protocol", "175"]);
    ip(&["netns", "exec", &bench.name, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/conf/eth1/arp_ignore"]);
    bench.until("all is put right", || bench.sysctl("eth1") == "1" && rules() == all);
    bench.until("it is told", || count("unrecorded") == 1);
    std::fs::remove_file(&fill).unwrap();
    ip(&["-n", &bench.name, "rule", "flush", "protocol", "175"]);
    bench.until("it is over", || count("recovered") == 1 && rules() == all);
    assert_eq!(count("failed"), 0, "{:#?}", bench.lines());
    bench.signal("-TERM");
    let took = bench.end().1;
    assert!(Command::new("umount").arg(&state).status().unwrap().success());
    assert!(took < Duration::from_secs(2), "{took:?}");
}

/// Somebody has the lock, and somebody else writes all the time.
#[test]
fn it_ends_soon_whatever_it_is_at() {
    let mut bench = Bench::new("ends");
    let folder = bench.path("state");
    for busy in ["nothing", "fight", "lock"] {
        bench.start(&[]);
        bench.until("it is kept", || bench.sysctl("eth1") == "1");
        let write = "while echo 0 >/proc/sys/net/ipv4/conf/eth1/arp_ignore; do :; done";
        let lock = format!("flock $(find {folder} -name lock | head -1) sleep 60");
        let mut other = match busy {
            "fight" => Some(vec!["netns", "exec", &bench.name, "sh", "-c", write]),
            "lock" => Some(vec!["netns", "exec", &bench.name, "sh", "-c", &lock]),
            _ => None,
        }
        .map(|words| Command::new("ip").args(words).spawn().unwrap());
        if busy == "lock" {
            std::thread::sleep(Duration::from_millis(300));
            ip(&[
                "netns",
                "exec",
                &bench.name,
                "sh",
                "-c",
                "echo 0 >/proc/sys/net/ipv4/conf/eth1/arp_ignore",
            ]);
            bench.until("it waits", || bench.lines().iter().any(|line| outcome(line) == "waiting"));
        }
        if busy == "fight" {
            let told = || bench.lines().into_iter().find(|line| outcome(line) == "contested");
            bench.until("it is told", || told().is_some());
            // Who writes is heard in the first user namespace only.
            let users = std::fs::read_to_string("/proc/self/uid_map").unwrap();
            if users.split_ascii_whitespace().eq(["0", "0", "4294967295"]) {
                let writer = format!("sh, process {}", other.as_ref().unwrap().id());
                assert_eq!(told().unwrap()["by"], writer);
            }
        }
        bench.signal("-TERM");
        let took = bench.end().1;
        if let Some(other) = &mut other {
            other.kill().unwrap();
            other.wait().unwrap();
        }
        println!("{busy}: ended within {took:?}");
        assert!(took < Duration::from_secs(2), "{busy}: {took:?}");
    }
}

/// Has `ip` do all of this in the namespace.
fn batch(bench: &Bench, lines: &str) {
    let mut child = Command::new("ip")
        .args(["-n", &bench.name, "-force", "-batch", "-"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("ip, of iproute2");
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    child.wait().unwrap();
}

/// How much memory a process had at most, in MB, and the processor time of all its threads.
fn costs(pid: u32) -> (u64, Duration) {
    let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let status = read("status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let stat = read("stat");
    let words: Vec<&str> = stat.rsplit(')').next().unwrap().split_ascii_whitespace().collect();
    let ticks: u64 = words[11].parse::<u64>().unwrap() + words[12].parse::<u64>().unwrap();
    (peak.trim().split(' ').next().unwrap().parse::<u64>().unwrap() / 1000, Duration::from_millis(ticks * 10))
}

/// Routes to places that the policy says nothing of, and changes of such all the time. `ARPFLUX_ROUTES` is how many
/// there are (default 50,000). The bounds are for a build without optimization on a busy machine; docs/watch.md has figures.
#[test]
fn many_routes_to_other_places_cost_little_and_it_ends_soon() {
    let count: u32 =
        std::env::var("ARPFLUX_ROUTES").ok().and_then(|text| text.parse().ok()).unwrap_or(50_000);
    let mut bench = Bench::new("routes");
    batch(&bench, "route add default via 10.1.0.9");
    let route = |number: u32| {
        let (gateway, [_, a, b, c]) = (7 + number % 3, number.to_be_bytes());
        format!("{}.{b}.{c}.0/24 via 10.1.0.{gateway}", 20 + a)
    };
    batch(
        &bench,
        &(0..count).fold(String::new(), |mut lines, number| {
            let _ = writeln!(lines, "route add {}", route(number));
            lines
        }),
    );
    bench.start(&[]);
    bench.until("it is kept", || bench.sysctl("eth1") == "1");
    std::thread::sleep(Duration::from_secs(2));
    let pid = bench.watch.as_ref().unwrap().id();
    let before = costs(pid).1;
    let begun = Instant::now();
    let worst = std::thread::scope(|scope| {
        let bench = &bench;
        scope.spawn(move || {
            for tenth in 0..40 {
                let lines = (0..50).fold(String::new(), |mut lines, one| {
                    let route = route(8_000_000 + tenth * 50 + one);
                    let _ = writeln!(lines, "route add {route}\nroute del {route}");
                    lines
                });
                batch(bench, &lines);
                std::thread::sleep(
                    Duration::from_millis(u64::from(tenth + 1) * 100).saturating_sub(begun.elapsed()),
                );
            }
        });
        let mut worst = Duration::ZERO;
        for _ in 0..4 {
            let write = "echo 0 >/proc/sys/net/ipv4/conf/eth1/arp_ignore";
            ip(&["netns", "exec", &bench.name, "sh", "-c", write]);
            let written = Instant::now();
            bench.until("it is put right", || bench.sysctl("eth1") == "1");
            worst = worst.max(written.elapsed());
            std::thread::sleep(Duration::from_millis(700));
        }
        worst
    });
    let (peak, after) = costs(pid);
    let share = (after - before).as_secs_f64() / begun.elapsed().as_secs_f64();
    println!(
        "{count} routes, 1,000 changes a second: {peak} MB, {:.1} % of a processor, {worst:?}",
        share * 100.0
    );
    bench.signal("-TERM");
    let mut ends = vec![bench.end().1];
    for pause in [100, 300, 900] {
        bench.start(&[]);
        std::thread::sleep(Duration::from_millis(pause));
        bench.signal("-TERM");
        ends.push(bench.end().1);
    }
    println!("ended within {ends:?}");
    assert!(peak < 35, "{peak} MB");
    assert!(share < 0.3, "{share}");
    assert!(worst < Duration::from_secs(5), "{worst:?}");
    assert!(ends.iter().all(|took| *took < Duration::from_secs(2)), "{ends:?}");
}

/// `apply` and `rollback` say whose work they do in vain.
#[test]
fn what_persons_do_beside_it_says_that_it_is_there() {
    let mut bench = Bench::new("beside");
    bench.start(&[]);
    bench.until("it is kept", || bench.sysctl("eth1") == "1");
    bench.until("it says so", || std::fs::read_to_string(bench.path("errors")).unwrap().contains("watching"));
    let pid = bench.watch.as_ref().unwrap().id();
    let (name, state) = (bench.name.clone(), bench.path("state"));
    let run = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arpflux"));
        command.args(words).args(["--netns", &name]).env("ARPFLUX_STATE_DIR", &state);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let other = bench.path("other.toml");
    std::fs::write(&other, POLICY.replace("[host]", "[host]\nstrategy = \"unmanaged\"")).unwrap();
    let said = |text: &str| text.contains(&format!("process {pid} (")) && text.contains("puts back");
    for words in [vec!["apply", &other], vec!["rollback", "1"]] {
        let (code, text) = run(&words);
        println!("{words:?} {code:?} {text}");
        assert!(said(&text), "{words:?}: {code:?} {text}");
    }
    bench.signal("-TERM");
    bench.end();
    assert!(!said(&run(&["apply", &other]).1));
}
