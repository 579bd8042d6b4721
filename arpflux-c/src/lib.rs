//! The C library. `include/arpflux.h` is generated from this crate; its opening text, which
//! `cbindgen.toml` holds, states the conventions that every function here follows.
#![expect(non_camel_case_types, reason = "the names are those of the C header")]
#![expect(
    clippy::missing_safety_doc,
    reason = "the conventions at the top of the header are the contract of every function"
)]

#[cfg(panic = "abort")]
compile_error!("a panic must not end the caller's process: build with panic = \"unwind\"");

mod args;
mod assessment;
mod boundary;
mod callback;
mod fork;
mod handle;
mod options;

pub mod announce;
pub mod apply;
pub mod capture;
pub mod change;
pub mod code;
pub mod container;
pub mod detect;
pub mod diagnose;
pub mod error;
pub mod explain;
pub mod host;
pub mod impact;
pub mod ip;
pub mod judgement;
pub mod matrix;
pub mod names;
pub mod outgoing;
pub mod persist;
pub mod plan;
pub mod policy;
pub mod probe;
pub mod proof;
pub mod proxies;
pub mod recommend;
pub mod segment;
pub mod snapshot;
pub mod stop;
pub mod string;
pub mod verify;
pub mod version;
pub mod watch;
pub mod wires;

#[cfg(test)]
mod tests;
