//! The native half of the Python package `arpflux`: thin, nothing is decided here.

use pyo3::prelude::*;

mod apply;
mod argument;
mod capture;
mod command;
mod container;
mod diagnose;
mod error;
mod explain;
mod host;
mod input;
mod interpreter;
mod interrupt;
mod model;
mod persist;
mod plan;
mod policy;
mod recommend;
mod records;
mod routing;
mod segment;
mod sighting;
mod snapshot;
mod value;
mod verify;
mod watch;
mod wire;

// Not declared free of the GIL: nobody has tested it on a free-threaded build yet, which enables the GIL then.
#[pymodule(gil_used = true)]
mod _native {
    #[pymodule_export]
    use crate::apply::Receipt;
    #[pymodule_export]
    use crate::capture::{Capture, capture};
    #[pymodule_export]
    use crate::command::_command;
    #[pymodule_export]
    use crate::container::Containers;
    #[pymodule_export]
    use crate::diagnose::{Diagnosis, Finding};
    #[pymodule_export]
    use crate::explain::Matrix;
    #[pymodule_export]
    use crate::host::Host;
    #[pymodule_export]
    use crate::interpreter::_in_main_interpreter;
    #[pymodule_export]
    use crate::persist::{BootReport, FileChange, Persistence};
    #[pymodule_export]
    use crate::plan::{Assessment, Change, Plan};
    #[pymodule_export]
    use crate::policy::Policy;
    #[pymodule_export]
    use crate::recommend::Recommendation;
    #[pymodule_export]
    use crate::records::{Address, Interface, NeighParams, Neighbour, ProxyEntry};
    #[pymodule_export]
    use crate::routing::{NextHop, Route, Rule};
    #[pymodule_export]
    use crate::segment::{order, segments};
    #[pymodule_export]
    use crate::sighting::Sighting;
    #[pymodule_export]
    use crate::snapshot::Snapshot;
    #[pymodule_export]
    use crate::verify::Report;
    #[pymodule_export]
    use crate::watch::NativeWatcher;

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name that Python expects")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
