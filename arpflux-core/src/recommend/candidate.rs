//! Policies that may fit, in the order in which they are tried.

use std::net::IpAddr;

use super::Reason;
use super::notes::{DOUBTED, LOCAL_ROUTE, by_local_route, services_hint, strays};
use super::proxies::{Proxies, proxies};
use super::strict;
use super::topology::{Context, Topology};
use crate::error::{Error, ErrorKind, Result};
use crate::harm::{Harm, harm, strict_where_lost};
use crate::plan::Plan;
use crate::policy::{Egress, HostPolicy, InterfaceSelector, Policy, ProxyArp, Strategy};
use crate::proof::Prover;
use crate::snapshot::{Interface, Snapshot, WireMap};
use crate::sysctl::Sysctl;
use crate::types::IfName;
use crate::verify::{self, Report};
use crate::words::listed;

/// A policy that may fit.
#[derive(Debug)]
pub(super) struct Candidate {
    pub policy: Policy,
    pub reasons: Vec<Reason>,
    pub notes: Vec<String>,
}

/// A candidate that works.
#[derive(Debug)]
pub(super) struct Tried {
    pub plan: Plan,
    pub proof: Report,
    pub after: Snapshot,
}

/// The candidates for a host, the best first. Never empty.
pub(super) fn candidates(context: &Context<'_>) -> Vec<Candidate> {
    let others = context.snapshot.addresses.iter().any(|held| {
        let nic = context.is_nic(held.interface);
        !nic && context.public(held.interface).any(|(address, _)| address.local == held.local)
    });
    let (proxied, both) = (proxies(context, false), proxies(context, true));
    let alone = context.nics.len() < 2 && !others && proxied.policies.is_empty();
    if alone || context.nics.is_empty() {
        return vec![nothing(context)];
    }
    if context.is(Topology::CloudHost) {
        return [Egress::SourceRouted, Egress::Unmanaged]
            .map(|egress| candidate(context, &Proxies::default(), Strategy::Unmanaged, egress))
            .into();
    }
    let routed = if leave_routing(context).is_some() {
        [Egress::Unmanaged, Egress::SourceRouted]
    } else {
        [Egress::SourceRouted, Egress::Unmanaged]
    };
    // Never `filter`: it goes on answering address probes, so it cannot be proved.
    let strict = |proxied| routed.map(|egress| candidate(context, proxied, Strategy::Strict, egress));
    // Where IPv6 addresses cannot be settled as well, those of IPv4 are all the same.
    let with_ipv6 = both.policies.iter().any(|one| one.addresses.iter().any(IpAddr::is_ipv6));
    let first = with_ipv6.then(|| strict(&both));
    first.into_iter().flatten().chain(strict(&proxied)).collect()
}

/// Why routing is somebody else's here.
fn leave_routing(context: &Context<'_>) -> Option<String> {
    if context.is(Topology::KubernetesNode) {
        return Some(
            "the network plugin owns the routes to pods, which come and go, and tables by source would not follow \
             them"
            .into(),
        );
    }
    context.marks().map(|priority| {
        format!(
            "the rule of priority {priority} chooses the way by a mark, as VPNs do, and rules by source before it \
             would lead around it"
        )
    })
}

/// Where there is nothing to manage.
fn nothing(context: &Context<'_>) -> Candidate {
    let on_own_wire = answer_for_own_wire(context);
    let host = HostPolicy {
        interfaces: (!on_own_wire.is_empty())
            .then(|| context.nics.iter().map(|nic| nic.name.into()).collect()),
        strategy: Strategy::Unmanaged,
        egress: Egress::Unmanaged,
        announce: false,
        proxy_arp: if on_own_wire.is_empty() { ProxyArp::Keep } else { ProxyArp::Off },
        ..HostPolicy::default()
    };
    let why = if context.nics.is_empty() {
        format!("there is no interface to manage: {}", context.none_to_manage())
    } else {
        "there is one interface on a wire and no address elsewhere, so none can float; recommend again when there \
         is a second one"
            .into()
    };
    let mut reasons = vec![
        reason("host.strategy", why),
        reason("host.egress", "there is one way out only".into()),
        reason("host.announce", "nothing changes that peers would have to be told".into()),
    ];
    reasons.extend(proxy_arp_why(&on_own_wire));
    Candidate { policy: Policy { host, ..Policy::default() }, reasons, notes: Vec::new() }
}

