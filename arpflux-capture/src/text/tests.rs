//! Text in the forms that tcpdump's versions and options give.

use std::ops::ControlFlow;

use crate::{Content, Source};
use arpflux_core::frame::Operation;

/// Frames in a short form: time of day in ms, VLANs, source, destination, and what.
fn frames(text: &str) -> Vec<String> {
    let mut frames = Vec::new();
    let hex = |mac: &[u8]| mac.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":");
    let ip = |address: &[u8]| match address.first_chunk::<4>() {
        Some(octets) => std::net::Ipv4Addr::from(*octets).to_string(),
        None => "?".into(),
    };
    let mut source = Source::new(text.as_bytes()).unwrap();
    source
        .for_each(|frame| {
            let what = match &frame.content {
                Content::Arp(arp) => {
                    let operation = if arp.operation == Operation::Request { "asks" } else { "says" };
                    let (sender, target) = (ip(arp.sender_protocol), ip(arp.target_protocol));
                    let to = hex(arp.target_hardware);
                    format!("{sender}@{} {operation} {target}@{to}", hex(arp.sender_hardware))
                }
                Content::Ipv4 { source, destination, ttl } => {
                    let ip = |address: u32| std::net::Ipv4Addr::from(address);
                    format!("{} to {} ttl {ttl:?}", ip(*source), ip(*destination))
                }
                other => panic!("{other:?}"),
            };
            let vlans: Vec<u16> = frame.wire.vlans.ids().collect();
            let time = frame.time.map(|time| time.0 / 1_000_000);
            frames.push(format!(
                "{time:?} {vlans:?} {}>{} {what}",
                hex(frame.source),
                hex(frame.destination)
            ));
            ControlFlow::Continue(())
        })
        .unwrap();
    frames
}

#[test]
fn the_old_form_with_many_frames_on_a_line() {
    let text = "the output: 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ARP, length 60: arp who-has 10.0.0.1 \
                tell 10.0.0.9 02:00:00:00:00:02 > 02:00:00:00:00:01, ARP, length 60: arp reply 10.0.0.1 \
                is-at 02:00:00:00:00:02 02:00:00:00:00:01 > 02:00:00:00:00:02, IPv4, length 98: \
                10.0.0.9 > 10.0.0.1: ICMP echo request, id 1, seq 1, length 64 As you see, who has it \
                answers 10.0.0.1.";
    assert_eq!(
        frames(text),
        [
            "None [] 02:00:00:00:00:01>ff:ff:ff:ff:ff:ff 10.0.0.9@02:00:00:00:00:01 asks 10.0.0.1@",
            "None [] 02:00:00:00:00:02>02:00:00:00:00:01 10.0.0.1@02:00:00:00:00:02 says ?@02:00:00:00:00:01",
            "None [] 02:00:00:00:00:01>02:00:00:00:00:02 10.0.0.9 to 10.0.0.1 ttl None",
        ]
    );
}

#[test]
fn the_new_form_with_times_tags_and_details() {
    let text = "\
15:04:05.250000 02:00:00:00:00:01 (oui Unknown) > Broadcast, ethertype 802.1Q (0x8100), length 46: vlan 7, p 0, ethertype ARP (0x0806), Request who-has 10.0.0.1 (02:00:00:00:00:02) tell 10.0.0.9, length 28
2026-11-22 23:59:59.999999 02:00:00:00:00:02 > 02:00:00:00:00:01, ethertype ARP (0x0806), length 42: Ethernet (len 6), IPv4 (len 4), Reply 10.0.0.1 is-at 02:00:00:00:00:02, length 28
1700000000.5 02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype IPv4 (0x0800), length 98: (tos 0x0, ttl 63, id 0, offset 0, flags [DF], proto ICMP (1), length 84)
    10.0.0.9.22 > 10.0.0.1.4711: Flags [S]
1700000000.6 02:00:00:00:00:02 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: Reply 10.0.0.1 is-at 02:00:00:00:00:02, length 28
";
    assert_eq!(
        frames(text),
        [
            "Some(54245250) [7] 02:00:00:00:00:01>ff:ff:ff:ff:ff:ff 10.0.0.9@02:00:00:00:00:01 asks 10.0.0.1@02:00:00:00:00:02",
            "Some(1795391999999) [] 02:00:00:00:00:02>02:00:00:00:00:01 10.0.0.1@02:00:00:00:00:02 says ?@02:00:00:00:00:01",
            "Some(1700000000500) [] 02:00:00:00:00:01>02:00:00:00:00:02 10.0.0.9 to 10.0.0.1 ttl Some(63)",
            "Some(1700000000600) [] 02:00:00:00:00:02>ff:ff:ff:ff:ff:ff 10.0.0.1@02:00:00:00:00:02 says ?@ff:ff:ff:ff:ff:ff",
        ]
    );
}

