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
