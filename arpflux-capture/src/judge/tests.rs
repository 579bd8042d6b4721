//! Conversations, each with the one class that its frames allow.

use std::fmt::Write as _;

use crate::{AddressReport, Certainty, Class, Known, Limits, Report, Source, Table};

/// The NICs of a host whose card has them side by side.
const ETH0: &str = "00:0c:29:b3:a2:54";
const ETH3: &str = "00:0c:29:b3:a2:68";
const ETH4: &str = "00:0c:29:b3:a2:5e";
const CLIENT: &str = "00:0c:29:d2:c7:aa";
/// NICs that tell nothing by their numbers.
const ONE: &str = "02:11:11:11:11:11";
const TWO: &str = "02:22:22:22:22:22";
const ALL: &str = "ff:ff:ff:ff:ff:ff";

/// A conversation, written as tcpdump prints it.
#[derive(Default)]
struct Talk {
    text: String,
    ms: u64,
}

impl Talk {
    fn line(&mut self, from: &str, to: &str, what: &str) -> &mut Self {
        let ms = self.ms;
        let _ = writeln!(
            self.text,
            "{:02}:{:02}:{:02}.{:03} {from} > {to}, {what}",
            ms / 3_600_000,
            ms / 60_000 % 60,
            ms / 1000 % 60,
            ms % 1000
        );
        self
    }

    fn wait(&mut self, ms: u64) -> &mut Self {
        self.ms += ms;
        self
    }

    /// A broadcast request.
    fn ask(&mut self, from: &str, address: &str, sender: &str) -> &mut Self {
        self.line(from, ALL, &format!("ARP, length 60: arp who-has {address} tell {sender}"))
    }

    fn reply(&mut self, from: &str, to: &str, address: &str) -> &mut Self {
        self.line(from, to, &format!("ARP, length 60: arp reply {address} is-at {from}"))
    }

    fn announce(&mut self, from: &str, address: &str) -> &mut Self {
        self.ask(from, address, address)
    }

    fn packet(
        &mut self,
        (from, source): (&str, &str),
        (to, destination): (&str, &str),
        ttl: u8,
    ) -> &mut Self {
        let what = format!("IPv4, length 98: (tos 0x0, ttl {ttl}, id 1) {source} > {destination}: ICMP echo");
        self.line(from, to, &what)
    }

    fn report_with(&self, known: &Known) -> Report {
        let mut table = Table::new(Limits::default());
        Source::new(self.text.as_bytes()).unwrap().read_into(&mut table).unwrap();
        table.report(known)
    }

    /// What became of `address`.
    fn judge(&self, address: &str) -> AddressReport {
        let report = self.report_with(&Known::default());
        report.address(address.parse::<std::net::IpAddr>().unwrap()).unwrap().clone()
    }
}

#[test]
fn all_nics_answer_for_the_hosts_own_address() {
    let mut talk = Talk::default();
    talk.ask(CLIENT, "192.168.18.10", "192.168.18.129");
    for nic in [ETH4, ETH0, ETH3] {
        talk.reply(nic, CLIENT, "192.168.18.10");
    }
    let address = talk.judge("192.168.18.10");
    assert_eq!((address.class, address.certainty), (Class::Flux, Some(Certainty::Likely)));
    assert_eq!((address.contested, address.moves, address.macs.len()), (1, 0, 3));
    assert_eq!(talk.judge("192.168.18.129").class, Class::Single);
    assert!(talk.report_with(&Known::default()).is_bad());

    // A ping to one NIC that comes back from the next, twice, joins all three beyond doubt.
    for (to, back) in [(ETH4, ETH0), (ETH3, ETH0)] {
        talk.packet((CLIENT, "192.168.18.129"), (to, "192.168.18.10"), 64).packet(
            (back, "192.168.18.10"),
            (CLIENT, "192.168.18.129"),
            64,
        );
    }
    assert_eq!(talk.judge("192.168.18.10").certainty, Some(Certainty::Proved));
}

#[test]
fn once_cured_one_nic_answers() {
    let mut talk = Talk::default();
    talk.ask(CLIENT, "192.168.18.10", "192.168.18.129").reply(ETH0, CLIENT, "192.168.18.10");
    talk.packet((CLIENT, "192.168.18.129"), (ETH0, "192.168.18.10"), 64).packet(
        (ETH0, "192.168.18.10"),
        (CLIENT, "192.168.18.129"),
        64,
    );
    let report = talk.report_with(&Known::default());
    assert!(report.addresses.iter().all(|address| address.class == Class::Single));
    assert!(!report.is_bad());
}

