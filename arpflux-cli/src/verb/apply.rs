//! `arpflux apply`.

use std::path::PathBuf;
use std::time::Duration;

use arpflux_core::apply::{Confirm, Outcome, Receipt};
use arpflux_core::{Error, ErrorKind, Host, Plan, Policy, Result, Snapshot};
use serde::Serialize;

use crate::input::{Live, State, read_text};
use crate::output::{Output, Style};
use crate::{exit, input};

/// Make a policy so, as one transaction: all of it, or nothing of it.
///
/// Everything is written down before it is done, so that neither a failure nor a crash leaves the host
/// half changed. A second run changes nothing and says so.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    what: What,
    /// Undo everything unless `arpflux confirm` comes within this time: 30s, 5m, 1h.
    #[arg(long, value_name = "TIME", value_parser = input::duration)]
    confirm: Option<Duration>,
    /// Only print what would be changed.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// The policy, TOML or JSON.
    #[arg(long, short, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// A plan that `arpflux plan --json` printed, instead of a policy; - reads standard input.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
}

enum Wanted {
    Policy(Policy),
    Plan(Plan),
}

impl Wanted {
    fn plan(&self, now: &Snapshot) -> Result<Plan> {
        match self {
            Self::Policy(policy) => policy.plan(now),
            Self::Plan(plan) => Ok(plan.clone()),
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// If the policy is no good, or not everything could be made; what was made is undone then.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let wanted = match (&args.what.policy, &args.what.plan) {
        (Some(path), _) => Wanted::Policy(Policy::from_path(path)?),
        (None, Some(path)) => Wanted::Plan(Plan::from_json(&read_text(path)?)?),
        (None, None) => {
            return Err(Error::new(ErrorKind::InvalidInput, "neither --policy nor --plan is given"));
        }
    };
    let host = Host::from(args.live.netns()?);
    if args.dry_run {
        let plan = wanted.plan(&host.snapshot()?)?;
        if output.json() {
            output.text(plan.to_json()? + "\n")?;
        } else {
            output.text(format!("{plan}\nnothing was changed (--dry-run)\n"))?;
        }
        return Ok(exit::GOOD);
    }
    let mut options = args.state.options();
    options.confirm = args.confirm.map_or(Confirm::Now, Confirm::Within);
    let applied = host.apply_with(options, |now| {
        let plan = wanted.plan(now)?;
        if !output.json() && !plan.is_empty() {
            output.text(format!("{plan}\n"))?;
        }
        Ok(plan)
    })?;
    // Another process waits for the confirmation; this one ends.
    report(&applied.leave(), output);
    Ok(exit::GOOD)
}

/// Prints what a transaction did. What is done is done: a failure to print does not fail the verb.
pub(super) fn report(receipt: &Receipt, output: &Output) {
    if output.json() {
        let _ = output.answer(receipt);
        return;
    }
    let mut text = String::new();
    for note in &receipt.notes {
        text += &format!("note: {note}\n");
    }
    let (id, count) = (receipt.id.unwrap_or_default(), receipt.changes.len());
    let changes = if count == 1 { "1 change".to_owned() } else { format!("{count} changes") };
    match receipt.outcome {
        Outcome::Unchanged => text += "nothing to change: everything is as it should be\n",
        Outcome::Applied => {
            let done = if receipt.rollback_of.is_some() { "undone" } else { "made" };
            text += &output.paint(Style::Good, format!("{changes} {done} and checked"));
            text += &format!(" (transaction {id}; to take it back: arpflux rollback {id})\n");
        }
        Outcome::Pending => {
            let left = receipt.remaining.unwrap_or_default().as_secs_f64();
            text += &output.paint(Style::Caution, format!("{changes} made and checked, on trial"));
            text += &format!(
                " (transaction {id})\n`arpflux confirm` within {left:.0} s keeps it; otherwise it is undone\n"
            );
        }
        Outcome::Undone => text += &format!("{changes} undone (transaction {id})\n"),
    }
    for conflict in &receipt.conflicts {
        text += &output.paint(Style::Bad, "left alone: ");
        text += &format!("{conflict}\n");
    }
    let _ = output.text(text);
}

/// The exit code for a transaction: what had to be left alone makes it "not fully restored".
pub(super) fn code(receipt: &Receipt) -> u8 {
    if receipt.conflicts.is_empty() { exit::GOOD } else { ErrorKind::PartlyApplied.exit_code() }
}

/// Prints several transactions, the oldest first.
pub(super) fn list(receipts: &[Receipt], output: &Output) -> Result<()> {
    #[derive(Serialize)]
    struct Answer<'a> {
        transactions: &'a [Receipt],
    }
    if output.json() {
        return output.answer(&Answer { transactions: receipts });
    }
    let mut table = crate::table::Table::new(["transaction", "outcome", "changes", "started", "command"]);
    for receipt in receipts {
        let outcome = match (receipt.outcome, receipt.rollback_of, receipt.remaining) {
            (Outcome::Pending, _, Some(left)) => format!("on trial, {:.0} s left", left.as_secs_f64()),
            (Outcome::Applied, Some(of), _) => format!("applied, takes back {of}"),
            (outcome, ..) => format!("{outcome:?}").to_lowercase(),
        };
        table.row([
            crate::table::Cell::new(receipt.id.unwrap_or_default()),
            crate::table::Cell::new(outcome),
            crate::table::Cell::new(receipt.changes.len()),
            crate::table::Cell::new(input::time_of_day(receipt.started)),
            crate::table::Cell::new(&receipt.command),
        ]);
    }
    output.text(if receipts.is_empty() {
        "no transactions are remembered\n".into()
    } else {
        table.render(output)
    })
}
