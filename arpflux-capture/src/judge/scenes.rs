//! Scenes, frame by frame: what happens on real wires, with what must be said of it. Half of them are harmless.

use arpflux_core::frame::{EtherType, Ipv4Arp, Ndp, Timestamp, emit_header, solicited_node_mac};
use arpflux_core::types::Mac;

use crate::{Certainty, Class, Known, Limits, Report, Table};

/// Numbers for MACs that tell nothing, and for addresses `10.0.0.N`.
#[derive(Default)]
pub(super) struct Scene {
    pub(super) frames: Vec<(u64, Vec<u8>)>,
    /// In microseconds.
    pub(super) now: u64,
    hosts: Vec<Vec<Mac>>,
}

const MS: u64 = 1_000;
const SECOND: u64 = 1_000_000;

/// A MAC of its own; 0x80 and up lie side by side on one card.
pub(super) fn mac(number: u8) -> Mac {
    match number {
        0x80.. => Mac::ethernet([0x00, 0x0c, 0x29, 0xb3, 0xa2, number]),
        _ => Mac::ethernet([0x02, number, 0x11, number, 0x22, number]),
    }
}

const VRRP: Mac = Mac::ethernet([0, 0, 0x5e, 0, 1, 7]);
const VRRP_8: Mac = Mac::ethernet([0, 0, 0x5e, 0, 1, 8]);
const GLBP_1: Mac = Mac::ethernet([0, 7, 0xb4, 0, 10, 1]);
const GLBP_2: Mac = Mac::ethernet([0, 7, 0xb4, 0, 10, 2]);
const NLB: Mac = Mac::ethernet([3, 0xbf, 10, 0, 0, 1]);

pub(super) fn ip(last: u8) -> std::net::Ipv4Addr {
    [10, 0, 0, last].into()
}

impl Scene {
    pub(super) fn push(&mut self, frame: Vec<u8>) -> &mut Self {
        self.frames.push((self.now, frame));
        self.now += 200;
        self
    }

    pub(super) fn wait(&mut self, microseconds: u64) -> &mut Self {
        self.now += microseconds;
        self
    }

    fn one_host(&mut self, macs: &[Mac]) -> &mut Self {
        self.hosts.push(macs.to_vec());
        self
    }

    /// `from`, who has address `of`, asks all for `target`.
    pub(super) fn ask(&mut self, from: Mac, of: u8, target: u8) -> &mut Self {
        self.push(Ipv4Arp::request(from, ip(of), ip(target)).to_frame(Mac::BROADCAST))
    }

    pub(super) fn ask_one(&mut self, from: Mac, of: u8, target: u8, to: Mac) -> &mut Self {
        self.push(Ipv4Arp::request(from, ip(of), ip(target)).to_frame(to))
    }

    fn probe(&mut self, from: Mac, target: u8) -> &mut Self {
        self.push(Ipv4Arp::probe(from, ip(target)).to_frame(Mac::BROADCAST))
    }

    fn answer(from: Mac, of: u8, to: Mac, peer: u8) -> Ipv4Arp {
        Ipv4Arp::reply_to(&Ipv4Arp::request(to, ip(peer), ip(of)), from)
    }

    /// `from` says to `to`, which has `peer`, that it has `of`.
    pub(super) fn reply(&mut self, from: Mac, of: u8, to: Mac, peer: u8) -> &mut Self {
        self.push(Self::answer(from, of, to, peer).to_frame(to))
    }

    /// The same in the name of `name`.
    fn reply_as(&mut self, from: Mac, name: Mac, of: u8, to: Mac, peer: u8) -> &mut Self {
        let mut frame = Self::answer(name, of, to, peer).to_frame(to);
        frame[6..12].copy_from_slice(from.as_bytes());
        self.push(frame)
    }

    pub(super) fn announce(&mut self, from: Mac, of: u8) -> &mut Self {
        self.push(Ipv4Arp::announcement(from, ip(of)).to_frame(Mac::BROADCAST))
    }

    fn announce_by_reply(&mut self, from: Mac, of: u8) -> &mut Self {
        self.push(Ipv4Arp::announcement_reply(from, ip(of)).to_frame(Mac::BROADCAST))
    }

