//! Hosts that live around a twin: on its wires, and behind its interfaces.

use std::os::fd::{AsFd as _, AsRawFd as _};

use arpflux_core::Result;
use arpflux_core::types::{IfIndex, Mac};
use netlink_packet_route::link::{LinkAttribute, LinkFlags};

use super::Twin;
use super::blueprint::Role;
use crate::rtnl;
use crate::switch::Switch;
use crate::{Host, NewRoute};

/// The card of a host around a twin.
pub(crate) const CARD: &str = "eth0";

impl Twin {
    /// A host without addresses on a wire, with the name of its interface there; `None`: nothing outside of the host is on
    /// that wire. With [`Mac::NONE`] the kernel chooses its MAC.
    pub(crate) fn neighbour(&self, wire: usize, name: &str, mac: Mac) -> Result<Option<(Host, String)>> {
        let Some((switch, vlan)) = self.wires.get(wire).and_then(|wire| wire.plug.as_ref()) else {
            return Ok(None);
        };
        let host = Host::new(&self.fabric, name)?;
        host.plug(switch, CARD, mac)?;
        let Some(id) = vlan else { return Ok(Some((host, CARD.to_owned()))) };
        let tagged = format!("{CARD}.{id}");
        host.vlan(CARD, &tagged, *id)?;
        Ok(Some((host, tagged)))
    }

    /// A host without addresses at the other end of an interface without Ethernet (`venet0`, a tunnel), with the name of its
    /// interface there; `None`: the interface is none of those.
    pub(crate) fn behind(&mut self, index: IfIndex, name: &str) -> Result<Option<(Host, String)>> {
        if self.blueprint.role(index) != Some(Role::Mute) {
            return Ok(None);
        }
        let (Some(port), Some(near)) =
            (self.ports.get(&index).copied(), self.blueprint.host.interface(index))
        else {
            return Ok(None);
        };
        let near = near.name.to_string();
        let host = Host::new(&self.fabric, name)?;
        let none = (LinkFlags::empty(), LinkFlags::empty());
        {
            let mut rtnl = self.fabric.rtnl();
            let far = rtnl::link(&mut rtnl, &port)?.index;
            let there = LinkAttribute::NetNsFd(host.netns().as_fd().as_raw_fd());
            rtnl::set_link(&mut rtnl, far, none, vec![there])?;
        }
        self.ports.remove(&index);
        let far = port.to_string();
        // Without ARP a frame has the sender's own MAC as its destination: both ends have the same one.
        host.set_mac(&far, self.host.mac(&near)?)?;
        host.noarp(&far, true)?;
        host.up(&far)?;
        host.settle(&far)?;
        host.route(&NewRoute::to("0.0.0.0/0")?.device(&far)?)?;
        Ok(Some((host, far)))
    }

    /// A switch that no interface of the twin is plugged into.
    pub(crate) fn far_switch(&self) -> Result<Switch> {
        Switch::new(&self.fabric, "the rest of the world")
    }

    /// A host that is on no wire of the twin.
    pub(crate) fn far_host(&self) -> Result<Host> {
        Host::new(&self.fabric, "the rest of the world")
    }
}
