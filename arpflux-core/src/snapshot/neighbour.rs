//! Neighbour and proxy entries.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::types::{IfIndex, Mac};

/// The state of a neighbour entry (`NUD_*`), as the kernel's bit mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct NeighbourState(pub u16);

impl NeighbourState {
    /// `NUD_PERMANENT`.
    pub const PERMANENT: Self = Self(0x80);
    /// `NUD_NOARP`.
    pub const NOARP: Self = Self(0x40);

    /// Whether somebody wrote it down for good (`NUD_PERMANENT`): the kernel never asks for it.
    #[must_use]
    pub const fn is_permanent(self) -> bool {
        self.0 & Self::PERMANENT.0 != 0
    }
}

/// An entry of the ARP or NDP table: what this host believes about a neighbour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Neighbour {
    /// The neighbour's address.
    pub address: IpAddr,
    /// The interface it was seen on.
    pub interface: IfIndex,
    /// Its MAC, if known.
    pub mac: Option<Mac>,
    /// State.
    pub state: NeighbourState,
    /// `NTF_*` flags.
    pub flags: u8,
}

impl Neighbour {
    /// Whether the kernel never asks for it, whatever the wire says: a permanent entry, or one that somebody wrote with
    /// `nud noarp`. Those that the kernel makes so itself, for groups and broadcasts, have a group's MAC (`arp_constructor()`).
    #[must_use]
    pub fn is_fixed(&self) -> bool {
        let of_a_host = |mac: &Mac| !mac.is_group() && mac.as_bytes().iter().any(|byte| *byte != 0);
        self.state.is_permanent()
            || self.state.0 & NeighbourState::NOARP.0 != 0 && self.mac.as_ref().is_some_and(of_a_host)
    }
}

/// How full the machine's table of IPv4 neighbours is: all namespaces share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct NeighbourTable {
    /// How many entries all namespaces have together, permanent ones included.
    pub entries: u32,
    /// How many entries there may be, permanent ones not counted (`net.ipv4.neigh.default.gc_thresh3`).
    pub limit: u32,
    /// How often the kernel had no room for a new one since it started (`table_fulls`).
    pub refused: u64,
}

impl NeighbourTable {
    /// Whether there may be no room for a new entry. Old ones may make room for it.
    #[must_use]
    pub const fn may_be_full(&self) -> bool {
        self.entries >= self.limit
    }
}

/// A proxy entry (`ip neigh add proxy`): this host answers for somebody else's address.
///
/// Whether it was added permanent (so that it survives the loss of carrier) is not to be seen in any
/// dump; arpflux always adds them permanent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ProxyEntry {
    /// The address answered for.
    pub address: IpAddr,
    /// The interface it answers on; `None`: on all.
    pub interface: Option<IfIndex>,
    /// `NTF_*` flags other than `NTF_PROXY`.
    pub flags: u8,
    /// Who added it (`RTPROT_*`, `NDA_PROTOCOL`); 0 unknown.
    pub protocol: u8,
}
