//! Findings, each with what decided, what to do and what that changes.

use super::change;
use super::markup::Markup;
use crate::diagnose::{Diagnosis, Evidence, Finding, Severity};

/// How many findings are drawn before the rest is only counted.
const FINDINGS_MAX: usize = 200;
/// How many pieces of evidence of one finding stand in the open.
const EVIDENCE_OPEN: usize = 4;
/// How many more are drawn.
const EVIDENCE_MAX: usize = 60;

/// All of a diagnosis, the worst first.
pub(super) fn list(html: &mut Markup, diagnosis: &Diagnosis) {
    if diagnosis.findings.is_empty() {
        html.raw(if diagnosis.missing.is_empty() {
            "<p class=\"good\">Nothing found.</p>\n"
        } else {
            "<p class=\"doubt\">Nothing found in what could be seen.</p>\n"
        });
    }
    for finding in diagnosis.findings.iter().take(FINDINGS_MAX) {
        one(html, finding);
    }
    if diagnosis.findings.len() > FINDINGS_MAX {
        html.element("<p class=\"muted\">and ", diagnosis.findings.len() - FINDINGS_MAX, " more</p>\n");
    }
    if !diagnosis.unseen.is_empty() {
        html.raw("<h3>Not seen, so neither good nor bad</h3>\n<ul>\n");
        for sentence in &diagnosis.unseen {
            html.element("<li>", sentence, "</li>\n");
        }
        html.raw("</ul>\n");
    }
}

/// The start of a tag that says how bad something is.
pub(super) const fn tag(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "<span class=\"tag bad\">",
        Severity::Warning => "<span class=\"tag doubt\">",
        Severity::Info => "<span class=\"tag muted\">",
    }
}

fn one(html: &mut Markup, finding: &Finding) {
    html.raw("<article class=\"finding ").text(finding.severity).raw("\"><h3>");
    html.raw(tag(finding.severity)).text(finding.severity);
    html.raw("</span> ").text(finding.id).raw(" ").text(finding.id.title()).raw("</h3>\n<p>");
    html.text(&finding.what).raw("</p>\n<dl>\n");
    if let Some(remark) = finding.remark() {
        html.element("<dt>Not certain</dt><dd>", remark, "</dd>\n");
    }
    html.element("<dt>Why</dt><dd>", &finding.why, "</dd>\n");
    html.element("<dt>What to do</dt><dd>", &finding.remedy, "</dd>\n");
    html.raw("<dt>Seen</dt><dd>");
    evidence(html, &finding.evidence);
    html.raw("</dd>\n<dt>More</dt><dd><a href=\"").text(&finding.link).raw("\" rel=\"noreferrer\">");
    html.text(&finding.link).raw("</a></dd>\n</dl>\n");
    if let Some(plan) = &finding.plan {
        html.raw("<details><summary>The remedy, ").text(plan.changes.len());
        html.raw(" changes, and what it changes elsewhere</summary>\n");
        change::plan(html, plan);
        if let Some(impact) = &finding.remedy_changes {
            change::impact(html, impact);
        }
        html.raw("</details>\n");
    }
    html.raw("</article>\n");
}

/// The first pieces of evidence, the others folded away.
fn evidence(html: &mut Markup, evidence: &[Evidence]) {
    let list = |html: &mut Markup, some: &[Evidence]| {
        html.raw("<ul>\n");
        for one in some {
            html.element("<li>", one, "</li>\n");
        }
        html.raw("</ul>\n");
    };
    let (first, rest) = evidence.split_at(evidence.len().min(EVIDENCE_OPEN));
    list(html, first);
    if !rest.is_empty() {
        html.element("<details><summary>and ", rest.len(), " more</summary>\n");
        list(html, &rest[..rest.len().min(EVIDENCE_MAX)]);
        html.raw("</details>\n");
    }
}
