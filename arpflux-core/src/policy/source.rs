//! The text a policy came from: names, lines and columns for error messages.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind};

/// A policy's text and what to call it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'t> {
    /// The file's name, or what stands for it.
    pub name: &'t str,
    /// The whole text.
    pub text: &'t str,
}

impl Source<'_> {
    /// The line and column of a byte offset, both counted from 1; columns count characters.
    pub(super) fn position(&self, offset: usize) -> (usize, usize) {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// `FILE:LINE:COLUMN` of a byte offset.
    pub(super) fn place(&self, offset: usize) -> String {
        let (line, column) = self.position(offset);
        format!("{}:{line}:{column}", self.name)
    }

    /// An error about what stands at a byte offset.
    #[cold]
    pub(super) fn error(&self, offset: usize, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::InvalidPolicy, message).during("read policy").on(self.place(offset))
    }
}

/// A text in quotation marks, cut short so that a hostile file cannot flood the terminal.
pub(super) fn quoted(text: &str) -> String {
    const MOST: usize = 60;
    let short: Cow<'_, str> = match text.char_indices().nth(MOST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    };
    format!("{short:?}")
}