    pub(super) fn packet(
        &mut self,
        (from, source): (Mac, u8),
        (to, destination): (Mac, u8),
        ttl: u8,
    ) -> &mut Self {
        let mut frame = Vec::new();
        emit_header(&mut frame, to, from, EtherType::IPV4);
        frame.extend([0x45, 0, 0, 28, 0, 0, 0x40, 0, ttl, 1, 0, 0]);
        frame.extend(ip(source).octets());
        frame.extend(ip(destination).octets());
        frame.extend([8, 0, 0, 0, 0, 0, 0, 0]);
        self.push(frame)
    }

    /// The last frame with a VLAN tag.
    fn tagged(&mut self, vlan: u8) -> &mut Self {
        if let Some((_, frame)) = self.frames.last_mut() {
            frame.splice(12..12, [0x81, 0, 0, vlan]);
        }
        self
    }

    /// A question of the client 9 and the answers to it, each a millisecond later.
    fn round(&mut self, of: u8, answers: &[Mac]) -> &mut Self {
        self.wait(3 * SECOND).ask(mac(9), 9, of);
        for from in answers {
            self.wait(MS).reply(*from, of, mac(9), 9);
        }
        self
    }

    pub(super) fn table(&self) -> Table {
        let mut table = Table::new(Limits::default());
        for (time, frame) in &self.frames {
            table.observe_ethernet(Timestamp(1_700_000_000_000_000_000 + time * 1000), frame);
        }
        table
    }

    pub(super) fn report(&self) -> Report {
        self.table().report(&Known { hosts: self.hosts.clone() })
    }
}

/// What the scene is said to be as far as `10.0.0.1` goes, on the wire without tags.
#[track_caller]
fn expect(what: &str, class: Class, scene: &Scene) -> Option<Certainty> {
    let report = scene.report();
    let found = report.addresses.iter().find(|one| one.address == ip(1) && one.vlans.is_empty());
    let found = found.unwrap_or_else(|| panic!("{what}: not in {report:#?}"));
    assert_eq!(found.class, class, "{what}: {found:#?}");
    if class.rank() == 2 {
        assert_eq!(report.ok, Some(false), "{what}");
        assert!(found.evidence.iter().any(|piece| !piece.against), "{what}: no evidence");
    }
    found.certainty
}

fn scene(build: impl FnOnce(&mut Scene) -> &mut Scene) -> Scene {
    let mut scene = Scene::default();
    build(&mut scene);
    scene
}

