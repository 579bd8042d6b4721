//! Lines of shell as commands and words. Quotes are taken off; what a shell would replace is only marked.

/// What stands between a command and the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Joint {
    /// `;`, `&` or nothing.
    Then,
    /// `&&`.
    And,
    /// `||`.
    Or,
    /// `|`.
    Pipe,
}

#[derive(Debug)]
pub(super) struct Command {
    pub(super) joint: Joint,
    pub(super) words: Vec<String>,
    /// Where `>` or `>>` leads; not of `2>`.
    pub(super) output: Option<String>,
    /// A variable, a pattern or a command stands in it.
    pub(super) is_open: bool,
    /// As it was written, nearly.
    pub(super) text: String,
}

impl Command {
    pub(super) fn concerns(&self) -> bool {
        super::concerns(&self.text)
    }
}

/// The commands of a line.
pub(super) fn commands(line: &str) -> Vec<Command> {
    let mut found = Vec::new();
    let mut reader = Reader::new(Joint::Then);
    let mut characters = line.chars().peekable();
    let mut quote = None;
    while let Some(c) = characters.next() {
        let is_double = characters.peek() == Some(&c);
        if !matches!((c, quote), (';' | '&' | '|', None)) {
            reader.command.text.push(c);
        }
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (Some('\''), _) => reader.push(c),
            (_, '\\') => {
                if let Some(next) = characters.next() {
                    reader.command.text.push(next);
                    // printf '1\n' keeps its backslash, quoted.
                    if quote.is_some() && next != '"' {
                        reader.push(c);
                    }
                    reader.push(next);
                }
            }
            (_, '$' | '`') => {
                reader.command.is_open = true;
                reader.push(c);
            }
            (Some(_), _) => reader.push(c),
            (None, '"' | '\'') => {
                reader.word.get_or_insert_default();
                quote = Some(c);
            }
            (None, '#') if reader.word.is_none() => break,
            (None, ';' | '\n') => found.extend(reader.end(Joint::Then)),
            (None, '&' | '|') if is_double => {
                characters.next();
                found.extend(reader.end(if c == '&' { Joint::And } else { Joint::Or }));
            }
            (None, '&') if reader.word.is_none() && reader.target.is_some() => {
                // `>&2`.
                reader.push(c);
            }
            (None, '&') => found.extend(reader.end(Joint::Then)),
            (None, '|') => found.extend(reader.end(Joint::Pipe)),
            (None, '>' | '<') => {
                if is_double {
                    characters.next();
                }
                reader.redirect(c);
            }
            (None, '*' | '?' | '[' | '(' | ')' | '{' | '}') => {
                reader.command.is_open = true;
                reader.push(c);
            }
            (None, c) if c.is_whitespace() => reader.end_word(),
            (None, c) => reader.push(c),
        }
    }
    reader.command.is_open |= quote.is_some();
    found.extend(reader.end(Joint::Then));
    found
}

struct Reader {
    command: Command,
    word: Option<String>,
    /// The next word is a file: of the output (true), or of another descriptor.
    target: Option<bool>,
}

impl Reader {
    fn new(joint: Joint) -> Self {
        let command = Command { joint, words: Vec::new(), output: None, is_open: false, text: String::new() };
        Self { command, word: None, target: None }
    }

    fn push(&mut self, c: char) {
        self.word.get_or_insert_default().push(c);
    }

    fn redirect(&mut self, c: char) {
        // The number of a descriptor stands directly before.
        let number = self.word.take_if(|word| word.chars().all(|c| c.is_ascii_digit()));
        self.end_word();
        self.target = Some(c == '>' && number.is_none_or(|number| number == "1"));
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        match self.target.take() {
            Some(true) if !word.starts_with('&') => self.command.output = Some(word),
            Some(_) => {}
            None => self.command.words.push(word),
        }
    }

    fn end(&mut self, next: Joint) -> Option<Command> {
        self.end_word();
        let command = std::mem::replace(self, Self::new(next)).command;
        (!command.words.is_empty()).then_some(command)
    }
}
