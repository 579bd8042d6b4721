//! Notices of changes (multicast groups), only to know whether there were any.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use netlink_sys::{Socket, SocketAddr};
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};

use crate::error::{Error, Result};
use crate::kernel::decode;
use crate::kernel::uapi::{RTM_DELLINK, RTM_DELROUTE, RTM_DELRULE, RTM_NEWLINK, RTM_NEWROUTE, RTM_NEWRULE};
use crate::snapshot::Route;

/// `RTNLGRP_LINK`, `_IPV4_IFADDR`, `_IPV4_ROUTE`, `_IPV4_RULE`, `_IPV4_NETCONF`.
const GROUPS: [u32; 5] = [1, 5, 7, 8, 24];
/// `RTNLGRP_IPV6_IFADDR`, `_IPV6_ROUTE`, `_IPV6_RULE`, `_IPV6_NETCONF`.
const IPV6: [u32; 4] = [9, 11, 19, 25];

/// `NFNLGRP_NFTABLES`, of netfilter.
const NFTABLES: u32 = 7;

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
    /// Rules, and perhaps routes.
    Rules,
    /// Addresses, filters or some sysctls, and perhaps what stands before.
    More,
    /// Interfaces, and perhaps the rest.
    Links,
}

/// Hears of changes of interfaces, addresses, routes, rules, some sysctls, and rules of nftables.
#[derive(Debug)]
pub(crate) struct Events {
    socket: Socket,
    /// For those of nftables, where they are heard and the right to is there (`CAP_NET_ADMIN`).
    filters: Option<Socket>,
}

fn bound(protocol: isize) -> std::io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.bind(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

impl Events {
    /// Starts listening in the calling thread's namespace.
    pub fn open() -> Result<Self> {
        let failed = |error: std::io::Error| Error::io("open", "netlink socket for notices", &error);
        let socket = bound(NETLINK_ROUTE).map_err(failed)?;
        // Without the right to, as much as everybody may.
        if setsockopt(&socket, sockopt::RcvBufForce, &UNREAD).is_err() {
            let _ = setsockopt(&socket, sockopt::RcvBuf, &UNREAD);
        }
        for group in GROUPS {
            socket.add_membership(group).map_err(failed)?;
        }
        Ok(Self { socket, filters: None })
    }

    /// The same with those of IPv6, and of rules of nftables.
    pub fn of_all() -> Result<Self> {
        let mut events = Self::open()?;
        for group in IPV6 {
            // A kernel without IPv6 has none of them.
            let _ = events.socket.add_membership(group);
        }
        let filters = bound(NETLINK_NETFILTER).and_then(|socket| {
            socket.add_membership(NFTABLES)?;
            Ok(socket)
        });
        events.filters = filters.ok();
        Ok(events)
    }

    /// Readable when there is news.
    pub fn as_fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        // SAFETY: the descriptor belongs to the socket, which outlives the borrow of `self`.
        let borrowed = |socket: &Socket| unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) };
        std::iter::once(borrowed(&self.socket)).chain(self.filters.as_ref().map(borrowed))
    }

    /// What has changed since the last call. Does not wait.
    pub fn changed(&self) -> Changed {
        self.changed_but_for(|_| true)
    }

    /// The same; of routes only those that matter count.
    pub fn changed_but_for(&self, matters: impl Fn(&Route) -> bool) -> Changed {
        let mut changed = if self.filters_changed() { Changed::More } else { Changed::Nothing };
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
                        RTM_NEWRULE | RTM_DELRULE => Changed::Rules,
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

    fn filters_changed(&self) -> bool {
        let Some(socket) = &self.filters else { return false };
        let mut changed = false;
        loop {
            // That there was any is all: what is lost (ENOBUFS) counts as well.
            match socket.recv(&mut &mut [0u8; 64][..], libc::MSG_DONTWAIT) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return changed,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() != Some(libc::ENOBUFS) => return true,
                Ok(_) | Err(_) => changed = true,
            }
        }
    }
}
