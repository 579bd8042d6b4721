//! What is written to files: the page, opened by a browser; the metrics, read by Prometheus' own parser; and
//! recommended policies.
#![allow(missing_docs, reason = "a test")]

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hardware-node.json");

/// A folder of the test's own, empty.
fn folder(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

fn arpflux(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_arpflux"))
        .args(arguments)
        .args(["--snapshot", SNAPSHOT])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// What a browser makes of the page at a fragment, its scripts run: the document as it is then.
fn browse(page: &Path, fragment: &str) -> String {
    let name = page.file_stem().unwrap().to_string_lossy();
    let profile = folder(&format!("browser-{name}{}", fragment.replace('#', "-")));
    let mut child = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"])
        .args(["--disable-extensions", "--disable-background-networking", "--virtual-time-budget=2000"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(["--dump-dom", &format!("file://{}{fragment}", page.display())])
        .env("HOME", &profile)
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(profile.join("dom.html")).unwrap())
        .stderr(std::fs::File::create(profile.join("messages")).unwrap())
        .spawn()
        .expect("chromium, which tests/support/prepare installs");
    let deadline = Instant::now() + Duration::from_secs(180);
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > deadline => {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!(
                    "the browser did not end: {}",
                    std::fs::read_to_string(profile.join("messages")).unwrap()
                );
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    let messages = String::from_utf8_lossy(&std::fs::read(profile.join("messages")).unwrap()).into_owned();
    assert!(status.success(), "{status}: {messages}");
    let document = std::fs::read_to_string(profile.join("dom.html")).unwrap();
    std::fs::remove_dir_all(&profile).unwrap();
    assert!(document.contains("arpflux scripted"), "the script did not run: {messages}{document:.400}");
    document
}

/// The summaries of the traces that are open.
fn open_traces(document: &str) -> Vec<String> {
    let traces =
        document.split("<details class=\"trace\"").skip(1).filter(|trace| trace.starts_with(" open"));
    traces
        .map(|trace| trace.split("</summary>").next().unwrap().replace(" open=\"\"><summary>", ""))
        .collect()
}

#[test]
fn a_browser_opens_the_page_and_a_cell_shows_its_steps() {
    let page = folder("page").join("hn.html");
    let (code, _, errors) = arpflux(&["diagnose", "--html", page.to_str().unwrap()]);
    assert_eq!((code, errors.as_str()), (1, ""));

    let document = browse(&page, "");
    assert!(open_traces(&document).is_empty(), "nothing is chosen yet");
    assert!(
        document.contains("<h1>ARP on hardware-node</h1>") && document.contains("With the plan none has.")
    );

    // Clicked, one after the other: the second takes the place of the first.
    let clicks = "<script>document.querySelector('a.cell[href=\"#cell-1-1\"]').click();\
                  setTimeout(function () {\
                  document.querySelector('a.cell[href=\"#after-5-3\"]').click();}, 200);</script></body>";
    let clicked = page.with_file_name("clicked.html");
    let text = std::fs::read_to_string(&page).unwrap();
    std::fs::write(&clicked, text.replacen("</body>", clicks, 1)).unwrap();
    let document = browse(&clicked, "");
    assert_eq!(open_traces(&document), ["With the plan: <span class=\"mono\">192.168.18.102</span> on eth4"]);

    // And by a link from elsewhere.
    for (fragment, title) in [
        ("#cell-4-2", "Now: <span class=\"mono\">192.168.18.101</span> on eth3"),
        ("#after-1-2", "With the plan: <span class=\"mono\">192.168.18.10</span> on eth3"),
    ] {
        let document = browse(&page, fragment);
        assert_eq!(open_traces(&document), [title], "{fragment}");
        let chosen: Vec<&str> = document
            .split("<a class=\"cell\" ")
            .filter(|cell| cell.contains("aria-current=\"true\">"))
            .collect();
        assert_eq!(chosen.len(), 1, "{fragment}");
        assert!(chosen[0].starts_with(&format!("href=\"{fragment}\"")), "{fragment}: {:.80}", chosen[0]);
    }
}

/// Reads metrics as Prometheus' own client library does, and prints them as JSON.
const PARSER: &str = r#"
import json, sys
from prometheus_client.parser import text_string_to_metric_families
families = list(text_string_to_metric_families(sys.stdin.read()))
assert all(family.documentation and family.type == "gauge" for family in families), families
print(json.dumps([[s.name, s.labels, s.value] for family in families for s in family.samples]))
"#;

fn parsed(path: &Path) -> Vec<(String, serde_json::Value, f64)> {
    let output = Command::new("/usr/bin/python3")
        .args(["-c", PARSER])
        .stdin(std::fs::File::open(path).unwrap())
        .output()
        .unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn metrics_are_read_by_prometheus_and_never_seen_half_written() {
    let folder = folder("metrics");
    let path = folder.join("arpflux.prom");
    let write = || {
        let (code, _, errors) =
            arpflux(&["diagnose", "--fail-on", "never", "--metrics", path.to_str().unwrap()]);
        assert_eq!((code, errors.as_str()), (0, ""));
    };
    write();
    let samples = parsed(&path);
    let value = |name: &str, label: Option<(&str, &str)>| {
        let fits = |labels: &serde_json::Value| label.is_none_or(|(key, text)| labels[key] == text);
        samples.iter().find(|(found, labels, _)| found == name && fits(labels)).map(|(_, _, value)| *value)
    };
    assert_eq!(value("arpflux_address_answering_interfaces", Some(("address", "192.168.18.101"))), Some(3.0));
    assert_eq!(value("arpflux_addresses_with_flux", None), Some(5.0));
    assert!(value("arpflux_findings", Some(("severity", "error"))).unwrap() >= 1.0);
    let written = std::fs::metadata(SNAPSHOT).unwrap().modified().unwrap();
    let written = written.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    assert!((value("arpflux_snapshot_timestamp_seconds", None).unwrap() - written).abs() < 0.01);

    // A reader looks all the time while it is written again and again.
    let whole = std::fs::read_to_string(&path).unwrap();
    // Open, so that its number is not given to another.
    let first = std::fs::File::open(&path).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                assert_eq!(std::fs::read_to_string(&path).unwrap(), whole, "half of it");
                looks += 1;
            }
            looks
        });
        for _ in 0..3 {
            write();
        }
        done.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
    });
    let number = first.metadata().unwrap().ino();
    assert_ne!(std::fs::metadata(&path).unwrap().ino(), number, "written in place, not renamed");
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["arpflux.prom"]);
}

