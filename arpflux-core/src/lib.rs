#![doc = include_str!("../README.md")]
//!
//! # Modules
//!
//! They stand in the order of the pipeline:
//!
//! ```text
//! snapshot ──> predict ──> diagnose ──> plan ──> apply ──> verify
//!   kernel      who          what is     what      change    config +
//!   state      answers       wrong      to do      it        model + wire
//! ```
//!
//! [`predict`], [`diagnose`] and [`plan`] are pure functions over a [`Snapshot`]: they need no privileges,
//! run on a snapshot of another machine, and build without the feature `kernel`. Only `kernel` reads and
//! changes the state of the network.
#![deny(missing_docs)]
// The documentation pages say of each item which feature it needs.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(feature = "kernel", not(target_os = "linux")))]
compile_error!(
    "the feature `kernel` of arpflux-core needs Linux; on other systems use `default-features = false`: \
     snapshots of Linux hosts are explained, diagnosed and planned for there"
);

// What tests inside and outside of this crate share names it as those outside do.
#[cfg(test)]
extern crate self as arpflux_core;

/// For each field of a record that may grow, a function that sets it and gives the record back.
macro_rules! setters {
    ($($(#[$attribute:meta])* $field:ident: $type:ty),+ $(,)?) => {$(
        #[doc = concat!("With this `", stringify!($field), "`.")]
        $(#[$attribute])*
        #[must_use]
        pub fn $field(mut self, $field: impl Into<$type>) -> Self {
            self.$field = $field.into();
            self
        }
    )+};
}

/// An event for whoever listens: nothing without the feature `tracing`.
macro_rules! event {
    ($level:ident, $($field:tt)+) => {
        #[cfg(feature = "tracing")]
        tracing::event!(tracing::Level::$level, $($field)+)
    };
}

pub mod error;
pub mod exit;
pub mod json;
pub mod stop;
pub mod sysctl;
pub mod text;
pub mod types;
#[cfg(feature = "unpack")]
pub mod unpack;
pub mod words;

pub mod filter;
pub mod frame;

pub mod snapshot;

pub mod predict;

pub mod judgement;

pub mod harm;

pub mod proof;

#[cfg(feature = "schema")]
pub mod schema;

pub mod segment;

pub mod policy;

pub mod state;

pub mod plan;

pub mod verify;

pub mod recommend;

pub mod diagnose;

pub mod report;

pub mod outward;

#[cfg(feature = "kernel")]
pub mod persist;

#[cfg(feature = "kernel")]
pub mod kernel;

#[cfg(feature = "kernel")]
pub mod apply;

#[cfg(feature = "kernel")]
pub mod wire;

#[cfg(feature = "kernel")]
pub mod host;

#[cfg(feature = "kernel")]
pub mod watch;

#[cfg(feature = "kernel")]
pub mod vz;

pub use error::{Error, ErrorKind, Result};
#[cfg(feature = "kernel")]
pub use host::Host;
pub use plan::Plan;
pub use policy::Policy;
pub use predict::{ArpRequest, Explanation, Model, Verdict};
pub use snapshot::Snapshot;
pub use stop::Stop;
pub use sysctl::Sysctl;

/// The examples of the README compile.
#[cfg(all(doctest, feature = "kernel"))]
#[doc = include_str!("../../README.md")]
struct Readme;
