//! One dump for each kind of object, taken again where the kernel says that it changed.

use nix::libc::{AF_INET, AF_INET6, EAFNOSUPPORT, EOPNOTSUPP};

use super::digest::InterfacesDigest;
use super::sysctl::Folder;
use super::{LinuxKernel, sysctl_error};
use crate::error::{ErrorKind, Result};
use crate::kernel::decode;
use crate::kernel::netlink::{Messages, NetlinkSocket, attributes};
use crate::kernel::uapi::{
    IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS, RTM_GETADDR, RTM_GETLINK, RTM_GETNEIGH, RTM_GETNEIGHTBL,
    RTM_GETNETCONF, RTM_GETNEXTHOP, RTM_GETROUTE, RTM_GETRULE,
};
use crate::snapshot::{DiscoveryOn, Interface, Interference, Near, NeighbourTable, Picker, Snapshot};
use crate::sysctl::{Ipv6Sysctl, Ipv6SysctlValues, Sysctl, SysctlValues};
use crate::types::IfIndex;

/// How often a dump, and a whole snapshot, is taken again before it is given up.
pub(super) const TRIES: u32 = 10;

/// Asks for one dump and hands each message's payload to `each`, which is told to start over (`None`)
/// before every try.
pub(super) fn dump(
    netlink: &mut NetlinkSocket,
    messages: &mut Messages,
    mut each: impl FnMut(Option<&[u8]>),
) -> Result<()> {
    let mut tries = 1;
    loop {
        each(None);
        match netlink.dump(messages, |_, payload| {
            each(Some(payload));
            Ok(())
        }) {
            Err(error) if error.kind() == ErrorKind::Raced && tries < TRIES => tries += 1,
            result => return result,
        }
    }
}

/// Leaves counters, which always change, out of an answer about interfaces.
pub(super) fn ask_for_links(messages: &mut Messages) {
    messages.attribute(IFLA_EXT_MASK, &RTEXT_FILTER_SKIP_STATS.to_ne_bytes());
}

/// Interfaces with the numbers of their XDP programs.
pub(super) type Programs = Vec<(IfIndex, u32)>;

impl LinuxKernel {
    /// Interfaces with their sysctls; gives the XDP programs by number, and what decides about neighbour discovery on
    /// those with IPv6.
    pub(super) fn links(
        &mut self,
        snapshot: &mut Snapshot,
        mut digest: Option<&mut InterfacesDigest>,
    ) -> Result<(Programs, Vec<DiscoveryOn>)> {
        let (mut xdp, mut discovery) = (Vec::new(), Vec::new());
        let mut unread = 0usize;
        self.messages.clear();
        self.messages.begin(RTM_GETLINK, 0, &[0; 16]);
        ask_for_links(&mut self.messages);
        dump(&mut self.netlink, &mut self.messages, |payload| {
            digest.iter_mut().for_each(|digest| digest.link(payload));
            match payload.map(decode::link) {
                None => {
                    snapshot.interfaces.clear();
                    xdp.clear();
                    discovery.clear();
                    unread = 0;
                }
                Some(Some(link)) => {
                    xdp.extend(link.xdp.map(|program| (link.interface.index, program)));
                    discovery.extend(link.discovery);
                    snapshot.interfaces.push(link.interface);
                }
                Some(None) => unread += 1,
            }
        })
        .map_err(|error| error.during("list").on("interfaces"))?;
        if unread > 0 {
            let what = format!("{unread} interfaces that the kernel describes in an unknown way");
            snapshot.interference.push(Interference::Unreadable { what, needs: None });
        }
        snapshot.interfaces.sort_by_key(|interface| interface.index);
        came(&mut snapshot.interfaces);
        Ok((xdp, discovery))
    }

    pub(super) fn addresses(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        let addresses = &mut snapshot.addresses;
        for family in [AF_INET, AF_INET6] {
            let start = addresses.len();
            self.messages.clear();
            self.messages.begin(RTM_GETADDR, 0, &header::<8>(family));
            let result = dump(&mut self.netlink, &mut self.messages, |payload| match payload {
                None => addresses.truncate(start),
                Some(payload) => addresses.extend(of_family(payload, family).and_then(decode::address)),
            });
            unless_unsupported(result).map_err(|error| error.during("list").on("addresses"))?;
        }
        Ok(())
    }

