//! Hosts with packet filters: their twins have the same, and answer alike.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use arpflux_core::predict::{ArpRequest, Model, Verdict};
use arpflux_core::types::Mac;
use arpflux_core::wire::{Filter, PacketSocket};
use arpflux_lab::Question;
use arpflux_lab::twin::Twin;
use arpflux_tests::iproute::in_new_netns;

use crate::ask;
use crate::host::{make, snapshot};

/// Names, and rules of one tool each on a host with two cards on one wire; the last: for how many of its tables others
/// stand.
const HOSTS: &[(&str, &str, usize)] = &[
    (
        "nftables arp: sets, maps, marks and jumps",
        "nft add table arp filter
         nft add set arp filter mine {type ipv4_addr;flags interval;elements={10.0.0.2,10.0.0.3-10.0.0.9};}
         nft add chain arp filter other
         nft add rule arp filter other arp daddr ip 10.0.0.1 meta nftrace set 1 counter drop
         nft add map arp filter ways {type ifname:verdict;elements={eth0:accept,eth1:jump other};}
         nft add chain arp filter input {type filter hook input priority 0;policy accept;}
         nft add rule arp filter input arp saddr ip != 10.0.0.0/24 iifname eth1 drop
         nft add rule arp filter input arp operation request arp daddr ip @mine iifname eth0 drop
         nft add rule arp filter input iifname vmap @ways",
        0,
    ),
    (
        "nftables netdev and output, with a policy",
        "nft add table netdev cards
         nft add chain netdev cards in {type filter hook ingress device eth1 priority 0;policy accept;}
         nft add rule netdev cards in ether type arp arp daddr ip 10.0.0.1 drop
         nft add table arp out
         nft add chain arp out output {type filter hook output priority 10;policy drop;}
         nft add rule arp out output oifname eth0 accept
         nft add rule arp out output arp saddr ip 10.0.0.2 accept",
        0,
    ),
    (
        "nftables bridge",
        "ip link add br0 address 02:00:00:00:0b:00 type bridge
         ip link set br0 up
         ip link set eth1 master br0
         ip addr add 10.0.0.3/24 dev br0
         nft add table bridge b
         nft add chain bridge b pre {type filter hook prerouting priority -300;policy accept;}
         nft add rule bridge b pre ether type arp arp daddr ip 10.0.0.1 drop",
        0,
    ),
    (
        "arptables, by nftables, that changes what is sent",
        "arptables-nft -A OUTPUT -o eth1 -s 10.0.0.1 -j mangle --mangle-mac-s 02:00:00:00:00:99
         arptables-nft -A INPUT -i eth0 -d 10.0.0.2 -j DROP",
        0,
    ),
    (
        "what stands for the older arptables",
        "arptables-legacy -A INPUT -i eth1 -d 10.0.0.1 -j DROP
         arptables-legacy -N other
         arptables-legacy -A OUTPUT -j other
         arptables-legacy -A other -o eth0 -s 10.0.0.2 --h-length 6 -j mangle --mangle-mac-s 02:00:00:00:00:98",
        1,
    ),
];

const QUESTIONS: [(Ipv4Addr, Ipv4Addr); 6] = {
    const fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }
    const FAR: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);
    [
        (ip(200), ip(1)),
        (ip(200), ip(2)),
        (ip(200), ip(3)),
        (FAR, ip(1)),
        (FAR, ip(2)),
        (Ipv4Addr::UNSPECIFIED, ip(1)),
    ]
};

#[test]
fn a_twin_filters_as_its_host_does() {
    for (name, rules, stand_ins) in HOSTS {
        in_new_netns(|| {
            let lines = format!(
                "card eth0 lan
                 card eth1 lan
                 ip addr add 10.0.0.1/24 dev eth0
                 ip addr add 10.0.0.2/24 dev eth1
                 {rules}"
            );
            let wires = make(&lines);
            let host = snapshot();
            assert!(!host.filters.is_empty(), "{name}: {:#?}", host.filters);
            let mut twin = Twin::build(&host).unwrap();
            assert_eq!(twin.left_out(), [], "{name}");
            assert_eq!(twin.stand_ins().len(), *stand_ins, "{name}: {:?}", twin.stand_ins());
            let differences = twin.differences().unwrap();
            assert!(differences.is_empty(), "{name}: {differences:#?}");
            let mut socket = wires
                .netns
                .run(|| PacketSocket::open(wires.asking[0].1, Filter::ArpReplies))
                .unwrap()
                .unwrap();
            let on_host = ask(&mut socket, &QUESTIONS, Duration::from_millis(300));
            let asked: Vec<_> = QUESTIONS.iter().map(|(from, to)| Question::new(*from, *to)).collect();
            let wire = twin.wires().iter().position(arpflux_lab::twin::Wire::is_asked).unwrap();
            let on_twin = twin.ask(wire, &asked, Duration::ZERO).unwrap().unwrap();
            let on_twin: Vec<BTreeSet<Mac>> =
                on_twin.iter().map(|answers| answers.iter().map(|answer| answer.mac).collect()).collect();
            assert_eq!(on_twin, on_host, "{name}");
            // The rules do something, and the model knows what.
            let plain = |filters: bool| {
                let mut host = host.clone();
                if !filters {
                    host.filters = Default::default();
                }
                let model = Model::new(&host).unwrap();
                let said = |(sender, target): &(Ipv4Addr, Ipv4Addr)| -> BTreeSet<Mac> {
                    let on = twin.wires()[wire].interfaces.iter();
                    on.filter_map(|index| {
                        match model.reply(&ArpRequest::broadcast(*index, *sender, *target)) {
                            Verdict::Answers { mac, .. } => Some(mac),
                            _ => None,
                        }
                    })
                    .collect()
                };
                QUESTIONS.iter().map(said).collect::<Vec<_>>()
            };
            assert_eq!(plain(true), on_host, "{name}");
            assert_ne!(plain(false), on_host, "{name}");
        });
    }
}

#[test]
fn rules_that_a_snapshot_does_not_hold_are_left_out_by_name() {
    in_new_netns(|| {
        let _wires = make(
            "card eth0 lan
             ip addr add 10.0.0.1/24 dev eth0
             nft add table arp filter
             nft add chain arp filter input {type filter hook input priority 0;policy accept;}
             nft add rule arp filter input limit rate 1/second accept
             nft add table arp other
             nft add chain arp other input {type filter hook input priority 1;policy accept;}
             nft add rule arp other input arp daddr ip 10.0.0.9 drop",
        );
        let host = snapshot();
        let twin = Twin::build(&host).unwrap();
        let left_out: Vec<String> = twin.left_out().iter().map(ToString::to_string).collect();
        assert_eq!(left_out, ["nftables arp filter: what `limit` does is not in a snapshot"]);
        assert!(twin.differences().unwrap().is_empty());
        assert_eq!(twin.snapshot().unwrap().filters.chains.len(), 1, "the other table is there");
    });
}
