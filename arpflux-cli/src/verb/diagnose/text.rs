//! Findings for a terminal: in colour, broken at its width, and the matrix below them where addresses float.

use arpflux_core::diagnose::{Diagnosis, Severity};
use arpflux_core::predict::{Matrix, Model};
use arpflux_core::{Result, Snapshot};
use unicode_width::UnicodeWidthStr as _;

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
        let style = heading(line);
        for (place, piece) in broken(line, output.width()).into_iter().enumerate() {
            match style {
                Some(style) if place == 0 || line.starts_with("AF") => text += &output.paint(style, piece),
                _ => text += &piece,
            }
            text.push('\n');
        }
    }
    if output.width().is_some() {
        let matrix = Matrix::of(&Model::new(snapshot)?);
        if matrix.has_flux() != Some(false) {
            text += &format!("\n{}", explain::matrix_table(&matrix).render(output));
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

/// A line broken at words, with the rest indented two columns more than the line itself.
fn broken(line: &str, width: Option<usize>) -> Vec<String> {
    let Some(width) = width.filter(|width| line.width() > *width) else { return vec![line.to_owned()] };
    let indent = line.len() - line.trim_start().len();
    let (mut lines, mut current) = (Vec::new(), " ".repeat(indent));
    let mut empty = true;
    for word in line.split_whitespace() {
        if !empty && current.width() + 1 + word.width() > width {
            lines.push(std::mem::replace(&mut current, " ".repeat(indent + 2)));
            empty = true;
        }
        if !empty {
            current.push(' ');
        }
        current.push_str(word);
        empty = false;
    }
    lines.push(current);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_words_and_headings_known() {
        assert_eq!(broken("    why: a b", Some(40)), ["    why: a b"]);
        assert_eq!(broken("    why: aaa bbb cccc", Some(14)), ["    why: aaa", "      bbb cccc"]);
        assert_eq!(broken("    why: aaa bbb cccc", None).len(), 1);
        assert_eq!(heading("AF001 error: Several"), Some(Style::Bad));
        assert_eq!(heading("AF009 warning: The"), Some(Style::Caution));
        assert_eq!(heading("    AF001 error: no"), None);
    }
}
