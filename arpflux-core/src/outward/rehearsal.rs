//! What a rehearsal found: a plan tried on a host's twin.

use std::fmt;
use std::net::Ipv4Addr;

use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};
use crate::exit::Exit;
use crate::harm::Harm;
use crate::snapshot::{Certainty, Snapshot};
use crate::types::{IfName, Mac};
use crate::words::{counted, listed};

/// A plan tried on a twin of the host: which answers to ARP requests were won, lost and changed, and whether the
/// kernel did as the model says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rehearsal {
    /// Whether nobody loses an answer who needs it, the kernel does as the model says, and all was taken back exactly;
    /// null: nothing bad was seen, and something could not be tried.
    pub ok: Option<bool>,
    /// The kernel that it was tried on (`uname -r`).
    pub kernel: String,
    /// How many changes were made on the twin.
    pub changes: usize,
    /// How many requests were sent, before and after.
    pub requests: usize,
    /// The wires of the host.
    pub wires: Vec<RehearsedWire>,
    /// What came of each request, before and after the plan.
    pub answers: Vec<RehearsedAnswer>,
    /// What came of packets between the host and those around it, before and after the plan.
    pub ways: Vec<RehearsedWay>,
    /// What the model says that the plan cuts off.
    pub harm: Vec<Harm>,
    /// What the kernel refused of the plan, if it did.
    pub refused: Option<String>,
    /// Whether the twin was as before after the plan was taken back.
    pub taken_back: bool,
    /// What arpflux was wrong about: the twin is not the host, the kernel does not as the model says.
    pub faults: Vec<String>,
    /// The first difference between model and kernel, to be shown to others. Null without one, and where a host that is
    /// built anew does not show it.
    pub difference: Option<Difference>,
    /// What was not tried, one sentence each.
    pub open: Vec<String>,
    /// What the twin has by something else, without a difference to the answers.
    pub stand_ins: Vec<LeftOut>,
    /// What the twin does not have. Answers that it decides about are open.
    pub left_out: Vec<LeftOut>,
}

/// A request that the kernel answers otherwise than the model says, with the smallest host that shows it: a fault of
/// arpflux. Names, addresses and MACs are [replaced](crate::snapshot::Anonymiser) alike, so it may be shown to anybody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Difference {
    /// The interfaces that hear the request.
    pub interfaces: Vec<IfName>,
    /// Who asks; 0.0.0.0 in a probe.
    pub sender: Ipv4Addr,
    /// The address asked for.
    pub address: Ipv4Addr,
    /// The MACs that answer by the model.
    pub model: Vec<Mac>,
    /// The MACs that answered.
    pub kernel: Vec<Mac>,
    /// The host.
    pub snapshot: Snapshot,
}

/// A wire of the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RehearsedWire {
    /// The interfaces of the host that hear it.
    pub interfaces: Vec<IfName>,
    /// How well that is known.
    pub certainty: Certainty,
    /// Whether it was asked: something outside of the host is on it, and interfaces that take ARP.
    pub asked: bool,
}

/// A request, and what came of it before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RehearsedAnswer {
    /// The wire, by its place in `wires`.
    pub wire: usize,
    /// The address asked for.
    pub address: Ipv4Addr,
    /// Who asked; 0.0.0.0 in a probe.
    pub sender: Ipv4Addr,
    /// The answers before.
    pub before: Vec<Heard>,
    /// The answers afterwards.
    pub after: Vec<Heard>,
    /// What became of it.
    pub turn: HeardTurn,
    /// Whether who asked is in one subnet of the wire with the address: others do not ask for it.
    pub near: bool,
    /// Why what the twin did says nothing about the host, if so.
    pub open: Option<String>,
}

/// Packets from one to another and back, tried by echo requests before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RehearsedWay {
    /// Who sent the echo request.
    pub from: WayEnd,
    /// Who was to answer it.
    pub to: WayEnd,
    /// Whether the reply came before.
    pub before: bool,
    /// Whether it came afterwards.
    pub after: bool,
    /// What became of it: `same`, `won` or `lost`.
    pub turn: HeardTurn,
}

/// One end of a way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WayEnd {
    /// Who it is.
    pub who: WayHost,
    /// Its address; of the host that sends, null: the kernel chooses the source.
    pub address: Option<Ipv4Addr>,
    /// The interface of the host on whose link it is; null for the host itself and for the rest of the world.
    pub interface: Option<IfName>,
}

