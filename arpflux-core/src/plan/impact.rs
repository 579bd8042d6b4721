//! Which requests are answered otherwise after a change: for all senders and all targets.
//!
//! The same classes as in [`crate::proof`] are used, of both snapshots at once, so nothing is sampled. Senders
//! are all addresses, the host's own included. Requests to all are asked about: one to an interface's MAC alone
//! is answered alike, only at once, or by the macvlan in mode passthru that takes it, as that macvlan's own
//! effects tell.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Plan;
use crate::error::Result;
use crate::policy::Policy;
use crate::predict::{Model, Verdict};
use crate::proof::{Space, View};
use crate::snapshot::{Interface, Snapshot};
use crate::types::{IfIndex, IfName, IpNet, Ipv4Net, Mac};

mod discovery;
mod turns;

use turns::Turns;

/// What a change does to answers. `Display` gives one line for each effect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Impact {
    /// Effects on addresses that the policy does not name come first, losses before gains.
    pub effects: Vec<Effect>,
}

/// Requests that fare otherwise afterwards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Effect {
    /// The interface that is asked.
    pub interface: IfName,
    /// What becomes different.
    pub turn: Turn,
    /// The addresses asked for.
    pub targets: Vec<Range>,
    /// Whether the policy names the addresses: its proxied ones, and those of its interfaces.
    pub named: bool,
    /// Whether all neighbours of the interface are among the senders; if it has no subnet: most of the world.
    pub neighbours: bool,
    /// Whether probes (sender 0.0.0.0) are among the senders.
    pub probes: bool,
    /// Whether announcements (sender and target the same) fare so as well. An answer to one tells its sender
    /// that the address is taken.
    pub announcements: bool,
    /// All senders, probes included.
    pub senders: Vec<Range>,
}

/// How a verdict changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Turn {
    /// There was an answer and there is none any more.
    Loses {
        /// The MAC that answered.
        mac: Mac,
    },
    /// Whether there is an answer cannot be told before or afterwards.
    Unclear,
    /// The answer has another MAC.
    Moves {
        /// The MAC before.
        from: Mac,
        /// The MAC afterwards.
        to: Mac,
    },
    /// There was no answer and now there is one.
    Gains {
        /// The MAC that answers.
        mac: Mac,
    },
}

/// Addresses from `first` to `last`, both included. Written as an address, a prefix or `first-last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Range {
    /// The first address.
    pub first: IpAddr,
    /// The last address.
    pub last: IpAddr,
}

impl Plan {
    /// What the plan does to answers on the host `before` was taken from. `policy` is the one the plan was
    /// made for: effects on what it does not name come first.
    ///
    /// # Errors
    /// As [`Snapshot::check`], also of what the plan makes of the host.
    pub fn impact(&self, before: &Snapshot, policy: &Policy) -> Result<Impact> {
        let after = before.with(&self.changes);
        Impact::between(before, &after, &named(policy, before))
    }
}

/// The addresses that a policy is about.
fn named(policy: &Policy, snapshot: &Snapshot) -> HashSet<IpAddr> {
    let proxied = policy.proxies.iter().flat_map(|proxy| proxy.addresses.iter().copied());
    let services = policy.services.iter().flat_map(|service| service.addresses.iter().copied());
    let listed = |index: IfIndex| match &policy.host.interfaces {
        Some(selectors) => snapshot
            .interface(index)
            .is_some_and(|interface| selectors.iter().any(|selector| selector.matches(interface))),
        None => snapshot.interface(index).is_some_and(Interface::speaks_arp),
    };
    let own = snapshot.addresses.iter().filter(|address| listed(address.interface));
    own.map(|address| address.local).chain(proxied).chain(services).collect()
}

impl Impact {
    /// Compares two states of one host. `named` are the addresses that somebody meant to change; effects on
    /// others come first.
    ///
    /// ```
    /// use std::collections::HashSet;
    ///
    /// use arpflux_core::plan::Impact;
    /// use arpflux_core::snapshot::Snapshot;
    ///
    /// let snapshot = Snapshot::default();
    /// assert!(Impact::between(&snapshot, &snapshot, &HashSet::new())?.effects.is_empty());
    /// # Ok::<(), arpflux_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Snapshot::check`], of either.
    pub fn between(before: &Snapshot, after: &Snapshot, named: &HashSet<IpAddr>) -> Result<Self> {
        before.check()?;
        after.check()?;
        Ok(Self::of(before, after, named))
    }

