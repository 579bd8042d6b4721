//! `arpflux rehearse`, as a person runs it.
#![allow(missing_docs, reason = "a test")]

mod hosts;

use std::process::{Command, Output};

use serde_json::Value;

const ARPFLUX: &str = env!("CARGO_BIN_EXE_arpflux");

/// The policy of a host's own file, made by `recommend`.
fn policy(host: &str) -> String {
    let path = format!("{}/{host}-{}.toml", env!("CARGO_TARGET_TMPDIR"), std::process::id());
    let snapshot = hosts::file(host);
    let made =
        Command::new(ARPFLUX).args(["recommend", "--snapshot"]).arg(snapshot).args(["-o", &path]).output();
    assert!(std::path::Path::new(&path).exists(), "{:?}", made.unwrap());
    path
}

fn rehearse(host: &str, more: &[&str]) -> Output {
    let policy = policy(host);
    let mut command = Command::new(ARPFLUX);
    command.args(["rehearse", &policy, "--snapshot"]).arg(hosts::file(host)).args(more);
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap() + &String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn two_cards_on_one_wire_are_cured_on_the_twin() {
    let output = rehearse("small", &[]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("~ 192.168.1.10 on enp1s0 and enp2s0"), "{said}");
    assert!(said.contains("tried on a twin"), "{said}");
    assert!(said.contains("0 won, 0 lost"), "{said}");
    assert!(said.contains("taken back exactly"), "{said}");
}

#[test]
fn the_record_names_what_was_heard() {
    let output = rehearse("small", &["--json"]);
    let record: Value = serde_json::from_str(&text(&output)).unwrap();
    assert_eq!((&record["schema"], &record["ok"]), (&1.into(), &true.into()), "{record}");
    assert_eq!(record["faults"].as_array().unwrap().len(), 0, "{record}");
    let changed = record["answers"].as_array().unwrap().iter().filter(|answer| answer["turn"] == "changed");
    assert!(changed.count() >= 2, "{record}");
}

#[test]
fn a_user_without_privileges_rehearses_too() {
    let nobody = "65534";
    let (policy, file) = (policy("small"), hosts::file("small"));
    let mut command = Command::new("unshare");
    // Below a user namespace of one user who is root nowhere, as on any machine that allows them.
    command
        .args([
            "--user",
            "--map-user",
            nobody,
            "--map-group",
            nobody,
            ARPFLUX,
            "rehearse",
            &policy,
            "--snapshot",
        ])
        .arg(file);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
}

#[test]
fn killed_at_any_moment_it_leaves_nothing() {
    let (policy, file) = (policy("openvz"), hosts::file("openvz"));
    // A user namespace that may have 40 network namespaces at once. A run has a handful, so that 40 runs that leave
    // theirs do not get by.
    let script = format!(
        "echo 40 > /proc/sys/user/max_net_namespaces
         for round in $(seq 40); do
             {ARPFLUX} rehearse {policy} --snapshot {} >/dev/null 2>&1 &
             sleep 0.0$((round * 2 + 10))
             kill -9 $!
             wait $!
         done 2>/dev/null
         sleep 1
         {ARPFLUX} rehearse {policy} --snapshot {} >/dev/null
         code=$?
         wc -l < /proc/net/dev
         exit $code",
        file.display(),
        file.display()
    );
    let output =
        Command::new("unshare").args(["--user", "--map-root-user", "sh", "-c", &script]).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", text(&output));
    assert_eq!(text(&output).trim(), "3", "the namespace of this test has lo alone");
}

#[test]
fn explain_shows_the_kernels_own_answer() {
    let explain = |more: &[&str]| {
        let mut command = Command::new(ARPFLUX);
        command.args(["explain", "192.168.1.10", "--rehearse", "--snapshot"]).arg(hosts::file("small"));
        command.args(more).output().unwrap()
    };
    let output = explain(&[]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Tried on a twin (kernel "), "{said}");
    assert!(said.contains("a probe on enp1s0 and enp2s0: enp1s0 enp2s0"), "{said}");
    let record: Value = serde_json::from_str(&text(&explain(&["--json"]))).unwrap();
    assert_eq!(
        (&record["ok"], &record["tried"]["faults"]),
        (&false.into(), &serde_json::json!([])),
        "{record}"
    );
    let heard = &record["tried"]["requests"][0]["heard"];
    assert_eq!(heard.as_array().map(Vec::len), Some(2), "{record}");
}
