//! Scenes with routers that share addresses, with the flags of neighbour discovery, and with what a report names.

use std::net::{IpAddr, Ipv6Addr};

use arpflux_core::frame::{EtherType, Ndp, emit_header, solicited_node, solicited_node_mac};
use arpflux_core::types::Mac;

use super::scene::{SECOND, Scene, VRRP, ip, mac};
use crate::{Class, Report, Side};

const TO_VRRP: Mac = Mac::ethernet([1, 0, 0x5e, 0, 0, 18]);

impl Scene {
    fn ipv4(&mut self, (from, source): (Mac, u8), to: Mac, protocol: u8, payload: &[u8]) -> &mut Self {
        let mut frame = Vec::new();
        emit_header(&mut frame, to, from, EtherType::IPV4);
        frame.extend([0x45, 0, 0, 20 + payload.len() as u8, 0, 0, 0, 0, 255, protocol, 0, 0]);
        frame.extend(ip(source).octets());
        frame.extend([224, 0, 0, 18]);
        frame.extend(payload);
        self.push(frame)
    }

    /// A router with address `of` says that it is master of group 7, which has `10.0.0.1`.
    fn vrrp(&mut self, from: Mac, of: u8, priority: u8) -> &mut Self {
        let packet = [0x21, 7, priority, 1, 0, 1, 0, 0, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        self.ipv4((from, of), TO_VRRP, 112, &packet)
    }

    fn hsrp(&mut self, from: Mac, of: u8, operation: u8, state: u8) -> &mut Self {
        let mut datagram = vec![7, 193, 7, 193, 0, 28, 0, 0, 0, operation, state, 3, 10, 120, 5, 0];
        datagram.extend([0, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1]);
        self.ipv4((from, of), Mac::ethernet([1, 0, 0x5e, 0, 0, 2]), 17, &datagram)
    }

    /// `from` asks for an address of the link, and others answer.
    fn solicit(&mut self, client: Mac, answers: &[(Mac, bool, bool)]) -> &mut Self {
        let ask = Ndp::Solicitation { target: fe80(1), source_mac: Some(client) };
        let to = (solicited_node_mac(fe80(1)), solicited_node(fe80(1)));
        self.wait(3 * SECOND).push(ask.to_frame((client, fe80(9)), to));
        for (from, router, overrides) in answers {
            let message = Ndp::Advertisement {
                target: fe80(1),
                target_mac: Some(*from),
                router: *router,
                solicited: true,
                overrides: *overrides,
            };
            self.wait(1000).push(message.to_frame((*from, fe80(1)), (client, fe80(9))));
        }
        self
    }
}

fn fe80(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, last)
}

fn scene(build: impl FnOnce(&mut Scene) -> &mut Scene) -> Report {
    super::scene::scene(build).report()
}

fn class(report: &Report, address: impl Into<IpAddr>) -> Class {
    report.address(address).unwrap_or_else(|| panic!("{report:#?}")).class
}

fn ask(s: &mut Scene, of: Mac) -> &mut Scene {
    s.ask(mac(9), 9, 1).reply(of, 1, mac(9), 9)
}

