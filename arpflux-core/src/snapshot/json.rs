//! The versioned JSON form of a snapshot.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::{Interference, SCHEMA, Snapshot};
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

    /// Reads what [`Snapshot::to_json`] or serde wrote. Fields that this version does not know, of a newer one with the
    /// same schema, are left out and told as [`Interference::Unreadable`]: what they would decide is undetermined.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if the text is not a snapshot, or of another schema; those of [`Snapshot::check`].
    pub fn from_json(text: &str) -> Result<Self> {
        let invalid = |message: String| Error::new(ErrorKind::InvalidData, message).during("read snapshot");
        let unreadable = |error: serde_json::Error| invalid(error.to_string()).because(error);
        let version: Version = serde_json::from_str(text).map_err(unreadable)?;
        if let Some(other) = version.schema.filter(|schema| *schema != SCHEMA) {
            return Err(
                invalid(json::unknown(&other)).hint("take the snapshot again with this version of arpflux")
            );
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let snapshot = Self::read(&mut reader).map_err(unreadable)?;
        reader.end().map_err(unreadable)?;
        snapshot.check().map_err(|error| error.during("read snapshot"))?;
        Ok(snapshot)
    }

    /// Reads without checking.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut unknown = Vec::new();
        let mut tell = |field: serde_ignored::Path<'_>| unknown.push(field.to_string());
        let reader = serde_ignored::Deserializer::new(deserializer, &mut tell);
        // What the derive makes for a type that is its own remote: not the trait's.
        let mut snapshot = Self::deserialize(reader)?;
        snapshot.interfaces.sort_by_key(|interface| interface.index);
        for field in unknown {
            let of_ipv6_alone = field.starts_with("discovery.");
            let what = format!("{field} of the snapshot, which a newer version of arpflux wrote");
            let unread = Interference::Unreadable { what, needs: None };
            if let Some(discovery) = &mut snapshot.discovery {
                discovery.interference.push(unread.clone());
            }
            if !of_ipv6_alone {
                snapshot.interference.push(unread);
            }
        }
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

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let snapshot = Self::read(deserializer)?;
        snapshot.check().map_err(serde::de::Error::custom)?;
        Ok(snapshot)
    }
}
