//! Asking and announcing on real wires.
#![allow(missing_docs, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use arpflux_core::ErrorKind;
use arpflux_core::frame::{Ethernet, Ipv6, Ndp, Printed};
use arpflux_core::predict::Advertised;
use arpflux_core::types::Mac;
use arpflux_core::wire::announce::{self, announce};
use arpflux_core::wire::probe::{self, Judgement, Probed, Progress, judge};
use arpflux_core::wire::{Filter, Port};
use arpflux_lab::page::{self, NICS};
use arpflux_lab::{Host, Lab, Recorder, Venet, write_pcap};

const MACS: [&str; 3] = [NICS[0].mac, NICS[1].mac, NICS[2].mac];

fn ip(text: &str) -> Ipv4Addr {
    text.parse().unwrap()
}

/// The page's node, its client, and a container behind venet0.
fn scenario() -> (Lab, Host, Host, Venet) {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let hn = page::node(&lab, &lan, "hn").unwrap();
    hn.sysctl("net.ipv4.ip_forward", 1).unwrap();
    let venet = lab.venet(&hn, "venet0").unwrap();
    let client = page::client(&lab, &lan).unwrap();
    (lab, hn, client, venet)
}

fn ask(client: &Host, targets: &[&str], options: probe::Options) -> Vec<Probed> {
    let targets = probe::targets(targets).unwrap();
    client
        .run(|| {
            let port = Port::towards(targets[0])?;
            probe::run(&port, &targets, options, |_| ControlFlow::Continue(()))
        })
        .unwrap()
        .unwrap()
}

fn macs(probed: &Probed) -> Vec<String> {
    let mut macs: Vec<_> = probed.replies.iter().map(|reply| reply.mac.to_string()).collect();
    macs.sort();
    macs
}

fn sorted(macs: &[&str]) -> Vec<String> {
    let mut macs: Vec<_> = macs.iter().map(ToString::to_string).collect();
    macs.sort();
    macs
}

#[test]
fn example_one_three_macs_hold_each_address_of_the_node() {
    let (_lab, _hn, client, _venet) = scenario();
    let probed = ask(&client, &["192.168.18.10-192.168.18.13", "192.168.18.129"], probe::Options::default());
    for one in &probed[..3] {
        assert_eq!(macs(one), sorted(&MACS), "{}", one.target);
        assert!(one.replies.iter().all(|reply| reply.proxied == Some(false)), "{one:?}");
        assert_eq!(one.requests, 1);
    }
    assert_eq!(macs(&probed[3]), [""; 0]);
    assert_eq!(
        judge(&probed),
        [Judgement::Flux, Judgement::Flux, Judgement::Flux, Judgement::Silent, Judgement::Silent]
    );
}

#[test]
fn example_three_late_proxies_on_every_interface_are_waited_for() {
    let (_lab, hn, client, venet) = scenario();
    let _ct101 = venet.container("101", ip("192.168.18.101")).unwrap();
    for name in ["eth0", "eth3", "eth4"] {
        hn.proxy(name, IpAddr::V4(ip("192.168.18.101"))).unwrap();
    }
    let start = Instant::now();
    let probed = ask(&client, &["192.168.18.101"], probe::Options::default());
    assert!(start.elapsed() >= Duration::from_millis(800));
    assert_eq!(macs(&probed[0]), sorted(&MACS));
    assert!(probed[0].replies.iter().all(|reply| reply.proxied == Some(true)), "{probed:?}");
    assert!(probed[0].replies[0].after > Duration::from_millis(1), "delays are random, but never nothing");

    // Nobody sees a proxied address who asks as a duplicate address probe does.
    client.delete_address("eth0", "192.168.18.129/24").unwrap();
    let probed = client
        .run(|| {
            let port = Port::named(&"eth0".parse()?)?;
            probe::run(&port, &[ip("192.168.18.101").into()], probe::Options::default().tries(1), |_| {
                ControlFlow::Continue(())
            })
        })
        .unwrap()
        .unwrap();
    assert_eq!(macs(&probed[0]), [""; 0]);
}

