//! What the command `watch` says to others than the reader of its lines, and how it ends.
#![allow(missing_docs, reason = "a test")]

mod watched;

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use watched::{Bench, POLICY, ip, metric, outcome};

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
    bench.drift("eth1");
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
    // And it is kept meanwhile.
    let drift = "echo 0 >/proc/sys/net/ipv4/conf/eth1/arp_ignore; ip rule flush protocol 175";
    let rules = || {
        let list = Command::new("ip").args(["-n", &bench.name, "rule"]).output().unwrap().stdout;
        String::from_utf8(list).unwrap().lines().filter(|line| line.contains("proto 175")).count()
    };
    let all = rules();
    assert!(all > 0);
    ip(&["netns", "exec", &bench.name, "sh", "-c", drift]);
    bench.until("it is put right", || bench.sysctl("eth1") == "1" && rules() == all);
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

/// Lines of one form, whatever comes.
#[test]
fn an_error_before_the_first_look_is_a_line_like_all_others() {
    let mut bench = Bench::new("error");
    std::fs::write(bench.path("policy.toml"), "version = 7").unwrap();
    bench.start(&[]);
    assert_eq!(bench.end().0, 2);
    let first = bench.lines();
    std::fs::write(bench.path("policy.toml"), POLICY).unwrap();
    bench.start(&["--metrics", "/nowhere/file"]);
    assert_eq!(bench.end().0, 2);
    for lines in [first, bench.lines()] {
        let [line] = lines.as_slice() else { panic!("{lines:#?}") };
        assert_eq!((outcome(line), &line["number"], &line["cause"]), ("ended", &1.into(), &"start".into()));
        assert_eq!((&line["severity"], &line["changes"]), (&"error".into(), &Vec::<Value>::new().into()));
        assert!(line["at_ms"].is_u64() && line["error"].is_string() && line["host"].is_string(), "{line}");
    }
    // For people on standard error, once.
    let errors = std::fs::read_to_string(bench.path("errors")).unwrap();
    assert_eq!(errors.matches("/nowhere").count(), 1, "{errors}");
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
    let lines = bench.lines();
    assert_eq!(
        (outcome(&lines[lines.len() - 1]), &lines[lines.len() - 1]["number"]),
        ("ended", &lines.len().into())
    );

    bench.make();
    bench.start(&["--follow"]);
    bench.until("it is kept", || bench.sysctl("eth1") == "1");
    ip(&["netns", "del", &bench.name]);
    bench.make();
    bench.until("the new one is kept as well", || bench.sysctl("eth1") == "1");
    // The end would come between a repair and the judgement of it.
    bench.until_well();
    bench.signal("-TERM");
    assert_eq!(bench.end().0, 0);
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
