//! `arpflux snapshot`.

use arpflux_core::Result;

use crate::{Output, Source, exit};

/// Print what the kernel holds. `--json` prints all of it, in the form that `--snapshot FILE` of the
/// other verbs reads back.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
}

/// Runs the verb.
///
/// # Errors
/// If there is no snapshot to be had.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let snapshot = args.source.snapshot()?;
    if output.json() {
        output.text(snapshot.to_json()? + "\n")?;
    } else {
        output.text(format!("{} interfaces\n", snapshot.interfaces.len()))?;
    }
    Ok(exit::GOOD)
}
