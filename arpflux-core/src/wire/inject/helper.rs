//! The helper interfaces, and what an earlier run may have left behind.

use std::time::{Duration, Instant};

use nix::libc;

use super::{MAC, tc};
use crate::apply::lock;
use crate::apply::store::Folder;
use crate::error::{Error, ErrorKind, Result};
use crate::kernel::netlink::{Messages, NetlinkSocket, attributes};
use crate::kernel::uapi::{IFLA_INET6_ADDR_GEN_MODE, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_INFO_SLAVE_KIND};
use crate::kernel::{Kernel as _, LinuxKernel};
use crate::stop::Stop;
use crate::types::{IfIndex, IfName, Mac};

/// The end that requests are written into, and the end they come out of.
pub(super) const NAMES: [&str; 2] = ["arpflux-in", "arpflux-out"];

const CREATE: u16 = 0x400;
const EXCLUSIVE: u16 = 0x200;
const VETH_INFO_PEER: u16 = 1;
const ADDR_GEN_MODE_NONE: u8 = 1;
const IF_OPER_UP: u8 = 6;
/// How long the helper may take to become usable.
const USABLE_WITHIN: Duration = Duration::from_secs(2);

/// Held by the one process that injects in a namespace: a file of the namespace's state folder, which nobody without
/// rights can hold.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "held, not used")] lock::Lock);

/// How long to wait for the lock: a child that a process starts has its descriptors until it runs its program,
/// so one that was just given back may seem to be held.
const LOCK_WAIT: Duration = Duration::from_millis(500);

impl Lock {
    /// # Errors
    /// [`ErrorKind::Busy`] if another process injects in this namespace; as [`Folder::state`].
    pub(super) fn take() -> Result<Self> {
        let netns = LinuxKernel::open()?.identity()?;
        let folder = Folder::state(None)?.namespace(&netns)?;
        let what = "another process injects requests here just now";
        lock::Lock::named(&folder, "inject", what, LOCK_WAIT, &Stop::default()).map(Self)
    }
}

/// `struct ifinfomsg`.
fn ifinfo(index: IfIndex, flags: u32, change: u32) -> [u8; 16] {
    let mut body = [0; 16];
    for (at, field) in [(4, index.0), (8, flags), (12, change)] {
        body[at..at + 4].copy_from_slice(&field.to_ne_bytes());
    }
    body
}

fn named(messages: &mut Messages, name: &str) {
    let mut text = name.as_bytes().to_vec();
    text.push(0);
    messages.attribute(libc::IFLA_IFNAME, &text);
}

/// What is to be known of an interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub index: IfIndex,
    pub flags: u32,
    pub master: Option<IfIndex>,
    /// Frames get through it (`IF_OPER_UP`).
    pub operational: bool,
    /// The master is a VRF, which hands nothing on to its other ports.
    pub in_vrf: bool,
}

/// Looks an interface up.
pub(super) fn link(socket: &mut NetlinkSocket, name: &str) -> Result<Link> {
    let mut messages = Messages::new();
    messages.begin(libc::RTM_GETLINK, 0, &ifinfo(IfIndex(0), 0, 0));
    named(&mut messages, name);
    let mut found = None;
    let result = socket.ask(&mut messages, |_, payload| {
        let Some((fixed, rest)) = payload.split_first_chunk::<16>() else { return Ok(()) };
        let word = |at: usize| u32::from_ne_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let master = attributes(rest).find(|attribute| attribute.kind == libc::IFLA_MASTER);
        let master = master.and_then(|attribute| attribute.u32()).map(IfIndex);
        let kind = attributes(rest)
            .find(|attribute| attribute.kind == libc::IFLA_LINKINFO)
            .and_then(|info| info.nested().find(|inner| inner.kind == IFLA_INFO_SLAVE_KIND));
        let in_vrf = kind.is_some_and(|kind| kind.text() == b"vrf");
        let state = attributes(rest).find(|attribute| attribute.kind == libc::IFLA_OPERSTATE);
        let operational = state.and_then(|state| state.u8()) == Some(IF_OPER_UP);
        found = Some(Link { index: IfIndex(word(4)), flags: word(8), master, operational, in_vrf });
        Ok(())
    });
    result.map_err(|error| error.during("look up interface").on(name.to_string()))?;
    found
        .ok_or_else(|| Error::new(ErrorKind::NotFound, "the kernel did not describe it").on(name.to_string()))
}

