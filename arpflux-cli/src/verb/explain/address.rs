//! `explain ADDRESS`: each interface with the steps that decide.

use std::net::IpAddr;

use arpflux_core::Result;
use arpflux_core::outward::Tried;
use arpflux_core::predict::{AddressAnswers, AnswerOn, Explanation, Matrix, Model, Row, Step, Verdict};
use arpflux_core::types::IfIndex;
use arpflux_core::words::{folded, listed};

use crate::output::{Progress, Style};
use crate::verb::rehearse;
use crate::{Output, exit};

/// Explains one address on each of `interfaces`; `tried`: the kernel of a twin is asked as well.
pub fn run(
    model: &Model<'_>,
    target: IpAddr,
    interfaces: &[IfIndex],
    from: Option<IpAddr>,
    tried: bool,
    output: &Output,
) -> Result<u8> {
    let matrix = Matrix::with(model, &[target], interfaces, from);
    let Some(row) = matrix.rows.first() else { return Ok(exit::GOOD) };
    let mut answers = AddressAnswers::new(model, &matrix, row, from);
    if tried {
        let progress = Progress::new(output);
        let found = arpflux_lab::try_address(model.snapshot(), answers, &mut |step| progress.announce(step));
        progress.end();
        answers = found?;
    }
    let code = answers.judgement.exit_code();
    if output.json() {
        output.answer(&answers)?;
        return Ok(code);
    }
    let mut text = headline(&matrix, row, output);
    for group in answers.alike() {
        text.push('\n');
        text.push_str(&section(&group, output));
    }
    if let Some(tried) = &answers.tried {
        text.push('\n');
        text.push_str(&heard(tried, output));
    }
    if answers.judgement.ok().is_none() {
        text.push_str(&format!("\n{}\n", output.paint(Style::Caution, matrix.summary())));
    }
    output.text(text)?;
    Ok(code)
}

/// The answer in one line.
fn headline(matrix: &Matrix, row: &Row, output: &Output) -> String {
    let names: Vec<String> = row.answering().map(|i| matrix.interfaces[i].name.to_string()).collect();
    let undetermined =
        row.cells.iter().filter(|cell| matches!(cell.verdict, Verdict::Undetermined { .. })).count();
    let who = match names.as_slice() {
        [] if undetermined > 0 => "no interface certainly answers".to_string(),
        [] => "no interface answers".to_string(),
        [one] => format!("{one} answers"),
        [most @ .., last] if most.len() < 3 => format!("{} and {last} answer", most.join(", ")),
        names => format!("{} answer", folded(names)),
    };
    let (style, flux) = if row.flux == Some(true) {
        (Style::Bad, ", with several MACs on one wire: flux")
    } else if undetermined > 0 {
        (Style::Caution, "")
    } else {
        (Style::Good, "")
    };
    let held = match (row.held_by.as_slice(), row.proxied) {
        ([], true) => " (proxied)".to_string(),
        ([], false) => String::new(),
        (held, _) => {
            format!(" (on {})", held.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
    };
    format!(
        "{}{held}: {}\n",
        output.paint(Style::Strong, row.target),
        output.paint(style, format!("{who}{flux}"))
    )
}

/// What the kernel of a twin answered.
fn heard(tried: &Tried, output: &Output) -> String {
    let flux = match tried.flux() {
        Some(true) => output.paint(Style::Bad, ", with several MACs on one wire: flux"),
        _ => String::new(),
    };
    let mut text = format!(
        "{}{flux}\n",
        output.paint(Style::Strong, format!("Tried on a twin (kernel {})", tried.kernel))
    );
    for fault in &tried.faults {
        text += &format!("  {}  {fault}\n", output.paint(Style::Bad, "FAULT OF ARPFLUX"));
    }
    if let Some(difference) = &tried.difference {
        text += &format!("    {difference}\n");
    }
    for request in &tried.requests {
        let who = match request.sender_ip.is_unspecified() {
            true => "a probe".to_owned(),
            false => format!("{} asks", request.sender_ip),
        };
        text += &format!("  {who} on {}: {}\n", listed(&request.interfaces), rehearse::heard(&request.heard));
        if let Some(open) = &request.open {
            text += &format!(
                "    {}\n",
                output.paint(Style::Caution, format!("That says nothing about the host: {open}."))
            );
        }
    }
    for open in &tried.open {
        text += &format!("  not tried: {open}\n");
    }
    for left_out in &tried.left_out {
        text += &format!("  not on the twin: {left_out}\n");
    }
    text
}

/// What is said of the first of a group, and the others of which the same holds.
fn section(group: &[&AnswerOn], output: &Output) -> String {
    let [on, others @ ..] = group else { return String::new() };
    let mut text =
        format!("{} ({})\n", output.paint(Style::Strong, on.interface), output.paint(Style::Faint, on.mac));
    text.push_str(&steps(&on.reply, output));
    if let Some(probe) = &on.probe
        && probe.verdict != on.reply.verdict
    {
        text.push_str(&steps(probe, output));
    }
    if !others.is_empty() {
        let answers = on.reply.verdict.answers() == Some(true);
        let names = others.iter().map(|other| match answers {
            true => format!("{} ({})", other.interface, other.mac),
            false => other.interface.to_string(),
        });
        text.push_str(&format!("  The same on {}.\n", folded(&names.collect::<Vec<_>>())));
    }
    text
}

/// One sentence a line, the last one in the colour of the verdict.
fn steps(explanation: &Explanation, output: &Output) -> String {
    let style = match explanation.verdict {
        Verdict::Answers { .. } => Style::Good,
        Verdict::Silent { .. } => Style::Strong,
        Verdict::Undetermined { .. } => Style::Caution,
    };
    let mut text = String::new();
    for step in &explanation.steps {
        let indent = if matches!(step, Step::Request { .. }) { "  " } else { "    " };
        let line = match step {
            Step::Verdict { .. } | Step::Unknown { .. } => output.paint(style, step),
            _ => step.to_string(),
        };
        text.push_str(&format!("{indent}{line}\n"));
    }
    if matches!(explanation.verdict, Verdict::Undetermined { .. }) {
        text.push_str("    So it cannot be told whether there is an answer.\n");
    }
    text
}
