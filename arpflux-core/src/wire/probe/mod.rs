//! Who has these addresses: asked as a peer would, counted by MAC.
//!
//! [`Prober`] is the core: frames in, frames and results out, the clock given. [`run`] is the shell
//! around it: one socket on one interface.
//!
//! A host that answers for somebody else's address (a proxy) lets a broadcast request wait for a
//! random time of up to 0.8 s (`proxy_delay`), and has room for 64 that wait (`proxy_qlen`). So every
//! address is given [`Options::wait`] after its last request, and silent ones are asked again.
//!
//! Afterwards each MAC that answered is asked once more, by a unicast duplicate address probe (RFC
//! 5227, sender 0.0.0.0): a Linux host that holds the address answers that, a proxy never does
//! (`arp_process()`), which tells the two apart.
//!
//! For an IPv6 address a neighbour solicitation goes to the group of its owners, and one question is enough: who
//! answers for somebody else, or for an anycast address, leaves the override flag out (RFC 4861 section 7.2.8).

mod core;
mod judge;
mod record;
mod run;
mod targets;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

pub use self::core::{Prober, Transmit};
pub use judge::{Judgement, judge};
pub use record::{ProbedAddress, ProbedReply, Probes};
pub use run::{Progress, run};
pub use targets::targets;

use crate::predict::Advertised;
use crate::types::Mac;

/// How to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// How often a silent address is asked, 1 to 10.
    pub tries: u8,
    /// How long after its last request an address may still answer, and how long a silent one waits
    /// for its next: 1 s leaves 0.2 s over the longest delay of a proxy with default settings.
    pub wait: Duration,
    /// Requests per second, all addresses together; 1 to 10,000,000.
    pub rate: u32,
    /// Whether to find out which MACs only proxy.
    pub tell_proxies: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { tries: 2, wait: Duration::from_secs(1), rate: 10_000, tell_proxies: true }
    }
}

impl Options {
    setters!(tries: u8, wait: Duration, rate: u32, tell_proxies: bool);
}

/// One MAC that answered for an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    /// The MAC that the reply says the address is at.
    pub mac: Mac,
    /// When its first reply came, after the first request for that address.
    pub after: Duration,
    /// How many replies said so.
    pub count: u32,
    /// Whether it only proxies the address. `None`: not found out, because that was not asked for or
    /// the requests themselves carried sender 0.0.0.0.
    pub proxied: Option<bool>,
    /// The flags of the neighbour advertisement; `None`: it was ARP.
    pub advertised: Option<Advertised>,
}

/// What came of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probed {
    /// The address.
    pub target: IpAddr,
    /// How often it was asked for; 0 if the run was ended before its turn.
    pub requests: u8,
    /// The MACs that answered, in the order of their first replies.
    pub replies: Vec<Reply>,
}