#[test]
fn healthy_wires() {
    let (a, b) = (mac(1), mac(2));
    let good: &[(&str, Class, Scene)] = &[
        ("one host", Class::Single, scene(|s| s.round(1, &[a]).round(1, &[a]))),
        ("an answer twice", Class::Single, scene(|s| s.round(1, &[a, a]))),
        (
            "live migration keeps the MAC",
            Class::Single,
            scene(|s| s.round(1, &[a]).wait(SECOND).announce(a, 1).round(1, &[a])),
        ),
        ("Wi-Fi power save: late, by some beacons", Class::Single, {
            let mut s = Scene::default();
            for delay in [100, 205, 307, 102, 204, 99] {
                s.wait(3 * SECOND).ask(mac(9), 9, 1).wait(delay * MS).reply(a, 1, mac(9), 9);
            }
            s
        }),
        ("a sleeping station with its own packets", Class::Single, {
            let mut s = Scene::default();
            for delay in [500, 900, 700, 800] {
                s.wait(3 * SECOND).ask(mac(9), 9, 1).wait(delay * MS).reply(a, 1, mac(9), 9);
                s.packet((a, 1), (mac(9), 9), 64);
            }
            s
        }),
        (
            "NAT gateway: packets from it with TTL 63",
            Class::Single,
            scene(|s| {
                s.round(1, &[a]);
                (0..5).fold(s, |s, _| s.packet((mac(9), 9), (a, 1), 64).packet((a, 1), (mac(9), 9), 63))
            }),
        ),
        (
            "NAT gateway that asks as well",
            Class::Single,
            scene(|s| {
                s.round(1, &[a]).round(2, &[a]).packet((a, 2), (mac(9), 9), 64).ask(a, 1, 9);
                (0..5).fold(s, |s, _| s.packet((a, 1), (mac(9), 9), 63))
            }),
        ),
        (
            "a device that begins with TTL 60",
            Class::Single,
            scene(|s| {
                s.round(1, &[a]).round(2, &[a]).packet((a, 2), (mac(9), 9), 64);
                (0..5).fold(s, |s, _| s.packet((a, 1), (mac(9), 9), 60))
            }),
        ),
        (
            "random TTLs",
            Class::Single,
            scene(|s| {
                s.round(1, &[a]).round(2, &[a]).packet((a, 2), (mac(9), 9), 64);
                [63, 127, 62, 254].into_iter().fold(s, |s, ttl| s.packet((a, 1), (mac(9), 9), ttl))
            }),
        ),
        ("another subnet's VRRP", Class::Virtual, scene(|s| s.round(1, &[VRRP]).round(2, &[VRRP_8]))),
        (
            "VRRP, whose router asks by its own MAC",
            Class::Virtual,
            scene(|s| s.round(1, &[VRRP]).ask(a, 1, 9).ask(a, 1, 9)),
        ),
        (
            "VRRP that moves between routers",
            Class::Virtual,
            scene(|s| {
                s.round(1, &[VRRP]).announce(VRRP, 1).ask(a, 1, 9).wait(SECOND).announce(VRRP, 1).ask(b, 1, 9)
            }),
        ),
        (
            "VRRP with the router's Ethernet source",
            Class::Virtual,
            scene(|s| s.ask(mac(9), 9, 1).reply_as(a, VRRP, 1, mac(9), 9)),
        ),
        (
            "GLBP shares out",
            Class::Virtual,
            scene(|s| s.round(1, &[GLBP_1]).round(1, &[GLBP_2]).round(1, &[GLBP_1])),
        ),
        (
            "NLB in multicast mode",
            Class::Virtual,
            scene(|s| s.ask(mac(9), 9, 1).reply_as(a, NLB, 1, mac(9), 9)),
        ),
        (
            "fail-over",
            Class::Failover,
            scene(|s| s.round(1, &[a]).wait(SECOND).announce(b, 1).announce(b, 1).round(1, &[b])),
        ),
        (
            "fail-over and back",
            Class::Failover,
            scene(|s| {
                s.round(1, &[a])
                    .wait(SECOND)
                    .announce(b, 1)
                    .round(1, &[b])
                    .wait(20 * SECOND)
                    .announce(a, 1)
                    .round(1, &[a])
            }),
        ),
        (
            "fail-over announced by replies",
            Class::Failover,
            scene(|s| s.round(1, &[a]).wait(SECOND).announce_by_reply(b, 1).round(1, &[b])),
        ),
        (
            "bond, active-backup with fail_over_mac",
            Class::Failover,
            scene(|s| s.round(1, &[mac(0x81)]).wait(SECOND).announce(mac(0x82), 1).round(1, &[mac(0x82)])),
        ),
        ("bond, balance-alb", Class::Bond, {
            let mut s = Scene::default();
            for _ in 0..3 {
                s.wait(3 * SECOND).ask(mac(9), 9, 1).reply(mac(0x81), 1, mac(9), 9);
                s.wait(3 * SECOND).ask(mac(8), 8, 1).reply(mac(0x82), 1, mac(8), 8);
            }
            s
        }),
        (
            "DHCP gives the address to the next",
            Class::Failover,
            scene(|s| {
                s.round(1, &[a])
                    .wait(7200 * SECOND)
                    .probe(b, 1)
                    .wait(SECOND)
                    .probe(b, 1)
                    .wait(2 * SECOND)
                    .announce(b, 1)
                    .round(1, &[b])
            }),
        ),
        (
            "one address on two VLANs",
            Class::Single,
            scene(|s| s.round(1, &[a]).ask(mac(9), 9, 1).tagged(7).reply(b, 1, mac(9), 9).tagged(7)),
        ),
        (
            "a proxy behind which somebody is",
            Class::Proxy,
            scene(|s| {
                s.round(1, &[a]).round(2, &[a]).packet((a, 2), (mac(9), 9), 64);
                s.packet((a, 1), (mac(9), 9), 63).packet((a, 1), (mac(9), 9), 63)
            }),
        ),
        ("a proxy that takes its time", Class::Proxy, {
            let mut s = Scene::default();
            for delay in [600, 120, 45, 780] {
                s.wait(3 * SECOND).ask(mac(9), 9, 1).wait(delay * MS).reply(a, 1, mac(9), 9);
            }
            s
        }),
        (
            "neighbours confirm one another",
            Class::Single,
            scene(|s| s.round(1, &[a]).ask_one(mac(9), 9, 1, a).reply(a, 1, mac(9), 9)),
        ),
        (
            "a scan of everything",
            Class::Single,
            scene(|s| {
                s.round(1, &[a]);
                (10..200).fold(s, |s, target| s.ask(mac(9), 9, target))
            }),
        ),
    ];
    for (what, class, scene) in good {
        expect(what, *class, scene);
        assert_eq!(class.rank(), 0, "{what}");
        assert_eq!(scene.report().ok, Some(true), "{what}: {:#?}", scene.report());
    }
}

