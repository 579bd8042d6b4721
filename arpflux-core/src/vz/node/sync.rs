//! What is missing, and what lost its route.

use std::collections::BTreeMap;

use super::{Done, Node};
use crate::error::Result;
use crate::plan::PROTOCOL;
use crate::snapshot::Index;
use crate::vz::Held;
use crate::vz::plan::{self, Wanted};

impl Node {
    /// Publishes again what is missing (after an interface was down, or came late), withdraws what lost
    /// its route, and takes over containers that ran before the integration was there: addresses that a
    /// container's file names, that a route leads to, and that somebody else published.
    ///
    /// # Errors
    /// As [`Node::publish`].
    pub fn sync(&self) -> Result<Done> {
        let policy = self.places.policy()?;
        let mut notes = Vec::new();
        let mut done = self.transact(|snapshot, mut registry| {
            let index = Index::new(snapshot);
            for entry in snapshot.proxies.iter().filter(|entry| entry.protocol != PROTOCOL) {
                let address = entry.address;
                if registry.held.contains_key(&address) {
                    continue;
                }
                let Ok(owner) = self.places.owner(&policy, address) else { continue };
                let Ok(interface) = self.places.interface(&policy, &owner, Some(address)) else { continue };
                let held = Held { owner, interface };
                if plan::idle(&index, address, &held).is_none() {
                    notes.push(format!("{address} of container {} was taken over", held.owner));
                    registry.held.insert(address, held);
                }
            }
            for (address, held) in &registry.held {
                if let Some(why) = plan::idle(&index, *address, held) {
                    notes.push(format!(
                        "{address} of container {} is not published on {}: {why}",
                        held.owner, held.interface
                    ));
                }
            }
            registry.host = policy.host.clone();
            let withdrawn = BTreeMap::new();
            let wanted = Wanted { policy: &policy, registry: &registry, withdrawn: &withdrawn };
            Ok((plan::plan(snapshot, &wanted)?, registry))
        })?;
        done.notes = notes;
        Ok(done)
    }
}
