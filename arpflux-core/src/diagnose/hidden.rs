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

/// A packet that does not get to a network, and the rule that is in the way.
struct Hidden {
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
            groups.entry(lookup.as_ref().and_then(|lookup| lookup.table)).or_default().push(Hidden {
                rule: lookup.and_then(|lookup| lookup.rule),
                source,
                host: network.host,
                net: network.net,
                by,
                interface: network.interface.index,
            });
        }
    }
    findings.extend(groups.iter().filter_map(|(table, hidden)| one(context, *table, hidden)));
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

fn one(context: &Context<'_>, table: Option<u32>, hidden: &[Hidden]) -> Option<Finding> {
    let first = hidden.first()?;
    let mut missing: Vec<(Ipv4Net, IfIndex)> = hidden.iter().map(|one| (one.net, one.interface)).collect();
    // A table takes one route to a network: that of the interface which holds the source, if one does.
    let own = |index: IfIndex| {
        hidden.iter().any(|one| {
            one.interface == index
                && one.source.is_some_and(|source| context.holders(source).contains(&index))
        })
    };
    missing.sort_by_key(|(net, index)| (net.addr(), net.prefix_len(), !own(*index), *index));
    missing.dedup_by_key(|(net, _)| *net);
    let interfaces: Vec<&Interface> =
        missing.iter().filter_map(|(_, index)| context.snapshot.interface(*index)).collect();
    let mut addresses: Vec<IpAddr> = hidden.iter().filter_map(|one| one.source.map(IpAddr::V4)).collect();
    addresses.sort();
    addresses.dedup();
    let nets: Vec<Ipv4Net> = missing.iter().map(|(net, _)| *net).collect();
    let whose = match addresses.len() {
        0 => String::new(),
        _ => format!(" from {}", listed(&addresses)),
    };
    let rules: BTreeSet<u32> = hidden.iter().filter_map(|one| one.rule).collect();
    let rules: Vec<u32> = rules.into_iter().collect();
    let (leads, where_to, table_name) = match table {
        Some(table) => {
            let name = table_name(table);
            let leads = by_number(rules.len(), "rule leads", "rules lead");
            (
                format!("The {leads} (priority {})", listed(&rules)),
                format!(" to table {name}"),
                format!("table {name}"),
            )
        }
        None => ("A rule that rejects leads".to_owned(), String::new(), "the rule".to_owned()),
    };
    let routes: Vec<String> = missing
        .iter()
        .map(|(net, index)| format!("{net} dev {}", context.snapshot.name_of(*index)))
        .collect();
    // A table takes one route to a network: where it has one that leads elsewhere, nothing is added beside it.
    let elsewhere = missing.iter().any(|(net, _)| {
        context.snapshot.routes.iter().any(|route| {
            Some(route.table) == table && route.destination.trunc() == IpNet::V4(*net) && route.tos == 0
        })
    });
    // Without a table there is none that a route could be added to.
    let add = |(net, index): &(Ipv4Net, IfIndex)| {
        let hop = NextHop { interface: Some(*index), gateway: None, weight: 1, flags: NextHopFlags::empty() };
        let known = context.snapshot.routes.iter().find(|route| {
            route.table == table::MAIN && route.destination.trunc() == IpNet::V4(*net) && route.tos == 0
        })?;
        let route = Route {
            table: table?,
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
    for one in hidden.iter().take(SHOWN) {
        let source = one.source.map_or_else(String::new, |source| format!("from {source} "));
        evidence.push(Evidence::Fact { text: format!("packets {source}to {} {}", one.host, one.by) });
    }
    Some(finding(
        FindingId::RulesHideNetwork,
        Text {
            what: format!(
                "{leads} packets{whose} for {}{where_to}, and they {}: the hosts there get no reply, or get it by a detour.",
                listed(&nets),
                first.by,
            ),
            why: format!(
                "{} has no route to {}{}, which {} on {} (table main): what comes first in the order of the rules decides, and \
                 its default route takes everything.",
                upper(&table_name),
                by_number(nets.len(), "that network", "these networks"),
                if elsewhere { " that goes there directly" } else { "" },
                by_number(nets.len(), "is", "are"),
                listed(names(&interfaces)),
            ),
            remedy: match table {
                Some(_) if !elsewhere => format!(
                    "Add the missing {} to {table_name} ({}), or put a rule before it that looks up main with \
                     suppress_prefixlength 0, which finds networks that come later, too.",
                    by_number(routes.len(), "route", "routes"),
                    routes.join(", "),
                ),
                _ => "Put a rule before it that looks up main with suppress_prefixlength 0.".into(),
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
