//! What a prediction cannot know.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! missing {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $text:literal, $how:literal;)*) => {
        /// Something that would decide and is not in the snapshot.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Missing { $($(#[$doc])* $variant),* }

        impl Missing {
            /// Everything that can be missing.
            pub const ALL: &'static [Missing] = &[$(Missing::$variant),*];

            /// The stable code, in snake_case, as in JSON.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// What is missing, for people.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// How to get it read or decided, for people.
            #[must_use]
            pub const fn how(self) -> &'static str {
                match self { $(Self::$variant => $how),* }
            }
        }
    };
}

missing! {
    /// Whether the routing rules were ever changed ([`crate::snapshot::RoutingMemory::rules_changed`]).
    RulesChanged = "rules_changed",
        "whether the routing rules were ever changed here: until then the tables local and main are one",
        "take the snapshot on the host itself as root: the kernel is asked then";
    /// Whether a local route was ever added ([`crate::snapshot::RoutingMemory::local_routes_added`]).
    LocalRoutesAdded = "local_routes_added",
        "whether a route of type local was ever added here: from then on senders are checked in full",
        "take the snapshot on the host itself as root: the kernel is asked then";
    /// Whether realms are in use ([`crate::snapshot::RoutingMemory::realms`]).
    Realms = "realms", "whether routes or rules have realms: with them senders are checked in full",
        "take the snapshot on the host itself: the kernel is asked then";
    /// Which of several next hops the kernel picks: its hash has a secret key.
    Multipath = "multipath", "which of several next hops the kernel's hash picks",
        "`ip route get` asks the kernel";
    /// Which of several equal default routes is in use: that depends on which gateways answer.
    DefaultRoute = "default_route", "which of several equal default routes the kernel considers alive",
        "`ip route get` asks the kernel; leave one default route of that metric";
    /// Which source address the kernel keeps for a nexthop object: one chosen when the object was made, or
    /// one chosen for the route after addresses changed.
    KeptSource = "kept_source", "which source address the kernel keeps for the nexthop object",
        "`ip route get` asks the kernel; name the source address in the route (src)";
    /// Which interface came first into the namespace: of that one an address is borrowed.
    BorrowedSource = "borrowed_source", "which interface came first into the namespace: the kernel borrows its address",
        "`ip route get` asks the kernel; name the source address in the route (src)";
    /// The kernel's version does not tell how it behaves here.
    KernelVersion = "kernel_version", "how this kernel behaves here: its version does not tell",
        "ask with frames: `arpflux probe` from another host of the wire";
    /// How a bond treats its ports and answers.
    Bond = "bond", "which of the bond's ports is active, or which port's MAC it answers with",
        "ask with frames: `arpflux probe` from another host of the wire";
    /// Which senders a macvlan in mode source takes.
    MacvlanSource = "macvlan_source", "which senders the macvlan in mode source takes",
        "`ip -d link show` lists them; ask with frames: `arpflux probe` from another host of the wire";
    /// An option of a bridge port decides, by what is not in the snapshot.
    BridgePort = "bridge_port", "what an option of the bridge (multicast_snooping) or of its port (locked, neigh_suppress, VLANs …) does with the frames",
        "`ip -d link`, `bridge -d link` and `bridge vlan` show it; ask with frames: `arpflux probe` from another host of the wire";
    /// An option of a link that is not modelled, or that this build does not know, is set.
    LinkOption = "link_option", "what an option of the link does with ARP frames that is not modelled",
        "`ip -d link` shows it; ask with frames: `arpflux probe` from another host of the wire";
    /// The snapshot is of a program that did not read all options of links ([`crate::snapshot::Reads`]).
    OldSnapshot = "old_snapshot", "options of the link: the snapshot was taken by a version that did not read them",
        "take the snapshot anew";
    /// nftables, arptables or ebtables rules see ARP frames.
    Netfilter = "netfilter", "what nftables, arptables or ebtables do with ARP frames",
        "`nft list ruleset` (or arptables, ebtables) shows them; ask with frames: `arpflux probe` from another host of the wire";
    /// A traffic control filter sees the frames.
    TrafficControl = "traffic_control", "what the traffic control filter on the interface does with ARP frames",
        "`tc filter show dev IFACE ingress` and `egress` show it; ask with frames: `arpflux probe` from another host of the wire";
    /// An XDP program sees the frames.
    Xdp = "xdp", "what the XDP program on the interface does with ARP frames",
        "`bpftool net` shows it; ask with frames: `arpflux probe` from another host of the wire";
    /// A program listens for ARP and may answer.
    Listener = "listener", "whether a program that listens for ARP answers",
        "`ss -0 -p` names it; ask with frames: `arpflux probe` from another host of the wire";
    /// The machine's neighbour table is full: whether there is room for whoever asks.
    NeighbourTable = "neighbour_table",
        "whether the kernel still finds room for the sender in its full neighbour table (gc_thresh3)",
        "raise net.ipv4.neigh.default.gc_thresh3";
    /// Part of the host's state could not be read.
    Unreadable = "unreadable", "state that could not be read",
        "run it, or take the snapshot, as root";
    /// The snapshot has no [`crate::snapshot::Discovery`].
    Discovery = "discovery", "what decides about neighbour discovery, of which the snapshot has nothing",
        "take the snapshot again with this version";
    /// How an interface of this kind treats solicitations: not compared with a kernel yet.
    Kind = "kind", "how an interface of this kind (VRF, ipvlan) treats neighbour solicitations",
        "ask with frames: `ndisc6` from another host of the wire";
    /// Which IPv6 rule or route is taken.
    Ipv6Route = "ipv6_route", "which IPv6 rule or route the kernel takes",
        "`ip -6 route get` asks the kernel";
    /// Whose MAC a permanent neighbour entry has.
    NeighbourEntry = "neighbour_entry", "whether the permanent neighbour entry of the sender has its MAC",
        "`ip -6 neigh show nud permanent` lists such entries";
    /// Which wire an interface without an address is on.
    Wire = "wire", "which wire an interface without an address is on",
        "`arpflux segments` finds it out with frames";
    /// What is heard on a wire that the peer who asks is not on.
    Peer = "peer", "what is answered on a wire that the peer is not on",
        "ask from a peer on that wire (--peer), or the host itself (--wire self)";
    /// Something that runs at boot was not followed ([`Unfollowed`](crate::persist::Unfollowed)).
    BootFile = "boot_file", "what files that are run at boot set, which were not followed",
        "`arpflux diagnose --persisted` lists them by file and line";
}

