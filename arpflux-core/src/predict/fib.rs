//! Route look-ups through rules and tables (`fib_lookup()`).

use std::collections::BTreeMap;

use super::index::{LOOPBACK, Port, slot_in};
use super::kernel_version::Known;
use super::missing::Missing;
use super::packet::Packet;
use super::reply::Run;
use super::rules::{Match, ReadyRule, Rules, are_default};
use super::step::{Purpose, Trace};
use super::table::{Found, Hit, Hop, Table};
use crate::snapshot::{RouteKind, RuleAction, Snapshot, protocol, table};
use crate::types::{IfIndex, IpNet};

/// What is looked up (`struct flowi4`). Type of service, mark, protocol and ports are 0 for ARP.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flow {
    pub(super) iif: u32,
    pub(super) oif: u32,
    /// The VRF, as an interface number; 0: none.
    pub(super) l3mdev: u32,
    pub(super) destination: u32,
    pub(super) source: u32,
    /// Routes need not lead out of `oif` (`FLOWI_FLAG_SKIP_NH_OIF`, before 5.19).
    pub(super) any_hop: bool,
    /// What is known of a packet of the host's own beside; `None`: a look-up for ARP, in which all of it is 0.
    pub(super) packet: Option<Packet>,
}

impl Flow {
    pub(super) fn new(iif: u32, oif: u32, l3mdev: u32, destination: u32, source: u32) -> Self {
        Self { iif, oif, l3mdev, destination, source, any_hop: false, packet: None }
    }
}

/// The tables and rules of a namespace.
#[derive(Debug)]
pub(super) struct Fib {
    /// Tables by number, sorted.
    tables: Vec<(u32, Table)>,
    /// Tables local and main as one, as the kernel has them until the rules are first changed.
    merged: Table,
    rules: Rules,
    /// Whether the rules were ever changed, if known.
    rules_changed: Option<bool>,
    /// Whether it makes a difference to a look-up that local and main are one.
    merging_matters: bool,
    /// Whether a local route was ever added, if known.
    pub(super) local_routes_added: Option<bool>,
    pub(super) realms: Option<bool>,
    /// Whether the table default has routes.
    has_default: bool,
    /// The addresses to which some route of type local leads, in whichever table: first and last ones, sorted, apart.
    local: Vec<(u32, u32)>,
}

/// A route that a look-up found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Looked {
    pub(super) hit: Hit,
    /// The table to ask for the route's other hops and siblings.
    pub(super) table: TableRef,
}

/// Which table a hit came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TableRef {
    Merged,
    Numbered(usize),
}

/// Why a look-up found nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// No route.
    None,
    /// A route or rule rejects.
    Rejected,
}

impl Fib {
    pub(super) fn new(snapshot: &Snapshot, ports: &[Port]) -> Self {
        let slot = |index: IfIndex| slot_in(ports, index).map(|slot| slot as u32);
        let mut places: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (place, route) in snapshot.routes.iter().enumerate() {
            places.entry(route.table).or_default().push(place);
        }
        let tables: Vec<(u32, Table)> = places
            .iter()
            .map(|(number, places)| (*number, Table::new(snapshot, places.iter().copied(), slot)))
            .filter(|(_, table)| !table.is_empty())
            .collect();
        let rules = Rules::new(snapshot, ports);
        let rules_changed =
            if are_default(rules.all(), snapshot) { snapshot.routing.rules_changed } else { Some(true) };
        let merged = if rules_changed == Some(true) {
            Table::default()
        } else {
            let both = [table::LOCAL, table::MAIN].into_iter().filter_map(|number| places.get(&number));
            Table::new(snapshot, both.flatten().copied(), slot)
        };
        let find = |number: u32| tables.iter().find(|(id, _)| *id == number).map(|(_, table)| table);
        let merging_matters = match (find(table::LOCAL), find(table::MAIN)) {
            (Some(local), main) => {
                main.is_some_and(|main| main.nests_inside(local))
                    || local.has_objects()
                    || [RouteKind::Throw, RouteKind::Blackhole, RouteKind::Unreachable, RouteKind::Prohibit]
                        .into_iter()
                        .any(|kind| local.has(kind) || main.is_some_and(|main| main.has(kind)))
            }
            (None, _) => false,
        };
        // Somebody's route of type local is still there; whether one was there before is not to be seen.
        let custom_local = snapshot.routes.iter().any(|route| {
            route.kind == RouteKind::Local
                && route.protocol != protocol::KERNEL
                && route.destination.addr().is_ipv4()
        });
        Self {
            has_default: find(table::DEFAULT).is_some(),
            tables,
            merged,
            rules,
            rules_changed,
            merging_matters,
            local_routes_added: if custom_local { Some(true) } else { snapshot.routing.local_routes_added },
            realms: snapshot.routing.realms,
            local: local(snapshot),
        }
    }

    /// Whether a route of type local leads to an address, in whichever table.
    pub(super) fn may_be_local(&self, address: u32) -> bool {
        let after = self.local.partition_point(|(first, _)| *first <= address);
        after.checked_sub(1).is_some_and(|at| self.local[at].1 >= address)
    }

