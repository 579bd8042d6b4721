//! The host's own addresses: `arp_ignore()` and `arp_filter()`.

use std::net::{IpAddr, Ipv4Addr};

use super::fib::{Flow, Looked};
use super::index::{LOOPBACK, Port, slot_in};
use super::kernel_version::Known;
use super::missing::Missing;
use super::packet::Packet;
use super::reason::Reason;
use super::reply::{Run, is_loopback};
use super::step::{Purpose, Step, Trace};
use super::table::{Hit, Hop};
use crate::snapshot::{RouteKind, Scope};
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

impl<T: Trace> Run<'_, '_, T> {
    /// `arp_ignore()`. `sender` is 0.0.0.0 in a probe.
    pub(super) fn arp_ignore(
        &mut self,
        slot: usize,
        sender: Ipv4Addr,
        target: Ipv4Addr,
    ) -> Result<(), Reason> {
        let model = self.model;
        let port = &model.ports[slot];
        let target = target.to_bits();
        let (passes, meaning) = match port.arp_ignore {
            1 => (
                model.addresses.confirm(port, slot, 0, target, Scope::HOST),
                "the target must be an address of this interface, within one of its subnets",
            ),
            2 => (
                model.addresses.confirm(port, slot, sender.to_bits(), target, Scope::HOST),
                "the target must be an address of this interface, with the sender in its subnet",
            ),
            3 => {
                let holders = model.addresses.holders(target.into());
                let held = holders.iter().any(|holder| {
                    let holder = *holder as usize;
                    model.addresses.confirm(&model.ports[holder], holder, 0, target, Scope::LINK)
                });
                (held, "the target must be an address of an interface, and not of scope host")
            }
            8 => (false, "no address is answered for"),
            0 => (true, "addresses of any interface are answered for"),
            _ => (true, "a value without meaning, taken as 0"),
        };
        self.trace_sysctl(slot, Sysctl::ArpIgnore, passes, meaning);
        if passes { Ok(()) } else { Err(Reason::ArpIgnore) }
    }

    /// `arp_filter()`: the answer must leave by the arrival interface.
    pub(super) fn arp_filter(
        &mut self,
        slot: usize,
        sender: Ipv4Addr,
        target: Ipv4Addr,
    ) -> Result<(), Reason> {
        let port = &self.model.ports[slot];
        if !port.arp_filter {
            return Ok(());
        }
        let out = self.route_output(port.l3mdev, target, sender, Purpose::Answer);
        if let Some(out) = &out {
            self.oracle.compare(self.model.ports[out.slot].index);
        }
        let passes = out.is_some_and(|out| out.slot == slot);
        let meaning = if passes {
            "the answer leaves by this interface"
        } else {
            "the answer would leave by another interface, or by none"
        };
        self.trace_sysctl(slot, Sysctl::ArpFilter, passes, meaning);
        if passes { Ok(()) } else { Err(Reason::ArpFilter) }
    }

    /// `ip_route_output_key_hash_rcu()` for a packet from `source` (0.0.0.0: not yet chosen) to `destination`,
    /// out of the interface or VRF `oif` (0: any). `None`: no way.
    pub(super) fn route_output(
        &mut self,
        oif: u32,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        purpose: Purpose,
    ) -> Option<Way> {
        self.route_output_of(None, oif, source, destination, purpose)
    }

