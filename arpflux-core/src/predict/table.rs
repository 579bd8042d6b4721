//! One routing table: longest prefix first, as `fib_table_lookup()` goes through it.
//!
//! Prefixes nest, so the address space falls into intervals, each with a chain of prefixes that contain it
//! from the longest to the shortest. A lookup is one binary search over the interval starts
//! (O(log routes)) and a walk up the chain until a route matches, which is nearly always the first.

use crate::snapshot::{Interface, NextHopFlags, Route, RouteKind, Snapshot};
use crate::types::{IfIndex, IpNet};

const NONE: u32 = u32::MAX;

/// A next hop as lookups see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hop {
    /// The interface (`nhc_oif`); 0 if there is none.
    pub(super) oif: u32,
    /// Where the interface is in the model's list.
    pub(super) slot: u32,
    /// `RTNH_F_DEAD`: the interface is down.
    pub(super) dead: bool,
    /// `RTNH_F_LINKDOWN`: the interface has no carrier.
    pub(super) linkdown: bool,
    /// It has a gateway.
    pub(super) gateway: bool,
    /// Which of the route's next hops it is.
    pub(super) nth: u16,
}

/// A route (`struct fib_alias`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Alias {
    pub(super) table: u32,
    pub(super) tos: u8,
    pub(super) kind: RouteKind,
    pub(super) metric: u32,
    pub(super) scope: u8,
    /// Where the route is in the snapshot.
    pub(super) route: u32,
    /// Its next hops are a nexthop object.
    object: bool,
    hops: (u32, u32),
}

#[derive(Debug, Clone, Copy)]
struct Prefix {
    start: u32,
    len: u8,
    parent: u32,
    aliases: (u32, u32),
}

/// What a lookup in one table found.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    /// A route, and which of its next hops comes first.
    Route(Hit),
    /// A route that rejects.
    Rejects(u32),
    /// A throw route: go on elsewhere.
    Throw,
    /// Nothing.
    Nothing,
}

/// A route that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hit {
    pub(super) alias: Alias,
    pub(super) prefix: u32,
    pub(super) prefix_len: u8,
    pub(super) hop: Hop,
}

/// A routing table, or the two tables local and main as one.
#[derive(Debug, Default)]
pub(super) struct Table {
    starts: Vec<u32>,
    owner: Vec<u32>,
    prefixes: Vec<Prefix>,
    aliases: Vec<Alias>,
    hops: Vec<Hop>,
}

impl Table {
    /// The IPv4 ones of the routes of `snapshot` at these places. `slot` finds an interface in the model's list.
    pub(super) fn new(
        snapshot: &Snapshot,
        places: impl Iterator<Item = usize>,
        slot: impl Fn(IfIndex) -> Option<u32>,
    ) -> Self {
        let mut order: Vec<(u32, u8, &Route, u32)> = Vec::new();
        for (i, route) in places.map(|place| (place, &snapshot.routes[place])) {
            if let IpNet::V4(net) = route.destination {
                order.push((net.network().to_bits(), net.prefix_len(), route, i as u32));
            }
        }
        // fib_insert_alias(): local before main, then by falling type of service and rising metric; equal
        // ones stay in the order of the dump.
        order.sort_by_key(|(start, len, route, i)| {
            (*start, *len, u32::MAX - route.table, 255 - route.tos, route.metric, *i)
        });
        let mut table = Self::default();
        for (start, len, route, i) in order {
            let hops = table.hops.len() as u32;
            for (nth, hop) in route.next_hops.iter().enumerate() {
                let up = hop.interface.and_then(|index| snapshot.interface(index)).is_none_or(is_up);
                let linkdown = hop.flags.contains(NextHopFlags::LINKDOWN);
                table.hops.push(Hop {
                    oif: hop.interface.map_or(0, |index| index.0),
                    slot: hop.interface.and_then(&slot).unwrap_or(NONE),
                    // Dumps also say dead of a hop without carrier whose interface ignores such hops
                    // (fib_nexthop_info()); that depends on the sysctl and is decided at lookup.
                    dead: hop.flags.contains(NextHopFlags::DEAD) && !(linkdown && up),
                    linkdown,
                    gateway: hop.gateway.is_some(),
                    nth: nth as u16,
                });
            }
            let alias = Alias {
                table: route.table,
                tos: route.tos,
                kind: route.kind,
                metric: route.metric,
                scope: route.scope.0,
                route: i,
                object: route.nexthop_id.is_some(),
                hops: (hops, table.hops.len() as u32),
            };
            let at = table.aliases.len() as u32;
            table.aliases.push(alias);
            match table.prefixes.last_mut() {
                Some(last) if last.start == start && last.len == len => last.aliases.1 = at + 1,
                _ => table.prefixes.push(Prefix { start, len, parent: NONE, aliases: (at, at + 1) }),
            }
        }
        table.nest();
        table
    }

