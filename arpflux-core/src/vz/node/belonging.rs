//! Where the addresses of containers belong, and for which of them that cannot work.

use std::net::IpAddr;

use super::Node;
use crate::error::{ErrorKind, Result};
use crate::policy::Policy;
use crate::types::IfName;
use crate::vz::{CONF_INTERFACE, Call, Held};

impl Node {
    /// The interfaces where addresses belong, each once; of the container as a whole where the call names
    /// no address.
    ///
    /// # Errors
    /// As [`Places::interface`](crate::vz::Places::interface).
    pub fn interfaces(&self, call: &Call) -> Result<Vec<IfName>> {
        let mut found: Vec<IfName> = Vec::new();
        for (_, held) in self.belonging(call)? {
            if !found.contains(&held.interface) {
                found.push(held.interface);
            }
        }
        if let (true, Some(veid)) = (call.addresses.is_empty(), &call.veid) {
            found.push(self.places.interface(&self.places.policy()?, veid.as_str(), None)?);
        }
        Ok(found)
    }

    /// Where each address belongs, by the policy and the containers' files.
    pub(in crate::vz) fn belonging(&self, call: &Call) -> Result<Vec<(IpAddr, Held)>> {
        let policy = self.places.policy()?;
        let of = |address: &IpAddr| -> Result<(IpAddr, Held)> {
            let owner = match &call.veid {
                Some(veid) => veid.to_string(),
                None => self.places.owner(&policy, *address)?,
            };
            let interface = self.place(call, &policy, &owner, *address)?;
            Ok((*address, Held { owner, interface }))
        };
        call.addresses.iter().map(of).collect()
    }

    /// Where an address belongs: as the call says, else as the policy and the containers' files do.
    pub(super) fn place(&self, call: &Call, policy: &Policy, owner: &str, address: IpAddr) -> Result<IfName> {
        match call.interface {
            Some(interface) => Ok(interface),
            None => self.places.interface(policy, owner, Some(address)),
        }
    }

    /// What will not work for a container, one sentence each: addresses that nothing assigns an interface to, or
    /// one that is not here.
    ///
    /// # Errors
    /// Those of reading the policy, the containers' files and the state.
    pub fn warnings(&self) -> Result<Vec<String>> {
        let (policy, snapshot) = (self.places.policy()?, self.host.snapshot()?);
        let mut unassigned: Vec<String> = Vec::new();
        let mut warnings = Vec::new();
        for (veid, addresses) in self.places.addresses()? {
            let interfaces =
                addresses.iter().map(|address| self.places.interface(&policy, veid.as_str(), Some(*address)));
            for interface in interfaces {
                match interface {
                    Ok(interface) if snapshot.interface_named(&interface).is_some() => continue,
                    Ok(interface) => warnings.push(format!(
                        "container {veid} shall be published on {interface}, which is not on this host: its start \
                         will fail (was its file written on another host?)"
                    )),
                    Err(error) if error.kind() == ErrorKind::NotFound => unassigned.push(veid.to_string()),
                    Err(error) => warnings.push(format!("container {veid} will not start: {error}")),
                }
                break;
            }
        }
        if !unassigned.is_empty() {
            warnings.push(format!(
                "nothing says which interface containers {} belong on, and their starts will fail: write \
                 {}=\"eth3\" in {} for all that have none of their own, or in a container's own file",
                crate::words::listed(unassigned),
                CONF_INTERFACE,
                self.places.global.display(),
            ));
        }
        Ok(warnings)
    }
}
