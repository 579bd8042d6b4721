//! What can be claimed about a host.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use crate::snapshot::Snapshot;
use crate::types::{IfIndex, IpNet};
use crate::words::folded;
use serde::{Deserialize, Serialize};

/// A claim about a snapshot. `among` restricts it to some interfaces, usually those on one wire; empty
/// means every interface that takes ARP requests. Of IPv6 it is about solicitations to the solicited-node group.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "expect", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Expectation {
    /// One interface answers for `target`, the same one whoever asks, and it answers every neighbour: all
    /// hosts of its subnets around `target`; of any of its subnets if none is around it; anybody at all if
    /// it has none. Of IPv6: all hosts of all its subnets (of those of the host around `target` if it has none), and all
    /// link-local ones.
    ExactlyOne {
        /// The address asked for.
        target: IpAddr,
        /// Among which interfaces.
        among: Vec<IfIndex>,
    },
    /// Whoever asks for an address of `target`, no interface but `interface` answers. It need not answer either.
    NothingBut {
        /// The one interface that may answer.
        interface: IfIndex,
        /// The addresses asked for.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        target: IpNet,
        /// Among which interfaces.
        among: Vec<IfIndex>,
    },
    /// `interface` answers every neighbour that asks for `target`.
    Answers {
        /// The interface that shall answer.
        interface: IfIndex,
        /// The address asked for.
        target: IpAddr,
    },
    /// Whoever asks `interface` for an address of `target` gets no answer.
    Never {
        /// The interface that shall be silent.
        interface: IfIndex,
        /// The addresses asked for.
        #[cfg_attr(feature = "schema", schemars(with = "String"))]
        target: IpNet,
    },
    /// Packets from `source`, an IPv4 address, wherever they go, leave by none of `among` but `interface`: the host's own
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
    /// that the host proxies on one of them; but for link-local IPv6 ones, which every interface has for itself.
    #[must_use]
    pub fn for_wire(snapshot: &Snapshot, among: &[IfIndex]) -> Vec<Self> {
        let targets = Self::targets(snapshot, among).into_iter().filter(|target| !is_link_local(target));
        targets.map(|target| Self::ExactlyOne { target, among: among.to_vec() }).collect()
    }

    /// The addresses that an interface of `among` holds or that the host proxies on one of them.
    pub(super) fn targets(snapshot: &Snapshot, among: &[IfIndex]) -> BTreeSet<IpAddr> {
        let held = snapshot.addresses.iter().filter(|address| among.contains(&address.interface));
        let on = |index: Option<IfIndex>| index.is_none_or(|index| among.contains(&index));
        let proxied = snapshot.proxies.iter().filter(|proxy| on(proxy.interface));
        held.map(|address| address.local).chain(proxied.map(|proxy| proxy.address)).collect()
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

    /// Whether it is about an IPv6 address.
    pub(super) fn is_ipv6(&self) -> bool {
        match self {
            Self::ExactlyOne { target, .. } | Self::Answers { target, .. } => target.is_ipv6(),
            Self::NothingBut { target, .. } | Self::Never { target, .. } => target.addr().is_ipv6(),
            Self::LeavesBy { .. } => false,
        }
    }

    /// The claim as a sentence, with interfaces by name.
    #[must_use]
    pub fn sentence(&self, snapshot: &Snapshot) -> String {
        let name = |index: &IfIndex| snapshot.name_of(*index);
        let names = |among: &[IfIndex]| {
            if among.is_empty() {
                return "all interfaces".to_string();
            }
            folded(&among.iter().map(name).collect::<Vec<_>>())
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

/// fe80::/10.
pub(crate) fn is_link_local(address: &IpAddr) -> bool {
    matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// A prefix, or an address where it is one.
pub(super) struct Short<'a>(pub(super) &'a IpNet);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}
