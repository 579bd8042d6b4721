//! What one cell of a matrix means among the others of its row: the one place that decides which are
//! shown as good or bad, in tables of text and on pages.

use super::matrix::{Matrix, Row};
use super::verdict::Verdict;

/// What a cell means within its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// The interface answers, and no other MAC does on its wire; or it holds the address.
    Answers,
    /// The interface answers as well, although another MAC answers on the same wire.
    AnswersToo,
    /// The interface does not answer.
    Silent,
    /// Whether it answers cannot be told.
    Unknown,
}

impl Matrix {
    /// What the cell of `row` in column `at` means. With `probes`, an interface that answers nobody but
    /// probes (sender 0.0.0.0) counts as answering.
    ///
    /// # Panics
    /// If `at` is no column of the matrix.
    #[must_use]
    pub fn standing(&self, row: &Row, at: usize, probes: bool) -> Standing {
        let cell = &row.cells[at];
        let answers = cell.verdict.answers() == Some(true) || (probes && cell.probe.answers() == Some(true));
        if answers {
            let own = row.held_by.contains(&self.interfaces[at].name);
            return if row.flux == Some(true) && !own { Standing::AnswersToo } else { Standing::Answers };
        }
        match cell.verdict {
            Verdict::Undetermined { .. } => Standing::Unknown,
            _ => Standing::Silent,
        }
    }
}

impl Standing {
    /// In one or two words: `answers`, `answers too`, `silent`, `unknown`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::AnswersToo => "answers too",
            Self::Silent => "silent",
            Self::Unknown => "unknown",
        }
    }
}
