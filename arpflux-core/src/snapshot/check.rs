//! What no kernel can hold: refused before any stage sees it, with its place in the document.

mod filters;

use std::net::IpAddr;

use foldhash::{HashSet, HashSetExt as _};

use super::{
    Address, Interface, Interference, NeighParams, Neighbour, ProxyEntry, Route, Rule, RuleAction, Snapshot,
};
use crate::error::{Error, ErrorKind, Result};
use crate::types::IfIndex;

/// The largest VLAN id (`VLAN_VID_MASK` itself is refused).
const VLAN_ID_MAX: u16 = 4094;

impl Snapshot {
    /// Whether a kernel can hold this. Every reader asks, and so does every stage that takes a snapshot,
    /// since one may be made or edited in code: what is impossible is refused and never reasoned about.
    ///
    /// Refused are prefix lengths that a family has not, addresses of two families where the kernel has
    /// one, references to interfaces that are not there, interfaces, addresses, proxy and neighbour
    /// entries that are there twice, interfaces and rules out of their order, and numbers out of range.
    /// [`Interface::link`](crate::snapshot::Interface::link) may name an interface of another namespace.
    ///
    /// ```
    /// use arpflux_core::snapshot::{ProxyEntry, Snapshot};
    /// use arpflux_core::types::IfIndex;
    ///
    /// let mut snapshot = Snapshot::default();
    /// let address = "192.168.18.101".parse()?;
    /// snapshot.proxies.push(ProxyEntry::new(address, Some(IfIndex(3))));
    /// let error = snapshot.check().unwrap_err();
    /// assert_eq!(error.object(), "proxies[0].interface");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidData`] whose [object](Error::object) is the place, for example
    /// `addresses[3].prefix_len`.
    pub fn check(&self) -> Result<()> {
        self.interfaces_are_possible()?;
        each("addresses", &self.addresses, |held| self.address(held))?;
        unique("addresses", &self.addresses, |held| (held.interface, held.local, held.subnet()))?;
        each("routes", &self.routes, |route| self.route(route))?;
        each("rules", &self.rules, rule)?;
        self.rules_are_in_order()?;
        each("proxies", &self.proxies, |entry| self.proxy(entry))?;
        unique("proxies", &self.proxies, |entry| (entry.address, entry.interface))?;
        each("neighbours", &self.neighbours, |entry| self.neighbour(entry))?;
        unique("neighbours", &self.neighbours, |entry| (entry.address, entry.interface))?;
        each("interference", &self.interference, |other| self.meddler(other))?;
        if let Some(discovery) = &self.discovery {
            each("discovery.interference", &discovery.interference, |other| self.meddler(other))?;
        }
        filters::check(self)
    }

    fn interfaces_are_possible(&self) -> Result<()> {
        for (place, pair) in self.interfaces.windows(2).enumerate() {
            let [before, this] = pair else { continue };
            if before.index >= this.index {
                let message = format!(
                    "{} comes after {}: interfaces are sorted by number, and no two have the same",
                    this.index, before.index
                );
                return Err(impossible(format!("interfaces[{}].index", place + 1), message));
            }
        }
        each("interfaces", &self.interfaces, |interface| self.possible(interface))?;
        unique("interfaces", &self.interfaces, |interface| interface.name)
    }

    fn possible(&self, interface: &Interface) -> Verdict {
        if interface.index.0 == 0 {
            return fault("index", "0 is no interface's number");
        }
        if let Some(master) = interface.master {
            self.there("master", master)?;
            if master == interface.index {
                return fault("master", format!("{} is a port of itself", interface.name));
            }
        }
        if let Some(id) = interface.vlan_id.filter(|id| *id > VLAN_ID_MAX) {
            return fault("vlan_id", format!("{id} is above {VLAN_ID_MAX}"));
        }
        for (place, vlan) in interface.bridging.vlans.iter().enumerate() {
            let (first, last) = (vlan.first, vlan.last);
            if first == 0 || last > VLAN_ID_MAX || first > last {
                let field = format!("bridging.vlans[{place}]");
                return fault(field, format!("{first} to {last} is no range of 1 to {VLAN_ID_MAX}"));
            }
        }
        let NeighParams { proxy_delay, locktime, .. } = interface.neigh;
        for (name, milliseconds) in [("neigh.proxy_delay", proxy_delay), ("neigh.locktime", locktime)] {
            if milliseconds > u64::from(u32::MAX) {
                return fault(name, format!("{milliseconds} ms is more than a kernel can keep"));
            }
        }
        Ok(())
    }

    fn there(&self, field: &'static str, index: IfIndex) -> Verdict {
        match self.interfaces.binary_search_by_key(&index, |interface| interface.index) {
            Ok(_) => Ok(()),
            Err(_) => fault(field, format!("there is no interface {index} in the snapshot")),
        }
    }

    fn address(&self, held: &Address) -> Verdict {
        self.there("interface", held.interface)?;
        length("prefix_len", held.prefix_len, held.local)?;
        same_family("peer", held.peer, held.local)?;
        same_family("broadcast", held.broadcast, held.local)
    }

