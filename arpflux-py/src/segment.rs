//! Several hosts on one wire.

use std::collections::HashMap;

use arpflux_core::Plan;
use arpflux_core::segment::{self, Member, SharedWires, Wires, infer};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::argument;
use crate::error::Result;
use crate::interrupt::interruptible;
use crate::policy::Policy;
use crate::snapshot::Snapshot;
use crate::value;

/// The wires that several hosts share, and who of them answers for which address there: SharedWires, which iterates as
/// Segment. `snapshots` maps the names of the hosts to their snapshots; `wires` some of these names to what is known of the
/// wires of that host, as `Host.segments()` gives it.
///
/// Interfaces with overlapping subnets are taken to share a wire, unless what the hosts have heard of their gateways tells
/// them apart.
///
/// >>> import arpflux
/// >>> len(arpflux.segments({}))
/// 0
#[pyfunction]
#[pyo3(signature = (snapshots, *, wires=None))]
pub fn segments<'py>(
    py: Python<'py>,
    snapshots: &Bound<'py, PyDict>,
    wires: Option<&Bound<'py, PyDict>>,
) -> Result<Bound<'py, PyAny>> {
    let hosts = Hosts::new(snapshots, wires)?;
    let found = interruptible(py, |stop| SharedWires::inferred(&hosts.members()?, None, stop))?;
    value::typed(py, "SharedWires", &found)
}

/// In which order several hosts are changed so that the policies hold, `at_once` at a time, and no address that goes from one to
/// another is answered for by both: Order. `policies` maps some of the names in `snapshots` to their policies; the others
/// stay as they are. A step "withdraw" is `Host.remove_proxies`.
///
/// >>> import arpflux
/// >>> arpflux.order({}, {}).steps
/// ()
#[pyfunction]
#[pyo3(signature = (snapshots, policies, *, at_once=1, wires=None))]
pub fn order<'py>(
    py: Python<'py>,
    snapshots: &Bound<'py, PyDict>,
    policies: &Bound<'py, PyDict>,
    at_once: u16,
    wires: Option<&Bound<'py, PyDict>>,
) -> Result<Bound<'py, PyAny>> {
    let hosts = Hosts::new(snapshots, wires)?;
    let mut wanted = HashMap::new();
    for (key, policy) in policies {
        let policy = policy
            .cast::<Policy>()
            .map_err(|_| argument::wrong("policies", "policies by the names of hosts", &policy))?;
        wanted.insert(hosts.name("policies", &key)?, policy.get().0.clone());
    }
    let found = interruptible(py, |stop| {
        let members = hosts.members()?;
        let plan = |member: &Member<'_>| match wanted.get(member.name()) {
            Some(policy) => policy.plan(member.snapshot()),
            None => Ok(Plan::default()),
        };
        let plans: Vec<Plan> = members.iter().map(plan).collect::<arpflux_core::Result<_>>()?;
        let segments = infer(&members, stop)?.segments;
        segment::order(&members, &plans, &segments, usize::from(at_once), stop)
    })?;
    value::typed(py, "Order", &found)
}

/// The snapshots of several hosts, and what is known of their wires.
struct Hosts {
    hosts: Vec<(String, std::sync::Arc<arpflux_core::Snapshot>)>,
    measured: HashMap<String, Wires>,
}

impl Hosts {
    fn new(snapshots: &Bound<'_, PyDict>, wires: Option<&Bound<'_, PyDict>>) -> Result<Self> {
        let mut all = Self { hosts: Vec::new(), measured: HashMap::new() };
        for (name, snapshot) in snapshots {
            let snapshot = snapshot
                .cast::<Snapshot>()
                .map_err(|_| argument::wrong("snapshots", "snapshots by the names of hosts", &snapshot))?;
            all.hosts.push((argument::text("snapshots", &name)?, std::sync::Arc::clone(&snapshot.get().0)));
        }
        for (key, of_host) in wires.into_iter().flatten() {
            let name = all.name("wires", &key)?;
            all.measured.insert(name, argument::wires("wires", &of_host)?);
        }
        Ok(all)
    }

    /// A name that one of the hosts has.
    fn name(&self, argument: &str, key: &Bound<'_, PyAny>) -> Result<String> {
        let name = argument::text(argument, key)?;
        if !self.hosts.iter().any(|(host, _)| *host == name) {
            return Err(argument::wrong(argument, "names of hosts in 'snapshots'", key));
        }
        Ok(name)
    }

    fn members(&self) -> arpflux_core::Result<Vec<Member<'_>>> {
        let member = |(name, snapshot)| {
            let member = Member::new(name, snapshot)?;
            Ok(self.measured.get(name).map_or(member, |wires| member.measured(wires)))
        };
        self.hosts.iter().map(|(name, snapshot)| member((name, snapshot))).collect()
    }
}
