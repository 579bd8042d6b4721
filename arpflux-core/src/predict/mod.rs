//! What the kernel will answer, and why: `net/ipv4/arp.c` as a pure function.

mod verdict;

use std::net::Ipv4Addr;

pub use verdict::Verdict;

use crate::types::{IfIndex, Mac};

/// An ARP request as it arrives on an interface (RFC 826).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArpRequest {
    /// The interface it arrives on.
    pub interface: IfIndex,
    /// Who asks; 0.0.0.0 in an RFC 5227 probe.
    pub sender: Ipv4Addr,
    /// The sender's MAC, where it matters; `None`: an ordinary neighbour's.
    pub sender_mac: Option<Mac>,
    /// The address asked for.
    pub target: Ipv4Addr,
    /// Whether the frame was sent to this interface's MAC instead of to all.
    pub unicast: bool,
}
