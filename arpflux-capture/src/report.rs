//! What a capture shows, address by address.

use std::net::IpAddr;

use arpflux_core::frame::Timestamp;
use arpflux_core::judgement::Judgement;
use arpflux_core::types::Mac;
use serde::{Deserialize, Serialize, Serializer};

use crate::evidence::Evidence;
use crate::explain::Explained;
use crate::missing::{FileReport, Missing};
use crate::record::Tunnel;
use arpflux_core::types::VirtualMac;

/// What an address turned out to be. The rules stand in [`super::Table::report`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Class {
    /// Several MACs of one host answer for it: ARP flux.
    Flux,
    /// Two hosts hold it.
    Duplicate,
    /// Somebody claims it unasked, to single hosts, while another holds it.
    Spoof,
    /// Two MACs claim it at once, and the frames do not show whether it is flux or a duplicate: a fault either way.
    Conflict,
    /// A host asked for its own address and was answered by another NIC of its own.
    SelfConflict,
    /// Several MACs claim it, and the frames do not show why.
    Undetermined,
    /// It passed from one MAC to another, which announced itself.
    Failover,
    /// One host's MACs answer, each askers of its own, as a bond in mode balance-alb does.
    Bond,
    /// One host answers for it in place of the one that has it.
    Proxy,
    /// Routers share it by a virtual MAC.
    Virtual,
    /// One MAC, all the time.
    Single,
}

impl Class {
    /// Its name, as JSON has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flux => "flux",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
            Self::Bond => "bond",
            Self::Spoof => "spoof",
            Self::SelfConflict => "self_conflict",
            Self::Undetermined => "undetermined",
            Self::Failover => "failover",
            Self::Proxy => "proxy",
            Self::Virtual => "virtual",
            Self::Single => "single",
        }
    }

    /// Whether something should be done about it. What is undetermined is not good either.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        self.rank() == 2
    }

    /// 0 good, 1 undetermined, 2 bad.
    pub(crate) const fn rank(self) -> u8 {
        match self {
            Self::Failover | Self::Bond | Self::Proxy | Self::Virtual | Self::Single => 0,
            Self::Undetermined => 1,
            Self::Flux | Self::Duplicate | Self::Spoof | Self::Conflict | Self::SelfConflict => 2,
        }
    }
}

/// How much a class rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The frames, or what the caller told about his hosts, leave no other reading that we know of.
    Proved,
    /// Another reading is possible, but less likely.
    Likely,
    /// Look at it; harmless set-ups can look the same.
    Suspected,
}

/// One MAC that claimed an address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MacReport {
    /// The MAC.
    pub mac: Mac,
    /// Replies that said the address is here, announcements apart.
    pub replies: u32,
    /// Requests sent with the address as sender; peers learn from these as well.
    pub requests: u32,
    /// Gratuitous ARP, of either form.
    pub announcements: u32,
    /// Replies that nobody seen had asked for.
    pub unasked: u32,
    /// The first claim, in ns since the capture began; `None` without a clock. JSON has seconds.
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    #[serde(serialize_with = "maybe_seconds", rename = "first_s")]
    pub first: Option<u64>,
    /// The last claim, likewise.
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    #[serde(serialize_with = "maybe_seconds", rename = "last_s")]
    pub last: Option<u64>,
    /// The protocol, of a virtual MAC.
    #[serde(rename = "virtual")]
    pub virtual_mac: Option<VirtualMac>,
    /// In which of the 64 parts of the capture it claimed the address, lowest bit first.
    #[serde(skip)]
    pub active: u64,
}

/// JSON has seconds, the fields nanoseconds.
fn seconds<S: Serializer>(nanoseconds: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(*nanoseconds as f64 / 1e9)
}

#[expect(clippy::ref_option, reason = "serde calls it so")]
fn maybe_seconds<S: Serializer>(nanoseconds: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    nanoseconds.map(|nanoseconds| nanoseconds as f64 / 1e9).serialize(serializer)
}

/// Where a MAC's ARP packets came from, by their lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// None was padded: they come from the host that captured, or from a virtual machine on it.
    Host,
    /// All were padded: they came over a wire.
    Wire,
}

/// A MAC with the addresses that it claimed, on all wires.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct MacAddresses {
    /// The MAC.
    pub mac: Mac,
    /// What has such MACs, if it is well known: virtual machines, clouds, clusters.
    pub vendor: Option<&'static str>,
    /// Where its ARP packets came from; `None` if their lengths do not show it.
    pub side: Option<Side>,
    /// The addresses, in order.
    pub addresses: Vec<IpAddr>,
}

/// A router that said it is master of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RouterReport {
    /// Its own address.
    pub address: IpAddr,
    /// The MAC that its packets came from.
    pub mac: Mac,
    /// The priority that it gave last.
    pub priority: u32,
    /// How often it said so.
    pub packets: u32,
    /// The first time, in ns since the capture began; `None` without a clock. JSON has seconds.
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    #[serde(serialize_with = "maybe_seconds", rename = "first_s")]
    pub first: Option<u64>,
    /// The last time, likewise.
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    #[serde(serialize_with = "maybe_seconds", rename = "last_s")]
    pub last: Option<u64>,
    /// Whether it gave up after that.
    pub resigned: bool,
}

/// A group of routers that share addresses: VRRP, CARP, HSRP, GLBP.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct GroupReport {
    /// The protocol with its version.
    pub protocol: &'static str,
    /// The number of the group.
    pub group: u16,
    /// Its addresses; none of CARP, whose packets do not name them.
    pub addresses: Vec<IpAddr>,
    /// Virtual MACs that its packets name (GLBP).
    pub virtual_macs: Vec<Mac>,
    /// Routers that said they are master, in the order in which they became it.
    pub masters: Vec<RouterReport>,
    /// How often another became master.
    pub changes: u32,
    /// Two routers were master at once: a fault.
    pub several_at_once: bool,
}

