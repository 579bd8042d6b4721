//! The rule of the kernel that decided.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $text:literal;)*) => {
        /// The rule that decided about a request. The codes are stable: they are the `"reason"` in JSON.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Reason { $($(#[$doc])* $variant),* }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Reason] = &[$(Reason::$variant),*];

            /// The stable code, in snake_case.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// A few words for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

reasons! {
    // It answers.
    /// The target is an address of the host (`arp_process()`).
    Local = "local", "it is an address of this host";
    /// A proxy entry (`pneigh_lookup()`).
    ProxyEntry = "proxy_entry", "there is a proxy entry for it";
    /// `proxy_arp` (`arp_fwd_proxy()`).
    ProxyArp = "proxy_arp", "proxy_arp is on and the route leaves by another interface";
    /// `proxy_arp_pvlan` (`arp_fwd_pvlan()`).
    ProxyPvlan = "proxy_arp_pvlan", "proxy_arp_pvlan is on and the route leaves by the arrival interface";
    /// An anycast address (`ipv6_chk_acast_addr()`).
    Anycast = "anycast", "it is an anycast address of this interface";

    // Dropped before anything is decided.
    /// There is no such interface.
    NoInterface = "no_interface", "there is no such interface";
    /// The interface, or the bridge or bond that it is a port of, is administratively down.
    InterfaceDown = "interface_down", "the interface is down";
    /// The interface, or what it stands on or is a port of, has no carrier: no frame comes in, none goes out.
    NoCarrier = "no_carrier", "the interface has no carrier: nobody is heard on it";
    /// The interface does no ARP (`IFF_NOARP`, `arp_rcv()`).
    NoArp = "noarp", "the interface does no ARP";
    /// The loopback interface takes no ARP from a wire.
    LoopbackInterface = "loopback_interface", "it is the loopback interface";
    /// The interface has no IPv4 (an MTU below 68).
    Ipv4Disabled = "ipv4_disabled", "the interface has no IPv4";
    /// The interface has no IPv6 (`disable_ipv6`, or an MTU below 1280).
    Ipv6Disabled = "ipv6_disabled", "the interface has no IPv6";
    /// The bridge does not take frames from this port now (STP).
    BridgePortBlocked = "bridge_port_blocked", "the bridge takes no frames from this port now";
    /// A bond drops what its backup ports receive.
    BondBackupPort = "bond_backup_port", "the bond drops what its backup port receives";
    /// A rule of nftables drops the request.
    FilterDropsRequest = "filter_drops_request", "a packet filter drops the request";
    /// A rule of nftables drops the answer.
    FilterDropsAnswer = "filter_drops_answer", "a packet filter drops the answer";
    /// A rule of nftables (`arptables -j mangle`) writes other addresses into the frame.
    FilterRewrites = "filter_rewrites", "a packet filter makes another frame of it";
    /// The target is a multicast address.
    MulticastTarget = "multicast_target", "the target is a multicast address";
    /// The target is in 127/8 and `route_localnet` is off.
    LoopbackTarget = "loopback_target", "the target is a loopback address";
    /// Sender and target are the same and `drop_gratuitous_arp` is on.
    GratuitousDropped = "gratuitous_dropped", "drop_gratuitous_arp drops announcements";

    // Route input.
    /// The sender is 0.0.0.0 (an RFC 5227 probe) and the target is not an address of the host.
    ProbeNotLocal = "probe_not_local", "a probe is answered only for the host's own addresses";
    /// The sender is multicast or 255.255.255.255 (`ip_route_input_slow()`).
    MartianSender = "martian_sender", "the sender is no possible source address";
    /// The sender is in 127/8 and `route_localnet` is off.
    LoopbackSender = "loopback_sender", "the sender is a loopback address";
    /// The target is 255.255.255.255 or 0.0.0.0.
    MartianTarget = "martian_target", "the target is no possible destination";
    /// No route leads to the target.
    NoRoute = "no_route", "no route leads to the target";
    /// A blackhole, unreachable or prohibit route or rule decides for the target.
    RouteRejects = "route_rejects", "a route or rule rejects the target";
    /// The target is a broadcast address.
    BroadcastTarget = "broadcast_target", "the target is a broadcast address";
    /// The route to the target is of a kind that is never answered for.
    RouteKind = "route_kind", "the route to the target is not a unicast one";
    /// The arrival interface does not forward, so nothing but own addresses is answered for.
    ForwardingOff = "forwarding_off", "the interface does not forward, so it does not proxy";
    /// The interface behind the route has no IPv4.
    Ipv4DisabledBehind = "ipv4_disabled_behind", "the interface behind the route has no IPv4";

    // Source validation.
    /// The sender is one of the host's own addresses (`fib_validate_source()`).
    SenderLocal = "sender_local", "the sender is an address of this host";
    /// The route to the sender is not a unicast one.
    SenderKind = "sender_kind", "the sender is a broadcast or rejected address";
    /// Strict `rp_filter`: the route to the sender leaves by another interface.
    RpFilterStrict = "rp_filter_strict", "strict rp_filter: the route to the sender leaves elsewhere";
    /// `rp_filter` (strict or loose): no route that counts leads to the sender.
    RpFilterNoRoute = "rp_filter_no_route", "rp_filter: no route leads to the sender";

    // Own addresses.
    /// `arp_ignore` refuses (`arp_ignore()`).
    ArpIgnore = "arp_ignore", "arp_ignore refuses";
    /// `arp_filter` refuses (`arp_filter()`).
    ArpFilter = "arp_filter", "arp_filter refuses: the answer would leave by another interface";

    // IPv6.
    /// The interface is not in the target's solicited-node group (`ip6_mc_input()`).
    GroupNotJoined = "group_not_joined", "the interface does not listen to the target's solicited-node group";
    /// A probe is sent to the group; one sent to a single host is dropped.
    UnicastProbe = "unicast_probe", "a probe that is sent to one host is dropped";
    /// Duplicate address detection has not ended, or failed.
    Tentative = "tentative", "duplicate address detection has not ended, or has failed";
    /// Another interface holds the address: of IPv6 only that one answers.
    OtherInterface = "other_interface", "it is an address of another interface, which alone answers for it";
    /// The host has no address that the answer could be sent from (`ndisc_send_na()`).
    NoSourceAddress = "no_source_address", "there is no address here that the answer could be sent from";
    /// A permanent neighbour entry of the sender has another MAC, to which the answer goes.
    FixedNeighbour = "fixed_neighbour", "a permanent neighbour entry sends the answer to another MAC";

    // Others' addresses.
    /// The route to the target leaves by the arrival interface, and `proxy_arp_pvlan` is off.
    SameInterface = "same_interface", "the route to the target leaves by the arrival interface";
    /// `proxy_arp_pvlan` does not answer an announcement.
    PvlanAnnouncement = "pvlan_announcement", "proxy_arp_pvlan does not answer announcements";
    /// `proxy_arp` is on, but both interfaces share a medium (`medium_id`).
    MediumId = "medium_id", "medium_id forbids proxy_arp between the two interfaces";
    /// `proxy_ndp` is off, so the entry does not answer (`ndisc_recv_ns()`).
    ProxyNdpOff = "proxy_ndp_off", "there is a proxy entry for it, and proxy_ndp is off";
    /// Neither `proxy_arp` nor a proxy entry.
    NotProxied = "not_proxied", "it is neither an address of this host nor proxied here";
}

impl Reason {
    /// Whether this is a reason to answer.
    #[must_use]
    pub const fn answers(self) -> bool {
        matches!(self, Self::Local | Self::ProxyEntry | Self::ProxyArp | Self::ProxyPvlan | Self::Anycast)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for Reason {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl<'de> Deserialize<'de> for Reason {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let known = Self::ALL.iter().copied().find(|reason| reason.code() == code);
        known.ok_or_else(|| serde::de::Error::custom(format!("{code:?} is no reason that is known")))
    }
}
