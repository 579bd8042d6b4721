//! Duplicate detection among real hosts.
#![allow(missing_docs, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, Instant};

use arpflux_core::frame::{Ipv4Arp, Ndp};
use arpflux_core::types::Mac;
use arpflux_core::wire::announce::{self, announce_until};
use arpflux_core::wire::detect::{self, Claim, Conflict, Detected, Options};
use arpflux_core::wire::{Filter, Port};
use arpflux_core::{ErrorKind, Stop};
use arpflux_lab::{Host, Lab, NewRoute};

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

const HELD: &str = "192.168.18.60";
const PROXIED: &str = "192.168.18.61";

/// A node with three interfaces on one wire, and another host that holds one address and proxies another.
fn hosts() -> (Lab, Host, Host) {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let hn = lab.host("hn").unwrap();
    for (i, name) in ["eth0", "eth3", "eth4"].iter().enumerate() {
        hn.plug(&lan, name, Mac::NONE).unwrap();
        hn.address(name, &format!("192.168.18.{}/24", 10 + i)).unwrap();
    }
    let other = lab.host("other").unwrap();
    other.plug(&lan, "eth0", "02:00:00:00:00:99".parse().unwrap()).unwrap();
    other.address("eth0", &format!("{HELD}/24")).unwrap();
    other.sysctl("net.ipv4.ip_forward", 1).unwrap();
    other.plug(&lab.switch("behind").unwrap(), "eth1", Mac::NONE).unwrap();
    other.route(&NewRoute::to(PROXIED).unwrap().device("eth1").unwrap()).unwrap();
    other.proxy("eth0", IpAddr::V4(ip(PROXIED))).unwrap();
    (lab, hn, other)
}

fn detect(host: &Host, addresses: &[&str]) -> Vec<Detected> {
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    host.run(|| detect::run_on(&detect::places(None, &addresses)?, Options::default(), &Stop::default()))
        .unwrap()
        .unwrap()
}

/// Each interface sees that `thief` is about to take the address, as `probe` is sent again and again.
fn seen_probing(hn: &Host, address: &str, thief: Mac, probe: impl Fn()) {
    let found = std::thread::scope(|scope| {
        let asking = scope.spawn(|| detect(hn, &[address]));
        for _ in 0..8 {
            probe();
            std::thread::sleep(Duration::from_millis(100));
        }
        asking.join().unwrap()
    });
    assert_eq!(found.len(), 3);
    for one in found {
        assert_eq!(one.conflicts, [Conflict { mac: thief, claim: Claim::Probing }], "{}", one.interface);
    }
}

#[test]
fn holders_and_proxies_are_found_on_every_interface_and_own_ones_are_not_blamed() {
    let (_lab, hn, other) = hosts();
    let thief = other.mac("eth0").unwrap();
    let start = Instant::now();
    let found = detect(&hn, &["192.168.18.50", "192.168.18.11", HELD, PROXIED]);
    assert!(start.elapsed() < Duration::from_millis(2500), "{:?}", start.elapsed());
    assert_eq!(found.len(), 12);
    for one in &found {
        let IpAddr::V4(address) = one.address else { panic!("{one:?}") };
        let conflicts: &[Conflict] = match address.octets()[3] {
            60 => &[Conflict { mac: thief, claim: Claim::Holds }],
            61 => &[Conflict { mac: thief, claim: Claim::Proxies }],
            _ => &[],
        };
        assert_eq!(one.conflicts, conflicts, "{one:?}");
        // The only address of eth3 cannot ask for itself.
        let alone = (address, one.interface.to_string()) == (ip("192.168.18.11"), "eth3".to_string());
        assert_eq!(one.proxies_seen, !alone, "{one:?}");
        // The node's other interfaces do answer for its address.
        assert_eq!(one.own.is_empty(), address != ip("192.168.18.11"), "{one:?}");
    }
    // Nobody learned the addresses from the questions.
    for address in ["192.168.18.50", PROXIED] {
        assert_eq!(other.neighbour(ip(address).into()).unwrap(), None);
    }
}

#[test]
fn the_virtual_router_that_this_host_is_a_backup_of_is_another() {
    const VIRTUAL: &str = "192.168.18.66";
    let (_lab, hn, other) = hosts();
    let mac: Mac = "00:00:5e:00:01:01".parse().unwrap();
    for host in [&other, &hn] {
        host.macvlan("eth0", "vrrp1", 4, mac).unwrap();
        host.address("vrrp1", &format!("{VIRTUAL}/24")).unwrap();
    }
    hn.down("vrrp1").unwrap();
    let masters = Conflict { mac, claim: Claim::Holds };
    for one in detect(&hn, &[VIRTUAL]) {
        assert!(one.conflicts.contains(&masters) && !one.own.contains(&mac), "{one:?}");
    }
    // Once it is the master itself, the same MAC is its own.
    hn.up("vrrp1").unwrap();
    for one in detect(&hn, &[VIRTUAL]) {
        assert!(!one.conflicts.contains(&masters), "{one:?}");
    }
}

fn with_ipv6() -> (Lab, Host, Host) {
    let (lab, hn, other) = hosts();
    for host in [&hn, &other] {
        host.ipv6().unwrap();
    }
    (lab, hn, other)
}

