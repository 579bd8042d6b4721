//! What survives a reboot: policies with the files that bring them back, and what the next boot brings.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arpflux_core::persist::{self as core, Layout, Manager};
use arpflux_core::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::argument;
use crate::error::Result;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::records::{fs_text, record, tuple};
use crate::snapshot::Snapshot;
use crate::value;
use crate::wire::Given;

/// See `Snapshot.at_boot`.
pub fn at_boot(py: Python<'_>, snapshot: &Snapshot, root: Option<PathBuf>) -> Result<BootReport> {
    let snapshot = Arc::clone(&snapshot.0);
    let layout = root.map_or_else(Layout::default, |root| Layout::default().root(root));
    Ok(BootReport(py.detach(|| core::at_boot(&snapshot, &layout))?))
}

/// A file that becomes another, is made or goes. `str()` gives it in one line.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct FileChange(pub(crate) core::FileChange);
record!(FileChange {
    /// The path, absolute; bytes that are not UTF-8 appear as `os.fsdecode` gives them.
    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        path(py, &self.0.path)
    }

    /// What was there, as FileState.
    #[getter]
    fn before<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::typed(py, "FileState", &self.0.before)
    }

    /// What shall be there, as FileState.
    #[getter]
    fn after<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::typed(py, "FileState", &self.0.after)
    }

    /// The change that takes this one back.
    fn inverse(&self) -> Self {
        Self(self.0.inverse())
    }

    fn __str__(&self) -> String {
        self.0.to_string()
    }

    fn __repr__(&self) -> String {
        format!("<FileChange: {}>", self.0)
    }
});

/// What the next boot brings. Made by `Snapshot.at_boot`; it never changes. True if everything will be as in the
/// snapshot, and nothing that may set it was left out.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct BootReport(pub(crate) core::BootReport);
record!(BootReport {
    /// The sysctls that a file or the policy sets, and those that nothing brings back: a tuple of BootValue.
    #[getter]
    fn values<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "BootValue", &self.0.values)
    }

    /// The policy that is applied at boot, as BootPolicy; None: none is.
    #[getter]
    fn policy<'py>(&self, py: Python<'py>) -> Result<Option<Bound<'py, PyAny>>> {
        self.0.policy.as_ref().map(|policy| value::typed(py, "BootPolicy", policy)).transpose()
    }

    /// Proxy entries of anybody, and rules and routes of ours, that come or go: a tuple of BootEntry.
    #[getter]
    fn entries<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "BootEntry", &self.0.entries)
    }

    /// Permanent entries of neighbours that come, go or change: a tuple of BootNeighbour.
    #[getter]
    fn neighbours<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "BootNeighbour", &self.0.neighbours)
    }

    /// How many values, entries and neighbours are otherwise after a boot.
    #[getter]
    fn differences(&self) -> usize {
        self.0.differences()
    }

    /// How many values cannot be told, because something that may set them was not followed.
    #[getter]
    fn undetermined(&self) -> usize {
        self.0.undetermined()
    }

    /// What exists, runs at boot and may set such values, but was not understood: a tuple of Unfollowed.
    #[getter]
    fn unfollowed<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "Unfollowed", &self.0.unfollowed)
    }

    /// Lines that do not do what they seem to: a tuple of Lint.
    #[getter]
    fn lints<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyTuple>> {
        value::typed_all(py, "Lint", &self.0.lints)
    }

    fn __bool__(&self) -> bool {
        self.0.ok() == Some(true)
    }

    fn __repr__(&self) -> String {
        format!("<BootReport: {} values, {} differences>", self.0.values.len(), self.0.differences())
    }
});

/// A policy that shall hold after a reboot too: by which managers of the network, and where their files are.
///
/// `managers`: Manager or their names, one or several; without, those in use below `root`. `root`: the folder that stands for
/// / of the host that boots, an image or a container's /proc/PID/root. `command`: how that host calls the command `arpflux`
/// at boot; without, on this host where this package has put it, below another root /usr/bin/arpflux.
///
/// >>> import arpflux
/// >>> policy = arpflux.Policy.from_dict({"version": 1, "host": {"interfaces": ["eth0"]}})
/// >>> arpflux.Persistence(policy, managers="systemd", root="/no-such").managers
/// (<Manager.SYSTEMD: 'systemd'>,)
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Persistence(pub(crate) core::Persistence);

