//! A capture beside the state of one of its hosts: what of that host's ARP the model explains.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use arpflux_core::frame::{Arp, Operation};
use arpflux_core::predict::{ArpRequest, Model, Verdict};
use arpflux_core::types::Mac;
use arpflux_core::{Result, Snapshot};
use serde::Serialize;

use crate::record::{Content, Sighting};

/// Different answers beyond this number are only counted.
const MOST: usize = 4096;
/// Requests remembered, to find what an answer belongs to.
const REMEMBERED: usize = 256;
/// An answer that comes later than this, in ns, belongs to no request: proxies take up to 0.8 s.
const ANSWER_WITHIN: u64 = 2_000_000_000;

/// What the host of a snapshot did, and whether the model of the kernel does it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Explained {
    /// The MAC that it came from.
    pub mac: Mac,
    /// The interfaces of the snapshot that have this MAC.
    pub interfaces: Vec<String>,
    /// The address that was answered for, or that it sent as its own.
    pub address: IpAddr,
    /// Who had asked; `None` of what nobody asked for.
    pub asker: Option<IpAddr>,
    /// How often.
    pub count: u32,
    /// The frame of its first time, counted from 1 in its file.
    pub frame: u64,
    /// Whether the model does the same; `None` if that cannot be told.
    pub explained: Option<bool>,
    /// The steps of the model, one sentence each; or what does not fit.
    pub why: Vec<String>,
}

/// A frame of the host, without its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    /// It answered; whether the request had come to it alone.
    Answered { target: u32, asker: u32, asker_mac: Mac, unicast: bool },
    /// It answered, and nobody seen had asked.
    Unasked { target: u32 },
    /// It used the address as its own, in a request or an announcement.
    Sent { address: u32 },
}

#[derive(Debug)]
struct Request {
    target: u32,
    asker: u32,
    mac: Mac,
    unicast: bool,
    time: u64,
}

/// The frames of one host, as they pass by.
#[derive(Debug)]
pub(crate) struct Witness {
    snapshot: Snapshot,
    own: Vec<Mac>,
    requests: VecDeque<Request>,
    /// How often, and the first frame.
    deeds: BTreeMap<(Mac, Deed), (u32, u64)>,
    /// Frames that found no room.
    further: u64,
    frames: u64,
}

fn address(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|octets| u32::from_be_bytes(*octets))
}