#[test]
fn what_cannot_be_told_is_not_good() {
    let (a, b) = (mac(1), mac(2));
    let open: &[(&str, Scene)] = &[
        ("a silent move", scene(|s| s.round(1, &[a]).round(1, &[b]))),
        ("a silent move of one card", scene(|s| s.round(1, &[mac(0x81)]).round(1, &[mac(0x82)]))),
        (
            "two unasked replies",
            scene(|s| {
                s.round(1, &[a]).wait(3 * SECOND).reply(b, 1, mac(9), 9).wait(SECOND).reply(b, 1, mac(9), 9)
            }),
        ),
        ("a claim from another Ethernet source", scene(|s| s.ask(mac(9), 9, 1).reply_as(b, a, 1, mac(9), 9))),
        (
            "one unasked reply beside a virtual MAC",
            scene(|s| s.round(1, &[VRRP]).wait(3 * SECOND).reply(b, 1, mac(9), 9)),
        ),
        ("two announcements in half a second", scene(|s| s.announce(a, 1).wait(400 * MS).announce(b, 1))),
        ("two groups of VRRP, one address", scene(|s| s.round(1, &[VRRP]).round(1, &[VRRP_8]))),
    ];
    for (what, scene) in open {
        expect(what, Class::Undetermined, scene);
        assert_eq!(scene.report().ok, None, "{what}");
    }
}

#[test]
fn flux_and_conflicts_with_oneself() {
    let (a, b, c) = (mac(0x81), mac(0x82), mac(0x90));
    let flux: &[(&str, Class, Scene)] = &[
        ("two NICs answer", Class::Flux, scene(|s| s.round(1, &[a, b]))),
        ("three NICs answer", Class::Flux, scene(|s| s.round(1, &[a, b, c]).round(1, &[c, a, b]))),
        (
            "one after the other",
            Class::Flux,
            scene(|s| s.round(1, &[a]).round(1, &[b]).round(1, &[a]).round(1, &[b])),
        ),
        (
            "by its own requests from any NIC",
            Class::Flux,
            scene(|s| s.ask(a, 1, 9).ask(b, 1, 8).wait(SECOND).ask(a, 1, 9)),
        ),
        (
            "a packet to one comes back from the other",
            Class::Flux,
            scene(|s| {
                s.round(1, &[mac(1), mac(2)]).packet((mac(9), 9), (mac(1), 1), 64).packet(
                    (mac(2), 1),
                    (mac(9), 9),
                    64,
                )
            }),
        ),
        (
            "a request to one is answered by the other",
            Class::Flux,
            scene(|s| {
                s.round(1, &[mac(1), mac(2)]).wait(30 * SECOND).ask_one(mac(9), 9, 1, mac(1)).reply(
                    mac(2),
                    1,
                    mac(9),
                    9,
                )
            }),
        ),
        (
            "the caller knows both",
            Class::Flux,
            scene(|s| s.round(1, &[mac(1), mac(2)]).one_host(&[mac(1), mac(2)])),
        ),
        (
            "together for two addresses",
            Class::Flux,
            scene(|s| s.round(1, &[mac(1), mac(2)]).round(2, &[mac(2), mac(1)])),
        ),
        (
            "a VLAN of it",
            Class::Flux,
            scene(|s| s.round(1, &[a, b]).ask(mac(9), 9, 1).tagged(7).reply(c, 1, mac(9), 9).tagged(7)),
        ),
        (
            "its own request",
            Class::SelfConflict,
            scene(|s| s.ask(a, 2, 1).announce(b, 1).announce(a, 1).wait(MS).reply(b, 1, a, 2)),
        ),
    ];
    for (what, class, scene) in flux {
        expect(what, *class, scene);
    }
    let proved = scene(|s| s.round(1, &[mac(1), mac(2)]).one_host(&[mac(1), mac(2)]));
    assert_eq!(expect("known", Class::Flux, &proved), Some(Certainty::Proved));
}

