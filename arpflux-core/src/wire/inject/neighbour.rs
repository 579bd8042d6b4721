//! The neighbour entries that a request leaves behind (`arp_process()` learns its sender).

use std::net::{IpAddr, Ipv4Addr};

use nix::libc;

use crate::error::Result;
use crate::kernel::netlink::{Messages, NetlinkSocket, attributes};
use crate::kernel::uapi::{NDA_DST, NDA_LLADDR, RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH};
use crate::types::{IfIndex, Mac};

const CREATE: u16 = 0x400;
const REPLACE: u16 = 0x100;

/// One IPv4 neighbour entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub interface: IfIndex,
    pub address: Ipv4Addr,
    pub mac: Option<Mac>,
    pub state: u16,
}

/// `struct ndmsg`.
fn ndmsg(interface: IfIndex, state: u16) -> [u8; 12] {
    let mut body = [0; 12];
    body[0] = libc::AF_INET as u8;
    body[4..8].copy_from_slice(&interface.0.to_ne_bytes());
    body[8..10].copy_from_slice(&state.to_ne_bytes());
    body
}

/// All IPv4 neighbour entries of the namespace.
pub(super) fn all(socket: &mut NetlinkSocket) -> Result<Vec<Entry>> {
    let mut messages = Messages::new();
    messages.begin(RTM_GETNEIGH, 0, &ndmsg(IfIndex(0), 0));
    let mut entries = Vec::new();
    socket
        .dump(&mut messages, |_, payload| {
            let Some((fixed, rest)) = payload.split_first_chunk::<12>() else { return Ok(()) };
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
            if let Some(IpAddr::V4(address)) = address {
                entries.push(Entry { interface, address, mac, state });
            }
            Ok(())
        })
        .map_err(|error| error.during("list").on("neighbours"))?;
    Ok(entries)
}

/// Removes an entry; one that is gone already is no error.
pub(super) fn remove(socket: &mut NetlinkSocket, entry: &Entry) -> Result<()> {
    let mut messages = Messages::new();
    messages.begin(RTM_DELNEIGH, 0, &ndmsg(entry.interface, 0));
    messages.ip(NDA_DST, entry.address.into());
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
    messages.begin(RTM_NEWNEIGH, CREATE | REPLACE, &ndmsg(entry.interface, entry.state));
    messages.ip(NDA_DST, entry.address.into());
    messages.attribute(NDA_LLADDR, mac.as_bytes());
    socket.change(&mut messages).map_err(|error| error.during("restore neighbour entry").on(entry.address))
}
