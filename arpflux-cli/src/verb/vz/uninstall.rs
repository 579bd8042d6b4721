//! `arpflux vz uninstall`.

use arpflux_core::Result;
use arpflux_core::outward::vz::Files;
use arpflux_core::vz::setup::diff;

use super::Common;
use super::setup::{Scripts, written};
use crate::exit;
use crate::output::Output;

/// Take the calls to arpflux out of the scripts again, exactly.
///
/// What containers have published stays until they stop: `arpflux vz stop CTID` takes it away now.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scripts: Scripts,
    /// Only print what would be changed, as a diff.
    #[arg(long)]
    dry_run: bool,
}

/// Runs the verb.
///
/// # Errors
/// If no scripts are found, or not everything could be written; what was written is taken back then.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let setup = args.scripts.setup(&args.common)?;
    let changes = setup.removal()?;
    if !args.dry_run && !changes.is_empty() {
        setup.make(args.common.node()?.host(), &args.common.state.changing()?, changes.clone())?;
    }
    let node = args.common.node()?;
    if !args.dry_run {
        node.settle()?;
    }
    let warnings = node.left()?;
    if output.json() {
        let changed = !args.dry_run && !changes.is_empty();
        output.answer(&Files { changed, files: &changes, warnings })?;
        return Ok(exit::GOOD);
    }
    for warning in &warnings {
        output.note(format!("arpflux: note: {warning}"));
    }
    if args.dry_run {
        output.text(diff(&changes))?;
    } else if !changes.is_empty() {
        output.text(written(&changes))?;
    }
    output.text(match (changes.is_empty(), args.dry_run) {
        (true, _) => "nothing of arpflux is in the scripts\n",
        (false, true) => "nothing was changed (--dry-run)\n",
        (false, false) => "the scripts are as they were\n",
    })?;
    Ok(exit::GOOD)
}
