//! Metrics as text: the lines that Prometheus' text format and OpenMetrics have in common.

use std::fmt::{self, Display, Write as _};

/// What is written to.
pub(crate) struct Exposition<'a>(pub &'a mut String);

impl Exposition<'_> {
    /// Begins a family: its name, `gauge` or `counter`, and what it is.
    pub(crate) fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One value of it.
    pub(crate) fn sample(&mut self, name: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        self.0.push_str(name);
        for (place, (label, text)) in labels.iter().enumerate() {
            let _ = write!(self.0, "{}{label}=\"", if place == 0 { '{' } else { ',' });
            let _ = write!(Label(self.0), "{text}");
            self.0.push('"');
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{close} {value}");
    }
}

/// A label's value: backslash, quote and line feed are escaped.
struct Label<'a>(&'a mut String);

impl fmt::Write for Label<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '\\' => self.0.push_str("\\\\"),
                '"' => self.0.push_str("\\\""),
                '\n' => self.0.push_str("\\n"),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}
