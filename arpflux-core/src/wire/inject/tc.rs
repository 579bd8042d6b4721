//! The few traffic control requests that injecting needs (`tc-u32(8)`, `tc-mirred(8)`).

use crate::error::{Error, ErrorKind, Result};
use crate::frame::{ADVERTISEMENT, EtherType, ICMPV6};
use crate::kernel::netlink::{Attribute, Messages, NetlinkSocket, attributes};
use crate::kernel::uapi::{
    RTM_DELQDISC, RTM_DELTFILTER, RTM_GETQDISC, RTM_GETTFILTER, RTM_NEWQDISC, RTM_NEWTFILTER, TCA_ACT_KIND,
    TCA_ACT_OPTIONS, TCA_KIND, TCA_MIRRED_PARMS, TCA_OPTIONS, TCA_U32_ACT, TCA_U32_SEL,
};
use crate::types::{IfIndex, Mac};

const CREATE: u16 = 0x400;
const EXCLUSIVE: u16 = 0x200;

/// `TC_ACT_STOLEN`: the packet is gone for whoever comes next.
const STOLEN: u32 = 4;
/// `TC_U32_TERMINAL`: a match ends the search.
const TERMINAL: u8 = 1;

/// The handle of every clsact or ingress queueing discipline, and where it hangs.
const CLSACT: (u32, u32) = (0xffff_0000, 0xffff_fff1);

/// Priority of the filters made here: an unusual number, by which they are known again after a crash.
const PRIORITY: u32 = 0xaf1d;

/// Where a filter looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    /// What comes in.
    Ingress,
    /// What goes out.
    Egress,
}

impl Hook {
    const fn parent(self) -> u32 {
        match self {
            Self::Ingress => 0xffff_fff2,
            Self::Egress => 0xffff_fff3,
        }
    }

    /// `TCA_INGRESS_REDIR`, `TCA_EGRESS_REDIR`: what a filter on this hook turns a packet into.
    const fn redirect(self) -> u32 {
        match self {
            // In on the helper becomes in on the interface; out of the interface becomes out of the helper.
            Self::Ingress => 3,
            Self::Egress => 1,
        }
    }
}

/// `struct tcmsg`.
fn tcmsg(interface: IfIndex, handle: u32, parent: u32, info: u32) -> [u8; 20] {
    let mut body = [0; 20];
    for (at, field) in [(4, interface.0), (8, handle), (12, parent), (16, info)] {
        body[at..at + 4].copy_from_slice(&field.to_ne_bytes());
    }
    body
}

/// Words of a packet, from its network header on, that must be as given: offset, mask, value.
pub(super) type Match = (u32, u32, u32);

/// Every packet.
pub(super) const ANY: [Match; 1] = [(0, 0, 0)];

/// Packets of every EtherType (`ETH_P_ALL`).
const EVERY: u16 = 3;

/// ARP replies to `mac` (operation 2, and the target's MAC in bytes 18 to 23 of the packet), or neighbour advertisements to it
/// (their type, and the frame's destination, which is in front of the packet). Filters of one priority are of one
/// EtherType, so it is compared here (the two bytes in front).
pub(super) fn answers_to(mac: Mac, ipv6: bool) -> Option<Vec<Match>> {
    let [a, b, c, d, e, f] = mac.octets()?;
    let in_front = |bytes: u32| bytes.wrapping_neg();
    let ether_type = |of: EtherType| (in_front(4), 0x0000_ffff, u32::from(of.0));
    Some(if ipv6 {
        vec![
            ether_type(EtherType::IPV6),
            (in_front(14), 0xffff_ffff, u32::from_be_bytes([a, b, c, d])),
            (in_front(10), 0xffff_0000, u32::from_be_bytes([e, f, 0, 0])),
            (4, 0x0000_ff00, u32::from(ICMPV6) << 8),
            (40, 0xff00_0000, u32::from(ADVERTISEMENT) << 24),
        ]
    } else {
        vec![
            ether_type(EtherType::ARP),
            (4, 0x0000_ffff, 2),
            (16, 0x0000_ffff, u32::from_be_bytes([0, 0, a, b])),
            (20, 0xffff_ffff, u32::from_be_bytes([c, d, e, f])),
        ]
    })
}

/// Writes the request for a clsact queueing discipline.
fn clsact(messages: &mut Messages, interface: IfIndex) {
    messages.begin(RTM_NEWQDISC, CREATE | EXCLUSIVE, &tcmsg(interface, CLSACT.0, CLSACT.1, 0));
    messages.attribute(TCA_KIND, b"clsact\0");
}

/// Removes a clsact queueing discipline with all its filters.
fn remove_clsact(socket: &mut NetlinkSocket, interface: IfIndex) -> Result<()> {
    let mut messages = Messages::new();
    messages.begin(RTM_DELQDISC, 0, &tcmsg(interface, CLSACT.0, CLSACT.1, 0));
    socket.change(&mut messages)
}