#[test]
fn a_master_explains_what_moves() {
    let (a, b) = (mac(1), mac(2));
    // Without its packets, a silent move.
    let silent = |s: &mut Scene, told: bool| {
        for (router, of, priority) in [(a, 2, 200), (a, 2, 200), (b, 3, 100), (b, 3, 100)] {
            s.wait(5 * SECOND);
            if told {
                s.vrrp(router, of, priority);
            }
            ask(s, router);
        }
    };
    let build = |told| {
        scene(|s| {
            silent(s, told);
            s
        })
    };
    assert_eq!(class(&build(false), ip(1)), Class::Undetermined);
    let told = build(true);
    assert_eq!((class(&told, ip(1)), told.ok), (Class::Failover, Some(true)), "{told:#?}");
    let group = &told.groups[0];
    assert_eq!((group.protocol, group.group, group.changes), ("VRRP version 2", 7, 1));
    assert_eq!(group.addresses, [IpAddr::from(ip(1))]);
    assert_eq!(group.masters.iter().map(|one| one.mac).collect::<Vec<_>>(), [a, b]);
    assert_eq!(group.masters[1].priority, 100);

    // A third that was never master is no part of it.
    let stranger = scene(|s| {
        silent(s, true);
        s.wait(5 * SECOND);
        ask(s, mac(3))
    });
    assert_eq!(class(&stranger, ip(1)), Class::Undetermined);
    let both = scene(|s| {
        silent(s, true);
        s.wait(5 * SECOND).ask(mac(9), 9, 1).reply(b, 1, mac(9), 9).reply(mac(3), 1, mac(9), 9)
    });
    let address = both.address(ip(1)).unwrap();
    assert_eq!((address.class, &address.suspects[..]), (Class::Conflict, &[mac(3)][..]), "{address:#?}");
}

#[test]
fn two_masters_at_once_are_a_fault_that_arp_does_not_show() {
    let (a, b) = (mac(1), mac(2));
    let split = scene(|s| {
        ask(s, VRRP);
        for _ in 0..3 {
            s.wait(SECOND / 2).vrrp(a, 2, 200).wait(SECOND / 2).vrrp(b, 3, 100);
        }
        s
    });
    assert_eq!((class(&split, ip(1)), split.ok), (Class::Duplicate, Some(false)), "{split:#?}");
    assert!(split.groups[0].several_at_once);
    // Nobody asks for the address: the fault is there all the same.
    let unasked = scene(|s| {
        for _ in 0..3 {
            s.wait(SECOND / 2).vrrp(a, 2, 200).wait(SECOND / 2).vrrp(b, 3, 100);
        }
        s
    });
    assert_eq!(unasked.ok, Some(false));

    // A change of the master with one packet that crosses it, and back by a resignation.
    let change = scene(|s| {
        ask(s, VRRP);
        s.vrrp(b, 3, 100).wait(SECOND).vrrp(b, 3, 100).wait(SECOND / 2).vrrp(a, 2, 200).wait(SECOND / 2);
        s.vrrp(b, 3, 100).wait(SECOND / 2).vrrp(a, 2, 200).wait(SECOND).vrrp(a, 2, 200).vrrp(a, 2, 0);
        s.wait(SECOND).vrrp(b, 3, 100).wait(SECOND).vrrp(b, 3, 100)
    });
    assert_eq!((class(&change, ip(1)), change.ok), (Class::Virtual, Some(true)), "{change:#?}");

    let hsrp = scene(|s| {
        ask(s, Mac::ethernet([0, 0, 0x0c, 7, 0xac, 5]));
        for _ in 0..3 {
            s.wait(SECOND).hsrp(a, 2, 0, 16).wait(SECOND).hsrp(b, 3, 0, 16).wait(SECOND);
        }
        s
    });
    assert_eq!(class(&hsrp, ip(1)), Class::Duplicate, "{hsrp:#?}");
    let standby = scene(|s| {
        ask(s, Mac::ethernet([0, 0, 0x0c, 7, 0xac, 5]));
        for _ in 0..3 {
            s.wait(SECOND).hsrp(a, 2, 0, 16).wait(SECOND).hsrp(b, 3, 0, 8).wait(SECOND);
        }
        s
    });
    assert_eq!(class(&standby, ip(1)), Class::Virtual, "{standby:#?}");
    assert_eq!(standby.groups[0].masters.len(), 1);
}