    /// The same for a packet of which more is known.
    pub(super) fn route_output_of(
        &mut self,
        packet: Option<Packet>,
        oif: u32,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        purpose: Purpose,
    ) -> Option<Way> {
        let model = self.model;
        if !source.is_unspecified() && !self.is_own(source) {
            if T::ON {
                let interfaces = Vec::new();
                self.trace.push(Step::LocalAddress { address: source.into(), local: false, interfaces });
            }
            return None;
        }
        if oif != 0 {
            let out = slot_in(&model.ports, IfIndex(oif)).map(|slot| &model.ports[slot])?;
            if !out.up || !out.ipv4 {
                return None;
            }
        }
        let mut flow =
            Flow { packet, ..Flow::new(LOOPBACK, oif, 0, destination.to_bits(), source.to_bits()) };
        let Ok(looked) = self.look_up(&mut flow, purpose) else {
            // With an interface given, the kernel takes the destination for a neighbour on it.
            if oif != 0 && flow.l3mdev == 0 {
                let slot = model.slot(IfIndex(oif))?;
                if strange(&model.ports[slot], source) {
                    return None;
                }
                return Some(Way { slot, looked: None, hop: None, local: false });
            }
            return None;
        };
        if looked.hit.alias.kind == RouteKind::Local {
            let vrf = model.ports.get(looked.hit.hop.slot as usize).map_or(0, |port| port.l3mdev);
            let slot = if vrf == 0 { model.loopback? } else { model.slot(IfIndex(vrf))? };
            return Some(Way { slot, looked: Some(looked), hop: None, local: true });
        }
        let (looked, hop) = if flow.oif == 0 || flow.any_hop {
            self.select_path(&looked, purpose == Purpose::Own, source)
        } else {
            (looked, looked.hit.hop)
        };
        let out = model.ports.get(hop.slot as usize)?;
        if !out.ipv4 || strange(out, source) {
            return None;
        }
        Some(Way { slot: hop.slot as usize, looked: Some(looked), hop: Some(hop), local: false })
    }

    /// `__ip_dev_find()`: an address of an interface, or local by the table local.
    fn is_own(&mut self, address: Ipv4Addr) -> bool {
        !self.model.addresses.holders(address).is_empty() || self.is_local(address.to_bits(), 0)
    }

    /// `fib_select_path()`: one of several next hops, or of several default routes.
    fn select_path(&mut self, looked: &Looked, gateways: bool, source: Ipv4Addr) -> (Looked, Hop) {
        let table = self.model.fib.table(looked.table);
        if table.hops_of(&looked.hit.alias).len() > 1 {
            let preferred = self.preferred_hop(looked, source);
            return (*looked, preferred.unwrap_or_else(|| self.select_hop(looked, gateways)));
        }
        if looked.hit.prefix_len == 0 && looked.hit.alias.kind == RouteKind::Unicast {
            return self.select_default(looked);
        }
        (*looked, looked.hit.hop)
    }

    /// The only next hop that packets from `source` are sent by, if that can be told: the one of which the route took
    /// that address when it was made (`fib_select_multipath()`, `nh_saddr`).
    fn preferred_hop(&mut self, looked: &Looked, source: Ipv4Addr) -> Option<Hop> {
        let model = self.model;
        let route = &model.snapshot.routes[looked.hit.alias.route as usize];
        let told = model.snapshot.routing.multipath_by_neighbour == Some(false) && route.nexthop_id.is_none();
        if source.is_unspecified() || !told || model.behaviour.prefers_source == Known::No {
            return None;
        }
        let own = |hop: &Hop| {
            let gateway = match route.next_hops.get(usize::from(hop.nth))?.gateway {
                Some(IpAddr::V4(gateway)) => gateway.to_bits(),
                Some(IpAddr::V6(_)) => return None,
                None => 0,
            };
            let slot = hop.slot as usize;
            // Of several addresses the route may have taken another one, when they were others.
            let alone = model.addresses.of(slot).len() == 1;
            let scope = Scope(looked.hit.alias.scope);
            alone.then(|| model.addresses.select(&model.ports, slot, gateway, scope))?
        };
        let hops = model.fib.table(looked.table).hops_of(&looked.hit.alias);
        let mut from = hops.iter().filter(|hop| own(hop) == Some(source));
        let (hop, other) = (from.next()?, from.next());
        let dead = hop.dead || hop.linkdown && self.ignores(hop);
        // One of an interface with several addresses may be from there as well.
        let unclear = hops.iter().any(|hop| model.addresses.of(hop.slot as usize).len() > 1);
        if other.is_some() || dead || unclear {
            return None;
        }
        match model.behaviour.prefers_source {
            Known::Yes => Some(*hop),
            Known::No => None,
            Known::Unknown => self.oracle.ask(Missing::KernelVersion).then_some(*hop),
        }
    }

