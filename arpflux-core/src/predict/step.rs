//! The steps that led to a verdict.

use std::net::IpAddr;

use serde::Serialize;
use serde::ser::SerializeMap as _;

use super::missing::Missing;
use super::reason::Reason;
use crate::snapshot::{LinkKind, RouteKind, ValueSource};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::{IfName, IpNet, Mac};

/// What a route was looked up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// The way to the target, as for a packet that arrives (`ip_route_input_noref()`).
    Target,
    /// The way back to the sender, to validate it (`fib_validate_source()`).
    Sender,
    /// The way of the answer, for `arp_filter` (`ip_route_output()`).
    Answer,
    /// The way of the host's own packet.
    Own,
}

/// A route look-up and what it found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Lookup {
    /// What for.
    pub purpose: Purpose,
    /// The address looked up.
    pub address: IpAddr,
    /// The source address of the look-up.
    pub from: IpAddr,
    /// The priority of the rule that led to the table; `None`: local and main are one, no rules are used.
    pub rule: Option<u32>,
    /// The table; `None`: a rule itself rejects, or nothing was found.
    pub table: Option<u32>,
    /// The route's destination; `None`: none found.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub destination: Option<IpNet>,
    /// What the route does; `None`: none found.
    pub kind: Option<RouteKind>,
    /// The interface it leaves by.
    pub interface: Option<IfName>,
    /// How many next hops it has.
    pub next_hops: usize,
}

/// A step towards a verdict: one rule of the kernel and what decided it. `Display` gives a sentence, JSON
/// an object with `step`, `function`, `text` and the fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "step", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// The request.
    Request {
        /// The interface it arrives on.
        interface: String,
        /// Who asks.
        sender: IpAddr,
        /// The address asked for.
        target: IpAddr,
        /// Whether it was sent to the interface's MAC alone.
        unicast: bool,
    },
    /// A port hands the frame to its bridge or bond, a lower interface to its passthru macvlan.
    Handed {
        /// The port.
        from: IfName,
        /// What takes the frame.
        to: IfName,
        /// Its kind.
        kind: LinkKind,
    },
    /// The interface drops the frame.
    Interface {
        /// The interface.
        interface: String,
        /// Why.
        reason: Reason,
    },
    /// An address of the request cannot be answered.
    Refused {
        /// The address.
        address: IpAddr,
        /// Why.
        reason: Reason,
    },
    /// A sysctl decides.
    Sysctl {
        /// The interface whose value counts.
        interface: IfName,
        /// The sysctl.
        sysctl: Sysctl,
        /// Its effective value.
        value: i32,
        /// Where the value comes from.
        source: ValueSource,
        /// Whether it lets the request pass.
        passes: bool,
        /// What the value means here.
        meaning: &'static str,
    },
    /// A sysctl of IPv6 decides.
    Ipv6Sysctl {
        /// The interface.
        interface: IfName,
        /// The sysctl.
        sysctl: Ipv6Sysctl,
        /// The value that counts.
        value: i32,
        /// Where the value comes from.
        source: ValueSource,
        /// Whether it lets the solicitation pass.
        passes: bool,
        /// What the value means here.
        meaning: &'static str,
    },
    /// A route look-up.
    Route(Lookup),
    /// Whether the target is one of the host's own addresses, which is all that counts for a probe.
    LocalAddress {
        /// The address.
        address: IpAddr,
        /// Whether it is.
        local: bool,
        /// The interfaces that hold it.
        interfaces: Vec<IfName>,
    },
    /// Whether the sender is one of the host's own addresses.
    SenderAddress {
        /// The address.
        address: IpAddr,
        /// The interfaces that hold it.
        interfaces: Vec<IfName>,
    },
    /// Proxy entries were looked for.
    ProxyEntry {
        /// The address.
        address: IpAddr,
        /// The interface of the entry; `None`: it counts on all, or there is none.
        interface: Option<IfName>,
        /// Whether there is one.
        found: bool,
    },
    /// A proxied answer to a broadcast request waits.
    Delayed {
        /// The interface.
        interface: IfName,
        /// Below how many ms.
        below_ms: u64,
        /// How many may wait.
        queue: u32,
    },
    /// A packet filter drops a frame.
    Filter {
        /// The chain, as its tool names it.
        chain: String,
        /// Whether it is the answer, not the request.
        answer: bool,
    },
    /// Something that is not known would decide.
    Unknown {
        /// What.
        missing: Missing,
        /// Which one, in words.
        detail: String,
    },
    /// The end.
    Verdict {
        /// The rule that decided.
        reason: Reason,
        /// The MAC of the answer; `None`: there is none.
        mac: Option<Mac>,
        /// The interface that answers.
        interface: Option<IfName>,
    },
}

