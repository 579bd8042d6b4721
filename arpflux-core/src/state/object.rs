//! The things in the kernel that changes are about, and what they are called.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Value;
use crate::snapshot::{
    NextHop, NextHopFlags, PROXY_DELAY_STEP, Route, RouteKind, Rule, RuleAction, RuleFlags, table,
};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::{IfIndex, IfName};

/// Which folder of `net.ipv4.conf` (or `net.ipv6.conf`, or `net.ipv4.neigh`) a value is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

impl SysctlScope {
    /// The interface, if it is the folder of one.
    #[must_use]
    pub const fn interface(&self) -> Option<IfIndex> {
        match self {
            Self::Interface { index, .. } => Some(*index),
            Self::All | Self::Default => None,
        }
    }

    /// What tells folders apart: of an interface the number, as its name may change meanwhile.
    const fn key(&self) -> (bool, Option<IfIndex>) {
        (matches!(self, Self::All), self.interface())
    }
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

/// Something in the kernel that has one value at a time.
///
/// Two are equal if they are the same thing for the kernel: an interface is its number, and what the kernel works
/// out by itself (whether the interfaces of a rule exist, whether a next hop works) does not count.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Object {
    /// A sysctl below `net.ipv4.conf`.
    Sysctl {
        /// The folder.
        scope: SysctlScope,
        /// The sysctl.
        sysctl: Sysctl,
    },
    /// A sysctl below `net.ipv6.conf`.
    Ipv6Sysctl {
        /// The folder.
        scope: SysctlScope,
        /// The sysctl.
        sysctl: Ipv6Sysctl,
    },
    /// `proxy_delay` below `net.ipv4.neigh`.
    ProxyDelay {
        /// The folder.
        scope: SysctlScope,
    },
    /// A proxy entry: of one address there is at most one on an interface, and one without.
    Proxy {
        /// The address.
        address: IpAddr,
        /// The interface; `None`: all.
        interface: Option<IfIndex>,
    },
    /// A policy routing rule.
    Rule(Box<Rule>),
    /// A route.
    Route(Box<Route>),
}

impl Object {
    /// What [`Object::kind`] can be.
    pub const KINDS: &[&str] = &["sysctl", "ipv6_sysctl", "proxy_delay", "proxy", "rule", "route"];

    /// What it is: the key that it has as JSON.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sysctl { .. } => "sysctl",
            Self::Ipv6Sysctl { .. } => "ipv6_sysctl",
            Self::ProxyDelay { .. } => "proxy_delay",
            Self::Proxy { .. } => "proxy",
            Self::Rule(_) => "rule",
            Self::Route(_) => "route",
        }
    }

    /// The interface that it belongs to, if it is one.
    #[must_use]
    pub fn interface(&self) -> Option<IfIndex> {
        match self {
            Self::Sysctl { scope, .. } | Self::Ipv6Sysctl { scope, .. } | Self::ProxyDelay { scope } => {
                scope.interface()
            }
            Self::Proxy { interface, .. } => *interface,
            Self::Route(route) => route.next_hops.iter().find_map(|hop| hop.interface),
            Self::Rule(_) => None,
        }
    }

    /// The folder that it is in, if it is a sysctl.
    #[must_use]
    pub const fn scope(&self) -> Option<&SysctlScope> {
        match self {
            Self::Sysctl { scope, .. } | Self::Ipv6Sysctl { scope, .. } | Self::ProxyDelay { scope } => {
                Some(scope)
            }
            Self::Proxy { .. } | Self::Rule(_) | Self::Route(_) => None,
        }
    }

    /// Whether it can have this value.
    pub(super) fn can_be(&self, value: Value) -> bool {
        match (self, value) {
            (Self::Sysctl { .. } | Self::Ipv6Sysctl { .. }, Value::Number(value)) => {
                i32::try_from(value).is_ok()
            }
            (Self::ProxyDelay { .. }, Value::Number(value)) => value >= 0,
            (Self::Proxy { .. }, Value::Entry { .. } | Value::Absent) => true,
            (Self::Rule(_) | Self::Route(_), Value::Present | Value::Absent) => true,
            (
                Self::Sysctl { .. }
                | Self::Ipv6Sysctl { .. }
                | Self::ProxyDelay { .. }
                | Self::Proxy { .. }
                | Self::Rule(_)
                | Self::Route(_),
                _,
            ) => false,
        }
    }

    /// Whether two values of it are the same for the kernel, which counts `proxy_delay` in steps.
    pub(crate) fn same(&self, a: Value, b: Value) -> bool {
        match (self, a, b) {
            (Self::ProxyDelay { .. }, Value::Number(a), Value::Number(b)) => {
                let step = PROXY_DELAY_STEP as i64;
                a / step == b / step
            }
            _ => a == b,
        }
    }

    /// What it is called everywhere, with the names that `names` has for interfaces:
    /// `net.ipv4.conf.eth0.arp_ignore`, `proxy entry 192.168.18.101 on eth3`,
    /// `rule 17501: from 192.168.18.10 lookup 1000`, `route table 1000: default via 192.168.18.1 dev eth0`.
    ///
    /// Of a folder whose interface has no other name, its own is taken; else the number, as `if3`.
    pub fn name(&self, names: &dyn Fn(IfIndex) -> Option<IfName>) -> String {
        // sysctl(8) writes a dot inside a name as a slash.
        let folder = |scope: &SysctlScope| match scope {
            SysctlScope::All | SysctlScope::Default => scope.to_string(),
            SysctlScope::Interface { index, name } => {
                names(*index).unwrap_or(*name).to_string().replace('.', "/")
            }
        };
        let name_of =
            |index: IfIndex| names(index).map_or_else(|| format!("if{index}"), |name| name.to_string());
        let version = if self.is_ipv6() { "IPv6 " } else { "" };
        match self {
            Self::Sysctl { scope, sysctl } => format!("net.ipv4.conf.{}.{sysctl}", folder(scope)),
            Self::Ipv6Sysctl { scope, sysctl } => format!("net.ipv6.conf.{}.{sysctl}", folder(scope)),
            Self::ProxyDelay { scope } => format!("net.ipv4.neigh.{}.proxy_delay", folder(scope)),
            Self::Proxy { address, interface } => {
                format!("proxy entry {}", proxy_in_words(*address, *interface, &name_of))
            }
            Self::Rule(rule) => format!("{version}rule {}", rule_in_words(rule)),
            Self::Route(route) => {
                format!("{version}route {}", route_in_words(route, &name_of))
            }
        }
    }
}

