//! Rules that others have set up: where they already send a source address.

use std::net::IpAddr;

use foldhash::HashMap;

use super::PROTOCOL;
use super::view::{Family, View, is_connected};
use crate::snapshot::{RouteKind, Rule, RuleAction, RuleFlags, table};
use crate::types::{IfIndex, IpNet};

/// Where the rules of others send a source.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found<'s> {
    /// By its own interface.
    Routed,
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
    /// The places of those for a single source, by that source.
    exact: HashMap<IpAddr, Vec<usize>>,
    /// The places of the others.
    wide: Vec<usize>,
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
        let (mut exact, mut wide) = (HashMap::<_, Vec<usize>>::default(), Vec::new());
        for (place, rule) in rules.iter().enumerate() {
            match rule.source {
                Some(net) if net.prefix_len() == net.max_prefix_len() => {
                    exact.entry(net.addr()).or_default().push(place);
                }
                _ => wide.push(place),
            }
        }
        Self { view, family, rules, exact, wide }
    }

    /// Where the first rule that says anything about `address` sends it, for destinations on the link
    /// of `interface`.
    pub(super) fn look(&self, address: IpAddr, interface: IfIndex) -> Found<'s> {
        if self.rules.is_empty() {
            return Found::Nothing;
        }
        let mut places: Vec<usize> = self.exact.get(&address).cloned().unwrap_or_default();
        let contains = |place: &&usize| self.rules[**place].source.is_none_or(|net| net.contains(&address));
        places.extend(self.wide.iter().filter(contains));
        places.sort_unstable();
        for rule in places.into_iter().map(|place| self.rules[place]) {
            match rule.action {
                RuleAction::Table => match self.leaves_by(rule, interface) {
                    Some(true) => return Found::Routed,
                    Some(false) => return Found::Astray(rule),
                    None => {}
                },
                RuleAction::Blackhole | RuleAction::Unreachable | RuleAction::Prohibit => {
                    return Found::Astray(rule);
                }
                _ => {}
            }
        }
        Found::Nothing
    }

    /// Whether the rule's table sends packets for the link of `interface` out of it: `None` if it
    /// does not lead to all of the link.
    fn leaves_by(&self, rule: &Rule, interface: IfIndex) -> Option<bool> {
        let mut decided = None;
        let own = self.view.routes(self.family, interface);
        for connected in own.iter().filter(|route| is_connected(route, interface)) {
            let net = connected.destination.trunc();
            let by_own = self.best(rule, &net)? == Some(interface);
            if !by_own {
                return Some(false);
            }
            decided = Some(true);
        }
        decided
    }

    /// By which interface the rule's table sends packets for all of `net`: `None` if it does not
    /// lead there, `Some(None)` if it rejects them.
    fn best(&self, rule: &Rule, net: &IpNet) -> Option<Option<IfIndex>> {
        let shortest = rule.suppress_prefix_len.map_or(0, |suppressed| suppressed + 1);
        self.view
            .snapshot
            .routes
            .iter()
            .filter(|route| {
                route.table == rule.table
                    && route.kind != RouteKind::Throw
                    && u32::from(route.destination.prefix_len()) >= shortest
                    && route.destination.contains(net)
            })
            .min_by_key(|route| (u8::MAX - route.destination.prefix_len(), route.metric))
            .map(|route| route.next_hops.first().and_then(|hop| hop.interface))
    }
}
