//! Which addresses the model cannot tell apart.
//!
//! [`crate::predict::Model::reply`] looks at sender and target only through these questions, and each
//! has a layer here; two addresses with equal answers to all of them are interchangeable:
//!
//! - Is it in one of the special ranges (0.0.0.0, 0/8, 127/8, 224/4, 240/4, 255.255.255.255)?
//! - Which routes of a table cover it, longest prefix first? Routes that differ only in destination
//!   (and on the same side of every `suppress_prefixlength`) count as one, because a lookup that
//!   would take the second takes the first. Tables local and main are one layer, because they are
//!   one trie until the rules are changed for the first time.
//! - Which rules' `from` or `to` cover it? A run of neighbouring rules that test nothing but one of the
//!   two works like a list of lookups; equal lookups count once.
//! - Is it an address of the host, held by which interface, with which scope? Is it in the subnet of one?
//! - As a target: is there a proxy entry for it without a device, or on the arrival interface?
//! - In which of the ranges is it that rules of nftables compare with?
//! - Where `arp_ignore` is 2 on the arrival interface: in which of its subnets is it?
//!
//! Beyond that the model compares sender and target for equality, so the diagonal (a request for the
//! sender's own address) is treated apart.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use foldhash::{HashMap, HashMapExt as _};

use super::layer::{Layer, Order, Runs};
use super::split::Split;
use crate::filter;
use crate::snapshot::{Interface, MacvlanMode, RouteKind, Rule, RuleFlags, Snapshot, table};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, IpNet, Ipv4Net};

/// The classes of senders and of targets on all interfaces of some snapshots.
#[derive(Debug)]
pub(crate) struct Space {
    senders: Rc<Split>,
    targets: Rc<Split>,
    /// The longest prefix of a route around each interval of `senders`.
    longest: Vec<u8>,
    /// What counts on one interface only.
    extras: HashMap<IfIndex, Extras>,
}

/// The classes that count on one interface.
#[derive(Debug, Clone)]
pub(crate) struct View {
    /// Classes of senders.
    pub(crate) senders: Rc<Split>,
    /// Classes of targets; each lies within one class of senders.
    pub(crate) targets: Rc<Split>,
}

#[derive(Debug, Default)]
struct Extras {
    subnets: Layer,
    proxies: Layer,
}

impl Space {
    /// The coarsest classes that serve all of `snapshots` at once.
    pub(crate) fn new(snapshots: &[&Snapshot]) -> Self {
        let mut layers = vec![special_ranges()];
        let mut cuts = Vec::new();
        let mut extras: HashMap<IfIndex, Extras> = HashMap::new();
        let mut everywhere = Layer::default();
        let mut points = Vec::new();
        let mut lengths = Layer::default();
        let mut subnet_keys = HashMap::new();
        for (number, snapshot) in (0..).zip(snapshots) {
            layers.extend(route_layers(snapshot, &mut lengths));
            layers.push(rule_layer(snapshot));
            layers.push(address_layer(snapshot));
            layers.push(filter_layer(snapshot));
            subnets(snapshot, &mut subnet_keys, &mut cuts, &mut extras);
            proxies(snapshot, number, &mut everywhere, &mut points, &mut extras);
        }
        let senders = Split::new(&layers, cuts);
        let lengths = lengths.runs(Order::Nearest);
        let mut run = 0;
        let longest = senders
            .starts
            .iter()
            .map(|start| {
                while lengths.starts.get(run + 1).is_some_and(|next| next <= start) {
                    run += 1;
                }
                lengths.keys[lengths.chains[run] as usize].first().map_or(0, |length| *length as u8)
            })
            .collect();
        // Targets start from the classes of senders, cut at each proxy entry.
        let cut = Split::new(&[], senders.starts.iter().copied().chain(points));
        let mut of = 0;
        let inherited = Split {
            of: cut
                .starts
                .iter()
                .map(|start| {
                    while senders.starts.get(of + 1).is_some_and(|next| next <= start) {
                        of += 1;
                    }
                    senders.of[of]
                })
                .collect(),
            ..cut
        };
        let targets = inherited.refined(&[everywhere.runs(Order::Set)]);
        Self { senders: senders.into(), targets: targets.into(), longest, extras }
    }

