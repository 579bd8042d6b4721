//! Several hosts on one wire.

use arpflux_core::segment::{Member, SharedWires, infer};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::argument;
use crate::error::Result;
use crate::interrupt::interruptible;
use crate::snapshot::Snapshot;
use crate::value;

/// The wires that several hosts share, as Segment, and who of them answers for which address there: duplicates first, then
/// flux. `snapshots` maps the names of the hosts to their snapshots. Interfaces with overlapping subnets are taken to share a
/// wire; where none does, there is no segment.
///
/// >>> import arpflux
/// >>> arpflux.segments({})
/// ()
#[pyfunction]
pub fn segments<'py>(py: Python<'py>, snapshots: &Bound<'py, PyDict>) -> Result<Bound<'py, PyTuple>> {
    let mut hosts = Vec::new();
    for (name, snapshot) in snapshots {
        let snapshot = snapshot
            .cast::<Snapshot>()
            .map_err(|_| argument::wrong("snapshots", "snapshots by the names of hosts", &snapshot))?;
        hosts.push((argument::text("snapshots", &name)?, std::sync::Arc::clone(&snapshot.get().0)));
    }
    let found = interruptible(py, |stop| {
        let members: Vec<Member<'_>> = hosts
            .iter()
            .map(|(name, snapshot)| Member::new(name, snapshot))
            .collect::<arpflux_core::Result<_>>()?;
        SharedWires::judge(&members, &infer(&members), None, stop)
    })?;
    value::typed_all(py, "Segment", &found.segments)
}
