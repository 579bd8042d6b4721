//! Plans: what has to change so that a policy holds.

use pyo3::prelude::*;

use crate::error::Result;
use crate::value;

/// One typed change. `str()` gives it in one line.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Change(pub(crate) arpflux_core::plan::Change);

#[pymethods]
impl Change {
    /// The same as a dict; its key "change" says which kind.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value::to_python(py, &self.0)
    }

    fn __hash__(&self) -> PyResult<u64> {
        Ok(value::hash(&value::to_json(&self.0)?))
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Change: {}>", self.0)
    }
}

/// Ordered changes. It never changes itself; an empty plan is false. `str()` gives all of it for people.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Plan(pub(crate) arpflux_core::Plan);

#[pymethods]
impl Plan {
    /// Reads what `to_json()` or `arpflux plan --json` wrote.
    #[staticmethod]
    fn from_json(py: Python<'_>, text: &str) -> Result<Self> {
        Ok(Self(py.detach(|| arpflux_core::Plan::from_json(text))?))
    }

    /// One JSON object with `"schema": 1`; reading it back gives an equal plan.
    fn to_json(&self, py: Python<'_>) -> Result<String> {
        Ok(py.detach(|| self.0.to_json())?)
    }

    /// The same as a dict.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value::to_python(py, &self.0)
    }

    /// The changes, in the order they are made.
    #[getter]
    fn changes(&self) -> Vec<Change> {
        self.0.changes.iter().cloned().map(Change).collect()
    }

    /// What was chosen where the policy left it open, and why: one sentence each.
    #[getter]
    fn decisions(&self) -> Vec<String> {
        self.0.decisions.clone()
    }

    /// The plan that restores what was there before, in the opposite order.
    fn inverse(&self) -> Self {
        Self(self.0.inverse())
    }

    fn __len__(&self) -> usize {
        self.0.changes.len()
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(value::hash(&self.to_json(py)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let text = slf.get().to_json(slf.py())?;
        Ok((slf.get_type().getattr("from_json")?, (text,)))
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Plan: {} changes>", self.0.changes.len())
    }
}
