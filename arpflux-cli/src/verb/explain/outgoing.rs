//! `explain --outgoing`: what this host itself asks, and what peers learn from it.

use std::net::Ipv4Addr;

use arpflux_core::judgement::{self, Gap};
use arpflux_core::predict::{Model, Outgoing, Reached, SourceRule};
use arpflux_core::types::IfIndex;
use arpflux_core::{Result, Snapshot};

use crate::Output;
use crate::output::Style;

/// Says how the host reaches `destination`, from `source` if that is given, by `by` if that is.
pub fn run(
    model: &Model<'_>,
    destination: Ipv4Addr,
    source: Option<Ipv4Addr>,
    by: Option<IfIndex>,
    output: &Output,
) -> Result<u8> {
    let reached = Reached::new(model, destination, source, by);
    let code = reached.judgement(model.snapshot()).exit_code();
    if output.json() {
        output.answer(&reached)?;
        return Ok(code);
    }
    output.text(words(model.snapshot(), destination, &reached.outgoing))?;
    if reached.teaches_wrong_mac {
        let text =
            "so peers learn an address of another interface with this MAC; arp_announce=2 prevents it\n";
        output.text(output.paint(Style::Bad, text))?;
    }
    Ok(code)
}

fn words(snapshot: &Snapshot, destination: Ipv4Addr, outgoing: &Outgoing) -> String {
    match outgoing {
        Outgoing::Asks { interface, target, sender, mac, packet_source, rule } => {
            let rule = match rule {
                SourceRule::Packet => "the packet's own source, as arp_announce allows any",
                SourceRule::SameSubnet => {
                    "the packet's own source, of a subnet with the target (arp_announce=1)"
                }
                SourceRule::Best => "the interface's best address for the target (arp_announce)",
            };
            format!(
                "{destination} is reached by {}, from {packet_source}\n\
                 the request: who-has {target} tell {sender}, from {mac}\n\
                 its sender address is {rule}\n",
                snapshot.name_of(*interface)
            )
        }
        Outgoing::NoRequest { interface, packet_source } => format!(
            "{destination} is reached by {}, from {packet_source}; no request is sent\n",
            snapshot.name_of(*interface)
        ),
        Outgoing::Unreachable => format!("{destination} cannot be reached: no route\n"),
        Outgoing::Undetermined { missing } => {
            let missing = Gap::all(snapshot, *missing, &[], &format!("how {destination} is reached"));
            judgement::last_line(&format!("How {destination} is reached"), &missing, "") + "\n"
        }
    }
}
