//! Policy routing rules (`net/core/fib_rules.c`, `net/ipv4/fib_rules.c`).

use foldhash::{HashMap, HashMapExt as _};

use super::fib::Flow;
use super::index::Port;
use super::packet::Packet;
use crate::snapshot::{Rule, RuleAction, RuleFlags, Snapshot, table};
use crate::types::{IfName, IpNet};

/// An IPv4 rule made ready: names are numbers, the goto's target a place in the list.
#[derive(Debug, Clone)]
pub(super) struct ReadyRule {
    /// Where it is in the snapshot.
    pub(super) place: u32,
    pub(super) priority: u32,
    source: (u32, u32),
    destination: (u32, u32),
    iif: Option<Selector>,
    oif: Option<Selector>,
    /// Something that no ARP look-up ever has: a type of service, mark, tunnel, protocol, port or user.
    never: bool,
    /// What of that it asks for.
    wants: Wants,
    pub(super) invert: bool,
    pub(super) l3mdev: bool,
    pub(super) action: RuleAction,
    pub(super) table: u32,
    /// Where to go on; `None`: the target does not exist.
    pub(super) target: Option<usize>,
    pub(super) suppress_prefix_len: Option<u32>,
    pub(super) suppress_group: Option<u32>,
}

/// The IPv4 rules of a namespace, in order, with an index of those for single sources: hosts with source
/// routing have one for each address, and the kernel looks at all of them for each packet.
#[derive(Debug)]
pub(super) struct Rules {
    list: Vec<ReadyRule>,
    /// The places of rules for a single source, by that source. Empty where there are few.
    of_source: HashMap<u32, Vec<u32>>,
    /// The places of the others.
    others: Vec<u32>,
}

/// With fewer rules for single sources than this, looking at each is as quick as a hash.
const FEW: usize = 8;

impl Rules {
    /// The IPv4 rules of a snapshot.
    pub(super) fn new(snapshot: &Snapshot, ports: &[Port]) -> Self {
        let list = ReadyRule::all(snapshot, ports);
        let single = |rule: &&ReadyRule| rule.source.1 == u32::MAX && !rule.invert;
        let indexed = list.iter().filter(single).count() >= FEW;
        let mut rules = Self { list, of_source: HashMap::new(), others: Vec::new() };
        for (place, rule) in (0..).zip(&rules.list) {
            if indexed && single(&rule) {
                rules.of_source.entry(rule.source.0).or_default().push(place);
            } else {
                rules.others.push(place);
            }
        }
        rules
    }

    /// All of them.
    pub(super) fn all(&self) -> &[ReadyRule] {
        &self.list
    }

    /// The first rule from place `at` on that may match packets from `source`.
    #[inline(always)]
    pub(super) fn next(&self, at: usize, source: u32) -> Option<(usize, &ReadyRule)> {
        let from = |places: &[u32]| {
            let next = places.partition_point(|place| (*place as usize) < at);
            places.get(next).copied()
        };
        let own = if self.of_source.is_empty() { None } else { self.of_source.get(&source) };
        let own = own.and_then(|places| from(places));
        let place = own.into_iter().chain(from(&self.others)).min()? as usize;
        Some((place, &self.list.as_slice()[place]))
    }
}

/// An `iif` or `oif`.
#[derive(Debug, Clone, Copy)]
struct Selector {
    /// The interface's number; `None`: there is no such interface, so it matches nothing.
    index: Option<u32>,
    vrf: bool,
}

/// Whether a rule matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    Yes,
    No,
    /// It matches if `iif` and `oif` count the VRF of the port.
    IfVrfCounts,
    /// It matches unless they do (an inverted rule).
    UnlessVrfCounts,
}

impl ReadyRule {
    /// The IPv4 rules of a snapshot, in order.
    fn all(snapshot: &Snapshot, ports: &[Port]) -> Vec<Self> {
        let by_name: HashMap<IfName, &Port> =
            if snapshot.rules.iter().any(|rule| rule.iif.or(rule.oif).is_some()) {
                let named = ports.iter().map(|port| (snapshot.interfaces[port.place as usize].name, port));
                named.rev().collect()
            } else {
                HashMap::new()
            };
        let selector = |name: &Option<IfName>, detached: bool| {
            name.as_ref().map(|name| {
                if detached {
                    return Selector { index: None, vrf: false };
                }
                let found = by_name.get(name).copied().or_else(|| {
                    let called = |port: &&Port| snapshot.interfaces[port.place as usize].is_called(name);
                    ports.iter().find(called)
                });
                Selector { index: found.map(|port| port.index), vrf: found.is_some_and(|port| port.vrf) }
            })
        };
        let mut rules: Vec<Self> = snapshot
            .rules
            .iter()
            .enumerate()
            .filter(|(_, rule)| !rule.ipv6)
            .map(|(place, rule)| Self {
                place: place as u32,
                priority: rule.priority,
                source: prefix(rule.source.as_ref()),
                destination: prefix(rule.destination.as_ref()),
                iif: selector(&rule.iif, rule.flags.contains(RuleFlags::IIF_DETACHED)),
                oif: selector(&rule.oif, rule.flags.contains(RuleFlags::OIF_DETACHED)),
                never: never(rule),
                wants: Wants::of(rule),
                invert: rule.flags.contains(RuleFlags::INVERT),
                l3mdev: rule.l3mdev,
                action: rule.action,
                table: rule.table,
                target: None,
                suppress_prefix_len: rule.suppress_prefix_len,
                suppress_group: rule.suppress_group,
            })
            .collect();
        rules.sort_by_key(|rule| rule.priority);
        for at in 0..rules.len() {
            if let Some(goto) = snapshot.rules[rules[at].place as usize].goto {
                // The kernel takes no jump backwards; a list that has one all the same must not loop here.
                rules[at].target = rules.iter().position(|rule| rule.priority == goto).filter(|to| *to > at);
            }
        }
        rules
    }

