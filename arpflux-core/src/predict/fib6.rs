//! Route look-ups of IPv6 for what arrives: `fib6_rule_lookup()` and `fib6_table_lookup()`.

use std::net::{IpAddr, Ipv6Addr};

use foldhash::{HashMap, HashMapExt as _};

use super::index::Model;
use super::missing::Missing;
use super::reason::Reason;
use super::reply::Run;
use super::step::{Lookup, Purpose, Step, Trace};
use crate::frame::ICMPV6;
use crate::snapshot::{
    InterfaceFlags, NextHopFlags, Route, RouteKind, Rule, RuleAction, RuleFlags, Snapshot,
};
use crate::types::{IfIndex, IpNet, Ipv6Net};

/// IPv6 routes by table, length and prefix, and the rules.
#[derive(Debug)]
pub(super) struct Fib6<'s> {
    rules: Vec<&'s Rule>,
    /// The lengths of a table's prefixes, the longest first.
    lengths: HashMap<u32, Vec<u8>>,
    /// The routes of a prefix, of the smallest metric first.
    routes: HashMap<(u32, Ipv6Net), Vec<&'s Route>>,
}

impl<'s> Fib6<'s> {
    pub(super) fn new(snapshot: &'s Snapshot) -> Self {
        let rules = snapshot.rules.iter().filter(|rule| rule.ipv6).collect();
        let mut fib = Self { rules, lengths: HashMap::new(), routes: HashMap::new() };
        for route in &snapshot.routes {
            let IpNet::V6(net) = route.destination else { continue };
            fib.routes.entry((route.table, net.trunc())).or_default().push(route);
            fib.lengths.entry(route.table).or_default().push(net.prefix_len());
        }
        for routes in fib.routes.values_mut() {
            routes.sort_by_key(|route| route.metric);
        }
        for lengths in fib.lengths.values_mut() {
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            lengths.dedup();
        }
        fib
    }
}

/// What a packet is looked up by.
#[derive(Debug, Clone, Copy)]
struct Flow {
    /// Where it arrived.
    slot: usize,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    /// Routes through other interfaces do not count (`RT6_LOOKUP_F_IFACE`).
    strict: bool,
}

