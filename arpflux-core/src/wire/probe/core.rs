//! The core of `probe`: no sockets, no clock of its own.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::{Options, Probed, Reply};
use crate::frame::{Arp, EtherType, Ethernet, Ipv4Arp, Operation};
use crate::types::Mac;

/// Where the target's address stands in a request frame, and the frame's destination.
const TARGET_AT: usize = 38;
const DESTINATION_AT: usize = 0;
/// How much sending may lag behind the rate and be caught up with at once.
const BURST: Duration = Duration::from_millis(2);
/// Duplicate address probes go unicast, are never delayed by the receiver, and are sent twice at most.
const PROXY_WAIT: Duration = Duration::from_millis(200);

/// What to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Transmit<'a> {
    /// Send this frame and ask again.
    Frame(&'a [u8]),
    /// Nothing before this time.
    Wait(Duration),
    /// It is over.
    Done,
}

#[derive(Debug)]
struct Target {
    address: Ipv4Addr,
    requests: u8,
    /// Time of the first request, and of the last.
    first: Duration,
    last: Duration,
    reply: Option<Reply>,
    /// Replies of further MACs; an address with one MAC needs no allocation.
    more: Vec<Reply>,
}

/// What the requests are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Who has it? In this round.
    Ask(u8),
    /// Do you hold it? In this round.
    Tell(u8),
    Over,
}

/// Asks for many addresses at once. Times are counted from any one moment, the same for all calls.
#[derive(Debug)]
pub struct Prober {
    options: Options,
    mac: Mac,
    sender: Ipv4Addr,
    targets: Vec<Target>,
    index: HashMap<Ipv4Addr, u32>,
    frame: Vec<u8>,
    probe: Vec<u8>,
    phase: Phase,
    cursor: usize,
    /// Which MAC of the target under the cursor is asked next.
    place: usize,
    next_send: Duration,
    last_send: Duration,
}

impl Prober {
    /// Asks for `targets` from an interface with this MAC and address (0.0.0.0: as duplicate address
    /// probes, which proxies do not answer).
    #[must_use]
    pub fn new(options: Options, mac: Mac, sender: Ipv4Addr, targets: &[Ipv4Addr]) -> Self {
        let index = targets.iter().enumerate().map(|(i, address)| (*address, i as u32)).collect();
        let template = |sender| Ipv4Arp::request(mac, sender, Ipv4Addr::UNSPECIFIED).to_frame(Mac::BROADCAST);
        Self {
            options: Options { tries: options.tries.clamp(1, 10), rate: options.rate.max(1), ..options },
            mac,
            sender,
            targets: targets
                .iter()
                .map(|address| Target {
                    address: *address,
                    requests: 0,
                    first: Duration::ZERO,
                    last: Duration::ZERO,
                    reply: None,
                    more: Vec::new(),
                })
                .collect(),
            index,
            frame: template(sender),
            probe: template(Ipv4Addr::UNSPECIFIED),
            phase: Phase::Ask(0),
            cursor: 0,
            place: 0,
            next_send: Duration::ZERO,
            last_send: Duration::ZERO,
        }
    }

