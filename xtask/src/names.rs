//! The enums of the Python package, out of those of the core: names and what they mean.

use serde_json::Value;

use crate::Generated;

const HEAD: &str = r##""""Names that Rust, C, JSON and the command share, as enums. Each member is its name as a string, too.

Written by `cargo xtask gen` out of the enums of the core.
"""

from __future__ import annotations

import enum


class Name(str, enum.Enum):
    """A stable name: equal to its text, which is also what `str()` gives.

    >>> import arpflux
    >>> arpflux.Outcome("applied") is arpflux.Outcome.APPLIED, arpflux.Outcome.APPLIED == "applied"
    (True, True)
    """

    def __str__(self) -> str:
        return str(self.value)


class Ordered(Name):
    """Names with an order, from the first to the last: they compare by it, with one another and with their texts.

    >>> import arpflux
    >>> arpflux.Severity.ERROR > arpflux.Severity.WARNING, max(arpflux.Severity), arpflux.Severity.INFO < "error"
    (True, <Severity.ERROR: 'error'>, True)
    """

    def _after(self, other: object) -> int:
        """How many places this one stands behind the other."""
        members = list(type(self))
        try:
            return members.index(self) - members.index(type(self)(other))
        except ValueError:
            # NotImplemented would have the texts compared.
            raise TypeError(f"{other!r} is no {type(self).__name__}") from None

    def __lt__(self, other: object) -> bool:
        return self._after(other) < 0

    def __le__(self, other: object) -> bool:
        return self._after(other) <= 0

    def __gt__(self, other: object) -> bool:
        return self._after(other) > 0

    def __ge__(self, other: object) -> bool:
        return self._after(other) >= 0
"##;

/// Those whose order means something.
const ORDERED: &[&str] = &["Severity"];

/// `arpflux/_names.py`.
///
/// # Errors
/// If an enum has no names, which would be a defect.
pub fn generate() -> Result<Generated, String> {
    let mut text = HEAD.to_owned();
    let enums = arpflux_core::schema::enums().into_iter().chain(arpflux_capture::schema::enums());
    for (class, schema) in enums {
        let schema = schema.to_value();
        let base = if ORDERED.contains(&class) { "Ordered" } else { "Name" };
        // In the docstring, where help() and the makers of references find them.
        text.push_str(&format!("\n\nclass {class}({base}):\n    \"\"\"{}\n\n", words(&schema)));
        let members = members(&schema);
        if members.is_empty() {
            return Err(format!("{class} has no names"));
        }
        for (member, _, meaning) in &members {
            text.push_str(&format!("    - `{member}`: {meaning}\n"));
        }
        text.push_str("    \"\"\"\n\n");
        for (member, name, _) in members {
            text.push_str(&format!("    {member} = \"{name}\"\n"));
        }
    }
    Ok(Generated { path: "arpflux-py/python/arpflux/_names.py".into(), text })
}

/// Members with their names and meanings. What the kernel has and the core has no name for goes by its number, and is
/// none.
fn members(schema: &Value) -> Vec<(String, String, String)> {
    let variants = ["oneOf", "anyOf"].iter().find_map(|key| schema[*key].as_array());
    variants
        .into_iter()
        .flatten()
        .filter_map(|variant| {
            let name = name(variant).filter(|name| name != "other")?;
            let title = variant["title"].as_str().map(snake);
            let member = title.unwrap_or_else(|| name.replace('-', "_")).to_uppercase();
            Some((member, name, words(variant)))
        })
        .collect()
}

/// The name of a variant: itself, its tag, or its only key.
fn name(variant: &Value) -> Option<String> {
    let text = |value: &Value| value["const"].as_str().map(str::to_owned);
    let properties = variant["properties"].as_object();
    text(variant)
        .or_else(|| properties?.values().find_map(text))
        .or_else(|| properties?.keys().next().cloned())
}

/// `SeveralAnswer` as `several_answer`.
fn snake(name: &str) -> String {
    let mut snake = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// The first paragraph of a description as a sentence, without the links of rustdoc.
fn words(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or_default();
    let line = text.split("\n\n").next().unwrap_or_default().replace('\n', " ");
    let mut words = line.replace("[`", "`").replace("`]", "`").replace("crate::", "");
    // A sysctl is written as it is.
    if !words.split(' ').next().is_some_and(|word| word.contains('_'))
        && let Some(first) = words.get(..1)
    {
        words.replace_range(..1, &first.to_uppercase());
    }
    if !words.ends_with('.') {
        words.push('.');
    }
    words
}
