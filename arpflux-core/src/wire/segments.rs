//! Which interfaces of this host share a wire, found out with frames.
//!
//! Each interface sends a broadcast of the EtherType that IEEE 802 keeps for local experiments (0x88b5),
//! and all listen. No kernel handles that type and nobody learns an address from it but switches, which
//! learn the sender's own MAC where it is. What an interface hears of another one shares its wire; wires
//! that are heard through a third are one.
//!
//! Not hearing proves less than hearing: a switch may keep its ports apart (private VLANs, client
//! isolation), and then ARP does not cross either.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::probe::Transmit;
use super::{Filter, PacketSocket, Port, socket};
use crate::error::{Error, ErrorKind, Result};
use crate::frame::{EtherType, Ethernet, MIN_FRAME, Timestamp, emit_header};
use crate::host::Host;
use crate::predict::listeners;
use crate::segment::Wires;
use crate::stop::Stop;
use crate::types::{IfName, Mac};

/// IEEE 802, "local experimental EtherType 1".
const ETHER_TYPE: EtherType = EtherType(0x88b5);
/// What the frames carry, for whoever sees one: then the run's token and the interface's place.
const WORDS: &[u8; 24] = b"arpflux: who shares it? ";

/// Frames read from an interface before the others have their turn: a flood on one must not stop all.
const MOST: usize = 1024;

/// How to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How many frames each interface sends, 1 to 10. One is enough where none gets lost, and of several
    /// interfaces on a wire all frames would have to be.
    pub rounds: u8,
    /// How long to listen after each round.
    pub wait: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { rounds: 1, wait: Duration::from_millis(300) }
    }
}

impl Options {
    setters!(rounds: u8, wait: Duration);
}

/// One interface's frame, heard on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Heard {
    /// Who sent it.
    pub from: IfName,
    /// Where it was heard.
    pub on: IfName,
}

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Segments {
    /// Who shares a wire.
    #[serde(flatten)]
    pub wires: Wires,
    /// The evidence.
    pub heard: Vec<Heard>,
    /// Interfaces without a connection, about which nothing is said.
    pub unconnected: Vec<IfName>,
}

/// The core: no sockets, no clock. Interfaces go by their place among those given. Times are counted from
/// the first call.
#[derive(Debug)]
pub struct Finder {
    options: Options,
    names: Vec<IfName>,
    frames: Vec<Vec<u8>>,
    /// From, on.
    heard: BTreeSet<(usize, usize)>,
    token: [u8; 8],
    round: u8,
    cursor: usize,
}

/// Where the token and the place stand in a frame's payload.
const TOKEN: usize = WORDS.len();
const PLACE: usize = TOKEN + 8;

impl Finder {
    /// Sends from interfaces with these names and MACs. `token` tells the frames of this run from others'.
    #[must_use]
    pub fn new(interfaces: &[(IfName, Mac)], token: u64, options: Options) -> Self {
        let token = token.to_be_bytes();
        let frame = |(place, (_, mac)): (usize, &(IfName, Mac))| {
            let mut frame = Vec::with_capacity(MIN_FRAME);
            emit_header(&mut frame, Mac::BROADCAST, *mac, ETHER_TYPE);
            frame.extend_from_slice(WORDS);
            frame.extend_from_slice(&token);
            frame.extend_from_slice(&(place as u32).to_be_bytes());
            frame.resize(MIN_FRAME, 0);
            frame
        };
        Self {
            options: Options { rounds: options.rounds.clamp(1, 10), ..options },
            names: interfaces.iter().map(|(name, _)| *name).collect(),
            frames: interfaces.iter().enumerate().map(frame).collect(),
            heard: BTreeSet::new(),
            token,
            round: 0,
            cursor: 0,
        }
    }

    /// What to do at the time `now`: the frame is to be sent on the interface of the place given with it.
    /// It is over early when all are known to share one wire.
    pub fn transmit(&mut self, now: Duration) -> (usize, Transmit<'_>) {
        if self.groups().len() <= 1 {
            return (0, Transmit::Done);
        }
        if self.cursor == self.frames.len() {
            self.round += 1;
            self.cursor = 0;
        }
        let due = self.options.wait * u32::from(self.round);
        if now < due {
            return (0, Transmit::Wait(due));
        }
        if self.round >= self.options.rounds || self.frames.is_empty() {
            return (0, Transmit::Done);
        }
        let place = self.cursor;
        self.cursor += 1;
        (place, Transmit::Frame(&self.frames[place]))
    }

    /// Takes a frame that the interface at place `on` heard. One that carries a VLAN tag is on another wire.
    pub fn receive(&mut self, on: usize, frame: &[u8]) {
        let Ok(frame) = Ethernet::parse(frame) else { return };
        let payload = frame.payload;
        if frame.ether_type != ETHER_TYPE
            || frame.tags.iter().any(|tag| tag.vlan() != 0)
            || !payload.starts_with(WORDS)
            || payload.get(TOKEN..PLACE) != Some(&self.token)
        {
            return;
        }
        let Some(place) = payload.get(PLACE..).and_then(<[u8]>::first_chunk::<4>) else { return };
        let from = u32::from_be_bytes(*place) as usize;
        if from != on && from < self.names.len() && on < self.names.len() {
            self.heard.insert((from, on));
        }
    }

