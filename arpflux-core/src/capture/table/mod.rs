//! Who claimed which address, when, and what the frames around it prove.
//!
//! [`Table`] takes frames and keeps counts; it decides nothing. Its memory is bounded by [`Limits`]
//! whatever it is fed: what does not fit is counted and told in the report.

mod ask;
mod index;
mod ordinary;
mod pair;
mod prefetch;
mod queue;
mod run;

use std::collections::BTreeMap;

use ask::Asks;
use index::Index;
pub(super) use ordinary::ARP_FRAME;
pub(super) use pair::{FullPair, PARTS, Span};
use pair::{Pair, Rare};
use queue::{Op, Queue, TO_ALL};
pub(super) use run::Frames;

use super::record::{Content, Sighting, Vlans};
use crate::frame::{Arp, Operation};
use crate::types::Mac;

/// The most a [`Table`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Addresses, counting one on two VLANs twice. Each takes 128 bytes at most.
    pub addresses: u32,
    /// MACs beyond the first of each address, of all addresses together. Each takes about 200 bytes,
    /// and as much again the address.
    pub further_macs: u32,
    /// MACs of one address; more are counted, but not told apart.
    pub macs_per_address: u32,
}

impl Default for Limits {
    /// A /14, half of whose addresses have two MACs, in about 100 MiB; a table that holds less takes less. One of up
    /// to 4,096 addresses takes 512 KiB for them, which keeps them apart.
    fn default() -> Self {
        Self { addresses: 1 << 18, further_macs: 1 << 17, macs_per_address: 64 }
    }
}

/// Nowhere in a list.
const NONE: u32 = u32::MAX;
/// The bits of [`station`]; those above are free for flags.
const STATION: u64 = (1 << 61) - 1;
/// An answer that comes later than this is none, in ns: twice the longest usual proxy delay (0.8 s), and more.
const ANSWER_WITHIN: u64 = 2_000_000_000;
/// A direct answer takes less, in ns; Linux delays proxied ones by 0 to 0.8 s, so one in eighty hides below it.
const PROMPT: u64 = 10_000_000;
/// RFC 5227 section 2.4: a second conflict within this time, in ns, means that somebody defends the address.
const DEFEND: u64 = 10_000_000_000;
/// An address that moves on sooner, in ns, was not taken over but claimed by two.
const SETTLED: u64 = 1_000_000_000;
/// How long apart the frames of a capture without a clock are taken to be, in ns.
const TICK: u64 = 1_000_000;

/// An address on a VLAN as one number.
#[inline]
fn key(vlans: Vlans, address: u32) -> u64 {
    u64::from(vlans.bits()) << 32 | u64::from(address)
}

/// A MAC as one number: itself if it has six bytes, else a hash with bit 60 set; 0 for none.
#[inline]
pub(super) fn station(mac: &[u8]) -> u64 {
    if let Ok(&[a, b, c, d, e, f]) = <&[u8; 6]>::try_from(mac) {
        return u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    }
    if mac.is_empty() {
        return 0;
    }
    // FNV-1a. The longest addresses are InfiniBand's; two with one hash would be shown as one.
    let hash = mac.iter().fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash & STATION) | 1 << 60
}

/// What is counted of an address as a whole.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stats {
    /// How often the claims passed from one MAC to another, one after the other.
    pub moves: u32,
    /// Of these, begun with a gratuitous ARP.
    pub announced_moves: u32,
    /// Of these, back to a MAC that had claimed it before, within ten seconds.
    pub quick_returns: u32,
    /// Of all moves, those within a second of the one before.
    pub quick_moves: u32,
    /// Requests of others that more than one MAC answered.
    pub contested: u32,
    /// Requests of a MAC that claims the address itself, answered by another.
    pub self_answered: u32,
    /// Who sent a probe (sender 0.0.0.0) that was answered; looked at again in the end, when the asker
    /// may have taken the address.
    pub prober: Option<u64>,
    /// How many claims came from MACs beyond the limit.
    pub unlisted: u32,
}