/// Makes the helper pair, up, and silent by itself: no ARP and no IPv6 addresses.
pub(super) fn make(socket: &mut NetlinkSocket) -> Result<[IfIndex; 2]> {
    let quiet = |messages: &mut Messages| {
        messages.nest(libc::IFLA_AF_SPEC, |families| {
            families.nest(libc::AF_INET6 as u16, |inet6| {
                inet6.attribute(IFLA_INET6_ADDR_GEN_MODE, &[ADDR_GEN_MODE_NONE]);
            });
        });
    };
    let silent = (libc::IFF_NOARP | libc::IFF_UP) as u32;
    let mut messages = Messages::new();
    messages.begin(libc::RTM_NEWLINK, CREATE | EXCLUSIVE, &ifinfo(IfIndex(0), 0, 0));
    named(&mut messages, NAMES[0]);
    messages.nest(libc::IFLA_LINKINFO, |info| {
        info.attribute(IFLA_INFO_KIND, b"veth");
        info.nest(IFLA_INFO_DATA, |data| {
            data.nest(VETH_INFO_PEER, |peer| {
                peer.raw(&ifinfo(IfIndex(0), 0, 0));
                named(peer, NAMES[1]);
            });
        });
    });
    let failed = |error: Error| error.during("make helper interface").on(NAMES[0]);
    socket.change(&mut messages).map_err(failed)?;
    let mut ends = [IfIndex(0); 2];
    for (end, name) in ends.iter_mut().zip(NAMES) {
        *end = link(socket, name)?.index;
        // A namespace without IPv6 refuses the wish for silence in it: there is nothing to silence.
        let mut messages = Messages::new();
        messages.begin(libc::RTM_NEWLINK, 0, &ifinfo(*end, 0, 0));
        quiet(&mut messages);
        let _ = socket.change(&mut messages);
        let mut messages = Messages::new();
        messages.begin(libc::RTM_NEWLINK, 0, &ifinfo(*end, silent, silent));
        socket.change(&mut messages).map_err(failed)?;
    }
    // Carrier comes at once, but what is sent is dropped until the kernel's link watch has seen it.
    let end = Instant::now() + USABLE_WITHIN;
    for name in NAMES {
        while !link(socket, name)?.operational {
            if Instant::now() > end {
                return Err(failed(Error::new(ErrorKind::TimedOut, "it did not become usable within 2 s")));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(ends)
}

/// Gives an interface another MAC.
pub(super) fn set_mac(socket: &mut NetlinkSocket, index: IfIndex, mac: Mac) -> Result<()> {
    let mut messages = Messages::new();
    messages.begin(libc::RTM_NEWLINK, 0, &ifinfo(index, 0, 0));
    messages.attribute(libc::IFLA_ADDRESS, mac.as_bytes());
    socket.change(&mut messages).map_err(|error| error.during("set the MAC of helper interface").on(NAMES[1]))
}

/// Removes the helper pair.
pub(super) fn remove(socket: &mut NetlinkSocket) -> Result<()> {
    let mut messages = Messages::new();
    messages.begin(libc::RTM_DELLINK, 0, &ifinfo(IfIndex(0), 0, 0));
    named(&mut messages, NAMES[0]);
    socket.change(&mut messages).map_err(|error| error.during("remove helper interface").on(NAMES[0]))
}

/// Whether anything is there of what [`clean`] removes.
pub(super) fn is_left(socket: &mut NetlinkSocket) -> Result<bool> {
    for interface in tc::with_clsact(socket)? {
        if tc::has_ours(socket, interface)? {
            return Ok(true);
        }
    }
    match link(socket, NAMES[0]) {
        Ok(_) => return Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(super::neighbour::all(socket)?.iter().any(|entry| entry.mac == Some(Mac::ethernet(MAC))))
}

/// Removes whatever a run that was killed has left: filters by their priority, the helper by its
/// name, neighbour entries by the synthetic MAC. To be called with the [`Lock`] held: then all of it is
/// stale. Gives whether there was anything.
pub(super) fn clean(socket: &mut NetlinkSocket) -> Result<bool> {
    let mut found = false;
    for interface in tc::with_clsact(socket)? {
        found |= tc::clean(socket, interface)?;
    }
    let name: IfName = NAMES[0].parse()?;
    match link(socket, NAMES[0]) {
        Ok(_) => {
            found = true;
            remove(socket)?;
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error.on(name.to_string())),
    }
    for neighbour in super::neighbour::all(socket)? {
        if neighbour.mac == Some(Mac::ethernet(MAC)) {
            found = true;
            super::neighbour::remove(socket, &neighbour)?;
        }
    }
    Ok(found)
}