    #[inline(always)]
    fn numbered(&self, number: u32) -> Option<(usize, &Table)> {
        let number = if number == table::UNSPEC { table::MAIN } else { number };
        let tables = self.tables.as_slice();
        tables.binary_search_by_key(&number, |(id, _)| *id).ok().map(|at| (at, &tables[at].1))
    }

    pub(super) fn table(&self, table: TableRef) -> &Table {
        match table {
            TableRef::Merged => &self.merged,
            TableRef::Numbered(at) => &self.tables[at].1,
        }
    }

    /// The rules in force.
    pub(super) fn rules(&self) -> &[ReadyRule] {
        self.rules.all()
    }

    /// Every address at which a look-up's answer may change.
    pub(super) fn boundaries(&self) -> impl Iterator<Item = u32> {
        self.tables
            .iter()
            .flat_map(|(_, table)| table.boundaries().iter().copied())
            .chain(self.rules.all().iter().flat_map(ReadyRule::boundaries))
    }
}

fn local(snapshot: &Snapshot) -> Vec<(u32, u32)> {
    let mut ranges: Vec<(u32, u32)> = snapshot
        .routes
        .iter()
        .filter(|route| route.kind == RouteKind::Local)
        .filter_map(|route| match route.destination {
            IpNet::V4(net) => Some((net.network().to_bits(), net.broadcast().to_bits())),
            IpNet::V6(_) => None,
        })
        .collect();
    ranges.sort();
    ranges.dedup_by(|next, last| {
        let within = next.0 <= last.1;
        last.1 = if within { last.1.max(next.1) } else { last.1 };
        within
    });
    ranges
}

impl<T: Trace> Run<'_, '_, T> {
    /// Whether the rules were ever changed, so that `fib_lookup()` goes through them.
    #[inline(always)]
    pub(super) fn custom_rules(&mut self) -> bool {
        match self.model.fib.rules_changed {
            Some(changed) => changed,
            None => self.oracle.ask(Missing::RulesChanged),
        }
    }

    /// Whether local and main are searched one after the other.
    #[inline(always)]
    fn split(&mut self) -> bool {
        let fib = &self.model.fib;
        match fib.rules_changed {
            Some(changed) => changed,
            None if fib.merging_matters => self.oracle.ask(Missing::RulesChanged),
            None => false,
        }
    }

    fn in_table(&mut self, table: &Table, flow: &Flow) -> Found {
        let oif = if flow.any_hop { 0 } else { flow.oif };
        table.lookup(flow.destination, oif, |hop| self.ignores(hop))
    }

    /// `ip_ignore_linkdown()`.
    #[inline(always)]
    pub(super) fn ignores(&mut self, hop: &Hop) -> bool {
        match self.model.ports.get(hop.slot as usize).map(|port| port.ignores_linkdown) {
            Some(Known::Yes) => true,
            Some(Known::Unknown) => self.oracle.ask(Missing::KernelVersion),
            Some(Known::No) | None => false,
        }
    }

    /// `inet_addr_type_dev_table()`: what the table local (or that of the port's VRF) says of an address;
    /// `None`: nothing. While local and main are one, routes of main count as well.
    pub(super) fn address_kind(&mut self, address: u32, vrf_table: u32) -> Option<RouteKind> {
        let model = self.model;
        let fib = &model.fib;
        let number = if vrf_table == 0 { table::LOCAL } else { vrf_table };
        let flow = Flow::new(0, 0, 0, address, 0);
        let merged = matches!(number, table::LOCAL | table::MAIN) && fib.rules_changed != Some(true);
        let found = if merged && !self.split() {
            self.in_table(&fib.merged, &flow)
        } else {
            fib.numbered(number).map_or(Found::Nothing, |(_, table)| self.in_table(table, &flow))
        };
        match found {
            Found::Route(hit) => Some(hit.alias.kind),
            _ => None,
        }
    }

    /// Whether the table local (or that of the port's VRF) says that an address is the host's own.
    pub(super) fn is_local(&mut self, address: u32, vrf_table: u32) -> bool {
        self.address_kind(address, vrf_table) == Some(RouteKind::Local)
    }

    /// `fib_lookup()`. Changes `flow` as `l3mdev_update_flow()` does.
    pub(super) fn look_up(&mut self, flow: &mut Flow, purpose: Purpose) -> Result<Looked, NoRoute> {
        if self.split() {
            return self.through_rules(flow, purpose);
        }
        let fib = &self.model.fib;
        let mut rejected = false;
        match self.in_table(&fib.merged, flow) {
            Found::Route(hit) => {
                let looked = Looked { hit, table: TableRef::Merged };
                self.trace_route(&looked, flow, purpose, None);
                return Ok(looked);
            }
            Found::Rejects(route) => {
                let stands = !fib.has_default
                    || match self.model.behaviour.rejection_stands {
                        Known::Yes => true,
                        Known::No => false,
                        Known::Unknown => self.oracle.ask(Missing::KernelVersion),
                    };
                self.trace_rejected(route, flow, purpose, None);
                if stands {
                    return Err(NoRoute::Rejected);
                }
                rejected = true;
            }
            Found::Throw | Found::Nothing => {}
        }
        if let Some((at, table)) = fib.numbered(table::DEFAULT) {
            match self.in_table(table, flow) {
                Found::Route(hit) => {
                    let looked = Looked { hit, table: TableRef::Numbered(at) };
                    self.trace_route(&looked, flow, purpose, None);
                    return Ok(looked);
                }
                Found::Rejects(route) => {
                    self.trace_rejected(route, flow, purpose, None);
                    return Err(NoRoute::Rejected);
                }
                Found::Throw | Found::Nothing => {}
            }
        }
        if rejected {
            return Err(NoRoute::Rejected);
        }
        self.trace_no_route(flow, purpose);
        Err(NoRoute::None)
    }

