//! Random hosts: every request fares as its representative, and every proof survives sampling.

use super::testing::{
    Host, Rng, any_address, any_request, dense_host, dense_sample, hardware_node, random_host, sample,
};
use super::*;
use crate::filter::{self, Bytes, Chain, Comparison, Expression, Family, Header, Hook};
use crate::predict::{ArpRequest, Model, Reason, Request, Verdict, listeners};
use crate::snapshot::{
    Builder, Interface, InterfaceFlags, Neighbour, NeighbourState, RouteKind, Rule, Scope, table,
};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IpNet, Ipv4Net};
use std::net::IpAddr;

#[test]
fn every_request_fares_as_its_representative() {
    let mut reasons = std::collections::BTreeMap::new();
    for seed in 0..2_000 {
        let host = random_host(seed).0;
        let model = Model::of(&host);
        let mut prover = Prover::of(&host);
        for request in sample(seed, &host, 120) {
            let representative = prover.representative(&request);
            let (verdict, expected) = (model.reply(&representative), model.reply(&request));
            assert_eq!(verdict, expected, "seed {seed}: {request:?} is not like {representative:?}");
            *reasons.entry(expected.reason()).or_insert(0_u32) += 1;
        }
    }
    // The comparison means something only where requests fare in different ways.
    for reason in [
        Reason::Local,
        Reason::ProxyEntry,
        Reason::ProxyArp,
        Reason::ArpIgnore,
        Reason::ArpFilter,
        Reason::RpFilterStrict,
        Reason::NoRoute,
        Reason::RouteRejects,
    ] {
        assert!(reasons.get(&Some(reason)).is_some_and(|count| *count > 100), "{reason:?}: {reasons:?}");
    }
    assert!(reasons.get(&None).is_some_and(|count| *count > 100), "undetermined: {reasons:?}");
}

#[test]
fn every_request_fares_as_its_representative_where_rules_routes_and_subnets_compete() {
    let mut answered = 0;
    for seed in 0..3_000 {
        let host = dense_host(seed).0;
        let model = Model::of(&host);
        let mut prover = Prover::of(&host);
        for request in dense_sample(seed, &host, 100) {
            let representative = prover.representative(&request);
            let (verdict, expected) = (model.reply(&representative), model.reply(&request));
            assert_eq!(verdict, expected, "seed {seed}: {request:?} is not like {representative:?}");
            answered += u32::from(expected.answers() == Some(true));
        }
    }
    assert!(answered > 20_000, "{answered}");
}

/// What one request says about a claim: `Some(false)` contradicts it.
fn says(claim: &Expectation, request: &ArpRequest, model: &Model<'_>) -> bool {
    let answers = matches!(model.reply(request), Verdict::Answers { .. });
    match claim {
        Expectation::Never { interface, target } => {
            !(answers && request.interface == *interface && target.contains(&IpAddr::V4(request.target)))
        }
        Expectation::NothingBut { interface, target, among } => {
            !(answers
                && request.interface != *interface
                && among.contains(&request.interface)
                && target.contains(&IpAddr::V4(request.target)))
        }
        _ => true,
    }
}

#[test]
fn sampling_never_contradicts_a_proof_and_counter_examples_are_real() {
    let (mut proved, mut refuted, mut open) = (0, 0, 0);
    for seed in 0..1_500 {
        let host = random_host(seed).0;
        let model = Model::of(&host);
        let mut prover = Prover::of(&host);
        let mut rng = Rng(seed ^ 0x5555);
        let ports: Vec<IfIndex> = host.interfaces.iter().skip(1).map(|port| port.index).collect();
        for _ in 0..6 {
            let interface = rng.pick(&ports);
            let length = rng.pick(&[32, 32, 24, 8]);
            let net = Ipv4Net::new(any_address(&mut rng, &host), length).unwrap().trunc();
            let target = IpNet::V4(net);
            let claim = if rng.one_in(2) {
                Expectation::Never { interface, target }
            } else {
                Expectation::NothingBut { interface, target, among: ports.clone() }
            };
            match prover.prove(&claim) {
                Proof::Proved { .. } => {
                    proved += 1;
                    for _ in 0..60 {
                        let mut request = any_request(&mut rng, &host);
                        if rng.one_in(2) {
                            request.target = net.addr();
                        }
                        assert!(says(&claim, &request, &model), "seed {seed}: {claim:?} but {request:?}");
                    }
                }
                Proof::Refuted(contradiction) => {
                    refuted += 1;
                    for evidence in &contradiction.evidence {
                        let Evidence::Request { request: Request::Arp(request), verdict } = evidence else {
                            panic!("{evidence:?}")
                        };
                        assert_eq!(model.reply(request), *verdict, "seed {seed}");
                        assert!(!says(&claim, request, &model), "seed {seed}: {claim:?} {contradiction}");
                    }
                }
                Proof::Undetermined { request, .. } => {
                    open += 1;
                    assert_eq!(model.answer(&request).answers(), None, "seed {seed}");
                }
            }
        }
    }
    assert!(
        proved > 1_000 && refuted > 1_000 && open > 20,
        "{proved} proved, {refuted} refuted, {open} open"
    );
}