#[test]
fn a_containers_address_on_every_nic_is_flux_of_a_proxied_address() {
    let mut talk = Talk::default();
    for wait in [300, 700, 500] {
        talk.wait(5000).ask(CLIENT, "192.168.18.101", "192.168.18.129");
        for nic in [ETH0, ETH3, ETH4] {
            talk.wait(wait / 2).reply(nic, CLIENT, "192.168.18.101");
        }
    }
    let address = talk.judge("192.168.18.101");
    assert_eq!((address.class, &address.also[..]), (Class::Flux, &[Class::Proxy][..]));
    assert_eq!(address.contested, 3);
}

#[test]
fn a_host_that_asks_for_what_its_other_nics_answer_is_in_conflict_with_itself() {
    let mut talk = Talk::default();
    for (nic, own) in [(ETH0, "192.168.18.10"), (ETH4, "192.168.18.12"), (ETH3, "192.168.18.11")] {
        talk.ask(nic, "192.168.18.101", own);
    }
    for nic in [ETH0, ETH4, ETH3] {
        talk.announce(nic, "192.168.18.101");
    }
    for (from, to) in [(ETH4, ETH3), (ETH4, ETH0), (ETH3, ETH0), (ETH3, ETH4), (ETH0, ETH4), (ETH0, ETH3)] {
        talk.reply(from, to, "192.168.18.101");
    }
    let address = talk.judge("192.168.18.101");
    assert_eq!((address.class, address.certainty), (Class::SelfConflict, Some(Certainty::Likely)));

    // Seen by a client as well, it is flux in the first place.
    talk.ask(CLIENT, "192.168.18.101", "192.168.18.129");
    talk.reply(ETH0, CLIENT, "192.168.18.101").reply(ETH3, CLIENT, "192.168.18.101");
    let address = talk.judge("192.168.18.101");
    assert_eq!((address.class, &address.also[..]), (Class::Flux, &[Class::SelfConflict][..]));
}

#[test]
fn two_macs_that_answer_one_request_are_a_fault_whatever_the_cause() {
    let mut talk = Talk::default();
    talk.ask(CLIENT, "10.0.0.1", "10.0.0.9").reply(ONE, CLIENT, "10.0.0.1").reply(TWO, CLIENT, "10.0.0.1");
    assert_eq!(talk.judge("10.0.0.1").class, Class::Conflict);
    assert_eq!(talk.report_with(&Known::default()).ok, Some(false));

    // Unless the caller knows.
    let known = Known { hosts: vec![vec![ONE.parse().unwrap(), TWO.parse().unwrap()]] };
    let report = talk.report_with(&known);
    assert_eq!(report.addresses[0].class, Class::Flux);
    assert_eq!(report.addresses[0].certainty, Some(Certainty::Proved));
    let two_hosts = Known { hosts: vec![vec![ONE.parse().unwrap()], vec![TWO.parse().unwrap()]] };
    assert_eq!(talk.report_with(&two_hosts).addresses[0].class, Class::Duplicate);

    // MACs side by side say nothing where a hypervisor gives them to one machine after the other.
    let mut talk = Talk::default();
    talk.ask(CLIENT, "10.0.0.1", "10.0.0.9");
    talk.reply("00:50:56:8a:00:01", CLIENT, "10.0.0.1").reply("00:50:56:8a:00:02", CLIENT, "10.0.0.1");
    assert_eq!(talk.judge("10.0.0.1").class, Class::Conflict);
}

#[test]
fn what_is_sent_to_one_mac_and_answered_from_another_is_one_hosts() {
    let mut talk = Talk::default();
    talk.ask(CLIENT, "10.0.0.1", "10.0.0.9").reply(ONE, CLIENT, "10.0.0.1").reply(TWO, CLIENT, "10.0.0.1");
    let mut forwarded = Talk { text: talk.text.clone(), ms: 1 };
    talk.packet((CLIENT, "10.0.0.9"), (ONE, "10.0.0.1"), 64).packet(
        (TWO, "10.0.0.1"),
        (CLIENT, "10.0.0.9"),
        64,
    );
    let address = talk.judge("10.0.0.1");
    assert_eq!((address.class, address.certainty), (Class::Flux, Some(Certainty::Proved)));

    forwarded.packet((CLIENT, "10.0.0.9"), (ONE, "10.0.0.1"), 64).packet(
        (TWO, "10.0.0.1"),
        (CLIENT, "10.0.0.9"),
        63,
    );
    let address = forwarded.judge("10.0.0.1");
    assert_eq!((address.class, address.certainty), (Class::Flux, Some(Certainty::Likely)));
}

