//! A snapshot with the look-ups that planning, diagnosing and proving need many times.

use std::net::IpAddr;
use std::sync::OnceLock;

use foldhash::HashMap;

use super::{Address, Interface, Route, RouteKind, Snapshot, table};
use crate::types::{IfIndex, IfName, IpNet, Ipv4Net};

/// Maps over a snapshot, each built when it is first asked for.
///
/// What looks up once may as well look through the snapshot; what does it for each address or interface takes these.
#[derive(Debug)]
pub(crate) struct Index<'s> {
    pub snapshot: &'s Snapshot,
    named: OnceLock<HashMap<IfName, &'s Interface>>,
    held: OnceLock<HashMap<IfIndex, Vec<&'s Address>>>,
    holders: OnceLock<HashMap<IpAddr, Vec<IfIndex>>>,
    subnets: OnceLock<HashMap<IfIndex, Vec<Ipv4Net>>>,
    proxied: OnceLock<HashMap<IpAddr, Vec<Option<IfIndex>>>>,
    gateways: OnceLock<HashMap<IpAddr, Vec<IfIndex>>>,
    hosts: OnceLock<HashMap<IpAddr, Vec<&'s Route>>>,
    defaults: OnceLock<Vec<&'s Route>>,
}

/// The values of a map of lists; none for a key that is not there.
fn list<'m, K: std::hash::Hash + Eq, V>(map: &'m HashMap<K, Vec<V>>, key: &K) -> &'m [V] {
    map.get(key).map_or(&[], Vec::as_slice)
}

/// A map of lists, in the order of `pairs`.
fn grouped<K: std::hash::Hash + Eq, V>(pairs: impl Iterator<Item = (K, V)>) -> HashMap<K, Vec<V>> {
    let mut map: HashMap<K, Vec<V>> = HashMap::default();
    for (key, value) in pairs {
        map.entry(key).or_default().push(value);
    }
    map
}

impl<'s> Index<'s> {
    pub(crate) const fn new(snapshot: &'s Snapshot) -> Self {
        Self {
            snapshot,
            named: OnceLock::new(),
            held: OnceLock::new(),
            holders: OnceLock::new(),
            subnets: OnceLock::new(),
            proxied: OnceLock::new(),
            gateways: OnceLock::new(),
            hosts: OnceLock::new(),
            defaults: OnceLock::new(),
        }
    }

