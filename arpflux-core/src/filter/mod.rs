//! Packet filters as far as frames of ARP and of neighbour discovery pass them: the rules as data, and what they do with
//! a frame.
//!
//! Of nftables the families arp, netdev, bridge, ip6 and inet are read (`arptables`, `ebtables` and `ip6tables` over
//! nftables write these). ARP never passes those of ip6 and inet: `nft_do_chain_inet_ingress()` lets everything but IP
//! pass. The rules of the older `arptables` and `ebtables` and the filters of traffic control are told in the same words.
//!
//! `Rules` says what becomes of a frame. What an expression does that is not understood, or that depends on what is
//! not known (a limit, a MAC, the time), is asked of whoever evaluates, who tries every possibility: only where these
//! end differently is anything left open.

mod address;
mod bytes;
mod compile;
mod frame;
mod run;
mod set;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::types::IfIndex;

pub(crate) use address::{ranges, ranges_of_discovery};
pub use bytes::Bytes;
pub(crate) use compile::Rules;
pub(crate) use frame::{
    BROADCAST, Content, Device, Devices, DiscoveryContent, Frame, HOST, MULTICAST, OTHERHOST, Protocol,
};
pub(crate) use run::Fate;

/// Chains, with all that they jump to, and the sets that their rules look into.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Filters {
    /// The chains.
    pub chains: Vec<Chain>,
    /// The sets and maps.
    pub sets: Vec<Set>,
}

impl Filters {
    /// The chains of which it cannot be told what they do with every frame, as their tools name them.
    #[must_use]
    pub fn open(&self) -> Vec<String> {
        [self.open_of(Protocol::Arp, false), self.open_of(Protocol::Arp, true)].concat()
    }

    /// Those that frames of a protocol pass: of traffic control, or the others.
    pub(crate) fn open_of(&self, protocol: Protocol, traffic_control: bool) -> Vec<String> {
        let asked = |chain: &&Chain| {
            protocol.passes(chain.family) && (chain.family == Family::TrafficControl) == traffic_control
        };
        let changes = |chain: &Chain, name: &String| {
            let of = |set: &&Set| (set.family, &set.table, &set.name) == (chain.family, &chain.table, name);
            self.sets.iter().find(of).is_none_or(|set| set.changes)
        };
        let open = |chain: &&Chain| {
            chain.rules.iter().flatten().any(|expression| match expression {
                Expression::Unknown { .. }
                | Expression::LoadMeta { meta: Meta::Unknown, .. }
                | Expression::Decide { verdict: Verdict::Unknown } => true,
                Expression::Lookup { set, .. } => changes(chain, set),
                _ => false,
            })
        };
        let of = |open: &dyn Fn(&&Chain) -> bool| -> Vec<String> {
            self.chains.iter().filter(asked).filter(open).map(Chain::title).collect()
        };
        let named = of(&open);
        if named.is_empty() { of(&|_| true) } else { named }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chains.is_empty()
    }
}

/// Which frames a table is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// ARP of this host itself.
    Arp,
    /// Frames that pass a bridge.
    Bridge,
    /// Frames of single devices.
    Netdev,
    /// The tables of `arptables` as it was before nftables; called where those of [`Family::Arp`] are.
    Arptables,
    /// The tables of `ebtables` as it was before nftables; called where those of [`Family::Bridge`] are.
    Ebtables,
    /// Traffic control: each device is a table, its hook a chain, each filter a rule.
    TrafficControl,
    /// IPv6.
    Ip6,
    /// IPv4 and IPv6; its chains are called where those of [`Family::Ip6`] are, on ingress where those of
    /// [`Family::Netdev`] are.
    Inet,
}

impl Family {
    /// The family whose hooks call it.
    const fn hooked(self, hook: Hook) -> Self {
        match self {
            Self::Arptables => Self::Arp,
            Self::Ebtables => Self::Bridge,
            Self::Inet if matches!(hook, Hook::Ingress) => Self::Netdev,
            Self::Inet => Self::Ip6,
            Self::Arp | Self::Bridge | Self::Netdev | Self::TrafficControl | Self::Ip6 => self,
        }
    }

