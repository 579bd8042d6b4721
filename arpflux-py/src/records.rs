//! Records of a snapshot as frozen Python values.

use std::net::IpAddr;

use arpflux_core::snapshot as core;
use arpflux_core::snapshot::LinkKind;
use arpflux_core::sysctl::{Ipv6Sysctl, Ipv6SysctlValues, SysctlValues};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

/// The methods of a record class: its own, and what every value type has: `hash`, `to_dict()` and pickling.
/// One macro, because a class may have only one block of methods.
macro_rules! record {
    ($name:ident { $($methods:tt)* }) => {
        $crate::records::record!($name, $name { $($methods)* });
    };
    // Made by `make` of what is read.
    ($name:ident, $make:path { $($methods:tt)* }) => {
        impl $name {
            fn json(&self) -> $crate::error::Result<String> {
                $crate::value::to_json(&self.0)
            }
        }

        #[pymethods]
        impl $name {
            $($methods)*

            /// The same as plain dicts, lists, strings and numbers.
            fn to_dict<'py>(&self, py: Python<'py>) -> $crate::error::Result<Bound<'py, PyAny>> {
                $crate::value::to_python(py, &self.0)
            }

            /// The value that a dict as `to_dict()` gives it stands for. Raises InvalidData.
            #[staticmethod]
            fn from_dict(values: &Bound<'_, pyo3::types::PyDict>) -> $crate::error::Result<Self> {
                $crate::value::from_dict(stringify!($name), values).map($make)
            }

            fn __hash__(&self) -> $crate::error::Result<u64> {
                Ok($crate::value::hash(&self.json()?))
            }

            fn __reduce__<'py>(
                slf: &Bound<'py, Self>,
            ) -> $crate::error::Result<(Bound<'py, PyAny>, (String,))> {
                Ok((slf.get_type().getattr("_from_json")?, (slf.get().json()?,)))
            }

            /// What unpickling calls.
            #[staticmethod]
            fn _from_json(text: &str) -> $crate::error::Result<Self> {
                $crate::value::from_json(stringify!($name), text).map($make)
            }
        }
    };
}
pub(crate) use record;

/// A tuple of native objects.
pub(crate) fn tuple<'py, T: pyo3::PyClass + Into<pyo3::PyClassInitializer<T>>>(
    py: Python<'py>,
    items: impl Iterator<Item = T>,
) -> PyResult<Bound<'py, PyTuple>> {
    let items: PyResult<Vec<Bound<'py, T>>> = items.map(|item| Bound::new(py, item)).collect();
    PyTuple::new(py, items?)
}

/// `os.fsdecode`'s rule for names that are not UTF-8: undecodable bytes become lone surrogates.
pub(crate) fn fs_text<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(pyo3::types::PyString::new(py, text).into_any()),
        Err(_) => PyBytes::new(py, bytes).call_method1("decode", ("utf-8", "surrogateescape")),
    }
}

/// Sysctls below `net.ipv4.conf` by their names, as a new dict.
pub(crate) fn sysctls<'py>(py: Python<'py>, values: &SysctlValues) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (sysctl, value) in values.iter() {
        dict.set_item(sysctl.name(), value)?;
    }
    Ok(dict)
}

/// Sysctls below `net.ipv6.conf` by their names, as a new dict.
pub(crate) fn ipv6_sysctls<'py>(py: Python<'py>, values: &Ipv6SysctlValues) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for sysctl in Ipv6Sysctl::ALL {
        if let Some(value) = values.get(*sysctl) {
            dict.set_item(sysctl.name(), value)?;
        }
    }
    Ok(dict)
}

/// What `net.ipv4.neigh.INTERFACE` says about proxied answers and learning.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct NeighParams(core::NeighParams);
record!(NeighParams {
    /// A broadcast request for a proxied address waits a random time below this, in milliseconds.
    #[getter]
    fn proxy_delay(&self) -> u64 {
        self.0.proxy_delay
    }

    /// How many such requests may wait; more are dropped.
    #[getter]
    fn proxy_qlen(&self) -> u32 {
        self.0.proxy_qlen
    }

    /// How long a fresh entry cannot be overwritten by another answer, in milliseconds.
    #[getter]
    fn locktime(&self) -> u64 {
        self.0.locktime
    }

    fn __repr__(&self) -> String {
        let core::NeighParams { proxy_delay, proxy_qlen, locktime, .. } = self.0;
        format!("NeighParams(proxy_delay={proxy_delay}, proxy_qlen={proxy_qlen}, locktime={locktime})")
    }
});

