//! Small validated values that everything else is made of.

mod ifname;
mod mac;

pub use ifname::{IfIndex, IfName};
pub use ipnet::{IpNet, Ipv4Net, Ipv6Net};
pub use mac::Mac;
