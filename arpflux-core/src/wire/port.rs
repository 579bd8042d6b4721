//! What a sender of frames has to know of its interface.

use std::ffi::CString;
use std::mem::zeroed;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::error::{Error, ErrorKind, Result};
use crate::types::{IfIndex, IfName, Ipv4Net, Mac};
use nix::ifaddrs::getifaddrs;
use nix::libc;

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
    /// Its IPv6 link-local address.
    pub link_local: Option<Ipv6Addr>,
}

impl Port {
    /// The interface of that name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none.
    pub fn named(name: &IfName) -> Result<Self> {
        let index = index_of(name)?;
        let mut port =
            Self { index, name: *name, mac: mac_of(name)?, addresses: Vec::new(), link_local: None };
        for (owner, address, length) in addresses()? {
            if owner == *name {
                port.add(address, length);
            }
        }
        Ok(port)
    }

    /// The interface of that number.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is none.
    pub fn numbered(index: IfIndex) -> Result<Self> {
        let mut name = [0u8; libc::IF_NAMESIZE];
        // SAFETY: the buffer has the size that the call writes at most.
        let found = unsafe { libc::if_indextoname(index.0, name.as_mut_ptr().cast()) };
        if found.is_null() {
            return Err(Error::new(ErrorKind::NotFound, "there is no interface of that number")
                .on(format!("interface {index}")));
        }
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        Self::named(&IfName::from_bytes(name)?)
    }

