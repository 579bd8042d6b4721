//! How requests turn, by classes of senders and targets: worked out once for interfaces that are alike.
//!
//! Of interfaces that are of one class in both states ([`Classes`]) one is asked. What it says holds for the others but
//! for the classes of senders whose requests told it, or the other one, apart; and not at all for those that hold the
//! target or have an entry for it. Those are asked themselves.

use std::collections::BTreeSet;
use std::rc::Rc;

use foldhash::{HashMap, HashMapExt as _};

use super::{Range, Turn, join, neighbours, turn};
use crate::predict::{ArpRequest, Classes, Model, Reason, Verdict};
use crate::proof::{Members, Space, View, masters};
use crate::types::{IfIndex, IpNet, Ipv4Net, Mac};

/// Which turn a request takes, by number; 0: none.
pub(super) type Number = u32;

/// A turn, with `None` for the MAC of the interface that is asked: as it is on all that are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Alike {
    Loses(Option<Mac>),
    Unclear,
    Moves(Option<Mac>, Option<Mac>),
    Gains(Option<Mac>),
}

/// Interfaces that are alike: their classes before and afterwards, and whether the MAC stays the same.
type Kin = ([Option<u32>; 2], bool);

/// An interface that is asked.
pub(super) struct On {
    index: IfIndex,
    pub(super) view: View,
    macs: [Mac; 2],
    /// `None` if no other one is alike.
    kin: Option<Kin>,
}

/// The turns of requests for targets of one class.
struct Row {
    turns: Rc<[Number]>,
    /// Those turns, each once.
    different: Vec<Number>,
}

/// What one interface said of a class of targets.
struct Known {
    row: usize,
    /// Whom it is not said of.
    apart: Vec<IfIndex>,
    of: IfIndex,
    /// Who is told apart by requests from which class of senders, sorted; behind the last class: by announcements.
    told: Vec<(IfIndex, usize)>,
}

/// The turns of requests between two states of a host.
pub(super) struct Turns<'m, 's> {
    models: [&'m Model<'s>; 2],
    classes: [Classes; 2],
    space: &'m Space,
    alike: HashMap<Kin, usize>,
    turns: Vec<Option<Alike>>,
    numbers: HashMap<Option<Alike>, Number>,
    /// The turns of requests for the same class of targets, by class of senders, and behind them that of an
    /// announcement. The first one has no turns at all.
    rows: Vec<Row>,
    places: HashMap<Rc<[Number]>, usize>,
    known: HashMap<(Kin, Members), Known>,
    /// Of interfaces without classes of senders of their own: the senders of a turn in a row.
    senders: HashMap<(usize, Number), Vec<Range>>,
    neighbours: HashMap<Vec<Ipv4Net>, Rc<BTreeSet<usize>>>,
}

impl<'m, 's> Turns<'m, 's> {
    /// The row in which nothing turns.
    pub(super) const NONE: usize = 0;

    pub(super) fn new(models: [&'m Model<'s>; 2], space: &'m Space) -> Self {
        let mut turns = Self {
            models,
            classes: models.map(Classes::new),
            space,
            alike: HashMap::new(),
            turns: vec![None],
            numbers: std::iter::once((None, 0)).collect(),
            rows: vec![Row { turns: Rc::default(), different: Vec::new() }],
            places: HashMap::new(),
            known: HashMap::new(),
            senders: HashMap::new(),
            neighbours: HashMap::new(),
        };
        let [before, after] = models.map(Model::snapshot);
        for interface in &before.interfaces {
            if let Some(there) = after.interface(interface.index) {
                *turns.alike.entry(turns.kin(interface.index, [interface.mac, there.mac])).or_default() += 1;
            }
        }
        turns
    }

    fn kin(&self, index: IfIndex, macs: [Mac; 2]) -> Kin {
        let [before, after] = [0, 1].map(|at| self.classes[at].of(self.models[at], index));
        ([before, after], macs[0] == macs[1])
    }

