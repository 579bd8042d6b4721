//! A twin is the host it was built from: hosts made by plain `ip`, their snapshots, and both asked the same.
#![allow(missing_docs, reason = "a test")]

mod address;
mod filters;
mod host;
mod hostile;
mod random;
mod rehearsal;
#[path = "../differential/rng.rs"]
mod rng;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use arpflux_core::frame::{Arp, Ethernet, Ipv4Arp, Operation};
use arpflux_core::snapshot::{Snapshot, WireMap};
use arpflux_core::types::Mac;
use arpflux_core::wire::{Filter, PacketSocket};
use arpflux_lab::Question;
use arpflux_lab::twin::Twin;
use arpflux_tests::iproute::in_new_netns;

use crate::host::{make, snapshot};

/// Hosts, each as lines of `ip` and `sysctl` in an empty namespace, where `card NAME BRIDGE` is a NIC on a wire.
const HOSTS: &[(&str, &str)] = &[
    (
        "three cards on one wire, with source routing and entries",
        "card eth0 lan
         card eth1 lan
         card eth2 lan
         ip addr add 192.168.18.10/24 dev eth0
         ip addr add 192.168.18.11/24 dev eth1
         ip addr add 192.168.18.12/24 dev eth2
         ip addr add 192.168.18.13/24 dev eth2
         sysctl net.ipv4.ip_forward=1
         sysctl net.ipv4.conf.eth1.arp_ignore=1
         sysctl net.ipv4.conf.eth2.rp_filter=1
         ip route add default via 192.168.18.1
         ip route add 192.168.18.11 dev eth0 table 100
         ip route add default via 192.168.18.1 dev eth1 table 100
         ip rule add from 192.168.18.11 lookup 100 pref 100
         ip neigh add proxy 192.168.18.101 dev eth1
         ip neigh add proxy 192.168.18.102 dev eth2
         ip route add 192.168.18.101 dev eth0
         ip neigh add 192.168.18.77 lladdr 02:00:00:00:00:77 dev eth0 nud permanent",
    ),
    (
        "a connected route deleted, and put back behind another",
        "card eth0 lan
         card eth1 lan
         ip addr add 10.0.0.1/24 dev eth0
         ip addr add 10.0.0.2/24 dev eth1
         ip route del 10.0.0.0/24 dev eth0
         ip route append 10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1
         ip route del broadcast 10.0.0.255 dev eth1 table local
         sysctl net.ipv4.conf.all.arp_filter=1",
    ),
    (
        "a bridge with a card and containers, and a macvlan",
        "card eth0 lan
         card eth1 dmz
         ip link add br0 address 02:00:00:00:0b:00 type bridge
         ip link set eth0 master br0
         ip link set br0 up
         ip link add veth0 type veth peer name veth1
         ip link set veth0 master br0 up
         ip link set veth1 up
         ip addr add 10.1.0.1/24 dev br0
         ip addr add 10.9.0.1/32 dev veth1
         ip addr add 10.2.0.1/24 brd + dev eth1
         ip link add link eth1 name mv0 address 02:00:00:00:0b:01 type macvlan mode bridge
         ip link set mv0 up
         ip addr add 10.2.0.2/24 dev mv0
         ip addr add 10.3.0.1 peer 10.3.0.9/32 dev eth1 scope link
         ip link set eth1 mtu 1400
         sysctl net.ipv4.conf.br0.proxy_arp=1",
    ),
    (
        "what is down, has no carrier, or no ARP",
        "card eth0 lan
         card eth1 lan
         card eth2 lan
         ip addr add 10.0.0.1/24 dev eth0
         ip addr add 10.0.0.2/24 dev eth1
         ip addr add 10.0.0.3/24 dev eth2
         ip link set eth1 down
         ip link set eth2 arp off
         cut eth0
         ip rule add pref 10 lookup 7
         ip rule del pref 10",
    ),
    (
        "rules of every sort",
        "card eth0 lan
         ip addr add 10.0.0.1/24 dev eth0 noprefixroute
         ip addr add 172.16.5.1/32 dev lo
         ip rule add not from 10.0.0.0/24 fwmark 5/7 lookup 9 pref 20
         ip rule add iif eth0 to 10.9.0.0/16 blackhole pref 30
         ip rule add lookup main suppress_prefixlength 0 pref 40
         ip rule del pref 32767
         ip route add 10.0.0.0/24 dev eth0 metric 7
         ip route add 10.7.0.0/16 nexthop via 10.0.0.7 weight 3 nexthop via 10.0.0.8 weight 1
         ip route add unreachable 10.8.0.0/16 table 9
         ip route add local 10.6.0.0/16 dev lo",
    ),
];

