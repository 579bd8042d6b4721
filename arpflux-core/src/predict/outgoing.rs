//! The host's own requests: by which interface, from which address (`ip_route_output()`, `arp_solicit()`).

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use super::ArpRequest;
use super::index::Model;
use super::local::{Way, strange};
use super::missing::{Missing, MissingSet};
use super::oracle::Oracle;
use super::packet::{Packet, PacketKind};
use super::reply::Run;
use super::step::{Lookup, Purpose, Silent, Step, Trace};
use crate::filter::Frame;
use crate::snapshot::{InterfaceFlags, LinkKind, RouteKind, Scope, Snapshot};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, Mac};

/// Which rule of `arp_announce` gave the sender address of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SourceRule {
    /// The packet's own source address: `arp_announce` is 0, or a value without meaning.
    Packet,
    /// The packet's own source address, which `arp_announce=1` allows: it shares a subnet of the interface
    /// with the target.
    SameSubnet,
    /// The interface's best address for the target (`inet_select_addr()`): `arp_announce` is 2, or 1 and
    /// the packet's source was refused, or the packet's source is not local.
    Best,
}

/// What the host does to reach an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outgoing {
    /// It asks, unless it knows already. Everyone who hears the request may learn that `sender` is at
    /// `mac`; the one asked surely does.
    Asks {
        /// The interface that the packet and the request leave by.
        interface: IfIndex,
        /// The address asked for: the destination or the gateway.
        target: Ipv4Addr,
        /// The sender address in the request; 0.0.0.0 if the interface has none.
        sender: Ipv4Addr,
        /// The sender MAC in the request.
        mac: Mac,
        /// The packet's source address.
        packet_source: Ipv4Addr,
        /// Which rule gave the sender address.
        rule: SourceRule,
    },
    /// It sends without asking: to itself, to a broadcast or multicast address, through a gateway with an
    /// IPv6 address, or by an interface that does no ARP; or a packet
    /// filter, or a bridge without a port for broadcasts, keeps the request from leaving.
    NoRequest {
        /// The interface that the packet leaves by.
        interface: IfIndex,
        /// The packet's source address.
        packet_source: Ipv4Addr,
    },
    /// It cannot send.
    Unreachable,
    /// That cannot be told from the snapshot.
    Undetermined {
        /// What is missing.
        missing: MissingSet,
    },
}

impl Outgoing {
    /// Whether peers learn from the request that an address of another interface is at this one's MAC:
    /// what `arp_announce=2` prevents.
    #[must_use]
    pub fn teaches_wrong_mac(&self, snapshot: &Snapshot) -> bool {
        let Self::Asks { interface, sender, .. } = self else { return false };
        let mut owners = snapshot.holders_of(IpAddr::V4(*sender)).peekable();
        owners.peek().is_some() && owners.all(|owner| owner != *interface)
    }
}

impl Model<'_> {
    /// What the host does to send a packet to `destination`: which interface it leaves by and, if that
    /// needs an ARP request, which source address the request carries, so what peers learn.
    ///
    /// `source` is the packet's source address if the program chose one, `by` the interface if the program
    /// chose one (`SO_BINDTODEVICE`).
    ///
    /// ```
    /// use arpflux_core::predict::{Model, Outgoing};
    /// use arpflux_core::snapshot::Snapshot;
    ///
    /// let snapshot = Snapshot::default();
    /// let way = Model::new(&snapshot)?.outgoing("10.0.0.9".parse()?, None, None);
    /// assert_eq!(way, Outgoing::Unreachable); // it has no routes
    /// assert!(!way.teaches_wrong_mac(&snapshot));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn outgoing(&self, destination: Ipv4Addr, source: Option<Ipv4Addr>, by: Option<IfIndex>) -> Outgoing {
        self.send(Packet::default(), destination, source, by)
    }

    /// The same for a packet of which more is known, that rules may ask for.
    #[must_use]
    pub fn outgoing_of(
        &self,
        kind: PacketKind,
        destination: Ipv4Addr,
        source: Option<Ipv4Addr>,
        by: Option<IfIndex>,
    ) -> Outgoing {
        self.send(kind.packet(), destination, source, by)
    }

    pub(super) fn send(
        &self,
        packet: Packet,
        destination: Ipv4Addr,
        source: Option<Ipv4Addr>,
        by: Option<IfIndex>,
    ) -> Outgoing {
        let mut oracle = Oracle::default();
        let once = |oracle: &mut Oracle| {
            Run { model: self, oracle, trace: &mut Silent }.outgoing(packet, destination, source, by)
        };
        let first = once(&mut oracle);
        while oracle.advance() {
            if once(&mut oracle) != first {
                return Outgoing::Undetermined { missing: oracle.asked() };
            }
        }
        if oracle.overflow { Outgoing::Undetermined { missing: oracle.asked() } } else { first }
    }
}

