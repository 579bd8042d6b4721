//! Scenes, frame by frame: what happens on real wires, with what must be said of it. Harmless ones, what cannot be told, and
//! flux.

use super::scene::{GLBP_1, GLBP_2, MS, NLB, SECOND, Scene, VRRP, VRRP_8, expect, mac, scene};
use crate::evidence::EvidenceKind;
use crate::{Certainty, Class};
use arpflux_core::types::Mac;

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
            "the NAT of VirtualBox",
            Class::Single,
            scene(|s| {
                let [from, named] = [0, 2].map(|low| Mac::ethernet([0x52, 0x54, 0, 0x12, 0x35, low]));
                s.ask(mac(9), 9, 1).reply_as(from, named, 1, mac(9), 9)
            }),
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
        ("a bond, balance-alb, whose MACs are of two makers", {
            let mut s = Scene::default();
            for _ in 0..3 {
                s.wait(3 * SECOND).ask(mac(9), 9, 1).reply(a, 1, mac(9), 9);
                s.wait(3 * SECOND).ask(mac(8), 8, 1).reply(b, 1, mac(8), 8);
            }
            s
        }),
        ("one that tells several hosts unasked, and nobody else has it", {
            let mut s = Scene::default();
            s.ask(mac(7), 7, 2);
            for _ in 0..2 {
                s.wait(SECOND).reply(a, 1, mac(9), 9).reply(a, 1, mac(8), 8);
            }
            s
        }),
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

/// A guest bridged to Wi-Fi, seen on both sides of the bridge: a fault for all that ARP shows, and what else it may be.
#[test]
fn a_bridge_that_puts_its_own_mac_in_place_is_told_of() {
    let (guest, bridge) = (mac(1), mac(2));
    let copied = |times: usize| {
        let mut s = Scene::default();
        for _ in 0..times {
            s.wait(3 * SECOND).ask(guest, 1, 7).wait(10).ask(bridge, 1, 7);
            s.wait(3 * SECOND).ask(mac(9), 9, 1).wait(100).reply(guest, 1, mac(9), 9);
            s.wait(10).reply(bridge, 1, mac(9), 9);
        }
        s
    };
    let pieces = |scene: &Scene| {
        let report = scene.report();
        let found = report.addresses.iter().find(|one| one.address.to_string() == "10.0.0.1").unwrap();
        assert_eq!(found.class.rank(), 2, "{found:#?}");
        found.evidence.iter().filter(|piece| piece.kind == EvidenceKind::Copied).cloned().collect::<Vec<_>>()
    };
    let told = pieces(&copied(3));
    assert_eq!(told.iter().map(|piece| (piece.count, piece.against)).collect::<Vec<_>>(), [(3, true)]);
    // Once may be chance; and who asks later asks for himself.
    assert!(pieces(&copied(1)).is_empty());
    let later = scene(|s| {
        s.round(1, &[guest, bridge]).ask(guest, 1, 7).wait(2 * MS).ask(bridge, 1, 7);
        s.wait(SECOND).ask(guest, 1, 7).wait(2 * MS).ask(bridge, 1, 7)
    });
    assert!(pieces(&later).is_empty());
}
