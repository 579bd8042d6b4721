//! The index that makes a prediction fast: built once from a snapshot, asked often.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use foldhash::HashSet;

use super::address::Addresses;
use super::discovery::Discovering;
use super::fib::Fib;
use super::interference::Meddlers;
use super::kernel_version::{Behaviour, Known};
use crate::error::Result;
use crate::filter::{self, Protocol, Rules};
use crate::snapshot::{
    BondMode, BondPortState, BridgePortState, Interface, InterfaceFlags, Interference, LinkKind, MacvlanMode,
    Neighbour, PortFrames, Snapshot, VlanPath,
};
use crate::sysctl::Sysctl;
use crate::types::{IfIndex, Mac};

/// The number of the loopback interface, the same in every namespace (`LOOPBACK_IFINDEX`).
pub(super) const LOOPBACK: u32 = 1;

/// A snapshot made ready for questions.
///
/// Building takes O(n log n) in routes, addresses and proxy entries; a question takes a few binary
/// searches in the tables that the rules name (O(rules + log routes), where rules for single sources are found
/// by a hash and count no more) and hash look-ups for addresses and proxy entries, and allocates nothing.
#[derive(Debug)]
pub struct Model<'s> {
    pub(super) snapshot: &'s Snapshot,
    pub(super) ports: Vec<Port>,
    pub(super) addresses: Addresses,
    pub(super) proxies: HashSet<u64>,
    pub(super) fib: Fib,
    pub(super) meddlers: Meddlers,
    /// What nftables does with frames.
    pub(super) rules: Rules<'s>,
    pub(super) behaviour: Behaviour,
    /// Where the loopback interface is in `ports`.
    pub(super) loopback: Option<usize>,
    /// There may be no room for new neighbours.
    pub(super) table_full: bool,
    /// Whether programs and filters are looked at.
    meddling: bool,
    /// What questions for IPv6 addresses look up.
    discovering: OnceLock<Discovering<'s>>,
}

/// What becomes of a frame that arrives on a port of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Upper {
    /// It stays.
    None,
    /// The bridge takes it; whether the port forwards.
    Bridge { slot: usize, forwards: bool },
    /// The bond or team takes it; whether the port is active, if known.
    Bond { slot: usize, active: Option<bool> },
    /// Something takes it that is not modelled (Open vSwitch, batman-adv …).
    Other,
}

/// An interface, with every sysctl as the kernel uses it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Port {
    pub(super) index: u32,
    /// Where it is in `snapshot.interfaces`.
    pub(super) place: u32,
    pub(super) mac: Mac,
    pub(super) up: bool,
    /// It has carrier, and so has what it stands on.
    pub(super) carrier: bool,
    pub(super) noarp: bool,
    pub(super) loopback: bool,
    /// It has IPv4 (`in_dev`).
    pub(super) ipv4: bool,
    pub(super) upper: Upper,
    /// The macvlan in mode passthru on top, which takes what is sent to the interface's MAC.
    pub(super) passthru: Option<usize>,
    /// There are ipvlans on it.
    pub(super) ipvlans: bool,
    /// A macvlan in mode source takes only some senders.
    pub(super) takes_sources: bool,
    /// Which, cannot be told.
    pub(super) sources_unknown: bool,
    /// A bond in mode balance-alb answers with the MAC of one of its ports.
    pub(super) balances_answers: bool,
    /// It is a VRF.
    pub(super) vrf: bool,
    /// The VRF it is, or is a port of, as an interface number; 0: none (`l3mdev_master_ifindex()`).
    pub(super) l3mdev: u32,
    /// The table of that VRF; 0: none.
    pub(super) l3mdev_table: u32,
    pub(super) group: u32,
    pub(super) forwarding: bool,
    pub(super) proxy_arp: bool,
    pub(super) pvlan: Known,
    pub(super) medium_id: i32,
    pub(super) send_redirects: bool,
    pub(super) rp_filter: i32,
    pub(super) accept_local: bool,
    pub(super) arp_ignore: i32,
    pub(super) arp_filter: bool,
    pub(super) route_localnet: bool,
    pub(super) ignores_linkdown: Known,
    pub(super) drops_gratuitous: bool,
    pub(super) proxy_delay: u64,
    pub(super) proxy_qlen: u32,
}

