//! The sysctls below `net.ipv6.conf` that decide about proxied neighbour discovery.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A sysctl below `net.ipv6.conf.{all,default,INTERFACE}`.
///
/// A proxy entry for an IPv6 address answers only where both count as on
/// (`net/ipv6/ndisc.c`, `ndisc_recv_ns()`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ipv6Sysctl {
    /// Whether the interface acts as a router. Packets are forwarded only if `all` is on too; writing
    /// `all` rewrites every interface's.
    Forwarding,
    /// Whether proxy entries answer on the interface; or-ed with `all`.
    ProxyNdp,
}

impl Ipv6Sysctl {
    /// Every one that this build knows.
    pub const ALL: &'static [Ipv6Sysctl] = &[Self::Forwarding, Self::ProxyNdp];

    /// The last part of the sysctl's name, which is its file name: `proxy_ndp`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forwarding => "forwarding",
            Self::ProxyNdp => "proxy_ndp",
        }
    }

    /// The kernel's number, `DEVCONF_*` of `linux/ipv6.h`: the place in the array of
    /// `IFLA_INET6_CONF`, counted from 0.
    #[must_use]
    pub const fn devconf(self) -> u16 {
        match self {
            Self::Forwarding => 0,
            Self::ProxyNdp => 22,
        }
    }
}

impl fmt::Display for Ipv6Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The values of one `net.ipv6.conf` folder; `None` where the kernel or the interface has no IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
#[non_exhaustive]
pub struct Ipv6SysctlValues {
    /// [`Ipv6Sysctl::Forwarding`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarding: Option<i32>,
    /// [`Ipv6Sysctl::ProxyNdp`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_ndp: Option<i32>,
}

impl Ipv6SysctlValues {
    /// The value, or `None` if there is no such sysctl.
    #[must_use]
    pub const fn get(&self, sysctl: Ipv6Sysctl) -> Option<i32> {
        match sysctl {
            Ipv6Sysctl::Forwarding => self.forwarding,
            Ipv6Sysctl::ProxyNdp => self.proxy_ndp,
        }
    }

    /// Sets or, with `None`, removes a value.
    pub const fn set(&mut self, sysctl: Ipv6Sysctl, value: Option<i32>) {
        match sysctl {
            Ipv6Sysctl::Forwarding => self.forwarding = value,
            Ipv6Sysctl::ProxyNdp => self.proxy_ndp = value,
        }
    }
}
