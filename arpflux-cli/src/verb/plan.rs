//! `arpflux plan`.

use arpflux_core::outward::Planned;
use arpflux_core::{Result, harm};

use crate::Source;
use crate::exit;
use crate::input::PolicyFile;
use crate::output::{Output, Style};

/// Say what has to change so that a policy holds, why, and which answers change with it.
///
/// Nothing is changed, and no privilege is needed. `arpflux apply` makes the change; it also takes the
/// JSON that this prints.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    policy: PolicyFile,
    /// Leave out which answers change: quicker where there are very many routes and entries.
    #[arg(long)]
    no_impact: bool,
    #[command(flatten)]
    source: Source,
}

/// Runs the verb.
///
/// # Errors
/// If the policy is not valid or would not work on this host, or there is no snapshot to be had.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let policy = args.policy.read()?;
    let snapshot = args.source.snapshot()?;
    let plan = policy.plan(&snapshot)?;
    let impact = (!args.no_impact).then(|| plan.impact(&snapshot, &policy)).transpose()?;
    if output.json() {
        output.answer(&Planned::new(&plan, impact.as_ref()))?;
        return Ok(exit::GOOD);
    }
    for harm in harm::of_plan(&snapshot, &plan, Some(&policy))? {
        output.text(format!("{}      {harm}\n", output.paint(Style::Bad, "HARM")))?;
    }
    output.text(&plan)?;
    let Some(impact) = impact else { return Ok(exit::GOOD) };
    if impact.effects.is_empty() {
        if !plan.is_empty() {
            output.text("No answer to any ARP request changes.\n")?;
        }
        return Ok(exit::GOOD);
    }
    let victims = impact.victims().count();
    let heading = match victims {
        0 => "answers".to_owned(),
        _ => format!("answers ({victims} of them for addresses that the policy does not name, these first)"),
    };
    output.text(output.paint(Style::Strong, heading) + "\n")?;
    for line in impact.to_string().lines() {
        output.text(format!("    {line}\n"))?;
    }
    Ok(exit::GOOD)
}
