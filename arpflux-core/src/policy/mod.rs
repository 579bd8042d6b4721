//! The desired state. What a policy does not name is never touched.
//!
//! The file form is TOML or JSON of the same structure, with `version = 1`:
//!
//! ```
//! let policy = arpflux_core::Policy::from_toml(r#"
//! version = 1
//!
//! [host]
//! interfaces = ["eth0", "eth3", "eth4"]  # default: every ARP-capable interface that holds an IPv4 address;
//!                                        ## names, patterns ("enp*"), "mac:00:0c:29:b3:a2:54"
//! strategy = "auto"                      # auto | strict | filter | unmanaged
//! egress = "source-routed"               # source-routed | unmanaged
//! announce = true
//! foreign_proxies = "keep"               # keep | remove
//! proxy_arp = "keep"                     # keep | off
//! ## proxy_delay = 0                      # in ms, multiples of 10; default: left as it is
//!
//! [[proxy]]
//! owner = "101"
//! addresses = ["192.168.18.101"]
//! interface = "eth3"
//!
//! [[service]]
//! addresses = ["192.168.18.200"]
//! answer = "never"                       # never | holder
//! "#, "policy.toml")?;
//! assert_eq!(policy.proxies[0].interface.to_string(), "eth3");
//! # Ok::<(), arpflux_core::Error>(())
//! ```
//!
//! Only `version` is needed, and one of `[host]`, `[[proxy]]` and `[[service]]`; every other key has the default
//! shown. A file without `[host]` means a `[host]` with nothing in it.

mod check;
mod file;
pub(crate) mod nearest;
mod read;
mod selector;
mod source;
mod tree;

#[cfg(test)]
mod tests;

use std::net::IpAddr;

pub use file::FILE_SIZE_MAX;
pub use selector::InterfaceSelector;

use serde::Serialize;

use crate::types::IfName;

/// The version of the file form, its `version` key.
pub const VERSION: u32 = 1;

/// How the host's own addresses are kept from floating.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Let the plan choose between `strict` and `filter`, and say why.
    #[default]
    Auto,
    /// `arp_ignore=1` and `arp_announce=2` on the named interfaces, never on `all`.
    Strict,
    /// `arp_filter=1`; refused unless subnets differ or source routing is complete.
    Filter,
    /// Leave these sysctls alone.
    Unmanaged,
}

/// By which interface packets leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Egress {
    /// By the interface that owns their source address.
    #[default]
    SourceRouted,
    /// As the routing tables have it now.
    Unmanaged,
}

/// What becomes of proxy entries whose address the policy does not name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ForeignProxies {
    /// They stay.
    #[default]
    Keep,
    /// They go.
    Remove,
}

/// What becomes of `proxy_arp` and `proxy_arp_pvlan` on the policy's interfaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ProxyArp {
    /// They stay as they are.
    #[default]
    Keep,
    /// Both are 0: only proxy entries answer for others. Refused where the value of `all` outweighs that.
    Off,
}

impl ProxyArp {
    /// Whether it is what a policy that does not say means.
    const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

/// What the policy says about the host itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(default, deny_unknown_fields))]
#[non_exhaustive]
pub struct HostPolicy {
    /// The interfaces it is about; `None`: every ARP-capable interface that holds an IPv4 address. One that is not
    /// there is reported, and the rest of the policy holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interfaces: Option<Vec<InterfaceSelector>>,
    /// How the host's own addresses are kept from floating.
    pub strategy: Strategy,
    /// By which interface packets leave.
    pub egress: Egress,
    /// Whether to send gratuitous ARP from the owner after a change.
    pub announce: bool,
    /// What becomes of proxy entries of addresses that the policy does not name.
    pub foreign_proxies: ForeignProxies,
    /// What becomes of `proxy_arp`.
    #[serde(skip_serializing_if = "ProxyArp::is_keep")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub proxy_arp: ProxyArp,
    /// `net.ipv4.neigh.INTERFACE.proxy_delay` of the interfaces that `[[proxy]]` entries name, in ms
    /// (0 to 60,000, multiples of 10): broadcast requests for proxied addresses are answered after a
    /// random time below it. 0: at once, and no more than 65 waiting requests are lost. `None`: left as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_delay: Option<u64>,
}

impl Default for HostPolicy {
    fn default() -> Self {
        Self {
            interfaces: None,
            strategy: Strategy::default(),
            egress: Egress::default(),
            announce: true,
            foreign_proxies: ForeignProxies::default(),
            proxy_arp: ProxyArp::default(),
            proxy_delay: None,
        }
    }
}

/// Addresses of one owner, answered for by one interface only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
#[non_exhaustive]
pub struct ProxyPolicy {
    /// A container id or any other label.
    pub owner: String,
    /// Addresses, IPv4 (ARP) or IPv6 (NDP).
    pub addresses: Vec<IpAddr>,
    /// The only interface that answers for them, and that their packets leave by.
    pub interface: IfName,
}

impl ProxyPolicy {
    /// These addresses of `owner`, answered for by `interface` only.
    #[must_use]
    pub fn new(owner: impl Into<String>, addresses: Vec<IpAddr>, interface: IfName) -> Self {
        Self { owner: owner.into(), addresses, interface }
    }
}

impl ServicePolicy {
    /// These addresses, answered for as `answer` says.
    #[must_use]
    pub const fn new(addresses: Vec<IpAddr>, answer: ServiceAnswer) -> Self {
        Self { addresses, answer }
    }
}

/// Who answers for an address that several hosts hold or take over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum ServiceAnswer {
    /// This host must not answer: the real server of a load balancer, a node that another one speaks for.
    Never,
    /// The interface that holds the address, while it holds it and has carrier; nobody while this host does not
    /// hold it. The same policy is right on the master and on the backup of a VRRP, HSRP or CARP pair.
    Holder,
}

/// Addresses that several hosts hold or take over: of a load balancer's real servers, of VRRP, of kube-vip, anycast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
#[non_exhaustive]
pub struct ServicePolicy {
    /// IPv4 addresses.
    pub addresses: Vec<IpAddr>,
    /// Who answers for them.
    pub answer: ServiceAnswer,
}

impl Policy {
    /// Whether the policy itself asks that this host is silent about an address, on some host or at some time: what
    /// silences it is no harm.
    #[must_use]
    pub fn asks_for_silence(&self, address: IpAddr) -> bool {
        self.services.iter().any(|service| service.addresses.contains(&address))
    }
}

/// The desired state of one host. See the [module](self) text.
///
/// For serde it is the file form, with its `version`, read by the same reader and as strictly as
/// [`Policy::from_json`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Policy {
    /// What it says about the host itself.
    pub host: HostPolicy,
    /// Whose addresses are answered for where.
    pub proxies: Vec<ProxyPolicy>,
    /// Addresses that other hosts answer for too, or instead.
    pub services: Vec<ServicePolicy>,
}
