//! The core of `probe`: no sockets, no clock of its own.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::{Options, Probed, Reply};
use crate::frame::{ALL_NODES, Arp, EtherType, Ethernet, Ipv4Arp, Ipv6, Ndp, Operation};
use crate::predict::Advertised;
use crate::types::Mac;
use crate::wire::Port;

/// Where the target's address stands in an ARP frame, and the frame's destination.
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
    address: IpAddr,
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
    port: Port,
    /// Who asks for IPv4 addresses.
    sender: Ipv4Addr,
    targets: Vec<Target>,
    index: HashMap<IpAddr, u32>,
    arp: Vec<u8>,
    solicitation: Vec<u8>,
    probe: Vec<u8>,
    phase: Phase,
    cursor: usize,
    /// Which MAC of the target under the cursor is asked next.
    place: usize,
    next_send: Duration,
    last_send: Duration,
}

impl Prober {
    /// Asks for `targets` from an interface: as duplicate address probes where it has no address of their family, which
    /// proxies of IPv4 addresses do not answer.
    #[must_use]
    pub fn new(options: Options, port: &Port, targets: &[IpAddr]) -> Self {
        let index = targets.iter().enumerate().map(|(i, address)| (*address, i as u32)).collect();
        let first = targets.iter().find(|target| target.is_ipv4());
        let sender = match first.map(|first| port.sender_for(*first)) {
            Some(IpAddr::V4(sender)) => sender,
            Some(IpAddr::V6(_)) | None => Ipv4Addr::UNSPECIFIED,
        };
        let template =
            |sender| Ipv4Arp::request(port.mac, sender, Ipv4Addr::UNSPECIFIED).to_frame(Mac::BROADCAST);
        Self {
            options: Options { tries: options.tries.clamp(1, 10), rate: options.rate.max(1), ..options },
            port: port.clone(),
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
            arp: template(sender),
            solicitation: Vec::new(),
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
                    Some((address, mac)) => {
                        if let Some(until) = self.paced(now) {
                            return Transmit::Wait(until);
                        }
                        self.place += 1;
                        self.last_send = now;
                        self.probe[TARGET_AT..TARGET_AT + 4].copy_from_slice(&address.octets());
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
        match target.address {
            IpAddr::V4(address) => {
                self.arp[TARGET_AT..TARGET_AT + 4].copy_from_slice(&address.octets());
                Transmit::Frame(&self.arp)
            }
            IpAddr::V6(address) => {
                if let IpAddr::V6(source) = self.port.sender_for(target.address) {
                    self.solicitation = Ndp::solicit(self.port.mac, source, address);
                }
                Transmit::Frame(&self.solicitation)
            }
        }
    }

    /// The next pair of address and MAC for which it is open whether it is only proxied: none of IPv6.
    fn next_to_tell(&mut self) -> Option<(Ipv4Addr, Mac)> {
        while let Some(target) = self.targets.get(self.cursor) {
            if let Some(reply) = target.replies().nth(self.place) {
                if let (None, IpAddr::V4(address)) = (reply.proxied, target.address) {
                    return Some((address, reply.mac));
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
    pub fn receive(&mut self, now: Duration, frame: &[u8]) -> Option<(IpAddr, Mac)> {
        let frame = Ethernet::parse(frame).ok()?;
        let (address, mac, advertised) = match frame.ether_type {
            EtherType::ARP => self.arp_reply(frame.payload)?,
            EtherType::IPV6 => self.advertisement(&frame)?,
            _ => return None,
        };
        let target = self.targets.get_mut(*self.index.get(&address)? as usize)?;
        if target.requests == 0 {
            return None;
        }
        let known = target.reply.iter_mut().chain(&mut target.more);
        for reply in known {
            if reply.mac == mac {
                reply.count += 1;
                return None;
            }
        }
        let after = now.saturating_sub(target.first);
        let proxied = advertised.map(|advertised| !advertised.overrides);
        let reply = Reply { mac, after, count: 1, proxied, advertised };
        match &mut target.reply {
            None => target.reply = Some(reply),
            Some(_) => target.more.push(reply),
        }
        Some((address, mac))
    }

    /// What an ARP reply to a request says; of one to a probe it is only noted that the MAC holds the address.
    fn arp_reply(&mut self, payload: &[u8]) -> Option<(IpAddr, Mac, Option<Advertised>)> {
        let arp = Arp::parse(payload).ok()?.ipv4()?;
        if arp.operation != Operation::Reply || arp.target_mac != self.port.mac {
            return None;
        }
        let address = IpAddr::V4(arp.sender);
        if let Phase::Tell(_) = self.phase
            && arp.target.is_unspecified()
        {
            let target = self.targets.get_mut(*self.index.get(&address)? as usize)?;
            let mut replies = target.reply.iter_mut().chain(&mut target.more);
            if let Some(reply) = replies.find(|reply| reply.mac == arp.sender_mac) {
                reply.proxied = Some(false);
            }
            return None;
        }
        (arp.target == self.sender).then_some((address, arp.sender_mac, None))
    }

    /// What a neighbour advertisement to who asked says.
    fn advertisement(&self, frame: &Ethernet<'_>) -> Option<(IpAddr, Mac, Option<Advertised>)> {
        let packet = Ipv6::parse(frame.payload).ok()?;
        let Ndp::Advertisement { target, target_mac, router, solicited, overrides } = packet.ndp().ok()?
        else {
            return None;
        };
        let asker = self.port.sender_for(target.into());
        let to = if asker.is_unspecified() { IpAddr::V6(ALL_NODES.1) } else { asker };
        if to != IpAddr::V6(packet.destination) {
            return None;
        }
        let mac = target_mac.unwrap_or(Mac::ethernet(frame.source));
        Some((target.into(), mac, Some(Advertised { router, solicited, overrides })))
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
