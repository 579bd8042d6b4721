//! Interface names and numbers, asked of the kernel through a socket of the namespace.

use std::os::fd::{AsFd as _, AsRawFd as _};

use foldhash::HashMap;
use nix::errno::Errno;
use nix::libc;

use crate::error::Result as CoreResult;
use crate::kernel::netlink::{Changed, Events, NetlinkSocket};
use crate::snapshot::{Interface, InterfaceFlags};
use crate::types::{IfIndex, IfName};

/// Names and numbers that are as they were read until there is news of an interface: for many, asking
/// once whether there is any costs less than asking for each.
///
/// The kernel tells of an interface that lost its name before another can get it: both happen under its lock
/// of the configuration (`dev_change_name()`, `unregister_netdevice_many_notify()`).
pub(super) struct KnownNames {
    news: Events,
    numbers: HashMap<IfName, Known>,
}

/// What was read of an interface.
#[derive(Clone, Copy)]
struct Known {
    index: IfIndex,
    down: bool,
}

impl KnownNames {
    /// Listens for news first and then reads interfaces by `read`.
    pub fn around(
        read: impl FnOnce() -> CoreResult<Vec<Interface>>,
    ) -> CoreResult<(Option<Self>, Vec<Interface>)> {
        let news = Events::of_interfaces().ok();
        let interfaces = read()?;
        let read = |interface: &Interface| Known {
            index: interface.index,
            down: !interface.flags.contains(InterfaceFlags::UP),
        };
        let numbers = || interfaces.iter().map(|interface| (interface.name, read(interface))).collect();
        let known = news.map(|news| Self { news, numbers: numbers() });
        Ok((known, interfaces))
    }

    /// Whether no interface has changed since.
    pub fn still(&self) -> bool {
        self.news.changed() == Changed::Nothing
    }

    /// The number that an interface of this name had.
    pub fn index_of(&self, name: IfName) -> Option<IfIndex> {
        self.numbers.get(&name).map(|known| known.index)
    }

    /// Whether an interface of this name was there, and administratively down.
    pub fn is_down(&self, name: IfName) -> bool {
        self.numbers.get(&name).is_some_and(|known| known.down)
    }
}

fn request() -> libc::ifreq {
    // SAFETY: `ifreq` is plain data, for which all zeros is valid.
    unsafe { std::mem::zeroed() }
}

fn request_about(name: IfName) -> libc::ifreq {
    let mut request = request();
    for (slot, byte) in request.ifr_name.iter_mut().zip(name.as_bytes()) {
        *slot = *byte as libc::c_char;
    }
    request
}

fn ask(socket: &NetlinkSocket, number: libc::Ioctl, request: &mut libc::ifreq) -> Result<(), Errno> {
    // SAFETY: these ioctls read and write one `struct ifreq`, which `request` is.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), number, std::ptr::from_mut(request)) };
    Errno::result(result).map(drop)
}

/// The number of the interface that has this name now.
pub(super) fn index_of(socket: &NetlinkSocket, name: IfName) -> Result<IfIndex, Errno> {
    let mut request = request_about(name);
    ask(socket, libc::SIOCGIFINDEX as libc::Ioctl, &mut request)?;
    // SAFETY: SIOCGIFINDEX has filled in this member of the union.
    let index = unsafe { request.ifr_ifru.ifru_ifindex };
    u32::try_from(index).map(IfIndex).map_err(|_| Errno::ENODEV)
}

/// Whether the interface that has this name now is administratively down.
pub(super) fn is_down(socket: &NetlinkSocket, name: IfName) -> Result<bool, Errno> {
    let mut request = request_about(name);
    ask(socket, libc::SIOCGIFFLAGS as libc::Ioctl, &mut request)?;
    // SAFETY: SIOCGIFFLAGS has filled in this member of the union.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok(libc::c_int::from(flags) & libc::IFF_UP == 0)
}

/// The name that the interface of this number has now, for messages: `if7` if there is none.
pub(super) fn name_of(socket: &NetlinkSocket, index: IfIndex) -> String {
    let mut request = request();
    request.ifr_ifru.ifru_ifindex = index.0 as libc::c_int;
    let fallback = format!("if{index}");
    if ask(socket, libc::SIOCGIFNAME as libc::Ioctl, &mut request).is_err() {
        return fallback;
    }
    let bytes: Vec<u8> = request.ifr_name.iter().map(|c| *c as u8).take_while(|byte| *byte != 0).collect();
    IfName::from_bytes(&bytes).map_or(fallback, |name| name.to_string())
}
