//! Addresses that packets of this host go through: a proxy entry for one would answer in the name of a router of
//! the wire.

use std::net::IpAddr;

use foldhash::{HashMap, HashMapExt as _};

use crate::error::{Error, ErrorKind};
use crate::snapshot::{Snapshot, table};
use crate::types::IfIndex;

/// The next hops of a host's routes.
pub(crate) struct NextHops<'s> {
    snapshot: &'s Snapshot,
    by: HashMap<IpAddr, Vec<IfIndex>>,
}

impl<'s> NextHops<'s> {
    pub(crate) fn of(snapshot: &'s Snapshot) -> Self {
        let mut by: HashMap<IpAddr, Vec<IfIndex>> = HashMap::new();
        for hop in snapshot.routes.iter().flat_map(|route| &route.next_hops) {
            if let (Some(gateway), Some(interface)) = (hop.gateway, hop.interface) {
                let interfaces = by.entry(gateway).or_default();
                if !interfaces.contains(&interface) {
                    interfaces.push(interface);
                }
            }
        }
        Self { snapshot, by }
    }

    /// The interface by which a route goes through `address`. A container may be a router too: what has a route of
    /// its own by that interface is behind this host.
    pub(crate) fn through(&self, address: IpAddr) -> Option<IfIndex> {
        let behind = |interface: IfIndex| {
            self.snapshot.routes.iter().any(|route| {
                route.table == table::MAIN
                    && route.destination.addr() == address
                    && route.destination.prefix_len() == route.destination.max_prefix_len()
                    && route.next_hops.iter().any(|hop| hop.interface == Some(interface))
            })
        };
        self.by.get(&address)?.iter().copied().find(|interface| !behind(*interface))
    }

    /// The refusal of an address that is a next hop.
    pub(crate) fn refuse(&self, address: IpAddr) -> Option<Error> {
        let interface = self.through(address)?;
        let message = format!(
            "routes of this host go through it, by {}: it is a router's on the wire",
            self.snapshot.name_of(interface)
        );
        let refused =
            Error::new(ErrorKind::Refused, message).during("plan proxy entry").on(address.to_string());
        Some(refused.hint("proxy entries are for addresses behind this host; write the container's own"))
    }
}
