//! The interfaces that a host can be given.

use std::os::fd::AsFd;
use std::sync::{Arc, PoisonError};

use arpflux_core::types::{IfIndex, IfName, Mac};
use arpflux_core::{Error, ErrorKind, Result};
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, InfoVlan, InfoVrf, LinkAttribute, LinkFlags, MacVlanMode,
};

use super::host::{FarEnd, Host};
use super::rtnl::{self, NewLink};
use super::switch::Switch;

impl Host {
    /// Plugs a new interface, a veth end, into a switch, and waits until it is usable. With
    /// [`Mac::NONE`] the kernel chooses the MAC.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if they are not of one lab, and what the kernel refuses: `EEXIST` if there is one of that name.
    pub fn plug(&self, switch: &Switch, interface: &str, mac: Mac) -> Result<()> {
        let fabric = &self.0.fabric;
        if !Arc::ptr_eq(fabric, &switch.fabric) {
            return Err(Error::new(ErrorKind::InvalidInput, "host and switch belong to different labs")
                .during("plug in")
                .on(format!("{interface} of {} into {}", self.name(), switch.name())));
        }
        let name: IfName = interface.parse()?;
        let port = fabric.fresh("port")?;
        let index = {
            let mut rtnl = fabric.rtnl();
            let far = NewLink { master: Some(switch.index), ..NewLink::new(&port, InfoKind::Veth) };
            let near = NewLink { mac, ..NewLink::new(&name, InfoKind::Veth) };
            rtnl::add_veth(&mut rtnl, far, near, self.0.netns.as_fd())?;
            let index = rtnl::link(&mut rtnl, &port)?.index;
            rtnl::up(&mut rtnl, index)?;
            index
        };
        self.0.far.lock().unwrap_or_else(PoisonError::into_inner).insert(name, FarEnd { index, host: None });
        self.up(interface)?;
        fabric.settled(&port)?;
        self.settle(interface)
    }

    /// A cable: a veth pair between an interface here and one of another host, both new, up and usable.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn connect(&self, interface: &str, other: &Host, others: &str) -> Result<()> {
        let (near, far): (IfName, IfName) = (interface.parse()?, others.parse()?);
        rtnl::add_veth(
            &mut self.rtnl(),
            NewLink::new(&near, InfoKind::Veth),
            NewLink::new(&far, InfoKind::Veth),
            other.0.netns.as_fd(),
        )?;
        let ends = [(self, near, other, others), (other, far, self, interface)];
        for (host, name, peer, peers) in ends {
            let end = FarEnd { index: peer.index(peers)?, host: Some(peer.clone()) };
            host.0.far.lock().unwrap_or_else(PoisonError::into_inner).insert(name, end);
        }
        self.up(interface)?;
        other.up(others)?;
        self.settle(interface)?;
        other.settle(others)
    }

    /// A VLAN interface on top of another.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the kernel has no such interfaces, and what it refuses.
    pub fn vlan(&self, parent: &str, interface: &str, id: u16) -> Result<()> {
        let data = InfoData::Vlan(vec![InfoVlan::Id(id)]);
        self.stack(InfoKind::Vlan, Some(parent), interface, Mac::NONE, Some(data))
    }

    /// A macvlan interface on top of another; modes are `MACVLAN_MODE_*`: 1 private, 2 VEPA, 4 bridge,
    /// 8 passthru.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn macvlan(&self, parent: &str, interface: &str, mode: u32, mac: Mac) -> Result<()> {
        let data = InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::from(mode))]);
        self.stack(InfoKind::MacVlan, Some(parent), interface, mac, Some(data))
    }

    /// A bridge of its own with `ports`.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn bridge(&self, interface: &str, ports: &[&str]) -> Result<()> {
        self.stack(InfoKind::Bridge, None, interface, Mac::NONE, None)?;
        ports.iter().try_for_each(|port| self.master(port, Some(interface)))
    }

    /// An interface that drops what is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the kernel has no such interfaces, and what it refuses.
    pub fn dummy(&self, interface: &str) -> Result<()> {
        self.stack(InfoKind::Dummy, None, interface, Mac::NONE, None)
    }

    /// A VRF with its routing table.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the kernel has no such interfaces, and what it refuses.
    pub fn vrf(&self, interface: &str, table: u32, members: &[&str]) -> Result<()> {
        let data = InfoData::Vrf(vec![InfoVrf::TableId(table)]);
        self.stack(InfoKind::Vrf, None, interface, Mac::NONE, Some(data))?;
        members.iter().try_for_each(|member| self.master(member, Some(interface)))
    }

    /// Makes an interface a port of a bridge or member of a VRF, or of none, and waits until it is
    /// usable if it is up.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn master(&self, interface: &str, master: Option<&str>) -> Result<()> {
        let state = self.state(interface)?;
        let master = master.map_or(Ok(IfIndex(0)), |master| self.index(master))?;
        self.attribute(interface, LinkAttribute::Controller(master.0))?;
        if state.flags.contains(LinkFlags::Up) { self.settle(interface) } else { Ok(()) }
    }

    fn stack(
        &self,
        kind: InfoKind,
        parent: Option<&str>,
        interface: &str,
        mac: Mac,
        data: Option<InfoData>,
    ) -> Result<()> {
        let name = interface.parse()?;
        let parent = parent.map(|parent| self.index(parent)).transpose()?;
        let link = NewLink { mac, parent, data, ..NewLink::new(&name, kind) };
        rtnl::add_link(&mut self.rtnl(), link).map_err(|error| match error.kind() {
            ErrorKind::Unsupported => error.hint("this kernel was built without interfaces of that kind"),
            _ => error,
        })?;
        self.up(interface)
    }
}
