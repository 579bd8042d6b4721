//! `arpflux snapshot --anonymise`: what a stranger may see shows what was wrong all the same.
#![allow(missing_docs, reason = "a test")]

mod hosts;

use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn run(verb: &[&str], host: &Path) -> (Option<i32>, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_arpflux"));
    let output = command.args(verb).args(["--json", "--snapshot"]).arg(host).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (
        output.status.code(),
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{verb:?}: {error}\n{text}")),
    )
}

/// The findings, and how many interfaces and addresses each is about.
fn findings(host: &Path) -> (Option<i32>, Vec<(String, usize, usize)>) {
    let (code, found) = run(&["diagnose"], host);
    let count = |one: &Value, what: &str| one["objects"][what].as_array().unwrap().len();
    let findings = found["findings"].as_array().unwrap().iter();
    let mut all: Vec<_> = findings
        .map(|one| (one["id"].to_string(), count(one, "interfaces"), count(one, "addresses")))
        .collect();
    all.sort();
    (code, all)
}

/// The cells of the matrix, without what is called otherwise.
fn cells(host: &Path) -> (Option<i32>, Vec<Vec<Value>>) {
    let (code, matrix) = run(&["explain"], host);
    let reason = |cell: &Value| {
        let of = |asked: &str| {
            serde_json::json!([cell[asked]["answers"], cell[asked]["reason"], cell[asked]["missing"]])
        };
        serde_json::json!([of("verdict"), of("probe"), cell["value"]])
    };
    let rows = matrix["addresses"].as_array().unwrap().iter();
    (code, rows.map(|row| row["cells"].as_array().unwrap().iter().map(reason).collect()).collect())
}

#[test]
fn every_verb_says_the_same_of_it() {
    for name in hosts::ALL {
        let host = hosts::file(name);
        let (code, anonymous) = run(&["snapshot", "--anonymise"], &host);
        assert_eq!(code, Some(0), "{name}");
        let other = host.with_extension("anonymous.json");
        std::fs::write(&other, anonymous.to_string()).unwrap();
        assert_eq!(findings(&host), findings(&other), "{name}");
        assert_eq!(cells(&host), cells(&other), "{name}");
        for interface in anonymous["interfaces"].as_array().unwrap() {
            let known = interface["name"].as_str().unwrap();
            assert!(known == "lo" || known.starts_with("if"), "{name}: {known}");
        }
    }
}
