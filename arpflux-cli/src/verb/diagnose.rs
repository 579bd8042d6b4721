//! `arpflux diagnose`.

mod files;
mod persisted;
mod text;

use std::path::PathBuf;

use arpflux_core::diagnose::{Diagnosis, FindingId, Options, Severity};
use arpflux_core::outward::{Catalogue, CatalogueEntry, Diagnosed};
use arpflux_core::persist::at_boot;
use arpflux_core::segment::{Member, Wires};
use arpflux_core::wire::segments::{self, find_until};
use arpflux_core::wire::{asked, stop_on_interrupt};
use arpflux_core::{Policy, Result, apply, diagnose};

use super::segments::hosts;
use crate::Source;
use crate::exit;
use crate::input::{quoted, read_text};
use crate::output::Output;

/// Say what is wrong with a host, why, what to do, and what that would change elsewhere.
///
/// No policy is needed, nothing is sent and nothing is changed. The exit code is 1 if a finding is as bad as
/// --fail-on says, or worse; 6 if there is none for certain and something could not be seen.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Also find what is not as this policy says, TOML or JSON.
    #[arg(long, short, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Which interfaces share a wire, as `arpflux segments --json` prints it. Default: what the subnets tell.
    #[arg(long, value_name = "FILE")]
    segments: Option<PathBuf>,
    /// Ask the wire what the snapshot does not tell: which interfaces share one, as `arpflux segments` does, and whether
    /// neighbours answer with the MAC that a permanent entry says. A few harmless frames are sent.
    #[arg(long, conflicts_with_all = ["segments", "snapshot", "list"])]
    ask_the_wire: bool,
    /// Snapshots of other hosts, or folders with them: whether permanent neighbour entries here agree with them.
    #[arg(long, value_name = "FOLDER|FILE", num_args = 1.., conflicts_with_all = ["ask_the_wire", "list"])]
    hosts: Vec<PathBuf>,
    /// Exit with 1 if there is a finding of this severity or a worse one.
    #[arg(long, value_enum, default_value_t = FailOn::Warning, value_name = "SEVERITY")]
    fail_on: FailOn,
    /// Leave this finding out: AF012. May be given several times.
    #[arg(long, value_name = "ID")]
    ignore: Vec<FindingId>,
    /// Also find what the next boot takes away or sets otherwise, from the files of this host (or below --root).
    #[arg(long)]
    boot: bool,
    /// Everything: what was seen, each remedy with all its changes, and what it changes elsewhere.
    #[arg(long, short, conflicts_with_all = ["json", "list"])]
    verbose: bool,
    /// Leave out what each remedy changes elsewhere: quicker on large hosts.
    #[arg(long)]
    no_impact: bool,
    /// Print all that can be found, instead of looking at a host.
    #[arg(long, conflicts_with_all = ["policy", "segments", "snapshot", "netns", "ignore"])]
    list: bool,
    /// Also write one self-contained page: findings, who answers before and after the change that the policy
    /// (or the recommended one) makes, the topology, and the steps of each cell.
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    html: Option<PathBuf>,
    /// Also write numbers for node_exporter's textfile collector, whole or not at all; the name must end in
    /// .prom for it to be read.
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    metrics: Option<PathBuf>,
    #[command(flatten)]
    files: persisted::Args,
    #[command(flatten)]
    source: Source,
}

impl Args {
    /// The command that cures, as a line; nothing where there is nothing to cure.
    fn next(&self, diagnosis: &Diagnosis) -> String {
        let source = self.source.arguments();
        match (diagnosis.worst(), &self.policy) {
            (Some(Severity::Error | Severity::Warning), None) => {
                format!("Next: arpflux recommend{source} -o policy.toml\n")
            }
            (Some(Severity::Error | Severity::Warning), Some(policy)) => {
                format!("Next: arpflux plan{source} {}\n", quoted(&policy.display().to_string()))
            }
            (Some(Severity::Info) | None, _) => String::new(),
        }
    }
}

/// From which severity on the exit code is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// Any finding.
    Info,
    /// Warnings and errors.
    Warning,
    /// Errors alone.
    Error,
    /// Never for a finding.
    Never,
}

impl FailOn {
    const fn severity(self) -> Option<Severity> {
        match self {
            Self::Info => Some(Severity::Info),
            Self::Warning => Some(Severity::Warning),
            Self::Error => Some(Severity::Error),
            Self::Never => None,
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// If the policy is not valid, or there is no snapshot to be had.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    if args.list {
        return list(output);
    }
    if args.files.persisted {
        return persisted::run(&args.files, &args.source.snapshot()?, output);
    }
    if let Some(key) = &args.files.who {
        return persisted::run_who(&args.files, key, &args.source.snapshot()?, output);
    }
    let policy = args.policy.as_deref().map(Policy::from_path).transpose()?;
    let wires = args.segments.as_deref().map(|path| Wires::from_json(&read_text(path)?)).transpose()?;
    let overdue = match args.source.file() {
        None => args.source.host()?.overdue(&apply::Options::default())?,
        Some(_) => None,
    };
    if let Some(overdue) = &overdue {
        output.note(overdue);
    }
    let snapshot = args.source.snapshot()?;
    let boot = args.boot.then(|| at_boot(&snapshot, &args.files.layout())).transpose()?;
    let mut options = Options::default()
        .policy(policy)
        .wires(wires)
        .boot(boot)
        .ignore(args.ignore.clone())
        .impact(!args.no_impact);
    if args.ask_the_wire {
        output.note(asked::WORDS);
        let host = args.source.host()?;
        let stop = stop_on_interrupt()?;
        options.wires = Some(find_until(&host, &[], segments::Options::default(), &stop)?.wires);
        options.heard = asked::permanent_neighbours(&host, &snapshot, &stop)?;
    }
    if !args.hosts.is_empty() {
        let hosts = hosts::read(&args.hosts)?;
        let mut members = vec![Member::new("this host", &snapshot)?];
        members.extend(hosts::members(&hosts)?);
        options.heard = diagnose::heard(&members, 0, &stop_on_interrupt()?)?;
    }
    let diagnosis = snapshot.diagnose(&options)?;
    if let Some(path) = &args.html {
        files::page(path, &snapshot, &diagnosis, options.policy.as_ref(), &args.source)?;
    }
    if let Some(path) = &args.metrics {
        files::numbers(path, &snapshot, &diagnosis, &args.source)?;
    }
    let diagnosed = Diagnosed::new(&diagnosis, args.fail_on.severity()).overdue(overdue);
    if output.json() {
        output.answer(&diagnosed)?;
    } else {
        output.text(match args.verbose {
            true => text::all(&diagnosis, &snapshot, output)?,
            false => text::brief(&diagnosis, &args.next(&diagnosis), output),
        })?;
    }
    Ok(diagnosed.judgement().exit_code())
}

fn list(output: &Output) -> Result<u8> {
    let catalogue = Catalogue::default();
    if output.json() {
        output.answer(&catalogue)?;
    } else {
        let line = |CatalogueEntry { id, severity, title, .. }| format!("{id}  {severity:<7}  {title}\n");
        output.text(catalogue.findings.into_iter().map(line).collect::<String>())?;
    }
    Ok(exit::GOOD)
}