#[test]
fn what_is_no_file_is_never_replaced() {
    let folder = folder("odd");
    let (pipe, link, inner) = (folder.join("pipe.toml"), folder.join("link.toml"), folder.join("inner.toml"));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    std::fs::write(folder.join("kept"), "mine").unwrap();
    std::os::unix::fs::symlink("kept", &link).unwrap();
    std::fs::create_dir(&inner).unwrap();
    for path in [&pipe, &link, &inner] {
        let file = path.to_str().unwrap();
        let before = std::fs::symlink_metadata(path).unwrap();
        for arguments in [["diagnose", "--html", file], ["diagnose", "--metrics", file]] {
            let (code, _, errors) = arpflux(&arguments);
            assert_eq!(code, 2, "{arguments:?}: {errors}");
            assert!(errors.contains("something else than a file"), "{errors}");
        }
        let after = std::fs::symlink_metadata(path).unwrap();
        assert_eq!((after.ino(), after.file_type()), (before.ino(), before.file_type()), "{file}");
    }
    assert_eq!(std::fs::read_to_string(folder.join("kept")).unwrap(), "mine");
    for path in [&link, &pipe] {
        let (code, _, errors) = arpflux(&["recommend", "--out", path.to_str().unwrap()]);
        assert_eq!(code, 2, "{errors}");
    }
}

#[test]
fn a_recommended_policy_is_a_file_that_the_other_verbs_take() {
    let folder = folder("recommend");
    let path = folder.join("policy.toml");
    let file = path.to_str().unwrap();
    let (code, text, errors) = arpflux(&["recommend"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let (code, said, errors) = arpflux(&["recommend", "--out", file]);
    assert_eq!((code, errors.as_str()), (0, ""));
    assert!(said.contains("eth0, eth3 and eth4 share 192.168.18.0/24") && said.contains(file), "{said}");
    assert!(!said.contains('\x1b'));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    // Again: the same. Over another text: only with --force.
    assert_eq!(arpflux(&["recommend", "--out", file]).0, 0);
    std::fs::write(&path, "# mine\n").unwrap();
    let (code, _, errors) = arpflux(&["recommend", "--out", file]);
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("--force"), "{errors}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "# mine\n");
    assert_eq!(arpflux(&["recommend", "--force", "--out", file]).0, 0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    let (code, _, errors) = arpflux(&["recommend", "--out", folder.join("policy.txt").to_str().unwrap()]);
    assert_eq!(code, 2, "{errors}");

    let (code, planned, errors) = arpflux(&["plan", "--policy", file, "--json"]);
    assert_eq!((code, errors.as_str()), (0, ""));
    let planned: serde_json::Value = serde_json::from_str(&planned).unwrap();
    let (code, json, _) = arpflux(&["recommend", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, json["schema"].as_u64()), (0, Some(1)));
    assert_eq!(json["file"].as_str(), Some(text.as_str()));
    assert_eq!(json["plan"]["changes"], planned["changes"]);
    let policy = arpflux_core::Policy::from_json(&json["policy"].to_string(), "policy.json").unwrap();
    assert_eq!(policy, arpflux_core::Policy::from_toml(&text, "policy.toml").unwrap());
    assert!(json["proof"]["checks"].as_u64().unwrap() > 30 && json["refused"].as_array().is_some());
}
