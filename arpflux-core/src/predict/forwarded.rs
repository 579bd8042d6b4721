//! Others' packets: by which interface the host passes them on.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::Serialize;

use super::discovery::is_link_local;
use super::fib::Flow;
use super::index::Model;
use super::missing::MissingSet;
use super::oracle::Oracle;
use super::reply::Run;
use super::step::{Purpose, Silent, Trace};
use crate::snapshot::RouteKind;
use crate::types::IfIndex;

/// What becomes of somebody else's packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Forwarded {
    /// It goes on.
    Leaves {
        /// By this interface.
        interface: IfIndex,
    },
    /// It is for the host itself.
    Delivered,
    /// It goes nowhere: no route, no forwarding, or its source is refused.
    Dropped,
    /// That cannot be told from the snapshot.
    Undetermined {
        /// What is missing.
        missing: MissingSet,
    },
}

/// Where packets for a proxied address go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behind {
    /// Behind this host.
    Reached,
    /// Nowhere, as this host passes nothing on.
    NotForwarded,
    /// Nowhere.
    NoRoute,
    /// Back to the wire that they came from, by this interface.
    SameWire(IfIndex),
    /// That cannot be told.
    Unknown(MissingSet),
}

impl Model<'_> {
    /// What becomes of a packet from `source` to `destination` that arrives on `arrival`, a container's
    /// for one (`ip_route_input_slow()`). Packet filters are not considered.
    ///
    /// ```
    /// use arpflux_core::predict::{Forwarded, Model};
    /// use arpflux_core::snapshot::Snapshot;
    /// use arpflux_core::types::IfIndex;
    ///
    /// let snapshot = Snapshot::default();
    /// let model = Model::new(&snapshot)?;
    /// assert_eq!(model.forwarded(IfIndex(2), "10.0.0.9".parse()?, "10.0.0.1".parse()?), Forwarded::Dropped);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn forwarded(&self, arrival: IfIndex, source: Ipv4Addr, destination: Ipv4Addr) -> Forwarded {
        self.in_runs(|run| run.forwarded(arrival, source, destination))
    }

    /// The same of IPv6 (`ip6_forward()`), from a host of the wire.
    #[must_use]
    pub fn forwarded_ipv6(&self, arrival: IfIndex, source: Ipv6Addr, destination: Ipv6Addr) -> Forwarded {
        self.in_runs(|run| run.forwarded_ipv6(arrival, source, destination))
    }

    /// What becomes of what a host of the wire of `entry`, which has the interfaces `wire`, sends to an address that is proxied
    /// there: an entry answers whatever the routes say.
    pub(crate) fn behind(
        &self,
        (entry, wire): (IfIndex, &[IfIndex]),
        source: Ipv6Addr,
        target: Ipv6Addr,
    ) -> Behind {
        match self.forwarded_ipv6(entry, source, target) {
            Forwarded::Dropped if !self.passes_on_ipv6(entry) => Behind::NotForwarded,
            Forwarded::Dropped => Behind::NoRoute,
            Forwarded::Leaves { interface } if interface == entry || wire.contains(&interface) => {
                Behind::SameWire(interface)
            }
            Forwarded::Leaves { .. } | Forwarded::Delivered => Behind::Reached,
            Forwarded::Undetermined { missing } => Behind::Unknown(missing),
        }
    }

    /// Whether packets of IPv6 that arrive on an interface are passed on at all: the interface's own `forwarding` does
    /// not count.
    pub(crate) fn passes_on_ipv6(&self, arrival: IfIndex) -> bool {
        let on = self.snapshot.discovery.as_ref().and_then(|discovery| discovery.on(arrival));
        self.snapshot.all_ipv6.forwarding != Some(0) || on.is_some_and(|on| on.force_forwarding)
    }
}

impl<'s> Model<'s> {
    fn in_runs(&self, decide: impl Fn(&mut Run<'_, 's, Silent>) -> Forwarded) -> Forwarded {
        let mut oracle = Oracle::default();
        let once = |oracle: &mut Oracle| decide(&mut Run { model: self, oracle, trace: &mut Silent });
        let first = once(&mut oracle);
        while oracle.advance() {
            if once(&mut oracle) != first {
                return Forwarded::Undetermined { missing: oracle.asked() };
            }
        }
        if oracle.overflow { Forwarded::Undetermined { missing: oracle.asked() } } else { first }
    }
}

impl<T: Trace> Run<'_, '_, T> {
    fn forwarded_ipv6(&mut self, arrival: IfIndex, source: Ipv6Addr, destination: Ipv6Addr) -> Forwarded {
        let Some(slot) = self.model.slot(arrival) else { return Forwarded::Dropped };
        let Ok(route) = self.route6(slot, source, destination, is_link_local(destination)) else {
            return Forwarded::Dropped;
        };
        match (route.kind, route.next_hops.first().and_then(|hop| hop.interface)) {
            (RouteKind::Local | RouteKind::Anycast, _) => Forwarded::Delivered,
            (RouteKind::Unicast, Some(interface)) if self.model.passes_on_ipv6(arrival) => {
                Forwarded::Leaves { interface }
            }
            _ => Forwarded::Dropped,
        }
    }

    fn forwarded(&mut self, arrival: IfIndex, source: Ipv4Addr, destination: Ipv4Addr) -> Forwarded {
        let model = self.model;
        let Some(slot) = model.slot(arrival) else { return Forwarded::Dropped };
        let port = &model.ports[slot];
        if !port.up || !port.ipv4 || destination.is_multicast() || destination.is_broadcast() {
            return Forwarded::Dropped;
        }
        let mut flow = Flow::new(port.index, 0, 0, destination.to_bits(), source.to_bits());
        let Ok(looked) = self.look_up(&mut flow, Purpose::Target) else { return Forwarded::Dropped };
        match looked.hit.alias.kind {
            RouteKind::Broadcast => Forwarded::Delivered,
            // The host's own address does not spare a packet the check of its source.
            RouteKind::Local => match self.validate_source(slot, source, destination, 0) {
                Ok(()) => Forwarded::Delivered,
                Err(_) => Forwarded::Dropped,
            },
            RouteKind::Unicast if port.forwarding => {
                let hop = self.select_hop(&looked, false);
                let out = model.ports.get(hop.slot as usize).filter(|out| out.ipv4);
                let Some(out) = out else { return Forwarded::Dropped };
                match self.validate_source(slot, source, destination, out.index) {
                    Ok(()) => Forwarded::Leaves { interface: IfIndex(out.index) },
                    Err(_) => Forwarded::Dropped,
                }
            }
            _ => Forwarded::Dropped,
        }
    }
}
