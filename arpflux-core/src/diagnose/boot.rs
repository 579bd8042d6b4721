//! What the next boot takes away or sets otherwise, and what is set twice.

use std::collections::BTreeSet;

use super::answers::{Text, finding};
use super::context::{Context, by_number};
use super::remedy::Remedy;
use super::{Evidence, Finding, FindingId, Objects};
use crate::judgement::{self, Gap};
use crate::persist::{BootReport, BootValue};
use crate::plan::PROTOCOL;
use crate::predict::Missing;
use crate::state::{Change, Object};
use crate::sysctl::Sysctl;

/// How many values are shown as evidence.
const SHOWN: usize = 12;

pub(super) fn find(context: &Context<'_>, findings: &mut Vec<Finding>) {
    let Some(report) = &context.options.boot else { return };
    judgement::add(&mut context.other_gaps.borrow_mut(), not_followed(report));
    findings.extend(not_persisted(report));
    findings.extend(overwritten(report));
    findings.extend(conflicting(report));
}

/// What was not followed: what a boot brings is not known for all of it.
fn not_followed(report: &BootReport) -> Option<Gap> {
    let places = report.unfollowed.iter().map(|it| match it.line {
        0 => it.file.display().to_string(),
        line => format!("{}:{line}", it.file.display()),
    });
    // Or a line that counts or not, as a NIC is there early or late.
    let races = report.values.iter().filter_map(|value| value.undetermined_by.clone());
    let all: BTreeSet<String> = places.chain(races).collect();
    let shown: Vec<&str> = all.iter().take(3).map(String::as_str).collect();
    let more = if all.len() > shown.len() {
        format!(" and {} more", all.len() - shown.len())
    } else {
        String::new()
    };
    (!all.is_empty()).then(|| Gap {
        missing: Missing::BootFile,
        what: format!("{} ({}{more})", Missing::BootFile.text(), shown.join(", ")),
        leaves_open: "what the next boot brings".into(),
        how: Missing::BootFile.how().into(),
    })
}

/// Values that are set now, and that nothing sets at boot; and what arpflux made and nothing makes again.
fn not_persisted(report: &BootReport) -> Option<Finding> {
    // Forwarding belongs to whoever made the interfaces: container managers set it each time they start.
    let forwarding = |value: &BootValue| value.key.to_string().ends_with(Sysctl::Forwarding.name());
    let lost = report.values.iter().filter(|value| {
        value.differs() && value.set_by.is_none() && value.by_policy.is_none() && !forwarding(value)
    });
    let mut facts: Vec<String> = lost
        .map(|value| format!("{} is {} now and 0 after a boot: no file sets it", value.key, value.now))
        .collect();
    let ours = |change: &Change| match &change.object {
        Object::Proxy { .. } => change.entry().is_some_and(|entry| entry.protocol == PROTOCOL),
        Object::Rule(rule) => rule.protocol == PROTOCOL,
        Object::Route(route) => route.protocol == PROTOCOL,
        _ => false,
    };
    facts.extend(
        report
            .entries
            .iter()
            .filter(|entry| ours(&entry.change))
            .map(|entry| format!("a boot will {}", entry.text)),
    );
    let count = facts.len();
    (count > 0).then(|| {
        finding(
            FindingId::NotPersisted,
            Text {
                what: format!(
                    "{count} {} of this host {} gone after the next boot.",
                    by_number(count, "setting", "settings"),
                    by_number(count, "is", "are"),
                ),
                why: "They were made in the running kernel, and no file that is read at boot says them.".into(),
                remedy: "Write them where the host's network manager reads them: `arpflux apply --policy FILE --persist` does, \
                         for interfaces that appear late too."
                    .into(),
            },
            Objects::default(),
            shown(facts),
            Remedy::default(),
        )
    })
}

/// Values that a file sets otherwise at boot.
fn overwritten(report: &BootReport) -> Option<Finding> {
    let other = report.values.iter().filter(|value| value.differs());
    let facts: Vec<String> = other
        .filter_map(|value| {
            let at_boot = value.at_boot.unwrap_or(0);
            let by = match (&value.by_policy, &value.set_by) {
                (Some(_), _) => "the policy that is applied at boot".to_owned(),
                (None, Some(line)) => format!("{}:{}", line.file.display(), line.line),
                (None, None) => return None,
            };
            Some(format!("{} is {} now and {at_boot} after a boot: {by} sets it", value.key, value.now))
        })
        .collect();
    let count = facts.len();
    (count > 0).then(|| {
        finding(
            FindingId::OverwrittenAtBoot,
            Text {
                what: format!(
                    "{count} {} of this host will have another value after the next boot.",
                    by_number(count, "setting", "settings"),
                ),
                why: "A file that is read at boot sets something else; among several the one whose name sorts last wins, and a \
                      pattern that names interfaces beats `all` and `default`."
                    .into(),
                remedy: "Correct the line that the evidence names, or write the wanted value to a file whose name sorts after \
                         it."
                    .into(),
            },
            Objects::default(),
            shown(facts),
            Remedy::default(),
        )
    })
}

/// Values that several lines set, differently; and a policy that several managers apply.
fn conflicting(report: &BootReport) -> Option<Finding> {
    let mut facts: Vec<String> = Vec::new();
    for value in &report.values {
        let Some(winner) = &value.set_by else { continue };
        let others = value.ignored.iter().filter(|line| line.number() != winner.number());
        for line in others {
            facts.push(format!(
                "{}: {}:{} says {} and does not count, {}:{} says {}",
                value.key,
                line.file.display(),
                line.line,
                line.value.as_deref().unwrap_or("nothing"),
                winner.file.display(),
                winner.line,
                winner.value.as_deref().unwrap_or("nothing"),
            ));
        }
        if value.by_policy.is_some_and(|number| winner.number() != Some(number)) {
            facts.push(format!(
                "{}: {}:{} sets {} first, then the policy sets {}",
                value.key,
                winner.file.display(),
                winner.line,
                winner.value.as_deref().unwrap_or("nothing"),
                value.by_policy.unwrap_or(0),
            ));
        }
    }
    if let Some(policy) = &report.policy
        && policy.applied_by.len() > 1
    {
        let managers: Vec<String> = policy.applied_by.iter().map(ToString::to_string).collect();
        facts.push(format!("{} is applied by {}", policy.file, managers.join(" and by ")));
    }
    let count = facts.len();
    (count > 0).then(|| {
        finding(
            FindingId::ConflictingManagers,
            Text {
                what: format!(
                    "{count} {} set in two places that disagree, or by two managers.",
                    by_number(count, "setting is", "settings are"),
                ),
                why: "Which of them wins depends on the order of file names and on which service starts last: an update or a \
                      restart can turn it round."
                    .into(),
                remedy: "Leave each setting to one file and one manager, and delete the others.".into(),
            },
            Objects::default(),
            shown(facts),
            Remedy::default(),
        )
    })
}

fn shown(facts: Vec<String>) -> Vec<Evidence> {
    let more = facts.len().saturating_sub(SHOWN);
    let mut evidence: Vec<Evidence> =
        facts.into_iter().take(SHOWN).map(|text| Evidence::Fact { text }).collect();
    if more > 0 {
        evidence.push(Evidence::Fact { text: format!("and {more} more") });
    }
    evidence
}
