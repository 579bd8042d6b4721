//! Others' addresses: `arp_fwd_proxy()`, `arp_fwd_pvlan()` and proxy entries.

use std::net::Ipv4Addr;

use super::index::proxy_key;
use super::kernel_version::Known;
use super::missing::Missing;
use super::reason::Reason;
use super::reply::Run;
use super::step::{Step, Trace};
use super::verdict::Via;
use crate::sysctl::Sysctl;

impl<T: Trace> Run<'_, '_, T> {
    /// Whether to answer on `slot` for an address whose unicast route leaves by `out`.
    pub(super) fn proxy(
        &mut self,
        slot: usize,
        out: usize,
        pvlan: bool,
        sender: Ipv4Addr,
        target: Ipv4Addr,
    ) -> Result<Via, Reason> {
        let model = self.model;
        let port = &model.ports[slot];
        if out == slot {
            if pvlan && sender != target {
                self.trace_sysctl(
                    slot,
                    Sysctl::ProxyArpPvlan,
                    true,
                    "the route leaves by the arrival interface",
                );
                return Ok(Via::ProxyPvlan);
            }
            if T::ON {
                self.trace.push(Step::Refused { address: target.into(), reason: Reason::PvlanAnnouncement });
            }
            return Err(Reason::PvlanAnnouncement);
        }
        let mut refusal = Reason::NotProxied;
        if port.proxy_arp {
            if self.media_differ(slot, out) {
                self.trace_sysctl(slot, Sysctl::ProxyArp, true, "the route leaves by another interface");
                return Ok(Via::ProxyArp);
            }
            refusal = Reason::MediumId;
        } else {
            self.trace_sysctl(slot, Sysctl::ProxyArp, false, "only proxy entries count");
        }
        let found = model.proxied(target, port.index);
        if T::ON {
            let here = model.proxies.contains(&proxy_key(target, port.index));
            let interface = here.then(|| model.interface(slot).name);
            self.trace.push(Step::ProxyEntry { address: target.into(), interface, found });
        }
        if found { Ok(Via::ProxyEntry) } else { Err(refusal) }
    }

    /// The part of `arp_fwd_proxy()` that compares media.
    fn media_differ(&mut self, slot: usize, out: usize) -> bool {
        let (here, there) = (self.model.ports[slot].medium_id, self.model.ports[out].medium_id);
        if here == 0 {
            return true;
        }
        let differ = here != -1 && there != here && there != -1;
        if !differ {
            self.trace_sysctl(slot, Sysctl::MediumId, false, "proxy_arp must not answer on this medium");
            if here != -1 {
                self.trace_sysctl(out, Sysctl::MediumId, false, "the target is on this medium");
            }
        }
        differ
    }

    /// `IN_DEV_PROXY_ARP_PVLAN()`.
    pub(super) fn pvlan(&mut self, slot: usize) -> bool {
        match self.model.ports[slot].pvlan {
            Known::Yes => true,
            Known::No => false,
            Known::Unknown => self.oracle.ask(Missing::KernelVersion),
        }
    }
}
