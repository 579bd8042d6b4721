//! A host: a network namespace with interfaces, addresses, routes and sysctls.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arpflux_core::kernel::Netns;
use arpflux_core::snapshot::{Neighbour, NeighbourState, Scope};
use arpflux_core::types::{IfIndex, IfName, Mac};
use arpflux_core::wire::{Filter, PacketSocket};
use arpflux_core::{Error, ErrorKind, Result, Sysctl};
use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage as Message;
use netlink_packet_route::link::{LinkAttribute, LinkFlags};
use netlink_packet_route::route::RouteMessage;

use super::route::{NewRoute, NewRule, prefix};
use super::rtnl::{self, Connection, LinkState, Rtnl};
use super::switch::{Fabric, absent_is_fine};
use super::{Pings, ping};

/// One host of a lab: a network namespace that lives as long as a handle on it, of which there may
/// be several ([`Clone`]).
#[derive(Debug, Clone)]
pub struct Host(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    pub netns: Netns,
    pub fabric: Arc<Fabric>,
    rtnl: Rtnl,
    /// The other ends of veth pairs, by the name of the interface here.
    pub far: Mutex<BTreeMap<IfName, FarEnd>>,
}

/// The other end of a veth pair: in the fabric, or in another host.
#[derive(Debug, Clone)]
pub(super) struct FarEnd {
    pub index: IfIndex,
    pub host: Option<Host>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Proxy entries without a device outlive their namespace and turn up in others (Linux 6.18).
        // Nothing more can be done about it here if that fails.
        let mut rtnl = self.rtnl.lock();
        for entry in rtnl::neighbours(&mut rtnl, true).unwrap_or_default() {
            if entry.index == IfIndex(0) {
                let _ = rtnl::proxy(&mut rtnl, false, entry.index, entry.address);
            }
        }
    }
}

impl Host {
    pub(super) fn new(fabric: &Arc<Fabric>, name: &str) -> Result<Self> {
        let netns = Netns::create(name)?;
        let rtnl = netns.run(|| {
            // A new namespace copies `all` and `default` from the machine's first one.
            for (sysctl, value) in DEFAULTS {
                for scope in ["all", "default"] {
                    let path = format!("net/ipv4/conf/{scope}/{}", sysctl.name());
                    if read_sysctl(&path).is_ok_and(|found| found != *value) {
                        write_sysctl(&path, value)?;
                    }
                }
            }
            for scope in ["all", "default"] {
                write_sysctl(format!("net/ipv6/conf/{scope}/disable_ipv6"), "1").or_else(absent_is_fine)?;
            }
            Rtnl::open()
        })??;
        let host = Self(Arc::new(Inner {
            netns,
            fabric: Arc::clone(fabric),
            rtnl,
            far: Mutex::new(BTreeMap::new()),
        }));
        host.up("lo")?;
        Ok(host)
    }

