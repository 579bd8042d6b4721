//! What the host learns from frames (`arp_process()`), and what it announces itself (`inetdev_event()`).

use std::net::{IpAddr, Ipv4Addr};

use serde::Serialize;

use super::index::{Model, Port};
use super::missing::{Missing, MissingSet};
use super::oracle::Oracle;
use super::reason::Reason;
use super::reply::{Run, is_loopback};
use super::step::{Silent, Trace};
use super::{ArpRequest, kernel_version};
use crate::filter::Frame;
use crate::snapshot::{InterfaceFlags, RouteKind, Scope};
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
    /// What the host has for the sender so far, on the interface that [`Model::handler`] names.
    pub entry: Entry,
}

/// What the host has about a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entry {
    /// No entry.
    None,
    /// An entry without a MAC: the host asks or has given up (`NUD_INCOMPLETE`, `NUD_FAILED`).
    Unresolved,
    /// An entry with a MAC.
    Known {
        /// How long ago its MAC or state last changed, in ms.
        changed_ms: u64,
    },
    /// An entry that no frame changes (`NUD_PERMANENT`, `NUD_NOARP`).
    Fixed,
}

/// What becomes of the host's neighbour entry for the sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "learning", rename_all = "snake_case")]
pub enum Learning {
    /// Nothing: none is made, and one that is there stays as it is.
    Nothing,
    /// The entry keeps its MAC if it holds another one: it is too fresh (`locktime`), so the first of
    /// several quick answers wins.
    KeepsOther,
    /// The entry is made, or gets the frame's MAC.
    Takes {
        /// Whether it counts as confirmed now (only by a unicast reply); otherwise it is stale: used, but
        /// checked soon.
        confirmed: bool,
    },
    /// That cannot be told from the snapshot.
    Undetermined {
        /// What is missing.
        missing: MissingSet,
    },
}

/// What makes the kernel announce addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The interface is set up.
    Up,
    /// Its MAC has changed; the snapshot has the new one.
    MacChanged,
    /// The driver asks for it: a bond failed over, a virtual machine moved (`NETDEV_NOTIFY_PEERS`).
    PeersNotified,
}

/// A gratuitous request that the kernel sends to all by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Announcement {
    /// The interface it leaves by.
    pub interface: IfIndex,
    /// Sender and target.
    pub address: Ipv4Addr,
    /// The sender's MAC.
    pub mac: Mac,
}

impl Model<'_> {
    /// Which interface handles an ARP frame that arrives on `interface` (`unicast`: sent to its MAC alone):
    /// itself, the bridge or bond that it is a port of, or a macvlan on top. Neighbour entries are that one's.
    /// `None`: no interface does, or that is unknown.
    #[must_use]
    pub fn handler(&self, interface: IfIndex, unicast: bool) -> Option<IfIndex> {
        let request = ArpRequest { unicast, ..ArpRequest::probe(interface, Ipv4Addr::UNSPECIFIED) };
        let mut oracle = Oracle::default();
        let slot = Run { model: self, oracle: &mut oracle, trace: &mut Silent }.receive(&request).ok()?;
        oracle.asked().is_empty().then(|| IfIndex(self.ports[slot].index))
    }

    /// What the host learns from a frame. Frames that the interface drops, probes, and requests for its own
    /// addresses that it does not answer teach nothing.
    ///
    /// ```
    /// use arpflux_core::predict::{Entry, Learning, Model, Received};
    /// use arpflux_core::snapshot::Snapshot;
    /// use arpflux_core::types::{IfIndex, Mac};
    ///
    /// let snapshot = Snapshot::default();
    /// let gratuitous = Received {
    ///     interface: IfIndex(2),
    ///     reply: false,
    ///     sender: "10.0.0.9".parse()?,
    ///     sender_mac: Mac::ethernet([2, 0, 0, 0, 0, 9]),
    ///     target: "10.0.0.9".parse()?,
    ///     target_mac: Mac::NONE,
    ///     unicast: false,
    ///     entry: Entry::Known { changed_ms: 30_000 },
    /// };
    /// // There is no such interface.
    /// assert_eq!(Model::new(&snapshot)?.learns(&gratuitous), Learning::Nothing);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn learns(&self, frame: &Received) -> Learning {
        let mut oracle = Oracle::default();
        let once = |oracle: &mut Oracle| Run { model: self, oracle, trace: &mut Silent }.learns(frame);
        let first = once(&mut oracle);
        while oracle.advance() {
            if once(&mut oracle) != first {
                return Learning::Undetermined { missing: oracle.asked() };
            }
        }
        if oracle.overflow {
            return Learning::Undetermined { missing: oracle.asked() };
        }
        // What may take an answer away may keep the frame from being seen.
        let mut meddling = self.meddlers.on(frame.interface).on_answers;
        if let Some(handler) = self.handler(frame.interface, frame.unicast) {
            meddling = meddling.and(self.meddlers.on(handler).on_answers);
            if frame.entry == Entry::None && self.no_room_for(frame.sender, handler) {
                meddling = meddling.and(MissingSet::only(Missing::NeighbourTable));
            }
        }
        if first == Learning::Nothing || meddling.is_empty() {
            first
        } else {
            Learning::Undetermined { missing: meddling }
        }
    }

    /// The announcements that the kernel sends by itself when `event` happens to an interface: one for each
    /// address, if `arp_notify` is set (a driver's own wish needs no sysctl). Without carrier they get lost.
    ///
    /// ```
    /// use arpflux_core::predict::{Event, Model};
    /// use arpflux_core::snapshot::Snapshot;
    /// use arpflux_core::types::IfIndex;
    ///
    /// let snapshot = Snapshot::default();
    /// assert!(Model::new(&snapshot)?.announcements(IfIndex(2), Event::Up).is_empty());
    /// # Ok::<(), arpflux_core::Error>(())
    /// ```
    #[must_use]
    pub fn announcements(&self, interface: IfIndex, event: Event) -> Vec<Announcement> {
        let Some(slot) = self.slot(interface) else { return Vec::new() };
        let port = &self.ports[slot];
        let wanted = event == Event::PeersNotified
            || self.snapshot.effective(self.interface(slot), Sysctl::ArpNotify).value != 0;
        // What an interface sends while it is down goes nowhere.
        let sends = event == Event::Up || port.up;
        if !wanted || !sends || port.noarp || port.loopback || !port.ipv4 {
            return Vec::new();
        }
        self.snapshot
            .addresses_of(interface)
            .filter_map(|address| match address.local {
                // What a packet filter may do is not done.
                IpAddr::V4(address) => {
                    Run { model: self, oracle: &mut Oracle::default(), trace: &mut Silent }
                        .request_sent(slot, address, address)
                        .filter(|(sender, _)| *sender == address)
                        .map(|(address, mac)| Announcement { interface, address, mac })
                }
                IpAddr::V6(_) => None,
            })
            .collect()
    }
}

