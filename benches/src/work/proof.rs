//! Claims proved over all senders and all targets.

use arpflux_core::Result;
use arpflux_core::error::{Error, ErrorKind};
use arpflux_core::proof::{Expectation, Prover};
use arpflux_core::types::IfIndex;

use crate::measure::Measure;
use crate::node::{INTERFACES, source_routed};

/// "Exactly one interface answers" for each own and each proxied address. The result is the number of
/// claims that hold.
pub fn run(prefixes: u32, proxies: u32) -> Result<()> {
    let snapshot = source_routed(prefixes, proxies);
    let wire: Vec<IfIndex> = (2..2 + INTERFACES).map(IfIndex).collect();
    let claims = Expectation::for_wire(&snapshot, &wire);
    let begun = Measure::begin()?;
    let mut prover = Prover::new(&snapshot).expect("a possible host");
    let decided = claims.iter().filter(|claim| prover.prove(claim).holds().is_some()).count();
    begun.end(1, decided)?;
    if decided != claims.len() {
        let message = format!("{decided} of {} claims were decided", claims.len());
        return Err(Error::new(ErrorKind::Internal, message));
    }
    Ok(())
}
