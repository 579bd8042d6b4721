//! `arpflux explain` on a stored snapshot: three NICs on one subnet, two containers behind venet0.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hardware-node.json");

fn explain(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_arpflux"))
        .arg("explain")
        .args(arguments)
        .args(["--snapshot", SNAPSHOT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Dropped at the end of the statement, which ends the input.
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn the_list_says_who_should_answer_and_who_does_and_flux_is_exit_code_1() {
    let (code, text, errors) = explain(&[], "");
    assert_eq!((code, errors.as_str()), (1, ""));
    assert!(!text.contains('\x1b'), "colour without a terminal: {text:?}");
    let expected = "\
ADDRESS         ON                         ANSWERED BY       VERDICT
192.168.18.10   eth0                       eth0, eth3, eth4  FLUX, 3 MACs
";
    assert!(text.starts_with(expected), "{text}");
    let row = "192.168.18.102  proxy on eth0, eth3, eth4  eth0, eth3, eth4  FLUX, 3 MACs\n";
    assert!(text.contains(row), "{text}");
    let next = format!("Next: arpflux recommend --snapshot {SNAPSHOT} -o policy.toml\n");
    assert!(text.ends_with(&next), "{text}");
    // Nothing is good here, and one interface alone is no flux.
    let (_, text, _) = explain(&["--only", "ok"], "");
    assert!(text.starts_with("5 addresses have several MACs"), "{text}");
    let (code, text, _) = explain(&["--on", "eth3"], "");
    assert_eq!(code, 0);
    assert!(text.contains("192.168.18.10  eth0  eth3         by another\n"), "{text}");
    assert!(text.contains(" 3 addresses are ok (--all lists them).\n"), "{text}");
    let (_, text, _) = explain(&["--limit", "2"], "");
    assert!(text.contains("\n3 more are left out (--limit)\n"), "{text}");
    let (_, text, _) = explain(&["--matrix"], "");
    assert!(text.contains("\n192.168.18.11   x     A     x\n192.168.18.12   x     x     A\n"), "{text}");
    let (code, text, _) = explain(&["--json"], "");
    let matrix = json(&text);
    assert_eq!((code, matrix["schema"].as_u64()), (1, Some(1)));
    assert_eq!(matrix["addresses"].as_array().unwrap().len(), 5);
    assert_eq!(matrix["addresses"][4]["cells"][2]["verdict"]["reason"], "proxy_entry");
}

#[test]
fn one_address_on_one_interface_is_explained_step_by_step() {
    let (code, text, _) = explain(&["192.168.18.101", "--on", "eth3"], "");
    assert_eq!(code, 0, "one interface alone is no flux: {text}");
    assert!(text.starts_with("192.168.18.101 (proxied): eth3 answers\n"), "{text}");
    for line in [
        "    There is a proxy entry for 192.168.18.101 on eth3.\n",
        "    eth3 answers with 00:0c:29:b3:a2:68: there is a proxy entry for it.\n",
        "  A probe for 192.168.18.101 arrives on eth3, broadcast.\n",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    // Asked about one sender, it says nothing of probes.
    let (_, text, _) = explain(&["192.168.18.101", "--on", "eth3", "--from", "192.168.18.10"], "");
    assert!(text.contains("The sender 192.168.18.10 is an address of this host"), "{text}");
    assert!(!text.contains("A probe"), "{text}");
    let (code, text, _) = explain(&["192.168.18.101", "--json"], "");
    let answer = json(&text);
    assert_eq!((code, &answer["flux"]), (1, &serde_json::Value::Bool(true)));
    assert_eq!(answer["answering"], serde_json::json!(["eth0", "eth3", "eth4"]));
    assert_eq!(answer["interfaces"][1]["reply"]["mac"], "00:0c:29:b3:a2:68");
    assert_eq!(answer["interfaces"][1]["probe"]["answers"], false);
}

#[test]
fn an_interface_that_is_not_there_is_an_error_with_a_remedy() {
    let (code, text, errors) = explain(&["192.168.18.101", "--on", "eth9"], "");
    assert_eq!((code, text.as_str()), (2, ""));
    assert_eq!(
        errors,
        "arpflux: explain eth9: there is no such interface; did you mean eth0? `ip link` lists the names\n"
    );
}

#[test]
fn the_stream_answers_in_order_and_goes_on_after_malformed_lines() {
    let input = r#"{"iface":"eth0","sender_ip":"192.168.18.129","target_ip":"192.168.18.101"}
no question

{"iface":"eth9","sender_ip":"192.168.18.129","target_ip":"192.168.18.101"}
{"iface":"eth4","sender_ip":"0.0.0.0","target_ip":"192.168.18.101","unicast":true}
{"iface":"eth4","sender_ip":"0.0.0.0","target_ip":"192.168.18.10","sender_mac":"02:00:00:00:00:01"}"#;
    let (code, text, errors) = explain(&["--stdin"], input);
    let answers: Vec<serde_json::Value> = text.lines().map(json).collect();
    assert_eq!(answers.len(), 5, "{text}");
    assert_eq!((&answers[0]["answers"], &answers[0]["reason"]), (&true.into(), &"proxy_entry".into()));
    assert_eq!(answers[0]["mac"], "00:0c:29:b3:a2:54");
    assert!(answers[0]["steps"].as_array().unwrap().len() > 3);
    for (answer, line) in [(&answers[1], 2), (&answers[2], 4)] {
        assert!(answer["answers"].is_null() && answer["error"].is_string(), "{answer}");
        assert_eq!(answer["line"], line);
    }
    assert_eq!((&answers[3]["answers"], &answers[3]["mac"]), (&false.into(), &serde_json::Value::Null));
    assert_eq!((&answers[4]["answers"], &answers[4]["mac"]), (&true.into(), &"00:0c:29:b3:a2:5e".into()));
    assert_eq!((code, errors.as_str()), (2, "2 lines were no questions\n"));
    let (code, text, _) = explain(&["--stdin"], "");
    assert_eq!((code, text.as_str()), (0, ""));
}

#[test]
fn a_line_too_long_is_an_error_that_names_it_and_the_stream_goes_on() {
    let question = r#"{"iface":"eth0","sender_ip":"192.168.18.129","target_ip":"192.168.18.101"}"#;
    // 4096 bytes with the end of the line are taken, one more is not, nor are some millions.
    let padded = |length: usize| format!("{question}{}", " ".repeat(length - 1 - question.len()));
    let input =
        [padded(4096), padded(4097), " ".repeat(5000), "x".repeat(9_000_000), question.into()].join("\n");
    let (code, text, errors) = explain(&["--stdin"], &input);
    let answers: Vec<serde_json::Value> = text.lines().map(json).collect();
    assert_eq!(answers.len(), 5, "{}", &text[..text.len().min(2000)]);
    for good in [0, 4] {
        assert_eq!(answers[good]["reason"], "proxy_entry");
    }
    for (answer, line) in [(&answers[1], 2), (&answers[2], 3), (&answers[3], 4)] {
        let expected = format!("line {line} has more than 4096 bytes, which is no question");
        assert_eq!((&answer["error"], &answer["line"]), (&expected.into(), &line.into()));
    }
    assert_eq!((code, errors.as_str()), (2, "3 lines were no questions\n"));
}

#[test]
fn flux_is_refuted_with_two_requests_and_one_interface_alone_is_proved() {
    let (code, text, _) = explain(&["--prove", "192.168.18.10"], "");
    assert_eq!(code, 1);
    let expected = "refuted  exactly one of eth0, eth3, eth4 answers for 192.168.18.10: two interfaces \
                    answer for 192.168.18.10: eth0 ";
    assert!(text.starts_with(expected), "{text}");
    let (code, text, _) = explain(&["--prove", "192.168.18.101", "--on", "eth3", "--json"], "");
    let answer = json(&text);
    assert_eq!((code, &answer["claims"][0]["proof"]), (0, &"proved".into()), "{text}");
    assert!(answer["claims"][0]["cases"].as_u64().unwrap() > 20);
}

#[test]
fn a_second_host_with_the_same_proxies_is_a_duplicate() {
    let copy = std::env::temp_dir().join(format!("arpflux-{}-second.json", std::process::id()));
    let text = std::fs::read_to_string(SNAPSHOT).unwrap().replace("00:0c:29:", "00:0c:30:");
    std::fs::write(&copy, text).unwrap();
    let path = copy.to_str().unwrap();
    let (code, text, _) = explain(&["192.168.18.101", "--also", path, "--json"], "");
    let answer = json(&text);
    assert_eq!(code, 1);
    assert_eq!(answer["segments"][0]["ports"].as_array().unwrap().len(), 6);
    assert_eq!(answer["segments"][0]["addresses"][0]["outcome"], "duplicate");
    // Said to share no wire but eth3's, each host answers once.
    let name = copy.file_stem().unwrap().to_str().unwrap();
    let wire = format!("hardware-node:eth3,{name}:eth3");
    let (code, text, _) = explain(&["192.168.18.101", "--also", path, "--wire", &wire], "");
    assert_eq!(code, 1);
    assert!(text.starts_with("On one wire: hardware-node eth3, "), "{text}");
    assert_eq!(text.matches("there is a proxy entry").count(), 2, "{text}");
    let (code, _, errors) = explain(&["--also", path, "--wire", "nobody:eth3"], "");
    assert_eq!(code, 2);
    assert!(errors.contains("there is no host \"nobody\""), "{errors}");
    std::fs::remove_file(copy).unwrap();
}

#[test]
fn the_hosts_own_request_and_what_it_teaches() {
    let (code, text, errors) = explain(&["192.168.18.129", "--outgoing"], "");
    assert_eq!(code, 0, "{text}{errors}");
    assert!(text.starts_with("192.168.18.129 is reached by eth0, from 192.168.18.10\n"), "{text}");
    assert!(text.contains("who-has 192.168.18.129 tell 192.168.18.10, from 00:0c:29:b3:a2:54"), "{text}");
    // From eth4's address: it leaves by eth0 all the same, with eth0's MAC.
    let (code, text, _) = explain(&["192.168.18.129", "--outgoing", "--from", "192.168.18.12"], "");
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("tell 192.168.18.12, from 00:0c:29:b3:a2:54"), "{text}");
    assert!(text.contains("arp_announce=2 prevents it"), "{text}");
    let (_, text, _) = explain(&["192.168.18.129", "--outgoing", "--from", "192.168.18.12", "--json"], "");
    let answer = json(&text);
    assert_eq!((&answer["schema"], &answer["teaches_wrong_mac"]), (&1.into(), &true.into()), "{text}");
}

#[test]
fn rules_for_protocols_and_ports_are_passed_over_with_a_word_or_met() {
    let mut snapshot = json(&std::fs::read_to_string(SNAPSHOT).unwrap());
    let mut rule =
        snapshot["rules"].as_array().unwrap().iter().find(|rule| rule["priority"] == 0).unwrap().clone();
    for (key, value) in [("priority", 5), ("ip_protocol", 6)] {
        rule[key] = value.into();
    }
    (rule["action"], rule["destination_ports"]) = ("blackhole".into(), serde_json::json!([443, 443]));
    snapshot["rules"].as_array_mut().unwrap().insert(1, rule);
    let file = std::env::temp_dir().join(format!("arpflux-passed-over-{}.json", std::process::id()));
    std::fs::write(&file, snapshot.to_string()).unwrap();
    let explain = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arpflux"));
        let command =
            command.args(["explain", "192.168.18.129", "--outgoing", "--snapshot"]).arg(&file).args(more);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let text = explain(&[]);
    assert!(text.starts_with("192.168.18.129 is reached by eth0"), "{text}");
    assert!(
        text.contains("\npassed over: rule 5: ") && text.contains("192.168.18.129 cannot be reached"),
        "{text}"
    );
    let text = explain(&["--proto", "tcp", "--dport", "443"]);
    assert!(text.starts_with("192.168.18.129 cannot be reached"), "{text}");
    let text = explain(&["--proto", "udp"]);
    assert!(text.contains("reached by eth0") && !text.contains("passed over"), "{text}");
    std::fs::remove_file(file).unwrap();
}

#[test]
fn the_first_of_several_quick_answers_is_kept() {
    let (code, text, errors) =
        explain(&["192.168.18.129", "--learn", "00:0c:29:d2:c7:aa", "--on", "eth0", "--json"], "");
    assert_eq!(code, 0, "{text}{errors}");
    let frames = json(&text)["interfaces"][0]["frames"].clone();
    assert_eq!(frames[2]["frame"], "unicast reply");
    assert_eq!(frames[2]["unknown"]["learning"], "nothing", "{frames}");
    assert_eq!(frames[2]["fresh"]["learning"], "keeps_other", "{frames}");
    assert_eq!(frames[2]["old"]["learning"], "takes", "{frames}");
}

#[test]
fn the_list_is_of_both_families() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("both-families.json");
    let mut host = json(&std::fs::read_to_string(SNAPSHOT).unwrap());
    let addresses = host["addresses"].as_array_mut().unwrap();
    let mut held = addresses.iter().find(|held| held["local"] == "192.168.18.10").unwrap().clone();
    (held["local"], held["prefix_len"], held["broadcast"]) = ("2001:db8::10".into(), 64.into(), json("null"));
    addresses.push(held);
    std::fs::write(&file, host.to_string()).unwrap();
    let run = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arpflux"));
        let output = command.args(more).arg("--snapshot").arg(&file).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), text)
    };
    for (more, v4, v6) in [
        (&[][..], true, true),
        (&["--matrix"], true, true),
        (&["--json"], true, true),
        (&["--ipv4"], true, false),
        (&["--ipv6"], false, true),
        (&["--from", "192.168.18.129"], true, false),
        (&["--from", "fe80::9"], false, true),
    ] {
        let (_, text) = run(&[&["explain", "--all"][..], more].concat());
        assert_eq!(
            (text.contains("192.168.18.10"), text.contains("2001:db8::10")),
            (v4, v6),
            "{more:?}: {text}"
        );
    }
    // A snapshot that does not say what decides about IPv6 leaves it open, for every verb.
    let (code, text) = run(&["explain", "--ipv6"]);
    assert!(code == 6 && text.contains("decides about neighbour discovery"), "{code} {text}");
    let (_, text) = run(&["diagnose"]);
    assert!(text.contains("Whether that is all cannot be told"), "{text}");
    assert!(text.contains("decides about neighbour discovery"), "{text}");
    let (code, text) = run(&["explain", "--prove", "2001:db8::10"]);
    assert!(code == 6 && text.contains("decides about neighbour discovery"), "{code} {text}");
    let (_, text) = run(&["explain", "--prove"]);
    assert!(
        text.contains("answers for 192.168.18.10:") && text.contains("answers for 2001:db8::10:"),
        "{text}"
    );
    assert!(text.contains("Not covered: solicitations by unicast"), "{text}");
    let (code, text) = run(&["explain", "--prove", "--ipv4"]);
    assert!(code == 1 && text.contains("192.168.18.10:") && !text.contains("2001:db8::10"), "{code} {text}");
    let (code, text) = run(&["explain", "--prove", "-6"]);
    assert!(code == 6 && text.contains("2001:db8::10:") && !text.contains("192.168.18.10"), "{code} {text}");
}

#[test]
fn an_interface_without_carrier_is_no_part_of_flux_unless_that_is_asked() {
    let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("no-carrier.json");
    let mut host = json(&std::fs::read_to_string(SNAPSHOT).unwrap());
    for interface in host["interfaces"].as_array_mut().unwrap() {
        interface["carrier"] = (interface["name"] != "eth3" && interface["name"] != "eth4").into();
    }
    std::fs::write(&file, host.to_string()).unwrap();
    let explain = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_arpflux"));
        let output = command.arg("explain").args(more).arg("--snapshot").arg(&file).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, text) = explain(&[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("no carrier") && !text.contains("FLUX"), "{text}");
    let (code, text) = explain(&["--prove"]);
    assert!(code == 0 && text.contains("proved") && !text.contains("eth3"), "{text}");
    let (code, text) = explain(&["--as-if-connected"]);
    assert!(code == 1 && text.contains("FLUX") && !text.contains("no carrier"), "{text}");
}
