//! Policy routing rules.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use super::{protocol, table};
use crate::types::{IfName, IpNet};

/// What a rule does with what it matches (`FR_ACT_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RuleAction {
    /// Look into the rule's table.
    Table,
    /// Go on at the rule of priority [`Rule::goto`].
    Goto,
    /// Nothing.
    Nop,
    /// Drop silently.
    Blackhole,
    /// Drop, say "unreachable".
    Unreachable,
    /// Drop, say "prohibited".
    Prohibit,
    /// Any other number.
    Other(u8),
}

bitflags! {
    /// Rule flags (`FIB_RULE_*`); unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct RuleFlags: u32 {
        /// Cannot be deleted.
        const PERMANENT = 0x01;
        /// Matches what the selectors do not.
        const INVERT = 0x02;
        /// The target of the goto does not exist.
        const UNRESOLVED = 0x04;
        /// The interface of `iif` does not exist now.
        const IIF_DETACHED = 0x08;
        /// The interface of `oif` does not exist now.
        const OIF_DETACHED = 0x10;
        const _ = !0;
    }
}

impl Serialize for RuleFlags {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.bits())
    }
}

impl<'de> Deserialize<'de> for RuleFlags {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self::from_bits_retain)
    }
}

/// A policy routing rule (`ip rule`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rule {
    /// Whether it is an IPv6 rule.
    pub ipv6: bool,
    /// Rules are tried in the order of this number; 0 first.
    pub priority: u32,
    /// Sources it matches; `None`: all.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub source: Option<IpNet>,
    /// Destinations it matches; `None`: all.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub destination: Option<IpNet>,
    /// The input interface it matches; `lo` matches the host's own packets.
    pub iif: Option<IfName>,
    /// The output interface it matches, of bound sockets.
    pub oif: Option<IfName>,
    /// Type of service it matches; 0: all.
    pub tos: u8,
    /// The mark it matches under [`Rule::fwmask`].
    pub fwmark: u32,
    /// Which bits of the mark count; 0: the mark does not matter.
    pub fwmask: u32,
    /// What it does.
    pub action: RuleAction,
    /// The table to look into, for [`RuleAction::Table`].
    pub table: u32,
    /// The priority to go on at, for [`RuleAction::Goto`].
    pub goto: Option<u32>,
    /// Routes of prefixes this long or shorter do not count (`suppress_prefixlength`).
    #[serde(deserialize_with = "unless_negative")]
    pub suppress_prefix_len: Option<u32>,
    /// Routes through interfaces of this group do not count.
    #[serde(deserialize_with = "unless_negative")]
    pub suppress_group: Option<u32>,
    /// Look into the table of the VRF that the packet belongs to.
    pub l3mdev: bool,
    /// IP protocol it matches; `None`: all.
    pub ip_protocol: Option<u8>,
    /// Source ports it matches, first and last; `None`: all.
    pub source_ports: Option<(u16, u16)>,
    /// Destination ports it matches, first and last; `None`: all.
    pub destination_ports: Option<(u16, u16)>,
    /// User ids it matches, first and last; `None`: all.
    pub uids: Option<(u32, u32)>,
    /// Tunnel id it matches; `None`: all.
    pub tunnel_id: Option<u64>,
    /// Who made it (`RTPROT_*`).
    pub protocol: u8,
    /// Flags.
    pub flags: RuleFlags,
}

/// The kernel keeps what is suppressed as a signed number and writes 4294967295 for none, as do tools that
/// hand on its words.
fn unless_negative<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    let number = Option::<u32>::deserialize(deserializer)?;
    Ok(number.filter(|number| i32::try_from(*number).is_ok()))
}

impl Rule {
    setters!(
        ipv6: bool,
        source: Option<IpNet>,
        destination: Option<IpNet>,
        iif: Option<IfName>,
        oif: Option<IfName>,
        action: RuleAction,
        suppress_prefix_len: Option<u32>,
        l3mdev: bool,
        protocol: u8,
    );

    /// An IPv4 rule that matches everything and looks into `table`. Its maker is unknown (protocol 0).
    ///
    /// ```
    /// use arpflux_core::snapshot::{Rule, table};
    /// use arpflux_core::types::IpNet;
    ///
    /// let from_one = Rule::lookup(1000, table::MAIN).source("192.168.18.10/32".parse::<IpNet>()?);
    /// assert_eq!((from_one.priority, from_one.table), (1000, 254));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn lookup(priority: u32, table: u32) -> Self {
        Self {
            ipv6: false,
            priority,
            source: None,
            destination: None,
            iif: None,
            oif: None,
            tos: 0,
            fwmark: 0,
            fwmask: 0,
            action: RuleAction::Table,
            table,
            goto: None,
            suppress_prefix_len: None,
            suppress_group: None,
            l3mdev: false,
            ip_protocol: None,
            source_ports: None,
            destination_ports: None,
            uids: None,
            tunnel_id: None,
            protocol: 0,
            flags: RuleFlags::empty(),
        }
    }

    /// The three IPv4 rules that every namespace starts with: tables local, main and default.
    #[must_use]
    pub fn defaults() -> [Rule; 3] {
        [(0, table::LOCAL), (32766, table::MAIN), (32767, table::DEFAULT)]
            .map(|(priority, table)| Rule { protocol: protocol::KERNEL, ..Rule::lookup(priority, table) })
    }
}