impl<'s, T: Trace> Run<'_, 's, T> {
    /// The route that a packet takes which arrived at `slot`.
    pub(super) fn route6(
        &mut self,
        slot: usize,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        strict: bool,
    ) -> Result<&'s Route, Reason> {
        let flow = Flow { slot, source, destination, strict };
        let model: &Model<'s> = self.model;
        let rules = &model.discovering().fib.rules;
        if rules.is_empty() {
            // A kernel without rules, or one whose rules are all gone.
            self.unknown(slot, Missing::Ipv6Route);
        }
        let mut at = 0;
        while let Some(rule) = rules.get(at).copied() {
            at += 1;
            if !self.rule_matches(rule, &flow) {
                continue;
            }
            match rule.action {
                RuleAction::Table => {}
                RuleAction::Nop => continue,
                RuleAction::Goto => {
                    let to = rules.iter().position(|other| Some(other.priority) == rule.goto);
                    at = to.unwrap_or(at).max(at);
                    continue;
                }
                RuleAction::Blackhole | RuleAction::Unreachable | RuleAction::Prohibit => {
                    self.trace_route6(None, &flow, Some(rule));
                    return Err(Reason::RouteRejects);
                }
                RuleAction::Other(_) => {
                    if self.unknown(slot, Missing::Ipv6Route) {
                        return Err(Reason::RouteRejects);
                    }
                    continue;
                }
            }
            let Some(route) = self.table6(rule.table, &flow) else { continue };
            if route.kind == RouteKind::Throw || self.is_suppressed(rule, route) {
                continue;
            }
            self.trace_route6(Some(route), &flow, Some(rule));
            return if self.rejects(route) { Err(Reason::RouteRejects) } else { Ok(route) };
        }
        self.trace_route6(None, &flow, None);
        Err(Reason::NoRoute)
    }

    /// `fib6_is_reject()`: a route through the loopback interface rejects as well, unless it is a local one.
    fn rejects(&self, route: &Route) -> bool {
        let loopback = |index: IfIndex| {
            let interface = self.model.snapshot.interface(index);
            interface.is_some_and(|interface| interface.flags.contains(InterfaceFlags::LOOPBACK))
        };
        match route.kind {
            RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit => true,
            RouteKind::Local | RouteKind::Anycast => false,
            _ => route.next_hops.iter().any(|hop| hop.interface.is_some_and(loopback)),
        }
    }

    /// `fib6_rule_match()` and `fib_rule_match()`.
    fn rule_matches(&mut self, rule: &Rule, flow: &Flow) -> bool {
        let within =
            |net: &Option<IpNet>, address: Ipv6Addr| net.is_none_or(|net| net.contains(&IpAddr::V6(address)));
        let detached = rule.flags.intersects(RuleFlags::IIF_DETACHED | RuleFlags::OIF_DETACHED);
        let arrived = self.model.interface(flow.slot);
        let fits = !detached
            && rule.iif.is_none_or(|iif| arrived.name == iif)
            && rule.oif.is_none()
            // Solicitations carry no mark and no traffic class.
            && rule.fwmark & rule.fwmask == 0
            && rule.tos == 0
            && rule.tunnel_id.is_none_or(|id| id == 0)
            && !rule.l3mdev
            && rule.ip_protocol.is_none_or(|protocol| protocol == ICMPV6)
            && within(&rule.source, flow.source)
            && within(&rule.destination, flow.destination);
        let open = rule.source_ports.is_some() || rule.destination_ports.is_some() || rule.uids.is_some();
        let fits = fits && (!open || self.unknown(flow.slot, Missing::Ipv6Route));
        fits != rule.flags.contains(RuleFlags::INVERT)
    }

    /// `fib6_rule_suppress()`.
    fn is_suppressed(&self, rule: &Rule, route: &Route) -> bool {
        let length = u32::from(route.destination.prefix_len());
        let group = || {
            let interface = route.next_hops.first().and_then(|hop| hop.interface);
            interface.and_then(|index| self.model.snapshot.interface(index)).map(|interface| interface.group)
        };
        rule.suppress_prefix_len.is_some_and(|longest| length <= longest)
            || rule.suppress_group.is_some_and(|suppressed| group() == Some(suppressed))
    }

    /// The longest prefix that has a route which counts.
    fn table6(&mut self, table: u32, flow: &Flow) -> Option<&'s Route> {
        let model: &Model<'s> = self.model;
        let fib = &model.discovering().fib;
        for length in fib.lengths.get(&table)? {
            let net = Ipv6Net::new(flow.destination, *length).ok()?.trunc();
            let Some(routes) = fib.routes.get(&(table, net)) else { continue };
            for group in routes.chunk_by(|a, b| a.metric == b.metric) {
                let mut fit = Vec::new();
                for route in group {
                    if self.counts6(route, flow) {
                        fit.push(*route);
                    }
                }
                let Some(first) = fit.first() else { continue };
                // Which of equal routes is taken depends on interfaces, gateways and the packet's hash.
                let alike = fit.iter().all(|route| route.kind == first.kind);
                let chosen = if alike { 0 } else { self.oracle.choose(Missing::Ipv6Route, fit.len()) };
                return fit.get(chosen).copied();
            }
        }
        None
    }

    /// `find_match()` and `rt6_score_route()`.
    fn counts6(&mut self, route: &Route, flow: &Flow) -> bool {
        let arrival = IfIndex(self.model.ports[flow.slot].index);
        if let Some(source) = route.source.filter(|source| source.prefix_len() > 0)
            && (!source.contains(&IpAddr::V6(flow.source)) || !self.unknown(flow.slot, Missing::Ipv6Route))
        {
            return false;
        }
        let snapshot = self.model.snapshot;
        let ignores = |index: Option<IfIndex>| {
            let on = index.and_then(|index| snapshot.discovery.as_ref()?.on(index));
            on.is_some_and(|on| on.ignore_routes_with_linkdown)
        };
        if route.next_hops.is_empty() {
            return !flow.strict;
        }
        route.next_hops.iter().any(|hop| {
            let linkdown = hop.flags.contains(NextHopFlags::LINKDOWN) && ignores(hop.interface);
            let dead = linkdown || hop.flags.contains(NextHopFlags::DEAD);
            !dead && (!flow.strict || hop.interface == Some(arrival))
        })
    }

    fn trace_route6(&mut self, route: Option<&Route>, flow: &Flow, rule: Option<&Rule>) {
        if T::ON {
            let hop = route.and_then(|route| route.next_hops.first()).and_then(|hop| hop.interface);
            self.trace.push(Step::Route(Lookup {
                purpose: Purpose::Target,
                address: flow.destination.into(),
                from: flow.source.into(),
                rule: rule.map(|rule| rule.priority),
                table: route.map(|route| route.table),
                destination: route.map(|route| route.destination),
                kind: route.map(|route| route.kind),
                interface: hop
                    .and_then(|index| self.model.snapshot.interface(index))
                    .map(|interface| interface.name),
                next_hops: route.map_or(0, |route| route.next_hops.len()),
            }));
        }
    }
}
