//! `explain` without an address: the table of addresses and interfaces.

use std::net::Ipv4Addr;

use arpflux_core::Result;
use arpflux_core::predict::{Matrix, Model, Verdict, targets};
use arpflux_core::types::IfIndex;

use crate::output::Style;
use crate::{Cell, Output, Table, exit};

/// Prints the whole matrix.
pub fn run(model: &Model<'_>, interfaces: &[IfIndex], from: Option<Ipv4Addr>, output: &Output) -> Result<u8> {
    let matrix = Matrix::with(model, &targets(model.snapshot()), interfaces, from);
    let code = if matrix.has_flux() { exit::BAD } else { exit::GOOD };
    if output.json() {
        output.answer(&matrix)?;
        return Ok(code);
    }
    if matrix.rows.is_empty() || matrix.interfaces.is_empty() {
        output.text("No address of this host is asked for by ARP: it holds and proxies none.\n")?;
        return Ok(code);
    }
    output.text(table(&matrix, from.is_none()).render(output))?;
    let flux = matrix.rows.iter().filter(|row| row.flux).count();
    let summary = match flux {
        0 => output.paint(Style::Good, "No address has several MACs on one wire."),
        1 => output.paint(Style::Bad, "1 address has several MACs on one wire: flux."),
        _ => output.paint(Style::Bad, format!("{flux} addresses have several MACs on one wire: flux.")),
    };
    output.text(format!("\n{summary} `arpflux explain ADDRESS` says why, step by step.\n"))?;
    Ok(code)
}

fn table(matrix: &Matrix, with_probes: bool) -> Table {
    let heading = std::iter::once("ADDRESS".to_string())
        .chain(matrix.interfaces.iter().map(|column| format!("{}\n{}", column.name, column.mac)));
    let mut table = Table::new(heading);
    for row in &matrix.rows {
        let held = match (row.held_by.as_slice(), row.proxied) {
            ([], _) => "proxied".to_string(),
            (held, _) => held.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        };
        let first = Cell::new(format_args!("{}\n{held}", row.target));
        let cells = row.cells.iter().map(|cell| {
            let mut text = format!("{} {}", word(&cell.verdict), cell.rule());
            // A probe is answered for own addresses only, so for proxied ones nothing needs saying.
            let expected = row.held_by.is_empty() && cell.probe.answers() == Some(false);
            if with_probes && cell.probe.answers() != cell.verdict.answers() && !expected {
                text.push_str(&format!("\nprobe: {} {}", word(&cell.probe), cell.probe_rule()));
            }
            let answers =
                cell.verdict.answers() == Some(true) || (with_probes && cell.probe.answers() == Some(true));
            let style = match cell.verdict {
                _ if answers && row.flux => Style::Bad,
                Verdict::Answers { .. } => Style::Good,
                Verdict::Undetermined { .. } => Style::Caution,
                Verdict::Silent { .. } => Style::Faint,
            };
            Cell::new(text).style(style)
        });
        table.row(std::iter::once(first).chain(cells));
    }
    table
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Answers { .. } => "answers:",
        Verdict::Silent { .. } => "silent:",
        Verdict::Undetermined { .. } => "unknown:",
    }
}
