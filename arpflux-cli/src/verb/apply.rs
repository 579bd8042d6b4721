//! `arpflux apply`.

mod wait;

use std::path::{Path, PathBuf};
use std::time::Duration;

use arpflux_core::apply::{self, Confirm, Outcome, Receipt};
use arpflux_core::outward::{DryRun, Planned, Transactions};
use arpflux_core::persist::{FileChange, Layout, Manager, Persistence, at_boot};
use arpflux_core::words::counted;
use arpflux_core::{Error, ErrorKind, Host, Plan, Policy, Result, Snapshot};

use crate::input::{Live, PolicyFile, State, quoted, read_text};
use crate::output::{Output, Style};
use crate::verb::plan::{ROWS, decisions, harms, last_line, rows, unmet};
use crate::verb::rehearse;
use crate::{exit, input};

/// Make a policy so, as one transaction: all of it, or nothing of it.
///
/// Everything is written down before it is done, so that neither a failure nor a crash leaves the host
/// half changed. A second run changes nothing and says so. --persist brings it back at boot. What does harm is refused;
/// where that cannot be told it is made, and the exit code is 6.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    live: Live,
    #[command(flatten)]
    state: State,
    #[command(flatten)]
    what: What,
    /// Undo everything unless `arpflux confirm` comes within this time: 30s, 5m, 1h. On a terminal it waits for a key
    /// that keeps it or undoes it now; Ctrl-C leaves it on trial.
    #[arg(long, value_name = "TIME", value_parser = input::duration)]
    confirm: Option<Duration>,
    /// Also write what brings it back at boot: sysctl.d, and the files of the network's managers. Written
    /// and taken back with everything else; with --confirm, when it is confirmed.
    #[arg(long, help_heading = "Over a reboot", conflicts_with = "plan")]
    persist: bool,
    #[command(flatten)]
    boot: Boot,
    /// Do it even if an address loses its last answer, or a neighbour or container its way: `arpflux plan` lists
    /// what would be lost. Whether it does so is not asked then.
    #[arg(long)]
    accept_harm: bool,
    /// Try it on a twin of the host first, as `arpflux rehearse` does, and change nothing if it does harm there.
    #[arg(long, conflicts_with = "dry_run")]
    rehearse: bool,
    /// Only print what would be changed.
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    /// Whether it changes anything, and reads nothing from standard input.
    pub fn changes(&self) -> bool {
        !self.dry_run && self.what.plan.as_deref() != Some(Path::new("-"))
    }
}

/// Where and for whom files are written.
#[derive(Debug, clap::Args)]
struct Boot {
    /// The managers to write for: systemd, networkd, ifupdown, network-manager; several with commas.
    /// Default: those in use on this host.
    #[arg(
        long,
        help_heading = "Over a reboot",
        value_name = "NAME",
        value_delimiter = ',',
        requires = "persist"
    )]
    manager: Option<Vec<Manager>>,
    /// The folder that stands for / of the host that boots: an image, or a container's /proc/PID/root.
    #[arg(
        long,
        help_heading = "Over a reboot",
        value_name = "FOLDER",
        default_value = "/",
        requires = "persist"
    )]
    root: PathBuf,
    /// How the host calls this command at boot. Default: its path now; below another root
    /// /usr/bin/arpflux.
    #[arg(long, help_heading = "Over a reboot", value_name = "PATH", requires = "persist")]
    command: Option<PathBuf>,
}

impl Boot {
    fn persistence(&self, file: &PolicyFile, live: &Live) -> Result<Persistence> {
        let policy = file.read()?;
        let host = self.root == Path::new("/");
        if host && live.netns.is_some() {
            return Err(Error::new(ErrorKind::InvalidInput, "the files of this host are not read for it")
                .during("persist the policy of")
                .on("another network namespace")
                .hint("name the folder that stands for / there with --root"));
        }
        let own = || host.then(std::env::current_exe).and_then(std::result::Result::ok);
        let layout = Layout::default()
            .root(self.root.clone())
            .command(self.command.clone().or_else(own).unwrap_or_else(|| Layout::default().command));
        let mut persistence = Persistence::detect(policy, layout);
        if let Some(managers) = &self.manager {
            persistence.managers.clone_from(managers);
        }
        Ok(persistence.with_text(read_text(file.path())?))
    }
}

