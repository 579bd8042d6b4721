//! What the kernel will answer, and why: `net/ipv4/arp.c` and the answering half of `net/ipv6/ndisc.c` as pure functions.
//!
//! Build a [`Model`] from a [`Snapshot`] once, then ask it as often as needed:
//!
//! ```
//! use arpflux_core::predict::{ArpRequest, Model, Reason, Verdict};
//! use arpflux_core::snapshot::Snapshot;
//! use arpflux_core::types::IfIndex;
//!
//! let snapshot = Snapshot::default();
//! let model = Model::new(&snapshot)?;
//! let request = ArpRequest::broadcast(IfIndex(2), "10.0.0.9".parse()?, "10.0.0.1".parse()?);
//! assert_eq!(model.reply(&request), Verdict::Silent { reason: Reason::NoInterface });
//! println!("{}", model.explain(&request));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`Model::advertise`] is the same for a neighbour [`Solicitation`] of IPv6.
//!
//! [`Model::reply`] allocates nothing. [`Model::explain`] gives the same verdict with the typed
//! [`Step`]s that led to it. [`Model::outgoing`] says which interface and source address the host's own
//! requests use, [`Model::learns`] what it learns from frames, [`Model::announcements`] what it announces
//! by itself.
//!
//! # What is and is not modelled
//! An interface without carrier answers nobody ([`Reason::NoCarrier`]); what it would answer if a request did
//! arrive says a model of [`Snapshot::as_if_connected`]. What the snapshot does not tell makes a verdict [`Verdict::Undetermined`], but only where it would change this very
//! answer. So does a full neighbour table, for want of room in which the kernel drops answers for its own
//! addresses. Packet filters are run ([`crate::filter`]). Not modelled is ARP suppression by bridges and VXLAN.

mod address;
mod alike;
mod answers;
mod arrive;
mod classes;
mod discovery;
mod explain;
mod fib;
mod fib6;
mod filtered;
mod flux;
mod forwarded;
mod grid;
mod index;
mod interference;
pub(crate) mod kernel_version;
mod learn;
mod local;
mod matrix;
mod missing;
mod oracle;
mod outgoing;
mod overview;
mod packet;
mod proxy;
mod reason;
mod render;
mod reply;
mod request;
mod rules;
mod solicitors;
mod standing;
mod step;
mod table;
mod trace;
mod validate;
mod verdict;

use std::net::Ipv4Addr;

pub(crate) use classes::Classes;
pub(crate) use solicitors::{Class as SolicitorClass, solicitors};

pub use answers::{AddressAnswers, AnswerOn, Learned, LearnedFrom, LearnedOn, Malformed, Question, Reached};
pub use explain::Explanation;
pub(crate) use forwarded::Behind;
pub use forwarded::Forwarded;
pub use index::Model;
pub use learn::{Announcement, Entry, Event, Learning, Received};
pub use matrix::{
    Cell, Column, Matrix, Neighbours, Row, ipv4_targets, ipv6_targets, listeners, local_route_targets,
    targets,
};
pub use missing::{Missing, MissingSet};
pub use outgoing::{Outgoing, SourceRule};
pub use overview::{Line, Outcome, Overview};
pub use packet::{PacketKind, PassedOver};
pub use reason::Reason;
pub use request::{Advertised, Request, Solicitation};
pub use standing::Standing;
pub use step::{Lookup, Purpose, Step};
pub use verdict::{Delay, Verdict, Via};

use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::types::{IfIndex, Mac};

/// An ARP request as it arrives on an interface (RFC 826).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArpRequest {
    /// The interface it arrives on. For a port of a bridge or bond the answer of the bridge or bond is given.
    pub interface: IfIndex,
    /// Who asks; 0.0.0.0 in an RFC 5227 probe.
    pub sender: Ipv4Addr,
    /// The sender's MAC, where it matters; `None`: an ordinary neighbour's.
    pub sender_mac: Option<Mac>,
    /// The address asked for.
    pub target: Ipv4Addr,
    /// Whether the frame was sent to this interface's MAC instead of to all.
    pub unicast: bool,
}

impl ArpRequest {
    /// An ordinary request, sent to all.
    #[must_use]
    pub const fn broadcast(interface: IfIndex, sender: Ipv4Addr, target: Ipv4Addr) -> Self {
        Self { interface, sender, sender_mac: None, target, unicast: false }
    }

    /// An RFC 5227 probe: "does anybody have this address?", sender 0.0.0.0.
    #[must_use]
    pub const fn probe(interface: IfIndex, target: Ipv4Addr) -> Self {
        Self::broadcast(interface, Ipv4Addr::UNSPECIFIED, target)
    }
}

impl Snapshot {
    /// Who answers `request`, and why. Builds a [`Model`] for this one question; where there are more,
    /// build it once.
    ///
    /// ```
    /// use arpflux_core::predict::ArpRequest;
    /// use arpflux_core::snapshot::Snapshot;
    /// use arpflux_core::types::IfIndex;
    ///
    /// let request = ArpRequest::broadcast(IfIndex(2), "10.0.0.9".parse()?, "10.0.0.1".parse()?);
    /// println!("{}", Snapshot::default().explain(&request)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Snapshot::check`].
    pub fn explain<R: Copy + Into<Request>>(&self, request: &R) -> Result<Explanation> {
        Ok(Model::new(self)?.explain(request))
    }
}

#[cfg(test)]
mod link_tests;
#[cfg(test)]
mod scale_tests;
#[cfg(test)]
mod tests;
