//! Who is announced after the changes: addresses whose answering changed, by their owner only.

use std::net::IpAddr;

use foldhash::{HashSet, HashSetExt as _};

use super::desired::Desired;
use super::{Announcement, Change};
use crate::snapshot::Snapshot;
use crate::state::{Object, SysctlScope};
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

/// The announcements that follow `changes`.
pub(super) fn announcements(desired: &Desired, snapshot: &Snapshot, changes: &[Change]) -> Vec<Announcement> {
    let mut touched: HashSet<IpAddr> = HashSet::new();
    let mut opened: HashSet<IfIndex> = HashSet::new();
    let mut host = false;
    for change in changes {
        match (&change.object, change.after.is_there()) {
            // Those that come are found below, without a set of them.
            (Object::Proxy { .. }, true) => {}
            (Object::Proxy { address, .. }, false) => {
                touched.insert(*address);
            }
            (
                Object::Sysctl { sysctl: Sysctl::Forwarding, scope: SysctlScope::Interface { index, .. } },
                _,
            ) => {
                opened.insert(*index);
            }
            // Peers may have the wrong MAC from an answer of another interface, or from a request that
            // carried the address from there.
            (
                Object::Sysctl {
                    sysctl: Sysctl::ArpIgnore | Sysctl::ArpFilter | Sysctl::ArpAnnounce, ..
                },
                _,
            ) => {
                host = true;
            }
            // The other stage of a rule: with strict source validation it moves answers.
            (Object::Rule(rule), _) => {
                touched.extend(rule.source.map(|source| source.addr()));
            }
            _ => {}
        }
    }
    let speaking = snapshot.interfaces.iter().filter(|interface| interface.speaks_arp());
    let up: HashSet<IfIndex> = speaking.map(|interface| interface.index).collect();
    let services = desired.services.iter().filter_map(|one| Some((IpAddr::V4(one.address), one.answerer?)));
    let services: Vec<(IpAddr, IfIndex)> = services.collect();
    let own = desired.host_addresses.iter().chain(&services);
    let own = own.filter(|(address, _)| host || touched.contains(address));
    // Missing entries are in the order of the proxied addresses, and some of them.
    let mut missing = desired.missing_proxies.iter().map(|entry| entry.address).peekable();
    let proxied = desired.proxied.iter().filter(|(address, index)| {
        missing.next_if_eq(address).is_some()
            || touched.contains(address)
            || (address.is_ipv4() && opened.contains(index))
    });
    let all = own.chain(proxied).filter(|(_, index)| up.contains(index));
    // In a plan for many they are about as many, which is known beforehand.
    let expected = desired.missing_proxies.len() + if host { desired.host_addresses.len() } else { 0 };
    let mut announcements = Vec::with_capacity(expected);
    announcements
        .extend(all.map(|(address, interface)| Announcement { interface: *interface, address: *address }));
    announcements
}
