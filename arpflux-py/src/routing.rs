//! Routes and rules of a snapshot as frozen Python values.

use std::net::IpAddr;

use arpflux_core::snapshot as core;
use arpflux_core::types::{IfName, IpNet};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::error::Result;
use crate::records::{fs_text, record, tuple};
use crate::value;

/// An `ipaddress` network.
fn network<'py>(py: Python<'py>, network: &IpNet) -> PyResult<Bound<'py, PyAny>> {
    // Not strict: a rule keeps the bits behind its prefix, but does not look at them.
    py.import("ipaddress")?.call_method1("ip_network", (network.to_string(), false))
}

fn maybe_network<'py>(py: Python<'py>, given: Option<&IpNet>) -> PyResult<Option<Bound<'py, PyAny>>> {
    given.map(|given| network(py, given)).transpose()
}

fn maybe_name<'py>(py: Python<'py>, name: Option<&IfName>) -> PyResult<Option<Bound<'py, PyAny>>> {
    name.map(|name| fs_text(py, name.as_bytes())).transpose()
}

/// Where a route leads.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct NextHop(core::NextHop);
record!(NextHop {
    /// The number of the interface it leaves by, if known.
    #[getter]
    fn interface(&self) -> Option<u32> {
        self.0.interface.map(|index| index.0)
    }

    /// The gateway, of either family; None: the destination is on the link.
    #[getter]
    fn gateway(&self) -> Option<IpAddr> {
        self.0.gateway
    }

    /// Its share among several, 1 to 256.
    #[getter]
    fn weight(&self) -> u16 {
        self.0.weight
    }

    /// Flags (`RTNH_F_*`).
    #[getter]
    fn flags(&self) -> u32 {
        self.0.flags.bits()
    }

    fn __repr__(&self) -> String {
        let or_none = |text: Option<String>| text.unwrap_or_else(|| "None".into());
        let gateway = or_none(self.0.gateway.map(|gateway| format!("'{gateway}'")));
        let interface = or_none(self.0.interface.map(|index| index.to_string()));
        format!("NextHop(interface={interface}, gateway={gateway})")
    }
});

/// A route of any table.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Route(pub(crate) core::Route);
record!(Route {
    /// The number of the table it is in: 254 main, 255 local, 253 default.
    #[getter]
    fn table(&self) -> u32 {
        self.0.table
    }

    /// What it does, as RouteKind; the number (`RTN_*`) where that has no name for it.
    #[getter]
    fn kind<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::member_or_number(py, "RouteKind", &self.0.kind)
    }

    /// The destinations it is for, as `ipaddress` network; its family is the route's.
    #[getter]
    fn destination<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        network(py, &self.0.destination)
    }

    /// Only for packets from this network (IPv6 subtrees); None: from everywhere.
    #[getter]
    fn source<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        maybe_network(py, self.0.source.as_ref())
    }

    /// Only for packets with this type of service; 0: all.
    #[getter]
    fn tos(&self) -> u8 {
        self.0.tos
    }

    /// Among equal routes the smallest wins (`RTA_PRIORITY`).
    #[getter]
    fn metric(&self) -> u32 {
        self.0.metric
    }

    /// How far the destination is (`RT_SCOPE_*`).
    #[getter]
    fn scope(&self) -> u8 {
        self.0.scope.0
    }

    /// Who made it (`RTPROT_*`).
    #[getter]
    fn protocol(&self) -> u8 {
        self.0.protocol
    }

    /// The source address that the host's own packets get.
    #[getter]
    fn preferred_source(&self) -> Option<IpAddr> {
        self.0.preferred_source
    }

    /// The next hops, a tuple of NextHop: none for routes that reject, several for multipath.
    #[getter]
    fn next_hops<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        tuple(py, self.0.next_hops.iter().cloned().map(NextHop))
    }

    /// The number of the nexthop object it refers to, if any.
    #[getter]
    fn nexthop_id(&self) -> Option<u32> {
        self.0.nexthop_id
    }

    fn __repr__(&self, py: Python<'_>) -> Result<String> {
        let kind = self.kind(py)?;
        Ok(format!("Route('{}', kind='{kind}', table={})", self.0.destination, self.0.table))
    }
});

