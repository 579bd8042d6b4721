//! `arpflux vz nics`.

use arpflux_core::Result;
use arpflux_core::outward::vz::Nics;
use arpflux_core::vz::Purpose;

use super::{Common, Whose};
use crate::exit;
use crate::output::Output;

/// Print the interfaces where addresses of a container belong.
///
/// One line, with blanks between, for NEIGHBOUR_DEVS="list:$(arpflux vz nics)" in vz.conf. Without VEID and
/// without addresses it prints nothing.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    whose: Whose,
}

/// Runs the verb.
///
/// # Errors
/// If it is not clear where the addresses belong.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let call = args.whose.call(Purpose::Add)?;
    let interfaces = args.common.node()?.interfaces(&call)?;
    if output.json() {
        output.answer(&Nics { interfaces })?;
    } else if !interfaces.is_empty() {
        let interfaces: Vec<String> = interfaces.iter().map(ToString::to_string).collect();
        output.text(interfaces.join(" ") + "\n")?;
    }
    Ok(exit::GOOD)
}
