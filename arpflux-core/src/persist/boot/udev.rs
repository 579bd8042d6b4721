//! Rules of udev that set sysctls when an interface appears, with its final name.

use std::path::PathBuf;

use super::files::Files;
use super::kernel::Event;
use super::shell::{self, Unfollowed};
use crate::persist::sysctld::{Assignment, Key, matches};
use crate::snapshot::Interface;

const FOLDERS: [&str; 5] = [
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/local/lib/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
];

/// The file whose `RUN+=` has systemd-sysctl set the values of the interface.
const SYSTEMD: &str = "99-systemd.rules";

/// A line that sets something, if all its conditions hold.
struct Rule {
    file: PathBuf,
    line: usize,
    text: String,
    tokens: Vec<Token>,
    /// The file jumps: whether the line is reached cannot be told.
    jumps: bool,
}

struct Token {
    key: String,
    operator: &'static str,
    value: String,
}

/// What the rules do for one interface.
#[derive(Default)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    pub(super) unfollowed: Vec<Unfollowed>,
}

/// The writes for one interface, before systemd-sysctl runs for it and after.
#[derive(Default)]
pub(super) struct Writes {
    pub(super) before: Vec<Assignment>,
    pub(super) after: Vec<Assignment>,
}

impl Rules {
    pub(super) fn load(files: &Files<'_>) -> Self {
        let mut this = Self::default();
        for seen in files.by_name(&FOLDERS, "rules") {
            let text = files.text(&seen).unwrap_or_default();
            if !shell::concerns(&text) && !text.contains("SYSCTL{") {
                continue;
            }
            let jumps = text.lines().any(|line| line.contains("GOTO="));
            let mut whole = String::new();
            for (number, line) in text.lines().enumerate() {
                if let Some(begun) = line.strip_suffix('\\') {
                    whole += begun;
                    continue;
                }
                let text = std::mem::take(&mut whole) + line;
                if text.trim_start().starts_with('#') || !shell::concerns(&text) {
                    continue;
                }
                let tokens = tokens(&text);
                let sets = |token: &Token| token.key.starts_with("SYSCTL{") || token.key.starts_with("RUN");
                if tokens
                    .iter()
                    .any(|token| sets(token) && shell::concerns(&(token.key.clone() + &token.value)))
                {
                    this.rules.push(Rule { file: seen.clone(), line: number + 1, text, tokens, jumps });
                }
            }
        }
        this
    }

    /// What they write for an interface; what cannot be told goes to [`Rules::unfollowed`].
    pub(super) fn writes(&mut self, interface: &Interface) -> Writes {
        let mut writes = Writes::default();
        let name = interface.name.to_string();
        for rule in &self.rules {
            let open = |why: &str| Unfollowed::new(&rule.file, rule.line, &rule.text, why);
            match rule.takes(interface) {
                Some(false) => continue,
                None => {
                    self.unfollowed
                        .push(open("a rule of udev with a condition that cannot be decided from here"));
                    continue;
                }
                Some(true) => {}
            }
            for token in rule.tokens.iter().filter(|token| ["=", "+=", ":="].contains(&token.operator)) {
                let value = substituted(&token.value, &name);
                if let Some(key) = token.key.strip_prefix("SYSCTL{").and_then(|key| key.strip_suffix('}')) {
                    let key = substituted(key, &name);
                    match key.contains(['$', '%']) || value.contains(['$', '%']) {
                        true => self.unfollowed.push(open("a rule of udev with a variable")),
                        false => writes.before.push(Assignment {
                            key: Key::parse(&key),
                            value: Some(value),
                            file: rule.file.clone(),
                            line: rule.line,
                        }),
                    }
                } else if token.key.starts_with("RUN") {
                    let effects = shell::follow(&value, &[], &rule.file, rule.line);
                    self.unfollowed.extend(effects.unfollowed);
                    let lines = effects.events.into_iter().filter_map(|event| match event {
                        Event::Write(line) => Some(line),
                        _ => None,
                    });
                    let is_late = rule.file.file_name().is_some_and(|name| name > SYSTEMD);
                    if is_late { writes.after.extend(lines) } else { writes.before.extend(lines) }
                }
            }
        }
        writes
    }
}

impl Rule {
    /// Whether it applies when the interface appears; `None` if that cannot be told.
    fn takes(&self, interface: &Interface) -> Option<bool> {
        let name = interface.name.to_string();
        let mac = interface.mac.to_string();
        let mut open = self.jumps;
        for token in self.tokens.iter().filter(|token| ["==", "!="].contains(&token.operator)) {
            let any = |text: &str| token.value.split('|').any(|pattern| matches(pattern, text));
            let found = match token.key.as_str() {
                "ACTION" => any("add"),
                "SUBSYSTEM" | "SUBSYSTEMS" => any("net"),
                // NAME is what a rule before has given, not what the interface is called.
                "KERNEL" | "INTERFACE" | "ENV{INTERFACE}" => any(&name),
                "ATTR{address}" => any(&mac),
                _ => {
                    open = true;
                    continue;
                }
            };
            if found != (token.operator == "==") {
                return Some(false);
            }
        }
        if open { None } else { Some(true) }
    }
}

fn substituted(text: &str, name: &str) -> String {
    let mut text = text.to_owned();
    for variable in ["$name", "$kernel", "$env{INTERFACE}", "%E{INTERFACE}", "%k", "${name}"] {
        text = text.replace(variable, name);
    }
    text
}

/// `KEY==\"value\"`, separated by commas.
fn tokens(line: &str) -> Vec<Token> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((left, quoted)) = rest.split_once('"') {
        let (value, after) = quoted.split_once('"').unwrap_or((quoted, ""));
        let left = left.trim().trim_start_matches(',').trim();
        let operators = ["==", "!=", "+=", "-=", ":=", "="];
        let operator = operators.into_iter().find(|operator| left.ends_with(operator)).unwrap_or("");
        let key = left.strip_suffix(operator).unwrap_or(left).trim().to_owned();
        found.push(Token { key, operator, value: value.to_owned() });
        rest = after;
    }
    found
}
