//! `arpflux vz status`.

use arpflux_core::Result;
use arpflux_core::exit::Exit;
use arpflux_core::outward::vz::Status;
use arpflux_core::vz::Standing;
use arpflux_core::vz::setup::Integration;

use super::Common;
use super::setup::Scripts;
use crate::output::{Output, Style};
use crate::table::{Cell, Table};

/// Show what is published, for whom and where.
///
/// Exit code 1 if an address is not as it should be; `arpflux vz sync` puts that right.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    scripts: Scripts,
}

/// Runs the verb.
///
/// # Errors
/// If the state cannot be read.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let node = args.common.node()?;
    let overdue = node.host().overdue(&args.common.state.options())?;
    if let Some(overdue) = &overdue {
        output.note(format!("arpflux: {overdue}"));
    }
    let standing = node.standing()?;
    // Without vzctl on this machine there is nothing to say about it.
    let integration = match args.scripts.setup(&args.common) {
        Ok(setup) => Some(setup.integration()?),
        Err(_) => None,
    };
    let registry = node.registry_path()?.display().to_string();
    let status = Status::new(integration, registry, &standing).overdue(overdue);
    if output.json() {
        output.answer(&status)?;
    } else {
        output.text(match &status.integration {
            Some(Integration::InPlace { way }) => format!("the scripts call arpflux (way: {way})\n"),
            Some(Integration::Absent) => "the scripts do not call arpflux: run `arpflux vz setup`\n".into(),
            Some(Integration::Damaged { files }) => {
                let files: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
                format!("not as `arpflux vz setup` left it: {}; run it again\n", files.join(", "))
            }
            None => "no scripts of vzctl were found\n".into(),
        })?;
        output.text(if standing.is_empty() {
            "no container has published addresses\n".into()
        } else {
            table(&standing).render(output)
        })?;
    }
    Ok(Exit::of_answer(status.is_right()).code())
}

fn table(standing: &[Standing]) -> Table {
    let mut table = Table::new(["container", "address", "interface", "state"]);
    for one in standing {
        table.row([
            Cell::new(&one.owner),
            Cell::new(one.address),
            Cell::new(&one.interface),
            Cell::new(one.state()).style(if one.is_right() { Style::Good } else { Style::Bad }),
        ]);
    }
    table
}
