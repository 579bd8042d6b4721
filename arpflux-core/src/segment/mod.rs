//! Several hosts on one wire: who of them answers for which address. And which interfaces of one host
//! share a wire ([`Wires`]).
//!
//! Each host alone may be as it should be and the wire still be wrong: two nodes proxy one address, every
//! node of a cluster answers for a service address, a container was moved and its old node did not
//! notice. Give the snapshots and say who shares a wire, or let [`infer`] take that from what the hosts
//! tell.
//!
//! ```
//! use arpflux_core::Stop;
//! use arpflux_core::segment::{Member, answers, infer};
//! use arpflux_core::snapshot::Snapshot;
//!
//! let (a, b) = (Snapshot::default(), Snapshot::default());
//! let members = [Member::new("node1", &a)?, Member::new("node2", &b)?];
//! let stop = Stop::default();
//! for segment in infer(&members, &stop)?.segments {
//!     for answer in answers(&members, &segment, &stop)? {
//!         println!("{answer}");
//!     }
//! }
//! # Ok::<(), arpflux_core::Error>(())
//! ```

mod infer;
mod order;
mod shared;
mod wires;

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::judgement::{self, Gap, Judgement};
use crate::predict::{ArpRequest, MissingSet, Model, Neighbours, Verdict, Via, ipv4_targets};
use crate::snapshot::{Certainty, Interface, RouteKind, Snapshot};
use crate::stop::Stop;
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IfName, IpNet, Ipv4Net, Mac};
pub use infer::{Apart, Inferred, Seen, infer};
pub use order::{Action, Doubt, DoubtState, Order, Step, Turn, Withdrawal, order};
pub use shared::{NamedPort, SharedWire, SharedWires};
pub use wires::Wires;

/// One host.
#[derive(Debug, Clone, Copy)]
pub struct Member<'s> {
    name: &'s str,
    snapshot: &'s Snapshot,
    wires: Option<&'s Wires>,
}

impl<'s> Member<'s> {
    /// A host of that name, in that state.
    ///
    /// # Errors
    /// As [`Snapshot::check`].
    pub fn new(name: &'s str, snapshot: &'s Snapshot) -> Result<Self> {
        snapshot.check()?;
        Ok(Self { name, snapshot, wires: None })
    }

    /// With what was found out about its own wires (`wire::segments`), or is told.
    #[must_use]
    pub const fn measured(self, wires: &'s Wires) -> Self {
        Self { wires: Some(wires), ..self }
    }

    /// What it is called.
    #[must_use]
    pub const fn name(&self) -> &'s str {
        self.name
    }

    /// Its state.
    #[must_use]
    pub const fn snapshot(&self) -> &'s Snapshot {
        self.snapshot
    }
}

/// An interface of one of several hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Port {
    /// The host, by its place among the members.
    pub member: usize,
    /// The interface there.
    pub interface: IfIndex,
}

impl Port {
    /// The same by name; `None` if there is no such member.
    fn named(self, members: &[Member<'_>]) -> Option<NamedPort> {
        let member = members.get(self.member)?;
        Some(NamedPort { host: member.name.to_owned(), interface: member.snapshot.name_of(self.interface) })
    }
}

/// Interfaces that share a wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The interfaces, sorted.
    pub ports: Vec<Port>,
    /// How well that is known. [`Certainty::Likely`]: by subnets.
    pub certainty: Certainty,
}

impl Segment {
    /// The wire of these interfaces, as somebody says.
    #[must_use]
    pub fn known(mut ports: Vec<Port>) -> Self {
        ports.sort_unstable();
        ports.dedup();
        Self { ports, certainty: Certainty::Known }
    }
}

/// Who answers for one address on a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Answer {
    /// The address.
    pub address: Ipv4Addr,
    /// What it comes to.
    pub outcome: Outcome,
    /// Of a duplicate: how it comes about.
    pub cause: Option<Cause>,
    /// Everybody who answers an ordinary neighbour.
    pub responders: Vec<Responder>,
    /// Those of whom it cannot be told, with what is missing.
    pub undetermined: Vec<Unclear>,
    /// What it comes to with all that is missing taken to be without effect.
    pub outcome_apart_from_missing: Outcome,
    /// What is missing, by host.
    pub missing: Vec<Gap>,
}

/// What the answers for one address come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Several hosts answer, with different MACs: whoever is heard first has the traffic.
    Duplicate,
    /// One host answers with several MACs.
    Flux,
    /// No two MACs certainly answer, and of some interfaces it cannot be told.
    Undetermined,
    /// One MAC answers.
    Single,
    /// Nobody answers.
    Nobody,
}

/// How it comes about that several hosts answer for one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Several hold it, and one of them where no request arrives (`lo`, a dummy): a service address for which only its
    /// holder is to answer.
    ServiceAddress,
    /// Several hold it.
    Held,
    /// Several proxy it.
    Proxied,
    /// One holds it and others proxy it.
    HeldAndProxied,
}

