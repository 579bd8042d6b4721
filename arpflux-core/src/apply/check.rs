//! What is compared with the kernel before and after the changes of a transaction.

use std::collections::{BTreeSet, HashMap};

use super::undo;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Change, InterfaceIdentity, Plan};
use crate::snapshot::{NetnsIdentity, Snapshot};
use crate::state::{Object, State as Objects, SysctlScope, Value};
use crate::sysctl::{Ipv6Sysctl, Sysctl};
use crate::types::IfIndex;

/// Whether the plan was made for this namespace as it is now.
pub(super) fn check_plan(plan: &Plan, snapshot: &Snapshot, netns: &NetnsIdentity) -> Result<()> {
    let again = "make the plan again";
    if !plan.any_namespace && plan.netns != *netns && !plan.is_empty() {
        let unknown = plan.netns == NetnsIdentity::default();
        let (what, hint) = match unknown {
            true => (
                "it does not say which network namespace it is for",
                "make it from a snapshot of this namespace, or say that it is for any (`any_namespace`)",
            ),
            false => ("it was made for another network namespace", again),
        };
        return Err(Error::new(ErrorKind::Changed, what).during("apply").on("plan").hint(hint));
    }
    check_interfaces(&plan.interfaces, snapshot)?;
    let mut state = Objects::of(snapshot);
    for step in &plan.changes {
        step.check().map_err(|error| error.during("apply"))?;
        let name = || step.object.name(&undo::names(snapshot, &plan.interfaces));
        if copies_to_all(&step.object) {
            return Err(Error::new(ErrorKind::Refused, "writing it rewrites every interface")
                .during("apply")
                .on(name())
                .hint("set the interfaces one by one"));
        }
        if let Some(SysctlScope::Interface { index, name: named }) = step.object.scope()
            && let Some(interface) = snapshot.interface(*index)
            && interface.name != *named
        {
            return Err(Error::new(ErrorKind::Changed, format!("it is called {} now", interface.name))
                .during("apply")
                .on(*named)
                .hint(again));
        }
        match state.get(&step.object) {
            now if step.object.same(now, step.before) => {}
            Value::Gone => {
                return Err(Error::new(ErrorKind::Changed, "its interface is gone")
                    .during("apply")
                    .on(name())
                    .hint(again));
            }
            Value::Unknown => {
                return Err(Error::new(ErrorKind::Unsupported, "this kernel has no such value")
                    .during("apply")
                    .on(name()));
            }
            now => {
                return Err(Error::new(
                    ErrorKind::Changed,
                    format!("it is {now}, the plan was made when it was {}", step.before),
                )
                .during("apply")
                .on(name())
                .hint(again));
            }
        }
        state.make(step);
    }
    plan.check_announcements(snapshot)
}

/// Whether the kernel copies the value to every interface (`inet_forward_change`, `addrconf_forward_change`).
fn copies_to_all(object: &Object) -> bool {
    matches!(
        object,
        Object::Sysctl { scope: SysctlScope::All, sysctl: Sysctl::Forwarding }
            | Object::Ipv6Sysctl { scope: SysctlScope::All, sysctl: Ipv6Sysctl::Forwarding }
    )
}

/// Whether every interface is still the one that the plan saw.
fn check_interfaces(interfaces: &[InterfaceIdentity], snapshot: &Snapshot) -> Result<()> {
    for known in interfaces {
        let changed = |what: String| {
            Err(Error::new(ErrorKind::Changed, what)
                .during("apply")
                .on(known.name)
                .detail(&format!("its number was {}", known.index))
                .hint("make the plan again"))
        };
        match snapshot.interface(known.index) {
            Some(now) if now.name != known.name => {
                return changed(format!("it is called {} now", now.name));
            }
            Some(now) if now.mac != known.mac => {
                return changed(format!("its MAC is {} now, it was {}", now.mac, known.mac));
            }
            Some(_) => {}
            None => {
                return changed(match snapshot.interface_named(&known.name) {
                    Some(other) => {
                        format!("it is gone; number {} has its name now, and is another one", other.index)
                    }
                    None => "it is gone, or in another namespace".into(),
                });
            }
        }
    }
    Ok(())
}

/// Reads what was made again: how many changes were found as they should be.
pub(super) fn check_made(
    changes: &[Change],
    interfaces: &[InterfaceIdentity],
    snapshot: &Snapshot,
) -> Result<usize> {
    check_interfaces(interfaces, snapshot)?;
    let mut state = Objects::of(snapshot);
    let mut last: HashMap<&Object, Value> = HashMap::new();
    for step in changes {
        last.insert(&step.object, step.after);
    }
    for Change { object, .. } in changes {
        let found = state.get(object);
        if let Some(wanted) = last.get(object)
            && !object.same(found, *wanted)
        {
            return Err(Error::new(
                ErrorKind::Changed,
                format!("it is {found} after it was made {wanted}; somebody else changes it too"),
            )
            .during("check")
            .on(object.name(&undo::names(snapshot, interfaces))));
        }
    }
    Ok(changes.len())
}

/// The interfaces that changes touch, and those that the plan relies on, as they are now.
pub(super) fn identities(
    changes: &[Change],
    relied_on: &[InterfaceIdentity],
    snapshot: &Snapshot,
) -> Vec<InterfaceIdentity> {
    let mut wanted: BTreeSet<IfIndex> = relied_on.iter().map(|known| known.index).collect();
    wanted.extend(changes.iter().filter_map(Change::interface));
    wanted.into_iter().filter_map(|index| snapshot.interface(index)).map(InterfaceIdentity::from).collect()
}
