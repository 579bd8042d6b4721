//! `arpflux vz sync`.

use arpflux_core::Result;

use super::{Common, announce_again, report, summary};
use crate::exit;
use crate::output::Output;

/// Publish again what is missing, and withdraw what lost its route.
///
/// For after an interface was down (the kernel drops its proxy entries then, and says nothing), came late,
/// or after the policy was changed. Takes over containers that were started before the integration was
/// there.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
}

/// Runs the verb.
///
/// # Errors
/// If the policy is of no use, or not everything could be made; what was made is undone then.
pub fn run(args: &Args, output: &Output) -> Result<u8> {
    let done = args.common.node()?.sync()?;
    announce_again(&done, &args.common, output);
    report(&done, output);
    summary(&done.receipt, output);
    Ok(exit::GOOD)
}
