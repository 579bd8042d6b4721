//! `RTM_NEWADDR`, and what an interface has joined.

use std::net::{IpAddr, Ipv6Addr};

use super::{split, word};
use crate::kernel::netlink::attributes;
use crate::kernel::uapi::{IFA_ADDRESS, IFA_ANYCAST, IFA_BROADCAST, IFA_FLAGS, IFA_LOCAL, IFA_MULTICAST};
use crate::snapshot::{Address, AddressFlags, Scope};
use crate::types::IfIndex;

/// Reads `struct ifaddrmsg` and its attributes.
pub(in crate::kernel) fn address(payload: &[u8]) -> Option<Address> {
    let (fixed, rest) = split::<8>(payload)?;
    let [_, prefix_len, flags, scope, ..] = *fixed;
    let mut flags = u32::from(flags);
    let (mut other, mut local, mut broadcast) = (None, None, None);
    for attribute in attributes(rest) {
        match attribute.kind {
            IFA_ADDRESS => other = attribute.ip(),
            IFA_LOCAL => local = attribute.ip(),
            IFA_BROADCAST => broadcast = attribute.ip(),
            IFA_FLAGS => flags = attribute.u32().unwrap_or(flags),
            _ => {}
        }
    }
    // IPv4 sends both always, IPv6 the local one only if there is a peer.
    let local = local.or(other)?;
    Some(Address {
        interface: IfIndex(word(fixed, 4)),
        local,
        peer: other.filter(|other| *other != local),
        prefix_len,
        scope: Scope(scope),
        flags: AddressFlags::from_bits_retain(flags),
        broadcast,
    })
}

/// A multicast group or anycast address of an interface, from an answer to `RTM_GETMULTICAST` or `RTM_GETANYCAST`.
pub(in crate::kernel) fn joined(payload: &[u8]) -> Option<(IfIndex, Ipv6Addr)> {
    let (fixed, rest) = split::<8>(payload)?;
    let named = |kind: u16| matches!(kind, IFA_ANYCAST | IFA_MULTICAST);
    match attributes(rest).find(|attribute| named(attribute.kind))?.ip()? {
        IpAddr::V6(address) => Some((IfIndex(word(fixed, 4)), address)),
        IpAddr::V4(_) => None,
    }
}