/// One interface.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Interface(pub(crate) core::Interface);
record!(Interface {
    /// Its number, from 1 up.
    #[getter]
    fn index(&self) -> u32 {
        self.0.index.0
    }

    /// Its name; bytes that are not UTF-8 appear as `os.fsdecode` gives them.
    #[getter]
    fn name<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        fs_text(py, self.0.name.as_bytes())
    }

    /// What kind of virtual interface (`"veth"`, `"bridge"`); None for real ones.
    #[getter]
    fn kind(&self) -> Option<&str> {
        self.0.kind.as_ref().map(LinkKind::name)
    }

    /// Hardware type (`ARPHRD_*`): 1 Ethernet, 32 InfiniBand, 772 loopback.
    #[getter]
    fn link_type(&self) -> u16 {
        self.0.link_type
    }

    /// Its link-layer address as text; empty if it has none.
    #[getter]
    fn mac(&self) -> String {
        self.0.mac.to_string()
    }

    /// The bytes of its link-layer address.
    #[getter]
    fn mac_bytes(&self) -> &[u8] {
        self.0.mac.as_bytes()
    }

    /// Flags (`IFF_*`).
    #[getter]
    fn flags(&self) -> u32 {
        self.0.flags.bits()
    }

    /// Whether it has carrier.
    #[getter]
    fn carrier(&self) -> bool {
        self.0.carrier
    }

    /// The number of the bridge, bond or VRF that it is a port of.
    #[getter]
    fn master(&self) -> Option<u32> {
        self.0.master.map(|index| index.0)
    }

    /// The number of the interface below or beside it: parent of a VLAN or macvlan, peer of a veth.
    #[getter]
    fn link(&self) -> Option<u32> {
        self.0.link.map(|index| index.0)
    }

    /// The namespace id of `link` if that lies in another namespace.
    #[getter]
    fn link_netnsid(&self) -> Option<i32> {
        self.0.link_netnsid
    }

    /// Maximum transmission unit, in bytes.
    #[getter]
    fn mtu(&self) -> u32 {
        self.0.mtu
    }

    /// The VLAN id, of a VLAN interface.
    #[getter]
    fn vlan_id(&self) -> Option<u16> {
        self.0.vlan_id
    }

    /// The mode, of a macvlan (`MACVLAN_MODE_*`).
    #[getter]
    fn macvlan_mode(&self) -> Option<u32> {
        self.0.macvlan_mode.map(Into::into)
    }

    /// The mode, of an ipvlan (`IPVLAN_MODE_*`): 0 l2, 1 l3, 2 l3s.
    #[getter]
    fn ipvlan_mode(&self) -> Option<u32> {
        self.0.ipvlan_mode.map(Into::into)
    }

    /// The number of the routing table, of a VRF.
    #[getter]
    fn vrf_table(&self) -> Option<u32> {
        self.0.vrf_table
    }

    /// The interface's group, which `suppress_group` of rules refers to.
    #[getter]
    fn group(&self) -> u32 {
        self.0.group
    }

    /// The mode, of a bond (`IFLA_BOND_MODE`): 6 is balance-alb, which rewrites ARP answers.
    #[getter]
    fn bond_mode(&self) -> Option<u32> {
        self.0.bond_mode.map(Into::into)
    }

    /// The state, of a port of a bond: 0 active, 1 backup, which drops what it receives.
    #[getter]
    fn bond_port_state(&self) -> Option<u32> {
        self.0.bond_port_state.map(Into::into)
    }

    /// The state, of a port of a bridge: 3 forwards; others drop what they receive.
    #[getter]
    fn bridge_port_state(&self) -> Option<u32> {
        self.0.bridge_port_state.map(Into::into)
    }

    /// Its other names (`ip link property add altname`).
    #[getter]
    fn altnames<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.altnames)
    }

    /// Of a macvlan in mode source: the MACs that it takes frames from.
    #[getter]
    fn macvlan_sources<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.0.macvlan_sources.iter().map(ToString::to_string))
    }

    /// What a bridge or a bridge port does with ARP frames besides forwarding them: options and VLANs, as a new dict.
    #[getter]
    fn bridging<'py>(&self, py: Python<'py>) -> crate::error::Result<Bound<'py, PyAny>> {
        crate::value::to_python(py, &self.0.bridging)
    }

    /// Whether the kernel handles ARP on it at all.
    #[getter]
    fn speaks_arp(&self) -> bool {
        self.0.speaks_arp()
    }

    /// `net.ipv4.conf.INTERFACE` as a new dict; what the kernel does not have is absent.
    #[getter]
    fn sysctls<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        sysctls(py, &self.0.sysctls)
    }

    /// `net.ipv6.conf.INTERFACE` as a new dict; what the kernel or the interface does not have is absent.
    #[getter]
    fn ipv6<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        ipv6_sysctls(py, &self.0.ipv6)
    }

    /// `net.ipv4.neigh.INTERFACE`.
    #[getter]
    fn neigh(&self) -> NeighParams {
        NeighParams(self.0.neigh)
    }

    fn __repr__(&self) -> String {
        format!("Interface(index={}, name={:?}, mac='{}')", self.0.index, self.0.name.to_string(), self.0.mac)
    }
});

