//! What two snapshots of one namespace are compared by.

use arpflux_core::Snapshot;

/// What a namespace holds, without what changes by itself and without orders that mean nothing.
pub fn comparable(snapshot: &Snapshot) -> Snapshot {
    let mut comparable = snapshot.clone();
    comparable.neighbours.clear();
    comparable.interference.clear();
    // Sticky in the kernel: nothing can take it back.
    comparable.routing = Default::default();
    comparable.proxies.sort();
    comparable.routes.sort_by_key(|route| format!("{route:?}"));
    comparable.rules.sort_by_key(|rule| format!("{:010} {rule:?}", rule.priority));
    comparable
}
