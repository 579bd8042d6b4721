//! `explain` without an address: the table of addresses and interfaces.

use std::net::Ipv4Addr;

use arpflux_core::Result;
use arpflux_core::judgement::Judgement;
use arpflux_core::predict::{Matrix, Model, Standing, Verdict, targets};
use arpflux_core::types::IfIndex;

use crate::output::Style;
use crate::{Cell, Output, Table};

/// Prints the whole matrix.
pub fn run(model: &Model<'_>, interfaces: &[IfIndex], from: Option<Ipv4Addr>, output: &Output) -> Result<u8> {
    let matrix = Matrix::with(model, &targets(model.snapshot()), interfaces, from);
    let judgement = matrix.judgement();
    let code = judgement.exit_code();
    if output.json() {
        output.answer(&matrix)?;
        return Ok(code);
    }
    if matrix.rows.is_empty() || matrix.interfaces.is_empty() {
        output.text("No address of this host is asked for by ARP: it holds and proxies none.\n")?;
        return Ok(code);
    }
    output.text(table(&matrix, from.is_none()).render(output))?;
    let style = match judgement {
        Judgement::Good => Style::Good,
        Judgement::Bad => Style::Bad,
        Judgement::Undetermined { .. } => Style::Caution,
    };
    let summary = output.paint(style, matrix.summary());
    output.text(format!("\n`arpflux explain ADDRESS` says why, step by step.\n{summary}\n"))?;
    Ok(code)
}

/// The matrix as a table of text. Which cells are wrong is said in words, colour only repeats it: in a row
/// with flux the interfaces that do not hold the address "answer too".
pub fn table(matrix: &Matrix, with_probes: bool) -> Table {
    let heading = std::iter::once("ADDRESS".to_string())
        .chain(matrix.interfaces.iter().map(|column| format!("{}\n{}", column.name, column.mac)));
    let mut table = Table::new(heading);
    for row in &matrix.rows {
        let held = match (row.held_by.as_slice(), row.proxied) {
            ([], _) => "proxied".to_string(),
            (held, _) => held.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        let flux = match row.flux {
            Some(true) => "\nFLUX",
            Some(false) => "",
            None => "\nunknown",
        };
        let first = Cell::new(format_args!("{}\n{held}{flux}", row.target));
        let cells = row.cells.iter().enumerate().map(|(at, cell)| {
            let standing = matrix.standing(row, at, with_probes);
            let said = match (cell.verdict, standing) {
                (Verdict::Answers { .. }, standing) => standing,
                (Verdict::Silent { .. }, _) => Standing::Silent,
                (Verdict::Undetermined { .. }, _) => Standing::Unknown,
            };
            let mut text = format!("{}: {}", said.words(), cell.rule());
            // A probe is answered for own addresses only, so for proxied ones nothing needs saying.
            let expected = row.held_by.is_empty() && cell.probe.answers() == Some(false);
            if with_probes && cell.probe.answers() != cell.verdict.answers() && !expected {
                text.push_str(&format!("\nprobe: {}: {}", probed(&cell.probe), cell.probe_rule()));
            }
            let style = match standing {
                Standing::AnswersToo => Style::Bad,
                Standing::Answers => Style::Good,
                Standing::Unknown => Style::Caution,
                Standing::Silent => Style::Faint,
            };
            Cell::new(text).style(style)
        });
        table.row(std::iter::once(first).chain(cells));
    }
    table
}

fn probed(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Answers { .. } => "answers",
        Verdict::Silent { .. } => "silent",
        Verdict::Undetermined { .. } => "unknown",
    }
}