#[test]
fn without_link_layer_addresses_a_reply_still_names_its_mac() {
    let text = "12:00:00.000001 ARP, Request who-has 10.0.0.1 tell 10.0.0.9, length 28\n\
                12:00:00.000002 ARP, Reply 10.0.0.1 is-at 02:00:00:00:00:02, length 28\n\
                12:00:00.000003 IP 10.0.0.9 > 10.0.0.1: ICMP echo request\n";
    assert_eq!(
        frames(text),
        [
            "Some(43200000) [] > 10.0.0.9@ asks 10.0.0.1@",
            "Some(43200000) [] > 10.0.0.1@02:00:00:00:00:02 says ?@",
        ]
    );
}

#[test]
fn wireshark_summaries() {
    let text = "1 0.000 02:00:00:00:00:01 \u{2192} ff:ff:ff:ff:ff:ff ARP 42 Who has 10.0.0.1? Tell 10.0.0.9\n\
                2 0.001 02:00:00:00:00:02 \u{2192} 02:00:00:00:00:01 ARP 42 10.0.0.1 is at 02:00:00:00:00:02\n";
    assert_eq!(
        frames(text),
        [
            "Some(0) [] 02:00:00:00:00:01>ff:ff:ff:ff:ff:ff 10.0.0.9@02:00:00:00:00:01 asks 10.0.0.1@",
            "Some(1) [] 02:00:00:00:00:02>02:00:00:00:00:01 10.0.0.1@02:00:00:00:00:02 says ?@02:00:00:00:00:01",
        ]
    );
}

#[test]
fn midnight_passes() {
    let text = "23:59:59.9 ARP, Request who-has 10.0.0.1 tell 10.0.0.9\n\
                00:00:00.1 ARP, Request who-has 10.0.0.1 tell 10.0.0.9\n\
                00:00:00.0 ARP, Request who-has 10.0.0.1 tell 10.0.0.9\n";
    let times: Vec<String> = frames(text).iter().map(|frame| frame[..14].to_string()).collect();
    assert_eq!(times, ["Some(86399900)", "Some(86400100)", "Some(86400000)"]);
}

#[test]
fn prose_and_broken_lines_give_nothing() {
    for text in [
        "An ARP \"who has\" message is-at times sent; tell 10.0.0.1.",
        "who-has 10.0.0.256 tell 10.0.0.1",
        "who-has 10.0.0.1 tell example.org",
        "arp reply 10.0.0.1 is-at <from_interface>",
        "? (192.168.18.129) at 00:0C:29:D2:C7:AA [ether] on eth0",
    ] {
        assert_eq!(frames(text), [""; 0], "{text:?}");
    }
    for text in ["who-has", "", " \n\t", "root:x:0:0:root:/root:/bin/sh\n"] {
        let read = Source::new(text.as_bytes())
            .and_then(|mut source| source.for_each(|_| ControlFlow::Continue(())));
        assert!(read.is_err(), "{text:?} is no capture");
    }
}

