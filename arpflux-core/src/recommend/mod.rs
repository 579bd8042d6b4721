//! Which policy fits a host, why, and the proof that it works there.
//!
//! ```
//! use arpflux_core::recommend::recommend;
//! use arpflux_core::snapshot::Snapshot;
//!
//! let recommended = recommend(&Snapshot::default())?;
//! assert!(recommended.plan.is_empty());
//! println!("{}", recommended.to_toml()?);
//! # Ok::<(), arpflux_core::Error>(())
//! ```
//!
//! The host is recognised first ([`Topology`]), then policies that fit are tried in order: each is planned,
//! the plan is made on a copy of the snapshot, and all of [`crate::verify`] is proved there. One that fails,
//! or that silences what worked before (a container behind an interface without an address, a
//! point-to-point peer, an address that nobody would answer for any more), is refused with the reason. So
//! are the recipes often told, where the model shows what they break on this host.
//!
//! Recommending twice gives the same policy, also after it was applied, but for `proxy_arp = "off"`: what needs it is
//! gone then.

mod candidate;
mod file;
mod notes;
mod proxies;
mod recipe;
mod strict;
mod topology;

#[cfg(test)]
mod tests;

use std::fmt;

use serde::Serialize;

pub(crate) use topology::{PLUGIN_NAMES, PLUGIN_PREFIXES};
pub use topology::{Seen, Topology};

use crate::diagnose::{self, FindingId, Severity};
use crate::error::{Error, ErrorKind, Result};
use crate::judgement::{self, Judgement};
use crate::plan::{Impact, Plan};
use crate::policy::Policy;
use crate::segment::Wires;
use crate::snapshot::Snapshot;
use crate::verify::Report;
use topology::Context;

/// A policy that fits a host. [`Recommendation::to_toml`] gives it as a file that says why.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Recommendation {
    /// What sort of host it is; never empty.
    pub seen: Vec<Seen>,
    /// The policy.
    #[serde(serialize_with = "file::versioned")]
    pub policy: Policy,
    /// Why each key of the policy is as it is.
    pub reasons: Vec<Reason>,
    /// What is not recommended, and why.
    pub refused: Vec<Refused>,
    /// What the policy changes on this host.
    pub plan: Plan,
    /// What was checked and proved of the host as it is after the plan.
    pub proof: Report,
    /// With which values of `rp_filter` on its interfaces all of the proof holds; empty if the policy's
    /// interfaces do not share a wire, so that it does not matter.
    pub rp_filter: Vec<i32>,
    /// What the policy does not settle, one sentence each.
    pub notes: Vec<String>,
    /// The errors and warnings that are found on the host as it is after the plan: what the policy leaves.
    pub left: Vec<Left>,
}

/// Why a key of the policy is as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Reason {
    /// The key: `host.strategy`, `proxy[0].interface`.
    pub key: String,
    /// Why, as a sentence.
    pub text: String,
}

/// An error or a warning that the policy leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Left {
    /// What it is.
    pub id: FindingId,
    /// What happens, in one sentence.
    pub what: String,
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.what)
    }
}

/// What is not recommended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Refused {
    /// What: settings or a strategy.
    pub recipe: String,
    /// What it breaks here, or why it does not work.
    pub why: String,
}

/// Recommends a policy for the host that `snapshot` shows. Pure: it needs no privileges and works on a stored
/// snapshot.
///
/// # Errors
/// [`ErrorKind::VerifyFailed`] if no policy would work on this host as it is; the error says what stands in the
/// way; [`ErrorKind::Undetermined`] if which one does good cannot be told; those of [`Snapshot::check`].
pub fn recommend(snapshot: &Snapshot) -> Result<Recommendation> {
    recommend_with(snapshot, None)
}

/// The same where it is known which interfaces share a wire: interfaces without an address are no riddle then.
///
/// # Errors
/// As [`recommend`].
pub fn recommend_with(snapshot: &Snapshot, wires: Option<&Wires>) -> Result<Recommendation> {
    snapshot.check()?;
    let context = Context::new(snapshot, wires);
    let mut refused = Vec::new();
    let mut first_error: Option<Error> = None;
    for candidate in candidate::candidates(&context) {
        match candidate.tried(&context) {
            Ok(tried) => {
                refused.extend(recipe::refused(&context));
                return Ok(Recommendation {
                    seen: context.seen.clone(),
                    rp_filter: candidate.rp_filter(&context),
                    notes: notes::notes(&context, &candidate, &tried),
                    left: left(&tried.after),
                    policy: candidate.policy,
                    reasons: candidate.reasons,
                    refused,
                    plan: tried.plan,
                    proof: tried.proof,
                });
            }
            Err(error) => {
                let why = match error.remedy() {
                    Some(remedy) => format!("{}: {}; {remedy}", error.object(), error.message()),
                    None => format!("{}: {}", error.object(), error.message()),
                };
                refused
                    .push(Refused { recipe: candidate.name(), why: why.trim_start_matches(": ").to_owned() });
                first_error.get_or_insert(error);
            }
        }
    }
    let error = first_error.unwrap_or_else(|| Error::new(ErrorKind::Internal, "no policy was tried"));
    Err(match error.kind() {
        // That none works here is the answer.
        ErrorKind::Refused => error.of_kind(ErrorKind::VerifyFailed),
        _ => error,
    }
    .during("recommend"))
}

/// What the whole diagnosis finds on the host after the plan.
fn left(after: &Snapshot) -> Vec<Left> {
    let mut found = diagnose::apart_from_missing(after);
    found.retain(|finding| finding.severity >= Severity::Warning);
    found.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.id));
    found.into_iter().map(|finding| Left { id: finding.id, what: finding.what }).collect()
}

impl Recommendation {
    /// Good if all that was proved certainly holds; a policy that changes nothing and has nothing to prove is good.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        if self.proof.checks == 0 { Judgement::Good } else { self.proof.judgement() }
    }

    /// What cannot be told of the proof, in one line; `None` if all can.
    #[must_use]
    pub fn last_line(&self) -> Option<String> {
        let Judgement::Undetermined { missing, apart } = self.judgement() else { return None };
        let apart = match apart {
            Some(true) => "all holds with this policy",
            Some(false) => "some of it does not hold with this policy",
            None => "",
        };
        let open = format!("{} of {} claims", self.proof.undetermined.len(), self.proof.checks);
        Some(judgement::last_line(&open, &missing, apart))
    }

    /// What the policy does to answers on the host it was made for.
    ///
    /// # Errors
    /// As [`Snapshot::check`].
    pub fn impact(&self, snapshot: &Snapshot) -> Result<Impact> {
        self.plan.impact(snapshot, &self.policy)
    }
}