impl Step {
    /// The kernel function whose rule this is.
    #[must_use]
    pub const fn function(&self) -> &'static str {
        match self {
            Self::Request { target, .. } if target.is_ipv6() => "ndisc_recv_ns",
            Self::Request { .. } => "arp_rcv",
            Self::Handed { .. } => "__netif_receive_skb_core",
            Self::Interface { reason, .. } => match reason {
                Reason::NoArp => "arp_rcv",
                Reason::Ipv6Disabled => "ip6_rcv_core",
                Reason::Ipv4Disabled | Reason::LoopbackInterface => "arp_process",
                Reason::Ipv4DisabledBehind => "__mkroute_input",
                _ => "__netif_receive_skb_core",
            },
            Self::Refused { address, reason } => match reason {
                Reason::GroupNotJoined => "ip6_mc_input",
                Reason::NoSourceAddress => "ndisc_send_na",
                Reason::FixedNeighbour => "ndisc_update",
                Reason::LoopbackSender | Reason::LoopbackTarget | Reason::MartianSender
                    if address.is_ipv6() =>
                {
                    "ip6_rcv_core"
                }
                _ if address.is_ipv6() => "ndisc_recv_ns",
                Reason::MulticastTarget | Reason::LoopbackTarget | Reason::GratuitousDropped => "arp_process",
                Reason::PvlanAnnouncement => "arp_fwd_pvlan",
                _ => "ip_route_input_slow",
            },
            Self::Sysctl { sysctl, .. } => match sysctl {
                Sysctl::ArpIgnore => "arp_ignore",
                Sysctl::ArpFilter => "arp_filter",
                Sysctl::ArpAnnounce => "arp_solicit",
                Sysctl::RpFilter | Sysctl::AcceptLocal | Sysctl::SendRedirects => "fib_validate_source",
                Sysctl::ProxyArp | Sysctl::MediumId => "arp_fwd_proxy",
                Sysctl::ProxyArpPvlan => "arp_fwd_pvlan",
                _ => "arp_process",
            },
            Self::Ipv6Sysctl { .. } => "ndisc_recv_ns",
            Self::Route(lookup) => match lookup.purpose {
                Purpose::Target if lookup.address.is_ipv6() => "ip6_route_input",
                Purpose::Target => "ip_route_input_slow",
                Purpose::Sender => "__fib_validate_source",
                Purpose::Answer => "arp_filter",
                Purpose::Own => "ip_route_output_key_hash_rcu",
            },
            Self::LocalAddress { address, .. } if address.is_ipv6() => "ipv6_get_ifaddr",
            Self::LocalAddress { .. } => "inet_addr_type_dev_table",
            Self::SenderAddress { .. } => "fib_validate_source",
            Self::ProxyEntry { .. } => "pneigh_lookup",
            Self::Delayed { .. } => "pneigh_enqueue",
            Self::Filter { .. } => "nft_do_chain",
            Self::Unknown { .. } | Self::Verdict { .. } => "arp_process",
        }
    }
}

/// A step as it is written to JSON: with the function and the sentence.
#[derive(Debug)]
pub(super) struct Written<'a>(pub(super) &'a Step);

impl Serialize for Written<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error as _;
        let serde_json::Value::Object(fields) = serde_json::to_value(self.0).map_err(S::Error::custom)?
        else {
            return Err(S::Error::custom("a step is an object"));
        };
        let mut map = serializer.serialize_map(None)?;
        // The name first, then what people read.
        if let Some(name) = fields.get("step") {
            map.serialize_entry("step", name)?;
        }
        map.serialize_entry("function", self.0.function())?;
        map.serialize_entry("text", &self.0.to_string())?;
        for (key, value) in fields.iter().filter(|(key, _)| *key != "step") {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Takes down the steps, or does nothing.
pub(super) trait Trace {
    /// Whether steps are wanted: where not, none is made.
    const ON: bool;

    /// Takes one down.
    fn push(&mut self, step: Step);
}

/// Wants no steps.
pub(super) struct Silent;

impl Trace for Silent {
    const ON: bool = false;

    fn push(&mut self, _: Step) {}
}

impl Trace for Vec<Step> {
    const ON: bool = true;

    fn push(&mut self, step: Step) {
        Vec::push(self, step);
    }
}
