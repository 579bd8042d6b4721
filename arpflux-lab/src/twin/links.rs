//! The interfaces of a twin, and the wires that they are plugged into.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use arpflux_core::Result;
use arpflux_core::predict::listeners;
use arpflux_core::snapshot::{
    BridgePortState, Certainty, Interface, InterfaceFlags, LinkKind, Reach, Snapshot, WireMap,
};
use arpflux_core::types::{IfIndex, IfName};
use netlink_packet_route::link::{
    BridgePortState as PortState, InfoBridgePort, InfoData, InfoKind, InfoMacVlan, InfoVlan, InfoVrf,
    LinkAttribute, LinkFlags, MacVlanMode,
};

use super::Twin;
use super::blueprint::Role;
use crate::rtnl::{self, NewLink};
use crate::switch::{Fabric, Switch};

/// A wire of the host, as the twin has it.
#[derive(Debug, Clone)]
pub struct Wire {
    /// The interfaces that take what is asked there, in the order of the snapshot.
    pub interfaces: Vec<IfIndex>,
    /// How well it is known that these, and no others, hear it.
    pub certainty: Certainty,
    /// The interface of the fabric by which it is asked; `None`: nothing outside of the host is on it.
    pub(super) entry: Option<IfName>,
    /// What others are plugged into who are to live on it, and their VLAN there.
    pub(super) plug: Option<(Switch, Option<u16>)>,
}

impl Wire {
    /// Whether something outside of the host is on it that can ask.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.entry.is_some()
    }
}

const NOTHING: (LinkFlags, LinkFlags) = (LinkFlags::empty(), LinkFlags::empty());

impl Twin {
    /// Makes all interfaces, and leaves out those that the kernel refuses.
    pub(super) fn make_links(&mut self) -> Result<()> {
        for (index, role) in self.blueprint.order.clone() {
            let Some(interface) = self.blueprint.host.interface(index).cloned() else { continue };
            if let Err(error) = self.make_link(&interface, role) {
                self.blueprint.leave_out_made(index, format!("this kernel refuses it: {error}"));
            }
        }
        for (index, role) in self.blueprint.order.clone() {
            let Some(interface) = self.blueprint.host.interface(index).cloned() else { continue };
            if let Err(error) = self.dress(&interface, role) {
                self.blueprint.leave_out(format!("settings of {}", interface.name), error.to_string());
            }
        }
        Ok(())
    }

