//! What decides about neighbour discovery on a host that is made in code.

use std::net::{IpAddr, Ipv6Addr};

use super::Builder;
use crate::frame::{ALL_NODES, solicited_node};
use crate::snapshot::{Discovery, DiscoveryOn, InterfaceFlags, Route, RouteKind, table};
use crate::types::{IfIndex, IpNet};

impl Builder {
    /// Fills in [`Snapshot::discovery`](crate::snapshot::Snapshot::discovery), as the kernel has it for the interfaces,
    /// addresses and proxy entries that are there: the groups that they listen to, and the routes to these. To be called
    /// behind them; without, it cannot be told who answers for an IPv6 address.
    pub fn neighbour_discovery(mut self) -> Self {
        let host = &mut self.host;
        let filters = host.discovery.take().map(|discovery| discovery.filters).unwrap_or_default();
        let on = |index: IfIndex| {
            let own = host.addresses_of(index).map(|held| held.local);
            let proxied = host.proxies.iter().filter(|entry| entry.interface == Some(index));
            let listened = own.chain(proxied.map(|entry| entry.address));
            let mut groups: Vec<Ipv6Addr> = listened
                .filter_map(|address| match address {
                    IpAddr::V6(address) => Some(solicited_node(address)),
                    IpAddr::V4(_) => None,
                })
                .chain([ALL_NODES.1])
                .collect();
            groups.sort_unstable();
            groups.dedup();
            DiscoveryOn { groups, ..DiscoveryOn::new(index) }
        };
        let interfaces = host.interfaces.iter().map(|interface| on(interface.index)).collect();
        host.discovery = Some(Discovery { interfaces, filters, ..Discovery::default() });
        if let Ok(all_groups) = "ff00::/8".parse::<IpNet>() {
            let listens = InterfaceFlags::UP | InterfaceFlags::MULTICAST;
            let each = host.interfaces.iter().filter(|interface| interface.flags.contains(listens));
            let routes: Vec<Route> = each
                .map(|interface| Route {
                    table: table::LOCAL,
                    kind: RouteKind::Multicast,
                    protocol: super::protocol::KERNEL,
                    metric: super::ADDRCONF_METRIC,
                    ..Route::new(all_groups, interface.index)
                })
                .collect();
            host.routes.extend(routes);
        }
        self
    }
}
