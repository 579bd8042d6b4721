//! Notices of changes (multicast groups), only to know whether there were any.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::libc;

use crate::error::{Error, Result};
use crate::kernel::uapi::{RTM_DELROUTE, RTM_NEWROUTE};

/// `RTNLGRP_LINK`, `_IPV4_IFADDR`, `_IPV4_ROUTE`, `_IPV4_RULE`, `_IPV4_NETCONF`.
const GROUPS: [u32; 5] = [1, 5, 7, 8, 24];

/// What has changed, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Changed {
    /// Nothing.
    Nothing,
    /// IPv4 routes alone.
    Routes,
    /// Interfaces, IPv4 addresses or rules, or too much to be told.
    More,
}

/// Hears of changes of interfaces, IPv4 addresses, routes, rules and some sysctls.
#[derive(Debug)]
pub(crate) struct Events {
    socket: Socket,
}

impl Events {
    /// Starts listening in the calling thread's namespace.
    pub fn open() -> Result<Self> {
        let failed = |error: std::io::Error| Error::io("open", "netlink socket for notices", &error);
        let mut socket = Socket::new(NETLINK_ROUTE).map_err(failed)?;
        socket.bind(&SocketAddr::new(0, 0)).map_err(failed)?;
        for group in GROUPS {
            socket.add_membership(group).map_err(failed)?;
        }
        Ok(Self { socket })
    }

    /// Readable when there is news.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor belongs to the socket, which outlives the borrow of `self`.
        unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) }
    }

    /// What has changed since the last call. Does not wait.
    pub fn changed(&self) -> Changed {
        let mut changed = Changed::Nothing;
        // The type is all that is looked at: the rest may be cut off.
        let mut start = [0u8; 16];
        loop {
            match self.socket.recv(&mut &mut start[..], libc::MSG_DONTWAIT) {
                Ok(_) => {
                    let kind = u16::from_ne_bytes([start[4], start[5]]);
                    let this = match kind {
                        RTM_NEWROUTE | RTM_DELROUTE => Changed::Routes,
                        _ => Changed::More,
                    };
                    changed = changed.max(this);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return changed,
                // Lost some (ENOBUFS): that is a change too. The queue may hold more.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = Changed::More,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Changed::More,
            }
        }
    }
}
