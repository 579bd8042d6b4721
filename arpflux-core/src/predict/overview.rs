//! One line an address: who should answer, who does, and whether that is as it should be; bad first.

use std::fmt;
use std::net::IpAddr;

use foldhash::{HashMap, HashSet};

use super::flux::{Asked, Gaps, Tally, flux};
use super::grid::Grid;
use super::matrix::{Cell, columns, listeners};
use super::{Model, Verdict};
use crate::judgement::{Gap, Judgement};
use crate::snapshot::{Index, Interface, InterfaceFlags, Snapshot, WireMap};
use crate::types::{IfIndex, IfName, Mac};
use crate::words::{counted, folded};

/// What the answers for one address come to; earlier ones are worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Several MACs answer on one wire.
    Flux,
    /// Whether several MACs answer on one wire cannot be told.
    Unknown,
    /// Interfaces answer, and not the one that takes requests and holds the address or its proxy entry.
    Elsewhere,
    /// Nobody answers.
    Silent,
    /// One MAC answers on each wire.
    Good,
}

impl Outcome {
    /// All, the worst first.
    pub const ALL: &'static [Self] = &[Self::Flux, Self::Unknown, Self::Elsewhere, Self::Silent, Self::Good];

    /// In one or two words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Flux => "FLUX",
            Self::Unknown => "unknown",
            Self::Elsewhere => "by another",
            Self::Silent => "silent",
            Self::Good => "ok",
        }
    }
}

/// Who should answer for one address, and who does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// The address.
    pub target: IpAddr,
    /// The interfaces that hold it; none: it is proxied, or a local route's.
    pub held_by: Vec<IfName>,
    /// A route alone says that it is this host (`ip route add local`): it stands for all of the route's prefix.
    pub local_route: bool,
    /// Of the interfaces that hold it or have its entry: those that no request reaches, as they have no carrier.
    pub no_carrier: Vec<IfName>,
    /// The interfaces of its proxy entries; none for an entry that counts on all.
    pub proxied_on: Vec<IfName>,
    /// The interfaces that answer a neighbour.
    pub answering: Vec<IfName>,
    /// The interfaces that answer a probe.
    pub answering_probes: Vec<IfName>,
    /// How many MACs answer on one wire, a neighbour or a probe: on the wire where they are most.
    pub macs: usize,
    /// What that comes to.
    pub outcome: Outcome,
}

impl Line {
    /// Who should answer: `eth0`, `eth4 (no carrier)`, `proxy on eth3`, `local route` (whoever it is).
    #[must_use]
    pub fn expected(&self) -> String {
        let named = |names: &[IfName]| {
            let name = |name: &IfName| match self.no_carrier.contains(name) {
                true => format!("{name} (no carrier)"),
                false => name.to_string(),
            };
            folded(&names.iter().map(name).collect::<Vec<_>>())
        };
        match (self.held_by.as_slice(), self.proxied_on.as_slice()) {
            ([], _) if self.local_route => "local route".into(),
            ([], []) => "proxy".into(),
            ([], on) => format!("proxy on {}", named(on)),
            (held, _) => named(held),
        }
    }

    /// Who does: names, `nobody`, where it is flux for probes alone who answers these, too; what cannot be told is left
    /// to the verdict.
    #[must_use]
    pub fn answered_by(&self) -> String {
        match (self.answering.as_slice(), self.outcome) {
            ([], Outcome::Unknown) => "nobody for certain".into(),
            ([], Outcome::Flux) => "probes only".into(),
            ([], _) => "nobody".into(),
            (names, Outcome::Flux) if self.answering_probes.iter().any(|name| !names.contains(name)) => {
                format!("{}; probes: {}", folded(names), folded(&self.answering_probes))
            }
            (names, _) => folded(names),
        }
    }

    /// What it comes to: `FLUX, 2 MACs`, `ok`.
    #[must_use]
    pub fn verdict(&self) -> String {
        match self.outcome {
            Outcome::Flux => format!("{}, {}", Outcome::Flux.words(), counted(self.macs, "MAC", "MACs")),
            other => other.words().into(),
        }
    }
}

/// All addresses of a host, one line each, the worst first. Cells are not kept, so that it takes little memory for
/// very many.
#[derive(Debug)]
#[non_exhaustive]
pub struct Overview {
    /// The lines, the worst first, then in the order asked.
    pub lines: Vec<Line>,
    /// What leaves lines open, if anything does.
    pub missing: Vec<Gap>,
    tally: Tally,
}

/// After how many addresses the progress is told.
const AT_ONCE: usize = 256;

