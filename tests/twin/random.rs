//! Random hosts: made by plain `ip`, built again from their snapshots, and both asked the same.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use arpflux_core::types::Mac;
use arpflux_core::wire::{Filter, PacketSocket};
use arpflux_lab::Question;
use arpflux_lab::twin::Twin;
use arpflux_tests::iproute::in_new_netns;

use crate::ask;
use crate::host::{make, snapshot};
use crate::rng::Rng;

/// How many questions each host is asked.
const QUESTIONS: usize = 40;

fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

fn address(rng: &mut Rng) -> Ipv4Addr {
    let net = rng.one_of(&[[10, 0, 0], [10, 0, 1], [10, 1, 0], [192, 168, 5]]);
    Ipv4Addr::new(net[0], net[1], net[2], 1 + rng.below(9) as u8)
}

/// A host; all its cards are on one wire, so that both can be asked alike whatever the wire function makes of them.
fn lines(rng: &mut Rng) -> String {
    let mut lines = Vec::new();
    let mut names = vec!["lo".to_owned()];
    for number in 0..1 + rng.below(3) {
        lines.push(format!("card eth{number} lan"));
        names.push(format!("eth{number}"));
    }
    if rng.percent(30) {
        lines.push("ip link add br0 address 02:00:00:00:0b:00 type bridge".into());
        lines.push(format!("ip link set {} master br0", names[names.len() - 1]));
        lines.push("ip link set br0 up".into());
        names.push("br0".into());
    }
    if rng.percent(30) {
        let mode = rng.pick(&["bridge", "private", "vepa"]);
        lines.push(format!(
            "try ip link add link eth0 name mv0 address 02:00:00:00:0b:01 type macvlan mode {mode}"
        ));
        lines.push("try ip link set mv0 up".into());
        names.push("mv0".into());
    }
    if rng.percent(40) {
        lines.push("ip link add in0 type veth peer name in1".into());
        lines.extend(["ip link set in0 up".into(), "ip link set in1 up".into()]);
        names.extend(["in0".into(), "in1".into()]);
    }
    let any = |rng: &mut Rng| names[rng.below(names.len())].clone();
    for _ in 0..2 + rng.below(4) {
        let length = rng.one_of(&[24, 24, 16, 32]);
        lines.push(format!("try ip addr add {}/{length} dev {}", address(rng), any(rng)));
    }
    lines.push(format!("sysctl net.ipv4.ip_forward={}", rng.below(2)));
    for _ in 0..rng.below(6) {
        let (name, values) = rng.one_of(&[
            ("arp_ignore", &[0, 1, 2, 3, 8][..]),
            ("arp_filter", &[0, 1]),
            ("rp_filter", &[0, 1, 2]),
            ("proxy_arp", &[0, 1]),
            ("proxy_arp_pvlan", &[0, 1]),
            ("medium_id", &[0, 1, -1]),
            ("accept_local", &[0, 1]),
            ("forwarding", &[0, 1]),
            ("arp_announce", &[0, 1, 2]),
        ]);
        let folder = if rng.percent(25) { "all".into() } else { any(rng) };
        lines.push(format!("try sysctl -qw net.ipv4.conf.{folder}.{name}={}", rng.one_of(values)));
    }
    for _ in 0..rng.below(4) {
        let table = rng.one_of(&[254, 254, 100]);
        let to = rng.pick(&["10.2.0.0/16", "10.0.0.0/24", "10.1.0.4", "default", "192.168.5.0/28"]);
        lines.push(match rng.below(4) {
            0 => format!("try ip route append {to} via {} table {table}", address(rng)),
            1 => format!("try ip route append unreachable {to} table {table}"),
            _ => format!("try ip route append {to} dev {} metric {} table {table}", any(rng), rng.below(3)),
        });
    }
    for _ in 0..rng.below(3) {
        lines.push(match rng.below(4) {
            0 => format!("try ip rule add from {}/24 lookup 100 pref {}", address(rng), 10 + rng.below(5)),
            1 => format!("try ip rule add iif {} lookup 100 pref 20", any(rng)),
            2 => "try ip rule add lookup main suppress_prefixlength 0 pref 15".into(),
            _ => format!("try ip rule add to {} prohibit pref 12", address(rng)),
        });
    }
    for _ in 0..rng.below(4) {
        lines.push(format!("try ip neigh add proxy {} dev {}", address(rng), any(rng)));
    }
    if rng.percent(15) {
        lines.push(format!("try ip link set {} down", any(rng)));
    }
    if rng.percent(15) {
        lines.push("cut eth0".into());
    }
    lines.join("\n")
}

#[test]
fn random_hosts_and_their_twins_answer_alike() {
    let (hosts, seed) = (setting("ARPFLUX_HOSTS", 8), setting("ARPFLUX_SEED", 1));
    let (mut answered, mut silent) = (0, 0);
    for seed in seed..seed + hosts {
        let mut rng = Rng::new(seed);
        let lines = lines(&mut rng);
        let (with, without) = in_new_netns(|| {
            let wires = make(&lines);
            let host = snapshot();
            let mut twin = Twin::build(&host).unwrap();
            assert_eq!(twin.left_out(), [], "seed {seed}\n{lines}");
            let differences = twin.differences().unwrap();
            assert!(differences.is_empty(), "seed {seed}: {differences:#?}\n{lines}");
            let questions: Vec<(Ipv4Addr, Ipv4Addr)> = (0..QUESTIONS)
                .map(|_| {
                    let sender = match rng.below(10) {
                        0 => Ipv4Addr::UNSPECIFIED,
                        1 => Ipv4Addr::new(8, 8, 8, 8),
                        _ => Ipv4Addr::from_bits(
                            (address(&mut rng).to_bits() & !0xff) | (20 + rng.next() as u32 % 9),
                        ),
                    };
                    (sender, address(&mut rng))
                })
                .collect();
            let mut socket = wires
                .netns
                .run(|| PacketSocket::open(wires.asking[0].1, Filter::ArpReplies))
                .unwrap()
                .unwrap();
            // A difference counts if it stays: the machine may be busy.
            for last in [false, true] {
                let on_host = ask(&mut socket, &questions, Duration::from_millis(1200));
                let mut on_twin = vec![BTreeSet::<Mac>::new(); questions.len()];
                let asked: Vec<_> = questions.iter().map(|(from, to)| Question::new(*from, *to)).collect();
                for wire in 0..twin.wires().len() {
                    let answers =
                        twin.ask(wire, &asked, Duration::from_millis(1000)).unwrap().unwrap_or_default();
                    for (place, answers) in answers.iter().enumerate() {
                        on_twin[place].extend(answers.iter().map(|answer| answer.mac));
                    }
                }
                let differ =
                    questions.iter().enumerate().filter(|(place, _)| on_host[*place] != on_twin[*place]);
                let differ: Vec<_> =
                    differ.map(|(place, question)| (question, &on_host[place], &on_twin[place])).collect();
                if differ.is_empty() {
                    let with = on_host.iter().filter(|macs| !macs.is_empty()).count();
                    return (with, questions.len() - with);
                }
                assert!(!last, "seed {seed}: (asker, address), host, twin: {differ:#?}\n{lines}");
            }
            unreachable!("the last round returns or panics")
        });
        answered += with;
        silent += without;
    }
    // A suite that cannot fail proves nothing.
    println!("{answered} answered, {silent} not");
    assert!(answered * 10 > answered + silent && silent * 10 > answered + silent, "{answered} {silent}");
}
