//! What the last look saw, as far as later news is compared with it.

use std::collections::HashMap;

use crate::error::Result;
use crate::kernel::LinuxKernel;
use crate::plan::desired::Desired;
use crate::plan::{InterfaceIdentity, PROTOCOL};
use crate::policy::Policy;
use crate::snapshot::{Near, ProxyEntry, Route, Snapshot};
use crate::sysctl::{Sysctl, SysctlValues};
use crate::types::{IfIndex, IfName};

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

/// Where routes count for a policy and, if that is known, what it wants of a host: around its addresses and in its tables.
pub(super) fn near(policy: &Policy, desired: Option<&Desired>) -> Near {
    let proxied = policy.proxies.iter().flat_map(|proxy| &proxy.addresses);
    let services = policy.services.iter().flat_map(|service| &service.addresses);
    let tables = desired.iter().flat_map(|desired| &desired.routes).map(|route| route.table);
    Near::new(proxied.chain(services).copied(), tables.collect(), PROTOCOL)
}

/// See the module text. A whole snapshot would be large where there are many routes.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub interfaces: HashMap<IfIndex, (InterfaceIdentity, SysctlValues)>,
    all: SysctlValues,
    default: SysctlValues,
    pub proxies: Vec<ProxyEntry>,
    /// Where routes matter for the addresses of the policy and of the host.
    near: Near,
}

impl Seen {
    /// What is to be remembered of a snapshot.
    pub fn of(snapshot: &Snapshot, near: &Near) -> Self {
        let interfaces = snapshot
            .interfaces
            .iter()
            .map(|interface| (interface.index, (InterfaceIdentity::from(interface), interface.sysctls)));
        Self {
            interfaces: interfaces.collect(),
            all: snapshot.all,
            default: snapshot.default,
            proxies: snapshot.proxies.clone(),
            near: near.on(&snapshot.addresses, &snapshot.rules),
        }
    }

    /// Routes to other places than those of `near` change nothing about the answers of the policy.
    pub fn near(&mut self, near: &Near, snapshot: &Snapshot) {
        self.near = near.on(&snapshot.addresses, &snapshot.rules);
    }

    /// Whether a change of this route may change answers, or how packets of the policy's addresses leave.
    pub fn matters(&self, route: &Route) -> bool {
        self.near.matters(route)
    }

    /// What the interfaces are called.
    pub fn names(&self) -> HashMap<IfIndex, IfName> {
        self.interfaces.values().map(|(known, _)| (known.index, known.name)).collect()
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
}
