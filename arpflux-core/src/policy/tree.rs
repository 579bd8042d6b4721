//! A policy's text as a tree of values that know where they stand: the same for TOML and JSON.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use toml::de::{DeTable, DeValue};

use super::source::Source;
use crate::error::Result;

/// A value and the byte offset at which it stands.
#[derive(Debug)]
pub(super) struct Node<'t> {
    /// Where it stands.
    pub at: usize,
    /// What it is.
    pub value: Value<'t>,
}

/// What a [`Node`] holds.
#[derive(Debug)]
pub(super) enum Value<'t> {
    /// A table (TOML) or object (JSON), in the order of the text.
    Table(Vec<Entry<'t>>),
    /// An array.
    Array(Vec<Node<'t>>),
    /// A string.
    Text(Cow<'t, str>),
    /// A whole number.
    Integer(i64),
    /// True or false.
    Bool(bool),
    /// Anything that no policy has a place for.
    Other(&'static str),
}

/// A key of a table and its value.
#[derive(Debug)]
pub(super) struct Entry<'t> {
    /// The key.
    pub key: Cow<'t, str>,
    /// Where the key stands.
    pub at: usize,
    /// Its value.
    pub node: Node<'t>,
}

impl Value<'_> {
    /// What to call it in a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Table(_) => "a table",
            Self::Array(_) => "an array",
            Self::Text(_) => "a string",
            Self::Integer(_) => "a number",
            Self::Bool(_) => "true or false",
            Self::Other(kind) => kind,
        }
    }
}

/// What serde hands over, whatever it reads: nothing of it has a place.
impl<'de> Deserialize<'de> for Node<'static> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value<'static>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a part of a policy")
            }

            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Value::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
                Ok(Value::Integer(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
                Ok(i64::try_from(value).map_or(Value::Other("a number out of range"), Value::Integer))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Value::Other("a fraction"))
            }

            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Value::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Value::Other("null"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Value::Array(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, node)) = map.next_entry::<String, _>()? {
                    entries.push(Entry { key: Cow::Owned(key), at: 0, node });
                }
                Ok(Value::Table(entries))
            }
        }
        Ok(Self { at: 0, value: deserializer.deserialize_any(Any)? })
    }
}

/// Reads TOML.
///
/// # Errors
/// [`crate::ErrorKind::InvalidPolicy`] with the place at which the text stops being TOML.
pub(super) fn from_toml<'t>(source: Source<'t>) -> Result<Node<'t>> {
    let table = DeTable::parse(source.text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let message = error.message().lines().map(str::trim).collect::<Vec<_>>().join("; ");
        source.error(at, format!("not TOML: {message}"))
    })?;
    Ok(Node { at: 0, value: toml_table(table.into_inner()) })
}

fn toml_table(table: DeTable<'_>) -> Value<'_> {
    let mut entries: Vec<Entry<'_>> = table
        .into_iter()
        .map(|(key, value)| {
            let (key_at, value_at) = (key.span().start, value.span().start);
            let node = Node { at: value_at, value: toml_value(value.into_inner()) };
            Entry { key: key.into_inner(), at: key_at, node }
        })
        .collect();
    entries.sort_by_key(|entry| entry.at);
    Value::Table(entries)
}

fn toml_value(value: DeValue<'_>) -> Value<'_> {
    match value {
        DeValue::String(text) => Value::Text(text),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number out of range"), Value::Integer),
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Boolean(value) => Value::Bool(value),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Array(items) => Value::Array(
            items
                .into_iter()
                .map(|item| Node { at: item.span().start, value: toml_value(item.into_inner()) })
                .collect(),
        ),
        DeValue::Table(table) => toml_table(table),
    }
}

/// Reads JSON.
///
/// # Errors
/// [`crate::ErrorKind::InvalidPolicy`] with the place at which the text stops being JSON.
pub(super) fn from_json<'t>(source: Source<'t>) -> Result<Node<'t>> {
    let root: &RawValue = serde_json::from_str(source.text).map_err(|error| json_error(source, &error))?;
    json_value(source, root.get(), 0)
}

fn json_error(source: Source<'_>, error: &serde_json::Error) -> crate::Error {
    // serde_json counts columns in bytes, and from 0 at the end of a line.
    let line_start: usize =
        source.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or("syntax error");
    source.error(line_start + error.column().saturating_sub(1), format!("not JSON: {message}"))
}

/// The object's keys and values as they stand in the text; serde's maps would hide a doubled key.
struct JsonObject<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'de> Deserialize<'de> for JsonObject<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = JsonObject<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    entries.push((Cow::Owned(key), map.next_value::<&'de RawValue>()?));
                }
                Ok(JsonObject(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A policy nests four deep; more is refused before it costs stack.
const JSON_DEPTH: usize = 16;

/// `text` is a part of the source's text, and is known to be JSON.
fn json_value<'t>(source: Source<'t>, text: &'t str, depth: usize) -> Result<Node<'t>> {
    let at = text.as_ptr() as usize - source.text.as_ptr() as usize;
    if depth > JSON_DEPTH {
        return Err(source.error(at, "it is nested too deeply for a policy"));
    }
    let wrong = |error: serde_json::Error| source.error(at, format!("not JSON: {error}"));
    let value = match text.as_bytes().first() {
        Some(b'{') => {
            let object: JsonObject<'t> = serde_json::from_str(text).map_err(wrong)?;
            let entries = object.0.into_iter().map(|(key, value)| {
                let node = json_value(source, value.get(), depth + 1)?;
                Ok(Entry { key, at: json_key_before(source.text, node.at), node })
            });
            Value::Table(entries.collect::<Result<_>>()?)
        }
        Some(b'[') => {
            let items: Vec<&'t RawValue> = serde_json::from_str(text).map_err(wrong)?;
            let items = items.into_iter().map(|item| json_value(source, item.get(), depth + 1));
            Value::Array(items.collect::<Result<_>>()?)
        }
        Some(b'"') => Value::Text(Cow::Owned(serde_json::from_str::<String>(text).map_err(wrong)?)),
        Some(b't' | b'f') => Value::Bool(text == "true"),
        Some(b'n') => Value::Other("null"),
        _ => text.parse().map_or(Value::Other("a fraction or a number out of range"), Value::Integer),
    };
    Ok(Node { at, value })
}

/// The offset of the key whose value starts at `value_at`.
fn json_key_before(text: &str, value_at: usize) -> usize {
    let before = text[..value_at].trim_end().trim_end_matches(':').trim_end();
    let bytes = before.as_bytes();
    // From the closing quotation mark back to the opening one: the last that no backslash escapes.
    let mut at = bytes.len().saturating_sub(1);
    while at > 0 {
        at -= 1;
        let escapes = bytes[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        if bytes[at] == b'"' && escapes % 2 == 0 {
            break;
        }
    }
    at
}