/// IPv6: own addresses by their interface alone, a proxied one late and without the override flag; both families in
/// one run; from who has no address of the family too.
#[test]
fn ipv6_addresses_are_asked_for_with_solicitations() {
    let (_lab, hn, client, venet) = scenario();
    let (own, proxied) = ("2001:db8:18::11", "2001:db8:18::101");
    for host in [&hn, &client] {
        host.ipv6().unwrap();
    }
    hn.address("eth3", &format!("{own}/64")).unwrap();
    client.address("eth0", "2001:db8:18::129/64").unwrap();
    hn.sysctl("net.ipv6.conf.all.forwarding", 1).unwrap();
    let _ct101 = venet.container("101", ip("192.168.18.101")).unwrap();
    for name in ["eth3", "eth4"] {
        hn.sysctl(&format!("net.ipv6.conf.{name}.proxy_ndp"), 1).unwrap();
        hn.proxy(name, proxied.parse().unwrap()).unwrap();
    }
    let asked = [own, proxied, "2001:db8:18::50", "192.168.18.11"];
    let probed = ask(&client, &asked, probe::Options::default());
    let found: Vec<_> = probed.iter().map(macs).collect();
    assert_eq!(found, [sorted(&MACS[1..2]), sorted(&MACS[1..]), vec![], sorted(&MACS)], "{probed:?}");
    let own = probed[0].replies[0];
    let flags = Advertised { router: true, solicited: true, overrides: true };
    assert_eq!((own.proxied, own.advertised), (Some(false), Some(flags)));
    for reply in &probed[1].replies {
        let flags = Advertised { router: false, solicited: true, overrides: false };
        assert_eq!((reply.proxied, reply.advertised), (Some(true), Some(flags)), "{probed:?}");
    }
    assert!(probed[3].replies.iter().all(|reply| (reply.proxied, reply.advertised) == (Some(false), None)));

    // As a duplicate address probe, which both answer, to all.
    client.sysctl("net.ipv6.conf.eth0.disable_ipv6", 1).unwrap();
    let probed = client
        .run(|| {
            let port = Port::named(&"eth0".parse()?)?;
            let targets = probe::targets(&asked[..2])?;
            probe::run(&port, &targets, probe::Options::default(), |_| ControlFlow::Continue(()))
        })
        .unwrap()
        .unwrap();
    assert_eq!(probed.iter().map(macs).collect::<Vec<_>>(), [sorted(&MACS[1..2]), sorted(&MACS[1..])]);
    assert!(probed[1].replies.iter().all(|reply| reply.proxied == Some(true)), "{probed:?}");
}

#[test]
fn a_container_address_that_another_host_holds_too_is_told() {
    let (lab, hn, client, venet) = scenario();
    let _ct101 = venet.container("101", ip("192.168.18.101")).unwrap();
    hn.proxy("eth3", IpAddr::V4(ip("192.168.18.101"))).unwrap();
    let wire = lab.host("thief").unwrap();
    // The thief sits on the client's wire: a cable to a bridge of the client.
    client.connect("cable", &wire, "eth0").unwrap();
    client.delete_address("eth0", "192.168.18.129/24").unwrap();
    client.bridge("br0", &["cable", "eth0"]).unwrap();
    client.address("br0", "192.168.18.129/24").unwrap();
    client.settle("eth0").unwrap();
    wire.address("eth0", "192.168.18.101/24").unwrap();
    let probed = ask(&client, &["192.168.18.101"], probe::Options::default());
    assert_eq!(macs(&probed[0]), sorted(&[MACS[1], &wire.mac("eth0").unwrap().to_string()]));
    assert_eq!(judge(&probed), [Judgement::Proxied]);
}