    /// Rules of both families; whether one has a realm.
    pub(super) fn rules(&mut self, snapshot: &mut Snapshot) -> Result<bool> {
        let rules = &mut snapshot.rules;
        let mut realms = false;
        for family in [AF_INET, AF_INET6] {
            let start = rules.len();
            self.messages.clear();
            self.messages.begin(RTM_GETRULE, 0, &header::<12>(family));
            let result = dump(&mut self.netlink, &mut self.messages, |payload| match payload {
                None => rules.truncate(start),
                Some(payload) => {
                    if let Some(decoded) = of_family(payload, family).and_then(decode::rule) {
                        realms |= decoded.realm && family == AF_INET;
                        rules.push(decoded.rule);
                    }
                }
            });
            unless_unsupported(result).map_err(|error| error.during("list").on("rules"))?;
        }
        Ok(realms)
    }

    /// Routes of all tables and both families, those that are far from `near` as [`Picker`] says; whether an IPv4 one
    /// has a realm.
    pub(super) fn routes(&mut self, snapshot: &mut Snapshot, near: Option<Near>) -> Result<bool> {
        let routes = &mut snapshot.routes;
        let mut picker = near.map(Picker::new);
        let mut realms = false;
        for family in [AF_INET, AF_INET6] {
            let start = routes.len();
            self.messages.clear();
            self.messages.begin(RTM_GETROUTE, 0, &header::<12>(family));
            let result = dump(&mut self.netlink, &mut self.messages, |payload| match payload {
                None => {
                    routes.truncate(start);
                    picker.iter_mut().for_each(Picker::clear);
                }
                Some(payload) => {
                    if let Some(decoded) = of_family(payload, family).and_then(decode::route) {
                        realms |= decoded.realm && family == AF_INET;
                        if picker.as_mut().is_none_or(|picker| picker.picks(&decoded.route)) {
                            routes.push(decoded.route);
                        }
                    }
                }
            });
            unless_unsupported(result).map_err(|error| error.during("list").on("routes"))?;
        }
        // With nexthop_compat_mode=0 the routes do not repeat what the objects say.
        if routes.iter().any(|route| route.nexthop_id.is_some() && route.next_hops.is_empty()) {
            let objects = self.nexthops()?;
            for route in routes.iter_mut().filter(|route| route.next_hops.is_empty()) {
                if let Some(id) = route.nexthop_id {
                    route.next_hops = objects.resolve(id);
                }
            }
        }
        Ok(realms)
    }

    fn nexthops(&mut self) -> Result<decode::NextHops> {
        let mut objects = decode::NextHops::default();
        self.messages.clear();
        self.messages.begin(RTM_GETNEXTHOP, 0, &[0; 8]);
        dump(&mut self.netlink, &mut self.messages, |payload| match payload {
            None => objects = decode::NextHops::default(),
            Some(payload) => {
                objects.add(payload);
            }
        })
        .map_err(|error| error.during("list").on("nexthop objects"))?;
        Ok(objects)
    }

    pub(super) fn neighbours(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        let header = [0u8; 12];
        let neighbours = &mut snapshot.neighbours;
        self.messages.clear();
        self.messages.begin(RTM_GETNEIGH, 0, &header);
        dump(&mut self.netlink, &mut self.messages, |payload| match payload {
            None => neighbours.clear(),
            Some(payload) => neighbours.extend(decode::neighbour(payload)),
        })
        .map_err(|error| error.during("list").on("neighbours"))?;

        snapshot.proxies = self.proxies()?;
        Ok(())
    }

