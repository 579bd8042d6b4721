//! What of a snapshot can be built, by what, and what is left out: decided without touching a kernel.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use arpflux_core::outward::LeftOut;
use arpflux_core::snapshot::{
    BridgePortState, Interface, InterfaceFlags, Interference, LinkKind, MacvlanMode, Route, Snapshot,
};
use arpflux_core::types::IfIndex;
use arpflux_core::{Error, ErrorKind, Result};

use super::filters;

/// By what an interface is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// `lo`, which every namespace has.
    Loopback,
    /// One end of a veth pair whose other end is outside of the host: a NIC, or what stands for one.
    Card,
    /// The same for what has no Ethernet: nothing is heard there.
    Mute,
    /// One end of a veth pair, with the other end here as well.
    Pair(IfIndex),
    Bridge,
    Vlan,
    Macvlan,
    Vrf,
}

/// What the twin is to be.
#[derive(Debug)]
pub(super) struct Blueprint {
    /// The snapshot without what is left out.
    pub host: Snapshot,
    /// The interfaces in the order in which they are made.
    pub order: Vec<(IfIndex, Role)>,
    /// What is built by something else.
    pub stand_ins: Vec<LeftOut>,
    pub left_out: Vec<LeftOut>,
    /// Interfaces that frames get to from one another inside the host have the same number.
    pub joined: BTreeMap<IfIndex, IfIndex>,
}

type Count = fn(&Snapshot) -> usize;

/// The most that is built of each: a snapshot may be a stranger's.
const MOST: [(&str, Count, usize); 12] = [
    ("interfaces", |snapshot| snapshot.interfaces.len(), 512),
    ("addresses", |snapshot| snapshot.addresses.len(), 4096),
    ("routes", |snapshot| snapshot.routes.len(), 20_000),
    ("next hops", |snapshot| snapshot.routes.iter().map(hops).sum(), 65_536),
    // They stand in one attribute, whose length has 16 bits.
    ("next hops of a route", |snapshot| snapshot.routes.iter().map(hops).max().unwrap_or(0), 1024),
    ("rules", |snapshot| snapshot.rules.len(), 2048),
    ("proxy entries", |snapshot| snapshot.proxies.len(), 4096),
    ("permanent neighbours", permanent, 4096),
    (
        "rules of filters",
        |snapshot| snapshot.filters.chains.iter().map(|chain| 1 + chain.rules.len()).sum(),
        4096,
    ),
    (
        "steps of rules of filters",
        |snapshot| snapshot.filters.chains.iter().flat_map(|chain| &chain.rules).map(Vec::len).sum(),
        65_536,
    ),
    ("devices of filters", devices, 4096),
    (
        "elements of sets",
        |snapshot| snapshot.filters.sets.iter().map(|set| 1 + set.elements.len()).sum(),
        20_000,
    ),
];

fn hops(route: &Route) -> usize {
    route.next_hops.len()
}

fn devices(snapshot: &Snapshot) -> usize {
    let bases = snapshot.filters.chains.iter().filter_map(|chain| chain.base.as_ref());
    bases.map(|base| base.devices.len()).sum()
}

fn permanent(snapshot: &Snapshot) -> usize {
    snapshot.neighbours.iter().filter(|entry| entry.state.is_permanent()).count()
}

impl Blueprint {
    /// # Errors
    /// Those of [`Snapshot::check`]; [`ErrorKind::Refused`] if there is more of something than is built.
    pub fn of(snapshot: &Snapshot) -> Result<Self> {
        snapshot.check()?;
        for (what, count, most) in MOST {
            if let count @ 1.. = count(snapshot).saturating_sub(most) {
                let all = most + count;
                return Err(Error::new(
                    ErrorKind::Refused,
                    format!("it has {all} {what}: a twin has {most} at most"),
                )
                .during("build twin"));
            }
        }
        let mut this = Self {
            host: snapshot.clone(),
            order: Vec::new(),
            stand_ins: Vec::new(),
            left_out: Vec::new(),
            joined: BTreeMap::new(),
        };
        this.leave_out_lists(snapshot);
        let mut roles = this.roles(snapshot);
        this.arrange(snapshot, &mut roles);
        this.part_masters();
        let mut filters = std::mem::take(&mut this.host.filters);
        let (left_out, stand_ins) = filters::leave_out(&mut filters, &this.host);
        this.host.filters = filters;
        this.left_out.extend(left_out);
        this.stand_ins.extend(stand_ins);
        this.join();
        Ok(this)
    }

    pub fn role(&self, index: IfIndex) -> Option<Role> {
        self.order.iter().find(|(other, _)| *other == index).map(|(_, role)| *role)
    }

    pub fn leave_out(&mut self, what: impl Into<String>, why: impl Into<String>) {
        self.left_out.push(LeftOut { what: what.into(), why: why.into() });
    }

