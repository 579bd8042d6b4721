//! Neighbours that are seen on two wires: a reason to doubt that they are two.

use std::collections::{BTreeSet, HashMap};

use super::{Reach, Snapshot};
use crate::types::{IfIndex, Mac, VirtualMac};

/// `NUD_REACHABLE`, `NUD_STALE`, `NUD_DELAY`, `NUD_PROBE`: the neighbour was heard.
const HEARD: u16 = 0x02 | 0x04 | 0x08 | 0x10;

/// Pairs of interfaces, the smaller index first, on both of which a neighbour with the same MAC was heard: a machine with an
/// address in the subnets of both is on one wire with them, or is on two and has one MAC. MACs that several machines have by
/// design, and those of VLANs, where a switch has one for all, tell nothing.
pub(super) fn pairs(snapshot: &Snapshot) -> BTreeSet<(IfIndex, IfIndex)> {
    let mut seen: HashMap<Mac, BTreeSet<IfIndex>> = HashMap::new();
    for entry in snapshot.neighbours.iter().filter(|entry| entry.state.0 & HEARD != 0) {
        let Some(mac) = entry.mac.filter(|mac| !mac.is_group()) else { continue };
        let of_one_machine = mac.octets().is_some_and(|octets| VirtualMac::of(octets).is_none());
        let own = || snapshot.interfaces.iter().any(|interface| interface.mac == mac);
        let tagged =
            || snapshot.interface(entry.interface).is_some_and(|on| on.reach() == Reach::LowerTagged);
        if of_one_machine && !tagged() && !own() {
            seen.entry(mac).or_default().insert(entry.interface);
        }
    }
    let mut pairs = BTreeSet::new();
    for on in seen.into_values() {
        for one in &on {
            pairs.extend(on.range(*one..).skip(1).map(|other| (*one, *other)));
        }
    }
    pairs
}
