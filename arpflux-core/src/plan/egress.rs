//! Source-routed egress: a table for each interface that competes with another, and rules that send each
//! source address there for the wire's own subnets and for what is everywhere else, and to table main for the rest.
//!
//! The table holds the subnets of the wire and the default routes, and no copy of others. A source that has an
//! address of a /24 gets four rules, one after the other:
//!
//! ```text
//! from 192.168.18.11 lookup main   suppress_prefixlength 24   what is more specific than the wire's subnet
//! from 192.168.18.11 lookup 175003 suppress_prefixlength 23   the wire's subnet
//! from 192.168.18.11 lookup main   suppress_prefixlength 0    everything else but the default
//! from 192.168.18.11 lookup 175003                            the default
//! ```
//!
//! With subnets of several lengths the first two are there for each length, the longest first. Together they are
//! the longest match over both tables, of which the source's own wins between equals. So a network that comes
//! later, of containers or behind a tunnel, is reached from every address as it is without the rules.

use std::net::IpAddr;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::PROTOCOL;
use super::competing::Competing;
use super::foreign::{ForeignRules, Found};
use super::tables::Main;
use super::view::{Family, View};
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::{NextHop, Route, Rule, RuleAction, RuleFlags, table};
use crate::types::{IfIndex, IpNet};
use crate::words::listed;

/// The table of an interface is this plus its number, unless somebody else uses that table.
pub const TABLE_BASE: u32 = 175_000;
/// How far to go on where a table is taken.
const TABLE_STEP: u32 = 1_000_000;
/// The priority of the first look-up for a source; the others have the next ones. Unless somebody else uses them.
pub const RULE_PRIORITY: u32 = 17_500;

/// A source address and the interface that its packets shall leave by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    pub address: IpAddr,
    pub interface: IfIndex,
}

/// What source routing needs, and which sources it reaches.
#[derive(Debug, Default)]
pub(super) struct Egress {
    pub routes: Vec<Route>,
    pub rules: Vec<Rule>,
    /// Sources that leave by their own interface whatever else leads there.
    pub routed: HashSet<IpAddr>,
    /// Sources that a rule of others, of this priority, sends elsewhere.
    pub astray: HashMap<IpAddr, u32>,
}

/// The sources that an egress has to be planned for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sources<'a> {
    /// Those of the policy.
    pub wanted: &'a [Source],
    /// Those of other owners, which have rules of ours: they keep them, and the tables these lead to, whatever
    /// the policy says.
    pub kept: &'a [Source],
}

