//! `RTM_NEWLINK`.

use nix::libc::{AF_INET, AF_INET6};

use super::{interface, options, split, word};
use crate::kernel::netlink::{Attribute, attributes};
use crate::kernel::uapi::{
    BRIDGE_QUERIER_IPV6_ADDRESS, IFLA_ADDRESS, IFLA_AF_SPEC, IFLA_ALT_IFNAME, IFLA_BOND_ACTIVE_SLAVE,
    IFLA_BOND_ALL_SLAVES_ACTIVE, IFLA_BOND_MODE, IFLA_BOND_SLAVE_STATE, IFLA_BR_MCAST_QUERIER,
    IFLA_BR_MCAST_QUERIER_STATE, IFLA_BR_MCAST_SNOOPING, IFLA_BR_VLAN_FILTERING, IFLA_BRIDGE_VLAN_INFO,
    IFLA_BRPORT_BCAST_FLOOD, IFLA_BRPORT_ISOLATED, IFLA_BRPORT_LEARNING, IFLA_BRPORT_LOCKED,
    IFLA_BRPORT_NEIGH_SUPPRESS, IFLA_BRPORT_NEIGH_VLAN_SUPPRESS, IFLA_BRPORT_PROXYARP,
    IFLA_BRPORT_PROXYARP_WIFI, IFLA_BRPORT_STATE, IFLA_BRPORT_UNICAST_FLOOD, IFLA_CARRIER, IFLA_GROUP,
    IFLA_IFNAME, IFLA_INET_CONF, IFLA_INET6_CONF, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_INFO_SLAVE_DATA,
    IFLA_INFO_SLAVE_KIND, IFLA_IPVLAN_MODE, IFLA_LINK, IFLA_LINK_NETNSID, IFLA_LINKINFO,
    IFLA_MACVLAN_MACADDR, IFLA_MACVLAN_MACADDR_DATA, IFLA_MACVLAN_MODE, IFLA_MASTER, IFLA_MTU,
    IFLA_PROP_LIST, IFLA_VLAN_ID, IFLA_VRF_TABLE, IFLA_VXLAN_PROXY, IFLA_XDP, IFLA_XDP_ATTACHED,
    IFLA_XDP_PROG_ID,
};
use crate::snapshot::{BridgeVlan, Bridging, DiscoveryOn, Interface, InterfaceFlags, LinkKind, NeighParams};
use crate::sysctl::{Ipv6Sysctl, Ipv6SysctlValues, Sysctl, SysctlValues};
use crate::types::{IfIndex, IfName, Mac};

/// An interface, and what else its message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kernel) struct Link {
    pub interface: Interface,
    /// The number of the XDP program that is attached.
    pub xdp: Option<u32>,
    /// What decides about neighbour discovery, as far as it is told here; `None`: it has no IPv6.
    pub discovery: Option<DiscoveryOn>,
}

/// Reads `struct ifinfomsg` and its attributes.
///
/// `None` also for a name or MAC that no kernel gives.
pub(in crate::kernel) fn link(payload: &[u8]) -> Option<Link> {
    let (fixed, rest) = split::<16>(payload)?;
    let mut name = None;
    let mut xdp = None;
    let (mut discovery, mut snoops) = (None, false);
    let mut read = Interface {
        index: IfIndex(word(fixed, 4)),
        // Replaced below, or the message is dropped.
        name: IfName::from_bytes(b"?").ok()?,
        kind: None,
        link_type: u16::from_ne_bytes([fixed[2], fixed[3]]),
        mac: Mac::NONE,
        flags: InterfaceFlags::from_bits_retain(word(fixed, 8)),
        carrier: false,
        master: None,
        link: None,
        link_netnsid: None,
        mtu: 0,
        group: 0,
        vlan_id: None,
        macvlan_mode: None,
        ipvlan_mode: None,
        altnames: Vec::new(),
        macvlan_sources: Vec::new(),
        bridging: Bridging::default(),
        open_options: Vec::new(),
        vrf_table: None,
        bond_mode: None,
        bond_port_state: None,
        came: None,
        bond_active_port: None,
        bond_all_active: false,
        bridge_port_state: None,
        sysctls: SysctlValues::default(),
        ipv6: Ipv6SysctlValues::default(),
        neigh: NeighParams::default(),
    };
    for attribute in attributes(rest) {
        match attribute.kind {
            IFLA_ADDRESS => read.mac = Mac::from_bytes(attribute.value).ok()?,
            IFLA_IFNAME => name = Some(IfName::from_bytes(attribute.text()).ok()?),
            IFLA_MTU => read.mtu = attribute.u32().unwrap_or(0),
            IFLA_LINK => read.link = attribute.u32().and_then(interface),
            IFLA_MASTER => read.master = attribute.u32().and_then(interface),
            IFLA_GROUP => read.group = attribute.u32().unwrap_or(0),
            IFLA_CARRIER => read.carrier = attribute.u8() == Some(1),
            IFLA_LINK_NETNSID => read.link_netnsid = attribute.i32(),
            IFLA_LINKINFO => {
                info(&attribute, &mut read);
                snoops = snoops_groups(&attribute);
            }
            IFLA_AF_SPEC => {
                for family in attribute.nested() {
                    match i32::from(family.kind) {
                        AF_INET => read.sysctls = inet(&family),
                        AF_INET6 => {
                            read.ipv6 = inet6(&family);
                            discovery = discovery_of(&family, read.index);
                        }
                        _ => {}
                    }
                }
            }
            IFLA_PROP_LIST => {
                let names = attribute.nested().filter(|a| a.kind == IFLA_ALT_IFNAME);
                read.altnames = names.map(|a| String::from_utf8_lossy(a.text()).into_owned()).collect();
            }
            IFLA_XDP => {
                let of = |kind| attribute.nested().find(|a| a.kind == kind);
                let attached = of(IFLA_XDP_ATTACHED).and_then(|a| a.u8()).unwrap_or(0) != 0;
                xdp = attached.then(|| of(IFLA_XDP_PROG_ID).and_then(|a| a.u32()).unwrap_or(0));
            }
            _ => {}
        }
    }
    read.name = name?;
    if let Some(discovery) = &mut discovery {
        discovery.snoops = snoops;
    }
    Some(Link { interface: read, xdp, discovery })
}

