//! Source validation: `fib_validate_source()`.

use std::net::Ipv4Addr;

use super::fib::Flow;
use super::index::LOOPBACK;
use super::kernel_version::Known;
use super::missing::Missing;
use super::reason::Reason;
use super::reply::Run;
use super::step::{Purpose, Step, Trace};
use crate::snapshot::RouteKind;
use crate::sysctl::Sysctl;

impl<T: Trace> Run<'_, '_, T> {
    /// Whether a packet from `sender` to `target` may arrive on `slot`. `oif` is the interface behind the
    /// route to the target, 0 for a local target.
    pub(super) fn validate_source(
        &mut self,
        slot: usize,
        sender: Ipv4Addr,
        target: Ipv4Addr,
        oif: u32,
    ) -> Result<(), Reason> {
        let port = &self.model.ports[slot];
        // With rp_filter off there is a short check. Redirects need the full one, and they are only sent
        // where a packet would leave by the interface it came from.
        if port.rp_filter == 0 && (port.index != oif || !port.send_redirects) && !self.realms() {
            if port.accept_local {
                self.trace_sysctl(slot, Sysctl::AcceptLocal, true, "any sender is accepted");
                return Ok(());
            }
            if !self.custom_local_routes() && !self.custom_rules() {
                return self.sender_is_not_own(sender);
            }
        }
        self.validate_in_full(slot, sender, target, oif)
    }

    fn realms(&mut self) -> bool {
        match self.model.fib.realms {
            Some(realms) => realms,
            None => self.oracle.ask(Missing::Realms),
        }
    }

    fn custom_local_routes(&mut self) -> bool {
        match self.model.fib.local_routes_added {
            Some(added) => added,
            None => self.oracle.ask(Missing::LocalRoutesAdded),
        }
    }

    /// The short check: only addresses of the host itself are refused, those of interfaces that are down
    /// included.
    fn sender_is_not_own(&mut self, sender: Ipv4Addr) -> Result<(), Reason> {
        let holders = self.model.addresses.holders(sender);
        if T::ON {
            let interfaces = self.names(holders);
            self.trace.push(Step::SenderAddress { address: sender.into(), interfaces });
        }
        if holders.is_empty() { Ok(()) } else { Err(Reason::SenderLocal) }
    }

    /// `__fib_validate_source()`: looks the way back up. Note that the look-up's `iif` is not the arrival
    /// interface, but `lo` for local targets and the out-interface for others.
    fn validate_in_full(
        &mut self,
        slot: usize,
        sender: Ipv4Addr,
        target: Ipv4Addr,
        oif: u32,
    ) -> Result<(), Reason> {
        let model = self.model;
        let port = &model.ports[slot];
        let iif = if oif == 0 { LOOPBACK } else { oif };
        let replaced = port.l3mdev != 0
            && match model.behaviour.l3mdev_field {
                Known::Yes => false,
                Known::No => true,
                Known::Unknown => !self.oracle.ask(Missing::KernelVersion),
            };
        // The VRF itself was the iif then.
        let (iif, l3mdev) = if replaced { (port.l3mdev, 0) } else { (iif, port.l3mdev) };
        let mut flow = Flow::new(iif, 0, l3mdev, sender.to_bits(), target.to_bits());
        let Ok(looked) = self.look_up(&mut flow, Purpose::Sender) else {
            return self.last_resort(slot);
        };
        match looked.hit.alias.kind {
            RouteKind::Unicast => {}
            RouteKind::Local if port.accept_local => {
                self.trace_sysctl(slot, Sysctl::AcceptLocal, true, "own addresses are accepted as sender");
            }
            RouteKind::Local => {
                self.trace_sysctl(slot, Sysctl::AcceptLocal, false, "own addresses are refused as sender");
                return Err(Reason::SenderLocal);
            }
            _ => return Err(Reason::SenderKind),
        }
        // fib_info_nh_uses_dev(): any next hop will do, dead ones too.
        let hops = model.fib.table(looked.table).hops_of(&looked.hit.alias);
        hops.iter().for_each(|hop| self.oracle.compare(hop.oif));
        let by_this = hops.iter().any(|hop| {
            hop.oif == port.index
                || model.ports.get(hop.slot as usize).is_some_and(|other| other.l3mdev == port.index)
        });
        if by_this {
            return Ok(());
        }
        if model.addresses.of(slot).is_empty() {
            return self.last_resort(slot);
        }
        if port.rp_filter == 1 {
            self.trace_sysctl(slot, Sysctl::RpFilter, false, "the sender must be reached by this interface");
            return Err(Reason::RpFilterStrict);
        }
        let meaning = if port.rp_filter == 0 { "any route will do" } else { "any route will do (loose)" };
        self.trace_sysctl(slot, Sysctl::RpFilter, true, meaning);
        Ok(())
    }

    /// No route that counts: only `rp_filter` minds.
    fn last_resort(&mut self, slot: usize) -> Result<(), Reason> {
        if self.model.ports[slot].rp_filter != 0 {
            self.trace_sysctl(slot, Sysctl::RpFilter, false, "a route to the sender is needed");
            return Err(Reason::RpFilterNoRoute);
        }
        self.trace_sysctl(slot, Sysctl::RpFilter, true, "no route to the sender is needed");
        Ok(())
    }
}
