//! What goes wrong beside a watch keeps it neither from healing nor from ending: outputs, folders, locks, writers, routes.
#![allow(missing_docs, reason = "a test")]

mod watched;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use watched::{Bench, ip, outcome};

/// Writes a value as those do who see another mount of /proc: no event tells of it.
fn write_unseen(bench: &Bench, file: &str, value: &str) {
    let write = format!("echo {value} >/proc/sys/net/ipv4/conf/{file}");
    ip(&["netns", "exec", &bench.name, "unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", &write]);
}

#[test]
fn what_no_event_tells_of_is_found_by_the_regular_look() {
    let mut bench = Bench::new("unseen");
    bench.start(&[]);
    bench.until("it is kept", || bench.sysctl("eth1") == "1");
    bench.until_well();
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
    bench.until_well();
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
        bench.drift("eth1");
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
    bench.drift("eth1");
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
            bench.drift("eth1");
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

/// Somebody has the lock already when it starts, and keeps it: it is ready all the same, heals, says who is in the way, and
/// feeds the watchdog at its time.
#[test]
fn a_lock_that_another_has_starves_no_watchdog_and_ends_no_watch() {
    const ALLOWED: Duration = Duration::from_secs(1);
    let mut bench = Bench::new("fed");
    bench.start(&[]);
    bench.until("it is kept", || bench.sysctl("eth1") == "1");
    bench.until_well();
    bench.signal("-TERM");
    assert_eq!(bench.end().0, 0);
    let folder = std::fs::read_dir(bench.path("state")).unwrap().next().unwrap().unwrap().path();
    let lock = folder.join("lock");
    let mut holder = Command::new("flock").arg("-F").arg(&lock).args(["sleep", "60"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let drift = || {
        let lines = "echo 0 >/proc/sys/net/ipv4/conf/eth1/arp_ignore; ip rule flush protocol 175";
        ip(&["netns", "exec", &bench.name, "sh", "-c", lines]);
    };
    drift();
    let path = bench.path("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(ALLOWED * 3)).unwrap();
    let output = std::fs::File::create(bench.path("lines")).unwrap();
    let allowed = ALLOWED.as_micros().to_string();
    bench.start_with(output.into(), &[], &[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", &allowed)]);
    let heard = || {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).expect("a word of the watch");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    while !heard().starts_with("READY=1") {}
    let (begun, mut fed, mut longest) = (Instant::now(), Instant::now(), Duration::ZERO);
    let mut drifts = 0;
    while begun.elapsed() < Duration::from_secs(6) {
        if heard() == "WATCHDOG=1" {
            longest = longest.max(fed.elapsed());
            fed = Instant::now();
        }
        if begun.elapsed().as_secs() > drifts {
            drifts += 1;
            bench.drift("eth0");
        }
    }
    println!("fed each {longest:?} at the longest");
    assert!(longest < ALLOWED, "{longest:?}");
    let rules = || {
        let list = Command::new("ip").args(["-n", &bench.name, "rule"]).output().unwrap().stdout;
        String::from_utf8(list).unwrap().lines().filter(|line| line.contains("proto 175")).count()
    };
    bench.until("all is put right", || {
        bench.sysctl("eth0") == "1" && bench.sysctl("eth1") == "1" && rules() > 0
    });
    let told = |wanted: &str| bench.lines().iter().filter(|line| outcome(line) == wanted).count();
    assert_eq!(told("waiting"), 1, "{:#?}", bench.lines());
    // The policy is kept, whoever has the lock.
    bench.signal("-TERM");
    let (code, took) = bench.end();
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(code == 0 && took < Duration::from_secs(2), "{code}, {took:?}");
}

/// A run that hangs in the middle: what it is not about is put right, and it ends as it would have.
#[test]
fn a_run_that_hangs_keeps_nothing_else_from_being_put_right() {
    let mut bench = Bench::new("hangs");
    bench.start(&[]);
    bench.until("it is kept", || bench.sysctl("eth1") == "1");
    let many =
        (0..3000).map(|at| format!("\"10.2.{}.{}\"", at / 250, at % 250 + 1)).collect::<Vec<_>>().join(",");
    let other =
        format!("{}[[proxy]]\nowner = \"1\"\ninterface = \"eth0\"\naddresses = [{many}]\n", watched::POLICY);
    std::fs::write(bench.path("other.toml"), other).unwrap();
    let journal = || {
        let folders = std::fs::read_dir(bench.path("state")).unwrap().flatten();
        folders.map(|folder| folder.path().join("journal")).find(|journal| journal.exists())
    };
    bench.until("nobody is at work", || journal().is_none());
    let mut apply = Command::new(env!("CARGO_BIN_EXE_arpflux"))
        .args(["apply", "--netns", &bench.name, "--policy", &bench.path("other.toml"), "--accept-harm"])
        .env("ARPFLUX_STATE_DIR", bench.path("state"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = apply.id().to_string();
    let end = Instant::now() + Duration::from_secs(60);
    while journal().is_none() {
        assert!(Instant::now() < end && apply.try_wait().unwrap().is_none(), "it never began");
    }
    assert!(Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
    let text = std::fs::read_to_string(journal().expect("it is in the middle")).unwrap();
    assert!(!text.contains("applied"), "stopped too late");
    let told = |wanted: &str| bench.lines().iter().filter(|line| outcome(line) == wanted).count();
    for _ in 0..3 {
        bench.drift("eth1");
        bench.until("it is put right", || bench.sysctl("eth1") == "1");
    }
    bench.until("it is told", || told("waiting") == 1);
    let lines = bench.lines();
    let waiting = lines.iter().find(|line| outcome(line) == "waiting").unwrap();
    assert!(waiting["error"].as_str().unwrap().contains(&format!("process {pid} (")), "{waiting}");
    assert!(Command::new("kill").args(["-CONT", &pid]).status().unwrap().success());
    assert!(apply.wait().unwrap().success());
    bench.until("it is over", || told("recovered") == 1);
    assert_eq!((told("waiting"), told("failed")), (1, 0), "{:#?}", bench.lines());
    bench.signal("-TERM");
    let took = bench.end().1;
    assert!(took < Duration::from_secs(2), "{took:?}");
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
            bench.drift("eth1");
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
