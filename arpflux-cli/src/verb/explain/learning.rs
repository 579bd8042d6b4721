//! `explain --learn`: what this host learns when it is told that an address is at a MAC, and what the
//! kernel announces by itself.

use std::net::Ipv4Addr;

use arpflux_core::Result;
use arpflux_core::predict::{Announcement, Entry, Event, Learning, Model, Received};
use arpflux_core::types::{IfIndex, IfName, Mac};
use serde::Serialize;

use crate::{Output, exit};

#[derive(Serialize)]
struct Answer {
    address: Ipv4Addr,
    mac: Mac,
    interfaces: Vec<Interface>,
}

#[derive(Serialize)]
struct Interface {
    interface: Option<IfName>,
    frames: Vec<Frame>,
    /// What the kernel announces here by itself when the interface is set up.
    announces_when_up: Vec<Announcement>,
}

#[derive(Serialize)]
struct Frame {
    frame: &'static str,
    /// Without an entry for the address.
    unknown: Learning,
    /// With an entry that was changed just now.
    fresh: Learning,
    /// With an entry older than `locktime`.
    old: Learning,
}

/// Says what each of `interfaces` learns from the usual frames that say `address` is at `mac`.
pub fn run(
    model: &Model<'_>,
    address: Ipv4Addr,
    mac: Mac,
    interfaces: &[IfIndex],
    output: &Output,
) -> Result<u8> {
    let snapshot = model.snapshot();
    let interfaces = interfaces.iter().filter_map(|index| snapshot.interface(*index)).map(|interface| {
        let own = snapshot.addresses_of(interface.index).find_map(|held| match held.local {
            std::net::IpAddr::V4(own) => Some(own),
            std::net::IpAddr::V6(_) => None,
        });
        let learns = |reply, target, unicast, entry| {
            model.learns(&Received {
                interface: interface.index,
                reply,
                sender: address,
                sender_mac: mac,
                target,
                target_mac: if reply && target == address { mac } else { Mac::NONE },
                unicast,
                entry,
            })
        };
        let kinds = [
            ("gratuitous request", false, address, false),
            ("gratuitous reply", true, address, false),
            ("unicast reply", true, own.unwrap_or(address), true),
        ];
        Interface {
            interface: Some(interface.name),
            frames: kinds
                .into_iter()
                .map(|(frame, reply, target, unicast)| Frame {
                    frame,
                    unknown: learns(reply, target, unicast, Entry::None),
                    fresh: learns(reply, target, unicast, Entry::Known { changed_ms: 0 }),
                    old: learns(
                        reply,
                        target,
                        unicast,
                        Entry::Known { changed_ms: interface.neigh.locktime.saturating_add(1) },
                    ),
                })
                .collect(),
            announces_when_up: model.announcements(interface.index, Event::Up),
        }
    });
    let answer = Answer { address, mac, interfaces: interfaces.collect() };
    if output.json() {
        output.answer(&answer)?;
        return Ok(exit::GOOD);
    }
    let mut text = format!("told that {address} is at {mac}:\n");
    for interface in &answer.interfaces {
        let name = interface.interface.map(|name| name.to_string()).unwrap_or_default();
        for frame in &interface.frames {
            text += &format!(
                "  {name}, {}: unknown so far: {}; changed just now: {}; known for longer: {}\n",
                frame.frame,
                words(frame.unknown),
                words(frame.fresh),
                words(frame.old)
            );
        }
        if !interface.announces_when_up.is_empty() {
            let own: Vec<_> = interface.announces_when_up.iter().map(|a| a.address.to_string()).collect();
            text +=
                &format!("  {name} announces {} by itself when it is set up (arp_notify)\n", own.join(", "));
        }
    }
    output.text(text)?;
    Ok(exit::GOOD)
}

const fn words(learning: Learning) -> &'static str {
    match learning {
        Learning::Nothing => "not taken",
        Learning::KeepsOther => "the old MAC is kept",
        Learning::Takes { confirmed: true } => "taken and trusted",
        Learning::Takes { confirmed: false } => "taken",
        Learning::Undetermined { .. } => "cannot be told from the snapshot",
    }
}
