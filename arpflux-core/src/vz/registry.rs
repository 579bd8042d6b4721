//! What is published, for whom and where: the addresses that scripts handed over and did not take back.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::error::Result;
use crate::policy::{HostPolicy, Policy, ProxyPolicy};
use crate::types::IfName;

/// Whose an address is, and on which interface it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The container, or another label of the policy.
    pub owner: String,
    /// The interface.
    pub interface: IfName,
}

/// The addresses of running containers.
///
/// Its file has the form of a policy, so that `arpflux watch` can keep it. It is changed in the same
/// transaction as the kernel's state, and lives where that state lives: it is gone after a reboot.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registry {
    /// What the policy said about the host when the file was written.
    pub host: HostPolicy,
    /// The addresses.
    pub held: BTreeMap<IpAddr, Held>,
}

impl Registry {
    /// Reads the file's text.
    ///
    /// # Errors
    /// As [`Policy::from_toml`].
    pub fn from_toml(text: &str, name: &str) -> Result<Self> {
        let policy = Policy::from_toml(text, name)?;
        let mut registry = Self { host: policy.host, held: BTreeMap::new() };
        for ProxyPolicy { owner, addresses, interface } in policy.proxies {
            let held = |address| (address, Held { owner: owner.clone(), interface });
            registry.held.extend(addresses.into_iter().map(held));
        }
        Ok(registry)
    }

    /// The policy that it is: one `[[proxy]]` for each owner and interface.
    #[must_use]
    pub fn policy(&self) -> Policy {
        policy(&self.host, self.held.iter().map(|(address, held)| (*address, held)))
    }

    /// The addresses of an owner.
    pub fn of<'a>(&'a self, owner: &'a str) -> impl Iterator<Item = (IpAddr, &'a Held)> {
        self.held.iter().filter(move |(_, held)| held.owner == owner).map(|(address, held)| (*address, held))
    }
}

/// A policy for some addresses.
pub(super) fn policy<'a>(host: &HostPolicy, held: impl Iterator<Item = (IpAddr, &'a Held)>) -> Policy {
    let mut groups: BTreeMap<(&str, IfName), Vec<IpAddr>> = BTreeMap::new();
    for (address, Held { owner, interface }) in held {
        groups.entry((owner, *interface)).or_default().push(address);
    }
    let group = |((owner, interface), addresses): ((&str, IfName), Vec<IpAddr>)| ProxyPolicy {
        owner: owner.to_owned(),
        addresses,
        interface,
    };
    Policy { host: host.clone(), proxies: groups.into_iter().map(group).collect(), services: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_a_policy_and_reads_back_the_same() {
        let mut registry = Registry::default();
        for (address, owner, interface) in [
            ("10.0.0.1", "101", "eth3"),
            ("10.0.0.2", "101", "eth4"),
            ("10.0.0.3", "101", "eth3"),
            ("fd00::1", "102", "eth4"),
        ] {
            let held = Held { owner: owner.into(), interface: interface.parse().unwrap() };
            registry.held.insert(address.parse().unwrap(), held);
        }
        assert_eq!(registry.policy().proxies.len(), 3);
        let text = registry.policy().to_toml().unwrap();
        assert_eq!(Registry::from_toml(&text, "vz.toml").unwrap(), registry);
        assert_eq!(registry.of("101").count(), 3);
        let empty = Registry::default();
        assert_eq!(Registry::from_toml(&empty.policy().to_toml().unwrap(), "vz.toml").unwrap(), empty);
    }
}
