//! OpenVZ's `venet0`: one point-to-point device without ARP, shared by all containers of a node.

use std::net::Ipv4Addr;
use std::sync::Arc;

use arpflux_core::Result;
use arpflux_core::types::Mac;

use super::rtnl;
use super::switch::Fabric;
use super::{Host, NewRoute, Switch};

/// The MAC of every `venet0`: without ARP a frame carries the sender's own MAC as destination, so
/// that all must have the same one to be received.
const SHARED: Mac = Mac::ethernet([0x02, 0, 0, 0, 0, 1]);

/// An interface like OpenVZ's `venet0`, with the containers behind it.
///
/// Made of veth pairs on a bridge that learns nothing. Containers reach the node only, never each
/// other directly, as on OpenVZ.
#[derive(Debug)]
pub struct Venet {
    fabric: Arc<Fabric>,
    wire: Switch,
    node: Host,
    name: String,
}

impl Venet {
    pub(super) fn new(fabric: &Arc<Fabric>, node: &Host, name: &str) -> Result<Self> {
        let wire = Switch::new(fabric, "venet")?;
        let this = Self { fabric: Arc::clone(fabric), wire, node: node.clone(), name: name.to_string() };
        this.join(node, false)?;
        Ok(this)
    }

    fn join(&self, host: &Host, isolated: bool) -> Result<()> {
        host.plug(&self.wire, &self.name, SHARED)?;
        host.noarp(&self.name, true)?;
        let port = host.far_end(&self.name)?;
        rtnl::set_port(&mut self.fabric.rtnl(), port.index, isolated)
    }

    /// A container with one address, and the node's route to it as `vps-net_add` sets it. The node
    /// must forward (`net.ipv4.ip_forward`).
    ///
    /// # Errors
    /// Those of making a host.
    pub fn container(&self, name: &str, address: Ipv4Addr) -> Result<Host> {
        let container = Host::new(&self.fabric, name)?;
        self.join(&container, true)?;
        container.address(&self.name, &format!("{address}/32"))?;
        container.route(&NewRoute::to("0.0.0.0/0")?.device(&self.name)?)?;
        self.node.route(&NewRoute::to(&format!("{address}/32"))?.device(&self.name)?)?;
        Ok(container)
    }
}
