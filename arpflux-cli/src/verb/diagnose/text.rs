//! Findings for a terminal: in colour, broken at its width, and the matrix below them where addresses float.

use arpflux_core::diagnose::{Diagnosis, Severity};
use arpflux_core::predict::{Matrix, Model};
use arpflux_core::{Result, Snapshot};

use crate::output::{Output, Style};
use crate::verb::explain;

/// All findings; then who answers, where an address has several MACs on one wire.
pub fn diagnosis(diagnosis: &Diagnosis, snapshot: &Snapshot, output: &Output) -> Result<String> {
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
    Some(match severity.parse().ok()? {
        Severity::Error => Style::Bad,
        Severity::Warning => Style::Caution,
        Severity::Info => Style::Strong,
    })
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
