//! Proofs about IPv6 addresses on the running kernel: what was proved shows no exception to senders and targets drawn at
//! random, and every counter-example comes true.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv6Addr};

use arpflux_core::predict::{Model, Request, Solicitation, listeners};
use arpflux_core::proof::{Evidence, Expectation, Proof, Prover};
use arpflux_core::snapshot::Snapshot;
use arpflux_core::types::{IfIndex, IpNet, Ipv6Net, Mac};

use super::{Ask, CHUNK, Interesting, QUIET, ask_all, expected, on_a_wire, setting};
use crate::case::{Case, Command};
use crate::host::{Host, decides};
use crate::rng::Rng;

/// The host of a seed, whose proxied answers come at once and whose addresses are not detected; with rules, some senders
/// are told from their like besides.
fn draw(seed: u64, with_rules: bool) -> Case {
    let case = Case::draw(seed);
    let mut case = if with_rules { case.with_rules() } else { case };
    let mut rng = Rng::new(seed ^ 0xabcd);
    for _ in 0..if with_rules { 3 } else { 0 } {
        let net = rng.pick(&["fe80::", "2001:db8:1::", "2001:db8:2::", "fd00:5::"]);
        let source = format!("{net}{:x}/{}", rng.below(12), rng.one_of(&[128, 126, 64]));
        case.commands.extend(match rng.below(2) {
            0 => vec![Command::Ip(format!("rule add from {source} pref {} blackhole", 7 + rng.below(9)))],
            _ => vec![
                Command::Nft("add table ip6 some".into()),
                Command::Nft("add chain ip6 some in { type filter hook input priority 0; }".into()),
                Command::Nft(format!("add rule ip6 some in ip6 saddr {source} drop")),
            ],
        });
    }
    for command in &mut case.commands {
        if let Command::Sysctl(path, value) = command
            && ["proxy_delay", "accept_dad", "optimistic_dad"].iter().any(|name| path.ends_with(name))
        {
            *value = 0;
        }
    }
    case
}

