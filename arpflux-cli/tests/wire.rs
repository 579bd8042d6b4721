//! `arpflux probe` and `arpflux announce` among hosts.
#![allow(missing_docs, reason = "a test")]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use arpflux_core::frame::{Arp, Ethernet, Operation, Timestamp};
use arpflux_core::types::Mac;
use arpflux_core::wire::Filter;
use arpflux_lab::{Host, Lab, Recorder};

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
    assert_eq!(answer["interface"], "eth0");
    let answer = &answer["addresses"][0];
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
fn an_interrupted_probe_gives_what_it_has_found() {
    let (_lab, _hn, client) = hosts();
    let output = client
        .run(|| {
            let child = Command::new(ARPFLUX)
                .args(["probe", "192.168.18.0/24", "--rate", "20", "--json"])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            // All of it would take more than 12 s.
            std::thread::sleep(std::time::Duration::from_secs(4));
            let signalled = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
            assert!(signalled.success());
            child.wait_with_output().unwrap()
        })
        .unwrap();
    let (stdout, stderr) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(6), "{stderr}");
    assert!(stderr.contains("ended before all answers were in"), "{stderr}");
    let printed: Vec<serde_json::Value> =
        serde_json::Deserializer::from_str(&stdout).into_iter().map(|value| value.unwrap()).collect();
    assert_eq!(printed[1]["error"]["kind"], "interrupted");
    let answers = printed[0]["addresses"].as_array().unwrap();
    let of = |target: &str| answers.iter().find(|answer| answer["target"] == target).unwrap();
    assert_eq!(of("192.168.18.10")["macs"], 3, "flux: {stdout}");
    assert!(
        answers.len() < 200 && answers.iter().all(|answer| answer["requests"] != 0),
        "only what was asked for"
    );
}

#[test]
fn a_long_probe_shows_its_progress_on_a_terminal() {
    let (_lab, _hn, client) = hosts();
    let command = "probe 192.168.0.0/19 -i eth0 --tries 1 --wait 100 --rate 8000";
    let (code, shown) = client
        .run(|| {
            let output = Command::new("script")
                .args(["-qec", &format!("{ARPFLUX} {command}"), "/dev/null"])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            (output.status.code(), String::from_utf8(output.stdout).unwrap())
        })
        .unwrap();
    assert_eq!(code, Some(1), "flux: {shown}");
    assert!(shown.contains(" of 8192 asked\x1b[K"), "{shown}");
    let (code, stdout, stderr) = on(&client, &command.split(' ').collect::<Vec<_>>(), "");
    assert!(code == 1 && !stderr.contains(" asked"), "{stdout}{stderr}");
}

#[test]
fn probe_refuses_in_words() {
    let (_lab, hn, client) = hosts();
    for (host, arguments, code, words) in [
        (&client, &["probe", "192.168.18.300"][..], 2, "not an IP address, prefix or range"),
        (&client, &["probe", "10.0.0.1"], 2, "no interface has an address on its subnet; give --interface"),
        (&hn, &["probe", "192.168.18.129"], 2, "eth0, eth3, eth4; give --interface NAME"),
        (&client, &["probe", "-i", "eth9", "192.168.18.10"], 2, "eth9: there is no interface of that name"),
        (&client, &["probe"], 2, "ADDRESS"),
        (&client, &["announce", "-i", "lo", "10.0.0.1", "--anyway"], 2, "not an Ethernet interface"),
        (
            &client,
            &["announce", "-i", "eth0", "10.0.0.1", "--never", "10.0.0.0/8"],
            2,
            "nothing is left to announce",
        ),
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
        let arguments =
            ["announce", "--interface", name, "192.168.18.11", "--rounds", "1", "--json", "--anyway"];
        let (code, stdout, stderr) = on(&hn, &arguments, "");
        assert_eq!(code, 0, "{stdout}{stderr}");
        let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((&answer["frames"], &answer["interface"]), (&2.into(), &name.into()));
        assert_eq!(client.neighbour(target.into()).unwrap(), Some(hn.mac(name).unwrap()));
    }
}

