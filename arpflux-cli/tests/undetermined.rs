//! What cannot be told is never good: every verb on the running kernel, without capabilities and beside a filter
//! that nobody works out.

use std::path::PathBuf;
use std::process::{Command, Output};

use arpflux_lab::{Host as Node, Lab};

const POLICY: &str = r#"
version = 1
[host]
interfaces = ["eth0", "eth1"]
announce = false
"#;

/// Asks for something else than the former: there is something to plan.
const OTHER: &str = r#"
version = 1
[host]
interfaces = ["eth0", "eth1"]
announce = false
[[proxy]]
owner = "one"
addresses = ["10.2.0.1"]
interface = "eth1"
"#;

/// Root that executes without a bounding set has no capability left, and reads files as before.
const NO_CAPABILITIES: &[&str] = &["setpriv", "--bounding-set=-all", "--inh-caps=-all"];

/// Two NICs on one subnet, and a client on the wire.
struct Bench {
    node: Node,
    client: Node,
    folder: PathBuf,
    _lab: Lab,
}

impl Bench {
    fn new(name: &str) -> Self {
        let lab = Lab::new().unwrap();
        let lan = lab.switch("lan").unwrap();
        let node = lab.host("node").unwrap();
        for (name, last) in [("eth0", 1u8), ("eth1", 2)] {
            node.plug(&lan, name, format!("02:00:00:00:00:0{last}").parse().unwrap()).unwrap();
            node.address(name, &format!("10.1.0.{last}/24")).unwrap();
        }
        let client = lab.host("client").unwrap();
        client.plug(&lan, "eth0", "02:00:00:00:00:09".parse().unwrap()).unwrap();
        client.address("eth0", "10.1.0.9/24").unwrap();
        let folder = PathBuf::from(format!("/run/arpflux-undetermined-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("policy.toml"), POLICY).unwrap();
        std::fs::write(folder.join("other.toml"), OTHER).unwrap();
        Self { node, client, folder, _lab: lab }
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).to_str().unwrap().to_owned()
    }

    /// Exit code and what was printed, errors last.
    fn run(&self, on: &Node, program: &[&str], arguments: &[&str]) -> (i32, String) {
        let mut words =
            program.iter().copied().chain([env!("CARGO_BIN_EXE_arpflux")]).chain(arguments.iter().copied());
        let mut command = Command::new(words.next().unwrap());
        command.args(words).env("ARPFLUX_STATE_DIR", self.path("state"));
        let Output { status, stdout, stderr } = on.run(|| command.output().unwrap()).unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (status.code().unwrap(), text(stdout) + &text(stderr))
    }

    /// A program that leads every request away.
    fn filter(&self) {
        let tc = |arguments: &str| {
            let words = arguments.split(' ').map(|word| word.replace('~', " "));
            let run = || Command::new("tc").args(words.clone()).output().unwrap();
            let output = self.node.run(run).unwrap();
            assert!(output.status.success(), "{arguments}: {output:?}");
        };
        for interface in ["eth0", "eth1"] {
            tc(&format!("qdisc add dev {interface} clsact"));
            tc(&format!(
                "filter add dev {interface} ingress protocol arp prio 1 bpf bytecode 1,6~0~0~4294967295 action mirred egress \
                 redirect dev lo"
            ));
        }
    }

    fn apply(&self) {
        let (code, text) = self.run(&self.node, &[], &["apply", "--policy", &self.path("policy.toml")]);
        assert_eq!(code, 0, "{text}");
        let (code, text) = self.run(&self.client, &[], &["snapshot", "--json"]);
        assert_eq!(code, 0, "{text}");
        std::fs::write(self.path("client.json"), text).unwrap();
        for verb in [&["explain"][..], &["explain", "--prove"], &["verify", "-p", &self.path("policy.toml")]]
        {
            let (code, text) = self.run(&self.node, &[], verb);
            assert_eq!(code, 0, "{verb:?}: {text}");
        }
    }

    /// Each verb ends with 6, names in its last line what is missing, and says `null` as JSON.
    fn nothing_is_good(&self, program: &[&str], missing: &[&str]) {
        let policy = self.path("policy.toml");
        for verb in [
            &["explain"][..],
            &["explain", "10.1.0.1"],
            &["explain", "--prove"],
            &["explain", "--also", &self.path("client.json")],
            &["diagnose"],
            &["recommend", "-o", &self.path("recommended.toml")],
            &["plan", &self.path("other.toml")],
            &["apply", "--dry-run", &self.path("other.toml")],
            &["verify", "--policy", &policy],
            &["watch", "--policy", &policy, "--duration", "1s"],
        ] {
            let (code, text) = self.run(&self.node, program, verb);
            let last = text.lines().last().unwrap_or_default();
            assert_eq!(code, 6, "{verb:?}: {text}");
            assert!(last.contains("cannot be told: "), "{verb:?}: {last}");
            for word in missing {
                assert!(last.contains(word), "{verb:?}: {word:?} in {last}");
            }
            assert!(!text.contains("all good") && !text.contains("No address has"), "{verb:?}: {text}");
            assert!(!text.contains("harm: none\n"), "{verb:?}: {text}");
            if ["recommend", "plan", "apply", "watch"].contains(&verb[0]) {
                continue;
            }
            let (code, text) = self.run(&self.node, program, &[verb, &["--json"]].concat());
            let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(code, 6, "{verb:?}: {text}");
            assert!(answer.get("ok").is_some_and(serde_json::Value::is_null), "{verb:?}: {text}");
            assert!(!answer["missing"].as_array().unwrap().is_empty(), "{verb:?}: {text}");
        }
        let (metrics, page) = (self.path("numbers.prom"), self.path("page.html"));
        self.run(&self.node, program, &["diagnose", "--metrics", &metrics, "--html", &page]);
        let numbers = std::fs::read_to_string(metrics).unwrap();
        for line in [
            "arpflux_judgement{judgement=\"undetermined\"} 1\n",
            "arpflux_judgement{judgement=\"good\"} 0\n",
            "arpflux_addresses_undetermined 2\n",
            "arpflux_address_flux{address=\"10.1.0.1\"} NaN\n",
        ] {
            assert!(numbers.contains(line), "{line:?} in {numbers}");
        }
        let html = std::fs::read_to_string(page).unwrap();
        assert!(html.contains("2 addresses cannot be told: "), "the headline");
        assert!(!html.contains("<p>No address has several MACs on one wire."), "the headline");
    }
}

#[test]
fn without_capabilities_flux_is_told_apart_from_what_cannot_be_read() {
    let bench = Bench::new("flux");
    assert_eq!(bench.run(&bench.node, &[], &["explain"]).0, 1);
    let (code, text) = bench.run(&bench.node, NO_CAPABILITIES, &["explain"]);
    let last = text.lines().last().unwrap_or_default();
    assert_eq!(code, 6, "{text}");
    let said = "2 addresses cannot be told: the nftables ruleset cannot be read without CAP_NET_ADMIN; apart from \
                that both are in flux";
    assert!(last.starts_with(said), "{last}");
    // What is certain is still bad, and what is not stands beside it with that remark.
    let (code, text) = bench.run(&bench.node, NO_CAPABILITIES, &["diagnose", "-v"]);
    assert!(code == 1 && text.contains("AF021 warning"), "{text}");
    assert!(
        text.contains("AF001 error") && text.contains("This holds apart from what is not known"),
        "{text}"
    );
}

#[test]
fn without_capabilities_no_verb_says_good() {
    let bench = Bench::new("unprivileged");
    bench.apply();
    let missing = ["the nftables ruleset cannot be read without CAP_NET_ADMIN", "as root"];
    bench.nothing_is_good(NO_CAPABILITIES, &missing);
}

/// A program that leads every request away: the configuration is as the policy says, and nobody answers.
#[test]
fn beside_a_filter_no_verb_says_good() {
    let bench = Bench::new("filter");
    bench.apply();
    let answers = || bench.run(&bench.client, &[], &["probe", "10.1.0.1", "--json"]).1;
    assert!(answers().contains("\"macs\": 1"), "{}", answers());
    bench.filter();
    // On the wire: no answer.
    assert!(answers().contains("\"macs\": 0"), "{}", answers());
    let filter = ["the traffic control filter on eth0", "apart from that"];
    bench.nothing_is_good(&[], &filter);
    // What is made and cannot be told is no good either, until somebody accepts it.
    let (code, text) = bench.run(&bench.node, &[], &["apply", &bench.path("other.toml")]);
    let last = text.lines().last().unwrap_or_default();
    assert!(code == 6 && text.contains("made and checked"), "{text}");
    assert!(last.starts_with("Who answers for ") && filter.iter().all(|word| last.contains(word)), "{last}");
    let (code, text) = bench.run(&bench.node, &[], &["apply", &bench.path("other.toml")]);
    assert!(code == 0 && text.contains("nothing to change"), "{text}");
    let (code, text) = bench.run(&bench.node, &[], &["proxy", "add", "-i", "eth0", "10.2.0.2", "--json"]);
    let receipt: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &receipt["outcome"]), (6, &"applied".into()), "{text}");
    assert!(receipt["unknown"] != 0 && receipt["missing"][0]["missing"] == "traffic_control", "{text}");
    assert_eq!(bench.run(&bench.node, &[], &["rollback", "--all"]).0, 0);
    let accepted = ["apply", "--accept-harm", &bench.path("other.toml")];
    assert_eq!(bench.run(&bench.node, &[], &accepted).0, 0);
}

