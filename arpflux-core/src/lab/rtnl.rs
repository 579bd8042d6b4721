//! The few rtnetlink requests that the lab needs, one function for each.

use std::fmt;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::libc;

use crate::error::{Error, ErrorKind, Result};
use crate::kernel::netlink::{Attribute, Messages, NetlinkSocket, attributes};
use crate::types::{IfIndex, IfName, IpNet, Mac};

/// A netlink socket that several threads share.
pub(super) struct Rtnl(Mutex<NetlinkSocket>);

impl Rtnl {
    /// Opens one in the calling thread's namespace.
    pub fn open() -> Result<Self> {
        NetlinkSocket::open().map(|socket| Self(Mutex::new(socket)))
    }

    pub fn lock(&self) -> MutexGuard<'_, NetlinkSocket> {
        // A panic while it was held cannot leave the socket half used: it reads all it asked for.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Rtnl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rtnl")
    }
}

pub(super) const CREATE: u16 = 0x400;
pub(super) const EXCLUSIVE: u16 = 0x200;

const VETH_INFO_PEER: u16 = 1;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_STATE: u16 = 1;
const IFLA_BRPORT_LEARNING: u16 = 8;
const IFLA_BRPORT_ISOLATED: u16 = 33;
const BR_STATE_FORWARDING: u8 = 3;
const IF_OPER_UP: u8 = 6;

/// What is to be known of an interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct LinkState {
    pub index: IfIndex,
    pub mac: Mac,
    pub flags: u32,
    operational: bool,
    /// `None` if it is not a port of a bridge.
    forwarding: Option<bool>,
}

impl LinkState {
    /// Whether frames get through it, as far as it alone is concerned.
    pub fn ready(&self) -> bool {
        self.operational && self.forwarding != Some(false)
    }
}

/// One interface to be made.
pub(super) struct NewLink<'a> {
    pub name: &'a IfName,
    pub kind: &'static str,
    /// [`Mac::NONE`]: as the kernel chooses.
    pub mac: Mac,
    pub parent: Option<IfIndex>,
    pub master: Option<IfIndex>,
}

/// `struct ifinfomsg`.
pub(super) fn ifinfo(family: i32, index: IfIndex, flags: u32, change: u32) -> [u8; 16] {
    let mut body = [0; 16];
    body[0] = family as u8;
    body[4..8].copy_from_slice(&index.0.to_ne_bytes());
    body[8..12].copy_from_slice(&flags.to_ne_bytes());
    body[12..16].copy_from_slice(&change.to_ne_bytes());
    body
}

fn name_and_mac(messages: &mut Messages, name: &IfName, mac: Mac) {
    let mut text = name.as_bytes().to_vec();
    text.push(0);
    messages.attribute(libc::IFLA_IFNAME, &text);
    if mac != Mac::NONE {
        messages.attribute(libc::IFLA_ADDRESS, mac.as_bytes());
    }
}

/// Makes an interface; `data` writes what belongs into `IFLA_INFO_DATA`.
pub(super) fn add_link(
    socket: &mut NetlinkSocket,
    link: &NewLink<'_>,
    data: impl FnOnce(&mut Messages),
) -> Result<()> {
    let mut messages = Messages::new();
    messages.begin(libc::RTM_NEWLINK, CREATE | EXCLUSIVE, &ifinfo(0, IfIndex(0), 0, 0));
    name_and_mac(&mut messages, link.name, link.mac);
    if let Some(parent) = link.parent {
        messages.attribute(libc::IFLA_LINK, &parent.0.to_ne_bytes());
    }
    if let Some(master) = link.master {
        messages.attribute(libc::IFLA_MASTER, &master.0.to_ne_bytes());
    }
    messages.nest(libc::IFLA_LINKINFO, |info| {
        info.attribute(IFLA_INFO_KIND, link.kind.as_bytes());
        info.nest(IFLA_INFO_DATA, data);
    });
    socket
        .change(&mut messages)
        .map_err(|error| error.during("make interface").on(format!("{} ({})", link.name, link.kind)))
}

