//! `explain --prove`: whether exactly one interface of a wire answers, whoever asks.

use arpflux_core::Result;
use arpflux_core::predict::Model;
use arpflux_core::proof::{Claims, Proof, Targets};
use arpflux_core::types::IfIndex;

use crate::Output;
use crate::output::{Style, not_covered};

/// Proves or refutes the claim for `targets` on each wire.
pub fn run(model: &Model<'_>, targets: Targets, interfaces: &[IfIndex], output: &Output) -> Result<u8> {
    let claims = Claims::by_wire(model.snapshot(), interfaces, targets)?;
    let code = claims.judgement.exit_code();
    if output.json() {
        output.answer(&claims)?;
        return Ok(code);
    }
    let beyond = not_covered(&claims.not_covered);
    if claims.claims.is_empty() {
        output.text(format!(
            "Nothing to prove: none of these interfaces holds or proxies such an address, and no two of a wire answer for it.\n{beyond}"
        ))?;
        return Ok(code);
    }
    let mut text = String::new();
    for claim in &claims.claims {
        let mark = match claim.proof {
            Proof::Proved { .. } => output.paint(Style::Good, "proved "),
            Proof::Refuted(_) => output.paint(Style::Bad, "refuted"),
            Proof::Undetermined { .. } => output.paint(Style::Caution, "unknown"),
        };
        text.push_str(&format!("{mark}  {}: {}\n", claim.claim, claim.reason()));
    }
    if !beyond.is_empty() {
        text += &format!("\n{beyond}");
    }
    if let Some(line) = claims.last_line() {
        text.push_str(&format!("\n{}\n", output.paint(Style::Caution, line)));
    }
    output.text(text)?;
    Ok(code)
}
