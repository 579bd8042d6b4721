//! `arpflux diagnose`: what it prints, and how it ends.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hardware-node.json");

fn arpflux(args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_arpflux")).arg("diagnose").args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// The ids that JSON names, in order.
fn ids(text: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(text).unwrap();
    assert_eq!(answer["schema"], 1);
    let findings = answer["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["id"].as_str().unwrap().to_string()).collect()
}

#[test]
fn a_finding_says_what_why_and_what_to_do() {
    let (code, text, errors) = arpflux(&["--snapshot", SNAPSHOT]);
    assert_eq!((code, errors.as_str()), (1, ""));
    assert!(
        text.starts_with("3 errors, 1 warning, 1 remark: 192.168.18.10 … 192.168.18.102 (5) have"),
        "{text}"
    );
    assert!(text.contains("\nCure of AF001, AF002, AF013, AF021\n"), "one remedy, once: {text}");
    assert!(
        text.ends_with(&format!("\nNext: arpflux recommend --snapshot {SNAPSHOT} -o policy.toml\n")),
        "{text}"
    );
    let (code, text, errors) = arpflux(&["--snapshot", SNAPSHOT, "-v"]);
    assert_eq!((code, errors.as_str()), (1, ""));
    for part in
        ["AF001", "AF002", "AF013", "arp_ignore", "net.ipv4.conf.eth0.arp_ignore", "docs/findings/AF001.md"]
    {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    let (code, text, _) = arpflux(&["--snapshot", SNAPSHOT, "--json"]);
    assert_eq!(code, 1);
    assert!(ids(&text).starts_with(&["AF001".into(), "AF002".into(), "AF013".into()]), "{text}");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&answer["ok"], &answer["worst"]), (&Value::Bool(false), &Value::from("error")));
    let first = &answer["findings"][0];
    for key in ["severity", "objects", "what", "why", "remedy", "evidence", "plan", "remedy_changes", "link"]
    {
        assert!(!first[key].is_null(), "{key} in {first}");
    }
    assert!(!first["plan"]["changes"].as_array().unwrap().is_empty());
    assert!(!first["remedy_changes"]["effects"].as_array().unwrap().is_empty());
    let (_, text, _) = arpflux(&["--snapshot", SNAPSHOT, "--json", "--no-impact"]);
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert!(answer["findings"][0]["remedy_changes"].is_null());
}

#[test]
fn exit_codes_follow_fail_on_and_ignore() {
    let (_, text, _) = arpflux(&["--snapshot", SNAPSHOT, "--json"]);
    let all = ids(&text);
    assert_eq!(arpflux(&["--snapshot", SNAPSHOT, "--fail-on", "never"]).0, 0);
    assert_eq!(arpflux(&["--snapshot", SNAPSHOT, "--fail-on", "error"]).0, 1);
    let mut args = vec!["--snapshot", SNAPSHOT, "--json"];
    for id in &all {
        args.extend(["--ignore", id.as_str()]);
    }
    let (code, text, _) = arpflux(&args);
    assert_eq!((code, ids(&text)), (0, Vec::new()));
    // Without those that are errors, warnings and remarks are left.
    let answer: Value = serde_json::from_str(&arpflux(&["--snapshot", SNAPSHOT, "--json"]).1).unwrap();
    let errors: Vec<String> = answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] == "error")
        .map(|finding| finding["id"].as_str().unwrap().to_string())
        .collect();
    let mut args = vec!["--snapshot", SNAPSHOT];
    for id in &errors {
        args.extend(["--ignore", id.as_str()]);
    }
    assert_eq!(arpflux(&args).0, 1, "warnings count by default");
    args.extend(["--fail-on", "error"]);
    assert_eq!(arpflux(&args).0, 0);
    for wrong in [
        &["--ignore", "AF999"][..],
        &["--ignore", "12"],
        &["--fail-on", "fatal"],
        &["--list", "--ignore", "AF001"],
    ] {
        assert_eq!(arpflux(wrong).0, 2, "{wrong:?}");
    }
}

#[test]
fn a_statement_of_the_wires_and_a_policy_are_read() {
    let apart = file("apart.json", r#"{"schema":1,"wires":[["eth0"],["eth3"],["eth4"]]}"#);
    let (_, text, _) = arpflux(&["--snapshot", SNAPSHOT, "--json", "--segments", apart.to_str().unwrap()]);
    assert!(!ids(&text).contains(&"AF001".to_string()), "{text}");
    let policy = file("not-kept.toml", "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\n");
    let (code, text, _) = arpflux(&["--snapshot", SNAPSHOT, "--json", "--policy", policy.to_str().unwrap()]);
    assert_eq!(code, 1);
    assert!(ids(&text).contains(&"AF029".to_string()), "{text}");
    let wrong = file("wrong.toml", "version = 2\n");
    assert_eq!(arpflux(&["--snapshot", SNAPSHOT, "--policy", wrong.to_str().unwrap()]).0, 2);
}

#[test]
fn the_running_kernel_is_asked_here_and_in_another_namespace() {
    // A namespace of the tests has `lo` alone.
    for args in [&["--json"][..], &["--json", "--netns", "/proc/self/ns/net"]] {
        let (code, text, errors) = arpflux(args);
        assert_eq!((code, ids(&text).len()), (0, 0), "{text}{errors}");
    }
    let (code, text, _) = arpflux(&[]);
    assert_eq!(code, 0);
    assert!(text.starts_with("Nothing found.\n"), "{text}");
}

#[test]
fn what_a_boot_brings_is_found_below_a_root() {
    let root = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("diagnose-root");
    std::fs::create_dir_all(root.join("etc/sysctl.d")).unwrap();
    std::fs::write(root.join("etc/sysctl.d/50.conf"), "net.ipv4.conf.eth0.arp_ignore = 1\n").unwrap();
    let root = root.to_str().unwrap();
    let (_, text, _) = arpflux(&["--snapshot", SNAPSHOT, "--json", "--boot", "--root", root]);
    assert!(ids(&text).contains(&"AF031".to_string()), "{text}");
    let (_, text, _) = arpflux(&["--snapshot", SNAPSHOT, "--json"]);
    assert!(!ids(&text).contains(&"AF031".to_string()), "{text}");
}

#[test]
fn the_list_has_a_line_and_a_page_for_each() {
    let (code, text, _) = arpflux(&["--list"]);
    let pages = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/findings");
    let lines: Vec<&str> = text.lines().collect();
    assert!(code == 0 && lines.len() >= 32, "{text}");
    for line in lines {
        let id = line.split_whitespace().next().unwrap();
        assert!(std::path::Path::new(pages).join(format!("{id}.md")).exists(), "{id}");
    }
    let (_, json, _) = arpflux(&["--list", "--json"]);
    assert_eq!(ids(&json).len(), text.lines().count());
}
