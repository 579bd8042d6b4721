//! The whole pipeline on one scenario, with real frames, in throw-away namespaces.
//!
//! A hardware node with three interfaces on one wire and two containers behind `venet0`; the wrong
//! answers as they come (Examples One and Three), the fixes that do not do (`arp_filter`) or do half
//! (Example Two), then a policy planned, applied and proved, taken back, and that proved as well.
//!
//! [`run`] tells the story to whoever listens, line by line ([`Telling`]), and returns a [`Report`].
//! Every claim in it is a check of what was seen on the wire; none is taken from the configuration.

mod acts;
mod observe;
mod scenario;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use serde::Serialize;

use arpflux_core::error::Result;

/// One line of the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Telling {
    /// A new act.
    Act(String),
    /// What is said.
    Text(String),
    /// What was done, as somebody would type it.
    Command(String),
    /// A frame that was captured, as tcpdump prints it; `notable` ones show what the act is about.
    Frame {
        /// The line.
        text: String,
        /// Whether it is worth a colour.
        notable: bool,
    },
    /// A claim, and whether it holds.
    Check(Check),
}

/// A claim that was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The claim.
    pub claim: String,
    /// Whether it holds.
    pub ok: bool,
    /// What was seen, if it does not.
    pub seen: Option<String>,
}

/// Who answers for an address, and by which interfaces its packets leave.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Seen {
    /// Interfaces of the node that answered, in its order.
    pub answered_by: Vec<String>,
    /// Interfaces of the node that packets from the address left by.
    pub left_by: Vec<String>,
}

/// One address before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The address.
    pub address: Ipv4Addr,
    /// Whose it is.
    pub owner: String,
    /// The only interface that should answer.
    pub wanted: String,
    /// Before the policy.
    pub before: Seen,
    /// With the policy.
    pub after: Seen,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether every claim holds.
    pub ok: bool,
    /// Every claim.
    pub checks: Vec<Check>,
    /// Before and after, one row for each address.
    pub addresses: Vec<Row>,
    /// The capture files.
    pub files: Vec<PathBuf>,
    /// How long it took, in ms.
    pub took_ms: u64,
}

/// Runs the demo. Capture files go into the folder `out`, which is made if it is not there; the state
/// of transactions goes into `state`, a folder of the caller's alone that may be deleted afterwards.
///
/// # Errors
/// [`arpflux_core::ErrorKind::PermissionDenied`] as [`crate::privileges`], and whatever fails; a claim
/// that does not hold is no error but a [`Check`] in the report.
pub fn run(out: &Path, state: &Path, tell: &mut dyn FnMut(Telling)) -> Result<Report> {
    acts::Demo::new(out, state, tell)?.run()
}
