//! What a packet is to the table: a question, an answer, a claim.

use std::collections::hash_map::Entry;

use arpflux_core::types::Mac;

use super::address::Address;
use super::claim::{Claim, How, Seen};
use super::observe::Packet;
use super::packet::Push;
use super::{DEFEND, ECHO, Key, LinkKind, SETTLED, TICK, Table};

/// A request, to recognise it on another interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    target: u128,
    sender: u128,
    mac: Mac,
    time: u64,
    pub(super) wire: u32,
}

/// Requests remembered to recognise them.
const REMEMBERED: usize = 16;
/// In a capture of answers alone, those within this time, in ns, answer one request.
const IMPLIED: u64 = 1_000_000_000;

impl Table {
    /// Does what a packet calls for.
    pub(super) fn take(&mut self, packet: &Packet) {
        let has_sender = packet.sender.is_some() && packet.mac != Mac::NONE;
        if packet.reply {
            if has_sender && packet.is_gratuitous() {
                self.claim(packet, How::Announcement, false);
            } else if has_sender {
                self.reply(packet);
            }
            return;
        }
        if packet.to_all {
            self.recognise(packet);
        }
        if has_sender {
            let how = if packet.is_gratuitous() { How::Announcement } else { How::Request };
            self.claim(packet, how, false);
            self.note_push(packet);
            if packet.to_all && self.further_macs > 0 {
                self.copied(packet);
            }
        }
        if let Some(target) = packet.target {
            let probe = !packet.sender.is_some();
            let asker = if probe && packet.sender.address == 0 { Mac::NONE } else { packet.mac };
            // Joined with another wire meanwhile, perhaps.
            let wire = self.wires.known[target.wire as usize].1;
            self.asks.ask(Key { wire, ..target }, asker, packet.seen.time, packet.to, probe);
        }
    }

    /// A request that came on another interface at the same time: one wire, seen twice.
    fn recognise(&mut self, packet: &Packet) {
        let Some(target) = packet.target else { return };
        let request = Request {
            target: target.address,
            sender: packet.sender.address,
            mac: packet.mac,
            time: packet.seen.time,
            wire: packet.sender.wire,
        };
        let several = self.wires.known.len() > 1;
        let same = self.requests.iter().filter(|_| several).find(|known| {
            known.wire != request.wire
                && (known.target, known.sender, known.mac) == (request.target, request.sender, request.mac)
                && known.time.abs_diff(request.time) < ECHO
        });
        let other = same.map(|known| known.wire);
        if self.requests.len() < REMEMBERED {
            self.requests.push(request);
        } else {
            self.requests[self.next_request] = request;
        }
        self.next_request = (self.next_request + 1) % REMEMBERED;
        if let Some(other) = other
            && self.wire(other).interface != self.wire(request.wire).interface
            && self.wire(other).tunnel == self.wire(request.wire).tunnel
        {
            self.join_wires(request.wire, other);
        }
    }

    /// A request that another MAC sent just before, with the same sender address.
    fn copied(&mut self, packet: &Packet) {
        let (Some(target), true) = (packet.target, self.clocked) else { return };
        let wire = self.wires.known[packet.sender.wire as usize].1;
        let address = self.addresses.get_mut(&Key { wire, ..packet.sender });
        let Some(address) = address.filter(|address| address.claims.len() > 1) else { return };
        let original = self.requests.iter().find(|known| {
            let same = (known.target, known.sender) == (target.address, packet.sender.address);
            same && known.wire == packet.sender.wire
                && known.mac != packet.mac
                && known.time.abs_diff(packet.seen.time) < ECHO
        });
        let Some(original) = original else { return };
        if let (Some(one), Some(other)) = (address.find(original.mac), address.find(packet.mac)) {
            let relation = address.between(one, other);
            relation.copied.note(packet.seen);
            relation.copied_by = Some(packet.mac);
        }
    }

