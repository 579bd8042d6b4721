//! Every address against every interface: who answers for what.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use serde::Serialize;

use super::discovery::is_link_local;
use super::flux::{Gaps, Tally, flux};
use super::grid::Grid;
use super::{Model, Reason, Verdict};
use crate::judgement::{Gap, Judgement};
use crate::snapshot::{Certainty, Index, Interface, RouteKind, Snapshot, WireMap};
use crate::types::{IfIndex, IfName, IpNet, Ipv4Net, Mac};

/// Who answers for which address, for an ordinary neighbour and for an RFC 5227 probe.
///
/// ```
/// use arpflux_core::predict::{Matrix, Model};
/// use arpflux_core::snapshot::Snapshot;
///
/// let snapshot = Snapshot::default();
/// let matrix = Matrix::of(&Model::new(&snapshot)?);
/// assert!(matrix.rows.iter().all(|row| row.flux == Some(false)));
/// assert_eq!(matrix.judgement().ok(), Some(true));
/// # Ok::<(), arpflux_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Matrix {
    /// Whether one MAC at most answers for each address on each wire; `None`: none is known to have several, and of
    /// some that cannot be told.
    pub ok: Option<bool>,
    /// The interfaces asked.
    pub interfaces: Vec<Column>,
    /// The addresses asked for: IPv4 before IPv6, of each family the host's own, then those it proxies, in rising order.
    #[serde(rename = "addresses")]
    pub rows: Vec<Row>,
    /// What leaves cells open, if anything does.
    pub missing: Vec<Gap>,
}

/// An interface that is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Column {
    /// Its number.
    pub index: IfIndex,
    /// Its name.
    pub name: IfName,
    /// Its MAC.
    pub mac: Mac,
    /// Which wire it is on, counted from 0 ([`WireMap`]).
    pub wire: usize,
    /// How well that is known.
    pub certainty: Certainty,
}

/// An address that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Row {
    /// The address.
    #[serde(rename = "address")]
    pub target: IpAddr,
    /// The interfaces that hold it.
    pub held_by: Vec<IfName>,
    /// Whether there is a proxy entry for it.
    pub proxied: bool,
    /// What becomes of requests, by interface.
    pub cells: Vec<Cell>,
    /// Whether several MACs answer for it on one wire, for one of the two kinds of senders; `None`: that cannot
    /// be told.
    pub flux: Option<bool>,
    /// The same with all that is missing taken to be without effect; `None`: that cannot be told either.
    pub flux_apart_from_missing: Option<bool>,
}

/// What one interface does with requests for one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Cell {
    /// The ordinary neighbour that stands for all.
    pub sender: IpAddr,
    /// What becomes of its request, sent to all.
    pub verdict: Verdict,
    /// What becomes of a probe (sender 0.0.0.0 or `::`).
    pub probe: Verdict,
    /// The value of the sysctl that decided for the neighbour, where one did.
    pub value: Option<i32>,
}

impl Matrix {
    /// All addresses of the host and all that it proxies ([`targets`]), on all interfaces that take requests for
    /// themselves (not on ports of bridges and bonds).
    #[must_use]
    pub fn of(model: &Model<'_>) -> Self {
        Self::with(model, &targets(model.snapshot()), &listeners(model.snapshot()), None)
    }

    /// The same for chosen addresses and interfaces; `sender` asks instead of a neighbour that is chosen for
    /// each interface, for addresses of its family.
    #[must_use]
    pub fn with(
        model: &Model<'_>,
        targets: &[IpAddr],
        interfaces: &[IfIndex],
        sender: Option<IpAddr>,
    ) -> Self {
        let snapshot = model.snapshot();
        let wires = WireMap::of(snapshot);
        let columns = columns(snapshot, &wires, interfaces);
        let mut grid = Grid::new(model, &columns, sender);
        let lookup = Index::new(snapshot);
        let name = |index: &IfIndex| snapshot.interface(*index).map(|interface| interface.name);
        let mut missing = Gaps::default();
        let mut rows: Vec<Row> = targets
            .iter()
            .map(|target| {
                let cells = grid.row(*target);
                let of_row: Vec<_> = columns.iter().zip(&cells).collect();
                let flux = flux(&of_row, Some(&wires));
                missing.add(*target, flux, &of_row, &wires);
                Row {
                    target: *target,
                    held_by: lookup.holders(*target).iter().filter_map(name).collect(),
                    proxied: !lookup.proxied(*target).is_empty(),
                    flux,
                    flux_apart_from_missing: flux,
                    cells,
                }
            })
            .collect();
        if rows.iter().any(|row| row.flux.is_none()) {
            let alone = model.without_interference();
            let mut grid = Grid::new(&alone, &columns, sender);
            for row in rows.iter_mut().filter(|row| row.flux.is_none()) {
                row.flux_apart_from_missing = grid.flux(row.target);
            }
        }
        let missing = missing.told(snapshot);
        let mut matrix = Self { ok: None, interfaces: columns, rows, missing };
        matrix.ok = matrix.judgement().ok();
        matrix
    }

