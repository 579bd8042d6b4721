//! Recommended policies.

use std::sync::Arc;

use arpflux_core::recommend;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::error::Result;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::value;
use crate::verify::Report;

/// A policy that fits a host, why, and the proof that it works there. Made by `Snapshot.recommend`; it never changes. True if
/// all of the proof certainly holds. `str()` gives the policy as a file that says why.
#[pyclass(frozen, eq, module = "arpflux")]
pub struct Recommendation {
    snapshot: Arc<arpflux_core::Snapshot>,
    found: recommend::Recommendation,
}

impl PartialEq for Recommendation {
    fn eq(&self, other: &Self) -> bool {
        self.found == other.found
    }
}

/// See `Snapshot.recommend`.
pub fn recommend(py: Python<'_>, snapshot: &Snapshot) -> Result<Recommendation> {
    let snapshot = Arc::clone(&snapshot.0);
    let found = py.detach(|| recommend::recommend(&snapshot))?;
    Ok(Recommendation { snapshot, found })
}

#[pymethods]
impl Recommendation {
    /// The policy.
    #[getter]
    fn policy(&self) -> Policy {
        Policy(self.found.policy.clone())
    }

    /// What the policy changes on this host.
    #[getter]
    fn plan(&self) -> Plan {
        Plan(self.found.plan.clone())
    }

    /// What was checked and proved of the host as it is after the plan.
    #[getter]
    fn proof(&self) -> Report {
        Report(self.found.proof.clone())
    }

    /// Why each key of the policy is as it is: the sentence by the key (`host.strategy`).
    #[getter]
    fn reasons<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let reasons = PyDict::new(py);
        for reason in &self.found.reasons {
            reasons.set_item(&reason.key, &reason.text)?;
        }
        Ok(reasons)
    }

    /// What is not recommended: what it breaks here, or why it does not work, by its name.
    #[getter]
    fn refused<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let refused = PyDict::new(py);
        for one in &self.found.refused {
            refused.set_item(&one.recipe, &one.why)?;
        }
        Ok(refused)
    }

    /// What the policy does not settle, one sentence each.
    #[getter]
    fn notes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.found.notes)
    }

    /// Whether all of the proof holds; None if that cannot be told.
    #[getter]
    fn ok(&self) -> Option<bool> {
        self.found.judgement().ok()
    }

    /// The policy as a file that says why.
    fn to_toml(&self) -> Result<String> {
        Ok(self.found.to_toml()?)
    }

    /// The same as plain dicts, lists, strings and numbers: what `arpflux recommend --json` prints.
    fn to_dict<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::to_python(py, &self.found)
    }

    fn __bool__(&self) -> bool {
        self.ok() == Some(true)
    }

    fn __hash__(&self) -> Result<u64> {
        Ok(value::hash(&value::to_json(&self.found)?))
    }

    /// Pickling keeps the question, not the answer.
    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {
        let snapshot = Snapshot(Arc::clone(&slf.get().snapshot)).into_pyobject(slf.py())?;
        (snapshot.getattr("recommend")?, ()).into_pyobject(slf.py())
    }

    fn __str__(&self) -> Result<String> {
        self.to_toml()
    }

    fn __repr__(&self) -> String {
        format!(
            "<Recommendation: {} changes, {} checks>",
            self.found.plan.changes.len(),
            self.found.proof.checks
        )
    }
}
