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
mod expression;
mod frame;
mod meta;
mod run;
mod set;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::types::IfIndex;

pub(crate) use address::{ranges, ranges_of_discovery};
pub use bytes::Bytes;
pub(crate) use compile::Rules;
pub use expression::{Comparison, Expression, Header, Meta};
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
    pub(crate) const fn title(self) -> &'static str {
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
