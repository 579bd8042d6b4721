//! What can be claimed about a host.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::snapshot::Snapshot;
use crate::types::{IfIndex, Ipv4Net};
use serde::{Deserialize, Serialize};

/// A claim about a snapshot. `among` restricts it to some interfaces, usually those on one wire; empty
/// means every interface that takes ARP requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "expect", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Expectation {
    /// One interface answers for `target`, the same one whoever asks, and it answers every neighbour: all
    /// hosts of its subnets around `target`; of any of its subnets if none is around it; anybody at all if
    /// it has none.
    ExactlyOne {
        /// The address asked for.
        target: Ipv4Addr,
        /// Among which interfaces.
        among: Vec<IfIndex>,
    },
    /// Whoever asks for an address of `target`, no interface but `interface` answers. It need not answer either.
    NothingBut {
        /// The one interface that may answer.
        interface: IfIndex,
        /// The addresses asked for.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        target: Ipv4Net,
        /// Among which interfaces.
        among: Vec<IfIndex>,
    },
    /// `interface` answers every neighbour that asks for `target`.
    Answers {
        /// The interface that shall answer.
        interface: IfIndex,
        /// The address asked for.
        target: Ipv4Addr,
    },
    /// Whoever asks `interface` for an address of `target` gets no answer.
    Never {
        /// The interface that shall be silent.
        interface: IfIndex,
        /// The addresses asked for.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        target: Ipv4Net,
    },
    /// Packets from `source`, wherever they go, leave by none of `among` but `interface`: the host's own
    /// packets or, if the address is not the host's, those it forwards for the container behind it. Packets
    /// to the host itself, to other interfaces (containers) and to nowhere do not count.
    LeavesBy {
        /// The address that the packets come from.
        source: Ipv4Addr,
        /// The one interface that they may leave by.
        interface: IfIndex,
        /// The interfaces that lead to the wire.
        among: Vec<IfIndex>,
    },
}

impl Expectation {
    /// "Exactly one interface answers" for every address that an interface of the wire `among` holds or
    /// that the host proxies on one of them.
    #[must_use]
    pub fn for_wire(snapshot: &Snapshot, among: &[IfIndex]) -> Vec<Self> {
        let own = snapshot
            .addresses
            .iter()
            .filter(|address| among.contains(&address.interface))
            .map(|address| address.local);
        let proxied = snapshot
            .proxies
            .iter()
            .filter(|proxy| proxy.interface.is_none_or(|index| among.contains(&index)))
            .map(|proxy| proxy.address);
        let mut targets: Vec<Ipv4Addr> = own
            .chain(proxied)
            .filter_map(|address| match address {
                IpAddr::V4(address) => Some(address),
                IpAddr::V6(_) => None,
            })
            .collect();
        targets.sort();
        targets.dedup();
        targets.into_iter().map(|target| Self::ExactlyOne { target, among: among.to_vec() }).collect()
    }

    /// "Packets from an address leave by the interface that holds it" for every address of `among`.
    #[must_use]
    pub fn own_egress(snapshot: &Snapshot, among: &[IfIndex]) -> Vec<Self> {
        snapshot
            .addresses
            .iter()
            .filter(|address| among.contains(&address.interface))
            .filter_map(|address| match address.local {
                IpAddr::V4(source) => {
                    Some(Self::LeavesBy { source, interface: address.interface, among: among.to_vec() })
                }
                IpAddr::V6(_) => None,
            })
            .collect()
    }

    /// The claim as a sentence, with interfaces by name.
    #[must_use]
    pub fn sentence(&self, snapshot: &Snapshot) -> String {
        let name = |index: &IfIndex| snapshot.name_of(*index);
        let names = |among: &[IfIndex]| {
            if among.is_empty() {
                return "all interfaces".to_string();
            }
            among.iter().map(name).collect::<Vec<_>>().join(", ")
        };
        match self {
            Self::ExactlyOne { target, among } => {
                format!("exactly one of {} answers for {target}", names(among))
            }
            Self::NothingBut { interface, target, among } => {
                format!("of {} only {} may answer for {}", names(among), name(interface), Short(target))
            }
            Self::Answers { interface, target } => {
                format!("{} answers its neighbours for {target}", name(interface))
            }
            Self::Never { interface, target } => {
                format!("{} never answers for {}", name(interface), Short(target))
            }
            Self::LeavesBy { source, interface, among } => {
                format!("of {} only {} sends packets from {source}", names(among), name(interface))
            }
        }
    }
}

/// A prefix, or an address where it is one.
pub(super) struct Short<'a>(pub(super) &'a Ipv4Net);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == 32 { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}
