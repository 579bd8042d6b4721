//! `arpflux rehearse`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arpflux_core::outward::{Heard, HeardTurn, LeftOut, Rehearsal, RehearsedAnswer};
use arpflux_core::plan::Plan;
use arpflux_core::words::{counted, listed};
use arpflux_core::{Result, Snapshot};

use crate::Source;
use crate::input::{PolicyFile, quoted};
use crate::output::{Output, Progress, Style};

/// Try a plan on a twin of the host: the same kernel, interfaces, addresses and settings in throw-away namespaces, asked
/// with real frames before and after, and packets sent between the host, neighbours, gateways and guests.
///
/// Says which answers and which ways of packets are won, lost and changed, takes the plan back on the twin and compares,
/// and checks every answer against the model. Nothing of this host is touched, and no root is needed where users may make namespaces.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    policy: PolicyFile,
    /// A plan that `arpflux plan --json` stored, instead of what a policy asks for.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["policy", "file"])]
    plan: Option<PathBuf>,
    /// Everything: all answers, and what stands for something else on the twin.
    #[arg(long, short, conflicts_with = "json")]
    verbose: bool,
    #[command(flatten)]
    source: Source,
}

/// How many lines of answers are shown.
const LINES: usize = 60;

/// Runs the verb.
///
/// # Errors
/// If there is no plan or no snapshot to be had, they do not belong together, or namespaces are forbidden.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    arpflux_lab::enter()?;
    let snapshot = args.source.snapshot()?;
    let plan = match &args.plan {
        Some(path) => Plan::from_path(path)?,
        None => args.policy.read()?.plan(&snapshot)?,
    };
    let found = tried(&snapshot, &plan, output)?;
    if output.json() {
        output.answer(&found)?;
        return Ok(found.exit().code());
    }
    let mut text = bad(&found, output);
    text += &answers(&found, args.verbose, output);
    text += &ways(&found, args.verbose, output);
    text += &list("not on the twin", &found.left_out);
    if args.verbose {
        text += &list("on the twin by something else", &found.stand_ins);
    }
    if !found.open.is_empty() {
        text += "not tried\n";
        found.open.iter().for_each(|line| text += &format!("    {line}\n"));
    }
    text += &format!("\n{}\n", painted_sum(&found, output));
    if found.ok == Some(true) && found.changes > 0 && args.source.file().is_none() {
        let policy = args.plan.as_deref().unwrap_or(args.policy.path());
        let policy = quoted(&policy.display().to_string());
        text += &format!("Next: arpflux apply{} {policy} --confirm 30s\n", args.source.arguments());
    }
    output.text(text)?;
    Ok(found.exit().code())
}

fn tried(snapshot: &Snapshot, plan: &Plan, output: &Output) -> Result<Rehearsal> {
    let progress = Progress::new(output);
    let found = arpflux_lab::rehearse(snapshot, plan, &mut |step| progress.announce(step));
    progress.end();
    found
}

/// Tries a plan on a twin on behalf of another verb, and says what came of it.
///
/// # Errors
/// If it does harm there, unless that is accepted; those of building the twin.
pub(super) fn first(snapshot: &Snapshot, plan: &Plan, accept_harm: bool, output: &Output) -> Result<()> {
    arpflux_lab::privileges()?;
    let found = tried(snapshot, plan, output)?;
    if !output.json() {
        output.note(bad(&found, output) + &turned(&found, output) + &painted_sum(&found, output));
    }
    if accept_harm { Ok(()) } else { found.refuse() }
}

/// What is wrong with what was tried.
fn bad(found: &Rehearsal, output: &Output) -> String {
    let mut text = String::new();
    for harm in &found.harm {
        text += &format!("{}  {harm}\n", output.paint(Style::Bad, "HARM"));
    }
    for fault in &found.faults {
        text += &format!("{}  {fault}\n", output.paint(Style::Bad, "FAULT OF ARPFLUX"));
    }
    if let Some(difference) = &found.difference {
        text += &format!("    {difference}\n");
    }
    if let Some(refused) = &found.refused {
        text += &format!("{}  {refused}\n", output.paint(Style::Bad, "REFUSED BY THE KERNEL"));
    }
    text
}

/// What turns.
fn turned(found: &Rehearsal, output: &Output) -> String {
    answers(found, false, output) + &ways(found, false, output)
}

