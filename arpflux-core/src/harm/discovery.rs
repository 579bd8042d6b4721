//! IPv6: answers that are lost, and packets of proxied addresses that are passed on no more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use super::Harm;
use super::around::{ELSEWHERE_IPV6, HOSTS_MAX};
use super::hosts::Hosts;
use crate::predict::{Behind, Forwarded, Model, Neighbours, Solicitation, Verdict, Via, ipv6_targets};
use crate::snapshot::{Route, Snapshot};
use crate::types::IfIndex;

/// Whether anything that decides about IPv6 differs.
pub(crate) fn ipv6_differs(before: &Snapshot, after: &Snapshot) -> bool {
    let v6 = |address: &IpAddr| address.is_ipv6();
    let proxies = |host: &Snapshot| -> BTreeSet<(IpAddr, Option<IfIndex>)> {
        let of_family = host.proxies.iter().filter(|entry| v6(&entry.address));
        of_family.map(|entry| (entry.address, entry.interface)).collect()
    };
    before.all_ipv6 != after.all_ipv6
        || before.discovery != after.discovery
        || interfaces(before).ne(interfaces(after))
        || before.addresses != after.addresses
        || proxies(before) != proxies(after)
        || before.rules.iter().filter(|rule| rule.ipv6).ne(after.rules.iter().filter(|rule| rule.ipv6))
        || routes(before).ne(routes(after))
}

fn interfaces(host: &Snapshot) -> impl Iterator<Item = impl PartialEq> {
    host.interfaces.iter().map(|one| (one.index, one.mac, one.flags, one.carrier, one.ipv6))
}

fn routes(host: &Snapshot) -> impl Iterator<Item = &Route> {
    host.routes.iter().filter(|route| route.destination.addr().is_ipv6())
}

impl Hosts<'_> {
    /// An own or proxied IPv6 address that an interface answers for and that none of its wire answers for afterwards; and
    /// packets from what is proxied that leave the host no more. An entry answers whatever the routes say: what leads nowhere,
    /// or back to the same wire, worked for nobody and is no loss.
    pub(super) fn ipv6(&self, now: &Model<'_>, then: &Model<'_>) -> Vec<Harm> {
        let mut harm = Vec::new();
        let targets = ipv6_targets(self.snapshot);
        if targets.is_empty() || !ipv6_differs(self.snapshot, then.snapshot()) {
            return harm;
        }
        let mut neighbours = Neighbours::new(self.snapshot);
        let mut unknown = self.wires.unknown(self.snapshot);
        unknown.retain(|on| self.wires.is_connected(*on));
        for target in targets {
            let address = IpAddr::V6(target);
            let entries = self.index.proxied(address).iter().copied().flatten();
            let mut on: Vec<IfIndex> = self.index.holders(address).iter().copied().chain(entries).collect();
            on.retain(|one| self.listeners.binary_search(one).is_ok() && self.wires.is_connected(*one));
            let mut done = BTreeSet::new();
            for index in on {
                let asker = neighbours.of_family(index, address);
                let IpAddr::V6(source) = asker else { continue };
                let verdict = |model: &Model<'_>, on: IfIndex| {
                    model.advertise(&Solicitation::multicast(on, source, target))
                };
                let silent = |on: &IfIndex| {
                    then.never_advertised(*on, target) || matches!(verdict(then, *on), Verdict::Silent { .. })
                };
                let worked = match verdict(now, index) {
                    Verdict::Answers { via: Via::ProxyEntry, .. } => matches!(
                        now.behind((index, self.wires.beside(index)), source, target),
                        Behind::Reached | Behind::Unknown(_)
                    ),
                    answer => matches!(answer, Verdict::Answers { .. }),
                };
                if worked
                    && self.beside(index).iter().chain(&unknown).all(silent)
                    && done.insert(self.wires.number(index))
                    && let Some(interface) = self.name(index)
                {
                    harm.push(Harm::Answer { address, asker, interface, aside: None });
                }
            }
        }
        harm.extend(self.ways_back(now, then));
        harm
    }

    /// What hosts behind this one, which a route leads to, send to the rest of the world.
    fn ways_back(&self, now: &Model<'_>, then: &Model<'_>) -> Vec<Harm> {
        let behind = |route: &Route| -> Option<(IfIndex, Ipv6Addr)> {
            match route.host_behind()? {
                (index, IpAddr::V6(host)) => Some((index, host)),
                (_, IpAddr::V4(_)) => None,
            }
        };
        let mut told: BTreeSet<IfIndex> = BTreeSet::new();
        let mut hosts: BTreeSet<(IfIndex, Ipv6Addr)> = routes(self.snapshot).filter_map(behind).collect();
        hosts.retain(|(index, _)| self.wires.is_connected(*index));
        let mut asked = BTreeMap::<IfIndex, usize>::new();
        let mut harm = Vec::new();
        for (index, from) in hosts {
            // One is enough to say of each interface.
            let count = asked.entry(index).or_default();
            *count += 1;
            if *count > HOSTS_MAX || told.contains(&index) {
                continue;
            }
            let way = |model: &Model<'_>| model.forwarded_ipv6(index, from, ELSEWHERE_IPV6);
            if matches!(way(now), Forwarded::Leaves { .. })
                && way(then) == Forwarded::Dropped
                && let Some(interface) = self.name(index)
            {
                told.insert(index);
                let (from, to) = (Some(from.into()), ELSEWHERE_IPV6.into());
                harm.push(Harm::Way { from, to, interface, router: None });
            }
        }
        harm
    }
}
