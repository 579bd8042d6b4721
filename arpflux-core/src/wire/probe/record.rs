//! What came of probes, as it leaves.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Judgement, Probed, judge};
use crate::error::Result;
use crate::json;
use crate::predict::Advertised;
use crate::types::{IfName, Mac};
use crate::wire::Port;

/// Who has the addresses that were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Probes {
    /// The interface that asked.
    pub interface: IfName,
    /// What came of each address.
    pub addresses: Vec<ProbedAddress>,
}

/// What came of one address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ProbedAddress {
    /// The address.
    pub target: IpAddr,
    /// From which interface it was asked for.
    pub interface: IfName,
    /// From which address.
    pub sender: IpAddr,
    /// How often; 0 if the run was ended before its turn.
    pub requests: u8,
    /// The MACs that answered, in the order of their first replies.
    pub replies: Vec<ProbedReply>,
    /// How many MACs those are.
    pub macs: usize,
    /// What that means.
    pub verdict: Judgement,
}

/// One MAC that answered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ProbedReply {
    /// The MAC.
    pub mac: Mac,
    /// When its first reply came after the first request, in milliseconds, to a hundredth.
    pub after_ms: f64,
    /// How many replies had it.
    pub replies: u32,
    /// Whether it only proxies the address; absent if that was not found out.
    pub proxied: Option<bool>,
    /// The flags of the neighbour advertisement; `null` if it was ARP.
    #[serde(default)]
    pub advertised: Option<Advertised>,
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 100_000.0).round() / 100.0
}

impl Probes {
    /// Judges what came of asking from `port`, every address in the light of all.
    #[must_use]
    pub fn new(port: &Port, probed: &[Probed]) -> Self {
        let address = |(one, verdict): (&Probed, Judgement)| ProbedAddress {
            target: one.target,
            interface: port.name,
            sender: port.sender_for(one.target),
            requests: one.requests,
            replies: one
                .replies
                .iter()
                .map(|reply| ProbedReply {
                    mac: reply.mac,
                    after_ms: milliseconds(reply.after),
                    replies: reply.count,
                    proxied: reply.proxied,
                    advertised: reply.advertised,
                })
                .collect(),
            macs: one.replies.len(),
            verdict,
        };
        Self { interface: port.name, addresses: probed.iter().zip(judge(probed)).map(address).collect() }
    }

    /// Whether several MACs answer for an address.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.addresses.iter().any(|one| one.macs > 1)
    }

    /// The probes as one JSON object: `schema`, `interface` and `addresses`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) if it cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(self)
    }
}
