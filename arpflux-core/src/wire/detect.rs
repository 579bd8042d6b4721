//! Whether somebody else has an address already (RFC 5227), proxies included.
//!
//! RFC 5227 asks with sender 0.0.0.0. Linux never answers that for an address that it only proxies
//! (`arp_process()`), so each address is asked for twice: as the RFC has it, and with a sender of the
//! interface's own. Who answers the first holds the address, who answers only the second proxies it.
//!
//! The host's own interfaces answer each other on a shared wire. Replies from a MAC of this namespace
//! are no conflict.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::probe::Transmit;
use super::{Filter, PacketSocket, Port, own_macs, socket};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{Arp, EtherType, Ethernet, Ipv4Arp, Operation};
use crate::json;
use crate::stop::Stop;
use crate::types::{IfName, Ipv4Net, Mac};

/// How to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How often, 1 to 10.
    pub rounds: u8,
    /// The time from one round to the next.
    pub spacing: Duration,
    /// How long to listen after the last round. Proxies take up to 0.8 s.
    pub wait: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 2, spacing: Duration::from_millis(500), wait: Duration::from_secs(1) }
    }
}

impl Options {
    setters!(rounds: u8, spacing: Duration, wait: Duration);
}

/// How somebody else came to notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// It asks for the address as one does before taking it.
    Probing,
    /// It answers for the address, but not to a probe: a proxy.
    Proxies,
    /// It has the address: it answers probes, or sends with it as its own.
    Holds,
}

/// Somebody else with an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Conflict {
    /// Who.
    pub mac: Mac,
    /// How that shows.
    pub claim: Claim,
}

/// What was found out about one address on one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Detected {
    /// The address.
    pub address: Ipv4Addr,
    /// Where it was asked for.
    pub interface: IfName,
    /// Others that have it; none if it is free.
    pub conflicts: Vec<Conflict>,
    /// MACs of this host that answered for it.
    pub own: Vec<Mac>,
    /// Whether proxies could be seen: not from an interface without an address to ask with.
    pub proxies_seen: bool,
}

/// What was found out about all addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Detection {
    /// Whether nobody else has any of them.
    pub free: bool,
    /// What was found out about each, on each interface.
    pub addresses: Vec<Detected>,
}

impl Detection {
    /// Judges what was found.
    #[must_use]
    pub fn new(addresses: Vec<Detected>) -> Self {
        Self { free: addresses.iter().all(|one| one.conflicts.is_empty()), addresses }
    }

    /// The detection as one JSON object: `schema`, `free` and `addresses`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if it cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(self)
    }
}

/// The core for one interface: no socket, no clock. Times are counted from the first call.
#[derive(Debug)]
pub struct Detector {
    options: Options,
    own: Vec<Mac>,
    frames: Vec<Vec<u8>>,
    found: Vec<Detected>,
    index: HashMap<Ipv4Addr, usize>,
    round: u8,
    cursor: usize,
    last: Duration,
}

impl Detector {
    /// Asks for `addresses` on an interface of a host with the MACs `own`.
    #[must_use]
    pub fn new(port: &Port, own: &[Mac], addresses: &[Ipv4Addr], options: Options) -> Self {
        let mut frames = Vec::new();
        let mut found = Vec::new();
        for address in addresses {
            frames.push(Ipv4Arp::probe(port.mac, *address).to_frame(Mac::BROADCAST));
            // With the address itself as sender, everybody would learn it before it is known to be free.
            let others = || port.addresses.iter().filter(|own| own.addr() != *address);
            let sender = others().find(|own| own.contains(address)).or_else(|| others().next());
            let sender = sender.map(Ipv4Net::addr);
            if let Some(sender) = sender {
                frames.push(Ipv4Arp::request(port.mac, sender, *address).to_frame(Mac::BROADCAST));
            }
            found.push(Detected {
                address: *address,
                interface: port.name,
                conflicts: Vec::new(),
                own: Vec::new(),
                proxies_seen: sender.is_some(),
            });
        }
        let index = addresses.iter().enumerate().map(|(i, address)| (*address, i)).collect();
        let options = Options { rounds: options.rounds.clamp(1, 10), ..options };
        Self { options, own: own.to_vec(), frames, found, index, round: 0, cursor: 0, last: Duration::ZERO }
    }

