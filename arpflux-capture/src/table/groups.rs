//! Who is master of which group, as the routers' own packets say.

use std::collections::BTreeMap;

use arpflux_core::types::{Mac, Redundancy};

use super::claim::Seen;
use super::{Key, Mark};
use crate::group::{GroupPacket, Role};

/// Groups beyond this number are not kept.
const MOST_GROUPS: usize = 4096;
/// Routers, addresses and virtual MACs of one group beyond this are not kept.
const MOST_MEMBERS: usize = 16;
/// As often as this a router went on as master while another was: one packet may cross another's.
const BOTH: u32 = 3;

/// Which group: its wire, its protocol's name with the version, its number, and whether it is IPv6.
pub(crate) type GroupKey = (u32, &'static str, u16, bool);

/// A router that said it is master.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Router {
    pub address: u128,
    pub mac: Mac,
    pub priority: u32,
    pub packets: Mark,
    /// It said that it is none any more.
    pub resigned: bool,
}

/// A group of routers that share addresses.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub protocol: Redundancy,
    /// None if its packets do not name them.
    pub addresses: Vec<u128>,
    /// Virtual MACs that its packets name.
    pub forwarders: Vec<Mac>,
    /// In the order in which they became master.
    pub routers: Vec<Router>,
    /// Another became master.
    pub changes: Mark,
    /// A router went on as master although another had become it.
    both: Mark,
    current: usize,
}

impl Group {
    /// Where two routers were master at once.
    pub(crate) fn both(&self) -> Option<&Mark> {
        (self.both.count >= BOTH).then_some(&self.both)
    }

    /// Whether its packets leave open whether it has an address, or name it.
    pub(crate) fn may_have(&self, address: u128) -> bool {
        self.addresses.is_empty() || self.addresses.contains(&address)
    }

    fn master(&mut self, packet: &GroupPacket<'_>, address: u128, mac: Mac, seen: Seen, clocked: bool) {
        let known = self.routers.iter().position(|router| router.address == address);
        let place = match known {
            Some(place) => place,
            None if self.routers.len() < MOST_MEMBERS => {
                let packets = Mark::default();
                self.routers.push(Router { address, mac, priority: 0, packets, resigned: false });
                self.routers.len() - 1
            }
            None => return,
        };
        let gave_up = self.routers[self.current].resigned;
        let router = &mut self.routers[place];
        let pause = seen.time.saturating_sub(router.packets.last.time);
        let never_stopped = clocked
            && router.packets.count > 0
            && !router.resigned
            && !gave_up
            && pause <= packet.interval.saturating_mul(3);
        router.packets.note(seen);
        (router.priority, router.resigned, router.mac) = (packet.priority, false, mac);
        if self.routers.len() > 1 && self.current != place {
            self.current = place;
            self.changes.note(seen);
            if never_stopped {
                self.both.note(seen);
            }
        }
    }
}

/// All groups.
#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeMap<GroupKey, Group>);

impl Groups {
    pub(super) fn note(
        &mut self,
        packet: &GroupPacket<'_>,
        source: Key,
        mac: Mac,
        seen: Seen,
        clocked: bool,
    ) {
        let key = (source.wire, packet.name, packet.group, source.is_ipv6());
        if self.0.len() >= MOST_GROUPS && !self.0.contains_key(&key) {
            return;
        }
        let group = self.0.entry(key).or_insert_with(|| Group {
            protocol: packet.protocol,
            addresses: Vec::new(),
            forwarders: Vec::new(),
            routers: Vec::new(),
            changes: Mark::default(),
            both: Mark::default(),
            current: 0,
        });
        for address in packet.addresses().filter(|address| Key { address: *address, ..source }.is_some()) {
            if !group.addresses.contains(&address) && group.addresses.len() < MOST_MEMBERS {
                group.addresses.push(address);
            }
        }
        if let Some(forwarder) = packet.forwarder
            && !group.forwarders.contains(&forwarder)
            && group.forwarders.len() < MOST_MEMBERS
        {
            group.forwarders.push(forwarder);
        }
        match packet.role {
            Role::Master => group.master(packet, source.address, mac, seen, clocked),
            Role::Resigns => {
                let routers = group.routers.iter_mut().filter(|router| router.address == source.address);
                routers.for_each(|router| router.resigned = true);
            }
            Role::Other => {}
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&GroupKey, &Group)> {
        self.0.iter()
    }

    /// Those of one wire that turns out to be another. What both saw is one router's.
    pub(super) fn move_wire(&mut self, from: u32, to: u32) {
        let moved: Vec<GroupKey> = self.0.keys().filter(|key| key.0 == from).copied().collect();
        for key in moved {
            if let Some(group) = self.0.remove(&key) {
                self.0.entry((to, key.1, key.2, key.3)).or_insert(group);
            }
        }
    }
}
