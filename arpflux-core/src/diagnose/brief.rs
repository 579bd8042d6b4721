//! A diagnosis in few lines: what is alike is one finding, and a remedy is told once for all that it cures.

use std::collections::HashSet;

use super::{Diagnosis, Finding, FindingId, Severity};
use crate::plan::{Change, Plan};
use crate::types::IfName;
use crate::words::{counted, folded};

/// Findings of one sort, in two or three sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BriefFinding {
    /// How bad it is.
    pub severity: Severity,
    /// `AF001 error: Several interfaces of one wire answer for the same address`.
    pub heading: String,
    /// Who it is about: `192.168.18.10, 192.168.18.11 on eth0, eth3`.
    pub who: String,
    /// Why the kernel does that.
    pub why: String,
}

/// A remedy for several findings.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BriefRemedy<'d> {
    /// Which it cures.
    pub cures: Vec<FindingId>,
    /// What to do, one sentence each.
    pub texts: Vec<&'d str>,
    /// The changes that do it.
    pub plan: Option<&'d Plan>,
}

impl Diagnosis {
    /// What was found, in one line: `2 errors, 1 warning: 192.168.1.10 and 192.168.1.11 have several MACs`.
    #[must_use]
    pub fn headline(&self) -> String {
        if self.findings.is_empty() {
            return match self.missing.as_slice() {
                [] => "Nothing found.".into(),
                _ => "Nothing found in what could be seen.".into(),
            };
        }
        let parts = [
            (Severity::Error, "error", "errors"),
            (Severity::Warning, "warning", "warnings"),
            (Severity::Info, "remark", "remarks"),
        ];
        let counted = parts.into_iter().filter_map(|(severity, one, several)| {
            let count = self.findings.iter().filter(|finding| finding.severity == severity).count();
            (count > 0).then(|| counted(count, one, several))
        });
        let mut text = counted.collect::<Vec<_>>().join(", ");
        let float = |finding: &&Finding| {
            matches!(finding.id, FindingId::SeveralAnswer | FindingId::ProxySeveral) && finding.is_certain()
        };
        let mut floating: Vec<_> =
            self.findings.iter().filter(float).flat_map(|finding| &finding.objects.addresses).collect();
        floating.sort();
        floating.dedup();
        match floating.len() {
            0 => {}
            1 => text += &format!(": {} has several MACs", floating[0]),
            _ => text += &format!(": {} have several MACs", folded(&floating)),
        }
        text
    }

    /// The findings, those of one sort together, in their order.
    #[must_use]
    pub fn brief(&self) -> Vec<BriefFinding> {
        let mut groups: Vec<Vec<&Finding>> = Vec::new();
        for finding in &self.findings {
            let sort = |one: &Finding| (one.id, one.severity, one.is_certain());
            match groups.iter_mut().find(|group| sort(group[0]) == sort(finding)) {
                Some(group) => group.push(finding),
                None => groups.push(vec![finding]),
            }
        }
        groups.iter().map(|group| brief(group)).collect()
    }

    /// The remedies, each with all findings that it cures: one whose changes are all among another's is that one.
    #[must_use]
    pub fn remedies(&self) -> Vec<BriefRemedy<'_>> {
        let mut remedies: Vec<(BriefRemedy<'_>, HashSet<&Change>)> = Vec::new();
        for finding in &self.findings {
            let changes: HashSet<&Change> = finding.plan.iter().flat_map(|plan| &plan.changes).collect();
            let known = remedies.iter_mut().find(|(remedy, known)| match changes.is_empty() {
                true => remedy.plan.is_none() && remedy.cures == [finding.id],
                false => changes.is_subset(known) || (!known.is_empty() && known.is_subset(&changes)),
            });
            match known {
                Some((remedy, known)) => {
                    if !remedy.cures.contains(&finding.id) {
                        remedy.cures.push(finding.id);
                    }
                    if !remedy.texts.contains(&finding.remedy.as_str()) {
                        remedy.texts.push(&finding.remedy);
                    }
                    if changes.len() > known.len() {
                        (remedy.plan, *known) = (finding.plan.as_ref(), changes);
                    }
                }
                None => {
                    let (cures, texts) = (vec![finding.id], vec![finding.remedy.as_str()]);
                    remedies.push((BriefRemedy { cures, texts, plan: finding.plan.as_ref() }, changes));
                }
            }
        }
        remedies.into_iter().map(|(remedy, _)| remedy).collect()
    }
}

fn brief(group: &[&Finding]) -> BriefFinding {
    let first = group[0];
    let certain = if first.is_certain() { "" } else { ", apart from what cannot be told" };
    let times = if group.len() > 1 { format!(", {} times", group.len()) } else { String::new() };
    let heading = format!("{} {}{times}{certain}: {}", first.id, first.severity, first.id.title());
    let mut interfaces: Vec<IfName> = Vec::new();
    let mut addresses = Vec::new();
    for finding in group {
        let new = |name: &&IfName| !interfaces.contains(name);
        interfaces.extend(finding.objects.interfaces.iter().filter(new).copied().collect::<Vec<_>>());
        addresses.extend(finding.objects.addresses.iter().copied());
    }
    addresses.sort();
    addresses.dedup();
    let who = match (addresses.is_empty(), interfaces.is_empty()) {
        (false, false) => format!("{} on {}", folded(&addresses), folded(&interfaces)),
        (false, true) => folded(&addresses),
        (true, _) => folded(&interfaces),
    };
    BriefFinding { severity: first.severity, heading, who, why: first.why.clone() }
}
