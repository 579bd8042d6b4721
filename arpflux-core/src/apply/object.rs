//! What a change is about, and what is there now: the one place that compares plans with the kernel.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

use crate::plan::{Change, Edit, InterfaceIdentity, SysctlScope};
use crate::snapshot::{
    Interface, NextHopFlags, PROXY_DELAY_STEP, ProxyEntry, Route, Rule, RuleFlags, Snapshot,
};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::IfIndex;

/// A folder of sysctls. An interface is its number: its name may change while a change is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    All,
    Default,
    Interface(IfIndex),
}

impl From<SysctlScope> for Scope {
    fn from(scope: SysctlScope) -> Self {
        match scope {
            SysctlScope::All => Self::All,
            SysctlScope::Default => Self::Default,
            SysctlScope::Interface { index, .. } => Self::Interface(index),
        }
    }
}

/// Something in the kernel that has one value at a time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Object {
    Sysctl(Scope, Sysctl),
    Ipv6Sysctl(Scope, Ipv6Sysctl),
    ProxyDelay(Scope),
    /// Of one address there is at most one entry on an interface, and one without.
    Proxy(IpAddr, Option<IfIndex>),
    Rule(Box<Rule>),
    Route(Box<Route>),
}

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    Number(i64),
    Entry {
        flags: u8,
        protocol: u8,
    },
    Present,
    Absent,
    /// The kernel has no such sysctl, or it is not to be seen in a snapshot.
    Unknown,
    /// The interface that it belongs to is gone.
    Gone,
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Entry { flags: 0, protocol } => write!(f, "there (protocol {protocol})"),
            Self::Entry { flags, protocol } => write!(f, "there (protocol {protocol}, flags {flags:#x})"),
            Self::Present => f.write_str("there"),
            Self::Absent => f.write_str("not there"),
            Self::Unknown => f.write_str("unknown to this kernel"),
            Self::Gone => f.write_str("gone with its interface"),
        }
    }
}

/// A change as one step of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) object: Object,
    pub(crate) before: Value,
    pub(crate) after: Value,
}

impl Step {
    pub(crate) fn of(change: &Change) -> Self {
        let edited = |edit: Edit, there: Value| match edit {
            Edit::Add => (Value::Absent, there),
            Edit::Remove => (there, Value::Absent),
        };
        let (object, (before, after)) = match change {
            Change::Sysctl { scope, sysctl, before, after } => (
                Object::Sysctl((*scope).into(), *sysctl),
                (Value::Number((*before).into()), Value::Number((*after).into())),
            ),
            Change::Ipv6Sysctl { scope, sysctl, before, after } => (
                Object::Ipv6Sysctl((*scope).into(), *sysctl),
                (Value::Number((*before).into()), Value::Number((*after).into())),
            ),
            Change::ProxyDelay { scope, before, after } => {
                (Object::ProxyDelay((*scope).into()), (milliseconds(*before), milliseconds(*after)))
            }
            Change::Proxy { edit, entry } => {
                (Object::Proxy(entry.address, entry.interface), edited(*edit, entry_value(entry)))
            }
            Change::Rule { edit, rule } => (Object::Rule(plain_rule(rule)), edited(*edit, Value::Present)),
            Change::Route { edit, route } => {
                (Object::Route(plain_route(route)), edited(*edit, Value::Present))
            }
        };
        Self { object, before, after }
    }
}

fn in_steps(milliseconds: u64) -> Option<i64> {
    i64::try_from(milliseconds / PROXY_DELAY_STEP * PROXY_DELAY_STEP).ok()
}

fn milliseconds(value: u64) -> Value {
    Value::Number(in_steps(value).unwrap_or(i64::MAX))
}

fn entry_value(entry: &ProxyEntry) -> Value {
    Value::Entry { flags: entry.flags, protocol: entry.protocol }
}

/// A rule without what the kernel works out by itself: whether the interfaces it names exist just now.
fn plain_rule(rule: &Rule) -> Box<Rule> {
    Box::new(Rule { flags: rule.flags & RuleFlags::INVERT, ..rule.clone() })
}

/// A route without what the kernel works out by itself: whether its interfaces work just now.
fn plain_route(route: &Route) -> Box<Route> {
    let mut route = route.clone();
    for hop in &mut route.next_hops {
        hop.flags &= NextHopFlags::ONLINK;
    }
    Box::new(route)
}

/// What the objects of some changes are, as a snapshot has them, and as changes made since leave them.
#[derive(Debug)]
pub(crate) struct View<'a> {
    snapshot: &'a Snapshot,
    values: HashMap<Object, Value>,
}