/// What a filter leaves open does not hide what is harm apart from it.
#[test]
fn harm_is_seen_beside_what_cannot_be_told() {
    let bench = Bench::new("harm");
    bench.filter();
    let silent = r#"{"schema":1,"any_namespace":true,"netns":{"device":0,"inode":0,"boot_id":"","cookie":0},"interfaces":[],"decisions":[],"announcements":[],
        "changes":[{"object":{"sysctl":{"scope":"all","sysctl":"arp_ignore"}},"before":0,"after":8}]}"#;
    std::fs::write(bench.path("silent.json"), silent).unwrap();
    let silent = bench.path("silent.json");
    let (code, text) = bench.run(&bench.node, &[], &["apply", "--dry-run", "--plan", &silent]);
    assert!(code == 1 && text.contains("HARM") && text.contains("no answer for 10.1.0.1"), "{text}");
    assert!(text.lines().last().unwrap_or_default().contains("the traffic control filter on eth0"), "{text}");
    let (code, text) = bench.run(&bench.node, &[], &["apply", "--plan", &silent]);
    assert!(code == 2 && text.contains("it would do harm"), "{text}");
}

#[test]
fn what_was_not_tried_never_ends_with_4() {
    let bench = Bench::new("not-tried");
    for (arguments, expected) in [
        (&["explain", "--snapshot", "/tmp"][..], 2),
        (&["verify", "--policy", "/tmp"], 2),
        (&["probe", "-i", "lo", "10.1.0.1"], 2),
        (&["announce", "-i", "lo", "10.1.0.1"], 2),
        (&["rollback", "77"], 2),
    ] {
        let (code, text) = bench.run(&bench.node, &[], arguments);
        assert_eq!(code, expected, "{arguments:?}: {text}");
    }
    let policy = bench.path("policy.toml");
    let (code, text) = bench.run(&bench.node, &[], &["apply", "--policy", &policy, "--confirm", "60s"]);
    assert_eq!(code, 0, "{text}");
    for arguments in [&["apply", "--policy", &policy][..], &["proxy", "add", "-i", "eth0", "10.1.0.77"]] {
        let (code, text) = bench.run(&bench.node, &[], arguments);
        assert_eq!(code, 7, "{arguments:?}: {text}");
    }
    let (code, text) = bench.run(&bench.node, &[], &["rollback"]);
    assert_eq!(code, 0, "{text}");
}
