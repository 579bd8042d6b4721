//! Every decoder against mutated input: no panic, and no memory beyond a bound.
//!
//! Each target is a plain function, so any other engine can drive it as well. Decoders that only arpflux-core can name
//! (netlink, journals) have their targets beside them.
#![allow(missing_docs, reason = "a test")]

#[path = "../../arpflux-core/src/kernel/testing/fuzz.rs"]
mod fuzz;
mod memory;
mod targets;

use std::fs;
use std::path::Path;

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

fn run(name: &str, target: fn(&[u8]) -> u64) {
    run_within(name, target, fuzz::Inputs::Bytes, targets::MOST_MEMORY, 50_000, 20);
}

/// The same for JSON and TOML.
fn run_values(name: &str, target: fn(&[u8]) -> u64, executions: u64) {
    run_within(name, target, fuzz::Inputs::Values, targets::MOST_MEMORY, executions, 20);
}

/// With bounds of its own: the memory in bytes, the executions, and that one input of so many is understood.
fn run_within(
    name: &str,
    target: fn(&[u8]) -> u64,
    inputs: fuzz::Inputs,
    most: usize,
    executions: u64,
    one_of: u64,
) {
    fuzz::run(name, corpus(name), inputs, executions, one_of, |input| {
        memory::start();
        let understood = target(input);
        let used = memory::peak();
        assert!(used < most, "{name} took {used} bytes");
        understood
    });
}

#[test]
fn frames() {
    run("frame", targets::fuzz_frame);
}

#[test]
fn pcap() {
    run("pcap", targets::fuzz_pcap);
}

#[test]
fn pcapng() {
    run("pcapng", targets::fuzz_pcapng);
}

#[test]
fn packed() {
    // Most mutations leave nothing that can be unpacked.
    run_within("packed", targets::fuzz_packed, fuzz::Inputs::Bytes, targets::MOST_UNPACKING, 50_000, 400);
}

#[test]
fn text() {
    run("text", targets::fuzz_text);
}

#[test]
fn policy() {
    run_values("policy", targets::fuzz_policy, 5_000);
}

#[test]
fn plan() {
    run_values("plan", targets::fuzz_plan, 5_000);
}

#[test]
fn snapshot() {
    run_values("snapshot", targets::fuzz_snapshot, 1_500);
}