/// Makes a veth pair: one end here, the other in another namespace.
pub(super) fn add_veth(
    socket: &mut NetlinkSocket,
    near: &NewLink<'_>,
    far: (&IfName, Mac),
    netns: BorrowedFd<'_>,
) -> Result<()> {
    add_link(socket, near, |data| {
        data.nest(VETH_INFO_PEER, |peer| {
            // The fixed part stands in front of the peer's own attributes.
            peer.raw(&ifinfo(0, IfIndex(0), 0, 0));
            name_and_mac(peer, far.0, far.1);
            peer.attribute(libc::IFLA_NET_NS_FD, &netns.as_raw_fd().to_ne_bytes());
        });
    })
    .map_err(|error| error.on(format!("{} (veth)", far.0)))
}

/// Looks an interface up.
pub(super) fn link(socket: &mut NetlinkSocket, name: &IfName) -> Result<LinkState> {
    let mut messages = Messages::new();
    messages.begin(libc::RTM_GETLINK, 0, &ifinfo(0, IfIndex(0), 0, 0));
    name_and_mac(&mut messages, name, Mac::NONE);
    let mut found = None;
    socket
        .ask(&mut messages, |_, payload| {
            found = read_link(payload);
            Ok(())
        })
        .map_err(|error| error.during("look up interface").on(name.to_string()))?;
    found.ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "the kernel did not describe it")
            .during("look up interface")
            .on(name.to_string())
    })
}

fn read_link(payload: &[u8]) -> Option<LinkState> {
    let (fixed, rest) = payload.split_first_chunk::<16>()?;
    let word = |at: usize| u32::from_ne_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let mut state = LinkState {
        index: IfIndex(word(4)),
        mac: Mac::NONE,
        flags: word(8),
        operational: false,
        forwarding: None,
    };
    for attribute in attributes(rest) {
        match attribute.kind {
            libc::IFLA_ADDRESS => state.mac = Mac::from_bytes(attribute.value).unwrap_or(Mac::NONE),
            libc::IFLA_OPERSTATE => state.operational = attribute.u8() == Some(IF_OPER_UP),
            libc::IFLA_LINKINFO => {
                state.forwarding = attribute
                    .nested()
                    .find(|inner| inner.kind == IFLA_INFO_SLAVE_DATA)
                    .and_then(|port| port.nested().find(|inner| inner.kind == IFLA_BRPORT_STATE))
                    .map(|port| port.u8() == Some(BR_STATE_FORWARDING));
            }
            _ => {}
        }
    }
    Some(state)
}

/// Changes an interface: flags (those in `change`), and what `more` writes.
pub(super) fn set_link(
    socket: &mut NetlinkSocket,
    index: IfIndex,
    flags: u32,
    change: u32,
    more: impl FnOnce(&mut Messages),
) -> Result<()> {
    let mut messages = Messages::new();
    messages.begin(libc::RTM_NEWLINK, 0, &ifinfo(0, index, flags, change));
    more(&mut messages);
    socket.change(&mut messages).map_err(|error| error.during("change interface"))
}

/// Sets a port of a bridge up so that it floods everything and reaches no other port like itself.
pub(super) fn set_port(socket: &mut NetlinkSocket, port: IfIndex, isolated: bool) -> Result<()> {
    let mut messages = Messages::new();
    messages.begin(libc::RTM_SETLINK, 0, &ifinfo(libc::AF_BRIDGE, port, 0, 0));
    messages.nest(libc::IFLA_PROTINFO, |port| {
        port.attribute(IFLA_BRPORT_LEARNING, &[0]);
        port.attribute(IFLA_BRPORT_ISOLATED, &[u8::from(isolated)]);
    });
    socket.change(&mut messages).map_err(|error| error.during("change bridge port"))
}

/// Deletes an interface.
pub(super) fn delete_link(socket: &mut NetlinkSocket, index: IfIndex) -> Result<()> {
    let mut messages = Messages::new();
    messages.begin(libc::RTM_DELLINK, 0, &ifinfo(0, index, 0, 0));
    socket.change(&mut messages).map_err(|error| error.during("delete interface"))
}

