//! Proxy entries that cannot answer.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::answers::{Text, finding};
use super::ground::{Ground, listed};
use super::remedy::Remedy;
use super::{Evidence, Finding, FindingId, Objects};
use crate::plan::{Change, Edit};
use crate::predict::{ArpRequest, Reason, Verdict};
use crate::snapshot::{Interface, ProxyEntry};
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

/// How many entries are shown as evidence.
const SHOWN: usize = 3;

pub(super) fn find(ground: &Ground<'_>, findings: &mut Vec<Finding>) {
    findings.extend(cannot_answer(ground));
}

/// The entries of one interface that fail for one reason.
type Failing = BTreeMap<(FindingId, IfIndex), Vec<(Ipv4Addr, ProxyEntry, Evidence)>>;

fn cannot_answer(ground: &Ground<'_>) -> Vec<Finding> {
    let mut failing: Failing = BTreeMap::new();
    for entry in &ground.snapshot.proxies {
        let (IpAddr::V4(address), Some(index)) = (entry.address, entry.interface) else { continue };
        let Some(interface) = ground.snapshot.interface(index).filter(|interface| interface.speaks_arp())
        else {
            continue;
        };
        let sender = ground.sender(index, address);
        let verdict = ground.reply(&ArpRequest::broadcast(index, sender, address));
        let Verdict::Silent { reason } = verdict else { continue };
        let id = match reason {
            Reason::ForwardingOff => FindingId::ProxyForwardingOff,
            Reason::NoRoute | Reason::RouteRejects => FindingId::ProxyNoRoute,
            Reason::SameInterface => FindingId::ProxySameInterface,
            _ => continue,
        };
        let evidence = ground.request(interface, sender, address, verdict);
        failing.entry((id, index)).or_default().push((address, *entry, evidence));
    }
    failing
        .into_iter()
        .filter_map(|((id, index), entries)| {
            Some(one(ground, id, ground.snapshot.interface(index)?, &entries))
        })
        .collect()
}

fn one(
    ground: &Ground<'_>,
    id: FindingId,
    interface: &Interface,
    entries: &[(Ipv4Addr, ProxyEntry, Evidence)],
) -> Finding {
    let name = interface.name;
    let addresses: Vec<IpAddr> = entries.iter().map(|(address, ..)| IpAddr::V4(*address)).collect();
    let whose = listed(&addresses);
    let mut evidence: Vec<Evidence> = entries.iter().take(SHOWN).map(|(.., seen)| seen.clone()).collect();
    let remove = || {
        let entries = entries.iter();
        entries.map(|(_, entry, _)| Change::Proxy { edit: Edit::Remove, entry: *entry }).collect()
    };
    let (text, remedy) = match id {
        FindingId::ProxyForwardingOff => {
            evidence.push(ground.sysctl(interface, Sysctl::Forwarding));
            let change = ground.set(interface, Sysctl::Forwarding, 1);
            let text = Text {
                what: format!("{name} has proxy entries for {whose} and does not answer for them."),
                why: format!(
                    "A proxy entry answers only on an interface that forwards, and net.ipv4.conf.{name}.forwarding is \
                     0; net.ipv4.ip_forward does not say so, as each interface has a value of its own.",
                ),
                remedy: format!("Set net.ipv4.conf.{name}.forwarding to 1, or delete the entries."),
            };
            (text, ground.cure_by_changes(change.into_iter().collect()))
        }
        FindingId::ProxyNoRoute => (
            Text {
                what: format!("{name} has proxy entries for {whose} and does not answer for them."),
                why: "A proxy entry answers only if a route leads to its address, and there is none, or one that \
                      rejects it."
                    .into(),
                remedy: "Add the route to the container or host behind this one (`ip route add ADDRESS dev \
                         INTERFACE`), or delete the entries."
                    .into(),
            },
            Remedy::default(),
        ),
        _ => (
            Text {
                what: format!("{name} has proxy entries for {whose} and does not answer for them."),
                why: format!(
                    "A host never answers for an address that it would itself look for on the same wire: the route to \
                     it leaves by {name}, where the request came in.",
                ),
                remedy: "Delete the entries, or add the route that leads to the address behind this host.".into(),
            },
            ground.cure_by_changes(remove()),
        ),
    };
    finding(id, text, Objects { interfaces: vec![name], addresses }, evidence, remedy)
}