#[test]
fn detect_tells_who_has_an_address_and_never_blames_this_host() {
    let (_lab, hn, client) = hosts();
    // Free, taken by the client, and held by the host itself on all three interfaces.
    let (code, stdout, stderr) =
        on(&hn, &["detect", "192.168.18.50", "192.168.18.129", "192.168.18.11", "--json"], "");
    assert_eq!(code, 1, "{stdout}{stderr}");
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&answer["schema"], &answer["free"]), (&1.into(), &false.into()));
    let addresses = answer["addresses"].as_array().unwrap();
    assert_eq!(addresses.len(), 9, "three addresses on three interfaces");
    for one in addresses {
        let conflicts = one["conflicts"].as_array().unwrap();
        if one["address"] == "192.168.18.129" {
            assert_eq!(conflicts.len(), 1, "{one}");
            assert_eq!(conflicts[0]["mac"], client.mac("eth0").unwrap().to_string());
            assert_eq!(conflicts[0]["claim"], "holds");
        } else {
            assert_eq!(conflicts.len(), 0, "{one}");
        }
        let own = one["own"].as_array().unwrap().len();
        assert_eq!(own > 0, one["address"] == "192.168.18.11", "{one}");
    }
    let (code, stdout, stderr) = on(&hn, &["detect", "-i", "eth3", "192.168.18.48/30"], "");
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(stdout.matches("free").count(), 4, "{stdout}");
    let (code, stdout, _) = on(&hn, &["detect", "-i", "eth4", "192.168.18.129"], "");
    assert_eq!(code, 1);
    assert!(stdout.contains("holds it") && stdout.contains("00:0c:29:d2:c7:aa"), "{stdout}");
    let (code, _, stderr) = on(&hn, &["detect", "-i", "eth9", "192.168.18.129"], "");
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("eth9"), "{stderr}");
}