#[derive(Debug, clap::Args)]
struct What {
    #[command(flatten)]
    policy: PolicyFile,
    /// A plan that `arpflux plan --json` printed, instead of a policy; - reads standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["policy", "file"])]
    plan: Option<PathBuf>,
}

enum Wanted {
    Policy(Policy),
    Persistence(Persistence),
    Plan(Plan),
}

impl Wanted {
    fn plan(&self, now: &Snapshot) -> Result<Plan> {
        match self {
            Self::Policy(policy) => policy.plan(now),
            Self::Persistence(persistence) => persistence.plan(now),
            Self::Plan(plan) => Ok(plan.in_order()),
        }
    }
}

/// Says that a watch heals the namespace, and what that means for the change that was just made.
pub(super) fn beside_a_watch(host: &Host, options: &apply::Options, output: &Output) {
    // Who may not look into the state folder has been told so by now.
    if let Ok(Some(watch)) = host.healed_by(options) {
        output.note(format!(
            "{watch}. It puts back at once what its policy wants otherwise: give it the same policy, or end it first"
        ));
    }
}

/// Runs the verb.
///
/// # Errors
/// If the policy is no good, or not everything could be made; what was made is undone then.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let wanted = match &args.what.plan {
        Some(path) => Wanted::Plan(Plan::from_json(&read_text(path)?).map_err(|error| {
            let error = error.on_file(path);
            match error.remedy() {
                None => error.hint("`arpflux plan --json` writes plans; a policy is given without --plan"),
                Some(_) => error,
            }
        })?),
        None if args.persist => Wanted::Persistence(args.boot.persistence(&args.what.policy, &args.live)?),
        None => Wanted::Policy(args.what.policy.read()?),
    };
    let host = Host::from(args.live.netns()?);
    if args.dry_run {
        return dry_run(&wanted, &host.snapshot()?, output);
    }
    let mut options = args.state.changing()?;
    options.accept_harm = args.accept_harm;
    let trial = options.clone();
    options.confirm = args.confirm.map_or(Confirm::Now, Confirm::Within);
    let show = |plan: &Plan, files: &[FileChange]| {
        if args.rehearse && !plan.is_empty() {
            rehearse::first(&host.snapshot()?, plan, args.accept_harm, output)?;
        }
        if output.json() {
            return Ok(());
        }
        if plan.is_empty() && files.is_empty() {
            return output.text(unmet(plan));
        }
        let (rows, decisions) = (rows(plan, ROWS, output), decisions(plan));
        output.text(format!("{rows}{decisions}{}\n", listed(files)))
    };
    let applied = match &wanted {
        Wanted::Persistence(persistence) => host.apply_and_persist(persistence, options, show)?,
        Wanted::Plan(plan) => {
            show(plan, &[])?;
            host.apply(plan, options)?
        }
        Wanted::Policy(policy) => host.apply_with(options, |now| {
            let plan = policy.plan(now)?;
            show(&plan, &[])?;
            Ok(plan)
        })?,
    };
    // Another process waits for the confirmation; this one ends.
    let receipt = applied.leave();
    report(&receipt, &args.live, output);
    beside_a_watch(&host, &trial, output);
    let mut code = exit::GOOD;
    if receipt.outcome == Outcome::Pending && wait::somebody_is_there(output) {
        code = wait::wait(&host, &trial, &receipt, &args.live, output)?;
    } else {
        let policy = args.what.plan.is_none().then(|| args.what.policy.path());
        report_next_boot(&host, &receipt, &args.live, policy, output);
    }
    Ok(if code == exit::GOOD { certainty(&receipt, output) } else { code })
}

/// The exit code of a change that was made, after the last line where it cannot be told what that does.
pub(super) fn certainty(receipt: &Receipt, output: &Output) -> u8 {
    if !output.json() {
        let _ = output.text(last_line(&receipt.assessment));
    }
    receipt.assessment.judgement().exit_code()
}

/// Says what the next boot does to what was made, where nothing was written for it.
pub(super) fn report_next_boot(
    host: &Host,
    receipt: &Receipt,
    live: &Live,
    policy: Option<&Path>,
    output: &Output,
) {
    let kept = receipt.outcome == Outcome::Applied && receipt.files.is_empty();
    if kept && !output.json() && live.netns.is_none() {
        let _ = output.text(next_boot(host, policy));
    }
}

