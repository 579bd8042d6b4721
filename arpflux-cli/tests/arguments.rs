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
    ("explain fe80::1%eth0", "an interface is named with --on"),
    ("explain fe80::1 --outgoing", "--outgoing is of IPv4 alone"),
    ("explain 2001:db8::1 --from 10.0.0.1", "of different families"),
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
    ("explain ::1%lo", "an interface is named with --on"),
    ("explain 192.168.18.300", "it has four numbers"),
    ("explain 192.168.18.10 192.168.18.11", "tip: that may be 'arpflux explain 192.168.18.11'"),
    ("explain --from 300.1.1.1 --snapshot HOST", "it has four numbers"),
    ("explain 192.168.18.10 --from fe80::1 --snapshot HOST", "of different families"),
    ("explain --only flx --snapshot HOST", "a similar value exists: 'flux'"),
    ("explain 192.168.18.10 --learn zz --snapshot HOST", "write it as 00:0c:29:b3:a2:54"),
    ("explain --outgoing --snapshot HOST", "<ADDRESS>"),
    ("explain 192.168.18.10 --outgoing --proto tpc --snapshot HOST", "neither icmp, tcp, udp, sctp"),
    ("explain --also /nonexistent.json --snapshot HOST", "/nonexistent.json"),
    ("explain --also TYPO --snapshot HOST", "`arpflux snapshot --json` writes snapshots"),
    ("explain --wire a:b --snapshot HOST", "--also"),
    ("explain --snapshot HOST --netns hn", "cannot be used with"),
    ("explain --snapshot TYPO", "`arpflux snapshot --json` writes snapshots"),
    ("explain -i eht0 --snapshot HOST", "did you mean eth0?"),
    ("explain --interface eht0 --snapshot HOST", "did you mean eth0?"),
    ("explain --colour always --snapshot HOST", "--color"),
    ("explain --color sometimes --snapshot HOST", "[possible values: auto, always, never]"),
    ("explain --netns /etc/passwd", "/proc/PID/ns/net"),
    ("diagnose AF001", "tip: that may be 'arpflux diagnose --list'"),
    ("diagnose 192.168.18.10", "tip: that may be 'arpflux explain 192.168.18.10'"),
    ("diagnose host.json", "tip: that may be 'arpflux diagnose --snapshot host.json'"),
    ("diagnose --ignore flux --snapshot HOST", "`arpflux diagnose --list`"),
    ("diagnose --fail-on bad --snapshot HOST", "[possible values: info, warning, error, never]"),
    ("diagnose --policy HOST --snapshot HOST", "or a snapshot (--snapshot FILE)"),
    ("diagnose --segments TYPO --snapshot HOST", "`arpflux segments --json` writes it"),
    ("diagnose --html /tmp --snapshot HOST", "name a file"),
    ("diagnose --list --snapshot HOST", "cannot be used with"),
    ("recommend -o TYPO --snapshot HOST", "compare the two, then use --force"),
    ("recommend -o /tmp --snapshot HOST", ".toml"),
    ("recommend --force --snapshot HOST", "--out"),
    ("plan --snapshot HOST", "`arpflux recommend -o FILE` makes one"),
    ("plan HOST --snapshot HOST", "or a snapshot (--snapshot FILE)"),
    ("plan /tmp --snapshot HOST", "neither a .toml nor a .json file"),
    ("plan TYPO more.toml --snapshot HOST", "unexpected argument 'more.toml'"),
    ("plan TYPO --confirm 30s --snapshot HOST", "tip: that may be 'arpflux apply --confirm TIME'"),
    ("apply TYPO --snapshot HOST", "tip: that may be 'arpflux plan --snapshot FILE"),
    ("apply TYPO --confirm", "a value is required"),
    ("apply GOOD --confirm 0s", "0 s is not between 1 s and 24 h"),
    ("apply GOOD --confirm 48h", "172800 s is not between 1 s and 24 h"),
    ("apply GOOD --confirm forever", "write it as 30s, 5m or 1h"),
    ("apply GOOD --manager upstart --persist", "known: systemd, networkd, ifupdown, network-manager"),
    ("apply GOOD --root /", "--persist"),
    ("apply GOOD --dryrun", "--dry-run"),
    ("apply GOOD --force", "tip: that may be 'arpflux apply --accept-harm'"),
    ("apply --plan HOST", "`arpflux plan --json` writes plans; a policy is given without --plan"),
    ("apply --plan /nonexistent.json", "/nonexistent.json"),
    ("apply --plan HOST GOOD", "cannot be used with"),
    ("verify GOOD --wire slef", "a similar value exists: 'self'"),
    ("verify GOOD --wire self --snapshot HOST", "cannot be used with"),
    ("verify GOOD --wire peer", "--peer"),
    ("rollback 99999", "`arpflux rollback --list`"),
    ("rollback 1 2", "unexpected argument '2'"),
    ("confirm 99999", "`arpflux rollback --list`"),
    ("confirm --status 1", "cannot be used with"),
    ("watch GOOD --look 1ms", "below 100 ms"),
    ("watch GOOD --look never", "write it as 30s, 5m or 1h"),
    ("watch --accept-harm GOOD", "--heal"),
    ("proxy add -i eth0 300.1.1.1", "write it as 192.168.18.10 or fe80::1"),
    ("proxy add -i eth0 192.168.18.1/32", "leave the length of the prefix out"),
    ("proxy add -i eth0 server1", "has to be looked up first"),
    ("proxy add -i eth0/1 192.0.2.1", "`ip link` lists the names"),
    ("proxy add -i no-such-if 192.0.2.1", "`ip link` lists the interfaces"),
    ("proxy delete 192.0.2.1", "'del'"),
    ("proxy list --limit many", "many"),
    ("announce 192.168.18.10", "--interface"),
    ("announce -i l0 192.168.18.10", "did you mean lo?"),
    ("announce -i lo 192.168.18.10/24", "leave the length of the prefix out"),
    ("detect server1", "write it as 192.168.18.10"),
    ("detect -i no-such-if 192.0.2.1", "`ip link` lists the names"),
    ("probe 192.0.2.1", "give --interface NAME"),
    ("probe -i lo fe80::1%lo", "write it as 192.168.18.10"),
    ("probe -i lo 192.0.2.1", "it is not an Ethernet interface"),
    ("capture /tmp", "it is a folder, not a capture"),
    ("capture TYPO", "neither pcap, pcapng nor tcpdump's text"),
    ("capture trace.pcap -i eth0", "cannot be used with"),
    ("segments --hosts TYPO", "`arpflux snapshot --json` writes snapshots"),
    ("schema polcy", "`arpflux schema` lists the names"),
    ("completions tcsh", "[possible values: bash, elvish, fish, powershell, zsh]"),
    ("vz net-add 192.0.2.1", "--veid"),
    ("snapshot HOST", "tip: that may be 'arpflux diagnose --snapshot"),
    ("--jason explain", "--json"),
];