/// One address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AddressReport {
    /// The address.
    pub address: IpAddr,
    /// The interface it was seen on, where the capture has several: its place in the file, or the kernel's number of it.
    pub interface: Option<u32>,
    /// The VLAN ids it was seen under, outermost first; usually none.
    pub vlans: Vec<u16>,
    /// The tunnel it was seen in, if any: the VLANs are those inside.
    pub tunnel: Option<Tunnel>,
    /// What it is.
    #[serde(rename = "verdict")]
    pub class: Class,
    /// How sure that is; `None` where it says nothing bad or nothing at all.
    pub certainty: Option<Certainty>,
    /// What it is besides.
    pub also: Vec<Class>,
    /// What speaks for it, one sentence each.
    pub because: Vec<String>,
    /// All that speaks for it and against it, with the frames.
    pub evidence: Vec<Evidence>,
    /// MACs whose doing it is, as far as that shows.
    pub suspects: Vec<Mac>,
    /// MACs that a suspect told unasked, the first few.
    pub victims: Vec<Mac>,
    /// What to do next to find the cause or the culprit, a sentence with a command each.
    pub next: Vec<String>,
    /// Requests of others that more than one MAC answered.
    pub contested: u32,
    /// How often it passed from one MAC to another.
    pub moves: u32,
    /// Its MACs, in the order of their first claims.
    pub macs: Vec<MacReport>,
}

/// What a whole capture shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Report {
    /// The judgement of the whole: false if any address is bad; else none if one cannot be judged or if something was not
    /// understood; else true.
    pub ok: Option<bool>,
    /// ARP requests seen.
    pub requests: u64,
    /// ARP replies seen.
    pub replies: u64,
    /// Solicitations and advertisements of neighbour discovery seen.
    pub neighbour: u64,
    /// Packets that contradict themselves.
    pub odd: u64,
    /// Claims that found no room in the table: beyond zero, the report is not complete.
    pub dropped: u64,
    /// Frames that came too fast for a live capture, and were lost.
    pub lost: u64,
    /// Frames that came more than a second before the one that stands ahead of them.
    pub disordered: u32,
    /// When the capture began (JSON: seconds since 1970); `None` without a clock, or without a date.
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>"))]
    #[serde(serialize_with = "moment")]
    pub start: Option<Timestamp>,
    /// How long it is, in ns; JSON has seconds.
    #[cfg_attr(feature = "schema", schemars(with = "f64"))]
    #[serde(serialize_with = "seconds", rename = "length_s")]
    pub length: u64,
    /// The length of a part of [`MacReport::active`], in ns.
    #[serde(skip)]
    pub part: u64,
    /// Whether the frames carried times; without, they count as a millisecond apart.
    pub clocked: bool,
    /// The addresses somebody claimed: the worst first, then by number.
    pub addresses: Vec<AddressReport>,
    /// Groups of routers that share addresses, by their own packets.
    pub groups: Vec<GroupReport>,
    /// Every MAC that claimed an address, with what it claimed.
    pub macs: Vec<MacAddresses>,
    /// What the host of a given snapshot did, beside the model of the kernel; empty without one.
    pub explained: Vec<Explained>,
    /// What was read, in the order of its times.
    pub files: Vec<FileReport>,
    /// What was not looked at or not understood, each with its reason.
    #[serde(rename = "undetermined")]
    pub missing: Vec<Missing>,
}

fn moment<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.serialize_some(&(time.0 as f64 / 1e9)),
        None => serializer.serialize_none(),
    }
}

impl Report {
    /// Whether any address is in a state that something should be done about.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.addresses.iter().any(|address| address.class.is_bad())
            || self.groups.iter().any(|group| group.several_at_once)
    }

    /// The same with its judgement, from all that is in it.
    pub(crate) fn judged(mut self) -> Self {
        let rank = self.addresses.iter().map(|address| address.class.rank()).max().unwrap_or_default();
        self.ok = match rank {
            _ if self.is_bad() => Some(false),
            0 if self.missing.is_empty() => Some(true),
            _ => None,
        };
        self
    }

    /// What [`Report::ok`] says, as every other stage says it.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        match self.ok {
            Some(good) => Judgement::of(good),
            None => {
                let sure = self.addresses.iter().all(|address| address.class.rank() == 0);
                Judgement::Undetermined { missing: Vec::new(), apart: sure.then_some(true) }
            }
        }
    }

    /// What became of one address, on whichever wire comes first.
    #[must_use]
    pub fn address(&self, address: impl Into<IpAddr>) -> Option<&AddressReport> {
        let address = address.into();
        self.addresses.iter().find(|report| report.address == address)
    }
}

impl AddressReport {
    /// The address, with its wire where that matters: `10.0.0.1 vlan 7`.
    #[must_use]
    pub fn name(&self) -> String {
        let mut name = self.address.to_string();
        if let Some(interface) = self.interface {
            name.push_str(&format!(" interface {interface}"));
        }
        if let Some(tunnel) = self.tunnel {
            name.push_str(&format!(" in {} {}", tunnel.kind.name(), tunnel.id));
        }
        if !self.vlans.is_empty() {
            let vlans: Vec<String> = self.vlans.iter().map(u16::to_string).collect();
            name.push_str(&format!(" vlan {}", vlans.join(".")));
        }
        name
    }
}
