//! Whether a host is as a policy says.

use arpflux_core::verify;
use pyo3::prelude::*;

use crate::error::Result;
use crate::value;

/// What verification found. True if something was checked and all of it is as the policy says.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Report(pub(crate) verify::Report);

#[pymethods]
impl Report {
    /// Whether something was checked and all of it is as the policy says.
    #[getter]
    fn ok(&self) -> bool {
        self.0.ok()
    }

    /// How many things were checked.
    #[getter]
    fn checks(&self) -> usize {
        self.0.checks
    }

    /// What is not as the policy says, one sentence each.
    #[getter]
    fn failures(&self) -> Vec<String> {
        self.0.failures.iter().map(ToString::to_string).collect()
    }

    /// What cannot be told from the snapshot, one sentence each; neither good nor bad.
    #[getter]
    fn undetermined(&self) -> Vec<String> {
        self.0.undetermined.clone()
    }

    /// Raises VerifyFailed, which names the first thing that is not so, unless `ok`.
    fn raise_for_failures(&self) -> Result<()> {
        self.0.clone().into_result()?;
        Ok(())
    }

    /// What `arpflux verify --json` prints.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let text: Result<String> = self.0.to_json().map_err(Into::into);
        value::parse(py, &text?)
    }

    fn __bool__(&self) -> bool {
        self.0.ok()
    }

    fn __hash__(&self) -> PyResult<u64> {
        Ok(value::hash(&value::to_json(&self.0)?))
    }

    fn __repr__(&self) -> String {
        format!("<Report: {} checks, {} failures>", self.0.checks, self.0.failures.len())
    }
}
