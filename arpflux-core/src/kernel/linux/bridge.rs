//! The VLANs of bridges that filter by them.

use nix::libc::AF_BRIDGE;

use super::LinuxKernel;
use super::read::dump;
use crate::error::Result;
use crate::kernel::decode;
use crate::kernel::netlink::Messages;
use crate::kernel::uapi::{IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED, RTM_GETLINK};
use crate::snapshot::Snapshot;

/// Fills in [`crate::snapshot::Bridging::vlans`] of bridges and their ports, where one of them filters.
pub(super) fn vlans(kernel: &mut LinuxKernel, snapshot: &mut Snapshot) -> Result<()> {
    if !snapshot.interfaces.iter().any(|interface| interface.bridging.vlan_filtering) {
        return Ok(());
    }
    let mut body = [0u8; 16];
    body[0] = AF_BRIDGE as u8;
    let messages: &mut Messages = &mut kernel.messages;
    messages.clear();
    messages.begin(RTM_GETLINK, 0, &body);
    messages.attribute(IFLA_EXT_MASK, &RTEXT_FILTER_BRVLAN_COMPRESSED.to_ne_bytes());
    let interfaces = &mut snapshot.interfaces;
    dump(&mut kernel.netlink, messages, |payload| {
        let Some((index, vlans)) = payload.and_then(decode::bridge_vlans) else { return };
        if let Ok(at) = interfaces.binary_search_by_key(&index, |interface| interface.index) {
            interfaces[at].bridging.vlans = vlans;
        }
    })
    .map_err(|error| error.during("list").on("VLANs of bridges"))
}
