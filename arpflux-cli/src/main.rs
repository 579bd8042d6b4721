//! The `arpflux` command; everything is in the library, so that the Python package runs the same code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(arpflux_cli::run(std::env::args_os()))
}
