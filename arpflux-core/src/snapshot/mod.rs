//! One network namespace at one moment, as plain data.
//!
//! A [`Snapshot`] holds everything that decides about ARP. Nothing in it refers to a running kernel:
//! it can be stored as JSON ([`Snapshot::to_json`]), read back on another machine
//! ([`Snapshot::from_json`]), compared, edited, and asked questions by [`crate::predict`],
//! [`crate::plan`] and [`crate::verify`].

mod address;
mod anonymise;
mod bridging;
mod builder;
mod check;
mod discovery;
mod effective;
mod index;
mod interface;
#[cfg(test)]
mod interference;
pub(crate) mod json;
mod link;
mod link_mode;
#[cfg(feature = "kernel")]
mod near;
mod neighbour;
mod reachable;
mod route;
mod rule;
mod same_neighbour;
mod wires;
mod words;

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

pub use address::{Address, AddressFlags, Scope};
pub use anonymise::Anonymiser;
pub(crate) use bridging::VlanPath;
pub use bridging::{BridgeVlan, Bridging};
pub use builder::Builder;
pub use discovery::{Discovery, DiscoveryOn};
pub use effective::{Effective, ValueSource};
pub(crate) use index::Index;
pub(crate) use interface::PROXY_DELAY_STEP;
pub use interface::{Interface, InterfaceFlags, NeighParams};
pub use link::{LinkKind, PortFrames, Reach};
pub use link_mode::{BondMode, BondPortState, BridgePortState, IpvlanMode, MacvlanMode};
#[cfg(feature = "kernel")]
pub(crate) use near::{Near, Picker};
pub use neighbour::{Neighbour, NeighbourState, NeighbourTable, ProxyEntry};
pub(crate) use reachable::{leads_outside, missing_connected_route, subnet_of_wire};
pub use route::{NextHop, NextHopFlags, Route, RouteKind, protocol, table};
pub use rule::{Rule, RuleAction, RuleFlags};
pub use wires::{Certainty, WireMap};

use crate::filter::Filters;
use crate::json::Schema;
use crate::sysctl::{Ipv6SysctlValues, SysctlValues};
use crate::types::{IfIndex, IfName, Mac};

/// The version of the JSON form, its `"schema"` key.
pub const SCHEMA: u32 = crate::json::SCHEMA;

/// Which kernel a snapshot was taken from: kernels answer differently in places.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KernelVersion {
    /// `uname -r`, for example `6.18.44-fc`.
    pub release: String,
    /// `uname -v`; Debian's names the stable release here.
    pub version: String,
}

/// Which network namespace a snapshot was taken from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct NetnsIdentity {
    /// The boot that it lives in (`/proc/sys/kernel/random/boot_id`).
    pub boot_id: String,
    /// Device number of its nsfs file.
    pub device: u64,
    /// Inode number of its nsfs file.
    pub inode: u64,
    /// The namespace's cookie (`SO_NETNS_COOKIE`), never given out again within a boot; 0 where the kernel has none.
    pub cookie: u64,
}

/// What the kernel remembers about routing and shows in no dump. `None`: not known.
///
/// Where it is unknown and would change an answer, the prediction is `Undetermined`. A namespace whose
/// rules are not the three default ones has certainly had them changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct RoutingMemory {
    /// Whether the policy routing rules were ever changed in this namespace. Until then the tables local
    /// and main are searched as one; afterwards local comes first, for good (`fib_unmerge()`).
    pub rules_changed: Option<bool>,
    /// Whether somebody ever added a route of type local. From then on source validation with
    /// `rp_filter=0` is a full lookup, for good (`fib_has_custom_local_routes`). The kernel is asked whether it
    /// looks up in full; where the rules were changed, which it does not tell apart, this is true as well.
    pub local_routes_added: Option<bool>,
    /// Whether a route or rule has a realm, which also makes source validation a full lookup
    /// (`fib_num_tclassid_users`).
    pub realms: Option<bool>,
    /// Whether next hops whose gateway does not answer are passed over (`fib_multipath_use_neigh`).
    pub multipath_by_neighbour: Option<bool>,
}

/// Something that can answer, drop or change ARP frames, or that could not be read: a reason why a
/// prediction may be `Undetermined`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Interference {
    /// An nftables, arptables or ebtables chain that sees ARP frames.
    Netfilter {
        /// The table or chain, as its tool names it.
        chain: String,
        /// The interface it is tied to; `None`: all.
        interface: Option<IfIndex>,
    },
    /// A program or an action of traffic control on the interface's ingress or egress.
    TrafficControl {
        /// The interface it is attached to.
        interface: IfIndex,
        /// What it is called, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        program: Option<String>,
    },
    /// An XDP program on the interface.
    Xdp {
        /// The interface it is attached to.
        interface: IfIndex,
        /// What it is called, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        program: Option<String>,
    },
    /// A program in user space that listens for ARP frames and may answer them.
    Listener {
        /// The interface it is bound to; `None`: all.
        interface: Option<IfIndex>,
    },
    /// The machine's table of IPv4 neighbours, one for all namespaces, may be full: the kernel makes no entry
    /// for somebody new who asks then, and gives no answer for its own addresses.
    FullNeighbourTable {
        /// How many entries there are.
        entries: u32,
        /// How many there may be (`net.ipv4.neigh.default.gc_thresh3`).
        limit: u32,
    },
    /// Something that could not be read, usually for want of a capability.
    Unreadable {
        /// What could not be read, in words.
        what: String,
        /// The capability that reading it takes, where that was missing: `CAP_NET_ADMIN`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        needs: Option<String>,
    },
}

