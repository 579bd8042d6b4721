//! Policies: the desired state.

use arpflux_core::verify;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

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
    /// A policy made of its parts; what is left out is as in a file without that key. Raises InvalidPolicy.
    ///
    /// >>> import arpflux
    /// >>> card = arpflux.ProxyPolicy(owner="101", addresses=("192.168.18.101",), interface="eth3")
    /// >>> policy = arpflux.Policy(interfaces=["eth0", "eth3"], proxies=[card])
    /// >>> policy.interfaces, policy.proxies == (card,), policy.strategy
    /// (('eth0', 'eth3'), True, 'auto')
    #[new]
    #[pyo3(signature = (*, interfaces = None, strategy = None, egress = None, announce = None, foreign_proxies = None, proxy_arp = None, proxy_delay = None, proxies = None, services = None))]
    #[expect(clippy::too_many_arguments, reason = "the keys of a policy, each by its name")]
    fn new<'py>(
        py: Python<'py>,
        interfaces: Given<'_, 'py>,
        strategy: Given<'_, 'py>,
        egress: Given<'_, 'py>,
        announce: Given<'_, 'py>,
        foreign_proxies: Given<'_, 'py>,
        proxy_arp: Given<'_, 'py>,
        proxy_delay: Given<'_, 'py>,
        proxies: Given<'_, 'py>,
        services: Given<'_, 'py>,
    ) -> Result<Self> {
        let (host, policy) = (PyDict::new(py), PyDict::new(py));
        let interfaces = interfaces.map(|names| argument::texts("interfaces", names)).transpose()?;
        if let Some(interfaces) = interfaces {
            host.set_item("interfaces", interfaces)?;
        }
        let keys = [
            ("strategy", strategy),
            ("egress", egress),
            ("announce", announce),
            ("foreign_proxies", foreign_proxies),
            ("proxy_arp", proxy_arp),
            ("proxy_delay", proxy_delay),
        ];
        for (key, value) in keys {
            if let Some(value) = value {
                host.set_item(key, value)?;
            }
        }
        policy.set_item("version", arpflux_core::policy::VERSION)?;
        policy.set_item("host", host)?;
        for (key, parts) in [("proxy", proxies), ("service", services)] {
            if let Some(parts) = parts {
                let parts: PyResult<Vec<_>> = parts.try_iter()?.map(|part| as_dict(&part?)).collect();
                policy.set_item(key, parts?)?;
            }
        }
        Self::from_dict(py, &policy)
    }

    /// The interfaces that it is about: names, patterns and `mac:` as they stand there; None: every one that takes ARP and
    /// holds an IPv4 address.
    #[getter]
    fn interfaces<'py>(&self, py: Python<'py>) -> Result<Option<Bound<'py, PyTuple>>> {
        let host = self.host(py)?;
        let names = host.get_item("interfaces").ok().filter(|names| !names.is_none());
        Ok(names
            .map(|names| PyTuple::new(py, names.try_iter()?.collect::<PyResult<Vec<_>>>()?))
            .transpose()?)
    }

    /// How addresses of the host itself are kept to their interfaces: auto, strict, filter or unmanaged.
    #[getter]
    fn strategy<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        Ok(self.host(py)?.get_item("strategy")?)
    }

    /// Whether packets leave by the interface that owns their source address: source-routed or unmanaged.
    #[getter]
    fn egress<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        Ok(self.host(py)?.get_item("egress")?)
    }

    /// Whether owners are announced after a change.
    #[getter]
    fn announce(&self) -> bool {
        self.0.host.announce
    }

    /// What happens to proxy entries that the policy does not name: keep or remove.
    #[getter]
    fn foreign_proxies<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        Ok(self.host(py)?.get_item("foreign_proxies")?)
    }

    /// What becomes of proxy_arp and proxy_arp_pvlan on the interfaces: keep or off.
    #[getter]
    fn proxy_arp<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        // A policy that leaves it as it is does not write it.
        let written = self.host(py)?.get_item("proxy_arp").ok();
        Ok(written.unwrap_or_else(|| PyString::new(py, "keep").into_any()))
    }

    /// The proxy_delay of interfaces with proxied addresses, in ms; None: it stays as it is.
    #[getter]
    fn proxy_delay(&self) -> Option<u64> {
        self.0.host.proxy_delay
    }

    /// Addresses of containers and guests and where they belong, as ProxyPolicy.
    #[getter]
    fn proxies<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "ProxyPolicy", &self.0.proxies)
    }

    /// Addresses that several hosts hold or take over, as ServicePolicy.
    #[getter]
    fn services<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "ServicePolicy", &self.0.services)
    }

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
        match &self.0.host.interfaces {
            Some(interfaces) => {
                let names: Vec<String> = interfaces.iter().map(ToString::to_string).collect();
                format!("<Policy: {}; proxies of {owners:?}>", names.join(" "))
            }
            None => format!("<Policy: all interfaces; proxies of {owners:?}>"),
        }
    }
}

/// A part of a policy as a dict: it is one, or has `to_dict()`.
fn as_dict<'py>(part: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if part.is_instance_of::<PyDict>() { Ok(part.clone()) } else { part.call_method0("to_dict") }
}

impl Policy {
    /// What it says about the host, as a dict.
    fn host<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::to_python(py, &self.0.host)
    }

    /// What `verify` does, for other classes too.
    pub(crate) fn check(&self, py: Python<'_>, snapshot: &Snapshot) -> Result<Report> {
        Ok(Report(py.detach(|| verify::check(&self.0, &snapshot.0))?))
    }
}
