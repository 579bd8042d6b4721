//! Decides a claim about a snapshot for all senders and all targets, of IPv4 and of IPv6, instead of sampling.
//!
//! ```
//! use arpflux_core::proof::{Expectation, Proof, Prover};
//! use arpflux_core::snapshot::Snapshot;
//!
//! let snapshot = Snapshot::default();
//! let mut prover = Prover::new(&snapshot)?;
//! // Nobody answers for anything in a namespace without interfaces, whoever asks.
//! let claim = Expectation::ExactlyOne { target: "192.0.2.1".parse()?, among: Vec::new() };
//! assert!(matches!(prover.prove(&claim), Proof::Refuted(_)));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Why it is sound
//! The model reads the two addresses of a request only through finitely many questions, listed in
//! `space.rs`. Addresses with the same answers to all of them form a class; one request for each
//! pair of classes stands for all requests between them. A request for the sender's own address is
//! the one question that is about both at once, so it is evaluated for each class of targets besides.
//!
//! Of a solicitation for an IPv6 address the model asks less of its source: rules, routes with a source, filters, neighbour
//! entries and the kind of address (`predict/solicitors.rs`). One source of each class stands for all; and of a prefix, all
//! addresses that are held, proxied or anycast ones, and one of the others. It is about what goes to the solicited-node group: a
//! neighbour that asks by unicast has the MAC already, and asks that interface whether it is still so.
//!
//! That representatives do stand for their classes is tested on random hosts and requests, and the
//! model itself is compared with the running kernel.
//!
//! # What it costs
//! With n prefixes, addresses, rules and proxy entries, splitting takes O(n log n), and O(n) for each interface with
//! entries of its own that is asked. That an interface answers nobody for an address is seen without asking where
//! neither its settings nor an entry let it answer. Elsewhere at most c(senders) requests are evaluated for each class
//! of targets that a claim is about, on each interface, and fewer where one is answered; that one answers its
//! neighbours takes those of their classes alone. Results are kept. Numbers of
//! classes grow with the number of *different* routes, rules and sets of proxying interfaces, not with
//! the number of entries.

mod answers;
mod asking;
mod claims;
mod contradiction;
mod expectation;
mod layer;
mod others;
mod packets;
mod prover;
mod row;
mod sender;
mod space;
mod split;

pub use claims::{Claim, Claims, Targets};
pub use contradiction::{Contradiction, Evidence};
pub use expectation::Expectation;
pub(crate) use expectation::is_link_local;
pub use prover::{Proof, Prover};
pub(crate) use space::{Space, View, masters};
pub(crate) use split::Members;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
