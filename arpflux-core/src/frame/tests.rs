use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::types::Mac;

const ETH4: &str = "00:0c:29:b3:a2:5e";
const CLIENT: &str = "00:0c:29:d2:c7:aa";

fn mac(text: &str) -> Mac {
    text.parse().unwrap()
}

/// A small generator (xorshift), so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Lines of the page that the scenario comes from.
#[test]
fn prints_like_the_page() {
    let (client, eth4) = (mac(CLIENT), mac(ETH4));
    let ask = Ipv4Arp::request(client, [192, 168, 18, 129].into(), [192, 168, 18, 10].into());
    assert_eq!(
        Printed(&Ipv4Arp::reply_to(&ask, eth4).to_frame(client)).to_string(),
        "00:0c:29:b3:a2:5e > 00:0c:29:d2:c7:aa, ARP, length 60: arp reply 192.168.18.10 is-at 00:0c:29:b3:a2:5e"
    );
    let mut vzarpipdetect = Ipv4Arp::request(eth4, [192, 168, 18, 12].into(), [192, 168, 18, 101].into());
    vzarpipdetect.target_mac = Mac::BROADCAST;
    assert_eq!(
        Printed(&vzarpipdetect.to_frame(Mac::BROADCAST)).to_string(),
        "00:0c:29:b3:a2:5e > ff:ff:ff:ff:ff:ff, ARP, length 60: \
         arp who-has 192.168.18.101 (ff:ff:ff:ff:ff:ff) tell 192.168.18.12"
    );
    let echo = Echo { reply: false, id: 32313, sequence: 1, data: &[7; 56] };
    assert_eq!(
        Printed(&echo.to_frame((client, [192, 168, 18, 129].into()), (eth4, [192, 168, 18, 10].into())))
            .to_string(),
        "00:0c:29:d2:c7:aa > 00:0c:29:b3:a2:5e, IPv4, length 98: 192.168.18.129 > 192.168.18.10: \
         ICMP echo request, id 32313, seq 1, length 64"
    );
}

#[test]
fn arp_of_any_hardware_length_survives_the_round_trip() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for length in 0..=Mac::MAX {
        let mut bytes = || (0..length).map(|_| random.next() as u8).collect::<Vec<_>>();
        let arp = Ipv4Arp {
            hardware_type: 32,
            operation: Operation::from_code(length as u16),
            sender_mac: Mac::from_bytes(&bytes()).unwrap(),
            sender: Ipv4Addr::new(10, 0, 0, 1),
            target_mac: Mac::from_bytes(&bytes()).unwrap(),
            target: Ipv4Addr::new(10, 0, 0, 2),
        };
        let mut packet = Vec::new();
        arp.emit(&mut packet);
        assert_eq!(packet.len(), 16 + 2 * length);
        assert_eq!(Arp::parse(&packet).unwrap().ipv4(), Some(arp));
        for cut in 0..packet.len() {
            assert!(Arp::parse(&packet[..cut]).is_err());
        }
    }
}

#[test]
fn request_for_infiniband_has_twenty_zero_bytes_as_target() {
    let ask = Ipv4Arp::request(
        Mac::from_bytes(&[1; 20]).unwrap(),
        Ipv4Addr::new(10, 0, 0, 1),
        Ipv4Addr::new(10, 0, 0, 2),
    );
    let mut packet = Vec::new();
    ask.emit(&mut packet);
    let arp = Arp::parse(&packet).unwrap();
    assert_eq!((arp.hardware_type, arp.target_hardware), (32, &[0u8; 20][..]));
}

