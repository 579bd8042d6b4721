//! `arp_rcv()`, `arp_process()` and `ip_route_input_slow()`.

use std::net::Ipv4Addr;

use super::ArpRequest;
use super::fib::{Flow, Looked, NoRoute};
use super::index::{Model, Port};
use super::missing::{Missing, MissingSet};
use super::oracle::Oracle;
use super::reason::Reason;
use super::request::{Request, Solicitation};
use super::step::{Purpose, Silent, Step, Trace};
use super::table::Hop;
use super::verdict::{Delay, Verdict, Via};
use crate::snapshot::RouteKind;
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, Mac};

/// One run of the decision.
pub(super) struct Run<'r, 's, T> {
    pub(super) model: &'r Model<'s>,
    pub(super) oracle: &'r mut Oracle,
    pub(super) trace: &'r mut T,
}

/// A question that is decided in runs.
pub(super) trait Asked {
    /// One run, with what else may meddle.
    fn run<T: Trace>(&self, run: &mut Run<'_, '_, T>) -> Verdict;

    /// Whether it certainly gets no answer, whatever the unknowns may be.
    fn is_never_answered(&self, _: &Model<'_>) -> bool {
        false
    }
}

impl Asked for ArpRequest {
    fn run<T: Trace>(&self, run: &mut Run<'_, '_, T>) -> Verdict {
        let outcome = run.outcome(self);
        run.model.judge(self, &outcome)
    }

    fn is_never_answered(&self, model: &Model<'_>) -> bool {
        model.never_answers(self.interface, self.target)
    }
}

impl Asked for Solicitation {
    fn run<T: Trace>(&self, run: &mut Run<'_, '_, T>) -> Verdict {
        run.solicited(self)
    }
}

/// How one run ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// Which interface decided.
    slot: Option<usize>,
    /// Whether frames get as far as filters and listeners on that interface.
    received: bool,
    /// Why it answers, and with which MAC if not the interface's own.
    decision: Result<(Via, Option<Mac>), Reason>,
}

/// How many combinations of unknowns are tried before giving up.
const RUNS: usize = 512;

impl Model<'_> {
    /// What the kernel does with a request. Allocates nothing.
    #[must_use]
    pub fn reply(&self, request: &ArpRequest) -> Verdict {
        self.decide(request, &mut Silent)
    }

    /// Whether strict `rp_filter` keeps an interface silent for this address.
    pub(crate) fn strict_silences(&self, interface: IfIndex, sender: Ipv4Addr, target: Ipv4Addr) -> bool {
        let verdict = self.reply(&ArpRequest::broadcast(interface, sender, target));
        matches!(verdict, Verdict::Silent { reason: Reason::RpFilterStrict })
    }

    /// What the kernel does with a question of either family.
    #[must_use]
    pub fn answer(&self, request: &Request) -> Verdict {
        match request {
            Request::Arp(request) => self.reply(request),
            Request::Solicitation(solicitation) => self.advertise(solicitation),
        }
    }

    /// The verdict, with the steps of the first run in `trace`.
    pub(super) fn decide<Q: Asked, T: Trace>(&self, request: &Q, trace: &mut T) -> Verdict {
        self.decide_with(request, &mut Oracle::default(), trace)
    }

    pub(super) fn decide_with<Q: Asked, T: Trace>(
        &self,
        request: &Q,
        oracle: &mut Oracle,
        trace: &mut T,
    ) -> Verdict {
        #[cfg(test)]
        super::scale_tests::count();
        match request.run(&mut Run { model: self, oracle: &mut *oracle, trace }) {
            Verdict::Undetermined { missing } => Verdict::Undetermined { missing },
            verdict => self.try_others(request, oracle, verdict),
        }
    }

    /// Runs the decision for everything else that the unknowns may be.
    fn try_others<Q: Asked>(&self, request: &Q, oracle: &mut Oracle, first: Verdict) -> Verdict {
        if oracle.asked().is_empty() || request.is_never_answered(self) {
            return first;
        }
        let mut runs = 1;
        while oracle.advance() {
            let other = request.run(&mut Run { model: self, oracle, trace: &mut Silent });
            runs += 1;
            if runs > RUNS || !first.same_answer(&other) {
                return Verdict::Undetermined { missing: oracle.asked() };
            }
        }
        if oracle.overflow { Verdict::Undetermined { missing: oracle.asked() } } else { first }
    }

    /// The verdict of one run, with what else may meddle.
    fn judge(&self, request: &ArpRequest, outcome: &Outcome) -> Verdict {
        let verdict = match (outcome.decision, outcome.slot) {
            (Ok((via, mac)), Some(slot)) => {
                let port = &self.ports[slot];
                Verdict::Answers {
                    mac: mac.unwrap_or(port.mac),
                    via,
                    interface: IfIndex(port.index),
                    delay: delay(port, via, request.unicast),
                    advertised: None,
                }
            }
            (Ok((via, _)), None) => Verdict::Silent { reason: via.reason() },
            (Err(reason), _) => Verdict::Silent { reason },
        };
        if !outcome.received {
            return verdict;
        }
        if let (Ok(_), Some(slot)) = (outcome.decision, outcome.slot)
            && self.ports[slot].balances_answers
        {
            return Verdict::Undetermined { missing: MissingSet::only(Missing::Bond) };
        }
        if let (Ok((Via::Local, _)), Some(slot)) = (outcome.decision, outcome.slot)
            && self.no_room_for(request.sender, IfIndex(self.ports[slot].index))
        {
            return Verdict::Undetermined { missing: MissingSet::only(Missing::NeighbourTable) };
        }
        let mut effect = self.meddlers.on(request.interface);
        if let Some(slot) = outcome.slot
            && self.ports[slot].index != request.interface.0
        {
            let upper = self.meddlers.on(IfIndex(self.ports[slot].index));
            effect.on_answers = effect.on_answers.and(upper.on_answers);
            effect.on_silence = effect.on_silence.and(upper.on_silence);
        }
        let missing = if outcome.decision.is_ok() { effect.on_answers } else { effect.on_silence };
        if missing.is_empty() { verdict } else { Verdict::Undetermined { missing } }
    }
}