    /// Takes an interface out, with all that refers to it.
    pub fn leave_out_interface(&mut self, interface: &Interface, why: impl Into<String>) {
        self.leave_out(called(interface), why);
        let gone = interface.index;
        let host = &mut self.host;
        host.interfaces.retain(|other| other.index != gone);
        for other in host.interfaces.iter_mut().filter(|other| other.master == Some(gone)) {
            other.master = None;
        }
        host.addresses.retain(|held| held.interface != gone);
        host.routes.retain(|route| route.next_hops.iter().all(|hop| hop.interface != Some(gone)));
        host.proxies.retain(|entry| entry.interface != Some(gone));
        host.neighbours.retain(|entry| entry.interface != gone);
    }

    /// The same for one that was to be made, and for the other end of its pair.
    pub fn leave_out_made(&mut self, index: IfIndex, why: impl Into<String>) {
        let peer = match self.role(index) {
            Some(Role::Pair(peer)) => self.host.interface(peer).cloned(),
            _ => None,
        };
        if let Some(one) = self.host.interface(index).cloned() {
            self.leave_out_interface(&one, why);
        }
        if let Some(peer) = &peer {
            self.leave_out_interface(peer, "its other end is left out");
        }
        let host = &self.host;
        self.order.retain(|(index, _)| host.interface(*index).is_some());
    }

    /// What is left out of every twin: IPv6, programs, and what would outlive the twin.
    fn leave_out_lists(&mut self, snapshot: &Snapshot) {
        let host = &mut self.host;
        host.addresses.retain(|held| held.local.is_ipv4());
        host.routes.retain(|route| route.destination.addr().is_ipv4());
        host.rules.retain(|rule| !rule.ipv6);
        host.neighbours.retain(|entry| entry.address.is_ipv4() && entry.state.is_permanent());
        host.proxies.retain(|entry| entry.address.is_ipv4() && entry.interface.is_some());
        host.interference.clear();
        let objects = host.routes.iter_mut().filter_map(|route| route.nexthop_id.take()).count();
        if objects > 0 {
            let why = "their routes are built with plain next hops";
            self.stand_ins.push(LeftOut { what: "nexthop objects".into(), why: why.into() });
        }
        // Every interface has an address of its link alone.
        let far = |address: IpAddr| matches!(address, IpAddr::V6(own) if !own.is_unicast_link_local());
        let v6 = snapshot.addresses.iter().any(|held| held.is_public() && far(held.local))
            || snapshot.proxies.iter().any(|entry| entry.address.is_ipv6());
        if v6 {
            self.leave_out("IPv6", "its addresses, routes, rules and proxy entries are not built");
        }
        for entry in snapshot.proxies.iter().filter(|entry| entry.interface.is_none()) {
            if entry.address.is_ipv4() {
                let why = "one without an interface may stay in the kernel when the twin is gone";
                self.leave_out(format!("proxy entry {} on all interfaces", entry.address), why);
            }
        }
        for other in &snapshot.interference {
            let on = |index: &IfIndex| snapshot.name_of(*index);
            match other {
                Interference::Netfilter { chain, .. } => self.leave_out(chain.clone(), "it is not built"),
                Interference::TrafficControl { interface, .. } => {
                    self.leave_out(format!("traffic control on {}", on(interface)), "it is not built");
                }
                Interference::Xdp { interface, .. } => {
                    self.leave_out(format!("XDP program on {}", on(interface)), "it is not built");
                }
                Interference::Unreadable { what, .. } => {
                    self.leave_out(what.clone(), "it could not be read on the host");
                }
                // Programs and the state of the whole machine are no part of a namespace.
                _ => {}
            }
        }
    }

    fn roles(&mut self, snapshot: &Snapshot) -> BTreeMap<IfIndex, Role> {
        let mut roles = BTreeMap::new();
        for interface in &snapshot.interfaces {
            match role(snapshot, interface) {
                Ok(role) => {
                    let stands_for = match (&interface.kind, role) {
                        (Some(LinkKind::Veth) | None, Role::Card) => None,
                        (_, Role::Card) => Some("an end of a veth pair stands for it"),
                        (_, Role::Mute) => Some("an end of a veth pair stands for it, without ARP"),
                        (Some(LinkKind::Macvtap), Role::Macvlan) => Some("a macvlan stands for it"),
                        _ => None,
                    };
                    if let Some(why) = stands_for {
                        self.stand_ins.push(LeftOut { what: called(interface), why: why.into() });
                    }
                    roles.insert(interface.index, role);
                }
                Err(why) => self.leave_out_interface(interface, why),
            }
        }
        roles
    }

    /// Puts interfaces in an order in which each comes after what it stands on.
    fn arrange(&mut self, snapshot: &Snapshot, roles: &mut BTreeMap<IfIndex, Role>) {
        let mut waiting: Vec<&Interface> =
            snapshot.interfaces.iter().filter(|one| roles.contains_key(&one.index)).collect();
        waiting.sort_by_key(|one| (one.came, one.index));
        let mut made: BTreeSet<IfIndex> = BTreeSet::new();
        loop {
            let ready = waiting.iter().position(|one| match roles.get(&one.index) {
                Some(Role::Vlan | Role::Macvlan) => one.link.is_some_and(|lower| made.contains(&lower)),
                _ => true,
            });
            let Some(place) = ready else { break };
            let one = waiting.remove(place);
            made.insert(one.index);
            self.order.extend(roles.get(&one.index).map(|role| (one.index, *role)));
        }
        for one in waiting {
            self.leave_out_interface(one, "what it stands on is not there, or stands on it");
        }
    }

