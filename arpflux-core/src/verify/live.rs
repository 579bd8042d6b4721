//! A host verified as it is now.

use super::{CheckKind, Failure, Report, check, check_with};
use crate::apply::Options;
use crate::error::Result;
use crate::host::Host;
use crate::policy::Policy;
use crate::segment::Wires;
use crate::snapshot::Snapshot;
use crate::vz::{self, Registry};

/// What [`Host::verify`] found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Verified {
    /// What is as the policy says, and what is not.
    pub report: Report,
    /// The state that was looked at.
    pub snapshot: Snapshot,
    /// What was undone or removed before, one sentence each.
    pub notes: Vec<String>,
}

impl Host {
    /// Checks the host against a policy, as it is now: what a kill left is undone or removed first ([`Host::clear`]), and
    /// a change that is still in force against its time ([`Host::overdue`]) leaves the report open. With `wires`, it is
    /// known which interfaces share one. Nothing is sent: [`verify::wire`](crate::verify::wire) asks by frames.
    ///
    /// What is published for containers and other owners is looked at as [`Node::standing`](crate::vz::Node::standing) does: an address
    /// that is not as it should be is a failure, whether or not the policy names it.
    ///
    /// ```no_run
    /// use arpflux_core::{Host, Policy};
    ///
    /// let policy = Policy::from_path("policy.toml")?;
    /// let verified = Host::current()?.verify(&policy, None, &Default::default())?;
    /// println!("{}", verified.report);
    /// # Ok::<(), arpflux_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Host::clear`], [`Host::overdue`], [`Host::snapshot`], [`Node::registry`](crate::vz::Node::registry) and [`check`].
    pub fn verify(&self, policy: &Policy, wires: Option<&Wires>, options: &Options) -> Result<Verified> {
        let notes = self.clear(options)?;
        let overdue = self.overdue(options)?;
        let snapshot = self.snapshot()?;
        let mut report = match wires {
            Some(wires) => check_with(policy, &snapshot, wires)?,
            None => check(policy, &snapshot)?,
        };
        published(&mut report, &snapshot, &vz::registry(self, options)?)?;
        if let Some(sentence) = overdue {
            report.leave_open(sentence, Vec::new(), None);
        }
        Ok(Verified { report, snapshot, notes })
    }
}

/// Adds what is published, as [`Host::verify`] says, to a report on a state.
///
/// # Errors
/// As [`check`].
pub(crate) fn published(report: &mut Report, snapshot: &Snapshot, registry: &Registry) -> Result<()> {
    for one in vz::standing(snapshot, registry)? {
        report.count((!one.is_right()).then(|| Failure {
            check: CheckKind::Proxy,
            object: format!("{} of container {} on {}", one.address, one.owner, one.interface),
            expected: if one.idle.is_none() { "published" } else { "not published" }.into(),
            found: one.state(),
        }));
    }
    Ok(())
}