impl Model<'_> {
    /// The look-up that decides how a packet to `destination` leaves: rule, table and route. `None`: no route, or none
    /// is looked up.
    pub(crate) fn own_lookup(
        &self,
        kind: PacketKind,
        destination: Ipv4Addr,
        source: Option<Ipv4Addr>,
        by: Option<IfIndex>,
    ) -> Option<Lookup> {
        let mut steps: Vec<Step> = Vec::new();
        Run { model: self, oracle: &mut Oracle::default(), trace: &mut steps }.outgoing(
            kind.packet(),
            destination,
            source,
            by,
        );
        steps.into_iter().rev().find_map(|step| match step {
            Step::Route(lookup) => {
                let found = lookup.destination.is_some() || lookup.rule.is_some();
                (lookup.purpose == Purpose::Own && found).then_some(lookup)
            }
            _ => None,
        })
    }

    /// Whether a request leaves a bridge by any port; what is no bridge sends it.
    fn lets_broadcasts_out(&self, interface: IfIndex) -> bool {
        let bridge = self.snapshot.interface(interface).filter(|it| it.kind == Some(LinkKind::Bridge));
        let Some(bridge) = bridge else { return true };
        let mut ports =
            self.snapshot.interfaces.iter().filter(|port| port.master == Some(bridge.index)).peekable();
        ports.peek().is_none() || ports.any(|port| !port.bridging.keeps_broadcasts)
    }
}

/// How many devices hand a packet on to each other before the kernel drops it.
const XMIT_RECURSION_LIMIT: usize = 8;

impl<T: Trace> Run<'_, '_, T> {
    fn outgoing(
        &mut self,
        packet: Packet,
        destination: Ipv4Addr,
        source: Option<Ipv4Addr>,
        by: Option<IfIndex>,
    ) -> Outgoing {
        let model = self.model;
        let given = source.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let oif = by.map_or(0, |index| index.0);
        let Some(mut way) = self.route_output_of(Some(packet), oif, given, destination, Purpose::Own) else {
            return Outgoing::Unreachable;
        };
        let packet_source = source.unwrap_or_else(|| self.packet_source(&way, destination));
        if !way.local && strange(&model.ports[way.slot], packet_source) {
            return Outgoing::Unreachable;
        }
        // What is routed out of a VRF is routed again within it (vrf_process_v4_outbound()).
        for _ in 0..XMIT_RECURSION_LIMIT {
            let vrf = &model.ports[way.slot];
            if way.local || vrf.l3mdev != vrf.index {
                break;
            }
            match self.route_output_of(Some(packet), vrf.index, packet_source, destination, Purpose::Own) {
                Some(within) if !within.local && within.slot != way.slot => way = within,
                _ => return Outgoing::NoRequest { interface: IfIndex(vrf.index), packet_source },
            }
        }
        let port = &model.ports[way.slot];
        let interface = IfIndex(port.index);
        let flags = model.interface(way.slot).flags;
        let target = match self.next_hop(&way) {
            // A gateway that is an own address means that everything is on this wire (rt_set_nexthop()).
            Some(IpAddr::V4(gateway)) if !model.addresses.holders(gateway).is_empty() => Some(destination),
            Some(IpAddr::V4(gateway)) => Some(gateway),
            Some(IpAddr::V6(_)) => None,
            None => Some(destination),
        };
        let asks = !way.local
            && !destination.is_multicast()
            && !destination.is_broadcast()
            && !port.noarp
            && !port.loopback
            && !flags.contains(InterfaceFlags::POINTOPOINT);
        match target {
            // arp_constructor(): what the table local calls broadcast needs no asking.
            Some(target)
                if asks
                    && !self.is_broadcast(target, port.l3mdev_table)
                    && model.lets_broadcasts_out(interface) =>
            {
                let (sender, rule) = self.request_source(way.slot, packet_source, target);
                match self.request_sent(way.slot, sender, target) {
                    Some((sender, mac)) => {
                        Outgoing::Asks { interface, target, sender, mac, packet_source, rule }
                    }
                    None => Outgoing::NoRequest { interface, packet_source },
                }
            }
            _ => Outgoing::NoRequest { interface, packet_source },
        }
    }

    /// The addresses of the sender in a request as it leaves; `None`: a packet filter drops it, or makes something
    /// else of it.
    pub(super) fn request_sent(
        &mut self,
        slot: usize,
        sender: Ipv4Addr,
        target: Ipv4Addr,
    ) -> Option<(Ipv4Addr, Mac)> {
        let port = &self.model.ports[slot];
        if self.model.rules.is_empty() {
            return Some((sender, port.mac));
        }
        let path = self.path(IfIndex(port.index), slot);
        let request = ArpRequest {
            sender_mac: Some(port.mac),
            ..ArpRequest::broadcast(IfIndex(port.index), sender, target)
        };
        let content = self.content(slot, &request, false);
        let sent = self.sent(&path, Frame::new(&content)).ok()?;
        let asks = sent.is_like(&Frame::new(&content)) && sent.target() == Some(target);
        asks.then_some((sent.sender()?, sent.sender_mac()?))
    }

