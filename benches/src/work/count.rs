//! Hot operations for callgrind: what is counted is inside a function of its own named `counted_…`.

use std::hint::black_box;

use arpflux_capture::{Limits, Source, Table};
use arpflux_core::error::{Error, ErrorKind};
use arpflux_core::predict::{ArpRequest, Model};
use arpflux_core::proof::{Expectation, Prover};
use arpflux_core::snapshot::Snapshot;
use arpflux_core::types::IfIndex;
use arpflux_core::{Policy, Result};

use super::{capture, plan, predict};
use crate::node::{INTERFACES, source_routed, untouched};

/// Does one of them once.
pub fn run(what: &str) -> Result<()> {
    let snapshot = source_routed(200, 1_000);
    match what {
        "reply" => {
            let model = Model::new(&snapshot).expect("a possible host");
            black_box(counted_reply(&model, &predict::requests(1_000)));
        }
        "index" => {
            black_box(counted_index(&snapshot));
        }
        "proof" => {
            let wire: Vec<IfIndex> = (2..2 + INTERFACES).map(IfIndex).collect();
            black_box(counted_proof(&snapshot, &Expectation::for_wire(&snapshot, &wire)));
        }
        "plan" => {
            black_box(counted_plan(&plan::policy(100, 1_000), &untouched(100))?);
        }
        "json" => {
            black_box(counted_json(&snapshot.to_json()?)?);
        }
        "capture" => {
            let file = std::env::temp_dir().join(format!("arpflux-count-{}.pcap", std::process::id()));
            let name = file.display().to_string();
            capture::make(&name, 20_000, 200)?;
            let bytes = std::fs::read(&file).map_err(|error| Error::io("read", &name, &error));
            let _ = std::fs::remove_file(&file);
            black_box(counted_capture(&bytes?)?);
        }
        _ => return Err(Error::new(ErrorKind::InvalidInput, "no such operation").on(what)),
    }
    Ok(())
}

#[inline(never)]
fn counted_reply(model: &Model<'_>, requests: &[ArpRequest]) -> usize {
    requests.iter().filter(|request| model.reply(request).mac().is_some()).count()
}

#[inline(never)]
fn counted_index(snapshot: &Snapshot) -> Model<'_> {
    Model::new(snapshot).expect("a possible host")
}

#[inline(never)]
fn counted_proof(snapshot: &Snapshot, claims: &[Expectation]) -> usize {
    let mut prover = Prover::new(snapshot).expect("a possible host");
    claims.iter().filter(|claim| prover.prove(claim).holds().is_some()).count()
}

#[inline(never)]
fn counted_plan(policy: &Policy, snapshot: &Snapshot) -> Result<usize> {
    policy.plan(snapshot).map(|plan| plan.changes.len())
}

#[inline(never)]
fn counted_json(text: &str) -> Result<Snapshot> {
    Snapshot::from_json(text)
}

#[inline(never)]
fn counted_capture(bytes: &[u8]) -> Result<usize> {
    let mut source = Source::new(bytes)?;
    let mut table = Table::new(Limits::default());
    source.read_into(&mut table)?;
    Ok(source.counts().sightings as usize)
}
