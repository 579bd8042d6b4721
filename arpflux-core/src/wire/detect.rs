//! Whether somebody else has an address already (RFC 5227), proxies included.
//!
//! RFC 5227 asks with sender 0.0.0.0. Linux never answers that for an address that it only proxies
//! (`arp_process()`), so each address is asked for twice: as the RFC has it, and with a sender of the
//! interface's own. Who answers the first holds the address, who answers only the second proxies it.
//!
//! For an IPv6 address a duplicate address probe (RFC 4862 section 5.4.2, source `::`) is enough: proxies answer it too,
//! without the override flag (RFC 4861 section 7.2.8). Who is about to take the address itself takes the probe for
//! another's and gives it up, as it does at a probe of ARP (RFC 5227 section 2.1.1).
//!
//! The host's own interfaces answer each other on a shared wire. Replies from a MAC that this host [sends with](own_macs)
//! are no conflict.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::probe::Transmit;
use super::{Filter, PacketSocket, Port, own_macs, socket};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{ALL_NODES, Arp, EtherType, Ethernet, Ipv4Arp, Ipv6, Ndp, Operation, solicited_node_mac};
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
    pub address: IpAddr,
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
    /// Whether nobody else has any of them; `None` where nothing was asked for.
    pub free: Option<bool>,
    /// What was found out about each, on each interface.
    pub addresses: Vec<Detected>,
}

impl Detection {
    /// Judges what was found.
    #[must_use]
    pub fn new(addresses: Vec<Detected>) -> Self {
        Self { free: free(&addresses), addresses }
    }

    /// The detection as one JSON object: `schema`, `free` and `addresses`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if it cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(self)
    }
}

/// Whether nobody else has any of the addresses; `None` without one.
pub(crate) fn free(addresses: &[Detected]) -> Option<bool> {
    (!addresses.is_empty()).then(|| addresses.iter().all(|one| one.conflicts.is_empty()))
}

/// The core for one interface: no socket, no clock. Times are counted from the first call.
#[derive(Debug)]
pub struct Detector {
    options: Options,
    own: Vec<Mac>,
    frames: Vec<Vec<u8>>,
    found: Vec<Detected>,
    index: HashMap<IpAddr, usize>,
    round: u8,
    cursor: usize,
    last: Duration,
}

impl Detector {
    /// Asks for `addresses` on an interface of a host with the MACs `own`.
    #[must_use]
    pub fn new(port: &Port, own: &[Mac], addresses: &[IpAddr], options: Options) -> Self {
        let mut frames = Vec::new();
        let mut found = Vec::new();
        for address in addresses {
            let proxies_seen = match address {
                IpAddr::V4(address) => {
                    frames.push(Ipv4Arp::probe(port.mac, *address).to_frame(Mac::BROADCAST));
                    // With the address itself as sender, everybody would learn it before it is known to be free.
                    let others = || port.addresses.iter().filter(|own| own.addr() != *address);
                    let sender = others().find(|own| own.contains(address)).or_else(|| others().next());
                    let request = |own: &Ipv4Net| Ipv4Arp::request(port.mac, own.addr(), *address);
                    frames.extend(sender.map(|own| request(own).to_frame(Mac::BROADCAST)));
                    sender.is_some()
                }
                IpAddr::V6(address) => {
                    frames.push(Ndp::solicit(port.mac, Ipv6Addr::UNSPECIFIED, *address));
                    true
                }
            };
            found.push(Detected {
                address: *address,
                interface: port.name,
                conflicts: Vec::new(),
                own: Vec::new(),
                proxies_seen,
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
        let said = Ethernet::parse(frame).ok().and_then(|frame| match frame.ether_type {
            EtherType::ARP => self.arp(frame.payload),
            EtherType::IPV6 => self.discovery(&frame),
            _ => None,
        });
        let Some((address, mac, claim)) = said else { return };
        let Some(one) = self.index.get(&address).and_then(|i| self.found.get_mut(*i)) else { return };
        if self.own.contains(&mac) {
            if claim != Claim::Probing && !one.own.contains(&mac) {
                one.own.push(mac);
            }
            return;
        }
        match one.conflicts.iter_mut().find(|conflict| conflict.mac == mac) {
            Some(known) => known.claim = known.claim.max(claim),
            None => one.conflicts.push(Conflict { mac, claim }),
        }
    }

    /// What an ARP frame says about an address that is asked for.
    fn arp(&self, payload: &[u8]) -> Option<(IpAddr, Mac, Claim)> {
        let arp = Arp::parse(payload).ok()?.ipv4()?;
        let sender = IpAddr::V4(arp.sender);
        if self.index.contains_key(&sender) {
            let to_a_probe = arp.target.is_unspecified();
            let answers = arp.operation == Operation::Reply && !arp.is_gratuitous();
            let claim = if answers && !to_a_probe { Claim::Proxies } else { Claim::Holds };
            return Some((sender, arp.sender_mac, claim));
        }
        arp.is_probe().then_some((arp.target.into(), arp.sender_mac, Claim::Probing))
    }

    /// The same of a neighbour solicitation or advertisement.
    fn discovery(&self, frame: &Ethernet<'_>) -> Option<(IpAddr, Mac, Claim)> {
        let packet = Ipv6::parse(frame.payload).ok()?;
        let sender = Mac::ethernet(frame.source);
        match packet.ndp().ok()? {
            Ndp::Advertisement { target, target_mac, overrides, .. } => {
                let claim = if overrides { Claim::Holds } else { Claim::Proxies };
                Some((target.into(), target_mac.unwrap_or(sender), claim))
            }
            Ndp::Solicitation { target, .. } if packet.source.is_unspecified() => {
                Some((target.into(), sender, Claim::Probing))
            }
            Ndp::Solicitation { source_mac, .. } => {
                Some((packet.source.into(), source_mac.unwrap_or(sender), Claim::Holds))
            }
        }
    }

    /// What is known now, in the order of the addresses.
    #[must_use]
    pub fn results(&self) -> &[Detected] {
        &self.found
    }
}

/// Where to ask for addresses: for all of them on each interface that is named; without names, for each on every Ethernet
/// interface of the calling thread's namespace that is up, speaks ARP and holds an address of its family.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is no interface of a name, none is named, or none holds an address;
/// [`ErrorKind::InvalidInput`] if there is no address; those of reading the interfaces.
pub fn places(names: Option<&[IfName]>, addresses: &[IpAddr]) -> Result<Vec<(Port, Vec<IpAddr>)>> {
    if addresses.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "no address to ask for").during("detect duplicates"));
    }
    let items: Vec<(Port, Vec<IpAddr>)> = match names {
        Some(names) => {
            let ports = names.iter().map(Port::named).collect::<Result<Vec<_>>>()?;
            ports.into_iter().map(|port| (port, addresses.to_vec())).collect()
        }
        None => {
            let on = |port: Port| {
                let asked = addresses.iter().filter(|address| port.holds_family_of(**address));
                let asked: Vec<IpAddr> = asked.copied().collect();
                (!asked.is_empty()).then_some((port, asked))
            };
            Port::all()?.into_iter().filter_map(on).collect()
        }
    };
    let here = |port: &Port, address: IpAddr| names.is_some() || port.holds_family_of(address);
    let nowhere = |address: &&IpAddr| !items.iter().any(|(port, _)| here(port, **address));
    match addresses.iter().find(nowhere) {
        None => Ok(items),
        Some(address) => {
            let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
            let why = match names {
                Some(_) => "no interface is named".to_string(),
                None => format!("no Ethernet interface is up and holds an {family} address"),
            };
            Err(Error::new(ErrorKind::NotFound, why).during("detect duplicates").hint("name an interface"))
        }
    }
}

