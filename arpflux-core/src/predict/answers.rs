//! Answers about one address, as they leave.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::{
    Announcement, Cell, Column, Entry, Event, Explanation, Learning, Lookup, Matrix, MissingSet, Model,
    Outgoing, PacketKind, PassedOver, Received, Request, Row,
};
use crate::judgement::{Gap, Judgement};
use crate::outward::Tried;
use crate::snapshot::Snapshot;
use crate::types::{IfIndex, IfName, Mac};

/// Who answers for one address, and why, on each interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AddressAnswers {
    /// The address.
    pub address: IpAddr,
    /// Whether several MACs answer on one wire; `None`: that cannot be told.
    pub flux: Option<bool>,
    /// What that comes to, and what is missing.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// The interfaces that answer.
    pub answering: Vec<IfName>,
    /// Each interface with the steps that decide.
    pub interfaces: Vec<AnswerOn>,
    /// What the kernel itself answered on a twin of the host, where that was tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried: Option<Tried>,
}

/// How requests on one interface fare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AnswerOn {
    /// The interface.
    pub interface: IfName,
    /// Its MAC.
    pub mac: Mac,
    /// The number of its wire.
    pub wire: usize,
    /// Who asks.
    pub sender_ip: IpAddr,
    /// How the request of `sender_ip` fares.
    pub reply: Explanation,
    /// How a probe fares; absent where the question was about one sender.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe: Option<Explanation>,
}

impl AddressAnswers {
    /// The steps behind a row of a matrix; with those of a probe unless one sender was asked about (`from`).
    #[must_use]
    pub fn new(model: &Model<'_>, matrix: &Matrix, row: &Row, from: Option<IpAddr>) -> Self {
        let explained = |column: &Column, cell: &Cell| {
            let probe = Request::probe(column.index, row.target);
            let reply = Request::ordinary(column.index, cell.sender, row.target).unwrap_or(probe);
            (model.explain(&reply), from.is_none().then(|| model.explain(&probe)))
        };
        let on = |(column, cell): (&Column, &Cell)| {
            let (reply, probe) = explained(column, cell);
            AnswerOn {
                interface: column.name,
                mac: column.mac,
                wire: column.wire,
                sender_ip: cell.sender,
                reply,
                probe,
            }
        };
        let interfaces = matrix.interfaces.iter().zip(&row.cells).map(on);
        Self {
            address: row.target,
            flux: row.flux,
            judgement: matrix.judgement_of(row),
            answering: row.answering().map(|at| matrix.interfaces[at].name).collect(),
            interfaces: interfaces.collect(),
            tried: None,
        }
    }
}

/// What a host learns when it is told that an address is at a MAC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Learned {
    /// The address.
    pub address: Ipv4Addr,
    /// The MAC.
    pub mac: Mac,
    /// What each interface learns.
    pub interfaces: Vec<LearnedOn>,
}

/// What one interface learns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LearnedOn {
    /// The interface.
    pub interface: IfName,
    /// From which frame it learns what.
    pub frames: Vec<LearnedFrom>,
    /// What the kernel announces here by itself when the interface is set up.
    pub announces_when_up: Vec<Announcement>,
}

/// What is learnt from one kind of frame.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct LearnedFrom {
    /// The frame, in words.
    pub frame: &'static str,
    /// Without an entry for the address.
    pub unknown: Learning,
    /// With an entry that was changed just now.
    pub fresh: Learning,
    /// With an entry older than `locktime`.
    pub old: Learning,
}

impl Learned {
    /// What is missing where it cannot be told.
    #[must_use]
    pub fn missing(&self) -> MissingSet {
        let frames = self.interfaces.iter().flat_map(|interface| &interface.frames);
        let learned = frames.flat_map(|frame| [frame.unknown, frame.fresh, frame.old]);
        learned.fold(MissingSet::NONE, |all, learning| match learning {
            Learning::Undetermined { missing } => all.and(missing),
            Learning::Nothing | Learning::KeepsOther | Learning::Takes { .. } => all,
        })
    }

    /// Good if all of it can be told.
    #[must_use]
    pub fn judgement(&self, snapshot: &Snapshot) -> Judgement {
        let open = format!("what is learned of {}", self.address);
        judged(snapshot, self.missing(), &open)
    }

    /// What each of `interfaces` learns from the usual frames that say `address` is at `mac`.
    #[must_use]
    pub fn new(model: &Model<'_>, address: Ipv4Addr, mac: Mac, interfaces: &[IfIndex]) -> Self {
        let snapshot = model.snapshot();
        let on = |index: &IfIndex| {
            let interface = snapshot.interface(*index)?;
            let own = snapshot.addresses_of(interface.index).find_map(|held| match held.local {
                IpAddr::V4(own) => Some(own),
                IpAddr::V6(_) => None,
            });
            let kinds = [
                ("gratuitous request", false, address, false),
                ("gratuitous reply", true, address, false),
                ("unicast reply", true, own.unwrap_or(address), true),
            ];
            let frames = kinds.into_iter().map(|(frame, reply, target, unicast)| {
                let learns = |entry| {
                    model.learns(&Received {
                        interface: interface.index,
                        reply,
                        sender: address,
                        sender_mac: mac,
                        target,
                        target_mac: if reply && target == address { mac } else { Mac::NONE },
                        unicast,
                        entry,
                    })
                };
                let locktime = interface.neigh.locktime;
                LearnedFrom {
                    frame,
                    unknown: learns(Entry::None),
                    fresh: learns(Entry::Known { changed_ms: 0 }),
                    old: learns(Entry::Known { changed_ms: locktime.saturating_add(1) }),
                }
            });
            Some(LearnedOn {
                interface: interface.name,
                frames: frames.collect(),
                announces_when_up: model.announcements(interface.index, Event::Up),
            })
        };
        Self { address, mac, interfaces: interfaces.iter().filter_map(on).collect() }
    }
}

