//! Which interfaces share a wire, as far as a snapshot or a statement tells.

use std::collections::{BTreeMap, HashMap};

use super::ground::is_public;
use crate::segment::Wires;
use crate::snapshot::{Address, Interface, PortFrames, Snapshot};
use crate::types::{IfIndex, IfName, IpNet};

/// Which of the listeners share a wire: see the module text of [`super`]. Those that something is told about
/// are never put together with others.
pub(super) fn wires<'s>(
    snapshot: &'s Snapshot,
    told: Option<&Wires>,
    listeners: &[&'s Interface],
    held: &HashMap<IfIndex, Vec<&Address>>,
) -> Vec<Vec<&'s Interface>> {
    let connected: Vec<&Interface> =
        listeners.iter().copied().filter(|interface| interface.carrier).collect();
    let places: HashMap<IfIndex, usize> =
        connected.iter().enumerate().map(|(place, interface)| (interface.index, place)).collect();
    let mut parent: Vec<usize> = (0..connected.len()).collect();
    fn root(parent: &mut [usize], mut at: usize) -> usize {
        while parent[at] != at {
            parent[at] = parent[parent[at]];
            at = parent[at];
        }
        at
    }
    let mut join = |a: usize, b: usize| {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        parent[a.max(b)] = a.min(b);
    };
    let told: HashMap<IfName, usize> = told
        .map(Wires::wires)
        .unwrap_or_default()
        .iter()
        .enumerate()
        .flat_map(|(wire, names)| names.iter().map(move |name| (*name, wire)))
        .collect();
    let mut first_told: HashMap<usize, usize> = HashMap::new();
    let mut first: HashMap<(Option<IfIndex>, IpNet), usize> = HashMap::new();
    for (place, interface) in connected.iter().enumerate() {
        if let Some(wire) = told.get(&interface.name) {
            join(place, *first_told.entry(*wire).or_insert(place));
            continue;
        }
        let vrf = interface.master.filter(|_| snapshot.frames_of(interface) == PortFrames::Kept);
        for address in held.get(&interface.index).into_iter().flatten() {
            let subnet = address.subnet();
            if address.peer.is_none() && is_public(address) && tells_a_wire(&subnet) {
                join(place, *first.entry((vrf, subnet)).or_insert(place));
            }
        }
        if let Some(below) = interface.shares_wire_of().and_then(|below| places.get(&below))
            && !told.contains_key(&connected[*below].name)
        {
            join(place, *below);
        }
    }
    let mut wires: BTreeMap<usize, Vec<&Interface>> = BTreeMap::new();
    for (place, interface) in connected.iter().enumerate() {
        let wire = root(&mut parent, place);
        wires.entry(wire).or_default().push(interface);
    }
    wires.into_values().filter(|wire| wire.len() > 1).collect()
}

/// Whether two interfaces with this subnet are on one wire: not if it holds a single address, and not if
/// every link has it (169.254/16, RFC 3927).
fn tells_a_wire(subnet: &IpNet) -> bool {
    matches!(subnet, IpNet::V4(net) if net.prefix_len() < 32 && !net.network().is_link_local())
}