/// How much of a host the program reads that took a snapshot: a number that grows when more is read. What an older one
/// did not read is not taken for absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Reads(pub u32);

impl Reads {
    /// 1: every option of bridges, bonds, macvlan, VXLAN and their ports.
    pub const OPTIONS: Self = Self(1);

    /// What a snapshot has that does not say.
    const fn before() -> Self {
        Self(0)
    }
}

impl Default for Reads {
    /// What this build reads.
    fn default() -> Self {
        Self::OPTIONS
    }
}

/// One network namespace at one moment. See the [module](self) text.
///
/// Lists are in the kernel's order, which matters for addresses (the first is the primary one) and
/// routes. Interfaces are sorted by index.
///
/// For serde it is the same JSON as [`Snapshot::to_json`] writes, with or without `schema`, read by the same reader.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(remote = "Self")]
#[non_exhaustive]
pub struct Snapshot {
    #[serde(default, skip_serializing)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub(crate) schema: Schema,
    /// The kernel it was taken from.
    pub kernel: KernelVersion,
    /// The namespace it was taken from.
    pub netns: NetnsIdentity,
    /// How much whoever took it reads.
    #[serde(default = "Reads::before")]
    pub reads: Reads,
    /// `net.ipv4.conf.all`.
    pub all: SysctlValues,
    /// `net.ipv4.conf.default`: what interfaces made later start with.
    pub default: SysctlValues,
    /// `net.ipv6.conf.all`; empty if the kernel has no IPv6.
    #[serde(default)]
    pub all_ipv6: Ipv6SysctlValues,
    /// `net.ipv4.ip_forward`.
    pub ip_forward: i32,
    /// `net.ipv4.ip_nonlocal_bind`.
    pub ip_nonlocal_bind: i32,
    /// `net.ipv4.fib_multipath_hash_policy`; `None` where the kernel has none.
    pub fib_multipath_hash_policy: Option<i32>,
    /// Interfaces, sorted by index.
    pub interfaces: Vec<Interface>,
    /// Addresses of both families, in the kernel's order.
    pub addresses: Vec<Address>,
    /// Routes of all tables and both families, in the kernel's order.
    pub routes: Vec<Route>,
    /// Policy routing rules of both families, in the kernel's order.
    pub rules: Vec<Rule>,
    /// What the kernel remembers about routing and shows in no dump.
    #[serde(default)]
    pub routing: RoutingMemory,
    /// Proxy entries of both families (`ip neigh show proxy`).
    pub proxies: Vec<ProxyEntry>,
    /// Neighbour entries of both families.
    pub neighbours: Vec<Neighbour>,
    /// The rules of nftables that ARP frames pass.
    #[serde(default, skip_serializing_if = "Filters::is_empty")]
    pub filters: Filters,
    /// What else may meddle with ARP here, or could not be read.
    pub interference: Vec<Interference>,
    /// What decides about neighbour discovery besides; `None`: it was not read, and who answers for an IPv6 address
    /// cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discovery: Option<Discovery>,
}

impl Snapshot {
    /// The interface of that index.
    #[must_use]
    pub fn interface(&self, index: IfIndex) -> Option<&Interface> {
        self.interfaces
            .binary_search_by_key(&index, |interface| interface.index)
            .ok()
            .map(|i| &self.interfaces[i])
    }

    /// The interface of that name. Looks through all of them; where names are resolved in bulk,
    /// build a map first.
    #[must_use]
    pub fn interface_named(&self, name: &IfName) -> Option<&Interface> {
        let called = |interface: &&Interface| interface.is_called(name);
        self.interfaces
            .iter()
            .find(|interface| interface.name == *name)
            .or_else(|| self.interfaces.iter().find(called))
    }

    /// The addresses of an interface, in the kernel's order.
    pub fn addresses_of(&self, index: IfIndex) -> impl Iterator<Item = &Address> {
        self.addresses.iter().filter(move |address| address.interface == index)
    }

    /// The interfaces that hold `address`, in the kernel's order; usually one or none.
    pub fn holders_of(&self, address: IpAddr) -> impl Iterator<Item = IfIndex> {
        self.addresses.iter().filter(move |held| held.local == address).map(|held| held.interface)
    }

    /// The MAC that a neighbour entry says for which the host never asks ([`Neighbour::is_fixed`]).
    #[must_use]
    pub fn permanent_neighbour(&self, interface: IfIndex, address: Ipv4Addr) -> Option<Mac> {
        let entry = self.neighbours.iter().find(|entry| {
            entry.interface == interface && entry.address == IpAddr::V4(address) && entry.is_fixed()
        });
        entry.and_then(|entry| entry.mac)
    }

    /// The name of an interface, or `if7` where there is none of that index.
    #[must_use]
    pub fn name_of(&self, index: IfIndex) -> String {
        self.interface(index).map_or_else(|| format!("if{index}"), |interface| interface.name.to_string())
    }
}