#[test]
fn flux_is_refuted_and_the_cure_is_proved() {
    let mut host = hardware_node();
    let wire = [IfIndex(2), IfIndex(3), IfIndex(4)];
    let claims = Expectation::for_wire(&host.0, &wire);
    assert_eq!(claims.len(), 5);
    let mut prover = Prover::of(&host.0);
    for claim in &claims {
        let Proof::Refuted(contradiction) = prover.prove(claim) else { panic!("{claim:?}") };
        assert_eq!(contradiction.evidence.len(), 2, "{contradiction}");
        // Whoever asks in them may exist: a host of the subnet, neither its first nor its last address.
        for evidence in &contradiction.evidence {
            let Evidence::Request { request: Request::Arp(request), .. } = evidence else {
                panic!("{contradiction}")
            };
            let [a, b, c, last] = request.sender.octets();
            assert!([a, b, c] == [192, 168, 18] && !matches!(last, 0 | 10..=12 | 255), "{contradiction}");
        }
    }
    // arp_ignore cures the host's own addresses only.
    for interface in [2, 3, 4] {
        host.set(interface, Sysctl::ArpIgnore, 1);
    }
    let mut prover = Prover::of(&host.0);
    let holds: Vec<_> = claims.iter().map(|claim| prover.prove(claim).holds()).collect();
    assert_eq!(holds, [Some(true), Some(true), Some(true), Some(false), Some(false)]);
    // One entry for each container cures the rest.
    host.0.proxies.retain(|entry| {
        entry.interface == Some(IfIndex(if entry.address.to_string().ends_with("101") { 3 } else { 4 }))
    });
    let mut prover = Prover::of(&host.0);
    for claim in &claims {
        let proof = prover.prove(claim);
        assert_eq!(proof.holds(), Some(true), "{claim:?}: {proof:?}");
    }
    let never = Expectation::Never { interface: IfIndex(2), target: "192.168.18.100/30".parse().unwrap() };
    assert_eq!(prover.prove(&never).holds(), Some(true));
    // Without source routing packets from eth3's address leave by eth0.
    let egress = Expectation::own_egress(&host.0, &wire);
    let holds: Vec<_> = egress.iter().map(|claim| prover.prove(claim).holds()).collect();
    assert_eq!(holds, [Some(true), Some(false), Some(false)]);
    // Nor do a container's packets, until a rule sends them by its own interface.
    let container = Expectation::LeavesBy {
        source: "192.168.18.101".parse().unwrap(),
        interface: IfIndex(3),
        among: wire.to_vec(),
    };
    host.address(5, "192.168.19.1", 32, Scope::UNIVERSE);
    host.set(5, Sysctl::Forwarding, 1);
    let Proof::Refuted(contradiction) = Prover::of(&host.0).prove(&container) else { panic!("not refuted") };
    assert!(contradiction.sentence.contains("leaves by eth0"), "{contradiction}");
    host.route(101, RouteKind::Unicast, "0.0.0.0/0", 3, Scope::LINK);
    let mut by_source = Rule::lookup(100, 101);
    by_source.source = Some("192.168.18.101/32".parse().unwrap());
    host.0.rules.insert(1, by_source);
    host.0.routing.rules_changed = Some(true);
    let proof = Prover::of(&host.0).prove(&container);
    assert!(matches!(proof, Proof::Proved { cases } if cases > 5), "{proof:?}");
}

