//! From netlink messages to the records of a snapshot.
//!
//! Written by hand and not with `netlink-packet-route` because a snapshot must not fail, and must not
//! lose an entry, over an attribute that is newer than the crate or a name that is not UTF-8; because the
//! crate reads fewer `IFLA_INET_CONF` values than the kernel sends; and because nothing is to be
//! allocated for each message. `tests` compares both on the same bytes.
//!
//! Every function is total: `None` is a message that is not of the kind, or too short to be.

mod address;
#[cfg(test)]
mod fuzz;
pub(super) mod legacy;
mod link;
mod neighbour;
mod nexthop;
pub(super) mod nftables;
mod options;
mod route;
mod rule;
#[cfg(test)]
mod tests;
pub(super) mod traffic_control;

pub(super) use address::{address, joined};
pub(super) use link::{bridge_vlans, link};
pub(super) use neighbour::{neighbour, neighbour_params, neighbour_table, proxy};
pub(super) use nexthop::NextHops;
pub(super) use route::route;
pub(super) use rule::rule;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::libc::{AF_INET, AF_INET6};

use crate::types::{IfIndex, IpNet};

/// A fixed part of `N` bytes and the attributes behind it.
fn split<const N: usize>(payload: &[u8]) -> Option<(&[u8; N], &[u8])> {
    payload.split_first_chunk()
}

/// The four bytes of `fixed` from `at` on as a number.
fn word<const N: usize>(fixed: &[u8; N], at: usize) -> u32 {
    fixed.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |word| u32::from_ne_bytes(*word))
}

/// The interface of that number; 0 is none.
fn interface(index: u32) -> Option<IfIndex> {
    (index != 0).then_some(IfIndex(index))
}

/// A prefix; an address that is left out stands for all zeros of `family`.
fn prefix(family: u8, address: Option<IpAddr>, len: u8) -> Option<IpNet> {
    let address = address.or(match i32::from(family) {
        AF_INET => Some(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        AF_INET6 => Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)),
        _ => None,
    })?;
    IpNet::new(address, len).ok()
}
