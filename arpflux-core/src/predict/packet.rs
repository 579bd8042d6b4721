//! What rules may ask of the host's own packets beside addresses and interfaces.

use std::net::Ipv4Addr;

use serde::Serialize;

use super::{Model, Outgoing};
use crate::snapshot::{Rule, Snapshot};
use crate::state::Object;
use crate::types::IfIndex;

/// A packet of the host's own, as far as rules look at it. What is not known is 0, as in an ARP look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) struct Packet {
    pub(super) tos: u8,
    pub(super) mark: u32,
    pub(super) protocol: u8,
    pub(super) source_port: u16,
    pub(super) destination_port: u16,
    pub(super) user: u32,
}

/// What is known of a packet; `None`: it is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PacketKind {
    /// The IP protocol: 6 is TCP, 17 UDP.
    pub protocol: Option<u8>,
    /// The destination port.
    pub destination_port: Option<u16>,
    /// The number of the user whose program sends it.
    pub user: Option<u32>,
}

impl PacketKind {
    pub(super) fn packet(self) -> Packet {
        Packet {
            protocol: self.protocol.unwrap_or(0),
            destination_port: self.destination_port.unwrap_or(0),
            user: self.user.unwrap_or(0),
            ..Packet::default()
        }
    }

    /// A packet of this kind that has all that a rule asks for; `None`: there is none, or it asks for nothing that is
    /// not known.
    fn meeting(self, rule: &Rule) -> Option<Packet> {
        let mut packet = self.packet();
        let mut more = false;
        let mut within = |known: Option<u32>, range: Option<(u32, u32)>| match (known, range) {
            (_, None) => Some(known.unwrap_or(0)),
            (Some(known), Some((first, last))) => (first..=last).contains(&known).then_some(known),
            (None, Some((first, _))) => {
                more = true;
                Some(first)
            }
        };
        let ports = |range: Option<(u16, u16)>| range.map(|(first, last)| (first.into(), last.into()));
        let one = |value: u32| Some((value, value)).filter(|_| value != 0);
        packet.protocol =
            within(self.protocol.map(Into::into), one(rule.ip_protocol.unwrap_or(0).into()))? as u8;
        packet.destination_port =
            within(self.destination_port.map(Into::into), ports(rule.destination_ports))? as u16;
        packet.source_port = within(None, ports(rule.source_ports))? as u16;
        packet.user = within(self.user, rule.uids)?;
        packet.tos = within(None, one(rule.tos.into()))? as u8;
        packet.mark = within(None, one(rule.fwmark & rule.fwmask))?;
        more.then_some(packet)
    }
}

/// A rule that was passed over, because nothing is known of what it asks for, and would have packets sent another way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PassedOver {
    /// The rule, as everywhere: `rule 100: from all ipproto tcp dport 443 lookup 100`.
    pub rule: String,
    /// What the host does with packets that it is for.
    pub outgoing: Outgoing,
}

impl Model<'_> {
    /// The rules that would have packets sent another way than `usual`, if these had what the rules ask for beside
    /// addresses and interfaces and `kind` does not tell.
    pub(super) fn passed_over(
        &self,
        usual: Outgoing,
        kind: PacketKind,
        destination: Ipv4Addr,
        source: Option<Ipv4Addr>,
        by: Option<IfIndex>,
    ) -> Vec<PassedOver> {
        let snapshot: &Snapshot = self.snapshot();
        let rules = snapshot.rules.iter().filter(|rule| !rule.ipv6);
        let passed = rules.filter_map(|rule| {
            let outgoing = self.send(kind.meeting(rule)?, destination, source, by);
            let names = |index: IfIndex| snapshot.interface(index).map(|interface| interface.name);
            let told = || Object::Rule(Box::new(rule.clone())).name(&names);
            (outgoing != usual).then(|| PassedOver { rule: told(), outgoing })
        });
        passed.collect()
    }
}