/// A policy routing rule (`ip rule`).
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Rule(pub(crate) core::Rule);
record!(Rule {
    /// Whether it is an IPv6 rule.
    #[getter]
    fn ipv6(&self) -> bool {
        self.0.ipv6
    }

    /// Rules are tried in the order of this number; 0 first.
    #[getter]
    fn priority(&self) -> u32 {
        self.0.priority
    }

    /// The sources it matches, as `ipaddress` network; None: all.
    #[getter]
    fn source<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        maybe_network(py, self.0.source.as_ref())
    }

    /// The destinations it matches, as `ipaddress` network; None: all.
    #[getter]
    fn destination<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        maybe_network(py, self.0.destination.as_ref())
    }

    /// The name of the input interface it matches; `lo` matches the host's own packets; None: all.
    #[getter]
    fn iif<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        maybe_name(py, self.0.iif.as_ref())
    }

    /// The name of the output interface it matches, of bound sockets; None: all.
    #[getter]
    fn oif<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        maybe_name(py, self.0.oif.as_ref())
    }

    /// The type of service it matches; 0: all.
    #[getter]
    fn tos(&self) -> u8 {
        self.0.tos
    }

    /// The mark it matches under `fwmask`.
    #[getter]
    fn fwmark(&self) -> u32 {
        self.0.fwmark
    }

    /// Which bits of the mark count; 0: the mark does not matter.
    #[getter]
    fn fwmask(&self) -> u32 {
        self.0.fwmask
    }

    /// What it does, as RuleAction; the number (`FR_ACT_*`) where that has no name for it.
    #[getter]
    fn action<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>> {
        value::member_or_number(py, "RuleAction", &self.0.action)
    }

    /// The table to look into, for RuleAction.TABLE.
    #[getter]
    fn table(&self) -> u32 {
        self.0.table
    }

    /// The priority to go on at, for RuleAction.GOTO.
    #[getter]
    fn goto(&self) -> Option<u32> {
        self.0.goto
    }

    /// Routes of prefixes this long or shorter do not count (`suppress_prefixlength`), in bits.
    #[getter]
    fn suppress_prefix_len(&self) -> Option<u32> {
        self.0.suppress_prefix_len
    }

    /// Routes through interfaces of this group do not count.
    #[getter]
    fn suppress_group(&self) -> Option<u32> {
        self.0.suppress_group
    }

    /// Whether to look into the table of the VRF that the packet belongs to.
    #[getter]
    fn l3mdev(&self) -> bool {
        self.0.l3mdev
    }

    /// The IP protocol it matches; None: all.
    #[getter]
    fn ip_protocol(&self) -> Option<u8> {
        self.0.ip_protocol
    }

    /// The source ports it matches, first and last; None: all.
    #[getter]
    fn source_ports(&self) -> Option<(u16, u16)> {
        self.0.source_ports
    }

    /// The destination ports it matches, first and last; None: all.
    #[getter]
    fn destination_ports(&self) -> Option<(u16, u16)> {
        self.0.destination_ports
    }

    /// The user ids it matches, first and last; None: all.
    #[getter]
    fn uids(&self) -> Option<(u32, u32)> {
        self.0.uids
    }

    /// The tunnel id it matches; None: all.
    #[getter]
    fn tunnel_id(&self) -> Option<u64> {
        self.0.tunnel_id
    }

    /// Who made it (`RTPROT_*`).
    #[getter]
    fn protocol(&self) -> u8 {
        self.0.protocol
    }

    /// Flags (`FIB_RULE_*`).
    #[getter]
    fn flags(&self) -> u32 {
        self.0.flags.bits()
    }

    fn __repr__(&self, py: Python<'_>) -> Result<String> {
        let action = self.action(py)?;
        let source = self.0.source.map_or_else(|| "None".into(), |source| format!("'{source}'"));
        let core::Rule { priority, table, .. } = self.0;
        Ok(format!("Rule(priority={priority}, source={source}, action='{action}', table={table})"))
    }
});
