//! Addresses that packets of this host go through: a proxy entry for one would answer in the name of a router of
//! the wire.

use std::net::IpAddr;

use crate::error::{Error, ErrorKind};
use crate::snapshot::Index;
use crate::types::IfIndex;

/// The interface by which a route goes through `address`. A container may be a router too: what has a route of its
/// own by that interface is behind this host.
pub(crate) fn through(index: &Index<'_>, address: IpAddr) -> Option<IfIndex> {
    let behind = |interface: &IfIndex| {
        let mut hops = index.host_routes(address).iter().flat_map(|route| &route.next_hops);
        hops.any(|hop| hop.interface == Some(*interface))
    };
    index.gateways(address).iter().copied().find(|interface| !behind(interface))
}

/// The refusal of an address that is a next hop.
pub(crate) fn refuse(index: &Index<'_>, address: IpAddr) -> Option<Error> {
    let interface = through(index, address)?;
    let message = format!(
        "routes of this host go through it, by {}: it is a router's on the wire",
        index.snapshot.name_of(interface)
    );
    let refused = Error::new(ErrorKind::Refused, message).during("plan proxy entry").on(address);
    Some(refused.hint("proxy entries are for addresses behind this host; write the container's own"))
}
