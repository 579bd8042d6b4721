//! Who may be on a wire, and answers there.

use std::collections::BTreeMap;

use super::context::{Context, by_number, listed};
use crate::predict::ArpRequest;
use crate::types::{IfIndex, IfName};

impl Context<'_> {
    /// The interfaces that answer one of these requests, and of which it is not known whether they are on its wire, as a
    /// condition; empty if there is none.
    pub(super) fn unless_elsewhere(&self, requests: impl Iterator<Item = ArpRequest>) -> String {
        let mut found: BTreeMap<IfIndex, IfName> = BTreeMap::new();
        for request in requests {
            for other in &self.listeners {
                let unknown = self.map.is_connected(other.index)
                    && self.map.share(request.interface, other.index).is_none();
                let request = ArpRequest { interface: other.index, ..request };
                if unknown && self.reply(&request).answers() == Some(true) {
                    found.insert(other.index, other.name);
                }
            }
        }
        if found.is_empty() {
            return String::new();
        }
        format!(
            ", unless {}, which {}, {} on that wire (`arpflux segments` tells)",
            listed(found.values()),
            by_number(found.len(), "answers", "answer"),
            by_number(found.len(), "is", "are"),
        )
    }
}