impl<'s> Model<'s> {
    /// Builds the index.
    ///
    /// # Errors
    /// As [`Snapshot::check`].
    pub fn new(snapshot: &'s Snapshot) -> Result<Self> {
        snapshot.check()?;
        Ok(Self::of(snapshot))
    }

    /// The same of a snapshot that was checked, or made of such a one by changes.
    pub(crate) fn of(snapshot: &'s Snapshot) -> Self {
        Self::beside(snapshot, true, Rules::new(Protocol::Arp, &snapshot.filters_of(Protocol::Arp)))
    }

    /// The same host as if nothing of [`Snapshot::interference`] were there and no rule of a filter matched that is
    /// not understood: what the kernel does where no program meddles, and what could not be read has no effect. For
    /// what an answer is apart from that.
    #[must_use]
    pub fn without_interference(&self) -> Self {
        let rules = Rules::new(Protocol::Arp, &self.snapshot.filters_of(Protocol::Arp));
        Self::beside(self.snapshot, false, rules.without_unknown())
    }

    fn beside(snapshot: &'s Snapshot, meddling: bool, rules: Rules<'s>) -> Self {
        let interference: &[Interference] = if meddling { &snapshot.interference } else { &[] };
        let behaviour = Behaviour::of(&snapshot.kernel);
        let mut ports: Vec<Port> = snapshot
            .interfaces
            .iter()
            .enumerate()
            .map(|(place, interface)| port(snapshot, interface, place as u32, behaviour))
            .collect();
        ports.sort_by_key(|port| port.index);
        attach(snapshot, &mut ports);
        let slot = |index: IfIndex| slot_in(&ports, index);
        let proxies = snapshot
            .proxies
            .iter()
            .filter_map(|entry| match entry.address {
                IpAddr::V4(address) => Some(proxy_key(address, entry.interface.map_or(0, |index| index.0))),
                IpAddr::V6(_) => None,
            })
            .collect();
        let addresses = Addresses::new(snapshot, slot);
        let fib = Fib::new(snapshot, &ports);
        let meddlers = Meddlers::new(interference).with_options(snapshot);
        let loopback = ports.iter().position(|port| port.loopback);
        let full = |other: &Interference| matches!(other, Interference::FullNeighbourTable { .. });
        let table_full = interference.iter().any(full);
        Self {
            snapshot,
            addresses,
            proxies,
            fib,
            meddlers,
            rules,
            behaviour,
            loopback,
            table_full,
            ports,
            meddling,
            discovering: OnceLock::new(),
        }
    }