/// Who sends and answers on a twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WayHost {
    /// The host itself.
    Host,
    /// Another host of a subnet.
    Neighbour,
    /// A gateway of the host's routes.
    Gateway,
    /// Who is behind an interface of the host, as a route to one address tells: a container, a guest, a peer.
    Guest,
    /// The rest of the world, behind the gateways.
    Elsewhere,
}

/// An answer that was heard.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Heard {
    /// The MAC in it.
    pub mac: Mac,
    /// The interfaces of the host that have this MAC and hear the wire.
    pub interfaces: Vec<IfName>,
}

/// What a plan did to the answers to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum HeardTurn {
    /// Nothing.
    Same,
    /// There was none, and now there is one.
    Won,
    /// There was one, and now there is none.
    Lost,
    /// Others answer.
    Changed,
}

/// Something of a host that its twin does not have, or has otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeftOut {
    /// What it is: `wg0 (wireguard)`.
    pub what: String,
    /// Why, or what stands for it.
    pub why: String,
}

impl Rehearsal {
    /// How the command ends.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        match self.ok {
            Some(true) => Exit::Good,
            Some(false) => Exit::Bad,
            None => Exit::Undetermined,
        }
    }

    /// Refuses what does harm on the twin.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if `ok` is false.
    pub fn refuse(&self) -> Result<()> {
        if self.ok != Some(false) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Refused, "tried on a twin, it does harm")
            .during("rehearse")
            .hint("`arpflux rehearse` tells all that came of it; `apply --accept-harm` does it all the same"))
    }

    /// The answers that are other ones afterwards.
    pub fn turned(&self) -> impl Iterator<Item = &RehearsedAnswer> {
        self.answers.iter().filter(|answer| answer.turn != HeardTurn::Same)
    }

    /// The ways of packets that are other ones afterwards.
    pub fn turned_ways(&self) -> impl Iterator<Item = &RehearsedWay> {
        self.ways.iter().filter(|way| way.turn != HeardTurn::Same)
    }

    /// The interfaces of a wire: `eth0 and eth1`.
    #[must_use]
    pub fn wire_in_words(&self, wire: usize) -> String {
        self.wires.get(wire).map_or_else(String::new, |wire| listed(&wire.interfaces))
    }
}

impl fmt::Display for Difference {
    /// What to do with it: one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = counted(self.snapshot.interfaces.len(), "interface", "interfaces");
        write!(
            f,
            "please report it: `difference` of the same with --json is the smallest host that shows it ({count}), names, \
             addresses and MACs replaced"
        )
    }
}

impl HeardTurn {
    /// What the answers `before` and `after` come to.
    #[must_use]
    pub fn of(before: &[Heard], after: &[Heard]) -> Self {
        match (before, after) {
            _ if before == after => Self::Same,
            ([], _) => Self::Won,
            (_, []) => Self::Lost,
            _ => Self::Changed,
        }
    }
}

impl RehearsedWay {
    /// What became of a way on which echo requests were answered, or not, before and after.
    #[must_use]
    pub const fn new(from: WayEnd, to: WayEnd, before: bool, after: bool) -> Self {
        let turn = match (before, after) {
            (false, true) => HeardTurn::Won,
            (true, false) => HeardTurn::Lost,
            _ => HeardTurn::Same,
        };
        Self { from, to, before, after, turn }
    }
}

impl WayHost {
    /// What it is called.
    const fn text(self) -> &'static str {
        match self {
            Self::Host => "the host",
            Self::Neighbour => "a neighbour",
            Self::Gateway => "a gateway",
            Self::Guest => "a guest",
            Self::Elsewhere => "the rest of the world",
        }
    }
}

impl fmt::Display for WayEnd {
    /// `192.168.18.1 (a neighbour on eth0)`, `the host (192.168.18.10)`, `the rest of the world`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.who.text();
        match (self.who, self.address, self.interface) {
            (WayHost::Host, Some(address), _) => write!(f, "{who} ({address})"),
            (_, Some(address), Some(interface)) => write!(f, "{address} ({who} on {interface})"),
            _ => f.write_str(who),
        }
    }
}

impl fmt::Display for HeardTurn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Same => "same",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Changed => "changed",
        })
    }
}

impl fmt::Display for Heard {
    /// `eth0`, or the MAC where no interface has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.interfaces.as_slice() {
            [] => self.mac.fmt(f),
            names => {
                let names: Vec<String> = names.iter().map(ToString::to_string).collect();
                f.write_str(&names.join(" or "))
            }
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}
