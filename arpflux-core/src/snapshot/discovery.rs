//! What decides about neighbour discovery (RFC 4861) besides addresses, routes, rules, proxy entries and the sysctls
//! that plans set.

use std::net::{IpAddr, Ipv6Addr};

use serde::{Deserialize, Serialize};

use super::{AddressFlags, Interface, InterfaceFlags, Interference, Snapshot};
use crate::filter::{Filters, Protocol};
use crate::frame::solicited_node;
use crate::types::{IfIndex, IpNet};

/// What decides about neighbour discovery and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Discovery {
    /// Interfaces that have IPv6, sorted by index.
    pub interfaces: Vec<DiscoveryOn>,
    /// What may meddle with solicitations and advertisements here, or could not be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interference: Vec<Interference>,
    /// The packet filters that solicitations and advertisements pass beside those of [`Snapshot::filters`]: the families
    /// ip6 and inet of nftables.
    #[serde(default, skip_serializing_if = "Filters::is_empty")]
    pub filters: Filters,
}

/// The same of one interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DiscoveryOn {
    /// The interface.
    pub interface: IfIndex,
    /// `disable_ipv6`.
    #[serde(default)]
    pub disable_ipv6: bool,
    /// `force_forwarding` (6.17 and later): it forwards even while `all` does not.
    #[serde(default)]
    pub force_forwarding: bool,
    /// `use_oif_addrs_only`: an answer for somebody else's address needs an address of this interface as its source.
    #[serde(default)]
    pub use_oif_addrs_only: bool,
    /// `ignore_routes_with_linkdown`.
    #[serde(default)]
    pub ignore_routes_with_linkdown: bool,
    /// Of a bridge: it looks into MLD reports (`multicast_snooping`) and a querier may be there, so that groups go to
    /// some ports only.
    #[serde(default)]
    pub snoops: bool,
    /// A multicast solicitation for a proxied or anycast address waits a random time below this, in ms
    /// (`net.ipv6.neigh.INTERFACE.proxy_delay`).
    pub proxy_delay: u64,
    /// How many such solicitations may wait; more are dropped.
    pub proxy_qlen: u32,
    /// The multicast groups that it takes for itself, in rising order.
    pub groups: Vec<Ipv6Addr>,
    /// The anycast addresses that it has, in rising order.
    pub anycast: Vec<Ipv6Addr>,
}

impl DiscoveryOn {
    /// An interface with a kernel's defaults that takes no group and has no anycast address.
    #[must_use]
    pub const fn new(interface: IfIndex) -> Self {
        Self {
            interface,
            disable_ipv6: false,
            force_forwarding: false,
            use_oif_addrs_only: false,
            ignore_routes_with_linkdown: false,
            snoops: false,
            proxy_delay: 800,
            proxy_qlen: 64,
            groups: Vec::new(),
            anycast: Vec::new(),
        }
    }
}

impl Discovery {
    /// What is known of an interface; `None`: it has no IPv6.
    #[must_use]
    pub fn on(&self, interface: IfIndex) -> Option<&DiscoveryOn> {
        let at = self.interfaces.binary_search_by_key(&interface, |on| on.interface).ok()?;
        self.interfaces.get(at)
    }
}

/// Where routers hear, on the link and in the site, which an interface that forwards takes.
const ALL_ROUTERS: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 2),
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2),
    Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 2),
];

impl Snapshot {
    /// What may meddle with the frames of one family: of ARP, or of neighbour discovery.
    pub(crate) fn interference_of(&self, ipv6: bool) -> &[Interference] {
        match (&self.discovery, ipv6) {
            (_, false) => &self.interference,
            (Some(discovery), true) => &discovery.interference,
            (None, true) => &[],
        }
    }

    /// The filters that frames of a protocol pass.
    pub(crate) fn filters_of(&self, protocol: Protocol) -> Vec<&Filters> {
        let beside = self.discovery.iter().map(|discovery| &discovery.filters);
        let beside = beside.filter(|_| protocol == Protocol::Discovery);
        std::iter::once(&self.filters).chain(beside).collect()
    }

    /// The chains of which it cannot be told what they do with every such frame.
    pub(crate) fn open_filters(&self, protocol: Protocol, traffic_control: bool) -> Vec<String> {
        let each = self.filters_of(protocol).into_iter();
        each.flat_map(|filters| filters.open_of(protocol, traffic_control)).collect()
    }

    /// The groups of an interface's own addresses.
    fn own_groups(&self, index: IfIndex) -> Vec<Ipv6Addr> {
        let own = self.addresses_of(index).filter_map(|held| match held.local {
            IpAddr::V6(local) => Some(solicited_node(local)),
            IpAddr::V4(_) => None,
        });
        own.collect()
    }

    /// Whether an interface listens to `group` for an address that it proxies.
    pub(crate) fn proxied_group(&mut self, index: IfIndex, group: Ipv6Addr, listens: bool) {
        let own = self.own_groups(index);
        let Some(discovery) = &mut self.discovery else { return };
        let Ok(at) = discovery.interfaces.binary_search_by_key(&index, |on| on.interface) else { return };
        let DiscoveryOn { groups, anycast, .. } = &mut discovery.interfaces[at];
        let needed = || own.contains(&group) || anycast.iter().any(|other| solicited_node(*other) == group);
        match groups.binary_search(&group) {
            Err(place) if listens => groups.insert(place, group),
            Ok(place) if !listens && !needed() => drop(groups.remove(place)),
            Ok(_) | Err(_) => {}
        }
    }

    /// `dev_forward_change()`: an interface whose forwarding changes joins or leaves the groups of routers, and has or
    /// has no longer the anycast address of each of its prefixes.
    pub(crate) fn ipv6_forwarding_changed(&mut self, index: IfIndex, on: bool) {
        let prefixes: Vec<Ipv6Addr> = self
            .addresses
            .iter()
            .filter(|held| held.interface == index && held.prefix_len < 127)
            .filter(|held| !held.flags.contains(AddressFlags::TENTATIVE))
            .filter_map(|held| match IpNet::new(held.local, held.prefix_len) {
                Ok(IpNet::V6(net)) => Some(net.network()),
                Ok(IpNet::V4(_)) | Err(_) => None,
            })
            .filter(|network| !network.is_unspecified())
            .collect();
        let own = self.own_groups(index);
        let takes_groups = |interface: &Interface| interface.flags.contains(InterfaceFlags::MULTICAST);
        let routers: &[Ipv6Addr] =
            if self.interface(index).is_some_and(takes_groups) { &ALL_ROUTERS } else { &[] };
        let Some(discovery) = &mut self.discovery else { return };
        let Ok(at) = discovery.interfaces.binary_search_by_key(&index, |on| on.interface) else { return };
        let DiscoveryOn { groups, anycast, .. } = &mut discovery.interfaces[at];
        if on {
            groups.extend(routers);
            groups.extend(prefixes.iter().copied().map(solicited_node));
            anycast.extend(prefixes);
        } else {
            anycast.retain(|address| !prefixes.contains(address));
            let needed = |group: &Ipv6Addr| {
                own.contains(group) || anycast.iter().any(|other| solicited_node(*other) == *group)
            };
            let left: Vec<Ipv6Addr> = prefixes.into_iter().map(solicited_node).collect();
            groups.retain(|group| !routers.contains(group) && (!left.contains(group) || needed(group)));
        }
        for list in [groups, anycast] {
            list.sort_unstable();
            list.dedup();
        }
    }
}