    /// `fib_rule_match()` and `fib4_rule_match()`.
    pub(super) fn matches(&self, flow: &Flow) -> Match {
        let interface = |selector: &Option<Selector>, index: u32| match selector {
            None => Match::Yes,
            Some(Selector { index: Some(wanted), .. }) if *wanted == index => Match::Yes,
            Some(Selector { index: Some(wanted), vrf: true }) if *wanted == flow.l3mdev => Match::IfVrfCounts,
            Some(_) => Match::No,
        };
        let (iif, oif) = (interface(&self.iif, flow.iif), interface(&self.oif, flow.oif));
        let passes = match &flow.packet {
            None => !self.never,
            Some(packet) => self.wants.met_by(packet),
        };
        let plain = passes
            && (flow.source ^ self.source.0) & self.source.1 == 0
            && (flow.destination ^ self.destination.0) & self.destination.1 == 0
            && (!self.l3mdev || flow.l3mdev != 0);
        let matches = if !plain || iif == Match::No || oif == Match::No {
            Match::No
        } else if iif == Match::IfVrfCounts || oif == Match::IfVrfCounts {
            Match::IfVrfCounts
        } else {
            Match::Yes
        };
        match (matches, self.invert) {
            (matches, false) => matches,
            (Match::Yes, true) => Match::No,
            (Match::No, true) => Match::Yes,
            (_, true) => Match::UnlessVrfCounts,
        }
    }

    /// The interfaces that it names.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = u32> {
        [&self.iif, &self.oif].into_iter().flatten().filter_map(|selector| selector.index)
    }

    /// Where this rule's answer may change, in addresses of senders and targets.
    pub(super) fn boundaries(&self) -> impl Iterator<Item = u32> {
        [self.source, self.destination]
            .into_iter()
            .filter(|(_, mask)| *mask != 0)
            .flat_map(|(net, mask)| [net, (net | !mask).wrapping_add(1)])
    }
}

/// Whether the IPv4 rules are the three that every namespace starts with.
pub(super) fn are_default(rules: &[ReadyRule], snapshot: &Snapshot) -> bool {
    let plain = |rule: &ReadyRule, priority: u32, table: u32| {
        let original = &snapshot.rules[rule.place as usize];
        rule.priority == priority
            && rule.table == table
            && rule.action == RuleAction::Table
            && original.source.is_none()
            && original.destination.is_none()
            && rule.iif.is_none()
            && rule.oif.is_none()
            && !rule.never
            && !rule.invert
            && !rule.l3mdev
            && rule.suppress_prefix_len.is_none()
            && rule.suppress_group.is_none()
    };
    matches!(rules, [local, main, default]
        if plain(local, 0, table::LOCAL) && plain(main, 32766, table::MAIN) && plain(default, 32767, table::DEFAULT))
}

fn prefix(net: Option<&IpNet>) -> (u32, u32) {
    match net {
        Some(IpNet::V4(net)) => (net.network().to_bits(), net.netmask().to_bits()),
        _ => (0, 0),
    }
}

/// What a rule asks of a packet beside its addresses and interfaces.
#[derive(Debug, Clone, Copy)]
struct Wants {
    tos: u8,
    mark: (u32, u32),
    tunnel: u64,
    protocol: Option<u8>,
    source_ports: Option<(u16, u16)>,
    destination_ports: Option<(u16, u16)>,
    users: Option<(u32, u32)>,
}

impl Wants {
    fn of(rule: &Rule) -> Self {
        Self {
            tos: rule.tos,
            mark: (rule.fwmark, rule.fwmask),
            tunnel: rule.tunnel_id.unwrap_or(0),
            protocol: rule.ip_protocol.filter(|protocol| *protocol != 0),
            source_ports: rule.source_ports,
            destination_ports: rule.destination_ports,
            users: rule.uids,
        }
    }

    /// `fib_rule_match()` and `fib4_rule_match()`.
    fn met_by(&self, packet: &Packet) -> bool {
        let within = |range: Option<(u16, u16)>, port: u16| {
            range.is_none_or(|(first, last)| (first..=last).contains(&port))
        };
        (self.tos == 0 || self.tos == packet.tos)
            && (packet.mark ^ self.mark.0) & self.mark.1 == 0
            && self.tunnel == 0
            && self.protocol.is_none_or(|protocol| protocol == packet.protocol)
            && within(self.source_ports, packet.source_port)
            && within(self.destination_ports, packet.destination_port)
            && self.users.is_none_or(|(first, last)| (first..=last).contains(&packet.user))
    }
}

/// ARP look-ups have no type of service, mark, tunnel id, protocol or port, and the user id 0.
fn never(rule: &Rule) -> bool {
    rule.tos != 0
        || rule.fwmark & rule.fwmask != 0
        || rule.tunnel_id.is_some_and(|id| id != 0)
        || rule.ip_protocol.is_some_and(|protocol| protocol != 0)
        || rule.source_ports.is_some()
        || rule.destination_ports.is_some()
        || rule.uids.is_some_and(|(first, _)| first > 0)
}
