//! `RTM_NEWNEIGH` (neighbours and proxy entries) and `RTM_NEWNEIGHTBL`.

use std::net::IpAddr;

use super::{interface, split, word};
use crate::kernel::netlink::attributes;
use crate::kernel::uapi::{
    NDA_DST, NDA_LLADDR, NDA_PROTOCOL, NDTA_CONFIG, NDTA_PARMS, NDTA_STATS, NDTA_THRESH3, NDTPA_IFINDEX,
    NDTPA_LOCKTIME, NDTPA_PROXY_DELAY, NDTPA_PROXY_QLEN, NTF_PROXY,
};
use crate::snapshot::{NeighParams, Neighbour, NeighbourState, NeighbourTable, ProxyEntry};
use crate::types::{IfIndex, Mac};

/// Reads `struct ndmsg` of an ordinary neighbour. `None` for a proxy entry.
pub(in crate::kernel) fn neighbour(payload: &[u8]) -> Option<Neighbour> {
    let (fixed, rest) = split::<12>(payload)?;
    let flags = fixed[10];
    let (mut address, mut mac) = (None::<IpAddr>, None);
    for attribute in attributes(rest) {
        match attribute.kind {
            NDA_DST => address = attribute.ip(),
            NDA_LLADDR => mac = Mac::from_bytes(attribute.value).ok(),
            _ => {}
        }
    }
    (flags & NTF_PROXY == 0).then_some(())?;
    Some(Neighbour {
        address: address?,
        interface: IfIndex(word(fixed, 4)),
        mac,
        state: NeighbourState(u16::from_ne_bytes([fixed[8], fixed[9]])),
        flags,
    })
}

/// Reads `struct ndmsg` of a proxy entry. `None` for an ordinary neighbour.
pub(in crate::kernel) fn proxy(payload: &[u8]) -> Option<ProxyEntry> {
    let (fixed, rest) = split::<12>(payload)?;
    let flags = fixed[10];
    let (mut address, mut protocol) = (None::<IpAddr>, 0);
    for attribute in attributes(rest) {
        match attribute.kind {
            NDA_DST => address = attribute.ip(),
            NDA_PROTOCOL => protocol = attribute.u8().unwrap_or(0),
            _ => {}
        }
    }
    (flags & NTF_PROXY != 0).then_some(())?;
    Some(ProxyEntry {
        address: address?,
        interface: interface(word(fixed, 4)),
        flags: flags & !NTF_PROXY,
        protocol,
    })
}

/// Neighbour parameters of one interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::kernel) struct NeighbourParams {
    pub interface: IfIndex,
    pub params: NeighParams,
}

/// Reads a table's own message. `None` for the parameters of an interface.
pub(in crate::kernel) fn neighbour_table(payload: &[u8]) -> Option<NeighbourTable> {
    let (_, rest) = split::<4>(payload)?;
    let (mut entries, mut limit, mut refused) = (None, None, 0);
    for attribute in attributes(rest) {
        match attribute.kind {
            NDTA_THRESH3 => limit = attribute.u32(),
            // ndtc_entries of struct ndt_config.
            NDTA_CONFIG => {
                entries = attribute.value.get(4..8).and_then(|at| at.try_into().ok()).map(u32::from_ne_bytes);
            }
            // ndts_table_fulls, the last field of struct ndt_stats.
            NDTA_STATS => {
                let last = attribute.value.get(80..88).and_then(|at| at.try_into().ok());
                refused = last.map_or(0, u64::from_ne_bytes);
            }
            _ => {}
        }
    }
    Some(NeighbourTable { entries: entries?, limit: limit?, refused })
}

/// Reads the parameters of an interface. `None` for a table's own message, which names none.
pub(in crate::kernel) fn neighbour_params(payload: &[u8]) -> Option<NeighbourParams> {
    let (_, rest) = split::<4>(payload)?;
    let parms = attributes(rest).find(|attribute| attribute.kind == NDTA_PARMS)?;
    let mut index = None;
    let mut params = NeighParams::default();
    for attribute in parms.nested() {
        match attribute.kind {
            NDTPA_IFINDEX => index = attribute.u32().and_then(interface),
            NDTPA_PROXY_DELAY => params.proxy_delay = attribute.u64()?,
            NDTPA_PROXY_QLEN => params.proxy_qlen = attribute.u32()?,
            NDTPA_LOCKTIME => params.locktime = attribute.u64()?,
            _ => {}
        }
    }
    Some(NeighbourParams { interface: index?, params })
}