    /// Finds each prefix's parent and the innermost prefix of each interval. Prefixes are sorted, so that
    /// a parent comes before its children.
    fn nest(&mut self) {
        let mut open: Vec<u32> = Vec::new();
        for at in 0..self.prefixes.len() {
            let start = self.prefixes[at].start;
            while let Some(last) = open.last().copied() {
                let end = last_address(&self.prefixes[last as usize]);
                if end >= start {
                    break;
                }
                open.pop();
                self.boundary(end + 1, open.last().copied().unwrap_or(NONE));
            }
            self.prefixes[at].parent = open.last().copied().unwrap_or(NONE);
            self.boundary(start, at as u32);
            open.push(at as u32);
        }
        while let Some(last) = open.pop() {
            if let Some(after) = last_address(&self.prefixes[last as usize]).checked_add(1) {
                self.boundary(after, open.last().copied().unwrap_or(NONE));
            }
        }
    }

    fn boundary(&mut self, start: u32, owner: u32) {
        if self.starts.last() == Some(&start) {
            if let Some(last) = self.owner.last_mut() {
                *last = owner;
            }
        } else {
            self.starts.push(start);
            self.owner.push(owner);
        }
    }

    /// Where the answer of a lookup may change: the first address of each interval.
    pub(super) fn boundaries(&self) -> &[u32] {
        &self.starts
    }

    pub(super) fn is_empty(&self) -> bool {
        self.aliases.is_empty()
    }

    /// `fib_table_lookup()`. `oif` not 0 asks for routes through that interface only; `ignores` says
    /// whether routes without carrier through a hop's interface are ignored. The type of service is 0:
    /// ARP has none.
    pub(super) fn lookup(&self, address: u32, oif: u32, mut ignores: impl FnMut(&Hop) -> bool) -> Found {
        let interval = self.starts.partition_point(|start| *start <= address);
        let Some(interval) = interval.checked_sub(1) else { return Found::Nothing };
        let mut at = self.owner[interval];
        // A nexthop object of which no hop will do ends the search among all prefixes of that start, the
        // shorter ones too: they are one leaf of the kernel's trie.
        let mut left = None;
        let (prefixes, aliases) = (self.prefixes.as_slice(), self.aliases.as_slice());
        'prefixes: while at != NONE {
            let here = at;
            let prefix = &prefixes[here as usize];
            at = prefix.parent;
            if left == Some(prefix.start) {
                continue;
            }
            for alias in &aliases[prefix.aliases.0 as usize..prefix.aliases.1 as usize] {
                if alias.tos != 0 {
                    continue;
                }
                match alias.kind {
                    RouteKind::Throw => return Found::Throw,
                    RouteKind::Blackhole
                    | RouteKind::Unreachable
                    | RouteKind::Prohibit
                    | RouteKind::Other(_) => return Found::Rejects(alias.route),
                    _ => {}
                }
                for hop in self.hops_of(alias) {
                    if hop.dead || (hop.linkdown && ignores(hop)) || (oif != 0 && oif != hop.oif) {
                        continue;
                    }
                    return Found::Route(Hit {
                        alias: *alias,
                        prefix: here,
                        prefix_len: prefix.len,
                        hop: *hop,
                    });
                }
                if alias.object {
                    left = Some(prefix.start);
                    continue 'prefixes;
                }
            }
        }
        Found::Nothing
    }

    /// The next hops of a route, in the order of the dump.
    #[inline(always)]
    pub(super) fn hops_of(&self, alias: &Alias) -> &[Hop] {
        &self.hops.as_slice()[alias.hops.0 as usize..alias.hops.1 as usize]
    }

    /// The routes of a hit's prefix.
    pub(super) fn siblings(&self, hit: &Hit) -> &[Alias] {
        let prefix = &self.prefixes[hit.prefix as usize];
        &self.aliases[prefix.aliases.0 as usize..prefix.aliases.1 as usize]
    }

    /// Whether a prefix of this table lies strictly inside one of `other`'s.
    pub(super) fn nests_inside(&self, other: &Table) -> bool {
        self.prefixes.iter().any(|inner| {
            let interval = other.starts.partition_point(|start| *start <= inner.start);
            let mut at = interval.checked_sub(1).map_or(NONE, |i| other.owner[i]);
            while at != NONE {
                let outer = &other.prefixes[at as usize];
                if outer.len < inner.len {
                    return true;
                }
                at = outer.parent;
            }
            false
        })
    }

    /// Whether a route of it goes by a nexthop object.
    pub(super) fn has_objects(&self) -> bool {
        self.aliases.iter().any(|alias| alias.object)
    }

    /// Whether it has a route of that kind.
    pub(super) fn has(&self, kind: RouteKind) -> bool {
        self.aliases.iter().any(|alias| alias.kind == kind)
    }
}

fn is_up(interface: &Interface) -> bool {
    interface.flags.contains(crate::snapshot::InterfaceFlags::UP)
}

fn last_address(prefix: &Prefix) -> u32 {
    prefix.start | u32::MAX.checked_shr(u32::from(prefix.len)).unwrap_or(0)
}
