//! What a prediction cannot know.

use std::fmt;

use serde::Serialize;

macro_rules! missing {
    ($($(#[$doc:meta])* $variant:ident = $code:literal, $text:literal;)*) => {
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
        }
    };
}

missing! {
    /// Whether the routing rules were ever changed ([`crate::snapshot::RoutingMemory::rules_changed`]).
    RulesChanged = "rules_changed",
        "whether the routing rules were ever changed here: until then the tables local and main are one";
    /// Whether a local route was ever added ([`crate::snapshot::RoutingMemory::local_routes_added`]).
    LocalRoutesAdded = "local_routes_added",
        "whether a route of type local was ever added here: from then on senders are checked in full";
    /// Whether realms are in use ([`crate::snapshot::RoutingMemory::realms`]).
    Realms = "realms", "whether routes or rules have realms: with them senders are checked in full";
    /// Which of several next hops the kernel picks: its hash has a secret key.
    Multipath = "multipath", "which of several next hops the kernel's hash picks";
    /// Which of several equal default routes is in use: that depends on which gateways answer.
    DefaultRoute = "default_route", "which of several equal default routes the kernel considers alive";
    /// Which source address the kernel keeps for a nexthop object: one chosen when the object was made, or
    /// one chosen for the route after addresses changed.
    KeptSource = "kept_source", "which source address the kernel keeps for the nexthop object";
    /// The kernel's version does not tell how it behaves here.
    KernelVersion = "kernel_version", "how this kernel behaves here: its version does not tell";
    /// How a bond treats its ports and answers.
    Bond = "bond", "which of the bond's ports is active, or which port's MAC it answers with";
    /// Which senders a macvlan in mode source takes.
    MacvlanSource = "macvlan_source", "which senders the macvlan in mode source takes";
    /// nftables, arptables or ebtables rules see ARP frames.
    Netfilter = "netfilter", "what nftables, arptables or ebtables do with ARP frames";
    /// A traffic control filter sees the frames.
    TrafficControl = "traffic_control", "what the traffic control filter on the interface does with ARP frames";
    /// An XDP program sees the frames.
    Xdp = "xdp", "what the XDP program on the interface does with ARP frames";
    /// A program listens for ARP and may answer.
    Listener = "listener", "whether a program that listens for ARP answers";
    /// The machine's neighbour table is full: whether there is room for whoever asks.
    NeighbourTable = "neighbour_table",
        "whether the kernel still finds room for the sender in its full neighbour table (gc_thresh3)";
    /// Part of the host's state could not be read.
    Unreadable = "unreadable", "state that could not be read";
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
