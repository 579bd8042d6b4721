//! `arpflux vz net-del`.

use arpflux_core::Result;
use arpflux_core::vz::Purpose;

use super::{Common, Whose, report};
use crate::exit;
use crate::output::Output;

/// Withdraw addresses of a container, before its routes go.
///
/// Prints, one a line, those addresses that are another container's: they stay published, and the caller
/// should leave their routes alone. Addresses that are not published are passed over.
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
/// If an address is none, or withdrawing failed.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let call = args.whose.call(Purpose::Delete)?;
    let done = args.common.node()?.withdraw(call.veid.as_ref(), Some(&call.addresses))?;
    report(&done, output);
    if !output.json() {
        let lines: String = done.taken.iter().map(|taken| format!("{}\n", taken.address)).collect();
        output.text(lines)?;
    }
    Ok(exit::GOOD)
}
