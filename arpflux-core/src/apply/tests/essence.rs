//! What two snapshots of one namespace are compared by.

use arpflux_core::Snapshot;

/// What a namespace holds, without what changes by itself and without orders that mean nothing.
pub fn essence(snapshot: &Snapshot) -> Snapshot {
    let mut essence = snapshot.clone();
    essence.neighbours.clear();
    essence.interference.clear();
    // Sticky in the kernel: nothing can take it back.
    essence.routing = Default::default();
    essence.proxies.sort();
    essence.routes.sort_by_key(|route| format!("{route:?}"));
    essence.rules.sort_by_key(|rule| format!("{:010} {rule:?}", rule.priority));
    essence
}