    /// The interfaces alone, with their own sysctls, in one dump: a fifth of what a snapshot costs, and
    /// less than opening three files for each interface. Values of `all` and `default` are not in it.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn interfaces(&mut self) -> Result<Vec<Interface>> {
        let mut read = Snapshot::default();
        self.links(&mut read, None)?;
        Ok(read.interfaces)
    }

    /// Interfaces and addresses, and nothing else.
    ///
    /// # Errors
    /// Any failure to read.
    pub(crate) fn interfaces_and_addresses(&mut self) -> Result<Snapshot> {
        let mut read = Snapshot::default();
        self.links(&mut read, None)?;
        self.addresses(&mut read)?;
        Ok(read)
    }

    pub(super) fn neighbour_params(
        &mut self,
        snapshot: &mut Snapshot,
        mut digest: Option<&mut InterfacesDigest>,
    ) -> Result<()> {
        self.messages.clear();
        self.messages.begin(RTM_GETNEIGHTBL, 0, &header::<4>(AF_INET));
        dump(&mut self.netlink, &mut self.messages, |payload| {
            digest.iter_mut().for_each(|digest| digest.params(payload));
            let read = payload.and_then(|payload| of_family(payload, AF_INET));
            if let Some(read) = read.and_then(decode::neighbour_table) {
                let NeighbourTable { entries, limit, .. } = read;
                if read.may_be_full() {
                    snapshot.interference.push(Interference::FullNeighbourTable { entries, limit });
                }
            } else if let Some(read) = read.and_then(decode::neighbour_params)
                && let Ok(at) = snapshot.interfaces.binary_search_by_key(&read.interface, |i| i.index)
            {
                snapshot.interfaces[at].neigh = read.params;
            }
        })
        .map_err(|error| error.during("list").on("neighbour parameters"))
    }

    /// How full the machine's table of IPv4 neighbours is; `None`: the kernel does not tell.
    ///
    /// # Errors
    /// Any failure to read.
    pub fn neighbour_table(&mut self) -> Result<Option<NeighbourTable>> {
        let mut table = None;
        self.messages.clear();
        self.messages.begin(RTM_GETNEIGHTBL, 0, &header::<4>(AF_INET));
        dump(&mut self.netlink, &mut self.messages, |payload| {
            let read = payload.and_then(|payload| of_family(payload, AF_INET));
            table = read.and_then(decode::neighbour_table).or(table);
        })
        .map_err(|error| error.during("list").on("neighbour tables"))?;
        Ok(table)
    }

    /// `all` and `default`, and what is not below `conf`.
    pub(super) fn sysctls(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        let tree = match &self.sysctls {
            Ok(tree) => tree,
            Err(errno) => {
                let what = format!("net.ipv4.conf.all and default in /proc/sys ({})", errno.desc());
                snapshot.interference.push(Interference::Unreadable { what, needs: None });
                return self.netconf(snapshot);
            }
        };
        let mut unreadable = 0usize;
        let mut number = |folder, parts: &[&[u8]]| match tree.read(folder, parts) {
            Ok(value) => Ok(value),
            Err(nix::errno::Errno::EACCES | nix::errno::Errno::EPERM) => {
                unreadable += 1;
                Ok(None)
            }
            Err(errno) => {
                let parts: Vec<_> = parts.iter().map(|part| String::from_utf8_lossy(part)).collect();
                Err(sysctl_error("read sysctl", parts.join("."), errno))
            }
        };
        for (name, values) in [(&b"all"[..], &mut snapshot.all), (b"default", &mut snapshot.default)] {
            for sysctl in Sysctl::ALL {
                values.set(*sysctl, number(Folder::Ipv4Conf, &[name, sysctl.name().as_bytes()])?);
            }
        }
        let mut all_ipv6 = Ipv6SysctlValues::default();
        for sysctl in Ipv6Sysctl::ALL {
            // Without IPv6 in the kernel the folder is not there.
            all_ipv6.set(*sysctl, number(Folder::Ipv6Conf, &[b"all", sysctl.name().as_bytes()])?);
        }
        snapshot.all_ipv6 = all_ipv6;
        snapshot.ip_forward = number(Folder::Ipv4, &[b"ip_forward"])?.unwrap_or(0);
        snapshot.ip_nonlocal_bind = number(Folder::Ipv4, &[b"ip_nonlocal_bind"])?.unwrap_or(0);
        snapshot.fib_multipath_hash_policy = number(Folder::Ipv4, &[b"fib_multipath_hash_policy"])?;
        if unreadable > 0 {
            let what = format!("{unreadable} sysctls of net.ipv4 (not permitted)");
            snapshot.interference.push(Interference::Unreadable { what, needs: None });
        }
        Ok(())
    }

    /// Without `/proc/sys`: the few values of `all` and `default` that netlink tells (`RTM_GETNETCONF`).
    fn netconf(&mut self, snapshot: &mut Snapshot) -> Result<()> {
        const NETCONFA_IFINDEX: u16 = 1;
        const NETCONFA_IFINDEX_ALL: i32 = -1;
        const NETCONFA_IFINDEX_DEFAULT: i32 = -2;
        // NETCONFA_FORWARDING, _RP_FILTER, _PROXY_NEIGH, _IGNORE_ROUTES_WITH_LINKDOWN, _BC_FORWARDING.
        const TOLD: [(u16, Sysctl); 5] = [
            (2, Sysctl::Forwarding),
            (3, Sysctl::RpFilter),
            (5, Sysctl::ProxyArp),
            (6, Sysctl::IgnoreRoutesWithLinkdown),
            (8, Sysctl::BcForwarding),
        ];
        let (all, default) = (&mut snapshot.all, &mut snapshot.default);
        self.messages.clear();
        self.messages.begin(RTM_GETNETCONF, 0, &[AF_INET as u8, 0, 0, 0]);
        dump(&mut self.netlink, &mut self.messages, |payload| {
            // A fixed part of one byte, padded.
            let Some(rest) = payload.and_then(|payload| payload.get(4..)) else { return };
            let index = attributes(rest).find(|a| a.kind == NETCONFA_IFINDEX).and_then(|a| a.i32());
            let values: &mut SysctlValues = match index {
                Some(NETCONFA_IFINDEX_ALL) => all,
                Some(NETCONFA_IFINDEX_DEFAULT) => default,
                _ => return,
            };
            for attribute in attributes(rest) {
                if let Some((_, sysctl)) = TOLD.iter().find(|(kind, _)| *kind == attribute.kind) {
                    values.set(*sysctl, attribute.i32());
                }
            }
        })
        .map_err(|error| error.during("list").on("netconf"))?;
        snapshot.ip_forward = snapshot.all.get(Sysctl::Forwarding).unwrap_or(0);
        Ok(())
    }
}