#[test]
fn tags_are_read_outermost_first_and_printed() {
    let ask = Ipv4Arp::probe(mac(CLIENT), [10, 0, 0, 1].into()).to_frame(Mac::BROADCAST);
    let mut tagged = ask[..12].to_vec();
    tagged.extend_from_slice(&[0x88, 0xa8, 0x00, 0x64, 0x81, 0x00, 0xb0, 0x0a]);
    tagged.extend_from_slice(&ask[12..]);
    let frame = Ethernet::parse(&tagged).unwrap();
    let tags: Vec<_> = frame.tags.iter().map(|t| (t.vlan(), t.priority(), t.drop_eligible())).collect();
    assert_eq!(tags, [(100, 0, false), (10, 5, true)]);
    assert_eq!(frame.ether_type, EtherType::ARP);
    assert_eq!(
        Printed(&tagged).to_string(),
        "00:0c:29:d2:c7:aa > ff:ff:ff:ff:ff:ff, 802.1Q-QinQ, length 68: vlan 100, p 0, vlan 10, p 5, ARP, \
         arp who-has 10.0.0.1 tell 0.0.0.0"
    );
    for cut in 0..22 {
        assert!(Ethernet::parse(&tagged[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn neighbour_discovery_round_trip_and_its_checks() {
    let target: Ipv6Addr = "fe80::20c:29ff:feb3:a254".parse().unwrap();
    let from = (mac(CLIENT), "fe80::1".parse().unwrap());
    let to = (solicited_node_mac(target), solicited_node(target));
    assert_eq!(to.1.to_string(), "ff02::1:ffb3:a254");
    assert_eq!(to.0.to_string(), "33:33:ff:b3:a2:54");
    for message in [
        Ndp::Solicitation { target, source_mac: Some(from.0) },
        Ndp::Solicitation { target, source_mac: None },
        Ndp::announcement(target, from.0, true),
        Ndp::Advertisement { target, target_mac: None, router: false, solicited: true, overrides: false },
    ] {
        let frame = message.to_frame(from, to);
        let packet = Ipv6::parse(Ethernet::parse(&frame).unwrap().payload).unwrap();
        assert_eq!(packet.ndp(), Ok(message));
        // Every single flipped bit of the message is noticed by the checksum.
        for bit in 0..8 * (frame.len() - 54) {
            let mut damaged = frame.clone();
            damaged[54 + bit / 8] ^= 1 << (bit % 8);
            let packet = Ipv6::parse(Ethernet::parse(&damaged).unwrap().payload).unwrap();
            assert!(packet.ndp().is_err(), "bit {bit}");
        }
        // Forwarded messages are not neighbour discovery.
        let mut routed = frame.clone();
        routed[14 + 7] = 254;
        let packet = Ipv6::parse(Ethernet::parse(&routed).unwrap().payload).unwrap();
        assert_eq!(packet.ndp(), Err(Malformed::Unexpected { field: "hop limit", value: 254 }));
    }
}

/// A neighbour solicitation as Linux 6.18 sends it (a datagram to fe80::2 out of a veth), so that the
/// checksum is not only compared with our own.
const SOLICITATION: &str = "3333ff000002be98224e967086dd6000000000203afffe80000000000000bc9822fffe4e9670\
    ff0200000000000000000001ff000002870090ea00000000fe8000000000000000000000000000020101be98224e9670";

#[test]
fn checksum_of_a_captured_solicitation_is_right() {
    let frame: Vec<u8> = SOLICITATION
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let packet = Ipv6::parse(Ethernet::parse(&frame).unwrap().payload).unwrap();
    assert!(matches!(packet.ndp(), Ok(Ndp::Solicitation { source_mac: Some(_), .. })));
}

#[test]
fn whatever_the_bytes_nothing_panics() {
    let seeds: [Vec<u8>; 4] = [
        Ipv4Arp::probe(mac(CLIENT), [10, 0, 0, 1].into()).to_frame(Mac::BROADCAST),
        Echo { reply: true, id: 1, sequence: 2, data: b"abc" }
            .to_frame((mac(CLIENT), [10, 0, 0, 1].into()), (mac(ETH4), [10, 0, 0, 2].into())),
        Ndp::announcement("fe80::1".parse().unwrap(), mac(ETH4), false)
            .to_frame((mac(ETH4), "fe80::1".parse().unwrap()), (mac(CLIENT), "ff02::1".parse().unwrap())),
        vec![0x81; 64],
    ];
    let mut random = Random(42);
    for round in 0..200_000usize {
        let mut frame = seeds[round % seeds.len()].clone();
        for _ in 0..random.next() % 8 {
            let at = random.next() as usize % frame.len();
            frame[at] = random.next() as u8;
        }
        frame.truncate(random.next() as usize % (frame.len() + 1));
        let text = Printed(&frame).to_string();
        assert!(text.contains("length"), "{text}");
    }
}

#[test]
fn capture_file_keeps_times_and_cuts_giants() {
    let mut file = pcap::Writer::new(Vec::new()).unwrap();
    file.write(Timestamp::from_parts(7, 123_456_789), &[1; 60]).unwrap();
    file.write(Timestamp(0), &vec![2; pcap::SNAP_LENGTH as usize + 1]).unwrap();
    let bytes = file.finish().unwrap();
    let word = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
    assert_eq!([word(24), word(28), word(32), word(36)], [7, 123_456_789, 60, 60]);
    assert_eq!([word(24 + 76 + 8), word(24 + 76 + 12)], [pcap::SNAP_LENGTH, pcap::SNAP_LENGTH + 1]);
    assert_eq!(bytes.len(), 24 + 16 + 60 + 16 + pcap::SNAP_LENGTH as usize);
}

#[test]
fn time_of_day() {
    assert_eq!(Timestamp::from_parts(86_400 + 3 * 3600 + 62, 1_999).to_string(), "03:01:02.000001");
}
