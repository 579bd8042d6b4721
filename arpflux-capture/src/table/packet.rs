//! IP packets: by which MAC an address is reached, and by which it answers.

use std::collections::HashMap;

use arpflux_core::types::Mac;
use foldhash::fast::RandomState;

use super::claim::Seen;
use super::observe::mac;
use super::{DEFEND, Key, Mark, Table};
use crate::record::Sighting;

/// Links beyond this number are not kept: pairs of that many NICs are not one host's.
const MOST_LINKS: usize = 4096;
/// Conversations remembered for [`Link`]s; then all are forgotten, and it begins anew.
const CONVERSATIONS: usize = 1 << 14;
/// Claims that came unasked to one host, remembered to see what its packets do then.
const PUSHES: usize = 64;

/// How two MACs were seen to be one host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LinkKind {
    /// A packet sent to one was answered from the other, but by way of a router perhaps.
    Forwarded,
    /// A packet or an ARP request sent to one alone was answered from the other.
    Answered,
}

/// Two MACs that frames show to be one host's, how surely, and when: it may be otherwise another day.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Link {
    pub kind: LinkKind,
    pub mark: Mark,
}

/// A claim that came unasked to one host.
#[derive(Debug, Clone, Copy)]
pub(super) struct Push {
    pub by: Mac,
    pub told: Mac,
    pub address: Key,
    pub time: u64,
}

/// The last packet from one address to another.
#[derive(Debug, Clone, Copy)]
struct Talk {
    from: Mac,
    to: Mac,
    time: u64,
}

/// What was sent last from each address to each other.
#[derive(Debug, Default)]
pub(super) struct Conversations(HashMap<(Key, Key), Talk, RandomState>);

impl Table {
    pub(super) fn packet(
        &mut self,
        seen: Seen,
        sighting: &Sighting<'_>,
        source: Key,
        destination: Key,
        ttl: Option<u8>,
    ) {
        let (from, to) = (mac(sighting.source), mac(sighting.destination));
        if let Some(address) = self.addresses.get_mut(&source)
            && let Some(place) = address.find(from)
        {
            let claim = &mut address.claims[place];
            if let Some(ttl) = ttl {
                claim.ttl.note(ttl);
            }
            let forwarded = claim.ttl.is_forwarded() || ttl.is_some_and(|ttl| !matches!(ttl, 64 | 128 | 255));
            let talk = self.conversations.0.get(&(destination, source));
            let talk = talk.filter(|talk| seen.time.saturating_sub(talk.time) <= DEFEND).copied();
            match talk {
                Some(Talk { to: sent_to, .. }) if sent_to == from => claim.straight.note(seen),
                Some(Talk { to: sent_to, .. }) if address.find(sent_to).is_some() => {
                    let kind = if forwarded { LinkKind::Forwarded } else { LinkKind::Answered };
                    self.link(sent_to, from, kind, seen);
                }
                _ => {}
            }
        }
        if sighting.destination.first().is_some_and(|byte| byte & 1 == 0) {
            if self.conversations.0.len() >= CONVERSATIONS {
                self.conversations.0.clear();
            }
            let talk = Talk { from, to, time: seen.time };
            let before = self.conversations.0.insert((source, destination), talk);
            // One that is seen again behind whoever passes it on comes from another MAC.
            if let Some(before) = before.filter(|before| before.from == from && before.to != to) {
                self.diverted(seen, talk, before.to, destination);
            }
        }
    }

    /// Notes a claim that came unasked to one host.
    pub(super) fn push(&mut self, push: Push) {
        if self.pushes.len() >= PUSHES {
            self.pushes.pop_front();
        }
        self.pushes.push_back(push);
    }

    /// The packets of a host to `destination` went to `before`, and go elsewhere from here on: perhaps since it was told so,
    /// about the next hop, which has an address of the same family.
    #[cold]
    fn diverted(&mut self, seen: Seen, talk: Talk, before: Mac, destination: Key) {
        let told = self.pushes.iter().rev().find(|push| {
            (push.by, push.told) == (talk.to, talk.from)
                && push.address.is_ipv6() == destination.is_ipv6()
                && seen.time.saturating_sub(push.time) <= DEFEND
        });
        if let Some(address) = told.filter(|_| self.clocked).map(|push| push.address)
            && let Some(entry) = self.addresses.get_mut(&address)
            && let Some(place) = entry.find(talk.to)
        {
            let claim = &mut entry.claims[place];
            claim.diverted.note(seen);
            claim.diverted_from = Some(before);
        }
    }

    pub(super) fn link(&mut self, one: Mac, other: Mac, kind: LinkKind, seen: Seen) {
        let ends = (one.min(other), one.max(other));
        let full = self.links.len() >= MOST_LINKS;
        match self.links.get_mut(&ends) {
            Some(known) => {
                known.kind = kind.max(known.kind);
                known.mark.note(seen);
            }
            None if !full => {
                let mut mark = Mark::default();
                mark.note(seen);
                self.links.insert(ends, Link { kind, mark });
            }
            None => {}
        }
    }
}