/// What is known of an address that is not simply one MAC's.
#[derive(Debug, Default)]
struct Detail {
    stats: Stats,
    /// Of the first MAC, whose [`Pair`] stands in the index.
    first: Rare,
    others: Vec<FullPair>,
    /// Whose claim was the last: 0 the first MAC, from 1 on the others.
    current: u32,
    /// Since when.
    since: u64,
}

/// An address with all that is known of it.
#[derive(Debug)]
pub(super) struct Address {
    pub key: u64,
    pub stats: Stats,
    /// In the order of their first claims.
    pub pairs: Vec<FullPair>,
}

/// A MAC of an address: where in the index, and the how manieth.
#[derive(Debug, Clone, Copy)]
struct Place {
    slot: usize,
    which: u32,
}

/// Two MACs that frames show to be one host's, and how surely.
pub(super) type Links = BTreeMap<(u64, u64), Link>;

/// How two MACs were seen to be one host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Link {
    /// A packet sent to one was answered from the other, but by way of a router perhaps.
    Forwarded,
    /// A packet or an ARP request sent to one alone was answered from the other.
    Answered,
}

/// Links beyond this number are not kept: pairs of that many NICs are not one host's.
const MOST_LINKS: usize = 4096;
/// Conversations remembered for [`Link`]s.
const CONVERSATIONS: usize = 1024;

#[derive(Debug, Clone, Copy, Default)]
struct Conversation {
    peer: u64,
    address: u64,
    to: u64,
    time: u64,
}

/// Everything seen, in bounded memory.
#[derive(Debug)]
pub struct Table {
    limits: Limits,
    index: Index,
    details: Vec<Detail>,
    further_macs: u32,
    asks: Asks,
    conversations: Box<[Conversation]>,
    pub(super) links: Links,
    pub(super) span: Span,
    last: u64,
    pub(super) clocked: bool,
    pub(super) counts: TableCounts,
    /// Apart, as its cache lines want a place that memory from elsewhere than Rust may not have.
    queue: Box<Queue>,
}

/// What [`Table`] counted beside its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TableCounts {
    pub requests: u64,
    pub replies: u64,
    /// Packets that contradict themselves: a group address as sender, an operation that is neither.
    pub odd: u64,
    /// Claims that found no room.
    pub dropped: u64,
}

