//! Small validated values that everything else is made of.

mod ifname;
mod mac;
mod virtual_mac;

pub use ifname::{IfIndex, IfName};
pub use ipnet::{IpNet, Ipv4Net, Ipv6Net};
pub use mac::Mac;
pub use virtual_mac::{Redundancy, VirtualMac};
