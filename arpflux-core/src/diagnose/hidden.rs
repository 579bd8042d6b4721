//! Rules that lead packets for networks of this host past them: to a gateway, or nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::answers::{Text, finding, names};
use super::context::{Context, by_number, listed};
use super::{Evidence, Finding, FindingId, Objects};
use crate::plan::Change;
use crate::predict::{Model, Outgoing, PacketKind};
use crate::snapshot::{Interface, NextHop, NextHopFlags, Reach, Route, Rule, RuleAction, table};
use crate::state::table_name;
use crate::types::{IfIndex, IpNet, Ipv4Net};

/// How many packets are shown as evidence.
const SHOWN: usize = 3;
/// How many networks, and how many source addresses for each, are tried.
const TRIED: usize = 64;
/// `RTPROT_STATIC`: the tables belong to whoever wrote the rules.
const STATIC: u8 = 4;

/// A network on the link of an interface, as table main says.
struct Network<'s> {
    net: Ipv4Net,
    interface: &'s Interface,
    /// A host there.
    host: Ipv4Addr,
}

/// A packet that does not get to a network, the rule that is in the way, and the table that it leads to.
struct Hidden {
    table: Option<u32>,
    rule: Option<u32>,
    source: Option<Ipv4Addr>,
    host: Ipv4Addr,
    net: Ipv4Net,
    by: String,
    interface: IfIndex,
}

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let chooses = |rule: &&Rule| !rule.ipv6 && !is_usual(rule);
    if !context.snapshot.rules.iter().any(|rule| chooses(&rule)) {
        return;
    }
    let mut without = context.snapshot.clone();
    without.rules.retain(|rule| !chooses(&rule));
    let plain = Model::of(&without);
    let mut groups: BTreeMap<Option<u32>, Vec<Hidden>> = BTreeMap::new();
    for network in networks(context) {
        for source in sources(context, &network) {
            if !reaches(context, &plain.outgoing(network.host, source, None), &network)
                || reaches(context, &context.model.outgoing(network.host, source, None), &network)
            {
                continue;
            }
            let lookup = context.model.own_lookup(PacketKind::default(), network.host, source, None);
            let by = match context.model.outgoing(network.host, source, None) {
                Outgoing::Asks { interface, target, .. } if target != network.host => {
                    format!("go to the gateway {target} by {}", context.snapshot.name_of(interface))
                }
                Outgoing::Asks { interface, .. } | Outgoing::NoRequest { interface, .. } => {
                    format!("leave by {}", context.snapshot.name_of(interface))
                }
                Outgoing::Unreachable => "go nowhere".to_owned(),
                Outgoing::Undetermined { .. } => continue,
            };
            let table = lookup.as_ref().and_then(|lookup| lookup.table);
            groups.entry(table).or_default().push(Hidden {
                table,
                rule: lookup.and_then(|lookup| lookup.rule),
                source,
                host: network.host,
                net: network.net,
                by,
                interface: network.interface.index,
            });
        }
    }
    // What the tables lack is added to all of them: with one of two, the way back may be another than before.
    let (elsewhere, lacking): (Vec<_>, Vec<_>) =
        groups.into_values().partition(|hidden| hidden.iter().any(|one| leads_elsewhere(context, one)));
    let (led, rejected): (Vec<_>, Vec<_>) =
        lacking.into_iter().partition(|hidden| hidden.iter().all(|one| one.table.is_some()));
    findings.extend(one(context, &led.into_iter().flatten().collect::<Vec<_>>(), false));
    findings.extend(rejected.iter().filter_map(|hidden| one(context, hidden, false)));
    findings.extend(elsewhere.iter().filter_map(|hidden| one(context, hidden, true)));
}

/// Whether the table has a route to the network that leads elsewhere: it takes one, and nothing is added beside it.
fn leads_elsewhere(context: &Context<'_>, hidden: &Hidden) -> bool {
    context.snapshot.routes.iter().any(|route| {
        Some(route.table) == hidden.table
            && route.destination.trunc() == IpNet::V4(hidden.net)
            && route.tos == 0
    })
}

/// The rules that every namespace has, and that of VRFs.
fn is_usual(rule: &Rule) -> bool {
    rule.l3mdev
        || (rule.action == RuleAction::Table
            && rule.source.is_none()
            && rule.destination.is_none()
            && rule.iif.is_none()
            && rule.fwmask == 0
            && matches!(rule.table, table::LOCAL | table::MAIN | table::DEFAULT))
}