/// Adds (or, with `RTM_DELADDR`, deletes) an address. `peer` is the far end's, with its prefix.
pub(super) fn address(
    socket: &mut NetlinkSocket,
    kind: u16,
    index: IfIndex,
    local: IpAddr,
    peer: IpNet,
    scope: u8,
) -> Result<()> {
    const NO_DUPLICATE_DETECTION: u8 = 0x02;
    let mut body = [family(local), peer.prefix_len(), 0, scope, 0, 0, 0, 0];
    if local.is_ipv6() {
        body[2] = NO_DUPLICATE_DETECTION;
    }
    body[4..8].copy_from_slice(&index.0.to_ne_bytes());
    let mut messages = Messages::new();
    messages.begin(kind, if kind == libc::RTM_NEWADDR { CREATE | EXCLUSIVE } else { 0 }, &body);
    messages.ip(libc::IFA_LOCAL, local);
    messages.ip(libc::IFA_ADDRESS, peer.addr());
    socket.change(&mut messages).map_err(|error| {
        let verb = if kind == libc::RTM_NEWADDR { "add address" } else { "delete address" };
        error.during(verb).on(format!("{local} (prefix {peer})"))
    })
}

pub(super) fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { libc::AF_INET as u8 } else { libc::AF_INET6 as u8 }
}

/// `struct ndmsg`.
fn ndmsg(family: u8, index: IfIndex, state: u16, flags: u8) -> [u8; 12] {
    let mut body = [0; 12];
    body[0] = family;
    body[4..8].copy_from_slice(&index.0.to_ne_bytes());
    body[8..10].copy_from_slice(&state.to_ne_bytes());
    body[10] = flags;
    body
}

const NTF_PROXY: u8 = 0x08;
const NUD_PERMANENT: u16 = 0x80;

/// Adds or deletes a proxy entry, permanent as `ip neigh add proxy` makes it.
pub(super) fn proxy(socket: &mut NetlinkSocket, add: bool, index: IfIndex, address: IpAddr) -> Result<()> {
    let mut messages = Messages::new();
    let (kind, flags) = if add { (libc::RTM_NEWNEIGH, CREATE) } else { (libc::RTM_DELNEIGH, 0) };
    messages.begin(kind, flags, &ndmsg(family(address), index, NUD_PERMANENT, NTF_PROXY));
    messages.ip(libc::NDA_DST, address);
    socket.change(&mut messages).map_err(|error| {
        error.during(if add { "add proxy entry" } else { "delete proxy entry" }).on(address.to_string())
    })
}

/// An entry of the neighbour table.
pub(super) struct Learned {
    pub index: IfIndex,
    pub address: IpAddr,
    pub mac: Mac,
    pub state: u16,
}

/// All neighbours (`proxies` false) or proxy entries of a namespace.
pub(super) fn neighbours(socket: &mut NetlinkSocket, proxies: bool) -> Result<Vec<Learned>> {
    let mut messages = Messages::new();
    let flags = if proxies { NTF_PROXY } else { 0 };
    messages.begin(libc::RTM_GETNEIGH, 0, &ndmsg(0, IfIndex(0), 0, flags));
    let mut found = Vec::new();
    socket
        .dump(&mut messages, |_, payload| {
            found.extend(read_neighbour(payload));
            Ok(())
        })
        .map_err(|error| error.during("list neighbours"))?;
    Ok(found)
}

fn read_neighbour(payload: &[u8]) -> Option<Learned> {
    let (fixed, rest) = payload.split_first_chunk::<12>()?;
    let find = |kind: u16| attributes(rest).find(|attribute: &Attribute<'_>| attribute.kind == kind);
    Some(Learned {
        index: IfIndex(u32::from_ne_bytes([fixed[4], fixed[5], fixed[6], fixed[7]])),
        address: find(libc::NDA_DST)?.ip()?,
        mac: find(libc::NDA_LLADDR).and_then(|mac| Mac::from_bytes(mac.value).ok()).unwrap_or(Mac::NONE),
        state: u16::from_ne_bytes([fixed[8], fixed[9]]),
    })
}

/// Deletes neighbours; those that are gone already do not matter.
pub(super) fn forget(socket: &mut NetlinkSocket, entries: &[Learned]) -> Result<()> {
    for some in entries.chunks(256) {
        let mut messages = Messages::new();
        for entry in some {
            messages.begin(libc::RTM_DELNEIGH, 0, &ndmsg(family(entry.address), entry.index, 0, 0));
            messages.ip(libc::NDA_DST, entry.address);
        }
        if let Err(failure) = socket.batch(&mut messages) {
            let other = failure.refused.into_iter().find(|(_, error)| error.kind() != ErrorKind::NotFound);
            if let Some(error) = failure.lost.or(other.map(|(_, error)| error)) {
                return Err(error.during("delete neighbours"));
            }
        }
    }
    Ok(())
}