#[test]
fn words_of_any_length_take_no_memory_and_hide_nothing_behind_them() {
    let mut text = "x".repeat(1 << 20);
    text.push_str(" arp reply 10.0.0.1 is-at 02:00:00:00:00:02 ");
    text.push_str(&"1".repeat(300_000));
    text.push_str(" arp reply 10.0.0.1 is-at 02:00:00:00:00:02");
    assert_eq!(frames(&text).len(), 2);
}

/// Addresses with their classes and MACs, as the report has them; and what was left out.
fn judged(text: &str) -> (Vec<String>, crate::Report) {
    let mut capture = crate::Capture::new();
    capture.read("text", text.as_bytes()).unwrap();
    let report = capture.report();
    let of = |one: &crate::AddressReport| {
        let macs: Vec<String> = one.macs.iter().map(|mac| mac.mac.to_string()).collect();
        format!("{} {} {}", one.address, one.class.name(), macs.join(" "))
    };
    (report.addresses.iter().map(of).collect(), report)
}

const A: &str = "00:0c:29:b3:a2:54";
const B: &str = "00:0c:29:11:22:33";

#[test]
fn logs_are_evidence_of_several_macs() {
    let one_move = format!("10.0.0.1 undetermined {A} {B}");
    for line in [
        "Nov 22 15:04:05 gw arpwatch: changed ethernet address 10.0.0.1 0:c:29:11:22:33 (0:c:29:b3:a2:54) eth0",
        "Nov 22 15:04:05 gw arpwatch: flip flop 10.0.0.1 0:c:29:11:22:33 (0:c:29:b3:a2:54)",
        "Nov 22 15:04:05 gw arpwatch: reused old ethernet address 10.0.0.1 0:c:29:11:22:33 (0:c:29:b3:a2:54)",
        "kernel: arp: 10.0.0.1 moved from 00:0c:29:b3:a2:54 to 00:0c:29:11:22:33 on em0",
        "Nov 22 15:04:05 mx480 /kernel: KERN_ARP_ADDR_CHANGE: arp info overwritten for 10.0.0.1 from 00:0c:29:b3:a2:54 to 00:0c:29:11:22:33",
    ] {
        let (seen, report) = judged(line);
        assert_eq!(seen, [one_move.as_str()], "{line}");
        assert_eq!(report.ok, None, "{line}");
    }
    let duplicate = format!("10.0.0.1 conflict {B}");
    for line in [
        "<189>Nov 22 15:04:05 10.9.9.9 4711: %IP-4-DUPADDR: Duplicate address 10.0.0.1 on Vlan1, sourced by 000c.2911.2233",
        "%ARP-3-DUP_SRC_IP: arp [4242] Source address of packet received from 000c.2911.2233 on Vlan10(port-channel1) is duplicate of local, 10.0.0.1",
        "mx480 /kernel: KERN_ARP_DUPLICATE_ADDR: duplicate IP address 10.0.0.1! sent from address: 00:0c:29:11:22:33 (error count = 1)",
        "kernel: arp: 00:0c:29:11:22:33 is using my IP address 10.0.0.1 on em0!",
    ] {
        let (seen, report) = judged(line);
        assert_eq!(seen, [duplicate.as_str()], "{line}");
        assert_eq!((report.ok, report.addresses[0].suspects.len()), (Some(false), 1), "{line}");
    }
    let mail = "From: arpwatch <arpwatch@gw>\nSubject: changed ethernet address (nas) eth0\n\n            hostname: nas\n\
                \x20         ip address: 10.0.0.1\n           interface: eth0\n    ethernet address: 0:c:29:11:22:33\n\
                \x20    ethernet vendor: VMware, Inc.\nold ethernet address: 0:c:29:b3:a2:54\n old ethernet vendor: VMware, Inc.\n\
                \x20          timestamp: Sunday, November 22, 2026 15:04:05 +0000\n               delta: 4 minutes\n";
    let (seen, report) = judged(mail);
    assert_eq!((seen, report.ok), (vec![one_move.clone()], None), "{mail}");
    assert_eq!(judged("arpwatch: new station 10.0.0.1 0:c:29:11:22:33").0, [format!("10.0.0.1 single {B}")]);
    for line in [
        "%SW_MATM-4-MACFLAP_NOTIF: Host 000c.29b3.a254 in vlan 10 is flapping between port Gi1/0/1 and port Gi1/0/2",
        "%ETH-4-HOST_FLAPPING: Host 00:0c:29:b3:a2:54 in VLAN 10 is flapping between interface Ethernet1 and interface Ethernet2",
        "%L2FM-4-L2FM_MAC_MOVE: Mac 000c.29b3.a254 in vlan 10 has moved from Po1 to Po2",
    ] {
        let (seen, report) = judged(line);
        assert_eq!((seen.len(), report.ok), (0, None), "{line}");
        assert_eq!(report.missing[0].reason, crate::MissingKind::MacMoves, "{line}");
    }
    // Wireshark's opinion of a frame is none of a log.
    let text = format!(
        "1 0.1 {A} → {B} ARP 42 10.0.0.1 is at {A} (duplicate use of 10.0.0.1 detected!)\n2 0.2 {B} → {A} ARP"
    );
    assert_eq!(judged(&text).0, [format!("10.0.0.1 single {A}")]);
}

