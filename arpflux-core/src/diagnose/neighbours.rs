//! Permanent neighbour entries: for what they say the host never asks, right or wrong.

use std::net::{IpAddr, Ipv4Addr};

use super::answers::{Text, finding, names};
use super::context::{Context, by_number, listed};
use super::remedy::Remedy;
use super::{Evidence, Finding, FindingId, Objects, Severity};
use crate::snapshot::Interface;
use crate::types::{IfIndex, Mac};

/// How many entries are shown as evidence.
const SHOWN: usize = 3;

/// What was heard on the wire about a neighbour: see [`super::Options::heard`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Heard {
    /// The interface that asked.
    pub interface: IfIndex,
    /// The address asked for.
    pub address: Ipv4Addr,
    /// The MACs of the answers; none if nobody answered.
    pub macs: Vec<Mac>,
    /// The host that answers, where its snapshot says so and nobody was asked.
    pub host: Option<String>,
}

impl Heard {
    /// Asked by `interface` for `address`, these MACs answered.
    #[must_use]
    pub const fn new(interface: IfIndex, address: Ipv4Addr, macs: Vec<Mac>) -> Self {
        Self { interface, address, macs, host: None }
    }
}

/// An entry, and what is known of the address otherwise.
struct Entry<'s> {
    interface: &'s Interface,
    address: Ipv4Addr,
    mac: Mac,
    heard: Option<&'s Heard>,
    /// The interface of this host that has the MAC.
    own: Option<&'s Interface>,
}

impl Entry<'_> {
    fn is_wrong(&self) -> bool {
        self.heard
            .map_or(self.own.is_some(), |heard| !heard.macs.is_empty() && !heard.macs.contains(&self.mac))
    }

    fn is_confirmed(&self) -> bool {
        self.heard.is_some_and(|heard| heard.macs == [self.mac])
    }
}

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let (wrong, open): (Vec<Entry<'_>>, Vec<Entry<'_>>) =
        entries(context).into_iter().filter(|entry| !entry.is_confirmed()).partition(Entry::is_wrong);
    findings.extend(one(&wrong, true));
    findings.extend(one(&open, false));
}

/// Entries for neighbours on wires that lead out of this host. For containers and virtual machines programs write them.
fn entries<'s>(context: &Context<'s>) -> Vec<Entry<'s>> {
    let permanent = context.snapshot.neighbours.iter().filter(|entry| entry.state.is_permanent());
    let found = permanent.filter_map(|entry| {
        let (IpAddr::V4(address), Some(mac)) = (entry.address, entry.mac) else { return None };
        let interface = context.listener(entry.interface)?;
        let inner = interface.is_inner() || context.snapshot.is_inner_bridge(interface) == Some(true);
        let near = context.around(address).contains(&interface.index);
        if mac == Mac::NONE || !near || inner && interface.link_netnsid.is_none() {
            return None;
        }
        let said = |heard: &&Heard| heard.interface == interface.index && heard.address == address;
        let owns = |other: &&Interface| other.mac == mac && other.index != interface.index;
        Some(Entry {
            interface,
            address,
            mac,
            heard: context.options.heard.iter().find(said),
            own: context.snapshot.interfaces.iter().find(owns),
        })
    });
    found.collect()
}

fn one(entries: &[Entry<'_>], wrong: bool) -> Option<Finding> {
    let first = entries.first()?;
    let addresses: Vec<IpAddr> = entries.iter().map(|entry| IpAddr::V4(entry.address)).collect();
    let mut interfaces: Vec<&Interface> = entries.iter().map(|entry| entry.interface).collect();
    interfaces.sort_by_key(|interface| interface.index);
    interfaces.dedup_by_key(|interface| interface.index);
    let mut evidence: Vec<Evidence> = Vec::new();
    for entry in entries.iter().take(SHOWN) {
        let Entry { interface, address, mac, .. } = entry;
        evidence.push(Evidence::Fact {
            text: format!("permanent neighbour entry on {}: {address} is at {mac}", interface.name),
        });
        if let Some(heard) = entry.heard {
            let macs = listed(&heard.macs);
            let text = match (&heard.host, heard.macs.is_empty()) {
                (Some(host), _) => format!("{host} answers for {address} with {macs}, as its snapshot says"),
                (None, true) => format!("asked on {}, nobody answers for {address}", interface.name),
                (None, false) => format!("asked on {}, {macs} answers for {address}", interface.name),
            };
            evidence.push(Evidence::Fact { text });
        }
        if let Some(own) = entry.own {
            evidence.push(Evidence::Fact { text: format!("{mac} is the MAC of {}", own.name) });
        }
    }
    let whose = listed(&addresses);
    let what = if wrong {
        format!(
            "A permanent neighbour entry sends packets for {whose} to {}, which is not {} MAC: they are lost.",
            first.mac,
            by_number(entries.len(), "its", "their"),
        )
    } else {
        format!(
            "This host never asks for {whose}: {} says which MAC {}.",
            by_number(entries.len(), "a permanent neighbour entry", "permanent neighbour entries"),
            by_number(entries.len(), "it has", "they have"),
        )
    };
    let address = first.address;
    let mut found = finding(
        FindingId::PermanentNeighbour,
        Text {
            what,
            why: "The kernel asks for nobody that a permanent entry names, and never changes such an entry: after a card is \
                  replaced or the address moves, it stays wrong."
                .into(),
            remedy: if wrong {
                format!("Delete it: `ip neigh del {address} dev {}`; the host asks then.", first.interface.name)
            } else {
                format!(
                    "See whether it is right: `arpflux diagnose --ask-the-wire` or `arpflux probe {address}` asks; where \
                     nobody needs it, `ip neigh del {address} dev {}`.",
                    first.interface.name,
                )
            },
        },
        Objects { interfaces: names(&interfaces), addresses },
        evidence,
        Remedy::default(),
    );
    if wrong {
        found.severity = Severity::Warning;
    }
    Some(found)
}
