//! A complete snapshot of the calling namespace.

use arpflux_core::{Host, Result};

use crate::measure::Measure;

/// Takes one.
pub fn run() -> Result<()> {
    let begun = Measure::begin()?;
    let snapshot = Host::current()?.snapshot()?;
    begun.end(1, snapshot.interfaces.len() + snapshot.proxies.len())
}
