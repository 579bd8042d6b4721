//! The matrix of addresses and interfaces as a table.

use super::markup::Markup;
use crate::predict::{Cell, Matrix, Row, Standing};

/// How many addresses are drawn before the rest is only counted.
pub(super) const ROWS_MAX: usize = 400;
/// How many interfaces are drawn before the rest is only counted.
pub(super) const COLUMNS_MAX: usize = 40;

/// The rows to draw, with their places: those with flux first where not all can be.
pub(super) fn drawn_rows(matrix: &Matrix) -> Vec<(usize, &Row)> {
    let mut rows: Vec<(usize, &Row)> = matrix.rows.iter().enumerate().collect();
    if rows.len() > ROWS_MAX {
        rows.sort_by_key(|(_, row)| standing_first(row));
        rows.truncate(ROWS_MAX);
        rows.sort_by_key(|(place, _)| *place);
    }
    rows
}

/// Where a row comes if not all are drawn: flux first, then what cannot be told.
const fn standing_first(row: &Row) -> u8 {
    match row.flux {
        Some(true) => 0,
        None => 1,
        Some(false) => 2,
    }
}

/// Draws it. With `prefix`, each cell leads to the trace `PREFIX-ROW-COLUMN`, counted from 1.
pub(super) fn table(html: &mut Markup, matrix: &Matrix, prefix: Option<&'static str>) {
    if matrix.rows.is_empty() || matrix.interfaces.is_empty() {
        html.raw("<p>No address of this host is asked for: it holds and proxies none.</p>\n");
        return;
    }
    html.raw("<div class=\"scroll\"><table class=\"matrix\"><thead><tr><th scope=\"col\">Address</th>");
    for column in matrix.interfaces.iter().take(COLUMNS_MAX) {
        html.raw("<th scope=\"col\">").text(column.name);
        html.element("<small class=\"mono\">", column.mac, "</small></th>");
    }
    html.raw("</tr></thead>\n<tbody>\n");
    for (place, row) in drawn_rows(matrix) {
        html.element("<tr><th scope=\"row\"><span class=\"mono\">", row.target, "</span><small>");
        html.text(holders(row)).raw("</small>");
        html.raw(match row.flux {
            Some(true) => "<span class=\"tag bad\">flux</span>",
            Some(false) => "",
            None => "<span class=\"tag doubt\">cannot be told</span>",
        });
        html.raw("</th>");
        for (at, cell) in row.cells.iter().enumerate().take(COLUMNS_MAX) {
            let standing = matrix.standing(row, at, true);
            html.raw(match standing {
                Standing::Answers => "<td class=\"answers\">",
                Standing::AnswersToo => "<td class=\"too\">",
                Standing::Silent => "<td class=\"silent\">",
                Standing::Unknown => "<td class=\"unknown\">",
            });
            match prefix {
                Some(prefix) => {
                    html.raw("<a class=\"cell\" href=\"#").raw(prefix).raw("-").text(place + 1);
                    html.raw("-").text(at + 1).raw("\">");
                }
                None => {
                    html.raw("<span class=\"cell\">");
                }
            }
            words(html, row, cell, standing);
            html.raw(if prefix.is_some() { "</a></td>" } else { "</span></td>" });
        }
        html.raw("</tr>\n");
    }
    html.raw("</tbody></table></div>\n");
    left_out(html, matrix);
}

/// What the cell says: who, why, and how probes fare if otherwise.
fn words(html: &mut Markup, row: &Row, cell: &Cell, standing: Standing) {
    let verdict = match (standing, cell.verdict.answers()) {
        // It answers probes only, which the last line says.
        (Standing::Answers | Standing::AnswersToo, Some(false)) => Standing::Silent,
        _ => standing,
    };
    html.element("<b>", verdict.words(), "</b><small>").text(cell.rule());
    // A probe is answered for own addresses only, so for proxied ones nothing needs saying.
    let expected = row.held_by.is_empty() && cell.probe.answers() == Some(false);
    if cell.probe.answers() != cell.verdict.answers() && !expected {
        let how = match cell.probe.answers() {
            Some(true) => "answers: ",
            Some(false) => "silent: ",
            None => "unknown: ",
        };
        html.raw("</small><small>probe ").raw(how).text(cell.probe_rule());
    }
    html.raw("</small>");
}

pub(super) fn holders(row: &Row) -> String {
    match (row.held_by.as_slice(), row.proxied) {
        ([], true) => "proxied".into(),
        ([], false) => String::new(),
        (held, _) => held.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn left_out(html: &mut Markup, matrix: &Matrix) {
    for (count, most, what) in
        [(matrix.rows.len(), ROWS_MAX, "addresses"), (matrix.interfaces.len(), COLUMNS_MAX, "interfaces")]
    {
        if count > most {
            html.element("<p class=\"muted\">Left out: ", count - most, " more ").raw(what);
            html.raw("; <code>arpflux explain --json</code> has them all.</p>\n");
        }
    }
}