impl Object {
    /// A proxy entry, rule or route in words, without what it is.
    pub(crate) fn line(&self, names: &dyn Fn(IfIndex) -> String) -> Option<String> {
        match self {
            Self::Proxy { address, interface } => Some(proxy_in_words(*address, *interface, names)),
            Self::Rule(rule) => Some(rule_in_words(rule)),
            Self::Route(route) => Some(route_in_words(route, names)),
            Self::Sysctl { .. } | Self::Ipv6Sysctl { .. } | Self::ProxyDelay { .. } => None,
        }
    }

    /// Whether it says where packets go: of these the kernel tells whenever one comes or goes.
    #[cfg(feature = "kernel")]
    pub(crate) const fn is_routing(&self) -> bool {
        matches!(self, Self::Rule(_) | Self::Route(_))
    }

    /// Whether it is about IPv6.
    pub(crate) fn is_ipv6(&self) -> bool {
        match self {
            Self::Sysctl { .. } | Self::ProxyDelay { .. } => false,
            Self::Ipv6Sysctl { .. } => true,
            Self::Proxy { address, .. } => address.is_ipv6(),
            Self::Rule(rule) => rule.ipv6,
            Self::Route(route) => route.destination.addr().is_ipv6(),
        }
    }

    /// A value of it, with its unit.
    pub(crate) fn in_words(&self, value: Value) -> String {
        match (self, value) {
            (Self::ProxyDelay { .. }, Value::Number(delay)) => format!("{delay} ms"),
            _ => value.to_string(),
        }
    }
}

impl fmt::Display for Object {
    /// [`Object::name`] where no interface's name is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name(&|_| None))
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Sysctl { scope: a, sysctl: x }, Self::Sysctl { scope: b, sysctl: y }) => {
                (a.key(), x) == (b.key(), y)
            }
            (Self::Ipv6Sysctl { scope: a, sysctl: x }, Self::Ipv6Sysctl { scope: b, sysctl: y }) => {
                (a.key(), x) == (b.key(), y)
            }
            (Self::ProxyDelay { scope: a }, Self::ProxyDelay { scope: b }) => a.key() == b.key(),
            (Self::Proxy { address: a, interface: x }, Self::Proxy { address: b, interface: y }) => {
                (a, x) == (b, y)
            }
            (Self::Rule(a), Self::Rule(b)) => settled_rule(a) == settled_rule(b),
            (Self::Route(a), Self::Route(b)) => same_route(a, b),
            (
                Self::Sysctl { .. }
                | Self::Ipv6Sysctl { .. }
                | Self::ProxyDelay { .. }
                | Self::Proxy { .. }
                | Self::Rule(_)
                | Self::Route(_),
                _,
            ) => false,
        }
    }
}

impl Eq for Object {}

impl Hash for Object {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Sysctl { scope, sysctl } => (scope.key(), sysctl).hash(state),
            Self::Ipv6Sysctl { scope, sysctl } => (scope.key(), sysctl).hash(state),
            Self::ProxyDelay { scope } => scope.key().hash(state),
            Self::Proxy { address, interface } => (address, interface).hash(state),
            Self::Rule(rule) => settled_rule(rule).hash(state),
            Self::Route(route) => (route.table, route.destination, route.metric).hash(state),
        }
    }
}