#[pymethods]
impl Persistence {
    #[new]
    #[pyo3(signature = (policy, *, managers = None, root = None, command = None))]
    fn new<'py>(
        py: Python<'py>,
        policy: &Policy,
        managers: Given<'_, 'py>,
        root: Given<'_, 'py>,
        command: Given<'_, 'py>,
    ) -> Result<Self> {
        let mut layout = Layout::default();
        if let Some(root) = root {
            layout.root = argument::path("root", root)?;
        }
        match command {
            Some(command) => layout.command = argument::path("command", command)?,
            None if layout.root == Path::new("/") => {
                if let Some(own) = own_command(py)? {
                    layout.command = own;
                }
            }
            None => {}
        }
        let policy = policy.0.clone();
        let Some(managers) = managers else {
            return Ok(Self(py.detach(|| core::Persistence::detect(policy, layout))));
        };
        let managers = argument::texts("managers", managers)?;
        let managers: Result<Vec<Manager>> =
            managers.iter().map(|name| argument::named("managers", name.parse())).collect();
        Ok(Self(core::Persistence::new(policy, managers?, layout)))
    }

    /// The policy.
    #[getter]
    fn policy(&self) -> Policy {
        Policy(self.0.policy.clone())
    }

    /// The managers that bring it back, a tuple of Manager; `sysctl.d` is written in any case.
    #[getter]
    fn managers<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let managers: PyResult<Vec<_>> =
            self.0.managers.iter().map(|manager| value::member(py, "Manager", manager.name())).collect();
        PyTuple::new(py, managers?)
    }

    /// The folder that stands for / of the host that boots.
    #[getter]
    fn root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        path(py, &self.0.layout.root)
    }

    /// How that host calls the command at boot.
    #[getter]
    fn command<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        path(py, &self.0.layout.command)
    }

    /// What has to change now so that the policy holds: as Policy.plan, but what systemd-networkd made from files of ours
    /// counts as ours.
    fn plan(&self, py: Python<'_>, snapshot: &Snapshot) -> Result<Plan> {
        Ok(Plan(py.detach(|| self.0.plan(&snapshot.0))?))
    }

    /// The files to write, a tuple of FileChange; empty if all of them are as they should be.
    ///
    /// Raises InvalidInput if an interface's name or the command cannot be written down for a manager, and what reading the
    /// files that are there raises.
    fn files<'py>(&self, py: Python<'py>, snapshot: &Snapshot) -> Result<Bound<'py, PyTuple>> {
        let files = py.detach(|| self.0.files(&snapshot.0))?;
        Ok(tuple(py, files.into_iter().map(FileChange))?)
    }

    /// The same as a dict of plain values.
    fn to_dict<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyDict>> {
        let values = PyDict::new(py);
        values.set_item("policy", self.policy().to_dict(py)?)?;
        values.set_item("managers", self.0.managers.iter().map(|one| one.name()).collect::<Vec<_>>())?;
        values.set_item("root", self.root(py)?)?;
        values.set_item("command", self.command(py)?)?;
        Ok(values)
    }

    fn __hash__(&self, py: Python<'_>) -> Result<u64> {
        Ok(value::hash(&value::dumps(self.to_dict(py)?.as_any())?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> Result<Bound<'py, PyTuple>> {
        let (py, this) = (slf.py(), slf.get());
        let given = (this.policy(), this.managers(py)?, this.root(py)?, this.command(py)?);
        Ok((slf.get_type().getattr("_of")?, given).into_pyobject(py)?)
    }

    /// What unpickling calls.
    #[staticmethod]
    fn _of<'py>(
        py: Python<'py>,
        policy: &Policy,
        managers: &Bound<'py, PyAny>,
        root: &Bound<'py, PyAny>,
        command: &Bound<'py, PyAny>,
    ) -> Result<Self> {
        Self::new(py, policy, Some(managers), Some(root), Some(command))
    }

    fn __repr__(&self) -> String {
        let core::Persistence { managers, layout, .. } = &self.0;
        let managers: Vec<&str> = managers.iter().map(|manager: &Manager| manager.name()).collect();
        format!("<Persistence: {} below {}>", managers.join(", "), layout.root.display())
    }
}

impl Persistence {
    /// Files of this machine are written for the namespace that is worked in, and for no other.
    pub(crate) fn check(&self, host: &arpflux_core::Host) -> arpflux_core::Result<()> {
        if self.0.layout.root == Path::new("/")
            && host.identity()? != arpflux_core::Host::current()?.identity()?
        {
            return Err(Error::new(ErrorKind::InvalidInput, "the files of this host are not read for it")
                .during("persist the policy of")
                .on("another network namespace")
                .hint("name the folder that stands for / there as root"));
        }
        Ok(())
    }
}

fn path<'py>(py: Python<'py>, path: &Path) -> PyResult<Bound<'py, PyAny>> {
    fs_text(py, path.as_os_str().as_encoded_bytes())
}

/// The command as installed with this package, if it was.
fn own_command(py: Python<'_>) -> Result<Option<PathBuf>> {
    let scripts = py.import("sysconfig")?.call_method1("get_path", ("scripts",))?;
    let command = argument::path("scripts", &scripts)?.join("arpflux");
    Ok(command.is_file().then_some(command))
}