/// Programs that ask themselves and print the answers: two MACs that answer are a fault, one alone is none.
#[test]
fn answers_to_arping_and_arp_scan() {
    let iputils = |last: &str| {
        format!(
            "ARPING 10.0.0.1 from 10.0.0.9 eth0\nUnicast reply from 10.0.0.1 [00:0C:29:B3:A2:54]  0.712ms\n\
             Unicast reply from 10.0.0.1 [{last}]  0.912ms\nSent 1 probes (1 broadcast(s))\nReceived 2 response(s)\n"
        )
    };
    let habets = |last: &str| {
        format!(
            "ARPING 10.0.0.1\n60 bytes from 00:0c:29:b3:a2:54 (10.0.0.1): index=0 time=1.045 msec\n\
             60 bytes from {last} (10.0.0.1): index=1 time=1.145 msec\n\n--- 10.0.0.1 statistics ---\n\
             1 packets transmitted, 2 packets received,   0% unanswered (1 extra)\n"
        )
    };
    let arp_scan = |last: &str| {
        format!(
            "Interface: eth0, type: EN10MB, MAC: 00:0c:29:d2:c7:aa, IPv4: 10.0.0.9\n\
             Starting arp-scan 1.10.0 with 256 hosts (https://github.com/royhills/arp-scan)\n\
             10.0.0.1\t00:0c:29:b3:a2:54\tVMware, Inc.\n10.0.0.1\t{last}\tVMware, Inc. (DUP: 2)\n\n\
             2 packets received by filter, 0 packets dropped by kernel\n\
             Ending arp-scan 1.10.0: 256 hosts scanned in 1.9 seconds (134.74 hosts/sec). 2 responded\n"
        )
    };
    for (name, text) in
        [("iputils", &iputils as &dyn Fn(&str) -> String), ("habets", &habets), ("arp-scan", &arp_scan)]
    {
        let (seen, report) = judged(&text(B));
        assert_eq!(report.ok, Some(false), "{name}: {report:#?}");
        assert_eq!((seen.len(), report.addresses[0].macs.len()), (1, 2), "{name}: {seen:?}");
        let (seen, report) = judged(&text(A));
        assert_eq!(seen, [format!("10.0.0.1 single {A}")], "{name}");
        assert_ne!(report.ok, Some(false), "{name}");
    }
}

