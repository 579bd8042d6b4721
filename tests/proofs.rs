//! Proofs on the running kernel: for hosts drawn by seed every representative request is really sent;
//! what was proved must show no exception, and every counter-example must come true.
#![allow(missing_docs, reason = "a test")]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use arpflux_core::predict::{ArpRequest, Request};
use arpflux_core::proof::{Evidence, Expectation, Proof, Prover};
use arpflux_core::snapshot::Snapshot;
use arpflux_core::types::{IfIndex, Mac};
use arpflux_lab::{Asker, Host, Lab, NewRoute, NewRule, Question};

const HOSTS: u64 = 24;
const NICS: [&str; 3] = ["eth0", "eth1", "eth2"];

/// A small generator (splitmix64), so that a seed names a host.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

/// Three NICs on one wire and something behind `back`; addresses, sysctls, entries and rules at random.
fn draw(lab: &Lab, seed: u64) -> Host {
    let mut rng = Rng(seed);
    let lan = lab.switch("lan").unwrap();
    let behind = lab.switch("behind").unwrap();
    let host = lab.host("drawn").unwrap();
    for nic in NICS {
        host.plug(&lan, nic, Mac::NONE).unwrap();
        // Answers for proxied addresses come at once, so that silence is certain.
        host.sysctl(&format!("net.ipv4.neigh.{nic}.proxy_delay"), 0).unwrap();
    }
    host.plug(&behind, "back", Mac::NONE).unwrap();
    host.address("back", "10.9.0.1/24").unwrap();
    let mut taken = Vec::new();
    for nic in NICS {
        for _ in 0..rng.below(3) {
            let last = 1 + rng.below(20) as u8;
            if !taken.contains(&last) {
                taken.push(last);
                let length = rng.pick(&[24, 24, 28, 32]);
                host.address(nic, &format!("10.0.{}.{last}/{length}", rng.below(2))).unwrap();
            }
        }
    }
    for knob in ["arp_ignore", "arp_filter", "rp_filter", "forwarding", "proxy_arp", "accept_local"] {
        for nic in ["all", "eth0", "eth1", "eth2"] {
            let value = match (knob, nic) {
                // Writing forwarding to all copies it everywhere; it comes first.
                ("forwarding", _) => u64::from(rng.below(3) > 0),
                ("arp_ignore", "all") => rng.pick(&[0, 0, 0, 0, 5]),
                ("arp_ignore", _) => rng.pick(&[0, 0, 1, 1, 2, 3, 8]),
                (_, "all") => 0,
                ("rp_filter", _) => rng.below(3),
                _ => u64::from(rng.below(4) == 0),
            };
            host.sysctl(&format!("net.ipv4.conf.{nic}.{knob}"), value).unwrap();
        }
    }
    for container in 0..3_u8 {
        let address = Ipv4Addr::new(10, 0, container % 2, 100 + container);
        host.route(&NewRoute::to(&address.to_string()).unwrap().device("back").unwrap()).unwrap();
        for nic in NICS {
            if rng.below(2) == 0 {
                host.proxy(nic, IpAddr::V4(address)).unwrap();
            }
        }
    }
    if rng.below(2) == 0 {
        let by = rng.pick(&NICS);
        host.route(&NewRoute::to("0.0.0.0/0").unwrap().device(by).unwrap().table(100)).unwrap();
        let source = format!("10.0.0.{}/{}", rng.below(20), rng.pick(&[32, 28, 24]));
        let rule = NewRule::lookup(100).priority(1000);
        let rule = match rng.below(2) {
            0 => rule.from(&source).unwrap(),
            _ => rule.to(&source).unwrap(),
        };
        host.rule(&rule).unwrap();
    }
    host
}

/// Puts requests for one interface to the kernel: whether each is answered.
fn ask(asker: &mut Asker, mac: Mac, requests: &[ArpRequest]) -> Vec<Option<Mac>> {
    let questions: Vec<Question> = requests
        .iter()
        .map(|request| Question {
            destination: if request.unicast { mac } else { Mac::BROADCAST },
            ..Question::new(request.sender, request.target)
        })
        .collect();
    let answers = asker.ask(&questions, Duration::ZERO).unwrap();
    answers.iter().map(|answers| answers.first().map(|answer| answer.mac)).collect()
}

struct Live {
    index: IfIndex,
    mac: Mac,
    asker: Asker,
}

fn live(host: &Host, snapshot: &Snapshot) -> Vec<Live> {
    NICS.iter()
        .map(|nic| {
            let interface = snapshot.interface_named(&nic.parse().unwrap()).unwrap();
            Live { index: interface.index, mac: interface.mac, asker: host.asker(nic).unwrap() }
        })
        .collect()
}

#[test]
fn what_is_proved_holds_for_every_representative_and_counter_examples_come_true() {
    let (mut requests, mut answered, mut proved, mut refuted, mut undetermined) = (0, 0, 0, 0, 0);
    for seed in 0..HOSTS {
        let lab = Lab::new().unwrap();
        let host = draw(&lab, seed);
        let snapshot = arpflux_core::Host::from(host.netns().try_clone().unwrap()).snapshot().unwrap();
        let mut prover = Prover::new(&snapshot).unwrap();
        let mut nics = live(&host, &snapshot);
        let among: Vec<IfIndex> = nics.iter().map(|nic| nic.index).collect();
        // Every pair of classes, on the kernel.
        for nic in &mut nics {
            let representatives = prover.representatives(nic.index);
            let found = ask(&mut nic.asker, nic.mac, &representatives);
            for (request, found) in representatives.iter().zip(found) {
                let verdict = prover.model().reply(request);
                match verdict.answers() {
                    Some(_) => {
                        assert_eq!(verdict.mac().copied(), found, "seed {seed}: {request:?} {verdict}");
                    }
                    None => undetermined += 1,
                }
                requests += 1;
                answered += u32::from(found.is_some());
            }
        }
        // Every claim, on the kernel: who answers for this very address, for each class of senders.
        for claim in Expectation::for_wire(&snapshot, &among) {
            let Expectation::ExactlyOne { target: IpAddr::V4(target), .. } = claim else { continue };
            match prover.prove(&claim) {
                Proof::Proved { .. } => {
                    proved += 1;
                    let mut answering = Vec::new();
                    for nic in &mut nics {
                        let mut asked = prover.representatives(nic.index);
                        asked.iter_mut().for_each(|request| request.target = target);
                        if ask(&mut nic.asker, nic.mac, &asked).iter().any(Option::is_some) {
                            answering.push(nic.index);
                        }
                    }
                    assert_eq!(answering.len(), 1, "seed {seed}: {claim:?}");
                }
                Proof::Refuted(contradiction) => {
                    refuted += 1;
                    for evidence in &contradiction.evidence {
                        let Evidence::Request { request: Request::Arp(request), verdict } = evidence else {
                            panic!("{evidence:?}")
                        };
                        let nic = nics.iter_mut().find(|nic| nic.index == request.interface).unwrap();
                        let found = ask(&mut nic.asker, nic.mac, &[*request])[0];
                        assert_eq!(found, verdict.mac().copied(), "seed {seed}: {contradiction}");
                    }
                }
                Proof::Undetermined { .. } => undetermined += 1,
            }
        }
    }
    println!(
        "{requests} representatives of {HOSTS} hosts asked, {answered} answered; \
         {proved} proved, {refuted} refuted, {undetermined} undetermined"
    );
    assert!(requests > 20_000 && answered > 1_000, "{requests} {answered}");
    assert!(proved >= 5 && refuted >= 30, "{proved} {refuted}");
    assert!(undetermined * 20 < requests, "{undetermined}");
}
