//! `segments --hosts --policies`: in which order several hosts are changed.

use std::path::Path;

use arpflux_core::plan::Plan;
use arpflux_core::segment::{Action, DoubtState, Order, infer, order};
use arpflux_core::wire::stop_on_interrupt;
use arpflux_core::words::counted;
use arpflux_core::{Error, ErrorKind, Policy, Result};

use super::hosts;
use crate::Output;
use crate::output::Style;

/// How many doubts of each kind are listed.
const DOUBTS: usize = 20;

/// Says it.
///
/// # Errors
/// If a file cannot be read, a policy does not fit its host, or it was interrupted.
pub fn run(args: &super::Args, policies: &Path, output: &Output) -> Result<u8> {
    if !policies.is_dir() {
        return Err(Error::new(ErrorKind::NotFound, "there is no such folder")
            .during("read the policies")
            .on(policies.display().to_string())
            .hint("it holds HOST.toml for each host of --hosts"));
    }
    let hosts = hosts::read(&args.hosts)?;
    let members = hosts::members(&hosts)?;
    let stop = stop_on_interrupt()?;
    let mut without = 0;
    let mut plans = Vec::with_capacity(hosts.len());
    for host in &hosts {
        let path = policies.join(format!("{}.toml", host.name));
        if path.exists() {
            let plan = Policy::from_path(&path)?.plan(&host.snapshot);
            plans.push(
                plan.map_err(|error| if error.path().is_none() { error.on_file(&path) } else { error })?,
            );
        } else {
            without += 1;
            plans.push(Plan::default());
        }
    }
    let segments = match &args.wires {
        None => infer(&members, &stop)?.segments,
        Some(path) => hosts::told(&members, path)?,
    };
    let found = order(&members, &plans, &segments, usize::from(args.at_once), &stop)?;
    let code = found.judgement.exit_code();
    if output.json() {
        output.answer(&found)?;
    } else {
        output.text(text(&found, without, output))?;
    }
    Ok(code)
}

fn text(order: &Order, without: usize, output: &Output) -> String {
    let mut text = String::new();
    for step in &order.steps {
        text += &match step.action {
            Action::Apply => format!("{step}\n"),
            Action::Withdraw => {
                let addresses: Vec<String> = step.addresses.iter().map(ToString::to_string).collect();
                format!("{}. on {}: arpflux proxy del {}\n", step.batch, step.host, addresses.join(" "))
            }
        };
    }
    for state in [DoubtState::Several, DoubtState::Undetermined, DoubtState::Nobody] {
        let doubts: Vec<_> = order.doubts.iter().filter(|doubt| doubt.state == state).collect();
        let style = if state == DoubtState::Several { Style::Bad } else { Style::Caution };
        for doubt in doubts.iter().take(DOUBTS) {
            text += &format!("{}\n", output.paint(style, doubt));
        }
        if let more @ 1.. = doubts.len().saturating_sub(DOUBTS) {
            text += &format!("and {more} more (--json has all)\n");
        }
    }
    let changed = order.steps.iter().filter(|step| step.action == Action::Apply).count();
    text += &format!(
        "Looked at {}: {}",
        counted(order.hosts, "host", "hosts"),
        counted(changed, "is changed", "are changed")
    );
    if without > 0 {
        text += &format!(", {without} without a policy stay as they are");
    }
    text += match order.judgement.ok() {
        Some(true) => "; no address gets a second answer on the way or stays without one.\n",
        Some(false) => "; not every address has one answer on the way and afterwards, see above.\n",
        None => "; what cannot be told is above.\n",
    };
    text
}
