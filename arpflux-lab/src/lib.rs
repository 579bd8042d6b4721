//! Hosts, switches, clients and containers out of network namespaces and veth pairs.
//!
//! A [`Lab`] is for demos, tests and examples. Its namespaces have no names and no processes: only
//! descriptors hold them, so they end with the process whatever ends it (a return, a panic, a signal),
//! and any number of labs on one machine do not meet.
//!
//! ```no_run
//! use arpflux_lab::Lab;
//!
//! let lab = Lab::new()?;
//! let lan = lab.switch("lan")?;
//! let hn = lab.host("hn")?;
//! hn.plug(&lan, "eth0", "00:0c:29:b3:a2:54".parse()?)?;
//! hn.address("eth0", "192.168.18.10/24")?;
//! let client = lab.host("client")?;
//! client.plug(&lan, "eth0", "00:0c:29:d2:c7:aa".parse()?)?;
//! client.address("eth0", "192.168.18.129/24")?;
//! assert_eq!(client.ping(None, "192.168.18.10".parse().unwrap(), 3)?.received, 3);
//! # Ok::<(), arpflux_core::Error>(())
//! ```
//!
//! A [`twin::Twin`] is a host built again from its snapshot, and [`rehearse`] tries a plan on one.
//!
//! A new host has IPv4 as a kernel without configuration has it, whatever the machine's own settings
//! are, and no IPv6: its chatter would stand in every capture. `host.ipv6()` switches it on.
//!
//! Needs root or the root of a user namespace: see [`enter`] and [`privileges`].

#![deny(missing_docs)]

mod ask;
pub mod demo;
mod host;
mod link;
mod nftables;
pub mod page;
mod ping;
mod privileges;
mod record;
mod rehearse;
mod route;
mod rtnl;
mod switch;
pub mod twin;
mod venet;

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Instant;

pub use ask::{Answer, Asker, Question};
pub use host::Host;
pub use ping::Pings;
pub use privileges::{enter, privileges};
pub use record::{Recorded, Recorder, write_pcap};
pub use rehearse::{rehearse, try_address};
pub use route::{NewRoute, NewRule};
pub use switch::Switch;
pub use venet::Venet;

use arpflux_core::{Error, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use switch::Fabric;

/// Hosts and the wires between them. See the [module](self) text.
///
/// Everything made by it lives until the last of its handles is gone.
#[derive(Debug)]
pub struct Lab {
    fabric: Arc<Fabric>,
}

impl Lab {
    /// An empty lab.
    ///
    /// # Errors
    /// [`arpflux_core::ErrorKind::PermissionDenied`] as [`privileges`] says.
    pub fn new() -> Result<Self> {
        privileges()?;
        Ok(Self { fabric: Arc::new(Fabric::new()?) })
    }

    /// A host without interfaces besides `lo`, which is up. `name` is for messages only.
    ///
    /// # Errors
    /// Those of making a namespace.
    pub fn host(&self, name: &str) -> Result<Host> {
        Host::new(&self.fabric, name)
    }

    /// A switch: everything plugged into it is one wire. `name` is for messages only.
    ///
    /// # Errors
    /// Those of making a bridge.
    pub fn switch(&self, name: &str) -> Result<Switch> {
        Switch::new(&self.fabric, name)
    }

    /// Gives `node` an interface like OpenVZ's `venet0`, behind which containers are put.
    ///
    /// # Errors
    /// Those of making the interface.
    pub fn venet(&self, node: &Host, name: &str) -> Result<Venet> {
        Venet::new(&self.fabric, node, name)
    }
}

/// Waits until one of `sockets` has something to read, or a signal came; whether that was before `deadline`.
fn wait(sockets: &[BorrowedFd<'_>], deadline: Instant) -> Result<bool> {
    let left = deadline.saturating_duration_since(Instant::now()).as_nanos().div_ceil(1_000_000);
    let mut entries: Vec<_> = sockets.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    match poll(&mut entries, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::EINTR) => Ok(true),
        Err(errno) => Err(Error::os("wait for", "packet socket", errno as i32)),
    }
}
