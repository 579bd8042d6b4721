//! The outcome of a prediction.

use std::fmt;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize};

use super::missing::MissingSet;
use super::reason::Reason;
use super::request::Advertised;
use crate::types::{IfIndex, Mac};

/// Why the kernel answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// The target is an address of the host.
    Local,
    /// A proxy entry (`ip neigh add proxy`).
    ProxyEntry,
    /// `proxy_arp`.
    ProxyArp,
    /// `proxy_arp_pvlan`.
    ProxyPvlan,
    /// An IPv6 anycast address of the interface.
    Anycast,
}

impl Via {
    /// The same as a [`Reason`].
    #[must_use]
    pub const fn reason(self) -> Reason {
        match self {
            Self::Local => Reason::Local,
            Self::ProxyEntry => Reason::ProxyEntry,
            Self::ProxyArp => Reason::ProxyArp,
            Self::ProxyPvlan => Reason::ProxyPvlan,
            Self::Anycast => Reason::Anycast,
        }
    }
}

/// How long a proxied answer to a broadcast request waits (`pneigh_enqueue()`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Delay {
    /// The answer comes after a random time below this, in ms; at that time everything is decided again.
    pub below_ms: u64,
    /// How many requests may wait besides the one being queued; more are dropped.
    pub queue: u32,
}

/// What the kernel does with a request. Small and `Copy`: making one allocates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It answers.
    Answers {
        /// With this MAC, that of `interface`.
        mac: Mac,
        /// Why.
        via: Via,
        /// The interface that answers: the one the request arrived on or, for a port, its bridge or bond.
        interface: IfIndex,
        /// How long a proxied answer waits; `None`: it is sent at once.
        delay: Option<Delay>,
        /// The flags of the advertisement; `None` in answers to ARP.
        advertised: Option<Advertised>,
    },
    /// It does not answer.
    Silent {
        /// The rule that decided.
        reason: Reason,
    },
    /// That cannot be told from the snapshot.
    Undetermined {
        /// What is missing; never empty.
        missing: MissingSet,
    },
}

impl Verdict {
    /// Whether it answers; `None` if that cannot be told.
    #[must_use]
    pub const fn answers(&self) -> Option<bool> {
        match self {
            Self::Answers { .. } => Some(true),
            Self::Silent { .. } => Some(false),
            Self::Undetermined { .. } => None,
        }
    }

    /// The MAC in the answer, if there is one.
    #[must_use]
    pub const fn mac(&self) -> Option<&Mac> {
        match self {
            Self::Answers { mac, .. } => Some(mac),
            _ => None,
        }
    }

    /// The rule that decided; `None` if it cannot be told.
    #[must_use]
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Answers { via, .. } => Some(via.reason()),
            Self::Silent { reason } => Some(*reason),
            Self::Undetermined { .. } => None,
        }
    }

    /// What is missing; nothing where it can be told.
    #[must_use]
    pub const fn missing(&self) -> MissingSet {
        match self {
            Self::Undetermined { missing } => *missing,
            Self::Answers { .. } | Self::Silent { .. } => MissingSet::NONE,
        }
    }

    /// Whether both would put the same on the wire: the same MAC and flags, or nothing. Never so if either is
    /// undetermined.
    #[must_use]
    pub fn same_answer(&self, other: &Verdict) -> bool {
        match (self, other) {
            (
                Self::Answers { mac: a, advertised: flags, .. },
                Self::Answers { mac: b, advertised: others, .. },
            ) => a == b && flags == others,
            (Self::Silent { .. }, Self::Silent { .. }) => true,
            _ => false,
        }
    }
}

impl Serialize for Verdict {
    /// `{"answers":true,"mac":…,"reason":…,"via":…,"interface":…}`, `{"answers":false,"mac":null,"reason":…}`
    /// or `{"answers":null,"mac":null,"missing":[…]}`.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("answers", &self.answers())?;
        map.serialize_entry("mac", &self.mac())?;
        match self {
            Self::Answers { via, interface, delay, advertised, .. } => {
                map.serialize_entry("reason", &via.reason())?;
                map.serialize_entry("via", via)?;
                map.serialize_entry("interface", interface)?;
                map.serialize_entry("delay", delay)?;
                if let Some(advertised) = advertised {
                    map.serialize_entry("advertised", advertised)?;
                }
            }
            Self::Silent { reason } => map.serialize_entry("reason", reason)?,
            Self::Undetermined { missing } => map.serialize_entry("missing", missing)?,
        }
        map.end()
    }
}

/// What [`Verdict`] writes, as it is read.
#[derive(Deserialize)]
struct Written {
    answers: Option<bool>,
    mac: Option<Mac>,
    reason: Option<Reason>,
    via: Option<Via>,
    interface: Option<IfIndex>,
    delay: Option<Delay>,
    advertised: Option<Advertised>,
    missing: Option<MissingSet>,
}

impl<'de> Deserialize<'de> for Verdict {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written {
                answers: Some(true),
                mac: Some(mac),
                via: Some(via),
                interface: Some(interface),
                delay,
                advertised,
                ..
            } => Ok(Self::Answers { mac, via, interface, delay, advertised }),
            Written { answers: Some(false), reason: Some(reason), .. } => Ok(Self::Silent { reason }),
            Written { answers: None, missing: Some(missing), .. } => Ok(Self::Undetermined { missing }),
            _ => Err(serde::de::Error::custom("neither an answer, nor silence, nor undetermined")),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answers { mac, via, delay, .. } => {
                write!(f, "answers with {mac}: {}", via.reason())?;
                match delay {
                    Some(delay) => write!(f, ", within {} ms", delay.below_ms),
                    None => Ok(()),
                }
            }
            Self::Silent { reason } => write!(f, "no answer: {reason}"),
            Self::Undetermined { missing } => write!(f, "cannot be told: {missing}"),
        }
    }
}