    pub(super) fn rtnl(&self) -> MutexGuard<'_, Connection> {
        self.0.rtnl.lock()
    }

    /// What it was called when it was made.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.netns.label()
    }

    /// Its namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.0.netns
    }

    /// Runs `work` on a thread inside its namespace.
    ///
    /// # Errors
    /// Those of entering it.
    ///
    /// # Panics
    /// Where `work` does.
    pub fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> Result<R> {
        self.0.netns.run(work)
    }

    pub(super) fn state(&self, name: &str) -> Result<LinkState> {
        rtnl::link(&mut self.rtnl(), &name.parse()?)
    }

    /// The number of an interface.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it has none of that name.
    pub fn index(&self, interface: &str) -> Result<IfIndex> {
        Ok(self.state(interface)?.index)
    }

    /// The MAC of an interface.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it has none of that name.
    pub fn mac(&self, interface: &str) -> Result<Mac> {
        Ok(self.state(interface)?.mac)
    }

    /// Sets an interface administratively up.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it has none of that name.
    pub fn up(&self, interface: &str) -> Result<()> {
        self.flags(interface, LinkFlags::Up, LinkFlags::Up)
    }

    /// Sets an interface administratively down, which also takes its routes and proxy entries.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it has none of that name.
    pub fn down(&self, interface: &str) -> Result<()> {
        self.flags(interface, LinkFlags::empty(), LinkFlags::Up)
    }

    /// Switches ARP on an interface off or on again.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it has none of that name.
    pub fn noarp(&self, interface: &str, noarp: bool) -> Result<()> {
        let flags = if noarp { LinkFlags::Noarp } else { LinkFlags::empty() };
        self.flags(interface, flags, LinkFlags::Noarp)
    }

    fn flags(&self, interface: &str, flags: LinkFlags, change: LinkFlags) -> Result<()> {
        let index = self.index(interface)?;
        rtnl::set_link(&mut self.rtnl(), index, (flags, change), Vec::new())
            .map_err(|error| error.on(interface.to_string()))
    }

    /// Takes the carrier of an interface away, or gives it back, by setting the far end of its veth
    /// pair down or up. Waits until the interface is usable again.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if it is not the end of a veth pair.
    pub fn carrier(&self, interface: &str, carrier: bool) -> Result<()> {
        let far = self.far_end(interface)?;
        let flags = (if carrier { LinkFlags::Up } else { LinkFlags::empty() }, LinkFlags::Up);
        match &far.host {
            Some(host) => rtnl::set_link(&mut host.rtnl(), far.index, flags, Vec::new())?,
            None => rtnl::set_link(&mut self.0.fabric.rtnl(), far.index, flags, Vec::new())?,
        }
        if carrier { self.settle(interface) } else { Ok(()) }
    }

    /// Waits until frames get through an interface (up to 5 s).
    ///
    /// # Errors
    /// [`ErrorKind::TimedOut`] if they do not.
    pub fn settle(&self, interface: &str) -> Result<()> {
        super::switch::settled(&interface.parse()?, || self.state(interface))
    }

    pub(super) fn far_end(&self, interface: &str) -> Result<FarEnd> {
        let name: IfName = interface.parse()?;
        let far = self.0.far.lock().unwrap_or_else(PoisonError::into_inner);
        far.get(&name).cloned().ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "it is not plugged in anywhere")
                .on(format!("{interface} of {}", self.name()))
        })
    }

    /// Changes one attribute of an interface.
    pub(super) fn attribute(&self, interface: &str, attribute: LinkAttribute) -> Result<()> {
        let index = self.index(interface)?;
        let none = (LinkFlags::empty(), LinkFlags::empty());
        rtnl::set_link(&mut self.rtnl(), index, none, vec![attribute])
            .map_err(|error| error.on(interface.to_string()))
    }

    /// Gives an interface another MAC.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn set_mac(&self, interface: &str, mac: Mac) -> Result<()> {
        self.attribute(interface, LinkAttribute::Address(mac.as_bytes().to_vec()))
    }

    /// Renames an interface. Kernels before 6.2 want it down.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn rename(&self, interface: &str, new: &str) -> Result<()> {
        let (old, new): (IfName, IfName) = (interface.parse()?, new.parse()?);
        self.attribute(interface, LinkAttribute::IfName(new.to_string()))?;
        let mut far = self.0.far.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(end) = far.remove(&old) {
            far.insert(new, end);
        }
        Ok(())
    }

    /// Deletes an interface, and with it the far end of its veth pair.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn delete(&self, interface: &str) -> Result<()> {
        let index = self.index(interface)?;
        rtnl::delete_link(&mut self.rtnl(), index).map_err(|error| error.on(interface.to_string()))?;
        self.0.far.lock().unwrap_or_else(PoisonError::into_inner).remove(&interface.parse()?);
        Ok(())
    }

    /// Adds an address: `"192.168.18.10/24"`, of either family.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is none, and what the kernel refuses.
    pub fn address(&self, interface: &str, address: &str) -> Result<()> {
        self.address_with(interface, address, None, Scope::UNIVERSE)
    }

    /// Adds an address with the far end's (`peer`, with a prefix) and a scope.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if one is none, and what the kernel refuses.
    pub fn address_with(
        &self,
        interface: &str,
        address: &str,
        peer: Option<&str>,
        scope: Scope,
    ) -> Result<()> {
        let own = prefix(address)?;
        let peer = peer.map_or(Ok(own), prefix)?;
        let index = self.index(interface)?;
        rtnl::address(&mut self.rtnl(), true, index, own.addr(), peer, scope.0)
    }

    /// Deletes an address.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn delete_address(&self, interface: &str, address: &str) -> Result<()> {
        let own = prefix(address)?;
        let index = self.index(interface)?;
        rtnl::address(&mut self.rtnl(), false, index, own.addr(), own, 0)
    }

    /// Adds a route behind those of the same prefix, as `ip route append` does.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn route(&self, route: &NewRoute) -> Result<()> {
        self.change_route(route, Message::NewRoute, NLM_F_CREATE | NLM_F_APPEND)
    }

    /// Deletes a route.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none like it.
    pub fn delete_route(&self, route: &NewRoute) -> Result<()> {
        self.change_route(route, Message::DelRoute, 0)
    }

    fn change_route(&self, route: &NewRoute, message: fn(RouteMessage) -> Message, flags: u16) -> Result<()> {
        let mut rtnl = self.rtnl();
        let device = route.interface().map(|name| rtnl::link(&mut rtnl, name)).transpose()?;
        rtnl.change(message(route.message(device.map(|device| device.index))), flags)
            .map_err(|error| error.during("change route").on(route.destination().to_string()))
    }

    /// Adds a policy routing rule.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn rule(&self, rule: &NewRule) -> Result<()> {
        self.change_rule(Message::NewRule(rule.message()), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Deletes a policy routing rule.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none like it.
    pub fn delete_rule(&self, rule: &NewRule) -> Result<()> {
        self.change_rule(Message::DelRule(rule.message()), 0)
    }

    fn change_rule(&self, message: Message, flags: u16) -> Result<()> {
        self.rtnl().change(message, flags).map_err(|error| error.during("change rule"))
    }

    /// Adds a permanent proxy entry.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn proxy(&self, interface: &str, address: IpAddr) -> Result<()> {
        let index = self.index(interface)?;
        rtnl::proxy(&mut self.rtnl(), true, index, address)
    }

    /// Deletes a proxy entry.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none.
    pub fn delete_proxy(&self, interface: &str, address: IpAddr) -> Result<()> {
        let index = self.index(interface)?;
        rtnl::proxy(&mut self.rtnl(), false, index, address)
    }

    /// Adds a permanent neighbour.
    ///
    /// # Errors
    /// What the kernel refuses.
    pub fn set_neighbour(&self, interface: &str, address: IpAddr, mac: Mac) -> Result<()> {
        let index = self.index(interface)?;
        rtnl::permanent(&mut self.rtnl(), index, address, Some(mac))
    }

    /// What it believes about its neighbours.
    ///
    /// # Errors
    /// [`ErrorKind::Raced`] if the table changes all the time.
    pub fn neighbours(&self) -> Result<Vec<Neighbour>> {
        let found = rtnl::neighbours(&mut self.rtnl(), false)?;
        Ok(found
            .into_iter()
            .map(|entry| {
                let mac = (entry.mac != Mac::NONE).then_some(entry.mac);
                Neighbour::new(entry.address, entry.index, mac, NeighbourState(entry.state))
            })
            .collect())
    }

    /// The MAC that it would send to for `address` now, if it knows one.
    ///
    /// # Errors
    /// As [`Host::neighbours`].
    pub fn neighbour(&self, address: IpAddr) -> Result<Option<Mac>> {
        Ok(self.neighbours()?.into_iter().find(|entry| entry.address == address).and_then(|entry| entry.mac))
    }

    /// Forgets all neighbours besides permanent ones.
    ///
    /// # Errors
    /// As [`Host::neighbours`].
    pub fn forget_neighbours(&self) -> Result<()> {
        let mut rtnl = self.rtnl();
        let mut found = rtnl::neighbours(&mut rtnl, false)?;
        found.retain(rtnl::Learned::is_dynamic);
        rtnl::forget(&mut rtnl, &found)
    }

    /// Sets a sysctl: `net.ipv4.conf.eth0.arp_ignore`. If the first separator is a slash, slashes are
    /// the separators and dots belong to names, as in `sysctl.d`: `net/ipv4/conf/eth0.10/arp_ignore`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such sysctl, and what the kernel refuses.
    pub fn sysctl(&self, key: &str, value: impl Display) -> Result<()> {
        let (path, value) = (sysctl_path(key)?, value.to_string());
        self.run(|| write_sysctl(&path, &value))?
    }

    /// Sets several sysctls in one visit to the namespace; stops at the first that fails.
    ///
    /// # Errors
    /// As [`Host::sysctl`].
    pub fn sysctls(&self, values: &[(String, String)]) -> Result<()> {
        self.run(|| values.iter().try_for_each(|(key, value)| write_sysctl(&sysctl_path(key)?, value)))?
    }

    /// Reads a sysctl.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no such sysctl.
    pub fn read_sysctl(&self, key: &str) -> Result<String> {
        let path = sysctl_path(key)?;
        self.run(|| read_sysctl(&path))?
    }

    /// Switches IPv6 on, for `all` and `default`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if the kernel has no IPv6.
    pub fn ipv6(&self) -> Result<()> {
        self.sysctls(
            &["default", "all"].map(|scope| (format!("net.ipv6.conf.{scope}.disable_ipv6"), "0".to_string())),
        )
    }

    /// A socket that sends and receives frames on one of its interfaces.
    ///
    /// # Errors
    /// Those of [`PacketSocket::open_in`].
    pub fn packet_socket(&self, interface: &str, filter: Filter) -> Result<PacketSocket> {
        PacketSocket::open_in(&self.0.netns, &interface.parse()?, filter)
    }

    /// Pings `to` `count` times, 10 ms apart, each waiting up to 1 s (see [`Pings`]).
    ///
    /// # Errors
    /// Those of a raw socket, for example `ENETUNREACH` where no route leads there.
    pub fn ping(&self, from: Option<Ipv4Addr>, to: Ipv4Addr, count: u16) -> Result<Pings> {
        self.run(|| ping::run(from, to, count))?
    }
}

