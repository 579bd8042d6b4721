//! Hosts as people reported them, built on the running kernel: what is found, that the remedy cures it, and that
//! every request on the wire fares as the model says, before and afterwards. And healthy hosts, in which nothing
//! is found.
#![allow(missing_docs, reason = "a test")]

mod discovery;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use arpflux_core::diagnose::{Diagnosis, Finding, FindingId, Options, Severity};
use arpflux_core::kernel::{Kernel as _, LinuxKernel};
use arpflux_core::predict::{ArpRequest, Model, Neighbours, Verdict, ipv4_targets};
use arpflux_core::recommend::recommend;
use arpflux_core::segment::Wires;
use arpflux_core::snapshot::{Interface, LinkKind, Snapshot};
use arpflux_core::state::Change;
use arpflux_core::types::{IfName, Mac};
use arpflux_core::{Policy, diagnose};
use arpflux_lab::{Host, Lab, Question};
use arpflux_tests::iproute::run;
use serde::Deserialize;

use discovery::PEER;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    title: String,
    /// Rows of the collected reports that it stands for.
    #[serde(default)]
    rows: Vec<u32>,
    /// NICs, each list on one switch.
    wires: Vec<Vec<String>>,
    /// Words of `ip`, or `sysctl NAME=VALUE` below net/ipv4, `sysctl6 NAME=VALUE` below net/ipv6/conf.
    #[serde(rename = "do")]
    commands: Vec<String>,
    /// Whether to tell who shares a wire: `wires`.
    #[serde(default)]
    told: bool,
    /// A policy that the host should follow, in TOML.
    follows: Option<String>,
    /// Whether the NICs lose requests that come all at once, before the cure.
    #[serde(default)]
    drops: bool,
    /// Everything that is found.
    #[serde(default)]
    findings: BTreeSet<FindingId>,
    /// The finding whose plan is made.
    cure: Option<FindingId>,
    /// A policy that is made so instead, in TOML.
    policy: Option<String>,
    /// What the remedy says in words, as commands.
    #[serde(default)]
    by_hand: Vec<String>,
    /// What is found afterwards.
    #[serde(default)]
    remain: BTreeSet<FindingId>,
    /// What is found after the recommended policy, where that is something else than `remain`.
    recommended: Option<BTreeSet<FindingId>>,
    /// What stands in the way of any policy, where no policy is recommended.
    recommend_refuses: Option<String>,
    /// Addresses that are asked for besides the host's own and proxied ones.
    #[serde(default)]
    ask: Vec<Ipv4Addr>,
    /// Which NICs answer for an address afterwards.
    #[serde(default)]
    answers: BTreeMap<IpAddr, BTreeSet<String>>,
}

fn scenarios(folder: &str) -> Vec<(String, Scenario)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(folder);
    let only = std::env::var("ARPFLUX_SCENARIO").ok();
    let mut found: Vec<(String, Scenario)> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let scenario =
                toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path.file_stem().unwrap().to_string_lossy().into_owned(), scenario)
        })
        .filter(|(name, _)| only.as_ref().is_none_or(|only| name.contains(only.as_str())))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

/// A host on the running kernel.
struct Built<'s> {
    scenario: &'s Scenario,
    host: Host,
    /// A neighbour on each wire, of hosts with IPv6 addresses.
    peers: Vec<Host>,
    _lab: Lab,
}

fn build(scenario: &Scenario) -> Built<'_> {
    let lab = Lab::new().unwrap();
    let host = lab.host("host").unwrap();
    let with_ipv6 = scenario.commands.iter().any(|command| command.contains("::"));
    let mut peers = Vec::new();
    for (number, nics) in scenario.wires.iter().enumerate() {
        let switch = lab.switch(&format!("wire{number}")).unwrap();
        for nic in nics {
            host.plug(&switch, nic, Mac::NONE).unwrap();
        }
        if with_ipv6 {
            let peer = lab.host(&format!("peer{number}")).unwrap();
            peer.plug(&switch, "eth0", Mac::NONE).unwrap();
            peer.ipv6().unwrap();
            peer.address("eth0", &format!("{PEER}/64")).unwrap();
            peers.push(peer);
        }
    }
    if with_ipv6 {
        host.ipv6().unwrap();
    }
    let built = Built { scenario, host, peers, _lab: lab };
    built.carry_out(&scenario.commands);
    built
}

