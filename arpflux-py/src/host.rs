//! Network namespaces of this machine.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::error::Result;
use crate::snapshot::Snapshot;

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

    fn __repr__(&self) -> String {
        format!("Host({:?})", self.0.namespace().label())
    }

    fn __reduce__(&self) -> PyResult<()> {
        Err(PyTypeError::new_err(
            "a Host is a handle on a live namespace and cannot be pickled; pickle a Snapshot",
        ))
    }
}
