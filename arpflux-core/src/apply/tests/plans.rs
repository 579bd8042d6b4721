//! Random plans for a snapshot, every one of which can be made.

use std::net::{IpAddr, Ipv4Addr};

use crate::Snapshot;
use crate::plan::{PROTOCOL, Plan};
use crate::snapshot::{ProxyEntry, Route, Rule};
use crate::state::{Change, Object, SysctlScope};
use crate::sysctl::Sysctl;
use crate::types::IpNet;

use super::random::Random;

const SYSCTLS: [Sysctl; 6] = [
    Sysctl::ArpIgnore,
    Sysctl::ArpAnnounce,
    Sysctl::ArpFilter,
    Sysctl::RpFilter,
    Sysctl::Forwarding,
    Sysctl::MediumId,
];

fn rule(source: Ipv4Addr, table: u32) -> Rule {
    Rule::lookup(1000 + table, table).source(IpNet::from(IpAddr::V4(source))).protocol(PROTOCOL)
}

/// `count` changes of what `snapshot` holds, on interfaces whose name begins with `prefix`.
pub fn plan(snapshot: &Snapshot, prefix: &str, count: usize, random: &mut Random) -> Plan {
    let mut state = snapshot.clone();
    let own: Vec<_> = snapshot
        .interfaces
        .iter()
        .filter(|interface| interface.name.to_string().starts_with(prefix))
        .collect();
    let mut changes = Vec::new();
    while changes.len() < count {
        let interface = own[random.below(own.len())];
        let scope = SysctlScope::Interface { index: interface.index, name: interface.name };
        let last = 1 + random.below(6) as u8;
        let change = match random.below(10) {
            0..=3 => {
                let sysctl = SYSCTLS[random.below(SYSCTLS.len())];
                let now = state.interface(interface.index).unwrap();
                let Some(before) = now.sysctls.get(sysctl) else { continue };
                let after = random.below(3) as i32;
                if before == after {
                    continue;
                }
                Change::set(Object::Sysctl { scope, sysctl }, before, after)
            }
            4 => {
                let before = state.interface(interface.index).unwrap().neigh.proxy_delay as i64;
                let after = [0, 100, 500][random.below(3)];
                if before == after {
                    continue;
                }
                Change::set(Object::ProxyDelay { scope }, before, after)
            }
            5..=7 => {
                let address = IpAddr::from([192, 0, 2, last]);
                let key = (address, Some(interface.index));
                let held = state.proxies.iter().find(|entry| (entry.address, entry.interface) == key);
                match held {
                    Some(entry) => Change::remove(*entry),
                    None => Change::add(ProxyEntry::new(address, Some(interface.index)).protocol(PROTOCOL)),
                }
            }
            8 => {
                let rule = rule(Ipv4Addr::new(198, 51, 100, last), 100 + u32::from(last));
                if state.rules.contains(&rule) { Change::remove(rule) } else { Change::add(rule) }
            }
            _ => {
                let route =
                    Route::new(IpNet::new(IpAddr::from([203, 0, 113, 0]), 24).unwrap(), interface.index)
                        .table(100 + u32::from(last))
                        .metric(interface.index.0)
                        .protocol(PROTOCOL);
                if state.routes.contains(&route) { Change::remove(route) } else { Change::add(route) }
            }
        };
        state.change(&change);
        changes.push(change);
    }
    Plan::default().netns(snapshot.netns.clone()).changes(changes)
}
