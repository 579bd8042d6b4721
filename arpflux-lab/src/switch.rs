//! Wires: Linux bridges in a namespace of their own, which holds the far ends of all interfaces.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use arpflux_core::kernel::Netns;
use arpflux_core::types::{IfIndex, IfName};
use arpflux_core::{Error, ErrorKind, Result};
use netlink_packet_route::link::{InfoBridge, InfoData, InfoKind, LinkAttribute, LinkFlags};

use super::rtnl::{self, Connection, NewLink, Rtnl};

/// The namespace that holds bridges and the far ends of interfaces.
#[derive(Debug)]
pub(super) struct Fabric {
    pub netns: Netns,
    rtnl: Rtnl,
    next: AtomicU32,
}

impl Fabric {
    pub fn new() -> Result<Self> {
        let netns = Netns::create("the lab's wires")?;
        // No addresses, no chatter.
        let rtnl = netns.run(|| {
            super::host::write_sysctl("net/ipv6/conf/default/disable_ipv6", "1").or_else(absent_is_fine)?;
            Rtnl::open()
        })??;
        Ok(Self { netns, rtnl, next: AtomicU32::new(0) })
    }

    pub fn rtnl(&self) -> MutexGuard<'_, Connection> {
        self.rtnl.lock()
    }

    /// A name that nothing here has yet.
    pub fn fresh(&self, prefix: &str) -> Result<IfName> {
        format!("{prefix}{}", self.next.fetch_add(1, Ordering::Relaxed)).parse()
    }

    /// Sets an interface of this namespace up or down.
    pub fn set_up(&self, name: &IfName, up: bool) -> Result<()> {
        let mut rtnl = self.rtnl();
        let index = rtnl::link(&mut rtnl, name)?.index;
        let flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        rtnl::set_link(&mut rtnl, index, (flags, LinkFlags::Up), Vec::new())
    }

    /// Makes an interface of this namespace a port of a switch.
    pub fn join(&self, name: &IfName, switch: &Switch) -> Result<()> {
        let mut rtnl = self.rtnl();
        let index = rtnl::link(&mut rtnl, name)?.index;
        let none = (LinkFlags::empty(), LinkFlags::empty());
        rtnl::set_link(&mut rtnl, index, none, vec![LinkAttribute::Controller(switch.index.0)])
    }

    /// Waits until frames get through an interface of this namespace. Carrier is up at once, but the
    /// kernel's link watcher takes its time to open queue and bridge port.
    pub fn settled(&self, name: &IfName) -> Result<()> {
        settled(name, || rtnl::link(&mut self.rtnl(), name))
    }
}

pub(super) fn absent_is_fine(error: Error) -> Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

pub(super) fn settled(name: &IfName, mut look: impl FnMut() -> Result<rtnl::LinkState>) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !look()?.ready() {
        if Instant::now() > deadline {
            return Err(Error::new(ErrorKind::TimedOut, "it did not come up within 5 s").on(name.to_string()));
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// A switch: everything plugged into it is one wire.
#[derive(Debug, Clone)]
pub struct Switch {
    pub(super) fabric: Arc<Fabric>,
    pub(super) index: IfIndex,
    name: String,
}

impl Switch {
    pub(super) fn new(fabric: &Arc<Fabric>, name: &str) -> Result<Self> {
        let bridge = fabric.fresh("switch")?;
        let mut rtnl = fabric.rtnl();
        // Group frames go everywhere, and nobody is asked about groups.
        let data = Some(InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)]));
        rtnl::add_link(&mut rtnl, NewLink { data, ..NewLink::new(&bridge, InfoKind::Bridge) })?;
        let index = rtnl::link(&mut rtnl, &bridge)?.index;
        rtnl::up(&mut rtnl, index)?;
        drop(rtnl);
        Ok(Self { fabric: Arc::clone(fabric), index, name: name.to_string() })
    }

    /// What it was called when it was made.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}
