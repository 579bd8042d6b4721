//! Whether an interface answers for other hosts of its own wire.

use std::net::{IpAddr, Ipv4Addr};

use foldhash::HashSet;

use super::prover::{Proof, Prover};
use super::row::{Asker, Fate};
use crate::snapshot::WireMap;
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IpNet, Ipv4Net};

impl Prover<'_> {
    /// Whether `interface` answers no host of its wire for another one of it, where `proxy_arp` or `proxy_arp_pvlan`
    /// may make it; `None` where neither is set. A host of the wire has an address of one of the wire's subnets
    /// that no longer prefix leads elsewhere, that is not this host's, and that no proxy entry names.
    pub(crate) fn others_of_wire(&mut self, map: &WireMap, interface: IfIndex) -> Option<Proof> {
        let snapshot = self.model().snapshot();
        let on = |sysctl| {
            let interface = snapshot.interface(interface)?;
            Some(snapshot.effective(interface, sysctl).value != 0)
        };
        if on(Sysctl::ProxyArp) != Some(true) && on(Sysctl::ProxyArpPvlan) != Some(true) {
            return None;
        }
        let mut subnets: Vec<Ipv4Net> = Vec::new();
        for held in map.beside(interface).iter().flat_map(|index| snapshot.addresses_of(*index)) {
            if let IpNet::V4(net) = held.subnet()
                && held.is_public()
                && held.peer.is_none()
                && net.prefix_len() < 32
                && !subnets.contains(&net)
            {
                subnets.push(net);
            }
        }
        let view = self.view(interface);
        let mut hosts: Vec<(u32, u32)> = Vec::new();
        for (interval, example) in subnets.iter().flat_map(|subnet| self.space.neighbours(*subnet)) {
            let class = view.senders.of[interval];
            if !hosts.iter().any(|(known, _)| *known == class) {
                hosts.push((class, example));
            }
        }
        let (mut cases, mut open) = (0, None);
        for target in self.other_hosts(interface, &subnets) {
            let address = IpAddr::V4(target.into());
            cases += self.cases(interface, address);
            for (class, sender) in hosts.iter().copied() {
                // Where both are of one class, another member asks.
                let sender = if sender == target {
                    view.senders.members[class as usize].except(target)
                } else {
                    Some(sender)
                };
                let Some(sender) = sender.map(|sender| IpAddr::V4(sender.into())) else { continue };
                for unicast in [false, true] {
                    match self.fate(interface, sender, address, unicast) {
                        Fate::Answered => {
                            let evidence = self.asked(interface, sender, address, unicast);
                            return Some(self.refuted(vec![evidence]));
                        }
                        Fate::Open => open = open.or(Some((address, Asker { class: Some(class), unicast }))),
                        Fate::Silent => {}
                    }
                }
            }
        }
        Some(match open {
            None => Proof::Proved { cases },
            Some((target, asker)) => self.undetermined(interface, target, asker),
        })
    }

    /// Of each class of targets on `interface` that other hosts in `subnets` are of, an address.
    fn other_hosts(&mut self, interface: IfIndex, subnets: &[Ipv4Net]) -> Vec<u32> {
        let view = self.view(interface);
        let proxies = &self.model().snapshot().proxies;
        let proxied: HashSet<IpAddr> = proxies.iter().map(|entry| entry.address).collect();
        let mut seen = vec![false; view.targets.members.len()];
        let mut found = Vec::new();
        for subnet in subnets {
            let ends = u32::from(subnet.prefix_len() < 31);
            let (first, last) = (u32::from(subnet.network()) + ends, u32::from(subnet.broadcast()) - ends);
            for interval in view.targets.interval(first)..=view.targets.interval(last) {
                let (class, start) = (view.targets.of[interval], view.targets.starts[interval].max(first));
                let elsewhere = self.space.longest_around(start) > subnet.prefix_len();
                // An entry is a class, and an interval, of its own.
                if elsewhere || start > last || proxied.contains(&IpAddr::V4(Ipv4Addr::from(start))) {
                    continue;
                }
                if !std::mem::replace(&mut seen[class as usize], true) {
                    found.push(start);
                }
            }
        }
        found
    }
}
