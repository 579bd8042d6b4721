//! The steps of rules.

use serde::{Deserialize, Serialize};

use super::{Bytes, Verdict};

/// How two values are compared, byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Less.
    Less,
    /// Less or equal.
    AtMost,
    /// Greater.
    Greater,
    /// Greater or equal.
    AtLeast,
}

/// From where an offset counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Header {
    /// The Ethernet header.
    Link,
    /// The ARP or IPv6 packet.
    #[serde(alias = "arp")]
    Network,
    /// The message of ICMPv6, which an ARP frame has not.
    Transport,
    /// What neither has.
    None,
}

/// What is known of a frame beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Meta {
    /// Its EtherType.
    Protocol,
    /// The family of the hook.
    Family,
    /// The mark that rules before set.
    Mark,
    /// Whether it is for this host, for all, for others.
    PacketType,
    /// The interface it came in by.
    Iif,
    /// The interface it goes out by.
    Oif,
    /// The name of the interface it came in by.
    Iifname,
    /// The name of the interface it goes out by.
    Oifname,
    /// The hardware type of the interface it came in by.
    Iiftype,
    /// The hardware type of the interface it goes out by.
    Oiftype,
    /// The group of the interface it came in by.
    Iifgroup,
    /// The group of the interface it goes out by.
    Oifgroup,
    /// The protocol in the IPv6 packet, which an ARP frame has not.
    L4protocol,
    /// The state of the connection, of ip6 and inet: neighbour discovery is not tracked (`nf_conntrack_icmpv6_error()`).
    ConntrackState,
    /// What none of these frames has: rules that ask for it do not match.
    Absent,
    /// Anything else: its length, the time, the processor …
    Unknown,
}

/// One step of a rule. Registers are counted in words of four bytes, as `NFT_REG32_00` and its like: 0 to 19.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Expression {
    /// Loads bytes of the frame.
    Load {
        /// From where.
        header: Header,
        /// The first byte.
        offset: u32,
        /// How many.
        len: u32,
        /// Into which register.
        register: u8,
    },
    /// Writes bytes of the frame.
    Write {
        /// From where.
        header: Header,
        /// The first byte.
        offset: u32,
        /// How many.
        len: u32,
        /// From which register.
        register: u8,
    },
    /// Loads what is known beside.
    LoadMeta {
        /// What.
        meta: Meta,
        /// Into which register.
        register: u8,
    },
    /// Sets what is known beside.
    SetMeta {
        /// What.
        meta: Meta,
        /// From which register.
        register: u8,
    },
    /// The rule goes on if a register compares so.
    Compare {
        /// The register.
        register: u8,
        /// How.
        by: Comparison,
        /// With what.
        value: Bytes,
    },
    /// The rule goes on if a register lies between two values, both included.
    Range {
        /// The register.
        register: u8,
        /// If it does not.
        negated: bool,
        /// The lowest.
        from: Bytes,
        /// The highest.
        to: Bytes,
    },
    /// `to = from & mask ^ xor`.
    Mask {
        /// The register read.
        from: u8,
        /// The register written.
        to: u8,
        /// And.
        mask: Bytes,
        /// Exclusive or.
        xor: Bytes,
    },
    /// The rule goes on if a register is in a set; of a map, what it gives is loaded.
    Lookup {
        /// The set.
        set: String,
        /// The register.
        register: u8,
        /// If it is not.
        negated: bool,
        /// Into which register a map's value goes; 0: it is a verdict.
        to: Option<u8>,
    },
    /// Loads a constant.
    Value {
        /// Into which register.
        register: u8,
        /// What.
        value: Bytes,
    },
    /// Decides.
    Decide {
        /// What.
        verdict: Verdict,
    },
    /// Writes addresses of the ARP packet (`arptables -j mangle`), and decides.
    Mangle {
        /// `struct arpt_mangle`'s flags: 1 sender's MAC, 2 target's MAC, 4 sender's address, 8 target's address.
        flags: u8,
        /// The sender's MAC.
        sender_mac: Bytes,
        /// The target's MAC.
        target_mac: Bytes,
        /// The sender's address.
        sender: Bytes,
        /// The target's address.
        target: Bytes,
        /// What then.
        verdict: Verdict,
    },
    /// Something that is not understood, or whose outcome cannot be known (`limit`): it may let the rule go on or
    /// not, or drop the frame.
    Unknown {
        /// As the kernel names it.
        name: String,
    },
}
