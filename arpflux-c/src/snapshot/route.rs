//! Routes of a snapshot.

use arpflux_core::snapshot::{NextHop, Route, RouteKind};

use super::{Owned, arpflux_snapshot};
use crate::boundary::getter;
use crate::handle::{self, Lent, of};
use crate::ip::arpflux_ip;

/// A route of any table, borrowed from a snapshot or a change.
pub struct arpflux_route {
    _private: [u8; 0],
}

impl Lent for Route {
    type C = arpflux_route;
}

/// What a route does (`RTN_*`).
#[repr(u32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum arpflux_rtn {
    /// Any other, or no route.
    Other = 0,
    /// A gateway or a direct route.
    Unicast = 1,
    /// The destination is this host.
    Local = 2,
    /// Received as broadcast, sent as broadcast.
    Broadcast = 3,
    /// Received as broadcast, sent as unicast.
    Anycast = 4,
    /// Multicast.
    Multicast = 5,
    /// Drops silently.
    Blackhole = 6,
    /// Drops and says "host unreachable".
    Unreachable = 7,
    /// Drops and says "administratively prohibited".
    Prohibit = 8,
    /// Goes on with the next rule.
    Throw = 9,
}

/// How many routes of all tables and both families there are; 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_route_count(snapshot: *const arpflux_snapshot) -> usize {
    getter(0, || Some(handle::find::<Owned>(snapshot)?.snapshot.routes.len()))
}

/// The route at a place, from 0, in the kernel's order. Borrowed from the snapshot; NULL beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_snapshot_route_at(
    snapshot: *const arpflux_snapshot,
    at: usize,
) -> *const arpflux_route {
    handle::lend(snapshot, |owned: &Owned| &owned.snapshot.routes, at)
}

/// What it does; `ARPFLUX_RTN_OTHER` for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_route_kind(route: *const arpflux_route) -> arpflux_rtn {
    of(route, arpflux_rtn::Other, |route: &Route| match route.kind {
        RouteKind::Unicast => arpflux_rtn::Unicast,
        RouteKind::Local => arpflux_rtn::Local,
        RouteKind::Broadcast => arpflux_rtn::Broadcast,
        RouteKind::Anycast => arpflux_rtn::Anycast,
        RouteKind::Multicast => arpflux_rtn::Multicast,
        RouteKind::Blackhole => arpflux_rtn::Blackhole,
        RouteKind::Unreachable => arpflux_rtn::Unreachable,
        RouteKind::Prohibit => arpflux_rtn::Prohibit,
        RouteKind::Throw => arpflux_rtn::Throw,
        _ => arpflux_rtn::Other,
    })
}

/// The table it is in (254 main, 255 local); 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_route_table(route: *const arpflux_route) -> u32 {
    of(route, 0, |route: &Route| route.table)
}

/// The prefix it is for: its address; of family 0 for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_route_destination(route: *const arpflux_route) -> arpflux_ip {
    of(route, arpflux_ip::NONE, |route: &Route| route.destination.addr().into())
}

/// The length of the prefix it is for, in bits, from 0 to 32 or 128.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_route_prefix_len(route: *const arpflux_route) -> u8 {
    of(route, 0, |route: &Route| route.destination.prefix_len())
}

/// Its metric: among equal routes the smallest wins.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_route_metric(route: *const arpflux_route) -> u32 {
    of(route, 0, |route: &Route| route.metric)
}

/// Who made it (`RTPROT_*`); arpflux's own have 175.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_route_protocol(route: *const arpflux_route) -> u8 {
    of(route, 0, |route: &Route| route.protocol)
}

/// The source address that the host's own packets get; of family 0 if it says none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_route_preferred_source(route: *const arpflux_route) -> arpflux_ip {
    of(route, arpflux_ip::NONE, |route: &Route| route.preferred_source.map_or(arpflux_ip::NONE, Into::into))
}

/// How many next hops it has: none if it rejects, several if it is multipath.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_route_hop_count(route: *const arpflux_route) -> usize {
    of(route, 0, |route: &Route| route.next_hops.len())
}

fn hop<T>(route: *const arpflux_route, at: usize, none: T, what: impl FnOnce(&NextHop) -> Option<T>) -> T {
    let found = of(route, None, |route: &Route| what(route.next_hops.get(at)?));
    found.unwrap_or(none)
}

/// The number of the interface that the next hop at a place, from 0, leaves by; 0 if none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_route_hop_interface(route: *const arpflux_route, at: usize) -> u32 {
    hop(route, at, 0, |hop| hop.interface.map(|index| index.0))
}

/// The gateway of the next hop at a place, from 0, of either family; of family 0 if the destination is on the link.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_route_hop_gateway(route: *const arpflux_route, at: usize) -> arpflux_ip {
    hop(route, at, arpflux_ip::NONE, |hop| hop.gateway.map(Into::into))
}

/// The share of the next hop at a place, from 0, among several: 1 to 256; 0 beyond the last.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn arpflux_route_hop_weight(route: *const arpflux_route, at: usize) -> u32 {
    hop(route, at, 0, |hop| Some(hop.weight.into()))
}