    /// An answer, or what looks like one.
    fn reply(&mut self, packet: &Packet) {
        let now = packet.seen.time;
        let Some(ask) = self.asks.find(packet.sender, packet.peer, now) else {
            if self.counts.requests == 0 && self.counts.neighbour == 0 {
                let within = if self.clocked { IMPLIED } else { 2 * TICK };
                self.asks.imply(packet.sender, packet.peer, now, packet.mac, within);
            }
            let place = self.claim(packet, How::Reply, false);
            if let Some(place) = place.filter(|_| !packet.to_all)
                && let Some(claim) = self.claim_at(packet.sender, place)
            {
                claim.unasked(packet.seen, packet.peer);
                claim.nameless |= packet.target.is_none();
                self.note_push(packet);
                self.asked_in_anothers_name(packet);
            }
            return;
        };
        // While a request is open, a second answer is no move of the address: both stand.
        let first = *ask.first.get_or_insert(packet.mac);
        let contested = first != packet.mac;
        let again = contested && std::mem::replace(&mut ask.contested, true);
        let (to, probe, implied) = (ask.to, ask.probe, ask.implied);
        let delay = now.saturating_sub(ask.time);
        let Some(place) = self.claim(packet, How::Reply, contested) else { return };
        let mut linked = None;
        if let Some(address) = self.addresses.get_mut(&packet.sender) {
            let claim = &mut address.claims[place];
            if to.is_none() && !implied {
                claim.took(delay);
                claim.flagged(packet.flags);
            }
            if probe {
                claim.denials = claim.denials.saturating_add(1);
            }
            if packet.peer != Mac::NONE {
                claim.answered(packet.peer);
            }
            answered(address, packet, place, contested.then_some((first, again)), probe);
            linked = to.filter(|to| *to != packet.mac && address.find(*to).is_some());
        }
        if let Some(to) = linked {
            self.link(to, packet.mac, LinkKind::Answered, packet.seen);
        }
    }

    /// A reply repeats the sender of its request. If that request was not seen, and another MAC has its sender's address,
    /// the one that is answered asked in its name.
    fn asked_in_anothers_name(&mut self, packet: &Packet) {
        let Some(target) = packet.target.filter(|target| target.is_some()) else { return };
        let target = Key { wire: self.wires.known[target.wire as usize].1, ..target };
        let is_anothers = self.addresses.get(&target).is_some_and(|address| {
            address.claims.iter().any(|claim| claim.mac != packet.peer && claim.replies + claim.requests > 0)
        });
        if packet.to == Some(packet.peer) && is_anothers {
            let request = Packet {
                reply: false,
                sender: target,
                mac: packet.peer,
                target: Some(packet.sender),
                source: packet.peer,
                to: Some(packet.source),
                padded: None,
                ..*packet
            };
            self.claim(&request, How::Request, false);
        }
    }

    /// A claim that came unasked to one host.
    fn note_push(&mut self, packet: &Packet) {
        if let Some(told) = packet.to {
            self.push(Push { by: packet.mac, told, address: packet.sender, time: packet.seen.time });
        }
    }

    fn claim_at(&mut self, key: Key, place: usize) -> Option<&mut Claim> {
        self.addresses.get_mut(&key)?.claims.get_mut(place)
    }