    /// `fib_rules_lookup()`.
    fn through_rules(&mut self, flow: &mut Flow, purpose: Purpose) -> Result<Looked, NoRoute> {
        self.update_flow(flow);
        let model = self.model;
        let fib = &model.fib;
        let mut at = 0;
        while let Some((place, rule)) = fib.rules.next(at, flow.source) {
            at = place + 1;
            let matches = match rule.matches(flow) {
                Match::Yes => true,
                Match::No => false,
                Match::IfVrfCounts => self.vrf_counts(),
                Match::UnlessVrfCounts => !self.vrf_counts(),
            };
            if !matches {
                continue;
            }
            match rule.action {
                RuleAction::Goto => {
                    if let Some(target) = rule.target {
                        at = target;
                    }
                    continue;
                }
                RuleAction::Nop => continue,
                RuleAction::Table => {}
                _ => {
                    self.trace_rule_rejects(rule, flow, purpose);
                    return Err(NoRoute::Rejected);
                }
            }
            let number = if rule.l3mdev { self.vrf_table(flow) } else { rule.table };
            let Some((place, table)) = fib.numbered(number) else { continue };
            match self.in_table(table, flow) {
                Found::Route(hit) => {
                    if self.suppressed(rule, table, &hit) {
                        continue;
                    }
                    let looked = Looked { hit, table: TableRef::Numbered(place) };
                    self.trace_route(&looked, flow, purpose, Some(rule));
                    return Ok(looked);
                }
                Found::Rejects(route) => {
                    self.trace_rejected(route, flow, purpose, Some(rule));
                    return Err(NoRoute::Rejected);
                }
                Found::Throw | Found::Nothing => {}
            }
        }
        self.trace_no_route(flow, purpose);
        Err(NoRoute::None)
    }

    /// `fib4_rule_suppress()`.
    fn suppressed(&self, rule: &ReadyRule, table: &Table, hit: &Hit) -> bool {
        if rule.suppress_prefix_len.is_some_and(|len| u32::from(hit.prefix_len) <= len) {
            return true;
        }
        rule.suppress_group.is_some_and(|group| {
            let first = table.hops_of(&hit.alias).first();
            first
                .and_then(|hop| self.model.ports.get(hop.slot as usize))
                .is_some_and(|port| port.group == group)
        })
    }

    fn vrf_counts(&mut self) -> bool {
        match self.model.behaviour.rule_matches_vrf {
            Known::Yes => true,
            Known::No => false,
            Known::Unknown => self.oracle.ask(Missing::KernelVersion),
        }
    }

    fn vrf_table(&self, flow: &Flow) -> u32 {
        let slot = self.model.slot(IfIndex(flow.l3mdev));
        slot.map_or(table::UNSPEC, |slot| self.model.ports[slot].l3mdev_table)
    }

    /// `l3mdev_update_flow()`.
    fn update_flow(&mut self, flow: &mut Flow) {
        let of = |index: u32| {
            let slot = if index == 0 { None } else { self.model.slot(IfIndex(index)) };
            slot.map(|slot| &self.model.ports[slot])
        };
        // Only where there is a VRF does it matter how the kernel takes it.
        let involved = [flow.oif, flow.iif].into_iter().filter_map(of).any(|port| port.l3mdev != 0);
        let field = !involved
            || match self.model.behaviour.l3mdev_field {
                Known::Yes => true,
                Known::No => false,
                Known::Unknown => self.oracle.ask(Missing::KernelVersion),
            };
        let of = |index: u32| {
            let slot = if index == 0 { None } else { self.model.slot(IfIndex(index)) };
            slot.map(|slot| &self.model.ports[slot])
        };
        if let Some(port) = of(flow.oif) {
            if field {
                if flow.l3mdev == 0 {
                    flow.l3mdev = port.l3mdev;
                }
                if port.vrf {
                    flow.oif = 0;
                }
                return;
            }
            if port.l3mdev != 0 {
                flow.oif = port.l3mdev;
                flow.l3mdev = port.l3mdev;
                flow.any_hop = true;
                return;
            }
        }
        if flow.iif > LOOPBACK
            && (flow.l3mdev == 0 || !field)
            && let Some(port) = of(flow.iif)
            && port.l3mdev != 0
        {
            if !field {
                flow.iif = port.l3mdev;
                flow.any_hop = true;
            }
            flow.l3mdev = port.l3mdev;
        }
    }
}
