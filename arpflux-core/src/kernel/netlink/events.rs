//! Notices of changes (multicast groups), only to know whether there were any.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};

use crate::error::{Error, Result};
use crate::kernel::decode;
use crate::kernel::uapi::{RTM_DELLINK, RTM_DELROUTE, RTM_NEWLINK, RTM_NEWROUTE};
use crate::snapshot::Route;

/// `RTNLGRP_LINK`, `_IPV4_IFADDR`, `_IPV4_ROUTE`, `_IPV4_RULE`, `_IPV4_NETCONF`.
const GROUPS: [u32; 5] = [1, 5, 7, 8, 24];
/// `RTNLGRP_IPV6_IFADDR`, `_IPV6_ROUTE`, `_IPV6_RULE`, `_IPV6_NETCONF`.
const IPV6: [u32; 4] = [9, 11, 19, 25];

/// How much news the kernel may hold until it is read: some thousand changes of routes, so that none is lost while others
/// are read. Memory is taken only for what is there.
const UNREAD: usize = 4 * 1024 * 1024;

/// What has changed, in rising order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Changed {
    /// Nothing.
    Nothing,
    /// Routes alone.
    Routes,
    /// Addresses, rules or some sysctls, or too much to be told.
    More,
    /// Interfaces, and perhaps the rest.
    Links,
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
        // Without the right to, as much as everybody may.
        if setsockopt(&socket, sockopt::RcvBufForce, &UNREAD).is_err() {
            let _ = setsockopt(&socket, sockopt::RcvBuf, &UNREAD);
        }
        for group in GROUPS {
            socket.add_membership(group).map_err(failed)?;
        }
        Ok(Self { socket })
    }

    /// The same with those of IPv6.
    pub fn of_both_families() -> Result<Self> {
        let events = Self::open()?;
        for group in IPV6 {
            // A kernel without IPv6 has none of them.
            let _ = events.socket.add_membership(group);
        }
        Ok(events)
    }

    /// Readable when there is news.
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor belongs to the socket, which outlives the borrow of `self`.
        unsafe { BorrowedFd::borrow_raw(self.socket.as_raw_fd()) }
    }

    /// What has changed since the last call. Does not wait.
    pub fn changed(&self) -> Changed {
        self.changed_but_for(|_| true)
    }

    /// The same; of routes only those that matter count.
    pub fn changed_but_for(&self, matters: impl Fn(&Route) -> bool) -> Changed {
        let mut changed = Changed::Nothing;
        // Of other messages the type is all that is looked at: the rest may be cut off.
        let mut message = [0u8; 4096];
        loop {
            match self.socket.recv(&mut &mut message[..], libc::MSG_DONTWAIT) {
                Ok(length) => {
                    let kind = u16::from_ne_bytes([message[4], message[5]]);
                    let this = match kind {
                        RTM_NEWROUTE | RTM_DELROUTE => {
                            let route = message.get(16..length).and_then(decode::route);
                            match route.is_none_or(|decoded| matters(&decoded.route)) {
                                true => Changed::Routes,
                                false => Changed::Nothing,
                            }
                        }
                        RTM_NEWLINK | RTM_DELLINK => Changed::Links,
                        _ => Changed::More,
                    };
                    changed = changed.max(this);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return changed,
                // Lost some (ENOBUFS): anything may have changed. The queue may hold more.
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = Changed::Links,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return Changed::Links,
            }
        }
    }
}
