//! Who answers, and why: of one request, and of every address on every interface.

use std::net::IpAddr;
use std::sync::Arc;

use arpflux_core::predict::{self, Model, Request, listeners, targets};
use arpflux_core::report::html;
use arpflux_core::types::IfName;
use arpflux_core::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyTuple};

use crate::argument;
use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::value;
use crate::wire::Given;

/// A question, with everything that Python may leave out.
pub struct Question {
    target: IpAddr,
    interface: IfName,
    sender: IpAddr,
    sender_mac: Option<arpflux_core::types::Mac>,
    unicast: bool,
}

impl Question {
    /// Reads the arguments of `explain`.
    pub fn new<'py>(
        target: &Bound<'py, PyAny>,
        interface: &Bound<'py, PyAny>,
        sender: Given<'_, 'py>,
        sender_mac: Given<'_, 'py>,
        unicast: bool,
    ) -> Result<Self> {
        let sender = sender.map(|sender| argument::address("sender", sender)).transpose()?;
        let target = argument::address("target", target)?;
        Ok(Self {
            target,
            interface: argument::interface("interface", interface)?,
            sender: sender.unwrap_or(Request::nobody(target)),
            sender_mac: sender_mac.map(|mac| argument::mac("sender_mac", mac)).transpose()?,
            unicast,
        })
    }

    /// The answer, as an `Explanation`.
    pub fn answer<'py>(&self, py: Python<'py>, snapshot: &Snapshot) -> Result<Bound<'py, PyAny>> {
        let explanation = py.detach(|| -> arpflux_core::Result<_> {
            let interface = snapshot.find(&self.interface)?.index;
            let &Self { sender, sender_mac, target, unicast, .. } = self;
            let request = Request::new(interface, (sender, sender_mac), target, unicast);
            let request = request.ok_or_else(|| {
                Error::new(ErrorKind::InvalidInput, "sender and target are of different families")
                    .during("explain")
                    .on(sender.to_string())
            })?;
            snapshot.0.explain(&request)
        })?;
        value::typed(py, "Explanation", &explanation)
    }
}

/// What is asked for a matrix; `None`: the host's own addresses and those it proxies, the interfaces that take requests
/// for themselves, an ordinary neighbour of each.
#[derive(Clone)]
pub struct Scope {
    targets: Option<Vec<IpAddr>>,
    interfaces: Option<Vec<IfName>>,
    sender: Option<IpAddr>,
}

impl Scope {
    /// Reads the arguments of `matrix`.
    pub fn new<'py>(
        targets: Given<'_, 'py>,
        interfaces: Given<'_, 'py>,
        sender: Given<'_, 'py>,
    ) -> Result<Self> {
        Ok(Self {
            targets: targets.map(|targets| argument::addresses("targets", targets)).transpose()?,
            interfaces: interfaces.map(|names| argument::interfaces("interfaces", names)).transpose()?,
            sender: sender.map(|sender| argument::address("sender", sender)).transpose()?,
        })
    }

    fn matrix(self, snapshot: &Snapshot) -> arpflux_core::Result<Matrix> {
        let asked = match &self.interfaces {
            Some(names) => {
                let index = |name| Ok(snapshot.find(name)?.index);
                names.iter().map(index).collect::<arpflux_core::Result<_>>()?
            }
            None => listeners(&snapshot.0),
        };
        let wanted = self.targets.clone().unwrap_or_else(|| targets(&snapshot.0));
        let model = Model::new(&snapshot.0)?;
        let matrix = predict::Matrix::with(&model, &wanted, &asked, self.sender);
        Ok(Matrix { snapshot: Arc::clone(&snapshot.0), scope: self, matrix })
    }
}

