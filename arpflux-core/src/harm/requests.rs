//! Addresses that neighbours know only by what the host itself asks.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use super::Harm;
use super::hosts::Hosts;
use crate::predict::{ArpRequest, Model, Neighbours, Outgoing, ipv4_targets};
use crate::snapshot::{Route, Snapshot};
use crate::types::{IfIndex, IpNet};

impl Hosts<'_> {
    /// An own address that nobody on a wire answers for before and after a change that has this host ask otherwise: it
    /// sends the address's packets another way, or it answers for something else, and a host that has just been asked
    /// knows the asker and asks no more. Which neighbours lose it, nothing here tells.
    pub(super) fn known_by_requests(
        &self,
        now: &Model<'_>,
        then: &Model<'_>,
        asked_for: impl Fn(Ipv4Addr) -> bool,
    ) -> Option<Harm> {
        let (before, after) = (now.snapshot(), then.snapshot());
        let mut destinations: Vec<Ipv4Addr> =
            changed(before, after).filter_map(|route| self.host_of(route.destination)).collect();
        if before.rules != after.rules {
            destinations.extend(self.destinations().into_iter().map(|(_, host)| host));
        }
        let mut asked = Asked { hosts: self, neighbours: Neighbours::new(self.snapshot) };
        let moves = |address: Ipv4Addr, holder: IfIndex| {
            let way = |model: &Model<'_>, to: Ipv4Addr| model.outgoing(to, Some(address), None);
            // What is asked elsewhere now teaches nobody on this wire.
            let heard = |way: &Outgoing| match way {
                Outgoing::Asks { interface, .. } => self.wires.share(*interface, holder) == Some(true),
                Outgoing::NoRequest { .. } | Outgoing::Unreachable | Outgoing::Undetermined { .. } => false,
            };
            destinations.iter().any(|to| {
                let was = way(now, *to);
                heard(&was) && was != way(then, *to)
            })
        };
        for address in ipv4_targets(self.snapshot) {
            let holders = self.index.holders(IpAddr::V4(address));
            let Some(holder) = holders.iter().copied().find(|holder| self.listeners.contains(holder)) else {
                continue;
            };
            if !asked.nobody_answers(now, address, holder) || !asked.nobody_answers(then, address, holder) {
                continue;
            }
            let mut answered = ipv4_targets(after).into_iter().filter(|target| !asked_for(*target));
            let answers_more = |target: Ipv4Addr, asked: &mut Asked<'_, '_>| {
                asked.nobody_answers(now, target, holder) && !asked.nobody_answers(then, target, holder)
            };
            if moves(address, holder) || answered.any(|target| answers_more(target, &mut asked)) {
                return Some(Harm::Known { address, interface: self.name(holder)? });
            }
        }
        None
    }

    /// A host of a network that is not this one.
    fn host_of(&self, network: IpNet) -> Option<Ipv4Addr> {
        match network {
            IpNet::V4(network) => {
                network.hosts().find(|host| self.index.holders(IpAddr::V4(*host)).is_empty())
            }
            IpNet::V6(_) => None,
        }
    }
}

/// Those who ask on the wires of a host.
struct Asked<'h, 's> {
    hosts: &'h Hosts<'s>,
    neighbours: Neighbours<'s>,
}

impl Asked<'_, '_> {
    /// Whether no interface of the wire of `at` answers for an address.
    fn nobody_answers(&mut self, model: &Model<'_>, address: Ipv4Addr, at: IfIndex) -> bool {
        let sender = self.neighbours.of(at, address);
        self.hosts.beside(at).iter().all(|on| {
            let silent = |sender| {
                let request = ArpRequest::broadcast(*on, sender, address);
                model.reply(&request).answers() == Some(false)
            };
            model.never_answers(*on, address) || (silent(sender) && silent(self.neighbours.of(*on, address)))
        })
    }
}

/// The routes that come or go.
fn changed<'s>(before: &'s Snapshot, after: &'s Snapshot) -> impl Iterator<Item = &'s Route> {
    let [was, is] = [before, after].map(|host| host.routes.iter().collect::<HashSet<&Route>>());
    let gone: Vec<&Route> = was.difference(&is).copied().collect();
    let come: Vec<&Route> = is.difference(&was).copied().collect();
    gone.into_iter().chain(come)
}
