//! Frames taken in: ARP and neighbour discovery as one kind of packet.

use arpflux_core::frame::{Arp, Ndp, Operation, Timestamp};
use arpflux_core::types::Mac;

use super::claim::{Address, Claim, How, Seen};
use super::packet::Push;
use super::{DEFEND, ECHO, Key, LinkKind, SETTLED, TICK, Table};
use crate::record::{self, Content, LinkType, Read, Record, Sighting};
use arpflux_core::types::VirtualMac;

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

/// What matters of an ARP packet, or of a solicitation or advertisement.
#[derive(Debug, Clone, Copy)]
struct Packet {
    seen: Seen,
    reply: bool,
    /// The address that it claims, and the MAC it gives for it.
    sender: Key,
    mac: Mac,
    /// The address it asks for, or is about.
    target: Option<Key>,
    /// Whom an answer is for.
    peer: Mac,
    /// The link-layer source.
    source: Mac,
    /// The MAC that it was sent to alone.
    to: Option<Mac>,
    to_all: bool,
    padded: Option<bool>,
    /// Of an advertisement: that it comes from a router, and that it may replace what is known.
    flags: Option<(bool, bool)>,
}

impl Packet {
    fn is_gratuitous(&self) -> bool {
        self.target == Some(self.sender)
    }

    /// Whether it speaks of another MAC than the one that it came from. A virtual MAC may stand in the packet alone.
    fn is_foreign(&self) -> bool {
        self.source != self.mac
            && self.source.as_bytes().len() == self.mac.as_bytes().len()
            && self.mac.octets().is_none_or(|mac| VirtualMac::of(mac).is_none())
            && self.source.octets().is_none_or(|mac| VirtualMac::of(mac).is_none())
    }
}

#[inline]
pub(super) fn mac(bytes: &[u8]) -> Mac {
    match bytes.try_into() {
        Ok(octets) => Mac::ethernet(octets),
        Err(_) => Mac::from_bytes(bytes).unwrap_or(Mac::NONE),
    }
}

fn is_group(bytes: &[u8]) -> bool {
    bytes.len() == 6 && bytes[0] & 1 == 1
}

impl Table {
    /// Takes one Ethernet frame, seen at `time`: what a packet socket receives.
    pub fn observe_ethernet(&mut self, time: Timestamp, frame: &[u8]) {
        let length = frame.len() as u32;
        let record = Record {
            number: 0,
            time: Some(time),
            link_type: LinkType::ETHERNET,
            interface: 0,
            data: &frame[..frame.len().min(Record::PREFIX)],
            captured: length,
            original: length,
        };
        if let Read::Sighting(sighting) = record::read(&record) {
            self.observe(&sighting);
        }
    }

    /// Takes one frame.
    ///
    /// Frames come in the order of the capture; without a time they count as one millisecond apart.
    pub fn observe(&mut self, sighting: &Sighting<'_>) {
        self.frames += 1;
        let frame = if sighting.number == 0 { self.frames } else { sighting.number };
        let now = match sighting.time {
            Some(time) => {
                self.clocked = true;
                time.0
            }
            None => self.last.saturating_add(TICK),
        };
        let seen = Seen { file: self.file, frame, time: now };
        if now.saturating_add(super::DISORDER) < self.last {
            self.counts.disordered.note(seen);
        }
        self.last = now;
        self.cover(now);
        let Some(wire) = self.wires.number(sighting.wire) else {
            self.counts.dropped += 1;
            return;
        };
        match &sighting.content {
            Content::Arp(arp) => self.arp(seen, wire, sighting, arp),
            Content::Ndp { message, source } => {
                self.neighbour(seen, wire, sighting, message, (*source).into());
            }
            Content::Ipv4 { source, destination, ttl } => {
                let (source, destination) = (Key::v4(wire, *source), Key::v4(wire, *destination));
                self.packet(seen, sighting, source, destination, *ttl);
            }
            Content::Log { address, from, to, duplicate } => {
                self.log(seen, Key::v4(wire, *address), [*from, *to], *duplicate);
            }
            Content::Group { packet, source } => {
                let source = Key { wire, address: *source };
                self.groups.note(packet, source, mac(sighting.source), seen, self.clocked);
                // It comes from the router itself.
                let none = Key { wire, address: 0 };
                self.packet(seen, sighting, source, none, Some(255));
            }
            Content::Ipv6 { source, destination, hop_limit } => {
                let key = |address: u128| Key { wire, address };
                let (source, destination) = (key((*source).into()), key((*destination).into()));
                self.packet(seen, sighting, source, destination, Some(*hop_limit));
            }
        }
    }