#[test]
fn capture_listens_on_an_interface() {
    let (_lab, _hn, client) = hosts();
    let svg = std::env::temp_dir().join(format!("arpflux-cli-capture-{}.svg", std::process::id()));
    let listen = |arguments: &[&str]| {
        let arguments = [&["capture", "-i", "eth0", "--seconds", "3"], arguments].concat();
        std::thread::scope(|scope| {
            let listening = scope.spawn(|| on(&client, &arguments, ""));
            // More than once: the first may come before anybody listens.
            for _ in 0..8 {
                std::thread::sleep(std::time::Duration::from_millis(250));
                client.forget_neighbours().unwrap();
                client.ping(None, std::net::Ipv4Addr::new(192, 168, 18, 11), 1).unwrap();
            }
            listening.join().unwrap()
        })
    };
    let (code, stdout, stderr) = listen(&["--json", "--svg", svg.to_str().unwrap()]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(answer["files"][0]["format"], "live");
    let address = &answer["addresses"][0];
    assert_eq!((&address["address"], &address["verdict"]), (&"192.168.18.11".into(), &"flux".into()));
    let macs = address["macs"].as_array().unwrap();
    assert_eq!(macs.len(), 3);
    assert!(macs.iter().all(|mac| mac["first_s"].as_f64() <= mac["last_s"].as_f64()), "{stdout}");
    let picture = std::fs::read_to_string(&svg).unwrap();
    std::fs::remove_file(&svg).unwrap();
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{picture}");
    assert_eq!(picture.matches("text-anchor=\"end\"").count(), 3, "a row for each MAC: {picture}");

    let (code, stdout, stderr) = listen(&["--count", "5"]);
    assert_eq!(code, 1, "{stdout}{stderr}");
    assert!(stdout.contains("several MACs answered the same request"), "{stdout}");

    let (code, _, stderr) = on(&client, &["capture", "-i", "eth9"], "");
    assert_eq!(code, 2, "{stderr}");
}

#[test]
fn segments_print_who_shares_a_wire() {
    let (lab, hn, _client) = hosts();
    hn.plug(&lab.switch("other").unwrap(), "eth5", "02:00:00:00:00:05".parse().unwrap()).unwrap();
    let (code, stdout, stderr) = on(&hn, &["segments", "--json"], "");
    assert_eq!(code, 0, "{stdout}{stderr}");
    let wires = arpflux_core::segment::Wires::from_json(&stdout).unwrap();
    assert_eq!(wires.to_string(), "eth0, eth3, eth4 | eth5");
    let answer: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(answer["heard"].as_array().unwrap().len(), 6);

    hn.carrier("eth0", false).unwrap();
    let (code, stdout, stderr) = on(&hn, &["segments"], "");
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert!(stdout.contains("eth3, eth4  2 of 2 frames"), "{stdout}");
    assert!(stdout.contains("no other interface of this host"), "{stdout}");
    assert!(stderr.contains("eth0 has no carrier"), "{stderr}");
    let (code, _, stderr) = on(&hn, &["segments", "eth9"], "");
    assert_eq!((code, stderr.contains("eth9")), (2, true), "{stderr}");
}

/// What the captures on the page that this project starts from show: pasted from it as they stand there, many
/// frames on a line.
#[test]
fn capture_judges_the_examples_of_the_page() {
    const FLUX: Option<&str> = Some("flux");
    for (name, text, code, address, verdict) in [
        ("one", include_str!("captures/example-one.txt"), 1, "192.168.18.10", FLUX),
        ("two", include_str!("captures/example-two.txt"), 0, "192.168.18.10", Some("single")),
        ("three", include_str!("captures/example-three.txt"), 1, "192.168.18.101", FLUX),
    ] {
        let mut child = Command::new(ARPFLUX)
            .args(["capture", "--json", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{name}");
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let addresses = answer["addresses"].as_array().unwrap();
        let one = addresses.iter().find(|one| one["address"] == address).unwrap();
        assert_eq!(one["verdict"].as_str(), verdict, "{name}: {one}");
        assert_eq!(one["macs"].as_array().unwrap().len(), if code == 1 { 3 } else { 1 }, "{name}: {one}");
        // Nothing else is wrong there.
        let bad = addresses.iter().filter(|one| one["verdict"] != "single" && one["address"] != address);
        assert_eq!(bad.count(), 0, "{name}: {answer}");
    }
}

#[test]
fn apply_announces_from_the_owners_alone_and_peers_follow_at_once() {
    let (_lab, hn, client) = hosts();
    let target = std::net::Ipv4Addr::new(192, 168, 18, 11);
    client.ping(None, target, 1).unwrap();
    // The client has the address at the wrong interface.
    let (code, ..) = on(&hn, &["announce", "-i", "eth0", "192.168.18.11", "--rounds", "1", "--anyway"], "");
    assert_eq!((code, client.neighbour(target.into()).unwrap()), (0, Some(hn.mac("eth0").unwrap())));
    let folder = std::env::temp_dir().join(format!("arpflux-cli-announce-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let policy = folder.join("policy.toml");
    std::fs::write(&policy, "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\n").unwrap();
    let recorder = Recorder::start(&[(&client, "eth0")], Filter::Arp).unwrap();
    let (policy, state) = (policy.to_str().unwrap(), folder.join("state"));
    let (code, stdout, stderr) =
        on(&hn, &["apply", "--policy", policy, "--state-dir", state.to_str().unwrap()], "");
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(code, 0, "{stdout}{stderr}");
    assert_eq!(client.neighbour(target.into()).unwrap(), Some(hn.mac("eth3").unwrap()));
    let mut times: Vec<(u8, Operation, Timestamp)> = Vec::new();
    for recorded in recorder.stop().unwrap() {
        let frame = Ethernet::parse(&recorded.frame).unwrap();
        let arp = Arp::parse(frame.payload).unwrap().ipv4().unwrap();
        if arp.is_gratuitous() {
            let last = arp.sender.octets()[3];
            let owner = hn.mac(["eth0", "eth3", "eth4"][usize::from(last - 10)]).unwrap();
            assert_eq!((arp.sender_mac, Mac::ethernet(frame.source)), (owner, owner), "{arp:?}");
            times.push((last, arp.operation, recorded.at));
        }
    }
    // Both forms of each address, twice, beyond the second for which a receiver may hold on to what it has.
    for last in 10..=12 {
        for operation in [Operation::Request, Operation::Reply] {
            let sent: Vec<_> = times.iter().filter(|one| (one.0, one.1) == (last, operation)).collect();
            assert_eq!(sent.len(), 2, "{last} {operation:?} {times:?}");
            assert!(sent[1].2.since(sent[0].2).as_millis() > 1000, "{sent:?}");
        }
    }
    assert_eq!(hn.read_sysctl("net.ipv4.ip_nonlocal_bind").unwrap(), "0");
}

#[test]
fn announce_is_for_the_owner() {
    let (_lab, hn, client) = hosts();
    let proxied = std::net::IpAddr::from([192, 168, 18, 101]);
    hn.proxy("eth3", proxied).unwrap();
    hn.address("lo", "192.168.18.200/32").unwrap();
    let recorder = Recorder::start(&[(&client, "eth0")], Filter::Arp).unwrap();
    let announce = |interface: &str, addresses: &[&str]| {
        let (code, stdout, stderr) =
            on(&hn, &[&["announce", "--rounds", "1", "-i", interface], addresses].concat(), "");
        (code, stdout + &stderr)
    };
    let (code, text) = announce("eth0", &["192.168.18.10", "192.168.18.11"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("192.168.18.11") && text.contains("it is at eth3"), "{text}");
    let (code, text) = announce("eth4", &["192.168.18.101"]);
    assert_eq!((code, text.contains("it is at eth3")), (2, true), "{text}");
    assert_eq!(recorder.stop().unwrap().len(), 0, "nothing of what is refused is sent");
    let (code, text) = announce("eth4", &["192.168.18.77"]);
    assert_eq!((code, text.contains("neither holds nor proxies")), (2, true), "{text}");
    assert_eq!(announce("eth4", &["192.168.18.77", "--anyway"]).0, 0);
    for loopback in ["127.0.0.1", "::1"] {
        let (code, text) = announce("eth4", &[loopback]);
        assert_eq!((code, text.contains("it is a loopback address")), (2, true), "{text}");
    }
    // Its own, what it proxies, and what every interface answers for.
    for (interface, address) in
        [("eth3", "192.168.18.11"), ("eth3", "192.168.18.101"), ("eth4", "192.168.18.200")]
    {
        let (code, text) = announce(interface, &[address]);
        assert_eq!(code, 0, "{interface} {address} {text}");
    }
    hn.proxy("eth4", proxied).unwrap();
    assert_eq!(announce("eth4", &["192.168.18.101"]).0, 0);
}
