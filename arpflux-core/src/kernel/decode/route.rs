//! `RTM_NEWROUTE`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::libc::{AF_INET, AF_INET6};

use super::{interface, prefix, split, word};
use crate::kernel::netlink::{Attribute, attributes};
use crate::kernel::uapi::{
    RTA_DST, RTA_FLOW, RTA_GATEWAY, RTA_MULTIPATH, RTA_NH_ID, RTA_OIF, RTA_PREFSRC, RTA_PRIORITY, RTA_SRC,
    RTA_TABLE, RTA_VIA, RTM_F_CLONED,
};
use crate::snapshot::{NextHop, NextHopFlags, Route, RouteKind, Scope};

/// A route, and what else its message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kernel) struct DecodedRoute {
    pub route: Route,
    /// It has a realm.
    pub realm: bool,
}

/// Reads `struct rtmsg` and its attributes. `None` also for cached copies and other families.
pub(in crate::kernel) fn route(payload: &[u8]) -> Option<DecodedRoute> {
    let (fixed, rest) = split::<12>(payload)?;
    let [family, dst_len, src_len, tos, table, protocol, scope, kind, ..] = *fixed;
    let flags = word(fixed, 8);
    if flags & RTM_F_CLONED != 0 || ![AF_INET, AF_INET6].contains(&i32::from(family)) {
        return None;
    }
    let mut table = u32::from(table);
    let mut metric = 0;
    let mut realm = false;
    let (mut destination, mut source, mut preferred_source) = (None, None, None);
    let mut next_hops = Vec::new();
    let mut nexthop_id = None;
    // The low byte of the flags is the single next hop's (`fib_nexthop_info()`).
    let mut single = NextHop {
        interface: None,
        gateway: None,
        weight: 1,
        flags: NextHopFlags::from_bits_retain(flags & 0xff),
    };
    for attribute in attributes(rest) {
        match attribute.kind {
            RTA_DST => destination = attribute.ip(),
            RTA_SRC => source = attribute.ip(),
            RTA_OIF => single.interface = attribute.u32().and_then(interface),
            RTA_GATEWAY => single.gateway = attribute.ip(),
            RTA_VIA => single.gateway = via(&attribute),
            RTA_PRIORITY => metric = attribute.u32().unwrap_or(0),
            RTA_PREFSRC => preferred_source = attribute.ip(),
            RTA_TABLE => table = attribute.u32().unwrap_or(table),
            RTA_NH_ID => nexthop_id = attribute.u32(),
            RTA_FLOW => realm = true,
            RTA_MULTIPATH => realm |= multipath(attribute.value, &mut next_hops),
            _ => {}
        }
    }
    if next_hops.is_empty() && (single.interface.is_some() || single.gateway.is_some()) {
        next_hops.push(single);
    }
    let route = Route {
        table,
        kind: RouteKind::from_number(kind),
        destination: prefix(family, destination, dst_len)?,
        source: if src_len == 0 { None } else { prefix(family, source, src_len) },
        tos,
        metric,
        scope: Scope(scope),
        protocol,
        preferred_source,
        next_hops,
        nexthop_id,
    };
    Some(DecodedRoute { route, realm })
}

/// `RTA_MULTIPATH`: `struct rtnexthop` one after the other, each with attributes. Whether one has a realm.
fn multipath(mut rest: &[u8], hops: &mut Vec<NextHop>) -> bool {
    let mut realm = false;
    while let Some(fixed) = rest.first_chunk::<8>() {
        let len = usize::from(u16::from_ne_bytes([fixed[0], fixed[1]]));
        let Some(inner) = rest.get(8..len) else { break };
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        let mut hop = NextHop {
            interface: interface(word(fixed, 4)),
            gateway: None,
            weight: u16::from(fixed[3]) + 1,
            flags: NextHopFlags::from_bits_retain(u32::from(fixed[2])),
        };
        for attribute in attributes(inner) {
            match attribute.kind {
                RTA_GATEWAY => hop.gateway = attribute.ip(),
                RTA_VIA => hop.gateway = via(&attribute),
                RTA_FLOW => realm = true,
                _ => {}
            }
        }
        hops.push(hop);
    }
    realm
}

/// `struct rtvia`: a gateway of another family.
fn via(attribute: &Attribute<'_>) -> Option<IpAddr> {
    let (family, address) = attribute.value.split_first_chunk::<2>()?;
    match i32::from(u16::from_ne_bytes(*family)) {
        AF_INET => address.first_chunk().map(|octets: &[u8; 4]| Ipv4Addr::from(*octets).into()),
        AF_INET6 => address.first_chunk().map(|octets: &[u8; 16]| Ipv6Addr::from(*octets).into()),
        _ => None,
    }
}
