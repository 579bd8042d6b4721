//! Plans: what has to change so that a policy holds.

use std::sync::Arc;

use arpflux_core::plan::InterfaceIdentity;
use arpflux_core::report::html;
use arpflux_core::snapshot as core;
use arpflux_core::state::{self, Object};
use pyo3::IntoPyObjectExt as _;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyTuple};

use crate::argument;
use crate::error::Result;
use crate::model;
use crate::policy::Policy;
use crate::records::{ProxyEntry, record, tuple};
use crate::routing::{Route, Rule};
use crate::snapshot::Snapshot;
use crate::value;
use crate::wire::Given;

/// One typed change: an object of the kernel, and what it is before and after. `str()` gives it in one line.
#[pyclass(frozen, module = "arpflux")]
pub struct Change(state::Change, Names);

/// What the interfaces are called that changes are about.
type Names = Arc<[InterfaceIdentity]>;

impl Change {
    /// One that was read: what its interfaces are called is not known.
    fn unnamed(change: state::Change) -> Self {
        Self(change, Arc::new([]))
    }
}

/// Changes as a tuple, with what the interfaces are called that they are about.
pub(crate) fn changes<'py>(
    py: Python<'py>,
    changes: &[state::Change],
    interfaces: &[InterfaceIdentity],
) -> PyResult<Bound<'py, PyTuple>> {
    let names: Names = interfaces.into();
    tuple(py, changes.iter().map(|change| Change(change.clone(), Arc::clone(&names))))
}

record!(Change, Change::unnamed {
    /// What kind of change it is, as ChangeKind.
    #[getter]
    fn kind<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        Ok(value::member(py, "ChangeKind", self.0.object.kind())?)
    }

    /// What it is about: `net.ipv4.conf.eth0.arp_ignore`, `proxy entry 192.168.18.101 on eth3`.
    #[getter]
    fn object(&self) -> String {
        let known = |index| self.1.iter().find(|known| known.index == index).map(|known| known.name);
        self.0.object.name(&known)
    }

    /// What it is before: the value of a sysctl, a ProxyEntry or whether a rule or route is there; None: no entry.
    #[getter]
    fn before<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.value(py, self.0.before)
    }

    /// What it is afterwards, as `before`.
    #[getter]
    fn after<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.value(py, self.0.after)
    }

    /// The number of the interface that it is about; None: none, or all.
    #[getter]
    fn interface(&self) -> Option<u32> {
        self.0.interface().map(|index| index.0)
    }

    /// The folder of a sysctl: `all`, `default` or an interface's name.
    #[getter]
    fn scope(&self) -> Option<String> {
        self.0.object.scope().map(ToString::to_string)
    }

    /// The name of a sysctl, such as `arp_ignore`.
    #[getter]
    fn sysctl(&self) -> Option<&'static str> {
        match &self.0.object {
            Object::Sysctl { sysctl, .. } => Some(sysctl.name()),
            Object::Ipv6Sysctl { sysctl, .. } => Some(sysctl.name()),
            Object::ProxyDelay { .. } => Some("proxy_delay"),
            _ => None,
        }
    }

    /// The policy routing rule that comes or goes.
    #[getter]
    fn rule(&self) -> Option<Rule> {
        match &self.0.object {
            Object::Rule(rule) => Some(Rule((**rule).clone())),
            _ => None,
        }
    }

    /// The route that comes or goes.
    #[getter]
    fn route(&self) -> Option<Route> {
        match &self.0.object {
            Object::Route(route) => Some(Route((**route).clone())),
            _ => None,
        }
    }

    /// The change that takes this one back.
    fn inverse(&self) -> Self {
        Self(self.0.inverse(), Arc::clone(&self.1))
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    fn __str__(&self) -> String {
        self.0.in_words(&self.1)
    }

    fn __repr__(&self) -> String {
        format!("<Change: {}>", self.__str__())
    }
});

impl Change {
    fn value<'py>(&self, py: Python<'py>, value: state::Value) -> PyResult<Bound<'py, PyAny>> {
        match (&self.0.object, value) {
            (_, state::Value::Number(number)) => number.into_bound_py_any(py),
            (Object::Proxy { address, interface }, state::Value::Entry { flags, protocol }) => {
                let entry = core::ProxyEntry::new(*address, *interface).flags(flags).protocol(protocol);
                ProxyEntry(entry).into_bound_py_any(py)
            }
            (Object::Proxy { .. }, _) => Ok(py.None().into_bound(py)),
            (_, value) => value.is_there().into_bound_py_any(py),
        }
    }
}

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
        changes(py, &self.0.changes, &self.0.interfaces)
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

    /// Which requests are answered otherwise after this plan on the host that `before` was taken from, for all senders and
    /// targets: an Impact. `policy` is the one the plan was made for: effects on what it does not name come first.
    fn impact<'py>(&self, py: Python<'py>, before: &Snapshot, policy: &Policy) -> Result<Bound<'py, PyAny>> {
        model::impact(py, self, before, policy)
    }

    /// The state after this plan, as the kernel would have it: to see what the plan leads to without a kernel.
    fn predict(&self, py: Python<'_>, snapshot: &Snapshot) -> Snapshot {
        Snapshot(Arc::new(py.detach(|| snapshot.0.with(&self.0.changes))))
    }

    /// What the plan harms on the host that the snapshot shows, and whether that is all: what `Host.apply` refuses.
    fn assess(&self, py: Python<'_>, snapshot: &Snapshot) -> Result<Assessment> {
        Ok(Assessment(py.detach(|| self.0.assess(&snapshot.0))?))
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

/// What a plan harms, and what of that cannot be told. It is true if it certainly does no harm; `str()` gives it for people.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Assessment(arpflux_core::harm::Assessment);

#[pymethods]
impl Assessment {
    /// Whether it does no harm; None if that cannot be told.
    #[getter]
    fn ok(&self) -> Option<bool> {
        self.0.judgement().ok()
    }

    /// What would be lost, one sentence each.
    #[getter]
    fn harm<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.harm.iter().map(ToString::to_string))
    }

    /// Of how many addresses cannot be told who answers for them afterwards.
    #[getter]
    fn unknown(&self) -> usize {
        self.0.unknown
    }

    /// What is missing for that, as Gap.
    #[getter]
    fn missing<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "Gap", &self.0.missing)
    }

    /// The same as plain dicts, lists, strings and numbers.
    fn to_dict<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::to_python(py, &self.0)
    }

    fn __bool__(&self) -> bool {
        self.ok() == Some(true)
    }

    fn __hash__(&self) -> Result<u64> {
        Ok(value::hash(&value::to_json(&self.0)?))
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<Assessment: {} harm, {} unknown>", self.0.harm.len(), self.0.unknown)
    }
}