/// Writes the request for a filter that sends packets that match to interface `to`.
fn redirect(messages: &mut Messages, (interface, hook): (IfIndex, Hook), matches: &[Match], to: IfIndex) {
    let info = PRIORITY << 16 | u32::from(EVERY.to_be());
    messages.begin(RTM_NEWTFILTER, CREATE | EXCLUSIVE, &tcmsg(interface, 0, hook.parent(), info));
    messages.attribute(TCA_KIND, b"u32\0");
    messages.nest(TCA_OPTIONS, |options| {
        options.nest(TCA_U32_ACT, |actions| {
            actions.nest(1, |action| {
                action.attribute(TCA_ACT_KIND, b"mirred\0");
                action.nest(TCA_ACT_OPTIONS, |options| {
                    // `struct tc_mirred`: index, capabilities, action, two counters, what to do, to whom.
                    let words = [0, 0, STOLEN, 0, 0, hook.redirect(), to.0];
                    options.attribute(TCA_MIRRED_PARMS, &words.map(u32::to_ne_bytes).concat());
                });
            });
        });
        // `struct tc_u32_sel` and its `struct tc_u32_key`s.
        let mut selector = vec![0; 16];
        selector[0] = TERMINAL;
        selector[2] = matches.len() as u8;
        for (offset, mask, value) in matches {
            selector.extend(mask.to_be_bytes());
            selector.extend(value.to_be_bytes());
            selector.extend(offset.to_ne_bytes());
            selector.extend([0; 4]);
        }
        options.attribute(TCA_U32_SEL, &selector);
    });
}

/// Adds a clsact queueing discipline, and its first filter in the same call: a process that is killed
/// never leaves the one without the other, by which it is known. Or adds the filter to the one that is there.
pub(super) fn add_redirect(
    socket: &mut NetlinkSocket,
    (interface, hook): (IfIndex, Hook),
    matches: &[Match],
    to: IfIndex,
    with_clsact: bool,
) -> Result<()> {
    let mut messages = Messages::new();
    if with_clsact {
        clsact(&mut messages, interface);
    }
    redirect(&mut messages, (interface, hook), matches, to);
    socket.change(&mut messages).map_err(|error| match error.errno() {
        Some(nix::libc::ENOENT | nix::libc::EOPNOTSUPP) => error
            .with_kind(ErrorKind::Unsupported)
            .hint("the kernel needs the modules cls_u32 and act_mirred; asking from another host needs none"),
        _ => error,
    })
}

/// Removes the filters that [`add_redirect`] made on a hook.
fn remove_redirects(socket: &mut NetlinkSocket, (interface, hook): (IfIndex, Hook)) -> Result<()> {
    let info = PRIORITY << 16 | u32::from(EVERY.to_be());
    let mut messages = Messages::new();
    messages.begin(RTM_DELTFILTER, 0, &tcmsg(interface, 0, hook.parent(), info));
    socket.change(&mut messages)
}

/// How many filters of ours and of others are on a hook.
fn filters(socket: &mut NetlinkSocket, (interface, hook): (IfIndex, Hook)) -> Result<(u32, u32)> {
    let mut messages = Messages::new();
    messages.begin(RTM_GETTFILTER, 0, &tcmsg(interface, 0, hook.parent(), 0));
    let (mut ours, mut others) = (0, 0);
    socket.dump(&mut messages, |_, payload| {
        let Some(info) = word(payload, 16) else { return Ok(()) };
        *if info >> 16 == PRIORITY { &mut ours } else { &mut others } += 1;
        Ok(())
    })?;
    Ok((ours, others))
}

/// Removes what this module once made on an interface's egress: its filters, and the queueing
/// discipline if no other filter is on it. Without filters of ours nothing is touched.
/// Gives whether there was anything.
pub(super) fn clean(socket: &mut NetlinkSocket, interface: IfIndex) -> Result<bool> {
    let (ours, others) = filters(socket, (interface, Hook::Egress))?;
    if ours == 0 {
        return Ok(false);
    }
    let (_, ingress) = filters(socket, (interface, Hook::Ingress))?;
    if others + ingress == 0 {
        remove_clsact(socket, interface)?;
    } else {
        remove_redirects(socket, (interface, Hook::Egress))?;
    }
    Ok(true)
}

/// Whether a filter of ours is on an interface's egress.
pub(super) fn has_ours(socket: &mut NetlinkSocket, interface: IfIndex) -> Result<bool> {
    Ok(filters(socket, (interface, Hook::Egress))?.0 > 0)
}

/// The interfaces that have a clsact or ingress queueing discipline.
pub(super) fn with_clsact(socket: &mut NetlinkSocket) -> Result<Vec<IfIndex>> {
    let mut messages = Messages::new();
    messages.begin(RTM_GETQDISC, 0, &tcmsg(IfIndex(0), 0, 0, 0));
    let mut found = Vec::new();
    socket.dump(&mut messages, |_, payload| {
        let kind = payload.get(20..).and_then(|rest| attributes(rest).find(|a| a.kind == TCA_KIND));
        let kind = kind.as_ref().map_or(&b""[..], Attribute::text);
        if (kind == b"clsact" || kind == b"ingress")
            && let Some(index) = word(payload, 4)
        {
            found.push(IfIndex(index));
        }
        Ok(())
    })?;
    found.dedup();
    Ok(found)
}

fn word(payload: &[u8], at: usize) -> Option<u32> {
    payload.get(at..)?.first_chunk::<4>().map(|bytes| u32::from_ne_bytes(*bytes))
}

/// Names the interface in an error that has no object yet.
pub(super) fn on(interface: IfIndex) -> impl Fn(Error) -> Error {
    move |error| if error.object().is_empty() { error.on(interface) } else { error }
}
