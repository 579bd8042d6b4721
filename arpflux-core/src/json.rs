//! How records are written as JSON: by what serde derives, with [`SCHEMA`] as the first key.

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The version of what [`object`] writes.
pub const SCHEMA: u32 = 1;

/// A record as it leaves: with the version of its form before its own keys.
#[derive(Serialize)]
struct Versioned<'a, T: Serialize + ?Sized> {
    schema: u32,
    #[serde(flatten)]
    record: &'a T,
}

/// The `schema` key of a record that is read, by whichever reader: it may be left out, and another version than
/// [`SCHEMA`] is refused by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Schema;

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        match u32::deserialize(deserializer)? {
            SCHEMA => Ok(Self),
            other => Err(serde::de::Error::custom(unknown(&other))),
        }
    }
}

/// What is said of a version that this build does not read.
pub(crate) fn unknown(schema: &impl std::fmt::Display) -> String {
    format!("schema {schema} is not known, this build reads schema {SCHEMA}")
}

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
    serde_json::to_string_pretty(value).map_err(|error| defect(&error))
}

/// A value that is written as an object, in one line, with `"schema": 1` before its own keys.
///
/// # Errors
/// As [`line()`]; also if the value is not written as an object.
pub fn object_line<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    line(&Versioned { schema: SCHEMA, record: value })
}

/// The same, indented.
///
/// # Errors
/// As [`object_line`].
pub fn object<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    pretty(&Versioned { schema: SCHEMA, record: value })
}

#[cold]
fn defect(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, error.to_string()).during("write JSON")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_begins_with_the_schema() {
        assert_eq!(object_line(&json!({"a": [1]})).unwrap(), r#"{"schema":1,"a":[1]}"#);
        assert_eq!(object(&json!({"a": [1]})).unwrap(), "{\n  \"schema\": 1,\n  \"a\": [\n    1\n  ]\n}");
        assert_eq!(object_line(&json!({})).unwrap(), r#"{"schema":1}"#);
    }

    #[test]
    fn what_is_not_an_object_is_refused() {
        for value in [json!(1), json!([]), json!("text")] {
            assert_eq!(object(&value).unwrap_err().kind(), ErrorKind::Internal, "{value}");
        }
    }
}
