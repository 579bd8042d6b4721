//! Who lives on the wires of a host and behind it, as its addresses and routes tell.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::snapshot::{MacvlanMode, RouteKind, Snapshot, WireMap};
use crate::types::{IfIndex, IpNet, Ipv4Net};

/// How many hosts behind one interface are told.
pub(super) const HOSTS_MAX: usize = 8;
/// Stands for the rest of the world: of the range for benchmarks (RFC 2544), which nobody routes.
pub const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(198, 18, 99, 99);
/// The same of IPv6: of the range for benchmarks (RFC 5180).
pub(super) const ELSEWHERE_IPV6: Ipv6Addr = Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0x99);

/// Who may live around a host: subnets, gateways, and hosts that a route leads to (containers, guests, the other end of a
/// point-to-point address). Interfaces that are down or have no carrier have nobody.
///
/// ```
/// use arpflux_core::harm::Around;
/// use arpflux_core::snapshot::Snapshot;
///
/// assert!(Around::of(&Snapshot::default()).subnets.is_empty());
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Around {
    /// The subnets of each interface, those of one address alone left out.
    pub subnets: BTreeMap<IfIndex, Vec<Ipv4Net>>,
    /// Hosts that a route or a peer address says are on the link of an interface: of routes eight each at most.
    pub routed: BTreeMap<IfIndex, Vec<Ipv4Addr>>,
    /// The gateways of unicast routes, in any table, on the link of an interface; addresses of the host itself left out.
    pub gateways: BTreeMap<IfIndex, Vec<Ipv4Addr>>,
}

/// Whether it is a macvlan whose frames reach its siblings on this host.
pub(super) fn is_macvlan(snapshot: &Snapshot, index: IfIndex) -> bool {
    snapshot.interface(index).is_some_and(|one| one.macvlan_mode == Some(MacvlanMode::Bridge))
}

impl Around {
    /// Those around the host that a snapshot shows.
    #[must_use]
    pub fn of(snapshot: &Snapshot) -> Self {
        Self::on(snapshot, &WireMap::of(snapshot))
    }

    /// The same, where the wires are known.
    pub(super) fn on(snapshot: &Snapshot, wires: &WireMap) -> Self {
        let mut this = Self::default();
        for address in snapshot.addresses.iter().filter(|address| wires.is_connected(address.interface)) {
            match (address.peer, address.subnet()) {
                (Some(IpAddr::V4(peer)), _) => this.routed.entry(address.interface).or_default().push(peer),
                (None, IpNet::V4(net)) if net.prefix_len() < 32 => {
                    let known = this.subnets.entry(address.interface).or_default();
                    if !known.contains(&net.trunc()) {
                        known.push(net.trunc());
                    }
                }
                _ => {}
            }
        }
        for route in snapshot.routes.iter().filter(|route| route.kind == RouteKind::Unicast) {
            for hop in &route.next_hops {
                if let (Some(index), Some(IpAddr::V4(gateway))) = (hop.interface, hop.gateway)
                    && wires.is_connected(index)
                    && !this.gateways.get(&index).is_some_and(|known| known.contains(&gateway))
                    && snapshot.holders_of(IpAddr::V4(gateway)).next().is_none()
                {
                    this.gateways.entry(index).or_default().push(gateway);
                }
            }
            let [hop] = route.next_hops.as_slice() else { continue };
            let (Some(index), None, IpNet::V4(net)) = (hop.interface, hop.gateway, route.destination) else {
                continue;
            };
            let host = match net.prefix_len() {
                32 => Some(net.addr()),
                // A part of the wire that a macvlan leads to is where its siblings are, in namespaces of their own.
                1.. if is_macvlan(snapshot, index) && !this.subnets.contains_key(&index) => {
                    net.hosts().find(|host| snapshot.holders_of(IpAddr::V4(*host)).next().is_none())
                }
                _ => None,
            };
            if let Some(host) = host.filter(|_| wires.is_connected(index)) {
                let known = this.routed.entry(index).or_default();
                if known.len() < HOSTS_MAX && !known.contains(&host) {
                    known.push(host);
                }
            }
        }
        this
    }
}