    /// Counts a claim; says which of the address's MACs it is of, or nothing if there is no room. `contested` while
    /// another answer to the same request stands.
    pub(super) fn claim(&mut self, packet: &Packet, how: How, contested: bool) -> Option<usize> {
        let (seen, bit) = (packet.seen, self.span.bit(packet.seen.time));
        let wire = self.wires.known[packet.sender.wire as usize].1;
        let key = Key { wire, ..packet.sender };
        let full = self.addresses.len() >= self.limits.addresses as usize;
        let address = match self.addresses.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if full => {
                self.counts.dropped += 1;
                return None;
            }
            Entry::Vacant(free) => free.insert(Address::new(packet.mac, seen)),
        };
        let known = address.find(packet.mac);
        // One that claims it for itself speaks in another's name: to undo what it did, or to frame it.
        if packet.is_foreign()
            && let (Some(by), Some(of)) = (address.find(packet.source), known)
            && by != of
        {
            let relation = address.between(by, of);
            relation.named.note(seen);
            relation.named_by = Some(packet.source);
            return None;
        }
        let place = match known {
            Some(place) => place,
            None if address.claims.len() >= self.limits.macs_per_address as usize
                || self.further_macs >= self.limits.further_macs =>
            {
                address.unlisted = address.unlisted.saturating_add(1);
                self.counts.dropped += 1;
                return None;
            }
            None => {
                self.further_macs += 1;
                address.claims.push(Claim::new(packet.mac, seen));
                address.claims.len() - 1
            }
        };
        let claim = &mut address.claims[place];
        claim.claim(how, seen, bit);
        match packet.padded {
            Some(true) => claim.padded = claim.padded.saturating_add(1),
            Some(false) => claim.unpadded = claim.unpadded.saturating_add(1),
            None => {}
        }
        if let (How::Request, Some(to)) = (how, packet.to) {
            claim.pointed.note(seen);
            claim.tell(to);
        }
        if packet.is_foreign() {
            claim.foreign.note(seen);
            claim.foreign_source = packet.source;
        }
        if known.is_none() && !address.probers.is_empty() {
            took_all_the_same(address, packet.mac, place);
        }
        if !contested && address.claims.len() > 1 {
            moved(address, how, known.is_some(), place, seen);
        }
        Some(place)
    }
}

/// What an answer shows beyond itself. `contested`: who answered first, and whether a third comes now.
fn answered(
    address: &mut Address,
    packet: &Packet,
    place: usize,
    contested: Option<(Mac, bool)>,
    probe: bool,
) {
    let asker = address.find(packet.peer);
    match asker {
        // It asked about its own address.
        Some(asker) if asker != place => address.between(asker, place).defended.note(packet.seen),
        Some(_) => {}
        None => {
            if let Some((first, again)) = contested
                && let Some(first) = address.find(first)
            {
                if !again {
                    address.claims[first].shared = address.claims[first].shared.saturating_add(1);
                    address.contested.note(packet.seen);
                }
                address.claims[place].shared = address.claims[place].shared.saturating_add(1);
                address.between(first, place).contested.note(packet.seen);
            }
            if probe && packet.peer != Mac::NONE && address.probers.len() < 8 {
                address.probers.push((packet.peer, packet.mac));
            }
        }
    }
}

/// A MAC claims the address first now; perhaps it had asked whether it is free, and was told that it is not.
fn took_all_the_same(address: &mut Address, mac: Mac, place: usize) {
    let told = address.probers.iter().find(|(prober, _)| *prober == mac).map(|(_, holder)| *holder);
    if let Some(holder) = told.and_then(|holder| address.find(holder)) {
        address.between(holder, place).probed = true;
    }
}

/// The address passes to a MAC: from the one that claimed it before, and from each other that had it as well, whatever a
/// third did meanwhile. A router that asks by a MAC of its own takes it from none but the one before.
fn moved(address: &mut Address, how: How, known: bool, place: usize, seen: Seen) {
    let from = std::mem::replace(&mut address.current, place as u32) as usize;
    if from != place {
        address.since = seen.time;
        address.moves = address.moves.saturating_add(1);
    }
    for other in (0..address.claims.len()).filter(|other| *other != place) {
        let (one, has) = (&address.claims[place.min(other)], &address.claims[other]);
        let counts = how != How::Request && has.replies + has.announcements > 0;
        let began = one.first.time;
        if other != from && !counts {
            continue;
        }
        let relation = address.between(other, place);
        if relation.holder.unwrap_or(relation.one) as usize == place {
            continue;
        }
        let tenure = seen.time.saturating_sub(relation.holder.map_or(began, |_| relation.since));
        (relation.holder, relation.since) = (Some(place as u32), seen.time);
        relation.moves.note(seen);
        if how == How::Announcement {
            relation.announced = relation.announced.saturating_add(1);
        }
        if tenure < SETTLED {
            relation.quick = relation.quick.saturating_add(1);
        }
        if known && tenure < DEFEND {
            relation.returns.note(seen);
            if how != How::Announcement {
                relation.returns_unannounced = relation.returns_unannounced.saturating_add(1);
            }
        }
    }
}
