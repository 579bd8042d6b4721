//! What verification found.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::json;

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CheckKind {
    /// Whether the policy can hold on this host at all.
    Policy,
    /// A sysctl's value.
    Sysctl,
    /// A proxy entry.
    Proxy,
    /// A policy routing rule.
    Rule,
    /// A route.
    Route,
    /// What the model says of all requests for an address.
    Model,
    /// Answers seen on the wire.
    Wire,
}

impl fmt::Display for CheckKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Policy => "policy",
            Self::Sysctl => "sysctl",
            Self::Proxy => "proxy entry",
            Self::Rule => "rule",
            Self::Route => "route",
            Self::Model => "model",
            Self::Wire => "wire",
        })
    }
}

/// Something that is not as the policy says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// What was looked at.
    pub check: CheckKind,
    /// The sysctl, entry, rule, route or address.
    pub object: String,
    /// What it should be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: expected {}, found {}", self.check, self.object, self.expected, self.found)
    }
}

/// Who should answer for an address, and who does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressReport {
    /// The address.
    pub address: IpAddr,
    /// The interface that should answer.
    pub expected: String,
    /// Those that do, whoever asks.
    pub answering: Vec<String>,
}

/// What verification found. See the [module](super) text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Report {
    /// How many things were checked.
    pub checks: usize,
    /// By address: who should answer, and who does.
    pub addresses: Vec<AddressReport>,
    /// What is not as the policy says; the first comes first in the order of the plan.
    pub failures: Vec<Failure>,
    /// What cannot be told from the snapshot, one sentence each. It is neither good nor bad.
    pub undetermined: Vec<String>,
}

/// A [`Report`] as it leaves.
#[derive(Debug, Serialize)]
pub struct ReportRecord<'a> {
    ok: bool,
    #[serde(flatten)]
    report: &'a Report,
}

impl Report {
    /// Whether something was checked and all of it is as the policy says.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.checks > 0 && self.failures.is_empty()
    }

    /// Counts one check; `failure` is what it found wrong, if anything.
    pub fn count(&mut self, failure: Option<Failure>) {
        self.checks += 1;
        self.failures.extend(failure);
    }

    /// Adds what another witness found. Where both speak of an address, an interface answers if either says so.
    pub fn merge(&mut self, other: Report) {
        self.checks += other.checks;
        self.failures.extend(other.failures);
        self.undetermined.extend(other.undetermined);
        if self.addresses.is_empty() {
            self.addresses = other.addresses;
            return;
        }
        for theirs in other.addresses {
            match self.addresses.iter_mut().find(|ours| ours.address == theirs.address) {
                Some(ours) => {
                    for name in theirs.answering {
                        if !ours.answering.contains(&name) {
                            ours.answering.push(name);
                        }
                    }
                }
                None => self.addresses.push(theirs),
            }
        }
    }

    /// The report, or an error that names the first thing that is not so.
    ///
    /// # Errors
    /// [`ErrorKind::VerifyFailed`] unless [`Report::ok`].
    pub fn into_result(self) -> Result<Self> {
        match self.failures.as_slice() {
            [] if self.checks > 0 => Ok(self),
            [] => Err(Error::new(ErrorKind::VerifyFailed, "nothing was checked")
                .during("verify")
                .hint("the policy asks for nothing here: name interfaces or addresses")),
            [first, rest @ ..] => {
                let message = format!("expected {}, found {}", first.expected, first.found);
                let error = Error::new(ErrorKind::VerifyFailed, message)
                    .during("verify")
                    .on(format!("{} {}", first.check, first.object));
                Err(match rest.len() {
                    0 => error.hint("`arpflux plan` shows what to change"),
                    more => error.hint(format!("and {more} more; `arpflux plan` shows what to change")),
                })
            }
        }
    }

    /// The report as one JSON object: `schema`, `ok`, `checks`, `addresses`, `failures`, `undetermined`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if a value cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(&self.record()).map_err(|error| error.during("write report"))
    }

    /// The report as it leaves: with whether all is well before its own keys.
    #[must_use]
    pub fn record(&self) -> ReportRecord<'_> {
        ReportRecord { ok: self.ok(), report: self }
    }
}

impl fmt::Display for Report {
    /// For people: who answers for each address, what is wrong, and the count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.addresses.iter().map(|a| a.address.to_string().len()).max().unwrap_or(0);
        for report in &self.addresses {
            let answering = match report.answering.as_slice() {
                [] => "nobody".into(),
                names => names.join(", "),
            };
            let good = report.answering == [report.expected.as_str()];
            let mark = if good { "ok " } else { "BAD" };
            write!(f, "{mark} {:address$}  answered by {answering}", report.address)?;
            writeln!(
                f,
                "{}",
                if good { String::new() } else { format!(", not by {} alone", report.expected) }
            )?;
        }
        for failure in &self.failures {
            writeln!(f, "BAD {failure}")?;
        }
        for sentence in &self.undetermined {
            writeln!(f, "??? {sentence}")?;
        }
        let (checks, failures) = (self.checks, self.failures.len());
        match failures {
            0 => writeln!(f, "{checks} checks, all good"),
            _ => writeln!(f, "{checks} checks, {failures} failed"),
        }
    }
}
