//! Every record of a snapshot, and what in it says which host it is of.

use std::net::IpAddr;

use super::words::{Of, is_known};
use super::{Anonymiser, Space, filters, left};
use crate::error::{Error, ErrorKind, Result};
use crate::snapshot::{
    Address, Discovery, DiscoveryOn, Interface, Interference, KernelVersion, LinkKind, Neighbour,
    NetnsIdentity, NextHop, ProxyEntry, Route, Rule, Snapshot,
};
use crate::types::{IfName, IpNet, Mac};

/// One way through a snapshot: collecting what is there, or replacing it.
pub(super) enum Pass<'a> {
    Collects(&'a mut Anonymiser),
    Replaces(&'a Anonymiser),
}

impl Pass<'_> {
    fn address(&mut self, address: &mut IpAddr) {
        match self {
            Self::Replaces(by) => *address = by.address(*address),
            Self::Collects(into) => into.insert_net(IpNet::from(*address)),
        }
    }

    fn v6(&mut self, address: &mut std::net::Ipv6Addr) {
        let mut either = IpAddr::V6(*address);
        self.address(&mut either);
        if let IpAddr::V6(new) = either {
            *address = new;
        }
    }

    fn net(&mut self, net: &mut IpNet) {
        match self {
            Self::Replaces(by) => *net = by.prefix(*net),
            Self::Collects(into) => into.insert_net(*net),
        }
    }

    fn mac(&mut self, mac: &mut Mac) {
        let into = match self {
            Self::Replaces(by) => return *mac = by.mac(*mac),
            Self::Collects(into) => into,
        };
        let space = match mac.as_bytes().len() {
            4 => Space::V4,
            6 => Space::Mac,
            16 => Space::V6,
            _ => return,
        };
        into.insert(space, left(mac.as_bytes()), 128);
    }

    fn name(&mut self, name: &mut IfName) -> Result<()> {
        match self {
            Self::Collects(into) => into.names.insert(name.as_bytes()),
            Self::Replaces(by) => *name = by.name(name).ok_or_else(|| other_snapshot(name))?,
        }
        Ok(())
    }

    /// A name that is kept as text: an alternative one, or that of a device in a filter, where all that begin so may be
    /// meant.
    pub(super) fn device(&mut self, name: &mut String, pattern: bool) -> Result<()> {
        let (own, star) = match name.strip_suffix('*') {
            Some(start) if pattern => (start, "*"),
            _ => (name.as_str(), ""),
        };
        let mut bytes = own.as_bytes().to_vec();
        self.device_bytes(&mut bytes, !star.is_empty())?;
        let new = String::from_utf8_lossy(&bytes).into_owned() + star;
        *name = new;
        Ok(())
    }

    /// A name, or (`start`) what names begin with.
    pub(super) fn device_bytes(&mut self, name: &mut Vec<u8>, start: bool) -> Result<()> {
        match self {
            Self::Collects(into) if start => into.names.insert_start(name),
            Self::Collects(into) => into.names.insert(name),
            Self::Replaces(by) => {
                *name = by.names.of(name).ok_or_else(|| other_snapshot(&name.escape_ascii()))?.to_vec();
            }
        }
        Ok(())
    }

    pub(super) fn word(&mut self, of: Of, word: &mut String) -> Result<()> {
        if is_known(word) {
            return Ok(());
        }
        match self {
            Self::Collects(into) => into.words.insert(of, word),
            Self::Replaces(by) => {
                *word = by.words.of(of, word).ok_or_else(|| other_snapshot(word))?.to_owned();
            }
        }
        Ok(())
    }

    /// Words of which some may be names. What is not known becomes "something".
    fn phrase(&mut self, phrase: &mut String) {
        let Self::Replaces(by) = self else { return };
        let word = |word: &str| -> String {
            let (open, rest) = word.split_at(usize::from(word.starts_with('(')));
            let end = rest.trim_end_matches([')', ':', ',']).len();
            let (inner, close) = rest.split_at(end);
            let name = by.names.of(inner.as_bytes()).and_then(|name| std::str::from_utf8(name).ok());
            let known = is_known(word) || is_known(inner);
            let new = if known { Some(inner) } else { name.or_else(|| by.words.any(inner)) };
            [open, new.unwrap_or("something"), close].concat()
        };
        *phrase = phrase.split(' ').map(word).collect::<Vec<_>>().join(" ");
    }

    /// A value of a filter, the first bits of an address or MAC.
    pub(super) fn value(&mut self, space: Space, value: &mut [u8], bits: u8) {
        match self {
            Self::Collects(into) => into.insert(space, left(value), bits),
            Self::Replaces(by) => by.replace(space, value, bits),
        }
    }

    /// The ends of a range of these.
    pub(super) fn range(&mut self, space: Space, from: &mut [u8], to: &mut [u8]) -> Result<()> {
        let bits = 8 * from.len() as u8;
        match self {
            Self::Collects(into) => into.insert_range(space, left(from), left(to), bits)?,
            Self::Replaces(by) => by.replace_range(space, from, to, bits),
        }
        Ok(())
    }
}