    /// What questions for IPv6 addresses look up.
    pub(super) fn discovering(&self) -> &Discovering<'s> {
        self.discovering.get_or_init(|| Discovering::new(self, self.meddling))
    }

    /// The snapshot it was built from.
    #[must_use]
    pub const fn snapshot(&self) -> &'s Snapshot {
        self.snapshot
    }

    /// The first address of every class of addresses, in rising order, beginning with 0.0.0.0: within a
    /// class all senders get the same answer for one target, and all targets get the same answer for one
    /// sender. The one exception is a request whose sender and target are the same; ask for it by itself.
    ///
    /// Its length grows with routes, rules, addresses and proxy entries (at most two each and a few more).
    #[must_use]
    pub fn boundaries(&self) -> Vec<u32> {
        // 0.0.0.0, 127/8, 224/4, 255.255.255.255.
        let fixed = [0, 1, 127 << 24, 128 << 24, 224 << 24, 240 << 24, u32::MAX];
        let proxied = self.proxies.iter().flat_map(|key| [*key as u32, (*key as u32).wrapping_add(1)]);
        let mut all: Vec<u32> = fixed
            .into_iter()
            .chain(proxied)
            .chain(self.addresses.boundaries())
            .chain(
                filter::ranges(&self.snapshot.filters)
                    .into_iter()
                    .flat_map(|(first, last, _)| [Some(first), last.checked_add(1)].into_iter().flatten()),
            )
            .chain(self.fib.boundaries())
            .collect();
        all.sort();
        all.dedup();
        all
    }

    #[inline(always)]
    pub(super) fn slot(&self, index: IfIndex) -> Option<usize> {
        slot_in(&self.ports, index)
    }

    pub(super) fn interface(&self, slot: usize) -> &'s Interface {
        &self.snapshot.interfaces[self.ports[slot].place as usize]
    }

    /// Whether there may be no room for an entry for `sender` on an interface: without one, the kernel
    /// answers nobody for its own addresses (`neigh_event_ns()`).
    pub(super) fn no_room_for(&self, sender: Ipv4Addr, interface: IfIndex) -> bool {
        let known = |entry: &Neighbour| entry.interface == interface && entry.address == IpAddr::V4(sender);
        self.table_full && !sender.is_unspecified() && !self.snapshot.neighbours.iter().any(known)
    }

    /// Whether there is a proxy entry on the interface or without one (`pneigh_lookup()`).
    pub(super) fn proxied(&self, address: Ipv4Addr, interface: u32) -> bool {
        !self.proxies.is_empty()
            && (self.proxies.contains(&proxy_key(address, interface))
                || self.proxies.contains(&proxy_key(address, 0)))
    }
}

#[inline(always)]
pub(super) fn slot_in(ports: &[Port], index: IfIndex) -> Option<usize> {
    ports.binary_search_by_key(&index.0, |port| port.index).ok()
}

#[inline(always)]
pub(super) fn proxy_key(address: Ipv4Addr, interface: u32) -> u64 {
    u64::from(interface) << 32 | u64::from(address.to_bits())
}

fn port(snapshot: &Snapshot, interface: &Interface, place: u32, behaviour: Behaviour) -> Port {
    let value = |sysctl| snapshot.effective(interface, sysctl).value;
    let on = |sysctl| value(sysctl) != 0;
    let own = |sysctl| interface.sysctls.get(sysctl).unwrap_or(0);
    // Before 5.11 the value of `all` did not count for these two.
    let late = |sysctl, counts: Known| match (own(sysctl) != 0, snapshot.all.get(sysctl).unwrap_or(0) != 0) {
        (true, _) => Known::Yes,
        (false, true) => counts,
        (false, false) => Known::No,
    };
    let vrf = interface.vrf_table.is_some() || interface.kind == Some(LinkKind::Vrf);
    Port {
        index: interface.index.0,
        place,
        mac: interface.mac,
        up: interface.flags.contains(InterfaceFlags::UP),
        carrier: snapshot.has_carrier(interface),
        noarp: interface.flags.contains(InterfaceFlags::NOARP),
        loopback: interface.flags.contains(InterfaceFlags::LOOPBACK),
        ipv4: interface.sysctls.iter().next().is_some(),
        upper: Upper::None,
        passthru: None,
        ipvlans: false,
        // What a mode does that is not known cannot be told either.
        takes_sources: matches!(interface.macvlan_mode, Some(MacvlanMode::Source | MacvlanMode::Other(_))),
        sources_unknown: matches!(interface.macvlan_mode, Some(MacvlanMode::Other(_))),
        balances_answers: matches!(interface.bond_mode, Some(BondMode::BalanceAlb | BondMode::Other(_))),
        vrf,
        l3mdev: if vrf { interface.index.0 } else { 0 },
        l3mdev_table: interface.vrf_table.unwrap_or(0),
        group: interface.group,
        forwarding: on(Sysctl::Forwarding),
        proxy_arp: on(Sysctl::ProxyArp),
        pvlan: late(Sysctl::ProxyArpPvlan, behaviour.all_pvlan),
        medium_id: own(Sysctl::MediumId),
        send_redirects: on(Sysctl::SendRedirects),
        rp_filter: value(Sysctl::RpFilter),
        accept_local: on(Sysctl::AcceptLocal),
        arp_ignore: value(Sysctl::ArpIgnore),
        arp_filter: on(Sysctl::ArpFilter),
        route_localnet: on(Sysctl::RouteLocalnet),
        ignores_linkdown: late(Sysctl::IgnoreRoutesWithLinkdown, behaviour.all_linkdown),
        drops_gratuitous: on(Sysctl::DropGratuitousArp),
        proxy_delay: interface.neigh.proxy_delay,
        proxy_qlen: interface.neigh.proxy_qlen,
    }
}