    fn arp(&mut self, seen: Seen, wire: u32, sighting: &Sighting<'_>, arp: &Arp<'_>) {
        let address = |bytes: &[u8]| bytes.first_chunk::<4>().map(|octets| u32::from_be_bytes(*octets));
        let Some(sender) = address(arp.sender_protocol).map(|sender| Key::v4(wire, sender)) else { return };
        let reply = match arp.operation {
            Operation::Request => false,
            Operation::Reply => true,
            Operation::Other(_) => {
                self.counts.odd += 1;
                return;
            }
        };
        let hardware = arp.sender_hardware;
        let is_cluster = hardware.try_into().is_ok_and(|mac| VirtualMac::of(mac).is_some());
        if is_group(hardware) && !is_cluster {
            self.counts.odd += 1;
            return;
        }
        let to_all = is_group(sighting.destination);
        // Text does not name the target of a reply; one to all is an announcement.
        let target = address(arp.target_protocol).map(|target| Key::v4(wire, target));
        let target = target.or((to_all && reply).then_some(sender));
        let to = mac(sighting.destination);
        *(if reply { &mut self.counts.replies } else { &mut self.counts.requests }) += 1;
        self.take(&Packet {
            seen,
            reply,
            sender,
            mac: mac(hardware),
            target,
            peer: mac(arp.target_hardware),
            source: mac(sighting.source),
            to: (!to_all && to != Mac::NONE).then_some(to),
            to_all,
            padded: sighting.padded,
            flags: None,
        });
    }

    fn neighbour(&mut self, seen: Seen, wire: u32, sighting: &Sighting<'_>, message: &Ndp, source: u128) {
        self.counts.neighbour += 1;
        let key = |address: u128| Key { wire, address };
        let to_all = is_group(sighting.destination);
        let (from, to) = (mac(sighting.source), mac(sighting.destination));
        let packet = Packet {
            seen,
            reply: false,
            sender: key(source),
            mac: from,
            target: Some(key(message.target().into())),
            peer: Mac::NONE,
            source: from,
            to: (!to_all && to != Mac::NONE).then_some(to),
            to_all,
            padded: None,
            flags: None,
        };
        match *message {
            // Of a probe (source ::) the asker is known by the frame alone.
            Ndp::Solicitation { source_mac, .. } => {
                self.take(&Packet { mac: source_mac.unwrap_or(from), ..packet });
            }
            Ndp::Advertisement { target, target_mac, solicited, router, overrides } => {
                let sender = key(target.into());
                // To all, unless it answers a probe, it announces.
                let probe = self.asks.find(sender, Mac::NONE, seen.time).is_some();
                let target = (to_all && !solicited && !probe).then_some(sender);
                let (peer, mac) = (if to_all { Mac::NONE } else { to }, target_mac.unwrap_or(from));
                let flags = Some((router, overrides));
                self.take(&Packet { reply: true, sender, mac, target, peer, flags, ..packet });
            }
        }
    }

    /// A line of a log: the MAC before, if it is named, and the MAC now.
    fn log(&mut self, seen: Seen, sender: Key, macs: [Mac; 2], duplicate: bool) {
        self.counts.logs += 1;
        for mac in macs.into_iter().filter(|mac| *mac != Mac::NONE) {
            let packet = Packet {
                seen,
                reply: false,
                sender,
                mac,
                target: None,
                peer: Mac::NONE,
                source: mac,
                to: None,
                to_all: true,
                padded: None,
                flags: None,
            };
            self.claim(&packet, How::Log, false);
        }
        if let Some(address) = self.addresses.get_mut(&sender).filter(|_| duplicate) {
            address.logged.note(seen);
            address.logged_by = Some(macs[1]);
        }
    }

    /// Does what a packet calls for.
    fn take(&mut self, packet: &Packet) {
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
                self.note_push(packet);
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
    fn claim(&mut self, packet: &Packet, how: How, contested: bool) -> Option<usize> {
        let (seen, bit) = (packet.seen, self.span.bit(packet.seen.time));
        let wire = self.wires.known[packet.sender.wire as usize].1;
        let key = Key { wire, ..packet.sender };
        let full = self.addresses.len() >= self.limits.addresses as usize;
        let address = match self.addresses.entry(key) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(_) if full => {
                self.counts.dropped += 1;
                return None;
            }
            std::collections::hash_map::Entry::Vacant(free) => free.insert(Address::new(packet.mac, seen)),
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
        if address.current as usize != place && !contested {
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

/// The address passes to another of its MACs.
fn moved(address: &mut Address, how: How, known: bool, place: usize, seen: Seen) {
    let tenure = seen.time.saturating_sub(address.since);
    let from = std::mem::replace(&mut address.current, place as u32) as usize;
    address.since = seen.time;
    address.moves = address.moves.saturating_add(1);
    let relation = address.between(from, place);
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