#[test]
fn fields_of_tshark_with_a_heading_and_without() {
    let all = "ff:ff:ff:ff:ff:ff";
    let rows = [
        ["1700000000.5", "7", B, all, "1", B, "10.0.0.9", "00:00:00:00:00:00", "10.0.0.1"],
        ["1700000000.6", "7", A, B, "2", A, "10.0.0.1", B, "10.0.0.9"],
    ];
    let heading = [
        "frame.time_epoch",
        "frame.number",
        "eth.src",
        "eth.dst",
        "arp.opcode",
        "arp.src.hw_mac",
        "arp.src.proto_ipv4",
        "arp.dst.hw_mac",
        "arp.dst.proto_ipv4",
    ];
    let expected = [
        format!("Some(1700000000500) [] {B}>{all} 10.0.0.9@{B} asks 10.0.0.1@00:00:00:00:00:00"),
        format!("Some(1700000000600) [] {A}>{B} 10.0.0.1@{A} says 10.0.0.9@{B}"),
    ];
    for separator in ["\t", ",", ";"] {
        let line = |cells: &[&str]| cells.join(separator) + "\n";
        let packet = line(&["1700000000.55", "8", A, B, "", "", "", "", ""]);
        let text = line(&heading) + &line(&rows[0]) + &packet + &line(&rows[1]);
        assert_eq!(frames(&text), expected, "{text}");
    }
    let bare = rows.map(|row| row.join("\t")).join("\n");
    assert_eq!(frames(&bare), expected);
    let turned = format!("1 10.0.0.9 {B} 10.0.0.1 00:00:00:00:00:00\n2 10.0.0.1 {A} 10.0.0.9 {B}");
    assert_eq!(frames(&turned)[1], format!("None [] > 10.0.0.1@{A} says 10.0.0.9@{B}"));
}

#[test]
fn rows_that_lost_their_lines_or_addresses_are_not_good() {
    let row = format!("1700000000.6\t{A}\t{B}\t2\t{A}\t10.0.0.1\t{B}\t10.0.0.9\n");
    let heading = "frame.time_epoch\teth.src\teth.dst\tarp.opcode\tarp.src.hw_mac\tarp.src.proto_ipv4\tarp.dst.hw_mac\tarp.dst.proto_ipv4";
    for (rows, ok) in [
        (format!("{heading}\n{row}"), Some(true)),
        (format!("{heading} {row}").replace('\n', " "), None),
        (format!("{heading} \"Nov 14, 2023 22:13:20 UTC\"{}", &row["1700000000.6".len()..]), None),
        (row.clone(), Some(true)),
        (format!("{row}{}", row.replace(A, "mallory")), None),
        (format!("{row}{}", row.replace("10.0.0.1", "gateway")), None),
    ] {
        assert_eq!(judged(&rows).1.ok, ok, "{rows}");
    }
}

/// JSON and PDML have every time of a frame: the one since 1970 counts.
#[test]
fn of_several_times_of_a_frame_the_date_counts() {
    let packet = |field: fn(&str, &str) -> String, begin: &str, since: u64| {
        let times = [
            field("frame.time_epoch", &format!("17000000{since:02}.000000000")),
            field("frame.time_delta", &format!("{}.000000000", since.min(1))),
            field("frame.time_relative", &format!("{since}.000000000")),
        ];
        let rest = [("eth.src", A), ("eth.dst", B), ("arp.opcode", "2"), ("arp.src.hw_mac", A)];
        let ends = [("arp.src.proto_ipv4", "10.0.0.1"), ("arp.dst.proto_ipv4", "10.0.0.9")];
        let rest: String = rest.iter().chain(&ends).map(|(name, value)| field(name, value)).collect();
        format!("{begin}{}{rest}", times.concat())
    };
    let json = |name: &str, value: &str| format!("          \"{name}\": \"{value}\",\n");
    let pdml = |name: &str, value: &str| format!("    <field name=\"{name}\" show=\"{value}\"/>\n");
    let texts = [
        packet(json, "    \"_index\": \"x\",\n", 20) + &packet(json, "    \"_index\": \"x\",\n", 22),
        format!(
            "<?xml version=\"1.0\"?>\n<pdml version=\"0\">\n{}{}",
            packet(pdml, "<packet>\n", 20),
            packet(pdml, "<packet>\n", 22)
        ),
    ];
    for text in texts {
        let times: Vec<String> =
            frames(&text).iter().map(|frame| frame.split(' ').next().unwrap().to_string()).collect();
        assert_eq!(times, ["Some(1700000020000)", "Some(1700000022000)"], "{text}");
        assert!(!super::Text::new(text.as_bytes()).counts.deltas, "{text}");
    }
}

