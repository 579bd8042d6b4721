//! Routes.

use std::net::{IpAddr, Ipv4Addr};

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use super::{Scope, Snapshot};
use crate::types::{IfIndex, IpNet};

/// Numbers of the tables that every namespace has.
pub mod table {
    /// `RT_TABLE_UNSPEC`.
    pub const UNSPEC: u32 = 0;
    /// `RT_TABLE_DEFAULT`, normally empty.
    pub const DEFAULT: u32 = 253;
    /// `RT_TABLE_MAIN`.
    pub const MAIN: u32 = 254;
    /// `RT_TABLE_LOCAL`, kept by the kernel.
    pub const LOCAL: u32 = 255;
}

/// Who made a route or rule, by the numbers that `linux/rtnetlink.h` gives.
pub mod protocol {
    /// `RTPROT_KERNEL`: the kernel itself, of an address.
    pub const KERNEL: u8 = 2;
}

/// What a route does (`RTN_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RouteKind {
    /// A gateway or a direct route.
    Unicast,
    /// The destination is this host.
    Local,
    /// Received as broadcast, sent as broadcast.
    Broadcast,
    /// Received as broadcast, sent as unicast.
    Anycast,
    /// Multicast.
    Multicast,
    /// Drop silently.
    Blackhole,
    /// Drop, say "host unreachable".
    Unreachable,
    /// Drop, say "administratively prohibited".
    Prohibit,
    /// Go on with the next rule.
    Throw,
    /// Any other number.
    Other(u8),
}

/// Those that have names, in the order of their numbers from 1 on.
const ROUTE_KINDS: [RouteKind; 9] = [
    RouteKind::Unicast,
    RouteKind::Local,
    RouteKind::Broadcast,
    RouteKind::Anycast,
    RouteKind::Multicast,
    RouteKind::Blackhole,
    RouteKind::Unreachable,
    RouteKind::Prohibit,
    RouteKind::Throw,
];

impl Snapshot {
    /// An address that stands for the rest of the world: of a range that nobody has (RFC 5737, RFC 2544) and no subnet
    /// and no route of this host but a default one covers.
    pub(crate) fn elsewhere(&self) -> Ipv4Addr {
        let covers =
            |net: IpNet, address: &Ipv4Addr| net.prefix_len() > 0 && net.contains(&IpAddr::V4(*address));
        let near = |address: &Ipv4Addr| {
            self.addresses.iter().any(|held| covers(held.subnet(), address))
                || self.routes.iter().any(|route| covers(route.destination, address))
        };
        let ranges = [[203, 0, 113, 1], [198, 51, 100, 1], [192, 0, 2, 1], [198, 18, 0, 1], [198, 19, 0, 1]];
        let mut candidates = ranges.into_iter().map(Ipv4Addr::from);
        candidates.find(|address| !near(address)).unwrap_or(Ipv4Addr::new(203, 0, 113, 1))
    }
}

impl RouteKind {
    /// The kernel's number (`RTN_*`).
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Other(number) => number,
            named => ROUTE_KINDS.iter().position(|kind| *kind == named).map_or(0, |at| at as u8 + 1),
        }
    }

    /// The kind with that number of the kernel (`RTN_*`).
    #[must_use]
    pub fn from_number(number: u8) -> Self {
        let place = usize::from(number).checked_sub(1);
        place.and_then(|at| ROUTE_KINDS.get(at)).copied().unwrap_or(Self::Other(number))
    }
}

bitflags! {
    /// Next hop flags (`RTNH_F_*`); unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct NextHopFlags: u32 {
        /// The interface is down or gone.
        const DEAD = 0x01;
        /// The gateway is reachable through the interface whatever the addresses say.
        const ONLINK = 0x04;
        /// The interface has no carrier.
        const LINKDOWN = 0x10;
        const _ = !0;
    }
}

impl Serialize for NextHopFlags {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.bits())
    }
}

impl<'de> Deserialize<'de> for NextHopFlags {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self::from_bits_retain)
    }
}

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NextHop {
    /// The interface it leaves by.
    pub interface: Option<IfIndex>,
    /// The gateway, of either family; `None`: the destination is on the link.
    pub gateway: Option<IpAddr>,
    /// Its share among several, 1 to 256.
    pub weight: u16,
    /// Flags.
    pub flags: NextHopFlags,
}

/// A route of any table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Route {
    /// The table it is in; see [`table`].
    pub table: u32,
    /// What it does.
    pub kind: RouteKind,
    /// The destinations it is for; its family is the route's.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub destination: IpNet,
    /// Only for packets from here (IPv6 subtrees).
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub source: Option<IpNet>,
    /// Only for packets with this type of service.
    pub tos: u8,
    /// Among equal routes the smallest wins (`RTA_PRIORITY`).
    pub metric: u32,
    /// How far the destination is.
    pub scope: Scope,
    /// Who made it (`RTPROT_*`).
    pub protocol: u8,
    /// The source address that the host's own packets get.
    pub preferred_source: Option<IpAddr>,
    /// The next hops: none for routes that reject, several for multipath.
    pub next_hops: Vec<NextHop>,
    /// The nexthop object it refers to, if any.
    pub nexthop_id: Option<u32>,
}

impl Route {
    /// The one host that it leads to without a gateway, and the interface that this host is behind.
    pub(crate) fn host_behind(&self) -> Option<(IfIndex, IpAddr)> {
        let [hop] = self.next_hops.as_slice() else { return None };
        let single = self.destination.prefix_len() == self.destination.max_prefix_len();
        let direct = self.kind == RouteKind::Unicast && single && hop.gateway.is_none();
        Some((hop.interface.filter(|_| direct)?, self.destination.addr()))
    }
}
