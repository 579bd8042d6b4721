//! Where the state after the next boot will differ from the state now.

use serde::Serialize;

use super::sysctld::{Assignment, BootSysctls, Key};
use crate::snapshot::Snapshot;
use crate::sysctl::Sysctl;
use crate::types::IfName;

/// A value that the next boot will not bring back, or will bring back otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BootDifference {
    /// `net.ipv4.conf.INTERFACE` of this interface; `None`: of `all`.
    pub interface: Option<IfName>,
    /// The sysctl.
    pub sysctl: Sysctl,
    /// Its value now.
    pub now: i32,
    /// Its value after a boot, as far as files set it; `None`: no file does, so the kernel's or the
    /// driver's default comes back.
    pub at_boot: Option<i32>,
    /// The line that sets it.
    pub set_by: Option<Assignment>,
    /// Lines that say something else and do not count.
    pub ignored: Vec<Assignment>,
}

/// Compares the ARP sysctls of a snapshot with what `sysctl.d` sets at boot.
///
/// A value that no file sets counts as different if it is neither 0 nor what
/// `net.ipv4.conf.default` is set to at boot, because an interface starts with that.
#[must_use]
pub fn boot_differences(snapshot: &Snapshot, boot: &BootSysctls) -> Vec<BootDifference> {
    /// Those that people set for ARP; the others are left to their managers.
    const WATCHED: &[Sysctl] = &[
        Sysctl::ArpIgnore,
        Sysctl::ArpAnnounce,
        Sysctl::ArpFilter,
        Sysctl::ArpAccept,
        Sysctl::ArpNotify,
        Sysctl::ProxyArp,
        Sysctl::ProxyArpPvlan,
        Sysctl::RpFilter,
        Sysctl::AcceptLocal,
    ];
    let folders = std::iter::once((None, &snapshot.all))
        .chain(snapshot.interfaces.iter().map(|interface| (Some(interface.name), &interface.sysctls)));
    let mut differences = Vec::new();
    for (interface, values) in folders {
        let folder = interface.map_or_else(|| "all".to_owned(), |name| name.to_string());
        for sysctl in WATCHED {
            let Some(now) = values.get(*sysctl) else { continue };
            let key = Key::conf(&folder, *sysctl);
            let set_by = boot.winner(&key);
            let inherited = || {
                interface?;
                boot.winner(&Key::conf("default", *sysctl))
            };
            let at_boot = set_by.or_else(inherited).and_then(Assignment::number);
            if now != at_boot.unwrap_or(0) {
                differences.push(BootDifference {
                    interface,
                    sysctl: *sysctl,
                    now,
                    at_boot,
                    set_by: set_by.cloned(),
                    ignored: boot.losers(&key).into_iter().cloned().collect(),
                });
            }
        }
    }
    differences
}