/// The VLANs of a bridge or a port, from an answer of the family `AF_BRIDGE`.
pub(in crate::kernel) fn bridge_vlans(payload: &[u8]) -> Option<(IfIndex, Vec<BridgeVlan>)> {
    const PVID: u16 = 1 << 1;
    const UNTAGGED: u16 = 1 << 2;
    const RANGE_END: u16 = 1 << 4;
    let (fixed, rest) = split::<16>(payload)?;
    let mut vlans: Vec<BridgeVlan> = Vec::new();
    let all =
        attributes(rest).filter(|attribute| attribute.kind == IFLA_AF_SPEC).flat_map(|spec| spec.nested());
    for info in all.filter(|attribute| attribute.kind == IFLA_BRIDGE_VLAN_INFO) {
        let [a, b, c, d] = *info.value.first_chunk()?;
        let (flags, id) = (u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d]));
        match vlans.last_mut() {
            Some(begun) if flags & RANGE_END != 0 => begun.last = id,
            _ => vlans.push(BridgeVlan {
                first: id,
                last: id,
                pvid: flags & PVID != 0,
                untagged: flags & UNTAGGED != 0,
            }),
        }
    }
    Some((IfIndex(word(fixed, 4)), vlans))
}

/// `IFLA_LINKINFO`: kinds come before their data.
fn info(linkinfo: &Attribute<'_>, read: &mut Interface) {
    let (mut kind, mut port_of): (&[u8], &[u8]) = (b"", b"");
    for attribute in linkinfo.nested() {
        let number = |wanted| attribute.nested().find(|inner| inner.kind == wanted);
        let byte = |wanted| number(wanted).and_then(|a| a.u8()).map(u32::from);
        let of_ports = attribute.kind == IFLA_INFO_SLAVE_DATA;
        if of_ports || attribute.kind == IFLA_INFO_DATA {
            let whose = if of_ports { port_of } else { kind };
            let open = attribute.nested().filter_map(|option| options::open(whose, of_ports, &option));
            read.open_options.extend(open);
        }
        match attribute.kind {
            IFLA_INFO_KIND => {
                kind = attribute.text();
                read.kind = Some(LinkKind::from(&*String::from_utf8_lossy(kind)));
            }
            IFLA_INFO_DATA => match kind {
                b"vlan" => read.vlan_id = number(IFLA_VLAN_ID).and_then(|a| a.u16()),
                b"macvlan" | b"macvtap" => {
                    read.macvlan_mode = number(IFLA_MACVLAN_MODE).and_then(|a| a.u32()).map(Into::into);
                    let sources =
                        number(IFLA_MACVLAN_MACADDR_DATA).into_iter().flat_map(|list| list.nested());
                    let macs = sources.filter(|a| a.kind == IFLA_MACVLAN_MACADDR);
                    read.macvlan_sources = macs.filter_map(|a| Mac::from_bytes(a.value).ok()).collect();
                }
                b"ipvlan" | b"ipvtap" => {
                    let mode = number(IFLA_IPVLAN_MODE).and_then(|a| a.u16());
                    read.ipvlan_mode = mode.map(|mode| u32::from(mode).into());
                }
                b"vrf" => read.vrf_table = number(IFLA_VRF_TABLE).and_then(|a| a.u32()),
                b"bridge" => read.bridging.vlan_filtering = byte(IFLA_BR_VLAN_FILTERING) == Some(1),
                b"bond" => {
                    read.bond_mode = byte(IFLA_BOND_MODE).map(Into::into);
                    read.bond_active_port =
                        number(IFLA_BOND_ACTIVE_SLAVE).and_then(|a| a.u32()).and_then(interface);
                    read.bond_all_active = byte(IFLA_BOND_ALL_SLAVES_ACTIVE) == Some(1);
                }
                // It answers for others whom the bridge asks through it.
                b"vxlan" => read.bridging.answers_for_others |= byte(IFLA_VXLAN_PROXY) == Some(1),
                _ => {}
            },
            IFLA_INFO_SLAVE_KIND => port_of = attribute.text(),
            IFLA_INFO_SLAVE_DATA => match port_of {
                b"bond" => read.bond_port_state = byte(IFLA_BOND_SLAVE_STATE).map(Into::into),
                b"bridge" => {
                    read.bridge_port_state = byte(IFLA_BRPORT_STATE).map(Into::into);
                    let on = |kind| byte(kind) == Some(1);
                    let off = |kind| byte(kind) == Some(0);
                    read.bridging.locked = on(IFLA_BRPORT_LOCKED);
                    read.bridging.unlearned = off(IFLA_BRPORT_LEARNING) && off(IFLA_BRPORT_UNICAST_FLOOD);
                    read.bridging.keeps_broadcasts = off(IFLA_BRPORT_BCAST_FLOOD);
                    read.bridging.isolated = on(IFLA_BRPORT_ISOLATED);
                    read.bridging.answers_for_others |= [
                        IFLA_BRPORT_PROXYARP,
                        IFLA_BRPORT_PROXYARP_WIFI,
                        IFLA_BRPORT_NEIGH_SUPPRESS,
                        IFLA_BRPORT_NEIGH_VLAN_SUPPRESS,
                    ]
                    .into_iter()
                    .any(on);
                }
                _ => {}
            },
            _ => {}
        }
    }
}