#[test]
fn sixty_five_thousand_addresses_that_all_answer() {
    let lab = Lab::new().unwrap();
    let lan = lab.switch("lan").unwrap();
    let (hn, client) = (lab.host("hn").unwrap(), lab.host("client").unwrap());
    hn.plug(&lan, "eth0", Mac::NONE).unwrap();
    client.plug(&lan, "eth0", Mac::NONE).unwrap();
    hn.address("eth0", "10.7.0.1/16").unwrap();
    // A prefix on lo: every address of it is local.
    hn.address("lo", "10.7.0.1/16").unwrap();
    client.address("eth0", "10.7.0.2/16").unwrap();
    let options = probe::Options::default().rate(100_000_u32);
    let start = Instant::now();
    let probed = ask(&client, &["10.7.0.0/16"], options);
    eprintln!("65,536 addresses in {:?}", start.elapsed());
    // All but the subnet's broadcast address, which is nobody's.
    let silent: Vec<_> = probed.iter().filter(|one| one.replies.is_empty()).map(|one| one.target).collect();
    assert_eq!(silent, [IpAddr::V4(ip("10.7.255.255"))]);
    assert!(start.elapsed() < Duration::from_secs(15));
}

#[test]
fn an_ended_run_gives_what_it_has() {
    let (_lab, _hn, client, _venet) = scenario();
    let targets = probe::targets(&["192.168.18.0/24"]).unwrap();
    let probed = client
        .run(|| {
            let port = Port::named(&"eth0".parse()?)?;
            probe::run(&port, &targets, probe::Options::default(), |progress| match progress {
                Progress::Answer { .. } => ControlFlow::Break(()),
                Progress::Asked { .. } => ControlFlow::Continue(()),
            })
        })
        .unwrap()
        .unwrap();
    assert!(probed.iter().all(|one| one.requests > 0), "only what was asked for");
    assert_eq!(probed.iter().map(|one| one.replies.len()).sum::<usize>(), 1);
}

#[test]
fn what_cannot_be_asked_is_refused_in_words() {
    let (_lab, hn, client, _venet) = scenario();
    let refused = |host: &Host, name: &str| {
        host.run(|| {
            let port = Port::named(&name.parse()?)?;
            probe::run(&port, &[ip("192.168.18.10").into()], probe::Options::default(), |_| {
                ControlFlow::Continue(())
            })
        })
        .unwrap()
        .unwrap_err()
    };
    assert_eq!(refused(&client, "lo").kind(), ErrorKind::Unsupported);
    assert_eq!(refused(&client, "eth7").kind(), ErrorKind::NotFound);
    client.down("eth0").unwrap();
    let down = refused(&client, "eth0");
    assert_eq!(down.errno(), Some(100), "{down}");
    assert!(down.to_string().contains("eth0"), "{down}");
    let ambiguous = hn.run(|| Port::towards(ip("192.168.18.129").into())).unwrap().unwrap_err();
    assert!(ambiguous.to_string().contains("eth0, eth3, eth4"), "{ambiguous}");
    assert_eq!(
        hn.run(|| Port::towards(ip("10.0.0.1").into())).unwrap().unwrap_err().kind(),
        ErrorKind::NotFound
    );
}

#[test]
fn an_announcement_corrects_a_peer_at_once() {
    let (_lab, hn, client, _venet) = scenario();
    let target = ip("192.168.18.11");
    client.ping(None, target, 1).unwrap();
    let wrong = client.neighbour(target.into()).unwrap().unwrap();
    // From an interface that the peer does not use, whichever it took.
    let other = ["eth0", "eth3", "eth4"].into_iter().find(|name| hn.mac(name).unwrap() != wrong).unwrap();
    for (request, reply) in [(true, false), (false, true)] {
        client.forget_neighbours().unwrap();
        client.ping(None, target, 1).unwrap();
        let recorder = Recorder::start(&[(&client, "eth0")], Filter::Arp).unwrap();
        let options = announce::Options::default()
            .request(request)
            .reply(reply)
            .never(vec!["192.168.18.12/32".parse().unwrap()]);
        let start = Instant::now();
        let sent = hn
            .run(|| {
                let port = Port::named(&other.parse()?)?;
                announce(&[(port, vec![target.into(), ip("192.168.18.12").into()])], &options)
            })
            .unwrap()
            .unwrap();
        assert_eq!(sent, 2);
        assert!(start.elapsed() > Duration::from_secs(1), "rounds are spaced beyond the lock time");
        let now = client.neighbour(target.into()).unwrap().unwrap();
        assert_eq!(now, hn.mac(other).unwrap(), "request {request}, reply {reply}");
        let text: Vec<_> =
            recorder.stop().unwrap().iter().map(|frame| Printed(&frame.frame).to_string()).collect();
        assert!(!text.iter().any(|line| line.contains("192.168.18.12")), "{text:#?}");
    }
    assert_eq!(hn.read_sysctl("net.ipv4.ip_nonlocal_bind").unwrap(), "0");
}

