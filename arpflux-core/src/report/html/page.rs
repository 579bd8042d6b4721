//! One self-contained page about a host.

use super::markup::Markup;
use super::{STYLE, change, findings, kernel_state, matrix, steps, topology};
use crate::diagnose::{Diagnosis, Severity};
use crate::error::Result;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::predict::{Matrix, Model};
use crate::snapshot::Snapshot;

const SCRIPT: &str = include_str!("script.js");

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Its title, usually the host's name.
    pub title: &'a str,
    /// When and how the snapshot was taken, in words; may be empty.
    pub taken: &'a str,
    /// The host.
    pub snapshot: &'a Snapshot,
    /// What was found there.
    pub diagnosis: &'a Diagnosis,
    /// What is to be changed, and the policy it was made for: the page then shows who answers before and
    /// afterwards.
    pub change: Option<(&'a Policy, &'a Plan)>,
}

/// One page with everything: findings, the topology, who answers before and after the change, why (a click
/// on a cell shows its steps; without a script they are folded sections below), the change, and what the
/// kernel holds. It loads nothing.
///
/// # Errors
/// As [`Snapshot::check`].
pub fn page(page: &Page<'_>) -> Result<String> {
    let model = Model::new(page.snapshot)?;
    let now = Matrix::of(&model);
    let after =
        page.change.filter(|(_, plan)| !plan.is_empty()).map(|(_, plan)| page.snapshot.with(&plan.changes));
    let after_model = after.as_ref().map(Model::of);
    let after_matrix = after_model.as_ref().map(Matrix::of);

    let mut html = Markup::default();
    head(&mut html, page);
    html.raw("<body class=\"arpflux\">\n<main>\n<h1>ARP on ")
        .text(page.title)
        .raw("</h1>\n<p class=\"muted\">");
    html.text(page.taken).raw("</p>\n");
    summary(&mut html, page.diagnosis, &now, after_matrix.as_ref());
    html.raw("<nav aria-label=\"Sections\"><a href=\"#findings\">Findings</a> <a href=\"#answers\">Who answers</a> ");
    html.raw("<a href=\"#wires\">Interfaces and wires</a> ");
    html.raw(if page.change.is_some() { "<a href=\"#change\">What to change</a> " } else { "" });
    html.raw("<a href=\"#kernel\">What the kernel holds</a></nav>\n");

    html.raw("<section id=\"findings\"><h2>Findings</h2>\n");
    findings::list(&mut html, page.diagnosis);
    html.raw("</section>\n<section id=\"answers\"><h2>Who answers for which address</h2>\n");
    html.raw("<p class=\"needs-script\">Choose a cell to see why, step by step. Arrow keys move between cells, Escape closes.</p>\n");
    match &after_matrix {
        None => matrix::table(&mut html, &now, Some("cell")),
        Some(after) => {
            html.raw("<div class=\"pair\"><div><h3>Now</h3>\n");
            matrix::table(&mut html, &now, Some("cell"));
            html.raw("</div><div><h3>With the plan</h3>\n");
            matrix::table(&mut html, after, Some("after"));
            html.raw("</div></div>\n");
        }
    }
    html.raw("<div aria-live=\"polite\">\n");
    steps::by_cell(&mut html, &model, &now, "cell", if after.is_some() { "Now: " } else { "" });
    if let (Some(model), Some(after)) = (&after_model, &after_matrix) {
        steps::by_cell(&mut html, model, after, "after", "With the plan: ");
    }
    html.raw("</div></section>\n<section id=\"wires\"><h2>Interfaces and wires</h2>\n");
    match (&after, &after_matrix) {
        (Some(after), Some(matrix)) => {
            html.raw("<div class=\"pair drawings\">");
            topology::draw(&mut html, page.snapshot, &now, "Now");
            topology::draw(&mut html, after, matrix, "With the plan");
            html.raw("</div>\n");
        }
        _ => topology::draw(&mut html, page.snapshot, &now, ""),
    }
    html.raw("</section>\n");
    if let Some((policy, plan)) = page.change {
        html.raw("<section id=\"change\"><h2>What to change</h2>\n");
        change::plan(&mut html, plan);
        if !plan.is_empty() {
            change::impact(&mut html, &plan.impact(page.snapshot, policy)?);
        }
        html.raw("</section>\n");
    }
    html.raw("<section id=\"kernel\"><h2>What the kernel holds</h2>\n");
    kernel_state::draw(&mut html, page.snapshot);
    html.raw("</section>\n</main>\n<script>").raw(SCRIPT).raw("</script>\n</body></html>\n");
    Ok(html.into_string())
}

fn head(html: &mut Markup, page: &Page<'_>) {
    html.raw("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
    html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    html.raw("<meta name=\"color-scheme\" content=\"light dark\">\n");
    // Nothing may be loaded, whatever got into the page.
    html.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; ");
    html.raw("script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n<title>ARP on ");
    html.text(page.title).raw("</title>\n<style>").raw(STYLE);
    html.raw("body.arpflux{margin:0;padding:1.2rem}.arpflux main{max-width:90rem;margin:0 auto}\n");
    html.raw(".arpflux nav a{margin-right:1rem;white-space:nowrap}</style></head>\n");
}

/// The page in a few words, for who reads no further.
fn summary(html: &mut Markup, diagnosis: &Diagnosis, now: &Matrix, after: Option<&Matrix>) {
    html.raw("<p>");
    for severity in Severity::ALL.into_iter().rev() {
        let count = diagnosis.findings.iter().filter(|finding| finding.severity == severity).count();
        if count > 0 {
            html.raw(findings::tag(severity)).text(count).raw(" ").text(severity);
            html.raw(if count > 1 && severity != Severity::Info { "s</span> " } else { "</span> " });
        }
    }
    let counts = now.counts();
    html.text(match counts {
        (0, open) if open > 0 => now.summary(),
        (0, _) => "No address has several MACs on one wire.".to_owned(),
        (flux, 0) => match flux {
            1 => "1 address has several MACs on one wire.".to_owned(),
            many => format!("{many} of {} addresses have several MACs on one wire.", now.rows.len()),
        },
        (..) => now.summary(),
    });
    if let Some(after) = after {
        html.text(match after.counts() {
            (0, 0) => " With the plan none has.".to_owned(),
            (0, open) => format!(" With the plan none is known to have, and of {open} it cannot be told."),
            (left, 0) => format!(" With the plan {left} still have."),
            (left, open) => format!(" With the plan {left} still have, and of {open} it cannot be told."),
        });
    }
    html.raw("</p>\n");
}
