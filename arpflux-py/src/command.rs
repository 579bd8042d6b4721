//! The command `arpflux`, the same code as the Rust binary.

use std::ffi::OsString;

use pyo3::prelude::*;

use crate::argument;
use crate::error::Result;

/// Runs the command with these arguments, the program's name first, and gives the exit code.
///
/// It prints to the process's standard output and standard error, past `sys.stdout`, and takes signals as the binary does:
/// it is for the console script, see `arpflux.__main__`.
#[pyfunction]
pub fn _command(py: Python<'_>, arguments: Vec<Bound<'_, PyAny>>) -> Result<u8> {
    use std::os::unix::ffi::OsStringExt as _;
    let arguments: Result<Vec<OsString>> = arguments
        .iter()
        .map(|argument| Ok(OsString::from_vec(argument::fs_bytes("arguments", argument)?)))
        .collect();
    let arguments = arguments?;
    Ok(py.detach(|| arpflux_cli::run(arguments)))
}
