//! Interface names and numbers, asked of the kernel through a socket of the namespace.

use std::os::fd::{AsFd as _, AsRawFd as _};

use nix::errno::Errno;
use nix::libc;

use crate::kernel::netlink::NetlinkSocket;
use crate::types::{IfIndex, IfName};

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
