//! Rules that others have set up: where they already send a source address.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::IpAddr;

use foldhash::{HashMap, HashMapExt as _};

use super::PROTOCOL;
use super::view::{Family, View, is_connected};
use crate::snapshot::{NextHop, Route, RouteKind, Rule, RuleAction, RuleFlags, table};
use crate::types::{IfIndex, IpNet};

/// Where the rules of others send a source.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'s> {
    /// By its own interface.
    Routed,
    /// By its own interface, but to a gateway where the destination is a neighbour, because of this rule.
    Detour(&'s Rule),
    /// Elsewhere, because of this rule.
    Astray(&'s Rule),
    /// They say nothing about it.
    Nothing,
}

/// The rules of others that could decide about a source by its address alone.
#[derive(Debug)]
pub(super) struct ForeignRules<'v, 's> {
    view: &'v View<'s>,
    family: Family,
    /// In the order in which they are tried.
    rules: Vec<&'s Rule>,
    /// The places of those for certain sources, by their prefix.
    by_source: HashMap<IpNet, Vec<usize>>,
    /// The lengths of these prefixes.
    lengths: BTreeSet<u8>,
    /// The places of those for all sources.
    for_all: Vec<usize>,
    /// The routes of the tables that the rules lead to.
    tables: HashMap<u32, Vec<&'s Route>>,
    /// What a rule, by its place, says about sources of an interface.
    decided: RefCell<HashMap<(usize, IfIndex), Found<'s>>>,
    /// The first of the rules for all sources that says anything about those of an interface.
    first_for_all: RefCell<HashMap<IfIndex, Option<usize>>>,
}

impl<'v, 's> ForeignRules<'v, 's> {
    pub(super) fn new(view: &'v View<'s>, family: Family) -> Self {
        let decides = |rule: &&Rule| {
            let by_source_alone = rule.destination.is_none()
                && rule.iif.is_none()
                && rule.oif.is_none()
                && rule.tos == 0
                && rule.fwmask == 0
                && rule.ip_protocol.is_none()
                && rule.source_ports.is_none()
                && rule.destination_ports.is_none()
                && rule.uids.is_none()
                && rule.tunnel_id.is_none()
                && !rule.l3mdev
                && !rule.flags.contains(RuleFlags::INVERT);
            let usual = rule.source.is_none()
                && rule.action == RuleAction::Table
                && matches!(rule.table, table::LOCAL | table::MAIN | table::DEFAULT);
            rule.ipv6 == (family == Family::V6) && rule.protocol != PROTOCOL && by_source_alone && !usual
        };
        let mut rules: Vec<&Rule> = view.snapshot.rules.iter().filter(decides).collect();
        rules.sort_by_key(|rule| rule.priority);
        let mut by_source: HashMap<IpNet, Vec<usize>> = HashMap::new();
        let (mut lengths, mut for_all) = (BTreeSet::new(), Vec::new());
        for (place, rule) in rules.iter().enumerate() {
            match rule.source {
                Some(net) => {
                    lengths.insert(net.prefix_len());
                    by_source.entry(net.trunc()).or_default().push(place);
                }
                None => for_all.push(place),
            }
        }
        let mut tables: HashMap<u32, Vec<&Route>> =
            rules.iter().map(|rule| (rule.table, Vec::new())).collect();
        for route in view.snapshot.routes.iter().filter(|route| route.kind != RouteKind::Throw) {
            if let Some(routes) = tables.get_mut(&route.table) {
                routes.push(route);
            }
        }
        Self {
            view,
            family,
            rules,
            by_source,
            lengths,
            for_all,
            tables,
            decided: RefCell::default(),
            first_for_all: RefCell::default(),
        }
    }

    /// Where the first rule that says anything about `address` sends it, for destinations on the link
    /// of `interface`.
    pub(super) fn look(&self, address: IpAddr, interface: IfIndex) -> Found<'s> {
        if self.rules.is_empty() {
            return Found::Nothing;
        }
        let says = |place: &usize| !matches!(self.decides(*place, interface), Found::Nothing);
        let nets = self.lengths.iter().filter_map(|length| IpNet::new(address, *length).ok());
        let places = nets.filter_map(|net| self.by_source.get(&net.trunc()));
        // Each list rises, so its first is the one that is tried first.
        let own = places.filter_map(|places| places.iter().copied().find(says)).min();
        let known = self.first_for_all.borrow().get(&interface).copied();
        let for_all = known.unwrap_or_else(|| {
            let first = self.for_all.iter().copied().find(says);
            self.first_for_all.borrow_mut().insert(interface, first);
            first
        });
        match own.into_iter().chain(for_all).min() {
            Some(place) => self.decides(place, interface),
            None => Found::Nothing,
        }
    }

    /// What one rule says of sources of an interface.
    fn decides(&self, place: usize, interface: IfIndex) -> Found<'s> {
        if let Some(known) = self.decided.borrow().get(&(place, interface)) {
            return *known;
        }
        let rule = self.rules[place];
        let found = match rule.action {
            RuleAction::Table => self.leaves_by(rule, interface),
            RuleAction::Blackhole | RuleAction::Unreachable | RuleAction::Prohibit => Found::Astray(rule),
            _ => Found::Nothing,
        };
        self.decided.borrow_mut().insert((place, interface), found);
        found
    }

    /// Where the rule's table sends packets for the link of `interface`; nowhere if it does not lead to all of the link.
    fn leaves_by(&self, rule: &'s Rule, interface: IfIndex) -> Found<'s> {
        let mut found = Found::Nothing;
        let own = self.view.routes(self.family, interface);
        for connected in own.iter().filter(|route| is_connected(route, interface)) {
            let Some(hop) = self.best(rule, &connected.destination.trunc()) else { return Found::Nothing };
            match hop.filter(|hop| hop.interface == Some(interface)) {
                None => return Found::Astray(rule),
                Some(hop) if hop.gateway.is_some() => found = Found::Detour(rule),
                Some(_) if matches!(found, Found::Nothing) => found = Found::Routed,
                Some(_) => {}
            }
        }
        found
    }

    /// Where the rule's table sends packets for all of `net`: `None` if it does not lead there, `Some(None)` if it rejects
    /// them.
    fn best(&self, rule: &Rule, net: &IpNet) -> Option<Option<&'s NextHop>> {
        let shortest = rule.suppress_prefix_len.map_or(0, |suppressed| suppressed.saturating_add(1));
        let routes = self.tables.get(&rule.table)?;
        routes
            .iter()
            .filter(|route| {
                u32::from(route.destination.prefix_len()) >= shortest && route.destination.contains(net)
            })
            .min_by_key(|route| (u8::MAX - route.destination.prefix_len(), route.metric))
            .map(|route| route.next_hops.first())
    }
}
