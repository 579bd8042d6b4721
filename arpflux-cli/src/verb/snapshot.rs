//! `arpflux snapshot`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use arpflux_core::snapshot::{Address, AddressFlags, Route, RouteKind, Rule, RuleAction, Scope, table};
use arpflux_core::types::IfIndex;
use arpflux_core::{Policy, Result, Snapshot};

use crate::output::{Output, Style};
use crate::table::{Cell, Table};
use crate::{Source, exit};

/// Print what the kernel holds. `--json` prints all of it, in the form that `--snapshot FILE` of the
/// other verbs reads back; the text leaves out IPv6 link-local addresses, routes that the kernel made,
/// neighbours, and sysctls that are at their default.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    /// Print at most this many interfaces, proxy entries, routes and rules each.
    #[arg(long, value_name = "COUNT", default_value_t = 40)]
    limit: usize,
    /// Print the state that this policy leads to instead, TOML or JSON.
    #[arg(long, value_name = "FILE")]
    planned: Option<PathBuf>,
    /// Replace names, addresses and MACs, alike wherever they stand and otherwise each time: for a report that a stranger
    /// may read. arpflux says the same of it; the last byte of IPv4 addresses and numbers (tables, VLANs, marks, sysctls) stay.
    #[arg(long)]
    anonymise: bool,
}

/// Runs the verb.
///
/// # Errors
/// If there is no snapshot to be had, or the policy is no good.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let mut snapshot = args.source.snapshot()?;
    if let Some(policy) = &args.planned {
        snapshot = snapshot.with(&Policy::from_path(policy)?.plan(&snapshot)?.changes);
    }
    if args.anonymise {
        snapshot = snapshot.anonymised()?;
    }
    if output.json() {
        output.text(snapshot.to_json()? + "\n")?;
    } else {
        output.text(text(&snapshot, args.limit, output))?;
    }
    Ok(exit::GOOD)
}

fn text(snapshot: &Snapshot, limit: usize, output: &Output) -> String {
    let mut text = String::new();
    let more = |total: usize| match total.saturating_sub(limit) {
        0 => String::new(),
        more => format!(
            "{}\n",
            output.paint(Style::Faint, format!("… and {more} more; --limit or --json prints them"))
        ),
    };
    text += &interfaces(snapshot, limit).render(output);
    text += &more(snapshot.interfaces.len());
    let mut section = |title: &str, total: usize, table: &Table| {
        if total > 0 {
            text += &format!("\n{}\n{}", output.paint(Style::Strong, title), table.render(output));
            text += &more(total);
        }
    };

    let mut proxies = Table::new(["ADDRESS", "ANSWERED ON", "MADE BY"]);
    for entry in snapshot.proxies.iter().take(limit) {
        let on = entry.interface.map_or_else(|| "all".to_owned(), |index| snapshot.name_of(index));
        proxies.row([entry.address.into(), on.into(), maker(entry.protocol).into()]);
    }
    section("Proxy entries", snapshot.proxies.len(), &proxies);

    let mut rules = Table::new(["PRIORITY", "MATCHES", "DOES"]);
    let own: Vec<_> = snapshot.rules.iter().filter(|rule| rule.protocol != KERNEL).collect();
    for rule in own.iter().take(limit) {
        rules.row([rule.priority.into(), matches(rule).into(), does(rule).into()]);
    }
    section("Rules", own.len(), &rules);

    let mut routes = Table::new(["TABLE", "DESTINATION", "LEADS TO"]);
    let own: Vec<_> = snapshot.routes.iter().filter(|route| route.protocol != KERNEL).collect();
    for route in own.iter().take(limit) {
        let leads = leads(snapshot, route).into();
        routes.row([table_name(route.table).into(), route.destination.into(), leads]);
    }
    section("Routes", own.len(), &routes);

    for interference in &snapshot.interference {
        let line = format!("note: {}", interference.in_words(snapshot));
        text += &format!("{}\n", output.paint(Style::Caution, line));
    }
    text
}

/// `RTPROT_KERNEL`.
const KERNEL: u8 = 2;

