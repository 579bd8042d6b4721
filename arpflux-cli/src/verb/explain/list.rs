//! `explain` without an address: one line an address, bad first.

use arpflux_core::Result;
use arpflux_core::judgement::Judgement;
use arpflux_core::predict::{Line, Matrix, Model, Outcome, Overview, targets};
use arpflux_core::types::IfIndex;
use arpflux_core::words::{counted, thousands};

use super::{Args, matrix};
use crate::output::{Progress, Style};
use crate::{Cell, Output, Table};

/// How many addresses are listed where no limit is given.
const LIMIT: usize = 100;

/// Which addresses are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Only {
    /// Several MACs answer on one wire.
    Flux,
    /// It cannot be told whether several MACs answer.
    Unknown,
    /// Interfaces answer, and not the one that holds the address.
    Elsewhere,
    /// Nobody answers.
    Silent,
    /// One MAC answers on each wire.
    Ok,
}

impl Only {
    const fn outcome(self) -> Outcome {
        match self {
            Self::Flux => Outcome::Flux,
            Self::Unknown => Outcome::Unknown,
            Self::Elsewhere => Outcome::Elsewhere,
            Self::Silent => Outcome::Silent,
            Self::Ok => Outcome::Good,
        }
    }
}

/// Prints the list, or with --matrix a letter for each interface.
pub fn run(args: &Args, model: &Model<'_>, interfaces: &[IfIndex], output: &Output) -> Result<u8> {
    let mut targets = targets(model.snapshot());
    if let Some(ipv6) = args.family() {
        targets.retain(|target| target.is_ipv6() == ipv6);
    }
    if output.json() {
        let matrix = Matrix::with(model, &targets, interfaces, args.from);
        output.answer(&matrix)?;
        return Ok(matrix.judgement().exit_code());
    }
    let progress = Progress::new(output);
    let overview = Overview::of(model, &targets, interfaces, args.from, |done| {
        progress.show(|| format!("{} of {} addresses", thousands(done), thousands(targets.len())));
    });
    progress.end();
    let judgement = overview.judgement();
    if overview.lines.is_empty() || interfaces.is_empty() {
        output.text("No address of this host is asked for: it holds and proxies none.\n")?;
        return Ok(judgement.exit_code());
    }
    let wanted = |line: &&Line| match args.only.as_slice() {
        [] => args.all || line.outcome != Outcome::Good,
        only => only.iter().any(|only| only.outcome() == line.outcome),
    };
    let wanted: Vec<&Line> = overview.lines.iter().filter(wanted).collect();
    let shown = &wanted[..wanted.len().min(args.limit.unwrap_or(LIMIT))];
    let mut text = if args.matrix {
        let shown: Vec<_> = shown.iter().map(|line| line.target).collect();
        matrix::letters(&Matrix::with(model, &shown, interfaces, args.from), args.from.is_none(), output)
    } else {
        table(shown).render(output)
    };
    if shown.is_empty() {
        text.clear();
    }
    if shown.len() < wanted.len() {
        let more = counted(wanted.len() - shown.len(), "more is", "more are");
        text += &format!("{more} left out (--limit)\n");
    }
    if !text.is_empty() {
        text.push('\n');
    }
    let next = next(&overview, args);
    let summary = summary(&overview, shown, output);
    // What could not be read, and how to, stands in the last line.
    text += &if judgement.ok().is_none() { next + &summary } else { summary + &next };
    output.text(text)?;
    Ok(judgement.exit_code())
}

fn table(lines: &[&Line]) -> Table {
    let mut table = Table::new(["ADDRESS", "ON", "ANSWERED BY", "VERDICT"]);
    for line in lines {
        let style = match line.outcome {
            Outcome::Flux => Style::Bad,
            Outcome::Unknown | Outcome::Elsewhere => Style::Caution,
            Outcome::Silent => Style::Faint,
            Outcome::Good => Style::Good,
        };
        table.row([
            Cell::new(line.target),
            Cell::new(line.expected()),
            Cell::new(line.answered_by()),
            Cell::new(line.verdict()).style(style),
        ]);
    }
    table
}

/// What it comes to, and how many good ones were not listed.
fn summary(overview: &Overview, shown: &[&Line], output: &Output) -> String {
    let style = match overview.judgement() {
        Judgement::Good if overview.count(Outcome::Elsewhere) == 0 => Style::Good,
        Judgement::Bad => Style::Bad,
        Judgement::Good | Judgement::Undetermined { .. } => Style::Caution,
    };
    let listed = shown.iter().filter(|line| line.outcome == Outcome::Good).count();
    let good = match overview.count(Outcome::Good) - listed {
        0 => String::new(),
        1 => "1 address is ok (--all lists it). ".into(),
        count => format!("{} are ok (--all lists them). ", counted(count, "address", "addresses")),
    };
    let all = output.paint(style, overview);
    if overview.judgement().ok().is_none() {
        format!("{good}{all}\n")
    } else {
        format!("{all} {good}").trim_end().to_owned() + "\n"
    }
}

/// The commands that go on from here.
fn next(overview: &Overview, args: &Args) -> String {
    let source = args.source.arguments();
    let Some(first) = overview.lines.first().filter(|line| line.outcome != Outcome::Good) else {
        return String::new();
    };
    // Which interface is to hold an IPv6 address of the host no policy says.
    let cured =
        |line: &Line| line.outcome == Outcome::Flux && (line.target.is_ipv4() || line.held_by.is_empty());
    let next = match overview.lines.iter().any(cured) {
        true => format!("Next: arpflux recommend{source} -o policy.toml\n"),
        false => String::new(),
    };
    format!("Why:  arpflux explain {}{source}\n{next}", first.target)
}