    /// What to do at the time `now`. It is never over early: who answers first need not be the only one.
    pub fn transmit(&mut self, now: Duration) -> Transmit<'_> {
        if self.cursor == self.frames.len() {
            self.round += 1;
            self.cursor = 0;
        }
        if self.round >= self.options.rounds {
            let end = self.last + self.options.wait;
            return if now < end { Transmit::Wait(end) } else { Transmit::Done };
        }
        let due = self.options.spacing * u32::from(self.round);
        if now < due {
            return Transmit::Wait(due);
        }
        self.last = now;
        self.cursor += 1;
        Transmit::Frame(&self.frames[self.cursor - 1])
    }

    /// Takes a frame that came in.
    pub fn receive(&mut self, frame: &[u8]) {
        let arp = Ethernet::parse(frame)
            .ok()
            .filter(|frame| frame.ether_type == EtherType::ARP)
            .and_then(|frame| Arp::parse(frame.payload).ok()?.ipv4());
        let Some(arp) = arp else { return };
        let (address, claim) = if self.index.contains_key(&arp.sender) {
            let to_a_probe = arp.target.is_unspecified();
            let answers = arp.operation == Operation::Reply && !arp.is_gratuitous();
            (arp.sender, if answers && !to_a_probe { Claim::Proxies } else { Claim::Holds })
        } else if arp.is_probe() {
            (arp.target, Claim::Probing)
        } else {
            return;
        };
        let Some(one) = self.index.get(&address).and_then(|i| self.found.get_mut(*i)) else { return };
        if self.own.contains(&arp.sender_mac) {
            if claim != Claim::Probing && !one.own.contains(&arp.sender_mac) {
                one.own.push(arp.sender_mac);
            }
            return;
        }
        match one.conflicts.iter_mut().find(|conflict| conflict.mac == arp.sender_mac) {
            Some(known) => known.claim = known.claim.max(claim),
            None => one.conflicts.push(Conflict { mac: arp.sender_mac, claim }),
        }
    }

    /// What is known now, in the order of the addresses.
    #[must_use]
    pub fn results(&self) -> &[Detected] {
        &self.found
    }
}

/// Asks for addresses on interfaces of the calling thread's namespace, on all of them at once. Takes the rounds and
/// [`Options::wait`], 1.5 s with the defaults: all who answer are listed.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if there is nothing to ask for, [`ErrorKind::Unsupported`] if an
/// interface is not Ethernet, [`ErrorKind::Raced`] if frames were lost, and those of [`PacketSocket`].
pub fn run(ports: &[Port], addresses: &[Ipv4Addr], options: Options) -> Result<Vec<Detected>> {
    run_until(ports, addresses, options, &Stop::default())
}

/// The same, until `stop` is raised.
///
/// # Errors
/// As [`run`]; [`ErrorKind::Interrupted`] if it was ended: what is not found by then is not known to be free.
pub fn run_until(
    ports: &[Port],
    addresses: &[Ipv4Addr],
    options: Options,
    stop: &Stop,
) -> Result<Vec<Detected>> {
    if ports.is_empty() || addresses.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "no interface or no address to ask for")
            .during("detect duplicates"));
    }
    let items: Vec<(Port, Vec<Ipv4Addr>)> =
        ports.iter().map(|port| (port.clone(), addresses.to_vec())).collect();
    run_on(&items, options, stop)
}

/// The same with addresses of its own for each interface; nothing is asked where there is none.
///
/// # Errors
/// As [`run_until`].
pub fn run_on(items: &[(Port, Vec<Ipv4Addr>)], options: Options, stop: &Stop) -> Result<Vec<Detected>> {
    /// So many requests are sent between two looks at what came in: broadcasts of one interface come in on
    /// its sisters, and no queue shall overflow.
    const BURST: usize = 64;
    let own = own_macs()?;
    let mut running = Vec::new();
    for (port, addresses) in items {
        let port = port.clone().ethernet()?;
        let socket = PacketSocket::open(port.index, Filter::Arp)?;
        socket.ignore_outgoing()?;
        running.push((Detector::new(&port, &own, addresses, options), socket, port.name));
    }
    let start = Instant::now();
    loop {
        let mut next: Option<Duration> = None;
        for (detector, socket, name) in &mut running {
            let named = |error: Error| error.on(name.to_string());
            while let Some(received) = socket.receive(start).map_err(named)? {
                detector.receive(received.frame);
            }
            for sent in 0.. {
                match detector.transmit(start.elapsed()) {
                    Transmit::Frame(frame) => socket.send(frame).map_err(named)?,
                    Transmit::Wait(until) => {
                        next = Some(next.map_or(until, |next| next.min(until)));
                        break;
                    }
                    Transmit::Done => break,
                }
                if sent == BURST {
                    next = Some(Duration::ZERO);
                    break;
                }
            }
        }
        let Some(until) = next else { break };
        let sockets: Vec<_> = running.iter().map(|(_, socket, _)| socket.as_fd()).collect();
        socket::wait(&sockets, Stop::next_look(start + until))?;
        stop.check().map_err(|error| error.during("detect duplicates"))?;
    }
    let mut found = Vec::new();
    for (detector, socket, name) in &running {
        let lost = socket.dropped();
        if lost > 0 {
            return Err(Error::new(ErrorKind::Raced, format!("{lost} frames were lost"))
                .during("detect duplicates")
                .on(name.to_string()));
        }
        found.extend_from_slice(detector.results());
    }
    Ok(found)
}
