//! `arpflux demo`, as a person runs it.
#![allow(missing_docs, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

const ARPFLUX: &str = env!("CARGO_BIN_EXE_arpflux");

/// A folder of this test's own, deleted with everything in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("arpflux-test-{name}-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn entries(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(output: &Output) -> (String, String) {
    let of = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (of(&output.stdout), of(&output.stderr))
}

fn lines_of(capture: &Path) -> Vec<String> {
    let output = Command::new("tcpdump").args(["-enr"]).arg(capture).output().expect("tcpdump");
    assert!(output.status.success(), "{}: {:?}", capture.display(), text(&output));
    text(&output).0.lines().map(String::from).collect()
}

#[test]
fn twice_in_a_row_everything_holds_and_nothing_is_left() {
    let scratch = Folder::new("scratch");
    let out = Folder::new("out");
    for _ in 0..2 {
        let start = Instant::now();
        let output = Command::new(ARPFLUX)
            .args(["demo", "--out"])
            .arg(&out.0)
            .env("TMPDIR", &scratch.0)
            .output()
            .unwrap();
        let (stdout, stderr) = text(&output);
        assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
        assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
        assert!(!stdout.contains('\x1b'), "colour without a terminal");
        for line in [
            "arp who-has 192.168.18.10 tell 192.168.18.129",
            "  ok eth0: no frame of container 101, ARP or IP, in or out",
            "  ok the namespace holds exactly what it held before: addresses, sysctls, routes, rules, proxy entries",
            "192.168.18.101  container 101  eth0 eth3 eth4       eth0       eth3                eth3",
        ] {
            assert!(stdout.contains(line), "no {line:?} in\n{stdout}");
        }
        assert!(!stdout.contains("NOT SO"), "{stdout}");
        assert_eq!(scratch.entries(), [""; 0], "temporary files are left");
    }
    assert_eq!(
        out.entries(),
        [
            "1-example-one.pcap",
            "2-arp-filter.pcap",
            "3-example-two.pcap",
            "4-example-three.pcap",
            "5-proof-eth0.pcap",
            "5-proof-eth3.pcap",
            "5-proof-eth4.pcap",
        ]
    );
    // What the captures say, by somebody else's reading.
    let replies =
        |name: &str| lines_of(&out.0.join(name)).iter().filter(|line| line.contains("is-at")).count();
    assert_eq!([1, 2, 3].map(|i| replies(&out.entries()[i - 1])), [3, 1, 1]);
    assert_eq!(replies("4-example-three.pcap"), 3);
    let container = |line: &&String| line.contains("192.168.18.101") || line.contains("192.168.18.102");
    assert_eq!(lines_of(&out.0.join("5-proof-eth0.pcap")).iter().filter(container).count(), 0);
    assert!(lines_of(&out.0.join("5-proof-eth3.pcap")).iter().filter(container).count() >= 400);
}

/// As in an ordinary user's shell, it gets itself a user namespace.
#[test]
fn without_privileges_as_json_into_a_folder_that_is_named() {
    let scratch = Folder::new("unprivileged");
    // A user other than root, who has no capability over anything.
    let output = Command::new("unshare")
        .args(["--user", "--map-user=1000", "--map-group=1000", ARPFLUX, "demo", "--json"])
        .env("TMPDIR", &scratch.0)
        .output()
        .unwrap();
    let (stdout, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(0), "{stdout}{stderr}");
    let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["schema"], 1);
    assert_eq!(report["ok"], true);
    assert!(report["checks"].as_array().unwrap().len() >= 20);
    let left = scratch.entries();
    assert_eq!(left.len(), 1, "the captures and nothing else: {left:?}");
    let named = report["files"][0].as_str().unwrap();
    assert!(Path::new(named).starts_with(scratch.0.join(&left[0])), "{named}");
}

#[test]
fn where_namespaces_are_forbidden_the_setting_is_named() {
    let command = format!(
        "echo 0 > /proc/sys/user/max_user_namespaces && \
         exec setpriv --bounding-set=-all --inh-caps=-all {ARPFLUX} demo"
    );
    let output = Command::new("unshare").args(["-r", "sh", "-c", &command]).output().unwrap();
    let (stdout, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(3), "{stdout}{stderr}");
    assert!(stderr.contains("user.max_user_namespaces = 0"), "{stderr}");
    assert!(stderr.contains("run it as root (sudo)"), "{stderr}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let output = Command::new(ARPFLUX).args(["demo", "--out", "/proc/no/such"]).output().unwrap();
    let (_, stderr) = text(&output);
    assert!(stderr.contains("/proc/no/such"), "{stderr}");
    assert_ne!(output.status.code(), Some(0));
}