    /// The places that share a wire, each group by its first.
    fn groups(&self) -> BTreeMap<usize, Vec<usize>> {
        let mut first: Vec<usize> = (0..self.names.len()).collect();
        for (from, on) in &self.heard {
            let (a, b) = (first[*from], first[*on]);
            first.iter_mut().filter(|first| **first == a.max(b)).for_each(|first| *first = a.min(b));
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, first) in first.into_iter().enumerate() {
            groups.entry(first).or_default().push(place);
        }
        groups
    }

    /// What is known now.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if an interface was given twice.
    pub fn results(&self) -> Result<Segments> {
        let wires =
            self.groups().into_values().map(|group| group.into_iter().map(|at| self.names[at]).collect());
        Ok(Segments {
            wires: Wires::new(wires)?,
            heard: self
                .heard
                .iter()
                .map(|(from, on)| Heard { from: self.names[*from], on: self.names[*on] })
                .collect(),
            unconnected: Vec::new(),
        })
    }
}

/// Finds out which of `host`'s interfaces share a wire: `interfaces`, or all that take ARP requests if
/// none are named. Takes [`Options::wait`] for each round, and leaves nothing behind.
///
/// # Errors
/// [`ErrorKind::NotFound`] if there is no such interface, or none at all; [`ErrorKind::Unsupported`] if a
/// named one is not Ethernet; [`ErrorKind::PermissionDenied`] without `CAP_NET_RAW`, and those of
/// [`PacketSocket`].
pub fn find(host: &Host, interfaces: &[IfName], options: Options) -> Result<Segments> {
    find_until(host, interfaces, options, &Stop::default())
}

/// The same, until `stop` is raised.
///
/// # Errors
/// As [`find`]; [`ErrorKind::Interrupted`] if it was ended: who was not heard by then may share a wire all the same.
pub fn find_until(host: &Host, interfaces: &[IfName], options: Options, stop: &Stop) -> Result<Segments> {
    const DURING: &str = "find who shares a wire";
    let snapshot = host.snapshot()?;
    let mut chosen: Vec<IfName> = interfaces.to_vec();
    if chosen.is_empty() {
        let listening = listeners(&snapshot).into_iter().filter_map(|index| snapshot.interface(index));
        chosen = listening.filter(|one| one.mac.octets().is_some()).map(|one| one.name).collect();
    }
    if chosen.is_empty() {
        return Err(Error::new(ErrorKind::NotFound, "no Ethernet interface is up").during(DURING));
    }
    let connected = |name: &IfName| snapshot.interfaces.iter().any(|one| one.name == *name && one.carrier);
    host.namespace().run(|| {
        let mut unconnected = Vec::new();
        let mut ports = Vec::new();
        for name in &chosen {
            let port = Port::named(name)?.ethernet().map_err(|error| error.during(DURING))?;
            if connected(name) { ports.push(port) } else { unconnected.push(*name) }
        }
        let mut segments = run_until(&ports, options, stop).map_err(|error| error.during(DURING))?;
        segments.unconnected = unconnected;
        Ok(segments)
    })?
}

/// The same on interfaces of the calling thread's namespace.
///
/// # Errors
/// As [`find`].
pub fn run(ports: &[Port], options: Options) -> Result<Segments> {
    run_until(ports, options, &Stop::default())
}

/// The same, until `stop` is raised.
///
/// # Errors
/// As [`find_until`].
pub fn run_until(ports: &[Port], options: Options, stop: &Stop) -> Result<Segments> {
    let mut sockets = Vec::with_capacity(ports.len());
    for port in ports {
        sockets.push(PacketSocket::open(port.index, Filter::EtherType(ETHER_TYPE.0))?);
    }
    let interfaces: Vec<(IfName, Mac)> = ports.iter().map(|port| (port.name, port.mac)).collect();
    // Two runs at once on one wire must not take each other's frames for their own.
    let token = Timestamp::now().0 ^ u64::from(std::process::id()) << 40;
    let mut finder = Finder::new(&interfaces, token, options);
    let start = Instant::now();
    loop {
        let until = match finder.transmit(start.elapsed()) {
            (_, Transmit::Done) => return finder.results(),
            (place, Transmit::Frame(frame)) => {
                let (socket, port) = (&sockets[place], &ports[place]);
                socket.send(frame).map_err(|error| error.on(port.name))?;
                continue;
            }
            (_, Transmit::Wait(until)) => start + until,
        };
        let waiting: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        socket::wait(&waiting, Stop::next_look(until))?;
        stop.check()?;
        for (on, socket) in sockets.iter_mut().enumerate() {
            // What another interface sends through this one (a macvlan, a bridge) is on its wire as well.
            for _ in 0..MOST {
                let Some(received) = socket.receive(start).map_err(|error| error.on(ports[on].name))? else {
                    break;
                };
                finder.receive(on, received.frame);
            }
        }
    }
}

#[cfg(test)]
mod tests;
