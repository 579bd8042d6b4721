//! One line an address: who should answer, who does, and whether that is as it should be; bad first.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;

use super::matrix::{Cell, Matrix, Row, listeners};
use super::{Model, Reason, Verdict};
use crate::judgement;
use crate::snapshot::{Index, Snapshot};
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
    /// The interfaces that hold it; none: it is proxied.
    pub held_by: Vec<IfName>,
    /// The interfaces that no request reaches, as they have no carrier.
    pub no_carrier: Vec<IfName>,
    /// The interfaces of its proxy entries; none for an entry that counts on all.
    pub proxied_on: Vec<IfName>,
    /// The interfaces that answer a neighbour.
    pub answering: Vec<IfName>,
    /// How many MACs answer on one wire, a neighbour or a probe: on the wire where they are most.
    pub macs: usize,
    /// What that comes to.
    pub outcome: Outcome,
}

impl Line {
    /// Who should answer: `eth0`, `eth4 (no carrier)`, `proxy on eth3`.
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
            ([], []) => "proxy".into(),
            ([], on) => format!("proxy on {}", named(on)),
            (held, _) => named(held),
        }
    }

    /// Who does: names, `nobody`, and what cannot be told is left to the verdict.
    #[must_use]
    pub fn answered_by(&self) -> String {
        match (self.answering.as_slice(), self.outcome) {
            ([], Outcome::Unknown) => "nobody for certain".into(),
            ([], Outcome::Flux) => "probes only".into(),
            ([], _) => "nobody".into(),
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

/// All addresses of a host, one line each, the worst first. Of addresses that are good only the line is kept, so
/// that it takes little memory for very many.
#[derive(Debug)]
#[non_exhaustive]
pub struct Overview {
    /// The lines, the worst first, then in the order asked.
    pub lines: Vec<Line>,
    /// The rows of those that are not good.
    pub matrix: Matrix,
}

/// How many addresses are worked out at once.
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
        let mut lines = Vec::with_capacity(targets.len());
        let mut whole = Matrix::with(model, &[], interfaces, sender);
        for (at, chunk) in targets.chunks(AT_ONCE).enumerate() {
            let part = Matrix::with(model, chunk, interfaces, sender);
            judgement::add(&mut whole.missing, part.missing.clone());
            for row in &part.rows {
                lines.push(entries.line(&part, row));
            }
            let kept = part.rows.into_iter().zip(&lines[at * AT_ONCE..]);
            whole.rows.extend(kept.filter(|(_, line)| line.outcome != Outcome::Good).map(|(row, _)| row));
            progress(lines.len());
        }
        whole.ok = whole.judgement().ok();
        lines.sort_by_key(|line| line.outcome);
        Self { lines, matrix: whole }
    }

    /// How many addresses come to `outcome`.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.lines.iter().filter(|line| line.outcome == outcome).count()
    }
}

impl fmt::Display for Overview {
    /// What the whole comes to, in one line: [`Matrix::summary`].
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.matrix.summary())
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

    fn line(&self, matrix: &Matrix, row: &Row) -> Line {
        let answering: Vec<IfName> = row.answering().map(|at| matrix.interfaces[at].name).collect();
        let mut proxied_on: Vec<IfIndex> = self.index.proxied(row.target).iter().copied().flatten().collect();
        proxied_on.sort();
        let name = |index| Some(self.index.snapshot.interface(index)?.name);
        let proxied_on: Vec<IfName> = proxied_on.into_iter().filter_map(name).collect();
        let expected = if row.held_by.is_empty() { &proxied_on } else { &row.held_by };
        let mut expected = expected.iter().filter(|name| self.listening.contains(name)).peekable();
        let outcome = match row.flux {
            Some(true) => Outcome::Flux,
            None => Outcome::Unknown,
            Some(false) if answering.is_empty() => Outcome::Silent,
            Some(false) if expected.peek().is_some() && !expected.any(|name| answering.contains(name)) => {
                Outcome::Elsewhere
            }
            Some(false) => Outcome::Good,
        };
        let cut_off = |cell: &Cell| matches!(cell.verdict, Verdict::Silent { reason: Reason::NoCarrier });
        let columns = matrix.interfaces.iter().zip(&row.cells);
        Line {
            target: row.target,
            held_by: row.held_by.clone(),
            no_carrier: columns.filter(|(_, cell)| cut_off(cell)).map(|(column, _)| column.name).collect(),
            proxied_on,
            answering,
            macs: macs(matrix, row),
            outcome,
        }
    }
}

/// How many MACs answer a neighbour, or a probe, on the wire where they are most.
fn macs(matrix: &Matrix, row: &Row) -> usize {
    let on_a_wire = |verdict: fn(&Cell) -> &Verdict| {
        let mut wires: HashMap<usize, HashSet<&Mac>> = HashMap::new();
        for (column, cell) in matrix.interfaces.iter().zip(&row.cells) {
            if let Some(mac) = verdict(cell).mac() {
                wires.entry(column.wire).or_default().insert(mac);
            }
        }
        wires.values().map(HashSet::len).max().unwrap_or(0)
    };
    on_a_wire(|cell| &cell.verdict).max(on_a_wire(|cell| &cell.probe))
}
