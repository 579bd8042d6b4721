//! The native half of the Python package `arpflux`: thin, nothing is decided here.

use pyo3::prelude::*;

mod apply;
mod error;
mod explain;
mod host;
mod plan;
mod policy;
mod records;
mod snapshot;
mod value;
mod verify;

#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::apply::Receipt;
    #[pymodule_export]
    use crate::explain::Explanation;
    #[pymodule_export]
    use crate::host::Host;
    #[pymodule_export]
    use crate::plan::{Change, Plan};
    #[pymodule_export]
    use crate::policy::Policy;
    #[pymodule_export]
    use crate::records::{Address, Effective, Interface, NeighParams, ProxyEntry};
    #[pymodule_export]
    use crate::snapshot::Snapshot;

    #[pymodule_export]
    use crate::verify::Report;

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "the name that Python expects")]
    const __version__: &str = env!("CARGO_PKG_VERSION");
}