fn other_snapshot(name: &impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::InvalidInput, "nothing is called so in the snapshot that this was made of")
        .during("anonymise snapshot")
        .on(name.to_string())
}

/// Goes through all of it. A new field is to be looked at here: the compiler asks.
pub(super) fn walk(snapshot: &mut Snapshot, pass: &mut Pass<'_>) -> Result<()> {
    let Snapshot {
        schema: _,
        kernel,
        netns,
        reads: _,
        all: _,
        default: _,
        all_ipv6: _,
        ip_forward: _,
        ip_nonlocal_bind: _,
        fib_multipath_hash_policy: _,
        interfaces,
        addresses,
        routes,
        rules,
        routing: _,
        proxies,
        neighbours,
        filters,
        interference,
        discovery,
    } = snapshot;
    if let Pass::Replaces(_) = pass {
        *kernel = version(kernel);
        *netns = NetnsIdentity::default();
    }
    interfaces.iter_mut().try_for_each(|one| interface(one, pass))?;
    for Address { interface: _, local, peer, prefix_len, scope: _, flags: _, broadcast } in addresses {
        if let Ok(subnet) = IpNet::new(peer.unwrap_or(*local), *prefix_len)
            && let Pass::Collects(into) = pass
        {
            into.insert_subnet(subnet);
        }
        pass.address(local);
        [peer, broadcast].into_iter().flatten().for_each(|address| pass.address(address));
    }
    if let Pass::Collects(into) = pass {
        let on_link = |route: &&Route| route.next_hops.iter().any(|hop| hop.gateway.is_none());
        routes.iter().filter(on_link).for_each(|route| into.insert_subnet(route.destination));
        routes.iter().for_each(|route| into.insert_within(route.destination));
    }
    for one in routes {
        route(one, pass);
    }
    rules.iter_mut().try_for_each(|one| rule(one, pass))?;
    for ProxyEntry { address, interface: _, flags: _, protocol: _ } in proxies {
        pass.address(address);
    }
    for Neighbour { address, interface: _, mac, state: _, flags: _ } in neighbours {
        pass.address(address);
        mac.iter_mut().for_each(|mac| pass.mac(mac));
    }
    filters::walk(filters, pass)?;
    if let Some(Discovery { interfaces, interference, filters }) = discovery {
        interfaces.iter_mut().for_each(|one| discovery_on(one, pass));
        filters::walk(filters, pass)?;
        interference.iter_mut().try_for_each(|one| meddler(one, pass))?;
    }
    interference.iter_mut().try_for_each(|one| meddler(one, pass))
}

/// The numbers of a kernel and what tells whose it is, as far as the model and `recommend` go by them.
fn version(kernel: &KernelVersion) -> KernelVersion {
    let numbers = |text: &str| -> String {
        text.chars().take_while(|letter| letter.is_ascii_digit() || *letter == '.').take(24).collect()
    };
    let mut release = numbers(&kernel.release);
    if kernel.release[release.len()..].contains('-') {
        release.push_str("-x");
    }
    for vendor in [".el", ".amzn", "-aws", "-azure", "-gcp", "-gke"] {
        if kernel.release.contains(vendor) {
            release.push_str(vendor);
        }
    }
    let mut words = kernel.version.split(' ').skip_while(|word| *word != "Debian");
    let version = match (words.next(), words.next(), kernel.version.contains("Ubuntu")) {
        (_, _, true) => "Ubuntu".to_owned(),
        (Some(debian), Some(named), _) => format!("{debian} {}", numbers(named)),
        _ => String::new(),
    };
    KernelVersion { release, version }
}

