//! `explain --prove`: whether exactly one interface of a wire answers, whoever asks.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use arpflux_core::Result;
use arpflux_core::predict::{Model, wires};
use arpflux_core::proof::{Expectation, Proof, Prover};
use arpflux_core::types::IfIndex;
use serde::Serialize;

use crate::output::Style;
use crate::{Output, exit};

#[derive(Serialize)]
struct Answer {
    claims: Vec<Claim>,
}

#[derive(Serialize)]
struct Claim {
    claim: String,
    #[serde(flatten)]
    expectation: Expectation,
    #[serde(flatten)]
    proof: Proof,
}

/// Proves or refutes the claim for `target`, or for every address on each wire.
pub fn run(
    model: &Model<'_>,
    target: Option<Ipv4Addr>,
    interfaces: &[IfIndex],
    output: &Output,
) -> Result<u8> {
    let snapshot = model.snapshot();
    let wires = wires(snapshot);
    let mut groups: BTreeMap<usize, Vec<IfIndex>> = BTreeMap::new();
    for index in interfaces {
        groups.entry(wires.get(index).copied().unwrap_or(usize::MAX)).or_default().push(*index);
    }
    let mut prover = Prover::new(snapshot)?;
    let mut claims = Vec::new();
    for among in groups.values() {
        for expectation in Expectation::for_wire(snapshot, among) {
            let about = match &expectation {
                Expectation::ExactlyOne { target, .. } => Some(*target),
                _ => None,
            };
            if target.is_none() || about == target {
                let proof = prover.prove(&expectation);
                claims.push(Claim { claim: expectation.sentence(snapshot), expectation, proof });
            }
        }
    }
    let refuted = claims.iter().any(|claim| claim.proof.holds() == Some(false));
    let code = if refuted { exit::BAD } else { exit::GOOD };
    if output.json() {
        output.answer(&Answer { claims })?;
        return Ok(code);
    }
    if claims.is_empty() {
        output.text("Nothing to prove: no such address is held or proxied on these interfaces.\n")?;
        return Ok(code);
    }
    let mut text = String::new();
    for Claim { claim, proof, .. } in &claims {
        let (mark, reason) = match proof {
            Proof::Proved { cases } => {
                (output.paint(Style::Good, "proved "), format!("{cases} requests stand for all"))
            }
            Proof::Refuted(contradiction) => (output.paint(Style::Bad, "refuted"), contradiction.to_string()),
            Proof::Undetermined { missing, .. } => {
                (output.paint(Style::Caution, "unknown"), missing.to_string())
            }
        };
        text.push_str(&format!("{mark}  {claim}: {reason}\n"));
    }
    output.text(text)?;
    Ok(code)
}