    fn route(&self, route: &Route) -> Verdict {
        let to = route.destination.addr();
        if route.destination != route.destination.trunc() {
            return fault("destination", format!("{} has bits beyond its prefix", route.destination));
        }
        same_family("source", route.source.map(|source| source.addr()), to)?;
        same_family("preferred_source", route.preferred_source, to)?;
        for (place, hop) in route.next_hops.iter().enumerate() {
            let within = |field: &str| format!("next_hops[{place}].{field}");
            if let Some(index) = hop.interface {
                self.there("", index).map_err(|fault| Fault { field: within("interface"), ..fault })?;
            }
            if hop.weight == 0 {
                return fault(within("weight"), "0 is no share");
            }
            // An IPv4 route may go by an IPv6 gateway, not the other way round.
            if let (IpAddr::V6(_), Some(gateway @ IpAddr::V4(_))) = (to, hop.gateway) {
                return fault(within("gateway"), format!("{gateway} is no gateway of an IPv6 route"));
            }
        }
        Ok(())
    }

    fn rules_are_in_order(&self) -> Result<()> {
        let mut last = [0; 2];
        for (place, rule) in self.rules.iter().enumerate() {
            let last = &mut last[usize::from(rule.ipv6)];
            if rule.priority < *last {
                let message = format!(
                    "{} comes after {last}: rules are in the order in which they are tried",
                    rule.priority
                );
                return Err(impossible(format!("rules[{place}].priority"), message));
            }
            *last = rule.priority;
        }
        Ok(())
    }

    fn proxy(&self, entry: &ProxyEntry) -> Verdict {
        entry.interface.map_or(Ok(()), |index| self.there("interface", index))
    }

    fn neighbour(&self, entry: &Neighbour) -> Verdict {
        self.there("interface", entry.interface)
    }

    fn meddler(&self, other: &Interference) -> Verdict {
        match other {
            Interference::TrafficControl { interface, .. } | Interference::Xdp { interface, .. } => {
                self.there("interface", *interface)
            }
            Interference::Netfilter { interface, .. } | Interference::Listener { interface } => {
                interface.map_or(Ok(()), |index| self.there("interface", index))
            }
            Interference::FullNeighbourTable { .. } | Interference::Unreadable { .. } => Ok(()),
        }
    }
}

fn rule(rule: &Rule) -> Verdict {
    for (field, prefix) in [("source", rule.source), ("destination", rule.destination)] {
        if let Some(prefix) = prefix.filter(|prefix| prefix.addr().is_ipv6() != rule.ipv6) {
            let family = if rule.ipv6 { "IPv6" } else { "IPv4" };
            return fault(field, format!("{prefix} in an {family} rule"));
        }
    }
    // The kernel keeps both as signed numbers, where a negative one means none.
    for (field, value) in
        [("suppress_prefix_len", rule.suppress_prefix_len), ("suppress_group", rule.suppress_group)]
    {
        if let Some(value) = value.filter(|value| i32::try_from(*value).is_err()) {
            return fault(field, format!("{value} is how the kernel writes none: leave it out"));
        }
    }
    match (rule.action, rule.goto) {
        (RuleAction::Goto, None) => return fault("goto", "a goto says where"),
        (RuleAction::Goto, Some(to)) if to <= rule.priority => {
            return fault("goto", format!("{to} does not come after {}", rule.priority));
        }
        _ => {}
    }
    for (field, ports) in [("source_ports", rule.source_ports), ("destination_ports", rule.destination_ports)]
    {
        ascending(field, ports)?;
    }
    ascending("uids", rule.uids)
}

fn ascending<T: PartialOrd + std::fmt::Display>(field: &'static str, range: Option<(T, T)>) -> Verdict {
    match range {
        Some((first, last)) if first > last => fault(field, format!("{first} is above {last}")),
        _ => Ok(()),
    }
}

fn length(field: &'static str, length: u8, of: IpAddr) -> Verdict {
    let (longest, family) = if of.is_ipv4() { (32, "IPv4") } else { (128, "IPv6") };
    match length <= longest {
        true => Ok(()),
        false => fault(field, format!("{of}/{length}: a prefix of {family} has {longest} bits at most")),
    }
}

fn same_family(field: &'static str, other: Option<IpAddr>, than: IpAddr) -> Verdict {
    match other {
        Some(other) if other.is_ipv4() != than.is_ipv4() => {
            fault(field, format!("{other} is not of the family of {than}"))
        }
        _ => Ok(()),
    }
}

/// What is wrong with a field of a record.
struct Fault {
    field: String,
    message: String,
}

type Verdict = std::result::Result<(), Fault>;

#[cold]
fn fault(field: impl Into<String>, message: impl Into<String>) -> Verdict {
    Err(Fault { field: field.into(), message: message.into() })
}

#[cold]
fn impossible(place: String, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidData, message).during("check snapshot").on(place)
}

/// Asks `possible` of each record of a list.
fn each<T>(list: &str, records: &[T], mut possible: impl FnMut(&T) -> Verdict) -> Result<()> {
    for (place, record) in records.iter().enumerate() {
        possible(record)
            .map_err(|fault| impossible(format!("{list}[{place}].{}", fault.field), fault.message))?;
    }
    Ok(())
}

/// Refuses a record that is there twice.
fn unique<T, K: Eq + std::hash::Hash>(list: &str, records: &[T], key: impl Fn(&T) -> K) -> Result<()> {
    let mut seen = HashSet::with_capacity(records.len());
    match records.iter().position(|record| !seen.insert(key(record))) {
        None => Ok(()),
        Some(place) => Err(impossible(format!("{list}[{place}]"), "it is there twice")),
    }
}

#[cfg(test)]
mod tests;
