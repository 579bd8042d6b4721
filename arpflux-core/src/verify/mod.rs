//! Whether a host is as a policy says: by what the kernel holds, and by what the model says of it.
//!
//! [`configuration`] compares every value, entry, rule and route that the policy wants with what a fresh
//! snapshot shows. [`model`] proves, for all senders and targets, that each address is answered by its
//! own interface and by no other. Both are pure; [`check`] does both. Frames on the wire are the third
//! witness and add to the same [`Report`].
//!
//! A report counts what was checked: one that has checked nothing is never good.

mod configuration;
mod discovery;
#[cfg(feature = "kernel")]
mod live;
mod model;
mod report;
#[cfg(feature = "kernel")]
pub mod wire;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;

pub use configuration::configuration;
#[cfg(feature = "kernel")]
pub use live::Verified;
#[cfg(feature = "kernel")]
pub(crate) use live::published;
use model::Part;
pub use model::model;
pub use report::{AddressReport, CheckKind, Failure, Report, ReportRecord, Witnesses};

use crate::error::{Error, ErrorKind, Result};
use crate::plan::desired::{Desired, desired};
use crate::policy::Policy;
use crate::segment::Wires;
use crate::snapshot::{Snapshot, WireMap, table};
use crate::stop::Stop;

/// Checks `snapshot` against `policy` by configuration and by the model.
///
/// # Errors
/// [`ErrorKind::InvalidPolicy`] if the policy itself makes no sense. A policy that cannot hold on this
/// host (an interface is gone, `all` defeats it) is a failure in the report, not an error.
pub fn check(policy: &Policy, snapshot: &Snapshot) -> Result<Report> {
    check_until(policy, snapshot, &Stop::default())
}

/// The same where it is known which interfaces share a wire: what subnets leave open is no riddle then.
///
/// # Errors
/// As [`check`].
pub fn check_with(policy: &Policy, snapshot: &Snapshot, wires: &Wires) -> Result<Report> {
    check_on(policy, snapshot, &wires.map(snapshot), &Stop::default())
}

/// The same; [`ErrorKind::Interrupted`] soon after `stop` is raised.
pub(crate) fn check_until(policy: &Policy, snapshot: &Snapshot, stop: &Stop) -> Result<Report> {
    check_on(policy, snapshot, &WireMap::of(snapshot), stop)
}

/// The same on the wires of `map`.
pub(crate) fn check_on(policy: &Policy, snapshot: &Snapshot, map: &WireMap, stop: &Stop) -> Result<Report> {
    checked(policy, snapshot, map, Part::Whole, stop)
}

/// The same of what a policy settles: the IPv6 addresses that the host holds itself are left out.
pub(crate) fn settled(policy: &Policy, snapshot: &Snapshot, map: &WireMap) -> Result<Report> {
    checked(policy, snapshot, map, Part::Settled, &Stop::default())
}

/// What the model says of these.
pub(crate) fn not_settled(policy: &Policy, snapshot: &Snapshot, map: &WireMap) -> Result<Report> {
    model::model_until(policy, snapshot, map, Part::OwnIpv6, &Stop::default())
}

fn checked(policy: &Policy, snapshot: &Snapshot, map: &WireMap, part: Part, stop: &Stop) -> Result<Report> {
    let mut report = configuration(policy, snapshot)?;
    let as_wanted = report.failures.is_empty();
    stop.check()?;
    report.merge(model::model_until(policy, snapshot, map, part, stop)?);
    if as_wanted && let Ok(desired) = wanted(policy, snapshot)? {
        count_settings(&desired, snapshot, &mut report);
    }
    event!(
        DEBUG,
        checks = report.checks,
        failures = report.failures.len(),
        judgement = %report.judgement(),
        "verified"
    );
    Ok(report)
}

/// How many settings there are for each address: those of the interface that answers, and entries, rules and routes
/// for the address itself. Called where all of them are as they should be.
fn count_settings(desired: &Desired, snapshot: &Snapshot, report: &mut Report) {
    let mut of_interface: HashMap<(bool, String), usize> = HashMap::new();
    let v4 = desired.sysctls.iter().map(|wanted| (false, wanted.interface));
    for (ipv6, index) in v4.chain(desired.ipv6_sysctls.iter().map(|wanted| (true, wanted.interface))) {
        *of_interface.entry((ipv6, snapshot.name_of(index))).or_default() += 1;
    }
    let mut routes: HashMap<u32, usize> = HashMap::new();
    for route in &desired.routes {
        *routes.entry(route.table).or_default() += 1;
    }
    let mut of_address: HashMap<IpAddr, usize> = HashMap::new();
    for entry in &desired.proxies {
        *of_address.entry(entry.address).or_default() += 1;
    }
    for rule in &desired.rules {
        if let Some(source) = rule.source {
            let led =
                if rule.table == table::MAIN { 0 } else { routes.get(&rule.table).copied().unwrap_or(0) };
            *of_address.entry(source.addr()).or_default() += 1 + led;
        }
    }
    for address in &mut report.addresses {
        let settings = |count: Option<&usize>| count.copied().unwrap_or(0);
        let key = (address.address.is_ipv6(), address.expected.clone());
        address.by.settings = settings(of_interface.get(&key)) + settings(of_address.get(&address.address));
    }
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