fn candidate(context: &Context<'_>, proxied: &Proxies, strategy: Strategy, egress: Egress) -> Candidate {
    let names: Vec<InterfaceSelector> = context.nics.iter().map(|nic| nic.name.into()).collect();
    // A laptop's interfaces come and go: a policy that names none goes on fitting.
    let come_and_go = context.is(Topology::TwoUplinks)
        && !context.is(Topology::MultiRail)
        && !context.is(Topology::ContainerHost)
        && !context.is(Topology::KubernetesNode)
        && !context.is(Topology::CloudHost)
        && context.left_out.is_empty()
        && proxied.policies.is_empty();
    let cloud = context.is(Topology::CloudHost);
    let has_proxies = !proxied.policies.is_empty();
    // Where proxy_arp answers for hosts that are there themselves, its delay lets them be first.
    let answers_for_others =
        context.nics.iter().any(|nic| context.snapshot.effective(nic, Sysctl::ProxyArp).value != 0);
    let on_own_wire = answer_for_own_wire(context);
    let host = HostPolicy {
        interfaces: (!come_and_go).then_some(names),
        strategy,
        egress,
        announce: !cloud,
        proxy_arp: if on_own_wire.is_empty() { ProxyArp::Keep } else { ProxyArp::Off },
        proxy_delay: (has_proxies && !answers_for_others).then_some(0),
        ..HostPolicy::default()
    };
    let mut reasons = vec![
        reason("host.interfaces", interfaces_why(context, come_and_go)),
        reason("host.strategy", strategy_why(context, strategy)),
        reason("host.egress", egress_why(context, egress)),
        reason(
            "host.announce",
            if cloud {
                "the fabric does not listen to gratuitous ARP".into()
            } else {
                "after a change peers keep the wrong MAC for half a minute unless they are told".into()
            },
        ),
    ];
    reasons.extend(proxy_arp_why(&on_own_wire));
    if host.proxy_delay.is_some() {
        let delay = "broadcast requests for proxied addresses are answered at once, not up to 0.8 s later, and none \
                     is lost when more than 64 wait";
        reasons.push(reason("host.proxy_delay", delay.into()));
    }
    reasons.extend(proxied.reasons.iter().cloned());
    Candidate {
        policy: Policy { host, proxies: proxied.policies.clone(), services: Vec::new() },
        reasons,
        notes: proxied.notes.clone(),
    }
}

fn proxy_arp_why(on_own_wire: &[IfName]) -> Option<Reason> {
    let answer = if on_own_wire.len() == 1 { "answers" } else { "answer" };
    let text = format!(
        "{} {answer} for other hosts of the wire, live ones included; proxy entries answer without it",
        listed(on_own_wire),
    );
    (!on_own_wire.is_empty()).then(|| reason("host.proxy_arp", text))
}

/// The NICs that answer hosts of their wire for other ones of it.
fn answer_for_own_wire(context: &Context<'_>) -> Vec<IfName> {
    let on = |nic: &&&Interface| {
        let on = |sysctl| context.snapshot.effective(nic, sysctl).value != 0;
        on(Sysctl::ProxyArp) || on(Sysctl::ProxyArpPvlan)
    };
    let suspects: Vec<&&Interface> = context.nics.iter().filter(on).collect();
    if suspects.is_empty() {
        return Vec::new();
    }
    let mut prover = Prover::of(context.snapshot);
    let mut answers = |nic: &&&&Interface| {
        let proof = prover.others_of_wire(&context.wires, nic.index);
        proof.is_some_and(|proof| proof.holds() == Some(false))
    };
    suspects.iter().filter(|nic| answers(nic)).map(|nic| nic.name).collect()
}

fn reason(key: &str, text: String) -> Reason {
    Reason { key: key.to_owned(), text }
}

fn interfaces_why(context: &Context<'_>, come_and_go: bool) -> String {
    if come_and_go {
        return "not named: every interface that speaks ARP and holds an IPv4 address, so that the policy goes on \
                fitting when one comes or goes"
            .into();
    }
    let mut text =
        "the interfaces on wires with other hosts; `all` is never written, so interfaces of containers \
                    and those that come later stay as they are"
            .to_owned();
    for left_out in &context.left_out {
        text.push_str(". ");
        text.push_str(left_out);
    }
    text
}

fn strategy_why(context: &Context<'_>, strategy: Strategy) -> String {
    match strategy {
        Strategy::Unmanaged => {
            "the fabric answers ARP, whatever this host answers; arp_ignore and arp_announce would change nothing"
                .into()
        }
        Strategy::Strict | Strategy::Filter | Strategy::Auto => {
            let mut text = if context.shared.is_empty() {
                "arp_ignore=1 and arp_announce=2 on each: requests are answered for the interface's own addresses \
                 only, whatever wires turn out to be joined"
                    .to_owned()
            } else {
                "arp_ignore=1 and arp_announce=2 on each: interfaces of one subnet answer each other's requests \
                 otherwise. arp_filter would go on answering address probes"
                    .to_owned()
            };
            let services: Vec<String> =
                context.service_addresses().map(|(address, name)| format!("{address} on {name}")).collect();
            if !services.is_empty() {
                text.push_str(&format!(
                    ". It silences {}, as a real server behind a load balancer wants (settings of lo would do \
                     nothing: the interface that receives the request decides). Where clients on the wire shall \
                     reach such an address here, put it on the interface that shall answer",
                    listed(services)
                ));
            }
            text
        }
    }
}