impl Built<'_> {
    fn carry_out(&self, commands: &[String]) {
        for command in commands {
            if let Some((name, value)) = command.strip_prefix("sysctl6 ").and_then(|set| set.split_once('='))
            {
                self.host.sysctl(&format!("net/ipv6/conf/{name}"), value).unwrap();
                continue;
            }
            match command.strip_prefix("sysctl ") {
                Some(setting) => {
                    let (name, value) = setting.split_once('=').unwrap();
                    self.host.sysctl(&format!("net/ipv4/{name}"), value).unwrap();
                }
                None if command.starts_with("nft ") => drop(self.host.run(|| run(command)).unwrap()),
                None => drop(self.host.run(|| run(&format!("ip {command}"))).unwrap()),
            }
        }
        if !self.peers.is_empty() {
            self.detect_duplicates();
        }
    }

    fn snapshot(&self) -> Snapshot {
        self.host.run(|| LinuxKernel::open().unwrap().snapshot().unwrap()).unwrap()
    }

    fn make(&self, changes: &[Change]) {
        self.host
            .run(|| {
                if let Err(failed) = LinuxKernel::open().unwrap().make(changes) {
                    panic!("{}: {}", changes[failed.at], failed.error);
                }
            })
            .unwrap();
    }

    fn options(&self) -> Options {
        let names = |nics: &Vec<String>| nics.iter().map(|nic| nic.parse::<IfName>().unwrap()).collect();
        let told = || Wires::new(self.scenario.wires.iter().map(names)).unwrap();
        let follows = self.scenario.follows.as_deref();
        Options::default()
            .policy(follows.map(|text| Policy::from_toml(text, "policy.toml").unwrap()))
            .wires(self.scenario.told.then(told))
    }

    fn diagnose(&self, snapshot: &Snapshot) -> Diagnosis {
        let diagnosis = diagnose::diagnose(snapshot, &self.options()).unwrap();
        for finding in &diagnosis.findings {
            well_written(finding);
        }
        diagnosis
    }

    /// Asks every NIC for everything, as a neighbour and as a probe, and compares. Gives who answers the
    /// neighbour, by address. With `drops` some answers must be missing, and none else may differ.
    fn wire(&self, snapshot: &Snapshot, drops: bool) -> BTreeMap<IpAddr, BTreeSet<String>> {
        let model = Model::new(snapshot).unwrap();
        let mut neighbours = Neighbours::new(snapshot);
        let mut asked: Vec<Ipv4Addr> = ipv4_targets(snapshot);
        asked.extend(&self.scenario.ask);
        let mut answering: BTreeMap<IpAddr, BTreeSet<String>> = self.discovery(snapshot);
        let mut dropped = 0;
        for nic in self.scenario.wires.iter().flatten() {
            let Some(interface) = snapshot.interface_named(&nic.parse().unwrap()) else { continue };
            let mut questions = Vec::new();
            let mut verdicts = Vec::new();
            for target in &asked {
                for sender in [neighbours.of(interface.index, *target), Ipv4Addr::UNSPECIFIED] {
                    questions.push(Question::new(sender, *target));
                    verdicts.push(model.reply(&ArpRequest::broadcast(interface.index, sender, *target)));
                }
            }
            let delay = |verdict: &Verdict| match verdict {
                Verdict::Answers { delay: Some(delay), .. } => delay.below_ms + 50,
                _ => 0,
            };
            // The kernel hands broadcasts to macvlans later, from a work queue.
            let macvlan = snapshot
                .interfaces
                .iter()
                .any(|other| other.kind.as_ref().map(LinkKind::name) == Some("macvlan"));
            let queued = if macvlan { 500 } else { 0 };
            let wait = Duration::from_millis(verdicts.iter().map(delay).max().unwrap_or(0).max(queued));
            let answers = self.host.asker(nic).unwrap().ask(&questions, wait).unwrap();
            for ((question, verdict), answers) in questions.iter().zip(&verdicts).zip(answers) {
                let macs: BTreeSet<Mac> = answers.iter().map(|answer| answer.mac).collect();
                // A macvlan on top of the NIC gets the request as well.
                let above = snapshot.interfaces.iter().filter(|other| {
                    other.kind.as_ref().map(LinkKind::name) == Some("macvlan")
                        && other.link == Some(interface.index)
                });
                let also = above.map(|other| {
                    let request = ArpRequest::broadcast(other.index, question.sender, question.target);
                    model.reply(&request)
                });
                let expected: BTreeSet<Mac> = std::iter::once(*verdict)
                    .chain(also)
                    .filter_map(|verdict| match verdict {
                        Verdict::Answers { mac, .. } => Some(mac),
                        Verdict::Silent { .. } => None,
                        Verdict::Undetermined { missing } => panic!("{nic}, {question:?}: {missing}"),
                    })
                    .collect();
                if drops && macs.is_empty() && matches!(verdict, Verdict::Answers { delay: Some(_), .. }) {
                    dropped += 1;
                    continue;
                }
                assert_eq!(
                    macs, expected,
                    "{nic} asked by {} for {}: {verdict}",
                    question.sender, question.target
                );
                if !question.sender.is_unspecified() {
                    let who = answering.entry(question.target.into()).or_default();
                    for mac in macs {
                        // A bridge has the MAC of its first port.
                        let has = |other: &&Interface| other.mac == mac;
                        let named =
                            snapshot.interfaces.iter().filter(has).max_by_key(|other| other.master.is_none());
                        who.extend(named.map(|other| other.name.to_string()));
                    }
                }
            }
        }
        assert_eq!(dropped > 0, drops, "{dropped} requests were dropped");
        answering
    }
}

