//! Where answers go: text or JSON on standard output, errors on standard error.

mod pager;

use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use arpflux_core::outward::Failed;
use arpflux_core::{Error, Result, json};
use serde::Serialize;
use unicode_width::UnicodeWidthStr as _;

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

/// Stands for a style in text until it is printed, so that what names and arguments bring along is never taken for
/// a style: characters that no text has (Unicode, section 23.7).
const MARKS: [(Style, char, &str); 5] = [
    (Style::Good, '\u{fdd0}', "\x1b[32m"),
    (Style::Bad, '\u{fdd1}', "\x1b[31;1m"),
    (Style::Caution, '\u{fdd2}', "\x1b[33m"),
    (Style::Strong, '\u{fdd3}', "\x1b[1m"),
    (Style::Faint, '\u{fdd4}', "\x1b[2m"),
];
/// The end of a style.
const PLAIN: char = '\u{fdd5}';

impl Style {
    fn mark(self) -> char {
        MARKS.iter().find(|(style, ..)| *style == self).map_or(PLAIN, |(_, mark, _)| *mark)
    }
}

/// The line that says what was not looked at; nothing where that is nothing.
pub fn not_covered(what: &[String]) -> String {
    if what.is_empty() { String::new() } else { format!("Not covered: {}\n", what.join("; ")) }
}

/// Text as it may go to a terminal: styles as escapes, where there are any; everything else that would command the terminal or change
/// the order of what is read, in the words of JSON.
pub fn shown(text: &str, styles: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => shown.push(character),
            PLAIN if styles => shown.push_str("\x1b[0m"),
            '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{fdd0}'..='\u{fdef}'
                if !(styles && MARKS.iter().any(|(_, mark, _)| *mark == character)) =>
            {
                shown.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ if character.is_control() => shown.push_str(&format!("\\u{:04x}", u32::from(character))),
            _ => match MARKS.iter().find(|(_, mark, _)| *mark == character) {
                Some((.., escape)) => shown.push_str(escape),
                None => shown.push(character),
            },
        }
    }
    shown
}

/// The form of the output. All printing goes through it.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
    colour: bool,
    pages: bool,
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
        Self { json, colour, pages: false }
    }

    /// The same, whose texts a pager shows where they are longer than the terminal.
    #[must_use]
    pub const fn paged(self, pages: bool) -> Self {
        Self { pages, ..self }
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

    /// How many columns lines may have: the variable COLUMNS, or the width of the terminal that standard output
    /// is; `None` if it is none.
    #[must_use]
    pub fn width(&self) -> Option<usize> {
        if self.json {
            return None;
        }
        let named = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        named.or_else(|| terminal().map(|(columns, _)| columns)).map(|width| width.max(20))
    }

    /// How many lines a text takes.
    #[must_use]
    pub fn lines(&self, text: &str) -> usize {
        let width = self.width();
        text.lines().map(|line| width.map_or(1, |width| wrapped(line, width).lines().count())).sum()
    }

    /// A paragraph in at most so many lines of the terminal, each ended; what does not fit is left out, with `…`.
    #[must_use]
    pub fn clipped(&self, paragraph: &str, lines: usize) -> String {
        let Some(width) = self.width() else { return format!("{paragraph}\n") };
        let text = wrapped(paragraph, width);
        if text.lines().count() <= lines {
            return text + "\n";
        }
        let mut kept: Vec<&str> = text.lines().take(lines).collect();
        let last = kept.pop().unwrap_or_default();
        // Room for the mark: the last word goes, where it is at the edge.
        let last = match last.rsplit_once(' ') {
            Some((rest, _)) if shown_width(last) + 2 > width => rest,
            _ => last,
        };
        kept.into_iter().map(|line| format!("{line}\n")).collect::<String>() + last.trim_end() + " …\n"
    }

    /// `text` in the colour of `style`, or as it is.
    #[must_use]
    pub fn paint(&self, style: Style, text: impl std::fmt::Display) -> String {
        if !self.colour() {
            return text.to_string();
        }
        format!("{}{text}{PLAIN}", style.mark())
    }

    /// Prints text to standard output, lines that are too long broken at words, through the pager where it is longer than the
    /// terminal. A reader that has gone away ends the output quietly.
    ///
    /// # Errors
    /// [`arpflux_core::ErrorKind::Io`] on any other failure to write, a full disk for one.
    pub fn text(&self, text: impl std::fmt::Display) -> Result<()> {
        let text = shown(&text.to_string(), self.colour());
        let text = match self.width() {
            Some(width) => text.split_inclusive('\n').map(|line| wrapped(line, width)).collect(),
            None => text,
        };
        let longer = || terminal().is_some_and(|(_, lines)| text.lines().count() >= lines);
        if self.pages && !self.json && longer() && pager::show(&text) {
            return Ok(());
        }
        written(&text)
    }

    /// Prints `answer` as JSON with `"schema": 1` before its own keys.
    ///
    /// # Errors
    /// As [`Output::text`].
    pub fn answer(&self, answer: &impl Serialize) -> Result<()> {
        written(&(shown(&json::object(answer)?, false) + "\n"))
    }

    /// The same as [`Output::answer`] on one line, for verbs that print many.
    ///
    /// # Errors
    /// As [`Output::text`].
    pub fn answer_line(&self, answer: &impl Serialize) -> Result<()> {
        written(&(shown(&json::object_line(answer)?, false) + "\n"))
    }

    /// Prints an error: text on standard error, and with `--json` also one object on standard output.
    pub fn error(&self, error: &Error) {
        self.error_text(error);
        if self.json {
            // In one line, as it may follow lines of answers. The message has been printed and the exit code
            // tells the rest.
            let _ = self.answer_line(&Failed::new(error));
        }
    }

    /// Prints an error as text on standard error.
    pub fn error_text(&self, error: &Error) {
        let prefix = if std::io::stderr().is_terminal() && self.colour {
            self.paint(Style::Bad, "arpflux:")
        } else {
            "arpflux:".into()
        };
        let _ = writeln!(std::io::stderr(), "{}", shown(&format!("{prefix} {error}"), self.colour()));
    }

    /// Shows how far a long piece of work is, in one line that is written over: on a terminal only. An empty
    /// text takes it away.
    pub fn progress(&self, text: impl std::fmt::Display) {
        let mut stderr = std::io::stderr();
        if stderr.is_terminal() && !self.json {
            let _ = write!(stderr, "\r{}\x1b[K", shown(&text.to_string(), self.colour()));
        }
    }

    /// Prints a remark on standard error: a warning, what was left out.
    pub fn note(&self, text: impl std::fmt::Display) {
        let _ = writeln!(std::io::stderr(), "{}", shown(&text.to_string(), self.colour()));
    }
}