/// Who answers for each address on each interface: its rows, in order. Made by `Snapshot.matrix`; it never changes. True if
/// no address is in flux, and that can be told of all. `str()` draws it.
#[pyclass(frozen, eq, module = "arpflux")]
pub struct Matrix {
    snapshot: Arc<arpflux_core::Snapshot>,
    scope: Scope,
    matrix: predict::Matrix,
}

impl PartialEq for Matrix {
    fn eq(&self, other: &Self) -> bool {
        self.matrix == other.matrix
    }
}

/// See `Snapshot.matrix`.
pub fn matrix(py: Python<'_>, snapshot: &Snapshot, scope: Scope) -> Result<Matrix> {
    Ok(py.detach(|| scope.matrix(snapshot))?)
}

#[pymethods]
impl Matrix {
    /// The interfaces asked, as MatrixInterface, in the order of the cells.
    #[getter]
    fn interfaces<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "MatrixInterface", &self.matrix.interfaces)
    }

    /// The addresses asked for, as MatrixRow: the host's own, then those it proxies.
    #[getter]
    fn rows<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "MatrixRow", &self.matrix.rows)
    }

    /// Whether several MACs answer for one address on one wire; None if that cannot be told.
    #[getter]
    fn has_flux(&self) -> Option<bool> {
        self.matrix.has_flux()
    }

    /// The same as plain dicts, lists, strings and numbers.
    fn to_dict<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::to_python(py, &self.matrix)
    }

    /// What a notebook shows: the drawing of the HTML report.
    fn _repr_html_(&self, py: Python<'_>) -> String {
        py.detach(|| html::matrix(&self.matrix))
    }

    fn __len__(&self) -> usize {
        self.matrix.rows.len()
    }

    fn __getitem__<'py>(&self, py: Python<'py>, index: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>> {
        Ok(self.rows(py)?.as_any().get_item(index)?)
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyIterator>> {
        Ok(self.rows(py)?.try_iter()?)
    }

    fn __bool__(&self) -> bool {
        self.matrix.has_flux() == Some(false)
    }

    fn __hash__(&self) -> Result<u64> {
        Ok(value::hash(&value::to_json(&self.matrix)?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<Bound<'py, PyTuple>> {
        let (py, this) = (slf.py(), slf.get());
        let asked = PyDict::new(py);
        asked.set_item("targets", this.scope.targets.clone())?;
        let names = this.scope.interfaces.as_ref().map(|names| {
            names
                .iter()
                .map(|name| crate::records::fs_text(py, name.as_bytes()))
                .collect::<PyResult<Vec<_>>>()
        });
        asked.set_item("interfaces", names.transpose()?)?;
        asked.set_item("sender", this.scope.sender)?;
        let made = slf.get_type().getattr("_of")?;
        let snapshot = Snapshot(Arc::clone(&this.snapshot));
        Ok((made, (snapshot, asked)).into_pyobject(py)?)
    }

    /// What unpickling calls: the matrix is made anew.
    #[staticmethod]
    fn _of<'py>(snapshot: &Bound<'py, Snapshot>, asked: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        snapshot.call_method("matrix", (), Some(asked))
    }

    /// A table with a letter for each cell, as the command prints it.
    fn __str__(&self, py: Python<'_>) -> String {
        py.detach(|| arpflux_cli::matrix_text(&self.matrix))
    }

    fn __repr__(&self) -> String {
        let predict::Matrix { interfaces, rows, .. } = &self.matrix;
        let (flux, open) = self.matrix.counts();
        let open = if open > 0 { format!(", {open} cannot be told") } else { String::new() };
        format!("<Matrix: {} addresses on {} interfaces, {flux} in flux{open}>", rows.len(), interfaces.len())
    }
}

/// The interface of a snapshot that has a name.
impl Snapshot {
    pub(crate) fn find(&self, name: &IfName) -> arpflux_core::Result<&arpflux_core::snapshot::Interface> {
        self.0.interface_named(name).ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "the snapshot has no such interface")
                .during("find interface")
                .on(name.to_string())
        })
    }
}
