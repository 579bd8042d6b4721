//! What others send to this host and through it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::Harm;
use super::around::ELSEWHERE;
use super::hosts::{ADDRESSES_MAX, Hosts};
use crate::predict::{ArpRequest, Forwarded, Model};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, Ipv4Net};

/// What becomes of a packet, by the interface that it arrives on.
type Arrivals = BTreeMap<IfIndex, Forwarded>;

impl Hosts<'_> {
    /// What arrives from each host, for this host's own addresses, for each other host and for the rest of the world.
    ///
    /// It arrives on an interface that answers for its destination or, where the sender does not have that on its link, for
    /// the address of this host that the sender has as its router. Which one that is nothing here tells, so each counts.
    pub(super) fn packets_of_others(
        &self,
        now: &Model<'_>,
        then: &Model<'_>,
        destinations: &[(IfIndex, Ipv4Addr)],
        own: &[Ipv4Addr],
    ) -> Vec<Harm> {
        let destinations = &destinations[..destinations.len().min(ADDRESSES_MAX)];
        let mut harm = Vec::new();
        let mut groups: BTreeMap<Vec<IfIndex>, usize> = BTreeMap::new();
        let mut done: BTreeSet<(usize, Ipv4Addr)> = BTreeSet::new();
        let mut may_answer: BTreeMap<(usize, Ipv4Addr), [Vec<IfIndex>; 2]> = BTreeMap::new();
        for (arrival, from) in destinations {
            let others = destinations.iter().filter(|(index, _)| index != arrival).map(|(_, to)| *to);
            // Wires that may be one count as one: a neighbour may be on both.
            let mut wire = self.hear(*arrival, *from);
            let doubted = self.wires.doubted(*arrival).into_iter();
            wire.extend(doubted.filter(|one| self.listeners.binary_search(one).is_ok()));
            let mut sorted = wire.clone();
            sorted.sort();
            let number = groups.len();
            let group = *groups.entry(sorted).or_insert(number);
            // Several interfaces of one wire have the same neighbours.
            if !done.insert((group, *from)) {
                continue;
            }
            // Those that answer for an address if it is asked for from another one, before and after.
            let mut answering = |from: Ipv4Addr, to: Ipv4Addr| -> [Vec<IfIndex>; 2] {
                let may = may_answer.entry((group, to)).or_insert_with(|| {
                    let may = |model: &Model<'_>| {
                        wire.iter().copied().filter(|on| !model.never_answers(*on, to)).collect()
                    };
                    [may(now), may(then)]
                });
                let answers = |model: &Model<'_>, may: &[IfIndex]| {
                    let asked = |on: &IfIndex| model.reply(&ArpRequest::broadcast(*on, from, to));
                    may.iter().copied().filter(|on| asked(on).answers() == Some(true)).collect()
                };
                [answers(now, &may[0]), answers(then, &may[1])]
            };
            let subnets = self.subnets(*arrival, *from);
            let on_link = |address: Ipv4Addr| subnets.iter().any(|subnet| subnet.contains(&address));
            let routers: Vec<(Ipv4Addr, [Vec<IfIndex>; 2])> = own
                .iter()
                .filter(|address| on_link(**address))
                .map(|router| (*router, answering(*from, *router)))
                .collect();
            // Addresses that the same machine may have, on a wire that may be this one: it sends from each of them to whoever
            // answers one of them.
            let doubted = self.wires.doubted(*arrival);
            let its_others =
                || destinations.iter().filter(|(index, _)| doubted.contains(index)).map(|(_, from)| *from);
            for to in own.iter().copied().chain(others).chain([ELSEWHERE]) {
                let [mut was, mut is] = [Arrivals::new(), Arrivals::new()];
                let mut was = |on: IfIndex| *was.entry(on).or_insert_with(|| now.forwarded(on, *from, to));
                let mut is = |on: IfIndex| *is.entry(on).or_insert_with(|| then.forwarded(on, *from, to));
                let gets_there =
                    |way: Forwarded| matches!(way, Forwarded::Leaves { .. } | Forwarded::Delivered);
                let [answered, answers] = answering(*from, to);
                let near = on_link(to);
                // Who has an address of another subnet of the wire as well asks for it, too.
                let may_be_near = near || self.may_be_near(*arrival, to);
                let by_any = |answering: Vec<IfIndex>| {
                    if answering.is_empty() && !may_be_near { wire.clone() } else { answering }
                };
                // That nobody answers any more for what a neighbour has on its link is told for itself.
                let lost = !(near && answers.is_empty())
                    && by_any(answered.clone()).into_iter().any(|on| gets_there(was(on)))
                    && by_any(answers).into_iter().all(|on| is(on) == Forwarded::Dropped);
                let misled = !lost
                    && near
                    && answered.iter().any(|on| gets_there(was(*on)))
                    && its_others().any(|other| {
                        let [before, after] = answering(other, to);
                        let mut new =
                            after.into_iter().filter(|on| !before.contains(on) && !answered.contains(on));
                        new.any(|on| is(on) == Forwarded::Dropped)
                    });
                let lost = (lost || misled).then_some((None, *arrival));
                let mut by_router = |router: &(Ipv4Addr, [Vec<IfIndex>; 2])| {
                    let (router, [answered, answers]) = router;
                    let on = *answers.first()?;
                    let dropped = answers.iter().all(|on| is(*on) == Forwarded::Dropped);
                    // What goes back to the wire that it came from got there without this host. And for addresses that can be
                    // asked for on a wire of theirs this host is a router only if it is one for others.
                    let passed = |way: Forwarded| match way {
                        Forwarded::Leaves { interface } => {
                            self.wires.share(interface, *arrival) != Some(true)
                        }
                        Forwarded::Delivered => self.forwards(*arrival) || self.aside(to).is_some(),
                        Forwarded::Dropped | Forwarded::Undetermined { .. } => false,
                    };
                    let lost = dropped && answered.iter().any(|on| passed(was(*on)));
                    lost.then_some((Some(IpAddr::V4(*router)), on))
                };
                let lost = lost.or_else(|| if near { None } else { routers.iter().find_map(&mut by_router) });
                if let Some((router, on)) = lost
                    && let Some(interface) = self.name(on)
                {
                    harm.push(Harm::Way { from: Some((*from).into()), to: to.into(), interface, router });
                }
            }
        }
        harm
    }

    /// Whether an address of this host is in a subnet of what is, or may be, the wire of `arrival`.
    fn may_be_near(&self, arrival: IfIndex, address: Ipv4Addr) -> bool {
        let near = |holder: &IfIndex| {
            self.wires.is_connected(*holder) && self.wires.share(arrival, *holder) != Some(false)
        };
        let holder = self.index.holders(IpAddr::V4(address)).iter().copied().find(near);
        let subnets = holder.and_then(|holder| self.around.subnets.get(&holder));
        subnets.is_some_and(|subnets| subnets.iter().any(|subnet| subnet.contains(&address)))
    }

    fn forwards(&self, arrival: IfIndex) -> bool {
        let arrival = self.snapshot.interface(arrival);
        arrival.is_some_and(|arrival| self.snapshot.effective(arrival, Sysctl::Forwarding).value != 0)
    }

    /// The subnets that a host on the wire of `arrival` has on its link, as this host has them.
    fn subnets(&self, arrival: IfIndex, host: Ipv4Addr) -> BTreeSet<Ipv4Net> {
        let wire = self.wires.beside(arrival).iter().copied().chain(self.wires.doubted(arrival));
        let subnets = wire.filter_map(|on| self.around.subnets.get(&on)).flatten().copied();
        subnets.filter(|subnet| subnet.contains(&host)).collect()
    }
}
