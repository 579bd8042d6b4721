//! Snapshots, matrices, plans and diagnoses drawn as HTML.
//!
//! [`page()`] gives one self-contained page about a host; every other function gives a fragment with its own style, for a notebook or a page of somebody else's.
//! Nothing is loaded from anywhere, everything that is not of this crate is escaped, and colours follow
//! the reader's choice of light or dark. All can be read without colour and without a script.
//!
//! ```
//! use arpflux_core::report::html;
//! use arpflux_core::snapshot::Snapshot;
//!
//! let fragment = html::snapshot(&Snapshot::default())?;
//! assert!(fragment.starts_with("<div class=\"arpflux\">"));
//! # Ok::<(), arpflux_core::Error>(())
//! ```

mod change;
mod findings;
mod kernel_state;
mod markup;
mod matrix;
mod page;
mod steps;
mod topology;

#[cfg(test)]
mod tests;

use markup::Markup;
pub use page::{Page, page};

use crate::diagnose::Diagnosis;
use crate::error::Result;
use crate::plan::{Impact, Plan};
use crate::predict::{Matrix, Model};
use crate::snapshot::Snapshot;

const STYLE: &str = include_str!("style.css");

/// A fragment of its own: the style, then what `draw` draws.
fn fragment(draw: impl FnOnce(&mut Markup)) -> String {
    let mut html = Markup::default();
    html.raw("<div class=\"arpflux\"><style>").raw(STYLE).raw("</style>\n");
    draw(&mut html);
    html.raw("</div>\n");
    html.into_string()
}

/// A snapshot: its interfaces and wires as a drawing, who answers for which address and why, and what the
/// kernel holds.
///
/// # Errors
/// As [`Snapshot::check`].
pub fn snapshot(snapshot: &Snapshot) -> Result<String> {
    let model = Model::new(snapshot)?;
    let drawn = Matrix::of(&model);
    Ok(fragment(|html| {
        topology::draw(html, snapshot, &drawn, "");
        matrix::table(html, &drawn, None);
        steps::by_address(html, &model, &drawn);
        kernel_state::draw(html, snapshot);
    }))
}

/// Who answers for which address, on which interface, by which rule.
#[must_use]
pub fn matrix(drawn: &Matrix) -> String {
    fragment(|html| matrix::table(html, drawn, None))
}

/// What a plan changes, and what it decided where the policy left it open.
#[must_use]
pub fn plan(plan: &Plan) -> String {
    fragment(|html| change::plan(html, plan))
}

/// Which answers a change makes different; those for addresses that nobody meant to change first.
#[must_use]
pub fn impact(impact: &Impact) -> String {
    fragment(|html| change::impact(html, impact))
}

/// What is wrong with a host, why, and what to do.
#[must_use]
pub fn diagnosis(diagnosis: &Diagnosis) -> String {
    fragment(|html| findings::list(html, diagnosis))
}
