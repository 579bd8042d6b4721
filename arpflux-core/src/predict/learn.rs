//! What the host learns from frames (`arp_process()`), and what it announces itself (`inetdev_event()`).

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use super::index::Model;
use super::oracle::Oracle;
use super::reply::{Run, is_loopback};
use super::step::Silent;
use super::verdict::Verdict;
use super::{ArpRequest, kernel_version};
use crate::snapshot::{RouteKind, Scope};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, Mac};

/// An ARP frame that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Received {
    /// The interface it arrives on.
    pub interface: IfIndex,
    /// Whether it is a reply; otherwise a request.
    pub reply: bool,
    /// The sender's address.
    pub sender: Ipv4Addr,
    /// The sender's MAC.
    pub sender_mac: Mac,
    /// The target's address.
    pub target: Ipv4Addr,
    /// The target's MAC as the frame says; only matters in a gratuitous reply, where it must be the sender's.
    pub target_mac: Mac,
    /// Whether the frame was sent to this interface's MAC alone.
    pub unicast: bool,
    /// How long ago the host's entry for the sender on this interface was last changed, in ms; `None`:
    /// there is no entry.
    pub known_for_ms: Option<u64>,
}

/// What becomes of the host's neighbour entry for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "learning", rename_all = "snake_case")]
pub enum Learning {
    /// Nothing: there is no entry and none is made.
    Nothing,
    /// The entry stays as it is if it holds another MAC: it is too fresh (`locktime`), so the first of
    /// several quick answers wins.
    KeepsOther,
    /// The entry is made, or gets the frame's MAC.
    Takes {
        /// Whether it counts as confirmed now (only by a unicast reply); otherwise it is stale: used, but
        /// checked soon.
        confirmed: bool,
    },
}

/// What makes the kernel announce addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The interface is set up.
    Up,
    /// Its MAC changes.
    MacChanged,
    /// The driver asks for it: a bond failed over, a virtual machine moved (`NETDEV_NOTIFY_PEERS`).
    PeersNotified,
}

/// A gratuitous request that the kernel sends to all by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Announcement {
    /// The interface it leaves by.
    pub interface: IfIndex,
    /// Sender and target.
    pub address: Ipv4Addr,
    /// The sender's MAC.
    pub mac: Mac,
}

impl Model<'_> {
    /// What the host learns from a frame. Frames that the interface drops, and probes, teach nothing.
    #[must_use]
    pub fn learns(&self, frame: &Received) -> Learning {
        let Some(slot) = self.slot(frame.interface) else { return Learning::Nothing };
        let port = &self.ports[slot];
        let dropped = !port.up
            || port.noarp
            || port.loopback
            || !port.ipv4
            || frame.target.is_multicast()
            || (is_loopback(frame.target) && !port.route_localnet)
            || (frame.sender == frame.target && port.drops_gratuitous)
            || frame.sender.is_unspecified();
        if dropped {
            return Learning::Nothing;
        }
        if !frame.reply {
            let request = ArpRequest {
                interface: frame.interface,
                sender: frame.sender,
                sender_mac: Some(frame.sender_mac),
                target: frame.target,
                unicast: frame.unicast,
            };
            // neigh_event_ns(): whoever gets an answer is taken down, whatever was known.
            if let Verdict::Answers { .. } = self.reply(&request) {
                return Learning::Takes { confirmed: false };
            }
        }
        let gratuitous = frame.sender == frame.target
            && (!frame.reply || frame.target_mac == frame.sender_mac)
            && self.is_unicast(slot, frame.sender);
        match frame.known_for_ms {
            Some(age) => {
                let locktime = self.interface(slot).neigh.locktime;
                if age > locktime || gratuitous {
                    Learning::Takes { confirmed: frame.reply && frame.unicast }
                } else {
                    Learning::KeepsOther
                }
            }
            None if !self.accepts_unasked(slot, frame.sender) => Learning::Nothing,
            None if gratuitous || (frame.reply && self.is_unicast(slot, frame.sender)) => {
                Learning::Takes { confirmed: frame.reply && frame.unicast }
            }
            None => Learning::Nothing,
        }
    }

    /// The announcements that the kernel sends by itself when `event` happens to an interface: one for each
    /// address, if `arp_notify` is set (a driver's own wish needs no sysctl).
    #[must_use]
    pub fn announcements(&self, interface: IfIndex, event: Event) -> Vec<Announcement> {
        let Some(slot) = self.slot(interface) else { return Vec::new() };
        let port = &self.ports[slot];
        let wanted = event == Event::PeersNotified
            || self.snapshot.effective(self.interface(slot), Sysctl::ArpNotify).value != 0;
        if !wanted || port.noarp || !port.ipv4 {
            return Vec::new();
        }
        self.snapshot
            .addresses_of(interface)
            .filter_map(|address| match address.local {
                IpAddr::V4(address) => Some(Announcement { interface, address, mac: port.mac }),
                IpAddr::V6(_) => None,
            })
            .collect()
    }

    /// `arp_accept()`.
    fn accepts_unasked(&self, slot: usize, sender: Ipv4Addr) -> bool {
        match self.snapshot.effective(self.interface(slot), Sysctl::ArpAccept).value {
            0 => false,
            // The value 2 is known since 5.19; before, any but 0 accepted.
            2 if kernel_version::version(&self.snapshot.kernel)
                .is_none_or(|(major, minor, _)| (major, minor) >= (5, 19)) =>
            {
                let held = self.addresses.of(slot);
                held.iter().any(|held| held.covers(sender.to_bits()) && held.reaches(Scope::LINK))
            }
            _ => true,
        }
    }

    /// Whether the table local says nothing else of an address (`inet_addr_type_dev_table()`).
    fn is_unicast(&self, slot: usize, address: Ipv4Addr) -> bool {
        if address.is_unspecified() || address.is_broadcast() || address.is_multicast() {
            return false;
        }
        let mut oracle = Oracle::default();
        let mut run = Run { model: self, oracle: &mut oracle, trace: &mut Silent };
        matches!(
            run.address_kind(address.to_bits(), self.ports[slot].l3mdev_table),
            None | Some(RouteKind::Unicast)
        )
    }
}