#[test]
fn two_hosts_with_one_address() {
    let (a, b) = (mac(1), mac(2));
    let bad: &[(&str, Class, Scene)] = &[
        ("both answer", Class::Conflict, scene(|s| s.round(1, &[a, b]))),
        (
            "KVM guests",
            Class::Conflict,
            scene(|s| {
                s.round(
                    1,
                    &[
                        Mac::ethernet([0x52, 0x54, 0, 0x11, 0x22, 0x33]),
                        Mac::ethernet([0x52, 0x54, 0, 0x11, 0x22, 0x34]),
                    ],
                )
            }),
        ),
        (
            "vCenter's numbers in sequence",
            Class::Conflict,
            scene(|s| {
                s.round(
                    1,
                    &[Mac::ethernet([0, 0x50, 0x56, 0x8a, 0, 1]), Mac::ethernet([0, 0x50, 0x56, 0x8a, 0, 2])],
                )
            }),
        ),
        ("somebody beside a virtual MAC", Class::Conflict, scene(|s| s.round(1, &[VRRP, a]))),
        ("somebody beside GLBP", Class::Conflict, scene(|s| s.round(1, &[GLBP_1, a]))),
        ("two groups of VRRP answer", Class::Conflict, scene(|s| s.round(1, &[VRRP, VRRP_8]))),
        (
            "an answer beside a fail-over",
            Class::Conflict,
            scene(|s| s.round(1, &[a]).wait(SECOND).announce(b, 1).round(1, &[b]).round(1, &[b, a])),
        ),
        ("one host and a stranger", Class::Flux, scene(|s| s.round(1, &[mac(0x81), mac(0x82), a]))),
        ("split brain by announcements", Class::Duplicate, {
            let mut s = Scene::default();
            for _ in 0..4 {
                s.announce(a, 1).wait(400 * MS).announce(b, 1).wait(4600 * MS);
            }
            s
        }),
        ("split brain that answers as well", Class::Duplicate, {
            let mut s = Scene::default();
            for _ in 0..4 {
                s.announce(a, 1).wait(400 * MS).announce(b, 1).wait(4600 * MS);
            }
            s.round(1, &[a, b]);
            s
        }),
        (
            "its holder defends it",
            Class::Duplicate,
            scene(|s| s.announce(a, 1).wait(60 * SECOND).announce(b, 1).wait(20 * MS).announce(a, 1)),
        ),
        (
            "what is sent to each comes back from it",
            Class::Duplicate,
            scene(|s| {
                s.round(1, &[a, b]);
                [a, b].into_iter().fold(s, |s, host| {
                    s.packet((mac(9), 9), (host, 1), 64).packet((host, 1), (mac(9), 9), 64)
                })
            }),
        ),
        (
            "known as two hosts",
            Class::Duplicate,
            scene(|s| s.round(1, &[a, b]).one_host(&[a]).one_host(&[b])),
        ),
        (
            "each has an address of its own",
            Class::Duplicate,
            scene(|s| s.round(1, &[a, b]).round(1, &[b, a]).round(1, &[a, b]).round(2, &[a]).round(3, &[b])),
        ),
        ("it goes back and forth", Class::Conflict, {
            let mut s = Scene::default();
            for _ in 0..3 {
                s.round(1, &[a]).round(1, &[b]);
            }
            s
        }),
        (
            "told that it is taken, and takes it",
            Class::Duplicate,
            scene(|s| {
                s.announce(a, 1)
                    .wait(60 * SECOND)
                    .probe(b, 1)
                    .reply(a, 1, b, 0)
                    .announce(b, 1)
                    .wait(20 * MS)
                    .announce(a, 1)
            }),
        ),
    ];
    for (what, class, scene) in bad {
        expect(what, *class, scene);
    }
}