/// How a MAC claimed an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claim {
    Request,
    Reply,
    Announcement,
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            index: Index::new(),
            details: Vec::new(),
            further_macs: 0,
            asks: Asks::new(),
            conversations: vec![Conversation::default(); CONVERSATIONS].into(),
            links: Links::new(),
            span: Span::default(),
            last: 0,
            clocked: false,
            counts: TableCounts::default(),
            queue: Box::default(),
        }
    }

    /// Takes one frame.
    ///
    /// Frames come in the order of the capture; without a time they count as one millisecond apart.
    pub fn observe(&mut self, sighting: &Sighting<'_>) {
        self.settle();
        let now = match sighting.time {
            Some(time) => {
                self.clocked = true;
                time.0
            }
            None => self.last.saturating_add(TICK),
        };
        self.last = now;
        match &sighting.content {
            Content::Arp(arp) => self.arp(now, sighting, arp),
            Content::Ipv4 { source, destination, ttl } => {
                self.cover(now);
                self.packet(now, sighting, *source, *destination, *ttl);
            }
        }
    }

    #[inline]
    fn cover(&mut self, now: u64) {
        let doublings = self.span.cover(now);
        if doublings > 0 {
            for slot in self.index.iter_mut() {
                slot.pair.active = pair::doubled(slot.pair.active, doublings);
            }
            for other in self.details.iter_mut().flat_map(|detail| &mut detail.others) {
                other.pair.active = pair::doubled(other.pair.active, doublings);
            }
        }
    }

    fn arp(&mut self, now: u64, sighting: &Sighting<'_>, arp: &Arp<'_>) {
        let address = |bytes: &[u8]| bytes.first_chunk::<4>().map(|octets| u32::from_be_bytes(*octets));
        let Some(sender) = address(arp.sender_protocol) else { return };
        let target = address(arp.target_protocol);
        let mac = arp.sender_hardware;
        let to = sighting.destination.first();
        let to_all = to.is_some_and(|byte| byte & 1 == 1);
        let op = Op {
            now,
            reply: arp.operation == Operation::Reply,
            station: station(mac),
            sender: key(sighting.vlans, sender),
            other: station(arp.target_hardware),
            to: if to_all { TO_ALL } else { station(sighting.destination) },
            ..Op::default()
        };
        // Text does not name the target of a reply; one to all is an announcement.
        let target = target.or((to_all && arp.operation == Operation::Reply).then_some(sender));
        let target = target.map(|target| key(sighting.vlans, target));
        let is_group = mac.len() == 6 && mac[0] & 1 == 1;
        if is_group || matches!(arp.operation, Operation::Other(_)) {
            self.counts.odd += 1;
            return;
        }
        self.apply(&self.hashed(op, target), mac);
    }

    /// Does what an ARP packet with the sender's MAC `mac` calls for.
    fn apply(&mut self, op: &Op, mac: &[u8]) {
        self.cover(op.now);
        let has_sender = op.sender as u32 != 0 && op.station != 0;
        if op.reply {
            self.counts.replies += 1;
            if has_sender && op.gratuitous {
                self.claim(op, Claim::Announcement, mac, false);
            } else if has_sender {
                self.reply(op, mac);
            }
            return;
        }
        self.counts.requests += 1;
        if has_sender {
            let claim = if op.gratuitous { Claim::Announcement } else { Claim::Request };
            self.claim(op, claim, mac, false);
        }
        if op.asks {
            self.asks.ask_with(op.print, op.station, op.now, op.sent_to(), op.sender as u32 == 0);
        }
    }

    /// An answer, or what looks like one.
    #[inline]
    fn reply(&mut self, op: &Op, mac: &[u8]) {
        let Some(ask) = self.asks.find(op.sender, op.print, op.now) else {
            let place = self.claim(op, Claim::Reply, mac, false);
            if let Some(place) = place.filter(|_| op.to & TO_ALL == 0) {
                self.rare(place, |rare| rare.unasked = rare.unasked.saturating_add(1));
            }
            return;
        };
        // While a request is open, a second answer is no move of the address: both stand.
        let first = ask.first;
        let contested = first != 0 && first != op.station;
        let again = contested && ask.contest();
        if first == 0 {
            ask.first = op.station;
        }
        let (sent_to, probe, delay) = (ask.sent_to(), ask.is_probe(), op.now.saturating_sub(ask.time));
        let Some(place) = self.claim(op, Claim::Reply, mac, contested) else { return };
        if sent_to == 0 {
            self.pair(place).took(delay);
        }
        let asked_by_another = op.other != op.station;
        if contested
            || place.which > 0
            || (probe && asked_by_another)
            || self.index.at(place.slot).pair.detail != NONE
        {
            self.answered(op, place, contested.then_some((first, again)), sent_to, probe && asked_by_another);
        }
    }

    /// What an answer shows beyond itself. `contested`: who answered first, and whether a third comes now.
    #[cold]
    fn answered(
        &mut self,
        op: &Op,
        place: Place,
        contested: Option<(u64, bool)>,
        sent_to: u64,
        probed: bool,
    ) {
        let own = self.find_mac(place.slot, op.other).is_some();
        if let Some((first, again)) = contested.filter(|_| !own) {
            if !again && let Some(first) = self.find_mac(place.slot, first) {
                self.rare(first, |rare| rare.shared = rare.shared.saturating_add(1));
            }
            self.rare(place, |rare| rare.shared = rare.shared.saturating_add(1));
            if !again && let Some(detail) = self.detail(place.slot) {
                detail.stats.contested = detail.stats.contested.saturating_add(1);
            }
        }
        if let Some(detail) = self.detail(place.slot) {
            if own && op.other != op.station {
                detail.stats.self_answered = detail.stats.self_answered.saturating_add(1);
            }
            if probed {
                detail.stats.prober.get_or_insert(op.other);
            }
        }
        if sent_to != 0 && sent_to != op.station && self.find_mac(place.slot, sent_to).is_some() {
            self.link(sent_to, op.station, Link::Answered);
        }
    }

    /// Counts a claim; says where, or nothing if there is no room. `contested` while another answer to the
    /// same request stands.
    #[inline]
    fn claim(&mut self, op: &Op, claim: Claim, mac: &[u8], contested: bool) -> Option<Place> {
        let bit = self.span.bit(op.now);
        let new = Pair::new(op.station, op.now);
        let Some(slot) = self.index.find_or_add(op.sender, op.hash, self.limits.addresses, new) else {
            self.counts.dropped += 1;
            return None;
        };
        let pair = &mut self.index.at(slot).pair;
        let place = if pair.detail == NONE && pair.station == op.station && op.station >> 48 == 0 {
            Place { slot, which: 0 }
        } else {
            self.claim_disputed(op, claim, mac, contested, slot)?
        };
        self.pair(place).claim(claim, op.now, bit);
        Some(place)
    }

    /// The same for an address that has, or now gets, several MACs, or one of unusual length.
    #[cold]
    fn claim_disputed(
        &mut self,
        op: &Op,
        claim: Claim,
        mac: &[u8],
        contested: bool,
        slot: usize,
    ) -> Option<Place> {
        let known = self.find_mac(slot, op.station);
        let Some(detail) = self.detail(slot) else {
            self.counts.dropped += 1;
            return None;
        };
        let which = match known {
            Some(place) => place.which,
            None => {
                let full = detail.others.len() + 1 >= self.limits.macs_per_address as usize;
                if full || self.further_macs >= self.limits.further_macs {
                    let detail = self.detail(slot)?;
                    detail.stats.unlisted = detail.stats.unlisted.saturating_add(1);
                    self.counts.dropped += 1;
                    return None;
                }
                self.further_macs += 1;
                let detail = self.detail(slot)?;
                detail.others.push(FullPair { pair: Pair::new(op.station, op.now), rare: Rare::default() });
                detail.others.len() as u32
            }
        };
        let place = Place { slot, which };
        if mac.len() != 6 {
            let long = Mac::from_bytes(mac).ok();
            self.rare(place, |rare| rare.long = long);
        }
        let detail = self.detail(slot)?;
        if detail.current == which || contested {
            return Some(place);
        }
        let tenure = op.now.saturating_sub(detail.since);
        let stats = &mut detail.stats;
        stats.moves = stats.moves.saturating_add(1);
        if claim == Claim::Announcement {
            stats.announced_moves = stats.announced_moves.saturating_add(1);
        }
        if tenure < SETTLED {
            stats.quick_moves = stats.quick_moves.saturating_add(1);
        }
        if known.is_some() && tenure < DEFEND {
            stats.quick_returns = stats.quick_returns.saturating_add(1);
        }
        (detail.current, detail.since) = (which, op.now);
        Some(place)
    }

    /// The detail of an address, made if need be and if there is room.
    fn detail(&mut self, slot: usize) -> Option<&mut Detail> {
        let pair = &mut self.index.at(slot).pair;
        if pair.detail == NONE {
            if self.details.len() >= self.limits.further_macs as usize {
                return None;
            }
            pair.detail = self.details.len() as u32;
            self.details.push(Detail { since: pair.first, ..Detail::default() });
        }
        self.details.get_mut(pair.detail as usize)
    }

    /// Where the MAC of an address is, if it has claimed it.
    fn find_mac(&mut self, slot: usize, station: u64) -> Option<Place> {
        let pair = &self.index.at(slot).pair;
        if pair.station == station {
            return Some(Place { slot, which: 0 });
        }
        let others = &self.details.get(pair.detail as usize)?.others;
        let at = others.iter().position(|other| other.pair.station == station)?;
        Some(Place { slot, which: at as u32 + 1 })
    }

    #[inline]
    fn pair(&mut self, place: Place) -> &mut Pair {
        let first = &mut self.index.at(place.slot).pair;
        match place.which {
            0 => first,
            // `which` comes from this list, which never shrinks.
            which => &mut self.details[first.detail as usize].others[which as usize - 1].pair,
        }
    }

    /// Changes the seldom counters of a pair, if there is room for them.
    #[cold]
    fn rare(&mut self, place: Place, change: impl FnOnce(&mut Rare)) {
        if let Some(detail) = self.detail(place.slot) {
            match place.which {
                0 => change(&mut detail.first),
                which => change(&mut detail.others[which as usize - 1].rare),
            }
        }
    }

    /// An IPv4 packet: by which MAC an address is reached, and by which it answers.
    fn packet(&mut self, now: u64, sighting: &Sighting<'_>, source: u32, destination: u32, ttl: Option<u8>) {
        let (from, to) = (station(sighting.source), station(sighting.destination));
        let (source, destination) = (key(sighting.vlans, source), key(sighting.vlans, destination));
        let place = self.index.find(source).and_then(|slot| self.find_mac(slot, from));
        if let Some(place) = place {
            let forwarded = ttl.is_some_and(pair::was_forwarded);
            if ttl.is_some() {
                self.rare(place, |rare| {
                    let count = if forwarded { &mut rare.forwarded } else { &mut rare.own };
                    *count = count.saturating_add(1);
                });
            }
            let talk = self.conversations[conversation(destination, source)];
            let known =
                (talk.peer, talk.address) == (destination, source) && now.saturating_sub(talk.time) <= DEFEND;
            if known && talk.to == from {
                self.rare(place, |rare| rare.straight = rare.straight.saturating_add(1));
            } else if known && self.find_mac(place.slot, talk.to).is_some() {
                self.link(talk.to, from, if forwarded { Link::Forwarded } else { Link::Answered });
            }
        }
        let sent_to_one = sighting.destination.first().is_some_and(|byte| byte & 1 == 0);
        if sent_to_one && self.index.find(destination).and_then(|slot| self.find_mac(slot, to)).is_some() {
            self.conversations[conversation(source, destination)] =
                Conversation { peer: source, address: destination, to, time: now };
        }
    }

    fn link(&mut self, one: u64, other: u64, link: Link) {
        let ends = (one.min(other), one.max(other));
        let full = self.links.len() >= MOST_LINKS;
        match self.links.get_mut(&ends) {
            Some(known) => *known = link.max(*known),
            None if !full => {
                self.links.insert(ends, link);
            }
            None => {}
        }
    }

    /// Every address, in no order.
    pub(super) fn addresses(&self) -> impl Iterator<Item = Address> {
        self.index.iter().map(|slot| {
            let detail = self.details.get(slot.pair.detail as usize);
            let first =
                FullPair { pair: slot.pair, rare: detail.map_or_else(Rare::default, |detail| detail.first) };
            let mut pairs = vec![first];
            pairs.extend(detail.iter().flat_map(|detail| &detail.others));
            Address { key: slot.key, stats: detail.map_or_else(Stats::default, |detail| detail.stats), pairs }
        })
    }
}

fn conversation(peer: u64, address: u64) -> usize {
    index::mix(peer.rotate_left(17) ^ address) as usize % CONVERSATIONS
}
