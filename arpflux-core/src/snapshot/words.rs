//! Parts of a snapshot in a few words, the same in tables of text and on pages.

use super::{Interface, InterfaceFlags, Interference, Snapshot};
use crate::sysctl::SysctlValues;
use crate::types::IfIndex;

impl Interface {
    /// Its state: `up`, `down`, `no carrier`, or `up, no ARP`.
    #[must_use]
    pub fn state(&self) -> &'static str {
        if !self.flags.contains(InterfaceFlags::UP) {
            "down"
        } else if !self.carrier {
            "no carrier"
        } else if self.flags.contains(InterfaceFlags::NOARP) {
            "up, no ARP"
        } else {
            "up"
        }
    }
}

impl SysctlValues {
    /// What differs from what a kernel starts with: `arp_ignore=1 arp_announce=2`.
    #[must_use]
    pub fn not_default(&self) -> String {
        let changed = self.iter().filter(|(sysctl, value)| *value != sysctl.kernel_default());
        changed.map(|(sysctl, value)| format!("{sysctl}={value}")).collect::<Vec<_>>().join(" ")
    }
}

impl Interference {
    /// What it is and where, with interfaces by their names in `snapshot`.
    #[must_use]
    pub fn in_words(&self, snapshot: &Snapshot) -> String {
        let on = |interface: &Option<IfIndex>| {
            interface.map_or_else(String::new, |index| format!(" on {}", snapshot.name_of(index)))
        };
        let called =
            |program: &Option<String>| program.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
        match self {
            Self::Netfilter { chain, interface } => format!("{chain} filters frames{}", on(interface)),
            Self::TrafficControl { interface, program } => {
                format!("traffic control filters{}{}", on(&Some(*interface)), called(program))
            }
            Self::Xdp { interface, program } => {
                format!("an XDP program runs{}{}", on(&Some(*interface)), called(program))
            }
            Self::Listener { interface } => {
                format!("a program listens for ARP frames and may answer{}", on(interface))
            }
            Self::FullNeighbourTable { entries, limit } => {
                format!("the machine's neighbour table may be full: {entries} entries, gc_thresh3 is {limit}")
            }
            Self::Unreadable { what, needs: None } => format!("not readable: {what}"),
            Self::Unreadable { what, needs: Some(needs) } => format!("not readable without {needs}: {what}"),
        }
    }
}
