//! A capture beside the state of one of its hosts: what of that host's ARP and neighbour discovery the model explains.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv6Addr};

use arpflux_core::frame::{Arp, Ndp, Operation};
use arpflux_core::predict::{Model, Request, Verdict};
use arpflux_core::types::Mac;
use arpflux_core::{Result, Snapshot};
use serde::Serialize;

use crate::record::{Content, Sighting, Wire};

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
    Answered { target: IpAddr, asker: IpAddr, asker_mac: Mac, unicast: bool },
    /// It answered, and nobody seen had asked.
    Unasked { target: IpAddr },
    /// It used the address as its own, in a request or an announcement.
    Sent { address: IpAddr },
}

#[derive(Debug)]
struct Question {
    target: IpAddr,
    asker: IpAddr,
    mac: Mac,
    unicast: bool,
    time: u64,
}

/// What matters of an ARP packet, a solicitation or an advertisement.
struct Packet {
    reply: bool,
    /// The address that it claims, and its MAC.
    sender: IpAddr,
    mac: Mac,
    target: Option<IpAddr>,
    /// Whom it is for; nobody alone.
    to: Mac,
}

/// The frames of one host, as they pass by.
#[derive(Debug)]
pub(crate) struct Witness {
    snapshot: Snapshot,
    own: Vec<Mac>,
    requests: VecDeque<Question>,
    /// How often, and the first frame.
    deeds: BTreeMap<(Wire, Mac, Deed), (u32, u64)>,
    /// Frames that found no room.
    further: u64,
    frames: u64,
}

fn arp(arp: &Arp<'_>) -> Option<Packet> {
    let address = |bytes: &[u8]| bytes.first_chunk::<4>().map(|octets| IpAddr::from(*octets));
    Some(Packet {
        reply: match arp.operation {
            Operation::Request => false,
            Operation::Reply => true,
            Operation::Other(_) => return None,
        },
        sender: address(arp.sender_protocol)?,
        mac: Mac::from_bytes(arp.sender_hardware).ok()?,
        target: address(arp.target_protocol),
        to: Mac::from_bytes(arp.target_hardware).unwrap_or(Mac::NONE),
    })
}

