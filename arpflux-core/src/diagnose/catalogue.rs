//! The one table of everything that can be found. The pages below `docs/findings` and their index are
//! checked against it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Severity;
use crate::error::{Error, ErrorKind};

macro_rules! catalogue {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $severity:ident, $title:literal;)*) => {
        /// What was found: a stable number, written `AF001`. Numbers never change their meaning and are
        /// never given out again.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum FindingId { $($(#[$doc])* $variant = $number),* }

        impl FindingId {
            /// Everything that can be found, in the order of the numbers.
            pub const ALL: &'static [FindingId] = &[$(FindingId::$variant),*];

            /// How bad it is, unless something about the host makes it milder or worse.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity),* }
            }

            /// A few words, the title of its page.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),* }
            }
        }
    };
}

catalogue! {
    // Who answers.
    /// Requests for one address get answers with several MACs.
    SeveralAnswer = 1, Error, "Several interfaces of one wire answer for the same address";
    /// An RFC 5227 probe for an address of the host is answered by the host itself.
    SelfConflict = 2, Error, "The host answers its own duplicate address probe";
    /// The host's own requests carry an address of another interface.
    TeachesWrongMac = 3, Error, "The host's own requests teach its peers the wrong MAC";

    // Settings that do not do what they seem to.
    /// The larger of `all` and the interface counts, and the larger is the weaker one here.
    AllWeakens = 4, Error, "The value of `all` switches an interface's own setting off";
    /// A value that is no mode acts as 0.
    NoSuchMode = 5, Warning, "A sysctl has a value that means nothing to the kernel";
    /// `arp_filter` on one subnet without source routing.
    FilterWithoutRouting = 6, Error, "arp_filter makes another interface answer instead of the owner";
    /// Every interface that could answer is silenced.
    NobodyAnswers = 7, Error, "No interface may answer for an address of the host";
    /// Strict source validation drops requests on the interface that holds the address.
    RpFilterSilences = 8, Error, "Strict rp_filter silences the interface that holds the address";
    /// The settings are on the interfaces alone.
    LaterInterfaces = 9, Info, "An interface that appears later will not have these settings";

    // Proxy entries and proxy_arp.
    /// The entry's interface does not forward.
    ProxyForwardingOff = 10, Error, "A proxy entry cannot answer: its interface does not forward";
    /// No route leads to the entry's address.
    ProxyNoRoute = 11, Error, "A proxy entry cannot answer: no route leads to its address";
    /// The route to the entry's address leaves by the entry's interface.
    ProxySameInterface = 12, Warning, "A proxy entry cannot answer: its address is on the same interface";
    /// Entries for one address on several interfaces of one wire.
    ProxySeveral = 13, Error, "Several interfaces of one wire answer for the same proxied address";
    /// A neighbour's address is routed behind this host and nobody answers for it.
    ProxyMissing = 14, Warning, "Nobody answers for an address that lives behind this host";
    /// Broadcast requests for proxied addresses wait.
    ProxyDelay = 15, Info, "Answers for proxied addresses come late";
    /// More proxied addresses than requests may wait.
    ProxyQueue = 16, Warning, "Requests for proxied addresses can be dropped";
    /// So many entries that the kernel becomes slow.
    ProxyMany = 17, Info, "There are so many proxy entries that adding more is slow";
    /// `proxy_arp` with two interfaces in one subnet.
    ProxyArpWholeSubnet = 18, Error, "proxy_arp answers for addresses of other hosts on the wire";
    /// `proxy_arp` on an interface that nothing is behind.
    ProxyArpNothingBehind = 19, Warning, "proxy_arp answers for everything on an interface without an address";
    /// `proxy_arp` for containers whose gateway no route leads to.
    ProxyArpNoRoute = 20, Warning, "proxy_arp has no route to the gateway that containers ask for";

    // By which interface packets leave.
    /// Packets from an address leave by another interface of its wire.
    EgressSameWire = 21, Warning, "Packets from an address leave by another interface of the same wire";
    /// Packets from an address leave by another uplink than its own.
    EgressOtherUplink = 22, Info, "Packets from one uplink's address leave by another uplink";

    // What strict settings silence, and what the weak host model exposes.
    /// An address on `lo` or a dummy interface is not answered for.
    ServiceAddressSilent = 23, Info, "Nobody on the wire gets an answer for an address on a loopback or dummy interface";
    /// Somebody set `arp_ignore` on the interface that holds the address.
    SettingOnOwner = 24, Warning, "An address on a loopback or dummy interface is answered for on the wire";
    /// Containers behind an interface without an address get no answer.
    UnnumberedSilent = 25, Warning, "arp_ignore silences an interface without an address";
    /// `arp_ignore=1` refuses an address that was added with a peer.
    PointToPointSilent = 26, Error, "arp_ignore silences a point-to-point address";
    /// `arp_ignore=2` refuses senders of other subnets.
    OffSubnetSilent = 27, Warning, "arp_ignore=2 refuses neighbours outside the subnet";
    /// An address of a bridge for containers or of a tunnel is answered for on another wire.
    BridgeExposed = 28, Info, "The address of a container bridge or tunnel is answered for outside";

    // A policy.
    /// The host is not as the policy says.
    PolicyNotKept = 29, Error, "The host is not as its policy says";

    // The next boot.
    /// Nothing sets it at boot.
    NotPersisted = 30, Warning, "Settings are lost at the next boot";
    /// A file sets it otherwise at boot.
    OverwrittenAtBoot = 31, Warning, "A file sets another value at the next boot";
    /// Several lines or managers disagree.
    ConflictingManagers = 32, Warning, "One setting is made in several places that disagree";

    // Where addresses are.
    /// The subnet around an address is on the wire of another interface.
    Misplaced = 33, Warning, "An address is on another interface than its subnet";
    /// The host answers for an address of an interface that is a backup for now.
    BackupAnswered = 34, Warning, "An address of an interface without carrier is answered for";

    // Packets, not only requests.
    /// A rule's table knows no way to a network that the host itself is on.
    RulesHideNetwork = 35, Warning, "A rule leads packets for a local network past it";
    /// What comes from beyond a second uplink is dropped there.
    RpFilterUplink = 36, Warning, "Strict rp_filter drops what comes in by a second uplink";
    /// A host behind this one is answered for, and what it sends goes nowhere.
    NotForwardedBack = 37, Error, "Packets of a host that is answered for are not forwarded";
    /// `proxy_arp` is set and answers for nothing.
    ProxyArpIdle = 38, Info, "proxy_arp answers for nothing";
    /// An address of the subnet on `lo` or a dummy is answered for; whether it shall be, nothing tells.
    ServiceAddressOpen = 39, Info, "An address on a loopback or dummy interface is answered for: another host may have it, too";
    /// A neighbour entry that is never asked for.
    PermanentNeighbour = 40, Info, "A permanent neighbour entry keeps the host from asking";
    /// Rules of a packet filter keep an address from being answered for.
    HiddenByFilter = 41, Info, "A packet filter hides an address that arp_ignore would hide without";
    /// Somebody deleted the route that comes with an address.
    ConnectedRouteMissing = 42, Warning, "Table main has no route to a subnet that the host is on";

    // IPv6.
    /// Entries for one IPv6 address on several interfaces of one wire.
    Ipv6ProxySeveral = 70, Error, "Several interfaces of one wire answer for the same proxied IPv6 address";
    /// The entry's interface, or the host as a whole, does not forward.
    Ipv6ProxyForwardingOff = 71, Error, "An IPv6 proxy entry has no effect: forwarding is off";
    /// Neither the entry's interface nor `all` has `proxy_ndp`.
    Ipv6ProxyNdpOff = 72, Error, "An IPv6 proxy entry cannot answer: proxy_ndp is off";
    /// Something else keeps the entry from answering.
    Ipv6ProxySilent = 73, Error, "An IPv6 proxy entry cannot answer";
    /// It is answered for, and no route leads to it.
    Ipv6ProxyNoRoute = 74, Error, "An IPv6 proxy entry answers, and no route leads to its address";
    /// It is answered for on the wire where it is looked for.
    Ipv6ProxySameInterface = 75, Warning, "An IPv6 proxy entry answers for an address of the same interface";
    /// Duplicate address detection failed.
    DetectionFailed = 76, Error, "An IPv6 address cannot be used: duplicate address detection failed";
    /// No interface answers for an IPv6 address of the host.
    Ipv6AnsweredNowhere = 77, Warning, "No interface answers for an IPv6 address of the host";
    /// Several interfaces of one wire answer for an address that the host holds itself.
    Ipv6SeveralAnswer = 78, Error, "Several interfaces of one wire answer for the same IPv6 address of the host";
}

