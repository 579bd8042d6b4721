//! Snapshots.

use std::net::Ipv4Addr;
use std::sync::Arc;

use arpflux_core::{Error, ErrorKind, Sysctl};
use pyo3::prelude::*;

use crate::error::Result;
use crate::explain::{self, Explanation};
use crate::records::{Address, Effective, Interface, ProxyEntry, fs_text};
use crate::value;

/// One network namespace at one moment. It never changes.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Snapshot(pub(crate) Arc<arpflux_core::Snapshot>);

#[pymethods]
impl Snapshot {
    /// Reads what `to_json()` or `arpflux snapshot --json` wrote.
    #[staticmethod]
    fn from_json(py: Python<'_>, text: &str) -> Result<Self> {
        let snapshot = py.detach(|| arpflux_core::Snapshot::from_json(text))?;
        Ok(Self(Arc::new(snapshot)))
    }

    /// One JSON object with `"schema": 1`; reading it back gives an equal snapshot.
    fn to_json(&self, py: Python<'_>) -> Result<String> {
        Ok(py.detach(|| self.0.to_json())?)
    }

    /// The same as plain dicts, lists, strings and numbers.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        value::to_python(py, &*self.0)
    }

    /// Who answers a request for `target` that arrives on `interface`, and why.
    ///
    /// `sender` is who asks; without, it is an RFC 5227 probe (0.0.0.0). `sender_mac` where it matters. `unicast`:
    /// the frame was sent to this interface's MAC instead of to all.
    #[pyo3(signature = (target, *, interface, sender = None, sender_mac = None, unicast = false))]
    fn explain(
        &self,
        py: Python<'_>,
        target: value::Ipv4,
        interface: &str,
        sender: Option<value::Ipv4>,
        sender_mac: Option<&str>,
        unicast: bool,
    ) -> Result<Explanation> {
        let sender = sender.map_or(Ipv4Addr::UNSPECIFIED, |sender| sender.0);
        py.detach(|| explain::explain(self, interface, target.0, sender, sender_mac, unicast))
    }

    /// The interfaces, sorted by number.
    #[getter]
    fn interfaces(&self) -> Vec<Interface> {
        self.0.interfaces.iter().cloned().map(Interface).collect()
    }

    /// Addresses of both families, in the kernel's order.
    #[getter]
    fn addresses(&self) -> Vec<Address> {
        self.0.addresses.iter().cloned().map(Address).collect()
    }

    /// Proxy entries of both families, in the kernel's order.
    #[getter]
    fn proxies(&self) -> Vec<ProxyEntry> {
        self.0.proxies.iter().copied().map(ProxyEntry).collect()
    }

    /// The interface of that name. Raises NotFound if there is none.
    fn interface(&self, name: &str) -> Result<Interface> {
        Ok(Interface(self.find(name)?.clone()))
    }

    /// The value of a sysctl below net.ipv4.conf that counts on an interface, and where it comes from.
    fn effective(&self, interface: &str, sysctl: &str) -> Result<Effective> {
        let sysctl: Sysctl = sysctl.parse()?;
        Ok(Effective(self.0.effective(self.find(interface)?, sysctl)))
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let names: PyResult<Vec<String>> = self
            .0
            .interfaces
            .iter()
            .map(|interface| fs_text(py, interface.name.as_bytes())?.repr()?.extract())
            .collect();
        Ok(format!(
            "Snapshot(interfaces=[{}], addresses={}, proxies={})",
            names?.join(", "),
            self.0.addresses.len(),
            self.0.proxies.len()
        ))
    }

    fn __hash__(&self) -> PyResult<u64> {
        Ok(value::hash(&value::to_json(&*self.0)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        let text = slf.get().to_json(slf.py())?;
        Ok((slf.get_type().getattr("from_json")?, (text,)))
    }
}

impl Snapshot {
    fn find(&self, name: &str) -> Result<&arpflux_core::snapshot::Interface> {
        let found = self.0.interfaces.iter().find(|interface| interface.name.as_bytes() == name.as_bytes());
        Ok(found.ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "the snapshot has no such interface")
                .during("find interface")
                .on(format!("{name:?}"))
        })?)
    }
}