/// Whether a bond takes what arrives on a port (`bond_set_slave_inactive_flags()`); `None`: it cannot be told.
fn listens(bond: &Interface, port: &Interface) -> Option<bool> {
    match (bond.bond_mode, port.bond_port_state) {
        (Some(BondMode::Other(_)), _) | (_, None | Some(BondPortState::Other(_))) => None,
        // Their ports all send, and are told as active; only one is listened to, unless the option was there first.
        (Some(BondMode::BalanceTlb | BondMode::BalanceAlb), _) if bond.bond_all_active => None,
        (Some(BondMode::BalanceTlb | BondMode::BalanceAlb), _) => {
            bond.bond_active_port.map(|active| active == port.index)
        }
        (_, Some(BondPortState::Active)) => Some(true),
        (_, Some(BondPortState::Backup)) => Some(bond.bond_all_active),
    }
}

/// Fills in what depends on other interfaces: masters, VRFs, passthru macvlans.
fn attach(snapshot: &Snapshot, ports: &mut [Port]) {
    for at in 0..ports.len() {
        let interface = &snapshot.interfaces[ports[at].place as usize];
        if interface.macvlan_mode == Some(MacvlanMode::Passthru)
            && interface.link_netnsid.is_none()
            && let Some(lower) = interface.link.and_then(|index| slot_in(ports, index))
        {
            ports[lower].passthru = Some(at);
        }
        if let (Some(_), None, Some(lower)) = (interface.ipvlan_mode, interface.link_netnsid, interface.link)
            && let Some(lower) = slot_in(ports, lower)
        {
            ports[lower].ipvlans = true;
        }
        let Some(master) = interface.master.and_then(|index| slot_in(ports, index)) else { continue };
        if ports[master].vrf {
            ports[at].l3mdev = ports[master].index;
            ports[at].l3mdev_table = ports[master].l3mdev_table;
            continue;
        }
        ports[at].upper = match snapshot.frames_of(interface) {
            PortFrames::Bridged => match interface.bridge_port_state {
                None | Some(BridgePortState::Forwarding) => {
                    let bridge = &snapshot.interfaces[ports[master].place as usize];
                    let forwards = snapshot.vlan_path(interface, bridge) != VlanPath::Closed;
                    Upper::Bridge { slot: master, forwards }
                }
                Some(BridgePortState::Other(_)) => Upper::Other,
                Some(
                    BridgePortState::Disabled
                    | BridgePortState::Listening
                    | BridgePortState::Learning
                    | BridgePortState::Blocking,
                ) => Upper::Bridge { slot: master, forwards: false },
            },
            PortFrames::Bonded => {
                let bond = &snapshot.interfaces[ports[master].place as usize];
                Upper::Bond { slot: master, active: listens(bond, interface) }
            }
            PortFrames::Kept | PortFrames::None => Upper::None,
            PortFrames::Unknown => Upper::Other,
        };
    }
}
