//! Which interpreter of the process this is.

use pyo3::ffi;
use pyo3::prelude::*;

/// Whether this is the main interpreter of the process. In others, objects of one could be used in another.
#[pyfunction]
pub fn _in_main_interpreter(_py: Python<'_>) -> bool {
    // SAFETY: the thread is attached to an interpreter, as `_py` shows, and both only read its state.
    let id = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    id == 0
}
