//! `RTM_NEWRULE`.

use nix::libc::{AF_INET, AF_INET6};

use super::{prefix, split, word};
use crate::kernel::netlink::{Attribute, attributes};
use crate::kernel::uapi::{
    FRA_DPORT_RANGE, FRA_DSCP, FRA_DST, FRA_FLOW, FRA_FWMARK, FRA_FWMASK, FRA_GOTO, FRA_IIFNAME,
    FRA_IP_PROTO, FRA_L3MDEV, FRA_OIFNAME, FRA_PRIORITY, FRA_PROTOCOL, FRA_SPORT_RANGE, FRA_SRC,
    FRA_SUPPRESS_IFGROUP, FRA_SUPPRESS_PREFIXLEN, FRA_TABLE, FRA_TUN_ID, FRA_UID_RANGE,
};
use crate::snapshot::{Rule, RuleAction, RuleFlags};
use crate::types::IfName;

/// A rule, and what else its message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kernel) struct DecodedRule {
    pub rule: Rule,
    /// It has a realm.
    pub realm: bool,
}

/// Reads `struct fib_rule_hdr` and its attributes. `None` also for other families.
pub(in crate::kernel) fn rule(payload: &[u8]) -> Option<DecodedRule> {
    let (fixed, rest) = split::<12>(payload)?;
    let [family, dst_len, src_len, tos, table, _, _, action, ..] = *fixed;
    if ![AF_INET, AF_INET6].contains(&i32::from(family)) {
        return None;
    }
    let (mut destination, mut source) = (None, None);
    let mut realm = false;
    let mut rule = Rule {
        ipv6: i32::from(family) == AF_INET6,
        tos,
        action: action_of(action),
        flags: RuleFlags::from_bits_retain(word(fixed, 8)),
        ..Rule::lookup(0, u32::from(table))
    };
    for attribute in attributes(rest) {
        match attribute.kind {
            FRA_DST => destination = attribute.ip(),
            FRA_SRC => source = attribute.ip(),
            FRA_IIFNAME => rule.iif = Some(IfName::from_bytes(attribute.text()).ok()?),
            FRA_OIFNAME => rule.oif = Some(IfName::from_bytes(attribute.text()).ok()?),
            FRA_GOTO => rule.goto = attribute.u32(),
            FRA_PRIORITY => rule.priority = attribute.u32()?,
            FRA_FWMARK => rule.fwmark = attribute.u32()?,
            FRA_FWMASK => rule.fwmask = attribute.u32()?,
            FRA_FLOW => realm = true,
            FRA_TUN_ID => rule.tunnel_id = attribute.be64(),
            // What is negative is the kernel's "none".
            FRA_SUPPRESS_IFGROUP => {
                rule.suppress_group = attribute.u32().filter(|n| i32::try_from(*n).is_ok());
            }
            FRA_SUPPRESS_PREFIXLEN => {
                rule.suppress_prefix_len = attribute.u32().filter(|n| i32::try_from(*n).is_ok());
            }
            FRA_TABLE => rule.table = attribute.u32()?,
            FRA_L3MDEV => rule.l3mdev = attribute.u8()? != 0,
            FRA_UID_RANGE => rule.uids = pair(&attribute),
            FRA_PROTOCOL => rule.protocol = attribute.u8()?,
            FRA_IP_PROTO => rule.ip_protocol = attribute.u8(),
            FRA_SPORT_RANGE => rule.source_ports = ports(&attribute),
            FRA_DPORT_RANGE => rule.destination_ports = ports(&attribute),
            FRA_DSCP => rule.tos = attribute.u8()? << 2,
            _ => {}
        }
    }
    if dst_len != 0 {
        rule.destination = Some(prefix(family, destination, dst_len)?);
    }
    if src_len != 0 {
        rule.source = Some(prefix(family, source, src_len)?);
    }
    Some(DecodedRule { rule, realm })
}

fn pair(attribute: &Attribute<'_>) -> Option<(u32, u32)> {
    let [a, b, c, d, e, f, g, h] = *attribute.value.first_chunk()?;
    Some((u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])))
}

fn ports(attribute: &Attribute<'_>) -> Option<(u16, u16)> {
    let [a, b, c, d] = *attribute.value.first_chunk()?;
    Some((u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d])))
}

/// `FR_ACT_*`.
fn action_of(number: u8) -> RuleAction {
    match number {
        1 => RuleAction::Table,
        2 => RuleAction::Goto,
        3 => RuleAction::Nop,
        6 => RuleAction::Blackhole,
        7 => RuleAction::Unreachable,
        8 => RuleAction::Prohibit,
        other => RuleAction::Other(other),
    }
}
