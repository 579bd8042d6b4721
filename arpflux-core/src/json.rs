//! How values are written as JSON.
//!
//! What serde derives is compiled anew for each way of writing. So there is one, compact; indented text, and an
//! object with more keys before its own, are made out of that.

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

/// The version of what [`object`] writes.
pub const SCHEMA: u32 = 1;

/// A value as JSON, in one line.
///
/// # Errors
/// [`ErrorKind::Internal`] if it cannot be written, which would be a defect.
pub fn line<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| defect(&error))
}

/// A value as JSON, indented by two spaces.
///
/// # Errors
/// As [`line()`].
pub fn pretty<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    Ok(indented(&line(value)?))
}

/// A value that is written as an object, in one line, with `"schema": 1` before its own keys.
///
/// # Errors
/// As [`line()`]; also if the value is not written as an object.
pub fn object_line<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    with_members(&format!("\"schema\":{SCHEMA}"), &line(value)?)
}

/// The same, indented.
///
/// # Errors
/// As [`object_line`].
pub fn object<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    Ok(indented(&object_line(value)?))
}

/// The same with further members, as JSON text, between `schema` and the value's own.
pub(crate) fn object_with<T: Serialize + ?Sized>(members: &str, value: &T) -> Result<String> {
    Ok(indented(&with_members(&format!("\"schema\":{SCHEMA},{members}"), &line(value)?)?))
}

#[cold]
fn defect(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, error.to_string()).during("write JSON")
}

/// The object `text` with `members` before its own.
fn with_members(members: &str, text: &str) -> Result<String> {
    match text.strip_prefix('{') {
        Some("}") => Ok(format!("{{{members}}}")),
        Some(rest) => Ok(format!("{{{members},{rest}")),
        None => Err(Error::new(ErrorKind::Internal, "it is not an object").during("write JSON")),
    }
}

/// What `serde_json` wrote in one line, as it would have written it indented.
fn indented(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0;
    let mut rest = text;
    while let Some(at) = rest.find(['"', '{', '[', '}', ']', ',', ':']) {
        out.push_str(&rest[..at]);
        let (mark, after) = rest[at..].split_at(1);
        rest = after;
        match mark {
            "\"" => {
                let end = string_end(rest);
                out.push('"');
                out.push_str(&rest[..end]);
                rest = &rest[end..];
            }
            "{" | "[" => {
                out.push_str(mark);
                if let Some(after) = rest.strip_prefix(['}', ']']) {
                    out.push_str(&rest[..1]);
                    rest = after;
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            "}" | "]" => {
                depth -= 1;
                new_line(&mut out, depth);
                out.push_str(mark);
            }
            "," => {
                out.push(',');
                new_line(&mut out, depth);
            }
            _ => out.push_str(": "),
        }
    }
    out + rest
}

/// How long the rest of a string is, with the quote that ends it.
fn string_end(text: &str) -> usize {
    let mut escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.map_or(text.len(), |end| end + 1)
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    for _ in 0..depth {
        out.push_str("  ");
    }
}

/// A field that a record needs, taken out of it.
pub(crate) fn need<T>(field: &mut Option<T>, name: &str) -> std::result::Result<T, String> {
    field.take().ok_or_else(|| format!("missing field `{name}`"))
}

/// Refuses what a record has and does not need: names, and whether they are there.
pub(crate) fn none_left(fields: &[(&str, bool)]) -> std::result::Result<(), String> {
    match fields.iter().find(|(_, there)| *there) {
        Some((name, _)) => Err(format!("unknown field `{name}`")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn values() -> Vec<Value> {
        vec![
            json!(null),
            json!(-1.5),
            json!("a \"quoted\\\" text,\n with: {marks} and [more]\\"),
            json!([]),
            json!({}),
            json!([[], {}, [1, 2, [true]], ""]),
            json!({"": "", "a": {"b": [{"c": "ä € \u{1}"}, []], "\\\"": "\\"}, "d": 1e300}),
        ]
    }

    #[test]
    fn indented_text_is_that_of_serde_json() {
        for value in values() {
            assert_eq!(pretty(&value).unwrap(), serde_json::to_string_pretty(&value).unwrap());
        }
    }

    #[test]
    fn an_object_begins_with_the_schema() {
        #[derive(Serialize)]
        struct Flat<'a> {
            schema: u32,
            #[serde(flatten)]
            value: &'a Value,
        }
        for value in values() {
            let written = object(&value);
            if value.is_object() {
                let flat = Flat { schema: SCHEMA, value: &value };
                assert_eq!(written.unwrap(), serde_json::to_string_pretty(&flat).unwrap());
                assert_eq!(object_line(&value).unwrap(), serde_json::to_string(&flat).unwrap());
            } else {
                assert_eq!(written.unwrap_err().kind(), ErrorKind::Internal);
            }
        }
    }

    #[test]
    fn more_members_come_before_its_own() {
        let text = object_with("\"ok\":true", &json!({"a": 1})).unwrap();
        assert_eq!(text, "{\n  \"schema\": 1,\n  \"ok\": true,\n  \"a\": 1\n}");
    }
}