/// One that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Responder {
    /// The host.
    pub host: String,
    /// The interface.
    pub interface: IfName,
    /// The MAC in its answer.
    pub mac: Mac,
    /// Why it answers.
    pub via: Via,
}

/// One of whom it cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Unclear {
    /// The host.
    pub host: String,
    /// The interface.
    pub interface: IfName,
    /// What is missing.
    pub missing: MissingSet,
}

/// Who answers on `segment` for each address that one of its hosts holds or proxies: duplicates first,
/// then flux, each in the order of addresses.
///
/// The request is that of an ordinary neighbour of each interface. 127/8 is left out. A host that can answer for nothing
/// but its own and its proxied addresses, and what its local routes cover, is asked for these only: thousands of hosts on one wire take seconds.
///
/// # Errors
/// [`ErrorKind::Interrupted`](crate::ErrorKind::Interrupted) if `stop` was raised.
pub fn answers(members: &[Member<'_>], segment: &Segment, stop: &Stop) -> Result<Vec<Answer>> {
    let hosts: BTreeSet<usize> = segment.ports.iter().map(|port| port.member).collect();
    let asked: BTreeSet<Ipv4Addr> = hosts
        .iter()
        .filter_map(|host| members.get(*host))
        .flat_map(|member| ipv4_targets(member.snapshot))
        .collect();
    let mut found: Vec<Answer> = asked
        .into_iter()
        .map(|address| Answer {
            address,
            outcome: Outcome::Nobody,
            cause: None,
            responders: Vec::new(),
            undetermined: Vec::new(),
            outcome_apart_from_missing: Outcome::Nobody,
            missing: Vec::new(),
        })
        .collect();
    // With what is missing taken to be without effect: the host and MAC of each answer.
    let mut apart: Vec<Answering> = vec![Answering::default(); found.len()];
    let mut certain = apart.clone();
    for host in hosts {
        stop.check()?;
        let Some(member) = members.get(host) else { continue };
        let asked: Vec<usize> = if proxies_for_others(member.snapshot) {
            (0..found.len()).collect()
        } else {
            let place = |address: Ipv4Addr| found.partition_point(|answer| answer.address < address);
            let own = ipv4_targets(member.snapshot).into_iter().map(place);
            let wide = wide_prefixes(member.snapshot).into_iter().flat_map(|net| {
                place(net.network())..found.partition_point(|answer| answer.address <= net.broadcast())
            });
            own.chain(wide).collect::<BTreeSet<usize>>().into_iter().collect()
        };
        let model = Model::of(member.snapshot);
        let alone = std::cell::OnceCell::new();
        let alone = || alone.get_or_init(|| model.without_interference());
        let mut neighbours = Neighbours::new(member.snapshot);
        for port in segment.ports.iter().filter(|port| port.member == host) {
            let Some(interface) = member.snapshot.interface(port.interface) else { continue };
            let (host, interface) = (member.name, interface.name);
            for place in &asked {
                let (answer, apart) = (&mut found[*place], &mut apart[*place]);
                let sender = neighbours.of(port.interface, answer.address);
                let request = ArpRequest::broadcast(port.interface, sender, answer.address);
                match model.reply(&request) {
                    Verdict::Answers { mac, via, .. } => {
                        apart.heard(port.member, mac);
                        certain[*place].heard(port.member, mac);
                        match via {
                            Via::Local => {
                                certain[*place].holders.insert(port.member);
                                certain[*place].aside |= is_aside(member.snapshot, answer.address);
                            }
                            Via::ProxyEntry | Via::ProxyArp | Via::ProxyPvlan | Via::Anycast => {
                                certain[*place].proxied = true;
                            }
                        }
                        answer.responders.push(Responder { host: host.into(), interface, mac, via });
                    }
                    Verdict::Undetermined { missing } => {
                        match alone().reply(&request) {
                            Verdict::Answers { mac, .. } => apart.heard(port.member, mac),
                            Verdict::Silent { .. } => {}
                            Verdict::Undetermined { .. } => apart.open = true,
                        }
                        let open = format!("whether {host} {interface} answers for {}", answer.address);
                        let gaps = Gap::all(member.snapshot, missing, &[port.interface], &open);
                        let of_host = |gap: Gap| Gap { what: format!("on {host} {}", gap.what), ..gap };
                        judgement::add(&mut answer.missing, gaps.into_iter().map(of_host));
                        answer.undetermined.push(Unclear { host: host.into(), interface, missing });
                    }
                    Verdict::Silent { .. } => {}
                }
            }
        }
    }
    for ((answer, mut certain), apart) in found.iter_mut().zip(certain).zip(apart) {
        certain.open = !answer.undetermined.is_empty();
        answer.outcome = certain.outcome();
        answer.cause = (answer.outcome == Outcome::Duplicate).then(|| certain.cause());
        answer.outcome_apart_from_missing = apart.outcome();
    }
    found.sort_by_key(|answer| (answer.outcome, answer.address));
    Ok(found)
}

/// Whether a host may answer for an address that it neither holds nor has an entry for.
fn answers_for_others(snapshot: &Snapshot) -> bool {
    proxies_for_others(snapshot) || !wide_prefixes(snapshot).is_empty()
}

/// Whether it may do so for any address: by `proxy_arp` or `proxy_arp_pvlan`, or by an option of a bridge's port.
fn proxies_for_others(snapshot: &Snapshot) -> bool {
    snapshot.interfaces.iter().any(|interface| {
        let on = |sysctl| snapshot.effective(interface, sysctl).value != 0;
        on(Sysctl::ProxyArp) || on(Sysctl::ProxyArpPvlan) || interface.bridging.answers_for_others
    })
}

/// The local routes of any table that are wider than its addresses.
fn wide_prefixes(snapshot: &Snapshot) -> Vec<Ipv4Net> {
    let held: HashSet<IpAddr> = snapshot.addresses.iter().map(|address| address.local).collect();
    let local = snapshot.routes.iter().filter(|route| route.kind == RouteKind::Local);
    let nets = local.filter_map(|route| match route.destination {
        IpNet::V4(net) if !net.addr().is_loopback() => Some(net),
        _ => None,
    });
    nets.filter(|net| net.prefix_len() < 32 || !held.contains(&IpAddr::V4(net.addr()))).collect()
}

/// Whether no interface that hears requests holds an address of the host.
fn is_aside(snapshot: &Snapshot, address: Ipv4Addr) -> bool {
    let mut holders = snapshot.holders_of(IpAddr::V4(address));
    !holders.any(|holder| snapshot.interface(holder).is_some_and(Interface::speaks_arp))
}

/// Who answers for one address.
#[derive(Debug, Clone, Default)]
struct Answering {
    macs: BTreeSet<Mac>,
    hosts: BTreeSet<usize>,
    /// Those that hold it.
    holders: BTreeSet<usize>,
    /// One holds it where no request arrives.
    aside: bool,
    /// One proxies it.
    proxied: bool,
    /// Of some it cannot be told.
    open: bool,
}

impl Answering {
    fn heard(&mut self, host: usize, mac: Mac) {
        self.macs.insert(mac);
        self.hosts.insert(host);
    }

    fn outcome(&self) -> Outcome {
        match (self.macs.len(), self.hosts.len()) {
            (2.., 1) => Outcome::Flux,
            (2.., _) => Outcome::Duplicate,
            _ if self.open => Outcome::Undetermined,
            (0, _) => Outcome::Nobody,
            (1, _) => Outcome::Single,
        }
    }

    fn cause(&self) -> Cause {
        match (self.holders.len(), self.proxied) {
            (0, _) => Cause::Proxied,
            (2.., _) if self.aside => Cause::ServiceAddress,
            (_, true) => Cause::HeldAndProxied,
            (_, false) => Cause::Held,
        }
    }
}

impl Cause {
    /// In a few words.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::ServiceAddress => "a service address that several hold",
            Self::Held => "several hold it",
            Self::Proxied => "several proxy it",
            Self::HeldAndProxied => "one holds it and another proxies it",
        }
    }
}

