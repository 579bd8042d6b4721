//! The C library. `include/arpflux.h` is generated from this crate; its opening text, which
//! `cbindgen.toml` holds, states the conventions that every function here follows.
#![expect(non_camel_case_types, reason = "the names are those of the C header")]
#![expect(
    clippy::missing_safety_doc,
    reason = "the conventions at the top of the header are the contract of every function"
)]

#[cfg(panic = "abort")]
compile_error!("a panic must not end the caller's process: build with panic = \"unwind\"");

mod boundary;
mod handle;
mod options;

pub mod apply;
pub mod code;
pub mod error;
pub mod explain;
pub mod host;
pub mod ip;
pub mod plan;
pub mod policy;
pub mod snapshot;
pub mod string;
pub mod verify;
pub mod version;

#[cfg(test)]
mod tests;