/// The groups in which others answer for addresses, and are about to take them.
fn groups(addresses: &[IpAddr]) -> Vec<Mac> {
    let mut groups: Vec<Mac> = addresses
        .iter()
        .filter_map(|address| match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(solicited_node_mac(*address)),
        })
        .collect();
    if !groups.is_empty() {
        groups.push(ALL_NODES.0);
    }
    groups.sort();
    groups.dedup();
    groups
}

/// Asks for addresses on interfaces of the calling thread's namespace, on all of them at once. Takes the rounds and
/// [`Options::wait`], 1.5 s with the defaults: all who answer are listed.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if there is nothing to ask for, [`ErrorKind::Unsupported`] if an
/// interface is not Ethernet, [`ErrorKind::Raced`] if frames were lost, and those of [`PacketSocket`].
pub fn run(ports: &[Port], addresses: &[IpAddr], options: Options) -> Result<Vec<Detected>> {
    run_until(ports, addresses, options, &Stop::default())
}

/// The same, until `stop` is raised.
///
/// # Errors
/// As [`run`]; [`ErrorKind::Interrupted`] if it was ended: what is not found by then is not known to be free.
pub fn run_until(
    ports: &[Port],
    addresses: &[IpAddr],
    options: Options,
    stop: &Stop,
) -> Result<Vec<Detected>> {
    if ports.is_empty() || addresses.is_empty() {
        return Err(Error::new(ErrorKind::InvalidInput, "no interface or no address to ask for")
            .during("detect duplicates"));
    }
    let items: Vec<(Port, Vec<IpAddr>)> =
        ports.iter().map(|port| (port.clone(), addresses.to_vec())).collect();
    run_on(&items, options, stop)
}

/// The same with addresses of its own for each interface; nothing is asked where there is none.
///
/// # Errors
/// As [`run_until`].
pub fn run_on(items: &[(Port, Vec<IpAddr>)], options: Options, stop: &Stop) -> Result<Vec<Detected>> {
    /// So many requests are sent between two looks at what came in: broadcasts of one interface come in on
    /// its sisters, and no queue shall overflow.
    const BURST: usize = 64;
    let own = own_macs()?;
    let mut running = Vec::new();
    for (port, addresses) in items {
        let port = port.clone().ethernet()?;
        let socket = PacketSocket::open(port.index, Filter::ArpAndNdp)?;
        socket.ignore_outgoing()?;
        socket.join(&groups(addresses))?;
        running.push((Detector::new(&port, &own, addresses, options), socket, port.name));
    }
    let start = Instant::now();
    loop {
        let mut next: Option<Duration> = None;
        for (detector, socket, name) in &mut running {
            let named = |error: Error| error.on(*name);
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
                .on(*name));
        }
        found.extend_from_slice(detector.results());
    }
    Ok(found)
}