impl Outcome {
    /// Whether one MAC at most answers; `None` if that cannot be told.
    #[must_use]
    pub const fn ok(self) -> Option<bool> {
        match self {
            Self::Duplicate | Self::Flux => Some(false),
            Self::Undetermined => None,
            Self::Single | Self::Nobody => Some(true),
        }
    }
}

impl Answer {
    /// Whether one MAC at most answers.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        match self.outcome.ok() {
            Some(good) => Judgement::of(good),
            None => Judgement::Undetermined {
                missing: self.missing.clone(),
                apart: self.outcome_apart_from_missing.ok(),
            },
        }
    }

    /// Whether several MACs answer.
    #[must_use]
    pub const fn is_bad(&self) -> bool {
        matches!(self.outcome, Outcome::Duplicate | Outcome::Flux)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Duplicate => "duplicate",
            Self::Flux => "flux",
            Self::Undetermined => "undetermined",
            Self::Single => "single",
            Self::Nobody => "nobody",
        })
    }
}

impl fmt::Display for Answer {
    /// One sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.address)?;
        match self.outcome {
            Outcome::Duplicate => {
                f.write_str("several hosts answer")?;
                if let Some(cause) = self.cause {
                    write!(f, " ({})", cause.text())?;
                }
            }
            Outcome::Flux => f.write_str("one host answers with several MACs")?,
            Outcome::Undetermined => f.write_str("who answers cannot be told")?,
            Outcome::Single => f.write_str("one MAC answers")?,
            Outcome::Nobody => return f.write_str("nobody answers"),
        }
        for (i, responder) in self.responders.iter().enumerate() {
            let Responder { host, interface, mac, via } = responder;
            let before = if i == 0 { ": " } else { "; " };
            write!(f, "{before}{host} {interface} with {mac}, {}", via.reason())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