    /// The classes on `interface`. `masters` are the bridge or bond that answers in its place, if any.
    pub(crate) fn view(&self, interface: IfIndex, masters: &[IfIndex]) -> View {
        let mut layers = self.own_layers(interface, masters, |extras| &extras.subnets);
        let senders = refined(&self.senders, &layers);
        layers.extend(self.own_layers(interface, masters, |extras| &extras.proxies));
        View { senders, targets: refined(&self.targets, &layers) }
    }

    /// The classes of senders alone.
    pub(super) fn senders(&self, interface: IfIndex, masters: &[IfIndex]) -> Rc<Split> {
        refined(&self.senders, &self.own_layers(interface, masters, |extras| &extras.subnets))
    }

    /// What cuts addresses on an interface alone.
    fn own_layers(&self, interface: IfIndex, masters: &[IfIndex], of: fn(&Extras) -> &Layer) -> Vec<Runs> {
        let all = std::iter::once(&interface).chain(masters).filter_map(|index| self.extras.get(index));
        all.map(of).filter(|layer| !layer.is_empty()).map(|layer| layer.clone().runs(Order::Set)).collect()
    }

    /// Whether these classes of senders are those of all interfaces without any of their own.
    pub(crate) fn is_common(&self, senders: &Rc<Split>) -> bool {
        Rc::ptr_eq(&self.senders, senders)
    }

    /// The longest prefix of a route around an address.
    pub(super) fn longest_around(&self, address: u32) -> u8 {
        self.longest[self.senders.interval(address)]
    }

    /// The intervals of addresses that are hosts on the wire of `subnet`: within it, neither its first
    /// nor its last address, and with no more specific route (own addresses have one).
    pub(crate) fn neighbours(&self, subnet: Ipv4Net) -> impl Iterator<Item = (usize, u32)> {
        let (first, last) = (u32::from(subnet.network()), u32::from(subnet.broadcast()));
        let (from, to) = (self.senders.interval(first), self.senders.interval(last));
        let ends = subnet.prefix_len() < 31;
        (from..=to)
            .filter(move |&i| self.longest[i] <= subnet.prefix_len())
            .map(|i| (i, self.senders.starts[i]))
            .filter(move |&(_, start)| !ends || (start != first && start != last))
    }
}

/// Most interfaces have nothing of their own, and share what all have.
fn refined(split: &Rc<Split>, layers: &[Runs]) -> Rc<Split> {
    if layers.is_empty() { Rc::clone(split) } else { Rc::new(split.refined(layers)) }
}

/// What may answer in an interface's place: bridges and bonds above it, a macvlan in mode passthru.
pub(crate) fn masters(snapshot: &Snapshot, interface: IfIndex) -> Vec<IfIndex> {
    let passthru = |other: &&Interface| {
        other.macvlan_mode == Some(MacvlanMode::Passthru) && other.link == Some(interface)
    };
    let mut masters: Vec<IfIndex> =
        snapshot.interfaces.iter().filter(passthru).map(|other| other.index).collect();
    let mut at = interface;
    while let Some(master) = snapshot.interface(at).and_then(|interface| interface.master) {
        if master == interface || masters.contains(&master) {
            break;
        }
        masters.push(master);
        at = master;
    }
    masters
}

impl Space {
    /// An address of each class of destinations of the host's own packets.
    pub(super) fn destinations(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.senders.members.iter().map(|members| members.other.unwrap_or(members.first).into())
    }
}

/// The ranges that `arp_process()` and `ip_route_input_slow()` treat by themselves.
fn special_ranges() -> Runs {
    let mut layer = Layer::default();
    for (key, (octet, length)) in
        [(0, 32), (0, 8), (127, 8), (169, 8), (224, 4), (240, 4)].into_iter().enumerate()
    {
        if let Ok(prefix) = Ipv4Net::new(Ipv4Addr::new(octet, 0, 0, 0), length) {
            layer.add(prefix, 0, key as u32);
        }
    }
    layer.add(Ipv4Net::from(Ipv4Addr::BROADCAST), 0, 6);
    layer.runs(Order::Set)
}