/// Plans source routing for those `sources` that are of one family. `make` says whether the policy wants it;
/// without, only what others have set up is looked at.
///
/// # Errors
/// [`ErrorKind::Refused`] if rules of others leave no room. A source that such a rule sends elsewhere is `unmet`.
pub(super) fn plan<'s>(
    view: &View<'s>,
    family: Family,
    competing: &Competing<'_, 's>,
    sources: Sources<'_>,
    make: bool,
    decisions: &mut Vec<String>,
    unmet: &mut Vec<Error>,
) -> Result<Egress> {
    let mut egress = Egress::default();
    let foreign = ForeignRules::new(view, family);
    let mut wanting: Vec<Source> = Vec::new();
    let mut already: Vec<String> = Vec::new();
    let main = Main::new(view, family, competing);
    let mut tables = Tables::new(view, &main);
    let of_it = |source: &&Source| Family::of(source.address) == family;
    let contested = sources.wanted.iter().filter(|source| competing.contested(source.interface).is_some());
    let steps =
        contested.chain(sources.kept).filter(of_it).map(|source| tables.of(source.interface).lookups.len());
    let priorities = Priorities::choose(view, family, steps.max().unwrap_or(1));
    for source in sources.wanted.iter().filter(of_it).copied() {
        let found = foreign.look(source.address, source.interface);
        if competing.contested(source.interface).is_none() {
            if let Found::Astray(rule) = found {
                egress.astray.insert(source.address, rule.priority);
            }
            continue;
        }
        let holders = view.index.holders(source.address);
        if holders.len() > 1 {
            let decision = format!(
                "{} is held by {}: no source routing for it, as it does not say which of them is meant",
                source.address,
                view.names(holders.iter().copied()),
            );
            // Each of its holders comes by here.
            if !decisions.contains(&decision) {
                decisions.push(decision);
            }
            continue;
        }
        match found {
            Found::Routed => {
                egress.routed.insert(source.address);
                already.push(source.address.to_string());
            }
            Found::Astray(rule) if make && priorities.is_none_or(|own| rule.priority <= own.last()) => {
                unmet.push(astray(view, &source, rule));
                egress.astray.insert(source.address, rule.priority);
            }
            Found::Detour(rule) if make && priorities.is_none_or(|own| rule.priority <= own.last()) => {
                unmet.push(astray(view, &source, rule));
                egress.routed.insert(source.address);
            }
            Found::Detour(_) if !make => {
                egress.routed.insert(source.address);
            }
            Found::Detour(_) | Found::Astray(_) | Found::Nothing if make => {
                egress.routed.insert(source.address);
                wanting.push(source);
            }
            Found::Astray(rule) => {
                egress.astray.insert(source.address, rule.priority);
            }
            Found::Detour(_) | Found::Nothing => {}
        }
    }
    if !already.is_empty() {
        decisions
            .push(format!("source routing: rules of others already send {} the right way", listed(already)));
    }
    let wanted = wanting.len();
    wanting.extend(sources.kept.iter().filter(of_it));
    if wanting.is_empty() {
        return Ok(egress);
    }
    let Some(priorities) = priorities else {
        return Err(Error::new(ErrorKind::Refused, "the rules leave no free priorities in a row, as many as are needed, between the look-up of table local and that of table main")
            .during("plan source routing")
            .hint("move the rule that looks up table main back to 32766, or write egress = \"unmanaged\""));
    };

    let mut used: Vec<IfIndex> = Vec::new();
    for source in &wanting {
        let table = tables.of(source.interface);
        if !std::mem::replace(&mut table.used, true) {
            used.push(source.interface);
            egress.routes.append(&mut table.routes);
        }
    }
    // Each look-up for all sources, then the next: whatever is there already on the way leads the right way.
    for (step, priority) in priorities.each().enumerate() {
        for source in &wanting {
            let table = tables.of(source.interface);
            if let Some((suppressed, number)) = table.lookups.get(step) {
                egress.rules.push(Rule {
                    source: Some(IpNet::from(source.address)),
                    suppress_prefix_len: *suppressed,
                    ipv6: family == Family::V6,
                    protocol: PROTOCOL,
                    ..Rule::lookup(priority, *number)
                });
            }
        }
    }
    let tables: Vec<(IfIndex, u32)> = used.iter().map(|index| (*index, tables.of(*index).number)).collect();
    if wanted > 0 {
        decisions.push(describe(view, family, competing, &tables, priorities, wanting.len()));
        decisions.extend(shared_ways(view, family, competing));
    }
    Ok(egress)
}

#[cold]
fn astray(view: &View<'_>, source: &Source, rule: &Rule) -> Error {
    let goes = match rule.action {
        RuleAction::Table => {
            format!("looks up table {}, which leads elsewhere, or to neighbours by a gateway", rule.table)
        }
        _ => "rejects it".to_owned(),
    };
    Error::new(
        ErrorKind::Refused,
        format!(
            "its packets should leave by {}, but the rule of priority {} comes first and {goes}",
            view.name(source.interface),
            rule.priority,
        ),
    )
    .during("plan source routing")
    .on(source.address)
    .hint("remove that rule, or write egress = \"unmanaged\" to leave routing alone")
}

