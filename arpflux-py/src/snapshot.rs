//! Snapshots.

use std::sync::Arc;

use arpflux_core::report::html;
use arpflux_core::types::IfIndex;
use arpflux_core::{Error, ErrorKind, Sysctl};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::argument;
use crate::diagnose::{self, Diagnosis};
use crate::error::Result;
use crate::explain::{self, Matrix, Question, Scope};
use crate::model;
use crate::persist::{self, BootReport};
use crate::plan::Plan;
use crate::policy::Policy;
use crate::recommend::{self, Recommendation};
use crate::records::{Address, Interface, Neighbour, ProxyEntry, fs_text, ipv6_sysctls, sysctls, tuple};
use crate::routing::{Route, Rule};
use crate::value;
use crate::verify::Report;
use crate::wire::Given;

/// One network namespace at one moment. It never changes.
///
/// >>> import arpflux, pickle
/// >>> snapshot = arpflux.Host.current().snapshot()
/// >>> snapshot == arpflux.Snapshot.from_json(snapshot.to_json()) == pickle.loads(pickle.dumps(snapshot))
/// True
/// >>> snapshot.explain("127.0.0.1", interface="lo").answers
/// False
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Snapshot(pub(crate) Arc<arpflux_core::Snapshot>);

#[pymethods]
impl Snapshot {
    /// Reads a file that `arpflux snapshot --json` wrote. Raises NoSuchFile, and InvalidData with the file's name.
    #[staticmethod]
    fn load(py: Python<'_>, path: &Bound<'_, PyAny>) -> Result<Self> {
        let path = argument::path("path", path)?;
        Ok(Self(Arc::new(py.detach(|| arpflux_core::Snapshot::from_path(path))?)))
    }