/// `IFLA_INET_CONF`: all values as one array, the first being number 1 (`inet_fill_link_af()`).
/// Values beyond the end are sysctls that this kernel does not have.
fn inet(family: &Attribute<'_>) -> SysctlValues {
    let mut values = SysctlValues::default();
    let Some(conf) = family.nested().find(|attribute| attribute.kind == IFLA_INET_CONF) else {
        return values;
    };
    for sysctl in Sysctl::ALL {
        values.set(*sysctl, number(conf.value, usize::from(sysctl.devconf()) - 1));
    }
    values
}

/// `IFLA_INET6_CONF`: the same, counted from 0 (`ipv6_store_devconf()`).
fn inet6(family: &Attribute<'_>) -> Ipv6SysctlValues {
    let mut values = Ipv6SysctlValues::default();
    let Some(conf) = family.nested().find(|attribute| attribute.kind == IFLA_INET6_CONF) else {
        return values;
    };
    for sysctl in Ipv6Sysctl::ALL {
        values.set(*sysctl, number(conf.value, usize::from(sysctl.devconf())));
    }
    values
}

/// What of the same array decides about neighbour discovery alone. The places are `DEVCONF_*` of `linux/ipv6.h`.
fn discovery_of(family: &Attribute<'_>, interface: IfIndex) -> Option<DiscoveryOn> {
    const DISABLE_IPV6: usize = 26;
    const USE_OIF_ADDRS_ONLY: usize = 37;
    const IGNORE_ROUTES_WITH_LINKDOWN: usize = 39;
    const FORCE_FORWARDING: usize = 59;
    let conf = family.nested().find(|attribute| attribute.kind == IFLA_INET6_CONF)?;
    let on = |place| number(conf.value, place).is_some_and(|value| value != 0);
    Some(DiscoveryOn {
        disable_ipv6: on(DISABLE_IPV6),
        force_forwarding: on(FORCE_FORWARDING),
        use_oif_addrs_only: on(USE_OIF_ADDRS_ONLY),
        ignore_routes_with_linkdown: on(IGNORE_ROUTES_WITH_LINKDOWN),
        ..DiscoveryOn::new(interface)
    })
}

/// Whether a bridge looks into MLD reports while it, or somebody behind it, may ask for them: without a querier
/// groups go to all ports (`br_multicast_querier_exists()`). Kernels before 5.16 do not tell of queriers behind the bridge.
fn snoops_groups(linkinfo: &Attribute<'_>) -> bool {
    let Some(data) = linkinfo.nested().find(|attribute| attribute.kind == IFLA_INFO_DATA) else {
        return false;
    };
    let is_bridge =
        linkinfo.nested().any(|attribute| attribute.kind == IFLA_INFO_KIND && attribute.text() == b"bridge");
    let on = |kind| data.nested().any(|a| a.kind == kind && a.u8() == Some(1));
    let state = data.nested().find(|a| a.kind == IFLA_BR_MCAST_QUERIER_STATE);
    let queried = state.is_some_and(|state| state.nested().any(|a| a.kind == BRIDGE_QUERIER_IPV6_ADDRESS));
    is_bridge && on(IFLA_BR_MCAST_SNOOPING) && (on(IFLA_BR_MCAST_QUERIER) || queried)
}

fn number(array: &[u8], place: usize) -> Option<i32> {
    array.get(place * 4..)?.first_chunk().copied().map(i32::from_ne_bytes)
}