impl FindingId {
    /// The number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self as u16
    }

    /// The address of its page.
    #[must_use]
    pub fn link(self) -> String {
        format!("{}/blob/main/docs/findings/{self}.md", env!("CARGO_PKG_REPOSITORY"))
    }
}

impl fmt::Display for FindingId {
    /// `AF001`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("AF{:03}", self.number()))
    }
}

impl FromStr for FindingId {
    type Err = Error;

    /// Reads `AF001`, `af001` or `AF1`.
    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.strip_prefix("AF").or_else(|| text.strip_prefix("af")).unwrap_or_default();
        let number = digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse::<u16>().ok());
        Self::ALL.iter().copied().find(|id| number.flatten() == Some(id.number())).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "there is no such finding")
                .on(format!("{text:?}"))
                .hint("`arpflux diagnose --list` prints all that there are")
        })
    }
}

impl Serialize for FindingId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for FindingId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_rise_and_ids_parse_back() {
        assert!(FindingId::ALL.windows(2).all(|pair| pair[0].number() < pair[1].number()));
        for id in FindingId::ALL {
            assert_eq!(id.to_string().parse::<FindingId>().unwrap(), *id);
        }
        assert_eq!("af12".parse::<FindingId>().unwrap(), FindingId::ProxySameInterface);
        for wrong in ["", "AF", "AF000", "AF999", "12", "AF-1", "AF+1", "AF00001x", "AF99999999"] {
            assert!(wrong.parse::<FindingId>().is_err(), "{wrong}");
        }
    }
}
