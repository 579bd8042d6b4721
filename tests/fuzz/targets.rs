//! What is fuzzed: bytes in, how much of them was understood out.

use std::ops::ControlFlow;

use arpflux_capture::{Content, Known, Limits, LinkType, Read, Record, Source, Table, read};
use arpflux_core::frame::{Arp, Ethernet, Ipv4, Ipv6, Printed};
use arpflux_core::{Plan, Policy, Snapshot};

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

/// A policy, TOML or JSON. What is read is written, and read again as the same.
pub fn fuzz_policy(bytes: &[u8]) -> u64 {
    let Ok(text) = std::str::from_utf8(bytes) else { return 0 };
    let mut understood = 0;
    for policy in [Policy::from_toml(text, "fuzz"), Policy::from_json(text, "fuzz")].into_iter().flatten() {
        let written = policy.to_toml().unwrap();
        assert_eq!(Policy::from_toml(&written, "again").unwrap(), policy, "{written}");
        understood += 1;
    }
    understood
}

/// A plan. What is read is written, and read again as the same; its text, its inverse and its order can be had.
pub fn fuzz_plan(bytes: &[u8]) -> u64 {
    let Ok(text) = std::str::from_utf8(bytes) else { return 0 };
    let Ok(plan) = Plan::from_json(text) else { return 0 };
    let written = plan.to_json().unwrap();
    assert_eq!(Plan::from_json(&written).unwrap(), plan, "{written}");
    let _ = (plan.to_string(), plan.inverse(), plan.in_order());
    1
}

/// A snapshot. What is read is possible, and written and read again it is the same; what comes after it in the pipeline
/// takes it.
pub fn fuzz_snapshot(bytes: &[u8]) -> u64 {
    let Ok(text) = std::str::from_utf8(bytes) else { return 0 };
    let Ok(snapshot) = Snapshot::from_json(text) else { return 0 };
    let written = snapshot.to_json().unwrap();
    assert_eq!(Snapshot::from_json(&written).unwrap(), snapshot, "{written}");
    let _ = Policy::default().plan(&snapshot).map(|plan| plan.to_string());
    1
}
