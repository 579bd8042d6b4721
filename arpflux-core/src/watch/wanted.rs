//! What the policy wants of the namespace at rest, to be looked up: so that one value or entry that
//! drifts is put right without planning anew.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::plan::desired::Desired;
use crate::policy::{ForeignProxies, Policy};
use crate::snapshot::ProxyEntry;
use crate::state::{Change, Object, SysctlScope, Value};
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
        match (&change.object, change.after) {
            (
                Object::Sysctl { scope: SysctlScope::Interface { index, .. }, sysctl },
                Value::Number(after),
            ) => self.sysctls.get(&(*index, *sysctl)).copied().map(i64::from) == Some(after),
            (Object::Proxy { address, interface }, after) => {
                let wanted = self.entries.contains(&(*address, *interface));
                let forbidden = self.no_others || self.named.contains(address);
                wanted == after.is_there() && (wanted || forbidden)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::between;

    #[test]
    fn what_came_goes_and_what_went_comes() {
        let entry = |last: u8, interface: u32| ProxyEntry {
            address: IpAddr::from([192, 0, 2, last]),
            interface: Some(IfIndex(interface)),
            flags: 0,
            protocol: 0,
        };
        let rest = [entry(1, 1), entry(2, 2)];
        assert_eq!(between(&[rest[1], rest[0]], &rest), []);
        let changes = between(&[entry(1, 1), entry(1, 2)], &rest);
        let expected = [Change::add(entry(2, 2)), Change::remove(entry(1, 2))];
        assert_eq!(changes, expected);
        let mut wanted = Wanted { entries: HashSet::from([place(&rest[1])]), ..Wanted::default() };
        wanted.named.insert(rest[0].address);
        assert!(expected.iter().all(|change| wanted.has(change)));
        // Of an address that is not named the entries are others'.
        let other = Change::remove(entry(9, 1));
        assert!(!wanted.has(&other));
        wanted.no_others = true;
        assert!(wanted.has(&other));
        assert!(!wanted.has(&Change::remove(rest[1])));
    }
}