    /// `fib_select_default()`: of equal default routes through gateways, the first whose gateway is alive,
    /// as far as the kernel knows.
    fn select_default(&mut self, looked: &Looked) -> (Looked, Hop) {
        let first = looked.hit.alias;
        let table = self.model.fib.table(looked.table);
        let mut equal = [looked.hit; 8];
        let mut count = 0;
        for alias in table.siblings(&looked.hit) {
            if alias.table != first.table || alias.tos != 0 {
                continue;
            }
            if alias.metric > first.metric {
                break;
            }
            if alias.scope != first.scope || alias.kind != RouteKind::Unicast {
                continue;
            }
            let Some(hop) = table.hops_of(alias).first().filter(|hop| hop.gateway && !hop.dead) else {
                continue;
            };
            if count == 0 && alias.route != first.route {
                break;
            }
            if count < equal.len() {
                equal[count].alias = *alias;
                equal[count].hop = *hop;
                count += 1;
            }
        }
        if count <= 1 {
            return (*looked, looked.hit.hop);
        }
        if let Some(hit) = equal[..count].iter().find_map(|hit| self.alive(hit)) {
            return match hit {
                Some(hit) => (Looked { hit, table: looked.table }, hit.hop),
                None => self.any_default(looked, &equal[..count]),
            };
        }
        self.any_default(looked, &equal[..count])
    }

    /// `fib_detect_death()` as far as the state of the gateway's entry alone tells: the route if it is reachable, the
    /// inner `None` if that depends on which route was taken before, the outer one if it failed.
    fn alive(&self, hit: &Hit) -> Option<Option<Hit>> {
        /// `NUD_REACHABLE` and `NUD_FAILED`.
        const REACHABLE: u16 = 0x02;
        const FAILED: u16 = 0x20;
        let model = self.model;
        let route = &model.snapshot.routes[hit.alias.route as usize];
        let gateway = route.next_hops.get(usize::from(hit.hop.nth)).and_then(|hop| hop.gateway);
        let entry = model
            .snapshot
            .neighbours
            .iter()
            .find(|entry| entry.interface.0 == hit.hop.oif && Some(entry.address) == gateway);
        match entry.map(|entry| entry.state.0) {
            Some(REACHABLE) => Some(Some(*hit)),
            Some(FAILED) => None,
            _ => Some(None),
        }
    }

    fn any_default(&mut self, looked: &Looked, equal: &[Hit]) -> (Looked, Hop) {
        let count = equal.len();
        if T::ON {
            let detail = format!("{count} default routes");
            self.trace.push(Step::Unknown { missing: Missing::DefaultRoute, detail });
        }
        let hit = equal[self.oracle.choose(Missing::DefaultRoute, count)];
        (Looked { hit, table: looked.table }, hit.hop)
    }
}

/// `__mkroute_output()`: whether a packet from `source` may not leave by an interface: 127/8 stays inside.
pub(super) fn strange(out: &Port, source: Ipv4Addr) -> bool {
    is_loopback(source) && !out.route_localnet && !out.loopback && !out.vrf
}

/// The way of a packet of the host's own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    /// The interface it leaves by; the loopback interface (or VRF) for local destinations.
    pub(super) slot: usize,
    /// The route; `None`: the destination is taken for a neighbour on the given interface.
    pub(super) looked: Option<Looked>,
    /// The next hop taken; `None` where there is no choice of one.
    pub(super) hop: Option<Hop>,
    /// Whether the destination is the host itself.
    pub(super) local: bool,
}
