//! The cells of a matrix: interfaces that are alike are asked about once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use foldhash::{HashMap, HashSet};

use super::classes::Classes;
use super::flux::flux;
use super::matrix::{Cell, Column, Neighbours, sysctl_of};
use super::{Explanation, Model, Request, Step, Verdict};
use crate::snapshot::Index;
use crate::types::{IfIndex, Ipv4Net, Mac};

/// Interfaces that are asked for one address after the other.
pub(super) struct Grid<'a, 's> {
    model: &'a Model<'s>,
    columns: &'a [Column],
    /// Who asks everywhere, if somebody was chosen.
    sender: Option<IpAddr>,
    neighbours: Neighbours<'s>,
    classes: Classes,
    /// The columns whose interfaces are of one class and in the same subnets, so that the same neighbour asks there.
    groups: Vec<Vec<usize>>,
    /// The columns of each interface.
    places: HashMap<IfIndex, Vec<usize>>,
}

impl<'a, 's> Grid<'a, 's> {
    pub(super) fn new(model: &'a Model<'s>, columns: &'a [Column], sender: Option<IpAddr>) -> Self {
        let classes = Classes::new(model);
        let index = Index::new(model.snapshot());
        let mut known: HashMap<(Option<u32>, &[Ipv4Net]), usize> = HashMap::default();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        let mut places: HashMap<IfIndex, Vec<usize>> = HashMap::default();
        for (at, column) in columns.iter().enumerate() {
            let alike = (classes.of(model, column.index), index.subnets(column.index));
            let group = *known.entry(alike).or_insert_with(|| {
                groups.push(Vec::new());
                groups.len() - 1
            });
            groups[group].push(at);
            places.entry(column.index).or_default().push(at);
        }
        let neighbours = Neighbours::new(model.snapshot());
        Self { model, columns, sender, neighbours, classes, groups, places }
    }

    /// What becomes of requests for `target`, by column.
    pub(super) fn row(&mut self, target: IpAddr) -> Vec<Cell> {
        self.cells(target, true).into_iter().map(|(_, cell)| cell).collect()
    }

    /// The cells of the columns whose interface does not certainly keep silent, in the order of the columns.
    pub(super) fn heard(&mut self, target: IpAddr) -> Vec<(&'a Column, Cell)> {
        let columns = self.columns;
        self.cells(target, false).into_iter().map(|(at, cell)| (&columns[at], cell)).collect()
    }

    /// Whether several MACs answer on one wire, where which wires interfaces are on is taken as known.
    pub(super) fn flux(&mut self, target: IpAddr) -> Option<bool> {
        let heard = self.heard(target);
        flux(&heard.iter().map(|(column, cell)| (*column, cell)).collect::<Vec<_>>(), None)
    }

    fn cells(&mut self, target: IpAddr, silent: bool) -> Vec<(usize, Cell)> {
        let mut cells = match target {
            IpAddr::V4(target) => self.requests(target, silent),
            IpAddr::V6(target) => self.solicitations(target, silent),
        };
        cells.retain(|(_, cell)| silent || !cell.is_silent());
        cells.sort_by_key(|(at, _)| *at);
        cells
    }

    /// For an IPv6 address each interface is asked, or with `silent` off each that may answer.
    fn solicitations(&mut self, target: Ipv6Addr, silent: bool) -> Vec<(usize, Cell)> {
        let Self { model, columns, sender, neighbours, .. } = self;
        let chosen = sender.filter(IpAddr::is_ipv6);
        let mut cells = Vec::new();
        let mut free = None;
        for (at, Column { index, .. }) in columns.iter().enumerate() {
            if !silent && model.never_advertised(*index, target) {
                continue;
            }
            let free = *free.get_or_insert_with(|| neighbours.of_family(*index, target.into()));
            let mut answer = |request: &Request| model.answer(request);
            cells.push((at, cell(model, chosen.unwrap_or(free), *index, target.into(), &mut answer)));
        }
        cells
    }

    fn requests(&mut self, target: Ipv4Addr, silent: bool) -> Vec<(usize, Cell)> {
        let Self { model, columns, sender, neighbours, classes, groups, places } = self;
        let chosen = sender.filter(IpAddr::is_ipv4);
        let mut sender_on =
            |at: usize| chosen.unwrap_or_else(|| neighbours.of(columns[at].index, target).into());
        let asked = |at: usize, sender, reply: &mut dyn FnMut(&Request) -> Verdict| {
            cell(model, sender, columns[at].index, target.into(), reply)
        };
        let by_itself = |at: usize, sender| asked(at, sender, &mut |request| model.answer(request));
        let mut cells: Vec<(usize, Cell)> = Vec::new();
        // One may hold the address and have an entry for it.
        let alone: HashSet<IfIndex> = classes.apart(model, target).into_iter().collect();
        for at in alone.iter().filter_map(|index| places.get(index)).flatten() {
            cells.push((*at, by_itself(*at, sender_on(*at))));
        }
        for group in groups.iter() {
            let mut others = group.iter().copied().filter(|at| !alone.contains(&columns[*at].index));
            // One after the other until one stands for the rest.
            while let Some(first) = others.next() {
                let one = columns[first].index;
                if !silent && model.never_answers(one, target) {
                    // It is the same for the rest: it does not depend on routes.
                    break;
                }
                let from = sender_on(first);
                let mut told: Vec<IfIndex> = Vec::new();
                let common = asked(first, from, &mut |request| match request {
                    Request::Arp(request) => Classes::reply(model, request, &mut told),
                    Request::Solicitation(_) => model.answer(request),
                });
                cells.push((first, common));
                if told.contains(&one) {
                    continue;
                }
                for at in others.by_ref() {
                    let Column { index, mac, .. } = columns[at];
                    if told.contains(&index) {
                        cells.push((at, by_itself(at, from)));
                    } else if silent || !common.is_silent() {
                        cells.push((at, common.as_on(one, (index, mac))));
                    }
                }
            }
        }
        cells
    }
}

fn cell(
    model: &Model<'_>,
    sender: IpAddr,
    interface: IfIndex,
    target: IpAddr,
    reply: &mut dyn FnMut(&Request) -> Verdict,
) -> Cell {
    let probe = Request::probe(interface, target);
    let request = Request::ordinary(interface, sender, target).unwrap_or(probe);
    let verdict = reply(&request);
    let value = match verdict {
        Verdict::Silent { reason } if sysctl_of(reason).is_some() => deciding(&model.explain(&request)),
        _ => None,
    };
    Cell { sender, verdict, probe: reply(&probe), value }
}

/// The value of the last sysctl that stopped a request.
fn deciding(explanation: &Explanation) -> Option<i32> {
    explanation.steps.iter().rev().find_map(|step| match step {
        Step::Sysctl { value, passes: false, .. } | Step::Ipv6Sysctl { value, passes: false, .. } => {
            Some(*value)
        }
        _ => None,
    })
}

impl Cell {
    /// Whether certainly neither the neighbour nor the probe is answered.
    fn is_silent(&self) -> bool {
        self.verdict.answers() == Some(false) && self.probe.answers() == Some(false)
    }

    fn as_on(self, one: IfIndex, other: (IfIndex, Mac)) -> Self {
        Self { verdict: self.verdict.as_on(one, other), probe: self.probe.as_on(one, other), ..self }
    }
}