    /// Whether one MAC at most answers for each address on each wire.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        self.tally().judgement(&self.missing)
    }

    /// The same for one address.
    #[must_use]
    pub fn judgement_of(&self, row: &Row) -> Judgement {
        match row.flux {
            Some(flux) => Judgement::of(!flux),
            None => Judgement::Undetermined {
                missing: self.missing.clone(),
                apart: row.flux_apart_from_missing.map(|flux| !flux),
            },
        }
    }

    /// The addresses with several MACs on one wire, and those of which that cannot be told.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let tally = self.tally();
        (tally.flux, tally.open)
    }

    /// How many cells cannot be told, for a neighbour or for a probe.
    #[must_use]
    pub fn undetermined_cells(&self) -> usize {
        self.rows.iter().flat_map(|row| &row.cells).filter(|cell| cell.is_undetermined()).count()
    }

    /// What the whole comes to, in one line: how many addresses are in flux, and what cannot be told.
    #[must_use]
    pub fn summary(&self) -> String {
        self.tally().summary(&self.missing)
    }

    fn tally(&self) -> Tally {
        self.rows.iter().map(|row| (row.flux, row.flux_apart_from_missing)).collect()
    }

    /// Whether several MACs answer for one address on one wire; `None`: none is known to, and of some that
    /// cannot be told.
    #[must_use]
    pub fn has_flux(&self) -> Option<bool> {
        self.judgement().ok().map(|good| !good)
    }
}

impl Row {
    /// The columns whose interface answers an ordinary neighbour.
    pub fn answering(&self) -> impl Iterator<Item = usize> {
        (0..self.cells.len()).filter(|&i| matches!(self.cells[i].verdict, Verdict::Answers { .. }))
    }
}

impl Cell {
    /// Whether it cannot be told what becomes of the neighbour's request, or of the probe.
    #[must_use]
    pub const fn is_undetermined(&self) -> bool {
        self.verdict.answers().is_none() || self.probe.answers().is_none()
    }

    /// The rule that decided, in a few words: `own address`, `proxy entry`, `arp_ignore=1`.
    #[must_use]
    pub fn rule(&self) -> String {
        let Verdict::Silent { reason } = self.verdict else { return short(&self.verdict) };
        match self.value {
            Some(value) => match sysctl_of(reason) {
                Some(name) => format!("{name}={value}"),
                None => short(&self.verdict),
            },
            None => short(&self.verdict),
        }
    }

    /// The rule that decided about the probe, in a few words.
    #[must_use]
    pub fn probe_rule(&self) -> String {
        short(&self.probe)
    }
}

/// The sysctl's name where a reason is the value of one.
pub(super) fn sysctl_of(reason: Reason) -> Option<&'static str> {
    match reason {
        Reason::ArpIgnore => Some("arp_ignore"),
        Reason::ArpFilter => Some("arp_filter"),
        Reason::RpFilterStrict | Reason::RpFilterNoRoute => Some("rp_filter"),
        Reason::ForwardingOff => Some("forwarding"),
        Reason::ProxyNdpOff => Some("proxy_ndp"),
        Reason::MediumId => Some("medium_id"),
        Reason::GratuitousDropped => Some("drop_gratuitous_arp"),
        Reason::LoopbackTarget | Reason::LoopbackSender => Some("route_localnet"),
        _ => None,
    }
}

fn short(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Answers { via, .. } => match via.reason() {
            Reason::Local => "own address".into(),
            other => other.code().replace('_', " "),
        },
        Verdict::Silent { reason } => match sysctl_of(*reason) {
            Some(name) => name.into(),
            None => reason.code().replace('_', " "),
        },
        Verdict::Undetermined { missing } => {
            missing.iter().map(|missing| missing.code().replace('_', " ")).collect::<Vec<_>>().join(", ")
        }
    }
}

/// The columns of interfaces that are there.
pub(super) fn columns(snapshot: &Snapshot, wires: &WireMap, interfaces: &[IfIndex]) -> Vec<Column> {
    let column = |index: &IfIndex| {
        let interface = snapshot.interface(*index)?;
        let (wire, certainty) = (wires.number(*index)?, wires.certainty(*index));
        Some(Column { index: *index, name: interface.name, mac: interface.mac, wire, certainty })
    };
    interfaces.iter().filter_map(column).collect()
}

