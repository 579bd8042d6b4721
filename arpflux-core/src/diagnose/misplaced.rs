//! Addresses that an interface holds although their subnet is on the wire of another one.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::answers::{Text, finding, names};
use super::context::{Context, by_number, listed};
use super::remedy::Remedy;
use super::{Evidence, Finding, FindingId, Objects, Severity};
use crate::predict::{ArpRequest, Verdict};
use crate::snapshot::Interface;
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

/// How many addresses are shown as evidence.
const SHOWN: usize = 3;

/// An address, and what its neighbours get.
struct Misplaced<'s> {
    address: Ipv4Addr,
    holder: &'s Interface,
    /// The interface in whose subnet it lies, on another wire.
    front: &'s Interface,
    sender: Ipv4Addr,
    verdict: Verdict,
}

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    // What is silent is worse than what is answered by chance, so they are told apart.
    let mut groups: BTreeMap<(IfIndex, IfIndex, bool), Vec<Misplaced<'_>>> = BTreeMap::new();
    for holder in context.listeners.iter().copied() {
        for address in stray(context, holder) {
            for index in context.around(address) {
                let Some(front) = context.listener(index) else { continue };
                if related(context, holder, front) {
                    continue;
                }
                let sender = context.sender(index, address);
                let verdict = context.reply(&ArpRequest::broadcast(index, sender, address));
                let Some(answers) = verdict.answers() else { continue };
                let group = groups.entry((holder.index, index, answers)).or_default();
                group.push(Misplaced { address, holder, front, sender, verdict });
            }
        }
    }
    findings.extend(groups.into_iter().map(|((_, _, answered), group)| one(context, &group, answered)));
}

/// Addresses without a subnet of their own on an interface that has one, and that this one does not cover.
///
/// An interface that has nothing but such addresses is left alone: that is how unnumbered uplinks, clouds and
/// the virtual interfaces of VRRP have them.
fn stray<'g>(context: &'g Context<'_>, holder: &Interface) -> impl Iterator<Item = Ipv4Addr> + 'g {
    let index = holder.index;
    let numbered = context.public(index).any(|(_, held)| held.prefix_len < 32);
    context
        .public(index)
        .filter(move |(_, held)| numbered && held.prefix_len == 32 && held.peer.is_none())
        .map(|(address, _)| address)
        .filter(move |address| context.holders(*address).len() == 1)
        .filter(move |address| !context.around(*address).contains(&index))
}

/// Whether frames of one interface are those of the other.
fn related(context: &Context<'_>, one: &Interface, other: &Interface) -> bool {
    let wire = context.wire_of(one.index);
    let lower = |interface: &Interface| interface.link.filter(|_| interface.link_netnsid.is_none());
    (wire.is_some() && wire == context.wire_of(other.index))
        || lower(one) == Some(other.index)
        || lower(other) == Some(one.index)
        || (lower(one).is_some() && lower(one) == lower(other))
}

fn one(context: &Context<'_>, group: &[Misplaced<'_>], answered: bool) -> Finding {
    let (holder, front) = (group[0].holder, group[0].front);
    let addresses: Vec<IpAddr> = group.iter().map(|misplaced| IpAddr::V4(misplaced.address)).collect();
    let mut evidence = Vec::new();
    for Misplaced { address, sender, verdict, .. } in group.iter().take(SHOWN) {
        evidence.push(Evidence::Address { address: address.to_string(), interface: holder.name });
        evidence.push(context.request(front, *sender, *address, *verdict));
    }
    evidence.push(context.sysctl(front, Sysctl::ArpIgnore));
    let whose = listed(&addresses);
    let (is, it) = (by_number(addresses.len(), "is", "are"), by_number(addresses.len(), "it", "them"));
    let what = if answered {
        format!(
            "{whose} {is} on {}, but the neighbours that ask for {it} are on the wire of {}: announcements never reach \
             them, and after a fail-over they keep the MAC of another host.",
            holder.name, front.name,
        )
    } else {
        format!(
            "Neighbours that ask for {whose} get no answer: {} {is} on {}, and they are on the wire of {}.",
            by_number(addresses.len(), "it", "they"),
            holder.name,
            front.name,
        )
    };
    let why = if answered {
        format!(
            "The subnet around {it} is that of {}, which answers only because arp_ignore lets it answer for addresses \
             of other interfaces.",
            front.name,
        )
    } else {
        format!(
            "The subnet around {it} is that of {}, where arp_ignore keeps the host from answering for addresses of other \
             interfaces. Programs that take the interface of the default route put addresses so.",
            front.name,
        )
    };
    let mut found = finding(
        FindingId::Misplaced,
        Text {
            what,
            why,
            remedy: format!(
                "Have whatever puts {it} there use {}; by hand: add {it} to {} as /32, then take {it} from {}.",
                front.name, front.name, holder.name,
            ),
        },
        Objects { interfaces: names(&[holder, front]), addresses },
        evidence,
        Remedy::default(),
    );
    if answered {
        found.severity = Severity::Info;
    }
    found
}
