//! Addresses that a packet filter keeps from being answered for, where `arp_ignore` would.

use std::collections::BTreeSet;

use super::answers::{Text, finding, names};
use super::context::{Context, listed};
use super::silenced::{Service, described, services};
use super::{Finding, FindingId};
use crate::predict::{ArpRequest, Model, Reason, Step};
use crate::snapshot::{Interface, Snapshot};
use crate::sysctl::Sysctl;

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    if context.snapshot.filters.is_empty() {
        return;
    }
    let bare = Snapshot { filters: Default::default(), ..context.snapshot.clone() };
    let without = Model::of(&bare);
    let request =
        |service: &Service<'_>| ArpRequest::broadcast(service.front.index, service.sender, service.address);
    let services = services(context);
    let hidden: Vec<&Service<'_>> = services
        .iter()
        .filter(|service| {
            let by_filter = matches!(
                service.verdict.reason(),
                Some(Reason::FilterDropsRequest | Reason::FilterDropsAnswer | Reason::FilterRewrites)
            );
            by_filter && without.reply(&request(service)).answers() == Some(true)
        })
        .collect();
    let Some(first) = hidden.first() else { return };
    let (objects, mut evidence) = described(context, &hidden);
    evidence.push(context.sysctl(first.front, Sysctl::ArpIgnore));
    let mut chains = BTreeSet::new();
    for service in &hidden {
        let steps = context.model.explain(&request(service)).steps;
        chains.extend(steps.into_iter().filter_map(|step| match step {
            Step::Filter { chain, .. } => Some(chain),
            _ => None,
        }));
    }
    let chains: Vec<String> = chains.into_iter().collect();
    let by = if chains.is_empty() { "A packet filter".to_owned() } else { listed(&chains) };
    let mut fronts: Vec<&Interface> = hidden.iter().map(|service| service.front).collect();
    fronts.sort_by_key(|front| front.index);
    fronts.dedup_by_key(|front| front.index);
    let front_names = listed(names(&fronts));
    let changes = [(Sysctl::ArpAnnounce, 2), (Sysctl::ArpIgnore, 1)]
        .into_iter()
        .flat_map(|(sysctl, value)| fronts.iter().filter_map(move |front| context.set(front, sysctl, value)));
    findings.push(finding(
        FindingId::HiddenByFilter,
        Text {
            what: format!(
                "{by} keeps {front_names} from answering for {} on {}; arp_ignore would do it without rules.",
                listed(&objects.addresses),
                first.holder.name,
            ),
            why: "As far as the kernel's own settings go it would be answered for: whoever flushes the rules brings the \
                  answers back, on every host that has the address."
                .to_owned(),
            remedy: format!("Set arp_ignore=1 and arp_announce=2 on {front_names}; the rules are not needed then."),
        },
        objects,
        evidence,
        context.cure_by_changes(changes.collect()),
    ));
}