    /// Ports of what is not built as a bridge or VRF are nobody's.
    fn part_masters(&mut self) {
        let taken: BTreeSet<IfIndex> = self
            .order
            .iter()
            .filter(|(_, role)| matches!(role, Role::Bridge | Role::Vrf))
            .map(|(index, _)| *index)
            .collect();
        for one in &mut self.host.interfaces {
            if one.master.is_some_and(|master| !taken.contains(&master)) {
                one.master = None;
            }
        }
    }

    /// Finds out which interfaces the host itself joins, and leaves out what would make a loop: its frames would go
    /// round for ever.
    fn join(&mut self) {
        let mut joined: BTreeMap<IfIndex, IfIndex> =
            self.host.interfaces.iter().map(|one| (one.index, one.index)).collect();
        let mut merge = |one: IfIndex, other: IfIndex| {
            let (Some(&one), Some(&other)) = (joined.get(&one), joined.get(&other)) else { return true };
            joined.values_mut().filter(|group| **group == other).for_each(|group| *group = one);
            one != other
        };
        let bridges: Vec<IfIndex> =
            self.order.iter().filter(|(_, role)| *role == Role::Bridge).map(|(index, _)| *index).collect();
        for one in &self.host.interfaces {
            let role = self.order.iter().find(|(index, _)| *index == one.index).map(|(_, role)| *role);
            match (role, one.link) {
                (Some(Role::Pair(peer)), _) if peer > one.index => _ = merge(peer, one.index),
                (Some(Role::Vlan | Role::Macvlan), Some(lower)) => _ = merge(lower, one.index),
                _ => {}
            }
        }
        let mut loops = Vec::new();
        for one in &self.host.interfaces {
            let forwards = one.bridge_port_state.is_none_or(|state| state == BridgePortState::Forwarding);
            if let Some(master) = one.master.filter(|master| forwards && bridges.contains(master))
                && !merge(master, one.index)
            {
                loops.push(one.clone());
            }
        }
        for one in loops {
            self.leave_out_made(one.index, "as a port it would close a loop of bridges");
        }
        self.joined = joined;
    }
}

/// `wg0 (wireguard)`.
pub(super) fn called(interface: &Interface) -> String {
    match &interface.kind {
        Some(kind) => format!("{} ({kind})", interface.name),
        None => interface.name.to_string(),
    }
}

/// By what an interface is built, or why it is not.
fn role(snapshot: &Snapshot, interface: &Interface) -> std::result::Result<Role, &'static str> {
    if interface.name.as_str().is_none() {
        return Err("its name is not UTF-8");
    }
    if interface.flags.contains(InterfaceFlags::LOOPBACK) {
        let own = interface.index == IfIndex(1) && interface.name.as_str() == Some("lo");
        return if own { Ok(Role::Loopback) } else { Err("a namespace has one loopback interface") };
    }
    let bridging = &interface.bridging;
    if bridging.vlan_filtering || !bridging.vlans.is_empty() {
        return Err("VLANs of bridges are not built");
    }
    if bridging.answers_for_others {
        return Err("a port on which the bridge answers for others is not built");
    }
    let here = interface.link.filter(|_| interface.link_netnsid.is_none());
    let here = here.and_then(|index| snapshot.interface(index));
    match (&interface.kind, here) {
        (Some(LinkKind::Bridge), _) => Ok(Role::Bridge),
        (Some(LinkKind::Vrf), _) if interface.vrf_table.is_some() => Ok(Role::Vrf),
        (Some(LinkKind::Vlan), Some(_)) if interface.vlan_id.is_some() => Ok(Role::Vlan),
        (Some(LinkKind::Macvlan | LinkKind::Macvtap), Some(_)) => match interface.macvlan_mode {
            None | Some(MacvlanMode::Source | MacvlanMode::Other(_)) => {
                Err("macvlans of its mode are not built")
            }
            Some(_) => Ok(Role::Macvlan),
        },
        (Some(LinkKind::Ipvlan | LinkKind::Ipvtap | LinkKind::Macsec), Some(_)) => {
            Err("interfaces of its kind are not built")
        }
        (Some(LinkKind::Veth), Some(peer))
            if peer.kind == Some(LinkKind::Veth)
                && peer.link == Some(interface.index)
                && peer.link_netnsid.is_none()
                && peer.index != interface.index =>
        {
            Ok(Role::Pair(peer.index))
        }
        // ARPHRD_ETHER.
        _ if interface.link_type == 1 && interface.mac.octets().is_some() => Ok(Role::Card),
        _ if interface.speaks_arp() => Err("its link layer is not Ethernet"),
        _ => Ok(Role::Mute),
    }
}
