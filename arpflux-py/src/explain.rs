//! Who answers, and why.

use std::net::Ipv4Addr;

use arpflux_core::predict;
use arpflux_core::types::{IfName, Mac};
use arpflux_core::{ArpRequest, Error, ErrorKind};
use pyo3::prelude::*;

use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::value;

/// What the kernel does with a request, and why. `str()` gives one sentence a line.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Explanation(predict::Explanation);

#[pymethods]
impl Explanation {
    /// True: it answers; False: it does not; None: that cannot be told from the snapshot.
    #[getter]
    fn answers(&self) -> Option<bool> {
        self.0.verdict.answers()
    }

    /// The MAC in the answer, or None.
    #[getter]
    fn mac(&self) -> Option<String> {
        self.0.verdict.mac().map(Mac::to_string)
    }

    /// The stable name of the rule that decided; None if it cannot be told.
    #[getter]
    fn reason(&self) -> Option<&'static str> {
        self.0.verdict.reason().map(predict::Reason::code)
    }

    /// What is missing to tell, as stable names; empty unless `answers` is None.
    #[getter]
    fn missing(&self) -> Vec<&'static str> {
        match &self.0.verdict {
            predict::Verdict::Undetermined { missing } => {
                missing.iter().map(predict::Missing::code).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The steps that led to the verdict, one sentence each.
    #[getter]
    fn steps(&self) -> Vec<String> {
        self.0.steps.iter().map(ToString::to_string).collect()
    }

    /// What `arpflux explain --json` prints.
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
        format!("<Explanation: {}>", self.0.verdict)
    }
}

/// Answers one question about a snapshot.
pub fn explain(
    snapshot: &Snapshot,
    interface: &str,
    target: Ipv4Addr,
    sender: Ipv4Addr,
    sender_mac: Option<&str>,
    unicast: bool,
) -> Result<Explanation> {
    let name: IfName = interface.parse()?;
    let interface = snapshot.0.interface_named(&name).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "the snapshot has no such interface")
            .during("explain request")
            .on(name.to_string())
    })?;
    let sender_mac = sender_mac.map(str::parse::<Mac>).transpose()?;
    let request = ArpRequest { interface: interface.index, sender, sender_mac, target, unicast };
    Ok(Explanation(snapshot.0.explain(&request)))
}
