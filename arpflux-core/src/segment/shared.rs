//! Who answers on each wire that several hosts share, as it leaves.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{Answer, Member, Segment, answers};
use crate::error::Result;
use crate::json;

/// An interface of a host, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NamedPort {
    /// The host.
    pub host: String,
    /// Its interface.
    pub interface: String,
}

/// One wire, and who answers on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SharedWire {
    /// The interfaces on it.
    pub ports: Vec<NamedPort>,
    /// Who answers for each address: duplicates first, then flux.
    pub addresses: Vec<Answer>,
}

/// The wires that several hosts share.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct SharedWires {
    /// The wires.
    pub segments: Vec<SharedWire>,
}

impl SharedWires {
    /// Who answers on each of `segments` for each address, or for `target` alone.
    #[must_use]
    pub fn judge(members: &[Member<'_>], segments: &[Segment], target: Option<Ipv4Addr>) -> Self {
        let port = |port: &super::Port| {
            let member = members.get(port.member)?;
            Some(NamedPort {
                host: member.name().to_owned(),
                interface: member.snapshot().name_of(port.interface),
            })
        };
        let wire = |segment: &Segment| {
            let mut addresses = answers(members, segment);
            addresses.retain(|answer| target.is_none_or(|target| answer.address == target));
            SharedWire { ports: segment.ports.iter().filter_map(port).collect(), addresses }
        };
        Self { segments: segments.iter().map(wire).collect() }
    }

    /// Whether an address is a duplicate or in flux.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.segments.iter().flat_map(|segment| &segment.addresses).any(Answer::is_bad)
    }

    /// The wires as one JSON object: `schema` and `segments`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) if it cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(self)
    }
}
