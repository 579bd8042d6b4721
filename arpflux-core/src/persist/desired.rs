//! What of a policy has to be there after a reboot.
use crate::error::Result;
use crate::plan;
use crate::policy::Policy;
use crate::snapshot::{Route, Rule, Snapshot};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::{IfIndex, IfName};

/// What shall be there after a reboot, whether or not it is there now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Desired {
    /// Sysctls below `net.ipv4.conf` of named interfaces.
    pub sysctls: Vec<(IfName, Sysctl, i32)>,
    /// Sysctls below `net.ipv6.conf` of named interfaces.
    pub ipv6_sysctls: Vec<(IfName, Ipv6Sysctl, i32)>,
    /// `net.ipv4.neigh.INTERFACE.proxy_delay`, in ms.
    pub proxy_delays: Vec<(IfName, u64)>,
    /// Rules of source-routed egress.
    pub rules: Vec<Rule>,
    /// Routes of source-routed egress.
    pub routes: Vec<Route>,
    /// The numbers and names of all interfaces that any of this refers to.
    pub names: Vec<(IfIndex, IfName)>,
}

impl Desired {
    /// What `policy` wants of the host that `snapshot` shows.
    ///
    /// # Errors
    /// As [`Policy::plan`].
    pub fn of(policy: &Policy, snapshot: &Snapshot) -> Result<Self> {
        let wanted = plan::desired::desired(policy, snapshot)?;
        let name = |index: IfIndex| snapshot.interface(index).map(|interface| interface.name);
        let hops =
            wanted.routes.iter().flat_map(|route| route.next_hops.iter().filter_map(|hop| hop.interface));
        let mut indexes: Vec<IfIndex> = wanted.interfaces.iter().copied().chain(hops).collect();
        indexes.sort();
        indexes.dedup();
        let names = indexes.into_iter().filter_map(|index| Some((index, name(index)?))).collect();
        let sysctls = wanted.sysctls.iter().filter_map(|of| Some((name(of.interface)?, of.sysctl, of.value)));
        let ipv6 = wanted.ipv6_sysctls.iter();
        Ok(Self {
            sysctls: sysctls.collect(),
            ipv6_sysctls: ipv6.filter_map(|of| Some((name(of.interface)?, of.sysctl, of.value))).collect(),
            proxy_delays: wanted.proxy_delays.iter().filter_map(|(at, ms)| Some((name(*at)?, *ms))).collect(),
            rules: wanted.rules,
            routes: wanted.routes,
            names,
        })
    }
}
