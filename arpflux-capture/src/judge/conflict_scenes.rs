//! Scenes of duplicates and spoofing, of neighbour discovery, and what must hold of all.

use arpflux_core::frame::{Ndp, solicited_node_mac};
use arpflux_core::types::Mac;

use super::scene::{GLBP_1, GLBP_2, MS, NLB, SECOND, Scene, VRRP, VRRP_8, expect, ip, mac, scene};
use crate::{Certainty, Class};

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
    let macs = [mac(1), mac(2), mac(0x81), mac(0x82), VRRP, VRRP_8, GLBP_1, GLBP_2, NLB];
    for a in macs {
        for b in macs.into_iter().filter(|b| *b != a) {
            let scene = scene(|s| s.round(1, &[a, b]));
            assert_eq!(scene.report().ok, Some(false), "{a} {b} {:#?}", scene.report());
        }
    }
}
