//! The page's lab: the disease, the cure, both directions.

use std::net::Ipv4Addr;

use arpflux_core::frame::{EtherType, Ethernet};
use arpflux_core::wire::Filter;
use arpflux_lab::{Recorded, Recorder};

use crate::bench::{A101, A102, Bench, CLIENT, Libvzctl, NICS, Version, Vzctl};

fn own(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 18, last)
}

/// IPv4 packets from or to one of the addresses.
fn about(frames: &[Recorded], place: usize, addresses: &[Ipv4Addr]) -> usize {
    let is = |recorded: &&Recorded| {
        let Ok(frame) = Ethernet::parse(&recorded.frame) else { return false };
        let field = |at: usize| -> Option<Ipv4Addr> {
            let octets: [u8; 4] = frame.payload.get(at..at + 4)?.try_into().ok()?;
            Some(octets.into())
        };
        recorded.place == place
            && frame.ether_type == EtherType::IPV4
            && [12, 16].iter().any(|at| field(*at).is_some_and(|found| addresses.contains(&found)))
    };
    frames.iter().filter(is).count()
}

#[test]
fn without_arpflux_every_interface_answers() {
    for version in [Vzctl, Libvzctl] {
        let bench = Bench::bare(version);
        let _container = bench.container(A101);
        assert_eq!(bench.start("101", "192.168.18.101").code, 0);
        assert_eq!(bench.proxies().len(), 3, "{version:?}");
        assert_eq!(bench.macs(A101).len(), 3, "{version:?}");
    }
}

/// The whole story with one setting of `rp_filter`.
fn cured(version: Version, rp_filter: u8) {
    let bench = Bench::new(version);
    bench.write("policy.toml", "version = 1\n[host]\ninterfaces = [\"eth0\", \"eth3\", \"eth4\"]\n");
    for name in NICS.map(|nic| nic.name) {
        bench.hn.sysctl(&format!("net/ipv4/conf/{name}/rp_filter"), rp_filter).unwrap();
    }
    // Somebody else's, on the same interfaces.
    for name in NICS.map(|nic| nic.name) {
        bench.hn.proxy(name, "10.9.9.9".parse().unwrap()).unwrap();
    }
    let foreign = bench.proxies();
    let containers = [bench.container(A101), bench.container(A102)];
    // vzctl hands netmasks through, libvzctl cuts them off.
    let second = if version == Vzctl { "192.168.18.102/24" } else { "192.168.18.102" };
    for (veid, address) in [("101", "192.168.18.101"), ("102", second)] {
        let said = bench.start(veid, address);
        assert_eq!(said.code, 0, "{said:?}");
    }
    let mut expected = foreign.clone();
    expected.extend(["192.168.18.101 eth3".to_owned(), "192.168.18.102 eth4".to_owned()]);
    assert_eq!(bench.proxies(), expected);
    bench.good(&["status"]);

    // One MAC each, the right one: the node's own addresses too.
    for (address, interface) in
        [(A101, "eth3"), (A102, "eth4"), (own(10), "eth0"), (own(11), "eth3"), (own(12), "eth4")]
    {
        assert_eq!(bench.macs(address), [Bench::mac(interface)], "{address} with rp_filter={rp_filter}");
    }

    // Everybody reaches everybody, and nothing of a container is on eth0, in either direction.
    bench.client.forget_neighbours().unwrap();
    let places = [(&bench.hn, "eth0"), (&bench.hn, "eth3"), (&bench.hn, "eth4")];
    let recorder = Recorder::start(&places, Filter::All).unwrap();
    let ping = |from: &arpflux_lab::Host, to: Ipv4Addr| {
        let pings = from.ping(None, to, 3).unwrap();
        assert_eq!(
            (pings.received, pings.duplicates),
            (3, 0),
            "{} to {to}, rp_filter={rp_filter}",
            from.name()
        );
    };
    for (container, address) in containers.iter().zip([A101, A102]) {
        ping(&bench.client, address);
        ping(&bench.hn, address);
        ping(container, CLIENT);
        for last in [10, 11, 12] {
            ping(container, own(last));
        }
    }
    ping(&containers[0], A102);
    ping(&containers[1], A101);
    for last in [10, 11, 12] {
        ping(&bench.client, own(last));
    }
    let frames = recorder.stop().unwrap();
    assert_eq!(about(&frames, 0, &[A101, A102]), 0, "on eth0");
    assert_eq!(about(&frames, 1, &[A102]), 0, "102 on eth3");
    assert_eq!(about(&frames, 2, &[A101]), 0, "101 on eth4");
    // Three pings in each direction, request and reply.
    assert_eq!((about(&frames, 1, &[A101]), about(&frames, 2, &[A102])), (12, 12));

    // Stopped one by one: each takes its own and nothing else.
    assert_eq!(bench.stop("101", "192.168.18.101").code, 0);
    let mut expected = foreign.clone();
    expected.push("192.168.18.102 eth4".to_owned());
    assert_eq!(bench.proxies(), expected);
    assert!(!bench.routed(A101) && bench.routed(A102));
    assert!(!bench.ruled().contains(&A101.to_string()) && bench.ruled().contains(&A102.to_string()));
    ping(&bench.client, A102);
    assert_eq!(bench.stop("102", second).code, 0);
    assert_eq!(bench.proxies(), foreign);
    assert!(!bench.ruled().iter().any(|source| [A101.to_string(), A102.to_string()].contains(source)));
    assert!(!bench.routed(A102));
    bench.good(&["status"]);
}

#[test]
fn cured_vzctl_rp_filter_0() {
    cured(Vzctl, 0);
}

#[test]
fn cured_vzctl_rp_filter_1() {
    cured(Vzctl, 1);
}

#[test]
fn cured_vzctl_rp_filter_2() {
    cured(Vzctl, 2);
}

#[test]
fn cured_libvzctl_rp_filter_0() {
    cured(Libvzctl, 0);
}

#[test]
fn cured_libvzctl_rp_filter_1() {
    cured(Libvzctl, 1);
}

#[test]
fn cured_libvzctl_rp_filter_2() {
    cured(Libvzctl, 2);
}

#[test]
fn peers_hear_of_it_twice_from_the_owner_and_never_from_another() {
    let bench = Bench::new(Vzctl);
    let _container = bench.container(A101);
    let places = [(&bench.hn, "eth0"), (&bench.hn, "eth3"), (&bench.hn, "eth4")];
    let recorder = Recorder::start(&places, Filter::Arp).unwrap();
    assert_eq!(bench.start_quick("101", "192.168.18.101").code, 0);
    std::thread::sleep(std::time::Duration::from_millis(2500));
    let frames = recorder.stop().unwrap();
    let sent = |place: usize| {
        let announces = |recorded: &&Recorded| {
            recorded.place == place
                && recorded.direction == arpflux_core::wire::Direction::Out
                && arp(&recorded.frame).is_some_and(|(sender, target)| sender == A101 && target == A101)
        };
        frames.iter().filter(announces).count()
    };
    // Request and reply form, at once and again after the receivers' lock time.
    assert_eq!((sent(0), sent(1), sent(2)), (0, 4, 0));
    assert_eq!(bench.hn.read_sysctl("net.ipv4.ip_nonlocal_bind").unwrap(), "0");
}

/// Sender and target of an ARP frame.
pub fn arp(frame: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr)> {
    let frame = Ethernet::parse(frame).ok()?;
    let arp = arpflux_core::frame::Arp::parse(frame.payload).ok()?.ipv4()?;
    Some((arp.sender, arp.target))
}
