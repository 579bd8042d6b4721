//! `ndisc_recv_ns()` and what comes before it: who answers a neighbour solicitation.

use std::net::{IpAddr, Ipv6Addr};

use foldhash::{HashMap, HashMapExt as _, HashSet};

use super::fib6::Fib6;
use super::index::Model;
use super::interference::Meddlers;
use super::missing::{Missing, MissingSet};
use super::reason::Reason;
use super::reply::Run;
use super::request::{Advertised, Solicitation};
use super::step::{Silent, Step, Trace};
use super::verdict::{Delay, Verdict, Via};
use crate::filter::{Protocol, Rules};
use crate::frame::solicited_node;
use crate::snapshot::{AddressFlags, DiscoveryOn, Interference, LinkKind, RouteKind, ValueSource};
use crate::sysctl::Ipv6Sysctl;
use crate::types::{IfIndex, Mac};

/// `NTF_ROUTER` of a proxy entry.
const ROUTER: u8 = 0x80;
/// `NUD_NOARP | NUD_PERMANENT`: no solicitation changes the MAC of such a neighbour entry.
const FIXED: u16 = 0x40 | 0x80;

/// What is looked up for IPv6, made when the first solicitation is asked about.
#[derive(Debug)]
pub(super) struct Discovering<'s> {
    pub(super) fib: Fib6<'s>,
    addresses: HashMap<(Ipv6Addr, IfIndex), AddressFlags>,
    /// Whether the entry says that the address is a router's.
    proxies: HashMap<(Ipv6Addr, IfIndex), bool>,
    /// The interfaces that have an address from which answers can be sent.
    sources: HashSet<IfIndex>,
    fixed: HashMap<(Ipv6Addr, IfIndex), Option<Mac>>,
    meddlers: Meddlers,
    table_full: bool,
    /// What filters do with solicitations and advertisements.
    pub(super) rules: Rules<'s>,
}

impl<'s> Discovering<'s> {
    /// `meddling`: whether programs and filters are looked at.
    pub(super) fn new(model: &Model<'s>, meddling: bool) -> Self {
        let snapshot = model.snapshot;
        let v6 = |address: IpAddr| match address {
            IpAddr::V6(address) => Some(address),
            IpAddr::V4(_) => None,
        };
        let mut addresses = HashMap::new();
        for held in &snapshot.addresses {
            if let Some(local) = v6(held.local) {
                addresses.insert((local, held.interface), held.flags);
            }
        }
        let sources = addresses
            .iter()
            .filter(|(_, flags)| !is_tentative(**flags))
            .map(|((_, interface), _)| *interface)
            .collect();
        let proxies = snapshot
            .proxies
            .iter()
            .filter_map(|entry| Some(((v6(entry.address)?, entry.interface?), entry.flags & ROUTER != 0)));
        let fixed = snapshot
            .neighbours
            .iter()
            .filter(|entry| entry.state.0 & FIXED != 0)
            .filter_map(|entry| Some(((v6(entry.address)?, entry.interface), entry.mac)));
        let interference: &[Interference] = match &snapshot.discovery {
            Some(discovery) if meddling => &discovery.interference,
            Some(_) | None => &[],
        };
        let rules = Rules::new(Protocol::Discovery, &snapshot.filters_of(Protocol::Discovery));
        let full = |other: &Interference| matches!(other, Interference::FullNeighbourTable { .. });
        Self {
            fib: Fib6::new(snapshot),
            sources,
            proxies: proxies.collect(),
            fixed: fixed.collect(),
            addresses,
            meddlers: Meddlers::new(interference).with_options(snapshot),
            table_full: interference.iter().any(full),
            rules: if meddling { rules } else { rules.without_unknown() },
        }
    }

    /// Whether an interface has the address or an entry for it, or something else may answer there.
    pub(super) fn may_answer(&self, interface: IfIndex, target: Ipv6Addr) -> bool {
        self.addresses.contains_key(&(target, interface))
            || self.proxies.contains_key(&(target, interface))
            || !self.meddlers.on(interface).on_silence.is_empty()
    }
}

