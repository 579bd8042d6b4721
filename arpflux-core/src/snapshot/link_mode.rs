//! Modes and states of links, as types: the kernel's numbers, which are also what is written.

use serde::{Deserialize, Serialize};

macro_rules! numbers {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $value:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(from = "u32", into = "u32")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$each])* $variant,)*
            /// A number that this build does not know.
            Other(u32),
        }

        impl $name {
            /// The kernel's number.
            #[must_use]
            pub const fn number(self) -> u32 {
                match self { $(Self::$variant => $value,)* Self::Other(number) => number }
            }
        }

        impl From<u32> for $name {
            fn from(number: u32) -> Self {
                match number { $($value => Self::$variant,)* other => Self::Other(other) }
            }
        }

        impl From<$name> for u32 {
            fn from(value: $name) -> Self {
                value.number()
            }
        }
    };
}

numbers! {
    /// The mode of a macvlan or macvtap (`MACVLAN_MODE_*`).
    MacvlanMode {
        /// Talks to none of the others on the interface below.
        Private = 1,
        /// Talks to them by the switch outside.
        Vepa = 2,
        /// Talks to them.
        Bridge = 4,
        /// Takes the interface below for itself, with all that is sent to its MAC.
        Passthru = 8,
        /// Takes what certain senders send.
        Source = 16,
    }
}

numbers! {
    /// The mode of an ipvlan or ipvtap (`IPVLAN_MODE_*`).
    IpvlanMode {
        /// Ethernet and ARP of its own.
        L2 = 0,
        /// Routed, without ARP.
        L3 = 1,
        /// Routed, without ARP, through netfilter.
        L3s = 2,
    }
}

numbers! {
    /// The mode of a bond (`IFLA_BOND_MODE`).
    BondMode {
        /// `balance-rr`.
        BalanceRr = 0,
        /// `active-backup`.
        ActiveBackup = 1,
        /// `balance-xor`.
        BalanceXor = 2,
        /// `broadcast`.
        Broadcast = 3,
        /// `802.3ad`: LACP.
        Lacp = 4,
        /// `balance-tlb`.
        BalanceTlb = 5,
        /// `balance-alb`, which rewrites ARP answers.
        BalanceAlb = 6,
    }
}

numbers! {
    /// The state of a port of a bond (`IFLA_BOND_SLAVE_STATE`).
    BondPortState {
        /// It receives and sends.
        Active = 0,
        /// It drops what it receives.
        Backup = 1,
    }
}

numbers! {
    /// The state of a port of a bridge (`BR_STATE_*`).
    BridgePortState {
        /// Off.
        Disabled = 0,
        /// Spanning tree listens.
        Listening = 1,
        /// Spanning tree learns.
        Learning = 2,
        /// It forwards; in all other states it drops what it receives.
        Forwarding = 3,
        /// Spanning tree blocks it.
        Blocking = 4,
    }
}
