//! What is asked: an ARP request or a neighbour solicitation.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::ArpRequest;
use crate::types::{IfIndex, Mac};

/// A neighbour solicitation as it arrives on an interface (RFC 4861 section 4.3).
///
/// It is taken to carry the asker's MAC as its source link-layer option, as those of all systems do but for probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Solicitation {
    /// The interface it arrives on. For a port of a bridge or bond the answer of the bridge or bond is given.
    pub interface: IfIndex,
    /// Who asks; `::` in a probe of duplicate address detection (RFC 4862).
    pub source: Ipv6Addr,
    /// The asker's MAC, where it matters; `None`: an ordinary neighbour's.
    pub source_mac: Option<Mac>,
    /// The address asked for.
    pub target: Ipv6Addr,
    /// Whether it was sent to the target's own address and this interface's MAC instead of the solicited-node group.
    pub unicast: bool,
}

impl Solicitation {
    /// An ordinary solicitation, sent to the solicited-node group.
    #[must_use]
    pub const fn multicast(interface: IfIndex, source: Ipv6Addr, target: Ipv6Addr) -> Self {
        Self { interface, source, source_mac: None, target, unicast: false }
    }

    /// A probe of duplicate address detection: "does anybody have this address?", source `::`.
    #[must_use]
    pub const fn probe(interface: IfIndex, target: Ipv6Addr) -> Self {
        Self::multicast(interface, Ipv6Addr::UNSPECIFIED, target)
    }
}

/// The flags of a neighbour advertisement (RFC 4861 section 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Advertised {
    /// The sender is a router.
    pub router: bool,
    /// It answers a solicitation (not a probe).
    pub solicited: bool,
    /// Who hears it shall overwrite what it holds.
    #[serde(rename = "override")]
    pub overrides: bool,
}

/// A question of either family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Request {
    /// For an IPv4 address.
    Arp(ArpRequest),
    /// For an IPv6 address.
    Solicitation(Solicitation),
}

impl Request {
    /// An ordinary question, sent to all. `None`: sender and target are of different families.
    #[must_use]
    pub const fn ordinary(interface: IfIndex, sender: IpAddr, target: IpAddr) -> Option<Self> {
        Self::new(interface, (sender, None), target, false)
    }

    /// A question from an address with the MAC where it matters, `unicast` to the interface's own MAC. `None`: sender
    /// and target are of different families.
    #[must_use]
    pub const fn new(
        interface: IfIndex,
        (sender, sender_mac): (IpAddr, Option<Mac>),
        target: IpAddr,
        unicast: bool,
    ) -> Option<Self> {
        match (sender, target) {
            (IpAddr::V4(sender), IpAddr::V4(target)) => {
                Some(Self::Arp(ArpRequest { interface, sender, sender_mac, target, unicast }))
            }
            (IpAddr::V6(source), IpAddr::V6(target)) => {
                let source_mac = sender_mac;
                Some(Self::Solicitation(Solicitation { interface, source, source_mac, target, unicast }))
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
        }
    }

    /// A probe: "does anybody have this address?"
    #[must_use]
    pub const fn probe(interface: IfIndex, target: IpAddr) -> Self {
        match target {
            IpAddr::V4(target) => Self::Arp(ArpRequest::probe(interface, target)),
            IpAddr::V6(target) => Self::Solicitation(Solicitation::probe(interface, target)),
        }
    }

    /// The interface it arrives on.
    #[must_use]
    pub const fn interface(&self) -> IfIndex {
        match self {
            Self::Arp(request) => request.interface,
            Self::Solicitation(solicitation) => solicitation.interface,
        }
    }

    /// Who asks; 0.0.0.0 or `::` in a probe.
    #[must_use]
    pub const fn sender(&self) -> IpAddr {
        match self {
            Self::Arp(request) => IpAddr::V4(request.sender),
            Self::Solicitation(solicitation) => IpAddr::V6(solicitation.source),
        }
    }

    /// The asker's MAC, where it matters.
    #[must_use]
    pub const fn sender_mac(&self) -> Option<Mac> {
        match self {
            Self::Arp(request) => request.sender_mac,
            Self::Solicitation(solicitation) => solicitation.source_mac,
        }
    }

    /// The address asked for.
    #[must_use]
    pub const fn target(&self) -> IpAddr {
        match self {
            Self::Arp(request) => IpAddr::V4(request.target),
            Self::Solicitation(solicitation) => IpAddr::V6(solicitation.target),
        }
    }

    /// Whether it was sent to the interface's own MAC instead of to all.
    #[must_use]
    pub const fn is_unicast(&self) -> bool {
        match self {
            Self::Arp(ArpRequest { unicast, .. }) | Self::Solicitation(Solicitation { unicast, .. }) => {
                *unicast
            }
        }
    }

    /// The sender of a probe for `target`: 0.0.0.0 or `::`.
    #[must_use]
    pub const fn nobody(target: IpAddr) -> IpAddr {
        match target {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        }
    }
}

impl From<ArpRequest> for Request {
    fn from(request: ArpRequest) -> Self {
        Self::Arp(request)
    }
}

impl From<Solicitation> for Request {
    fn from(solicitation: Solicitation) -> Self {
        Self::Solicitation(solicitation)
    }
}