#[test]
fn spoofing() {
    let (gateway, liar, victim) = (mac(1), mac(2), mac(9));
    let pushed = |s: &mut Scene, times: u8| {
        for _ in 0..times {
            s.wait(2 * SECOND).reply(liar, 1, victim, 9);
        }
    };
    let bad: &[(&str, Scene)] = &[
        (
            "arpspoof",
            scene(|s| {
                s.round(1, &[gateway]);
                pushed(s, 4);
                s
            }),
        ),
        (
            "arpspoof that restores",
            scene(|s| {
                s.round(1, &[gateway]);
                pushed(s, 4);
                (0..5).fold(s, |s, _| s.wait(SECOND).reply_as(liar, gateway, 1, victim, 9))
            }),
        ),
        (
            "restored after two",
            scene(|s| {
                s.round(1, &[gateway]);
                pushed(s, 2);
                s.wait(SECOND).reply_as(liar, gateway, 1, victim, 9)
            }),
        ),
        (
            "beside a virtual MAC",
            scene(|s| {
                s.round(1, &[VRRP]);
                pushed(s, 4);
                s
            }),
        ),
        (
            "while the gateway's packets come back by way of him",
            scene(|s| {
                s.round(1, &[gateway]);
                pushed(s, 4);
                s.packet((victim, 9), (liar, 1), 64).packet((gateway, 1), (victim, 9), 64)
            }),
        ),
        (
            "both ways",
            scene(|s| {
                s.round(1, &[gateway]).ask(gateway, 1, 9).reply(victim, 9, gateway, 1);
                for _ in 0..4 {
                    s.wait(SECOND).reply(liar, 1, victim, 9).reply(liar, 9, gateway, 1);
                }
                s
            }),
        ),
        (
            "answers the victim as well",
            scene(|s| {
                s.round(1, &[gateway]);
                pushed(s, 4);
                s.round(1, &[gateway, liar])
            }),
        ),
        (
            "by forged requests",
            scene(|s| {
                s.round(1, &[gateway]);
                (0..4).fold(s, |s, _| s.wait(SECOND).ask_one(liar, 1, 9, victim))
            }),
        ),
        (
            "with a MAC beside the gateway's",
            scene(|s| {
                s.round(1, &[mac(0x81)]);
                (0..4).fold(s, |s, _| s.wait(2 * SECOND).reply(mac(0x82), 1, victim, 9))
            }),
        ),
    ];
    for (what, scene) in bad {
        expect(what, Class::Spoof, scene);
    }
    assert_eq!(expect("restores", Class::Spoof, &bad[1].1), Some(Certainty::Likely));
    assert_eq!(expect("both ways", Class::Spoof, &bad[5].1), Some(Certainty::Likely));

    // A bond in mode balance-alb pushes as well, and answers.
    let bond = scene(|s| {
        s.wait(SECOND).ask(victim, 9, 1).reply(mac(0x81), 1, victim, 9).ask(mac(8), 8, 1).reply(
            mac(0x82),
            1,
            mac(8),
            8,
        );
        (0..4)
            .fold(s, |s, _| s.wait(60 * SECOND).reply(mac(0x82), 1, mac(8), 8).reply(mac(0x81), 1, victim, 9))
    });
    expect("balance-alb", Class::Bond, &bond);
}

