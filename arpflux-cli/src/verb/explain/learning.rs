//! `explain --learn`: what this host learns when it is told that an address is at a MAC, and what the
//! kernel announces by itself.

use std::net::Ipv4Addr;

use arpflux_core::Result;
use arpflux_core::judgement::{self, Judgement};
use arpflux_core::predict::{Learned, Learning, Model};
use arpflux_core::types::{IfIndex, Mac};

use crate::Output;

/// Says what each of `interfaces` learns from the usual frames that say `address` is at `mac`.
pub fn run(
    model: &Model<'_>,
    address: Ipv4Addr,
    mac: Mac,
    interfaces: &[IfIndex],
    output: &Output,
) -> Result<u8> {
    let learned = Learned::new(model, address, mac, interfaces);
    let judgement = learned.judgement(model.snapshot());
    let code = judgement.exit_code();
    if output.json() {
        output.answer(&learned)?;
        return Ok(code);
    }
    let mut text = format!("told that {address} is at {mac}:\n");
    for interface in &learned.interfaces {
        let name = interface.interface;
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
    if let Judgement::Undetermined { missing, .. } = &judgement {
        text += &judgement::last_line("Part of it", missing, "");
        text.push('\n');
    }
    output.text(text)?;
    Ok(code)
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