/// `pneigh_enqueue()`: only proxied answers to broadcast requests wait.
fn delay(port: &Port, via: Via, unicast: bool) -> Option<Delay> {
    (via != Via::Local && !unicast && port.proxy_delay > 0)
        .then_some(Delay { below_ms: port.proxy_delay, queue: port.proxy_qlen })
}

/// 127/8 (`ipv4_is_loopback()`).
pub(super) const fn is_loopback(address: Ipv4Addr) -> bool {
    address.octets()[0] == 127
}

impl<T: Trace> Run<'_, '_, T> {
    fn outcome(&mut self, request: &ArpRequest) -> Outcome {
        if T::ON {
            let interface = self.model.snapshot.name_of(request.interface);
            self.trace.push(Step::Request {
                interface,
                sender: request.sender.into(),
                target: request.target.into(),
                unicast: request.unicast,
            });
        }
        let (slot, received, decision) = match self.receive(request) {
            Ok(slot) => (Some(slot), true, self.answer(slot, request)),
            Err((slot, reason, received)) => {
                self.trace_interface(slot, request.interface, reason);
                (slot, received, Err(reason))
            }
        };
        if T::ON {
            self.trace_verdict(slot, decision, request.unicast);
        }
        Outcome { slot, received, decision }
    }

    /// `arp_process()`.
    pub(super) fn process(&mut self, slot: usize, sender: Ipv4Addr, target: Ipv4Addr) -> Result<Via, Reason> {
        let port = &self.model.ports[slot];
        if target.is_multicast() {
            return self.refuse(target, Reason::MulticastTarget);
        }
        if is_loopback(target) && !port.route_localnet {
            self.trace_sysctl(slot, Sysctl::RouteLocalnet, false, "127/8 stays inside the host");
            return Err(Reason::LoopbackTarget);
        }
        if sender == target && port.drops_gratuitous {
            self.trace_sysctl(slot, Sysctl::DropGratuitousArp, false, "sender and target are the same");
            return Err(Reason::GratuitousDropped);
        }
        if sender.is_unspecified() {
            return self.probe(slot, target);
        }
        let looked = self.route_input(slot, sender, target)?;
        let Some((out, pvlan)) = looked else {
            // It is a local address.
            self.arp_ignore(slot, sender, target)?;
            self.arp_filter(slot, sender, target)?;
            return Ok(Via::Local);
        };
        self.proxy(slot, out, pvlan, sender, target)
    }

    /// The short path of a probe (RFC 5227): only own addresses, only `arp_ignore`.
    fn probe(&mut self, slot: usize, target: Ipv4Addr) -> Result<Via, Reason> {
        let special = target.is_unspecified() || target.is_broadcast();
        let table = self.model.ports[slot].l3mdev_table;
        let local = !special && self.is_local(target.to_bits(), table);
        if T::ON {
            let interfaces = self.names(self.model.addresses.holders(target));
            self.trace.push(Step::LocalAddress { address: target.into(), local, interfaces });
        }
        if !local {
            return Err(Reason::ProbeNotLocal);
        }
        self.arp_ignore(slot, Ipv4Addr::UNSPECIFIED, target)?;
        Ok(Via::Local)
    }

