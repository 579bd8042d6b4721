//! What a sender of frames has to know of its interface.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::{Error, ErrorKind, Result};
use crate::kernel::LinuxKernel;
use crate::snapshot::{AddressFlags, Interface, InterfaceFlags, Snapshot};
use crate::types::{IfIndex, IfName, Ipv4Net, Ipv6Net, Mac};

/// `ARPHRD_ETHER`.
const ETHERNET: u16 = 1;

/// An interface of the calling thread's namespace, as a sender of frames sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its number.
    pub index: IfIndex,
    /// Its name.
    pub name: IfName,
    /// Its Ethernet address; [`Mac::NONE`] if it is not Ethernet.
    pub mac: Mac,
    /// Its IPv4 addresses, the primary one first.
    pub addresses: Vec<Ipv4Net>,
    /// Its IPv6 addresses that may be used (not tentative), link-local ones too.
    pub ipv6: Vec<Ipv6Net>,
    /// Its IPv6 link-local address.
    pub link_local: Option<Ipv6Addr>,
}

impl Port {
    /// The interface of that name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none; those of reading the interfaces.
    pub fn named(name: &IfName) -> Result<Self> {
        let found = read()?;
        found.interface_named(name).map(|interface| Self::of(&found, interface)).ok_or_else(|| {
            let names: Vec<String> = found.interfaces.iter().map(|there| there.name.to_string()).collect();
            let near = crate::words::nearest(&name.to_string(), names.iter().map(String::as_str));
            let meant = near.map_or_else(String::new, |near| format!("did you mean {near}? "));
            Error::new(ErrorKind::NotFound, "there is no interface of that name")
                .on(*name)
                .hint(format!("{meant}`ip link` lists the names"))
        })
    }

