//! Why a claim does not hold.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::sender::end_of_subnet;
use crate::predict::{Request, Verdict};
use crate::snapshot::Snapshot;
use crate::types::IfIndex;

/// Something the kernel would do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// What becomes of a request, or of a solicitation of IPv6; send it and see.
    Request {
        /// The request.
        #[serde(serialize_with = "fields")]
        #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Request"))]
        request: Request,
        /// What the kernel does with it.
        verdict: Verdict,
    },
    /// By which interface a packet of the host leaves; `ip route get DESTINATION from SOURCE` shows it.
    Packet {
        /// Where it comes from.
        source: Ipv4Addr,
        /// Where it goes to.
        destination: Ipv4Addr,
        /// By which interface it leaves.
        interface: IfIndex,
    },
}

/// A concrete case against a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Contradiction {
    /// What is wrong, in one sentence.
    pub sentence: String,
    /// What the kernel would do; never empty. Two requests, where two interfaces answer for one address.
    pub evidence: Vec<Evidence>,
}

impl Contradiction {
    pub(super) fn new(snapshot: &Snapshot, evidence: Vec<Evidence>) -> Self {
        let name = |index: IfIndex| snapshot.name_of(index);
        let sentence = match evidence.as_slice() {
            [
                Evidence::Request { request: a, verdict: first },
                Evidence::Request { request: b, verdict: second },
            ] => {
                format!(
                    "two interfaces answer for {}: {} {} and {} {}",
                    a.target(),
                    name(a.interface()),
                    Asked(snapshot, a, first),
                    name(b.interface()),
                    Asked(snapshot, b, second),
                )
            }
            [Evidence::Request { request, verdict }, ..] => {
                let does = match verdict {
                    Verdict::Answers { .. } => "answers",
                    _ => "does not answer",
                };
                format!(
                    "{} {does} for {} {}",
                    name(request.interface()),
                    request.target(),
                    Asked(snapshot, request, verdict)
                )
            }
            [Evidence::Packet { source, destination, interface }, ..] => {
                format!("a packet from {source} to {destination} leaves by {}", name(*interface))
            }
            [] => "nobody answers: no interface takes requests".to_string(),
        };
        Self { sentence, evidence }
    }
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

/// Who asked how, and why the verdict.
struct Asked<'a>(&'a Snapshot, &'a Request, &'a Verdict);

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(snapshot, request, verdict) = self;
        match request.sender() {
            sender if sender.is_unspecified() => write!(f, "to a probe (sender {sender})")?,
            sender => write!(f, "to {sender}")?,
        }
        if let IpAddr::V4(sender) = request.sender()
            && let Some(end) = end_of_subnet(snapshot, sender)
        {
            write!(f, " (a {end} address: no host has it, and none that has one gets this answer)")?;
        }
        if request.is_unicast() {
            f.write_str(" (asked by unicast)")?;
        }
        match verdict {
            Verdict::Answers { mac, via, .. } => write!(f, " with {mac}, {}", via.reason()),
            Verdict::Silent { reason } => write!(f, ", {reason}"),
            Verdict::Undetermined { missing } => write!(f, ", {missing}"),
        }
    }
}

/// The fields of a request, as `explain --stdin` takes them, with the interface by number.
pub(super) fn fields<S: Serializer>(request: &Request, serializer: S) -> Result<S::Ok, S::Error> {
    let mac = request.sender_mac();
    let mut fields = serializer.serialize_struct("request", 4 + usize::from(mac.is_some()))?;
    fields.serialize_field("interface", &request.interface())?;
    fields.serialize_field("sender_ip", &request.sender())?;
    if let Some(mac) = mac {
        fields.serialize_field("sender_mac", &mac)?;
    }
    fields.serialize_field("target_ip", &request.target())?;
    fields.serialize_field("unicast", &request.is_unicast())?;
    fields.end()
}