/// What every finding owes its reader.
fn well_written(finding: &Finding) {
    let id = finding.id;
    for sentence in [&finding.what, &finding.why, &finding.remedy] {
        assert!(sentence.len() > 20 && sentence.ends_with('.'), "{id}: {sentence:?}");
        assert!(sentence.starts_with(|first: char| !first.is_ascii_punctuation()), "{id}: {sentence:?}");
        assert!(!sentence.contains("  ") && !sentence.contains(" ,"), "{id}: {sentence:?}");
    }
    assert!(!finding.evidence.is_empty(), "{id} rests on nothing");
    assert!(finding.plan.as_ref().is_none_or(|plan| !plan.is_empty()), "{id} has an empty plan");
    assert_eq!(finding.remedy_changes.is_some(), finding.plan.is_some(), "{id}");
    let json = serde_json::to_value(finding).unwrap();
    assert_eq!(json["id"], id.to_string());
    assert!(finding.to_string().contains(&finding.what));
}

fn ids(diagnosis: &Diagnosis) -> BTreeSet<FindingId> {
    diagnosis.findings.iter().map(|finding| finding.id).collect()
}

/// Findings whose remedy is a policy for the interfaces of a wire: what `recommend` is for.
const OF_A_WIRE: [FindingId; 9] = [
    FindingId::SeveralAnswer,
    FindingId::SelfConflict,
    FindingId::TeachesWrongMac,
    FindingId::FilterWithoutRouting,
    FindingId::NobodyAnswers,
    FindingId::RpFilterSilences,
    FindingId::ProxySeveral,
    FindingId::Ipv6ProxySeveral,
    FindingId::EgressSameWire,
];

/// The same host, cured by the policy that is recommended for it.
fn recommended(scenario: &Scenario) {
    let built = build(scenario);
    let before = built.snapshot();
    if let Some(what) = &scenario.recommend_refuses {
        let error = recommend(&before).expect_err("a refusal");
        let told = error.object() == what || error.message().contains(what.as_str());
        assert!(told && error.remedy().is_some(), "{error}");
        return;
    }
    let recommendation = recommend(&before).unwrap();
    built.make(&recommendation.plan.changes);
    let after = built.snapshot();
    let left = built.diagnose(&after);
    let expected = scenario.recommended.as_ref().unwrap_or(&scenario.remain);
    assert_eq!(ids(&left), *expected, "left: found after the recommended policy\n{left}");
    built.wire(&after, false);
}

fn sick_host(scenario: &Scenario) {
    let built = build(scenario);
    let before = built.snapshot();
    let diagnosis = built.diagnose(&before);
    assert_eq!(ids(&diagnosis), scenario.findings, "left: found\n{diagnosis}");
    built.wire(&before, scenario.drops);
    if let Some(cure) = scenario.cure {
        let finding =
            diagnosis.findings.iter().find(|finding| finding.id == cure).expect("the finding that cures");
        let plan = finding.plan.as_ref().unwrap_or_else(|| panic!("{cure} has no plan\n{diagnosis}"));
        built.make(&plan.changes);
    }
    if let Some(policy) = &scenario.policy {
        let plan = Policy::from_toml(policy, "policy.toml").unwrap().plan(&built.snapshot()).unwrap();
        built.make(&plan.changes);
    }
    built.carry_out(&scenario.by_hand);
    let after = built.snapshot();
    let cured = built.diagnose(&after);
    assert_eq!(ids(&cured), scenario.remain, "left: found afterwards\n{cured}");
    let answering = built.wire(&after, false);
    for (address, expected) in &scenario.answers {
        assert_eq!(answering.get(address), Some(expected), "who answers for {address} afterwards");
    }
}

