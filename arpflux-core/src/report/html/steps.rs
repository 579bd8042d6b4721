//! Why: the steps that led to the answers of a matrix.

use super::markup::Markup;
use super::matrix::{COLUMNS_MAX, drawn_rows, holders};
use crate::predict::{Column, Explanation, Matrix, Model, Request, Row, Step, Verdict};

/// How many cells are explained before the rest is left out: each may take a few kilobytes.
const CELLS_MAX: usize = 2_000;

/// One folded section for each address, with each interface in it.
pub(super) fn by_address(html: &mut Markup, model: &Model<'_>, matrix: &Matrix) {
    let mut left = CELLS_MAX;
    for (_, row) in drawn_rows(matrix) {
        let Some(after) = left.checked_sub(row.cells.len().min(COLUMNS_MAX)) else { break };
        left = after;
        html.raw("<details><summary>Why: <span class=\"mono\">").text(row.target).raw("</span> ");
        html.element("<span class=\"muted\">", holders(row), "</span></summary>\n");
        for (at, column) in matrix.interfaces.iter().enumerate().take(COLUMNS_MAX) {
            html.element("<h3>", column.name, "</h3>\n");
            cell(html, model, row, column, at);
        }
        html.raw("</details>\n");
    }
}

/// One folded trace for each cell, `PREFIX-ROW-COLUMN`, counted from 1: what the links of the table
/// lead to. `title` goes before each.
pub(super) fn by_cell(
    html: &mut Markup,
    model: &Model<'_>,
    matrix: &Matrix,
    prefix: &'static str,
    title: &'static str,
) {
    let mut left = CELLS_MAX;
    for (place, row) in drawn_rows(matrix) {
        for (at, column) in matrix.interfaces.iter().enumerate().take(COLUMNS_MAX) {
            html.raw("<details class=\"trace\"><summary>").raw(title);
            html.element("<span class=\"mono\">", row.target, "</span> on ").text(column.name);
            html.raw("</summary><div id=\"").raw(prefix).raw("-").text(place + 1).raw("-").text(at + 1);
            html.raw("\" tabindex=\"-1\">\n");
            if left == 0 {
                html.element("<p><code>arpflux explain ", row.target, " --on ");
                html.element("", column.name, "</code> says why; this page would be too large.</p>\n");
            } else {
                left -= 1;
                cell(html, model, row, column, at);
            }
            html.raw("</div></details>\n");
        }
    }
}

/// How an ordinary neighbour's request fares and, if otherwise, a probe.
fn cell(html: &mut Markup, model: &Model<'_>, row: &Row, column: &Column, at: usize) {
    let sender = row.cells[at].sender;
    let probe = Request::probe(column.index, row.target);
    let reply = model.explain(&Request::ordinary(column.index, sender, row.target).unwrap_or(probe));
    list(html, &reply);
    let probe = model.explain(&probe);
    if probe.verdict != reply.verdict {
        list(html, &probe);
    }
}

fn list(html: &mut Markup, explanation: &Explanation) {
    html.raw("<ol class=\"steps\">\n");
    for step in &explanation.steps {
        let ends = matches!(step, Step::Verdict { .. } | Step::Unknown { .. });
        html.raw(match (ends, explanation.verdict) {
            (false, _) => "<li>",
            (true, Verdict::Answers { .. }) => "<li class=\"end good\">",
            (true, Verdict::Silent { .. }) => "<li class=\"end\">",
            (true, Verdict::Undetermined { .. }) => "<li class=\"end doubt\">",
        });
        html.text(step).raw("<code>").text(step.function()).raw("()</code></li>\n");
    }
    html.raw("</ol>\n");
    if matches!(explanation.verdict, Verdict::Undetermined { .. }) {
        html.raw("<p>So it cannot be told whether there is an answer.</p>\n");
    }
}
