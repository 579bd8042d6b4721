//! Whose MACs are, as far as it helps to find their owner: virtual machines, clouds, clusters.

use arpflux_core::types::Mac;

/// Beginnings of MACs, and what has such ones. The longer stand before those that they begin with.
const PREFIXES: &[(&[u8], &str)] = &[
    (&[0xee; 6], "Calico, for the gateway of every workload"),
    (&[0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc], "Azure, for every gateway"),
    (&[0x02, 0x50, 0x56, 0x56, 0x44, 0x52], "VMware NSX, distributed router"),
    (&[0x00, 0x1c, 0x73, 0x00, 0x00, 0x99], "Arista, VARP"),
    (&[0x00, 0x22, 0xbd, 0xf8, 0x19, 0xff], "Cisco ACI, gateway of a bridge domain"),
    (&[0x44, 0x38, 0x39, 0xff], "Cumulus Linux, shared by switches"),
    (&[0x00, 0x0c, 0x29], "VMware guest"),
    (&[0x00, 0x50, 0x56], "VMware guest or host"),
    (&[0x00, 0x05, 0x69], "VMware"),
    (&[0x52, 0x54, 0x00], "KVM guest"),
    (&[0xbc, 0x24, 0x11], "Proxmox guest"),
    (&[0xfa, 0x16, 0x3e], "OpenStack guest"),
    (&[0x00, 0x16, 0x3e], "Xen guest, or LXC container"),
    (&[0x10, 0x66, 0x6a], "Incus instance"),
    (&[0x00, 0x15, 0x5d], "Hyper-V guest"),
    (&[0x00, 0x0d, 0x3a], "Azure"),
    (&[0x00, 0x22, 0x48], "Azure"),
    (&[0x60, 0x45, 0xbd], "Azure"),
    (&[0x42, 0x01], "Google Cloud"),
    (&[0x96, 0x00, 0x00], "Hetzner Cloud"),
    (&[0x08, 0x00, 0x27], "VirtualBox guest"),
    (&[0x0a, 0x00, 0x27], "VirtualBox host"),
    (&[0x02, 0x42], "Docker container or bridge"),
    (&[0x00, 0x18, 0x51], "OpenVZ or Virtuozzo container"),
    (&[0x00, 0x1c, 0x42], "Parallels or Virtuozzo guest"),
    (&[0x00, 0x1a, 0x4a], "oVirt guest"),
    (&[0x56, 0x6f], "oVirt guest"),
    (&[0x50, 0x6b, 0x8d], "Nutanix guest"),
    (&[0x00, 0x21, 0xf6], "Oracle VM guest"),
    (&[0x00, 0x1c, 0x7f], "Check Point"),
    (&[0x00, 0x09, 0x0f], "Fortinet"),
    (&[0xb8, 0x27, 0xeb], "Raspberry Pi"),
    (&[0xdc, 0xa6, 0x32], "Raspberry Pi"),
    (&[0xe4, 0x5f, 0x01], "Raspberry Pi"),
    (&[0xd8, 0x3a, 0xdd], "Raspberry Pi"),
];

/// What has MACs like this one, if it is well known.
pub(crate) fn vendor(mac: Mac) -> Option<&'static str> {
    let known = PREFIXES.iter().find(|(prefix, _)| mac.as_bytes().starts_with(prefix));
    known.map(|(_, vendor)| *vendor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_prefix_counts() {
        for (at, (prefix, _)) in PREFIXES.iter().enumerate() {
            let hidden = PREFIXES[..at].iter().find(|(before, _)| prefix.starts_with(before));
            assert!(hidden.is_none(), "{prefix:02x?} is never found");
        }
        assert_eq!(vendor(Mac::ethernet([0x52, 0x54, 0, 1, 2, 3])), Some("KVM guest"));
        assert_eq!(vendor(Mac::ethernet([0x00, 0x1c, 0x73, 0, 0, 0x99])), Some("Arista, VARP"));
        assert_eq!(vendor(Mac::ethernet([2, 0, 0, 0, 0, 1])), None);
    }
}
