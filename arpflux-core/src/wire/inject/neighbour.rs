//! The neighbour entries that a request leaves behind (`arp_process()` and `ndisc_recv_ns()` learn its sender).

use std::net::IpAddr;

use nix::libc;

use crate::error::Result;
use crate::kernel::netlink::{Messages, NetlinkSocket, attributes};
use crate::kernel::uapi::{NDA_DST, NDA_LLADDR, RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH};
use crate::types::{IfIndex, Mac};

const CREATE: u16 = 0x400;
const REPLACE: u16 = 0x100;

/// One neighbour entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub interface: IfIndex,
    pub address: IpAddr,
    pub mac: Option<Mac>,
    pub state: u16,
}

/// `struct ndmsg`.
fn ndmsg(family: i32, interface: IfIndex, state: u16) -> [u8; 12] {
    let mut body = [0; 12];
    body[0] = family as u8;
    body[4..8].copy_from_slice(&interface.0.to_ne_bytes());
    body[8..10].copy_from_slice(&state.to_ne_bytes());
    body
}

const fn family_of(address: IpAddr) -> i32 {
    if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }
}

/// All neighbour entries of the namespace.
pub(super) fn all(socket: &mut NetlinkSocket) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for family in [libc::AF_INET, libc::AF_INET6] {
        let mut messages = Messages::new();
        messages.begin(RTM_GETNEIGH, 0, &ndmsg(family, IfIndex(0), 0));
        socket
            .dump(&mut messages, |_, payload| {
                entries.extend(entry(payload));
                Ok(())
            })
            .map_err(|error| error.during("list").on("neighbours"))?;
    }
    Ok(entries)
}

fn entry(payload: &[u8]) -> Option<Entry> {
    let (fixed, rest) = payload.split_first_chunk::<12>()?;
    let interface = IfIndex(u32::from_ne_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]));
    let state = u16::from_ne_bytes([fixed[8], fixed[9]]);
    let (mut address, mut mac) = (None, None);
    for attribute in attributes(rest) {
        match attribute.kind {
            NDA_DST => address = attribute.ip(),
            NDA_LLADDR => mac = Mac::from_bytes(attribute.value).ok(),
            _ => {}
        }
    }
    Some(Entry { interface, address: address?, mac, state })
}

/// Removes an entry; one that is gone already is no error.
pub(super) fn remove(socket: &mut NetlinkSocket, entry: &Entry) -> Result<()> {
    let mut messages = Messages::new();
    messages.begin(RTM_DELNEIGH, 0, &ndmsg(family_of(entry.address), entry.interface, 0));
    messages.ip(NDA_DST, entry.address);
    match socket.change(&mut messages) {
        Err(error) if error.errno() != Some(libc::ENOENT) => {
            Err(error.during("remove neighbour entry").on(entry.address))
        }
        _ => Ok(()),
    }
}

/// Gives an entry back the MAC that it had.
pub(super) fn restore(socket: &mut NetlinkSocket, entry: &Entry) -> Result<()> {
    let Some(mac) = entry.mac else { return remove(socket, entry) };
    let mut messages = Messages::new();
    messages.begin(
        RTM_NEWNEIGH,
        CREATE | REPLACE,
        &ndmsg(family_of(entry.address), entry.interface, entry.state),
    );
    messages.ip(NDA_DST, entry.address);
    messages.attribute(NDA_LLADDR, mac.as_bytes());
    socket.change(&mut messages).map_err(|error| error.during("restore neighbour entry").on(entry.address))
}
