//! Source-routed egress: a table for each interface that competes with another, and rules that send
//! each source address to the table of its interface.
//!
//! Before these rules stands one that looks into table main for host routes only
//! (`suppress_prefixlength`), so that containers and other single addresses behind the host stay
//! reachable from all of its addresses.

use std::net::IpAddr;

use foldhash::{HashMap, HashMapExt as _, HashSet, HashSetExt as _};

use super::PROTOCOL;
use super::foreign::{ForeignRules, Found};
use super::rivals::Rivals;
use super::tables::Main;
use super::view::{Family, View, listed};
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::{Route, Rule, RuleAction, RuleFlags, table};
use crate::types::{IfIndex, IpNet};

/// The table of an interface is this plus its number, unless somebody else uses that table.
pub const TABLE_BASE: u32 = 175_000;
/// How far to go on where a table is taken.
pub(super) const TABLE_STEP: u32 = 1_000_000;
/// The priority of the rule for host routes, and one below that of the rules for sources, unless
/// somebody else uses them.
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
/// [`ErrorKind::Refused`] if rules of others come first and send a source elsewhere, or leave no room.
pub(super) fn plan(
    view: &View<'_>,
    family: Family,
    rivals: &Rivals<'_, '_>,
    sources: Sources<'_>,
    make: bool,
    decisions: &mut Vec<String>,
) -> Result<Egress> {
    let mut egress = Egress::default();
    let foreign = ForeignRules::new(view, family);
    let mut wanting: Vec<Source> = Vec::new();
    let mut already: Vec<String> = Vec::new();
    let priorities = Priorities::choose(view, family);
    let of_it = |source: &&Source| Family::of(source.address) == family;
    for source in sources.wanted.iter().filter(of_it).copied() {
        let found = foreign.look(source.address, source.interface);
        if rivals.contested(source.interface).is_none() {
            if let Found::Astray(rule) = found {
                egress.astray.insert(source.address, rule.priority);
            }
            continue;
        }
        let holders = view.holders(source.address);
        if holders.len() > 1 {
            decisions.push(format!(
                "{} is held by {}: no source routing for it, as it does not say which of them is meant",
                source.address,
                view.names(holders.iter().copied()),
            ));
            continue;
        }
        match found {
            Found::Routed => {
                egress.routed.insert(source.address);
                already.push(source.address.to_string());
            }
            Found::Astray(rule) if make && priorities.is_none_or(|own| rule.priority <= own.sources) => {
                return Err(astray(view, &source, rule));
            }
            Found::Astray(_) | Found::Nothing if make => {
                egress.routed.insert(source.address);
                wanting.push(source);
            }
            Found::Astray(rule) => {
                egress.astray.insert(source.address, rule.priority);
            }
            Found::Nothing => {}
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
        return Err(Error::new(ErrorKind::Refused, "the rules leave no two free priorities between the look-up of table local and that of table main")
            .during("plan source routing")
            .hint("move the rule that looks up table main back to 32766, or write egress = \"unmanaged\""));
    };

    let mut tables: Vec<(IfIndex, u32)> = Vec::new();
    let mut chosen: HashMap<IfIndex, u32> = HashMap::new();
    let used = UsedTables::new(view);
    for source in &wanting {
        chosen.entry(source.interface).or_insert_with(|| {
            let number = used.choose(source.interface);
            tables.push((source.interface, number));
            number
        });
    }
    let main = Main::new(view, family, rivals);
    for (interface, number) in &tables {
        main.routes_of(*interface, *number, &mut egress.routes);
    }
    egress.rules.push(host_routes_first(family, priorities.host_routes));
    for source in &wanting {
        egress.rules.push(from(source.address, chosen[&source.interface], priorities.sources));
    }
    if wanted > 0 {
        decisions.push(describe(view, family, rivals, &tables, priorities, wanting.len()));
    }
    Ok(egress)
}

#[cold]
fn astray(view: &View<'_>, source: &Source, rule: &Rule) -> Error {
    let goes = match rule.action {
        RuleAction::Table => format!("looks up table {}, which leads elsewhere", rule.table),
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
    .on(source.address.to_string())
    .hint("remove that rule, or write egress = \"unmanaged\" to leave routing alone")
}

fn describe(
    view: &View<'_>,
    family: Family,
    rivals: &Rivals<'_, '_>,
    tables: &[(IfIndex, u32)],
    priorities: Priorities,
    sources: usize,
) -> String {
    let (first, _) = tables[0];
    let why = match rivals.contested(first) {
        Some((net, other)) => format!("{} and {} both lead to {net}", view.name(first), view.name(other)),
        None => String::new(),
    };
    let tables =
        listed(tables.iter().map(|(index, number)| format!("{number} for {}", view.name(*index))).collect());
    let addresses = if sources == 1 { "1 address".to_owned() } else { format!("{sources} addresses") };
    let what = match family {
        Family::V4 => "source routing",
        Family::V6 => "source routing (IPv6)",
    };
    format!(
        "{what}: needed, as {why}; tables {tables}, rules {} (host routes first) and {} ({addresses})",
        priorities.host_routes, priorities.sources,
    )
}

/// The rule that keeps single addresses behind the host reachable.
fn host_routes_first(family: Family, priority: u32) -> Rule {
    Rule {
        suppress_prefix_len: Some(u32::from(family.host_len()) - 1),
        ..rule(family, priority, table::MAIN)
    }
}

fn from(address: IpAddr, table: u32, priority: u32) -> Rule {
    Rule { source: Some(IpNet::from(address)), ..rule(Family::of(address), priority, table) }
}

fn rule(family: Family, priority: u32, table: u32) -> Rule {
    Rule { ipv6: family == Family::V6, protocol: PROTOCOL, ..Rule::lookup(priority, table) }
}

/// The priorities of our rules of one family.
#[derive(Debug, Clone, Copy)]
struct Priorities {
    host_routes: u32,
    sources: u32,
}

impl Priorities {
    /// Two that follow each other, behind the look-up of table local and before that of table main.
    /// Where our rules are already, they stay; else nobody else uses the chosen ones.
    fn choose(view: &View<'_>, family: Family) -> Option<Self> {
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
        let fits = |first: u32| first > after && first.checked_add(1).is_some_and(|second| second < before);
        let pair = |first: u32| Self { host_routes: first, sources: first + 1 };
        let own = rules()
            .find(|rule| rule.protocol == PROTOCOL && rule.suppress_prefix_len.is_some())
            .map(|rule| rule.priority);
        if let Some(own) = own
            && fits(own)
        {
            return Some(pair(own));
        }
        let used: HashSet<u32> =
            rules().filter(|rule| rule.protocol != PROTOCOL).map(|rule| rule.priority).collect();
        let free = |first: &u32| fits(*first) && !used.contains(first) && !used.contains(&(first + 1));
        let upwards = (RULE_PRIORITY.max(after.saturating_add(1)))..before;
        upwards
            .into_iter()
            .find(free)
            .or_else(|| (after..RULE_PRIORITY.min(before)).rev().find(free))
            .map(pair)
    }
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
        for (number, protocol) in view
            .snapshot
            .rules
            .iter()
            .map(|rule| (rule.table, rule.protocol))
            .chain(view.snapshot.routes.iter().map(|route| (route.table, route.protocol)))
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
