//! What is not as the policy says.

use std::net::IpAddr;

use super::answers::{Text, finding};
use super::context::Context;
use super::{Evidence, Finding, FindingId, Objects};
use crate::judgement;
use crate::policy::InterfaceSelector;
use crate::verify;

/// How many failures are shown.
const SHOWN: usize = 12;

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(policy) = &context.options.policy else { return };
    let failures: Vec<String> = match verify::settled(policy, context.snapshot, &context.map) {
        Ok(report) => {
            for sentence in report.undetermined {
                context.note(sentence);
            }
            judgement::add(&mut context.other_gaps.borrow_mut(), report.missing);
            report.failures.iter().map(ToString::to_string).collect()
        }
        Err(error) => vec![error.to_string()],
    };
    if failures.is_empty() {
        return;
    }
    let mut evidence: Vec<Evidence> =
        failures.iter().take(SHOWN).map(|text| Evidence::Fact { text: text.clone() }).collect();
    if failures.len() > SHOWN {
        evidence.push(Evidence::Fact { text: format!("and {} more", failures.len() - SHOWN) });
    }
    let addresses: Vec<IpAddr> = policy.proxies.iter().flat_map(|proxy| proxy.addresses.clone()).collect();
    let selectors = policy.host.interfaces.iter().flatten();
    let interfaces = selectors.filter_map(|selector| match selector {
        InterfaceSelector::Name(name) => Some(*name),
        InterfaceSelector::Pattern(_) | crate::policy::InterfaceSelector::Mac(_) => None,
    });
    let interfaces = interfaces.collect();
    let count = match failures.len() {
        1 => "One thing is".to_owned(),
        count => format!("{count} things are"),
    };
    // Nothing was lost: the policy wants what this host cannot have, or what it sets is not all that decides.
    let is_made = policy.plan(context.snapshot).is_ok_and(|plan| plan.is_empty());
    let (why, remedy) = if is_made {
        (
            "All that the policy sets is so: what is missing is an interface that it names, or something else on the host \
             that the policy does not set, as the evidence says.",
            "Mend what the evidence names, or take it out of the policy: applying it again changes nothing.",
        )
    } else {
        (
            "Values, entries, rules or routes were changed or lost since the policy was applied, or it never was: a link that \
             was set down takes its proxy entries and routes along, silently.",
            "Apply the policy again (`arpflux apply`); `arpflux watch --heal` keeps it.",
        )
    };
    findings.push(finding(
        FindingId::PolicyNotKept,
        Text { what: format!("{count} not as the policy says."), why: why.into(), remedy: remedy.into() },
        Objects { interfaces, addresses },
        evidence,
        context.cure_by_policy(policy),
    ));
}