#[test]
fn an_arp_request_to_one_mac_alone_answered_from_another() {
    let mut talk = Talk::default();
    talk.ask(CLIENT, "10.0.0.1", "10.0.0.9").reply(ONE, CLIENT, "10.0.0.1").reply(TWO, CLIENT, "10.0.0.1");
    talk.wait(30_000);
    talk.line(CLIENT, ONE, "ARP, length 60: arp who-has 10.0.0.1 tell 10.0.0.9")
        .reply(TWO, CLIENT, "10.0.0.1");
    let address = talk.judge("10.0.0.1");
    assert_eq!((address.class, address.certainty), (Class::Flux, Some(Certainty::Proved)));
}

#[test]
fn the_same_macs_for_several_addresses_are_likely_one_hosts() {
    let mut talk = Talk::default();
    for address in ["10.0.0.1", "10.0.0.2"] {
        talk.wait(9000).ask(CLIENT, address, "10.0.0.9");
        talk.reply(ONE, CLIENT, address).reply(TWO, CLIENT, address);
    }
    assert_eq!(talk.judge("10.0.0.2").class, Class::Flux);
    // Not if one of them has an address of its own: two nodes that answer for the same services do.
    talk.wait(9000).ask(CLIENT, "10.0.0.3", "10.0.0.9").reply(ONE, CLIENT, "10.0.0.3");
    assert_eq!(talk.judge("10.0.0.2").class, Class::Conflict);
}

#[test]
fn two_hosts_with_one_address() {
    // Each answers what is sent to it.
    let mut talk = Talk::default();
    talk.ask(CLIENT, "10.0.0.1", "10.0.0.9").reply(ONE, CLIENT, "10.0.0.1").reply(TWO, CLIENT, "10.0.0.1");
    for mac in [ONE, TWO] {
        talk.packet((CLIENT, "10.0.0.9"), (mac, "10.0.0.1"), 64).packet(
            (mac, "10.0.0.1"),
            (CLIENT, "10.0.0.9"),
            64,
        );
    }
    assert_eq!(talk.judge("10.0.0.1").class, Class::Duplicate);

    // One defends what the other announces.
    let mut talk = Talk::default();
    talk.announce(ONE, "10.0.0.1").wait(60_000).announce(TWO, "10.0.0.1").wait(20).announce(ONE, "10.0.0.1");
    assert_eq!(talk.judge("10.0.0.1").class, Class::Duplicate);

    // Both answer at once, and each has another address for itself.
    let mut talk = Talk::default();
    for _ in 0..3 {
        talk.wait(9000).ask(CLIENT, "10.0.0.1", "10.0.0.9");
        talk.reply(ONE, CLIENT, "10.0.0.1").reply(TWO, CLIENT, "10.0.0.1");
    }
    talk.ask(CLIENT, "10.0.0.3", "10.0.0.9").reply(ONE, CLIENT, "10.0.0.3");
    assert_eq!(talk.judge("10.0.0.1").class, Class::Conflict);
    talk.ask(CLIENT, "10.0.0.4", "10.0.0.9").reply(TWO, CLIENT, "10.0.0.4");
    let address = talk.judge("10.0.0.1");
    assert_eq!((address.class, address.certainty), (Class::Duplicate, Some(Certainty::Likely)));
}

/// The packets name whom a reply is for; text does not.
#[test]
fn text_without_the_names_of_those_who_are_told_is_not_good() {
    let mut talk = Talk::default();
    for _ in 0..12 {
        talk.wait(1000).reply(ONE, CLIENT, "10.0.0.1").wait(10).reply(ONE, TWO, "10.0.0.2");
    }
    assert_eq!(talk.judge("10.0.0.1").class, Class::Undetermined);
    assert_eq!(talk.report_with(&Known::default()).judgement().exit_code(), 6);
    let mut one = Talk::default();
    for _ in 0..12 {
        one.wait(1000).reply(ONE, CLIENT, "10.0.0.1");
    }
    assert_eq!(one.judge("10.0.0.1").class, Class::Single, "answers to requests that were filtered out");
}