/// The interfaces that take ARP requests for themselves: not the ports of bridges and bonds.
#[must_use]
pub fn listeners(snapshot: &Snapshot) -> Vec<IfIndex> {
    let keeps = |interface: &&Interface| snapshot.frames_of(interface).taken() != Some(true);
    let speaks = snapshot.interfaces.iter().filter(|interface| interface.speaks_arp());
    speaks.filter(keeps).map(|interface| interface.index).collect()
}

/// The addresses of both families that a host may be asked for: [`ipv4_targets`], then [`ipv6_targets`].
#[must_use]
pub fn targets(snapshot: &Snapshot) -> Vec<IpAddr> {
    let v4 = ipv4_targets(snapshot).into_iter().map(IpAddr::V4);
    v4.chain(ipv6_targets(snapshot).into_iter().map(IpAddr::V6)).collect()
}

/// The IPv4 addresses that a host may be asked for: its own but 127/8 and [those that routes alone say are
/// it](local_route_targets), then those it proxies.
#[must_use]
pub fn ipv4_targets(snapshot: &Snapshot) -> Vec<Ipv4Addr> {
    let v4 = |address: IpAddr| match address {
        IpAddr::V4(address) if !address.is_loopback() => Some(address),
        _ => None,
    };
    let sorted = |mut addresses: Vec<Ipv4Addr>| {
        addresses.sort();
        addresses.dedup();
        addresses
    };
    let held = snapshot.addresses.iter().filter_map(|address| v4(address.local));
    let mut own = sorted(held.chain(local_route_targets(snapshot)).collect());
    let proxied = sorted(snapshot.proxies.iter().filter_map(|proxy| v4(proxy.address)).collect());
    let proxied: Vec<Ipv4Addr> =
        proxied.into_iter().filter(|address| own.binary_search(address).is_err()).collect();
    own.extend(proxied);
    own
}

/// One address, the first, of each prefix that a route alone says is this host (`ip route add local`), and no address: all of
/// the prefix are answered for alike.
#[must_use]
pub fn local_route_targets(snapshot: &Snapshot) -> BTreeSet<Ipv4Addr> {
    let routes = snapshot.routes.iter().filter(|route| route.kind == RouteKind::Local);
    let first = routes.filter_map(|route| match route.destination {
        IpNet::V4(net) => Some(net.network()),
        IpNet::V6(_) => None,
    });
    let mut found: BTreeSet<Ipv4Addr> =
        first.filter(|target| !target.is_loopback() && !target.is_unspecified()).collect();
    for address in &snapshot.addresses {
        if let IpAddr::V4(local) = address.local {
            found.remove(&local);
        }
    }
    found
}

/// The IPv6 addresses that a host may be asked for: its own, then those it proxies. Left out are `::1` and link-local
/// ones (fe80::/10), which every interface has for itself.
#[must_use]
pub fn ipv6_targets(snapshot: &Snapshot) -> Vec<Ipv6Addr> {
    let v6 = |address: IpAddr| match address {
        IpAddr::V6(address) if !address.is_loopback() && !is_link_local(address) => Some(address),
        _ => None,
    };
    let own: BTreeSet<Ipv6Addr> = snapshot.addresses.iter().filter_map(|held| v6(held.local)).collect();
    let proxied: BTreeSet<Ipv6Addr> = snapshot.proxies.iter().filter_map(|proxy| v6(proxy.address)).collect();
    own.iter().chain(proxied.difference(&own)).copied().collect()
}

/// Chooses an ordinary neighbour for each interface: a host of one of its subnets that is neither the host
/// itself nor something it proxies or routes elsewhere.
#[derive(Debug)]
pub struct Neighbours<'s> {
    taken: HashSet<u32>,
    gateways: Vec<u32>,
    /// First and last address of prefixes that are routed, sorted, with their length.
    routed: Vec<(u32, u32, u8)>,
    index: Index<'s>,
    /// The subnets of all interfaces that have room for a neighbour, each once.
    of_the_host: Arc<[Ipv4Net]>,
    found: HashMap<Ipv4Net, Vec<u32>>,
    /// A host of no subnet.
    stranger: Ipv4Addr,
    /// A free address of each /64.
    free: HashMap<u128, Ipv6Addr>,
}

