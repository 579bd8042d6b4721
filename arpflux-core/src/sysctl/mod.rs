//! The sysctls below `net.ipv4.conf` that decide about ARP: one table for names, numbers and meaning.
//!
//! A value counts per interface, but for most sysctls the value of `all` is combined with it:
//! by maximum, by or. [`Sysctl::combine`] says how; [`crate::snapshot::Snapshot::effective`]
//! does it and says where the result came from.

mod ipv6;

use std::fmt;
use std::str::FromStr;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use ipv6::{Ipv6Sysctl, Ipv6SysctlValues};

use crate::error::{Error, ErrorKind};

/// How the kernel combines the value of `all` with that of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Combine {
    /// The larger of the two (`IN_DEV_MAXCONF`).
    Max,
    /// On if either is not zero (`IN_DEV_ORCONF`).
    Or,
    /// On if both are not zero (`IN_DEV_ANDCONF`).
    And,
    /// The interface's alone; writing `all` has no lasting effect, or copies to every interface once.
    InterfaceOnly,
}

macro_rules! sysctls {
    ($($(#[$doc:meta])* $variant:ident = $devconf:literal, $name:literal, $combine:ident;)*) => {
        /// A sysctl below `net.ipv4.conf.{all,default,INTERFACE}`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Sysctl { $($(#[$doc])* $variant),* }

        impl Sysctl {
            /// Every sysctl that this build knows, in the order of [`Sysctl::devconf`].
            pub const ALL: &'static [Sysctl] = &[$(Sysctl::$variant),*];

            /// The last part of the sysctl's name, which is its file name: `arp_ignore`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// The kernel's number, `IPV4_DEVCONF_*`, counted from 1 as `IFLA_INET_CONF` does.
            #[must_use]
            pub const fn devconf(self) -> u16 {
                match self { $(Self::$variant => $devconf),* }
            }

            /// How `all` and the interface's own value are combined (`include/linux/inetdevice.h`).
            #[must_use]
            pub const fn combine(self) -> Combine {
                match self { $(Self::$variant => Combine::$combine),* }
            }
        }
    };
}

sysctls! {
    /// Whether packets (and proxied ARP requests) arriving here are forwarded.
    Forwarding = 1, "forwarding", InterfaceOnly;
    /// Answer for every address routed out of another interface.
    ProxyArp = 3, "proxy_arp", Or;
    /// Send ICMP redirects; on by default, it also makes source validation run in full.
    SendRedirects = 6, "send_redirects", Or;
    /// The interface shares its medium with others of other subnets.
    SharedMedia = 7, "shared_media", Or;
    /// Source validation: 0 none, 1 strict, 2 loose.
    RpFilter = 8, "rp_filter", Max;
    /// Answer only if a route to the sender leaves by the arrival interface.
    ArpFilter = 13, "arp_filter", Or;
    /// Tells media apart for `proxy_arp`: 0 none, -1 never proxy to or from it.
    MediumId = 14, "medium_id", InterfaceOnly;
    /// Which source address the host's own requests carry: 0 any, 1 of the target's subnet if possible, 2 the best.
    ArpAnnounce = 18, "arp_announce", Max;
    /// For which local addresses to answer: 0 any, 1 those of the arrival interface, 2 also the sender
    /// in their subnet, 3 not scope host, 8 none.
    ArpIgnore = 19, "arp_ignore", Max;
    /// Keep secondary addresses when the primary one goes.
    PromoteSecondaries = 20, "promote_secondaries", Or;
    /// Learn from gratuitous ARP about addresses not yet in the table: 0 no, 1 yes, 2 same subnet only.
    ArpAccept = 21, "arp_accept", Max;
    /// Send gratuitous ARP when the interface comes up or its MAC changes.
    ArpNotify = 22, "arp_notify", Max;
    /// Accept packets whose source is one of the host's own addresses.
    AcceptLocal = 23, "accept_local", Or;
    /// Use the packet's mark in source validation.
    SrcValidMark = 24, "src_valid_mark", Or;
    /// Answer for addresses routed out of the arrival interface itself (private VLAN).
    ProxyArpPvlan = 25, "proxy_arp_pvlan", Or;
    /// Treat 127/8 as routable.
    RouteLocalnet = 26, "route_localnet", Or;
    /// Routes through an interface without carrier do not count.
    IgnoreRoutesWithLinkdown = 29, "ignore_routes_with_linkdown", Or;
    /// Drop gratuitous ARP (sender = target).
    DropGratuitousArp = 31, "drop_gratuitous_arp", Or;
    /// Forward directed broadcasts.
    BcForwarding = 32, "bc_forwarding", And;
    /// Forget neighbours when the carrier goes.
    ArpEvictNocarrier = 33, "arp_evict_nocarrier", And;
}

impl Sysctl {
    /// What a kernel starts with, before a distribution sets anything (`net/ipv4/devinet.c`, `ipv4_devconf`).
    #[must_use]
    pub const fn kernel_default(self) -> i32 {
        matches!(self, Self::SendRedirects | Self::SharedMedia | Self::ArpEvictNocarrier) as i32
    }
}

impl fmt::Display for Sysctl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Sysctl {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.iter().copied().find(|sysctl| sysctl.name() == name).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "not an ARP-relevant sysctl of net.ipv4.conf")
                .on(format!("{name:?}"))
        })
    }
}