#[test]
fn flags_of_neighbour_discovery() {
    let (host, other, client) = (mac(1), mac(2), mac(9));
    let with = |answers: &[(Mac, bool, bool)]| scene(|s| s.solicit(client, answers));
    assert_eq!(class(&with(&[(host, false, true)]), fe80(1)), Class::Single);
    assert_eq!(class(&with(&[(host, false, false)]), fe80(1)), Class::Proxy);
    // An answer to one alone never overrides, whoever gives it.
    let confirmed = scene(|s| {
        s.solicit(client, &[(host, false, true)]).wait(30 * SECOND);
        let ask = Ndp::Solicitation { target: fe80(1), source_mac: Some(client) };
        s.push(ask.to_frame((client, fe80(9)), (host, fe80(1))));
        let answer = Ndp::Advertisement {
            target: fe80(1),
            target_mac: Some(host),
            router: false,
            solicited: true,
            overrides: false,
        };
        s.push(answer.to_frame((host, fe80(1)), (client, fe80(9))))
    });
    assert_eq!(class(&confirmed, fe80(1)), Class::Single, "{confirmed:#?}");

    let proxied = with(&[(host, false, true), (other, true, false)]);
    let address = proxied.address(fe80(1)).unwrap();
    assert_eq!((address.class, &address.also[..]), (Class::Conflict, &[Class::Proxy][..]));
    assert!(address.because.iter().any(|text| text.contains("router")), "{address:#?}");
    assert_eq!(class(&with(&[(host, false, false), (other, false, false)]), fe80(1)), Class::Undetermined);
    assert_eq!(class(&with(&[(host, false, true), (other, false, true)]), fe80(1)), Class::Conflict);
}

#[test]
fn who_denies_every_address_is_named() {
    let denied = |times: u16| {
        scene(|s| {
            for last in 1..=times {
                let target = fe80(0x100 + last);
                let ask = Ndp::Solicitation { target, source_mac: None };
                let to = (solicited_node_mac(target), solicited_node(target));
                s.wait(3 * SECOND).push(ask.to_frame((mac(10 + last as u8), Ipv6Addr::UNSPECIFIED), to));
                let answer = Ndp::Advertisement {
                    target,
                    target_mac: Some(mac(2)),
                    router: false,
                    solicited: false,
                    overrides: true,
                };
                let all = (Mac::ethernet([0x33, 0x33, 0, 0, 0, 1]), "ff02::1".parse().unwrap());
                s.wait(1000).push(answer.to_frame((mac(2), target), all));
            }
            s
        })
    };
    assert_eq!(denied(1).ok, Some(true));
    let report = denied(4);
    let address = report.address(fe80(0x101)).unwrap();
    assert_eq!((address.class, &address.suspects[..]), (Class::Undetermined, &[mac(2)][..]), "{address:#?}");
}