#[test]
fn mistakes_are_answered_with_what_to_write_instead() {
    let host = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hardware-node.json");
    let typo = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistakes.toml");
    std::fs::write(&typo, "version = 1\n[host]\ninterface = [\"eth0\"]\n").unwrap();
    let good = typo.with_file_name("good.toml");
    std::fs::write(&good, "version = 1\n[host]\ninterfaces = [\"lo\"]\n").unwrap();
    let mut wrong = Vec::new();
    for (typed, said) in MISTAKES {
        let words: Vec<&str> = typed
            .split(' ')
            .map(|word| match word {
                "HOST" => host,
                "GOOD" => good.to_str().unwrap(),
                "TYPO" => typo.to_str().unwrap(),
                word => word,
            })
            .collect();
        let output = arpflux(&words);
        let errors = String::from_utf8(output.stderr).unwrap();
        // One object with --json, as every answer; the words may be broken differently.
        let json = arpflux(&[&words[..], &["--json"]].concat());
        let told: Result<serde_json::Value, _> = serde_json::from_slice(&json.stdout);
        // A capture that cannot be read is one of several; what a watch ends with is one of its lines.
        let told = told.is_ok_and(|told| {
            let line = told["outcome"] == "ended" && told["error"].is_string();
            let one = told["error"]["message"].is_string() || told["files"][0]["error"].is_string();
            told["schema"] == 1 && (one || line)
        });
        if output.status.code() != Some(2)
            || json.status.code() != Some(2)
            || !told
            || !errors.contains(said)
            || !output.stdout.is_empty()
        {
            let json = String::from_utf8_lossy(&json.stdout);
            wrong.push(format!("arpflux {typed}: {:?}, {said:?} in: {errors}{json}", output.status.code()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!std::path::Path::new("/nonexistent").exists());
    assert!(MISTAKES.len() > 110);
}