    /// The interface on whose subnet `target` is, by its addresses.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if no interface's subnet covers it, [`ErrorKind::InvalidInput`] if
    /// several do.
    pub fn towards(target: Ipv4Addr) -> Result<Self> {
        let mut names: Vec<IfName> = addresses()?
            .into_iter()
            .filter(|(_, address, length)| match address {
                IpAddr::V4(own) => {
                    *length > 0 && Ipv4Net::new(*own, *length).is_ok_and(|subnet| subnet.contains(&target))
                }
                IpAddr::V6(_) => false,
            })
            .map(|(name, _, _)| name)
            .collect();
        names.dedup();
        match names.as_slice() {
            [name] => Self::named(name),
            [] => Err(Error::new(ErrorKind::NotFound, "no interface has an address on its subnet")
                .on(target.to_string())
                .hint("name the interface")),
            several => {
                let names: Vec<_> = several.iter().map(ToString::to_string).collect();
                Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!("several interfaces are on its subnet: {}", names.join(", ")),
                )
                .on(target.to_string())
                .hint("name one of them"))
            }
        }
    }

    /// All Ethernet interfaces of the calling thread's namespace that are up, speak ARP and hold an
    /// IPv4 address.
    ///
    /// # Errors
    /// Those of listing interfaces.
    pub fn all() -> Result<Vec<Self>> {
        use nix::net::if_::InterfaceFlags;
        let all = getifaddrs().map_err(|errno| Error::os("list", "interfaces", errno as i32))?;
        let mut names: Vec<IfName> = all
            .filter(|entry| {
                entry.flags.contains(InterfaceFlags::IFF_UP)
                    && !entry.flags.intersects(InterfaceFlags::IFF_NOARP | InterfaceFlags::IFF_LOOPBACK)
            })
            .filter_map(|entry| IfName::from_bytes(entry.interface_name.as_bytes()).ok())
            .collect();
        names.sort();
        names.dedup();
        let mut ports = names.iter().map(Self::named).collect::<Result<Vec<_>>>()?;
        ports.retain(|port| port.mac != Mac::NONE && !port.addresses.is_empty());
        Ok(ports)
    }

    fn add(&mut self, address: IpAddr, length: u8) {
        match address {
            IpAddr::V4(address) => self.addresses.extend(Ipv4Net::new(address, length)),
            IpAddr::V6(address) if address.is_unicast_link_local() => {
                self.link_local = self.link_local.or(Some(address));
            }
            IpAddr::V6(_) => {}
        }
    }

    /// The address to ask for `target` with: of its subnet if there is one, else the primary one,
    /// else 0.0.0.0, which makes the request a duplicate address probe.
    #[must_use]
    pub fn sender_for(&self, target: Ipv4Addr) -> Ipv4Addr {
        let on_subnet = self.addresses.iter().find(|own| own.contains(&target));
        on_subnet.or(self.addresses.first()).map_or(Ipv4Addr::UNSPECIFIED, Ipv4Net::addr)
    }

    /// Whether the interface is up now.
    ///
    /// # Errors
    /// Those of listing the interfaces.
    pub fn is_up(&self) -> Result<bool> {
        use nix::net::if_::InterfaceFlags;
        let mut all = getifaddrs().map_err(|errno| Error::os("list", "interfaces", errno as i32))?;
        Ok(all.any(|entry| {
            entry.interface_name.as_bytes() == self.name.as_bytes()
                && entry.flags.contains(InterfaceFlags::IFF_UP)
        }))
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

/// The MACs of this namespace's interfaces: those of one host.
///
/// # Errors
/// Those of listing the interfaces.
pub fn own_macs() -> Result<Vec<Mac>> {
    let all = getifaddrs().map_err(|errno| Error::os("list", "interfaces", errno as i32))?;
    let mut macs: Vec<Mac> = all
        .filter_map(|entry| entry.address?.as_link_addr()?.addr())
        .filter(|octets| *octets != [0; 6])
        .map(Mac::ethernet)
        .collect();
    macs.sort();
    macs.dedup();
    Ok(macs)
}

fn index_of(name: &IfName) -> Result<IfIndex> {
    let missing = || {
        Error::new(ErrorKind::NotFound, "there is no interface of that name")
            .on(name.to_string())
            .hint("`ip link` lists the names")
    };
    let text = CString::new(name.as_bytes()).map_err(|_| missing())?;
    // SAFETY: a C string that lives through the call.
    match unsafe { libc::if_nametoindex(text.as_ptr()) } {
        0 => Err(missing()),
        index => Ok(IfIndex(index)),
    }
}

/// All addresses of the namespace with their interfaces and prefix lengths, in the kernel's order.
fn addresses() -> Result<Vec<(IfName, IpAddr, u8)>> {
    let all = getifaddrs().map_err(|errno| Error::os("list", "addresses", errno as i32))?;
    let mut found = Vec::new();
    for entry in all {
        // A label such as eth0:1 stands where the name should; what is before the colon is the name.
        let name = entry.interface_name.split(':').next().unwrap_or_default();
        let (Ok(name), Some(address)) = (IfName::from_bytes(name.as_bytes()), entry.address) else {
            continue;
        };
        let mask = entry.netmask;
        if let Some(own) = address.as_sockaddr_in() {
            let mask = mask.and_then(|mask| mask.as_sockaddr_in().map(|mask| u32::from(mask.ip())));
            found.push((name, IpAddr::V4(own.ip()), mask.unwrap_or(u32::MAX).count_ones() as u8));
        } else if let Some(own) = address.as_sockaddr_in6() {
            let mask = mask.and_then(|mask| mask.as_sockaddr_in6().map(|mask| u128::from(mask.ip())));
            found.push((name, IpAddr::V6(own.ip()), mask.unwrap_or(u128::MAX).count_ones() as u8));
        }
    }
    Ok(found)
}

/// The Ethernet address of an interface (`SIOCGIFHWADDR`), or none.
fn mac_of(name: &IfName) -> Result<Mac> {
    let failed = || {
        let errno = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        Error::os("read the MAC of", name.to_string(), errno)
    };
    // SAFETY: plain system call.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(failed());
    }
    // SAFETY: the descriptor is new and owned by nobody else.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all zeros is a valid value of this plain structure.
    let mut request: libc::ifreq = unsafe { zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.as_bytes()) {
        *to = *from as libc::c_char;
    }
    // SAFETY: the request lives through the call and its name ends with a NUL (15 bytes of 16).
    if unsafe { libc::ioctl(fd.as_raw_fd(), libc::SIOCGIFHWADDR as libc::Ioctl, &raw mut request) } < 0 {
        return Err(failed());
    }
    // SAFETY: the kernel filled in this member of the union.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr };
    if address.sa_family != libc::ARPHRD_ETHER {
        return Ok(Mac::NONE);
    }
    let mut octets = [0; 6];
    for (to, from) in octets.iter_mut().zip(address.sa_data) {
        *to = from as u8;
    }
    Ok(Mac::ethernet(octets))
}
