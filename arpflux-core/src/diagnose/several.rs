//! One address proxied on several interfaces of a wire.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::answers::{Text, finding, names};
use super::asked::Asked;
use super::context::{Context, by_number, listed};
use super::{Finding, FindingId, Objects};
use crate::plan::Change;
use crate::policy::{HostPolicy, Policy, ProxyPolicy};
use crate::snapshot::Interface;
use crate::types::Mac;

/// How many addresses are shown as evidence.
const SHOWN: usize = 3;

/// Those of `asked`, which are of one family.
pub(super) fn several(context: &Context<'_>, asked: &[Asked<'_>]) -> Vec<Finding> {
    let mut answers: BTreeMap<(usize, IpAddr), Vec<&Asked<'_>>> = BTreeMap::new();
    // Of IPv6, what is told of an address of the host itself stands in [`super::duplicates`].
    let own = |address: IpAddr| address.is_ipv6() && !context.holders_of_family(address).is_empty();
    let answering = |asked: &&Asked<'_>| asked.verdict.answers() == Some(true);
    for asked in asked.iter().filter(answering).filter(|asked| !own(asked.entry.address)) {
        if let Some(wire) = context.wire_of(asked.interface.index) {
            answers.entry((wire, asked.entry.address)).or_default().push(asked);
        }
    }
    let mut by_wire: BTreeMap<usize, Vec<(IpAddr, Vec<&Asked<'_>>)>> = BTreeMap::new();
    for ((wire, address), mut asked) in answers {
        asked.sort_by_key(|asked| asked.interface.index);
        let macs: BTreeSet<&Mac> = asked.iter().filter_map(|asked| asked.verdict.mac()).collect();
        if macs.len() > 1 {
            by_wire.entry(wire).or_default().push((address, asked));
        }
    }
    by_wire.into_iter().map(|(wire, addresses)| several_on(context, wire, &addresses)).collect()
}

fn several_on(context: &Context<'_>, wire: usize, found: &[(IpAddr, Vec<&Asked<'_>>)]) -> Finding {
    let addresses: Vec<IpAddr> = found.iter().map(|(address, _)| *address).collect();
    let mut interfaces: Vec<&Interface> =
        found.iter().flat_map(|(_, asked)| asked.iter().map(|asked| asked.interface)).collect();
    interfaces.sort_by_key(|interface| interface.index);
    interfaces.dedup_by_key(|interface| interface.index);
    let shown = found.iter().take(SHOWN).flat_map(|(_, asked)| asked.iter().map(|asked| asked.evidence()));
    let ipv6 = addresses.iter().any(IpAddr::is_ipv6);
    let (id, why, keeps, cure) = if ipv6 {
        let mut keeps: Vec<&Interface> = found.iter().map(|(_, asked)| asked[0].interface).collect();
        keeps.sort_by_key(|interface| interface.index);
        keeps.dedup_by_key(|interface| interface.index);
        let others = found.iter().flat_map(|(_, asked)| asked.iter().skip(1));
        let changes = others.map(|asked| Change::remove(asked.entry)).collect();
        let why = "There is a proxy entry for the address on each of these interfaces, and they share a wire; neighbours take \
                   whichever advertisement comes.";
        (FindingId::Ipv6ProxySeveral, why, keeps, context.cure_by_changes(changes))
    } else {
        let keeps = interfaces[0];
        let policy = Policy {
            host: HostPolicy {
                interfaces: Some(context.wires[wire].iter().map(|interface| interface.name.into()).collect()),
                ..HostPolicy::default()
            },
            proxies: vec![ProxyPolicy {
                owner: "behind this host".into(),
                addresses: addresses.clone(),
                interface: keeps.name,
            }],
            services: Vec::new(),
        };
        let why = "There is a proxy entry for the address on each of these interfaces, and they share a wire; arp_ignore and \
                   arp_filter do not apply to proxied addresses.";
        (FindingId::ProxySeveral, why, vec![keeps], context.cure_by_policy(&policy))
    };
    finding(
        id,
        Text {
            what: format!(
                "{} all answer for {}, which {} behind this host: who asks gets several replies with different MACs, \
                 and traffic comes in by any of them.",
                listed(names(&interfaces)),
                listed(&addresses),
                by_number(addresses.len(), "lives", "live"),
            ),
            why: why.into(),
            remedy: format!(
                "Keep the entries on one interface and delete the others; the plan keeps those on {}, and a policy with \
                 [[proxy]] says which interface answers for which address.",
                listed(names(&keeps)),
            ),
        },
        Objects { interfaces: names(&interfaces), addresses },
        shown.collect(),
        cure,
    )
}
