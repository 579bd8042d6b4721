//! Findings for a terminal: in few lines, or with -v all there is to say.

use arpflux_core::diagnose::{Diagnosis, Severity};
use arpflux_core::plan::Plan;
use arpflux_core::predict::{Matrix, Model};
use arpflux_core::words::thousands;
use arpflux_core::{Result, Snapshot};

use crate::output::{Output, Style};
use crate::verb::{explain, plan};

/// How many sentences a remedy may take.
const TEXTS: usize = 2;
/// How many rows of changes it may take.
const ROWS: usize = 20;
/// How many lines a finding may take.
const FINDING: usize = 4;
/// How many lines a reason or remedy may take.
const LINES: usize = 2;

/// The sum, each finding in at most four lines, each remedy once, and the command that goes on from here.
pub fn brief(diagnosis: &Diagnosis, next: &str, output: &Output) -> String {
    let mut text = output.paint(worst(diagnosis), diagnosis.headline()) + "\n";
    for finding in diagnosis.brief() {
        let who = if finding.who.is_empty() { String::new() } else { format!("    {}\n", finding.who) };
        let left = FINDING.saturating_sub(output.lines(&finding.heading) + output.lines(&who));
        text += &format!("\n{}\n{who}", output.paint(style(finding.severity), &finding.heading));
        text += &output.clipped(&format!("    why: {}", finding.why), left.clamp(1, LINES));
    }
    for remedy in diagnosis.remedies() {
        let ids: Vec<String> = remedy.cures.iter().map(ToString::to_string).collect();
        text += &format!("\n{}\n", output.paint(Style::Strong, format!("Cure of {}", ids.join(", "))));
        for words in remedy.texts.iter().take(TEXTS) {
            text += &output.clipped(&format!("    {words}"), LINES);
        }
        if let more @ 1.. = remedy.texts.len().saturating_sub(TEXTS) {
            text += &format!("    and {} like these (-v)\n", thousands(more));
        }
        text += &remedy.plan.map_or_else(String::new, |plan| rows(plan, output));
    }
    if !diagnosis.unseen.is_empty() {
        text += "\nNot seen, so neither good nor bad:\n";
        for sentence in &diagnosis.unseen {
            text += &output.clipped(&format!("    {sentence}"), LINES);
        }
    }
    if !diagnosis.findings.is_empty() {
        text += &format!("\nAll of it: arpflux diagnose -v\n{next}");
    }
    // What could not be read, and how to, stands in the last line.
    if let Some(line) = diagnosis.last_line() {
        text += &format!("\n{}\n", output.paint(Style::Caution, line));
    }
    text
}

/// The changes of a remedy.
fn rows(remedy: &Plan, output: &Output) -> String {
    plan::rows(remedy, ROWS, output).lines().map(|line| format!("    {line}\n")).collect()
}

fn worst(diagnosis: &Diagnosis) -> Style {
    match diagnosis.worst() {
        Some(severity) => style(severity),
        None if diagnosis.missing.is_empty() => Style::Good,
        None => Style::Caution,
    }
}

fn style(severity: Severity) -> Style {
    match severity {
        Severity::Error => Style::Bad,
        Severity::Warning => Style::Caution,
        Severity::Info => Style::Strong,
    }
}

/// All findings; then who answers, where an address has several MACs on one wire.
pub fn all(diagnosis: &Diagnosis, snapshot: &Snapshot, output: &Output) -> Result<String> {
    let mut text = String::new();
    let all = diagnosis.to_string();
    // The last line stays the last one.
    let last = diagnosis.last_line().unwrap_or_default();
    let before = all.trim_end().strip_suffix(last.as_str()).unwrap_or(&all).trim_end();
    for line in before.lines() {
        text += &heading(line).map_or_else(|| line.to_owned(), |style| output.paint(style, line));
        text.push('\n');
    }
    if output.width().is_some() {
        let matrix = Matrix::of(&Model::new(snapshot)?);
        if matrix.has_flux() != Some(false) {
            text += &format!("\n{}", explain::matrix_letters(&matrix, output));
        }
    }
    if !last.is_empty() {
        text += &format!("\n{}\n", output.paint(Style::Caution, last));
    }
    Ok(text)
}

/// How a line is meant: the first of a finding by its severity.
fn heading(line: &str) -> Option<Style> {
    let severity = line.strip_prefix("AF")?.split([' ', ':']).nth(1)?;
    severity.parse().ok().map(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_have_the_colour_of_their_severity() {
        assert_eq!(heading("AF001 error: Several"), Some(Style::Bad));
        assert_eq!(heading("AF009 warning: The"), Some(Style::Caution));
        assert_eq!(heading("    AF001 error: no"), None);
    }
}