/// What a kernel without configuration has (`ipv4_devconf`, `ipv4_devconf_dflt`).
const DEFAULTS: &[(Sysctl, &str)] = &[
    (Sysctl::ProxyArp, "0"),
    (Sysctl::RpFilter, "0"),
    (Sysctl::ArpFilter, "0"),
    (Sysctl::ArpAnnounce, "0"),
    (Sysctl::ArpIgnore, "0"),
    (Sysctl::ArpAccept, "0"),
    (Sysctl::ArpNotify, "0"),
    (Sysctl::AcceptLocal, "0"),
    (Sysctl::SrcValidMark, "0"),
    (Sysctl::ProxyArpPvlan, "0"),
    (Sysctl::RouteLocalnet, "0"),
    (Sysctl::IgnoreRoutesWithLinkdown, "0"),
    (Sysctl::DropGratuitousArp, "0"),
    (Sysctl::BcForwarding, "0"),
    (Sysctl::PromoteSecondaries, "0"),
];

/// The path of a sysctl below `/proc/sys`, which it cannot leave.
fn sysctl_path(key: &str) -> Result<PathBuf> {
    let slashes = key.find(['.', '/']).is_some_and(|at| key.as_bytes()[at] == b'/');
    let parts: Vec<&str> = key.split(if slashes { '/' } else { '.' }).collect();
    if parts.iter().any(|part| matches!(*part, "" | "." | "..") || part.contains(['/', '\0'])) {
        return Err(Error::new(ErrorKind::InvalidInput, "not the name of a sysctl").on(format!("{key:?}")));
    }
    Ok(parts.iter().collect())
}

fn sysctl_file(path: impl AsRef<std::path::Path>) -> PathBuf {
    PathBuf::from("/proc/sys").join(path)
}

pub(super) fn write_sysctl(path: impl AsRef<std::path::Path>, value: &str) -> Result<()> {
    let file = sysctl_file(path);
    fs::write(&file, value).map_err(|error| Error::file("set sysctl", &file, &error))
}

fn read_sysctl(path: impl AsRef<std::path::Path>) -> Result<String> {
    let file = sysctl_file(path);
    match fs::read_to_string(&file) {
        Ok(text) => Ok(text.trim_end().to_string()),
        Err(error) => Err(Error::file("read sysctl", &file, &error)),
    }
}
