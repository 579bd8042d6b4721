//! What is wrong with a host, why, and what to do: findings, from a snapshot alone.
//!
//! ```
//! use arpflux_core::diagnose::{Options, Severity, diagnose};
//! use arpflux_core::snapshot::Snapshot;
//!
//! let snapshot = Snapshot::default();
//! let diagnosis = diagnose(&snapshot, &Options::default())?;
//! for finding in &diagnosis.findings {
//!     println!("{finding}");
//! }
//! assert!(diagnosis.worst() < Some(Severity::Warning));
//! # Ok::<(), arpflux_core::Error>(())
//! ```
//!
//! Every finding is decided by the model of the kernel ([`crate::predict`]) on this snapshot: a request or
//! a packet of which the model says what becomes of it. What the model cannot tell is in
//! [`Diagnosis::unseen`]; what would be found apart from that is a finding with that remark
//! ([`Finding::unless`]), and is not certain.
//!
//! # Which interfaces share a wire
//! [`WireMap`] says it, by the snapshot and by [`Options::wires`] where it is known; `wire::segments` finds it
//! out. An interface without an address that answers as one on another wire does leaves open whether they are
//! on one.
//!
//! # Severities
//! [`Severity::Error`]: it goes wrong now. [`Severity::Warning`]: it goes wrong under conditions that do
//! occur. [`Severity::Info`]: worth knowing, but healthy hosts have it too.

mod answers;
mod asked;
mod backup;
#[cfg(feature = "kernel")]
mod boot;
mod brief;
mod catalogue;
mod connected;
mod context;
mod discovery;
mod duplicates;
mod egress;
mod elsewhere;
mod filtered;
mod finding;
mod heard;
mod hidden;
mod misplaced;
mod neighbours;
mod own;
mod policy;
mod proxies;
mod proxy_arp;
mod remedy;
mod render;
mod settings;
mod several;
mod severity;
mod silenced;
mod way_back;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::json;
use crate::judgement::{self, Gap, Judgement};
use crate::outward::Diagnosed;
#[cfg(feature = "kernel")]
use crate::persist::BootReport;
use crate::policy::Policy;
use crate::predict::Model;
use crate::segment::Wires;
use crate::snapshot::Snapshot;
#[cfg(doc)]
use crate::snapshot::WireMap;
pub use brief::{BriefFinding, BriefRemedy};
pub use catalogue::FindingId;
use context::Context;
pub use finding::{Evidence, Finding, Objects};
pub use heard::heard;
pub use neighbours::Heard;
pub use severity::Severity;

/// What to look at.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The policy that the host should follow; what is not so becomes a finding.
    pub policy: Option<Policy>,
    /// Which interfaces share a wire, where that is known; see the [module](self) text.
    pub wires: Option<Wires>,
    /// What the next boot brings, as [`crate::persist::at_boot`] tells; what it takes away becomes a finding.
    #[cfg(feature = "kernel")]
    pub boot: Option<BootReport>,
    /// What neighbours with a permanent entry answered when they were asked, where that was done.
    pub heard: Vec<Heard>,
    /// Findings that are not wanted.
    pub ignore: Vec<FindingId>,
    /// Whether to compute what each remedy changes elsewhere. It is left out all the same on hosts so large
    /// that it would take long.
    pub impact: bool,
}

impl Default for Options {
    /// No policy, nothing ignored, with the changes of each remedy.
    fn default() -> Self {
        Self {
            policy: None,
            wires: None,
            #[cfg(feature = "kernel")]
            boot: None,
            heard: Vec::new(),
            ignore: Vec::new(),
            impact: true,
        }
    }
}

impl Options {
    setters!(
        policy: Option<Policy>,
        wires: Option<Wires>,
        #[cfg(feature = "kernel")]
        boot: Option<BootReport>,
        heard: Vec<Heard>,
        ignore: Vec<FindingId>,
        impact: bool,
    );
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Diagnosis {
    /// The findings, the worst first, then in the order of their numbers.
    pub findings: Vec<Finding>,
    /// What could not be seen, one sentence each: it is neither good nor bad.
    pub unseen: Vec<String>,
    /// What is missing that decides about findings.
    pub missing: Vec<Gap>,
}

impl Diagnosis {
    /// The severity of the worst finding; `None` without findings.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// Bad if a certain finding is as bad as `fail_on` or worse (`None`: never); undetermined if
    /// anything that decides is missing.
    #[must_use]
    pub fn judgement(&self, fail_on: Option<Severity>) -> Judgement {
        let counts = |certain| {
            let counts = |severity| self.at_least(severity).any(|finding| finding.is_certain() == certain);
            fail_on.is_some_and(counts)
        };
        if counts(true) {
            return Judgement::Bad;
        }
        if self.missing.is_empty() {
            return Judgement::Good;
        }
        Judgement::Undetermined { missing: self.missing.clone(), apart: Some(!counts(false)) }
    }