impl<T: Trace> Run<'_, '_, T> {
    /// `arp_process()`, as far as it changes the table of neighbours.
    fn learns(&mut self, frame: &Received) -> Learning {
        let model = self.model;
        let request = ArpRequest {
            interface: frame.interface,
            sender: frame.sender,
            sender_mac: Some(frame.sender_mac),
            target: frame.target,
            unicast: frame.unicast,
        };
        let Ok(slot) = self.receive(&request) else { return Learning::Nothing };
        let mut frame = *frame;
        if !model.rules.is_empty() {
            let path = self.path(frame.interface, slot);
            let mut content = self.content(slot, &request, frame.reply);
            content.target_mac = Some(frame.target_mac);
            let told = Frame::new(&content);
            let Ok(seen) = self.received(&path, told, frame.unicast) else { return Learning::Nothing };
            // What is written into the rest of the frame tells of another address or MAC.
            match seen.target() {
                Some(target) if seen.says_beside_target(&content) => frame.target = target,
                _ => return Learning::Nothing,
            }
        }
        let port = &model.ports[slot];
        let dropped = frame.target.is_multicast()
            || (is_loopback(frame.target) && !port.route_localnet)
            || (frame.sender == frame.target && port.drops_gratuitous)
            || frame.sender.is_unspecified();
        if dropped || frame.entry == Entry::Fixed {
            return Learning::Nothing;
        }
        let kind = self.kind_of_neighbour(port, frame.sender);
        // arp_constructor(): entries for such addresses are fixed from the start.
        let pointless = matches!(kind, RouteKind::Broadcast | RouteKind::Multicast)
            || model.interface(slot).flags.contains(InterfaceFlags::POINTOPOINT);
        if frame.entry == Entry::None && pointless {
            return Learning::Nothing;
        }
        if !frame.reply {
            match self.process(slot, frame.sender, frame.target) {
                // neigh_event_ns(): whoever gets an answer is taken down, whatever was known.
                Ok(_) => return Learning::Takes { confirmed: false },
                // One of the host's own addresses, but no answer: that is the end of it.
                Err(Reason::ArpIgnore | Reason::ArpFilter) => return Learning::Nothing,
                Err(_) => {}
            }
        }
        let unicast = kind == RouteKind::Unicast;
        let gratuitous =
            frame.sender == frame.target && (!frame.reply || frame.target_mac == frame.sender_mac) && unicast;
        let taken = match frame.entry {
            Entry::Known { changed_ms } if changed_ms <= model.interface(slot).neigh.locktime => {
                if !gratuitous {
                    return Learning::KeepsOther;
                }
                true
            }
            Entry::Known { .. } | Entry::Unresolved => true,
            Entry::None => (gratuitous || frame.reply && unicast) && self.accepts_unasked(slot, frame.sender),
            Entry::Fixed => false,
        };
        if taken { Learning::Takes { confirmed: frame.reply && frame.unicast } } else { Learning::Nothing }
    }

    /// `arp_accept()`.
    fn accepts_unasked(&mut self, slot: usize, sender: Ipv4Addr) -> bool {
        let model = self.model;
        let all = model.snapshot.all.get(Sysctl::ArpAccept).unwrap_or(0);
        let interface = model.interface(slot);
        // Since 5.19 the larger value counts, and only 1 and 2 mean something.
        let counts = match kernel_version::version(&model.snapshot.kernel) {
            Some((major, minor, _)) => (major, minor) >= (5, 19),
            None => !self.oracle.ask(Missing::KernelVersion),
        };
        if !counts {
            return all != 0 || interface.sysctls.get(Sysctl::ArpAccept).unwrap_or(0) != 0;
        }
        match model.snapshot.effective(interface, Sysctl::ArpAccept).value {
            1 => true,
            2 => model.addresses.confirm_any(&model.ports[slot], slot, sender.to_bits(), Scope::LINK),
            _ => false,
        }
    }

    /// `inet_addr_type_dev_table()` for a neighbour of the interface.
    fn kind_of_neighbour(&mut self, port: &Port, address: Ipv4Addr) -> RouteKind {
        if address.is_unspecified() || address.is_broadcast() {
            return RouteKind::Broadcast;
        }
        if address.is_multicast() {
            return RouteKind::Multicast;
        }
        self.address_kind(address.to_bits(), port.l3mdev_table).unwrap_or(RouteKind::Unicast)
    }
}
