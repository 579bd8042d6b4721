//! The host's addresses, and what `net/ipv4/devinet.c` asks of them.

use std::net::{IpAddr, Ipv4Addr};

use foldhash::HashMap;

use super::index::Port;
use crate::snapshot::{AddressFlags, Scope, Snapshot};
use crate::types::IfIndex;

/// An address of an interface (`struct in_ifaddr`).
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    pub(super) local: u32,
    /// The peer, or the address itself: what the subnet is taken from (`ifa_address`).
    far: u32,
    mask: u32,
    scope: u8,
    pub(super) secondary: bool,
}

impl Held {
    /// `inet_ifa_match()`.
    pub(super) const fn covers(&self, address: u32) -> bool {
        (address ^ self.far) & self.mask == 0
    }
}

/// All IPv4 addresses, by interface and by address.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    held: Vec<Held>,
    /// Of each interface: where its addresses are in `held`.
    ranges: Vec<(u32, u32)>,
    /// Which interfaces hold an address, in the kernel's order of interfaces; usually one.
    holders: HashMap<u32, Vec<u32>>,
}

impl Addresses {
    pub(super) fn new(snapshot: &Snapshot, slot: impl Fn(IfIndex) -> Option<usize>) -> Self {
        let mut of: Vec<Vec<Held>> = vec![Vec::new(); snapshot.interfaces.len()];
        let mut holders: HashMap<u32, Vec<u32>> = HashMap::default();
        for address in &snapshot.addresses {
            let (IpAddr::V4(local), Some(slot)) = (address.local, slot(address.interface)) else { continue };
            let far = match address.peer {
                Some(IpAddr::V4(peer)) => peer,
                _ => local,
            };
            let holding = holders.entry(local.to_bits()).or_default();
            if !holding.contains(&(slot as u32)) {
                holding.push(slot as u32);
            }
            of[slot].push(Held {
                local: local.to_bits(),
                far: far.to_bits(),
                mask: u32::MAX.checked_shl(32 - u32::from(address.prefix_len)).unwrap_or(0),
                scope: address.scope.0,
                secondary: address.flags.contains(AddressFlags::SECONDARY),
            });
        }
        let mut held = Vec::with_capacity(snapshot.addresses.len());
        let ranges = of
            .into_iter()
            .map(|addresses| {
                let from = held.len() as u32;
                held.extend(addresses);
                (from, held.len() as u32)
            })
            .collect();
        Self { held, ranges, holders }
    }

    /// The addresses of an interface, in the kernel's order.
    pub(super) fn of(&self, slot: usize) -> &[Held] {
        let (from, to) = self.ranges[slot];
        &self.held[from as usize..to as usize]
    }

    /// The interfaces that hold an address (`inet_lookup_ifaddr_rcu()`).
    pub(super) fn holders(&self, address: Ipv4Addr) -> &[u32] {
        self.holders.get(&address.to_bits()).map_or(&[], Vec::as_slice)
    }

    /// Every address and every end of a subnet: where answers may change.
    pub(super) fn boundaries(&self) -> impl Iterator<Item = u32> {
        self.held.iter().flat_map(|held| {
            let first = held.far & held.mask;
            [held.local, held.local.wrapping_add(1), first, (first | !held.mask).wrapping_add(1)]
        })
    }

    /// `confirm_addr_indev()` for a given local address: whether the interface holds `local` in a scope of
    /// at most `scope`, and one subnet of the interface covers `local` and `near` (0: no matter).
    pub(super) fn confirm(&self, port: &Port, slot: usize, near: u32, local: u32, scope: Scope) -> bool {
        // route_localnet makes addresses of scope host count as those of scope link.
        let host = if port.route_localnet { Scope::LINK } else { Scope::HOST }.0;
        let mut found = false;
        let mut covered = false;
        for held in self.of(slot) {
            if !found && held.local == local && held.scope.min(host) <= scope.0 {
                found = true;
                if covered {
                    break;
                }
            }
            if !covered {
                covered = held.covers(local) && (near == 0 || held.covers(near));
                if covered && found {
                    break;
                }
            }
        }
        found && covered
    }

    /// `confirm_addr_indev()` for any local address: whether a subnet of the interface covers `near`, and the
    /// interface has an address in a scope of at most `scope` to go with it.
    pub(super) fn confirm_any(&self, port: &Port, slot: usize, near: u32, scope: Scope) -> bool {
        let host = if port.route_localnet { Scope::LINK } else { Scope::HOST }.0;
        let mut found: Option<u32> = None;
        let mut covered = false;
        for held in self.of(slot) {
            let within = held.scope.min(host) <= scope.0;
            if found.is_none() && within {
                found = Some(held.local);
                if covered {
                    break;
                }
            }
            if covered {
                continue;
            }
            covered = near == 0 || held.covers(near);
            if let (true, Some(local)) = (covered, found) {
                if near == 0 || held.covers(local) || within {
                    break;
                }
                // The address found is of another subnet, and this one's own does not count.
                covered = false;
            }
        }
        covered && found.is_some()
    }

    /// `inet_select_addr()` as far as the interface has an address of its own: the source address for packets out of it
    /// towards `near` (0: no matter) in a scope of at most `scope`.
    pub(super) fn select(&self, ports: &[Port], slot: usize, near: u32, scope: Scope) -> Option<Ipv4Addr> {
        let host = if ports[slot].route_localnet { Scope::LINK } else { Scope::HOST }.0;
        let mut first = None;
        for held in self.of(slot) {
            if held.secondary || held.scope.min(host) > scope.0 {
                continue;
            }
            if near == 0 || held.covers(near) {
                return Some(held.local.into());
            }
            first = first.or(Some(held.local));
        }
        first.map(Into::into)
    }

    /// The address that is borrowed from another interface (`in_dev_select_addr()`).
    pub(super) fn lent(&self, slot: usize, scope: Scope) -> Option<Ipv4Addr> {
        let lent = |held: &&Held| !held.secondary && held.scope != Scope::LINK.0 && held.scope <= scope.0;
        self.of(slot).iter().find(lent).map(|held| Ipv4Addr::from_bits(held.local))
    }
}