    /// `fib_result_prefsrc()`.
    fn packet_source(&mut self, way: &Way, destination: Ipv4Addr) -> Ipv4Addr {
        let model = self.model;
        let Some(looked) = way.looked else { return self.any_source(way, 0, Scope::LINK) };
        let route = &model.snapshot.routes[looked.hit.alias.route as usize];
        if let Some(IpAddr::V4(preferred)) = route.preferred_source {
            return preferred;
        }
        if way.local {
            return destination;
        }
        let near = match self.next_hop(way) {
            Some(IpAddr::V4(gateway)) => gateway.to_bits(),
            _ => 0,
        };
        let chosen = self.any_source(way, near, Scope(looked.hit.alias.scope));
        // A nexthop object keeps an address chosen for its own scope, until some address changes
        // (nh_create_ipv4(), fib_result_prefsrc()).
        let kept = match route.nexthop_id {
            Some(_) => self.any_source(way, near, Scope::LINK),
            None => chosen,
        };
        let stale = kept != chosen && self.oracle.ask(Missing::KeptSource);
        if stale { kept } else { chosen }
    }

    fn any_source(&mut self, way: &Way, near: u32, scope: Scope) -> Ipv4Addr {
        self.source(way.slot, near, scope).unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// `inet_select_addr()`: an address of the interface, else of its VRF, else of the first interface of the same VRF
    /// (or of none) that has one, in the order in which they came into the namespace.
    pub(super) fn source(&mut self, slot: usize, near: u32, scope: Scope) -> Option<Ipv4Addr> {
        let model = self.model;
        if let Some(own) = model.addresses.select(&model.ports, slot, near, scope) {
            return Some(own);
        }
        let vrf = model.ports[slot].l3mdev;
        let lent = |slot: usize| model.addresses.lent(slot, scope);
        if vrf != 0
            && let Some(found) = model.slot(IfIndex(vrf)).and_then(lent)
        {
            return Some(found);
        }
        let came = |slot: usize| match &model.ports[slot] {
            port if port.loopback => Some(0),
            _ => model.interface(slot).came.map(|place| place.saturating_add(1)),
        };
        let lenders = || {
            let of_vrf = (0..model.ports.len()).filter(move |at| model.ports[*at].l3mdev == vrf);
            of_vrf.filter_map(move |at| Some((came(at), lent(at)?)))
        };
        if lenders().all(|(came, _)| came.is_some()) {
            return lenders().min_by_key(|(came, _)| *came).map(|(_, address)| address);
        }
        // Of those whose place is known only the first may come before the others.
        let first = lenders().filter_map(|(came, _)| came).min();
        let may = || lenders().filter(move |(came, _)| came.is_none() || *came == first);
        let chosen = self.oracle.choose(Missing::BorrowedSource, may().count());
        may().nth(chosen).map(|(_, address)| address)
    }

    fn is_broadcast(&mut self, address: Ipv4Addr, table: u32) -> bool {
        matches!(
            self.address_kind(address.to_bits(), table),
            Some(RouteKind::Broadcast | RouteKind::Multicast)
        )
    }

    fn next_hop(&self, way: &Way) -> Option<IpAddr> {
        let (looked, hop) = (way.looked?, way.hop.or_else(|| way.looked.map(|looked| looked.hit.hop))?);
        let route = &self.model.snapshot.routes[looked.hit.alias.route as usize];
        route.next_hops.get(usize::from(hop.nth))?.gateway
    }

    /// `arp_solicit()`: the sender address of a request on `slot` for `target`, on behalf of a packet from
    /// `packet`.
    fn request_source(&mut self, slot: usize, packet: Ipv4Addr, target: Ipv4Addr) -> (Ipv4Addr, SourceRule) {
        let model = self.model;
        let port = &model.ports[slot];
        let announce = model.snapshot.effective(model.interface(slot), Sysctl::ArpAnnounce).value;
        let local = announce != 2 && self.is_local(packet.to_bits(), port.l3mdev_table);
        let on_link = || {
            let covers =
                |address: Ipv4Addr, at: usize| model.addresses.of(slot)[at].covers(address.to_bits());
            (0..model.addresses.of(slot).len()).any(|at| covers(target, at) && covers(packet, at))
        };
        match announce {
            2 => {}
            1 if local && on_link() => return (packet, SourceRule::SameSubnet),
            1 => {}
            _ if local => return (packet, SourceRule::Packet),
            _ => {}
        }
        let best = self.source(slot, target.to_bits(), Scope::LINK);
        (best.unwrap_or(Ipv4Addr::UNSPECIFIED), SourceRule::Best)
    }
}