    /// The same of snapshots that were checked, or made of such ones by changes.
    pub(crate) fn of(before: &Snapshot, after: &Snapshot, named: &HashSet<IpAddr>) -> Self {
        let space = Space::new(&[before, after]);
        let models = [Model::of(before), Model::of(after)];
        let mut turns = Turns::new([&models[0], &models[1]], &space);
        let interfaces: BTreeSet<IfIndex> =
            before.interfaces.iter().chain(&after.interfaces).map(|interface| interface.index).collect();
        let mut effects = Vec::new();
        for index in interfaces {
            if let Some(interface) = after.interface(index).or_else(|| before.interface(index)) {
                let mut here = on_interface(&mut turns, interface, named);
                here.sort_by(|a, b| (&a.targets, a.turn).cmp(&(&b.targets, b.turn)));
                effects.extend(here);
            }
        }
        effects.extend(discovery::effects([&models[0], &models[1]], named));
        // By kind of change first, then (the sort is stable) in the order of the interfaces.
        effects.sort_by_key(|effect| {
            let kind = match effect.turn {
                Turn::Loses { .. } => 0,
                Turn::Unclear => 1,
                Turn::Moves { .. } => 2,
                Turn::Gains { .. } => 3,
            };
            (effect.named, kind)
        });
        Self { effects }
    }

    /// Effects on addresses that the policy does not name.
    pub fn victims(&self) -> impl Iterator<Item = &Effect> {
        self.effects.iter().filter(|effect| !effect.named)
    }
}

/// The classes of senders that are hosts of these subnets.
fn neighbours(space: &Space, view: &View, subnets: &[Ipv4Net]) -> BTreeSet<usize> {
    let hosts = subnets.iter().flat_map(|subnet| space.neighbours(*subnet));
    hosts.map(|(_, example)| view.senders.class_of(example.into())).collect()
}

/// The effects on requests that arrive on one interface.
fn on_interface(turns: &mut Turns<'_, '_>, interface: &Interface, named: &HashSet<IpAddr>) -> Vec<Effect> {
    let on = turns.on(interface.index);
    let of_class: Vec<usize> = on.view.targets.members.iter().map(|target| turns.row(&on, *target)).collect();
    // Classes of targets whose requests turn alike, whoever asks.
    let mut targets: BTreeMap<(usize, bool), Vec<Range>> = BTreeMap::new();
    for (first, last, class) in on.view.targets.intervals() {
        let row = of_class[class];
        if row != Turns::NONE {
            let is_named = first == last && named.contains(&IpAddr::V4(first.into()));
            join(targets.entry((row, is_named)).or_default(), first, last);
        }
    }
    if targets.is_empty() {
        return Vec::new();
    }
    let neighbours = turns.neighbours(&on);
    let probes = on.view.senders.class_of(Ipv4Addr::UNSPECIFIED);
    let mut effects = Vec::new();
    for ((row, is_named), targets) in targets {
        for number in turns.different(row) {
            let Some(turn) = turns.turn_on(&on, number) else { continue };
            let senders = turns.senders(&on, row, number);
            effects.push(Effect {
                interface: interface.name,
                turn,
                targets: targets.clone(),
                named: is_named,
                neighbours: if neighbours.is_empty() {
                    most(&senders)
                } else {
                    neighbours.iter().all(|class| turns.has(row, *class, number))
                },
                probes: turns.has(row, probes, number),
                announcements: turns.announced(row, number),
                senders,
            });
        }
    }
    effects
}

fn turn(before: &Verdict, after: &Verdict) -> Option<Turn> {
    match (before, after) {
        (Verdict::Answers { mac: from, .. }, Verdict::Answers { mac: to, .. }) => {
            (from != to).then_some(Turn::Moves { from: *from, to: *to })
        }
        (Verdict::Answers { mac, .. }, Verdict::Silent { .. }) => Some(Turn::Loses { mac: *mac }),
        (Verdict::Silent { .. }, Verdict::Answers { mac, .. }) => Some(Turn::Gains { mac: *mac }),
        (Verdict::Silent { .. }, Verdict::Silent { .. }) => None,
        // Both unknown for the same reasons: nothing can be said, before or afterwards.
        (Verdict::Undetermined { missing: a }, Verdict::Undetermined { missing: b }) if a == b => None,
        _ => Some(Turn::Unclear),
    }
}

/// Whether ranges hold more than half of all addresses.
fn most(ranges: &[Range]) -> bool {
    ranges.iter().map(|range| range.size_less_one() + 1).sum::<u128>() > 1 << 31
}

/// Adds an interval that lies behind all others, merging it with the last one if they touch.
fn join(ranges: &mut Vec<Range>, first: u32, last: u32) {
    extend(ranges, IpAddr::V4(first.into()), IpAddr::V4(last.into()));
}