#[test]
fn a_probe_answered_and_ignored_is_told_with_the_duplicate() {
    let mut talk = Talk::default();
    talk.announce(ONE, "10.0.0.1").wait(60_000);
    talk.ask(TWO, "10.0.0.1", "0.0.0.0").reply(ONE, TWO, "10.0.0.1");
    talk.announce(TWO, "10.0.0.1").wait(20).announce(ONE, "10.0.0.1");
    let address = talk.judge("10.0.0.1");
    assert_eq!(address.class, Class::Duplicate);
    assert!(address.because.iter().any(|sentence| sentence.contains("probed it first")), "{address:?}");
}

#[test]
fn an_address_that_is_taken_over_with_announcements_fails_over() {
    let mut talk = Talk::default();
    for (holder, times) in [(ONE, 3), (TWO, 4), (ONE, 2)] {
        for _ in 0..2 {
            talk.announce(holder, "10.0.0.1");
        }
        for _ in 0..times {
            talk.wait(9000).ask(CLIENT, "10.0.0.1", "10.0.0.9").reply(holder, CLIENT, "10.0.0.1");
        }
        talk.wait(3000);
    }
    let address = talk.judge("10.0.0.1");
    assert_eq!((address.class, address.moves, address.contested), (Class::Failover, 2, 0));
    assert!(!address.class.is_bad());

    // One answer beside the new holder's, and it is none.
    talk.ask(CLIENT, "10.0.0.1", "10.0.0.9").reply(ONE, CLIENT, "10.0.0.1").reply(TWO, CLIENT, "10.0.0.1");
    assert_ne!(talk.judge("10.0.0.1").class, Class::Failover);
}

#[test]
fn without_a_clock_addresses_that_go_to_and_fro_are_no_fail_over() {
    let announced = |times: usize| {
        let lines = [ONE, TWO].into_iter().cycle().take(times).map(|mac| {
            format!(
                "{mac} > {ALL}, ethertype ARP (0x0806), length 60: Request who-has 10.0.0.1 tell 10.0.0.1\n"
            )
        });
        Talk { text: lines.collect(), ms: 0 }.judge("10.0.0.1").class
    };
    assert_eq!(announced(2), Class::Failover);
    assert_eq!(announced(3), Class::Failover);
    assert_eq!(announced(5), Class::Undetermined);
}

#[test]
fn a_silent_move_is_undetermined() {
    let mut talk = Talk::default();
    for holder in [ONE, TWO] {
        talk.wait(9000).ask(CLIENT, "10.0.0.1", "10.0.0.9").reply(holder, CLIENT, "10.0.0.1");
    }
    assert_eq!(talk.judge("10.0.0.1").class, Class::Undetermined);
}

#[test]
fn virtual_macs_are_named() {
    for (mac, what) in [
        ("00:00:5e:00:01:33", "VRRP or CARP, group 51"),
        ("00:00:0c:07:ac:05", "HSRP, group 5"),
        ("00:00:0c:9f:f1:02", "HSRP version 2, group 258"),
        ("00:07:b4:00:0a:01", "GLBP, group 10"),
        ("00:1c:7f:00:00:07", "Check Point clusters, group 7"),
        ("00:1c:73:00:00:99", "anycast gateways"),
    ] {
        let mut talk = Talk::default();
        talk.ask(CLIENT, "10.0.0.1", "10.0.0.9").reply(mac, CLIENT, "10.0.0.1");
        // The router's own requests come from its own MAC.
        talk.wait(9000).ask(ONE, "10.0.0.9", "10.0.0.1");
        let address = talk.judge("10.0.0.1");
        assert_eq!(address.class, Class::Virtual);
        assert!(address.because.iter().any(|sentence| sentence.ends_with(what)), "{address:?}");
    }
    let mut talk = Talk::default();
    talk.ask(CLIENT, "10.0.0.1", "10.0.0.9");
    talk.reply("00:00:5e:00:01:33", CLIENT, "10.0.0.1").reply(ONE, CLIENT, "10.0.0.1");
    assert_eq!(talk.judge("10.0.0.1").class, Class::Conflict, "somebody beside the virtual MAC");
}

