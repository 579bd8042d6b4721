//! Policies: the desired state.

use arpflux_core::verify;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::argument;
use crate::error::Result;
use crate::plan::Plan;
use crate::snapshot::Snapshot;
use crate::value;
use crate::verify::Report;
use crate::wire::Given;

/// The desired state of one host. What it does not name is never touched. It never changes itself.
///
/// >>> import arpflux
/// >>> policy = arpflux.Policy.from_toml('version = 1\n[host]\ninterfaces = ["eth0"]\n')
/// >>> policy == arpflux.Policy.from_dict(policy.to_dict())
/// True
/// >>> arpflux.Policy.from_toml("version = 2")
/// Traceback (most recent call last):
///     ...
/// arpflux.InvalidPolicy: ...
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Policy(pub(crate) arpflux_core::Policy);

#[pymethods]
impl Policy {
    /// Reads a file whose name ends in .toml or .json. Raises InvalidPolicy with file, line and column.
    #[staticmethod]
    fn load(py: Python<'_>, path: &Bound<'_, PyAny>) -> Result<Self> {
        let path = argument::path("path", path)?;
        Ok(Self(py.detach(|| arpflux_core::Policy::from_path(path))?))
    }

    /// Reads the TOML form; `source` stands for the file in messages.
    #[staticmethod]
    #[pyo3(signature = (text, source = None))]
    fn from_toml<'py>(py: Python<'py>, text: &Bound<'py, PyAny>, source: Given<'_, 'py>) -> Result<Self> {
        let text = argument::text("text", text)?;
        let source =
            source.map_or_else(|| Ok("policy.toml".into()), |source| argument::text("source", source))?;
        Ok(Self(py.detach(|| arpflux_core::Policy::from_toml(&text, &source))?))
    }

    /// Reads the JSON form; `source` stands for the file in messages.
    #[staticmethod]
    #[pyo3(signature = (text, source = None))]
    fn from_json<'py>(py: Python<'py>, text: &Bound<'py, PyAny>, source: Given<'_, 'py>) -> Result<Self> {
        let text = argument::text("text", text)?;
        let source =
            source.map_or_else(|| Ok("policy.json".into()), |source| argument::text("source", source))?;
        Ok(Self(py.detach(|| arpflux_core::Policy::from_json(&text, &source))?))
    }

    /// The same structure as a dict. Addresses may be `ipaddress` objects.
    #[staticmethod]
    fn from_dict(py: Python<'_>, policy: &Bound<'_, PyDict>) -> Result<Self> {
        let text = value::dumps(policy.as_any())?;
        Ok(Self(py.detach(|| arpflux_core::Policy::from_json(&text, "dict"))?))
    }

    /// What has to change on the host that `snapshot` shows so that this policy holds; empty if it holds already. Nothing
    /// is changed by this, and the snapshot may be of another machine.
    ///
    /// Raises Refused if the policy would not work there, NotFound if an interface is not there.
    ///
    /// >>> import arpflux
    /// >>> here = arpflux.Host.current().snapshot()
    /// >>> nothing = {"version": 1, "host": {"strategy": "unmanaged", "egress": "unmanaged"}}
    /// >>> len(arpflux.Policy.from_dict(nothing).plan(here))
    /// 0
    pub(crate) fn plan(&self, py: Python<'_>, snapshot: &Snapshot) -> Result<Plan> {
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
    pub(crate) fn to_dict<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::parse(py, &self.to_json(py)?)
    }

    fn __hash__(&self, py: Python<'_>) -> Result<u64> {
        Ok(value::hash(&self.to_json(py)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, (String,))> {
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
