//! Others' packets: by which interface the host passes them on.

use std::net::Ipv4Addr;

use serde::Serialize;

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
        let mut oracle = Oracle::default();
        let once = |oracle: &mut Oracle| {
            Run { model: self, oracle, trace: &mut Silent }.forwarded(arrival, source, destination)
        };
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
