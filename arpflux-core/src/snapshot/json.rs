//! The versioned JSON form of a snapshot.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{SCHEMA, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use crate::{json, text};

#[derive(Deserialize)]
struct Version {
    schema: Option<u32>,
}

/// A JSON object without some of its keys; the rest as it is written. A tree of values would cost several
/// times the memory, and a second set of decoders.
pub(crate) fn without(text: &str, keys: &[&str]) -> serde_json::Result<String> {
    let mut object: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(text)?;
    object.retain(|key, _| !keys.contains(&key.as_ref()));
    serde_json::to_string(&object)
}

impl Snapshot {
    /// The snapshot as one JSON object with `"schema": 1`. Reading it back gives an equal snapshot.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if a value cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(self).map_err(|error| error.during("write snapshot"))
    }

    /// Reads what [`Snapshot::to_json`] wrote.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if the text is not a snapshot, or of another schema; those of [`Snapshot::check`].
    pub fn from_json(text: &str) -> Result<Self> {
        let invalid = |message: String| Error::new(ErrorKind::InvalidData, message).during("read snapshot");
        let unreadable = |error: serde_json::Error| invalid(error.to_string()).because(error);
        let version: Version = serde_json::from_str(text).map_err(unreadable)?;
        match version.schema {
            Some(SCHEMA) => {}
            Some(other) => {
                return Err(invalid(format!(
                    "schema {other} is not known, this build reads schema {SCHEMA}"
                ))
                .hint("take the snapshot again with this version of arpflux"));
            }
            None => {
                return Err(invalid("it has no \"schema\" key".into())
                    .hint("`arpflux snapshot --json` writes snapshots"));
            }
        }
        let rest = without(text, &["schema"]).map_err(unreadable)?;
        let mut snapshot: Self = serde_json::from_str(&rest).map_err(unreadable)?;
        snapshot.interfaces.sort_by_key(|interface| interface.index);
        snapshot.check().map_err(|error| error.during("read snapshot"))?;
        Ok(snapshot)
    }

    /// Reads a file that [`Snapshot::to_json`] or `arpflux snapshot --json` wrote, of at most 256 MiB.
    ///
    /// # Errors
    /// Any failure to read it, and those of [`Snapshot::from_json`], which name the file.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        Self::from_json(&text::read(path, text::LARGEST)?).map_err(|error| error.on_file(path))
    }
}
