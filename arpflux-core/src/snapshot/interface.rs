//! Interfaces and their neighbour parameters.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use super::{BondMode, BondPortState, BridgePortState, Bridging, IpvlanMode, LinkKind, MacvlanMode};
use crate::sysctl::{Ipv6SysctlValues, SysctlValues};
use crate::types::{IfIndex, IfName, Mac};

bitflags! {
    /// Interface flags as in `struct ifinfomsg` (`IFF_*`); unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct InterfaceFlags: u32 {
        /// Administratively up.
        const UP = 0x1;
        /// Broadcasts reach it.
        const BROADCAST = 0x2;
        /// A loopback interface.
        const LOOPBACK = 0x8;
        /// A point-to-point link.
        const POINTOPOINT = 0x10;
        /// Operationally up.
        const RUNNING = 0x40;
        /// No ARP on it.
        const NOARP = 0x80;
        /// Receives every frame.
        const PROMISC = 0x100;
        /// A bond or team.
        const MASTER = 0x400;
        /// A port of a bond.
        const SLAVE = 0x800;
        /// Takes multicast.
        const MULTICAST = 0x1000;
        /// The driver has carrier.
        const LOWER_UP = 0x1_0000;
        const _ = !0;
    }
}

impl Serialize for InterfaceFlags {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.bits())
    }
}

impl<'de> Deserialize<'de> for InterfaceFlags {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self::from_bits_retain)
    }
}

/// The step in which user space sets `proxy_delay`, in ms (`USER_HZ`). The kernel keeps timer ticks, four
/// ms each on Debian, and shows 50 ms as 52: what falls into the same step is the same value.
pub(crate) const PROXY_DELAY_STEP: u64 = 10;

/// What `net.ipv4.neigh.INTERFACE` says about proxied answers and learning; all times in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct NeighParams {
    /// A broadcast request for a proxied address waits a random time below this, in ms.
    pub proxy_delay: u64,
    /// How many such requests may wait; more are dropped.
    pub proxy_qlen: u32,
    /// How long a fresh entry cannot be overwritten by another answer, in ms.
    pub locktime: u64,
}

impl Default for NeighParams {
    /// The kernel's defaults (`net/ipv4/arp.c`, `arp_tbl`) at any HZ.
    fn default() -> Self {
        Self { proxy_delay: 800, proxy_qlen: 64, locktime: 1000 }
    }
}

/// One interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Interface {
    /// Its number.
    pub index: IfIndex,
    /// Its name.
    pub name: IfName,
    /// What kind of virtual interface; `None` for NICs and `lo`.
    pub kind: Option<LinkKind>,
    /// Hardware type (`ARPHRD_*`): 1 Ethernet, 32 InfiniBand, 772 loopback.
    pub link_type: u16,
    /// Its link-layer address.
    pub mac: Mac,
    /// Flags.
    pub flags: InterfaceFlags,
    /// Whether it has carrier (`IFLA_CARRIER`).
    pub carrier: bool,
    /// The bridge, bond or VRF that it is a port of.
    pub master: Option<IfIndex>,
    /// The interface below or beside it: parent of a VLAN or macvlan, peer of a veth.
    pub link: Option<IfIndex>,
    /// The namespace id of `link` if that lies in another namespace.
    pub link_netnsid: Option<i32>,
    /// Maximum transmission unit, in bytes.
    pub mtu: u32,
    /// Its place among all in the order in which they came into the namespace, where that can be read: the kernel
    /// borrows addresses in that order. Only the order counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub came: Option<u32>,
    /// The VLAN id, of a VLAN interface.
    pub vlan_id: Option<u16>,
    /// The mode, of a macvlan.
    pub macvlan_mode: Option<MacvlanMode>,
    /// The mode, of an ipvlan.
    #[serde(default)]
    pub ipvlan_mode: Option<IpvlanMode>,
    /// The routing table, of a VRF.
    pub vrf_table: Option<u32>,
    /// The interface's group (`IFLA_GROUP`), which `suppress_ifgroup` of rules refers to.
    #[serde(default)]
    pub group: u32,
    /// The mode, of a bond.
    #[serde(default)]
    pub bond_mode: Option<BondMode>,
    /// The state, of a port of a bond.
    #[serde(default)]
    pub bond_port_state: Option<BondPortState>,
    /// The port that answers leave by, of a bond in a mode that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bond_active_port: Option<IfIndex>,
    /// Whether inactive ports of a bond are listened to all the same (`all_slaves_active`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bond_all_active: bool,
    /// The state, of a port of a bridge.
    #[serde(default)]
    pub bridge_port_state: Option<BridgePortState>,
    /// Alternative names (`ip link property add dev eth0 altname wan0`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub altnames: Vec<String>,
    /// The senders that a macvlan in mode source takes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub macvlan_sources: Vec<Mac>,
    /// What it does as a bridge or as a port of one.
    #[serde(default, skip_serializing_if = "Bridging::is_plain")]
    pub bridging: Bridging,
    /// Options that are set, of it or of it as a port, of which it cannot be told what they do with ARP: those that this
    /// build does not know or does not model, as the kernel's header names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open_options: Vec<String>,
    /// The value of `net.ipv4.conf.INTERFACE`; empty if the interface has no IPv4 (MTU below 68).
    pub sysctls: SysctlValues,
    /// The value of `net.ipv6.conf.INTERFACE`; empty if the interface has no IPv6.
    #[serde(default)]
    pub ipv6: Ipv6SysctlValues,
    /// `net.ipv4.neigh.INTERFACE`.
    pub neigh: NeighParams,
}

impl Interface {
    /// Whether `name` is its name or one of its alternative names.
    #[must_use]
    pub fn is_called(&self, name: &IfName) -> bool {
        self.name == *name
            || name.as_str().is_some_and(|name| self.altnames.iter().any(|other| other == name))
    }

    /// Whether the kernel handles ARP on it at all: up, hardware that has addresses, not `NOARP`,
    /// not loopback.
    #[must_use]
    pub fn speaks_arp(&self) -> bool {
        self.flags.contains(InterfaceFlags::UP)
            && !self.flags.intersects(InterfaceFlags::NOARP | InterfaceFlags::LOOPBACK)
            && !self.mac.as_bytes().is_empty()
    }
}
