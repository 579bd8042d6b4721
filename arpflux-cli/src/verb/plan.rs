//! `arpflux plan`.

use arpflux_core::Result;
use arpflux_core::harm::Assessment;
use arpflux_core::outward::Planned;
use arpflux_core::plan::{Folded, Impact, Plan, Sign};
use arpflux_core::words::counted;

use crate::Source;
use crate::exit;
use crate::input::{PolicyFile, quoted};
use crate::output::{Output, Progress, Style};

/// Say what has to change so that a policy holds, why, and which answers change with it.
///
/// Nothing is changed, and no privilege is needed. `arpflux apply` makes the change; it also takes the
/// JSON that this prints. Exit code 1 if it does harm, which `apply` refuses; 6 if who answers afterwards cannot be told, and
/// so whether there is harm.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    policy: PolicyFile,
    /// Leave out which answers change: quicker where there are very many routes and entries.
    #[arg(long)]
    no_impact: bool,
    /// Everything: each change on a line of its own, and every answer that changes.
    #[arg(long, short, conflicts_with = "json")]
    verbose: bool,
    /// End with 1 if there is something to change.
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    source: Source,
}

/// How many effects on what the policy does not name are listed.
const EFFECTS: usize = 10;

/// Runs the verb.
///
/// # Errors
/// If the policy is not valid or would not work on this host, or there is no snapshot to be had.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let policy = args.policy.read()?;
    let snapshot = args.source.snapshot()?;
    let plan = policy.plan(&snapshot)?;
    let progress = Progress::new(output);
    progress.announce("working out which answers change (--no-impact leaves that out)");
    let impact =
        (!args.no_impact && !plan.is_empty()).then(|| plan.impact(&snapshot, &policy)).transpose()?;
    progress.end();
    let assessment = plan.assess(&snapshot)?;
    let code = match args.exit_code && !plan.is_empty() {
        true => exit::BAD,
        false => assessment.judgement().exit_code(),
    };
    if output.json() {
        let none = Impact::default();
        output.answer(&match args.no_impact {
            true => Planned::bare(&plan, &assessment),
            false => Planned::new(&plan, impact.as_ref().or(Some(&none)), &assessment),
        })?;
        return Ok(code);
    }
    let mut text = harms(&assessment, output);
    if plan.is_empty() {
        text += "Nothing to change.\n";
        text += &unmet(&plan);
        output.text(text)?;
        return Ok(code);
    }
    if args.verbose {
        text += &plan.to_string();
        text += &impact.as_ref().map_or_else(String::new, |impact| all_answers(impact, output));
    } else {
        text += &rows(&plan, ROWS, output);
        text += &decisions(&plan);
        text += &impact.as_ref().map_or_else(String::new, answers);
    }
    text += &format!(
        "\n{}\n",
        output.paint(Style::Strong, format!("Plan: {}", plan.sum(&snapshot, &assessment)))
    );
    if args.source.file().is_none() {
        let policy = quoted(&args.policy.path().display().to_string());
        text += &format!("Next: arpflux apply{} {policy} --confirm 30s\n", args.source.arguments());
    }
    text += &last_line(&assessment);
    output.text(text)?;
    Ok(code)
}

/// What the policy asks for and this host cannot have, one a line.
pub fn unmet(plan: &Plan) -> String {
    let unmet = plan.decisions.iter().filter(|decision| decision.starts_with("not kept: "));
    unmet.map(|decision| format!("{decision}\n")).collect()
}

/// What would be lost, one a line.
pub fn harms(assessment: &Assessment, output: &Output) -> String {
    let line = |harm| format!("{}  {harm}\n", output.paint(Style::Bad, "HARM"));
    assessment.harm.iter().map(line).collect()
}

/// What cannot be told of it, if anything.
pub fn last_line(assessment: &Assessment) -> String {
    assessment.last_line().map_or_else(String::new, |line| line + "\n")
}

/// How many rows of changes are shown.
pub const ROWS: usize = 60;

/// The changes, those that are alike in one line, at most so many lines.
pub fn rows(plan: &Plan, most: usize, output: &Output) -> String {
    let line = |row: Folded| {
        let style = match row.sign {
            Sign::Add => Style::Good,
            Sign::Change => Style::Caution,
            Sign::Delete => Style::Bad,
        };
        format!("{} {}\n", output.paint(style, row.sign), row.text)
    };
    let rows = plan.folded();
    let more = rows.len().saturating_sub(most);
    let text: String = rows.into_iter().take(most).map(line).collect();
    if more == 0 { text } else { text + &format!("and {} (-v)\n", counted(more, "more row", "more rows")) }
}

/// What was chosen where the policy leaves it open, and why.
pub fn decisions(plan: &Plan) -> String {
    let lines: String = plan.decisions.iter().map(|decision| format!("    {decision}\n")).collect();
    if lines.is_empty() { lines } else { format!("because\n{lines}") }
}

/// The answers that change for addresses which the policy does not name; the others are counted.
fn answers(impact: &Impact) -> String {
    let (others, named): (Vec<_>, Vec<_>) = impact.noticed().partition(|effect| !effect.named);
    let mut text = String::new();
    if !others.is_empty() {
        text += "answers for addresses that the policy does not name\n";
        others.iter().take(EFFECTS).for_each(|effect| text += &format!("    {effect}\n"));
        if let more @ 1.. = others.len().saturating_sub(EFFECTS) {
            text += &format!("    and {} (-v)\n", counted(more, "more", "more"));
        }
    }
    match (others.len(), named.len()) {
        (0, 0) => text += "No answer to any ARP request changes.\n",
        (_, 0) => {}
        (_, count) => {
            let changes = counted(count, "answer changes", "answers change");
            text += &format!("{changes} for addresses that the policy names (-v lists them)\n");
        }
    }
    text
}

/// Every answer that changes.
fn all_answers(impact: &Impact, output: &Output) -> String {
    if impact.effects.is_empty() {
        return "No answer to any ARP request changes.\n".into();
    }
    let heading = match impact.victims().count() {
        0 => "answers".to_owned(),
        victims => {
            format!("answers ({victims} of them for addresses that the policy does not name, these first)")
        }
    };
    let lines: String = impact.to_string().lines().map(|line| format!("    {line}\n")).collect();
    output.paint(Style::Strong, heading) + "\n" + &lines
}
