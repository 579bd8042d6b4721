//! `arpflux segments --hosts`: several hosts out of one stored snapshot.
#![allow(missing_docs, reason = "a test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hardware-node.json");

fn arpflux(arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_arpflux")).arg("segments").args(arguments).output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A folder of hosts `node1` to `nodeN` like the stored one, each with MACs and addresses of its own.
struct Fleet(PathBuf);

impl Fleet {
    fn new(name: &str, count: u8) -> Self {
        let folder = std::env::temp_dir().join(format!("arpflux-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let fleet = Self(folder);
        let text = std::fs::read_to_string(SNAPSHOT).unwrap();
        for number in 1..=count {
            let mut text = text.replace("00:0c:29:", &format!("02:{number:02x}:29:"));
            for last in [10, 11, 12, 101, 102] {
                let other = last + 10 * (number - 1);
                for end in ["\"", "/"] {
                    text =
                        text.replace(&format!("192.168.18.{last}{end}"), &format!("192.168.18.{other}{end}"));
                }
            }
            fleet.write(&format!("node{number}.json"), &text);
        }
        fleet
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    fn edit(&self, name: &str, edit: impl FnOnce(&mut serde_json::Value)) {
        let mut value = json(&std::fs::read_to_string(self.0.join(name)).unwrap());
        edit(&mut value);
        self.write(name, &value.to_string());
    }

    fn path(&self) -> &Path {
        &self.0
    }

    fn run(&self, more: &[&str]) -> (i32, String, String) {
        arpflux(&[&["--hosts", self.path().to_str().unwrap()], more].concat())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn flux_and_duplicates_across_hosts_and_the_same_as_wires() {
    let fleet = Fleet::new("wires", 3);
    // Node 3 proxies a container of node 2.
    fleet.edit("node3.json", |host| {
        for entry in host["proxies"].as_array_mut().unwrap() {
            if entry["address"] == "192.168.18.121" {
                entry["address"] = "192.168.18.111".into();
            }
        }
        for route in host["routes"].as_array_mut().unwrap() {
            if route["destination"] == "192.168.18.121/32" {
                route["destination"] = "192.168.18.111/32".into();
            }
        }
    });
    let (code, text, errors) = fleet.run(&["--json"]);
    assert_eq!(code, 1, "{text}{errors}");
    let found = json(&text);
    assert_eq!((&found["hosts"], &found["ok"]), (&3.into(), &false.into()));
    assert_eq!(found["segments"].as_array().unwrap().len(), 1);
    assert_eq!(found["segments"][0]["certainty"], "likely");
    let first = &found["segments"][0]["addresses"][0];
    assert_eq!((&first["outcome"], &first["cause"]), (&"duplicate".into(), &"proxied".into()), "{first}");

    let (code, text, _) = fleet.run(&[]);
    assert_eq!(code, 1);
    assert!(text.contains("192.168.18.111: several proxy it\n"), "{text}");
    assert!(text.contains("Looked at 3 hosts, 1 shared wire, "), "{text}");
    // What was printed says who shares a wire, and may be corrected.
    let wires = r#"{"schema":1,"segments":[{"ports":[{"host":"node1","interface":"eth3"},{"host":"node3","interface":"eth4"}]}]}"#;
    std::fs::create_dir(fleet.path().join("told")).unwrap();
    fleet.write("told/wires.json", wires);
    let told = fleet.path().join("told/wires.json");
    let (_, text, _) = fleet.run(&["--wires", told.to_str().unwrap(), "--json"]);
    let found = json(&text);
    assert_eq!(found["segments"][0]["ports"].as_array().unwrap().len(), 2, "{text}");
    assert_eq!(found["segments"][0]["certainty"], "known");
    // Measured wires of one host lie beside its snapshot.
    fleet.write("node1.wires.json", r#"{"schema":1,"wires":[["eth0"],["eth3"],["eth4"]]}"#);
    let (code, text, _) = fleet.run(&["--json"]);
    let found = json(&text);
    assert_eq!(found["apart"][0]["wires"].as_array().unwrap().len(), 3, "{text}");
    assert_eq!((code, found["apart"][0]["open"].as_array().unwrap().len()), (6, 6), "{text}");
    for (arguments, words) in [
        (&["--hosts", "/no/such"][..], "/no/such"),
        (&["--hosts", SNAPSHOT, SNAPSHOT], "are of one host"),
        (&["--policies", "x"], "--hosts"),
        (&["--hosts", SNAPSHOT, "--policies", "/no/such"], "there is no such folder"),
    ] {
        let (code, _, errors) = arpflux(arguments);
        assert!(code == 2 && errors.contains(words), "{code} {errors}");
    }
}

#[test]
fn the_order_in_which_hosts_are_changed() {
    let fleet = Fleet::new("order", 2);
    let policies = fleet.path().join("policies");
    std::fs::create_dir(&policies).unwrap();
    // Container 101 of node 1 goes to node 2, as does its route; node 1 keeps none.
    let address = "192.168.18.101";
    for (name, goes) in [("node1.json", true), ("node2.json", false)] {
        fleet.edit(name, |host| {
            let mut taken = host["proxies"][0].clone();
            taken["interface"] = 7.into();
            taken["address"] = address.into();
            host["proxies"] = if goes { vec![taken].into() } else { serde_json::json!([]) };
            let routes = host["routes"].as_array_mut().unwrap();
            let place = routes.iter().position(|route| {
                let to = route["destination"].as_str().unwrap();
                to == "192.168.18.101/32" || to == "192.168.18.111/32"
            });
            let place = place.expect("the container's route");
            if goes {
                routes.remove(place);
            } else {
                routes[place]["destination"] = format!("{address}/32").into();
            }
        });
    }
    let host =
        "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\nforeign_proxies = \"remove\"\n";
    std::fs::write(policies.join("node1.toml"), host).unwrap();
    let takes =
        format!("{host}[[proxy]]\nowner = \"101\"\naddresses = [\"{address}\"]\ninterface = \"eth4\"\n");
    std::fs::write(policies.join("node2.toml"), takes).unwrap();
    let (code, text, errors) = fleet.run(&["--policies", policies.to_str().unwrap()]);
    assert_eq!((code, errors.as_str()), (0, ""), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "1. on node1: arpflux proxy del 192.168.18.101",
            "2. on node2: apply",
            "3. on node1: apply",
            "192.168.18.101: nobody may answer from step 1 until step 2 is made",
            "Looked at 2 hosts: 2 are changed; no address gets a second answer on the way or stays without one.",
        ]
    );
    std::fs::remove_file(policies.join("node1.toml")).unwrap();
    let (code, text, _) = fleet.run(&["--policies", policies.to_str().unwrap(), "--json"]);
    let found = json(&text);
    assert_eq!((code, &found["doubts"][0]["state"]), (1, &"several".into()), "{text}");
}
