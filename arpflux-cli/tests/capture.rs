//! `arpflux capture` for people: what it says, and its exit code.
#![allow(missing_docs, reason = "a test")]

use std::io::Write as _;
use std::process::{Command, Stdio};

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hardware-node.json");

/// Exit code, standard output and standard error, with `input` on standard input.
fn capture(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_arpflux"))
        .arg("capture")
        .args(arguments)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

/// A question of the client, and the answer that one NIC gives.
fn answer(target: &str, mac: &str) -> String {
    format!(
        "1700000000.1 00:0c:29:d2:c7:aa > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 60: Request who-has {target} tell 192.168.18.129, length 46\n\
         1700000000.2 {mac} > 00:0c:29:d2:c7:aa, ethertype ARP (0x0806), length 42: Reply {target} is-at {mac}, length 28\n"
    )
}

#[test]
fn a_snapshot_explains_each_answer_of_its_host() {
    let of = |target, mac| capture(&["--snapshot", SNAPSHOT], &answer(target, mac));
    let (code, text, _) = of("192.168.18.10", "00:0c:29:b3:a2:5e");
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("frame 2: eth4 answered 192.168.18.129 for 192.168.18.10"), "{text}");
    assert!(text.contains("arp_ignore is 0 on eth4"), "{text}");

    // The model would be silent: the host was in another state then, and what follows from it is open.
    let (code, text, stderr) = of("192.168.18.99", "00:0c:29:b3:a2:54");
    assert_eq!(code, 6, "{text}{stderr}");
    assert!(text.contains("192.168.18.99 with 00:0c:29:b3:a2:54: NOT explained"), "{text}");
    assert!(stderr.contains("is not what the model does"), "{stderr}");

    // Both NICs are on that wire, and the model answers by both of them for either address.
    let both = answer("192.168.18.10", "00:0c:29:b3:a2:5e") + &answer("192.168.18.11", "00:0c:29:b3:a2:54");
    let (code, _, stderr) = capture(&["--snapshot", SNAPSHOT], &both);
    assert_eq!(code, 6, "{stderr}");
    assert!(
        stderr.contains("answers by more MACs") && stderr.contains("b3:a2:54 for 192.168.18.10"),
        "{stderr}"
    );

    // Others are none of the snapshot's business; that its host is not there is said.
    let (code, text, stderr) = of("192.168.18.99", "00:0c:29:00:00:01");
    assert_eq!(code, 6, "{text}");
    assert!(!text.contains("explained") && !text.contains("answered"), "{text}");
    assert!(
        stderr.contains("host of the snapshot is not in the capture")
            && stderr.contains("eth4 00:0c:29:b3:a2:5e"),
        "{stderr}"
    );
}

#[test]
fn the_report_says_when_who_and_what_next() {
    let mut talk = answer("192.168.18.10", "52:54:00:00:00:01");
    for second in 1..5 {
        talk.push_str(&format!(
            "170000000{second}.5 00:16:3e:00:00:02 > 00:0c:29:d2:c7:aa, ethertype ARP (0x0806), length 42: Reply \
             192.168.18.10 is-at 00:16:3e:00:00:02, length 28\n"
        ));
    }
    let (code, text, _) = capture(&[], &talk);
    assert_eq!(code, 1, "{text}");
    for said in [
        "2023-11-14 22:13:20 UTC",
        "22:13:24.500",
        "whose doing: 00:16:3e:00:00:02 (Xen guest, or LXC container; 192.168.18.10)",
        "told by it: 00:0c:29:d2:c7:aa (VMware guest; 192.168.18.129)",
        "next: find the ports on the switch",
    ] {
        assert!(text.contains(said), "{said:?} is not in\n{text}");
    }
}
