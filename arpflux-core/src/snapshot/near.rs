//! Which routes bear on the answers for some addresses, and which stand for many others.

use std::collections::HashSet;
use std::net::IpAddr;

use super::{Address, Route, Rule};
use crate::types::IpNet;

/// Where routes count one by one: around some addresses, and in some tables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Near {
    /// Sorted, none within another.
    nets: Vec<IpNet>,
    tables: HashSet<u32>,
    /// The `RTPROT_*` number of those whose routes and tables count.
    protocol: u8,
}

impl Near {
    /// Around these addresses, and in these tables; all routes of `protocol`, too.
    pub fn new(addresses: impl Iterator<Item = IpAddr>, tables: HashSet<u32>, protocol: u8) -> Self {
        let nets: Vec<IpNet> = addresses.map(IpNet::from).collect();
        Self { nets: IpNet::aggregate(&nets), tables, protocol }
    }

    /// The same, in the subnets of a host as well, and in the tables to which rules of its protocol lead.
    pub fn on(&self, addresses: &[Address], rules: &[Rule]) -> Self {
        let subnets = addresses.iter().map(|address| address.subnet().trunc());
        let nets: Vec<IpNet> = self.nets.iter().copied().chain(subnets).collect();
        let own = rules.iter().filter(|rule| rule.protocol == self.protocol);
        let own = own.filter(|rule| rule.suppress_prefix_len.is_none()).map(|rule| rule.table);
        Self {
            nets: IpNet::aggregate(&nets),
            tables: self.tables.iter().copied().chain(own).collect(),
            protocol: self.protocol,
        }
    }

    /// Whether this route may decide about answers, or how packets of these addresses leave.
    pub fn matters(&self, route: &Route) -> bool {
        let net = &route.destination;
        // Of nets that do not overlap, only the first that does not end before it can.
        let at = self.nets.partition_point(|known| known.broadcast() < net.network());
        let overlaps = self.nets.get(at).is_some_and(|known| known.network() <= net.broadcast());
        // Solicitations come to groups, for which an interface needs a route.
        let group = matches!(net, IpNet::V6(net) if net.network().is_multicast());
        overlaps || group || route.protocol == self.protocol || self.tables.contains(&route.table)
    }
}

/// Picks routes out of many, one after the other.
///
/// Of those that lead elsewhere through gateways, or reject, the first of each kind stands for all that differ from it
/// only in their destination: a look-up has the same outcome with either.
#[derive(Debug)]
pub(crate) struct Picker {
    near: Near,
    kinds: HashSet<Route>,
}

impl Picker {
    pub fn new(near: Near) -> Self {
        Self { near, kinds: HashSet::new() }
    }

    /// Whether it is to be kept.
    pub fn picks(&mut self, route: &Route) -> bool {
        let on_link = route.next_hops.iter().any(|hop| hop.gateway.is_none());
        if on_link || self.near.matters(route) {
            return true;
        }
        let anywhere = match route.destination {
            IpNet::V4(_) => IpAddr::from([0; 4]),
            IpNet::V6(_) => IpAddr::from([0; 16]),
        };
        // What may be asked of a destination besides, by rules (`suppress_prefixlength`), is how long its prefix is.
        let length = route.destination.prefix_len();
        let Ok(destination) = IpNet::new(anywhere, length) else { return true };
        self.kinds.insert(Route {
            destination,
            metric: 0,
            protocol: 0,
            preferred_source: None,
            ..route.clone()
        })
    }

    /// Starts over.
    pub fn clear(&mut self) {
        self.kinds.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Builder, NextHop, NextHopFlags, table};
    use crate::types::IfIndex;

    fn route(destination: &str, gateway: &str) -> Route {
        let host = Builder::new().nic("eth0", &["192.168.18.10/24"]).build().unwrap();
        let hop = NextHop {
            interface: Some(IfIndex(2)),
            gateway: gateway.parse().ok(),
            weight: 1,
            flags: NextHopFlags::empty(),
        };
        let known = host.routes.into_iter().find(|route| route.table == table::MAIN).unwrap();
        Route { destination: destination.parse().unwrap(), protocol: 3, next_hops: vec![hop], ..known }
    }

    #[test]
    fn routes_around_the_addresses_count_one_by_one() {
        let named: [IpAddr; 2] = [[10, 0, 0, 7].into(), [192, 168, 18, 101].into()];
        let host = Builder::new().nic("eth0", &["192.168.18.10/24", "fd00::1/64"]).build().unwrap();
        let near = Near::new(named.into_iter(), HashSet::from([7]), 175).on(&host.addresses, &host.rules);
        for (destination, matters) in [
            ("0.0.0.0/0", true),
            ("::/0", true),
            ("192.168.0.0/16", true),
            ("192.168.18.128/25", true),
            ("192.168.18.255/32", true),
            ("192.168.19.0/24", false),
            ("192.168.17.0/24", false),
            ("10.0.0.7/32", true),
            ("10.0.0.0/29", true),
            ("10.0.0.8/29", false),
            ("fd00::5/128", true),
            ("fd00:0:0:1::/64", false),
            ("1.0.0.0/8", false),
            ("ff00::/8", true),
            ("240.0.0.0/8", false),
        ] {
            assert_eq!(near.matters(&route(destination, "192.168.18.1")), matters, "{destination}");
        }
        let far = || route("11.0.0.0/24", "192.168.18.1");
        assert!(near.matters(&Route { table: 7, ..far() }));
        assert!(near.matters(&Route { protocol: 175, ..far() }));
    }

    #[test]
    fn of_those_that_lead_elsewhere_the_first_of_a_kind_stands_for_all() {
        let mut picker = Picker::new(Near::new(std::iter::empty(), HashSet::new(), 175));
        let mut picks = |route: &Route| picker.picks(route);
        assert!(picks(&route("11.0.0.0/24", "192.168.18.1")));
        assert!(!picks(&route("11.0.1.0/24", "192.168.18.1")));
        assert!(picks(&route("11.0.2.0/24", "192.168.18.2")));
        assert!(picks(&route("11.0.2.7/32", "192.168.18.2")));
        assert!(picks(&Route { table: 99, ..route("11.0.3.0/24", "192.168.18.1") }));
        // On the link of an interface each is a place of its own.
        assert!(picks(&route("11.1.0.0/24", "none")));
        assert!(picks(&route("11.1.1.0/24", "none")));
        picker.clear();
        assert!(picker.picks(&route("11.0.1.0/24", "192.168.18.1")));
    }
}
