//! Whether a host is as a policy says: by what the kernel holds, and by what the model says of it.
//!
//! [`configuration`] compares every value, entry, rule and route that the policy wants with what a fresh
//! snapshot shows. [`model`] proves, for all senders and targets, that each address is answered by its
//! own interface and by no other. Both are pure; [`check`] does both. Frames on the wire are the third
//! witness and add to the same [`Report`].
//!
//! A report counts what was checked: one that has checked nothing is never good.

mod configuration;
mod model;
mod report;
#[cfg(feature = "kernel")]
pub mod wire;

#[cfg(test)]
mod tests;

pub use configuration::configuration;
pub use model::model;
pub use report::{AddressReport, CheckKind, Failure, Report, ReportRecord};

use crate::error::{Error, ErrorKind, Result};
use crate::plan::desired::{Desired, desired};
use crate::policy::Policy;
use crate::snapshot::Snapshot;

/// Checks `snapshot` against `policy` by configuration and by the model.
///
/// # Errors
/// [`ErrorKind::InvalidPolicy`] if the policy itself makes no sense. A policy that cannot hold on this
/// host (an interface is gone, `all` defeats it) is a failure in the report, not an error.
pub fn check(policy: &Policy, snapshot: &Snapshot) -> Result<Report> {
    let mut report = configuration(policy, snapshot)?;
    report.merge(model(policy, snapshot)?);
    Ok(report)
}

/// What the policy wants here, or the failure that says why it cannot hold.
fn wanted(policy: &Policy, snapshot: &Snapshot) -> Result<Result<Desired, Failure>> {
    match desired(policy, snapshot) {
        Ok(desired) => Ok(Ok(desired)),
        Err(error) => match error.kind() {
            ErrorKind::Refused | ErrorKind::NotFound | ErrorKind::Unsupported => Ok(Err(impossible(&error))),
            _ => Err(error),
        },
    }
}

fn impossible(error: &Error) -> Failure {
    Failure {
        check: CheckKind::Policy,
        object: error.object().to_owned(),
        expected: "the policy can hold".into(),
        found: match error.remedy() {
            Some(remedy) => format!("{}; {remedy}", error.message()),
            None => error.message().to_owned(),
        },
    }
}
