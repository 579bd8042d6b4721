//! Plans: what has to change so that a policy holds.

use std::sync::Arc;

use arpflux_core::report::html;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyTuple};

use crate::argument;
use crate::error::Result;
use crate::records::{record, tuple};
use crate::snapshot::Snapshot;
use crate::value;
use crate::wire::Given;

/// One typed change. `str()` gives it in one line.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Change(pub(crate) arpflux_core::state::Change);
record!(Change {
    /// What kind of change it is, as ChangeKind.
    #[getter]
    fn kind<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        Ok(value::member(py, "ChangeKind", self.0.object.kind())?)
    }

    /// The change that takes this one back.
    fn inverse(&self) -> Self {
        Self(self.0.inverse())
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Change: {}>", self.0)
    }
});

/// Ordered changes. It never changes itself; an empty plan is false. `str()` gives all of it for people.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Plan(pub(crate) arpflux_core::Plan);

#[pymethods]
impl Plan {
    /// Reads a file that `arpflux plan --json` wrote. Raises NoSuchFile, and InvalidData with the file's name.
    #[staticmethod]
    fn load(py: Python<'_>, path: &Bound<'_, PyAny>) -> Result<Self> {
        let path = argument::path("path", path)?;
        Ok(Self(py.detach(|| arpflux_core::Plan::from_path(path))?))
    }

    /// Reads what `to_json()` or `arpflux plan --json` wrote, as str or bytes; `source` stands for the file in messages.
    #[staticmethod]
    #[pyo3(signature = (text, source = None))]
    fn from_json<'py>(py: Python<'py>, text: &Bound<'py, PyAny>, source: Given<'_, 'py>) -> Result<Self> {
        let (text, source) = (argument::json("text", text)?, argument::source(source)?);
        Ok(Self(value::sourced(py.detach(|| arpflux_core::Plan::from_json(&text)), source)?))
    }

    /// One JSON object with `"schema": 1`; reading it back gives an equal plan.
    fn to_json(&self, py: Python<'_>) -> Result<String> {
        Ok(py.detach(|| self.0.to_json())?)
    }

    /// The same as a dict.
    fn to_dict<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::parse(py, &self.to_json(py)?)
    }

    /// The plan that a dict as `to_dict()` gives it stands for.
    #[staticmethod]
    fn from_dict(py: Python<'_>, values: &Bound<'_, PyDict>) -> Result<Self> {
        let text = value::dumps(values.as_any())?;
        Ok(Self(py.detach(|| arpflux_core::Plan::from_json(&text))?))
    }

    /// The changes, in the order they are made.
    #[getter]
    fn changes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.0.changes.iter().cloned().map(Change))
    }

    /// What was chosen where the policy left it open, and why: one sentence each.
    #[getter]
    fn decisions<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.decisions)
    }

    /// The plan that restores what was there before, in the opposite order.
    fn inverse(&self) -> Self {
        Self(self.0.inverse())
    }

    /// The state after this plan, as the kernel would have it: to see what the plan leads to without a kernel.
    fn predict(&self, py: Python<'_>, snapshot: &Snapshot) -> Snapshot {
        Snapshot(Arc::new(py.detach(|| snapshot.0.with(&self.0.changes))))
    }

    /// What a notebook shows: the drawing of the HTML report.
    fn _repr_html_(&self, py: Python<'_>) -> String {
        py.detach(|| html::plan(&self.0))
    }

    fn __len__(&self) -> usize {
        self.0.changes.len()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.changes(py)?.as_any().get_item(index)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.changes(py)?.try_iter()
    }

    fn __hash__(&self, py: Python<'_>) -> Result<u64> {
        Ok(value::hash(&self.to_json(py)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, (String,))> {
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
