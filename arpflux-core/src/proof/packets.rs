//! By which interface packets leave, for all destinations.

use std::net::Ipv4Addr;

use super::contradiction::Evidence;
use super::prover::{Proof, Prover};
use crate::predict::{ArpRequest, Forwarded, MissingSet, Outgoing};
use crate::types::IfIndex;

impl Prover<'_> {
    pub(super) fn leaves_by(&self, source: Ipv4Addr, interface: IfIndex, among: &[IfIndex]) -> Proof {
        let among = self.among(among);
        let snapshot = self.model.snapshot();
        let own = self.is_own(source.into());
        // Packets of others come from where the host would send packets to them or, where that is
        // nowhere or the wire itself, from anywhere but the wire.
        let arrivals: Vec<Option<IfIndex>> = if own {
            vec![None]
        } else {
            let behind = match self.model.outgoing(source, None, None) {
                Outgoing::Asks { interface, .. } | Outgoing::NoRequest { interface, .. } => Some(interface),
                Outgoing::Unreachable | Outgoing::Undetermined { .. } => None,
            };
            match behind.filter(|behind| !among.contains(behind)) {
                Some(behind) => vec![Some(behind)],
                None => snapshot
                    .interfaces
                    .iter()
                    .map(|other| other.index)
                    .filter(|other| !among.contains(other))
                    .map(Some)
                    .collect(),
            }
        };
        let mut cases = 0;
        let mut open = None;
        for arrival in arrivals {
            for destination in self.space.destinations() {
                cases += 1;
                let out = match self.way(arrival, source, destination) {
                    Ok(Some(out)) => out,
                    Ok(None) => continue,
                    Err(missing) => {
                        let request = ArpRequest::broadcast(interface, source, destination).into();
                        open = open.or(Some(Proof::Undetermined { missing, request }));
                        continue;
                    }
                };
                if out != interface && among.contains(&out) {
                    return self.refuted(vec![Evidence::Packet { source, destination, interface: out }]);
                }
            }
        }
        open.unwrap_or(Proof::Proved { cases })
    }

    /// The interface that a packet leaves by: the host's own, or one that came in by `arrival`.
    fn way(
        &self,
        arrival: Option<IfIndex>,
        source: Ipv4Addr,
        destination: Ipv4Addr,
    ) -> Result<Option<IfIndex>, MissingSet> {
        match arrival {
            None => match self.model.outgoing(destination, Some(source), None) {
                Outgoing::Asks { interface, .. } | Outgoing::NoRequest { interface, .. } => {
                    Ok(Some(interface))
                }
                Outgoing::Unreachable => Ok(None),
                Outgoing::Undetermined { missing } => Err(missing),
            },
            Some(arrival) => match self.model.forwarded(arrival, source, destination) {
                Forwarded::Leaves { interface } => Ok(Some(interface)),
                Forwarded::Delivered | Forwarded::Dropped => Ok(None),
                Forwarded::Undetermined { missing } => Err(missing),
            },
        }
    }
}
