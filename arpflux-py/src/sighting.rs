//! Frames of a capture.

use std::net::{IpAddr, Ipv4Addr};

use arpflux_capture::{self as core, Content};
use arpflux_core::frame::Ndp;
use arpflux_core::types::Mac;
use pyo3::prelude::*;
use pyo3::types::PyTuple;
use serde::{Deserialize, Serialize};

use crate::records::record;
use crate::value;

/// One frame of a capture, as far as it is about addresses.
#[pyclass(frozen, eq, module = "arpflux")]
#[derive(PartialEq)]
pub struct Sighting(pub Frame);

/// What is in it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    time_ns: Option<u64>,
    vlans: Vec<u16>,
    source: Option<Mac>,
    destination: Option<Mac>,
    protocol: Protocol,
    operation: Option<u16>,
    sender: IpAddr,
    sender_mac: Option<Mac>,
    target: IpAddr,
    target_mac: Option<Mac>,
    ttl: Option<u8>,
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Protocol {
    Arp,
    Ipv4,
    Ndp,
    Ipv6,
}

fn text(mac: Option<Mac>) -> Option<String> {
    mac.map(|mac| mac.to_string())
}

record!(Sighting {
    /// When, in nanoseconds since 1970 (UTC), or since midnight where the capture shows no date; None without a clock.
    #[getter]
    fn time_ns(&self) -> Option<u64> {
        self.0.time_ns
    }

    /// The VLAN ids, outermost first; at most two.
    #[getter]
    fn vlans<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.0.vlans)
    }

    /// The link-layer source as text; None if the capture does not show it.
    #[getter]
    fn source(&self) -> Option<String> {
        text(self.0.source)
    }

    /// The link-layer destination as text; None if the capture does not show it.
    #[getter]
    fn destination(&self) -> Option<String> {
        text(self.0.destination)
    }

    /// What the frame carries.
    #[getter]
    fn protocol<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let name = match self.0.protocol {
            Protocol::Arp => "arp",
            Protocol::Ipv4 => "ipv4",
            Protocol::Ndp => "ndp",
            Protocol::Ipv6 => "ipv6",
        };
        value::member(py, "Protocol", name)
    }

    /// Of ARP the operation: 1 request, 2 reply; None for anything else.
    #[getter]
    fn operation(&self) -> Option<u16> {
        self.0.operation
    }

    /// The sender's address: of ARP the sender protocol address, else the source of the packet.
    #[getter]
    fn sender(&self) -> IpAddr {
        self.0.sender
    }

    /// Of ARP the sender hardware address, of neighbour discovery the link-layer address given; None for anything else.
    #[getter]
    fn sender_mac(&self) -> Option<String> {
        text(self.0.sender_mac)
    }

    /// The target's address: of ARP the target protocol address, of neighbour discovery the target, else the destination.
    #[getter]
    fn target(&self) -> IpAddr {
        self.0.target
    }

    /// Of ARP the target hardware address as text; None for anything else.
    #[getter]
    fn target_mac(&self) -> Option<String> {
        text(self.0.target_mac)
    }

    /// Of IP packets the time to live or the hop limit; None where it is not shown, and for ARP and neighbour discovery.
    #[getter]
    fn ttl(&self) -> Option<u8> {
        self.0.ttl
    }

    fn __repr__(&self) -> String {
        let Frame { sender, target, operation, sender_mac, .. } = &self.0;
        match (operation, sender_mac) {
            (Some(1), _) => format!("<Sighting: arp who-has {target} tell {sender}>"),
            (Some(2), Some(mac)) => format!("<Sighting: arp reply {sender} is-at {mac}>"),
            (Some(other), _) => format!("<Sighting: arp operation {other}, {sender} to {target}>"),
            (None, _) => format!("<Sighting: {sender} to {target}>"),
        }
    }
});

impl Frame {
    /// As Python shows it.
    pub fn of(sighting: &core::Sighting<'_>) -> Self {
        let mac = |bytes: &[u8]| Mac::from_bytes(bytes).ok().filter(|mac| *mac != Mac::NONE);
        let v4 = |bytes: &[u8]| {
            IpAddr::V4(bytes.first_chunk::<4>().map_or(Ipv4Addr::UNSPECIFIED, |octets| (*octets).into()))
        };
        let frame = Self {
            time_ns: sighting.time.map(|time| time.0),
            vlans: sighting.wire.vlans.ids().collect(),
            source: mac(sighting.source),
            destination: mac(sighting.destination),
            protocol: Protocol::Ipv4,
            operation: None,
            sender: Ipv4Addr::UNSPECIFIED.into(),
            sender_mac: None,
            target: Ipv4Addr::UNSPECIFIED.into(),
            target_mac: None,
            ttl: None,
        };
        match sighting.content {
            Content::Arp(arp) => Self {
                protocol: Protocol::Arp,
                operation: Some(arp.operation.code()),
                sender: v4(arp.sender_protocol),
                sender_mac: mac(arp.sender_hardware),
                target: v4(arp.target_protocol),
                target_mac: mac(arp.target_hardware),
                ..frame
            },
            Content::Ipv4 { source, destination, ttl } => Self {
                sender: Ipv4Addr::from_bits(source).into(),
                target: Ipv4Addr::from_bits(destination).into(),
                ttl,
                ..frame
            },
            Content::Ndp { message, source } => {
                let sender_mac = match message {
                    Ndp::Solicitation { source_mac, .. } => source_mac,
                    Ndp::Advertisement { target_mac, .. } => target_mac,
                };
                let (sender, target) = (source.into(), message.target().into());
                Self { protocol: Protocol::Ndp, sender, target, sender_mac, ..frame }
            }
            Content::Ipv6 { source, destination, hop_limit } => Self {
                protocol: Protocol::Ipv6,
                sender: source.into(),
                target: destination.into(),
                ttl: Some(hop_limit),
                ..frame
            },
            _ => frame,
        }
    }
}