fn egress_why(context: &Context<'_>, egress: Egress) -> String {
    match egress {
        Egress::SourceRouted if context.shared.is_empty() && context.uplinks.len() < 2 => {
            "packets leave by the interface that owns their source; no rules are needed for that as long as no two \
             interfaces lead to the same place"
                .into()
        }
        Egress::SourceRouted if context.is(Topology::CloudHost) => {
            "packets leave by the interface that owns their source: the fabric drops those that leave by another"
                .into()
        }
        Egress::SourceRouted => {
            "packets leave by the interface that owns their source, so that both directions use the same one and \
             strict rp_filter does not silence the others"
                .into()
        }
        Egress::Unmanaged => {
            leave_routing(context).unwrap_or_else(|| "source routing cannot be set up here (see below)".into())
        }
    }
}

impl Candidate {
    /// In a few words.
    pub(super) fn name(&self) -> String {
        let strategy = match self.policy.host.strategy {
            Strategy::Auto => "auto",
            Strategy::Strict => "strict",
            Strategy::Filter => "filter",
            Strategy::Unmanaged => "unmanaged",
        };
        let egress = match self.policy.host.egress {
            Egress::SourceRouted => "source-routed",
            Egress::Unmanaged => "unmanaged",
        };
        format!("strategy {strategy} with egress {egress}")
    }

    /// Plans it and proves that the host is as it says afterwards.
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] if it does not hold, or silences somebody.
    pub(super) fn tried(&self, context: &Context<'_>) -> Result<Tried> {
        let plan = self.policy.plan(context.snapshot)?;
        let after = context.snapshot.with(&plan.changes);
        let mut proof = verify::settled(&self.policy, &after, &context.wires)?;
        if let Some(failure) = proof.failures.first() {
            let error = Error::new(ErrorKind::Refused, failure.to_string());
            return Err(strict::hinted(error, context, &after));
        }
        let harm = harm(context.snapshot, &after);
        if let Some(first) = harm.iter().find(|harm| harm.is_service()).or(harm.first()) {
            // What would be right here is not known: nothing is recommended. Who answers for addresses of services
            // comes first, as the rest may follow from that.
            let error = Error::new(ErrorKind::Undetermined, first.to_string());
            return Err(match first {
                _ if first.is_service() => error.hint(services_hint(&harm)),
                Harm::Answer { address, .. } if by_local_route(context, *address) => error.hint(LOCAL_ROUTE),
                Harm::Answer { .. } | Harm::Way { .. } if context.wires.has_doubts() => error.hint(DOUBTED),
                Harm::Way { .. } => self.with_loose_validation(error, context, &harm),
                _ => error,
            });
        }
        if self.policy.host.egress == Egress::SourceRouted {
            if let Some(stray) = strays(context, &after).into_iter().next() {
                return Err(Error::new(ErrorKind::Refused, stray));
            }
            proof.checks += context.nics.iter().map(|nic| context.public(nic.index).count()).sum::<usize>();
        }
        Ok(Tried { plan, proof, after })
    }

    /// An error with the way out, where it does no harm once `rp_filter` is loose on those that would drop packets.
    fn with_loose_validation(&self, error: Error, context: &Context<'_>, harm: &[Harm]) -> Error {
        let strict = strict_where_lost(harm, context.snapshot);
        let mut loose = context.snapshot.clone();
        for interface in &mut loose.interfaces {
            if strict.iter().any(|strict| strict.index == interface.index) {
                interface.sysctls.set(Sysctl::RpFilter, Some(2));
            }
        }
        let plan = self.policy.plan(&loose);
        let does_none =
            plan.is_ok_and(|plan| crate::harm::harm(&loose, &loose.with(&plan.changes)).is_empty());
        if strict.is_empty() || !does_none { error } else { error.hint(strict::hint(strict.into_iter())) }
    }

    /// With which values of `rp_filter` it holds and does no harm, where interfaces share a wire.
    pub(super) fn rp_filter(&self, context: &Context<'_>) -> Vec<i32> {
        if context.shared.is_empty() || context.is(Topology::CloudHost) {
            return Vec::new();
        }
        let holds = |value: &i32| {
            let mut other = context.snapshot.clone();
            other.all.set(Sysctl::RpFilter, Some(*value));
            for interface in other.interfaces.iter_mut().filter(|interface| context.is_nic(interface.index)) {
                interface.sysctls.set(Sysctl::RpFilter, Some(*value));
            }
            let Ok(plan) = self.policy.plan(&other) else { return false };
            let after = other.with(&plan.changes);
            let report = verify::settled(&self.policy, &after, &WireMap::of(&after));
            report.is_ok_and(|report| report.failures.is_empty())
                && !harm(&other, &after).iter().any(|harm| matches!(harm, Harm::Way { .. }))
        };
        (0..=2).filter(holds).collect()
    }
}
