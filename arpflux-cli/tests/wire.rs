//! `arpflux probe` and `arpflux announce` among hosts.
#![allow(missing_docs, reason = "a test")]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use arpflux_core::lab::{Host, Lab};

const ARPFLUX: &str = env!("CARGO_BIN_EXE_arpflux");

fn hosts() -> (Lab, Host, Host) {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let hn = lab.host("hn").unwrap();
    for (i, name) in ["eth0", "eth3", "eth4"].iter().enumerate() {
        hn.plug(&lan, name, format!("00:0c:29:b3:a2:5{i}").parse().unwrap()).unwrap();
        hn.address(name, &format!("192.168.18.{}/24", 10 + i)).unwrap();
    }
    let client = lab.host("client").unwrap();
    client.plug(&lan, "eth0", "00:0c:29:d2:c7:aa".parse().unwrap()).unwrap();
    client.address("eth0", "192.168.18.129/24").unwrap();
    (lab, hn, client)
}

/// Runs the command on a host: children of a thread are in its namespace.
fn on(host: &Host, arguments: &[&str], stdin: &str) -> (i32, String, String) {
    let output: Output = host
        .run(|| {
            let mut child = Command::new(ARPFLUX)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        })
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn probe_counts_macs() {
    let (_lab, hn, client) = hosts();
    let (code, stdout, stderr) = on(&client, &["probe", "192.168.18.10", "--json"], "");
    assert_eq!(code, 1, "{stdout}{stderr}");
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(answer["schema"], 1);
    assert_eq!(answer["target"], "192.168.18.10");
    assert_eq!(answer["interface"], "eth0");
    assert_eq!(answer["macs"], 3);
    assert_eq!(answer["replies"].as_array().unwrap().len(), 3);
    assert!(answer["replies"][0]["after_ms"].as_f64().unwrap() < 1000.0);
    assert_eq!(answer["replies"][0]["proxied"], false);

    let (code, stdout, stderr) =
        on(&client, &["probe", "192.168.18.11", "--file", "-"], "192.168.18.12 # own\n\n# nothing\n");
    assert_eq!(code, 1);
    assert!(stderr.contains("waiting 1000 ms for late proxies"), "{stderr}");
    assert_eq!(stdout.matches("flux: several interfaces of one host answer").count(), 2, "{stdout}");

    for (sysctl, value) in [("arp_ignore", 1), ("arp_announce", 2)] {
        hn.sysctl(&format!("net.ipv4.conf.all.{sysctl}"), value).unwrap();
    }
    let (code, stdout, stderr) = on(&client, &["probe", "192.168.18.0/24", "--wait", "300"], "");
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stderr.contains("late answers for proxied addresses may be missed"), "{stderr}");
    assert!(stdout.contains("253 addresses stay silent"), "{stdout}");
}

#[test]
fn probe_refuses_in_words() {
    let (_lab, hn, client) = hosts();
    for (host, arguments, code, words) in [
        (&client, &["probe", "192.168.18.300"][..], 2, "not an IPv4 address, prefix or range"),
        (&client, &["probe", "10.0.0.1"], 2, "no interface has an address on its subnet; give --interface"),
        (&hn, &["probe", "192.168.18.129"], 2, "eth0, eth3, eth4; give --interface NAME"),
        (&client, &["probe", "-i", "eth9", "192.168.18.10"], 2, "eth9: there is no interface of that name"),
        (&client, &["probe"], 2, "ADDRESS"),
        (&client, &["announce", "-i", "lo", "192.168.18.10"], 4, "not an Ethernet interface"),
        (&client, &["announce", "-i", "eth0", "10.0.0.1", "--never", "10.0.0.0/8"], 2, "never announced"),
    ] {
        let (found, stdout, stderr) = on(host, arguments, "");
        assert_eq!(found, code, "{arguments:?} {stdout}{stderr}");
        assert!(stderr.contains(words), "{arguments:?} {stderr}");
    }
}

#[test]
fn announce_moves_a_peer() {
    let (_lab, hn, client) = hosts();
    let target = std::net::Ipv4Addr::new(192, 168, 18, 11);
    client.ping(None, target, 1).unwrap();
    for name in ["eth3", "eth0"] {
        let arguments = ["announce", "--interface", name, "192.168.18.11", "--rounds", "1", "--json"];
        let (code, stdout, stderr) = on(&hn, &arguments, "");
        assert_eq!(code, 0, "{stdout}{stderr}");
        let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((&answer["frames"], &answer["interface"]), (&2.into(), &name.into()));
        assert_eq!(client.neighbour(target.into()).unwrap(), Some(hn.mac(name).unwrap()));
    }
}