#[test]
fn what_two_of_a_wire_answer_for_is_claimed_wherever_it_is_held() {
    let host = Builder::new().nic("eth0", &["192.168.18.10/24"]).nic("eth3", &["192.168.18.11/24"]);
    let host = host.nic("lan", &["172.17.0.1/16"]);
    let about = |host: Builder| {
        let host = host.build().unwrap();
        let target: IpAddr = "172.17.0.1".parse().unwrap();
        let claims = Claims::by_wire(&host, &listeners(&host), Targets::One(target)).unwrap();
        claims.claims.iter().map(|claim| claim.proof.holds()).collect::<Vec<_>>()
    };
    // By lan alone, and by both of the other wire.
    assert_eq!(about(host.clone()), [Some(true), Some(false)]);
    assert_eq!(about(host.sysctl("eth0", Sysctl::ArpIgnore, 1)), [Some(true)]);
}

/// Two cards of one wire, both with an entry for a container's IPv6 address.
fn dual_stack() -> Builder {
    let forwards = |interface: &mut Interface| {
        (interface.ipv6.forwarding, interface.ipv6.proxy_ndp) = (Some(1), Some(1));
    };
    Builder::new()
        .nic("eth0", &["192.168.18.10/24", "2001:db8:18::10/64", "fe80::10/64"])
        .nic("eth3", &["192.168.18.11/24", "2001:db8:18::11/64", "fe80::11/64"])
        .with("eth0", forwards)
        .with("eth3", forwards)
        .proxy("2001:db8:18::101", Some("eth0"))
        .proxy("2001:db8:18::101", Some("eth3"))
}

#[test]
fn claims_about_ipv6_are_decided_on_the_wires_that_ipv4_is() {
    let mut host = dual_stack().neighbour_discovery().build().unwrap();
    let published: IpAddr = "2001:db8:18::101".parse().unwrap();
    let claims = Claims::by_wire(&host, &listeners(&host), Targets::All).unwrap();
    let of = |claims: &Claims, target: &str| {
        let target: IpAddr = target.parse().unwrap();
        let about = |claim: &&Claim| match claim.expectation {
            Expectation::ExactlyOne { target: other, .. } => other == target,
            _ => false,
        };
        claims.claims.iter().find(about).map(|claim| (claim.proof.holds(), claim.reason()))
    };
    assert_eq!(claims.claims.len(), 5, "{claims:?}");
    assert_eq!(of(&claims, "2001:db8:18::10").unwrap().0, Some(true));
    assert_eq!(of(&claims, "fe80::10"), None);
    assert_eq!(
        claims.not_covered,
        ["solicitations by unicast", "2 link-local IPv6 addresses, which an interface has for itself"]
    );
    let (holds, why) = of(&claims, "2001:db8:18::101").unwrap();
    assert!(holds == Some(false) && why.contains("two interfaces answer for 2001:db8:18::101"), "{why}");
    let of_family = |targets| Claims::by_wire(&host, &listeners(&host), targets).unwrap();
    let (ipv4, ipv6) = (of_family(Targets::Ipv4), of_family(Targets::Ipv6));
    assert_eq!((ipv4.claims.as_slice(), ipv6.claims.as_slice()), claims.claims.split_at(2));
    assert!(ipv4.not_covered.is_empty() && ipv6.not_covered == claims.not_covered);
    // An ordinary host of the subnet asks; whoever is known there, where somebody is.
    assert!(why.contains("to 2001:db8:18::ff99 with"), "{why}");
    let client: IpAddr = "2001:db8:18::129".parse().unwrap();
    let known =
        Neighbour::new(client, IfIndex(2), Some("02:00:00:00:09:09".parse().unwrap()), NeighbourState(4));
    host.neighbours.push(known);
    let alone = Claims::by_wire(&host, &listeners(&host), Targets::One(published)).unwrap();
    let (_, why) = of(&alone, "2001:db8:18::101").unwrap();
    assert!(alone.claims.len() == 1 && why.contains("to 2001:db8:18::129 with"), "{why}");
    let link_local =
        Claims::by_wire(&host, &listeners(&host), Targets::One("fe80::10".parse().unwrap())).unwrap();
    assert_eq!(of(&link_local, "fe80::10").unwrap().0, Some(true));
    // One entry less cures it.
    host.proxies.retain(|entry| entry.interface == Some(IfIndex(3)));
    let mut prover = Prover::of(&host);
    let mut holds = |claim: Expectation| prover.prove(&claim).holds();
    assert_eq!(holds(Expectation::ExactlyOne { target: published, among: Vec::new() }), Some(true));
    assert_eq!(holds(Expectation::Answers { interface: IfIndex(3), target: published }), Some(true));
    let never = |prefix: &str| Expectation::Never { interface: IfIndex(2), target: prefix.parse().unwrap() };
    assert_eq!(holds(never("2001:db8:18::100/120")), Some(true));
    assert_eq!(holds(never("2001:db8:18::/64")), Some(false));
    assert_eq!(holds(never("::/0")), Some(false));
}

