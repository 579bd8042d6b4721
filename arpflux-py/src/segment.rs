//! Several hosts on one wire.

use arpflux_core::segment::{self, Answer, Member, infer};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use serde::Serialize;

use crate::argument;
use crate::error::Result;
use crate::snapshot::Snapshot;
use crate::value;

#[derive(Serialize)]
struct Port {
    host: String,
    interface: String,
}

#[derive(Serialize)]
struct Segment {
    ports: Vec<Port>,
    answers: Vec<Answer>,
}

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
    let found = py.detach(|| {
        let members: Vec<Member<'_>> = hosts
            .iter()
            .map(|(name, snapshot)| Member::new(name, snapshot))
            .collect::<arpflux_core::Result<_>>()?;
        let port = |port: &segment::Port| {
            let member = members.get(port.member)?;
            let interface = member.snapshot().name_of(port.interface);
            Some(Port { host: member.name().to_owned(), interface })
        };
        let segment = |segment: segment::Segment| Segment {
            ports: segment.ports.iter().filter_map(port).collect(),
            answers: segment::answers(&members, &segment),
        };
        Ok::<_, arpflux_core::Error>(infer(&members).into_iter().map(segment).collect::<Vec<_>>())
    })?;
    value::typed_all(py, "Segment", &found)
}
