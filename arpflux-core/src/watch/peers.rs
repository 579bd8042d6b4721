//! Which MAC answers for each address, and telling the peers where that is another one than before.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use super::watcher::Watcher;
use crate::plan::Announcement;
use crate::snapshot::Snapshot;
use crate::state::{Change, Object};
use crate::types::{IfIndex, Mac};
use crate::wire::announce;

/// So many addresses are remembered beyond those that are there.
const GONE: usize = 1_000;

/// The MAC that peers have of each address, as far as this host answers for it. What goes is remembered: a card or an address that
/// moves is gone in between.
#[derive(Debug, Default)]
pub(super) struct Answering(HashMap<IpAddr, Mac>);

impl Answering {
    /// Takes note of those that answer now; gives those that did with another MAC before. What is new has none that peers could
    /// have from here.
    pub fn moved(&mut self, now: &[(Announcement, Mac)]) -> Vec<Announcement> {
        if self.0.len() > now.len() + GONE {
            let there: HashSet<IpAddr> = now.iter().map(|(owner, _)| owner.address).collect();
            self.0.retain(|address, _| there.contains(address));
        }
        // Of an address on several interfaces the first one counts: else each look would find it moved.
        let mut seen = HashSet::new();
        let once = now.iter().filter(|(owner, _)| seen.insert(owner.address));
        let moved = once
            .filter(|(owner, mac)| self.0.insert(owner.address, *mac).is_some_and(|before| before != *mac));
        moved.map(|(owner, _)| *owner).collect()
    }
}

impl Watcher {
    /// Tells the peers of addresses that another MAC answers for than before, but for those that were told already.
    pub(super) fn tell_of_moved(&mut self, snapshot: &Snapshot, told: &[Announcement]) {
        let mac = |owner: &Announcement| {
            let on = snapshot.interface(owner.interface).filter(|interface| interface.speaks_arp())?;
            Some((*owner, on.mac))
        };
        let now: Vec<(Announcement, Mac)> = self.owners(|_, _| true).iter().filter_map(mac).collect();
        let mut moved = self.answering.moved(&now);
        moved.retain(|owner| !told.contains(owner));
        self.tell_peers(moved);
    }

    /// Who answers for the addresses of proxy entries that came or went.
    pub(super) fn owners_of_entries(&self, changes: &[Change]) -> Vec<Announcement> {
        let named: HashSet<IpAddr> = changes
            .iter()
            .filter_map(|change| match &change.object {
                Object::Proxy { address, .. } => Some(*address),
                _ => None,
            })
            .collect();
        self.owners(|address, _| named.contains(&address))
    }

    fn owners(&self, which: impl Fn(IpAddr, IfIndex) -> bool) -> Vec<Announcement> {
        let Some(desired) = self.desired.as_ref().filter(|_| self.policy.host.announce && self.options.heal)
        else {
            return Vec::new();
        };
        let all = desired.host_addresses.iter().chain(&desired.proxied).copied();
        all.filter(|(address, interface)| which(*address, *interface))
            .map(|(address, interface)| Announcement { interface, address })
            .collect()
    }

    /// Tells everybody on the wire which MAC answers; who does not hear it learns by himself, a little later.
    pub(super) fn tell_peers(&self, announcements: Vec<Announcement>) {
        if !announcements.is_empty() {
            let stop = &self.options.apply.stop;
            let _ = announce::announce_planned(&Snapshot::default(), &announcements, &once(), stop);
        }
    }
}

/// One round: a second would keep the watch from its work for more than a second.
pub(super) fn once() -> announce::Options {
    announce::Options { rounds: 1, ..announce::Options::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moved_is_told_also_if_it_was_gone_in_between() {
        let owner = |interface, host| Announcement {
            interface: IfIndex(interface),
            address: IpAddr::from([10, 0, 0, host]),
        };
        let mac = |last| Mac::ethernet([2, 0, 0, 0, 0, last]);
        let mut answering = Answering::default();
        let both = [(owner(2, 1), mac(2)), (owner(3, 2), mac(3))];
        assert_eq!(answering.moved(&both), []);
        assert_eq!(answering.moved(&both), []);
        // Another MAC of the same card.
        assert_eq!(answering.moved(&[(owner(2, 1), mac(9)), both[1]]), [owner(2, 1)]);
        // Gone, and on another card afterwards; one that is back where it was is no news.
        assert_eq!(answering.moved(&[]), []);
        assert_eq!(answering.moved(&[(owner(4, 1), mac(4)), both[1], (owner(4, 7), mac(4))]), [owner(4, 1)]);
        // On two cards at once.
        let twice = [(owner(4, 1), mac(4)), (owner(2, 1), mac(2))];
        assert_eq!([answering.moved(&twice), answering.moved(&twice)], [[]; 2]);
        // What is gone is not remembered without end.
        let many: Vec<_> = (0..=GONE as u32 + 3)
            .map(|at| {
                (Announcement { interface: IfIndex(2), address: IpAddr::from(at.to_be_bytes()) }, mac(2))
            })
            .collect();
        assert_eq!(answering.moved(&many), []);
        answering.moved(&both);
        answering.moved(&both);
        assert_eq!(answering.0.len(), 2);
    }
}