/// A filter lets one neighbour through, which is known: nobody stands for it, and it counts all the same.
#[test]
fn who_is_known_and_fares_as_nobody_else_is_asked_about() {
    let client = "2001:db8:18::129";
    let bytes = Bytes(client.parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec());
    let drop = vec![
        Expression::Load { header: Header::Network, offset: 8, len: 16, register: 4 },
        Expression::Compare { register: 4, by: Comparison::NotEqual, value: bytes },
        Expression::Decide { verdict: filter::Verdict::Drop },
    ];
    let chain = Chain::at(Hook::Input, Family::Ip6, "t", "input").rules(vec![drop]);
    let host =
        dual_stack().neighbour(client, "eth0", "02:00:00:00:09:09").filter(chain).neighbour_discovery();
    let host = host.build().unwrap();
    let mut prover = Prover::of(&host);
    let target = "2001:db8:18::10/128".parse().unwrap();
    let Proof::Refuted(refuted) = prover.prove(&Expectation::Never { interface: IfIndex(2), target }) else {
        panic!("not refuted")
    };
    let Some(Evidence::Request { request, .. }) = refuted.evidence.first() else { panic!("{refuted}") };
    let mac = "02:00:00:00:09:09".parse().ok();
    assert_eq!((request.sender(), request.sender_mac()), (client.parse().unwrap(), mac), "{refuted}");
}

/// The size that the claims about speed are made for: 16 interfaces, 1,000 addresses or prefixes, 10,000
/// proxy entries, source routing for all.
fn large_host() -> Host {
    let mut host = Host::new();
    for index in 2..18_u32 {
        host.up(index, &format!("eth{index}"));
        host.set(index, Sysctl::Forwarding, 1);
        host.set(index, Sysctl::ArpIgnore, if index % 4 == 0 { 2 } else { 1 });
        for subnet in 0..20 {
            host.address(index, &format!("10.{index}.{subnet}.1"), 24, Scope::UNIVERSE);
            host.route(100 + index, RouteKind::Unicast, "0.0.0.0/0", index, Scope::UNIVERSE);
            let mut by_source = Rule::lookup(1000 + index * 20 + subnet, 100 + index);
            by_source.source = Some(IpNet::V4(format!("10.{index}.{subnet}.1/32").parse().unwrap()));
            host.0.rules.push(by_source);
        }
    }
    host.0.rules.sort_by_key(|rule| rule.priority);
    host.0.routing.rules_changed = Some(true);
    host.interface(18, "venet0", InterfaceFlags::UP | InterfaceFlags::NOARP);
    for prefix in 0..360 {
        let net = format!("172.{}.{}.0/24", 16 + prefix / 200, prefix % 200);
        host.route(table::MAIN, RouteKind::Unicast, &net, 2 + prefix % 16, Scope::UNIVERSE);
    }
    host.route(table::MAIN, RouteKind::Unicast, "10.200.0.0/16", 18, Scope::LINK);
    for entry in 0..10_000_u32 {
        host.proxy(&format!("10.200.{}.{}", entry / 250, entry % 250), Some(2 + entry % 16));
    }
    host
}

#[test]
fn classes_grow_with_what_differs_and_not_with_what_there_is() {
    let host = large_host().0;
    let wire: Vec<IfIndex> = (2..18).map(IfIndex).collect();
    let begin = std::time::Instant::now();
    let mut prover = Prover::of(&host);
    let claims = Expectation::for_wire(&host, &wire);
    assert_eq!(claims.len(), 10_320);
    let mut proofs = Vec::new();
    for claim in &claims {
        proofs.push(prover.prove(claim));
    }
    let took = begin.elapsed();
    let proved = proofs.iter().filter(|proof| proof.holds() == Some(true)).count();
    assert_eq!(proved, claims.len(), "{:?}", proofs.iter().find(|proof| proof.holds() != Some(true)));
    let requests: usize = wire.iter().map(|index| prover.representatives(*index).len()).sum();
    println!("{} claims, {requests} representatives, {took:?}", claims.len());
    assert!(requests < 2_000_000, "{requests}");
}