/// The addresses that its commands name: rules and filters tell these apart from others.
fn named(case: &Case) -> Vec<Ipv6Addr> {
    let of = |command: &Command| -> Vec<Ipv6Addr> {
        let line = command.to_string();
        let words = line.split([' ', '/', ',', '{', '}', '\'']);
        words.filter_map(|word| word.parse().ok()).collect()
    };
    let usual =
        |address: &Ipv6Addr| !address.is_unspecified() && !address.is_multicast() && !address.is_loopback();
    case.commands.iter().flat_map(of).filter(usual).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The interface of the case whose far end is before an interface: itself, its lower one, or its port.
fn before(snapshot: &Snapshot, interface: IfIndex) -> Option<usize> {
    let this = snapshot.interface(interface)?;
    let port = snapshot.interfaces.iter().find(|other| other.master == Some(interface));
    let lower =
        this.link.filter(|_| this.name.to_string() == "mv0").and_then(|link| snapshot.interface(link));
    let name = lower.or(port).unwrap_or(this).name.to_string();
    name.strip_prefix("eth")?.parse().ok()
}

/// One host that is asked, with what it was proved to do.
struct Asked {
    host: Host,
    snapshot: Snapshot,
    number: u32,
}

impl Asked {
    /// For each solicitation, whether its interface answers.
    fn ask(&mut self, model: &Model<'_>, all: &[Solicitation]) -> io::Result<Vec<bool>> {
        let mut answers = Vec::new();
        for chunk in all.chunks(CHUNK) {
            let mut asks = Vec::new();
            for one in chunk {
                self.number += 1;
                let nic =
                    before(&self.snapshot, one.interface).ok_or_else(|| io::Error::other("no far end"))?;
                asks.push(Ask { nic, number: self.number, to: None, source: one.source, target: one.target });
            }
            // How many answers are waited for; a busy machine may be slow.
            let said = asks.iter().filter_map(|ask| {
                let all = ask.solicitations(&self.snapshot);
                expected(&all.iter().map(|one| model.advertise(one)).collect::<Vec<_>>())
            });
            let awaited = said.map(|answers| answers.len()).sum();
            let got = ask_all(&mut self.host, &asks, awaited, QUIET)?;
            let mac = |one: &Solicitation| self.snapshot.interface(one.interface).map(|on| on.mac);
            answers.extend(
                chunk
                    .iter()
                    .zip(got)
                    .map(|(one, got)| got.iter().any(|(from, _): &(Mac, _)| Some(*from) == mac(one))),
            );
        }
        Ok(answers)
    }
}

#[derive(Debug, Default)]
struct Counted {
    hosts: u32,
    restless: u32,
    proved: u32,
    refuted: u32,
    open: u32,
    asked: u32,
    answered: u32,
    shown: u32,
    kinds: BTreeMap<&'static str, u32>,
}

fn claims(snapshot: &Snapshot, among: &[IfIndex], rng: &mut Rng) -> Vec<(&'static str, Expectation)> {
    let mut claims: Vec<(&'static str, Expectation)> = Expectation::for_wire(snapshot, among)
        .into_iter()
        .filter(|claim| matches!(claim, Expectation::ExactlyOne { target: IpAddr::V6(_), .. }))
        .map(|claim| ("exactly one", claim))
        .collect();
    let exactly = claims.clone();
    for (_, claim) in exactly {
        let Expectation::ExactlyOne { target, .. } = claim else { continue };
        let interface = rng.one_of(among);
        claims.push(("answers", Expectation::Answers { interface, target }));
        let length = rng.one_of(&[128, 128, 120, 64, 0]);
        let IpAddr::V6(v6) = target else { continue };
        let net = IpNet::V6(Ipv6Net::new(v6, length).unwrap().trunc());
        claims.push(("never", Expectation::Never { interface, target: net }));
        let target = IpNet::from(target);
        claims.push(("nothing but", Expectation::NothingBut { interface, target, among: among.to_vec() }));
    }
    claims
}

/// The interfaces that a proved claim is about, and what is asked for there.
fn about(claim: &Expectation, among: &[IfIndex]) -> (Vec<IfIndex>, IpNet) {
    match claim {
        Expectation::ExactlyOne { target, .. } => (among.to_vec(), IpNet::from(*target)),
        Expectation::Answers { interface, target } => (vec![*interface], IpNet::from(*target)),
        Expectation::Never { interface, target } => (vec![*interface], *target),
        Expectation::NothingBut { interface, target, .. } => {
            (among.iter().copied().filter(|other| other != interface).collect(), *target)
        }
        other => unreachable!("{other:?}"),
    }
}

/// Whether a host of one of the interface's subnets or a link-local one asks.
fn is_neighbour(snapshot: &Snapshot, interface: IfIndex, source: Ipv6Addr) -> bool {
    let within = |net: IpNet| net.prefix_len() < 128 && net.contains(&IpAddr::V6(source));
    source.is_unicast_link_local()
        || snapshot.addresses_of(interface).any(|held| held.local.is_ipv6() && within(held.subnet()))
}

fn prove_host(seed: u64, with_rules: bool, counted: &mut Counted) -> io::Result<()> {
    let case = draw(seed, with_rules);
    let host = Host::build(&case.commands, case.nics, &format!("p{:x}", seed & 0xff_ffff))?;
    let snapshot = host.at_rest()?;
    let mut rng = Rng::new(seed ^ 0x9e37);
    let interesting = Interesting::of(&snapshot, &mut rng);
    let heard = |index: &IfIndex| {
        before(&snapshot, *index).is_some()
            && snapshot.interface(*index).is_some_and(|interface| snapshot.has_carrier(interface))
    };
    let among: Vec<IfIndex> = listeners(&snapshot).into_iter().filter(heard).collect();
    if among.is_empty() {
        return Ok(());
    }
    let model = Model::new(&snapshot).map_err(io::Error::other)?;
    let mut prover = Prover::new(&snapshot).map_err(io::Error::other)?;
    let mut asked = Asked { host, snapshot: snapshot.clone(), number: 0 };
    let fixed: BTreeSet<IpAddr> = snapshot
        .neighbours
        .iter()
        .filter(|entry| entry.state.0 & 0xc0 != 0)
        .map(|entry| entry.address)
        .collect();
    let named = named(&case);
    let mut wrong = Vec::new();
    for (kind, claim) in claims(&snapshot, &among, &mut rng) {
        let proof = prover.prove(&claim);
        let sentence = claim.sentence(&snapshot);
        *counted.kinds.entry(kind).or_default() += u32::from(proof.holds() == Some(true));
        match proof {
            Proof::Proved { .. } => {
                counted.proved += 1;
                let (interfaces, net) = about(&claim, &among);
                let mut all = Vec::new();
                for interface in &interfaces {
                    for _ in 0..12 {
                        let target = match net.prefix_len() {
                            128 => net.addr(),
                            _ => interesting.target(&mut rng).into(),
                        };
                        let IpAddr::V6(target) = target else { continue };
                        let probe = rng.percent(10) && !interesting.fragile.contains(&target);
                        let source = match rng.below(2) {
                            _ if probe => Ipv6Addr::UNSPECIFIED,
                            0 if !named.is_empty() => rng.one_of(&named),
                            _ => interesting.sender(&mut rng),
                        };
                        // Who has a permanent entry asks with its MAC alone.
                        let usual = !fixed.contains(&source.into())
                            && !source.is_loopback()
                            && !source.is_multicast();
                        let said = |other: &Solicitation| other.source == source && other.target == target;
                        if usual && net.contains(&IpAddr::V6(target)) && !all.iter().any(said) {
                            all.push(Solicitation::multicast(*interface, source, target));
                        }
                    }
                }
                let answers = asked.ask(&model, &all)?;
                counted.asked += all.len() as u32;
                counted.answered += answers.iter().filter(|answered| **answered).count() as u32;
                let by: BTreeSet<IfIndex> = all
                    .iter()
                    .zip(&answers)
                    .filter(|(_, answered)| **answered)
                    .map(|(one, _)| one.interface)
                    .collect();
                let silent = all.iter().zip(&answers).find(|(one, answered)| {
                    !**answered
                        && !one.source.is_unspecified()
                        && one.source != one.target
                        && is_neighbour(&snapshot, one.interface, one.source)
                        && (kind == "answers" || by.contains(&one.interface))
                });
                let fine = match kind {
                    "exactly one" => by.len() <= 1 && silent.is_none(),
                    "answers" => silent.is_none(),
                    _ => by.is_empty(),
                };
                if !fine {
                    wrong.push(format!(
                        "seed {seed}: proved: {sentence}: but {by:?} answer, silent: {silent:?}"
                    ));
                }
            }
            Proof::Refuted(contradiction) => {
                counted.refuted += 1;
                for evidence in &contradiction.evidence {
                    let Evidence::Request { request: Request::Solicitation(one), verdict } = evidence else {
                        panic!("{evidence:?}")
                    };
                    assert_eq!(model.advertise(one), *verdict, "seed {seed}: {contradiction}");
                    let probe = one.source.is_unspecified();
                    if one.source_mac.is_some() || (probe && interesting.fragile.contains(&one.target)) {
                        continue;
                    }
                    let answered = asked.ask(&model, &[*one])?[0];
                    counted.shown += 1;
                    if Some(answered) != verdict.answers() {
                        wrong.push(format!("seed {seed}: {sentence}: {contradiction}: answered: {answered}"));
                    }
                }
            }
            Proof::Undetermined { request, .. } => {
                counted.open += 1;
                assert_eq!(model.answer(&request).answers(), None, "seed {seed}: {sentence}");
            }
        }
    }
    if decides(&asked.host.snapshot()?) != decides(&snapshot) {
        counted.restless += 1;
        return Ok(());
    }
    counted.hosts += 1;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn what_is_proved_of_ipv6_holds_and_counter_examples_come_true() {
    let hosts = setting("ARPFLUX_HOSTS", 40);
    let seed = setting("ARPFLUX_SEED", 1);
    let counted = on_a_wire(|| {
        let mut counted = Counted::default();
        for seed in seed..seed + hosts {
            prove_host(seed, seed % 3 != 0, &mut counted)?;
        }
        Ok(counted)
    })
    .unwrap();
    println!("{counted:#?}");
    if hosts >= 40 {
        assert!(counted.proved > 100 && counted.refuted > 100 && counted.shown > 100, "{counted:?}");
        assert!(counted.answered * 20 > counted.asked && counted.asked > 2_000, "{counted:?}");
        for kind in ["exactly one", "answers", "never", "nothing but"] {
            assert!(counted.kinds.get(kind).is_some_and(|proved| *proved >= 5), "{kind}: {counted:?}");
        }
        assert!(counted.restless * 5 < counted.hosts, "{counted:?}");
    }
}
