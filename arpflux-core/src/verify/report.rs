//! What verification found.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};
use crate::json;
use crate::judgement::{self, Gap, Judgement, both};
use crate::types::Mac;
use crate::words::{counted, folded, listed};

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
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

/// Stands for no interface where one is named that should answer.
pub(super) const NOBODY: &str = "nobody";

/// Who should answer for an address, and who does.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AddressReport {
    /// The address.
    pub address: IpAddr,
    /// The interface that should answer; `nobody` if none should.
    pub expected: String,
    /// Those that do, whoever asks.
    pub answering: Vec<String>,
    /// Those of which that cannot be told.
    #[serde(default)]
    pub undetermined: Vec<String>,
    /// The one that should answer has no carrier: nobody can ask it.
    #[serde(default)]
    pub unheard: bool,
    /// By what it was checked; for people, no part of any record.
    #[serde(skip)]
    pub by: Witnesses,
}

/// Reports are equal that say the same, by whatever it was checked.
impl PartialEq for AddressReport {
    fn eq(&self, other: &Self) -> bool {
        let Self { address, expected, answering, undetermined, unheard, by: _ } = self;
        (*address, expected, answering, undetermined, *unheard)
            == (other.address, &other.expected, &other.answering, &other.undetermined, other.unheard)
    }
}

impl Eq for AddressReport {}

/// By what an address was checked. `Display`: `7 settings, model for all senders, wire: 1 reply of 1 asked`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Witnesses {
    /// How many values, entries, rules and routes for it are as they should be.
    pub settings: usize,
    /// Whether the model was asked about all senders.
    pub model: bool,
    /// On how many interfaces it was asked for with frames, and the MACs that answered.
    pub wire: Option<(usize, Vec<Mac>)>,
}

impl fmt::Display for Witnesses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        if self.settings > 0 {
            words.push(counted(self.settings, "setting", "settings"));
        }
        if self.model {
            words.push("model for all senders".to_owned());
        }
        if let Some((asked, macs)) = &self.wire {
            let mut word = format!("wire: {} of {asked} asked", counted(macs.len(), "reply", "replies"));
            if !macs.is_empty() {
                word += &format!(" ({})", folded(macs));
            }
            words.push(word);
        }
        f.write_str(&words.join(", "))
    }
}

impl Witnesses {
    /// Adds what another one saw.
    fn merge(&mut self, other: Self) {
        self.settings += other.settings;
        self.model |= other.model;
        self.wire = other.wire.or(self.wire.take());
    }
}

impl AddressReport {
    /// Whether the one that should answer does, and no other, or nobody where nobody should; `None` if that cannot be
    /// told, or nobody can ask.
    #[must_use]
    pub fn ok(&self) -> Option<bool> {
        if self.answering.iter().any(|name| *name != self.expected) {
            return Some(false);
        }
        if self.unheard {
            return None;
        }
        let silent = self.expected == NOBODY;
        if self.undetermined.is_empty() { Some(silent || !self.answering.is_empty()) } else { None }
    }
}

/// What verification found. See the [module](super) text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Report {
    /// How many things were checked, those that cannot be told among them.
    pub checks: usize,
    /// By address: who should answer, and who does.
    pub addresses: Vec<AddressReport>,
    /// What is not as the policy says; the first comes first in the order of the plan.
    pub failures: Vec<Failure>,
    /// What cannot be told, one sentence each. It is neither good nor bad.
    pub undetermined: Vec<String>,
    /// What is missing for that.
    #[serde(default)]
    pub missing: Vec<Gap>,
    /// Whether all that cannot be told holds apart from what is missing; `None`: that cannot be told either, or
    /// nothing is missing.
    #[serde(default)]
    pub ok_apart_from_that: Option<bool>,
}

/// A [`Report`] as it leaves.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportRecord<'a> {
    ok: Option<bool>,
    #[serde(flatten)]
    report: &'a Report,
}

impl Report {
    /// Whether something was checked and all of it is certainly as the policy says.
    #[must_use]
    pub fn ok(&self) -> bool {
        self.judgement().ok() == Some(true)
    }

    /// Bad if something is not as the policy says or nothing was checked; undetermined if something cannot be
    /// told.
    #[must_use]
    pub fn judgement(&self) -> Judgement {
        if !self.failures.is_empty() || self.checks == 0 {
            return Judgement::Bad;
        }
        if self.undetermined.is_empty() {
            return Judgement::Good;
        }
        Judgement::Undetermined { missing: self.missing.clone(), apart: self.ok_apart_from_that }
    }

    /// Counts one check that cannot be told: the claim in a sentence, and what is missing for it.
    pub fn leave_open(&mut self, sentence: String, missing: Vec<Gap>, apart: Option<bool>) {
        let first = self.undetermined.is_empty();
        self.checks += 1;
        self.undetermined.push(sentence);
        judgement::add(&mut self.missing, missing);
        self.ok_apart_from_that = if first { apart } else { both(self.ok_apart_from_that, apart) };
    }

    /// Counts one check; `failure` is what it found wrong, if anything.
    pub fn count(&mut self, failure: Option<Failure>) {
        self.checks += 1;
        self.failures.extend(failure);
    }