/// What a route lookup can see of a route, other than its destination.
#[derive(PartialEq, Eq, Hash)]
struct RouteKey {
    table: u32,
    kind: RouteKind,
    tos: u8,
    scope: u8,
    /// On which side of each length that a rule or the kernel asks for.
    lengths: Vec<bool>,
    hops: Vec<(Option<IfIndex>, bool, u16, u32)>,
    nexthop_id: Option<u32>,
}

fn route_layers(snapshot: &Snapshot, lengths: &mut Layer) -> Vec<Runs> {
    let mut asked: Vec<u32> = snapshot.rules.iter().filter_map(|rule| rule.suppress_prefix_len).collect();
    asked.extend([0, 31]);
    asked.sort();
    asked.dedup();
    let mut ordered: Vec<(usize, &crate::snapshot::Route, Ipv4Net)> = snapshot
        .routes
        .iter()
        .enumerate()
        .filter_map(|(i, route)| match route.destination {
            IpNet::V4(destination) => Some((i, route, destination)),
            IpNet::V6(_) => None,
        })
        .collect();
    // Within a prefix: local before main, then as fib_insert_alias() sorts.
    ordered.sort_by_key(|(i, route, _)| (!route.table, !route.tos, route.metric, *i));
    let mut keys: HashMap<RouteKey, u32> = HashMap::new();
    let mut layers: HashMap<u32, Layer> = HashMap::new();
    for (rank, (_, route, destination)) in ordered.into_iter().enumerate() {
        let length = destination.prefix_len();
        let key = RouteKey {
            table: route.table,
            kind: route.kind,
            tos: route.tos,
            scope: route.scope.0,
            lengths: asked.iter().map(|asked| u32::from(length) <= *asked).collect(),
            hops: route
                .next_hops
                .iter()
                .map(|hop| (hop.interface, hop.gateway.is_some(), hop.weight, hop.flags.bits()))
                .collect(),
            nexthop_id: route.nexthop_id,
        };
        let number = keys.len() as u32;
        let key = *keys.entry(key).or_insert(number);
        let table = if route.table == table::LOCAL { table::MAIN } else { route.table };
        layers.entry(table).or_default().add(destination, rank as u32, key);
        lengths.add(destination, 0, u32::from(length));
    }
    layers.into_values().map(|layer| layer.runs(Order::Nearest)).collect()
}

/// What one rule contributes to an address's place in the order of lookups.
#[derive(PartialEq, Eq, Hash)]
enum RuleKey {
    /// A member of a run of rules that select by the same one selector, with everything but that.
    Run(usize, Box<Rule>),
    /// The `from` of a rule that stands alone.
    From(usize),
    /// The `to` of a rule that stands alone.
    To(usize),
}

fn rule_layer(snapshot: &Snapshot) -> Runs {
    let mut rules: Vec<&Rule> = snapshot.rules.iter().filter(|rule| !rule.ipv6).collect();
    rules.sort_by_key(|rule| rule.priority);
    // A goto could enter a run in its middle.
    let jumps = rules.iter().any(|rule| rule.goto.is_some());
    let mut layer = Layer::default();
    let mut keys: HashMap<RuleKey, u32> = HashMap::new();
    let mut key_of: Vec<[u32; 2]> = Vec::new();
    let mut number = |key: RuleKey| {
        let next = keys.len() as u32;
        *keys.entry(key).or_insert(next)
    };
    let mut run = 0;
    let mut before = (false, false);
    for (place, rule) in rules.iter().enumerate() {
        let selects = (rule.source.is_some(), rule.destination.is_some());
        let alone = jumps || selects.0 == selects.1 || rule.flags.contains(RuleFlags::INVERT);
        if alone || selects != before {
            run += 1;
        }
        before = if alone { (false, false) } else { selects };
        let rest = || {
            Box::new(Rule { source: None, destination: None, priority: 0, protocol: 0, ..(*rule).clone() })
        };
        key_of.push(if alone {
            [number(RuleKey::From(place)), number(RuleKey::To(place))]
        } else {
            [number(RuleKey::Run(run, rest())); 2]
        });
        for (side, prefix) in [rule.source, rule.destination].into_iter().enumerate() {
            if let Some(IpNet::V4(prefix)) = prefix {
                layer.add(prefix, 0, (place * 2 + side) as u32);
            }
        }
    }
    // Chains hold places in the order of the rules; what counts is the keys in that order, each once.
    layer.runs(Order::Set).mapped(|places| {
        let mut found: Vec<u32> = Vec::new();
        for place in places {
            let key = key_of[*place as usize / 2][*place as usize % 2];
            if !found.contains(&key) {
                found.push(key);
            }
        }
        found
    })
}