fn describe(
    view: &View<'_>,
    family: Family,
    competing: &Competing<'_, '_>,
    tables: &[(IfIndex, u32)],
    priorities: Priorities,
    sources: usize,
) -> String {
    let (first, _) = tables[0];
    let why = match competing.contested(first) {
        Some((net, other)) => format!("{} and {} both lead to {net}", view.name(first), view.name(other)),
        None => String::new(),
    };
    let tables = listed(tables.iter().map(|(index, number)| format!("{number} for {}", view.name(*index))));
    let addresses = if sources == 1 { "1 address".to_owned() } else { format!("{sources} addresses") };
    let what = match family {
        Family::V4 => "source routing",
        Family::V6 => "source routing (IPv6)",
    };
    format!(
        "{what}: needed, as {why}; tables {tables}, rules {} to {} ({addresses}): more specific routes of table main \
         first, then the subnet of the wire, then main but its default, then the default of the address's interface",
        priorities.first,
        priorities.last(),
    )
}

/// Says that routes of table main through gateways hold for all sources, whichever interface is theirs.
fn shared_ways(view: &View<'_>, family: Family, competing: &Competing<'_, '_>) -> Option<String> {
    let by = |route: &Route| {
        let hop = route.next_hops.iter().find(|hop| hop.gateway.is_some())?;
        hop.interface.filter(|by| route.destination.prefix_len() > 0 && competing.contested(*by).is_some())
    };
    let mut routes = view.main_routes(family).filter_map(|route| Some((route.destination, by(route)?)));
    let (first, by) = routes.next()?;
    let more = match routes.count() {
        0 => String::new(),
        more => format!(" (and {more} more like it)"),
    };
    Some(format!(
        "source routing: table main leads to {first} by {}{more}: packets from every address leave by it there; \
         with rp_filter=1 what comes from there by another interface is dropped",
        view.name(by),
    ))
}

/// The table of an interface.
struct Table {
    number: u32,
    routes: Vec<Route>,
    /// What is looked up for a source, one after the other: the longest prefix that is passed over, and the table.
    lookups: Vec<(Option<u32>, u32)>,
    used: bool,
}

/// The tables of interfaces, made when they are asked for.
struct Tables<'m, 'v, 's> {
    main: &'m Main<'v, 's>,
    used: UsedTables,
    made: HashMap<IfIndex, Table>,
}

impl<'m, 'v, 's> Tables<'m, 'v, 's> {
    fn new(view: &View<'_>, main: &'m Main<'v, 's>) -> Self {
        Self { main, used: UsedTables::new(view), made: HashMap::new() }
    }

    fn of(&mut self, interface: IfIndex) -> &mut Table {
        self.made.entry(interface).or_insert_with(|| {
            let number = self.used.choose(interface);
            let mut routes = Vec::new();
            self.main.routes_of(interface, number, &mut routes);
            let mut lengths: Vec<u32> =
                routes.iter().map(|route| u32::from(route.destination.prefix_len())).collect();
            lengths.sort_by_key(|length| std::cmp::Reverse(*length));
            lengths.dedup();
            // An empty table keeps the rule of a source that is not the policy's: it is filled again by that.
            if lengths.is_empty() {
                lengths.push(0);
            }
            let lookups = lengths.into_iter().flat_map(|length| {
                // At its own lengths the table of the interface wins, everywhere else main does.
                [(Some(length), table::MAIN), (length.checked_sub(1), number)]
            });
            Table { number, lookups: lookups.collect(), routes, used: false }
        })
    }
}

/// The priorities of our rules of one family.
#[derive(Debug, Clone, Copy)]
struct Priorities {
    first: u32,
    steps: u32,
}

impl Priorities {
    fn last(&self) -> u32 {
        self.first + self.steps - 1
    }

    fn each(&self) -> impl Iterator<Item = u32> + use<> {
        self.first..=self.last()
    }