/// The MAC that a host has for an address, once it has one.
fn learned(host: &Host, address: IpAddr) -> Option<Mac> {
    let deadline = Instant::now() + Duration::from_secs(4);
    loop {
        let found = host.neighbour(address).unwrap();
        if found.is_some() || Instant::now() > deadline {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn neighbour_advertisements_correct_a_peer() {
    let (_lab, hn, client, _venet) = scenario();
    for host in [&hn, &client] {
        host.ipv6().unwrap();
    }
    hn.address("eth3", "2001:db8::11/64").unwrap();
    client.address("eth0", "2001:db8::129/64").unwrap();
    // Link-local addresses come after duplicate detection.
    let deadline = Instant::now() + Duration::from_secs(5);
    let port = loop {
        let port = hn.run(|| Port::named(&"eth4".parse()?)).unwrap().unwrap();
        if port.link_local.is_some() || Instant::now() > deadline {
            break port;
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let target: IpAddr = "2001:db8::11".parse().unwrap();
    client
        .run(|| {
            let socket = std::net::UdpSocket::bind("[2001:db8::129]:0").unwrap();
            socket.send_to(b"x", "[2001:db8::11]:9").unwrap();
        })
        .unwrap();
    assert_eq!(learned(&client, target), Some(hn.mac("eth3").unwrap()));
    let recorder = Recorder::start(&[(&client, "eth0")], Filter::Ndp).unwrap();
    let options = announce::Options::default().rounds(1);
    let items = [(port, vec![target])];
    assert_eq!(hn.run(|| announce(&items, &options)).unwrap().unwrap(), 1);
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(client.neighbour(target).unwrap(), Some(hn.mac("eth4").unwrap()));
    let seen = recorder.stop().unwrap().iter().any(|frame| {
        let packet = Ipv6::parse(Ethernet::parse(&frame.frame).unwrap().payload).unwrap();
        matches!(packet.ndp(), Ok(Ndp::Advertisement { overrides: true, solicited: false, .. }))
    });
    assert!(seen);
}

#[test]
fn tcpdump_reads_what_was_recorded() {
    let (_lab, _hn, client, _venet) = scenario();
    let recorder = Recorder::start(&[(&client, "eth0")], Filter::All).unwrap();
    client.ping(None, ip("192.168.18.11"), 2).unwrap();
    let frames = recorder.stop().unwrap();
    let path = std::env::temp_dir().join(format!("arpflux-wire-test-{}.pcap", std::process::id()));
    write_pcap(std::fs::File::create(&path).unwrap(), &frames).unwrap();
    let output = std::process::Command::new("tcpdump")
        .args(["-e", "-n", "--time-stamp-precision=nano", "-tt", "-r"])
        .arg(&path)
        .output()
        .expect("tcpdump is needed: tests/support/prepare installs it");
    std::fs::remove_file(&path).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), frames.len(), "{text}");
    for (line, frame) in lines.iter().zip(&frames) {
        let (seconds, nanoseconds) = frame.at.parts();
        assert!(line.starts_with(&format!("{seconds}.{nanoseconds:09} ")), "{line}");
        let ours = Printed(&frame.frame).to_string();
        // Both name the same MACs first.
        assert_eq!(
            line.split(' ').skip(1).take(3).collect::<Vec<_>>().join(" "),
            format!("{},", ours.split(',').next().unwrap()),
        );
    }
    assert!(text.contains("ICMP echo reply"), "{text}");
}
