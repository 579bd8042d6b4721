//! The page's hardware node, client and containers.

use std::net::{IpAddr, Ipv4Addr};

use crate::page::{self, NICS};
use crate::{Host, Lab, Venet};
use arpflux_core::error::Result;

/// A container, and the interface that shall answer for it.
pub(super) struct Container {
    pub id: &'static str,
    pub address: Ipv4Addr,
    pub wanted: &'static str,
}

pub(super) const CONTAINERS: [Container; 2] = [
    Container { id: "101", address: Ipv4Addr::new(192, 168, 18, 101), wanted: "eth3" },
    Container { id: "102", address: Ipv4Addr::new(192, 168, 18, 102), wanted: "eth4" },
];

/// All addresses: whose, which, and which interface of the node shall answer.
pub(super) fn addresses() -> impl Iterator<Item = (String, Ipv4Addr, &'static str)> {
    let own = NICS.iter().map(|nic| (format!("HN {}", nic.name), nic.address, nic.name));
    let theirs = CONTAINERS.iter().map(|ct| (format!("container {}", ct.id), ct.address, ct.wanted));
    own.chain(theirs)
}

/// The scenario, running.
pub(super) struct Scenario {
    pub hn: Host,
    pub client: Host,
    pub containers: Vec<Host>,
    venet: Venet,
    _lab: Lab,
}

impl Scenario {
    /// The node and the client; containers come with [`Scenario::start_containers`].
    pub fn new() -> Result<Self> {
        let lab = Lab::new()?;
        let lan = lab.switch("lan")?;
        let client = page::client(&lab, &lan)?;
        let hn = page::node(&lab, &lan, "HN")?;
        hn.sysctl("net.ipv4.ip_forward", 1)?;
        let venet = lab.venet(&hn, "venet0")?;
        Ok(Self { hn, client, containers: Vec::new(), venet, _lab: lab })
    }

    /// Starts the containers and does what vzctl's `vzarp` does: a proxy entry for each address on
    /// every interface.
    pub fn start_containers(&mut self) -> Result<()> {
        for container in &CONTAINERS {
            self.containers.push(self.venet.container(container.id, container.address)?);
            for nic in &NICS {
                self.hn.proxy(nic.name, IpAddr::V4(container.address))?;
            }
        }
        Ok(())
    }

    /// Makes the client ask anew for everything.
    pub fn clear_caches(&self) -> Result<()> {
        self.client.forget_neighbours()?;
        self.hn.forget_neighbours()
    }
}