/// What a line begins with that is a command to be copied: it is not broken.
const COMMANDS: [&str; 3] = ["Why:  ", "Next: ", "Undo: "];

/// A line broken at words where it is wider than `width`; what goes over is indented by two more.
fn wrapped(line: &str, width: usize) -> String {
    let content = line.trim_end_matches('\n');
    if shown_width(content) <= width || COMMANDS.iter().any(|start| content.starts_with(start)) {
        return line.to_owned();
    }
    let indent = content.len() - content.trim_start().len();
    let mut text = content[..indent].to_owned();
    let mut column = indent;
    let mut fresh = true;
    for word in content[indent..].split(' ') {
        let wide = shown_width(word);
        if !fresh && column + 1 + wide > width {
            text.truncate(text.trim_end().len());
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent + 2));
            column = indent + 2;
            fresh = true;
        }
        if !fresh {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += wide;
        fresh = fresh && word.is_empty();
    }
    text + &line[content.len()..]
}

/// The columns that a text takes, without what sets colours.
fn shown_width(text: &str) -> usize {
    text.split('\x1b').enumerate().fold(0, |width, (place, piece)| {
        let shown = if place == 0 { piece } else { piece.split_once('m').map_or("", |(_, rest)| rest) };
        width + shown.width()
    })
}

/// The columns and lines of the terminal that standard output is.
fn terminal() -> Option<(usize, usize)> {
    let stdout = std::io::stdout();
    let (width, height) = stdout.is_terminal().then(|| terminal_size::terminal_size_of(&stdout)).flatten()?;
    Some((width.0.into(), height.0.into()))
}

fn written(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("write", "standard output", &error))
        }
        _ => Ok(()),
    }
}

/// How far a piece of work is that is nearly always done at once: shown from the second second on.
#[derive(Debug)]
pub struct Progress<'o> {
    output: &'o Output,
    began: Instant,
    shown: Cell<bool>,
}

impl<'o> Progress<'o> {
    /// Work that begins now.
    pub fn new(output: &'o Output) -> Self {
        Self { output, began: Instant::now(), shown: Cell::new(false) }
    }

    /// Says at once what takes long, where nothing tells how far it is.
    pub fn announce(&self, what: &str) {
        self.shown.set(true);
        self.output.progress(what);
    }

    /// Says how far it is.
    pub fn show(&self, text: impl FnOnce() -> String) {
        if self.began.elapsed() >= Duration::from_secs(1) {
            self.shown.set(true);
            self.output.progress(text());
        }
    }

    /// Takes the line away.
    pub fn end(&self) {
        if self.shown.take() {
            self.output.progress("");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_words_and_commands_are_not() {
        assert_eq!(wrapped("    why: a b\n", 40), "    why: a b\n");
        assert_eq!(wrapped("    why: aaa bbb cccc\n", 14), "    why: aaa\n      bbb cccc\n");
        assert_eq!(wrapped("aaaaaaaaaaaa bbb", 5), "aaaaaaaaaaaa\n  bbb");
        assert_eq!(wrapped("\x1b[31;1maaa bbb\x1b[0m ccc\n", 11), "\x1b[31;1maaa bbb\x1b[0m ccc\n");
        assert_eq!(wrapped("\x1b[31;1maaa bbb\x1b[0m ccc\n", 10), "\x1b[31;1maaa bbb\x1b[0m\n  ccc\n");
        let command = "Next: arpflux recommend -o policy.toml\n";
        assert_eq!(wrapped(command, 20), command);
    }

    #[test]
    fn nothing_of_a_name_commands_the_terminal() {
        let output = Output { json: false, colour: true, pages: false };
        let name = "eth\x1b[31m\u{9b}0\u{202e}gpj\u{2066}\u{fddf}\r";
        let text = shown(&format!("{}\n", output.paint(Style::Good, name)), true);
        assert_eq!(text, "\x1b[32meth\\u001b[31m\\u009b0\\u202egpj\\u2066\\ufddf\\u000d\x1b[0m\n");
        // In JSON it is the same text.
        let json = shown(&serde_json::to_string(name).unwrap(), false);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), name);
        assert!(json.is_ascii(), "{json}");
    }
}