impl<'s> Neighbours<'s> {
    /// Indexes what is taken.
    #[must_use]
    pub fn new(snapshot: &'s Snapshot) -> Self {
        let mut taken = HashSet::new();
        let (mut of_the_host, mut known) = (Vec::new(), HashSet::new());
        for address in &snapshot.addresses {
            if let IpNet::V4(subnet) = address.subnet()
                && subnet.prefix_len() < 32
                && known.insert(subnet)
            {
                of_the_host.push(subnet);
            }
            if let IpAddr::V4(local) = address.local {
                taken.insert(local.to_bits());
            }
        }
        for proxy in &snapshot.proxies {
            if let IpAddr::V4(address) = proxy.address {
                taken.insert(address.to_bits());
            }
        }
        let mut gateways = Vec::new();
        let mut routed = Vec::new();
        for route in &snapshot.routes {
            let IpNet::V4(net) = route.destination else { continue };
            routed.push((net.network().to_bits(), net.broadcast().to_bits(), net.prefix_len()));
            for hop in &route.next_hops {
                if let Some(IpAddr::V4(gateway)) = hop.gateway {
                    gateways.push(gateway.to_bits());
                }
            }
        }
        routed.sort();
        Self {
            taken,
            gateways,
            routed,
            free: HashMap::new(),
            index: Index::new(snapshot),
            of_the_host: of_the_host.into(),
            found: HashMap::new(),
            stranger: snapshot.elsewhere(),
        }
    }

    /// The neighbour on `interface` that would ask for `target`: of its subnet around the target, or of any
    /// of its subnets; of the host's subnet around the target if the interface has none; else a stranger. A gateway is
    /// taken first.
    pub fn of(&mut self, interface: IfIndex, target: Ipv4Addr) -> Ipv4Addr {
        let stranger = self.stranger;
        self.known(interface, target).unwrap_or(stranger)
    }

    /// The same for an address of either family. Who asks for an IPv6 address decides only by neighbour entries, rules
    /// and routes with a source: a host of the target's own /64 that has none of these.
    pub fn of_family(&mut self, interface: IfIndex, target: IpAddr) -> IpAddr {
        let target = match target {
            IpAddr::V4(target) => return self.of(interface, target).into(),
            IpAddr::V6(target) => target.to_bits(),
        };
        let network = target & !u128::from(u64::MAX);
        let snapshot = self.index.snapshot;
        let held = |address: &Ipv6Addr| {
            let is = |other: IpAddr| other == IpAddr::V6(*address);
            snapshot.addresses.iter().any(|held| is(held.local))
                || snapshot.proxies.iter().any(|proxy| is(proxy.address))
                || snapshot.neighbours.iter().any(|entry| is(entry.address))
        };
        let free = |not: Option<u128>| {
            let mut hosts = (0..=u128::from(u16::MAX)).map(|host| network | (0xffff_ffff - host));
            let free = hosts.find(|host| Some(*host) != not && !held(&Ipv6Addr::from_bits(*host)));
            Ipv6Addr::from_bits(free.unwrap_or(network | 1))
        };
        let first = *self.free.entry(network).or_insert_with(|| free(None));
        IpAddr::V6(if first.to_bits() == target { free(Some(target)) } else { first })
    }

    /// The same; `None` where only a stranger would be left.
    pub fn known(&mut self, interface: IfIndex, target: Ipv4Addr) -> Option<Ipv4Addr> {
        let own = self.index.subnets(interface).to_vec();
        let around = own.iter().filter(|subnet| subnet.contains(&target));
        if let Some(host) = self.host_of(around.chain(&own), target) {
            return Some(host);
        }
        let of_the_host = Arc::clone(&self.of_the_host);
        self.host_of(of_the_host.iter().filter(|subnet| subnet.contains(&target)), target)
    }

    /// A host of the first of the subnets that has one other than `target`.
    fn host_of<'a>(
        &mut self,
        mut subnets: impl Iterator<Item = &'a Ipv4Net>,
        target: Ipv4Addr,
    ) -> Option<Ipv4Addr> {
        subnets.find_map(|subnet| {
            let host = self.hosts(*subnet).iter().copied().find(|host| *host != target.to_bits());
            host.map(Ipv4Addr::from)
        })
    }

    /// Up to two hosts of a subnet.
    fn hosts(&mut self, subnet: Ipv4Net) -> &[u32] {
        let Self { taken, gateways, routed, found, .. } = self;
        found.entry(subnet).or_insert_with(|| {
            let free = |host: &u32| {
                let after = routed.partition_point(|(first, ..)| first <= host);
                // Prefixes that begin further ahead than the subnet cannot be more specific and cover it.
                let specific = routed[..after]
                    .iter()
                    .rev()
                    .take_while(|(first, ..)| *first >= subnet.network().to_bits())
                    .any(|(_, last, length)| *last >= *host && *length > subnet.prefix_len());
                !taken.contains(host) && !specific
            };
            let known = gateways.iter().copied().filter(|gateway| subnet.contains(&Ipv4Addr::from(*gateway)));
            // Beyond some thousands of taken addresses the search gives up.
            let hosts = subnet.hosts().take(1 << 14).map(Ipv4Addr::to_bits);
            let mut chosen: Vec<u32> = Vec::new();
            for host in known.chain(hosts).filter(free) {
                if !chosen.contains(&host) {
                    chosen.push(host);
                }
                if chosen.len() == 2 {
                    break;
                }
            }
            chosen
        })
    }
}