/// Duplicate address detection has not ended, or has failed, and the address may not be used meanwhile.
fn is_tentative(flags: AddressFlags) -> bool {
    flags.contains(AddressFlags::TENTATIVE) && !flags.contains(AddressFlags::OPTIMISTIC)
}

/// fe80::/10.
pub(super) const fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xffc0 == 0xfe80
}

impl Model<'_> {
    /// What the kernel does with a neighbour solicitation.
    #[must_use]
    pub fn advertise(&self, solicitation: &Solicitation) -> Verdict {
        self.decide(solicitation, &mut Silent)
    }

    /// The MAC that a permanent entry of an interface has for a neighbour.
    pub(crate) fn fixed_mac(&self, interface: IfIndex, neighbour: Ipv6Addr) -> Option<Mac> {
        self.discovering().fixed.get(&(neighbour, interface)).copied().flatten()
    }
}

/// How one run ended.
struct Outcome {
    slot: Option<usize>,
    received: bool,
    decision: Result<(Via, Advertised), Reason>,
}

impl<'s, T: Trace> Run<'_, 's, T> {
    /// One run, and what else may meddle.
    pub(super) fn solicited(&mut self, solicitation: &Solicitation) -> Verdict {
        if T::ON {
            self.trace.push(Step::Request {
                interface: self.model.snapshot.name_of(solicitation.interface),
                sender: solicitation.source.into(),
                target: solicitation.target.into(),
                unicast: solicitation.unicast,
            });
        }
        let arrived =
            self.arrive(solicitation.interface, solicitation.source_mac, solicitation.unicast, None);
        let outcome = match arrived {
            Err((slot, reason, received)) => {
                self.trace_interface(slot, solicitation.interface, reason);
                Outcome { slot, received, decision: Err(reason) }
            }
            Ok(slot) => {
                if self.model.snapshot.discovery.is_none() {
                    self.unknown(slot, Missing::Discovery);
                    return Verdict::Undetermined { missing: MissingSet::only(Missing::Discovery) };
                }
                let decision = self.discover(slot, solicitation);
                let decision = decision.and_then(|decided| {
                    self.passes_filters(slot, solicitation, decided)?;
                    Ok(decided)
                });
                Outcome { slot: Some(slot), received: true, decision }
            }
        };
        let verdict = self.verdict_of(solicitation, &outcome);
        if T::ON {
            self.trace_end(&verdict, outcome.slot);
        }
        self.with_meddlers(solicitation, &outcome, verdict)
    }

    fn verdict_of(&self, solicitation: &Solicitation, outcome: &Outcome) -> Verdict {
        let (Ok((via, advertised)), Some(slot)) = (outcome.decision, outcome.slot) else {
            let reason = outcome.decision.err().unwrap_or(Reason::NotProxied);
            return Verdict::Silent { reason };
        };
        let port = &self.model.ports[slot];
        let (below_ms, queue) = self.on(slot).map_or((0, 0), |on| (on.proxy_delay, on.proxy_qlen));
        let waits = via != Via::Local && !solicitation.unicast && below_ms > 0;
        Verdict::Answers {
            mac: port.mac,
            via,
            interface: IfIndex(port.index),
            delay: waits.then_some(Delay { below_ms, queue }),
            advertised: Some(advertised),
        }
    }

    fn with_meddlers(&self, solicitation: &Solicitation, outcome: &Outcome, verdict: Verdict) -> Verdict {
        let (true, Some(slot)) = (outcome.received, outcome.slot) else { return verdict };
        let model = self.model;
        let discovering = model.discovering();
        let answers = outcome.decision.is_ok();
        let interface = IfIndex(model.ports[slot].index);
        let mut missing = MissingSet::NONE;
        if answers && model.ports[slot].balances_answers {
            missing = missing.and(MissingSet::only(Missing::Bond));
        }
        let known = |source| {
            let entry = |entry: &crate::snapshot::Neighbour| {
                entry.interface == interface && entry.address == IpAddr::V6(source)
            };
            model.snapshot.neighbours.iter().any(entry)
        };
        if answers
            && discovering.table_full
            && !solicitation.source.is_unspecified()
            && !known(solicitation.source)
        {
            missing = missing.and(MissingSet::only(Missing::NeighbourTable));
        }
        // What a port does for others may also keep solicitations from the bridge itself.
        let port = model.slot(solicitation.interface).map(|slot| model.interface(slot));
        if port.is_some_and(|port| port.bridging.answers_for_others) {
            missing = missing.and(MissingSet::only(Missing::BridgePort));
        }
        for at in [solicitation.interface, interface] {
            let effect = discovering.meddlers.on(at);
            missing = missing.and(if answers { effect.on_answers } else { effect.on_silence });
        }
        if missing.is_empty() { verdict } else { Verdict::Undetermined { missing } }
    }

    fn on(&self, slot: usize) -> Option<&'s DiscoveryOn> {
        let discovery = self.model.snapshot.discovery.as_ref()?;
        discovery.on(IfIndex(self.model.ports[slot].index))
    }

    /// From `ip6_rcv_core()` to `ndisc_send_na()`.
    fn discover(&mut self, slot: usize, solicitation: &Solicitation) -> Result<(Via, Advertised), Reason> {
        let model = self.model;
        let port = &model.ports[slot];
        let (source, target, unicast) = (solicitation.source, solicitation.target, solicitation.unicast);
        let probe = source.is_unspecified();
        let on = self.on(slot).filter(|on| !on.disable_ipv6);
        let Some(on) = on else { return self.dropped(slot, Reason::Ipv6Disabled) };
        if port.loopback {
            return self.dropped(slot, Reason::LoopbackInterface);
        }
        let kind = model.interface(slot).kind.as_ref();
        // ipvlan_addr_lookup() goes by the target of a solicitation too.
        if (port.l3mdev != 0 || port.ipvlans || matches!(kind, Some(LinkKind::Ipvlan | LinkKind::Ipvtap)))
            && !self.unknown(slot, Missing::Kind)
        {
            return Err(Reason::NotProxied);
        }
        if source.is_multicast() {
            return self.refused(source, Reason::MartianSender);
        }
        if source.is_loopback() {
            return self.refused(source, Reason::LoopbackSender);
        }
        if target.is_multicast() {
            return self.refused(target, Reason::MulticastTarget);
        }
        if unicast {
            self.reaches_by_route(slot, on, source, target)?;
            if probe {
                return self.refused(target, Reason::UnicastProbe);
            }
        } else {
            self.reaches_by_group(slot, on, source, target)?;
        }
        let (via, advertised) = self.holds(slot, on, solicitation)?;
        if probe {
            return Ok((via, advertised));
        }
        if port.noarp {
            return self.dropped(slot, Reason::NoArp);
        }
        if let Some(fixed) = model.discovering().fixed.get(&(source, IfIndex(port.index))) {
            let same = match (fixed, solicitation.source_mac) {
                (Some(fixed), Some(asker)) => *fixed == asker,
                (None, _) | (_, None) => self.unknown(slot, Missing::NeighbourEntry),
            };
            if !same {
                return self.refused(source, Reason::FixedNeighbour);
            }
        }
        Ok((via, advertised))
    }

    /// A multicast solicitation: the group, and the route to it.
    fn reaches_by_group(
        &mut self,
        slot: usize,
        on: &DiscoveryOn,
        source: Ipv6Addr,
        target: Ipv6Addr,
    ) -> Result<(), Reason> {
        let group = solicited_node(target);
        if on.groups.binary_search(&group).is_err() {
            return self.refused(group, Reason::GroupNotJoined);
        }
        if on.snoops && !self.unknown(slot, Missing::BridgePort) {
            return self.refused(group, Reason::GroupNotJoined);
        }
        // ip6_route_input(): of routes for groups, those of the arrival interface alone count.
        let route = self.route6(slot, source, group, true)?;
        let destination = route.destination.network();
        if !destination.is_multicast() {
            return self.refused(group, Reason::RouteKind);
        }
        Ok(())
    }

    /// A unicast solicitation: it gets to the host's own stack by a local route, or by `ip6_forward()`, which takes
    /// what is for a proxied address out.
    fn reaches_by_route(
        &mut self,
        slot: usize,
        on: &DiscoveryOn,
        source: Ipv6Addr,
        target: Ipv6Addr,
    ) -> Result<(), Reason> {
        let model = self.model;
        if target.is_loopback() {
            return self.refused(target, Reason::LoopbackTarget);
        }
        let route = self.route6(slot, source, target, is_link_local(target))?;
        if matches!(route.kind, RouteKind::Local | RouteKind::Anycast) {
            return Ok(());
        }
        if route.destination.network().is_multicast() {
            return Err(Reason::NotProxied);
        }
        let all = &model.snapshot.all_ipv6;
        if all.forwarding == Some(0) && !on.force_forwarding {
            self.trace_ipv6(
                slot,
                Ipv6Sysctl::Forwarding,
                (0, ValueSource::All),
                false,
                "what is sent to its MAC alone is not passed on",
            );
            return Err(Reason::ForwardingOff);
        }
        if all.proxy_ndp == Some(0) {
            self.trace_ipv6(
                slot,
                Ipv6Sysctl::ProxyNdp,
                (0, ValueSource::All),
                false,
                "what is sent to its MAC alone needs the value of all",
            );
            return Err(Reason::ProxyNdpOff);
        }
        if !model.discovering().proxies.contains_key(&(target, IfIndex(model.ports[slot].index))) {
            self.trace_entry(slot, target, false);
            return Err(Reason::NotProxied);
        }
        Ok(())
    }

    /// `ndisc_recv_ns()`: an own address of this very interface, an anycast address, or a proxy entry.
    fn holds(
        &mut self,
        slot: usize,
        on: &DiscoveryOn,
        solicitation: &Solicitation,
    ) -> Result<(Via, Advertised), Reason> {
        let model = self.model;
        let discovering = model.discovering();
        let (target, probe) = (solicitation.target, solicitation.source.is_unspecified());
        let index = IfIndex(model.ports[slot].index);
        let interface = model.interface(slot);
        let forwards = interface.ipv6.forwarding.unwrap_or(0) != 0;
        let own = discovering.addresses.get(&(target, index));
        if T::ON {
            let name = |held: &IfIndex| model.snapshot.interface(*held).map(|interface| interface.name);
            let holders = model.snapshot.holders_of(target.into()).collect::<Vec<_>>();
            let interfaces = holders.iter().filter_map(name).collect();
            self.trace.push(Step::LocalAddress {
                address: target.into(),
                local: !holders.is_empty(),
                interfaces,
            });
        }
        if let Some(flags) = own {
            let optimistic = flags.contains(AddressFlags::OPTIMISTIC);
            if is_tentative(*flags) || (optimistic && probe) {
                return self.refused(target, Reason::Tentative);
            }
            let overrides = (probe || !solicitation.unicast) && !optimistic;
            return Ok((Via::Local, Advertised { router: forwards, solicited: !probe, overrides }));
        }
        let via = if on.anycast.binary_search(&target).is_ok() {
            Ok((Via::Anycast, forwards))
        } else {
            self.is_proxied(slot, target, forwards)
        };
        let (via, router) = match via {
            Err(Reason::NotProxied | Reason::ForwardingOff | Reason::ProxyNdpOff)
                if model.snapshot.holders_of(target.into()).next().is_some() =>
            {
                return self.refused(target, Reason::OtherInterface);
            }
            other => other?,
        };
        // ipv6_dev_get_saddr(): the answer is sent from another address.
        let narrow = probe || is_link_local(solicitation.source) || on.use_oif_addrs_only;
        let within = |held: &IfIndex| match narrow {
            true => *held == index,
            false => model.slot(*held).is_some_and(|slot| model.ports[slot].l3mdev == 0),
        };
        if !discovering.sources.iter().any(within) {
            return self.refused(target, Reason::NoSourceAddress);
        }
        Ok((via, Advertised { router, solicited: !probe, overrides: false }))
    }

    /// The interface's own forwarding, `proxy_ndp` of either, and the entry (`pndisc_is_router()`).
    fn is_proxied(&mut self, slot: usize, target: Ipv6Addr, forwards: bool) -> Result<(Via, bool), Reason> {
        let model = self.model;
        let interface = model.interface(slot);
        let entry = model.discovering().proxies.get(&(target, interface.index));
        self.trace_entry(slot, target, entry.is_some());
        let Some(router) = entry else { return Err(Reason::NotProxied) };
        let own = ValueSource::Interface;
        let value = i32::from(forwards);
        self.trace_ipv6(
            slot,
            Ipv6Sysctl::Forwarding,
            (value, own),
            forwards,
            "only the interface's own value counts",
        );
        if !forwards {
            return Err(Reason::ForwardingOff);
        }
        let is_on = |value: Option<i32>| value.unwrap_or(0) != 0;
        let (all, here) = (is_on(model.snapshot.all_ipv6.proxy_ndp), is_on(interface.ipv6.proxy_ndp));
        let source = match (all, here) {
            (true, false) => ValueSource::All,
            (false, true) => ValueSource::Interface,
            (true, true) | (false, false) => ValueSource::Both,
        };
        let value = i32::from(all || here);
        self.trace_ipv6(
            slot,
            Ipv6Sysctl::ProxyNdp,
            (value, source),
            all || here,
            "entries answer where it is on",
        );
        if all || here { Ok((Via::ProxyEntry, *router)) } else { Err(Reason::ProxyNdpOff) }
    }

    fn dropped<R>(&mut self, slot: usize, reason: Reason) -> Result<R, Reason> {
        self.trace_interface(Some(slot), IfIndex(self.model.ports[slot].index), reason);
        Err(reason)
    }

    fn refused<R>(&mut self, address: Ipv6Addr, reason: Reason) -> Result<R, Reason> {
        if T::ON {
            self.trace.push(Step::Refused { address: address.into(), reason });
        }
        Err(reason)
    }

    fn trace_entry(&mut self, slot: usize, target: Ipv6Addr, found: bool) {
        if T::ON {
            let interface = found.then(|| self.model.interface(slot).name);
            self.trace.push(Step::ProxyEntry { address: target.into(), interface, found });
        }
    }

    fn trace_ipv6(
        &mut self,
        slot: usize,
        sysctl: Ipv6Sysctl,
        (value, source): (i32, ValueSource),
        passes: bool,
        meaning: &'static str,
    ) {
        if T::ON {
            let interface = self.model.interface(slot).name;
            self.trace.push(Step::Ipv6Sysctl { interface, sysctl, value, source, passes, meaning });
        }
    }

    fn trace_end(&mut self, verdict: &Verdict, slot: Option<usize>) {
        let interface = slot.map(|slot| self.model.interface(slot).name);
        if let (Verdict::Answers { delay: Some(delay), .. }, Some(interface)) = (verdict, interface) {
            let (below_ms, queue) = (delay.below_ms, delay.queue);
            self.trace.push(Step::Delayed { interface, below_ms, queue });
        }
        if let Some(reason) = verdict.reason() {
            self.trace.push(Step::Verdict { reason, mac: verdict.mac().copied(), interface });
        }
    }
}