impl<'a> View<'a> {
    /// The values in `snapshot` of everything that `steps` are about.
    pub(crate) fn of(snapshot: &'a Snapshot, steps: &[Step]) -> Self {
        let mut values: HashMap<Object, Value> = HashMap::with_capacity(steps.len());
        let (mut proxies, mut rules, mut routes) = (false, false, false);
        for Step { object, .. } in steps {
            let value = match object {
                Object::Sysctl(scope, sysctl) => of_scope(
                    snapshot,
                    *scope,
                    |interface| interface.sysctls.get(*sysctl).map(i64::from),
                    snapshot.all.get(*sysctl).map(i64::from),
                    snapshot.default.get(*sysctl).map(i64::from),
                ),
                Object::Ipv6Sysctl(scope, sysctl) => of_scope(
                    snapshot,
                    *scope,
                    |interface| interface.ipv6.get(*sysctl).map(i64::from),
                    snapshot.all_ipv6.get(*sysctl).map(i64::from),
                    None,
                ),
                Object::ProxyDelay(scope) => {
                    of_scope(snapshot, *scope, |interface| in_steps(interface.neigh.proxy_delay), None, None)
                }
                Object::Proxy(_, interface) => {
                    proxies = true;
                    absent_or_gone(snapshot, *interface)
                }
                Object::Rule(_) => {
                    rules = true;
                    Value::Absent
                }
                Object::Route(route) => {
                    routes = true;
                    let gone = route.next_hops.iter().filter_map(|hop| hop.interface);
                    let gone = gone.filter(|index| snapshot.interface(*index).is_none()).count();
                    if gone > 0 { Value::Gone } else { Value::Absent }
                }
            };
            values.insert(object.clone(), value);
        }
        let mut set = |object: Object, value: Value| {
            if let Some(known) = values.get_mut(&object) {
                *known = value;
            }
        };
        if proxies {
            for entry in &snapshot.proxies {
                set(Object::Proxy(entry.address, entry.interface), entry_value(entry));
            }
        }
        if rules {
            for rule in &snapshot.rules {
                set(Object::Rule(plain_rule(rule)), Value::Present);
            }
        }
        if routes {
            for route in &snapshot.routes {
                set(Object::Route(plain_route(route)), Value::Present);
            }
        }
        Self { snapshot, values }
    }

    /// What the object is.
    pub(crate) fn get(&self, object: &Object) -> Value {
        self.values.get(object).copied().unwrap_or(Value::Unknown)
    }

    /// Notes that it is something else from here on.
    pub(crate) fn set(&mut self, object: &Object, value: Value) {
        self.values.insert(object.clone(), value);
    }

    /// What to call an object in messages, with the names that interfaces have now.
    pub(crate) fn name(&self, object: &Object) -> String {
        name(self.snapshot, &[], object)
    }
}

fn of_scope(
    snapshot: &Snapshot,
    scope: Scope,
    own: impl Fn(&Interface) -> Option<i64>,
    all: Option<i64>,
    default: Option<i64>,
) -> Value {
    let value = match scope {
        Scope::All => all,
        Scope::Default => default,
        Scope::Interface(index) => match snapshot.interface(index) {
            Some(interface) => own(interface),
            None => return Value::Gone,
        },
    };
    value.map_or(Value::Unknown, Value::Number)
}

fn absent_or_gone(snapshot: &Snapshot, interface: Option<IfIndex>) -> Value {
    match interface {
        Some(index) if snapshot.interface(index).is_none() => Value::Gone,
        _ => Value::Absent,
    }
}

/// What to call an object in messages, with the names that interfaces have in `snapshot`, and where they
/// are gone had in `known`.
pub(crate) fn name(snapshot: &Snapshot, known: &[InterfaceIdentity], object: &Object) -> String {
    let name_of = |index: IfIndex| match known.iter().find(|known| known.index == index) {
        Some(known) if snapshot.interface(index).is_none() => known.name.to_string(),
        _ => snapshot.name_of(index),
    };
    // sysctl(8) writes a dot inside a name as a slash.
    let folder = |scope: &Scope| match scope {
        Scope::All => "all".to_owned(),
        Scope::Default => "default".to_owned(),
        Scope::Interface(index) => name_of(*index).replace('.', "/"),
    };
    match object {
        Object::Sysctl(scope, sysctl) => format!("net.ipv4.conf.{}.{sysctl}", folder(scope)),
        Object::Ipv6Sysctl(scope, sysctl) => format!("net.ipv6.conf.{}.{sysctl}", folder(scope)),
        Object::ProxyDelay(scope) => format!("net.ipv4.neigh.{}.proxy_delay", folder(scope)),
        Object::Proxy(address, Some(interface)) => {
            format!("proxy entry {address} on {}", name_of(*interface))
        }
        Object::Proxy(address, None) => format!("proxy entry {address} on all interfaces"),
        Object::Rule(rule) => {
            let mut text = format!("rule {}:", rule.priority);
            for (word, net) in [("from", &rule.source), ("to", &rule.destination)] {
                if let Some(net) = net {
                    text += &format!(" {word} {net}");
                }
            }
            for (word, interface) in [("iif", &rule.iif), ("oif", &rule.oif)] {
                if let Some(interface) = interface {
                    text += &format!(" {word} {interface}");
                }
            }
            text + &format!(" lookup {}", rule.table)
        }
        Object::Route(route) => {
            let mut text = format!("route {}", route.destination);
            for hop in &route.next_hops {
                if let Some(gateway) = hop.gateway {
                    text += &format!(" via {gateway}");
                }
                if let Some(interface) = hop.interface {
                    text += &format!(" dev {}", name_of(interface));
                }
            }
            text + &format!(" table {}", route.table)
        }
    }
}
