//! Records of the stages that need no kernel.

use serde::Serialize;

use crate::diagnose::{Diagnosis, FindingId, Severity};
use crate::error::{Error, Result};
use crate::harm::Assessment;
use crate::judgement::Judgement;
use crate::plan::{Impact, Plan};
use crate::recommend::Recommendation;

/// A failure, as the command prints it.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failed<'a> {
    error: Failure<'a>,
}

/// The parts of an [`Error`].
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failure<'a> {
    code: u32,
    kind: &'a str,
    operation: &'a str,
    object: &'a str,
    message: &'a str,
    hint: Option<&'a str>,
    errno: Option<i32>,
}

impl<'a> Failed<'a> {
    /// The parts of `error`.
    #[must_use]
    pub fn new(error: &'a Error) -> Self {
        Self {
            error: Failure {
                code: error.kind().code(),
                kind: error.kind().name(),
                operation: error.operation(),
                object: error.object(),
                message: error.message(),
                hint: error.remedy(),
                errno: error.errno(),
            },
        }
    }
}

/// A diagnosis with what it comes to.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Diagnosed<'a> {
    ok: Option<bool>,
    #[serde(skip)]
    judgement: Judgement,
    worst: Option<Severity>,
    /// A change on trial that was not undone in time, as a sentence: what was seen is to go.
    #[serde(skip_serializing_if = "Option::is_none")]
    overdue: Option<String>,
    #[serde(flatten)]
    diagnosis: &'a Diagnosis,
}

impl<'a> Diagnosed<'a> {
    /// What it comes to where findings of severity `fail_on` or worse are bad: [`Diagnosis::judgement`].
    #[must_use]
    pub fn new(diagnosis: &'a Diagnosis, fail_on: Option<Severity>) -> Self {
        let judgement = diagnosis.judgement(fail_on);
        Self { ok: judgement.ok(), judgement, worst: diagnosis.worst(), overdue: None, diagnosis }
    }

    /// With what [`Host::overdue`](crate::Host::overdue) said: then nothing is good for certain.
    #[must_use]
    pub fn overdue(mut self, sentence: Option<String>) -> Self {
        if sentence.is_some() {
            let open = Judgement::Undetermined { missing: Vec::new(), apart: self.judgement.ok() };
            self.judgement = self.judgement.and(open);
            self.ok = self.judgement.ok();
        }
        self.overdue = sentence;
        self
    }

    /// What it comes to.
    #[must_use]
    pub const fn judgement(&self) -> &Judgement {
        &self.judgement
    }
}

/// All findings there are.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Catalogue {
    /// In the order of their numbers.
    pub findings: Vec<CatalogueEntry>,
}

/// One kind of finding.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct CatalogueEntry {
    /// Its number.
    pub id: FindingId,
    /// How bad it is.
    pub severity: Severity,
    /// What it is.
    pub title: &'static str,
    /// Where it is described.
    pub link: String,
}

impl Default for Catalogue {
    fn default() -> Self {
        let entry = |id: &FindingId| CatalogueEntry {
            id: *id,
            severity: id.severity(),
            title: id.title(),
            link: id.link(),
        };
        Self { findings: FindingId::ALL.iter().map(entry).collect() }
    }
}

/// A recommendation with its file.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recommended<'a> {
    #[serde(flatten)]
    recommendation: &'a Recommendation,
    /// What was proved, in words.
    proved: Vec<String>,
    /// The policy as a file.
    file: String,
}

impl<'a> Recommended<'a> {
    /// The same with its file.
    ///
    /// # Errors
    /// As [`Recommendation::to_toml`].
    pub fn new(recommendation: &'a Recommendation) -> Result<Self> {
        Ok(Self { recommendation, proved: recommendation.proved(), file: recommendation.to_toml()? })
    }
}

/// A plan with what it does.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Planned<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    /// The changes as people read them, those that are alike in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    impact: Option<&'a Impact>,
    #[serde(flatten)]
    assessment: &'a Assessment,
}

impl<'a> Planned<'a> {
    /// A plan, which answers change if that was worked out, and what it harms.
    #[must_use]
    pub fn new(plan: &'a Plan, impact: Option<&'a Impact>, assessment: &'a Assessment) -> Self {
        let rows = plan.folded().into_iter().map(|row| format!("{} {}", row.sign, row.text)).collect();
        Self { plan, rows: Some(rows), impact, assessment }
    }

    /// Nothing but the plan, as it is stored, and what it harms.
    #[must_use]
    pub fn bare(plan: &'a Plan, assessment: &'a Assessment) -> Self {
        Self { plan, rows: None, impact: None, assessment }
    }
}
