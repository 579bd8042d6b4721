//! One typed change of the kernel's state, and its inverse.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::snapshot::{ProxyEntry, Route, Rule};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::{IfIndex, IfName};

/// Which folder of `net.ipv4.conf` (or `net.ipv6.conf`, or `net.ipv4.neigh`) a value is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SysctlScope {
    /// `all`.
    All,
    /// `default`.
    Default,
    /// An interface, by both number and name, so that a namesake is noticed.
    Interface {
        /// Its number.
        index: IfIndex,
        /// Its name.
        name: IfName,
    },
}

impl fmt::Display for SysctlScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Default => f.write_str("default"),
            Self::Interface { name, .. } => name.fmt(f),
        }
    }
}

/// Whether an entry comes or goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// It is not there and shall be.
    Add,
    /// It is there and shall not be.
    Remove,
}

impl Edit {
    /// The other one.
    #[must_use]
    pub const fn inverse(self) -> Self {
        match self {
            Self::Add => Self::Remove,
            Self::Remove => Self::Add,
        }
    }
}

/// One change. Each carries what was there before, so that [`Change::inverse`] is exact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case", try_from = "super::read::Fields")]
#[non_exhaustive]
pub enum Change {
    /// A sysctl below `net.ipv4.conf` gets another value.
    Sysctl {
        /// The folder.
        scope: SysctlScope,
        /// The sysctl.
        sysctl: Sysctl,
        /// Its value now.
        before: i32,
        /// Its value afterwards.
        after: i32,
    },
    /// A sysctl below `net.ipv6.conf` gets another value.
    Ipv6Sysctl {
        /// The folder.
        scope: SysctlScope,
        /// The sysctl.
        sysctl: Ipv6Sysctl,
        /// Its value now.
        before: i32,
        /// Its value afterwards.
        after: i32,
    },
    /// `net.ipv4.neigh.INTERFACE.proxy_delay` gets another value.
    ProxyDelay {
        /// The folder; never `all`, which does not exist.
        scope: SysctlScope,
        /// Its value now, in ms.
        before: u64,
        /// Its value afterwards, in ms.
        after: u64,
    },
    /// A proxy entry comes or goes.
    Proxy {
        /// Whether it comes or goes.
        edit: Edit,
        /// The entry.
        entry: ProxyEntry,
    },
    /// A policy routing rule comes or goes.
    Rule {
        /// Whether it comes or goes.
        edit: Edit,
        /// The rule; boxed, as rules are rare and large beside proxy entries.
        rule: Box<Rule>,
    },
    /// A route comes or goes.
    Route {
        /// Whether it comes or goes.
        edit: Edit,
        /// The route; boxed like a rule.
        route: Box<Route>,
    },
}

impl Change {
    /// The change that takes this one back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        match self.clone() {
            Self::Sysctl { scope, sysctl, before, after } => {
                Self::Sysctl { scope, sysctl, before: after, after: before }
            }
            Self::Ipv6Sysctl { scope, sysctl, before, after } => {
                Self::Ipv6Sysctl { scope, sysctl, before: after, after: before }
            }
            Self::ProxyDelay { scope, before, after } => {
                Self::ProxyDelay { scope, before: after, after: before }
            }
            Self::Proxy { edit, entry } => Self::Proxy { edit: edit.inverse(), entry },
            Self::Rule { edit, rule } => Self::Rule { edit: edit.inverse(), rule },
            Self::Route { edit, route } => Self::Route { edit: edit.inverse(), route },
        }
    }

    /// The interface that the change is about, if it is one.
    #[must_use]
    pub fn interface(&self) -> Option<IfIndex> {
        match self {
            Self::Sysctl { scope, .. } | Self::Ipv6Sysctl { scope, .. } | Self::ProxyDelay { scope, .. } => {
                match scope {
                    SysctlScope::Interface { index, .. } => Some(*index),
                    SysctlScope::All | SysctlScope::Default => None,
                }
            }
            Self::Proxy { entry, .. } => entry.interface,
            Self::Route { route, .. } => route.next_hops.first().and_then(|hop| hop.interface),
            Self::Rule { .. } => None,
        }
    }
}