    /// Reads what `to_json()` or `arpflux snapshot --json` wrote, as str or bytes; `source` stands for the file in messages.
    #[staticmethod]
    #[pyo3(signature = (text, source = None))]
    fn from_json<'py>(py: Python<'py>, text: &Bound<'py, PyAny>, source: Given<'_, 'py>) -> Result<Self> {
        let (text, source) = (argument::json("text", text)?, argument::source(source)?);
        let snapshot = py.detach(|| arpflux_core::Snapshot::from_json(&text));
        Ok(Self(Arc::new(value::sourced(snapshot, source)?)))
    }

    /// One JSON object with `"schema": 1`; reading it back gives an equal snapshot.
    fn to_json(&self, py: Python<'_>) -> Result<String> {
        Ok(py.detach(|| self.0.to_json())?)
    }

    /// The same as plain dicts, lists, strings and numbers.
    fn to_dict<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::parse(py, &self.to_json(py)?)
    }

    /// The snapshot that a dict as `to_dict()` gives it stands for. Raises InvalidData.
    #[staticmethod]
    fn from_dict(py: Python<'_>, values: &Bound<'_, PyDict>) -> Result<Self> {
        let text = value::dumps(values.as_any())?;
        let snapshot = py.detach(|| arpflux_core::Snapshot::from_json(&text))?;
        Ok(Self(Arc::new(snapshot)))
    }

    /// The same host with other names, addresses and MACs, alike wherever they stand and otherwise at each call, for a report
    /// that a stranger may read: everything says the same of it. The last byte of IPv4 addresses and numbers (tables, VLANs,
    /// marks, sysctls) stay. Raises Unsupported if a packet filter looks at addresses in a way that cannot be kept.
    fn anonymised(&self, py: Python<'_>) -> Result<Self> {
        Ok(Self(Arc::new(py.detach(|| self.0.anonymised())?)))
    }

    /// Who answers a request for `target` that arrives on `interface`, and why, as an Explanation: an ARP request for an
    /// IPv4 address, a neighbour solicitation for an IPv6 address.
    ///
    /// `sender` is who asks; without, it is a probe (0.0.0.0 or ::). `sender_mac` where it matters. `unicast`:
    /// the frame was sent to this interface's MAC instead of to all.
    #[pyo3(signature = (target, *, interface, sender = None, sender_mac = None, unicast = false))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        target: &Bound<'py, PyAny>,
        interface: &Bound<'py, PyAny>,
        sender: Given<'_, 'py>,
        sender_mac: Given<'_, 'py>,
        unicast: bool,
    ) -> Result<Bound<'py, PyAny>> {
        Question::new(target, interface, sender, sender_mac, unicast)?.answer(py, self)
    }

    /// Who answers for each address on each interface: a Matrix. Without `targets`, the host's own addresses and those it
    /// proxies; without `interfaces` (names), all that take requests for themselves; without `sender`, an ordinary
    /// neighbour of each interface asks.
    #[pyo3(signature = (*, targets = None, interfaces = None, sender = None))]
    fn matrix<'py>(
        &self,
        py: Python<'py>,
        targets: Given<'_, 'py>,
        interfaces: Given<'_, 'py>,
        sender: Given<'_, 'py>,
    ) -> Result<Matrix> {
        explain::matrix(py, self, Scope::new(targets, interfaces, sender)?)
    }

    /// Claims decided for all senders by the model of the kernel: Proofs. Nothing is sent. For IPv6 they are about
    /// solicitations to the address's group.
    ///
    /// Without `claims`: for each wire and each address that is held or proxied there (or for `target` alone), that exactly
    /// one interface answers; for link-local IPv6 addresses only as `target`. `claims`: an iterable of Expectation. Raises NotFound if there is no such interface.
    ///
    /// >>> import arpflux
    /// >>> snapshot = arpflux.Host.current().snapshot()
    /// >>> snapshot.prove(claims=[arpflux.Expectation.never("lo", "192.0.2.0/24")])[0].outcome
    /// <ProofOutcome.PROVED: 'proved'>
    #[pyo3(signature = (target = None, *, claims = None))]
    fn prove<'py>(
        &self,
        py: Python<'py>,
        target: Given<'_, 'py>,
        claims: Given<'_, 'py>,
    ) -> Result<Bound<'py, PyAny>> {
        model::prove(py, self, target, claims)
    }

    /// How the host reaches an IPv4 address, and what its request for that teaches its peers: a Reached. `source`: the packet's
    /// source address if the program chose one; `interface`: the name of the interface if it chose one (`SO_BINDTODEVICE`).
    #[pyo3(signature = (destination, *, source = None, interface = None))]
    fn outgoing<'py>(
        &self,
        py: Python<'py>,
        destination: &Bound<'py, PyAny>,
        source: Given<'_, 'py>,
        interface: Given<'_, 'py>,
    ) -> Result<Bound<'py, PyAny>> {
        model::outgoing(py, self, destination, source, interface)
    }

    /// What the host learns when it is told that an IPv4 address is at a MAC, by interface and kind of frame: a Learned.
    /// `interfaces`: names; without, all that take requests for themselves.
    #[pyo3(signature = (address, mac, *, interfaces = None))]
    fn learns<'py>(
        &self,
        py: Python<'py>,
        address: &Bound<'py, PyAny>,
        mac: &Bound<'py, PyAny>,
        interfaces: Given<'_, 'py>,
    ) -> Result<Bound<'py, PyAny>> {
        model::learns(py, self, address, mac, interfaces)
    }

    /// What is wrong, why, and what to do: a Diagnosis. With `policy` also what is not as that says. `wires`: which
    /// interfaces share a wire, several names for each wire, or what `Host.segments` gives; without, what the subnets tell.
    /// `boot`: what `at_boot` gives; what the next boot takes away or sets otherwise becomes a finding. `ignore`: findings not
    /// wanted (`"AF021"` or FindingId), one or several. `impact`: whether to compute what each remedy changes elsewhere.
    #[pyo3(signature = (*, policy = None, wires = None, boot = None, ignore = None, impact = true))]
    fn diagnose<'py>(
        &self,
        py: Python<'py>,
        policy: Option<Bound<'py, Policy>>,
        wires: Given<'_, 'py>,
        boot: Option<Bound<'py, BootReport>>,
        ignore: Given<'_, 'py>,
        impact: bool,
    ) -> Result<Diagnosis> {
        let (policy, boot) = (policy.as_ref().map(Bound::get), boot.as_ref().map(Bound::get));
        let options = diagnose::options(policy, wires, boot, ignore, impact)?;
        diagnose::diagnose(py, self, options)
    }

    /// What the next boot of the host brings, compared with this snapshot: a BootReport. Which file below `root` (the folder
    /// that stands for / of that host) sets each value, which line wins, and which entries, rules and routes come or go.
    ///
    /// Raises PermissionDenied, Io or InvalidData if a file that is there cannot be read.
    #[pyo3(signature = (*, root = None))]
    fn at_boot<'py>(&self, py: Python<'py>, root: Given<'_, 'py>) -> Result<BootReport> {
        let root = root.map(|root| argument::path("root", root)).transpose()?;
        persist::at_boot(py, self, root)
    }

    /// What has to change here so that `policy` holds: the same as `policy.plan(snapshot)`.
    fn plan(&self, py: Python<'_>, policy: &Policy) -> Result<Plan> {
        policy.plan(py, self)
    }

    /// Which policy fits this host, why, and the proof that it works there: a Recommendation. Raises Refused if no policy
    /// would work here as it is.
    fn recommend(&self, py: Python<'_>) -> Result<Recommendation> {
        recommend::recommend(py, self)
    }

    /// Whether it is as `policy` says: the same as `policy.verify(snapshot)`.
    fn verify(&self, py: Python<'_>, policy: &Policy) -> Result<Report> {
        policy.check(py, self)
    }

    /// The interfaces, sorted by number.
    #[getter]
    fn interfaces<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.0.interfaces.iter().cloned().map(Interface))
    }

    /// Addresses of both families, in the kernel's order.
    #[getter]
    fn addresses<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.0.addresses.iter().cloned().map(Address))
    }

    /// Proxy entries of both families, in the kernel's order.
    #[getter]
    fn proxies<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.0.proxies.iter().copied().map(ProxyEntry))
    }

    /// Routes of all tables and both families, in the kernel's order: a tuple of Route.
    #[getter]
    fn routes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.0.routes.iter().cloned().map(Route))
    }

    /// Policy routing rules of both families, in the kernel's order: a tuple of Rule.
    #[getter]
    fn rules<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.0.rules.iter().cloned().map(Rule))
    }

    /// Neighbour entries of both families: a tuple of Neighbour.
    #[getter]
    fn neighbours<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.0.neighbours.iter().cloned().map(Neighbour))
    }

    /// The kernel it was taken from, as KernelVersion.
    #[getter]
    fn kernel<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::typed(py, "KernelVersion", &self.0.kernel)
    }

    /// The namespace it was taken from, as NetnsIdentity.
    #[getter]
    fn netns<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::typed(py, "NetnsIdentity", &self.0.netns)
    }

    /// How much whoever took it reads: 0 where options of links that decide were left out.
    #[getter]
    fn reads(&self) -> u32 {
        self.0.reads.0
    }

    /// What the kernel remembers about routing and shows in no dump, as RoutingMemory.
    #[getter]
    fn routing<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::typed(py, "RoutingMemory", &self.0.routing)
    }

    /// What else may meddle with ARP there, or could not be read: a tuple of Interference.
    #[getter]
    fn interference<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "Interference", &self.0.interference)
    }

    /// What decides about neighbour discovery, as Discovery; None: it was not read.
    #[getter]
    fn discovery<'py>(&self, py: Python<'py>) -> Result<Option<Bound<'py, PyAny>>> {
        self.0.discovery.as_ref().map(|known| value::typed(py, "Discovery", known)).transpose()
    }

    /// `net.ipv4.conf.all` as a new dict; what the kernel does not have is absent.
    #[getter]
    fn all<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        sysctls(py, &self.0.all)
    }

    /// `net.ipv4.conf.default` as a new dict: what interfaces made later start with.
    #[getter]
    fn default<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        sysctls(py, &self.0.default)
    }

    /// `net.ipv6.conf.all` as a new dict; empty if the kernel has no IPv6.
    #[getter]
    fn all_ipv6<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        ipv6_sysctls(py, &self.0.all_ipv6)
    }

    /// `net.ipv4.ip_forward`.
    #[getter]
    fn ip_forward(&self) -> i32 {
        self.0.ip_forward
    }

    /// `net.ipv4.ip_nonlocal_bind`.
    #[getter]
    fn ip_nonlocal_bind(&self) -> i32 {
        self.0.ip_nonlocal_bind
    }

    /// `net.ipv4.fib_multipath_hash_policy`; None where the kernel has none.
    #[getter]
    fn fib_multipath_hash_policy(&self) -> Option<i32> {
        self.0.fib_multipath_hash_policy
    }

    /// The interface of that name or number. Raises NotFound if there is none.
    fn interface(&self, name: &Bound<'_, PyAny>) -> Result<Interface> {
        let found = match name.extract::<u32>() {
            Ok(number) => self.0.interface(IfIndex(number)).ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "the snapshot has no such interface")
                    .during("find interface")
                    .on(format!("number {number}"))
            })?,
            Err(_) => self.find(&argument::interface("name", name)?)?,
        };
        Ok(Interface(found.clone()))
    }

    /// The name of the interface with that number, for records that refer to it; None for None. Raises NotFound.
    ///
    /// >>> import arpflux
    /// >>> snapshot = arpflux.Host.current().snapshot()
    /// >>> snapshot.interface_name(snapshot.interface("lo").index)
    /// 'lo'
    fn interface_name<'py>(
        &self,
        py: Python<'py>,
        number: Given<'_, 'py>,
    ) -> Result<Option<Bound<'py, PyAny>>> {
        let Some(number) = number else { return Ok(None) };
        let interface = self.interface(number)?;
        Ok(Some(fs_text(py, interface.0.name.as_bytes())?.into_any()))
    }

    /// The value of a sysctl below net.ipv4.conf that counts on an interface, and where it comes from: an Effective.
    ///
    /// >>> import arpflux
    /// >>> arpflux.Host.current().snapshot().effective("lo", "arp_ignore").source in arpflux.ValueSource
    /// True
    fn effective<'py>(
        &self,
        py: Python<'py>,
        interface: &Bound<'py, PyAny>,
        sysctl: &Bound<'py, PyAny>,
    ) -> Result<Bound<'py, PyAny>> {
        let sysctl: Sysctl = argument::text("sysctl", sysctl)?.parse()?;
        let interface = self.find(&argument::interface("interface", interface)?)?;
        value::typed(py, "Effective", &self.0.effective(interface, sysctl))
    }

    /// What a notebook shows: the drawing of the HTML report.
    fn _repr_html_(&self, py: Python<'_>) -> Result<String> {
        Ok(py.detach(|| html::snapshot(&self.0))?)
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

    fn __hash__(&self) -> Result<u64> {
        Ok(value::hash(&value::to_json(&*self.0)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<(Bound<'py, PyAny>, (String,))> {
        let text = slf.get().to_json(slf.py())?;
        Ok((slf.get_type().getattr("from_json")?, (text,)))
    }
}