    pub(super) fn on(&self, index: IfIndex) -> On {
        let snapshots = self.models.map(Model::snapshot);
        let above: Vec<IfIndex> = snapshots.iter().flat_map(|snapshot| masters(snapshot, index)).collect();
        let view = self.space.view(index, &above);
        let macs = snapshots.map(|host| host.interface(index).map_or(Mac::NONE, |interface| interface.mac));
        let kin = self.kin(index, macs);
        let several = self.alike.get(&kin).is_some_and(|count| *count > 1);
        let kin = (several && self.space.is_common(&view.senders)).then_some(kin);
        On { index, view, macs, kin }
    }

    /// The classes of senders that are hosts of the interface's subnets.
    pub(super) fn neighbours(&mut self, on: &On) -> Rc<BTreeSet<usize>> {
        let v4 = |net: IpNet| match net {
            IpNet::V4(subnet) => Some(subnet),
            IpNet::V6(_) => None,
        };
        let held = self.models.into_iter().flat_map(|model| model.snapshot().addresses_of(on.index));
        let subnets: Vec<Ipv4Net> = held.filter_map(|address| v4(address.subnet())).collect();
        if !self.space.is_common(&on.view.senders) {
            return Rc::new(neighbours(self.space, &on.view, &subnets));
        }
        let found = || Rc::new(neighbours(self.space, &on.view, &subnets));
        Rc::clone(self.neighbours.entry(subnets.clone()).or_insert_with(found))
    }

    /// The row of a class of targets on an interface.
    pub(super) fn row(&mut self, on: &On, target: Members) -> usize {
        let Some(kin) = on.kin else { return self.asked(on, target, &mut None) };
        let Some(known) = self.known.get(&(kin, target)) else {
            let addresses = [Some(target.first), target.other];
            let both = addresses
                .into_iter()
                .flatten()
                .flat_map(|address| [0, 1].map(|at| self.classes[at].apart(self.models[at], address.into())));
            let apart: Vec<IfIndex> = both.flatten().collect();
            if apart.contains(&on.index) {
                return self.asked(on, target, &mut None);
            }
            let mut told = Some(Vec::new());
            let row = self.asked(on, target, &mut told);
            let mut told = told.unwrap_or_default();
            told.sort();
            self.known.insert((kin, target), Known { row, apart, of: on.index, told });
            return row;
        };
        if known.apart.contains(&on.index) {
            return self.asked(on, target, &mut None);
        }
        let row = known.row;
        let told = |index: IfIndex| {
            let from = known.told.partition_point(|(other, _)| *other < index);
            known.told[from..].iter().take_while(move |(other, _)| *other == index).map(|(_, class)| *class)
        };
        let again: Vec<usize> = told(known.of).chain(told(on.index)).collect();
        let never = self.never(on, target);
        let mut turns: Option<Vec<Number>> = None;
        for class in again {
            let number = self.turn(on, never, target, class, &mut None);
            let length = on.view.senders.classes() + 1;
            let so_far = turns.as_ref().map_or(&self.rows[row].turns[..], |turns| turns);
            if so_far.get(class).copied().unwrap_or(0) != number {
                let mut changed = if row == 0 { vec![0; length] } else { so_far.to_vec() };
                changed = turns.take().unwrap_or(changed);
                changed[class] = number;
                turns = Some(changed);
            }
        }
        turns.map_or(row, |turns| self.place(turns))
    }

    /// Whether nobody is answered for the target, before and afterwards.
    fn never(&self, on: &On, target: Members) -> [bool; 2] {
        self.models.map(|model| model.never_answers(on.index, target.first.into()))
    }

    fn asked(&mut self, on: &On, target: Members, told: &mut Option<Vec<(IfIndex, usize)>>) -> usize {
        let never = self.never(on, target);
        if never == [true; 2] {
            return 0;
        }
        let classes = on.view.senders.classes();
        let turns = (0..=classes).map(|class| self.turn(on, never, target, class, told)).collect();
        self.place(turns)
    }

