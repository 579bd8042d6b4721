//! What is published for containers and other owners: it is arpflux's own, and kept like the policy.

use crate::apply::Options;
use crate::error::{Error, Result};
use crate::persist::FileState;
use crate::plan::Plan;
use crate::plan::desired::Desired;
use crate::plan::published::without;
use crate::policy::Policy;
use crate::snapshot::{NetnsIdentity, Snapshot};
use crate::vz::{self, Registry};

/// What was published when everything was looked at last.
#[derive(Debug, Clone)]
pub(super) struct Published {
    file: FileState,
    pub registry: Registry,
    /// Why that cannot be told now; what it was before goes on being kept.
    pub unreadable: Option<Error>,
}

impl Default for Published {
    fn default() -> Self {
        Self { file: FileState::Absent, registry: Registry::default(), unreadable: None }
    }
}

impl Published {
    /// Reads it again. To be called before the snapshot that it is compared with: what comes after that, a repair finds out.
    pub fn read(&mut self, netns: &NetnsIdentity, options: &Options) {
        let read = vz::registry_file(netns, options);
        self.unreadable = match read {
            Ok((file, _)) if file == self.file && self.unreadable.is_none() => None,
            Ok((file, path)) => {
                let read = vz::of_file(&file, &path).map(|registry| self.registry = registry);
                self.file = file;
                read.err()
            }
            Err(error) => Some(error),
        };
    }

    /// Whether somebody has published or withdrawn something since. Under the lock of the namespace nobody does.
    pub fn is_outdated(&self, netns: &NetnsIdentity, options: &Options) -> bool {
        vz::registry_file(netns, options).is_ok_and(|(file, _)| file != self.file)
    }

    /// What it takes to keep the policy and what is published.
    ///
    /// # Errors
    /// As [`Policy::plan`].
    pub fn plan(&self, policy: &Policy, snapshot: &Snapshot) -> Result<(Plan, Desired)> {
        if self.registry.held.is_empty() {
            return policy.plan_and_desired(snapshot);
        }
        let (both, gone) = vz::with_published(policy, snapshot, &self.registry);
        if gone.is_empty() {
            return both.plan_and_desired(snapshot);
        }
        let (mut plan, desired) = both.plan_and_desired(&without(snapshot, &gone))?;
        vz::prepend(&mut plan, snapshot, &gone);
        Ok((plan, desired))
    }
}
