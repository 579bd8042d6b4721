//! `arpflux rollback`.

use arpflux_core::{Host, Result};

use super::apply::{beside_a_watch, code, list, report};
use crate::exit;
use crate::input::{Live, State, transaction};
use crate::output::Output;

/// Take a transaction back: the last that a person made and that stands, or the one of that number.
///
/// Every value becomes what it was before, absence included. What somebody else changed since is left
/// alone and listed (exit code 5), unless --force. What the watch and containers' scripts made is taken back by
/// its number only; what containers need that are published is left, and named. After an `apply --confirm` that had nothing
/// to change, only a number takes anything back.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    state: State,
    /// The transaction's number.
    #[arg(value_name = "NUMBER", value_parser = transaction)]
    id: Option<u64>,
    /// Take back what somebody else changed since, too.
    #[arg(long)]
    force: bool,
    /// Take back everything that persons made and that stands, the newest first.
    #[arg(long, conflicts_with = "id")]
    all: bool,
    /// Only list the transactions that are remembered, who made each, and why each was undone.
    #[arg(long, conflicts_with_all = ["id", "force", "all"])]
    list: bool,
}

/// Runs the verb.
///
/// # Errors
/// If there is nothing to take back, or it could not be taken back.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let host = Host::from(args.live.netns()?);
    let options = args.state.changing()?;
    if args.list {
        list(&host.receipts(&options)?, output)?;
        return Ok(exit::GOOD);
    }
    if args.all {
        let receipts = host.rollback_all(args.force, &options)?;
        if output.json() {
            list(&receipts, output)?;
        } else if receipts.is_empty() {
            output.text("there is nothing to take back in this namespace\n")?;
        } else {
            receipts.iter().for_each(|receipt| report(receipt, &args.live, output));
        }
        beside_a_watch(&host, &options, output);
        return Ok(receipts.iter().map(code).max().unwrap_or(exit::GOOD));
    }
    let receipt = host.rollback(args.id, args.force, &options)?;
    report(&receipt, &args.live, output);
    beside_a_watch(&host, &options, output);
    Ok(code(&receipt))
}
