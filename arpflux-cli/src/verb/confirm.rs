//! `arpflux confirm`.

use arpflux_core::outward::Pending;
use arpflux_core::{Host, Result};

use super::apply::{report, report_next_boot};
use crate::exit;
use crate::input::{Live, State, transaction};
use crate::output::Output;

/// Keep what `arpflux apply --confirm` made on trial.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    state: State,
    /// The transaction's number; default: whichever waits.
    #[arg(value_name = "NUMBER", value_parser = transaction)]
    id: Option<u64>,
    /// Only say what waits, and how long it still does. Exit code 1 if nothing waits, 6 if it should be undone by now.
    #[arg(long, conflicts_with = "id")]
    status: bool,
}

/// Runs the verb.
///
/// # Errors
/// If nothing waits.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let host = Host::from(args.live.netns()?);
    let options = args.state.changing()?;
    if !args.status {
        let receipt = host.confirm(args.id, &options)?;
        report(&receipt, &args.live, output);
        report_next_boot(&host, &receipt, &args.live, None, output);
        return Ok(exit::GOOD);
    }
    let waiting = host.pending(&options)?;
    let code = match &waiting {
        Some(receipt) if receipt.is_overdue() => exit::UNDETERMINED,
        Some(_) => exit::GOOD,
        None => exit::BAD,
    };
    match &waiting {
        _ if output.json() => output.answer(&Pending::new(waiting))?,
        Some(receipt) if receipt.is_overdue() => {
            output.text(host.overdue(&options)?.unwrap_or_default() + "\n")?;
        }
        Some(receipt) => report(receipt, &args.live, output),
        None => output.text("nothing waits for confirmation\n")?,
    }
    Ok(code)
}