/// An address of an interface.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Address(pub(crate) core::Address);
record!(Address {
    /// The number of the interface that holds it.
    #[getter]
    fn interface(&self) -> u32 {
        self.0.interface.0
    }

    /// The host's own address.
    #[getter]
    fn local(&self) -> IpAddr {
        self.0.local
    }

    /// The other end of a point-to-point address, if it differs.
    #[getter]
    fn peer(&self) -> Option<IpAddr> {
        self.0.peer
    }

    /// Length of the prefix, in bits.
    #[getter]
    fn prefix_len(&self) -> u8 {
        self.0.prefix_len
    }

    /// How far it is valid (`RT_SCOPE_*`).
    #[getter]
    fn scope(&self) -> u8 {
        self.0.scope.0
    }

    /// Flags (`IFA_F_*`).
    #[getter]
    fn flags(&self) -> u32 {
        self.0.flags.bits()
    }

    /// The broadcast address, if one is set.
    #[getter]
    fn broadcast(&self) -> Option<IpAddr> {
        self.0.broadcast
    }

    fn __repr__(&self) -> String {
        format!("Address('{}/{}', interface={})", self.0.local, self.0.prefix_len, self.0.interface)
    }
});

/// A proxy entry: the host answers for somebody else's address.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct ProxyEntry(pub(crate) core::ProxyEntry);
record!(ProxyEntry {
    /// The address answered for.
    #[getter]
    fn address(&self) -> IpAddr {
        self.0.address
    }

    /// The number of the interface it answers on; None: on all.
    #[getter]
    fn interface(&self) -> Option<u32> {
        self.0.interface.map(|index| index.0)
    }

    /// `NTF_*` flags other than `NTF_PROXY`.
    #[getter]
    fn flags(&self) -> u8 {
        self.0.flags
    }

    /// Who added it (`RTPROT_*`); 0 unknown.
    #[getter]
    fn protocol(&self) -> u8 {
        self.0.protocol
    }

    fn __repr__(&self) -> String {
        let interface = self.0.interface.map_or_else(|| "None".to_string(), |index| index.to_string());
        format!("ProxyEntry('{}', interface={interface})", self.0.address)
    }
});

/// An entry of the ARP or NDP table: what the host believes about a neighbour.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Neighbour(pub(crate) core::Neighbour);
record!(Neighbour {
    /// The neighbour's address.
    #[getter]
    fn address(&self) -> IpAddr {
        self.0.address
    }

    /// The number of the interface it was seen on.
    #[getter]
    fn interface(&self) -> u32 {
        self.0.interface.0
    }

    /// Its MAC as text, if known.
    #[getter]
    fn mac(&self) -> Option<String> {
        self.0.mac.map(|mac| mac.to_string())
    }

    /// Its state, as the kernel's bit mask (`NUD_*`).
    #[getter]
    fn state(&self) -> u16 {
        self.0.state.0
    }

    /// Flags (`NTF_*`).
    #[getter]
    fn flags(&self) -> u8 {
        self.0.flags
    }

    fn __repr__(&self) -> String {
        let mac = self.0.mac.map_or_else(|| "None".into(), |mac| format!("'{mac}'"));
        format!("Neighbour('{}', interface={}, mac={mac})", self.0.address, self.0.interface)
    }
});