    /// `ip_route_input_slow()` for a request. `Ok(None)`: a local address. `Ok(Some(…))`: a unicast route, the
    /// interface it leaves by, and whether `proxy_arp_pvlan` is on (only asked where it matters).
    fn route_input(
        &mut self,
        slot: usize,
        sender: Ipv4Addr,
        target: Ipv4Addr,
    ) -> Result<Option<(usize, bool)>, Reason> {
        let port = &self.model.ports[slot];
        if sender.is_multicast() || sender.is_broadcast() {
            return self.refuse(sender, Reason::MartianSender);
        }
        if target.is_broadcast() {
            return self.refuse(target, Reason::MartianTarget);
        }
        if sender.is_unspecified() {
            return self.refuse(sender, Reason::MartianSender);
        }
        if target.is_unspecified() {
            return self.refuse(target, Reason::MartianTarget);
        }
        if !is_loopback(target) && is_loopback(sender) && !port.route_localnet {
            self.trace_sysctl(slot, Sysctl::RouteLocalnet, false, "127/8 stays inside the host");
            return Err(Reason::LoopbackSender);
        }
        let mut flow = Flow::new(port.index, 0, 0, target.to_bits(), sender.to_bits());
        let looked = self.look_up(&mut flow, Purpose::Target).map_err(|none| match none {
            NoRoute::None => Reason::NoRoute,
            NoRoute::Rejected => Reason::RouteRejects,
        })?;
        match looked.hit.alias.kind {
            RouteKind::Broadcast => return Err(Reason::BroadcastTarget),
            RouteKind::Local => {
                self.validate_source(slot, sender, target, 0)?;
                return Ok(None);
            }
            _ => {}
        }
        if !port.forwarding {
            self.trace_sysctl(slot, Sysctl::Forwarding, false, "only own addresses are answered for");
            return Err(Reason::ForwardingOff);
        }
        if looked.hit.alias.kind != RouteKind::Unicast {
            return Err(Reason::RouteKind);
        }
        // fib_select_multipath(): the hash has a secret key, so that only the choice is known.
        let hop = self.select_hop(&looked, false);
        let Some(out) = self.model.ports.get(hop.slot as usize) else { return Err(Reason::NoRoute) };
        if !out.ipv4 {
            self.trace_interface(Some(hop.slot as usize), IfIndex(out.index), Reason::Ipv4DisabledBehind);
            return Err(Reason::Ipv4DisabledBehind);
        }
        self.oracle.compare(out.index);
        self.validate_source(slot, sender, target, out.index)?;
        let mut pvlan = false;
        if out.index == port.index {
            pvlan = self.pvlan(slot);
            if !pvlan {
                self.trace_sysctl(
                    slot,
                    Sysctl::ProxyArpPvlan,
                    false,
                    "nothing is sent back where it came from",
                );
                return Err(Reason::SameInterface);
            }
        }
        Ok(Some((hop.slot as usize, pvlan)))
    }

    /// One of the next hops that count; where several do, unknown which. Unless `gateways` matter, hops
    /// through one interface are as good as one.
    pub(super) fn select_hop(&mut self, looked: &Looked, gateways: bool) -> Hop {
        let model = self.model;
        let hops = model.fib.table(looked.table).hops_of(&looked.hit.alias);
        if hops.len() <= 1 {
            return looked.hit.hop;
        }
        let mut good = 0;
        for at in 0..hops.len() {
            if self.counts(hops, at, gateways) {
                good += 1;
            }
        }
        let chosen = self.oracle.choose(Missing::Multipath, good);
        if T::ON && good > 1 {
            let detail = format!("{good} next hops");
            self.trace.push(Step::Unknown { missing: Missing::Multipath, detail });
        }
        let mut seen = 0;
        for (at, hop) in hops.iter().enumerate() {
            if self.counts(hops, at, gateways) {
                if seen == chosen {
                    return *hop;
                }
                seen += 1;
            }
        }
        looked.hit.hop
    }

    /// Whether a next hop may be chosen and, unless `gateways` matter, is the first through its interface.
    fn counts(&mut self, hops: &[Hop], at: usize, gateways: bool) -> bool {
        let hop = &hops[at];
        let usable = |run: &mut Self, hop: &Hop| !(hop.dead || hop.linkdown && run.ignores(hop));
        if !usable(self, hop) {
            return false;
        }
        if gateways {
            return true;
        }
        for earlier in &hops[..at] {
            if earlier.oif == hop.oif && usable(self, earlier) {
                return false;
            }
        }
        true
    }

    fn refuse<R>(&mut self, address: Ipv4Addr, reason: Reason) -> Result<R, Reason> {
        if T::ON {
            self.trace.push(Step::Refused { address: address.into(), reason });
        }
        Err(reason)
    }
}