impl Serialize for Sysctl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Sysctl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(serde::de::Error::custom)
    }
}

const COUNT: usize = Sysctl::ALL.len();

/// The values of one `net.ipv4.conf` folder. A sysctl that the kernel does not have is absent, which
/// is not the same as 0. Values are kept as the kernel holds them: nothing there checks ranges.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct SysctlValues {
    values: [i32; COUNT],
    present: u32,
}

impl SysctlValues {
    /// The value, or `None` if the kernel has no such sysctl.
    #[must_use]
    pub const fn get(&self, sysctl: Sysctl) -> Option<i32> {
        if self.present & (1 << sysctl as u32) == 0 { None } else { Some(self.values[sysctl as usize]) }
    }

    /// Sets or, with `None`, removes a value.
    pub const fn set(&mut self, sysctl: Sysctl, value: Option<i32>) {
        match value {
            Some(value) => {
                self.values[sysctl as usize] = value;
                self.present |= 1 << sysctl as u32;
            }
            None => {
                self.values[sysctl as usize] = 0;
                self.present &= !(1 << sysctl as u32);
            }
        }
    }

    /// The sysctls that are present, with their values, in the order of [`Sysctl::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (Sysctl, i32)> + '_ {
        Sysctl::ALL.iter().filter_map(|sysctl| self.get(*sysctl).map(|value| (*sysctl, value)))
    }
}

impl FromIterator<(Sysctl, i32)> for SysctlValues {
    fn from_iter<I: IntoIterator<Item = (Sysctl, i32)>>(values: I) -> Self {
        let mut set = Self::default();
        for (sysctl, value) in values {
            set.set(sysctl, Some(value));
        }
        set
    }
}

impl fmt::Debug for SysctlValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter().map(|(sysctl, value)| (sysctl.name(), value))).finish()
    }
}

impl Serialize for SysctlValues {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.present.count_ones() as usize))?;
        for (sysctl, value) in self.iter() {
            map.serialize_entry(sysctl.name(), &value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for SysctlValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;
        impl<'de> Visitor<'de> for Values {
            type Value = SysctlValues;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from sysctl names to numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SysctlValues, A::Error> {
                let mut set = SysctlValues::default();
                while let Some(name) = map.next_key::<String>()? {
                    match name.parse() {
                        Ok(sysctl) => set.set(sysctl, Some(map.next_value()?)),
                        // Of a newer version: who reads a snapshot says so.
                        Err(_) => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(set)
            }
        }
        deserializer.deserialize_map(Values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_is_not_zero() {
        let mut values = SysctlValues::default();
        assert_eq!(values.get(Sysctl::ArpIgnore), None);
        values.set(Sysctl::ArpIgnore, Some(0));
        assert_eq!(values.get(Sysctl::ArpIgnore), Some(0));
        let text = serde_json::to_string(&values).unwrap();
        assert_eq!(text, r#"{"arp_ignore":0}"#);
        assert_eq!(serde_json::from_str::<SysctlValues>(&text).unwrap(), values);
        values.set(Sysctl::ArpIgnore, None);
        assert_eq!(values, SysctlValues::default());
    }

    #[test]
    fn numbers_rise_and_names_parse_back() {
        assert!(Sysctl::ALL.windows(2).all(|pair| pair[0].devconf() < pair[1].devconf()));
        for sysctl in Sysctl::ALL {
            assert_eq!(sysctl.name().parse::<Sysctl>().unwrap(), *sysctl);
        }
    }
}