/// The answers that turn, or all; those of senders that fare alike in one line.
fn answers(found: &Rehearsal, all: bool, output: &Output) -> String {
    let mut alike: BTreeMap<_, Vec<&RehearsedAnswer>> = BTreeMap::new();
    for answer in found.answers.iter().filter(|answer| all || answer.turn != HeardTurn::Same) {
        let key = (answer.address, answer.wire, &answer.before, &answer.after, &answer.open);
        alike.entry(key).or_default().push(answer);
    }
    let lines = alike.values().filter_map(|answers| Some((answers, answers.first()?)));
    let lines = lines.map(|(answers, answer)| {
        let senders = senders(found, answers);
        let (sign, style) = match answer.turn {
            HeardTurn::Same => ("=", Style::Faint),
            HeardTurn::Won => ("+", Style::Good),
            HeardTurn::Lost if answers.iter().any(|answer| answer.near) => ("-", Style::Bad),
            HeardTurn::Lost => ("-", Style::Faint),
            HeardTurn::Changed => ("~", Style::Caution),
        };
        let far = match answer.turn {
            HeardTurn::Lost if !answers.iter().any(|answer| answer.near) => " (nobody there asks for it)",
            _ => "",
        };
        let open = answer.open.as_ref().map_or_else(String::new, |why| format!("  (open: {why})"));
        format!(
            "{} {} on {}{senders}: {} -> {}{far}{open}\n",
            output.paint(style, sign),
            answer.address,
            found.wire_in_words(answer.wire),
            heard(&answer.before),
            heard(&answer.after),
        )
    });
    shortened(&lines.collect::<Vec<_>>(), all)
}

/// The ways of packets that turn, or all.
fn ways(found: &Rehearsal, all: bool, output: &Output) -> String {
    let shown = found.ways.iter().filter(|way| all || way.turn != HeardTurn::Same);
    let lines: Vec<String> = shown
        .map(|way| {
            let (sign, style, what) = match (way.turn, way.after) {
                (HeardTurn::Won, _) => ("+", Style::Good, "no reply -> replies"),
                (HeardTurn::Lost, _) => ("-", Style::Bad, "replies -> no reply"),
                (_, true) => ("=", Style::Faint, "replies"),
                (_, false) => ("=", Style::Faint, "no reply"),
            };
            format!("{} packets from {} to {}: {what}\n", output.paint(style, sign), way.from, way.to)
        })
        .collect();
    shortened(&lines, all)
}

/// The first lines, or all of them.
fn shortened(lines: &[String], all: bool) -> String {
    let more = if all { 0 } else { lines.len().saturating_sub(LINES) };
    let text = lines[..lines.len() - more].concat();
    if more == 0 { text } else { text + &format!("and {} (-v)\n", counted(more, "more", "more")) }
}

/// Who asked, where not everybody fares alike.
fn senders(found: &Rehearsal, answers: &[&RehearsedAnswer]) -> String {
    let Some(first) = answers.first() else { return String::new() };
    let same = |other: &&RehearsedAnswer| (other.address, other.wire) == (first.address, first.wire);
    if found.answers.iter().filter(same).count() == answers.len() {
        return String::new();
    }
    let name = |answer: &&RehearsedAnswer| match answer.sender.is_unspecified() {
        true => "probes".to_owned(),
        false => answer.sender.to_string(),
    };
    let names: Vec<String> = answers.iter().map(name).collect();
    format!(" asked by {}", listed(&names))
}

/// Who was heard: the names of the interfaces.
pub(super) fn heard(answers: &[Heard]) -> String {
    let names: Vec<String> = answers.iter().map(ToString::to_string).collect();
    if names.is_empty() { "nobody".into() } else { names.join(" ") }
}

fn list(heading: &str, of: &[LeftOut]) -> String {
    let lines: String = of.iter().map(|one| format!("    {one}\n")).collect();
    if lines.is_empty() { lines } else { format!("{heading}\n{lines}") }
}

fn painted_sum(found: &Rehearsal, output: &Output) -> String {
    let style = match found.ok {
        Some(true) => Style::Good,
        Some(false) => Style::Bad,
        None => Style::Caution,
    };
    output.paint(style, sum(found))
}

fn sum(found: &Rehearsal) -> String {
    let count = |turn| found.answers.iter().filter(|answer| answer.turn == turn).count();
    let (won, lost, changed) = (count(HeardTurn::Won), count(HeardTurn::Lost), count(HeardTurn::Changed));
    let open = found.answers.iter().filter(|answer| answer.open.is_some()).count();
    let mut text = format!(
        "Rehearsal: {} tried on a twin (kernel {}) with {}: {won} won, {lost} lost, {changed} changed",
        counted(found.changes, "change", "changes"),
        found.kernel,
        counted(found.requests, "request", "requests"),
    );
    if open > 0 {
        text += &format!(", {open} open");
    }
    if !found.ways.is_empty() {
        let ways = counted(found.ways.len(), "way of packets", "ways of packets");
        let turned = |turn| found.turned_ways().filter(|way| way.turn == turn).count();
        text += &format!("; {ways}: {} won, {} lost", turned(HeardTurn::Won), turned(HeardTurn::Lost));
    }
    text + if found.taken_back { "; taken back exactly" } else { "; NOT taken back exactly" }
}
