//! What a bridge, and an interface as its port, does with frames beside forwarding them.

use serde::{Deserialize, Serialize};

use super::{LinkKind, Snapshot};
use crate::snapshot::Interface;

/// Options of a bridge and of a port of one, as far as they may decide about ARP.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Bridging {
    /// A bridge: it looks at VLANs (`vlan_filtering`).
    pub vlan_filtering: bool,
    /// The VLANs that it is a member of, as a bridge itself or as a port; read where the bridge filters.
    pub vlans: Vec<BridgeVlan>,
    /// A port: only senders that the bridge knows by an entry of the port may speak (`locked`).
    pub locked: bool,
    /// A port: neither does it learn senders nor is it flooded with unicast frames (`learning off flood off`), so that
    /// answers may not find their way.
    pub unlearned: bool,
    /// A port: broadcasts do not leave by it (`bcast_flood off`), so that the host's own requests are not heard there.
    pub keeps_broadcasts: bool,
    /// A port: neither does it get frames of other isolated ports nor they its (`isolated`).
    pub isolated: bool,
    /// A port: the bridge answers for others here, or keeps their requests away (`neigh_suppress`, `proxy_arp`,
    /// `proxy_arp_wifi`, and `proxy` of a VXLAN).
    pub answers_for_others: bool,
}

impl Bridging {
    /// Whether nothing of it is set.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

/// Some VLANs that a bridge or a port is a member of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BridgeVlan {
    /// The first, 1 to 4094.
    pub first: u16,
    /// The last.
    pub last: u16,
    /// Untagged frames that come in belong to it (`pvid`).
    pub pvid: bool,
    /// Its frames go out untagged (`untagged`).
    pub untagged: bool,
}

/// Whether an untagged frame gets from a port to the bridge's own interface, and the answer back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VlanPath {
    Open,
    Closed,
    /// It arrives with a tag, or the answer leaves with one.
    Tagged,
}

impl Snapshot {
    /// `br_allowed_ingress()` at the port and `br_allowed_egress()`, `br_handle_vlan()` at the bridge, and back.
    pub(crate) fn vlan_path(&self, port: &Interface, bridge: &Interface) -> VlanPath {
        if bridge.kind != Some(LinkKind::Bridge) || !bridge.bridging.vlan_filtering {
            return VlanPath::Open;
        }
        let own = |of: &Interface| of.bridging.vlans.iter().find(|vlan| vlan.pvid).map(|vlan| vlan.first);
        let member = |of: &Interface, id: u16| {
            of.bridging
                .vlans
                .iter()
                .find(|vlan| (vlan.first..=vlan.last).contains(&id))
                .map(|vlan| vlan.untagged)
        };
        let Some(inward) = own(port) else { return VlanPath::Closed };
        match member(bridge, inward) {
            None => VlanPath::Closed,
            Some(untagged)
                if untagged && own(bridge) == Some(inward) && member(port, inward) == Some(true) =>
            {
                VlanPath::Open
            }
            Some(_) => VlanPath::Tagged,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::host::Host;

    #[test]
    fn untagged_frames_reach_a_bridge_by_its_vlans() {
        let vlan = |first, pvid, untagged| BridgeVlan { first, last: first, pvid, untagged };
        let path = |port: &[BridgeVlan], bridge: &[BridgeVlan]| {
            let mut snapshot = Host::new().nic(2, "eth0", &[]).nic(3, "br0", &[]).0;
            let at = snapshot.interfaces.len() - 2;
            snapshot.interfaces[at].bridging.vlans = port.to_vec();
            snapshot.interfaces[at + 1].kind = Some(LinkKind::Bridge);
            snapshot.interfaces[at + 1].bridging =
                Bridging { vlan_filtering: true, vlans: bridge.to_vec(), ..Bridging::default() };
            snapshot.vlan_path(&snapshot.interfaces[at], &snapshot.interfaces[at + 1])
        };
        let usual = vlan(1, true, true);
        assert_eq!(path(&[usual], &[usual]), VlanPath::Open);
        assert_eq!(path(&[], &[usual]), VlanPath::Closed, "no pvid: untagged frames are dropped");
        assert_eq!(path(&[usual], &[]), VlanPath::Closed, "the bridge itself is no member");
        assert_eq!(path(&[vlan(10, true, true)], &[usual]), VlanPath::Closed);
        assert_eq!(path(&[vlan(10, true, true)], &[usual, vlan(10, false, false)]), VlanPath::Tagged);
        assert_eq!(path(&[usual, vlan(10, false, false)], &[usual]), VlanPath::Open);
    }
}