/// Own addresses by holder and scope, subnets and broadcast addresses by holder.
fn address_layer(snapshot: &Snapshot) -> Runs {
    let mut layer = Layer::default();
    let mut keys: HashMap<(u8, IfIndex, u8), u32> = HashMap::new();
    for address in &snapshot.addresses {
        let IpAddr::V4(local) = address.local else { continue };
        let mut add = |kind: u8, scope: u8, prefix: Ipv4Net| {
            let next = keys.len() as u32;
            layer.add(prefix, 0, *keys.entry((kind, address.interface, scope)).or_insert(next));
        };
        add(0, address.scope.0, Ipv4Net::from(local));
        if let IpNet::V4(subnet) = address.subnet() {
            add(1, address.scope.0, subnet);
        }
        if let Some(IpAddr::V4(broadcast)) = address.broadcast {
            add(2, 0, Ipv4Net::from(broadcast));
        }
    }
    layer.runs(Order::Set)
}

/// The ranges of addresses that rules of nftables compare with.
fn filter_layer(snapshot: &Snapshot) -> Runs {
    let mut layer = Layer::default();
    for (first, last, key) in filter::ranges(&snapshot.filters) {
        for prefix in prefixes(first, last) {
            layer.add(prefix, 0, key);
        }
    }
    layer.runs(Order::Set)
}

/// The longest prefixes that a range is made of.
fn prefixes(first: u32, last: u32) -> Vec<Ipv4Net> {
    let mut all = Vec::new();
    let mut at = first;
    while at <= last {
        // As long as it begins at a multiple of its length and ends within.
        let fits = |bits: &u32| {
            let len = 1u64 << bits;
            u64::from(at) % len == 0 && u64::from(at) + len - 1 <= u64::from(last)
        };
        let bits = (0..=32).rev().find(fits).unwrap_or(0);
        all.extend(Ipv4Net::new(at.into(), (32 - bits) as u8));
        match u64::from(at).checked_add(1 << bits).and_then(|next| u32::try_from(next).ok()) {
            Some(next) => at = next,
            None => break,
        }
    }
    all
}

fn subnets(
    snapshot: &Snapshot,
    keys: &mut HashMap<Ipv4Net, u32>,
    cuts: &mut Vec<u32>,
    extras: &mut HashMap<IfIndex, Extras>,
) {
    let same_subnet = |interface: &Interface| snapshot.effective(interface, Sysctl::ArpIgnore).value == 2;
    let by_subnet: HashMap<IfIndex, bool> =
        snapshot.interfaces.iter().map(|interface| (interface.index, same_subnet(interface))).collect();
    for address in &snapshot.addresses {
        let (IpAddr::V4(_), IpNet::V4(subnet)) = (address.local, address.subnet()) else { continue };
        // Network addresses are cut out, so that none of them is shown as an example of a neighbour.
        let network = u32::from(subnet.network());
        cuts.extend([Some(network), network.checked_add(1)].into_iter().flatten());
        if by_subnet.get(&address.interface).is_some_and(|by_subnet| *by_subnet) {
            let next = keys.len() as u32;
            let key = *keys.entry(subnet).or_insert(next);
            extras.entry(address.interface).or_default().subnets.add(subnet, 0, key);
        }
    }
}

fn proxies(
    snapshot: &Snapshot,
    key: u32,
    everywhere: &mut Layer,
    points: &mut Vec<u32>,
    extras: &mut HashMap<IfIndex, Extras>,
) {
    for proxy in &snapshot.proxies {
        let IpAddr::V4(address) = proxy.address else { continue };
        let number = u32::from(address);
        points.extend([Some(number), number.checked_add(1)].into_iter().flatten());
        match proxy.interface {
            None => everywhere.add(Ipv4Net::from(address), 0, key),
            Some(interface) => {
                extras.entry(interface).or_default().proxies.add(Ipv4Net::from(address), 0, key);
            }
        }
    }
}
