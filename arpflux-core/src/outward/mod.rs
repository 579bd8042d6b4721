//! Records that leave for which a stage's own types are not enough: what the command prints besides.
//!
//! Front ends define none of their own: what the command, C and Python give as JSON is a type of this crate,
//! written by [`crate::json`]. A record that belongs to one stage stands there
//! ([`crate::proof::Claims`], [`crate::segment::SharedWires`], [`crate::predict::AddressAnswers`]).

#[cfg(feature = "kernel")]
mod host;
mod rehearsal;
mod stages;
mod tried;
#[cfg(feature = "kernel")]
pub mod vz;

#[cfg(feature = "kernel")]
pub use host::{Boot, DryRun, Pending, Proxies, Proxy, SetBy, Transactions};
pub use rehearsal::{
    Difference, Heard, HeardTurn, LeftOut, Rehearsal, RehearsedAnswer, RehearsedWay, RehearsedWire, WayEnd,
    WayHost,
};
pub use stages::{Catalogue, CatalogueEntry, Diagnosed, Failed, Failure, Planned, Recommended};
pub use tried::{Tried, TriedRequest};