/// Fills in [`Interface::came`]: the list of multicast groups goes through interfaces in that order, as borrowing does
/// (`for_each_netdev_rcu()`), while dumps go by number. It has those that are up and have IPv4.
fn came(interfaces: &mut [Interface]) {
    let list = std::fs::read_to_string("/proc/thread-self/net/igmp").unwrap_or_default();
    // Groups are indented below their interface.
    let own = list.lines().filter(|line| line.starts_with(|first: char| first.is_ascii_digit()));
    let numbers = own.filter_map(|line| line.split_ascii_whitespace().next()?.parse().ok());
    for (place, number) in (0..).zip(numbers) {
        if let Ok(at) = interfaces.binary_search_by_key(&IfIndex(number), |interface| interface.index) {
            interfaces[at].came = Some(place);
        }
    }
}

/// A fixed part that is all zeros but for the family.
pub(super) fn header<const N: usize>(family: i32) -> [u8; N] {
    let mut header = [0; N];
    header[0] = family as u8;
    header
}

/// The message, if it is of that family: a kernel without IPv6 answers for all families it has.
pub(super) fn of_family(payload: &[u8], family: i32) -> Option<&[u8]> {
    (i32::from(*payload.first()?) == family).then_some(payload)
}

/// A kernel without IPv6 has none of its objects.
pub(super) fn unless_unsupported(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if matches!(error.errno(), Some(EAFNOSUPPORT | EOPNOTSUPP)) => Ok(()),
        result => result,
    }
}