/// What a host does to reach a destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Reached {
    /// The destination.
    pub destination: Ipv4Addr,
    /// The source that was asked about, if one was.
    pub source: Option<Ipv4Addr>,
    /// By which interface it leaves, and what is asked.
    #[serde(flatten)]
    pub outgoing: Outgoing,
    /// The rule, table and route that say so, also where they reject it; `None` if no route is looked up or found.
    pub lookup: Option<Lookup>,
    /// The gateway that it is sent to; `None`: the destination itself.
    pub gateway: Option<Ipv4Addr>,
    /// The MAC that a permanent neighbour entry says, for which no request is ever sent.
    pub permanent: Option<Mac>,
    /// Whether peers learn an address of another interface with this one's MAC.
    pub teaches_wrong_mac: bool,
    /// The rules on protocols, ports, users and marks that were passed over, where they would decide otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PassedOver>,
}

impl Reached {
    /// Bad if peers learn a wrong MAC.
    #[must_use]
    pub fn judgement(&self, snapshot: &Snapshot) -> Judgement {
        match self.outgoing {
            _ if self.teaches_wrong_mac => Judgement::Bad,
            Outgoing::Undetermined { missing } => {
                judged(snapshot, missing, &format!("how {} is reached", self.destination))
            }
            Outgoing::Asks { .. } | Outgoing::NoRequest { .. } | Outgoing::Unreachable => Judgement::Good,
        }
    }

    /// How the host reaches `destination`, from `source` if that is given, by `by` if that is.
    #[must_use]
    pub fn new(
        model: &Model<'_>,
        destination: Ipv4Addr,
        source: Option<Ipv4Addr>,
        by: Option<IfIndex>,
    ) -> Self {
        Self::of(model, PacketKind::default(), destination, source, by)
    }

    /// The same for a packet of which more is known.
    #[must_use]
    pub fn of(
        model: &Model<'_>,
        kind: PacketKind,
        destination: Ipv4Addr,
        source: Option<Ipv4Addr>,
        by: Option<IfIndex>,
    ) -> Self {
        let asked = model.outgoing_of(kind, destination, source, by);
        let mut outgoing = asked;
        let (mut gateway, mut permanent) = (None, None);
        if let Outgoing::Asks { interface, target, packet_source, .. } = outgoing {
            gateway = (target != destination).then_some(target);
            permanent = model.snapshot().permanent_neighbour(interface, target);
            if permanent.is_some() {
                outgoing = Outgoing::NoRequest { interface, packet_source };
            }
        }
        let passed_over = model.passed_over(asked, kind, destination, source, by);
        let teaches_wrong_mac = outgoing.teaches_wrong_mac(model.snapshot());
        let lookup = model.own_lookup(kind, destination, source, by);
        Self { destination, source, outgoing, lookup, gateway, permanent, teaches_wrong_mac, passed_over }
    }
}

/// Good unless something is missing.
fn judged(snapshot: &Snapshot, missing: MissingSet, open: &str) -> Judgement {
    if missing.is_empty() {
        return Judgement::Good;
    }
    Judgement::Undetermined { missing: Gap::all(snapshot, missing, &[], open), apart: None }
}

/// A question of `arpflux explain --stdin`: one request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Question {
    /// The interface that the request arrives on.
    pub iface: String,
    /// Who asks.
    pub sender_ip: IpAddr,
    /// For which address.
    pub target_ip: IpAddr,
    /// The asker's MAC.
    pub sender_mac: Option<Mac>,
    /// Whether the frame is sent to the interface's MAC alone.
    #[serde(default)]
    pub unicast: bool,
}

impl Question {
    /// Reads one.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn from_json(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(text).map_err(|error| error.to_string())
    }

    /// The request, on the interface of that number.
    ///
    /// # Errors
    /// Sender and target are of different families.
    pub fn request(&self, interface: IfIndex) -> Result<Request, String> {
        let (sender, target) = (self.sender_ip, self.target_ip);
        Request::new(interface, (sender, self.sender_mac), target, self.unicast)
            .ok_or_else(|| format!("{sender} and {target} are addresses of different families"))
    }
}

/// The answer to a line that is no [`Question`]; the keys of an answer are there all the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Malformed {
    /// Not known.
    pub answers: Option<bool>,
    /// Not known.
    pub mac: Option<Mac>,
    /// What is wrong with the line.
    pub error: String,
    /// Its number, from 1.
    pub line: usize,
}

impl Malformed {
    /// Line `line` is wrong, for the reason `error`.
    #[must_use]
    pub const fn new(line: usize, error: String) -> Self {
        Self { answers: None, mac: None, error, line }
    }
}
