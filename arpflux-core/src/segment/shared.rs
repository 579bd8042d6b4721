//! Who answers on each wire that several hosts share, as it leaves.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{Answer, Member, Outcome, Segment, answers};
use crate::error::Result;
use crate::json;
use crate::judgement::{self, Judgement};
use crate::stop::Stop;

/// An interface of a host, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NamedPort {
    /// The host.
    pub host: String,
    /// Its interface.
    pub interface: String,
}

/// One wire, and who answers on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SharedWire {
    /// The interfaces on it.
    pub ports: Vec<NamedPort>,
    /// Who answers for each address: duplicates first, then flux.
    pub addresses: Vec<Answer>,
}

/// The wires that several hosts share.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SharedWires {
    /// Whether one MAC at most answers for each address on each wire.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// The wires.
    pub segments: Vec<SharedWire>,
}

impl SharedWires {
    /// Who answers on each of `segments` for each address, or for `target` alone.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) if `stop` was raised.
    pub fn judge(
        members: &[Member<'_>],
        segments: &[Segment],
        target: Option<Ipv4Addr>,
        stop: &Stop,
    ) -> Result<Self> {
        let port = |port: &super::Port| {
            let member = members.get(port.member)?;
            Some(NamedPort {
                host: member.name().to_owned(),
                interface: member.snapshot().name_of(port.interface),
            })
        };
        let wire = |segment: &Segment| {
            let mut addresses = answers(members, segment, stop)?;
            addresses.retain(|answer| target.is_none_or(|target| answer.address == target));
            Ok(SharedWire { ports: segment.ports.iter().filter_map(port).collect(), addresses })
        };
        let segments: Vec<SharedWire> = segments.iter().map(wire).collect::<Result<_>>()?;
        let judgement = segments.iter().flat_map(|wire| &wire.addresses).map(Answer::judgement).collect();
        Ok(Self { judgement, segments })
    }

    /// What cannot be told, in one line; `None` unless it is what all comes to.
    #[must_use]
    pub fn last_line(&self) -> Option<String> {
        let Judgement::Undetermined { missing, apart } = &self.judgement else { return None };
        let answers = self.segments.iter().flat_map(|wire| &wire.addresses);
        let open = match answers.filter(|answer| answer.outcome == Outcome::Undetermined).count() {
            1 => "1 address".to_owned(),
            count => format!("{count} addresses"),
        };
        let apart = match apart {
            Some(true) => "one MAC at most answers for each",
            Some(false) => "several MACs answer for some",
            None => "",
        };
        Some(judgement::last_line(&open, missing, apart))
    }

    /// The wires as one JSON object: `schema`, `ok`, `missing` and `segments`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) if it cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(self)
    }
}
