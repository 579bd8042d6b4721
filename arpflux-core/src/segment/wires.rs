//! Which interfaces of one host share a wire: found out, told, or guessed.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::json::Schema;
use crate::snapshot::{Snapshot, WireMap};
use crate::types::{IfIndex, IfName};

/// A statement of which interfaces of one host share a wire.
///
/// Addresses only let one guess it ([`Wires::guess`]): two networks may use one subnet, and one wire may
/// carry several. `wire::segments` finds it out with frames; whoever knows the cabling says it
/// ([`Wires::new`], [`Wires::from_json`]).
///
/// ```
/// use arpflux_core::segment::Wires;
///
/// let wires = Wires::from_json(r#"{"schema":1,"wires":[["eth0","eth3"],["eth4"]]}"#)?;
/// assert_eq!(wires.share(&"eth0".parse()?, &"eth3".parse()?), Some(true));
/// assert_eq!(wires.share(&"eth0".parse()?, &"eth4".parse()?), Some(false));
/// assert_eq!(wires.share(&"eth0".parse()?, &"eth7".parse()?), None);
/// # Ok::<(), arpflux_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Wires {
    wires: Vec<Vec<IfName>>,
}

/// The JSON form. What `arpflux segments --json` has besides is not looked at.
#[derive(Deserialize)]
struct File {
    #[serde(default, rename = "schema")]
    _schema: Schema,
    wires: Vec<Vec<IfName>>,
}

impl<'de> Deserialize<'de> for Wires {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::new(File::deserialize(deserializer)?.wires).map_err(serde::de::Error::custom)
    }
}

impl Wires {
    /// Each inner list is one wire; one interface alone is a wire of its own.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if an interface stands twice.
    pub fn new(wires: impl IntoIterator<Item = Vec<IfName>>) -> Result<Self> {
        let mut seen = HashSet::new();
        let wires: Vec<Vec<IfName>> = wires.into_iter().filter(|wire| !wire.is_empty()).collect();
        for name in wires.iter().flatten() {
            if !seen.insert(*name) {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "it stands twice: an interface is on one wire",
                )
                .during("say who shares a wire")
                .on(name.to_string()));
            }
        }
        Ok(Self { wires })
    }

    /// What the snapshot lets one guess ([`WireMap`]): every interface of it, those of one wire together.
    #[must_use]
    pub fn guess(snapshot: &Snapshot) -> Self {
        let name = |index: &IfIndex| snapshot.interface(*index).map(|interface| interface.name);
        let map = WireMap::of(snapshot);
        Self { wires: map.wires().map(|wire| wire.iter().filter_map(name).collect()).collect() }
    }

    /// Reads `{"schema":1,"wires":[["eth0","eth3"],["eth4"]]}`, as `arpflux segments --json` prints it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if the text is something else, or an interface stands twice.
    pub fn from_json(text: &str) -> Result<Self> {
        let invalid = |message: String| {
            Error::new(ErrorKind::InvalidData, message)
                .during("read who shares a wire")
                .hint("`arpflux segments --json` writes it")
        };
        let file: File =
            serde_json::from_str(text).map_err(|error| invalid(error.to_string()).because(error))?;
        Self::new(file.wires)
            .map_err(|error| invalid(error.message().to_string()).on(error.object().to_string()))
    }

    /// The wires, each with its interfaces.
    #[must_use]
    pub fn wires(&self) -> &[Vec<IfName>] {
        &self.wires
    }

    /// The wire of an interface, by its place in [`Wires::wires`]; `None`: nothing is said about it.
    #[must_use]
    pub fn of(&self, interface: &IfName) -> Option<usize> {
        self.wires.iter().position(|wire| wire.contains(interface))
    }

    /// Whether two interfaces share a wire; `None`: nothing is said about one of them.
    #[must_use]
    pub fn share(&self, one: &IfName, other: &IfName) -> Option<bool> {
        Some(self.of(one)? == self.of(other)?)
    }

    /// Which interfaces of a snapshot hear one another, by this and by what the snapshot tells.
    #[must_use]
    pub fn map(&self, snapshot: &Snapshot) -> WireMap {
        WireMap::with(snapshot, &self.wires)
    }
}

impl fmt::Display for Wires {
    /// `eth0, eth3 | eth4`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, wire) in self.wires.iter().enumerate() {
            f.write_str(if i == 0 { "" } else { " | " })?;
            for (i, name) in wire.iter().enumerate() {
                write!(f, "{}{name}", if i == 0 { "" } else { ", " })?;
            }
        }
        Ok(())
    }
}
