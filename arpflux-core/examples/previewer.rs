//! Shows a plan as a table, leaves out what the operator does not want, applies the rest on trial, and keeps it if it
//! does what it should: `previewer POLICY STATE-FOLDER [sysctls|proxies|routing ...]`, the kinds to leave out.

use std::path::Path;
use std::time::Duration;

use arpflux_core::apply::{Confirm, Options};
use arpflux_core::state::{Change, Object};
use arpflux_core::{Host, Policy};

fn kind(change: &Change) -> &'static str {
    match change.object {
        Object::Proxy { .. } => "proxies",
        Object::Rule(_) | Object::Route(_) => "routing",
        _ => "sysctls",
    }
}

/// Lines to print.
pub(crate) fn run(
    policy: &Policy,
    state: &Path,
    leave_out: &[String],
) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let host = Host::current()?;
    let snapshot = host.snapshot()?;
    let whole = policy.plan(&snapshot)?;
    let row = |change: &Change| {
        let interface = change.interface().map_or("-".into(), |index| snapshot.name_of(index));
        format!("{:8} {interface:6} {change}", kind(change))
    };
    let mut lines: Vec<String> = whole.changes.iter().map(row).collect();
    // Announcements and identities go with the changes that they belong to.
    let plan = whole.without(|change| leave_out.iter().any(|one| one == kind(change)));
    lines.push(format!("{} of {} changes are left", plan.changes.len(), whole.changes.len()));
    lines.extend(plan.impact(&snapshot, policy)?.to_string().lines().map(str::to_owned));
    if plan.is_empty() {
        return Ok(lines);
    }
    // Undone by itself unless it is confirmed, also if this program dies.
    let options = Options::from(Confirm::Within(Duration::from_secs(30))).state_dir(state);
    let trial = host.apply(&plan, options)?;
    let left = policy.plan(&host.snapshot()?)?.changes.len();
    if left == whole.changes.len() - plan.changes.len() {
        let receipt = trial.confirm()?;
        lines.push(format!("kept {} changes, {left} left to do", receipt.changes.len()));
    } else {
        trial.undo()?;
        lines.push("taken back: it did not do what it should".into());
    }
    Ok(lines)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [policy, state, leave_out @ ..] = arguments.as_slice() else {
        return Err("usage: previewer POLICY STATE-FOLDER [sysctls|proxies|routing ...]".into());
    };
    println!("{}", run(&Policy::from_path(policy)?, state.as_ref(), leave_out)?.join("\n"));
    Ok(())
}