/// The same of either family.
fn extend(ranges: &mut Vec<Range>, first: IpAddr, last: IpAddr) {
    if let Some(before) = ranges.last_mut()
        && before.last.is_ipv4() == first.is_ipv4()
        && bits(before.last).checked_add(1) == Some(bits(first))
    {
        before.last = last;
        return;
    }
    ranges.push(Range { first, last });
}

const fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits() as u128,
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Range {
    /// How many addresses it has besides the first.
    const fn size_less_one(&self) -> u128 {
        bits(self.last) - bits(self.first)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // All 2^128 addresses are one more than fits.
        let (behind, width) = (self.size_less_one(), if self.first.is_ipv4() { 32 } else { 128 });
        if behind == 0 {
            return self.first.fmt(f);
        }
        let ones = behind.trailing_ones();
        if behind > 1
            && ones == 128 - behind.leading_zeros()
            && bits(self.first) & behind == 0
            && let Ok(net) = IpNet::new(self.first, width - ones as u8)
        {
            return net.fmt(f);
        }
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::str::FromStr for Range {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |_| format!("{text:?} is no address, prefix or range of addresses");
        if let Some((first, last)) = text.split_once('-') {
            let range = Self { first: first.parse().map_err(wrong)?, last: last.parse().map_err(wrong)? };
            return if range.first <= range.last && range.first.is_ipv4() == range.last.is_ipv4() {
                Ok(range)
            } else {
                Err(format!("{text:?} ends before it begins"))
            };
        }
        if text.contains('/') {
            let net: IpNet = text.parse().map_err(|_| format!("{text:?} is no prefix"))?;
            return Ok(Self { first: net.network(), last: net.broadcast() });
        }
        text.parse().map(|address| Self { first: address, last: address }).map_err(wrong)
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// How many ranges are written out before the rest is only counted.
const SHOWN: usize = 4;

struct List<'a>(&'a [Range]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.0.iter().take(SHOWN).enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            range.fmt(f)?;
        }
        match self.0.len() {
            n if n > SHOWN => write!(f, " and {} more", n - SHOWN),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interface = &self.interface;
        match self.turn {
            Turn::Loses { .. } => write!(f, "{interface} no longer answers for {}", List(&self.targets))?,
            Turn::Gains { mac } => {
                write!(f, "{interface} answers for {} with {mac}", List(&self.targets))?;
            }
            Turn::Moves { from, to } => {
                write!(f, "{interface} answers for {} with {to} instead of {from}", List(&self.targets))?;
            }
            Turn::Unclear => write!(
                f,
                "whether {interface} answers for {} cannot be told before or afterwards",
                List(&self.targets)
            )?,
        }
        if self.senders.is_empty() {
            return f.write_str(" to announcements of them");
        }
        match (self.neighbours, self.probes) {
            (true, true) => Ok(()),
            (true, false) => f.write_str(" (probes fare as before)"),
            (false, true) if self.senders.len() == 1 && self.senders[0].last.is_unspecified() => {
                f.write_str(" to probes")
            }
            (false, _) => write!(f, " to senders {}", List(&self.senders)),
        }
    }
}

impl fmt::Display for Impact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.effects.is_empty() {
            return f.write_str("No answer changes.\n");
        }
        // What no neighbour asks and cannot be told anyhow (senders that are broadcast addresses, say) is
        // told of in one line, whichever interfaces and addresses it is about.
        let (odd, telling): (Vec<_>, Vec<_>) =
            self.effects.iter().partition(|effect| effect.turn == Turn::Unclear && !effect.neighbours);
        let headings = ["Addresses that the policy does not name:", "Addresses that the policy names:"];
        for (heading, named) in headings.into_iter().zip([false, true]) {
            let mut effects = telling.iter().filter(|effect| effect.named == named).peekable();
            if effects.peek().is_some() {
                writeln!(f, "{heading}")?;
            }
            for effect in effects {
                writeln!(f, "  {effect}")?;
            }
        }
        if odd.is_empty() {
            return Ok(());
        }
        let interfaces: BTreeSet<&IfName> = odd.iter().map(|effect| &effect.interface).collect();
        let mut senders: Vec<Range> = odd.iter().flat_map(|effect| &effect.senders).copied().collect();
        senders.sort_by_key(|range| (range.first, range.last));
        senders.dedup();
        writeln!(
            f,
            "Cannot be told, before or afterwards: some answers on {} to senders that are no neighbours there \
             ({}).",
            match interfaces.len() {
                1 => "one interface".to_owned(),
                count => format!("{count} interfaces"),
            },
            match senders.as_slice() {
                [] => "announcements".to_owned(),
                senders => List(senders).to_string(),
            },
        )
    }
}

#[cfg(test)]
mod tests;
