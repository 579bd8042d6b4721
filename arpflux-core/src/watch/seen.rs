//! What the last look saw, as far as later news is compared with it.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::HashSet;

use crate::plan::desired::Desired;
use crate::plan::{InterfaceIdentity, PROTOCOL};
use crate::policy::Policy;
use crate::snapshot::{Near, ProxyEntry, Route, RoutingMemory, Snapshot};
use crate::sysctl::{Sysctl, SysctlValues};
use crate::types::{IfIndex, IfName};
use crate::vz::Registry;

use super::sysctls::Folder;

/// Digests of the lists that no event tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Digests {
    pub proxies: u64,
    pub interfaces: u64,
}

/// Where routes count for a policy, for what is published and, if that is known, for what both want of a host: around their
/// addresses and in their tables.
pub(super) fn near(policy: &Policy, registry: &Registry, desired: Option<&Desired>) -> Near {
    let proxied = policy.proxies.iter().flat_map(|proxy| &proxy.addresses);
    let services = policy.services.iter().flat_map(|service| &service.addresses);
    let tables = desired.iter().flat_map(|desired| &desired.routes).map(|route| route.table);
    let published = registry.held.keys();
    Near::new(proxied.chain(services).chain(published).copied(), tables.collect(), PROTOCOL)
}

/// Whether two states are the same but for what neighbours are known, and for the order of what was taken away and put back.
pub(super) fn are_same(a: &Snapshot, b: &Snapshot) -> bool {
    fn same<T: Eq + Hash>(a: &[T], b: &[T]) -> bool {
        a.len() == b.len() && (a == b || a.iter().collect::<HashSet<_>>() == b.iter().collect())
    }
    let rest = |of: &Snapshot| Snapshot {
        interfaces: Vec::new(),
        addresses: Vec::new(),
        routes: Vec::new(),
        rules: Vec::new(),
        proxies: Vec::new(),
        neighbours: Vec::new(),
        // What it remembers is for good, and less of it is known where no rule tells of it.
        routing: RoutingMemory { rules_changed: None, local_routes_added: None, ..of.routing },
        filters: of.filters.clone(),
        interference: of.interference.clone(),
        discovery: of.discovery.clone(),
        netns: of.netns.clone(),
        kernel: of.kernel.clone(),
        ..*of
    };
    a.interfaces == b.interfaces
        && a.addresses == b.addresses
        && same(&a.routes, &b.routes)
        && same(&a.rules, &b.rules)
        && same(&a.proxies, &b.proxies)
        && rest(a) == rest(b)
}

/// See the module text. A whole snapshot would be large where there are many routes.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub interfaces: HashMap<IfIndex, (InterfaceIdentity, SysctlValues)>,
    all: SysctlValues,
    default: SysctlValues,
    pub proxies: Vec<ProxyEntry>,
    /// Where routes matter for the addresses of the policy and of the host.
    near: Near,
}

impl Seen {
    /// What is to be remembered of a snapshot.
    pub fn of(snapshot: &Snapshot, near: &Near) -> Self {
        let interfaces = snapshot
            .interfaces
            .iter()
            .map(|interface| (interface.index, (InterfaceIdentity::from(interface), interface.sysctls)));
        Self {
            interfaces: interfaces.collect(),
            all: snapshot.all,
            default: snapshot.default,
            proxies: snapshot.proxies.clone(),
            near: near.on(&snapshot.addresses, &snapshot.rules),
        }
    }

    /// Routes to other places than those of `near` change nothing about the answers of the policy.
    pub fn near(&mut self, near: &Near, snapshot: &Snapshot) {
        self.near = near.on(&snapshot.addresses, &snapshot.rules);
    }

    /// Whether a change of this route may change answers, or how packets of the policy's addresses leave.
    pub fn matters(&self, route: &Route) -> bool {
        self.near.matters(route)
    }

    /// What the interfaces are called.
    pub fn names(&self) -> HashMap<IfIndex, IfName> {
        self.interfaces.values().map(|(known, _)| (known.index, known.name)).collect()
    }

    /// The folders of sysctls that are to be watched.
    pub fn folders(&self) -> Vec<Folder> {
        let with_sysctls =
            self.interfaces.values().filter(|(_, sysctls)| *sysctls != SysctlValues::default());
        let of_interfaces =
            with_sysctls.map(|(known, _)| Folder::Interface { index: known.index, name: known.name });
        of_interfaces.chain([Folder::All, Folder::Default]).collect()
    }

    /// The value of a sysctl; `None` also for an interface that is another one by now.
    pub fn value(&self, folder: Folder, sysctl: Sysctl) -> Option<i32> {
        match folder {
            Folder::All => self.all.get(sysctl),
            Folder::Default => self.default.get(sysctl),
            Folder::Interface { index, name } => {
                let (known, sysctls) = self.interfaces.get(&index)?;
                if known.name == name { sysctls.get(sysctl) } else { None }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Rule;

    #[test]
    fn what_was_taken_away_and_put_back_makes_no_other_state_and_what_came_does() {
        let rules: Vec<Rule> = (1..4).map(|priority| Rule::lookup(priority, 100)).collect();
        let rest = Snapshot { rules, ..Snapshot::default() };
        let mut now = rest.clone();
        now.rules.swap(0, 2);
        now.routing.rules_changed = Some(true);
        assert!(are_same(&rest, &now));
        now.rules.pop();
        assert!(!are_same(&rest, &now));
        now.rules.push(Rule::lookup(9, 100));
        assert!(!are_same(&rest, &now));
        let entry = ProxyEntry::new(std::net::Ipv4Addr::LOCALHOST.into(), None);
        assert!(!are_same(&rest, &Snapshot { proxies: vec![entry], ..rest.clone() }));
        assert!(!are_same(&rest, &Snapshot { ip_forward: 1, ..rest.clone() }));
    }
}