    /// Adds what another witness found. Where both speak of an address, an interface answers if either says so.
    pub fn merge(&mut self, other: Report) {
        self.checks += other.checks;
        // That the policy cannot hold is found by each of them.
        let told = other.failures.into_iter().filter(|failure| !self.failures.contains(failure));
        let told: Vec<Failure> = told.collect();
        self.failures.extend(told);
        self.ok_apart_from_that = match (self.undetermined.is_empty(), other.undetermined.is_empty()) {
            (_, true) => self.ok_apart_from_that,
            (true, false) => other.ok_apart_from_that,
            (false, false) => both(self.ok_apart_from_that, other.ok_apart_from_that),
        };
        self.undetermined.extend(other.undetermined);
        judgement::add(&mut self.missing, other.missing);
        if self.addresses.is_empty() {
            self.addresses = other.addresses;
            return;
        }
        for theirs in other.addresses {
            match self.addresses.iter_mut().find(|ours| ours.address == theirs.address) {
                Some(ours) => {
                    ours.by.merge(theirs.by);
                    for name in theirs.answering {
                        if !ours.answering.contains(&name) {
                            ours.answering.push(name);
                        }
                    }
                    for name in theirs.undetermined {
                        if !ours.undetermined.contains(&name) {
                            ours.undetermined.push(name);
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
    /// [`ErrorKind::VerifyFailed`] if something is not so or nothing was checked, [`ErrorKind::Undetermined`]
    /// if something cannot be told.
    pub fn into_result(self) -> Result<Self> {
        match self.failures.as_slice() {
            [] if self.checks > 0 && self.undetermined.is_empty() => Ok(self),
            [] if self.checks > 0 => {
                Err(Error::new(ErrorKind::Undetermined, self.open_in_one_line()).during("verify"))
            }
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

    /// What cannot be told, in one line.
    fn open_in_one_line(&self) -> String {
        let claims = match self.undetermined.len() {
            1 => "1 of them".to_owned(),
            count => format!("{count} of them"),
        };
        if self.missing.is_empty() {
            return format!("{claims} cannot be told: {}.", self.undetermined.join("; "));
        }
        let apart = match self.ok_apart_from_that {
            _ if !self.failures.is_empty() => "some of it is not as the policy says",
            Some(true) => "all is as the policy says",
            Some(false) => "some of it is not as the policy says",
            None => "",
        };
        judgement::last_line(&claims, &self.missing, apart)
    }

    /// The report as one JSON object: `schema`, `ok` (true, false, or null if nothing failed and something cannot
    /// be told), `checks`, `addresses`, `failures`, `undetermined`, `missing`, `ok_apart_from_that`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] if a value cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(&self.record()).map_err(|error| error.during("write report"))
    }

    /// The report as it leaves: with what it comes to (`null`: cannot be told) before its own keys.
    #[must_use]
    pub fn record(&self) -> ReportRecord<'_> {
        ReportRecord { ok: self.judgement().ok(), report: self }
    }
}

impl fmt::Display for Report {
    /// For people: who answers for each address, what is wrong, and the count.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.addresses.iter().map(|a| a.address.to_string().len()).max().unwrap_or(0);
        for report in &self.addresses {
            let answering = match report.answering.as_slice() {
                [] => NOBODY.into(),
                names => names.join(", "),
            };
            let open = listed(&report.undetermined);
            match report.ok() {
                Some(true) if report.expected == NOBODY => {
                    write!(f, "ok  {:address$} by nobody: {}", report.address, report.by)?;
                }
                Some(true) => write!(f, "ok  {:address$} by {answering}: {}", report.address, report.by)?,
                Some(false) if report.expected == NOBODY => {
                    write!(
                        f,
                        "BAD {:address$}  answered by {answering}, which should be silent",
                        report.address
                    )?;
                }
                Some(false) => write!(
                    f,
                    "BAD {:address$}  answered by {answering}, not by {} alone",
                    report.address, report.expected
                )?,
                None if report.unheard => write!(
                    f,
                    "--  {:address$}  nobody can ask: {} has no carrier",
                    report.address, report.expected
                )?,
                None if report.answering.is_empty() => {
                    write!(f, "??? {:address$}  nobody certainly answers", report.address)?;
                }
                None => write!(f, "??? {:address$}  answered by {answering}", report.address)?,
            }
            if !open.is_empty() {
                let answer = if report.undetermined.len() == 1 { "answers" } else { "answer" };
                write!(f, "; whether {open} {answer} cannot be told")?;
            }
            writeln!(f)?;
        }
        for failure in &self.failures {
            writeln!(f, "BAD {failure}")?;
        }
        for sentence in &self.undetermined {
            writeln!(f, "??? {sentence}")?;
        }
        let (checks, failures, open) = (self.checks, self.failures.len(), self.undetermined.len());
        match (failures, open) {
            (0, 0) if checks == 0 => {
                writeln!(f, "nothing was checked: the policy says nothing of any address here")
            }
            (0, 0) => writeln!(f, "{checks} checks, all good"),
            (_, 0) => writeln!(f, "{checks} checks, {failures} failed"),
            (0, _) => writeln!(f, "{checks} checks, {} good, {}", checks - open, self.open_in_one_line()),
            (..) => writeln!(f, "{checks} checks, {failures} failed, {}", self.open_in_one_line()),
        }
    }
}
