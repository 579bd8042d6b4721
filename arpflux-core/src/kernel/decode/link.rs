//! `RTM_NEWLINK`.

use nix::libc::{AF_INET, AF_INET6};

use super::{interface, split, word};
use crate::kernel::netlink::{Attribute, attributes};
use crate::snapshot::{Interface, InterfaceFlags, LinkKind, NeighParams};
use crate::sysctl::{Ipv6Sysctl, Ipv6SysctlValues, Sysctl, SysctlValues};
use crate::types::{IfIndex, IfName, Mac};

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_GROUP: u16 = 27;
const IFLA_CARRIER: u16 = 33;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_XDP: u16 = 43;

const IFLA_XDP_ATTACHED: u16 = 2;

const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;

const IFLA_VLAN_ID: u16 = 1;
const IFLA_MACVLAN_MODE: u16 = 1;
const IFLA_IPVLAN_MODE: u16 = 1;
const IFLA_VRF_TABLE: u16 = 1;
const IFLA_BOND_MODE: u16 = 1;
const IFLA_BOND_SLAVE_STATE: u16 = 1;
const IFLA_BRPORT_STATE: u16 = 1;

const IFLA_INET_CONF: u16 = 1;
const IFLA_INET6_CONF: u16 = 2;

/// An interface, and what else its message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::kernel) struct Link {
    pub interface: Interface,
    /// An XDP program is attached.
    pub xdp: bool,
}

/// Reads `struct ifinfomsg` and its attributes.
///
/// `None` also for a name or MAC that no kernel gives.
pub(in crate::kernel) fn link(payload: &[u8]) -> Option<Link> {
    let (fixed, rest) = split::<16>(payload)?;
    let mut name = None;
    let mut xdp = false;
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
        vrf_table: None,
        bond_mode: None,
        bond_port_state: None,
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
            IFLA_LINKINFO => info(&attribute, &mut read),
            IFLA_AF_SPEC => {
                for family in attribute.nested() {
                    match i32::from(family.kind) {
                        AF_INET => read.sysctls = inet(&family),
                        AF_INET6 => read.ipv6 = inet6(&family),
                        _ => {}
                    }
                }
            }
            IFLA_XDP => {
                xdp = attribute.nested().any(|a| a.kind == IFLA_XDP_ATTACHED && a.u8().unwrap_or(0) != 0);
            }
            _ => {}
        }
    }
    read.name = name?;
    Some(Link { interface: read, xdp })
}

/// `IFLA_LINKINFO`: kinds come before their data.
fn info(linkinfo: &Attribute<'_>, read: &mut Interface) {
    let (mut kind, mut port_of): (&[u8], &[u8]) = (b"", b"");
    for attribute in linkinfo.nested() {
        let number = |wanted| attribute.nested().find(|inner| inner.kind == wanted);
        let byte = |wanted| number(wanted).and_then(|a| a.u8()).map(u32::from);
        match attribute.kind {
            IFLA_INFO_KIND => {
                kind = attribute.text();
                read.kind = Some(LinkKind::from(&*String::from_utf8_lossy(kind)));
            }
            IFLA_INFO_DATA => match kind {
                b"vlan" => read.vlan_id = number(IFLA_VLAN_ID).and_then(|a| a.u16()),
                b"macvlan" | b"macvtap" => {
                    read.macvlan_mode = number(IFLA_MACVLAN_MODE).and_then(|a| a.u32()).map(Into::into);
                }
                b"ipvlan" | b"ipvtap" => {
                    let mode = number(IFLA_IPVLAN_MODE).and_then(|a| a.u16());
                    read.ipvlan_mode = mode.map(|mode| u32::from(mode).into());
                }
                b"vrf" => read.vrf_table = number(IFLA_VRF_TABLE).and_then(|a| a.u32()),
                b"bond" => read.bond_mode = byte(IFLA_BOND_MODE).map(Into::into),
                _ => {}
            },
            IFLA_INFO_SLAVE_KIND => port_of = attribute.text(),
            IFLA_INFO_SLAVE_DATA => match port_of {
                b"bond" => read.bond_port_state = byte(IFLA_BOND_SLAVE_STATE).map(Into::into),
                b"bridge" => read.bridge_port_state = byte(IFLA_BRPORT_STATE).map(Into::into),
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

fn number(array: &[u8], place: usize) -> Option<i32> {
    array.get(place * 4..)?.first_chunk().copied().map(i32::from_ne_bytes)
}
