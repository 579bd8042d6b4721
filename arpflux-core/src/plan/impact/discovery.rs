//! Effects on solicitations for IPv6 addresses: of the host's own, and of what it proxies, before or afterwards.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, Ipv6Addr};

use super::{Effect, Range, Turn, extend, turn};
use crate::harm::ipv6_differs;
use crate::predict::{Model, Solicitation, ipv6_targets, solicitors};
use crate::types::{IfIndex, IpNet, Ipv6Net};

pub(super) fn effects([now, then]: [&Model<'_>; 2], named: &HashSet<IpAddr>) -> Vec<Effect> {
    let (before, after) = (now.snapshot(), then.snapshot());
    let mut found = Vec::new();
    let targets: BTreeSet<Ipv6Addr> = ipv6_targets(before).into_iter().chain(ipv6_targets(after)).collect();
    if targets.is_empty() || !ipv6_differs(before, after) {
        return found;
    }
    let classes = solicitors(&[before, after]);
    for interface in &after.interfaces {
        let index = interface.index;
        let of = |target: Ipv6Addr| -> Vec<Option<Turn>> {
            if now.never_advertised(index, target) && then.never_advertised(index, target) {
                return Vec::new();
            }
            let asked = classes.iter().map(|class| Solicitation::multicast(index, class.one, target));
            asked.map(|asked| turn(&now.advertise(&asked), &then.advertise(&asked))).collect()
        };
        // Addresses that fare alike, whoever asks.
        let mut alike: BTreeMap<(Vec<Option<Turn>>, bool), Vec<Range>> = BTreeMap::new();
        for target in &targets {
            let turns = of(*target);
            if turns.iter().any(Option::is_some) {
                let address = IpAddr::V6(*target);
                extend(alike.entry((turns, named.contains(&address))).or_default(), address, address);
            }
        }
        let subnets = subnets(before, index).chain(subnets(after, index)).collect::<Vec<_>>();
        let is_near =
            |one: &Ipv6Addr| one.is_unicast_link_local() || subnets.iter().any(|subnet| subnet.contains(one));
        for ((turns, named), targets) in alike {
            for turn in turns.iter().flatten().collect::<BTreeSet<_>>() {
                let mut senders = Vec::new();
                let (mut neighbours, mut probes) = (true, false);
                for (class, of_class) in classes.iter().zip(&turns) {
                    let same = of_class.as_ref() == Some(turn);
                    neighbours &= same || !is_near(&class.one);
                    probes |= same && class.one.is_unspecified();
                    if same {
                        extend(&mut senders, class.first.into(), class.last.into());
                    }
                }
                found.push(Effect {
                    interface: interface.name,
                    turn: *turn,
                    targets: targets.clone(),
                    named,
                    neighbours,
                    probes,
                    announcements: false,
                    senders,
                });
            }
        }
    }
    found
}

fn subnets(host: &crate::snapshot::Snapshot, index: IfIndex) -> impl Iterator<Item = Ipv6Net> + '_ {
    host.addresses_of(index).filter_map(|held| match held.subnet() {
        IpNet::V6(net) => Some(net),
        IpNet::V4(_) => None,
    })
}
