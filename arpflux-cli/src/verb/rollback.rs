//! `arpflux rollback`.

use arpflux_core::{Host, Result};

use super::apply::{code, list, report};
use crate::exit;
use crate::input::{Live, State};
use crate::output::Output;

/// Take a transaction back: the last that stands, or the one of that number.
///
/// Every value becomes what it was before, absence included. What somebody else changed since is left
/// alone and listed (exit code 5), unless --force.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    state: State,
    /// The transaction's number.
    #[arg(value_name = "NUMBER")]
    id: Option<u64>,
    /// Take back what somebody else changed since, too.
    #[arg(long)]
    force: bool,
    /// Only list the transactions that are remembered.
    #[arg(long, conflicts_with_all = ["id", "force"])]
    list: bool,
}

/// Runs the verb.
///
/// # Errors
/// If there is nothing to take back, or it could not be taken back.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let host = Host::from(args.live.netns()?);
    let options = args.state.options();
    if args.list {
        list(&host.receipts(&options)?, output)?;
        return Ok(exit::GOOD);
    }
    let receipt = host.rollback(args.id, args.force, &options)?;
    report(&receipt, output);
    Ok(code(&receipt))
}
