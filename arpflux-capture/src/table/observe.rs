//! Frames taken in: ARP and neighbour discovery as one kind of packet.

use arpflux_core::frame::{Arp, Ndp, Operation, Timestamp};
use arpflux_core::types::Mac;

use super::claim::{How, Seen};
use super::{Key, TICK, Table};
use crate::record::{self, Content, Read, Sighting};
use arpflux_core::types::VirtualMac;

/// What matters of an ARP packet, or of a solicitation or advertisement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Packet {
    pub(super) seen: Seen,
    pub(super) reply: bool,
    /// The address that it claims, and the MAC it gives for it.
    pub(super) sender: Key,
    pub(super) mac: Mac,
    /// The address it asks for, or is about.
    pub(super) target: Option<Key>,
    /// Whom an answer is for.
    pub(super) peer: Mac,
    /// The link-layer source.
    pub(super) source: Mac,
    /// The MAC that it was sent to alone.
    pub(super) to: Option<Mac>,
    pub(super) to_all: bool,
    pub(super) padded: Option<bool>,
    /// Of an advertisement: that it comes from a router, and that it may replace what is known.
    pub(super) flags: Option<(bool, bool)>,
}

impl Packet {
    pub(super) fn is_gratuitous(&self) -> bool {
        self.target == Some(self.sender)
    }

    /// Whether it speaks of another MAC than the one that it came from. A virtual MAC may stand in the packet alone, and the
    /// NAT of VirtualBox answers so for its own addresses.
    pub(super) fn is_foreign(&self) -> bool {
        const VIRTUAL_BOX: &[u8] = &[0x52, 0x54, 0x00, 0x12, 0x35];
        let is_its_own = [self.source, self.mac].iter().all(|mac| mac.as_bytes().starts_with(VIRTUAL_BOX));
        self.source != self.mac
            && !is_its_own
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
        if let Read::Sighting(sighting) = record::ethernet(time, frame) {
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
}