    /// What is missing, in one line with what holds apart from that; `None` if nothing is.
    #[must_use]
    pub fn last_line(&self) -> Option<String> {
        if self.missing.is_empty() {
            return None;
        }
        let apart = match self.findings.iter().filter(|finding| !finding.is_certain()).count() {
            0 if self.findings.is_empty() => "nothing is found".into(),
            0 => "nothing more is found".into(),
            1 => "1 finding more holds".into(),
            count => format!("{count} findings more hold"),
        };
        Some(judgement::last_line("Whether that is all", &self.missing, &apart))
    }

    /// The findings of this severity or worse.
    pub fn at_least(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.severity >= severity)
    }

    /// The diagnosis as one JSON object: `schema`, `ok` (nothing is worse than [`Severity::Info`]), `worst`,
    /// `findings` and `unseen`.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`](crate::ErrorKind::Internal) if it cannot be written, which would be a defect.
    pub fn to_json(&self) -> Result<String> {
        json::object(&Diagnosed::new(self, Some(Severity::Warning)))
    }
}

#[cfg(all(test, feature = "kernel"))]
mod tests;

/// What is wrong with the host that `snapshot` shows. Pure: it needs no privileges and works on a stored
/// snapshot of another machine.
///
/// # Errors
/// As [`Snapshot::check`].
pub fn diagnose(snapshot: &Snapshot, options: &Options) -> Result<Diagnosis> {
    snapshot.check()?;
    let context = Context::new(snapshot, options, Model::of(snapshot));
    let mut findings = examine(&context);
    let missing = context.gaps();
    if !missing.is_empty() {
        findings.extend(apart_from(&missing, &findings, &context));
    }
    findings.retain(|finding| !options.ignore.contains(&finding.id));
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (std::cmp::Reverse(finding.severity), finding.id);
        key(a).cmp(&key(b)).then_with(|| a.objects.interfaces.cmp(&b.objects.interfaces))
    });
    Ok(Diagnosis { findings, unseen: context.unseen(&missing), missing })
}

/// What is found with all that is missing taken to be without effect, without remedies: for [`crate::harm`], which
/// remedies themselves ask.
pub(crate) fn apart_from_missing(snapshot: &Snapshot) -> Vec<Finding> {
    let options = Options { impact: false, ..Options::default() };
    let mut context = Context::new(snapshot, &options, Model::of(snapshot).without_interference());
    context.apart = true;
    context.remedies = false;
    examine(&context)
}

/// What is found with all that is missing taken to be without effect, and is not found for certain.
fn apart_from(missing: &[Gap], certain: &[Finding], context: &Context<'_>) -> Vec<Finding> {
    let mut context = Context::new(context.snapshot, context.options, context.model.without_interference());
    context.apart = true;
    let mut findings = examine(&context);
    findings.retain(|finding| !certain.iter().any(|known| known.covers(finding)));
    for finding in &mut findings {
        finding.unless = missing.iter().map(|gap| gap.what.clone()).collect();
    }
    findings
}

/// Everything that can be found, in no order.
fn examine(context: &Context<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    answers::find(context, &mut findings);
    own::find(context, &mut findings);
    settings::find(context, &mut findings);
    proxies::find(context, &mut findings);
    duplicates::find(context, &mut findings);
    proxy_arp::find(context, &mut findings);
    egress::find(context, &mut findings);
    hidden::find(context, &mut findings);
    connected::find(context, &mut findings);
    way_back::find(context, &mut findings);
    neighbours::find(context, &mut findings);
    silenced::find(context, &mut findings);
    misplaced::find(context, &mut findings);
    backup::find(context, &mut findings);
    filtered::find(context, &mut findings);
    policy::find(context, &mut findings);
    #[cfg(feature = "kernel")]
    boot::find(context, &mut findings);
    findings
}

impl Snapshot {
    /// [`diagnose`] with these options.
    ///
    /// # Errors
    /// As [`diagnose`].
    pub fn diagnose(&self, options: &Options) -> Result<Diagnosis> {
        diagnose(self, options)
    }
}