    /// The interface of that name, or with that alternative name.
    pub(crate) fn named(&self, name: &IfName) -> Option<&'s Interface> {
        let interfaces = &self.snapshot.interfaces;
        let named = || {
            let other = |name: &String| name.parse::<IfName>().ok();
            let others = interfaces.iter().flat_map(|interface| {
                interface.altnames.iter().filter_map(other).map(move |name| (name, interface))
            });
            // Names go before alternative ones, as where the kernel looks one up.
            others.chain(interfaces.iter().map(|interface| (interface.name, interface))).collect()
        };
        self.named.get_or_init(named).get(name).copied()
    }

    /// The addresses of an interface, of both families, in the kernel's order.
    pub(crate) fn held(&self, interface: IfIndex) -> &[&'s Address] {
        let addresses = &self.snapshot.addresses;
        let held = || grouped(addresses.iter().map(|address| (address.interface, address)));
        list(self.held.get_or_init(held), &interface)
    }

    /// The interfaces that hold an address, in the kernel's order.
    pub(crate) fn holders(&self, address: IpAddr) -> &[IfIndex] {
        let addresses = &self.snapshot.addresses;
        let holders = || grouped(addresses.iter().map(|address| (address.local, address.interface)));
        list(self.holders.get_or_init(holders), &address)
    }

    /// The IPv4 subnets of the addresses of an interface.
    pub(crate) fn subnets(&self, interface: IfIndex) -> &[Ipv4Net] {
        let v4 = |address: &Address| match address.subnet() {
            IpNet::V4(subnet) => Some((address.interface, subnet)),
            IpNet::V6(_) => None,
        };
        let subnets = || grouped(self.snapshot.addresses.iter().filter_map(v4));
        list(self.subnets.get_or_init(subnets), &interface)
    }

    /// The interfaces with a proxy entry for an address; `None`: an entry of all interfaces.
    pub(crate) fn proxied(&self, address: IpAddr) -> &[Option<IfIndex>] {
        let proxies = &self.snapshot.proxies;
        let proxied = || grouped(proxies.iter().map(|entry| (entry.address, entry.interface)));
        list(self.proxied.get_or_init(proxied), &address)
    }

    /// The interfaces by which routes go through `gateway`; one may come more than once.
    pub(crate) fn gateways(&self, gateway: IpAddr) -> &[IfIndex] {
        let hops = self.snapshot.routes.iter().flat_map(|route| &route.next_hops);
        let gateways = || grouped(hops.filter_map(|hop| Some((hop.gateway?, hop.interface?))));
        list(self.gateways.get_or_init(gateways), &gateway)
    }

    /// The routes of table main to this host alone, the preferred one first.
    pub(crate) fn host_routes(&self, host: IpAddr) -> &[&'s Route] {
        let single = |route: &&Route| {
            route.table == table::MAIN && route.destination.prefix_len() == route.destination.max_prefix_len()
        };
        let routes = self.snapshot.routes.iter().filter(single);
        let hosts = || grouped(routes.map(|route| (route.destination.addr(), route)));
        list(self.hosts.get_or_init(hosts), &host)
    }

    /// The IPv4 default routes of all tables, those of table main first, each table's preferred one first.
    pub(crate) fn default_routes(&self) -> &[&'s Route] {
        let default = |route: &&Route| {
            route.kind == RouteKind::Unicast
                && route.destination.prefix_len() == 0
                && route.destination.addr().is_ipv4()
        };
        self.defaults.get_or_init(|| {
            let mut routes: Vec<&Route> = self.snapshot.routes.iter().filter(default).collect();
            routes.sort_by_key(|route| (route.table != table::MAIN, route.table, route.metric));
            routes
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Builder;

    #[test]
    fn interfaces_are_found_by_name_before_alternative_name() {
        let mut host = Builder::new().nic("eth0", &["192.168.1.10/24"]).nic("eth1", &[]).build().unwrap();
        for (interface, name) in
            host.interfaces.iter_mut().filter(|one| one.speaks_arp()).zip(["lan0", "eth0"])
        {
            interface.altnames.push(name.into());
        }
        let index = Index::new(&host);
        for (name, expected) in
            [("lan0", Some("eth0")), ("eth0", Some("eth0")), ("eth1", Some("eth1")), ("lan1", None)]
        {
            let found = index.named(&name.parse().unwrap()).map(|interface| interface.name.to_string());
            assert_eq!(found.as_deref(), expected, "{name}");
        }
    }

    #[test]
    fn default_routes_of_main_come_first_and_the_preferred_one_before_the_rest() {
        let mut host = Builder::new()
            .nic("eth0", &["192.168.1.10/24"])
            .nic("eth1", &["192.168.2.10/24"])
            .route("0.0.0.0/0", Some("192.168.1.1"), "eth0")
            .route("0.0.0.0/0", Some("192.168.2.1"), "eth1")
            .route("0.0.0.0/0", Some("192.168.2.2"), "eth1")
            .build()
            .unwrap();
        let mut defaults: Vec<&mut Route> =
            host.routes.iter_mut().filter(|route| route.destination.prefix_len() == 0).collect();
        (defaults[0].table, defaults[1].metric, defaults[2].metric) = (100, 200, 100);
        let index = Index::new(&host);
        let routes = index.default_routes().iter();
        let found: Vec<(u32, u32)> = routes.map(|route| (route.table, route.metric)).collect();
        assert_eq!(found, [(table::MAIN, 100), (table::MAIN, 200), (100, 0)]);
    }
}