#[test]
fn packets_that_take_another_way_since_they_were_told_to() {
    let (gateway, liar, victim) = (mac(1), mac(2), mac(9));
    let outside = |s: &mut Scene, by: Mac| {
        s.wait(SECOND).packet((victim, 9), (by, 200), 64);
    };
    // The gateway itself says nothing by ARP.
    let poisoned = |told: bool| {
        scene(|s| {
            outside(s, gateway);
            outside(s, gateway);
            if told {
                s.wait(SECOND).reply(liar, 1, victim, 9);
            } else {
                s.wait(SECOND).ask(victim, 9, 1).reply(liar, 1, victim, 9);
            }
            outside(s, liar);
            outside(s, liar);
            s
        })
    };
    let report = poisoned(true);
    let address = report.address(ip(1)).unwrap();
    assert_eq!((address.class, report.ok), (Class::Spoof, Some(false)), "{address:#?}");
    assert_eq!((&address.suspects[..], &address.victims[..]), (&[liar][..], &[victim][..]));
    // Asked for, it is a router like another.
    assert_eq!(class(&poisoned(false), ip(1)), Class::Single);
    // A gateway that refreshes what its clients know diverts nothing.
    let refreshed = scene(|s| {
        outside(s, gateway);
        s.ask_one(gateway, 1, 9, victim).reply(victim, 9, gateway, 1);
        outside(s, gateway);
        s
    });
    assert_eq!(refreshed.ok, Some(true), "{refreshed:#?}");
    // Nor does one that asks its client alone whether it is there still, when a route leads to it from then on.
    let rerouted = scene(|s| {
        outside(s, gateway);
        s.ask_one(mac(3), 3, 9, victim).reply(victim, 9, mac(3), 3);
        outside(s, mac(3));
        s
    });
    assert_eq!(rerouted.ok, Some(true), "{rerouted:#?}");
    // A packet that a router passes on is seen twice, and goes nowhere else for it.
    let passed_on = scene(|s| {
        s.wait(SECOND).packet((victim, 9), (gateway, 2), 64).reply(mac(2), 2, gateway, 1);
        s.packet((gateway, 9), (mac(2), 2), 63)
    });
    assert_eq!(class(&passed_on, ip(2)), Class::Single, "{passed_on:#?}");
    // What comes back to the gateway once it is over is nobody's lie.
    let over = scene(|s| {
        s.ask(gateway, 1, 8);
        for _ in 0..4 {
            s.wait(SECOND).reply(liar, 1, victim, 9);
        }
        outside(s, liar);
        s.ask_one(gateway, 1, 9, victim).reply(victim, 9, gateway, 1);
        outside(s, gateway);
        s
    });
    let address = over.address(ip(1)).unwrap();
    assert_eq!((address.class, &address.suspects[..]), (Class::Spoof, &[liar][..]), "{address:#?}");
}

/// Its requests are not in the capture, but answers name who asked.
#[test]
fn who_asks_in_others_names_is_the_culprit_and_not_those_who_answer() {
    let (one, two, liar) = (mac(1), mac(2), mac(3));
    let report = scene(|s| {
        s.ask(one, 1, 8);
        for _ in 0..6 {
            s.wait(SECOND).reply(two, 2, liar, 1).reply(one, 1, liar, 2);
        }
        for _ in 0..3 {
            s.packet((one, 1), (liar, 2), 64).packet((liar, 1), (two, 2), 63);
        }
        s
    });
    for address in [1, 2] {
        let address = report.address(ip(address)).unwrap();
        assert_eq!((address.class, &address.suspects[..]), (Class::Spoof, &[liar][..]), "{address:#?}");
    }
}

#[test]
fn the_report_names_the_culprit_the_victims_and_the_next_step() {
    let (gateway, liar) = (mac(1), Mac::ethernet([0x52, 0x54, 0, 1, 2, 3]));
    let report = scene(|s| {
        ask(s, gateway).ask(liar, 5, 9);
        for _ in 0..4 {
            s.wait(2 * SECOND).reply(liar, 1, mac(9), 9).reply(liar, 1, mac(8), 8);
        }
        s
    });
    let address = report.address(ip(1)).unwrap();
    assert_eq!((address.class, &address.suspects[..]), (Class::Spoof, &[liar][..]));
    assert_eq!(address.victims, [mac(8), mac(9)]);
    assert!(address.next.iter().any(|step| step.contains(&liar.to_string())), "{address:#?}");
    let known = report.macs.iter().find(|known| known.mac == liar).unwrap();
    assert_eq!((known.vendor, &known.addresses[..]), (Some("KVM guest"), &[ip(1).into(), ip(5).into()][..]));
    assert_eq!(known.side, None, "all frames of a scene have the length that a wire needs");
    assert!(report.address(ip(9)).unwrap().next.is_empty(), "nothing to do about what is good");

    let mut scene = Scene::default();
    ask(&mut scene, gateway);
    scene.frames[0].1.truncate(42);
    let sides: Vec<_> = scene.report().macs.iter().map(|known| (known.mac, known.side)).collect();
    assert_eq!(sides, [(gateway, Some(Side::Wire)), (mac(9), Some(Side::Host))]);
}
