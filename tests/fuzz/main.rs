//! Every decoder against mutated input: no panic, and no memory beyond a bound.
//!
//! A deterministic mutational fuzzer over the committed corpus. Each target is a plain function, so any
//! other engine can drive it as well. `ARPFLUX_FUZZ` sets the executions of each target (default 50,000),
//! `ARPFLUX_FUZZ_SEED` the seed; a failure prints the input in hexadecimal.
#![allow(missing_docs, reason = "a test")]

mod memory;
mod mutate;
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use mutate::Mutator;

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")),
        Err(_) => default,
    }
}

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Runs a target; it says how much of the input it understood, so that a target that refuses
/// everything is noticed.
fn run(name: &str, target: fn(&[u8]) -> u64) {
    run_within(name, target, targets::MOST_MEMORY, 20);
}

/// The same with bounds of its own: the memory in bytes, and that one input of so many is understood.
fn run_within(name: &str, target: fn(&[u8]) -> u64, most: usize, one_of: u64) {
    let corpus = corpus(name);
    for (i, seed) in corpus.iter().enumerate() {
        assert!(target(seed) > 0, "seed {i} of {name} is not understood");
    }
    let executions = setting("ARPFLUX_FUZZ", 50_000);
    let mut mutator = Mutator::new(setting("ARPFLUX_FUZZ_SEED", 1), corpus);
    let (mut understood, mut peak) = (0u64, 0);
    for execution in 0..executions {
        let input = mutator.next();
        memory::start();
        let result = catch_unwind(AssertUnwindSafe(|| target(input)));
        let used = memory::peak();
        peak = peak.max(used);
        let hex = || input.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        match result {
            Ok(found) => understood += u64::from(found > 0),
            Err(_) => panic!("{name}: execution {execution} panicked on {}", hex()),
        }
        assert!(used < most, "{name}: execution {execution} took {used} bytes on {}", hex());
    }
    println!("{name}: {executions} executions, {understood} understood, {peak} bytes at most");
    // Mutations leave some input as it should be.
    assert!(understood > executions / one_of, "{name}: only {understood} of {executions} understood");
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
    run_within("packed", targets::fuzz_packed, targets::MOST_UNPACKING, 400);
}

#[test]
fn text() {
    run("text", targets::fuzz_text);
}
