//! Where answers go: text or JSON on standard output, errors on standard error.

use std::io::{IsTerminal as _, Write as _};

use arpflux_core::outward::Failed;
use arpflux_core::{Error, Result, json};
use serde::Serialize;

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal only.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// How a piece of text is meant; becomes colour on a terminal and nothing elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As it should be.
    Good,
    /// As it should not be.
    Bad,
    /// Worth a look.
    Caution,
    /// A heading.
    Strong,
    /// Less important.
    Faint,
}

/// The form of the output. All printing goes through it.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
    colour: bool,
}

impl Output {
    /// JSON or text; colour as asked, and in text on a terminal without `NO_COLOR`
    /// that is not `TERM=dumb`.
    #[must_use]
    pub fn new(json: bool, colour: Colour) -> Self {
        let colour = match colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                let named = |name| std::env::var_os(name).filter(|value| !value.is_empty());
                std::io::stdout().is_terminal()
                    && named("NO_COLOR").is_none()
                    && named("TERM").is_none_or(|terminal| terminal != "dumb")
            }
        };
        Self { json, colour }
    }

    /// Whether JSON was asked for.
    #[must_use]
    pub const fn json(&self) -> bool {
        self.json
    }

    /// Whether text may be coloured.
    #[must_use]
    pub const fn colour(&self) -> bool {
        self.colour && !self.json
    }

    /// The width of the terminal that standard output is, in columns; `None` if it is none.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        let stdout = std::io::stdout();
        if self.json || !stdout.is_terminal() {
            return None;
        }
        terminal_size::terminal_size_of(stdout).map(|(width, _)| usize::from(width.0).max(20))
    }

    /// `text` in the colour of `style`, or as it is.
    #[must_use]
    pub fn paint(&self, style: Style, text: impl std::fmt::Display) -> String {
        if !self.colour() {
            return text.to_string();
        }
        let code = match style {
            Style::Good => "32",
            Style::Bad => "31;1",
            Style::Caution => "33",
            Style::Strong => "1",
            Style::Faint => "2",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }

    /// Prints text to standard output. A reader that has gone away ends the output quietly.
    ///
    /// # Errors
    /// [`arpflux_core::ErrorKind::Io`] on any other failure to write, a full disk for one.
    pub fn text(&self, text: impl std::fmt::Display) -> Result<()> {
        let mut out = std::io::stdout().lock();
        written(write!(out, "{text}").and_then(|()| out.flush()))
    }

    /// Prints `answer` as JSON with `"schema": 1` before its own keys.
    ///
    /// # Errors
    /// As [`Output::text`].
    pub fn answer(&self, answer: &impl Serialize) -> Result<()> {
        self.text(json::object(answer)? + "\n")
    }

    /// The same as [`Output::answer`] on one line, for verbs that print many.
    ///
    /// # Errors
    /// As [`Output::text`].
    pub fn answer_line(&self, answer: &impl Serialize) -> Result<()> {
        self.text(json::object_line(answer)? + "\n")
    }

    /// Prints an error: text on standard error, and with `--json` also one object on standard output.
    pub fn error(&self, error: &Error) {
        let prefix = if std::io::stderr().is_terminal() && self.colour {
            self.paint(Style::Bad, "arpflux:")
        } else {
            "arpflux:".into()
        };
        let _ = writeln!(std::io::stderr(), "{prefix} {error}");
        if self.json {
            // In one line, as it may follow lines of answers. The message has been printed and the exit code
            // tells the rest.
            let _ = self.answer_line(&Failed::new(error));
        }
    }

    /// Shows how far a long piece of work is, in one line that is written over: on a terminal only. An empty
    /// text takes it away.
    pub fn progress(&self, text: impl std::fmt::Display) {
        let mut stderr = std::io::stderr();
        if stderr.is_terminal() && !self.json {
            let _ = write!(stderr, "\r{text}\x1b[K");
        }
    }

    /// Prints a remark on standard error: a warning, what was left out.
    pub fn note(&self, text: impl std::fmt::Display) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

fn written(result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("write", "standard output", &error))
        }
        _ => Ok(()),
    }
}
