//! Subnets that the host is on and that table main has no route to: somebody deleted the one that comes with an address.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::answers::{Text, finding, names};
use super::context::{Context, by_number, listed};
use super::{Evidence, Finding, FindingId, Objects};
use crate::plan::Change;
use crate::predict::{Outgoing, PacketKind};
use crate::snapshot::{Address, AddressFlags, Interface, Route, missing_connected_route, table};
use crate::types::{IpNet, Ipv4Net};

/// How many packets are shown as evidence, and how many hosts of a subnet are looked at.
const SHOWN: usize = 3;
const TRIED: usize = 64;

/// An address whose subnet is not reached directly.
struct Lost<'s> {
    interface: &'s Interface,
    net: Ipv4Net,
    local: Ipv4Addr,
    host: Ipv4Addr,
    sources: Vec<Option<Ipv4Addr>>,
    goes: String,
    route: Route,
}

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut lost: Vec<Lost<'_>> = Vec::new();
    for held in &context.snapshot.addresses {
        let known =
            |one: &Lost<'_>| one.interface.index == held.interface && held.subnet() == IpNet::V4(one.net);
        // A second address of the subnet has no route of its own.
        if !lost.iter().any(known) {
            lost.extend(one(context, held));
        }
    }
    let Some(first) = lost.first() else { return };
    let mut interfaces: Vec<&Interface> = lost.iter().map(|one| one.interface).collect();
    interfaces.dedup_by_key(|interface| interface.index);
    let nets: BTreeSet<Ipv4Net> = lost.iter().map(|one| one.net).collect();
    let mut evidence = vec![Evidence::Address {
        address: format!("{}/{}", first.local, first.net.prefix_len()),
        interface: first.interface.name,
    }];
    for one in lost.iter().take(SHOWN) {
        let from = match one.sources.iter().flatten().next() {
            Some(source) if !one.sources.contains(&None) => format!("from {source} "),
            _ => String::new(),
        };
        evidence.push(Evidence::Fact { text: format!("packets {from}to {} {}", one.host, one.goes) });
    }
    // One for each subnet: by it the others of a wire reach their neighbours, too, and main takes no equal one beside it.
    let mut seen = BTreeSet::new();
    let missing: Vec<&Lost<'_>> = lost.iter().filter(|one| seen.insert(one.net)).collect();
    let routes: Vec<String> = missing
        .iter()
        .map(|one| {
            format!("{} dev {} proto kernel scope link src {}", one.net, one.interface.name, one.local)
        })
        .collect();
    let goes: BTreeSet<&str> = lost.iter().map(|one| one.goes.as_str()).collect();
    let addresses: BTreeSet<IpAddr> = lost.iter().map(|one| IpAddr::V4(one.local)).collect();
    let changes = missing.iter().map(|one| Change::add(one.route.clone())).collect();
    findings.push(finding(
        FindingId::ConnectedRouteMissing,
        Text {
            what: format!(
                "Packets for neighbours in {} {}, although {} {} there.",
                listed(&nets),
                goes.into_iter().collect::<Vec<_>>().join(", or "),
                listed(&addresses),
                by_number(addresses.len(), "is", "are"),
            ),
            why: "The kernel adds the route to a subnet to table main once, with the address; when somebody deletes it, \
                  nothing brings it back."
                .into(),
            remedy: format!(
                "Add the missing {} to table main: {}.",
                by_number(routes.len(), "route", "routes"),
                routes.join(", "),
            ),
        },
        Objects { interfaces: names(&interfaces), addresses: addresses.iter().copied().collect() },
        evidence,
        context.cure_by_changes(changes),
    ));
}

fn one<'s>(context: &Context<'s>, held: &Address) -> Option<Lost<'s>> {
    // Who asked for no route gets none: the manager of the network adds its own, in the table that it likes.
    if held.flags.contains(AddressFlags::NOPREFIXROUTE) {
        return None;
    }
    let route = missing_connected_route(context.snapshot, held, &context.snapshot.routes)?;
    let (IpAddr::V4(local), IpNet::V4(net)) = (held.local, route.destination) else { return None };
    let interface = context.listener(held.interface)?;
    if !context.map.is_connected(interface.index) {
        return None;
    }
    // Nobody of a smaller network within, and no gateway, which is reached by whatever leads there.
    let within = |host: &Ipv4Addr| {
        context.snapshot.routes.iter().any(|route| match route.destination {
            IpNet::V4(other) => other.prefix_len() > net.prefix_len() && other.contains(host),
            IpNet::V6(_) => false,
        })
    };
    let ordinary = |host: &Ipv4Addr| !within(host) && !context.gateways(interface.index).contains(host);
    let host = net.hosts().take(TRIED).find(ordinary)?;
    let mut goes = None;
    let sources: Vec<Option<Ipv4Addr>> = [None, Some(local)]
        .into_iter()
        .filter(|source| {
            // What a table of its own says is another finding's.
            let lookup = context.model.own_lookup(PacketKind::default(), host, *source, None);
            let by_main = lookup.and_then(|lookup| lookup.table).is_none_or(|number| number == table::MAIN);
            let way = match context.model.outgoing(host, *source, None) {
                Outgoing::Asks { interface: by, target, .. } if target != host => {
                    Some(format!("go to the gateway {target} by {}", context.snapshot.name_of(by)))
                }
                Outgoing::Unreachable => Some("go nowhere".to_owned()),
                Outgoing::Asks { .. } | Outgoing::NoRequest { .. } | Outgoing::Undetermined { .. } => None,
            };
            let lost = by_main && way.is_some();
            if lost {
                goes = way;
            }
            lost
        })
        .collect();
    Some(Lost { interface, net, local, host, sources, goes: goes?, route })
}
