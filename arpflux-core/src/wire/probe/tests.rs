use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::*;
use crate::frame::{ALL_NODES, Arp, Ethernet, Ipv4Arp, Ndp};
use crate::types::IfIndex;
use crate::wire::Port;

const US: Mac = Mac::ethernet([2, 0, 0, 0, 0, 1]);
const SENDER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn port() -> Port {
    Port {
        index: IfIndex(2),
        name: "eth0".parse().unwrap(),
        mac: US,
        addresses: vec!["10.0.0.1/24".parse().unwrap()],
        ipv6: vec!["fe80::1/64".parse().unwrap()],
        link_local: "fe80::1".parse().ok(),
    }
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn mac(last: u8) -> Mac {
    Mac::ethernet([2, 0, 0, 0, 1, last])
}

fn host(last: u8) -> IpAddr {
    v4(last).into()
}

fn v4(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

/// Runs a prober against hosts given as (MAC, address, holds it, delay), in simulated time.
fn simulate(options: Options, asked: &[IpAddr], hosts: &[(Mac, IpAddr, bool, u64)]) -> (Vec<Probed>, u64) {
    let mut prober = Prober::new(options, &port(), asked);
    let mut now = Duration::ZERO;
    let mut coming: Vec<(Duration, Vec<u8>)> = Vec::new();
    let mut sent = 0;
    loop {
        coming.sort();
        while coming.first().is_some_and(|(at, _)| *at <= now) {
            let (_, frame) = coming.remove(0);
            prober.receive(now, &frame);
        }
        match prober.transmit(now) {
            Transmit::Frame(frame) => {
                sent += 1;
                let ethernet = Ethernet::parse(frame).unwrap();
                let ask = Arp::parse(ethernet.payload).unwrap().ipv4().unwrap();
                for (mac, address, holds, delay) in hosts {
                    let reached = ethernet.is_broadcast() || Some(ethernet.destination) == mac.octets();
                    if *address == IpAddr::V4(ask.target) && reached && (*holds || !ask.is_probe()) {
                        coming.push((now + ms(*delay), Ipv4Arp::reply_to(&ask, *mac).to_frame(US)));
                    }
                }
            }
            Transmit::Wait(until) => {
                now = coming.iter().map(|(at, _)| *at).chain([until]).min().unwrap().max(now);
            }
            Transmit::Done => return (prober.results(), sent),
        }
        assert!(now < Duration::from_secs(60));
    }
}

#[test]
fn late_proxies_are_waited_for_and_told_from_holders() {
    let hosts = [(mac(1), host(9), true, 0), (mac(2), host(9), false, 799)];
    let (probed, _) = simulate(Options::default(), &[host(9)], &hosts);
    let replies: Vec<_> = probed[0].replies.iter().map(|r| (r.mac, r.after, r.proxied)).collect();
    assert_eq!(replies, [(mac(1), ms(0), Some(false)), (mac(2), ms(799), Some(true))]);
    assert_eq!(judge(&probed), [Judgement::Proxied]);
}

#[test]
fn silent_addresses_are_asked_again_and_others_are_not() {
    let hosts = [(mac(1), host(9), true, 1)];
    let options = Options { tries: 3, ..Options::default() };
    let (probed, sent) = simulate(options, &[host(8), host(9)], &hosts);
    assert_eq!((probed[0].requests, probed[1].requests), (3, 1));
    assert_eq!(sent, 4 + 1, "four requests and one probe");
    assert_eq!(judge(&probed), [Judgement::Silent, Judgement::One]);
}

#[test]
fn one_host_shows_by_the_macs_of_its_other_addresses() {
    let hosts: Vec<_> =
        (1..=2).flat_map(|m| [(mac(m), host(1), true, 0), (mac(m), host(2), true, 0)]).collect();
    let (probed, _) = simulate(Options::default(), &[host(1), host(2)], &hosts);
    assert_eq!(judge(&probed), [Judgement::Flux, Judgement::Flux]);
    assert_eq!(judge(&probed[..1]), [Judgement::Several]);
}

#[test]
fn the_rate_is_kept() {
    let asked: Vec<_> = (0..200).map(host).collect();
    let mut prober = Prober::new(Options { rate: 1000, ..Options::default() }, &port(), &asked);
    let mut sent = 0;
    for step in 0..100 {
        while let Transmit::Frame(_) = prober.transmit(ms(step)) {
            sent += 1;
        }
        assert!(sent <= step + 1 + 2, "{sent} frames in {step} ms");
    }
    assert!(sent >= 100);
}

#[test]
fn foreign_frames_do_not_count() {
    let mut prober = Prober::new(Options::default(), &port(), &[host(9)]);
    assert!(matches!(prober.transmit(ms(0)), Transmit::Frame(_)));
    let ask = Ipv4Arp::request(US, SENDER, v4(9));
    let to_another = Ipv4Arp { target_mac: mac(7), ..Ipv4Arp::reply_to(&ask, mac(1)) };
    let about_another = Ipv4Arp { sender: v4(8), ..Ipv4Arp::reply_to(&ask, mac(1)) };
    let request = Ipv4Arp { operation: crate::frame::Operation::Request, ..Ipv4Arp::reply_to(&ask, mac(1)) };
    for arp in [to_another, about_another, request] {
        assert_eq!(prober.receive(ms(1), &arp.to_frame(US)), None);
    }
    assert_eq!(prober.receive(ms(1), &[0; 7]), None);
    assert!(prober.results()[0].replies.is_empty());
}

#[test]
fn an_advertisement_says_who_holds_an_ipv6_address_and_only_to_who_asked() {
    let target: Ipv6Addr = "2001:db8::9".parse().unwrap();
    let mut prober = Prober::new(Options::default(), &port(), &[target.into(), host(9)]);
    let asked = Ndp::solicit(US, Ipv6Addr::from_bits(0xfe80 << 112 | 1), target);
    assert_eq!(prober.transmit(ms(0)), Transmit::Frame(&asked));
    assert!(matches!(prober.transmit(ms(1)), Transmit::Frame(_)), "the other family in the same run");
    let answer = |last, overrides, to: (Mac, Ipv6Addr)| {
        let target_mac = Some(mac(last));
        Ndp::Advertisement { target, target_mac, router: false, solicited: true, overrides }
            .to_frame((mac(last), target), to)
    };
    let us = (US, "fe80::1".parse().unwrap());
    assert_eq!(prober.receive(ms(2), &answer(7, true, ALL_NODES)), None, "to all: not to who asked");
    for (last, overrides) in [(1, true), (2, false)] {
        assert_eq!(prober.receive(ms(2), &answer(last, overrides, us)), Some((target.into(), mac(last))));
    }
    let found = &prober.results()[0];
    assert_eq!(
        found.replies.iter().map(|reply| reply.proxied).collect::<Vec<_>>(),
        [Some(false), Some(true)]
    );
    assert_eq!(judge(&prober.results())[0], Judgement::Proxied);
}

#[test]
fn addresses_prefixes_and_ranges() {
    let list = targets(&["10.0.0.1", "10.0.0.0/30", "10.0.0.2-10.0.0.5"]).unwrap();
    assert_eq!(list, [1, 0, 2, 3, 4, 5].map(host));
    assert_eq!(targets(&["10.0.0.0/16"]).unwrap().len(), 65_536);
    let list = targets(&["2001:db8::1", "2001:db8::/127", "fe80::ffff-fe80::1:0"]).unwrap();
    let wanted: Vec<IpAddr> =
        ["2001:db8::1", "2001:db8::", "fe80::ffff", "fe80::1:0"].map(|text| text.parse().unwrap()).into();
    assert_eq!(list, wanted);
    for bad in ["", "10.0.0", "10.0.0.5-10.0.0.2", "10.0.0.1-fe80::1", "::/0", "0.0.0.0/0", "10.0.0.0/33"] {
        assert!(targets(&[bad]).is_err(), "{bad}");
    }
}
