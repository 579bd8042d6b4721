//! What is said besides a policy: what it does not settle, and what to do where there is none.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use super::candidate::{Candidate, Tried};
use super::topology::Context;
use crate::harm::Harm;
use crate::policy::Egress;
use crate::predict::{ArpRequest, Model, Neighbours, Outgoing, listeners, local_route_targets};
use crate::snapshot::{Scope, Snapshot};
use crate::types::IfIndex;
use crate::verify;
use crate::words::listed;

/// What to do where wires may be one.
pub(super) const DOUBTED: &str = "wires that only subnets tell apart may be one: `arpflux segments` says it, and `recommend \
                       --segments` goes by it; with rp_filter=2 each card takes packets of both";

/// What to do where a route alone says that addresses are this host, so that none of its interfaces is theirs.
pub(super) const LOCAL_ROUTE: &str = "`ip route show table local` has the route: give such addresses to the interface that shall answer \
                           for them, and recommend again";

pub(super) fn by_local_route(context: &Context<'_>, address: IpAddr) -> bool {
    let IpAddr::V4(address) = address else { return false };
    local_route_targets(context.snapshot).contains(&address)
}

/// Addresses that are for the host alone (`scope host`), for which nobody answers now (`arp_ignore=3` and above) and
/// somebody would, one sentence each.
fn exposed(context: &Context<'_>, after: &Snapshot) -> Vec<String> {
    let mut neighbours = Neighbours::new(context.snapshot);
    let mut answering = |model: &Model<'_>, target: Ipv4Addr| {
        let answers = |on: &IfIndex| {
            let asker = neighbours.of(*on, target);
            model.reply(&ArpRequest::broadcast(*on, asker, target)).answers() == Some(true)
        };
        listeners(model.snapshot()).into_iter().find(answers)
    };
    let [now, then] = [context.snapshot, after].map(Model::of);
    let mut found = Vec::new();
    for held in context.snapshot.addresses.iter().filter(|held| held.scope == Scope::HOST) {
        if let IpAddr::V4(local) = held.local
            && !local.is_loopback()
            && answering(&now, local).is_none()
            && let Some(on) = answering(&then, local)
        {
            found.push(format!(
                "{} would answer for {local}, an address of scope host for which nobody answers now; arp_ignore=3 keeps silent \
                 about such addresses, and does not cure",
                after.name_of(on)
            ));
        }
    }
    found
}

/// How to say what nothing on the host tells.
pub(super) fn services_hint(harm: &[Harm]) -> String {
    let addresses: BTreeSet<IpAddr> = harm
        .iter()
        .filter_map(|harm| match harm {
            Harm::Answer { address, aside: Some(_), .. } => Some(*address),
            Harm::Answer { .. } | Harm::Way { .. } | Harm::Known { .. } | Harm::Finding { .. } => None,
        })
        .collect();
    let addresses = listed(addresses.iter().map(|address| format!("\"{address}\"")));
    format!(
        "nothing is changed: write a policy with [[service]] addresses = [{addresses}] and answer = \"never\" (another \
         host answers) or put the address on the interface that shall answer, and plan that"
    )
}

/// Addresses whose packets leave by another interface than their own, one sentence each: to a neighbour and,
/// where a default route leaves by the interface, to somewhere far.
pub(super) fn strays(context: &Context<'_>, after: &Snapshot) -> Vec<String> {
    let model = Model::of(after);
    let mut neighbours = Neighbours::new(context.snapshot);
    let mut found = Vec::new();
    for nic in &context.nics {
        for (held, source) in context.public(nic.index) {
            if context.snapshot.holders_of(held.local).count() > 1 {
                continue;
            }
            let far = context.uplinks.contains(&nic.index).then(|| context.snapshot.elsewhere());
            let near = (held.subnet().prefix_len() < 32).then(|| neighbours.of(nic.index, source));
            for destination in near.into_iter().chain(far) {
                let by = match model.outgoing(destination, Some(source), None) {
                    Outgoing::Asks { interface, .. } | Outgoing::NoRequest { interface, .. } => interface,
                    Outgoing::Unreachable | Outgoing::Undetermined { .. } => continue,
                };
                if by != nic.index {
                    found.push(format!(
                        "packets from {source} of {} to {destination} leave by {}",
                        nic.name,
                        after.name_of(by)
                    ));
                }
            }
        }
    }
    found
}

/// What the policy does not settle.
pub(super) fn notes(context: &Context<'_>, candidate: &Candidate, tried: &Tried) -> Vec<String> {
    let mut notes = candidate.notes.clone();
    if candidate.policy.host.egress == Egress::Unmanaged {
        notes.extend(strays(context, &tried.after).into_iter().take(4));
    }
    notes.extend(exposed(context, &tried.after).into_iter().take(4));
    // What a policy settles holds: what is left are IPv6 addresses of the host itself.
    let left = verify::not_settled(&candidate.policy, &tried.after, &context.wires);
    let left = left.into_iter().flat_map(|report| report.failures);
    notes.extend(
        left.take(4)
            .map(|failure| format!("no policy settles this, and `arpflux verify` finds it: {failure}")),
    );
    notes
}
