//! `explain --outgoing`: what this host itself asks, and what peers learn from it.

use std::net::Ipv4Addr;

use arpflux_core::judgement::{self, Gap};
use arpflux_core::predict::{Lookup, Model, Outgoing, PacketKind, Reached, SourceRule};
use arpflux_core::snapshot::RouteKind;
use arpflux_core::state::table_name;
use arpflux_core::types::IfIndex;
use arpflux_core::{Result, Snapshot};

use crate::Output;
use crate::output::Style;

/// Says how the host reaches `destination` with a packet of that kind, from `source` if that is given, by `by` if that is.
pub fn run(
    model: &Model<'_>,
    kind: PacketKind,
    destination: Ipv4Addr,
    source: Option<Ipv4Addr>,
    by: Option<IfIndex>,
    output: &Output,
) -> Result<u8> {
    let reached = Reached::of(model, kind, destination, source, by);
    let code = reached.judgement(model.snapshot()).exit_code();
    if output.json() {
        output.answer(&reached)?;
        return Ok(code);
    }
    output.text(words(model.snapshot(), &reached))?;
    if reached.teaches_wrong_mac {
        let text =
            "so peers learn an address of another interface with this MAC; arp_announce=2 prevents it\n";
        output.text(output.paint(Style::Bad, text))?;
    }
    for passed in &reached.passed_over {
        let otherwise = match passed.outgoing {
            Outgoing::Asks { interface, .. } | Outgoing::NoRequest { interface, .. } => {
                format!("{destination} is reached by {}", model.snapshot().name_of(interface))
            }
            Outgoing::Unreachable => format!("{destination} cannot be reached"),
            Outgoing::Undetermined { .. } => format!("how {destination} is reached cannot be told"),
        };
        output.text(format!(
            "passed over: {}: for packets that it asks for {otherwise} (--proto, --dport, --uid)\n",
            passed.rule
        ))?;
    }
    Ok(code)
}

fn words(snapshot: &Snapshot, reached: &Reached) -> String {
    let destination = reached.destination;
    let way = |interface: IfIndex, source: Ipv4Addr| {
        let gateway =
            reached.gateway.map_or_else(String::new, |gateway| format!(" and the gateway {gateway}"));
        let name = snapshot.name_of(interface);
        format!("{destination} is reached by {name}{gateway}, from {source}{}", decided(reached))
    };
    match &reached.outgoing {
        Outgoing::Asks { interface, target, sender, mac, packet_source, rule } => {
            let rule = match rule {
                SourceRule::Packet => "the packet's own source, as arp_announce allows any",
                SourceRule::SameSubnet => {
                    "the packet's own source, of a subnet with the target (arp_announce=1)"
                }
                SourceRule::Best => "the interface's best address for the target (arp_announce)",
            };
            format!(
                "{}\n\
                 the request: who-has {target} tell {sender}, from {mac}\n\
                 its sender address is {rule}\n",
                way(*interface, *packet_source),
            )
        }
        Outgoing::NoRequest { interface, packet_source } => {
            let why = reached.permanent.map_or_else(String::new, |mac| {
                format!(
                    ": a permanent neighbour entry says {mac} (`arpflux probe {}` asks whether that is right)",
                    reached.gateway.unwrap_or(destination),
                )
            });
            format!("{}\nno request is sent{why}\n", way(*interface, *packet_source))
        }
        Outgoing::Unreachable => {
            let kind = reached.lookup.as_ref().and_then(|lookup| lookup.kind);
            let why = match (&reached.lookup, kind) {
                (_, Some(RouteKind::Blackhole | RouteKind::Unreachable | RouteKind::Prohibit)) => {
                    format!(": {}, which rejects it", decided(reached).trim_start())
                }
                (_, Some(_)) => format!(": its source is none to send from{}", decided(reached)),
                (Some(Lookup { rule: Some(rule), .. }), None) => {
                    format!(": the rule of priority {rule} rejects it")
                }
                (Some(_) | None, None) => ": no route".to_owned(),
            };
            format!("{destination} cannot be reached{why}\n")
        }
        Outgoing::Undetermined { missing } => {
            let missing = Gap::all(snapshot, *missing, &[], &format!("how {destination} is reached"));
            judgement::last_line(&format!("How {destination} is reached"), &missing, "") + "\n"
        }
    }
}

/// The rule and the table that decided.
fn decided(reached: &Reached) -> String {
    let Some(lookup) = &reached.lookup else { return String::new() };
    let route = lookup.destination.map_or_else(String::new, |net| match net.prefix_len() {
        0 => "the default route".to_owned(),
        _ => format!("the route to {net}"),
    });
    match (lookup.rule, lookup.table) {
        (Some(rule), Some(table)) => {
            format!("\nthe rule of priority {rule} leads to table {}: {route}", table_name(table))
        }
        _ => format!("\nby {route}"),
    }
}