fn interfaces(snapshot: &Snapshot, limit: usize) -> Table {
    let mut held: BTreeMap<IfIndex, Vec<String>> = BTreeMap::new();
    for address in &snapshot.addresses {
        if address.local.is_ipv4() || address.scope != Scope::LINK {
            held.entry(address.interface).or_default().push(address_text(address));
        }
    }
    let mut table = Table::new(["INTERFACE", "MAC", "STATE", "ADDRESSES", "SYSCTLS NOT AT DEFAULT"]);
    for interface in snapshot.interfaces.iter().take(limit) {
        let addresses = held.remove(&interface.index).unwrap_or_default().join("\n");
        let style = match interface.state() {
            "down" => Style::Faint,
            "no carrier" => Style::Caution,
            _ => Style::Good,
        };
        table.row([
            interface.name.into(),
            interface.mac.into(),
            Cell::new(interface.state()).style(style),
            addresses.into(),
            interface.sysctls.not_default().into(),
        ]);
    }
    for (name, values) in [("(all)", &snapshot.all), ("(default)", &snapshot.default)] {
        let empty = Cell::default();
        table.row([name.into(), empty.clone(), empty.clone(), empty, values.not_default().into()]);
    }
    table
}

fn address_text(address: &Address) -> String {
    let peer = address.peer.map_or_else(String::new, |peer| format!(" peer {peer}"));
    let secondary = if address.flags.contains(AddressFlags::SECONDARY) && address.local.is_ipv4() {
        " secondary"
    } else {
        ""
    };
    format!("{}{peer}/{}{secondary}", address.local, address.prefix_len)
}

/// Who made an entry (`RTPROT_*`).
fn maker(protocol: u8) -> String {
    match protocol {
        0 => "unknown".into(),
        3 => "boot".into(),
        4 => "static".into(),
        arpflux_core::plan::PROTOCOL => "arpflux".into(),
        other => format!("protocol {other}"),
    }
}

fn table_name(number: u32) -> String {
    match number {
        table::LOCAL => "local".into(),
        table::MAIN => "main".into(),
        table::DEFAULT => "default".into(),
        other => other.to_string(),
    }
}

/// The selectors of a rule, in the words of `ip rule`.
fn matches(rule: &Rule) -> String {
    let mut words = Vec::new();
    if rule.flags.contains(arpflux_core::snapshot::RuleFlags::INVERT) {
        words.push("not".to_owned());
    }
    words.extend(rule.source.map(|net| format!("from {net}")));
    words.extend(rule.destination.map(|net| format!("to {net}")));
    words.extend(rule.iif.map(|name| format!("iif {name}")));
    words.extend(rule.oif.map(|name| format!("oif {name}")));
    if rule.tos != 0 {
        words.push(format!("tos {:#x}", rule.tos));
    }
    if rule.fwmask != 0 {
        words.push(format!("fwmark {:#x}/{:#x}", rule.fwmark, rule.fwmask));
    }
    words.extend(rule.ip_protocol.map(|number| format!("ipproto {number}")));
    words.extend(rule.source_ports.map(|(first, last)| format!("sport {first}-{last}")));
    words.extend(rule.destination_ports.map(|(first, last)| format!("dport {first}-{last}")));
    words.extend(rule.uids.map(|(first, last)| format!("uidrange {first}-{last}")));
    words.extend(rule.tunnel_id.map(|number| format!("tun_id {number}")));
    if words.is_empty() || words == ["not"] {
        words.push("all".into());
    }
    words.join(" ")
}

fn does(rule: &Rule) -> String {
    let mut text = match rule.action {
        RuleAction::Table if rule.l3mdev => "lookup the VRF's table".into(),
        RuleAction::Table => format!("lookup {}", table_name(rule.table)),
        RuleAction::Goto => format!("goto {}", rule.goto.unwrap_or_default()),
        RuleAction::Nop => "nop".into(),
        RuleAction::Blackhole => "blackhole".into(),
        RuleAction::Unreachable => "unreachable".into(),
        RuleAction::Prohibit => "prohibit".into(),
        other => format!("{other:?}"),
    };
    if let Some(len) = rule.suppress_prefix_len {
        text += &format!(" suppress_prefixlength {len}");
    }
    if let Some(group) = rule.suppress_group {
        text += &format!(" suppress_ifgroup {group}");
    }
    text
}

fn leads(snapshot: &Snapshot, route: &Route) -> String {
    let kind = match route.kind {
        RouteKind::Unicast => String::new(),
        other => format!("{other:?}").to_lowercase(),
    };
    let hops = route.next_hops.iter().map(|hop| {
        let via = hop.gateway.map(|gateway| format!("via {gateway}"));
        let dev = hop.interface.map(|index| format!("dev {}", snapshot.name_of(index)));
        via.into_iter().chain(dev).collect::<Vec<_>>().join(" ")
    });
    let mut words: Vec<_> = Some(kind).filter(|kind| !kind.is_empty()).into_iter().collect();
    words.push(hops.collect::<Vec<_>>().join(", "));
    words.extend(route.preferred_source.map(|source| format!("src {source}")));
    if route.metric != 0 {
        words.push(format!("metric {}", route.metric));
    }
    words.retain(|word| !word.is_empty());
    words.join(" ")
}