/// Networks that routes of main lead to directly.
fn networks<'s>(context: &Context<'s>) -> Vec<Network<'s>> {
    let mut found = Vec::new();
    for route in context.snapshot.routes.iter().filter(|route| route.table == table::MAIN) {
        let (IpNet::V4(net), [hop]) = (route.destination, route.next_hops.as_slice()) else { continue };
        let (Some(index), None) = (hop.interface, hop.gateway) else { continue };
        let interface = context.snapshot.interface(index).filter(|_| context.map.is_connected(index));
        let Some(interface) = interface.filter(|_| net.prefix_len() > 0) else { continue };
        // A gateway is reached by whatever leads there.
        let ordinary =
            |host: &Ipv4Addr| context.holders(*host).is_empty() && !context.gateways(index).contains(host);
        let Some(host) = net.hosts().take(TRIED).find(ordinary) else { continue };
        if found.len() < TRIED {
            found.push(Network { net: net.trunc(), interface, host });
        }
    }
    found
}

/// The sources of packets for a network that no router brings there: for networks of containers and tunnels all, for
/// one on a wire those of that wire, as between wires the router of either may do.
fn sources(context: &Context<'_>, network: &Network<'_>) -> Vec<Option<Ipv4Addr>> {
    let inner = match network.interface.reach() {
        Reach::Program | Reach::Tunnel => true,
        // A container; with a subnet its other end may be a wire.
        Reach::Peer => network.net.prefix_len() == 32,
        _ => context.snapshot.is_inner_bridge(network.interface) == Some(true),
    };
    let near = |holder: IfIndex| inner || context.map.share(holder, network.interface.index) == Some(true);
    let holders = context.snapshot.interfaces.iter().filter(|holder| near(holder.index));
    let own = holders.flat_map(|holder| context.public(holder.index).map(|(local, _)| Some(local)));
    std::iter::once(None).chain(own).take(TRIED).collect()
}

/// Whether a packet gets to the network directly, as far as it can be told.
fn reaches(context: &Context<'_>, way: &Outgoing, network: &Network<'_>) -> bool {
    let there = |by: IfIndex| context.map.share(by, network.interface.index) != Some(false);
    match way {
        Outgoing::Asks { interface, target, .. } => *target == network.host && there(*interface),
        Outgoing::NoRequest { interface, .. } => there(*interface),
        Outgoing::Unreachable => false,
        Outgoing::Undetermined { .. } => true,
    }
}

/// A route that a table lacks.
struct Missing {
    table: Option<u32>,
    net: Ipv4Net,
    /// The interface that table main has it by.
    interface: IfIndex,
    /// The one that it is added by.
    by: IfIndex,
}

/// What the tables lack, each network once.
fn missing(context: &Context<'_>, hidden: &[Hidden]) -> Vec<Missing> {
    let mut holders: BTreeMap<Option<u32>, BTreeSet<IfIndex>> = BTreeMap::new();
    for one in hidden {
        let holding = one.source.into_iter().flat_map(|source| context.holders(source)).copied();
        holders.entry(one.table).or_default().extend(holding);
    }
    // On one wire the interface that holds the sources takes the network, too: by another one, strict rp_filter would
    // have that one answer for them.
    let by = |one: &Hidden| {
        let holders = &holders[&one.table];
        let holder = holders.first().filter(|_| holders.len() == 1).copied();
        let near = |holder: &IfIndex| context.map.share(*holder, one.interface) == Some(true);
        holder.filter(near).unwrap_or(one.interface)
    };
    let mut missing: Vec<Missing> = hidden
        .iter()
        .map(|one| Missing { table: one.table, net: one.net, interface: one.interface, by: by(one) })
        .collect();
    // A table takes one route to a network: that of the interface which holds the source, if one does.
    let own = |table: Option<u32>, index: IfIndex| holders[&table].contains(&index);
    missing.sort_by_key(|one| {
        (one.table, one.net.addr(), one.net.prefix_len(), !own(one.table, one.interface), one.interface)
    });
    missing.dedup_by_key(|one| (one.table, one.net));
    missing
}

