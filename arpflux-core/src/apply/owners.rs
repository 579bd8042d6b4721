//! Who owns the addresses whose changes were taken back, so that peers are told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Receipt;
use crate::kernel::Kernel;
use crate::plan::{Announcement, Change};
use crate::snapshot::{Interface, Snapshot};
use crate::state::Object;
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

/// Who owns the addresses of a transaction that was taken back, if the peers were told of it.
pub(super) fn owners_after(
    kernel: &mut dyn Kernel,
    undone: &Receipt,
) -> Option<(Snapshot, Vec<Announcement>)> {
    if !undone.announced {
        return None;
    }
    let snapshot = kernel.snapshot().ok()?;
    let owners = owners(&undone.changes, &snapshot);
    Some((snapshot, owners))
}

/// Who owns, in the state `after`, the addresses that `changes` were about: the interface that alone has a proxy entry
/// for one, or holds it. What was added counts as touched, too, as this is for changes that were taken back.
fn owners(changes: &[Change], after: &Snapshot) -> Vec<Announcement> {
    let mut touched: BTreeSet<IpAddr> = BTreeSet::new();
    let mut host = false;
    for change in changes {
        match &change.object {
            Object::Proxy { address, .. } => {
                touched.insert(*address);
            }
            Object::Rule(rule) => touched.extend(rule.source.map(|source| source.addr())),
            Object::Sysctl {
                sysctl: Sysctl::ArpIgnore | Sysctl::ArpFilter | Sysctl::ArpAnnounce, ..
            } => {
                host = true;
            }
            _ => {}
        }
    }
    let speaks = |index: &IfIndex| after.interface(*index).is_some_and(Interface::speaks_arp);
    let mut held: BTreeMap<IpAddr, BTreeSet<IfIndex>> = BTreeMap::new();
    for address in after.addresses.iter().filter(|held| host || touched.contains(&held.local)) {
        held.entry(address.local).or_default().insert(address.interface);
    }
    for entry in after.proxies.iter().filter(|entry| touched.contains(&entry.address)) {
        held.entry(entry.address).or_default().extend(entry.interface);
    }
    let alone = |(address, mut owners): (IpAddr, BTreeSet<IfIndex>)| {
        owners.retain(speaks);
        let interface = owners.pop_first().filter(|_| owners.is_empty())?;
        Some(Announcement { interface, address })
    };
    held.into_iter().filter_map(alone).collect()
}
