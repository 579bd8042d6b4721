//! Plans, and what they do to answers.

use super::markup::Markup;
use crate::plan::{Change, Effect, Impact, Plan};
use crate::types::IfIndex;

/// How many lines of one kind are drawn before the rest is only counted.
const LINES_MAX: usize = 400;

/// What changes, why, and what is announced.
pub(super) fn plan(html: &mut Markup, plan: &Plan) {
    let names = |index: IfIndex| {
        let known = plan.interfaces.iter().find(|identity| identity.index == index);
        known.map_or_else(|| format!("if{index}"), |identity| identity.name.to_string())
    };
    if plan.is_empty() {
        html.raw("<p>Nothing to change.</p>\n");
    }
    settings(html, plan);
    for (title, kind) in [("Proxy entries", "proxy"), ("Rules", "rule"), ("Routes", "route")] {
        let of = plan.changes.iter().filter(|change| change.object.kind() == kind);
        let changes: Vec<&Change> = of.collect();
        if changes.is_empty() {
            continue;
        }
        html.raw("<h3>").raw(title).raw("</h3>\n<ul class=\"changes mono\">\n");
        for change in changes.iter().take(LINES_MAX) {
            html.raw(match change.after.is_there() {
                true => "<li class=\"good\">+ ",
                false => "<li class=\"bad\">\u{2212} ",
            });
            html.text(change.object.line(&names).unwrap_or_default()).raw("</li>\n");
        }
        html.raw("</ul>\n");
        more(html, changes.len());
    }
    if !plan.decisions.is_empty() {
        html.raw("<h3>Decided, and why</h3>\n<ul>\n");
        for decision in &plan.decisions {
            html.element("<li>", decision, "</li>\n");
        }
        html.raw("</ul>\n");
    }
    if !plan.announcements.is_empty() {
        html.element(
            "<p>Then ",
            plan.announcements.len(),
            " gratuitous ARP from the owners, so that peers forget wrong MACs at once.</p>\n",
        );
    }
}

fn settings(html: &mut Markup, plan: &Plan) {
    let settings: Vec<_> = plan.changes.iter().filter_map(Change::setting).collect();
    if settings.is_empty() {
        return;
    }
    html.raw("<h3>Settings</h3>\n<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Sysctl</th><th scope=\"col\">Before</th><th scope=\"col\">After</th></tr></thead>\n<tbody>\n");
    for (key, before, after) in settings.iter().take(LINES_MAX) {
        html.element("<tr><td class=\"mono\">", key, "</td><td class=\"mono\">");
        html.text(before).element("</td><td class=\"mono\"><b>", after, "</b></td></tr>\n");
    }
    html.raw("</tbody></table></div>\n");
    more(html, settings.len());
}

/// Which answers change; those for addresses that nobody meant to change first.
pub(super) fn impact(html: &mut Markup, impact: &Impact) {
    if impact.effects.is_empty() {
        html.raw("<p>No answer changes.</p>\n");
        return;
    }
    let list = |html: &mut Markup, title: &'static str, effects: Vec<&Effect>| {
        if effects.is_empty() {
            return;
        }
        html.raw("<h3>").raw(title).raw("</h3>\n<ul>\n");
        for effect in effects.iter().take(LINES_MAX) {
            html.element("<li>", effect, "</li>\n");
        }
        html.raw("</ul>\n");
        more(html, effects.len());
    };
    list(html, "Answers for addresses that the policy does not name", impact.victims().collect());
    list(
        html,
        "Answers for addresses that the policy names",
        impact.effects.iter().filter(|effect| effect.named).collect(),
    );
}

fn more(html: &mut Markup, count: usize) {
    if count > LINES_MAX {
        html.element("<p class=\"muted\">and ", count - LINES_MAX, " more</p>\n");
    }
}