    /// The interface of that number.
    ///
    /// # Errors
    /// As [`Port::named`].
    pub fn numbered(index: IfIndex) -> Result<Self> {
        let found = read()?;
        found
            .interface(index)
            .map(|interface| Self::of(&found, interface))
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "there is no interface of that number").on(index))
    }

    /// The interface on whose subnet `target` is, by its addresses.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if no interface's subnet covers it, [`ErrorKind::InvalidInput`] if
    /// several do.
    pub fn towards(target: IpAddr) -> Result<Self> {
        let found = read()?;
        let mut ports: Vec<Self> =
            found.interfaces.iter().map(|interface| Self::of(&found, interface)).collect();
        ports.retain(|port| port.subnet_of(target).is_some());
        match ports.len() {
            0 => Err(Error::new(ErrorKind::NotFound, "no interface has an address on its subnet")
                .on(target)
                .hint("name the interface")),
            1 => Ok(ports.swap_remove(0)),
            _ => {
                let names: Vec<_> = ports.iter().map(|port| port.name.to_string()).collect();
                Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!("several interfaces are on its subnet: {}", names.join(", ")),
                )
                .on(target)
                .hint("name one of them"))
            }
        }
    }

    /// All Ethernet interfaces of the calling thread's namespace that are up, speak ARP and hold an
    /// IPv4 or IPv6 address, by their names.
    ///
    /// # Errors
    /// Those of reading the interfaces.
    pub fn all() -> Result<Vec<Self>> {
        let found = read()?;
        let speaking = found.interfaces.iter().filter(|interface| interface.speaks_arp());
        let mut ports: Vec<Self> = speaking.map(|interface| Self::of(&found, interface)).collect();
        ports.retain(|port| port.mac != Mac::NONE && !(port.addresses.is_empty() && port.ipv6.is_empty()));
        ports.sort_by_key(|port| port.name);
        Ok(ports)
    }

    fn of(found: &Snapshot, interface: &Interface) -> Self {
        let mac = if interface.link_type == ETHERNET { interface.mac } else { Mac::NONE };
        let mut port = Self {
            index: interface.index,
            name: interface.name,
            mac,
            addresses: Vec::new(),
            ipv6: Vec::new(),
            link_local: None,
        };
        for own in found.addresses_of(interface.index) {
            match own.local {
                IpAddr::V4(address) => port.addresses.extend(Ipv4Net::new(address, own.prefix_len)),
                IpAddr::V6(address) => {
                    if address.is_unicast_link_local() {
                        port.link_local = port.link_local.or(Some(address));
                    }
                    if !own.flags.contains(AddressFlags::TENTATIVE) {
                        port.ipv6.extend(Ipv6Net::new(address, own.prefix_len));
                    }
                }
            }
        }
        port
    }

    /// Its address on the subnet of `target`, if there is one; a prefix of length 0 is no subnet.
    pub(crate) fn subnet_of(&self, target: IpAddr) -> Option<IpAddr> {
        match target {
            IpAddr::V4(target) => {
                let covers = |own: &&Ipv4Net| own.prefix_len() > 0 && own.contains(&target);
                self.addresses.iter().find(covers).map(|own| own.addr().into())
            }
            IpAddr::V6(target) => {
                let covers = |own: &&Ipv6Net| own.prefix_len() > 0 && own.contains(&target);
                self.ipv6.iter().find(covers).map(|own| own.addr().into())
            }
        }
    }

    /// Whether it holds an address of the family of `target`.
    #[must_use]
    pub fn holds_family_of(&self, target: IpAddr) -> bool {
        if target.is_ipv4() { !self.addresses.is_empty() } else { !self.ipv6.is_empty() }
    }

    /// The address to ask for `target` with: of its subnet if there is one, else the primary one (of IPv6, a
    /// link-local one), else 0.0.0.0 or `::`, which makes the request a duplicate address probe.
    #[must_use]
    pub fn sender_for(&self, target: IpAddr) -> IpAddr {
        let other = || match target {
            IpAddr::V4(_) => IpAddr::V4(self.addresses.first().map_or(Ipv4Addr::UNSPECIFIED, Ipv4Net::addr)),
            IpAddr::V6(_) => {
                let link_local = self.ipv6.iter().map(Ipv6Net::addr).find(Ipv6Addr::is_unicast_link_local);
                IpAddr::V6(link_local.unwrap_or(Ipv6Addr::UNSPECIFIED))
            }
        };
        self.subnet_of(target).unwrap_or_else(other)
    }

    /// Whether the interface is up now.
    ///
    /// # Errors
    /// Those of reading the interfaces.
    pub fn is_up(&self) -> Result<bool> {
        let found = read()?;
        let now = found.interfaces.iter().find(|interface| interface.name == self.name);
        Ok(now.is_some_and(|interface| interface.flags.contains(InterfaceFlags::UP)))
    }

    /// The port itself if it is Ethernet.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if it is not.
    pub fn ethernet(self) -> Result<Self> {
        if self.mac == Mac::NONE {
            return Err(Error::new(ErrorKind::Unsupported, "it is not an Ethernet interface")
                .during("send frames on")
                .on(self.name.to_string()));
        }
        Ok(self)
    }
}

/// The MACs that this host sends with: those of this namespace's interfaces that are up and have carrier. Who sends with that
/// of another one is another host: the virtual MAC of a router is on its backups, too, on an interface without carrier.
///
/// # Errors
/// Those of reading the interfaces.
pub fn own_macs() -> Result<Vec<Mac>> {
    let found = read()?;
    let connected = found.interfaces.iter().filter(|interface| found.is_connected(interface));
    let mut macs: Vec<Mac> = connected
        .filter_map(|interface| interface.mac.octets())
        .filter(|octets| *octets != [0; 6])
        .map(Mac::ethernet)
        .collect();
    macs.sort();
    macs.dedup();
    Ok(macs)
}

/// The interfaces of the calling thread's namespace, and their addresses.
fn read() -> Result<Snapshot> {
    LinuxKernel::open()?.interfaces_and_addresses()
}