fn discovery(message: &Ndp, source: Ipv6Addr, sighting: &Sighting<'_>) -> Option<Packet> {
    let from = Mac::from_bytes(sighting.source).ok();
    let to_all = sighting.destination.first().is_some_and(|byte| byte & 1 == 1);
    let to = Mac::from_bytes(sighting.destination).ok().filter(|_| !to_all).unwrap_or(Mac::NONE);
    Some(match *message {
        Ndp::Solicitation { target, source_mac } => Packet {
            reply: false,
            sender: source.into(),
            mac: source_mac.or(from)?,
            target: Some(target.into()),
            to: Mac::NONE,
        },
        Ndp::Advertisement { target, target_mac, solicited, .. } => Packet {
            reply: true,
            sender: target.into(),
            mac: target_mac.or(from)?,
            // To all it announces, unless somebody asked whether the address is free.
            target: (to_all && !solicited).then(|| target.into()),
            to,
        },
    })
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
        let time = sighting.time.map_or(0, |time| time.0);
        let frame = if sighting.number == 0 { self.frames } else { sighting.number };
        let packet = match &sighting.content {
            Content::Arp(packet) => arp(packet),
            Content::Ndp { message, source } => discovery(message, *source, sighting),
            _ => None,
        };
        let Some(Packet { reply, sender, mac, target, to }) = packet else { return };
        let gratuitous = target == Some(sender);
        if let (false, Some(target), false) = (reply, target, gratuitous) {
            let unicast = sighting.destination.first().is_some_and(|byte| byte & 1 == 0);
            self.requests.push_back(Question { target, asker: sender, mac, unicast, time });
            self.requests.drain(..self.requests.len().saturating_sub(REMEMBERED));
        }
        if !self.own.contains(&mac) || sender.is_unspecified() {
            return;
        }
        let question = self.requests.iter().rev().find(|question| {
            question.target == sender
                && (question.mac == to || to == Mac::NONE)
                && (!gratuitous || question.asker.is_unspecified())
                && time.saturating_sub(question.time) <= ANSWER_WITHIN
        });
        let deed = match question.filter(|_| reply) {
            Some(question) => Deed::Answered {
                target: sender,
                asker: question.asker,
                asker_mac: question.mac,
                unicast: question.unicast,
            },
            None if reply && !gratuitous => Deed::Unasked { target: sender },
            None => Deed::Sent { address: sender },
        };
        let full = self.deeds.len() >= MOST;
        match self.deeds.get_mut(&(sighting.wire, mac, deed)) {
            Some((count, _)) => *count = count.saturating_add(1),
            None if full => self.further += 1,
            None => {
                self.deeds.insert((sighting.wire, mac, deed), (1, frame));
            }
        }
    }

    /// What to say if none of the host's interfaces was seen.
    pub(crate) fn absent(&self) -> Option<String> {
        if !self.deeds.is_empty() || self.further > 0 {
            return None;
        }
        let speaking = self.snapshot.interfaces.iter().filter(|interface| interface.speaks_arp());
        let names: Vec<String> =
            speaking.take(8).map(|interface| format!("{} {}", interface.name, interface.mac)).collect();
        Some(match names.as_slice() {
            [] => "no interface of the snapshot sends ARP: nothing of the capture is joined with it".into(),
            _ => format!(
                "the host of the snapshot is not in the capture ({} sent neither ARP nor neighbour discovery): nothing is joined \
                 with it; capture on its wire, or give the snapshot of a host that is there",
                names.join(", ")
            ),
        })
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
            .map(|((_, mac, deed), (count, frame))| {
                let (address, asker) = match *deed {
                    Deed::Answered { target, asker, .. } => (target, Some(asker)),
                    Deed::Unasked { target } | Deed::Sent { address: target } => (target, None),
                };
                let (explained, why) = self.judge(&model, *mac, *deed);
                let with_mac = self.snapshot.interfaces.iter().filter(|interface| interface.mac == *mac);
                Explained {
                    mac: *mac,
                    interfaces: with_mac.map(|interface| interface.name.to_string()).collect(),
                    address,
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

    /// Answers that the model gives beside those that were seen, on the same wire and to the same asker: there they would
    /// have been seen, too.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub(crate) fn silent(&self) -> Result<Vec<String>> {
        let model = Model::new(&self.snapshot)?;
        let mut silent = BTreeSet::new();
        for (wire, _, deed) in self.deeds.keys() {
            let Deed::Answered { target, unicast: false, .. } = *deed else { continue };
            let answered = |mac| self.deeds.contains_key(&(*wire, mac, *deed));
            let macs: BTreeSet<Mac> =
                self.deeds.keys().filter(|key| key.0 == *wire && !answered(key.1)).map(|key| key.1).collect();
            for mac in macs {
                if self.judge(&model, mac, *deed).0 == Some(true) {
                    silent.insert(format!("{mac} for {target}"));
                }
            }
        }
        Ok(silent.into_iter().collect())
    }

    fn judge(&self, model: &Model<'_>, mac: Mac, deed: Deed) -> (Option<bool>, Vec<String>) {
        match deed {
            Deed::Answered { target, asker, asker_mac, unicast } => {
                let mut other = None;
                for interface in self.snapshot.interfaces.iter().filter(|interface| interface.mac == mac) {
                    let asker = (asker, (asker_mac != Mac::NONE).then_some(asker_mac));
                    let Some(request) = Request::new(interface.index, asker, target, unicast) else {
                        continue;
                    };
                    let explanation = model.explain(&request);
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
                let mut holders = self.snapshot.holders_of(address);
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