const HELD6: &str = "2001:db8:18::60";
const PROXIED6: &str = "2001:db8:18::61";

/// The same hosts with IPv6 addresses: one question finds holders and proxies.
#[test]
fn ipv6_holders_and_proxies_are_found_and_own_answers_are_not_blamed() {
    let (_lab, hn, other) = with_ipv6();
    let thief = other.mac("eth0").unwrap();
    hn.address("eth3", "2001:db8:18::11/64").unwrap();
    for name in ["eth0", "eth4"] {
        hn.address(name, &format!("fe80::{}/64", if name == "eth0" { 1 } else { 4 })).unwrap();
    }
    // Published by this host itself, on one of its interfaces.
    hn.sysctl("net.ipv6.conf.all.forwarding", 1).unwrap();
    hn.sysctl("net.ipv6.conf.eth4.proxy_ndp", 1).unwrap();
    hn.proxy("eth4", "2001:db8:18::101".parse().unwrap()).unwrap();
    other.address("eth0", &format!("{HELD6}/64")).unwrap();
    other.sysctl("net.ipv6.conf.all.forwarding", 1).unwrap();
    other.sysctl("net.ipv6.conf.eth0.proxy_ndp", 1).unwrap();
    other.proxy("eth0", PROXIED6.parse().unwrap()).unwrap();
    let found =
        detect(&hn, &["2001:db8:18::50", "2001:db8:18::11", "2001:db8:18::101", HELD6, PROXIED6, HELD]);
    assert_eq!(found.len(), 6 * 3, "each on each interface");
    for one in &found {
        let conflicts: &[Conflict] = match one.address.to_string().as_str() {
            HELD6 | HELD => &[Conflict { mac: thief, claim: Claim::Holds }],
            PROXIED6 => &[Conflict { mac: thief, claim: Claim::Proxies }],
            _ => &[],
        };
        assert_eq!(one.conflicts, conflicts, "{one:?}");
        assert!(one.proxies_seen, "{one:?}");
        let answering = match one.address.to_string().as_str() {
            "2001:db8:18::11" => Some("eth3"),
            "2001:db8:18::101" => Some("eth4"),
            _ => None,
        };
        let own: Vec<Mac> = answering
            .filter(|name| *name != one.interface.to_string())
            .map(|name| hn.mac(name).unwrap())
            .into_iter()
            .collect();
        assert_eq!(one.own, own, "{one:?}");
    }
}

/// A kernel that begins to use an address asks for it first.
#[test]
fn who_is_about_to_take_an_ipv6_address_is_seen() {
    let (_lab, hn, other) = with_ipv6();
    let thief = other.mac("eth0").unwrap();
    for (i, name) in ["eth0", "eth3", "eth4"].into_iter().enumerate() {
        hn.address(name, &format!("fe80::{}/64", i + 1)).unwrap();
    }
    let probe = Ndp::solicit(thief, Ipv6Addr::UNSPECIFIED, HELD6.parse().unwrap());
    let socket = other.packet_socket("eth0", Filter::Ndp).unwrap();
    seen_probing(&hn, HELD6, thief, || socket.send(&probe).unwrap());
}

/// What RFC 5227 alone sees, and that it is said.
#[test]
fn without_an_address_of_its_own_proxies_do_not_show() {
    let (_lab, hn, _other) = hosts();
    hn.delete_address("eth3", "192.168.18.11/24").unwrap();
    let found = hn
        .run(|| {
            detect::run(
                &[Port::named(&"eth3".parse()?)?],
                &[ip(HELD).into(), ip(PROXIED).into()],
                Options::default(),
            )
        })
        .unwrap()
        .unwrap();
    assert_eq!(found.iter().map(|one| one.conflicts.len()).collect::<Vec<_>>(), [1, 0]);
    assert!(found.iter().all(|one| !one.proxies_seen));
}

#[test]
fn somebody_who_is_about_to_take_it_is_seen() {
    let (_lab, hn, other) = hosts();
    let socket = other.packet_socket("eth0", Filter::Arp).unwrap();
    let thief = other.mac("eth0").unwrap();
    let probe = Ipv4Arp::probe(thief, ip("192.168.18.50")).to_frame(Mac::BROADCAST);
    seen_probing(&hn, "192.168.18.50", thief, || socket.send(&probe).unwrap());
}

#[test]
fn waiting_for_answers_and_between_announcements_can_be_ended() {
    let (_lab, hn, _other) = hosts();
    let minute = Duration::from_secs(60);
    let started = Instant::now();
    let raised = || {
        let stop = Stop::default();
        let later = stop.clone();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            later.raise();
        });
        stop
    };
    let stop = raised();
    let options = Options::default().wait(minute);
    let error =
        hn.run(|| detect::run_until(&Port::all()?, &[ip("192.168.18.50").into()], options, &stop)).unwrap();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Interrupted);
    let stop = raised();
    let options = announce::Options::default().spacing(minute);
    let error = hn
        .run(|| {
            let port = Port::named(&"eth3".parse()?)?;
            announce_until(&[(port, vec![ip("192.168.18.11").into()])], &options, &stop)
        })
        .unwrap();
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Interrupted);
    assert!(started.elapsed() < minute / 2);
}
