//! What the last look saw, as far as later news is compared with it.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use crate::error::Result;
use crate::kernel::LinuxKernel;
use crate::plan::desired::Desired;
use crate::plan::{InterfaceIdentity, PROTOCOL};
use crate::snapshot::{Address, ProxyEntry, Route, Snapshot};
use crate::sysctl::{Sysctl, SysctlValues};
use crate::types::{IfIndex, IpNet};

use super::sysctls::Folder;

/// Digests of the lists that no event tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Digests {
    pub proxies: u64,
    pub interfaces: u64,
}

impl Digests {
    /// To be taken before the snapshot that they stand for: what happens in between is seen as a change.
    pub fn take(kernel: &mut LinuxKernel) -> Result<Self> {
        Ok(Self { proxies: kernel.proxies_digest()?, interfaces: kernel.interfaces_digest()? })
    }
}

/// See the module text. A whole snapshot would be large where there are many routes.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub interfaces: HashMap<IfIndex, (InterfaceIdentity, SysctlValues)>,
    all: SysctlValues,
    default: SysctlValues,
    pub proxies: Vec<ProxyEntry>,
    /// Where routes matter for the addresses of the policy.
    nets: Vec<IpNet>,
    tables: HashSet<u32>,
}

impl Seen {
    /// What is to be remembered of a snapshot.
    pub fn of(snapshot: &Snapshot) -> Self {
        let interfaces = snapshot
            .interfaces
            .iter()
            .map(|interface| (interface.index, (InterfaceIdentity::from(interface), interface.sysctls)));
        Self {
            interfaces: interfaces.collect(),
            all: snapshot.all,
            default: snapshot.default,
            proxies: snapshot.proxies.clone(),
            nets: snapshot.addresses.iter().map(Address::subnet).collect(),
            tables: HashSet::new(),
        }
    }

    /// The addresses and tables of the policy; routes to other places change nothing about its answers.
    pub fn wanted(&mut self, desired: &Desired) {
        let services = desired.services.iter().map(|service| IpAddr::V4(service.address));
        let named = desired.proxied.iter().map(|(address, _)| *address).chain(services);
        self.nets.extend(named.map(IpNet::from));
        self.nets = IpNet::aggregate(&self.nets);
        self.tables = desired.routes.iter().map(|route| route.table).collect();
    }

    /// Whether a change of this route may change answers, or how packets of the policy's addresses leave.
    pub fn matters(&self, route: &Route) -> bool {
        let overlaps = |net: &IpNet| net.contains(&route.destination) || route.destination.contains(net);
        route.protocol == PROTOCOL || self.tables.contains(&route.table) || self.nets.iter().any(overlaps)
    }

    /// The folders of sysctls that are to be watched.
    pub fn folders(&self) -> Vec<Folder> {
        let with_sysctls =
            self.interfaces.values().filter(|(_, sysctls)| *sysctls != SysctlValues::default());
        let of_interfaces =
            with_sysctls.map(|(known, _)| Folder::Interface { index: known.index, name: known.name });
        of_interfaces.chain([Folder::All, Folder::Default]).collect()
    }

    /// The value of a sysctl; `None` also for an interface that is another one by now.
    pub fn value(&self, folder: Folder, sysctl: Sysctl) -> Option<i32> {
        match folder {
            Folder::All => self.all.get(sysctl),
            Folder::Default => self.default.get(sysctl),
            Folder::Interface { index, name } => {
                let (known, sysctls) = self.interfaces.get(&index)?;
                if known.name == name { sysctls.get(sysctl) } else { None }
            }
        }
    }

    /// The interfaces whose MAC is another one than before.
    pub fn with_another_mac(&self, before: &Self) -> HashSet<IfIndex> {
        let changed = self.interfaces.iter().filter(|(index, (now, _))| {
            before.interfaces.get(index).is_some_and(|(known, _)| known.mac != now.mac)
        });
        changed.map(|(index, _)| *index).collect()
    }
}