/// What the next boot takes away or may take away, and how to keep it; nothing where that is nothing.
fn next_boot(host: &Host, policy: Option<&Path>) -> String {
    let known = host.snapshot().and_then(|now| at_boot(&now, &Layout::default()));
    let what = match known.map(|report| (report.ok(), report.differences())) {
        Ok((Some(true), _)) => return String::new(),
        Ok((Some(false), count)) => {
            format!("{} otherwise", counted(count, "value or entry is", "values and entries are"))
        }
        Ok((None, _)) => "it cannot be told whether all is as now".into(),
        Err(error) => format!("it cannot be told whether all is as now: {error}"),
    };
    let mut text = format!("After the next boot {what} (arpflux diagnose --persisted tells more).\n");
    if let Some(policy) = policy {
        let policy = quoted(&policy.display().to_string());
        text += &format!("Next: arpflux apply {policy} --persist\n");
    }
    text
}

fn dry_run(wanted: &Wanted, now: &Snapshot, output: &Output) -> Result<u8> {
    let plan = wanted.plan(now)?;
    let files = match wanted {
        Wanted::Persistence(persistence) => persistence.files(now)?,
        _ => Vec::new(),
    };
    let assessment = plan.assess(now)?;
    if output.json() {
        output.answer(&DryRun::new(Planned::new(&plan, None, &assessment), &files))?;
    } else {
        let rows = if plan.is_empty() { "Nothing to change.\n".into() } else { rows(&plan, ROWS, output) };
        output.text(format!(
            "{}{rows}{}{}\nnothing was changed (--dry-run)\n{}",
            harms(&assessment, output),
            decisions(&plan),
            listed(&files),
            last_line(&assessment),
        ))?;
    }
    Ok(assessment.judgement().exit_code())
}

/// Files with what becomes of them, one a line.
fn listed(files: &[FileChange]) -> String {
    files.iter().map(|file| format!("{file}\n")).collect()
}

/// Prints what a transaction did. What is done is done: a failure to print does not fail the verb.
pub(super) fn report(receipt: &Receipt, live: &Live, output: &Output) {
    if output.json() {
        let _ = output.answer(receipt);
        return;
    }
    let mut text = String::new();
    for note in &receipt.notes {
        text += &format!("note: {note}\n");
    }
    let (id, count) = (receipt.id.unwrap_or_default(), receipt.changes.len());
    let netns = live.arguments();
    let mut changes = counted(count, "change", "changes");
    match (receipt.files.len(), receipt.outcome) {
        (0, _) => {}
        (_, Outcome::Pending) => text += "note: the files are written when it is confirmed\n",
        (1, _) => changes += " and 1 file",
        (files, _) => changes += &format!(" and {files} files"),
    }
    match receipt.outcome {
        Outcome::Unchanged => text += "nothing to change\n",
        Outcome::Applied => {
            let done = if receipt.rollback_of.is_some() { "undone" } else { "made" };
            text += &output.paint(Style::Good, format!("{changes} {done} and checked"));
            text += &format!(" (transaction {id})\nUndo: arpflux rollback{netns} {id}\n");
        }
        Outcome::Pending => {
            let left = receipt.remaining.unwrap_or_default().as_secs_f64();
            text += &output.paint(Style::Caution, format!("{changes} made and checked, on trial"));
            text += &format!(
                " (transaction {id})\nOtherwise it is undone in {left:.0} s.\nNext: arpflux confirm{netns} {id}\nUndo: arpflux rollback{netns} {id}\n"
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
    if output.json() {
        return output.answer(&Transactions::new(receipts));
    }
    let mut table =
        crate::table::Table::new(["transaction", "by", "outcome", "changes", "started", "command"]);
    for receipt in receipts {
        let outcome = match (receipt.outcome, receipt.rollback_of, receipt.remaining) {
            (Outcome::Pending, _, Some(left)) => format!("on trial, {:.0} s left", left.as_secs_f64()),
            (Outcome::Applied, Some(of), _) => format!("applied, takes back {of}"),
            (outcome, ..) => format!("{outcome:?}").to_lowercase(),
        };
        let outcome = match (receipt.taken_back_by, &receipt.reason) {
            (Some(by), _) => format!("{outcome}, taken back by {by}"),
            (None, Some(reason)) => format!("{outcome}: {reason}"),
            (None, None) => outcome,
        };
        table.row([
            crate::table::Cell::new(receipt.id.unwrap_or_default()),
            crate::table::Cell::new(receipt.by),
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
