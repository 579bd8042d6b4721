//! Whether a host is as a policy says.

use arpflux_core::apply::Options;
use arpflux_core::verify::{self, Verified};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::argument::{self, invalid};
use crate::error::Result;
use crate::host::Host;
use crate::interrupt::interruptible;
use crate::policy::Policy;
use crate::value;
use crate::wire::Given;

/// What verification found. True if something was checked and all of it is certainly as the policy says.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Report(pub(crate) verify::Report);

#[pymethods]
impl Report {
    /// True if something was checked and all of it is as the policy says, False if something is not so; None if nothing failed and
    /// something cannot be told.
    #[getter]
    fn ok(&self) -> Option<bool> {
        self.0.judgement().ok()
    }

    /// How many things were checked.
    #[getter]
    fn checks(&self) -> usize {
        self.0.checks
    }

    /// By address: who should answer and who does, as VerifiedAddress.
    #[getter]
    fn addresses<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "VerifiedAddress", &self.0.addresses)
    }

    /// What is not as the policy says, as Failure; `str()` of each is one sentence.
    #[getter]
    fn failures<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "Failure", &self.0.failures)
    }

    /// What cannot be told, one sentence each; neither good nor bad.
    #[getter]
    fn undetermined<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.undetermined)
    }

    /// What is missing for that, as Gap.
    #[getter]
    fn missing<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "Gap", &self.0.missing)
    }

    /// Whether all that cannot be told holds apart from what is missing; None: that cannot be told either, or nothing is missing.
    #[getter]
    fn ok_apart_from_that(&self) -> Option<bool> {
        self.0.ok_apart_from_that
    }

    /// Raises VerifyFailed, which names the first thing that is not so, and its subclass Undetermined where nothing failed and
    /// something cannot be told.
    fn raise_for_failures(&self) -> Result<()> {
        self.0.clone().into_result()?;
        Ok(())
    }

    /// What `arpflux verify --json` prints.
    fn to_dict<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::parse(py, &self.0.to_json()?)
    }

    /// The report that a dict as `to_dict()` gives it stands for.
    #[staticmethod]
    fn from_dict(values: &Bound<'_, PyDict>) -> Result<Self> {
        let values = values.copy()?;
        for derived in ["schema", "ok"] {
            if values.contains(derived)? {
                values.del_item(derived)?;
            }
        }
        value::from_dict("Report", &values).map(Self)
    }

    fn __bool__(&self) -> bool {
        self.0.ok()
    }

    fn __hash__(&self) -> Result<u64> {
        Ok(value::hash(&value::to_json(&self.0)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, (Bound<'py, PyAny>,))> {
        Ok((slf.get_type().getattr("from_dict")?, (slf.get().to_dict(slf.py())?,)))
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        let open = match self.0.undetermined.len() {
            0 => String::new(),
            count => format!(", {count} undetermined"),
        };
        format!("<Report: {} checks, {} failures{open}>", self.0.checks, self.0.failures.len())
    }
}

/// See `Host.verify`.
pub fn verify<'py>(
    py: Python<'py>,
    host: &Host,
    policy: &Policy,
    wire: Given<'_, 'py>,
    peer: Given<'_, 'py>,
    interface: Given<'_, 'py>,
) -> Result<Report> {
    let wire = wire.map(|wire| argument::text("wire", wire)).transpose()?;
    let interface = interface.map(|name| argument::interface("interface", name)).transpose()?;
    let peer = match peer {
        Some(peer) if peer.is_instance_of::<Host>() => {
            Some(peer.cast::<Host>().map_err(PyErr::from)?.get().0.clone())
        }
        Some(peer) => Some(Host::of("peer", peer)?.0),
        None => None,
    };
    let by_wire = match (wire.as_deref(), &peer) {
        (None, None) => false,
        (Some("self"), None) => true,
        (Some("peer"), Some(_)) => true,
        (Some("peer"), None) => return Err(invalid("peer", "wire='peer' takes the host to ask from")),
        (_, Some(_)) => return Err(invalid("peer", "it belongs to wire='peer'")),
        (Some(other), None) => {
            return Err(invalid("wire", format_args!("{other:?} is neither 'self' nor 'peer'")));
        }
    };
    if interface.is_some() && peer.is_none() {
        return Err(invalid("interface", "it is the peer's, and belongs to wire='peer'"));
    }
    let report = interruptible(py, |stop| {
        let Verified { mut report, snapshot, .. } = host.0.verify(&policy.0, None, &Options::default())?;
        match &peer {
            Some(peer) => {
                report.merge(verify::wire::peer_until(&policy.0, &snapshot, peer, interface.as_ref(), stop)?);
            }
            None if by_wire => report.merge(verify::wire::own_until(&policy.0, &snapshot, &host.0, stop)?),
            None => {}
        }
        Ok(report)
    })?;
    Ok(Report(report))
}
