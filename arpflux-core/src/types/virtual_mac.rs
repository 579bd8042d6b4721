//! MACs that belong to a protocol, not to a NIC.

use serde::{Deserialize, Serialize};

/// A virtual MAC of a first-hop redundancy protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct VirtualMac {
    /// Whose range it is of.
    pub protocol: Redundancy,
    /// The number of the group (VRID, CARP vhid, HSRP group).
    pub group: u16,
}

/// Protocols by which several routers share an address and move its MAC along with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Redundancy {
    /// VRRP (RFC 9568 section 7.3), or CARP, which took the same range: `00:00:5e:00:01:XX`, for IPv6 `00:00:5e:00:02:XX`.
    Vrrp,
    /// HSRP version 1: `00:00:0c:07:ac:XX`.
    Hsrp,
    /// HSRP version 2: `00:00:0c:9f:fX:XX`.
    Hsrp2,
    /// Microsoft NLB, whose nodes share one: `02:bf:…`, `03:bf:…`, `01:00:5e:7f:…`.
    Nlb,
    /// FortiGate clusters (FGCP): `00:09:0f:09:XX:XX`.
    Fgcp,
    /// Check Point clusters with virtual MACs: `00:1c:7f:00:XX:XX`.
    CheckPoint,
    /// Gateways that every switch or host of a fabric has with one MAC: Arista's VARP, Cumulus, Cisco ACI, VMware NSX, Calico,
    /// Azure.
    Anycast,
    /// GLBP, where several MACs answer for one address in turn by design: `00:07:b4:XX:XX:XX`.
    Glbp,
}

impl Redundancy {
    /// What to call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Vrrp => "VRRP or CARP",
            Self::Hsrp => "HSRP",
            Self::Hsrp2 => "HSRP version 2",
            Self::Glbp => "GLBP",
            Self::Nlb => "Microsoft NLB",
            Self::Fgcp => "FortiGate clusters",
            Self::CheckPoint => "Check Point clusters",
            Self::Anycast => "anycast gateways",
        }
    }
}

/// What it belongs to.
impl std::fmt::Display for VirtualMac {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.protocol.name())?;
        match self.protocol {
            Redundancy::Anycast => Ok(()),
            _ => write!(f, ", group {}", self.group),
        }
    }
}

impl VirtualMac {
    /// What a MAC says about itself.
    #[must_use]
    pub const fn of(mac: [u8; 6]) -> Option<Self> {
        let (protocol, group) = match mac {
            [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, id] => (Redundancy::Vrrp, id as u16),
            [0x00, 0x00, 0x0c, 0x07, 0xac, id] => (Redundancy::Hsrp, id as u16),
            [0x00, 0x00, 0x0c, 0x9f, high, low] if high >> 4 == 0xf => {
                (Redundancy::Hsrp2, (high as u16 & 0xf) << 8 | low as u16)
            }
            // The last two bytes are those of the cluster's address.
            [0x02 | 0x03, 0xbf, _, _, high, low] | [0x01, 0x00, 0x5e, 0x7f, high, low] => {
                (Redundancy::Nlb, (high as u16) << 8 | low as u16)
            }
            [0x00, 0x09, 0x0f, 0x09, group, _] => (Redundancy::Fgcp, group as u16),
            [0x00, 0x1c, 0x7f, 0x00, high, low] => (Redundancy::CheckPoint, (high as u16) << 8 | low as u16),
            [0x00, 0x1c, 0x73, 0x00, 0x00, 0x99]
            | [0x44, 0x38, 0x39, 0xff, _, _]
            | [0x00, 0x22, 0xbd, 0xf8, 0x19, 0xff]
            | [0x02, 0x50, 0x56, 0x56, 0x44, 0x52]
            | [0xee, 0xee, 0xee, 0xee, 0xee, 0xee]
            | [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc] => (Redundancy::Anycast, 0),
            // Six zero bits, ten bits of group, eight of forwarder.
            [0x00, 0x07, 0xb4, high, low, _] if high >> 2 == 0 => {
                (Redundancy::Glbp, (high as u16) << 8 | low as u16)
            }
            _ => return None,
        };
        Some(Self { protocol, group })
    }
}
