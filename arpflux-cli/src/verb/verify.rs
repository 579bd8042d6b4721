//! `arpflux verify`.

use std::path::PathBuf;

use arpflux_core::{Policy, Result, verify};
use serde::Serialize;

use crate::output::Output;
use crate::{Source, exit};

/// Check that a host is as a policy says: every value, entry, rule and route, and, proved over all
/// senders and targets, that each address is answered by its own interface alone.
///
/// The exit code is 1 if anything is not so. Nothing is sent and nothing is changed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The policy, TOML or JSON.
    #[arg(long, short, value_name = "FILE")]
    policy: PathBuf,
    #[command(flatten)]
    source: Source,
}

#[derive(Serialize)]
struct Answer<'a> {
    ok: bool,
    #[serde(flatten)]
    report: &'a verify::Report,
}

/// Runs the verb.
///
/// # Errors
/// If the policy is not valid, or there is no snapshot to be had.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let policy = Policy::from_path(&args.policy)?;
    let snapshot = args.source.snapshot()?;
    let report = verify::check(&policy, &snapshot)?;
    if output.json() {
        output.answer(&Answer { ok: report.ok(), report: &report })?;
    } else {
        output.text(&report)?;
    }
    Ok(if report.ok() { exit::GOOD } else { exit::BAD })
}
