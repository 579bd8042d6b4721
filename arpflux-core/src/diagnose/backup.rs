//! Addresses of an interface that is a backup for now: without carrier, or down, on a parent that lives. Another host
//! has the address meanwhile, and what the rest of this one says about it is wrong.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::answers::{Text, finding, names};
use super::context::{Context, by_number, listed};
use super::remedy::Remedy;
use super::{Evidence, Finding, FindingId, Objects};
use crate::predict::ArpRequest;
use crate::snapshot::{Interface, LinkKind};
use crate::sysctl::Sysctl;
use crate::types::IfIndex;

/// How many addresses are shown as evidence.
const SHOWN: usize = 3;

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let mut groups: BTreeMap<(IfIndex, IfIndex), (Vec<IpAddr>, Vec<Evidence>)> = BTreeMap::new();
    for held in context.snapshot.addresses.iter().filter(|held| held.is_public()) {
        let IpAddr::V4(address) = held.local else { continue };
        let Some((holder, parent)) = backup(context, held.interface) else { continue };
        // Somebody else here has it as well, in earnest.
        if context.holders(address).iter().any(|other| context.listener(*other).is_some()) {
            continue;
        }
        for front in context.beside(parent) {
            let sender = context.sender(front.index, address);
            let verdict = context.reply(&ArpRequest::broadcast(front.index, sender, address));
            if verdict.mac().is_none() {
                continue;
            }
            let (addresses, evidence) = groups.entry((holder.index, front.index)).or_default();
            if addresses.len() < SHOWN {
                evidence.push(Evidence::Address { address: address.to_string(), interface: holder.name });
                evidence.push(context.request(front, sender, address, verdict));
            }
            addresses.push(held.local);
        }
    }
    findings.extend(groups.into_iter().filter_map(|((holder, front), (addresses, evidence))| {
        Some(one(context, context.snapshot.interface(holder)?, context.listener(front)?, addresses, evidence))
    }));
}

/// The interface, and the living one that it stands on, if it is a macvlan or ipvlan that nobody is heard on.
fn backup<'s>(context: &Context<'s>, index: IfIndex) -> Option<(&'s Interface, &'s Interface)> {
    let holder = context.snapshot.interface(index)?;
    let kind = matches!(holder.kind, Some(LinkKind::Macvlan | LinkKind::Ipvlan));
    let parent = holder.link.filter(|_| kind && holder.link_netnsid.is_none());
    let heard = context.listener(index).is_some();
    parent.filter(|_| !heard).and_then(|parent| context.listener(parent)).map(|parent| (holder, parent))
}

fn one(
    context: &Context<'_>,
    holder: &Interface,
    front: &Interface,
    addresses: Vec<IpAddr>,
    mut evidence: Vec<Evidence>,
) -> Finding {
    evidence.push(context.sysctl(front, Sysctl::ArpIgnore));
    let (whose, it) = (listed(&addresses), by_number(addresses.len(), "it", "them"));
    let quoted: Vec<String> = addresses.iter().map(|address| format!("\"{address}\"")).collect();
    finding(
        FindingId::BackupAnswered,
        Text {
            what: format!(
                "{} answers on the wire for {whose}, {} of {} which has no carrier or is down: if another host has {it} \
                 now, as with VRRP, who asks gets two MACs.",
                front.name,
                by_number(addresses.len(), "an address", "addresses"),
                holder.name,
            ),
            why: format!(
                "An address belongs to the whole host as long as it is there, and arp_ignore lets {} answer for addresses \
                 of other interfaces.",
                front.name,
            ),
            remedy: format!(
                "Say in the policy that only {} answers, while it has carrier: [[service]] addresses = [{}], answer = \
                 \"holder\". By hand: arp_ignore=1 on {}.",
                holder.name,
                quoted.join(", "),
                front.name,
            ),
        },
        Objects { interfaces: names(&[front, holder]), addresses },
        evidence,
        Remedy::default(),
    )
}