#[test]
fn neighbour_discovery_is_judged_alike() {
    let fe80 = |last: u16| std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last);
    let (host, liar, client) = (mac(1), mac(2), mac(9));
    let solicit = |s: &mut Scene| {
        let ask = Ndp::Solicitation { target: fe80(1), source_mac: Some(client) };
        let to = arpflux_core::frame::solicited_node(fe80(1));
        s.wait(3 * SECOND).push(ask.to_frame((client, fe80(9)), (solicited_node_mac(fe80(1)), to)));
    };
    let advertise = |s: &mut Scene, from: Mac, solicited: bool| {
        let message = Ndp::Advertisement {
            target: fe80(1),
            target_mac: Some(from),
            router: false,
            solicited,
            overrides: true,
        };
        s.wait(MS).push(message.to_frame((from, fe80(1)), (client, fe80(9))));
    };
    let class = |s: &Scene| s.report().address(fe80(1)).map(|one| one.class);
    let mut healthy = Scene::default();
    solicit(&mut healthy);
    advertise(&mut healthy, host, true);
    assert_eq!(class(&healthy), Some(Class::Single));
    assert_eq!(healthy.report().ok, Some(true));

    let mut both = Scene::default();
    solicit(&mut both);
    advertise(&mut both, host, true);
    advertise(&mut both, liar, true);
    assert_eq!(class(&both), Some(Class::Conflict), "{:#?}", both.report());

    let mut spoofed = healthy;
    for _ in 0..3 {
        spoofed.wait(5 * SECOND);
        advertise(&mut spoofed, liar, false);
    }
    assert_eq!(class(&spoofed), Some(Class::Spoof), "{:#?}", spoofed.report());
}

/// Random scenes: whatever conflicts more never makes the judgement better.
#[test]
fn more_conflict_never_makes_it_better() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let macs = [mac(1), mac(2), mac(3), mac(0x81), mac(0x82), VRRP, VRRP_8, GLBP_1, GLBP_2];
    let mut worse = 0;
    for _ in 0..1500 {
        let mut scene = Scene::default();
        let who = |random: &mut dyn FnMut(u64) -> u64| macs[random(macs.len() as u64) as usize];
        let few: Vec<Mac> = (0..1 + random(3)).map(|_| who(&mut random)).collect();
        for _ in 0..1 + random(10) {
            let from = few[random(few.len() as u64) as usize];
            scene.wait([MS, 300 * MS, 2 * SECOND, 12 * SECOND, 700 * SECOND][random(5) as usize]);
            match random(7) {
                0 => scene.announce(from, 1),
                1 => scene.ask(from, 1, 9),
                2 => scene.reply(from, 1, mac(9), 9),
                3 => scene.packet((mac(9), 9), (from, 1), 64),
                4 => scene.packet((from, 1), (mac(9), 9), 64),
                _ => scene.ask(mac(9), 9, 1).reply(from, 1, mac(9), 9),
            };
        }
        let judge = |scene: &Scene| {
            let report = scene.report();
            report.address(ip(1)).map_or(0, |one| one.class.rank())
        };
        let before = judge(&scene);
        // Somebody answers beside a first one, pushes replies, or announces the address.
        let other = who(&mut random);
        scene.wait(3 * SECOND);
        match random(4) {
            0 => {
                let first = few[0];
                scene.ask(mac(9), 9, 1).reply(first, 1, mac(9), 9).wait(MS).reply(other, 1, mac(9), 9);
            }
            1 => {
                scene.reply(other, 1, mac(9), 9);
            }
            2 => {
                scene.announce(other, 1);
            }
            _ => {
                for _ in 0..3 {
                    scene.wait(SECOND).reply(other, 1, mac(9), 9);
                }
            }
        }
        let after = judge(&scene);
        assert!(after >= before, "{before} became {after}: {:#?}", scene.report());
        worse += u32::from(after > before);
    }
    assert!(worse > 100, "only {worse} scenes became worse: the frames added do not conflict");
}

/// Two answers to one request are a fault, whoever gives them.
#[test]
fn two_macs_that_answer_one_request_are_never_good() {
    let macs = [mac(1), mac(2), mac(0x81), mac(0x82), VRRP, VRRP_8, GLBP_1, NLB];
    for a in macs {
        for b in macs.into_iter().filter(|b| *b != a) {
            let scene = scene(|s| s.round(1, &[a, b]));
            assert_eq!(scene.report().ok, Some(false), "{a} {b} {:#?}", scene.report());
        }
    }
}
