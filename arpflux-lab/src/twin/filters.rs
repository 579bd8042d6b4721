//! The filters of a twin: rules of nftables as they are, those of older tools by such as do the same.

use std::collections::BTreeSet;

use arpflux_core::Result;
use arpflux_core::filter::{Chain, Expression, Family, Filters, Set};
use arpflux_core::outward::LeftOut;
use arpflux_core::snapshot::Snapshot;

use super::Twin;
use crate::nftables::{self, Table};

/// What the name of a table begins with that stands for one of another tool, whose name follows.
const STANDS_FOR: &str = "stands for ";

/// Families whose tables are built by those of another, with the tool's name.
const BY_OTHERS: [(Family, Family, &str); 2] =
    [(Family::Arptables, Family::Arp, "arptables"), (Family::Ebtables, Family::Bridge, "ebtables")];

/// Takes out of a snapshot's filters the tables that cannot be built.
pub(super) fn leave_out(filters: &mut Filters, host: &Snapshot) -> (Vec<LeftOut>, Vec<LeftOut>) {
    let (mut left_out, mut stand_ins) = (Vec::new(), Vec::new());
    for (family, table) in tables(filters) {
        let title = title(filters, family, &table);
        let why = not_built(filters, family, &table);
        if let Some(why) = why {
            left_out.push(LeftOut { what: title, why });
            remove(filters, family, &table);
            continue;
        }
        if nftables::number(family).is_none() {
            let why = "rules of nftables stand for it";
            stand_ins.push(LeftOut { what: title, why: why.into() });
        }
    }
    // A device that is not there has no chains.
    let names: BTreeSet<String> = host.interfaces.iter().map(|one| one.name.to_string()).collect();
    for chain in &mut filters.chains {
        if let Some(base) = &mut chain.base {
            base.devices.retain(|device| device.ends_with('*') || names.contains(device));
        }
    }
    filters.chains.retain(|chain| {
        chain.family != Family::Netdev || chain.base.as_ref().is_none_or(|base| !base.devices.is_empty())
    });
    (left_out, stand_ins)
}

/// The tables, in their order.
fn tables(filters: &Filters) -> Vec<(Family, String)> {
    let mut tables: Vec<(Family, String)> = Vec::new();
    for chain in &filters.chains {
        let table = (chain.family, chain.table.clone());
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    tables
}

fn of<'a>(filters: &'a Filters, family: Family, table: &'a str) -> impl Iterator<Item = &'a Chain> {
    filters.chains.iter().filter(move |chain| chain.family == family && chain.table == table)
}

fn sets<'a>(filters: &'a Filters, family: Family, table: &'a str) -> impl Iterator<Item = &'a Set> {
    filters.sets.iter().filter(move |set| set.family == family && set.table == table)
}

fn remove(filters: &mut Filters, family: Family, table: &str) {
    filters.chains.retain(|chain| (chain.family, chain.table.as_str()) != (family, table));
    filters.sets.retain(|set| (set.family, set.table.as_str()) != (family, table));
}

/// `nftables arp filter`.
fn title(filters: &Filters, family: Family, table: &str) -> String {
    let title = of(filters, family, table).next().map(|chain| (chain.title(), chain.name.len() + 1));
    title.map_or_else(String::new, |(title, name)| title[..title.len().saturating_sub(name)].to_owned())
}

/// Why a table cannot be built, if so.
fn not_built(filters: &Filters, family: Family, table: &str) -> Option<String> {
    if family == Family::TrafficControl {
        return Some("filters of traffic control are not built".into());
    }
    let sets: Vec<&Set> = sets(filters, family, table).collect();
    let escaped = |name: &str| name.contains('\\');
    let mut names = of(filters, family, table).map(|chain| chain.name.as_str());
    if escaped(table) || names.any(escaped) || sets.iter().any(|set| escaped(&set.name)) {
        return Some("its names are not ASCII".into());
    }
    if let Some(set) = sets.iter().find(|set| set.changes) {
        return Some(format!("what is in its set {} changes, or is not in a snapshot", set.name));
    }
    let mut expressions = of(filters, family, table).flat_map(|chain| chain.rules.iter().flatten());
    expressions.find_map(|expression| match expression {
        Expression::Lookup { set, to: Some(_), .. }
            if sets
                .iter()
                .any(|one| one.name == *set && one.elements.is_empty() && one.otherwise.is_none()) =>
        {
            Some(format!("what its empty map {set} gives is not in a snapshot"))
        }
        other => nftables::not_made(other),
    })
}

impl Twin {
    /// Makes the filters; tables that the kernel refuses are left out.
    pub(super) fn set_filters(&mut self) -> Result<()> {
        let filters = self.blueprint.host.filters.clone();
        for (family, table) in tables(&filters) {
            let (by, name) = match BY_OTHERS.iter().find(|(stood_for, ..)| *stood_for == family) {
                Some((_, by, tool)) => (*by, format!("{STANDS_FOR}{tool} {table}")),
                None => (family, table.clone()),
            };
            let Some(number) = nftables::number(by) else { continue };
            let chains: Vec<Chain> = of(&filters, family, &table).cloned().collect();
            let sets = sets(&filters, family, &table).collect();
            let built = Table { family: number, name: &name, chains, sets };
            if let Err(error) = self.host.run(|| nftables::make(&built))? {
                let title = title(&filters, family, &table);
                self.blueprint.leave_out(title, format!("this kernel refuses it: {error}"));
                remove(&mut self.blueprint.host.filters, family, &table);
            }
        }
        Ok(())
    }
}

/// The filters of a twin, in the words of the host.
pub(super) fn in_the_hosts_words(filters: &mut Filters) {
    for chain in &mut filters.chains {
        let stood_for = chain.table.strip_prefix(STANDS_FOR).and_then(|table| {
            let of = |(_, by, tool): &&(Family, Family, &str)| {
                *by == chain.family && table.strip_prefix(tool).is_some_and(|rest| rest.starts_with(' '))
            };
            let (family, _, tool) = BY_OTHERS.iter().find(of)?;
            Some((*family, table[tool.len() + 1..].to_owned()))
        });
        if let Some((family, table)) = stood_for {
            (chain.family, chain.table) = (family, table);
        }
    }
}

/// Filters with everything in an order of its own, to be compared.
pub(super) fn sorted(filters: &Filters) -> Filters {
    let mut filters = filters.clone();
    filters.chains.sort_by_key(Chain::title);
    filters.sets.sort_by(|one, other| {
        let key = |set: &Set| (format!("{:?}", set.family), set.table.clone(), set.name.clone());
        key(one).cmp(&key(other))
    });
    filters.sets.iter_mut().for_each(|set| set.elements.sort_by(|one, other| one.from.cmp(&other.from)));
    filters
}
