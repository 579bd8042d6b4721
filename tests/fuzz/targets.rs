//! What is fuzzed: bytes in, how much of them was understood out.

use std::ops::ControlFlow;
use std::sync::LazyLock;

use crate::fuzz;
use arpflux_capture::{Content, Known, Limits, LinkType, Read, Record, Source, Table, read};
use arpflux_core::frame::{Arp, Ethernet, Ipv4, Ipv6, Printed};
use arpflux_core::predict::{ArpRequest, Event, Matrix};
use arpflux_core::proof::{Expectation, Prover};
use arpflux_core::report::{html, metrics};
use arpflux_core::segment::{self, Member};
use arpflux_core::types::IfIndex;
use arpflux_core::{Model, Plan, Policy, Result, Snapshot, Stop, diagnose, harm, recommend, verify};

/// No input may take more. Most of it is the table's fixed part and what unpacking gzip takes.
pub const MOST_MEMORY: usize = 4 << 20;

/// What unpacking may take: the 128 MiB that a file may ask for at most, and its tables.
pub const MOST_UNPACKING: usize = 144 << 20;

/// The smallest buffer: the fuzzer makes many sources.
const BUFFER: usize = 1;

/// Everything that reads a frame.
pub fn fuzz_frame(bytes: &[u8]) -> u64 {
    let mut understood = 0;
    if let Ok(ethernet) = Ethernet::parse(bytes) {
        understood += ethernet.tags.iter().count() as u64;
        understood += u64::from(Arp::parse(ethernet.payload).is_ok_and(|arp| arp.ipv4().is_some()));
        understood += u64::from(Ipv4::parse(ethernet.payload).is_ok_and(|packet| packet.echo().is_some()));
        if let Ok(packet) = Ipv6::parse(ethernet.payload) {
            understood += 1 + u64::from(packet.ndp().is_ok());
        }
    }
    let _ = Printed(bytes).to_string();
    for link_type in (0..300).map(LinkType).filter(|link_type| link_type.is_read()) {
        let data = &bytes[..bytes.len().min(Record::PREFIX)];
        let length = bytes.len() as u32;
        let record = Record {
            number: 1,
            time: None,
            link_type,
            interface: 0,
            data,
            captured: length,
            original: length,
        };
        if let Read::Sighting(sighting) = read(&record) {
            understood += 1;
            if let Content::Arp(arp) = sighting.content {
                assert!(arp.sender_protocol.len() == 4 && arp.target_protocol.len() == 4);
            }
        }
    }
    understood
}

/// A capture file, to the end or to where it is damaged; one in 64 also through the table.
fn capture(bytes: &[u8]) -> u64 {
    let Ok(mut source) = Source::with_buffer(bytes, BUFFER) else { return 0 };
    let mut frames = 0;
    let _ = source.for_each(|sighting| {
        frames += 1;
        assert!(sighting.source.len() <= 32 && sighting.destination.len() <= 32);
        ControlFlow::Continue(())
    });
    assert!(source.counts().sightings == frames && source.counts().records >= frames);
    if bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>() % 64 == 0 {
        let limits = Limits { addresses: 8, further_macs: 4, macs_per_address: 3 };
        let mut table = Table::new(limits);
        if let Ok(mut source) = Source::with_buffer(bytes, BUFFER) {
            let _ = source.read_into(&mut table);
        }
        let report = table.report(&Known::default());
        assert!(report.addresses.len() <= 8);
        assert!(report.addresses.iter().all(|address| address.macs.len() <= 3));
        assert!(report.timeline().ends_with("</svg>\n"));
    }
    frames
}

/// Classic pcap, and gzip around it.
pub fn fuzz_pcap(bytes: &[u8]) -> u64 {
    capture(bytes)
}

/// zstd, xz and lz4 around a capture.
pub fn fuzz_packed(bytes: &[u8]) -> u64 {
    capture(bytes)
}

/// pcapng.
pub fn fuzz_pcapng(bytes: &[u8]) -> u64 {
    capture(bytes)
}

/// What tcpdump prints.
pub fn fuzz_text(bytes: &[u8]) -> u64 {
    capture(bytes)
}

/// A host of the corpus, for what is read beside one.
static HOST: LazyLock<Snapshot> =
    LazyLock::new(|| Snapshot::from_json(include_str!("corpus/snapshot/node")).unwrap());

/// A policy of the corpus.
static POLICY: LazyLock<Policy> =
    LazyLock::new(|| Policy::from_toml(include_str!("corpus/policy/host.toml"), "corpus").unwrap());

/// Whether what was read goes through the pure stages, too: they take a thousand times as long as reading. The same for
/// the same input; `ARPFLUX_FUZZ_STAGES=1000` is for one input of a thousand, and without it, for each.
fn staged(bytes: &[u8]) -> bool {
    static ONE_OF: LazyLock<u64> = LazyLock::new(|| fuzz::setting("ARPFLUX_FUZZ_STAGES", 1));
    bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>() % *ONE_OF == 0
}

