//! HTML being written. Whatever is no literal of this crate's source is escaped: names of interfaces and
//! owners of proxies come from others.

use std::fmt::{self, Display, Write as _};

/// HTML being written.
#[derive(Debug, Default)]
pub(super) struct Markup(String);

impl Markup {
    /// Adds markup as it is. Only literals fit.
    pub(super) fn raw(&mut self, markup: &'static str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Adds text, escaped for use between tags and in quoted attributes.
    pub(super) fn text(&mut self, text: impl Display) -> &mut Self {
        // Writing to a String does not fail.
        let _ = write!(Escaped(&mut self.0), "{text}");
        self
    }

    /// Adds an element with text in it. `open` is its start tag, `close` its end tag.
    pub(super) fn element(
        &mut self,
        open: &'static str,
        text: impl Display,
        close: &'static str,
    ) -> &mut Self {
        self.raw(open).text(text).raw(close)
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                '\n' => self.0.push('\n'),
                other if garbles(other) => write!(self.0, "\\u{{{:x}}}", u32::from(other))?,
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}

/// Characters that would hide text or turn its direction: control characters, and Unicode's marks,
/// embeddings, overrides and isolates.
fn garbles(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::Markup;

    #[test]
    fn text_cannot_become_markup_or_hide() {
        let mut html = Markup::default();
        html.raw("<b title=\"")
            .text("a\"onclick='x'")
            .raw("\">")
            .text("<script>&\u{202e}\u{1b}[31m\0")
            .raw("</b>");
        assert_eq!(
            html.into_string(),
            "<b title=\"a&quot;onclick=&#39;x&#39;\">&lt;script&gt;&amp;\\u{202e}\\u{1b}[31m\\u{0}</b>"
        );
    }
}