impl Witness {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        let own = snapshot.interfaces.iter().filter(|interface| interface.speaks_arp());
        let own = own.map(|interface| interface.mac).collect();
        let (requests, deeds) = (VecDeque::new(), BTreeMap::new());
        Self { snapshot, own, requests, deeds, further: 0, frames: 0 }
    }

    /// The MACs of the host.
    pub(crate) fn macs(&self) -> &[Mac] {
        &self.own
    }

    pub(crate) fn begin_file(&mut self) {
        self.frames = 0;
    }

    /// Takes a frame.
    pub(crate) fn observe(&mut self, sighting: &Sighting<'_>) {
        self.frames += 1;
        let Content::Arp(arp) = &sighting.content else { return };
        let time = sighting.time.map_or(0, |time| time.0);
        let frame = if sighting.number == 0 { self.frames } else { sighting.number };
        self.arp(arp, sighting.destination, time, frame);
    }

    fn arp(&mut self, arp: &Arp<'_>, destination: &[u8], time: u64, frame: u64) {
        let (Some(sender), Ok(mac)) = (address(arp.sender_protocol), Mac::from_bytes(arp.sender_hardware))
        else {
            return;
        };
        let own = self.own.contains(&mac);
        let target = address(arp.target_protocol);
        let gratuitous = target == Some(sender);
        if let (Operation::Request, Some(target), false) = (arp.operation, target, gratuitous) {
            let unicast = destination.first().is_some_and(|byte| byte & 1 == 0);
            self.requests.push_back(Request { target, asker: sender, mac, unicast, time });
            self.requests.drain(..self.requests.len().saturating_sub(REMEMBERED));
        }
        let deed = match arp.operation {
            _ if !own || sender == 0 => return,
            Operation::Reply if !gratuitous => {
                let to = Mac::from_bytes(arp.target_hardware).unwrap_or(Mac::NONE);
                let request = self.requests.iter().rev().find(|request| {
                    request.target == sender
                        && (request.mac == to || to == Mac::NONE)
                        && time.saturating_sub(request.time) <= ANSWER_WITHIN
                });
                match request {
                    Some(request) => Deed::Answered {
                        target: sender,
                        asker: request.asker,
                        asker_mac: request.mac,
                        unicast: request.unicast,
                    },
                    None => Deed::Unasked { target: sender },
                }
            }
            Operation::Request | Operation::Reply => Deed::Sent { address: sender },
            Operation::Other(_) => return,
        };
        let full = self.deeds.len() >= MOST;
        match self.deeds.get_mut(&(mac, deed)) {
            Some((count, _)) => *count = count.saturating_add(1),
            None if full => self.further += 1,
            None => {
                self.deeds.insert((mac, deed), (1, frame));
            }
        }
    }

    /// Frames that found no room.
    pub(crate) fn further(&self) -> u64 {
        self.further
    }

    /// What was seen, beside the model: what it does not explain first.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub(crate) fn explain(&self) -> Result<Vec<Explained>> {
        let model = Model::new(&self.snapshot)?;
        let mut all: Vec<Explained> = self
            .deeds
            .iter()
            .map(|((mac, deed), (count, frame))| {
                let (address, asker) = match *deed {
                    Deed::Answered { target, asker, .. } => (target, Some(Ipv4Addr::from_bits(asker).into())),
                    Deed::Unasked { target } | Deed::Sent { address: target } => (target, None),
                };
                let (explained, why) = self.judge(&model, *mac, *deed);
                let with_mac = self.snapshot.interfaces.iter().filter(|interface| interface.mac == *mac);
                Explained {
                    mac: *mac,
                    interfaces: with_mac.map(|interface| interface.name.to_string()).collect(),
                    address: Ipv4Addr::from_bits(address).into(),
                    asker,
                    count: *count,
                    frame: *frame,
                    explained,
                    why,
                }
            })
            .collect();
        let order = |explained: Option<bool>| match explained {
            Some(false) => 0,
            None => 1,
            Some(true) => 2,
        };
        all.sort_by_key(|one| (order(one.explained), one.frame));
        Ok(all)
    }

    fn judge(&self, model: &Model<'_>, mac: Mac, deed: Deed) -> (Option<bool>, Vec<String>) {
        match deed {
            Deed::Answered { target, asker, asker_mac, unicast } => {
                let mut other = None;
                for interface in self.snapshot.interfaces.iter().filter(|interface| interface.mac == mac) {
                    let explanation = model.explain(&ArpRequest {
                        interface: interface.index,
                        sender: Ipv4Addr::from_bits(asker),
                        sender_mac: (asker_mac != Mac::NONE).then_some(asker_mac),
                        target: Ipv4Addr::from_bits(target),
                        unicast,
                    });
                    let why = || explanation.to_string().lines().map(String::from).collect();
                    match &explanation.verdict {
                        Verdict::Answers { mac: answer, .. } if *answer == mac => return (Some(true), why()),
                        Verdict::Undetermined { .. } => other = Some((None, why())),
                        _ if other.is_none() => other = Some((Some(false), why())),
                        _ => {}
                    }
                }
                other.unwrap_or((None, vec!["no interface of the snapshot has this MAC".into()]))
            }
            Deed::Unasked { .. } => {
                (Some(false), vec!["nobody seen had asked, and the kernel answers requests only".into()])
            }
            Deed::Sent { address } => {
                let address = Ipv4Addr::from_bits(address);
                let mut holders = self.snapshot.holders_of(address.into());
                match holders.next() {
                    Some(index) => {
                        let name = self.snapshot.name_of(index);
                        (Some(true), vec![format!("{address} is an address of {name}")])
                    }
                    None => {
                        let text =
                            format!("{address} is no address of the snapshot, and was sent as its own");
                        (Some(false), vec![text])
                    }
                }
            }
        }
    }
}