#[test]
fn one_mac_that_answers_for_another_host_is_a_proxy() {
    let mut late = Talk::default();
    for delay in [600, 120, 45, 780] {
        late.wait(5000).ask(CLIENT, "10.0.0.1", "10.0.0.9").wait(delay).reply(ONE, CLIENT, "10.0.0.1");
    }
    assert_eq!(late.judge("10.0.0.1").class, Class::Proxy);

    let mut routed = Talk::default();
    routed.ask(CLIENT, "10.0.0.1", "10.0.0.9").reply(ONE, CLIENT, "10.0.0.1");
    let echo = |routed: &mut Talk, address, ttl| {
        for _ in 0..2 {
            routed.packet((CLIENT, "10.0.0.9"), (ONE, address), 64).packet(
                (ONE, address),
                (CLIENT, "10.0.0.9"),
                ttl,
            );
        }
    };
    echo(&mut routed, "10.0.0.1", 63);
    assert_eq!(routed.judge("10.0.0.1").class, Class::Single, "a NAT gateway looks the same");
    // The node that answers for it has an address of its own.
    routed.ask(CLIENT, "10.0.0.2", "10.0.0.9").reply(ONE, CLIENT, "10.0.0.2");
    echo(&mut routed, "10.0.0.2", 64);
    assert_eq!(routed.judge("10.0.0.1").class, Class::Proxy);
    assert_eq!(routed.judge("10.0.0.2").class, Class::Single);

    // One that answers beside the hosts themselves.
    let mut talk = Talk::default();
    for (host, address) in [
        ("02:00:00:aa:00:01", "10.0.0.1"),
        ("02:00:00:bb:00:02", "10.0.0.2"),
        ("02:00:00:cc:00:03", "10.0.0.3"),
    ] {
        talk.wait(9000).ask(CLIENT, address, "10.0.0.9").reply(host, CLIENT, address);
        talk.wait(400).reply(ONE, CLIENT, address);
    }
    let address = talk.judge("10.0.0.2");
    assert_eq!((address.class, &address.also[..]), (Class::Conflict, &[Class::Proxy][..]));
}

#[test]
fn unasked_replies_to_single_hosts_are_suspicious() {
    let mut talk = Talk::default();
    talk.ask(CLIENT, "10.0.0.1", "10.0.0.9").reply(ONE, CLIENT, "10.0.0.1");
    for _ in 0..4 {
        talk.wait(5000).reply(TWO, CLIENT, "10.0.0.1");
    }
    let address = talk.judge("10.0.0.1");
    assert_eq!((address.class, address.certainty), (Class::Spoof, Some(Certainty::Suspected)));
    assert!(address.because[0].contains(TWO), "{address:?}");
}

#[test]
fn vlans_are_different_wires() {
    let mut talk = Talk::default();
    for (vlan, mac) in [(7, ONE), (8, TWO)] {
        talk.line(mac, ALL, &format!("802.1Q (0x8100), length 64: vlan {vlan}, p 0, ethertype ARP (0x0806), Request who-has 10.0.0.1 tell 10.0.0.1, length 46"));
    }
    let report = talk.report_with(&Known::default());
    assert_eq!(report.addresses.len(), 2);
    assert!(report.addresses.iter().all(|address| address.class == Class::Single));
    assert_eq!(report.addresses[1].vlans, [8]);
}

#[test]
fn a_full_table_says_so() {
    let limits = Limits { addresses: 10, further_macs: 3, macs_per_address: 3 };
    let mut talk = Talk::default();
    for low in 0..20 {
        talk.announce(ONE, &format!("10.0.1.{low}"));
    }
    for low in 0..9 {
        talk.announce(&format!("02:00:00:00:00:{low:02x}"), "10.0.1.0");
        talk.announce(&format!("02:00:00:00:00:{low:02x}"), "10.0.1.1");
    }
    let mut table = Table::new(limits);
    Source::new(talk.text.as_bytes()).unwrap().read_into(&mut table).unwrap();
    let report = table.report(&Known::default());
    assert_eq!(report.addresses.len(), 10);
    assert_eq!(report.addresses.iter().map(|address| address.macs.len()).sum::<usize>(), 10 + 3);
    // Ten addresses, then all but three of eighteen claims, found no room.
    assert_eq!(report.dropped, 10 + 15);
}

#[test]
fn the_picture_is_well_formed_and_shows_each_mac() {
    let mut talk = Talk::default();
    talk.ask(CLIENT, "192.168.18.10", "192.168.18.129").reply(ETH0, CLIENT, "192.168.18.10");
    talk.wait(5000).reply(ETH3, CLIENT, "192.168.18.10");
    let report = talk.report_with(&Known::default());
    let svg = report.timeline();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    for text in [ETH0, ETH3, "192.168.18.10"] {
        assert_eq!(svg.matches(&format!(">{text}")).count(), 1, "{svg}");
    }
    assert!(!svg.contains(CLIENT), "an address with one MAC is left out");
    // Two rows of one bar each, at both ends, on a background.
    assert_eq!(svg.matches("<rect").count(), 3);
}