/// A rule without what the kernel works out by itself: whether the interfaces it names exist just now.
pub(super) fn settled_rule(rule: &Rule) -> Rule {
    Rule { flags: rule.flags & RuleFlags::INVERT, ..rule.clone() }
}

/// A route without what the kernel works out by itself: whether its interfaces work just now.
pub(crate) fn settled_route(route: &Route) -> Route {
    let mut route = route.clone();
    for hop in &mut route.next_hops {
        hop.flags &= NextHopFlags::ONLINK;
    }
    route
}

/// Whether two are the same but for what the kernel works out by itself.
pub(super) fn same_route(a: &Route, b: &Route) -> bool {
    let plain = |route: &Route| {
        // Taken apart, so that a new field is not forgotten here.
        let Route {
            table,
            kind,
            destination,
            source,
            tos,
            metric,
            scope,
            protocol,
            preferred_source,
            next_hops: _,
            nexthop_id,
        } = *route;
        (table, kind, destination, source, tos, metric, scope, protocol, preferred_source, nexthop_id)
    };
    let hop = |hop: &NextHop| NextHop { flags: hop.flags & NextHopFlags::ONLINK, ..hop.clone() };
    plain(a) == plain(b)
        && a.next_hops.len() == b.next_hops.len()
        && a.next_hops.iter().zip(&b.next_hops).all(|(a, b)| hop(a) == hop(b))
}

/// `192.168.18.101 on eth3`.
pub(crate) fn proxy_in_words(
    address: IpAddr,
    interface: Option<IfIndex>,
    names: &dyn Fn(IfIndex) -> String,
) -> String {
    match interface {
        Some(index) => format!("{address} on {}", names(index)),
        None => format!("{address} on all interfaces"),
    }
}

/// What iproute2 calls a routing table: `main`, or its number.
#[must_use]
pub fn table_name(number: u32) -> String {
    match number {
        table::LOCAL => "local".into(),
        table::MAIN => "main".into(),
        table::DEFAULT => "default".into(),
        other => other.to_string(),
    }
}

/// As `ip rule` writes it, with the commonest selectors.
pub(crate) fn rule_in_words(rule: &Rule) -> String {
    let mut words = vec![format!("{}:", rule.priority)];
    if rule.flags.contains(RuleFlags::INVERT) {
        words.push("not".into());
    }
    words.push(match rule.source {
        Some(net) if net.prefix_len() == net.max_prefix_len() => format!("from {}", net.addr()),
        Some(net) => format!("from {net}"),
        None => "from all".into(),
    });
    words.extend(rule.destination.map(|net| format!("to {net}")));
    words.extend(rule.iif.map(|name| format!("iif {name}")));
    words.extend(rule.oif.map(|name| format!("oif {name}")));
    if rule.fwmask != 0 {
        words.push(format!("fwmark {:#x}/{:#x}", rule.fwmark, rule.fwmask));
    }
    words.push(match rule.action {
        RuleAction::Table => format!("lookup {}", table_name(rule.table)),
        RuleAction::Goto => format!("goto {}", rule.goto.unwrap_or(0)),
        RuleAction::Nop => "nop".into(),
        RuleAction::Blackhole => "blackhole".into(),
        RuleAction::Unreachable => "unreachable".into(),
        RuleAction::Prohibit => "prohibit".into(),
        RuleAction::Other(number) => format!("action {number}"),
    });
    words.extend(rule.suppress_prefix_len.map(|len| format!("suppress_prefixlength {len}")));
    words.join(" ")
}

/// As `ip route` writes it, the table first.
pub(crate) fn route_in_words(route: &Route, names: &dyn Fn(IfIndex) -> String) -> String {
    let mut words = vec![format!("table {}:", table_name(route.table))];
    match route.kind {
        RouteKind::Unicast => {}
        kind => words.push(format!("{kind:?}").to_lowercase()),
    }
    words.push(match route.destination.prefix_len() {
        0 => "default".into(),
        _ => route.destination.to_string(),
    });
    let several = route.next_hops.len() > 1;
    for NextHop { interface, gateway, weight, .. } in &route.next_hops {
        words.extend(several.then(|| "nexthop".to_owned()));
        words.extend(gateway.map(|gateway| format!("via {gateway}")));
        words.extend(interface.map(|index| format!("dev {}", names(index))));
        words.extend(several.then(|| format!("weight {weight}")));
    }
    words.extend(route.preferred_source.map(|source| format!("src {source}")));
    if route.metric != 0 {
        words.push(format!("metric {}", route.metric));
    }
    words.join(" ")
}
