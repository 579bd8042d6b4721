//! What is wrong, why, and what to do.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arpflux_core::diagnose::{self, FindingId, Options};
use arpflux_core::predict::{Matrix, Model};
use arpflux_core::report::{html, metrics};
use arpflux_core::types::IfName;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyTuple};

use crate::argument;
use crate::error::Result;
use crate::persist::BootReport;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::records::{fs_text, tuple};
use crate::snapshot::Snapshot;
use crate::value;
use crate::wire::Given;

/// What was asked and what was found. The snapshot is kept: pickling writes the question, not the answer.
struct Answered {
    snapshot: Arc<arpflux_core::Snapshot>,
    options: Options,
    diagnosis: diagnose::Diagnosis,
}

/// What is wrong with a host: its findings, in order. Made by `Snapshot.diagnose`; it never changes. True if the host is
/// well: there is no certain warning or error, and nothing that decides is missing (`ok`).
#[pyclass(frozen, eq, module = "arpflux")]
pub struct Diagnosis(Arc<Answered>);

impl PartialEq for Diagnosis {
    fn eq(&self, other: &Self) -> bool {
        self.0.diagnosis == other.0.diagnosis
    }
}

/// One finding. `str()` gives all of it as text.
#[pyclass(frozen, eq, module = "arpflux")]
pub struct Finding {
    of: Arc<Answered>,
    index: usize,
    found: diagnose::Finding,
}

impl PartialEq for Finding {
    fn eq(&self, other: &Self) -> bool {
        self.found == other.found
    }
}

/// Reads the arguments of `diagnose`.
pub fn options<'py>(
    policy: Option<&Policy>,
    wires: Given<'_, 'py>,
    boot: Option<&BootReport>,
    ignore: Given<'_, 'py>,
    impact: bool,
) -> Result<Options> {
    let mut options = Options::default()
        .policy(policy.map(|policy| policy.0.clone()))
        .wires(wires.map(|wires| argument::wires("wires", wires)).transpose()?)
        .boot(boot.map(|boot| boot.0.clone()))
        .impact(impact);
    if let Some(ignore) = ignore {
        for id in argument::texts("ignore", ignore)? {
            options.ignore.push(argument::named("ignore", id.parse::<FindingId>())?);
        }
    }
    Ok(options)
}

/// See `Snapshot.diagnose`.
pub fn diagnose(py: Python<'_>, snapshot: &Snapshot, options: Options) -> Result<Diagnosis> {
    let snapshot = Arc::clone(&snapshot.0);
    let diagnosis = py.detach(|| snapshot.diagnose(&options))?;
    Ok(Diagnosis(Arc::new(Answered { snapshot, options, diagnosis })))
}

