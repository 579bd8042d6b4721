//! The chains that frames of neighbour discovery pass.

use super::{be32, find, named};

/// A chain that the kernel calls for solicitations or advertisements.
pub(in crate::kernel) struct DiscoveryChain {
    /// The kernel's number (`NFPROTO_*`).
    pub(in crate::kernel) family: u8,
    pub(in crate::kernel) table: String,
    pub(in crate::kernel) name: String,
    /// Its policy.
    pub(in crate::kernel) drops: bool,
}

const INET: u8 = 1;
const NETDEV: u8 = 5;
const BRIDGE: u8 = 7;
const IP6: u8 = 10;

impl DiscoveryChain {
    /// `nftables inet filter input`.
    pub(in crate::kernel) fn title(&self) -> String {
        let family = match self.family {
            INET => "inet",
            NETDEV => "netdev",
            BRIDGE => "bridge",
            _ => "ip6",
        };
        format!("nftables {family} {} {}", self.table, self.name)
    }
}

/// `None` for chains that no frame of neighbour discovery passes: of other families, that only others jump to, that see
/// what is forwarded, and of NAT, as neighbour discovery is not tracked.
pub(in crate::kernel) fn discovery_chain(payload: &[u8]) -> Option<DiscoveryChain> {
    const TABLE: u16 = 1;
    const NAME: u16 = 3;
    const HOOK: u16 = 4;
    const POLICY: u16 = 5;
    const TYPE: u16 = 7;
    const HOOK_NUMBER: u16 = 1;
    const FORWARD: u32 = 2;
    const NF_DROP: u32 = 0;
    let ([family, ..], rest) = payload.split_first_chunk::<4>()?;
    if ![INET, NETDEV, BRIDGE, IP6].contains(family) {
        return None;
    }
    let hook = find(rest, HOOK)?;
    let number = find(hook.value, HOOK_NUMBER).map(|number| be32(&number))?;
    if (number == FORWARD && *family != NETDEV) || named(rest, TYPE) == "nat" {
        return None;
    }
    let drops = find(rest, POLICY).is_some_and(|policy| be32(&policy) == NF_DROP);
    Some(DiscoveryChain { family: *family, table: named(rest, TABLE), name: named(rest, NAME), drops })
}

/// The family, the table and the chain of a rule.
pub(in crate::kernel) fn rule_of(payload: &[u8]) -> Option<(u8, String, String)> {
    const TABLE: u16 = 1;
    const CHAIN: u16 = 2;
    let ([family, ..], rest) = payload.split_first_chunk::<4>()?;
    Some((*family, named(rest, TABLE), named(rest, CHAIN)))
}
