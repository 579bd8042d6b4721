//! Tables of text that fit the terminal, for every verb that prints rows.
//!
//! Columns are as wide as their widest cell. Where the terminal is narrower, cells are broken at
//! words; where even that is not enough, the columns are printed in several blocks, each with the
//! first column in front. Without a terminal nothing is broken, so that scripts see one row a line.

use unicode_width::UnicodeWidthStr;

use crate::Output;
use crate::output::Style;

/// Blanks between two columns.
const GAP: usize = 2;

/// One cell: text, in one or several lines, and how it is meant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cell {
    text: String,
    style: Option<Style>,
}

impl Cell {
    /// A cell with `text`; a line feed in it starts another line of the cell.
    pub fn new(text: impl std::fmt::Display) -> Self {
        Self { text: text.to_string(), style: None }
    }

    /// The same cell, meant as `style`.
    #[must_use]
    pub fn style(mut self, style: Style) -> Self {
        self.style = Some(style);
        self
    }
}

impl<T: std::fmt::Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// A heading row and rows below it.
#[derive(Debug, Clone, Default)]
pub struct Table {
    heading: Vec<Cell>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table with these headings.
    pub fn new<C: Into<Cell>>(heading: impl IntoIterator<Item = C>) -> Self {
        Self {
            heading: heading.into_iter().map(|cell| cell.into().style(Style::Strong)).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. Cells beyond the headings are left out, missing ones are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        let mut row: Vec<Cell> = cells.into_iter().collect();
        row.resize(self.heading.len(), Cell::default());
        self.rows.push(row);
    }

    /// The table as text that fits `output`, with a line feed after each line.
    #[must_use]
    pub fn render(&self, output: &Output) -> String {
        self.render_within(output, output.width())
    }

    fn render_within(&self, output: &Output, limit: Option<usize>) -> String {
        let natural: Vec<usize> = (0..self.heading.len()).map(|i| self.widest(i, str::lines)).collect();
        let Some(limit) = limit else { return self.block(output, &natural, 0..0) };
        let least: Vec<usize> =
            (0..self.heading.len()).map(|i| self.widest(i, str::split_whitespace)).collect();
        if natural.is_empty() || total(&natural) <= limit || natural.len() == 1 {
            return self.block(output, &shrunk(&natural, &least, limit), 0..0);
        }
        if total(&least) <= limit {
            return self.block(output, &shrunk(&natural, &least, limit), 0..0);
        }
        // Blocks: as many columns as fit, the first one repeated.
        let mut text = String::new();
        let mut from = 1;
        while from < natural.len() {
            let mut to = from + 1;
            let wide = |to: usize| {
                let mut widths = vec![least[0]];
                widths.extend(&least[from..to]);
                total(&widths)
            };
            while to < natural.len() && wide(to + 1) <= limit {
                to += 1;
            }
            if !text.is_empty() {
                text.push('\n');
            }
            let mut widths = natural.clone();
            let part = std::iter::once(0).chain(from..to);
            let (now, least): (Vec<_>, Vec<_>) = part.clone().map(|i| (natural[i], least[i])).unzip();
            for (i, width) in part.zip(shrunk(&now, &least, limit)) {
                widths[i] = width;
            }
            text.push_str(&self.block(output, &widths, from..to));
            from = to;
        }
        text
    }

    /// The widest piece of column `i` when its cells are cut by `cut`.
    fn widest<'a, I: Iterator<Item = &'a str>>(&'a self, i: usize, cut: impl Fn(&'a str) -> I) -> usize {
        std::iter::once(&self.heading)
            .chain(&self.rows)
            .flat_map(|row| cut(&row[i].text))
            .map(UnicodeWidthStr::width)
            .max()
            .unwrap_or(0)
    }

    /// The first column and the columns of `part`, or all if `part` is empty.
    fn block(&self, output: &Output, widths: &[usize], part: std::ops::Range<usize>) -> String {
        let columns: Vec<usize> = if part.is_empty() {
            (0..self.heading.len()).collect()
        } else {
            std::iter::once(0).chain(part).collect()
        };
        let mut text = String::new();
        for row in std::iter::once(&self.heading).chain(&self.rows) {
            let cells: Vec<Vec<String>> = columns.iter().map(|&i| broken(&row[i].text, widths[i])).collect();
            let height = cells.iter().map(Vec::len).max().unwrap_or(0);
            for line in 0..height {
                let mut blanks = 0;
                for (cell, &i) in cells.iter().zip(&columns) {
                    let piece = cell.get(line).map_or("", String::as_str);
                    if !piece.is_empty() {
                        text.extend(std::iter::repeat_n(' ', blanks));
                        blanks = 0;
                        match row[i].style {
                            Some(style) => text.push_str(&output.paint(style, piece)),
                            None => text.push_str(piece),
                        }
                    }
                    // Blanks are held back, so that no line ends in them.
                    blanks += widths[i].saturating_sub(piece.width()) + GAP;
                }
                text.push('\n');
            }
        }
        text
    }
}

fn total(widths: &[usize]) -> usize {
    widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1)
}

/// `natural`, with the widest columns made narrower (never below `least`) until all fit in `limit`.
fn shrunk(natural: &[usize], least: &[usize], limit: usize) -> Vec<usize> {
    let mut widths = natural.to_vec();
    while total(&widths) > limit {
        let widest = (0..widths.len()).filter(|&i| widths[i] > least[i]).max_by_key(|&i| widths[i]);
        match widest {
            Some(i) => widths[i] -= 1,
            None => break,
        }
    }
    widths
}

/// `text` broken at words into lines of at most `width` columns; a longer word stands alone.
fn broken(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.width() <= width {
            lines.push(line.to_string());
            continue;
        }
        let mut current = String::new();
        for word in line.split_whitespace() {
            if !current.is_empty() && current.width() + 1 + word.width() > width {
                lines.push(std::mem::take(&mut current));
            }
            if !current.is_empty() {
                current.push(' ');
            }
            current.push_str(word);
        }
        lines.push(current);
    }
    if lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::{Colour, shown};

    fn table() -> Table {
        let mut table = Table::new(["address", "eth0", "größe"]);
        table.row([Cell::new("192.0.2.1"), Cell::new("answers"), Cell::new("silent: arp_ignore 1")]);
        table.row([Cell::new("漢字"), Cell::new("x").style(Style::Bad)]);
        table
    }

    #[test]
    fn columns_line_up_by_width_and_no_line_ends_in_blanks() {
        let text = table().render_within(&Output::new(false, Colour::Never), None);
        let expected = "address    eth0     größe\n\
                        192.0.2.1  answers  silent: arp_ignore 1\n\
                        漢字       x\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn narrow_terminals_break_cells_at_words() {
        let text = table().render_within(&Output::new(false, Colour::Never), Some(32));
        let expected = "address    eth0     größe\n\
                        192.0.2.1  answers  silent:\n                    arp_ignore 1\n\
                        漢字       x\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn very_narrow_terminals_get_blocks_with_the_first_column_repeated() {
        let text = table().render_within(&Output::new(false, Colour::Never), Some(24));
        assert!(
            text.contains("address    eth0\n192.0.2.1  answers\n漢字       x\n\naddress    größe\n"),
            "{text}"
        );
        assert!(text.lines().all(|line| line.width() <= 24), "{text}");
    }

    #[test]
    fn colour_does_not_move_columns() {
        let text = shown(&table().render_within(&Output::new(false, Colour::Always), None), true);
        assert!(text.contains("漢字       \x1b[31;1mx\x1b[0m\n"), "{text:?}");
    }
}