/// A set of [`Missing`]. `Copy`, so that a verdict allocates nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MissingSet(u32);

impl MissingSet {
    /// Nothing.
    pub const NONE: MissingSet = MissingSet(0);

    /// Only this.
    #[must_use]
    pub const fn only(missing: Missing) -> Self {
        Self(1 << missing as u32)
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing is missing.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether it holds `missing`.
    #[must_use]
    pub const fn contains(self, missing: Missing) -> bool {
        self.0 & (1 << missing as u32) != 0
    }

    /// What it holds.
    pub fn iter(self) -> impl Iterator<Item = Missing> {
        Missing::ALL.iter().copied().filter(move |missing| self.contains(*missing))
    }
}

impl fmt::Debug for MissingSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl fmt::Display for MissingSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, missing) in self.iter().enumerate() {
            if i > 0 {
                f.write_str("; ")?;
            }
            f.write_str(missing.text())?;
        }
        Ok(())
    }
}

impl Serialize for Missing {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

impl Serialize for MissingSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for MissingSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let missing = Vec::<Missing>::deserialize(deserializer)?;
        Ok(missing.into_iter().fold(Self::NONE, |all, one| all.and(Self::only(one))))
    }
}

impl<'de> Deserialize<'de> for Missing {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let code = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        let known = Self::ALL.iter().copied().find(|missing| missing.code() == code);
        known.ok_or_else(|| serde::de::Error::custom(format!("{code:?} is nothing that can be missing")))
    }
}
