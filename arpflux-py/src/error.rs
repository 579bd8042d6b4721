//! Errors of the core as Python exceptions.

use pyo3::exceptions::PySystemError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// An error on its way to Python: one of the core, or one that Python raised itself.
pub enum PyError {
    /// Of the core.
    Core(arpflux_core::Error),
    /// Of Python: a wrong type, an interrupt.
    Python(PyErr),
}

/// Result of what is called from Python.
pub type Result<T> = std::result::Result<T, PyError>;

impl From<arpflux_core::Error> for PyError {
    fn from(error: arpflux_core::Error) -> Self {
        Self::Core(error)
    }
}

impl From<PyErr> for PyError {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

impl From<PyError> for PyErr {
    fn from(error: PyError) -> Self {
        match error {
            PyError::Core(error) => {
                Python::attach(|py| to_exception(py, &error).unwrap_or_else(|failure| failure))
            }
            PyError::Python(error) => error,
        }
    }
}

/// The class is chosen by `arpflux._errors`, which holds one for each kind.
fn to_exception(py: Python<'_>, error: &arpflux_core::Error) -> PyResult<PyErr> {
    static MAKE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make =
        MAKE.get_or_try_init(py, || py.import("arpflux._errors")?.getattr("make").map(Bound::unbind))?;
    let exception = make.bind(py).call1((
        error.kind().name(),
        error.kind().code(),
        error.operation(),
        error.object(),
        error.message(),
        error.remedy(),
        error.errno(),
        error.to_string(),
        error.path(),
        error.kind().is_transient(),
    ))?;
    if exception.is_none() {
        return Err(PySystemError::new_err(error.to_string()));
    }
    Ok(PyErr::from_value(exception))
}
