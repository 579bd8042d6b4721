//! Who answers on each wire that several hosts share, as it leaves.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use super::{Answer, Apart, Member, Outcome, Port, Segment, answers, infer};
use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::judgement::{self, Judgement};
use crate::snapshot::{Address, Certainty};
use crate::stop::Stop;
use crate::types::IfName;
use crate::words::counted;

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SharedWire {
    /// The interfaces on it.
    pub ports: Vec<NamedPort>,
    /// How well it is known that these share a wire.
    pub certainty: Certainty,
    /// Who answers for each address: duplicates first, then flux.
    pub addresses: Vec<Answer>,
}

/// The wires that several hosts share.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct SharedWires {
    /// Whether one MAC at most answers for each address on each wire.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// How many hosts were looked at.
    pub hosts: usize,
    /// The wires.
    pub segments: Vec<SharedWire>,
    /// Subnets that are in use on several wires.
    pub apart: Vec<Apart>,
    /// What was not looked at, each in a few words.
    #[serde(default)]
    pub not_covered: Vec<String>,
}

impl SharedWires {
    /// Who answers on the wires that the hosts tell of ([`infer`]) for each address, or for `target` alone. An interface
    /// that may be on several of them makes it undetermined.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] if `stop` was raised.
    pub fn inferred(members: &[Member<'_>], target: Option<Ipv4Addr>, stop: &Stop) -> Result<Self> {
        let inferred = infer(members, stop)?;
        let mut shared = Self::judge(members, &inferred.segments, target, stop)?;
        let missing: Vec<_> = inferred.apart.iter().filter_map(Apart::gap).collect();
        if !missing.is_empty() {
            let apart = shared.judgement.ok();
            shared.judgement = shared.judgement.and(Judgement::Undetermined { missing, apart });
        }
        shared.apart = inferred.apart;
        Ok(shared)
    }

    /// Who answers on each of `segments` for each address, or for `target` alone.
    ///
    /// # Errors
    /// [`ErrorKind::Interrupted`] if `stop` was raised.
    pub fn judge(
        members: &[Member<'_>],
        segments: &[Segment],
        target: Option<Ipv4Addr>,
        stop: &Stop,
    ) -> Result<Self> {
        let wire = |segment: &Segment| {
            let mut addresses = answers(members, segment, stop)?;
            addresses.retain(|answer| target.is_none_or(|target| answer.address == target));
            let ports = segment.ports.iter().filter_map(|port| port.named(members)).collect();
            Ok(SharedWire { ports, certainty: segment.certainty, addresses })
        };
        let segments: Vec<SharedWire> = segments.iter().map(wire).collect::<Result<_>>()?;
        let judgement = segments.iter().flat_map(|wire| &wire.addresses).map(Answer::judgement).collect();
        let ipv6 = |member: &&Member<'_>| member.snapshot.addresses.iter().any(Address::is_global_ipv6);
        let not_covered = match members.iter().filter(ipv6).count() {
            0 => Vec::new(),
            count => {
                vec![format!("IPv6 addresses, which {} here", counted(count, "host holds", "hosts hold"))]
            }
        };
        Ok(Self { judgement, hosts: members.len(), segments, apart: Vec::new(), not_covered })
    }

    /// What cannot be told, in one line; `None` unless it is what all comes to.
    #[must_use]
    pub fn last_line(&self) -> Option<String> {
        let Judgement::Undetermined { missing, apart } = &self.judgement else { return None };
        let answers = self.segments.iter().flat_map(|wire| &wire.addresses);
        let open = match answers.filter(|answer| answer.outcome == Outcome::Undetermined).count() {
            0 => "some wires".to_owned(),
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

/// Wires as a file tells them: the part of what [`SharedWires::to_json`] writes that says who shares one.
#[derive(Deserialize)]
struct File {
    schema: Option<u32>,
    segments: Vec<FileWire>,
}

#[derive(Deserialize)]
struct FileWire {
    ports: Vec<NamedPort>,
}

impl Segment {
    /// Reads `{"schema":1,"segments":[{"ports":[{"host":"a","interface":"eth0"},…]},…]}`, as
    /// [`SharedWires::to_json`] writes it; what else is in it is not looked at. Hosts that are not among `members` are
    /// passed over.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] if the text is something else, or a host has no such interface, or one stands twice.
    pub fn all_from_json(members: &[Member<'_>], text: &str) -> Result<Vec<Self>> {
        let invalid = |message: String| {
            Error::new(ErrorKind::InvalidData, message)
                .during("read who shares a wire")
                .hint("`arpflux segments --hosts FOLDER --json` writes it")
        };
        let file: File =
            serde_json::from_str(text).map_err(|error| invalid(error.to_string()).because(error))?;
        if file.schema != Some(json::SCHEMA) {
            return Err(invalid(format!("it has no \"schema\": {}", json::SCHEMA)));
        }
        let place: HashMap<&str, usize> =
            members.iter().enumerate().map(|(place, member)| (member.name(), place)).collect();
        let mut seen = HashSet::new();
        let mut segments = Vec::new();
        for wire in &file.segments {
            let mut ports = Vec::new();
            for port in &wire.ports {
                let Some(member) = place.get(port.host.as_str()) else { continue };
                let name: IfName =
                    port.interface.parse().map_err(|error: Error| invalid(error.to_string()))?;
                let object = format!("{} {}", port.host, port.interface);
                let Some(found) = members[*member].snapshot().interface_named(&name) else {
                    return Err(invalid("the host has no such interface".into()).on(object));
                };
                let port = Port { member: *member, interface: found.index };
                if !seen.insert(port) {
                    return Err(invalid("it stands twice: an interface is on one wire".into()).on(object));
                }
                ports.push(port);
            }
            segments.push(Self::known(ports));
        }
        Ok(segments)
    }
}
