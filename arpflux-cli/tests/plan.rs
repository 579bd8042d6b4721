//! `arpflux plan` and `arpflux verify` on a stored snapshot: three NICs on one subnet, two containers.

use std::path::PathBuf;
use std::process::Command;

use arpflux_core::{Plan, Snapshot};
use arpflux_lab::page::POLICY;

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hardware-node.json");

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn arpflux(verb: &str, policy: &PathBuf, more: &[&str]) -> (i32, String, String) {
    let output =
        Command::new(env!("CARGO_BIN_EXE_arpflux")).arg(verb).arg("--policy").arg(policy).args(more).output();
    let output = output.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_plan_says_what_changes_why_and_which_answers() {
    let policy = file("good.toml", POLICY);
    let (code, text, errors) = arpflux("plan", &policy, &["--snapshot", SNAPSHOT, "--exit-code"]);
    assert_eq!((code, errors.as_str()), (1, ""));
    for line in [
        "~ arp_ignore 0 -> 1 on eth0, eth3, eth4\n",
        "- proxy 192.168.18.101, 192.168.18.102 on eth0\n",
        "strategy strict: eth0 and eth3 share 192.168.18.0/24",
        "5 addresses stop floating; 5 announcements; harm: none\n",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    let (code, text, errors) = arpflux("plan", &policy, &["--snapshot", SNAPSHOT, "-v"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    for line in [
        "  ~ net.ipv4.conf.eth0.arp_ignore    0 -> 1\n",
        "  - 192.168.18.101 on eth0\n",
        "  + 17500: from 192.168.18.101 lookup main suppress_prefixlength 24\n",
        "  + 17501: from 192.168.18.101 lookup 175005 suppress_prefixlength 23\n",
        "  + table 175005: 192.168.18.0/24 dev eth3",
        "    192.168.18.101 from eth3\n",
        "strategy strict: eth0 and eth3 share 192.168.18.0/24",
        "answers\n",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    let (code, text, _) = arpflux("plan", &policy, &["--snapshot", SNAPSHOT, "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, answer["schema"].as_u64()), (0, Some(1)));
    assert!(!answer["impact"]["effects"].as_array().unwrap().is_empty());
    assert!(answer["rows"].as_array().unwrap().contains(&"~ arp_ignore 0 -> 1 on eth0, eth3, eth4".into()));
    let plan = Plan::from_json(&text).unwrap();
    assert_eq!(answer["changes"].as_array().unwrap().len(), plan.changes.len());
    assert_eq!(Plan::from_json(&plan.to_json().unwrap()).unwrap(), plan);
}

#[test]
fn verify_tells_before_from_after() {
    let policy = file("verify.toml", POLICY);
    let (code, text, errors) = arpflux("verify", &policy, &["--snapshot", SNAPSHOT]);
    assert_eq!((code, errors.as_str()), (1, ""));
    assert!(text.contains("BAD 192.168.18.101  answered by eth3, eth0, eth4, not by eth3 alone\n"), "{text}");
    assert!(text.contains("BAD sysctl net.ipv4.conf.eth0.arp_ignore: expected 1, found 0\n"), "{text}");

    let before = Snapshot::from_json(&std::fs::read_to_string(SNAPSHOT).unwrap()).unwrap();
    let plan = arpflux_core::Policy::from_path(&policy).unwrap().plan(&before).unwrap();
    let after = before.with(&plan.changes);
    let words = ["snapshot", "--json", "--snapshot", SNAPSHOT, "--planned", policy.to_str().unwrap()];
    let planned = Command::new(env!("CARGO_BIN_EXE_arpflux")).args(words).output().unwrap();
    assert_eq!(Snapshot::from_json(std::str::from_utf8(&planned.stdout).unwrap()).unwrap(), after);
    let after = file("after.json", &after.to_json().unwrap());
    let after = after.to_str().unwrap();
    let (code, text, _) = arpflux("verify", &policy, &["--snapshot", after]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("ok  192.168.18.101 by eth3: 7 settings, model for all senders\n"), "{text}");
    let (code, text, _) = arpflux("verify", &policy, &["--snapshot", after, "--json"]);
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, answer["schema"].as_u64(), answer["ok"].as_bool()), (0, Some(1), Some(true)));
    assert!(answer["checks"].as_u64().unwrap() > 30);
    assert_eq!(answer["addresses"][3]["answering"][0], "eth3");
    let (code, text, _) = arpflux("plan", &policy, &["--snapshot", after, "--exit-code"]);
    assert_eq!((code, text.as_str()), (0, "Nothing to change.\n"));
}

#[test]
fn bad_policies_name_the_place_and_nothing_else_happens() {
    let cases = [
        (
            "typo.toml",
            POLICY.replace("[host]", "[host]\nstratgey = \"auto\""),
            "typo.toml:4:1",
            "did you mean strategy?",
        ),
        ("text.toml", "this is not TOML".into(), "text.toml:1:", "not TOML"),
        ("empty.toml", String::new(), "empty.toml:1:1", "version = 1"),
        ("address.toml", POLICY.replace("18.102", "18.302"), "address.toml:13:14", "\"192.168.18.302\""),
    ];
    for (name, text, place, said) in cases {
        for verb in ["plan", "verify"] {
            let (code, out, errors) = arpflux(verb, &file(name, &text), &["--snapshot", SNAPSHOT]);
            assert_eq!((code, out.as_str()), (2, ""), "{name}: {errors}");
            assert!(errors.contains(place) && errors.contains(said), "{name}: {errors}");
        }
    }
    let (code, _, errors) =
        arpflux("plan", &PathBuf::from("/nonexistent/policy.toml"), &["--snapshot", SNAPSHOT]);
    assert_eq!(code, 2, "{errors}");
    // Of an interface that is not there all verbs tell, and the rest is planned.
    let nic = file("nic.toml", &POLICY.replace("\"eth0\"", "\"eth9\""));
    let (code, text, _) = arpflux("plan", &nic, &["--snapshot", SNAPSHOT]);
    assert_eq!(code, 0, "{text}");
    let said = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("not kept: eth9: no such interface") && said.contains("there are lo, eth0"),
        "{text}"
    );
    let (code, text, _) = arpflux("verify", &nic, &["--snapshot", SNAPSHOT]);
    assert!(code == 1 && text.contains("BAD policy eth9"), "{text}");
    // The policy as the one argument, without --policy.
    let mut plain = Command::new(env!("CARGO_BIN_EXE_arpflux"));
    plain.arg("plan").arg(&nic).args(["--snapshot", SNAPSHOT]);
    assert!(plain.output().unwrap().status.success());
}
