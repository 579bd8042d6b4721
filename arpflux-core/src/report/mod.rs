//! What the stages found, drawn for people and for monitoring. Pure: nothing here decides, reads files or
//! touches the kernel.
//!
//! [`html`] draws snapshots, matrices, plans and diagnoses, as fragments for notebooks and as one
//! self-contained page. [`metrics()`] gives numbers for node_exporter's textfile collector.

mod exposition;
pub mod html;
mod metrics;

#[cfg(feature = "kernel")]
pub(crate) use exposition::Exposition;
pub use metrics::metrics;