#[pymethods]
impl Diagnosis {
    /// The findings, the worst first, then in the order of their numbers: a tuple of Finding.
    #[getter]
    fn findings<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let findings = self.0.diagnosis.findings.iter().cloned().enumerate();
        tuple(py, findings.map(|(index, found)| Finding { of: Arc::clone(&self.0), index, found }))
    }

    /// What could not be seen, one sentence each: neither good nor bad.
    #[getter]
    fn unseen<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.diagnosis.unseen)
    }

    /// What is missing that decides about findings, as Gap.
    #[getter]
    fn missing<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "Gap", &self.0.diagnosis.missing)
    }

    /// False if there is a certain warning or error, True if there is none; None if none is certain and something is
    /// missing.
    #[getter]
    fn ok(&self) -> Option<bool> {
        self.0.diagnosis.judgement(Some(arpflux_core::diagnose::Severity::Warning)).ok()
    }

    /// The Severity of the worst finding; None without findings.
    #[getter]
    fn worst<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let worst = self.0.diagnosis.worst();
        worst.map(|severity| value::member(py, "Severity", severity.name())).transpose()
    }

    /// The same as plain dicts, lists, strings and numbers.
    fn to_dict<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::to_python(py, &self.0.diagnosis)
    }

    /// One HTML page that loads nothing: findings, the topology, who answers and why; with `policy` also what it changes and who
    /// answers afterwards. `title`: usually the host's name.
    ///
    /// Raises Refused if the policy would not work there.
    #[pyo3(signature = (*, policy = None, title = None))]
    fn page(
        &self,
        py: Python<'_>,
        policy: Option<Bound<'_, Policy>>,
        title: Given<'_, '_>,
    ) -> Result<String> {
        let title = title.map_or_else(|| Ok("a host".to_owned()), |title| argument::text("title", title))?;
        let policy = policy.as_ref().map(|policy| policy.get().0.clone());
        Ok(py.detach(|| {
            let Answered { snapshot, diagnosis, .. } = &*self.0;
            let change = policy.map(|policy| policy.plan(snapshot).map(|plan| (policy, plan))).transpose()?;
            let change = change.as_ref().map(|(policy, plan)| (policy, plan));
            html::page(&html::Page { title: &title, taken: "", snapshot, diagnosis, change })
        })?)
    }

    /// Numbers for Prometheus, in its text format: for a file of node_exporter's textfile collector. `taken`: when the
    /// snapshot was taken, in seconds since 1970; without, now.
    #[pyo3(signature = (*, taken = None))]
    fn metrics(&self, py: Python<'_>, taken: Option<f64>) -> Result<String> {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        py.detach(|| {
            let Answered { snapshot, diagnosis, .. } = &*self.0;
            let matrix = Matrix::of(&Model::new(snapshot)?);
            Ok(metrics(snapshot, &matrix, diagnosis, taken.unwrap_or_else(now)))
        })
    }

    fn __len__(&self) -> usize {
        self.0.diagnosis.findings.len()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.findings(py)?.as_any().get_item(index)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.findings(py)?.try_iter()
    }

    fn __bool__(&self) -> bool {
        self.ok() == Some(true)
    }

    fn __hash__(&self) -> Result<u64> {
        Ok(value::hash(&value::to_json(&self.0.diagnosis)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<Bound<'py, PyTuple>> {
        let Answered { snapshot, options, .. } = &*slf.get().0;
        let (py, asked) = (slf.py(), PyDict::new(slf.py()));
        asked.set_item("policy", options.policy.clone().map(Policy))?;
        let names = |wire: &Vec<IfName>| -> PyResult<Vec<_>> {
            wire.iter().map(|name| fs_text(py, name.as_bytes())).collect()
        };
        let wires = options.wires.as_ref().map(|told| told.wires().iter().map(names).collect());
        let wires: Option<PyResult<Vec<_>>> = wires;
        asked.set_item("wires", wires.transpose()?)?;
        asked.set_item("boot", options.boot.clone().map(BootReport))?;
        asked.set_item("ignore", options.ignore.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        asked.set_item("impact", options.impact)?;
        let snapshot = Snapshot(Arc::clone(snapshot));
        Ok((slf.get_type().getattr("_of")?, (snapshot, asked)).into_pyobject(py)?)
    }

    /// What unpickling calls: the diagnosis is made anew.
    #[staticmethod]
    fn _of<'py>(snapshot: &Bound<'py, Snapshot>, asked: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        snapshot.call_method("diagnose", (), Some(asked))
    }

    /// What a notebook shows: the drawing of the HTML report.
    fn _repr_html_(&self, py: Python<'_>) -> String {
        py.detach(|| html::diagnosis(&self.0.diagnosis))
    }

    fn __str__(&self) -> String {
        self.0.diagnosis.to_string()
    }

    fn __repr__(&self) -> String {
        let ids: Vec<String> = self.0.diagnosis.findings.iter().map(|found| found.id.to_string()).collect();
        format!("<Diagnosis: {}>", if ids.is_empty() { "nothing found".into() } else { ids.join(", ") })
    }
}

#[pymethods]
impl Finding {
    /// Which finding it is, as FindingId; its value is the stable number, `AF001`.
    #[getter]
    fn id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value::member(py, "FindingId", &self.found.id.to_string())
    }

    /// How bad it is here, as Severity.
    #[getter]
    fn severity<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value::member(py, "Severity", self.found.severity.name())
    }

    /// A few words: the title of its page.
    #[getter]
    fn title(&self) -> &'static str {
        self.found.id.title()
    }

    /// The names of the interfaces it is about, those at fault first.
    #[getter]
    fn interfaces<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let names = self.found.objects.interfaces.iter().map(|name| fs_text(py, name.as_bytes()));
        PyTuple::new(py, names.collect::<PyResult<Vec<_>>>()?)
    }

    /// The addresses it is about, as `ipaddress` objects.
    #[getter]
    fn addresses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.found.objects.addresses.clone())
    }

    /// What happens, in one sentence.
    #[getter]
    fn what(&self) -> &str {
        &self.found.what
    }

    /// Why the kernel does that, in one sentence.
    #[getter]
    fn why(&self) -> &str {
        &self.found.why
    }

    /// What to do, in one sentence.
    #[getter]
    fn remedy(&self) -> &str {
        &self.found.remedy
    }

    /// What decided and where it comes from, one line each; `to_dict()` has the fields.
    #[getter]
    fn evidence<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.found.evidence.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    /// The Plan that does what `remedy` says, ready for `Host.apply`; None where no change of arpflux does it.
    #[getter]
    fn plan(&self) -> Option<Plan> {
        self.found.plan.clone().map(Plan)
    }

    /// Which answers that plan changes, here and elsewhere, one line each; None if it was not computed.
    #[getter]
    fn effects<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let effects = self.found.remedy_changes.as_ref().map(|impact| {
            PyTuple::new(py, impact.effects.iter().map(ToString::to_string).collect::<Vec<_>>())
        });
        effects.transpose()
    }

    /// What is missing and may make it otherwise, one clause each; empty: it is certain.
    #[getter]
    fn unless<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.found.unless)
    }

    /// The page about it.
    #[getter]
    fn link(&self) -> &str {
        &self.found.link
    }

    /// The same as plain dicts, lists, strings and numbers.
    fn to_dict<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::to_python(py, &self.found)
    }

    fn __hash__(&self) -> Result<u64> {
        Ok(value::hash(&value::to_json(&self.found)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<Bound<'py, PyTuple>> {
        let this = slf.get();
        let made = slf.get_type().getattr("_of")?;
        Ok((made, (Diagnosis(Arc::clone(&this.of)), this.index)).into_pyobject(slf.py())?)
    }

    /// What unpickling calls.
    #[staticmethod]
    fn _of<'py>(diagnosis: &Bound<'py, Diagnosis>, index: usize) -> PyResult<Bound<'py, PyAny>> {
        diagnosis.getattr("findings")?.get_item(index)
    }

    fn __str__(&self) -> String {
        self.found.to_string()
    }

    fn __repr__(&self) -> String {
        let diagnose::Finding { id, severity, objects, .. } = &self.found;
        let names: Vec<String> = objects.interfaces.iter().map(ToString::to_string).collect();
        format!("<Finding {id} {severity}: {}>", names.join(", "))
    }
}
