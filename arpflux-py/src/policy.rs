//! Policies: the desired state.

use arpflux_core::verify;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::error::Result;
use crate::host;
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::value;
use crate::verify::Report;

/// The desired state of one host. What it does not name is never touched. It never changes itself.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Policy(pub(crate) arpflux_core::Policy);

#[pymethods]
impl Policy {
    /// Reads a file whose name ends in .toml or .json. Raises InvalidPolicy with file, line and column.
    #[staticmethod]
    fn load(py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<Self> {
        let path = host::path(path)?;
        let policy = py.detach(|| arpflux_core::Policy::from_path(path));
        Ok(Self(policy.map_err(crate::error::PyError::from)?))
    }

    /// Reads the TOML form; `source` stands for the file in messages.
    #[staticmethod]
    #[pyo3(signature = (text, source = "policy.toml"))]
    fn from_toml(py: Python<'_>, text: &str, source: &str) -> Result<Self> {
        Ok(Self(py.detach(|| arpflux_core::Policy::from_toml(text, source))?))
    }

    /// Reads the JSON form; `source` stands for the file in messages.
    #[staticmethod]
    #[pyo3(signature = (text, source = "policy.json"))]
    fn from_json(py: Python<'_>, text: &str, source: &str) -> Result<Self> {
        Ok(Self(py.detach(|| arpflux_core::Policy::from_json(text, source))?))
    }

    /// The same structure as a dict. Addresses may be `ipaddress` objects.
    #[staticmethod]
    fn from_dict(py: Python<'_>, policy: &Bound<'_, PyDict>) -> PyResult<Self> {
        // `default=str` writes `ipaddress` objects and paths as what they look like.
        let options = PyDict::new(py);
        options.set_item("default", py.get_type::<pyo3::types::PyString>())?;
        options.set_item("indent", 1)?;
        let text: String = py.import("json")?.call_method("dumps", (policy,), Some(&options))?.extract()?;
        let policy = py.detach(|| arpflux_core::Policy::from_json(&text, "dict"));
        Ok(Self(policy.map_err(crate::error::PyError::from)?))
    }

    /// What has to change on the host that `snapshot` shows so that this policy holds; empty if it holds already. Nothing
    /// is changed by this, and the snapshot may be of another machine.
    ///
    /// Raises Refused if the policy would not work there, NotFound if an interface is not there.
    fn plan(&self, py: Python<'_>, snapshot: &Snapshot) -> Result<Plan> {
        Ok(Plan(py.detach(|| self.0.plan(&snapshot.0))?))
    }

    /// Checks a snapshot against this policy: every value, entry, rule and route, and by the model of the kernel that each
    /// address is answered by its own interface and no other, for all senders and targets. Nothing is sent.
    fn verify(&self, py: Python<'_>, snapshot: &Snapshot) -> Result<Report> {
        self.check(py, snapshot)
    }

    /// The TOML form.
    fn to_toml(&self, py: Python<'_>) -> Result<String> {
        Ok(py.detach(|| self.0.to_toml())?)
    }

    /// The JSON form.
    fn to_json(&self, py: Python<'_>) -> Result<String> {
        Ok(py.detach(|| self.0.to_json())?)
    }

    /// The same structure as a dict.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value::parse(py, &self.to_json(py)?)
    }

    fn __hash__(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(value::hash(&self.to_json(py)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let text = slf.get().to_json(slf.py())?;
        Ok((slf.get_type().getattr("from_json")?, (text,)))
    }

    fn __repr__(&self) -> String {
        let owners: Vec<&str> = self.0.proxies.iter().map(|proxy| proxy.owner.as_str()).collect();
        format!("Policy(proxies={owners:?})")
    }
}

impl Policy {
    /// What `verify` does, for other classes too.
    pub(crate) fn check(&self, py: Python<'_>, snapshot: &Snapshot) -> Result<Report> {
        Ok(Report(py.detach(|| verify::check(&self.0, &snapshot.0))?))
    }
}