    /// What its tool calls it.
    const fn title(self) -> &'static str {
        match self {
            Self::Arp => "nftables arp",
            Self::Bridge => "nftables bridge",
            Self::Netdev => "nftables netdev",
            Self::Arptables => "arptables",
            Self::Ebtables => "ebtables",
            Self::TrafficControl => "tc",
            Self::Ip6 => "nftables ip6",
            Self::Inet => "nftables inet",
        }
    }
}

/// Where a chain is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Hook {
    /// Netdev, inet and traffic control: a frame came in.
    Ingress,
    /// Netdev and traffic control: a frame goes out.
    Egress,
    /// Bridge: a frame came in by a port. Ip6 and inet: a packet came in.
    Prerouting,
    /// All but netdev and traffic control: it is for this host.
    Input,
    /// The same: this host sends it.
    Output,
    /// Bridge: it goes out by a port. Ip6 and inet: it goes out.
    Postrouting,
}

/// A chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Chain {
    /// Of which family.
    pub family: Family,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// Where the kernel calls it; `None`: other chains jump to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Base>,
    /// Its rules.
    pub rules: Vec<Vec<Expression>>,
}

impl Chain {
    /// A chain that the kernel calls at a hook, without rules: frames pass.
    #[must_use]
    pub fn at(hook: Hook, family: Family, table: &str, name: &str) -> Self {
        let base = Base { hook, priority: 0, drops: false, devices: Vec::new() };
        Self { family, table: table.into(), name: name.into(), base: Some(base), rules: Vec::new() }
    }

    /// The same with the policy to drop frames that no rule decides about.
    #[must_use]
    pub fn dropping(mut self) -> Self {
        if let Some(base) = &mut self.base {
            base.drops = true;
        }
        self
    }

    setters!(rules: Vec<Vec<Expression>>);

    /// `nftables arp filter INPUT`, `arptables filter INPUT`, `tc eth0 ingress`.
    #[must_use]
    pub fn title(&self) -> String {
        format!("{} {} {}", self.family.title(), self.table, self.name)
    }
}

/// Where and when the kernel calls a chain, and what becomes of frames that no rule decides about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Base {
    /// Where.
    pub hook: Hook,
    /// Chains of one hook are called from the lowest to the highest.
    pub priority: i32,
    /// The policy: whether frames that no rule decides about are dropped.
    #[serde(default)]
    pub drops: bool,
    /// On ingress and egress: the devices by name; one that ends in `*` means all that begin so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<String>,
}

/// A set, or a map from keys to values or verdicts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Set {
    /// Of which family.
    pub family: Family,
    /// Its table.
    pub table: String,
    /// Its name.
    pub name: String,
    /// The lengths of the fields of its keys, in bytes; each begins at a multiple of four.
    pub fields: Vec<u8>,
    /// Frames add elements to it or elements expire: what is in it is not known.
    #[serde(default)]
    pub changes: bool,
    /// What is in it.
    pub elements: Vec<Element>,
    /// What a map gives for all other keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub otherwise: Option<Answer>,
}

/// Keys of a set from one to another, both included, by field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Element {
    /// The lowest key.
    pub from: Bytes,
    /// The highest.
    pub to: Bytes,
    /// What a map gives for them.
    #[serde(default, skip_serializing_if = "Answer::is_nothing")]
    pub answer: Answer,
}

/// What a set or map gives for a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Of a set: that it is there.
    #[default]
    Nothing,
    /// A value.
    Value(Bytes),
    /// A verdict.
    Verdict(Verdict),
}

impl Answer {
    fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

/// What a rule decides.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The next chain of the hook is called.
    Accept,
    /// The frame is dropped.
    Drop,
    /// The next rule is looked at.
    Continue,
    /// The same, whatever the rest of this rule says.
    Break,
    /// The chain ends.
    Return,
    /// Another chain is called, and this one goes on where that one ends.
    Jump(String),
    /// Another chain takes this one's place.
    Goto(String),
    /// Traffic control hands the frame to another interface.
    Redirect {
        /// That interface.
        to: IfIndex,
        /// As if it came in there, not to go out.
        arrives: bool,
    },
    /// Something else decides: a program (`queue`), or what this build does not know.
    Unknown,
}

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
