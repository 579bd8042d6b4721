//! The node of the OpenVZ page, which the demo and many tests are about: three cards in one subnet, each of which
//! answers for all addresses; a client; two containers, each to be had by one card.

use std::net::Ipv4Addr;

use arpflux_core::error::Result;

use crate::{Host, Lab, Switch};

/// An interface of the node.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Nic {
    /// Its name.
    pub name: &'static str,
    /// Its MAC.
    pub mac: &'static str,
    /// Its address, in a /24.
    pub address: Ipv4Addr,
}

/// The cards of the node.
pub const NICS: [Nic; 3] = [
    Nic { name: "eth0", mac: "00:0c:29:b3:a2:54", address: Ipv4Addr::new(192, 168, 18, 10) },
    Nic { name: "eth3", mac: "00:0c:29:b3:a2:68", address: Ipv4Addr::new(192, 168, 18, 11) },
    Nic { name: "eth4", mac: "00:0c:29:b3:a2:5e", address: Ipv4Addr::new(192, 168, 18, 12) },
];

/// The client's MAC,
pub const CLIENT_MAC: &str = "00:0c:29:d2:c7:aa";
/// and its address, in the same /24.
pub const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 18, 129);

/// What the page's last line asks for.
pub const POLICY: &str = r#"version = 1

[host]
interfaces = ["eth0", "eth3", "eth4"]

[[proxy]]
owner = "101"
addresses = ["192.168.18.101"]
interface = "eth3"

[[proxy]]
owner = "102"
addresses = ["192.168.18.102"]
interface = "eth4"
"#;

/// The node `name`, its cards on `lan`. It does not forward.
///
/// # Errors
/// If the kernel refuses.
pub fn node(lab: &Lab, lan: &Switch, name: &str) -> Result<Host> {
    let node = lab.host(name)?;
    for nic in &NICS {
        node.plug(lan, nic.name, nic.mac.parse()?)?;
        node.address(nic.name, &format!("{}/24", nic.address))?;
    }
    Ok(node)
}

/// The client on `lan`, by its `eth0`.
///
/// # Errors
/// If the kernel refuses.
pub fn client(lab: &Lab, lan: &Switch) -> Result<Host> {
    let client = lab.host("client")?;
    client.plug(lan, "eth0", CLIENT_MAC.parse()?)?;
    client.address("eth0", &format!("{CLIENT}/24"))?;
    Ok(client)
}
