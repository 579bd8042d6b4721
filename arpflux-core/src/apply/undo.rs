//! Taking changes back, by what is there now and not by what was meant to be done.
//!
//! A change that is in force goes back to what was there before; one that is not in force needs
//! nothing; a value that is neither belongs to somebody else and is left alone. So undoing may stop
//! anywhere and begin again, and need not know how far the run came that it takes back.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::receipt::Conflict;
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::plan::{Change, InterfaceIdentity};
use crate::snapshot::Snapshot;
use crate::state::{Object, State, SysctlScope, Value};
use crate::types::{IfIndex, IfName};

/// How often what failed is tried again.
const PASSES: usize = 3;

/// What would take changes back.
#[derive(Debug, Default)]
pub(crate) struct Inverse {
    pub(crate) changes: Vec<Change>,
    pub(crate) conflicts: Vec<Conflict>,
    /// What needs nothing because its interface is gone.
    pub(crate) moot: Vec<String>,
}

/// How undoing went.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// How many changes were taken back.
    pub(crate) undone: usize,
    pub(crate) conflicts: Vec<Conflict>,
    pub(crate) moot: Vec<String>,
    /// What could not be taken back, and why.
    pub(crate) left: Vec<String>,
}

/// What takes `changes` back in the state `snapshot`, the last first.
///
/// `interfaces` are those that the changes were made for: a namesake of the same number but another MAC
/// is a stranger. With `force`, what somebody else changed since goes back too.
pub(crate) fn inverse(
    changes: &[Change],
    interfaces: &[InterfaceIdentity],
    snapshot: &Snapshot,
    force: bool,
) -> Inverse {
    let mut state = State::of(snapshot);
    let names = names(snapshot, interfaces);
    let strangers: HashSet<_> = interfaces
        .iter()
        .filter(|known| {
            snapshot.interface(known.index).is_some_and(|now| now.name != known.name && now.mac != known.mac)
        })
        .map(|known| known.index)
        .collect();
    // Everything that an object was meant to be, one after the other.
    let mut chains: HashMap<&Object, Vec<Value>> = HashMap::with_capacity(changes.len());
    for Change { object, before, after } in changes {
        chains.entry(object).or_insert_with(|| vec![*before]).push(*after);
    }
    let mut inverse = Inverse::default();
    // What is as it was before, or needs or gets nothing more.
    let mut settled: HashSet<&Object> = HashSet::new();
    for step in changes.iter().rev() {
        let object = &step.object;
        let chain = chains.get(object).map_or(&[][..], Vec::as_slice);
        let original = chain.first().copied().unwrap_or(step.before);
        if step.before == step.after || settled.contains(object) {
            continue;
        }
        let stranger = object.interface().is_some_and(|index| strangers.contains(&index));
        match state.get(object) {
            Value::Gone => {
                inverse.moot.push(object.name(&names));
                settled.insert(object);
            }
            _ if stranger => {
                inverse.moot.push(object.name(&names));
                settled.insert(object);
            }
            now if object.same(now, original) => {
                settled.insert(object);
            }
            now if object.same(now, step.after) => {
                let back = step.inverse();
                state.make(&back);
                inverse.changes.extend(renamed(back, snapshot).steps());
            }
            // This change was not made; an earlier one of the same object was.
            now if chain.iter().any(|value| object.same(*value, now)) => {}
            now => {
                let put = Change { object: object.clone(), before: now, after: original };
                let forced = if force { renamed(put, snapshot).steps() } else { Vec::new() };
                if forced.is_empty() {
                    inverse.conflicts.push(Conflict {
                        object: object.name(&names),
                        expected: step.after.to_string(),
                        found: now.to_string(),
                        former: original.to_string(),
                    });
                }
                inverse.changes.extend(forced);
                settled.insert(object);
            }
        }
    }
    inverse
}

/// What interfaces are called in `snapshot`, and those that are gone in `known`.
pub(super) fn names(snapshot: &Snapshot, known: &[InterfaceIdentity]) -> impl Fn(IfIndex) -> Option<IfName> {
    move |index| match snapshot.interface(index) {
        Some(interface) => Some(interface.name),
        None => known.iter().find(|known| known.index == index).map(|known| known.name),
    }
}

/// The change with the name that its interface has now.
pub(super) fn renamed(mut change: Change, snapshot: &Snapshot) -> Change {
    if let Object::Sysctl { scope, .. } | Object::Ipv6Sysctl { scope, .. } | Object::ProxyDelay { scope } =
        &mut change.object
        && let SysctlScope::Interface { index, name } = scope
        && let Some(interface) = snapshot.interface(*index)
    {
        *name = interface.name;
    }
    change
}

/// Takes `changes` back and checks that they are; never stops at a failure.
///
/// `made` of them are known to have been made; they are taken back even if the state cannot be read.
pub(crate) fn undo(
    kernel: &mut dyn Kernel,
    changes: &[Change],
    interfaces: &[InterfaceIdentity],
    made: usize,
) -> Report {
    let mut report = Report::default();
    let mut failures: Vec<(Change, Error)> = Vec::new();
    for pass in 0..=PASSES {
        let snapshot = match patient_snapshot(kernel) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                if pass == 0 {
                    let blind: Vec<Change> =
                        changes[..made.min(changes.len())].iter().rev().map(Change::inverse).collect();
                    make_all(kernel, &blind, &mut failures);
                }
                report.left.push(format!("whether everything is as before cannot be seen: {error}"));
                return report;
            }
        };
        let inverse = inverse(changes, interfaces, &snapshot, false);
        report.conflicts = inverse.conflicts;
        report.moot = inverse.moot;
        if inverse.changes.is_empty() {
            break;
        }
        if pass == PASSES {
            report.left = inverse
                .changes
                .iter()
                .map(|change| {
                    let object = change.object.name(&names(&snapshot, interfaces));
                    match failures.iter().find(|(failed, _)| failed == change) {
                        Some((_, error)) => format!("{object}: {error}"),
                        None => object,
                    }
                })
                .collect();
            break;
        }
        failures.clear();
        report.undone += make_all(kernel, &inverse.changes, &mut failures);
    }
    report
}

/// Makes every change that can be made; how many that were.
fn make_all(kernel: &mut dyn Kernel, changes: &[Change], failures: &mut Vec<(Change, Error)>) -> usize {
    let (mut at, mut made) = (0, 0);
    while at < changes.len() {
        match kernel.make(&changes[at..]) {
            Ok(()) => return made + changes.len() - at,
            Err(failed) => {
                made += failed.at;
                if let Some(change) = changes.get(at + failed.at) {
                    failures.push((change.clone(), failed.error));
                }
                let mut next = failed.at + 1;
                while failed.beyond.contains(&next) {
                    (next, made) = (next + 1, made + 1);
                }
                at += next;
            }
        }
    }
    made
}

/// A snapshot, also where the first attempts fail.
fn patient_snapshot(kernel: &mut dyn Kernel) -> Result<Snapshot> {
    let mut result = kernel.snapshot();
    for pause in [1, 10] {
        if result.is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(pause));
        result = kernel.snapshot();
    }
    result
}