    /// As many as there are `steps`, at least one, in a row, behind the look-up of table local and before that of
    /// table main. Where our rules are already, they stay; else nobody else uses the chosen ones.
    fn choose(view: &View<'_>, family: Family, steps: usize) -> Option<Self> {
        let steps = u32::try_from(steps).ok()?.max(1);
        let plain = |rule: &&Rule| {
            rule.ipv6 == (family == Family::V6)
                && rule.action == RuleAction::Table
                && rule.source.is_none()
                && rule.destination.is_none()
                && rule.iif.is_none()
                && rule.oif.is_none()
                && rule.fwmask == 0
                && rule.suppress_prefix_len.is_none()
                && rule.suppress_group.is_none()
                && !rule.l3mdev
                && !rule.flags.contains(RuleFlags::INVERT)
        };
        let rules = || view.snapshot.rules.iter().filter(|rule| rule.ipv6 == (family == Family::V6));
        let local = rules().filter(plain).filter(|rule| rule.table == table::LOCAL).map(|rule| rule.priority);
        let main = rules().filter(plain).filter(|rule| rule.table == table::MAIN).map(|rule| rule.priority);
        let (after, before) = (local.max().unwrap_or(0), main.min().unwrap_or(32_766));
        let fits = |first: u32| first > after && first.checked_add(steps).is_some_and(|end| end <= before);
        let own = rules().filter(|rule| rule.protocol == PROTOCOL).map(|rule| rule.priority).min();
        if let Some(first) = own.filter(|own| fits(*own)) {
            return Some(Self { first, steps });
        }
        let used: HashSet<u32> =
            rules().filter(|rule| rule.protocol != PROTOCOL).map(|rule| rule.priority).collect();
        let free = |first: &u32| fits(*first) && !(*first..*first + steps).any(|one| used.contains(&one));
        let upwards = (RULE_PRIORITY.max(after.saturating_add(1)))..before;
        let first =
            upwards.into_iter().find(free).or_else(|| (after..RULE_PRIORITY.min(before)).rev().find(free))?;
        Some(Self { first, steps })
    }
}

/// Whether a route of others is in the table of the interface that it leads out of. Where no rule of theirs leads there,
/// it was put in the place of one of ours: the table stays the interface's, also if nothing of ours is left in it.
fn stands_in_place_of_ours(route: &Route) -> bool {
    let its = |hop: &NextHop| hop.interface.is_some_and(|index| is_table_of(index, route.table));
    !route.next_hops.is_empty() && route.next_hops.iter().all(its)
}

/// Whether this is a number that the table of an interface may have.
pub(super) const fn is_table_of(interface: IfIndex, number: u32) -> bool {
    number % TABLE_STEP == TABLE_BASE.wrapping_add(interface.0) % TABLE_STEP
}

/// The tables that somebody uses.
struct UsedTables {
    own: HashSet<u32>,
    others: HashSet<u32>,
}

impl UsedTables {
    fn new(view: &View<'_>) -> Self {
        let mut used = Self {
            own: HashSet::new(),
            others: HashSet::from_iter([table::UNSPEC, table::DEFAULT, table::MAIN, table::LOCAL]),
        };
        let routes = view.snapshot.routes.iter();
        let routes = routes.filter(|route| route.protocol == PROTOCOL || !stands_in_place_of_ours(route));
        for (number, protocol) in view
            .snapshot
            .rules
            .iter()
            .map(|rule| (rule.table, rule.protocol))
            .chain(routes.map(|route| (route.table, route.protocol)))
        {
            if protocol == PROTOCOL {
                used.own.insert(number);
            } else {
                used.others.insert(number);
            }
        }
        used.others.extend(view.snapshot.interfaces.iter().filter_map(|interface| interface.vrf_table));
        used
    }

    /// A table for an interface: the same in each run. One that is ours already stays ours, even if
    /// somebody has added to it since.
    fn choose(&self, interface: IfIndex) -> u32 {
        let first = TABLE_BASE.wrapping_add(interface.0);
        let numbers = || (0..u32::MAX / TABLE_STEP).map(|n| first.wrapping_add(n * TABLE_STEP));
        let reserved = [table::UNSPEC, table::DEFAULT, table::MAIN, table::LOCAL];
        numbers()
            .find(|number| self.own.contains(number) && !reserved.contains(number))
            .or_else(|| numbers().find(|number| !self.others.contains(number)))
            .unwrap_or(first)
    }
}
