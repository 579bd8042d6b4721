//! Whether several MACs answer for one address on one wire, and what leaves that open.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use foldhash::{HashMap, HashSet};

use super::matrix::{Cell, Column};
use super::{Missing, MissingSet, Verdict};
use crate::judgement::{self, Gap, Judgement};
use crate::snapshot::{Certainty, Snapshot, WireMap};
use crate::types::{IfIndex, Mac};
use crate::words;

/// What becomes of a neighbour's request, and of a probe.
const VERDICTS: [fn(&Cell) -> &Verdict; 2] = [|cell| &cell.verdict, |cell| &cell.probe];

/// A column, and its cell for an address.
pub(super) type Asked<'a> = (&'a Column, &'a Cell);

/// Several MACs that are certain are flux whatever else is open. Cells that are certainly silent may be left out.
/// `open_wires`: the wires, where an interface may be on the wire of another one that answers without that being known.
pub(super) fn flux(cells: &[Asked<'_>], open_wires: Option<&WireMap>) -> Option<bool> {
    let several = |verdict: fn(&Cell) -> &Verdict| {
        let mut first: HashMap<usize, Mac> = HashMap::default();
        cells.iter().any(|(column, cell)| match verdict(cell).mac() {
            Some(mac) => *first.entry(column.wire).or_insert(*mac) != *mac,
            None => false,
        })
    };
    if several(|cell| &cell.verdict) || several(|cell| &cell.probe) {
        return Some(true);
    }
    let open = |wires: &WireMap| {
        on_unknown_wires(cells).next().is_some() || !on_doubted_wires(cells, wires).is_empty()
    };
    if cells.iter().any(|(_, cell)| cell.is_undetermined()) || open_wires.is_some_and(open) {
        None
    } else {
        Some(false)
    }
}

/// The columns whose interface is on a wire that is not known, and answers where another one does with another
/// MAC.
fn on_unknown_wires<'a>(cells: &'a [Asked<'a>]) -> impl Iterator<Item = &'a Column> {
    VERDICTS.into_iter().flat_map(move |verdict| {
        let macs: HashSet<&Mac> = cells.iter().filter_map(|(_, cell)| verdict(cell).mac()).collect();
        let open = cells.iter().filter(move |(column, cell)| {
            macs.len() > 1 && column.certainty == Certainty::Unknown && verdict(cell).mac().is_some()
        });
        open.map(|(column, _)| *column)
    })
}

/// Pairs of interfaces, the smaller index first, that answer with different MACs and whose wires may be one
/// ([`WireMap::doubted`]).
fn on_doubted_wires(cells: &[Asked<'_>], wires: &WireMap) -> BTreeSet<(IfIndex, IfIndex)> {
    let mut pairs = BTreeSet::new();
    if !wires.has_doubts() {
        return pairs;
    }
    for verdict in VERDICTS {
        let answering = cells.iter().filter_map(|(column, cell)| Some((column.index, *verdict(cell).mac()?)));
        let answering: HashMap<IfIndex, Mac> = answering.collect();
        for (one, mac) in &answering {
            let others = wires.doubted(*one).into_iter();
            let differs = |other: &IfIndex| answering.get(other).is_some_and(|theirs| theirs != mac);
            pairs.extend(others.filter(differs).map(|other| (*one.min(&other), *one.max(&other))));
        }
    }
    pairs
}

/// What leaves rows open, gathered row by row.
#[derive(Default)]
pub(super) struct Gaps {
    of: BTreeMap<(bool, Missing), (BTreeSet<IfIndex>, BTreeSet<IpAddr>)>,
    on_wires: BTreeMap<IfIndex, BTreeSet<IpAddr>>,
    apart: BTreeMap<(IfIndex, IfIndex), BTreeSet<IpAddr>>,
}

impl Gaps {
    pub(super) fn add(&mut self, target: IpAddr, flux: Option<bool>, cells: &[Asked<'_>], wires: &WireMap) {
        for (column, cell) in cells {
            for missing in cell.verdict.missing().and(cell.probe.missing()).iter() {
                let (interfaces, addresses) = self.of.entry((target.is_ipv6(), missing)).or_default();
                interfaces.insert(column.index);
                addresses.insert(target);
            }
        }
        if flux.is_none() {
            for column in on_unknown_wires(cells) {
                self.on_wires.entry(column.index).or_default().insert(target);
            }
            for pair in on_doubted_wires(cells, wires) {
                self.apart.entry(pair).or_default().insert(target);
            }
        }
    }

    pub(super) fn told(self, snapshot: &Snapshot) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for ((ipv6, missing), (interfaces, addresses)) in self.of {
            let interfaces: Vec<IfIndex> = interfaces.into_iter().collect();
            let addresses: Vec<IpAddr> = addresses.into_iter().collect();
            let open = format!("who answers for {}", words::listed(&addresses));
            judgement::add(&mut gaps, Gap::of(snapshot, ipv6, MissingSet::only(missing), &interfaces, &open));
        }
        // Interfaces that leave the same open are named together.
        let mut together: BTreeMap<BTreeSet<IpAddr>, Vec<IfIndex>> = BTreeMap::new();
        for (interface, addresses) in self.on_wires {
            together.entry(addresses).or_default().push(interface);
        }
        for (addresses, interfaces) in together {
            let addresses: Vec<IpAddr> = addresses.into_iter().collect();
            let leaves_open = format!("whether one MAC answers for {}", words::listed(&addresses));
            judgement::add(&mut gaps, [Gap::wires(snapshot, &interfaces, &leaves_open)]);
        }
        for ((one, other), addresses) in self.apart {
            let addresses: Vec<IpAddr> = addresses.into_iter().collect();
            let leaves_open = format!("whether one MAC answers for {}", words::listed(&addresses));
            judgement::add(&mut gaps, [Gap::apart(snapshot, one, other, &leaves_open)]);
        }
        gaps
    }
}

/// How many addresses come to what.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    /// Several MACs answer on one wire.
    pub(super) flux: usize,
    /// That cannot be told.
    pub(super) open: usize,
    /// Of the open ones: in flux with all that is missing taken to be without effect.
    flux_apart: usize,
    /// Of the open ones: not in flux then.
    free_apart: usize,
}

impl FromIterator<(Option<bool>, Option<bool>)> for Tally {
    /// Of whether each is in flux, and whether it is with all that is missing taken to be without effect.
    fn from_iter<I: IntoIterator<Item = (Option<bool>, Option<bool>)>>(rows: I) -> Self {
        let mut tally = Self::default();
        for (flux, apart) in rows {
            tally.flux += usize::from(flux == Some(true));
            if flux.is_none() {
                tally.open += 1;
                tally.flux_apart += usize::from(apart == Some(true));
                tally.free_apart += usize::from(apart == Some(false));
            }
        }
        tally
    }
}

impl Tally {
    /// Whether one MAC at most answers for each address on each wire.
    pub(super) fn judgement(&self, missing: &[Gap]) -> Judgement {
        match self {
            Self { flux: 1.., .. } => Judgement::Bad,
            Self { open: 0, .. } => Judgement::Good,
            _ => Judgement::Undetermined {
                missing: missing.to_vec(),
                apart: match self {
                    Self { flux_apart: 1.., .. } => Some(false),
                    _ => (self.free_apart == self.open).then_some(true),
                },
            },
        }
    }

    /// In one line: how many addresses are in flux, and what cannot be told.
    pub(super) fn summary(&self, missing: &[Gap]) -> String {
        let addresses = |count: usize| match count {
            1 => "1 address".to_owned(),
            _ => format!("{count} addresses"),
        };
        let Self { flux, open, flux_apart, free_apart } = *self;
        let certain = match flux {
            0 if open > 0 => String::new(),
            0 => "No address has several MACs on one wire.".into(),
            1 => "1 address has several MACs on one wire: flux.".into(),
            _ => format!("{flux} addresses have several MACs on one wire: flux."),
        };
        if open == 0 {
            return certain;
        }
        let apart = match (flux_apart, free_apart) {
            (flux, _) if flux == open => match open {
                1 => "it is in flux".into(),
                2 => "both are in flux".into(),
                _ => "all are in flux".into(),
            },
            (0, free) if free == open => "none has several MACs on one wire".into(),
            (0, _) => String::new(),
            (flux, _) => format!("{flux} of them in flux"),
        };
        let line = judgement::last_line(&addresses(open), missing, &apart);
        if certain.is_empty() { line } else { format!("{certain} {line}") }
    }
}
