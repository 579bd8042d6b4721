//! What decides about neighbour discovery: groups and anycast addresses, parameters of IPv6 neighbours, and what may
//! meddle with solicitations.

use std::net::Ipv6Addr;

use nix::libc::AF_INET6;

use super::LinuxKernel;
use super::read::{dump, header, of_family, unless_unsupported};
use crate::error::Result;
use crate::kernel::decode;
use crate::kernel::uapi::{RTM_GETANYCAST, RTM_GETMULTICAST, RTM_GETNEIGHTBL};
use crate::snapshot::{Discovery, DiscoveryOn, Interference, NeighbourTable, Snapshot};
use crate::types::IfIndex;

impl LinuxKernel {
    /// Completes what the dump of interfaces told (`known`). What may meddle is filled in afterwards.
    pub(super) fn discovery(&mut self, snapshot: &mut Snapshot, known: Vec<DiscoveryOn>) -> Result<()> {
        let mut discovery = Discovery { interfaces: known, ..Discovery::default() };
        discovery.interfaces.sort_by_key(|on| on.interface);
        for (interface, group) in self.joined(RTM_GETMULTICAST, "multicast groups")? {
            if let Some(on) = on_mut(&mut discovery, interface) {
                on.groups.push(group);
            }
        }
        for (interface, address) in self.joined(RTM_GETANYCAST, "anycast addresses")? {
            if let Some(on) = on_mut(&mut discovery, interface) {
                on.anycast.push(address);
            }
        }
        for on in &mut discovery.interfaces {
            for list in [&mut on.groups, &mut on.anycast] {
                list.sort_unstable();
                list.dedup();
            }
        }
        self.messages.clear();
        self.messages.begin(RTM_GETNEIGHTBL, 0, &header::<4>(AF_INET6));
        dump(&mut self.netlink, &mut self.messages, |payload| {
            let read = payload.and_then(|payload| of_family(payload, AF_INET6));
            if let Some(table) = read.and_then(decode::neighbour_table) {
                let NeighbourTable { entries, limit, .. } = table;
                if table.may_be_full() {
                    discovery.interference.push(Interference::FullNeighbourTable { entries, limit });
                }
            } else if let Some(read) = read.and_then(decode::neighbour_params)
                && let Some(on) = on_mut(&mut discovery, read.interface)
            {
                (on.proxy_delay, on.proxy_qlen) = (read.params.proxy_delay, read.params.proxy_qlen);
            }
        })
        .map_err(|error| error.during("list").on("neighbour parameters of IPv6"))?;
        snapshot.discovery = Some(discovery);
        Ok(())
    }

    fn joined(&mut self, kind: u16, what: &str) -> Result<Vec<(IfIndex, Ipv6Addr)>> {
        let mut all = Vec::new();
        self.messages.clear();
        self.messages.begin(kind, 0, &header::<8>(AF_INET6));
        let result = dump(&mut self.netlink, &mut self.messages, |payload| match payload {
            None => all.clear(),
            Some(payload) => all.extend(of_family(payload, AF_INET6).and_then(decode::joined)),
        });
        unless_unsupported(result).map_err(|error| error.during("list").on(what))?;
        Ok(all)
    }
}

fn on_mut(discovery: &mut Discovery, interface: IfIndex) -> Option<&mut DiscoveryOn> {
    let at = discovery.interfaces.binary_search_by_key(&interface, |on| on.interface).ok()?;
    discovery.interfaces.get_mut(at)
}