#[test]
fn deltas_of_tshark_are_added_up() {
    let line =
        |number, delta| format!("{number} {delta} {A} → Broadcast ARP 42 Who has 10.0.0.1? Tell 10.0.0.9\n");
    let text = line(1, "0.000000000") + &line(2, "0.500000000") + &line(3, "0.300000000");
    let times: Vec<String> =
        frames(&text).iter().map(|frame| frame.split(' ').next().unwrap().to_string()).collect();
    assert_eq!(times, ["Some(0)", "Some(500)", "Some(800)"]);
}

#[test]
fn what_begins_and_does_not_end_hides_nothing() {
    let line =
        "00:0c:29:b3:a2:54 > 00:0c:29:d2:c7:aa, ARP, length 60: arp reply 10.0.0.1 is-at 00:0c:29:b3:a2:54\n";
    let read = frames(line);
    assert_eq!(read.len(), 1);
    for begins in ["00:0c:29:d2:c7:aa (oui Never Ends\n", "<packet>\n", "\"_index\": \"x\"\n"] {
        assert_eq!(frames(&format!("{begins}{line}")), read, "{begins}");
    }
}

/// Packets that begin and are not whole are counted, in every form: what is left of the text may look good.
#[test]
fn what_is_not_read_of_a_text_is_said() {
    let line = |number: u8, to: &str, what: &str| {
        format!("12:00:00.{number} {A} > {to}, ethertype ARP (0x0806), length 42: {what}, length 28\n")
    };
    let all = "ff:ff:ff:ff:ff:ff";
    let good = line(1, all, "Request who-has 10.0.0.9 tell 10.0.0.1")
        + &line(2, all, "Request who-has 10.0.0.8 tell 10.0.0.1");
    assert_eq!(judged(&good).1.ok, Some(true));
    let heading = "frame.time_epoch\teth.src\teth.dst\tarp.opcode\tarp.src.hw_mac\tarp.src.proto_ipv4\tarp.dst.proto_ipv4\n";
    let row = |mac: &str| format!("1700000000.5\t{A}\t{all}\t1\t{mac}\t10.0.0.1\t10.0.0.9\n");
    assert_eq!(judged(&(heading.to_string() + &row(A))).1.ok, Some(true));
    for text in [
        good.clone() + &line(3, B, "Reply gateway is-at 00:0c:29:b3:a2:54"),
        good.clone()
            + "12:00:00.3 nic2 > nic1, ethertype ARP (0x0806), length 42: Reply 10.0.0.1 is-at nic2, length 28\n",
        good.clone() + &line(3, B, "Reply 10.0.0.1 is-at 00:0c:29")[..90],
        good.clone() + "Frame 3: 42 bytes\nAddress Resolution Protocol (reply)\n    Opcode: reply (2)\n",
        heading.to_string() + &row(A) + &row("mallory"),
        heading.to_string() + &row(A) + &row("00:0c:29:xx:xx:xx"),
        heading.to_string() + &row(A) + "12:00:00.3 ARP, Reply 10.0.0.1 is-at 00:0c:29:11:22:33, length 28\n",
    ] {
        let report = judged(&text).1;
        assert_ne!(report.ok, Some(true), "{text}");
        assert!(!report.missing.is_empty(), "{text}: {report:#?}");
    }
}