impl Overview {
    /// Of chosen addresses on chosen interfaces; `sender` asks instead of a neighbour that is chosen for each
    /// interface. `progress` hears how many addresses are done.
    pub fn of(
        model: &Model<'_>,
        targets: &[IpAddr],
        interfaces: &[IfIndex],
        sender: Option<IpAddr>,
        mut progress: impl FnMut(usize),
    ) -> Self {
        let entries = Entries::of(model.snapshot());
        let wires = WireMap::of(model.snapshot());
        let columns = columns(model.snapshot(), &wires, interfaces);
        let mut grid = Grid::new(model, &columns, sender);
        let mut missing = Gaps::default();
        let mut lines = Vec::with_capacity(targets.len());
        let mut open = Vec::new();
        for (at, target) in targets.iter().enumerate() {
            let heard = grid.heard(*target);
            let heard: Vec<Asked<'_>> = heard.iter().map(|(column, cell)| (*column, cell)).collect();
            let flux = flux(&heard, Some(&wires));
            missing.add(*target, flux, &heard, &wires);
            if flux.is_none() {
                open.push(*target);
            }
            lines.push(entries.line(*target, flux, &heard));
            if (at + 1) % AT_ONCE == 0 {
                progress(at + 1);
            }
        }
        let certain = lines.iter().filter(|line| line.outcome != Outcome::Unknown);
        let certain = certain.map(|line| (Some(line.outcome == Outcome::Flux), None)).collect::<Vec<_>>();
        let apart = (!open.is_empty()).then(|| model.without_interference());
        let mut apart = apart.as_ref().map(|alone| Grid::new(alone, &columns, sender));
        let apart = open.into_iter().map(|target| (None, apart.as_mut().and_then(|grid| grid.flux(target))));
        let tally = certain.into_iter().chain(apart).collect();
        lines.sort_by_key(|line| line.outcome);
        Self { lines, missing: missing.told(model.snapshot()), tally }
    }

    /// Whether one MAC at most answers for each address on each wire.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        self.tally.judgement(&self.missing)
    }

    /// How many addresses come to `outcome`.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.lines.iter().filter(|line| line.outcome == outcome).count()
    }
}

impl fmt::Display for Overview {
    /// What the whole comes to, in one line, as [`Matrix::summary`](super::Matrix::summary).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.tally.summary(&self.missing))
    }
}

/// Where proxy entries are, and who takes requests.
struct Entries<'s> {
    listening: HashSet<IfName>,
    index: Index<'s>,
}

impl<'s> Entries<'s> {
    fn of(snapshot: &'s Snapshot) -> Self {
        let name = |index: IfIndex| snapshot.interface(index).map(|interface| interface.name);
        Self {
            listening: listeners(snapshot).into_iter().filter_map(name).collect(),
            index: Index::new(snapshot),
        }
    }

    fn line(&self, target: IpAddr, flux: Option<bool>, heard: &[Asked<'_>]) -> Line {
        let answers = |(_, cell): &&Asked<'_>| cell.verdict.answers() == Some(true);
        let answering: Vec<IfName> = heard.iter().filter(answers).map(|(column, _)| column.name).collect();
        let probed = heard.iter().filter(|(_, cell)| cell.probe.answers() == Some(true));
        let mut proxied_on: Vec<IfIndex> = self.index.proxied(target).iter().copied().flatten().collect();
        proxied_on.sort();
        let named = |indexes: &[IfIndex]| -> Vec<&Interface> {
            indexes.iter().filter_map(|index| self.index.snapshot.interface(*index)).collect()
        };
        let (holders, proxied_on) = (named(self.index.holders(target)), named(&proxied_on));
        let names = |interfaces: &[&Interface]| interfaces.iter().map(|interface| interface.name).collect();
        let expected = if holders.is_empty() { &proxied_on } else { &holders };
        let mut asked = expected.iter().map(|one| one.name).filter(|name| self.listening.contains(name));
        let mut asked = asked.by_ref().peekable();
        let outcome = match flux {
            Some(true) => Outcome::Flux,
            None => Outcome::Unknown,
            Some(false) if answering.is_empty() => Outcome::Silent,
            Some(false) if asked.peek().is_some() && !asked.any(|name| answering.contains(&name)) => {
                Outcome::Elsewhere
            }
            Some(false) => Outcome::Good,
        };
        let cut_off = expected.iter().filter(|one| self.is_cut_off(one));
        Line {
            target,
            no_carrier: cut_off.map(|one| one.name).collect(),
            held_by: names(&holders),
            local_route: self.index.proxied(target).is_empty() && holders.is_empty(),
            proxied_on: names(&proxied_on),
            answering,
            answering_probes: probed.map(|(column, _)| column.name).collect(),
            macs: macs(heard),
            outcome,
        }
    }

    /// Whether an interface takes requests and none reaches it.
    fn is_cut_off(&self, interface: &Interface) -> bool {
        let up = interface.flags.contains(InterfaceFlags::UP);
        up && !self.index.snapshot.has_carrier(interface) && self.listening.contains(&interface.name)
    }
}

/// How many MACs answer a neighbour, or a probe, on the wire where they are most.
fn macs(heard: &[Asked<'_>]) -> usize {
    let on_a_wire = |verdict: fn(&Cell) -> &Verdict| {
        let mut wires: HashMap<usize, HashSet<&Mac>> = HashMap::default();
        for (column, cell) in heard {
            if let Some(mac) = verdict(cell).mac() {
                wires.entry(column.wire).or_default().insert(mac);
            }
        }
        wires.values().map(HashSet::len).max().unwrap_or(0)
    };
    on_a_wire(|cell| &cell.verdict).max(on_a_wire(|cell| &cell.probe))
}
