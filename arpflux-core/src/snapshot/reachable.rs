//! What an interface can hear, and which subnets its addresses say are there.

use super::{Address, Interface, InterfaceFlags, Reach, Route, RouteKind, Scope, Snapshot, table};
use crate::types::IpNet;

impl Snapshot {
    /// Whether an interface has carrier and, if it stands on another one, that one is up and has it, too.
    #[must_use]
    pub fn has_carrier(&self, interface: &Interface) -> bool {
        let mut at = interface;
        // More levels than the kernel allows.
        for _ in 0..8 {
            if !at.carrier {
                return false;
            }
            let stands = matches!(at.reach(), Reach::Lower | Reach::LowerTagged) && at.link_netnsid.is_none();
            let Some(lower) = at.link.filter(|_| stands).and_then(|lower| self.interface(lower)) else {
                break;
            };
            if !lower.flags.contains(InterfaceFlags::UP) {
                return false;
            }
            at = lower;
        }
        true
    }

    /// Whether frames can come in and go out: it is up and has carrier, and is not the loopback interface.
    #[must_use]
    pub fn is_connected(&self, interface: &Interface) -> bool {
        interface.flags.contains(InterfaceFlags::UP)
            && self.has_carrier(interface)
            && !interface.flags.contains(InterfaceFlags::LOOPBACK)
    }

    /// The same host as if every cable were plugged in: for the question what would be answered if a request
    /// did arrive.
    ///
    /// ```
    /// use arpflux_core::snapshot::Snapshot;
    ///
    /// assert!(Snapshot::default().as_if_connected().interfaces.iter().all(|interface| interface.carrier));
    /// ```
    #[must_use]
    pub fn as_if_connected(&self) -> Self {
        let mut host = self.clone();
        for interface in &mut host.interfaces {
            interface.carrier = true;
        }
        host
    }
}

/// The subnet that an address says is on the wire of its interface: not with a peer, not if it holds a single
/// address, and not one that every link has (169.254/16, RFC 3927).
pub(crate) fn subnet_of_wire(address: &Address) -> Option<IpNet> {
    match address.subnet() {
        IpNet::V4(net) if address.is_public() && address.peer.is_none() => {
            (net.prefix_len() < 32 && !net.network().is_link_local()).then_some(IpNet::V4(net.trunc()))
        }
        _ => None,
    }
}

/// The connected route that the kernel adds to table main with an IPv4 address (`fib_add_ifaddr`), if it is not among
/// `routes`, which are all or those by its interface.
/// An address with a prefix says what is on the wire, also where somebody has deleted the route, or has it in another
/// table. (Of IPv6, a router says what is on the link.)
pub(crate) fn missing_connected_route<'r>(
    snapshot: &Snapshot,
    held: &Address,
    routes: impl IntoIterator<Item = &'r Route>,
) -> Option<Route> {
    let net @ IpNet::V4(_) = subnet_of_wire(held)? else { return None };
    let interface = snapshot.interface(held.interface)?;
    // The ports of a VRF have their routes in its table, and those of a bridge or bond are not asked for addresses.
    if !interface.flags.contains(InterfaceFlags::UP)
        || interface.flags.contains(InterfaceFlags::LOOPBACK)
        || interface.master.is_some()
    {
        return None;
    }
    let connected = |route: &Route| {
        route.table == table::MAIN
            && route.kind == RouteKind::Unicast
            && route.destination.trunc() == net
            && route
                .next_hops
                .iter()
                .any(|hop| hop.interface == Some(held.interface) && hop.gateway.is_none())
    };
    if routes.into_iter().any(connected) {
        return None;
    }
    const KERNEL: u8 = 2;
    Some(Route {
        table: table::MAIN,
        protocol: KERNEL,
        scope: Scope::LINK,
        preferred_source: Some(held.local),
        ..Route::new(net, held.interface)
    })
}

/// Whether an interface may lead to a wire outside of this host.
pub(crate) fn leads_outside(snapshot: &Snapshot, interface: &Interface) -> bool {
    match interface.reach() {
        Reach::Outside | Reach::Lower | Reach::LowerTagged => true,
        Reach::Ports => snapshot.is_inner_bridge(interface) != Some(true),
        Reach::Peer | Reach::Program | Reach::Tunnel | Reach::Nowhere | Reach::Unknown => false,
    }
}
