//! What was set on interfaces so that they publish: it goes back with the last address there.

use std::path::Path;

use crate::error::Result;
use crate::persist::FileState;
use crate::plan::{Change, Plan};
use crate::snapshot::Snapshot;
use crate::state::{Object, State, SysctlScope};
use crate::sysctl::Sysctl;

/// The file's name, in the folder of the namespace.
pub(super) const FILE: &str = "settings.json";

/// `forwarding`, `proxy_delay` and `proxy_ndp` of interfaces: what each was before, and what it was set to.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Settings(Vec<Change>);

impl Settings {
    /// Reads the file's text; what cannot be read counts as nothing, as no stop may fail for it.
    fn from_json(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    /// Reads the file beside the registry, and gives what is there.
    pub(super) fn read(registry: &Path) -> Result<(FileState, Self)> {
        let state = FileState::read(&registry.with_file_name(FILE))?;
        let settings = match &state {
            FileState::Regular { text, .. } => Self::from_json(text),
            _ => Self::default(),
        };
        Ok((state, settings))
    }

    /// What is set, and to what: `net.ipv4.conf.venet0.forwarding = 1`.
    pub(super) fn set(&self, snapshot: &Snapshot) -> Vec<String> {
        let name = |index| snapshot.interface(index).map(|interface| interface.name);
        self.0.iter().map(|made| format!("{} = {}", made.object.name(&name), made.after)).collect()
    }

    /// The file's text; `None` if there is nothing to write.
    pub(super) fn to_json(&self) -> Option<String> {
        if self.0.is_empty() { None } else { serde_json::to_string(&self.0).ok() }
    }

    /// Remembers what a plan sets, and adds to the plan what goes back: where no proxy entry of anybody is left,
    /// and nobody has changed the value since.
    pub(super) fn settle(&mut self, snapshot: &Snapshot, plan: &mut Plan) {
        for change in plan.changes.iter().filter(|change| is_setting(&change.object)) {
            match self.0.iter_mut().find(|known| known.object == change.object) {
                Some(known) => known.after = change.after,
                None => self.0.push(change.clone()),
            }
        }
        if self.0.is_empty() {
            return;
        }
        let after = snapshot.with(&plan.changes);
        let mut state = State::of(&after);
        let mut back = Vec::new();
        self.0.retain(|made| {
            let used = |interface| {
                // Forwarding is also set on the interface that leads to a container: it goes with the last of all.
                let everywhere = matches!(made.object, Object::Sysctl { .. });
                let there = |of: Option<_>| everywhere || of.is_none() || of == Some(interface);
                let mut entries = after.proxies.iter();
                entries
                    .any(|entry| entry.address.is_ipv6() == is_ipv6(&made.object) && there(entry.interface))
            };
            let stays = made.interface().is_some_and(used);
            if !stays && !is_the_hosts(made, &after) {
                let now = state.get(&made.object);
                if made.object.same(now, made.after) && !made.object.same(now, made.before) {
                    back.push(Change { object: made.object.clone(), before: now, after: made.before });
                }
            }
            stays
        });
        crate::vz::plan::name_interfaces(plan, snapshot, back.iter().filter_map(Change::interface));
        plan.changes.extend(back);
    }
}

/// What plans set so that proxy entries answer.
const fn is_setting(object: &Object) -> bool {
    matches!(
        object,
        Object::ProxyDelay { .. }
            | Object::Ipv6Sysctl { .. }
            | Object::Sysctl { sysctl: Sysctl::Forwarding, scope: SysctlScope::Interface { .. } }
    )
}

const fn is_ipv6(object: &Object) -> bool {
    matches!(object, Object::Ipv6Sysctl { .. })
}

/// Whether the host has the value for a reason of its own by now: it is a router.
fn is_the_hosts(made: &Change, after: &Snapshot) -> bool {
    matches!(made.object, Object::Sysctl { .. }) && after.all.get(Sysctl::Forwarding).unwrap_or(0) != 0
}