fn interface(interface: &mut Interface, pass: &mut Pass<'_>) -> Result<()> {
    let Interface {
        index: _,
        name,
        kind,
        link_type: _,
        mac,
        flags: _,
        carrier: _,
        master: _,
        link: _,
        link_netnsid: _,
        mtu: _,
        came: _,
        vlan_id: _,
        macvlan_mode: _,
        ipvlan_mode: _,
        vrf_table: _,
        group: _,
        bond_mode: _,
        bond_port_state: _,
        bond_active_port: _,
        bond_all_active: _,
        bridge_port_state: _,
        altnames,
        macvlan_sources,
        bridging: _,
        open_options,
        sysctls: _,
        ipv6: _,
        neigh: _,
    } = interface;
    pass.name(name)?;
    if let Some(LinkKind::Other(kind)) = kind {
        pass.word(Of::Kind, kind)?;
    }
    pass.mac(mac);
    macvlan_sources.iter_mut().for_each(|mac| pass.mac(mac));
    altnames.iter_mut().try_for_each(|name| pass.device(name, false))?;
    for option in open_options {
        // Names and numbers in the kernel's headers.
        let of_kernel =
            |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"_ ".contains(&byte);
        if !option.starts_with("IFLA_") || !option.bytes().all(of_kernel) {
            pass.word(Of::Word, option)?;
        }
    }
    Ok(())
}

fn route(route: &mut Route, pass: &mut Pass<'_>) {
    let Route {
        table: _,
        kind: _,
        destination,
        source,
        tos: _,
        metric: _,
        scope: _,
        protocol: _,
        preferred_source,
        next_hops,
        nexthop_id: _,
    } = route;
    pass.net(destination);
    source.iter_mut().for_each(|net| pass.net(net));
    preferred_source.iter_mut().for_each(|address| pass.address(address));
    for NextHop { interface: _, gateway, weight: _, flags: _ } in next_hops {
        gateway.iter_mut().for_each(|address| pass.address(address));
    }
}

fn rule(rule: &mut Rule, pass: &mut Pass<'_>) -> Result<()> {
    let Rule {
        ipv6: _,
        priority: _,
        source,
        destination,
        iif,
        oif,
        tos: _,
        fwmark: _,
        fwmask: _,
        action: _,
        table: _,
        goto: _,
        suppress_prefix_len: _,
        suppress_group: _,
        l3mdev: _,
        ip_protocol: _,
        source_ports: _,
        destination_ports: _,
        uids: _,
        tunnel_id: _,
        protocol: _,
        flags: _,
    } = rule;
    [source, destination].into_iter().flatten().for_each(|net| pass.net(net));
    [iif, oif].into_iter().flatten().try_for_each(|name| pass.name(name))
}

fn discovery_on(on: &mut DiscoveryOn, pass: &mut Pass<'_>) {
    let DiscoveryOn {
        interface: _,
        disable_ipv6: _,
        force_forwarding: _,
        use_oif_addrs_only: _,
        ignore_routes_with_linkdown: _,
        snoops: _,
        proxy_delay: _,
        proxy_qlen: _,
        groups,
        anycast,
    } = on;
    for list in [groups, anycast] {
        list.iter_mut().for_each(|address| pass.v6(address));
        list.sort_unstable();
    }
}

fn meddler(other: &mut Interference, pass: &mut Pass<'_>) -> Result<()> {
    match other {
        Interference::Netfilter { chain, interface: _ } => pass.phrase(chain),
        Interference::TrafficControl { interface: _, program }
        | Interference::Xdp { interface: _, program } => {
            program.iter_mut().try_for_each(|program| pass.word(Of::Word, program))?;
        }
        Interference::Listener { interface: _ }
        | Interference::FullNeighbourTable { entries: _, limit: _ } => {}
        Interference::Unreadable { what, needs } => {
            pass.phrase(what);
            needs.iter_mut().for_each(|needs| pass.phrase(needs));
        }
    }
    Ok(())
}
