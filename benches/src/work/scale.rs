//! Stages that need no kernel, on very large hosts.

use arpflux_core::diagnose::{Options, diagnose};
use arpflux_core::error::{Error, ErrorKind};
use arpflux_core::predict::Model;
use arpflux_core::proof::{Expectation, Prover};
use arpflux_core::recommend::recommend;
use arpflux_core::snapshot::Snapshot;
use arpflux_core::types::IfIndex;
use arpflux_core::{Policy, Result};

use super::plan;
use crate::measure::Measure;
use crate::node::{INTERFACES, node, one_subnet, source_routed, very_large};

/// Does one of them on a host of so many interfaces.
pub fn run(what: &str, interfaces: u32) -> Result<()> {
    match what {
        "index" => index(&very_large(interfaces)),
        "plan" => planned(&plan::policy(interfaces, 25 * interfaces), &very_large(interfaces)),
        "plan-one-subnet" => planned(&plan::policy(interfaces, 0), &one_subnet(interfaces)),
        "after" => after(&plan::policy(interfaces, 25 * interfaces), &very_large(interfaces)),
        "diagnose" => diagnosed(&very_large(interfaces)),
        "recommend" => recommended(&node(25 * interfaces)),
        "proof" => proved(25 * interfaces),
        _ => Err(Error::new(ErrorKind::InvalidInput, "no such stage").on(what)),
    }
}

/// The model's index. The result is the number of entries it is made of.
fn index(snapshot: &Snapshot) -> Result<()> {
    let begun = Measure::begin()?;
    let model = Model::new(snapshot).expect("a possible host");
    begun.end(1, model.snapshot().proxies.len())
}

/// A plan. The result is the number of changes.
fn planned(policy: &Policy, snapshot: &Snapshot) -> Result<()> {
    let begun = Measure::begin()?;
    let plan = policy.plan(snapshot)?;
    begun.end(1, plan.changes.len())
}

/// The host as a plan leaves it. The result is the number of proxy entries.
fn after(policy: &Policy, snapshot: &Snapshot) -> Result<()> {
    let plan = policy.plan(snapshot)?;
    let begun = Measure::begin()?;
    let after = snapshot.with(&plan.changes);
    begun.end(1, after.proxies.len())
}

/// All findings. The result is their number.
fn diagnosed(snapshot: &Snapshot) -> Result<()> {
    let begun = Measure::begin()?;
    let diagnosis = diagnose(snapshot, &Options::default()).expect("a possible host");
    begun.end(1, diagnosis.findings.len())
}

/// A policy that fits. The result is the number of checks that proved it.
fn recommended(snapshot: &Snapshot) -> Result<()> {
    let begun = Measure::begin()?;
    let recommended = recommend(snapshot)?;
    begun.end(1, recommended.proof.checks)
}

/// "Exactly one interface answers" for each address that is proxied. The result is the number of claims that
/// are decided.
fn proved(proxies: u32) -> Result<()> {
    let snapshot = source_routed(proxies / 10, proxies);
    let wire: Vec<IfIndex> = (2..2 + INTERFACES).map(IfIndex).collect();
    let claims = Expectation::for_wire(&snapshot, &wire);
    let begun = Measure::begin()?;
    let mut prover = Prover::new(&snapshot).expect("a possible host");
    let decided = claims.iter().filter(|claim| prover.prove(claim).holds().is_some()).count();
    begun.end(1, decided)
}
