//! Network namespaces of this machine.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::apply::{self, Receipt};
use crate::error::Result;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::value::Seconds;
use crate::verify::Report;

/// One network namespace of this machine, which lives at least as long as this object.
///
/// The calling thread is never moved, and the GIL is released around every system call. A host may be
/// used by several threads at once.
#[pyclass(frozen, module = "arpflux")]
pub struct Host(pub(crate) arpflux_core::Host);

/// `str`, `bytes` or `os.PathLike` as bytes.
fn fs_bytes(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let encoded = value.py().import("os")?.call_method1("fsencode", (value,))?;
    Ok(encoded.cast::<PyBytes>().map_err(PyErr::from)?.as_bytes().to_vec())
}

/// A path argument: `str`, `bytes` or `os.PathLike`.
pub(crate) fn path(value: &Bound<'_, PyAny>) -> PyResult<PathBuf> {
    Ok(Path::new(OsStr::from_bytes(&fs_bytes(value)?)).to_path_buf())
}

#[pymethods]
impl Host {
    /// The namespace of the calling thread.
    #[staticmethod]
    fn current(py: Python<'_>) -> Result<Self> {
        Ok(Self(py.detach(arpflux_core::Host::current)?))
    }

    /// A namespace by the name that `ip netns add` gave it, or, if there is a slash in it or it is an
    /// os.PathLike, by a path such as /proc/1234/ns/net.
    ///
    /// Raises NotFound if there is none, InvalidInput if it is no network namespace.
    #[staticmethod]
    fn netns(py: Python<'_>, name: &Bound<'_, PyAny>) -> PyResult<Self> {
        let bytes = fs_bytes(name)?;
        let by_path = bytes.contains(&b'/') || !name.is_instance_of::<PyString>();
        let host = py.detach(|| {
            if by_path {
                return arpflux_core::Host::at(Path::new(OsStr::from_bytes(&bytes)));
            }
            arpflux_core::Host::netns(&String::from_utf8_lossy(&bytes))
        });
        Ok(Self(host.map_err(crate::error::PyError::from)?))
    }

    /// The namespace of a process.
    #[staticmethod]
    fn process(py: Python<'_>, pid: u32) -> Result<Self> {
        Ok(Self(py.detach(|| arpflux_core::Host::of_process(pid))?))
    }

    /// Everything the kernel holds there that decides about ARP, read consistently.
    ///
    /// Raises PermissionDenied if the namespace may not be entered, Raced if it kept changing.
    fn snapshot(&self, py: Python<'_>) -> Result<Snapshot> {
        Ok(Snapshot(Arc::new(py.detach(|| self.0.snapshot())?)))
    }

    /// Takes a snapshot and checks it: see Policy.verify.
    fn verify(&self, py: Python<'_>, policy: &Policy) -> Result<Report> {
        policy.check(py, &self.snapshot(py)?)
    }

    /// Makes a plan so, as one transaction: all of it, or nothing of it.
    ///
    /// With `confirm` (seconds or timedelta, 1 s to 24 h) the change is on trial: it is undone unless the receipt's
    /// `confirm()` comes in time, by a process of its own that outlives this one. `lock_wait`: how long to wait for another
    /// writer, 10 s without. `state_dir`: where receipts and journals lie; all writers of a namespace have to agree.
    ///
    /// Raises Changed if the host is no longer what the plan saw, RolledBack if a step failed and all was undone,
    /// PartlyApplied if not all could be undone, Busy if another writer is in the way.
    #[pyo3(signature = (plan, *, confirm = None, lock_wait = None, state_dir = None))]
    fn apply(
        &self,
        py: Python<'_>,
        plan: &Plan,
        confirm: Option<Seconds>,
        lock_wait: Option<Seconds>,
        state_dir: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Receipt> {
        apply::apply(py, self, plan, confirm, lock_wait, state_dir)
    }

    /// Takes a transaction back: the one of number `id`, or the last that stands. What somebody else changed since is
    /// left alone and listed in the receipt's `conflicts`, unless `force`.
    #[pyo3(signature = (id = None, *, force = false, lock_wait = None, state_dir = None))]
    fn rollback(
        &self,
        py: Python<'_>,
        id: Option<u64>,
        force: bool,
        lock_wait: Option<Seconds>,
        state_dir: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Receipt> {
        apply::rollback(py, self, id, force, lock_wait, state_dir)
    }

    /// Keeps the transaction that waits for confirmation, for those who do not hold its receipt.
    #[pyo3(signature = (id = None, *, lock_wait = None, state_dir = None))]
    fn confirm(
        &self,
        py: Python<'_>,
        id: Option<u64>,
        lock_wait: Option<Seconds>,
        state_dir: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Receipt> {
        apply::confirm(py, self, id, lock_wait, state_dir)
    }

    /// Undoes what a crash left half done; the receipt of what was undone, or None. With `discard`, a journal that cannot
    /// be carried out is set aside instead.
    #[pyo3(signature = (*, discard = false, lock_wait = None, state_dir = None))]
    fn recover(
        &self,
        py: Python<'_>,
        discard: bool,
        lock_wait: Option<Seconds>,
        state_dir: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<Receipt>> {
        apply::recover(py, self, discard, lock_wait, state_dir)
    }

    fn __repr__(&self) -> String {
        format!("Host({:?})", self.0.namespace().label())
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Host is a handle on a live namespace and cannot be pickled; pickle a Snapshot",
        ))
    }
}