/// Asks through a socket, without the lab: for each question the MACs that answer within `wait`.
fn ask(socket: &mut PacketSocket, questions: &[(Ipv4Addr, Ipv4Addr)], wait: Duration) -> Vec<BTreeSet<Mac>> {
    let mac = |place: usize| Mac::ethernet([0x02, 0xee, 0, 0, 0, place as u8]);
    for (place, (sender, target)) in questions.iter().enumerate() {
        socket.send(&Ipv4Arp::request(mac(place), *sender, *target).to_frame(Mac::BROADCAST)).unwrap();
    }
    let mut answers = vec![BTreeSet::new(); questions.len()];
    let until = Instant::now() + wait;
    while let Some(received) = socket.receive(until).unwrap() {
        let Ok(frame) = Ethernet::parse(received.frame) else { continue };
        let Some(arp) = Arp::parse(frame.payload).ok().and_then(|arp| arp.ipv4()) else { continue };
        let place = (0..questions.len()).find(|place| mac(*place) == arp.target_mac);
        if let (Operation::Reply, Some(place)) = (arp.operation, place) {
            answers[place].insert(arp.sender_mac);
        }
    }
    answers
}

fn questions(host: &Snapshot) -> Vec<(Ipv4Addr, Ipv4Addr)> {
    let mut targets = arpflux_core::predict::ipv4_targets(host);
    targets.extend([Ipv4Addr::new(10, 9, 9, 9), Ipv4Addr::new(10, 6, 1, 1)]);
    let mut all = Vec::new();
    for target in targets {
        let [a, b, c, _] = target.octets();
        for sender in [Ipv4Addr::new(a, b, c, 200), Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(8, 8, 8, 8)] {
            all.push((sender, target));
        }
    }
    all
}

#[test]
fn a_twin_is_the_host_and_answers_as_it_does() {
    for (name, lines) in HOSTS {
        in_new_netns(|| {
            let wires = make(lines);
            let host = snapshot();
            let mut twin = Twin::build(&host).unwrap();
            assert_eq!(twin.left_out(), [], "{name}");
            let differences = twin.differences().unwrap();
            assert!(differences.is_empty(), "{name}: {differences:#?}");
            let questions = questions(&host);
            let map = WireMap::of(&host);
            for (bridge, index) in &wires.asking {
                let mut socket =
                    wires.netns.run(|| PacketSocket::open(*index, Filter::ArpReplies)).unwrap().unwrap();
                let on_host = ask(&mut socket, &questions, Duration::from_millis(1200));
                let card = lines
                    .lines()
                    .map(str::trim)
                    .find_map(|line| line.strip_prefix("card ")?.strip_suffix(&format!(" {bridge}")));
                let card = host.interface_named(&card.unwrap().parse().unwrap()).unwrap().index;
                let wire = map.number(card).unwrap();
                let asked: Vec<_> =
                    questions.iter().map(|(sender, target)| Question::new(*sender, *target)).collect();
                let Some(on_twin) = twin.ask(wire, &asked, Duration::from_millis(900)).unwrap() else {
                    assert!(on_host.iter().all(BTreeSet::is_empty), "{name}: {bridge} is not asked");
                    continue;
                };
                let on_twin: Vec<BTreeSet<Mac>> =
                    on_twin.iter().map(|answers| answers.iter().map(|answer| answer.mac).collect()).collect();
                for (place, question) in questions.iter().enumerate() {
                    assert_eq!(on_twin[place], on_host[place], "{name}: {question:?} on {bridge}");
                }
                assert!(
                    on_host.iter().any(|answers| !answers.is_empty()) || name.starts_with("what is down"),
                    "{name}"
                );
            }
        });
    }
}
