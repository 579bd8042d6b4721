//! What the verbs print about hosts of every sort, at 80 and 120 columns, as files that a reviewer reads.
//! `ARPFLUX_WRITE_TEXTS=1 cargo test -p arpflux-cli --test texts` writes them anew.

mod hosts;

use std::path::{Path, PathBuf};
use std::process::Command;

/// No verb prints more lines unless it is asked for them.
const MOST_LINES: usize = 200;

/// What a verb prints about a host, its exit code first. Paths are named as in the text that is kept.
fn printed(arguments: &[&str], host: &Path, columns: usize) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_arpflux"))
        .args(arguments)
        .arg("--snapshot")
        .arg(host)
        .env("COLUMNS", columns.to_string())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let text = format!("exit {}\n{stdout}{stderr}", output.status.code().unwrap());
    let policy = arguments.iter().find(|word| word.starts_with('/'));
    policy
        .map_or(text.clone(), |policy| text.replace(policy, "POLICY.toml"))
        .replace(host.to_str().unwrap(), "HOST.json")
}

#[track_caller]
fn check(name: &str, arguments: &[&str]) {
    let host = hosts::file(name);
    for columns in [80, 120] {
        let text = printed(arguments, &host, columns);
        let words = arguments.iter().filter(|word| !word.starts_with('/')).map(|word| word.trim_matches('-'));
        let verb = words.collect::<Vec<_>>().join("-");
        let file = format!("{name}.{verb}.{columns}.txt");
        assert!(text.lines().count() <= MOST_LINES, "{file}: {} lines", text.lines().count());
        for line in text.lines() {
            // A command to be copied stands on one line.
            let may_be_long = ["Next: ", "Why:  ", "Undo: "].iter().any(|start| line.starts_with(start));
            assert!(may_be_long || line.chars().count() <= columns, "{file}: {line:?}");
            assert!(!line.ends_with(' '), "{file}: {line:?}");
        }
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/texts").join(&file);
        if std::env::var_os("ARPFLUX_WRITE_TEXTS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &text).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, kept, "{file} (ARPFLUX_WRITE_TEXTS=1 writes it anew)");
    }
    std::fs::remove_file(host).unwrap();
}

#[test]
fn explain_lists_addresses_bad_first() {
    for host in hosts::ALL {
        check(host, &["explain"]);
    }
    check("rails", &["explain", "--matrix"]);
    check("rails", &["explain", "10.10.0.12"]);
    check("thousand", &["explain", "10.20.3.1"]);
    check("thousand", &["explain", "--all"]);
}

#[test]
fn diagnose_begins_with_the_sum_and_ends_with_the_next_command() {
    for host in hosts::ALL {
        check(host, &["diagnose"]);
    }
}

#[test]
fn snapshot_leaves_out_what_is_too_much() {
    for host in hosts::ALL {
        check(host, &["snapshot"]);
    }
}

/// A policy for a host, made by `recommend`.
fn recommended(name: &str) -> PathBuf {
    let host = hosts::file(name);
    let policy = host.with_extension("toml");
    let mut command = Command::new(env!("CARGO_BIN_EXE_arpflux"));
    command.args(["recommend", "-o"]).arg(&policy).arg("--snapshot").arg(&host);
    let output = command.output().unwrap();
    assert!(policy.exists(), "{name}: {output:?}");
    std::fs::remove_file(host).unwrap();
    policy
}

#[test]
fn plan_folds_rows_and_says_the_sum() {
    for host in ["healthy", "small", "rails", "proxmox", "openvz"] {
        let policy = recommended(host);
        for verb in ["plan", "verify"] {
            check(host, &[verb, policy.to_str().unwrap()]);
        }
        std::fs::remove_file(policy).unwrap();
    }
}