/// A policy, TOML or JSON. What is read is written, and read again as the same; it is planned and verified.
pub fn fuzz_policy(bytes: &[u8]) -> u64 {
    let Ok(text) = std::str::from_utf8(bytes) else { return 0 };
    let mut understood = 0;
    for policy in [Policy::from_toml(text, "fuzz"), Policy::from_json(text, "fuzz")].into_iter().flatten() {
        let written = policy.to_toml().unwrap();
        assert_eq!(Policy::from_toml(&written, "again").unwrap(), policy, "{written}");
        if staged(bytes) {
            let _ = (plan(&policy, &HOST), verify::check(&policy, &HOST));
        }
        understood += 1;
    }
    understood
}

/// A plan. What is read is written, and read again as the same; its text, its inverse, its order and what it does to a
/// host can be had.
pub fn fuzz_plan(bytes: &[u8]) -> u64 {
    let Ok(text) = std::str::from_utf8(bytes) else { return 0 };
    let Ok(plan) = Plan::from_json(text) else { return 0 };
    let written = plan.to_json().unwrap();
    assert_eq!(Plan::from_json(&written).unwrap(), plan, "{written}");
    let _ = (plan.to_string(), plan.inverse(), plan.in_order());
    if staged(bytes) {
        effects(&plan, &Policy::default(), &HOST);
    }
    1
}

/// A snapshot. What is read is possible, and written and read again it is the same; every pure stage takes it.
pub fn fuzz_snapshot(bytes: &[u8]) -> u64 {
    let Ok(text) = std::str::from_utf8(bytes) else { return 0 };
    let Ok(snapshot) = Snapshot::from_json(text) else { return 0 };
    let written = snapshot.to_json().unwrap();
    assert_eq!(Snapshot::from_json(&written).unwrap(), snapshot, "{written}");
    snapshot.check().unwrap();
    if staged(bytes) {
        stages(&snapshot);
    }
    1
}

fn stages(snapshot: &Snapshot) {
    let answers = answers(snapshot);
    let claims = claims(snapshot);
    let judged = judged(snapshot);
    // What is possible is refused by none of these.
    answers.and(claims).and(judged).unwrap();
    for policy in [&Policy::default(), &*POLICY] {
        let _ = (plan(policy, snapshot), verify::check(policy, snapshot));
    }
    // It refuses hosts on which there is nothing to recommend.
    if let Ok(recommended) = recommend::recommend(snapshot) {
        let _ = recommended.impact(snapshot);
    }
}

/// Who answers for what, and what the host asks and announces by itself.
fn answers(snapshot: &Snapshot) -> Result<()> {
    let model = Model::new(snapshot)?;
    let (peer, far) = ([192, 168, 18, 77].into(), [8, 8, 8, 8].into());
    for interface in snapshot.interfaces.iter().map(|interface| interface.index) {
        for target in snapshot.addresses.iter().filter_map(|held| match held.local {
            std::net::IpAddr::V4(target) => Some(target),
            std::net::IpAddr::V6(_) => None,
        }) {
            let _ = model.explain(&ArpRequest::broadcast(interface, peer, target)).to_string();
            let _ = (model.outgoing(target, None, Some(interface)), model.forwarded(interface, target, far));
        }
        for event in [Event::Up, Event::MacChanged, Event::PeersNotified] {
            let _ = model.announcements(interface, event);
        }
    }
    let matrix = Matrix::of(&model);
    let _ = (matrix.summary(), html::matrix(&matrix), html::snapshot(snapshot)?);
    let found = snapshot.diagnose(&diagnose::Options::default())?;
    let _ = (found.to_string(), html::diagnosis(&found), metrics(snapshot, &matrix, &found, 0.0));
    Ok(())
}

/// What is proved for all senders.
fn claims(snapshot: &Snapshot) -> Result<()> {
    let interfaces: Vec<IfIndex> = snapshot.interfaces.iter().map(|interface| interface.index).collect();
    let mut prover = Prover::new(snapshot)?;
    for claim in Expectation::for_wire(snapshot, &interfaces) {
        let _ = (prover.prove(&claim), claim.sentence(snapshot));
    }
    Ok(())
}

/// Two hosts of this kind on a wire.
fn judged(snapshot: &Snapshot) -> Result<()> {
    let members = [Member::new("a", snapshot)?, Member::new("b", snapshot)?];
    for wire in segment::infer(&members, &Stop::default())?.segments {
        segment::answers(&members, &wire, &Stop::default())?;
    }
    Ok(())
}

fn plan(policy: &Policy, snapshot: &Snapshot) {
    if let Ok(plan) = policy.plan(snapshot) {
        let written = plan.to_json().unwrap();
        assert_eq!(Plan::from_json(&written).unwrap(), plan, "{written}");
        effects(&plan, policy, snapshot);
    }
}

/// What a plan does to a host.
fn effects(plan: &Plan, policy: &Policy, snapshot: &Snapshot) {
    let _ = snapshot.with(&plan.changes);
    let _ = (plan.impact(snapshot, policy), harm::of_plan(snapshot, plan));
}