fn one(context: &Context<'_>, hidden: &[Hidden], elsewhere: bool) -> Option<Finding> {
    hidden.first()?;
    let missing = missing(context, hidden);
    let interfaces: BTreeSet<IfIndex> = missing.iter().map(|one| one.interface).collect();
    let interfaces: Vec<&Interface> =
        interfaces.into_iter().filter_map(|index| context.snapshot.interface(index)).collect();
    let mut addresses: Vec<IpAddr> = hidden.iter().filter_map(|one| one.source.map(IpAddr::V4)).collect();
    addresses.sort();
    addresses.dedup();
    let nets: BTreeSet<Ipv4Net> = missing.iter().map(|one| one.net).collect();
    let nets: Vec<Ipv4Net> = nets.into_iter().collect();
    let tables: BTreeSet<u32> = missing.iter().filter_map(|one| one.table).collect();
    let tables: Vec<String> = tables.into_iter().map(table_name).collect();
    let whose = match addresses.len() {
        0 => String::new(),
        _ => format!(" from {}", listed(&addresses)),
    };
    let ways: BTreeSet<&str> = hidden.iter().map(|one| one.by.as_str()).collect();
    let ways = ways.into_iter().collect::<Vec<_>>().join(", or ");
    let rules: BTreeSet<u32> = hidden.iter().filter_map(|one| one.rule).collect();
    let rules: Vec<u32> = rules.into_iter().collect();
    let (leads, where_to, named) = if tables.is_empty() {
        ("A rule that rejects leads".to_owned(), String::new(), "the rule".to_owned())
    } else {
        let named = format!("{} {}", by_number(tables.len(), "table", "tables"), listed(&tables));
        let leads = by_number(rules.len(), "rule leads", "rules lead");
        (format!("The {leads} (priority {})", listed(&rules)), format!(" to {named}"), named)
    };
    let routes: Vec<String> = missing
        .iter()
        .map(|one| {
            let in_table = one.table.filter(|_| tables.len() > 1);
            let in_table = in_table.map_or_else(String::new, |table| format!(" table {}", table_name(table)));
            format!("{} dev {}{in_table}", one.net, context.snapshot.name_of(one.by))
        })
        .collect();
    // Without a table there is none that a route could be added to.
    let add = |one: &Missing| {
        let hop = NextHop { interface: Some(one.by), gateway: None, weight: 1, flags: NextHopFlags::empty() };
        let known = context.snapshot.routes.iter().find(|route| {
            route.table == table::MAIN && route.destination.trunc() == IpNet::V4(one.net) && route.tos == 0
        })?;
        let route = Route {
            table: one.table?,
            protocol: STATIC,
            next_hops: vec![hop],
            nexthop_id: None,
            preferred_source: None,
            ..known.clone()
        };
        Some(Change::add(route))
    };
    let changes: Vec<Change> = if elsewhere { Vec::new() } else { missing.iter().filter_map(add).collect() };
    let mut evidence: Vec<Evidence> = Vec::new();
    for one in hidden {
        let source = one.source.map_or_else(String::new, |source| format!("from {source} "));
        let seen = Evidence::Fact { text: format!("packets {source}to {} {}", one.host, one.by) };
        // Several interfaces of a wire may be in one network.
        if evidence.len() < SHOWN && !evidence.contains(&seen) {
            evidence.push(seen);
        }
    }
    Some(finding(
        FindingId::RulesHideNetwork,
        Text {
            what: format!(
                "{leads} packets{whose} for {}{where_to}, and they {ways}: the hosts there get no reply, or get it by a detour.",
                listed(&nets),
            ),
            why: format!(
                "{} {} no route to {}{}, which {} on {} (table main): what comes first in the order of the rules decides, and \
                 {} takes everything.",
                upper(&named),
                by_number(tables.len().max(1), "has", "have"),
                by_number(nets.len(), "that network", "these networks"),
                if elsewhere { " that goes there directly" } else { "" },
                by_number(nets.len(), "is", "are"),
                listed(names(&interfaces)),
                by_number(tables.len().max(1), "its default route", "their default route"),
            ),
            remedy: if elsewhere || tables.is_empty() {
                "Put a rule before it that looks up main with suppress_prefixlength 0.".into()
            } else {
                format!(
                    "Add the missing {} to {named} ({}), or put a rule before {} that looks up main with \
                     suppress_prefixlength 0, which finds networks that come later, too.",
                    by_number(routes.len(), "route", "routes"),
                    routes.join(", "),
                    by_number(rules.len(), "it", "them"),
                )
            },
        },
        Objects { interfaces: names(&interfaces), addresses },
        evidence,
        context.cure_by_changes(changes),
    ))
}

fn upper(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
