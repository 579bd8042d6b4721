//! The recipes often told, and what they do on this host.

use std::net::IpAddr;

use super::Refused;
use super::topology::Context;
use crate::harm::harm;
use crate::plan::{Change, SysctlScope};
use crate::predict::{Line, Model, Outcome, Overview};
use crate::snapshot::Snapshot;
use crate::state::Object;
use crate::sysctl::Sysctl;
use crate::words::listed;

/// The recipes that break something here, or do not cure what is wrong.
pub(super) fn refused(context: &Context<'_>) -> Vec<Refused> {
    let recipes: [(&str, &[(Sysctl, i32)]); 3] = [
        (
            "net.ipv4.conf.all.arp_ignore = 1 and arp_announce = 2",
            &[(Sysctl::ArpIgnore, 1), (Sysctl::ArpAnnounce, 2)],
        ),
        ("net.ipv4.conf.all.arp_ignore = 2", &[(Sysctl::ArpIgnore, 2)]),
        ("net.ipv4.conf.all.arp_filter = 1", &[(Sysctl::ArpFilter, 1)]),
    ];
    let mut refused = Vec::new();
    for (recipe, values) in recipes {
        let after = with_all(context.snapshot, values);
        let harm = harm(context.snapshot, &after);
        let mut why: Vec<String> = harm.iter().take(3).map(ToString::to_string).collect();
        why.extend(still_floats(context, &after));
        if !why.is_empty() {
            refused.push(Refused { recipe: recipe.into(), why: why.join("; ") });
        }
    }
    refused
}

/// The snapshot with values of `all` raised, as the recipe says.
fn with_all(snapshot: &Snapshot, values: &[(Sysctl, i32)]) -> Snapshot {
    let change = |(sysctl, value): &(Sysctl, i32)| {
        let before = snapshot.all.get(*sysctl)?;
        let object = Object::Sysctl { scope: SysctlScope::All, sysctl: *sysctl };
        (before < *value).then(|| Change::set(object, before, *value))
    };
    let changes: Vec<Change> = values.iter().filter_map(change).collect();
    snapshot.with(&changes)
}

/// Whether addresses of NICs still have several MACs.
fn still_floats(context: &Context<'_>, after: &Snapshot) -> Option<String> {
    if context.shared.is_empty() {
        return None;
    }
    let nics: Vec<_> = context.nics.iter().map(|nic| nic.index).collect();
    let own: Vec<_> = context
        .nics
        .iter()
        .flat_map(|nic| context.public(nic.index))
        .map(|(_, local)| IpAddr::V4(local))
        .collect();
    let lines = Overview::of(&Model::of(after), &own, &nics, None, |_| {}).lines;
    let (floating, others): (Vec<Line>, Vec<Line>) =
        lines.into_iter().partition(|line| line.outcome == Outcome::Flux);
    let floating: Vec<String> = floating.iter().map(|line| line.target.to_string()).collect();
    let wrong = |line: &Line| {
        let by = line.answering.iter().find(|name| !line.held_by.contains(name))?;
        Some(format!("{} by {by}", line.target))
    };
    let stray: Vec<String> = others.iter().filter_map(wrong).collect();
    match (floating.as_slice(), stray.as_slice()) {
        ([], []) => None,
        ([], _) => {
            Some(format!("it would have addresses answered by the wrong interface: {}", listed(stray)))
        }
        (_, _) => Some(format!(
            "it does not cure: {} would still have several MACs, probes counted",
            listed(floating)
        )),
    }
}
