//! Addresses.

use std::net::IpAddr;

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

use crate::types::{IfIndex, IpNet};

/// How far an address or route is valid (`RT_SCOPE_*`); smaller numbers reach further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Scope(pub u8);

impl Scope {
    /// Everywhere.
    pub const UNIVERSE: Scope = Scope(0);
    /// Within this site.
    pub const SITE: Scope = Scope(200);
    /// On this link.
    pub const LINK: Scope = Scope(253);
    /// On this host.
    pub const HOST: Scope = Scope(254);
    /// Nowhere.
    pub const NOWHERE: Scope = Scope(255);
}

bitflags! {
    /// Address flags (`IFA_F_*`); unknown bits are kept.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct AddressFlags: u32 {
        /// Not the first address of its subnet on the interface.
        const SECONDARY = 0x01;
        /// May be used before duplicate address detection has ended (IPv6).
        const OPTIMISTIC = 0x04;
        /// Duplicate address detection found another owner (IPv6).
        const DADFAILED = 0x08;
        /// No longer chosen as a source (IPv6).
        const DEPRECATED = 0x20;
        /// Still under duplicate address detection (IPv6).
        const TENTATIVE = 0x40;
        /// Has no expiry.
        const PERMANENT = 0x80;
        /// No connected route was made for it.
        const NOPREFIXROUTE = 0x200;
        const _ = !0;
    }
}

impl Serialize for AddressFlags {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.bits())
    }
}

impl<'de> Deserialize<'de> for AddressFlags {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u32::deserialize(deserializer).map(Self::from_bits_retain)
    }
}

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Address {
    /// The interface that holds it.
    pub interface: IfIndex,
    /// The host's own address (`IFA_LOCAL`).
    pub local: IpAddr,
    /// The other end of a point-to-point address, if it differs (`IFA_ADDRESS`).
    pub peer: Option<IpAddr>,
    /// Length of the prefix, of `peer` if there is one and of `local` otherwise.
    pub prefix_len: u8,
    /// How far it is valid.
    pub scope: Scope,
    /// Flags.
    pub flags: AddressFlags,
    /// The broadcast address, if one is set.
    pub broadcast: Option<IpAddr>,
}

impl Address {
    /// Whether other hosts may ask for it: not of scope host, not 127.0.0.0/8 or ::1.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.scope < Scope::HOST && !self.local.is_loopback()
    }

    /// Whether it is an IPv6 address that other hosts may ask for, and not one that every interface has for itself (link-local).
    pub(crate) fn is_global_ipv6(&self) -> bool {
        matches!(self.local, IpAddr::V6(local) if !local.is_unicast_link_local()) && self.is_public()
    }

    /// The subnet on the link: of the peer if there is one.
    #[must_use]
    pub fn subnet(&self) -> IpNet {
        IpNet::new(self.peer.unwrap_or(self.local), self.prefix_len)
            .map_or_else(|_| IpNet::from(self.local), |net| net.trunc())
    }
}
