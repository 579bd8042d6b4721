//! What is answered to words that are typed wrongly or out of habit.

use std::process::{Command, Output};

fn arpflux(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_arpflux")).args(arguments).output().expect("arpflux runs")
}

#[test]
fn a_usage_error_is_json_with_json() {
    let output = arpflux(&["explain", "1.2.3", "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(answer["schema"], 1);
    assert_eq!(answer["error"]["kind"], "invalid_input");
    assert!(answer["error"]["message"].as_str().is_some_and(|text| text.contains("1.2.3")), "{answer}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("1.2.3"));
}

#[test]
fn words_of_habit_are_understood() {
    for (typed, verb) in [(&["undo", "--help"][..], "rollback"), (&["status", "--help"], "diagnose")] {
        let output = arpflux(typed);
        assert_eq!(output.status.code(), Some(0), "{typed:?}");
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(help.contains(&format!("arpflux {verb}")), "{help}");
    }
    assert_eq!(arpflux(&["proxy", "rm", "--help"]).status.code(), Some(0));
}

/// What was typed, and what the answer must say; the exit code is 2 each time.
const MISTAKES: &[(&str, &str)] = &[
    ("explain fe80::1", "IPv6 has no ARP"),
    ("explain 192.168.1.10/24", "leave the length of the prefix out"),
    ("explain 192.168.1", "it has four numbers"),
    ("explain enp1s0", "an interface is named with --on"),
    ("explain server1", "an interface is named with --on"),
    ("explain AF001", "`arpflux diagnose --list`"),
    ("explain af001", "`arpflux diagnose --list`"),
    ("explain --on eht0 --snapshot HOST", "did you mean eth0?"),
    ("explain --on nothing-like-it --snapshot HOST", "`ip link` lists the names"),
    ("explain --netns 1", "/proc/1/ns/net"),
    ("explain --netns no-such-namespace", "`ip netns list` shows the names"),
    ("explain --snapshot /etc/passwd", "`arpflux snapshot --json` writes snapshots"),
    ("explain --snapshot /tmp", "/tmp"),
    ("explain --snapshot /nonexistent/host.json", "/nonexistent/host.json"),
    ("explain --matrix 192.168.18.10 --snapshot HOST", "cannot be used with"),
    ("explain --only good --snapshot HOST", "[possible values: flux, unknown, elsewhere, silent, ok]"),
    ("explain --limit many --snapshot HOST", "many"),
    ("explane", "'explain'"),
    ("diagnos", "'diagnose'"),
    ("fix", "tip: that may be 'arpflux recommend'"),
    ("show", "tip: that may be 'arpflux snapshot'"),
    ("revert", "tip: that may be 'arpflux rollback'"),
    ("history", "tip: that may be 'arpflux rollback --list'"),
    ("diagnose --policy", "a value is required"),
    ("diagnose --ignore AF999", "AF999"),
    ("diagnose --html /nonexistent/page.html --snapshot HOST", "there is no such folder"),
    ("diagnose --metrics /nonexistent/x.prom --snapshot HOST", "there is no such folder"),
    ("recommend -o /nonexistent/home.toml --snapshot HOST", "there is no such folder"),
    ("recommend -o /tmp/home.conf --snapshot HOST", ".toml"),
    ("plan --policy /nonexistent/home.toml --snapshot HOST", "/nonexistent/home.toml"),
    ("plan TYPO --snapshot HOST", "did you mean interfaces?"),
    ("plan TYPO --policy TYPO --snapshot HOST", "cannot be used with"),
    ("apply --plan TYPO", "`arpflux plan --json` writes plans; a policy is given without --plan"),
    ("apply TYPO --confirm 30x", "write it as 30s, 5m or 1h"),
    ("apply --plan TYPO --persist", "cannot be used with"),
    ("rollback abc", "`arpflux rollback --list` lists them"),
    ("confirm abc", "`arpflux rollback --list` lists them"),
    ("proxy list --prefix 192.168.18", "192.168.18"),
    ("proxy add 192.0.2.1", "--interface"),
    ("probe -i lo", "required"),
    ("capture /nonexistent.pcap", "/nonexistent.pcap"),
];

#[test]
fn mistakes_are_answered_with_what_to_write_instead() {
    let host = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hardware-node.json");
    let typo = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistakes.toml");
    std::fs::write(&typo, "version = 1\n[host]\ninterface = [\"eth0\"]\n").unwrap();
    let mut wrong = Vec::new();
    for (typed, said) in MISTAKES {
        let words = typed.split(' ').map(|word| match word {
            "HOST" => host,
            "TYPO" => typo.to_str().unwrap(),
            word => word,
        });
        let output = arpflux(&words.collect::<Vec<_>>());
        let errors = String::from_utf8(output.stderr).unwrap();
        if output.status.code() != Some(2) || !errors.contains(said) || !output.stdout.is_empty() {
            wrong.push(format!("arpflux {typed}: {:?}, {said:?} in: {errors}", output.status.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!std::path::Path::new("/nonexistent").exists());
}
