//! Addresses by interfaces, one letter a cell.

use arpflux_core::predict::{Matrix, Standing};
use arpflux_core::words::counted;

use crate::output::Style;
use crate::{Cell, Output, Table};

/// The matrix with a legend below it. Interfaces that answer for none of the addresses are only counted.
/// `with_probes`: who answers probes alone counts as answering.
pub fn letters(matrix: &Matrix, with_probes: bool, output: &Output) -> String {
    let standing = |row, at| matrix.standing(row, at, with_probes);
    let speaks = |at: &usize| matrix.rows.iter().any(|row| standing(row, *at) != Standing::Silent);
    let columns: Vec<usize> = (0..matrix.interfaces.len()).filter(speaks).collect();
    let names = columns.iter().map(|at| matrix.interfaces[*at].name.to_string());
    let mut table = Table::new(std::iter::once("ADDRESS".to_owned()).chain(names));
    for row in &matrix.rows {
        let cells = columns.iter().map(|at| {
            let (letter, style) = match standing(row, *at) {
                Standing::Answers => ("A", Style::Good),
                Standing::AnswersToo => ("x", Style::Bad),
                Standing::Silent => (".", Style::Faint),
                Standing::Unknown => ("?", Style::Caution),
            };
            Cell::new(letter).style(style)
        });
        table.row(std::iter::once(Cell::new(row.target)).chain(cells));
    }
    let mut text = table.render(output);
    text += "A answers  x answers too, with another MAC on the same wire  . silent  ? cannot be told\n";
    let silent = matrix.interfaces.len() - columns.len();
    if silent > 0 {
        text += &format!(
            "{} for all of these\n",
            counted(silent, "more interface is silent", "more interfaces are silent")
        );
    }
    text
}