    /// How the requests of a class of senders turn; behind the last class: those for the sender's own address.
    fn turn(
        &mut self,
        on: &On,
        never: [bool; 2],
        target: Members,
        class: usize,
        told: &mut Option<Vec<(IfIndex, usize)>>,
    ) -> Number {
        let (sender, target) = match on.view.senders.members.get(class) {
            // Where nobody but the target itself is in the class, it asks for itself.
            Some(sender) => sender.apart(target).unwrap_or((sender.first, target.first)),
            None => (target.first, target.first),
        };
        let request = ArpRequest::broadcast(on.index, sender.into(), target.into());
        let mut apart = Vec::new();
        let [before, after] = [0, 1].map(|at| match told {
            _ if never[at] => Verdict::Silent { reason: Reason::NotProxied },
            Some(_) => Classes::reply(self.models[at], &request, &mut apart),
            None => self.models[at].reply(&request),
        });
        if let Some(told) = told {
            told.extend(apart.into_iter().map(|index| (index, class)));
        }
        let other = |mac: Mac, own: Mac| (mac != own).then_some(mac);
        let alike = turn(&before, &after).map(|turn| match turn {
            Turn::Loses { mac } => Alike::Loses(other(mac, on.macs[0])),
            Turn::Unclear => Alike::Unclear,
            Turn::Moves { from, to } => Alike::Moves(other(from, on.macs[0]), other(to, on.macs[1])),
            Turn::Gains { mac } => Alike::Gains(other(mac, on.macs[1])),
        });
        let Self { turns, numbers, .. } = self;
        *numbers.entry(alike).or_insert_with(|| {
            turns.push(alike);
            turns.len() as Number - 1
        })
    }

    fn place(&mut self, turns: Vec<Number>) -> usize {
        if turns.iter().all(|turn| *turn == 0) {
            return 0;
        }
        if let Some(place) = self.places.get(&turns[..]) {
            return *place;
        }
        let different: BTreeSet<Number> = turns.iter().copied().filter(|turn| *turn != 0).collect();
        let turns: Rc<[Number]> = turns.into();
        self.places.insert(Rc::clone(&turns), self.rows.len());
        self.rows.push(Row { turns, different: different.into_iter().collect() });
        self.rows.len() - 1
    }

    /// The turns of a row, each once.
    pub(super) fn different(&self, row: usize) -> Vec<Number> {
        self.rows[row].different.clone()
    }

    /// Whether announcements take this turn.
    pub(super) fn announced(&self, row: usize, turn: Number) -> bool {
        self.rows[row].turns.last() == Some(&turn)
    }

    /// Whether a class of senders has this turn in a row.
    pub(super) fn has(&self, row: usize, class: usize, turn: Number) -> bool {
        self.rows[row].turns.get(class) == Some(&turn)
    }

    /// The turn as it is on an interface.
    pub(super) fn turn_on(&self, on: &On, turn: Number) -> Option<Turn> {
        let [before, after] = on.macs;
        self.turns[turn as usize].map(|turn| match turn {
            Alike::Loses(mac) => Turn::Loses { mac: mac.unwrap_or(before) },
            Alike::Unclear => Turn::Unclear,
            Alike::Moves(from, to) => Turn::Moves { from: from.unwrap_or(before), to: to.unwrap_or(after) },
            Alike::Gains(mac) => Turn::Gains { mac: mac.unwrap_or(after) },
        })
    }

    /// All senders with this turn in a row.
    pub(super) fn senders(&mut self, on: &On, row: usize, turn: Number) -> Vec<Range> {
        let numbers = Rc::clone(&self.rows[row].turns);
        let found = || {
            let mut senders = Vec::new();
            for (first, last, class) in on.view.senders.intervals() {
                if numbers[class] == turn {
                    join(&mut senders, first, last);
                }
            }
            senders
        };
        if self.space.is_common(&on.view.senders) {
            self.senders.entry((row, turn)).or_insert_with(found).clone()
        } else {
            found()
        }
    }
}