#[test]
fn sick_hosts_are_found_cured_and_answer_right_afterwards() {
    let mut rows: BTreeSet<u32> = BTreeSet::new();
    let mut failed = Vec::new();
    let mut done = 0;
    for (name, scenario) in scenarios("sick") {
        assert!(!scenario.findings.is_empty() && !scenario.rows.is_empty(), "{name}: {}", scenario.title);
        let treated = scenario.cure.is_some() || scenario.policy.is_some() || !scenario.by_hand.is_empty();
        assert!(treated && scenario.findings != scenario.remain, "{name} is not treated");
        rows.extend(&scenario.rows);
        let result = std::panic::catch_unwind(|| sick_host(&scenario));
        if let Err(panic) = result {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".into());
            failed.push(format!("== {name}: {}\n{text}", scenario.title));
        }
        done += 1;
    }
    assert!(failed.is_empty(), "{} of {done} failed:\n{}", failed.len(), failed.join("\n"));
    println!("{done} sick hosts, {} rows", rows.len());
    assert!(std::env::var_os("ARPFLUX_SCENARIO").is_some() || rows.len() >= 30, "only {} rows", rows.len());
    assert!(done > 0);
}

#[test]
fn the_recommended_policy_cures_what_a_policy_can() {
    let mut failed = Vec::new();
    let mut done = 0;
    for (name, scenario) in scenarios("sick") {
        let of_a_wire = scenario.findings.iter().any(|id| OF_A_WIRE.contains(id));
        // `recommend` takes what shares a wire from the subnets.
        if !of_a_wire || scenario.told {
            continue;
        }
        if let Err(panic) = std::panic::catch_unwind(|| recommended(&scenario)) {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".into());
            failed.push(format!("== {name}: {}\n{text}", scenario.title));
        }
        done += 1;
    }
    assert!(failed.is_empty(), "{} of {done} failed:\n{}", failed.len(), failed.join("\n"));
    println!("{done} recommended policies");
    assert!(std::env::var_os("ARPFLUX_SCENARIO").is_some() || done >= 20, "only {done}");
}

#[test]
fn healthy_hosts_give_no_alarm() {
    let mut failed = Vec::new();
    let mut done = 0;
    for (name, scenario) in scenarios("healthy") {
        let result = std::panic::catch_unwind(|| {
            let built = build(&scenario);
            let snapshot = built.snapshot();
            let diagnosis = built.diagnose(&snapshot);
            assert_eq!(diagnosis.at_least(Severity::Warning).count(), 0, "{diagnosis}");
            assert_eq!(ids(&diagnosis), scenario.findings, "left: found\n{diagnosis}");
            let answering = built.wire(&snapshot, false);
            for (address, expected) in &scenario.answers {
                assert_eq!(answering.get(address), Some(expected), "who answers for {address}");
            }
        });
        if let Err(panic) = result {
            let text = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".into());
            failed.push(format!("== {name}: {}\n{text}", scenario.title));
        }
        done += 1;
    }
    assert!(failed.is_empty(), "{} of {done} failed:\n{}", failed.len(), failed.join("\n"));
    println!("{done} healthy hosts");
    assert!(std::env::var_os("ARPFLUX_SCENARIO").is_some() || done >= 15, "only {done} healthy hosts");
}

#[test]
fn every_finding_has_its_scenario() {
    let shown: BTreeSet<FindingId> = ["sick", "healthy"]
        .iter()
        .flat_map(|folder| scenarios(folder))
        .flat_map(|(_, scenario)| scenario.findings)
        .collect();
    let without: Vec<String> =
        FindingId::ALL.iter().filter(|id| !shown.contains(id)).map(ToString::to_string).collect();
    // More than 10,000 entries take the kernel a while, and files of a host are no matter of the wire: both are
    // tested beside the sources, on made-up snapshots.
    assert_eq!(without, ["AF017", "AF030", "AF031", "AF032"]);
}