    /// What to do at the time `now`.
    pub fn transmit(&mut self, now: Duration) -> Transmit<'_> {
        loop {
            match self.phase {
                Phase::Over => return Transmit::Done,
                Phase::Ask(round) => {
                    let Some(target) = self.targets.get(self.cursor) else {
                        if round + 1 < self.options.tries && self.targets.iter().any(|t| t.reply.is_none()) {
                            self.next_phase(Phase::Ask(round + 1));
                            continue;
                        }
                        let end = self.last_send + self.options.wait;
                        if now < end && !self.targets.is_empty() {
                            return Transmit::Wait(end);
                        }
                        let tell = self.options.tell_proxies && !self.sender.is_unspecified();
                        self.next_phase(if tell { Phase::Tell(0) } else { Phase::Over });
                        continue;
                    };
                    if round > 0 {
                        if target.reply.is_some() {
                            self.cursor += 1;
                            continue;
                        }
                        let due = target.last + self.options.wait;
                        if now < due {
                            return Transmit::Wait(due);
                        }
                    }
                    if let Some(until) = self.paced(now) {
                        return Transmit::Wait(until);
                    }
                    return self.ask(now);
                }
                Phase::Tell(round) => match self.next_to_tell() {
                    Some((at, mac)) => {
                        if let Some(until) = self.paced(now) {
                            return Transmit::Wait(until);
                        }
                        self.place += 1;
                        self.last_send = now;
                        self.probe[TARGET_AT..TARGET_AT + 4]
                            .copy_from_slice(&self.targets[at].address.octets());
                        self.probe[DESTINATION_AT..DESTINATION_AT + 6]
                            .copy_from_slice(&mac.octets().unwrap_or([0xff; 6]));
                        return Transmit::Frame(&self.probe);
                    }
                    None => {
                        let open = self.targets.iter().any(|t| t.replies().any(|r| r.proxied.is_none()));
                        let end = self.last_send + PROXY_WAIT;
                        if open && now < end {
                            return Transmit::Wait(end);
                        }
                        if open && round == 0 {
                            self.next_phase(Phase::Tell(1));
                            continue;
                        }
                        for target in &mut self.targets {
                            for reply in target.reply.iter_mut().chain(&mut target.more) {
                                reply.proxied.get_or_insert(true);
                            }
                        }
                        self.next_phase(Phase::Over);
                    }
                },
            }
        }
    }

    fn next_phase(&mut self, phase: Phase) {
        self.phase = phase;
        self.cursor = 0;
        self.place = 0;
    }

    /// When the rate allows the next frame, if not now.
    fn paced(&mut self, now: Duration) -> Option<Duration> {
        if now < self.next_send {
            return Some(self.next_send);
        }
        let gap = Duration::from_nanos(1_000_000_000 / u64::from(self.options.rate));
        self.next_send = self.next_send.max(now.saturating_sub(BURST)) + gap;
        None
    }

    fn ask(&mut self, now: Duration) -> Transmit<'_> {
        let target = &mut self.targets[self.cursor];
        self.cursor += 1;
        if target.requests == 0 {
            target.first = now;
        }
        target.requests += 1;
        target.last = now;
        self.last_send = now;
        self.frame[TARGET_AT..TARGET_AT + 4].copy_from_slice(&target.address.octets());
        Transmit::Frame(&self.frame)
    }

    /// The next pair of address and MAC for which it is open whether it is only proxied.
    fn next_to_tell(&mut self) -> Option<(usize, Mac)> {
        while let Some(target) = self.targets.get(self.cursor) {
            if let Some(reply) = target.replies().nth(self.place) {
                if reply.proxied.is_none() {
                    return Some((self.cursor, reply.mac));
                }
                self.place += 1;
            } else {
                self.cursor += 1;
                self.place = 0;
            }
        }
        None
    }

    /// Takes a frame that came in at the time `now`. The address, if it is the first reply of a MAC
    /// for it.
    pub fn receive(&mut self, now: Duration, frame: &[u8]) -> Option<(Ipv4Addr, Mac)> {
        let frame = Ethernet::parse(frame).ok().filter(|frame| frame.ether_type == EtherType::ARP)?;
        let arp = Arp::parse(frame.payload).ok()?.ipv4()?;
        if arp.operation != Operation::Reply || arp.target_mac != self.mac {
            return None;
        }
        let target = self.targets.get_mut(*self.index.get(&arp.sender)? as usize)?;
        if let Phase::Tell(_) = self.phase
            && arp.target.is_unspecified()
        {
            let mut replies = target.reply.iter_mut().chain(&mut target.more);
            if let Some(reply) = replies.find(|reply| reply.mac == arp.sender_mac) {
                reply.proxied = Some(false);
            }
            return None;
        }
        if arp.target != self.sender || target.requests == 0 {
            return None;
        }
        let known = target.reply.iter_mut().chain(&mut target.more);
        for reply in known {
            if reply.mac == arp.sender_mac {
                reply.count += 1;
                return None;
            }
        }
        let after = now.saturating_sub(target.first);
        let reply = Reply { mac: arp.sender_mac, after, count: 1, proxied: None };
        match &mut target.reply {
            None => target.reply = Some(reply),
            Some(_) => target.more.push(reply),
        }
        Some((arp.sender, arp.sender_mac))
    }

    /// How many addresses have been asked for at least once, and how many there are.
    #[must_use]
    pub fn progress(&self) -> (usize, usize) {
        let asked = if self.phase == Phase::Ask(0) { self.cursor } else { self.targets.len() };
        (asked, self.targets.len())
    }

    /// What is known now; all of it once [`Transmit::Done`] has been said.
    #[must_use]
    pub fn results(&self) -> Vec<Probed> {
        self.targets
            .iter()
            .map(|target| Probed {
                target: target.address,
                requests: target.requests,
                replies: target.replies().copied().collect(),
            })
            .collect()
    }
}

impl Target {
    fn replies(&self) -> impl Iterator<Item = &Reply> {
        self.reply.iter().chain(&self.more)
    }
}