    fn make_link(&mut self, interface: &Interface, role: Role) -> Result<()> {
        let Interface { index, name, mac, .. } = *interface;
        let new = |kind| NewLink { index: Some(index), mac, ..NewLink::new(&name, kind) };
        let parent = interface.link;
        let link = match role {
            Role::Loopback => return Ok(()),
            Role::Card | Role::Mute => {
                let port = self.fabric.fresh("port")?;
                let near = match role {
                    Role::Card => new(InfoKind::Veth),
                    _ => NewLink { index: Some(index), ..NewLink::new(&name, InfoKind::Veth) },
                };
                let far = NewLink::new(&port, InfoKind::Veth);
                rtnl::add_veth(&mut self.host.rtnl(), near, far, self.fabric.netns.as_fd())?;
                self.ports.insert(index, port);
                return Ok(());
            }
            Role::Pair(peer) => {
                // The first of the two makes both.
                if let Some(far) = self.blueprint.host.interface(peer).filter(|_| peer > index) {
                    let far = NewLink {
                        index: Some(far.index),
                        mac: far.mac,
                        ..NewLink::new(&far.name, InfoKind::Veth)
                    };
                    let netns = self.host.0.netns.as_fd();
                    rtnl::add_veth(&mut self.host.rtnl(), new(InfoKind::Veth), far, netns)?;
                }
                return Ok(());
            }
            Role::Bridge => new(InfoKind::Bridge),
            Role::Vlan => {
                let id = InfoVlan::Id(interface.vlan_id.unwrap_or(0));
                NewLink { parent, data: Some(InfoData::Vlan(vec![id])), ..new(InfoKind::Vlan) }
            }
            Role::Macvlan => {
                let mode = interface.macvlan_mode.map_or(0, u32::from);
                let data = InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::from(mode))]);
                NewLink { parent, data: Some(data), ..new(InfoKind::MacVlan) }
            }
            Role::Vrf => {
                let table = InfoVrf::TableId(interface.vrf_table.unwrap_or(0));
                NewLink { data: Some(InfoData::Vrf(vec![table])), ..new(InfoKind::Vrf) }
            }
        };
        rtnl::add_link(&mut self.host.rtnl(), link)
    }

    /// Gives an interface its master, flags, MTU and group, and sets it up if it is.
    fn dress(&self, interface: &Interface, role: Role) -> Result<()> {
        let mut attributes = Vec::new();
        attributes.extend(interface.master.map(|master| LinkAttribute::Controller(master.0)));
        if role != Role::Loopback {
            attributes.push(LinkAttribute::Mtu(interface.mtu));
        }
        attributes.extend((interface.group != 0).then_some(LinkAttribute::Group(interface.group)));
        let mut flags = LinkFlags::empty();
        let has = |flag| interface.flags.contains(flag);
        flags.set(LinkFlags::Noarp, role == Role::Mute || has(InterfaceFlags::NOARP));
        let mut rtnl = self.host.rtnl();
        let index = interface.index;
        rtnl::set_link(&mut rtnl, index, (flags, LinkFlags::Noarp), Vec::new())?;
        for attribute in attributes {
            rtnl::set_link(&mut rtnl, index, NOTHING, vec![attribute])?;
        }
        flags.set(LinkFlags::Up, has(InterfaceFlags::UP));
        rtnl::set_link(&mut rtnl, index, (flags, LinkFlags::Up), Vec::new())?;
        let bridge = interface.master.and_then(|master| self.blueprint.role(master)) == Some(Role::Bridge);
        let options = if bridge { port_options(interface) } else { Vec::new() };
        if options.is_empty() { Ok(()) } else { rtnl::port_options(&mut rtnl, index, options) }
    }

    /// Plugs the cards in, as the wire function says, and makes a way in for each wire.
    pub(super) fn plug_in(&mut self, snapshot: &Snapshot) -> Result<()> {
        let map = WireMap::of(snapshot);
        let hear = listeners(snapshot);
        for members in map.wires() {
            let interfaces: Vec<IfIndex> = members
                .iter()
                .copied()
                .filter(|index| hear.contains(index) && map.is_connected(*index))
                .filter(|index| self.blueprint.role(*index).is_some_and(|role| role != Role::Mute))
                .collect();
            let certainty = members.first().map_or(Certainty::Unknown, |first| map.certainty(*first));
            let (entry, plug) = match self.plug_wire(snapshot, &map, members)? {
                Some((entry, switch)) => (Some(entry), Some((switch, None))),
                None => (None, None),
            };
            self.wires.push(Wire { interfaces, certainty, entry, plug });
        }
        // VLANs are asked through the wire that they are on.
        for number in 0..self.wires.len() {
            let tagged = self.wires[number].interfaces.iter().find_map(|index| {
                let one = snapshot.interface(*index)?;
                let below = self.wires.get(map.number(one.link?)?)?;
                let (entry, (switch, _)) = (below.entry?, below.plug.clone()?);
                (one.reach() == Reach::LowerTagged).then_some((entry, switch, one.vlan_id?))
            });
            if let (None, Some((below, switch, id))) = (&self.wires[number].entry, tagged) {
                self.wires[number].entry = tagged_entry(&self.fabric, &below, id).ok();
                self.wires[number].plug = Some((switch, Some(id)));
            }
        }
        self.settle()
    }

    fn plug_wire(
        &mut self,
        snapshot: &Snapshot,
        map: &WireMap,
        members: &[IfIndex],
    ) -> Result<Option<(IfName, Switch)>> {
        let mut plugged: Vec<IfIndex> = Vec::new();
        let mut switch = None;
        for index in members {
            let Some(port) = self.ports.get(index).copied() else { continue };
            let connected = map.is_connected(*index) && self.blueprint.role(*index) == Some(Role::Card);
            let port_of_what_is_not_built = snapshot.interface(*index).and_then(|one| one.master).is_some()
                && self.blueprint.host.interface(*index).and_then(|one| one.master).is_none();
            // Two that the host itself joins, by a bridge, would be a loop.
            let group = self.blueprint.joined.get(index).copied().unwrap_or(*index);
            if connected && !port_of_what_is_not_built && !plugged.contains(&group) {
                let switch = match &switch {
                    Some(switch) => switch,
                    None => &*switch.insert(Switch::new(&self.fabric, "wire")?),
                };
                plugged.push(group);
                self.fabric.join(&port, switch)?;
            }
            self.fabric.set_up(&port, true)?;
        }
        let Some(switch) = switch else { return Ok(None) };
        let (near, far) = (self.fabric.fresh("ask")?, self.fabric.fresh("asks")?);
        {
            let mut rtnl = self.fabric.rtnl();
            // The kernel heeds a master of the first end only.
            let port = NewLink { master: Some(switch.index), ..NewLink::new(&far, InfoKind::Veth) };
            let netns = self.fabric.netns.as_fd();
            rtnl::add_veth(&mut rtnl, port, NewLink::new(&near, InfoKind::Veth), netns)?;
        }
        for name in [&near, &far] {
            self.fabric.set_up(name, true)?;
        }
        self.entries.push(far);
        Ok(Some((near, switch)))
    }

    /// Waits until frames get through all that carries any.
    fn settle(&self) -> Result<()> {
        let up = |index: &IfIndex| {
            let one = self.blueprint.host.interface(*index);
            one.is_some_and(|one| one.flags.contains(InterfaceFlags::UP))
        };
        let ports = self.ports.iter().filter(|(index, _)| up(index)).map(|(_, port)| port);
        for port in self.entries.iter().chain(ports) {
            self.fabric.settled(port)?;
        }
        let cards = self.blueprint.order.iter().filter(|(_, role)| matches!(role, Role::Card | Role::Mute));
        for (index, _) in cards {
            let Some(one) = self.blueprint.host.interface(*index) else { continue };
            let blocked = one.bridge_port_state.is_some_and(|state| state != BridgePortState::Forwarding);
            if up(index) && !blocked {
                self.host.settle(&one.name.to_string())?;
            }
        }
        Ok(())
    }

    /// Takes the carrier of what has none in the snapshot.
    pub(super) fn unplug(&mut self) -> Result<()> {
        for (index, port) in &self.ports {
            if self.blueprint.host.interface(*index).is_some_and(|one| !one.carrier) {
                self.fabric.set_up(port, false)?;
            }
        }
        let without = |one: &&Interface| one.flags.contains(InterfaceFlags::UP) && !one.carrier;
        let missing: Vec<Interface> =
            self.blueprint.host.interfaces.iter().filter(without).cloned().collect();
        for one in &missing {
            let lower = one.link.and_then(|lower| self.blueprint.host.interface(lower));
            // On a lower one that has carrier, it was told to have none (`protodown`).
            if self.blueprint.role(one.index) == Some(Role::Macvlan)
                && lower.is_some_and(|lower| lower.carrier)
            {
                let down = vec![LinkAttribute::ProtoDown(1)];
                let made = rtnl::set_link(&mut self.host.rtnl(), one.index, NOTHING, down);
                if let Err(error) = made {
                    self.blueprint
                        .leave_out(format!("the missing carrier of {}", one.name), error.to_string());
                }
            }
        }
        // A bridge follows its ports a moment later.
        let deadline = Instant::now() + Duration::from_secs(3);
        while !missing.is_empty() && Instant::now() < deadline {
            let now = self.read()?;
            if !missing.iter().any(|one| now.interface(one.index).is_some_and(|made| made.carrier)) {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// The options of a port that are not as a new port has them.
fn port_options(port: &Interface) -> Vec<InfoBridgePort> {
    let bridging = &port.bridging;
    let mut options = Vec::new();
    if bridging.locked {
        options.push(InfoBridgePort::Locked(true));
    }
    if bridging.unlearned {
        options.extend([InfoBridgePort::Learning(false), InfoBridgePort::UnicastFlood(false)]);
    }
    if bridging.keeps_broadcasts {
        options.push(InfoBridgePort::BroadcastFlood(false));
    }
    if bridging.isolated {
        options.push(InfoBridgePort::Isolated(true));
    }
    let state = match port.bridge_port_state {
        Some(BridgePortState::Listening) => Some(PortState::Listening),
        Some(BridgePortState::Learning) => Some(PortState::Learning),
        Some(BridgePortState::Blocking) => Some(PortState::Blocking),
        _ => None,
    };
    options.extend(state.map(InfoBridgePort::State));
    options
}

/// A VLAN interface in the fabric on top of the way into a wire.
fn tagged_entry(fabric: &Fabric, below: &IfName, id: u16) -> Result<IfName> {
    let name = fabric.fresh("tag")?;
    let mut rtnl = fabric.rtnl();
    let parent = Some(rtnl::link(&mut rtnl, below)?.index);
    let data = Some(InfoData::Vlan(vec![InfoVlan::Id(id)]));
    rtnl::add_link(&mut rtnl, NewLink { parent, data, ..NewLink::new(&name, InfoKind::Vlan) })?;
    drop(rtnl);
    fabric.set_up(&name, true)?;
    Ok(name)
}

/// What the reader says of the twin's interfaces, in the words of the host: an end of a veth pair that stands for a
/// card is that card.
pub(super) fn in_the_hosts_words(
    twin: &mut Snapshot,
    host: &Snapshot,
    roles: &BTreeMap<IfIndex, Role>,
    original: &Snapshot,
) {
    let there: BTreeSet<IfIndex> = twin.interfaces.iter().map(|one| one.index).collect();
    for one in &mut twin.interfaces {
        let (Some(role), Some(of_host)) = (roles.get(&one.index), host.interface(one.index)) else {
            continue;
        };
        let stands = matches!(role, Role::Card | Role::Mute);
        if stands {
            one.kind.clone_from(&of_host.kind);
            one.link = of_host.link;
            one.link_netnsid = of_host.link_netnsid;
            one.link_type = of_host.link_type;
            one.bond_mode = of_host.bond_mode;
            one.bond_active_port = of_host.bond_active_port;
            one.bond_all_active = of_host.bond_all_active;
            one.vlan_id = of_host.vlan_id;
            one.macvlan_mode = of_host.macvlan_mode;
            one.ipvlan_mode = of_host.ipvlan_mode;
            one.vrf_table = of_host.vrf_table;
        }
        // What the kernel says of an interface that is down depends on what became of it before.
        if !of_host.flags.contains(InterfaceFlags::UP) && !one.flags.contains(InterfaceFlags::UP) {
            one.carrier = of_host.carrier;
        }
        if *role == Role::Loopback {
            (one.mac, one.mtu, one.group) = (of_host.mac, of_host.mtu, of_host.group);
        }
        if *role == Role::Mute {
            one.mac = of_host.mac;
            one.flags = (one.flags & InterfaceFlags::UP) | (of_host.flags - InterfaceFlags::UP);
        }
        if of_host.kind == Some(LinkKind::Macvtap) {
            one.kind.clone_from(&of_host.kind);
        }
        // A port of a bond that a veth end stands for is still a port.
        let of_original = original.interface(one.index);
        let master = of_original.and_then(|one| one.master).filter(|master| there.contains(master));
        if one.master.is_none() && of_host.master.is_none() && master.is_some() {
            one.master = master;
            one.bond_port_state = of_original.and_then(|one| one.bond_port_state);
        }
    }
}
