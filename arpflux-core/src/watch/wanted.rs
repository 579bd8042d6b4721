//! What the policy wants of the namespace at rest, to be looked up: so that one value or entry that
//! drifts is put right without planning anew.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::plan::desired::Desired;
use crate::plan::{Change, Edit, SysctlScope};
use crate::policy::{ForeignProxies, Policy};
use crate::snapshot::ProxyEntry;
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

/// Where a proxy entry is: there is at most one for an address on an interface.
type Place = (IpAddr, Option<IfIndex>);

pub(super) fn place(entry: &ProxyEntry) -> Place {
    (entry.address, entry.interface)
}

/// See the module text.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    sysctls: HashMap<(IfIndex, Sysctl), i32>,
    entries: HashSet<Place>,
    named: HashSet<IpAddr>,
    no_others: bool,
}

impl Wanted {
    pub fn of(policy: &Policy, desired: &Desired) -> Self {
        Self {
            sysctls: desired.sysctls.iter().map(|it| ((it.interface, it.sysctl), it.value)).collect(),
            entries: desired.proxies.iter().map(place).collect(),
            named: desired.proxied.iter().map(|(address, _)| *address).collect(),
            no_others: policy.host.foreign_proxies == ForeignProxies::Remove,
        }
    }

    /// Whether the policy itself would make this change.
    pub fn has(&self, change: &Change) -> bool {
        match change {
            Change::Sysctl { scope: SysctlScope::Interface { index, .. }, sysctl, after, .. } => {
                self.sysctls.get(&(*index, *sysctl)) == Some(after)
            }
            Change::Proxy { edit: Edit::Add, entry } => self.entries.contains(&place(entry)),
            Change::Proxy { edit: Edit::Remove, entry } => {
                let forbidden = self.no_others || self.named.contains(&entry.address);
                forbidden && !self.entries.contains(&place(entry))
            }
            _ => false,
        }
    }
}

/// What leads from the entries `found` to those at rest: those that came go, those that went come.
pub(super) fn back(rest: &[ProxyEntry], found: &[ProxyEntry]) -> Vec<Change> {
    let (here, there): (HashSet<Place>, HashSet<Place>) =
        (rest.iter().map(place).collect(), found.iter().map(place).collect());
    let came = found.iter().filter(|entry| !here.contains(&place(entry)));
    let went = rest.iter().filter(|entry| !there.contains(&place(entry)));
    let added = went.map(|entry| Change::Proxy { edit: Edit::Add, entry: *entry });
    let removed = came.map(|entry| Change::Proxy { edit: Edit::Remove, entry: *entry });
    // Silence is worse than a wrong answer for a moment longer.
    added.chain(removed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_goes_and_what_went_comes() {
        let entry = |last: u8, interface: u32| ProxyEntry {
            address: IpAddr::from([192, 0, 2, last]),
            interface: Some(IfIndex(interface)),
            flags: 0,
            protocol: 0,
        };
        let rest = [entry(1, 1), entry(2, 2)];
        assert_eq!(back(&rest, &[rest[1], rest[0]]), []);
        let changes = back(&rest, &[entry(1, 1), entry(1, 2)]);
        let expected = [
            Change::Proxy { edit: Edit::Add, entry: entry(2, 2) },
            Change::Proxy { edit: Edit::Remove, entry: entry(1, 2) },
        ];
        assert_eq!(changes, expected);
        let mut wanted = Wanted { entries: HashSet::from([place(&rest[1])]), ..Wanted::default() };
        wanted.named.insert(rest[0].address);
        assert!(expected.iter().all(|change| wanted.has(change)));
        // Of an address that is not named the entries are others'.
        let other = Change::Proxy { edit: Edit::Remove, entry: entry(9, 1) };
        assert!(!wanted.has(&other));
        wanted.no_others = true;
        assert!(wanted.has(&other));
        assert!(!wanted.has(&Change::Proxy { edit: Edit::Remove, entry: rest[1] }));
    }
}
